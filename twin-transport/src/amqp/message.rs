//! Messages: the wire grammar's [`Message`] as the sections of AMQP's message format (part 3 of the standard).

use bytes::{Bytes, BytesMut};
use twin_core::wire::amqp::{Body, Correlation, Message, Scalar};

use super::value::{Malformed, Value};

const HEADER: u64 = 0x70;
const MESSAGE_ANNOTATIONS: u64 = 0x72;
const PROPERTIES: u64 = 0x73;
const APPLICATION_PROPERTIES: u64 = 0x74;
const DATA: u64 = 0x75;
const VALUE: u64 = 0x77;

/// The sections of a message, as the payload of a transfer.
pub(super) fn encode(message: &Message) -> Bytes {
    let mut out = BytesMut::new();
    let map = |pairs: &[(std::borrow::Cow<'static, str>, Scalar)], name: fn(&str) -> Value| {
        Value::Map(pairs.iter().map(|(n, value)| (name(n), scalar(value))).collect())
    };
    if let Some(count) = message.delivery_count {
        let header = vec![Value::Null, Value::Null, Value::Null, Value::Null, Value::Uint(count)];
        Value::described(HEADER, header).write(&mut out);
    }
    if !message.annotations.is_empty() {
        let annotations = map(&message.annotations, |n| Value::symbol(n));
        Value::Described(MESSAGE_ANNOTATIONS, Box::new(annotations)).write(&mut out);
    }
    properties(message).write(&mut out);
    if !message.properties.is_empty() {
        let properties = map(&message.properties, |n| Value::text(n));
        Value::Described(APPLICATION_PROPERTIES, Box::new(properties)).write(&mut out);
    }
    let (code, body) = match &message.body {
        Body::Data(bytes) => (DATA, Value::Binary(bytes.clone())),
        Body::Text(text) => (VALUE, Value::text(text)),
    };
    Value::Described(code, Box::new(body)).write(&mut out);
    out.freeze()
}

fn properties(message: &Message) -> Value {
    let id = |id: &Option<Correlation>| match id {
        None => Value::Null,
        Some(Correlation::Text(text)) => Value::text(text),
        Some(Correlation::Uuid(bytes)) => Value::Uuid(*bytes),
        Some(Correlation::Ulong(number)) => Value::Ulong(*number),
        Some(Correlation::Binary(bytes)) => Value::Binary(bytes.clone()),
    };
    let text = |text: &Option<String>| text.as_ref().map_or(Value::Null, Value::text);
    let symbol = |text: &Option<String>| text.as_ref().map_or(Value::Null, Value::symbol);
    let instant = |millis: Option<i64>| millis.map_or(Value::Null, Value::Timestamp);
    let mut list = vec![
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
    while list.last() == Some(&Value::Null) {
        list.pop();
    }
    Value::described(PROPERTIES, list)
}

fn scalar(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Text(text) => Value::text(text),
        Scalar::Int(number) => Value::Int(*number),
        Scalar::Long(number) => Value::Long(*number),
        Scalar::Timestamp(millis) => Value::Timestamp(*millis),
    }
}

/// Reads the payload of a transfer. Sections that mean nothing here are passed over.
pub(super) fn decode(mut payload: Bytes) -> Result<Message, Malformed> {
    let mut message = Message::default();
    let mut data: Vec<Bytes> = Vec::new();
    while !payload.is_empty() {
        let Value::Described(code, section) = Value::read(&mut payload)? else {
            return Err(Malformed("a section of a message is not described"));
        };
        match (code, *section) {
            (HEADER, Value::List(list)) => message.delivery_count = list.get(4).and_then(Value::as_u32),
            (MESSAGE_ANNOTATIONS, Value::Map(pairs)) => message.annotations = scalars(pairs),
            (APPLICATION_PROPERTIES, Value::Map(pairs)) => message.properties = scalars(pairs),
            (PROPERTIES, Value::List(list)) => {
                let mut list = list.into_iter();
                message.id = list.next().and_then(correlation);
                message.user_id = list.next().and_then(binary);
                message.to = list.next().and_then(text);
                message.reply_to = list.nth(1).and_then(text);
                message.correlation = list.next().and_then(correlation);
                message.content_type = list.next().and_then(text);
                message.content_encoding = list.next().and_then(text);
                message.expiry = list.next().and_then(instant);
                message.created = list.next().and_then(instant);
            }
            (DATA, Value::Binary(bytes)) => data.push(bytes),
            (VALUE, Value::Text(text)) => message.body = Body::Text(text),
            (VALUE, Value::Binary(bytes)) => data.push(bytes),
            _ => {}
        }
    }
    match data.len() {
        0 => {}
        1 => message.body = Body::Data(data.remove(0)),
        _ => message.body = Body::Data(data.concat().into()),
    }
    Ok(message)
}

fn scalars(pairs: Vec<(Value, Value)>) -> Vec<(std::borrow::Cow<'static, str>, Scalar)> {
    let pair = |(name, value): (Value, Value)| {
        let number = value.as_u64();
        let value = match value {
            Value::Text(text) | Value::Symbol(text) => Scalar::Text(text),
            Value::Int(number) => Scalar::Int(number),
            Value::Long(number) => Scalar::Long(number),
            Value::Timestamp(millis) => Scalar::Timestamp(millis),
            Value::Bool(truth) => Scalar::Text(truth.to_string()),
            _ => Scalar::Long(number?.try_into().ok()?),
        };
        Some((text(name)?.into(), value))
    };
    pairs.into_iter().filter_map(pair).collect()
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Symbol(text) => Some(text),
        _ => None,
    }
}

fn binary(value: Value) -> Option<Bytes> {
    match value {
        Value::Binary(bytes) => Some(bytes),
        Value::Text(text) => Some(text.into()),
        _ => None,
    }
}

fn instant(value: Value) -> Option<i64> {
    match value {
        Value::Timestamp(millis) => Some(millis),
        _ => None,
    }
}

fn correlation(value: Value) -> Option<Correlation> {
    Some(match value {
        Value::Text(text) => Correlation::Text(text),
        Value::Uuid(bytes) => Correlation::Uuid(bytes),
        Value::Binary(bytes) => Correlation::Binary(bytes),
        other => Correlation::Ulong(other.as_u64()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back() {
        let whole = Message {
            id: Some(Correlation::Text("1".into())),
            correlation: Some(Correlation::Uuid([3; 16])),
            to: Some("$cbs".into()),
            reply_to: Some("cbs".into()),
            user_id: Some(Bytes::from_static(b"me")),
            content_type: Some("application/json".into()),
            content_encoding: Some("utf-8".into()),
            expiry: Some(1_575_892_800_000),
            created: Some(-1),
            delivery_count: Some(3),
            annotations: vec![
                ("operation".into(), "GET".into()),
                ("version".into(), Scalar::Long(7)),
                ("x-opt-enqueued-time".into(), Scalar::Timestamp(1_575_892_800_000)),
            ],
            properties: vec![("status-code".into(), Scalar::Int(200))],
            body: Body::Text("token".into()),
        };
        let correlation = |id| Message { correlation: Some(id), ..Message::default() };
        for message in [
            Message::default(),
            whole,
            correlation(Correlation::Ulong(9)),
            correlation(Correlation::Binary(Bytes::from_static(b"\x01"))),
            Message { body: Body::Data(vec![b'x'; 70_000].into()), ..Message::default() },
        ] {
            assert_eq!(decode(encode(&message)), Ok(message));
        }
    }

    #[test]
    fn data_sections_are_joined_and_foreign_sections_passed_over() {
        let mut out = BytesMut::new();
        Value::described(0x70, vec![Value::Bool(true)]).write(&mut out);
        for piece in [&b"{\"a\""[..], b":1}"] {
            Value::Described(DATA, Box::new(Value::Binary(Bytes::from_static(piece)))).write(&mut out);
        }
        Value::Described(0x78, Box::new(Value::Map(vec![]))).write(&mut out);
        assert_eq!(decode(out.freeze()).unwrap().bytes(), &b"{\"a\":1}"[..]);
        assert!(decode(Bytes::from_static(b"\x40")).is_err());
    }
}
