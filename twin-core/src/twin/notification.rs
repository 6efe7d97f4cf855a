//! What a device hears about a desired change: members and `$version` in one object.
//!
//! After a PATCH the members are the patch as sent, nulls included; after a PUT they are the new section with null for
//! every member that vanished ([`Section::replace`](super::Section::replace) gives them). Both are merge
//! patches that lead to `$version`. Sources: IoT Hub developer guide, "Device reconnection flow" and "Twin change
//! notifications"; azure-iot-sdk-csharp #954.

use serde_json::Value;

use super::{Object, section, strict};
use crate::error::{Error, ErrorKind, Result};

/// The payload that tells these members and this `$version`.
pub fn say(members: &Object, version: u64) -> Vec<u8> {
    let mut out = Vec::new();
    section::write_open(members, &mut out);
    section::close_with_version(version, &mut out);
    out
}

/// Reads a payload: the members as a merge patch, and the `$version` it leads to, if the payload tells it.
///
/// Not limited by the shape rules: what the hub says is taken as it is, `$metadata` aside. Errors are of kind
/// [`ErrorKind::Protocol`].
pub fn hear(json: &[u8]) -> Result<(Object, Option<u64>)> {
    let mut members = strict::object("", json)
        .map_err(|why| Error::new(ErrorKind::Protocol, format!("the hub's desired change: {why}")))?;
    members.remove("$metadata");
    let version = match members.remove("$version") {
        None => None,
        Some(version) => Some(Value::as_u64(&version).ok_or_else(|| {
            Error::new(ErrorKind::Protocol, "the hub's desired change: '$version' is no version")
        })?),
    };
    Ok((members, version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn says_and_hears() {
        for (members, version, text) in [
            (json!({}), 4, r#"{"$version":4}"#),
            (
                json!({"telemetrySendFrequency": "5m", "route": null}),
                8,
                r#"{"route":null,"telemetrySendFrequency":"5m","$version":8}"#,
            ),
        ] {
            let members = members.as_object().unwrap();
            assert_eq!(say(members, version), text.as_bytes());
            assert_eq!(hear(text.as_bytes()).unwrap(), (members.clone(), Some(version)));
        }
        assert_eq!(hear(b"{\"a\":1}").unwrap().1, None);
        for bad in [&b""[..], b"[]", b"{\"$version\":\"x\"}", b"{\"a\":1,\"a\":2}"] {
            assert_eq!(hear(bad).unwrap_err().kind(), ErrorKind::Protocol);
        }
    }
}
