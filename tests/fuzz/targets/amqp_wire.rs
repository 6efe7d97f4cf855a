//! AMQP's link addresses, audiences, messages and conditions, heard at both ends: anything is answered, and what was heard
//! can be said so that it is heard as the same again.
#![no_main]
use libfuzzer_sys::fuzz_target;
use twin_core::wire::amqp::{self, Body, Correlation, Message, Scalar};

// Lines: the first is an address and a condition, the second a correlation id, the others annotations and properties.
fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let address = lines.next().unwrap_or_default();
    let nobody = |_: &twin_core::TwinKey| false;
    if let Ok(heard) = amqp::hear_address(address, &nobody) {
        let said = amqp::say_address(&heard);
        assert_eq!(amqp::hear_address(&said, &nobody).unwrap_or_else(|e| panic!("{said}: {e}")), heard);
    }
    let id = Correlation::from_rid(&twin_core::wire::Rid(lines.next().unwrap_or_default().to_owned()));
    assert_eq!(Correlation::from_rid(&id.to_rid()), id);
    let pair = |line: &str| {
        let (name, value) = line.split_once('=')?;
        let value = match value.parse() {
            Ok(number) => Scalar::Long(number),
            Err(_) => Scalar::Text(value.to_owned()),
        };
        Some((name.to_owned().into(), value))
    };
    let pairs: Vec<_> = lines.filter_map(pair).collect();
    let message = Message {
        correlation: Some(id.clone()),
        annotations: pairs.clone(),
        properties: pairs,
        body: Body::Text(address.to_owned()),
        ..Message::default()
    };
    if let Ok(said) = amqp::hear(&message) {
        let again = amqp::say(&said, id).expect("what was heard can be said");
        assert_eq!(amqp::hear(&again).expect("said again"), said);
    }
    if let Ok(Some(heard)) = amqp::hear_hub(&message) {
        let again = amqp::say_hub(&heard).expect("what was heard can be said");
        assert_eq!(amqp::hear_hub(&again).expect("said again"), Some(heard));
    }
    if let Ok(put) = amqp::hear_put_token(&message, &nobody) {
        let again = amqp::say_put_token(Correlation::Ulong(1), &put.scope, &put.token);
        assert!(amqp::hear_put_token(&again, &|_| true).is_ok());
    }
    let _ = amqp::hear_token_answer(&message);
    assert!(!amqp::hear_condition(address, Some(text)).message().is_empty());
});
