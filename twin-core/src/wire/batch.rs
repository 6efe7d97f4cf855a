//! The body of a batch of telemetry over HTTPS: `[{"body": …, "base64Encoded": true, "properties": {…}}, …]`.
//!
//! Sources: "Understand and use IoT Hub messages: send batches", the Node SDK (`http.ts`, which leaves `base64Encoded`
//! out), the Java and .NET SDKs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Refusal;
use super::https::{APP, hear_properties, no_batch, say_properties};
use crate::message::Message;

const BODY: &str = "body";
const BASE64: &str = "base64Encoded";
const PROPERTIES: &str = "properties";

/// Most messages in one batch that a hub reads.
const MAX_BATCH: usize = 10_000;

/// Of two properties of one name only the last remains: JSON has one place for a name.
pub(super) fn say(messages: &[Message]) -> Bytes {
    let item = |message: &Message| {
        let mut properties = Map::new();
        say_properties(message, &mut |name, value| {
            properties.insert(name.to_owned(), value.into());
        });
        let mut item = Map::new();
        item.insert(BODY.to_owned(), STANDARD.encode(&message.body).into());
        item.insert(BASE64.to_owned(), json!(true));
        if !properties.is_empty() {
            item.insert(PROPERTIES.to_owned(), properties.into());
        }
        Value::Object(item)
    };
    Value::Array(messages.iter().map(item).collect()).to_string().into()
}

pub(super) fn hear(body: &[u8]) -> Result<Vec<Message>, Refusal> {
    let items: Vec<Map<String, Value>> = serde_json::from_slice(body).map_err(no_batch)?;
    if items.is_empty() || items.len() > MAX_BATCH {
        return Err(no_batch(format_args!("it has {} messages; 1 to {MAX_BATCH} are allowed", items.len())));
    }
    items.into_iter().enumerate().map(|(at, item)| hear_item(at, item)).collect()
}

fn hear_item(at: usize, mut item: Map<String, Value>) -> Result<Message, Refusal> {
    let wrong = |why: &str| no_batch(format_args!("message {at} {why}"));
    let encoded = match item.get(BASE64) {
        None | Some(Value::Null) => true,
        Some(Value::Bool(encoded)) => *encoded,
        Some(_) => return Err(wrong("has a base64Encoded that is not true or false")),
    };
    let body = match item.remove(BODY) {
        Some(Value::String(text)) if encoded => {
            STANDARD.decode(text).map_err(|_| wrong("has a body that is not base64"))?.into()
        }
        Some(Value::String(text)) => Bytes::from(text),
        // .NET leaves the body of an empty message out.
        None | Some(Value::Null) => Bytes::new(),
        Some(_) => return Err(wrong("has a body that is not a string")),
    };
    let properties = match item.remove(PROPERTIES) {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(properties)) => properties,
        Some(_) => return Err(wrong("has properties that are not an object")),
    };
    let mut pairs = Vec::with_capacity(properties.len());
    for (name, value) in properties {
        let value = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Null => String::new(),
            _ => return Err(wrong("has a property that is not a string")),
        };
        let lower = name.to_ascii_lowercase();
        let known = lower.starts_with("iothub-") || lower == super::https::COMPONENT;
        pairs.push((if known { name } else { format!("{APP}{name}") }, value));
    }
    let message = hear_properties(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    Ok(Message { body, ..message })
}
