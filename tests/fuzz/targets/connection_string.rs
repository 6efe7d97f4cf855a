//! Connection strings and tokens: any text is answered, and what was read can be said again.
#![no_main]
use libfuzzer_sys::fuzz_target;
use twin_core::auth::{DeviceConnectionString, Key, SasToken, ServiceConnectionString};
use twin_core::{HostName, Timestamp};

fuzz_target!(|text: &str| {
    if let Ok(host) = HostName::new(text) {
        assert_eq!(HostName::new(host.to_string()).expect("said again"), host);
    }
    if let Ok(device) = DeviceConnectionString::parse(text) {
        assert_eq!(DeviceConnectionString::parse(&device.expose()).expect("said again"), device);
    }
    if let Ok(service) = ServiceConnectionString::parse(text) {
        assert_eq!(ServiceConnectionString::parse(&service.expose()).expect("said again"), service);
    }
    if let Ok(token) = SasToken::parse(text) {
        let again = SasToken::parse(token.expose()).expect("said again");
        assert_eq!(
            (again.resource(), again.policy(), again.expiry()),
            (token.resource(), token.policy(), token.expiry())
        );
        let key = Key::from_bytes(&[7; 32]).expect("a key");
        assert!(!token.is_signed_by([&key]), "nobody guesses a signature");
        let _ = token.verify("h/devices/d", [&key], Timestamp::NEVER);
        let _ = token.explain(Timestamp::NEVER);
    }
    // What we sign ourselves covers exactly what it is for.
    if !text.contains('/') {
        let key = Key::from_bytes(&[7; 32]).expect("a key");
        let resource = format!("h/devices/x{text}");
        let token = SasToken::sign(&resource, &key, Some(text), Timestamp::NEVER);
        let heard = SasToken::parse(token.expose()).expect("heard");
        assert!(heard.covers(&resource) && heard.is_signed_by([&key]));
    }
});
