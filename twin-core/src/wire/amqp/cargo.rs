//! Telemetry and cloud-to-device messages.
//!
//! Sources: the Node SDK's `amqp_message.ts` and `amqp.ts`; .NET's `MessageConverter.cs`; the annotations are those of
//! Service Bus ("AMQP 1.0 in Azure Service Bus: message annotations").

use std::borrow::Cow;

use bytes::Bytes;

use crate::message::{Ack, CloudMessage, Message as Cargo};
use crate::{Timestamp, TwinKey};

use super::{Address, Body, Correlation, Message, Scalar, say_address};

const ACK: &str = "iothub-ack";
const OUTPUT: &str = "iothub-outputname";
const COMPONENT: &str = "dt-subject";
const INTERFACE_ID: &str = "iothub-interface-id";
const SEQUENCE_NUMBER: &str = "x-opt-sequence-number";
const ENQUEUED: &str = "x-opt-enqueued-time";

/// Telemetry, for the link to [`Address::Events`]. Without a `to` of its own the message names the link, as the Node
/// SDK's do.
pub fn say_telemetry(key: &TwinKey, cargo: &Cargo) -> Message {
    let mut message = say_message(cargo);
    message.to.get_or_insert_with(|| say_address(&Address::Events(key.clone())));
    message
}

/// A message to the cloud or, from a service, to a device.
pub fn say_message(cargo: &Cargo) -> Message {
    let pair = |name: &'static str, value: &String| (Cow::Borrowed(name), Scalar::Text(value.clone()));
    let mut properties = Vec::new();
    properties.extend(cargo.ack.map(|ack| (ACK.into(), ack.as_str().into())));
    properties.extend(cargo.output.as_ref().map(|output| pair(OUTPUT, output)));
    properties.extend(
        cargo.properties.iter().map(|(n, value)| (Cow::Owned(n.clone()), Scalar::Text(value.clone()))),
    );
    let mut annotations = Vec::new();
    annotations.extend(cargo.interface_id.as_ref().map(|id| pair(INTERFACE_ID, id)));
    annotations.extend(cargo.component.as_ref().map(|component| pair(COMPONENT, component)));
    Message {
        id: cargo.id.as_deref().map(say_id),
        correlation: cargo.correlation_id.as_deref().map(say_id),
        user_id: cargo.user_id.clone().map(Bytes::from),
        to: cargo.to.clone(),
        content_type: cargo.content_type.clone(),
        content_encoding: cargo.content_encoding.clone(),
        expiry: cargo.expiry.map(Timestamp::unix_millis),
        created: cargo.created.map(Timestamp::unix_millis),
        annotations,
        properties,
        body: Body::Data(cargo.body.clone()),
        ..Message::default()
    }
}

/// Reads a message of either direction. Instants count in milliseconds; numbers among the properties become digits. The
/// `to` of telemetry is kept as it came.
pub fn hear_message(message: &Message) -> Cargo {
    let annotation =
        |name| message.annotation(name).and_then(Scalar::as_text).filter(|text| !text.is_empty());
    let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let mut cargo = Cargo {
        body: message.bytes(),
        id: message.id.as_ref().map(hear_id).filter(|id| !id.is_empty()),
        correlation_id: message.correlation.as_ref().map(hear_id).filter(|id| !id.is_empty()),
        user_id: message.user_id.as_ref().map(|id| String::from_utf8_lossy(id).into_owned()),
        to: some(&message.to),
        content_type: some(&message.content_type),
        content_encoding: some(&message.content_encoding),
        expiry: message.expiry.and_then(Timestamp::from_unix_millis),
        created: message.created.and_then(Timestamp::from_unix_millis),
        component: annotation(COMPONENT).map(str::to_owned),
        interface_id: annotation(INTERFACE_ID).map(str::to_owned),
        ..Cargo::default()
    };
    for (name, value) in &message.properties {
        let value = value.to_string();
        match &**name {
            ACK if value.parse::<Ack>().is_ok() => cargo.ack = value.parse().ok(),
            OUTPUT => cargo.output = Some(value).filter(|output| !output.is_empty()),
            name => cargo.properties.push((name.to_owned(), value)),
        }
    }
    cargo
}

/// A cloud-to-device message, for a link from [`Address::DeviceBound`]. The lock token is no part of it: it is the
/// delivery tag (.NET: `new Guid(message.DeliveryTag)`).
pub fn say_cloud_message(cloud: &CloudMessage) -> Message {
    let mut message = say_message(&cloud.message);
    let number = |n: u64| Scalar::Long(n.try_into().unwrap_or(i64::MAX));
    message.annotations.extend(cloud.sequence_number.map(|n| (SEQUENCE_NUMBER.into(), number(n))));
    message
        .annotations
        .extend(cloud.enqueued.map(|at| (ENQUEUED.into(), Scalar::Timestamp(at.unix_millis()))));
    message.delivery_count = cloud.delivery_count;
    message
}

/// Reads a cloud-to-device message that was delivered under this tag.
pub fn hear_cloud_message(message: &Message, lock_token: String) -> CloudMessage {
    let enqueued = match message.annotation(ENQUEUED) {
        Some(Scalar::Timestamp(millis)) => Timestamp::from_unix_millis(*millis),
        _ => None,
    };
    CloudMessage {
        message: hear_message(message),
        lock_token,
        sequence_number: message.annotation(SEQUENCE_NUMBER).and_then(Scalar::as_u64),
        enqueued,
        delivery_count: message.delivery_count,
    }
}

/// A text that looks like a UUID travels as one (Node `amqp_message.ts`, `encodeUuid`).
fn say_id(text: &str) -> Correlation {
    read_uuid(text).map_or_else(|| Correlation::Text(text.to_owned()), Correlation::Uuid)
}

fn hear_id(id: &Correlation) -> String {
    match id {
        Correlation::Text(text) => text.clone(),
        Correlation::Ulong(number) => number.to_string(),
        Correlation::Uuid(bytes) => show_uuid(bytes),
        Correlation::Binary(bytes) => match <[u8; 16]>::try_from(&bytes[..]) {
            // rhea, and so the Node SDK, takes 16 bytes for a UUID.
            Ok(bytes) => show_uuid(&bytes),
            Err(_) => String::from_utf8_lossy(bytes).into_owned(),
        },
    }
}

fn show_uuid(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// Lower-case with hyphens, as it is shown: only that survives the way there and back.
fn read_uuid(text: &str) -> Option<[u8; 16]> {
    if text.len() != 36 || !text.is_ascii() {
        return None;
    }
    let digits = text.replace('-', "");
    if digits.len() != 32 || digits.bytes().any(|b| !b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 16];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
    }
    (show_uuid(&bytes) == text).then_some(bytes)
}
