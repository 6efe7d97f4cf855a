//! MQTT topics, filters, client ids and user names, heard at both ends: any text is answered, and what was heard can be
//! said so that it is heard as the same again.
#![no_main]
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use twin_core::{Message, TwinKey};
use twin_core::wire::{Heard, Said, mqtt};

// A line with a client id, then the text.
fuzz_target!(|text: &str| {
    let Some((id, text)) = text.split_once('\n') else { return };
    let Ok(key) = mqtt::hear_client_id(id) else { return };
    let body = Bytes::from_static(b"{}");
    if let Ok(said) = mqtt::hear(&key, text, body.clone()) {
        speak(&key, &said);
    }
    if let Some(heard) = mqtt::hear_hub(&key, text, body.clone()) {
        answer(&key, &heard);
    }
    if let Some(channel) = mqtt::hear_filter(&key, text) {
        assert_eq!(mqtt::hear_filter(&key, &mqtt::say_filter(&key, channel)), Some(channel));
    }
    if let Ok(heard) = mqtt::hear_client_id(text) {
        assert_eq!(mqtt::hear_client_id(&mqtt::say_client_id(&heard)).expect("said again"), heard);
    }
    if let Ok(login) = mqtt::hear_login(text) {
        let said = mqtt::say_login(&login);
        assert_eq!(mqtt::hear_login(&said).unwrap_or_else(|e| panic!("{said}: {e}")), login, "{said}");
    }
    // A device's own topics are heard whatever its id is made of.
    let telemetry = Said::Telemetry { tag: 0, message: Box::new(Message::new(body)) };
    let said = mqtt::say(&key, &telemetry).expect("sayable");
    assert_eq!(mqtt::hear(&key, &said.topic, said.payload).expect("its own"), telemetry);
});

fn speak(key: &TwinKey, said: &Said) {
    let Some(publish) = mqtt::say(key, said) else { return };
    assert!(!publish.topic.contains(['#', '+', '\0']), "{}", publish.topic);
    assert_eq!(&mqtt::hear(key, &publish.topic, publish.payload).expect("said again"), said);
}

fn answer(key: &TwinKey, heard: &Heard) {
    let Some(publish) = mqtt::say_hub(key, heard) else { return };
    assert!(!publish.topic.contains(['#', '+', '\0']), "{}", publish.topic);
    assert_eq!(mqtt::hear_hub(key, &publish.topic, publish.payload).as_ref(), Some(heard));
}
