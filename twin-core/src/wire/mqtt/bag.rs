//! The property bag at the end of a message's topic: `name=value&name=value`, percent-encoded.

use crate::address::{percent_decode, percent_encode};
use crate::message::Message;
use crate::wire::instant;

const ID: &str = "$.mid";
const CORRELATION_ID: &str = "$.cid";
const USER_ID: &str = "$.uid";
const TO: &str = "$.to";
const CONTENT_TYPE: &str = "$.ct";
const CONTENT_ENCODING: &str = "$.ce";
const EXPIRY: &str = "$.exp";
const CREATED: &str = "$.ctime";
const OUTPUT: &str = "$.on";
const COMPONENT: &str = "$.sub";
const INTERFACE_ID: &str = "$.ifid";
const ACK: &str = "iothub-ack";

/// A message's properties as a bag; empty if it has none.
pub fn say_bag(message: &Message) -> String {
    let mut bag = String::new();
    let mut pair = |name: &str, value: &str| {
        if !bag.is_empty() {
            bag.push('&');
        }
        bag.push_str(&percent_encode(name));
        bag.push('=');
        bag.push_str(&percent_encode(value));
    };
    let texts = [
        (OUTPUT, &message.output),
        (ID, &message.id),
        (CORRELATION_ID, &message.correlation_id),
        (USER_ID, &message.user_id),
        (TO, &message.to),
        (CONTENT_TYPE, &message.content_type),
        (CONTENT_ENCODING, &message.content_encoding),
        (INTERFACE_ID, &message.interface_id),
        (COMPONENT, &message.component),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            pair(name, value);
        }
    }
    for (name, at) in [(EXPIRY, message.expiry), (CREATED, message.created)] {
        if let Some(at) = at {
            pair(name, &at.to_string());
        }
    }
    if let Some(ack) = message.ack {
        pair(ACK, ack.as_str());
    }
    for (name, value) in &message.properties {
        pair(name, value);
    }
    bag
}

/// Reads a bag into a message without a body. A system property without a value, or with one that means nothing, counts
/// as missing; one that is not known here is kept among the application's.
pub fn hear_bag(bag: &str) -> Message {
    let mut message = Message::default();
    // .NET and Node end some topics with a slash.
    for pair in bag.strip_suffix('/').unwrap_or(bag).split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let [name, value] = [name, value].map(|text| percent_decode(text).unwrap_or_else(|| text.to_owned()));
        let slot = match &*name {
            ID => &mut message.id,
            CORRELATION_ID => &mut message.correlation_id,
            USER_ID => &mut message.user_id,
            TO => &mut message.to,
            CONTENT_TYPE => &mut message.content_type,
            CONTENT_ENCODING => &mut message.content_encoding,
            OUTPUT => &mut message.output,
            COMPONENT => &mut message.component,
            INTERFACE_ID => &mut message.interface_id,
            EXPIRY => {
                message.expiry = instant::hear(&value);
                continue;
            }
            CREATED => {
                message.created = instant::hear(&value);
                continue;
            }
            ACK if value.parse::<crate::message::Ack>().is_ok() => {
                message.ack = value.parse().ok();
                continue;
            }
            _ => {
                message.properties.push((name, value));
                continue;
            }
        };
        *slot = Some(value).filter(|value| !value.is_empty());
    }
    message
}
