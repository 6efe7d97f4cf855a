//! Shared access tokens: any text is answered; a token is heard as it was signed, covers what it names, and verifies
//! with its key alone.
#![no_main]
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use twin_core::Timestamp;
use twin_core::auth::{Key, SasToken};

// Lines: a token, a resource, a policy or nothing, seconds.
fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (text, resource, policy, expiry) = (line(), line(), line(), line().parse().unwrap_or(u32::MAX));
    let policy = (!policy.is_empty()).then_some(policy);
    let (key, other) = (key(7), key(8));
    let now = Timestamp::from_unix(Duration::from_secs(u64::from(expiry)));
    if let Ok(token) = SasToken::parse(text) {
        let again = SasToken::parse(token.expose()).expect("said again");
        assert_eq!((again.resource(), again.policy()), (token.resource(), token.policy()));
        assert_eq!(again.expiry(), token.expiry());
        let _ = (token.covers(resource), token.explain(now));
        assert!(token.verify(resource, [&key, &other], now).is_err(), "nobody signed it");
    }
    let signed = SasToken::sign(resource, &key, policy, now);
    let Ok(heard) = SasToken::parse(signed.expose()) else { return };
    assert_eq!((heard.resource(), heard.policy(), heard.expiry()), (resource, policy, now));
    assert!(heard.is_signed_by([&other, &key]) && !heard.is_signed_by([&other]));
    if heard.covers(resource) {
        heard.verify(resource, [&key], now).expect("verifies");
        assert!(heard.covers(&format!("{}/x", resource.trim_end_matches('/'))));
    }
});

fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).expect("32 bytes are a key")
}
