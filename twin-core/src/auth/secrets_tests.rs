//! Prints everything in this room and searches for the secrets.

use super::*;
use crate::{HostName, Timestamp, TwinKey};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[test]
fn nothing_prints_a_secret() {
    let key = Key::from_base64(KEY).unwrap();
    let host = HostName::new("h").unwrap();
    let now = "2024-01-01T00:00:00Z".parse::<Timestamp>().unwrap();
    let scope = Scope::Twin(host.clone(), TwinKey::device("d").unwrap());
    let token = SasToken::sign(&scope.resource(), &key, Some("device"), now);
    let signature = token.expose().split_once("sig=").unwrap().1.split_once('&').unwrap().0.to_owned();
    let with_key = DeviceConnectionString::with_key(host.clone(), TwinKey::device("d").unwrap(), key.clone());
    let with_token = DeviceConnectionString::parse(&format!(
        "HostName=h;DeviceId=d;SharedAccessSignature={}",
        token.expose()
    ))
    .unwrap();
    let service = ServiceConnectionString::with_key(host, "service", key.clone());
    let refused = token.verify("h/devices/d", [&Key::from_bytes(&[7; 32]).unwrap()], now).unwrap_err();
    let printed = [
        format!("{key:?} {scope:?} {token:?} {token:#?}"),
        format!("{with_key:?} {with_key:#?} {with_token:?} {with_token:#?} {service:?} {service:#?}"),
        format!("{:?} {:?}", with_key.credential, with_token.credential),
        token.explain(now),
        format!("{refused:?} {refused}"),
    ]
    .join("\n");
    let raw_signature = crate::address::percent_decode(&signature).unwrap();
    for secret in [KEY, &KEY[..12], &signature, &raw_signature, &signature[..12], "[0, 1, 2", "0, 1, 2, 3"] {
        assert!(!printed.contains(secret), "{secret} in\n{printed}");
    }
    // The same search does find a secret where one stands.
    assert!(token.expose().contains(&signature) && with_key.expose().contains(KEY));
}
