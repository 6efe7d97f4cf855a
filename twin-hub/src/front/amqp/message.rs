//! Messages (AMQP 1.0, 3.2): their bytes, and the parts of them that matter.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use twin_core::wire::amqp::{Body, Correlation, Message, Scalar};

use super::frame::Fields;
use super::value::{Malformed, Read, Value};

const HEADER: u64 = 0x70;
const MESSAGE_ANNOTATIONS: u64 = 0x72;
const PROPERTIES: u64 = 0x73;
const APPLICATION_PROPERTIES: u64 = 0x74;
const DATA: u64 = 0x75;
const SEQUENCE: u64 = 0x76;
const VALUE: u64 = 0x77;

/// Reads a message.
pub(super) fn read(mut bytes: Bytes) -> Read<Message> {
    let mut message = Message::default();
    let mut data: Vec<Bytes> = Vec::new();
    let mut last = 0;
    let mut has_body = false;
    while !bytes.is_empty() {
        let Value::Described(parts) = Value::read(&mut bytes)? else {
            return Malformed::new("a message holds something that is no section");
        };
        let (descriptor, content) = *parts;
        let section = section_of(&descriptor)?;
        // Only data and sequence sections may come more than once, and sections keep their order.
        if section < last || (section == last && !matches!(section, DATA | SEQUENCE)) {
            return Malformed::new("the sections of a message are out of order");
        }
        last = section;
        has_body |= (DATA..=VALUE).contains(&section);
        match (section, content) {
            (HEADER, list @ Value::List(_)) => {
                let (_, mut fields) = fields_of(HEADER, list)?;
                fields.skip(4);
                message.delivery_count = fields.number("delivery-count")?;
            }
            (MESSAGE_ANNOTATIONS, Value::Map(entries)) => message.annotations = scalars(entries),
            (APPLICATION_PROPERTIES, Value::Map(entries)) => message.properties = scalars(entries),
            (PROPERTIES, list @ Value::List(_)) => properties(&mut message, list)?,
            (DATA, Value::Binary(bytes)) => data.push(bytes),
            (VALUE, Value::String(text)) => message.body = Body::Text(text),
            (VALUE, Value::Binary(bytes)) => data.push(bytes),
            (MESSAGE_ANNOTATIONS..=DATA, _) => {
                return Malformed::new("a section of a message has not its type");
            }
            _ => {}
        }
    }
    if !has_body {
        return Malformed::new("a message without a body");
    }
    match data.len() {
        0 => {}
        1 => message.body = Body::Data(data.remove(0)),
        _ => message.body = Body::Data(data.concat().into()),
    }
    Ok(message)
}

/// The code of a section, which may also be named by a symbol.
fn section_of(descriptor: &Value) -> Read<u64> {
    let code = match descriptor {
        Value::Ulong(code @ 0x70..=0x78) => Some(*code),
        Value::Symbol(name) => Some(match name.as_str() {
            "amqp:header:list" => HEADER,
            "amqp:delivery-annotations:map" => 0x71,
            "amqp:message-annotations:map" => MESSAGE_ANNOTATIONS,
            "amqp:properties:list" => PROPERTIES,
            "amqp:application-properties:map" => APPLICATION_PROPERTIES,
            "amqp:data:binary" => DATA,
            "amqp:amqp-sequence:list" => SEQUENCE,
            "amqp:amqp-value:*" => VALUE,
            "amqp:footer:map" => 0x78,
            _ => return Malformed::new("a section of a message of unknown name"),
        }),
        _ => None,
    };
    code.ok_or_else(|| Malformed("a section of a message of unknown type".into()))
}

fn properties(message: &mut Message, list: Value) -> Read<()> {
    let (_, mut fields) = fields_of(PROPERTIES, list)?;
    message.id = correlation(fields.next())?;
    message.user_id = match fields.next() {
        Value::Null => None,
        Value::Binary(bytes) => Some(bytes),
        Value::String(text) => Some(text.into()),
        _ => return Malformed::new("'user-id' is not binary"),
    };
    message.to = fields.text("to")?;
    fields.skip(1);
    message.reply_to = fields.text("reply-to")?;
    message.correlation = correlation(fields.next())?;
    message.content_type = fields.text("content-type")?;
    message.content_encoding = fields.text("content-encoding")?;
    message.expiry = instant(fields.next(), "absolute-expiry-time")?;
    message.created = instant(fields.next(), "creation-time")?;
    Ok(())
}

fn fields_of(section: u64, list: Value) -> Read<(u64, Fields)> {
    Fields::of(Value::Described(Box::new((Value::Ulong(section), list))))
}

/// Milliseconds since 1970.
fn instant(value: Value, what: &str) -> Read<Option<i64>> {
    match value {
        Value::Null => Ok(None),
        Value::Timestamp(millis) | Value::Long(millis) => Ok(Some(millis)),
        _ => Malformed::new(format!("'{what}' is no timestamp")),
    }
}

fn correlation(value: Value) -> Read<Option<Correlation>> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::String(text) => Correlation::Text(text),
        Value::Uuid(bytes) => Correlation::Uuid(bytes),
        Value::Ulong(number) => Correlation::Ulong(number),
        Value::Binary(bytes) => Correlation::Binary(bytes),
        _ => return Malformed::new("a message-id or correlation-id of another type"),
    }))
}

fn scalars(entries: Vec<(Value, Value)>) -> Vec<(Cow<'static, str>, Scalar)> {
    entries
        .into_iter()
        .filter_map(|(name, value)| match name {
            Value::String(name) | Value::Symbol(name) => Some((name.into(), scalar(value)?)),
            _ => None,
        })
        .collect()
}

/// A simple value as wire grammar takes it; others mean nothing to it.
pub(super) fn scalar(value: Value) -> Option<Scalar> {
    Some(match value {
        Value::String(text) | Value::Symbol(text) => Scalar::Text(text),
        Value::Int(n) => Scalar::Int(n),
        Value::Long(n) => Scalar::Long(n),
        Value::Timestamp(n) => Scalar::Timestamp(n),
        Value::Bool(flag) => Scalar::Text(flag.to_string()),
        other => {
            let number = other.as_u64()?;
            match i32::try_from(number) {
                Ok(n) => Scalar::Int(n),
                Err(_) => Scalar::Long(number.try_into().ok()?),
            }
        }
    })
}

/// The bytes of a message.
pub(super) fn write(message: &Message) -> Bytes {
    let mut to = BytesMut::with_capacity(message_size(message));
    if let Some(count) = message.delivery_count {
        section(&mut to, HEADER);
        Value::List(vec![Value::Null, Value::Null, Value::Null, Value::Null, Value::Uint(count)])
            .write(&mut to);
    }
    if !message.annotations.is_empty() {
        section(&mut to, MESSAGE_ANNOTATIONS);
        map(&message.annotations, Value::symbol).write(&mut to);
    }
    let id = |id: &Option<Correlation>| id.as_ref().map_or(Value::Null, id_value);
    let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::string);
    let symbol = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::symbol);
    let instant = |millis: Option<i64>| millis.map_or(Value::Null, Value::Timestamp);
    let properties = [
        id(&message.id),
        message.user_id.clone().map_or(Value::Null, Value::Binary),
        text(&message.to),
        Value::Null,
        text(&message.reply_to),
        id(&message.correlation),
        symbol(&message.content_type),
        symbol(&message.content_encoding),
        instant(message.expiry),
        instant(message.created),
    ];
    if properties.iter().any(|property| *property != Value::Null) {
        section(&mut to, PROPERTIES);
        Value::List(properties.into()).write(&mut to);
    }
    if !message.properties.is_empty() {
        section(&mut to, APPLICATION_PROPERTIES);
        map(&message.properties, Value::string).write(&mut to);
    }
    match &message.body {
        Body::Data(bytes) => {
            section(&mut to, DATA);
            Value::Binary(bytes.clone()).write(&mut to);
        }
        Body::Text(text) => {
            section(&mut to, VALUE);
            Value::string(text).write(&mut to);
        }
    }
    to.freeze()
}

/// About as many bytes as it will take.
fn message_size(message: &Message) -> usize {
    let body = match &message.body {
        Body::Data(bytes) => bytes.len(),
        Body::Text(text) => text.len(),
    };
    body + 160
}

fn section(to: &mut BytesMut, code: u64) {
    to.put_u8(0);
    Value::Ulong(code).write(to);
}

fn map(entries: &[(Cow<'static, str>, Scalar)], name: impl Fn(&str) -> Value) -> Value {
    let value = |scalar: &Scalar| match scalar {
        Scalar::Text(text) => Value::string(text),
        Scalar::Int(n) => Value::Int(*n),
        Scalar::Long(n) => Value::Long(*n),
        Scalar::Timestamp(n) => Value::Timestamp(*n),
    };
    Value::Map(entries.iter().map(|(key, scalar)| (name(key), value(scalar))).collect())
}

fn id_value(id: &Correlation) -> Value {
    match id {
        Correlation::Text(text) => Value::string(text),
        Correlation::Uuid(bytes) => Value::Uuid(*bytes),
        Correlation::Ulong(number) => Value::Ulong(*number),
        Correlation::Binary(bytes) => Value::Binary(bytes.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_were_written() {
        for id in [
            Correlation::Text("x".into()),
            Correlation::Uuid([3; 16]),
            Correlation::Ulong(7),
            Correlation::Binary(Bytes::from_static(b"\x00")),
        ] {
            for body in [Body::Data(Bytes::from_static(b"{}")), Body::Text("t".into()), Body::default()] {
                let message = Message {
                    id: Some(id.clone()),
                    correlation: Some(id.clone()),
                    to: Some("to".into()),
                    reply_to: Some("cbs".into()),
                    user_id: Some(Bytes::from_static(b"me")),
                    content_type: Some("application/json".into()),
                    content_encoding: Some("utf-8".into()),
                    expiry: Some(1_700_000_000_000),
                    created: Some(-1),
                    delivery_count: Some(3),
                    annotations: vec![
                        ("status".into(), Scalar::Int(200)),
                        ("version".into(), Scalar::Long(1 << 40)),
                    ],
                    properties: vec![("name".into(), Scalar::Text("v".into()))],
                    body,
                };
                assert_eq!(read(write(&message)), Ok(message));
            }
        }
    }

    #[test]
    fn bodies_in_pieces_are_joined_and_strange_messages_refused() {
        let data = b"\x00\x53\x75\xa0\x01a\x00\x53\x75\xa0\x01b";
        assert_eq!(read(Bytes::from_static(data)).unwrap().bytes(), "ab");
        for (bytes, says) in [
            (&b""[..], "without a body"),
            (b"\x40", "no section"),
            (b"\x00\x53\x75\x40", "not its type"),
            (b"\x00\x53\x10\x45", "unknown type"),
            (b"\x00\xa3\x01x\x45", "unknown name"),
            (b"\x00\x53\x77\x40\x00\x53\x77\x40", "out of order"),
            (b"\x00\x53\x75\xa0\x00\x00\x53\x73\x45", "out of order"),
            (b"\x00\x53\x73\xc0\x03\x01\x52\x01\x00\x53\x75\xa0\x00", "of another type"),
        ] {
            let why = read(Bytes::copy_from_slice(bytes)).unwrap_err().0;
            assert!(why.contains(says), "{bytes:02x?}: {why}");
        }
    }
}
