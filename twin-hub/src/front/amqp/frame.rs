//! Frames and performatives (AMQP 1.0, 2.3 and 2.7; SASL: 5.3).

use bytes::{BufMut, Bytes, BytesMut};

use super::value::{Malformed, Read, Value};

/// Bytes of a frame's header: size, offset of its body, type, channel.
pub(super) const HEADER_BYTES: usize = 8;

/// Frame types.
pub(super) const AMQP: u8 = 0;
pub(super) const SASL: u8 = 1;

/// Which end of a link somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    Sender,
    Receiver,
}

/// What a frame of a connection says; what a hub has no use for is not kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Performative {
    Open(Open),
    Begin(Begin),
    Attach(Box<Attach>),
    Flow(Flow),
    Transfer(Transfer),
    Disposition(Disposition),
    Detach(Detach),
    End(Option<ErrorValue>),
    Close(Option<ErrorValue>),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Open {
    pub(super) container_id: String,
    pub(super) hostname: Option<String>,
    pub(super) max_frame_size: Option<u32>,
    pub(super) channel_max: Option<u16>,
    /// milliseconds
    pub(super) idle_time_out: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Begin {
    pub(super) remote_channel: Option<u16>,
    pub(super) next_outgoing_id: u32,
    pub(super) incoming_window: u32,
    pub(super) outgoing_window: u32,
    pub(super) handle_max: Option<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attach {
    pub(super) name: String,
    pub(super) handle: u32,
    /// the role of whoever says this
    pub(super) role: Role,
    pub(super) snd_settle_mode: Option<u8>,
    pub(super) rcv_settle_mode: Option<u8>,
    pub(super) source: Value,
    pub(super) target: Value,
    pub(super) initial_delivery_count: Option<u32>,
    pub(super) max_message_size: Option<u64>,
    pub(super) properties: Vec<(Value, Value)>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Flow {
    pub(super) next_incoming_id: Option<u32>,
    pub(super) incoming_window: u32,
    pub(super) next_outgoing_id: u32,
    pub(super) outgoing_window: u32,
    pub(super) handle: Option<u32>,
    pub(super) delivery_count: Option<u32>,
    pub(super) link_credit: Option<u32>,
    pub(super) drain: bool,
    pub(super) echo: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Transfer {
    pub(super) handle: u32,
    pub(super) delivery_id: Option<u32>,
    pub(super) delivery_tag: Option<Bytes>,
    pub(super) settled: bool,
    pub(super) more: bool,
    pub(super) aborted: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Disposition {
    pub(super) role: Role,
    pub(super) first: u32,
    pub(super) last: Option<u32>,
    pub(super) settled: bool,
    pub(super) state: Option<Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Detach {
    pub(super) handle: u32,
    pub(super) closed: bool,
    pub(super) error: Option<ErrorValue>,
}

/// An error as it goes over the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ErrorValue {
    pub(super) condition: String,
    pub(super) description: Option<String>,
    pub(super) info: Vec<(Value, Value)>,
}

impl ErrorValue {
    pub(super) fn value(&self) -> Value {
        let info = if self.info.is_empty() { Value::Null } else { Value::Map(self.info.clone()) };
        let description = self.description.as_deref().map_or(Value::Null, Value::string);
        Value::described(0x1d, vec![Value::symbol(&self.condition), description, info])
    }

    fn read(value: Value) -> Read<Option<ErrorValue>> {
        if value == Value::Null {
            return Ok(None);
        }
        let (code, mut fields) = Fields::of(value)?;
        if code != 0x1d {
            return Malformed::new(format!("an error of type {code:#x}"));
        }
        let condition = fields.text("condition")?.unwrap_or_default();
        Ok(Some(ErrorValue { condition, description: fields.text("description")?, info: Vec::new() }))
    }
}

/// The fields of a described list, in order.
pub(super) struct Fields(std::vec::IntoIter<Value>);

impl Fields {
    /// The descriptor's code and the fields of a described list.
    pub(super) fn of(value: Value) -> Read<(u64, Fields)> {
        let Value::Described(parts) = value else { return Malformed::new("not a described list") };
        match *parts {
            (Value::Ulong(code), Value::List(fields)) => Ok((code, Fields(fields.into_iter()))),
            (Value::Symbol(name), Value::List(fields)) => match code_of(&name) {
                Some(code) => Ok((code, Fields(fields.into_iter()))),
                None => Malformed::new(format!("unknown type '{}'", name.escape_debug())),
            },
            _ => Malformed::new("a description that is no list"),
        }
    }

    pub(super) fn next(&mut self) -> Value {
        self.0.next().unwrap_or(Value::Null)
    }

    pub(super) fn skip(&mut self, fields: usize) {
        for _ in 0..fields {
            self.next();
        }
    }

    pub(super) fn text(&mut self, what: &str) -> Read<Option<String>> {
        match self.next() {
            Value::Null => Ok(None),
            Value::String(text) | Value::Symbol(text) => Ok(Some(text)),
            _ => Malformed::new(format!("'{what}' is no text")),
        }
    }

    pub(super) fn number<N: TryFrom<u64>>(&mut self, what: &str) -> Read<Option<N>> {
        match self.next() {
            Value::Null => Ok(None),
            value => match value.as_u64().and_then(|n| N::try_from(n).ok()) {
                Some(number) => Ok(Some(number)),
                None => Malformed::new(format!("'{what}' is no number of its type")),
            },
        }
    }

    pub(super) fn flag(&mut self, what: &str) -> Read<bool> {
        match self.next() {
            Value::Null => Ok(false),
            Value::Bool(flag) => Ok(flag),
            _ => Malformed::new(format!("'{what}' is no boolean")),
        }
    }

    pub(super) fn binary(&mut self, what: &str) -> Read<Option<Bytes>> {
        match self.next() {
            Value::Null => Ok(None),
            Value::Binary(bytes) => Ok(Some(bytes)),
            _ => Malformed::new(format!("'{what}' is not binary")),
        }
    }

    fn role(&mut self) -> Read<Role> {
        match self.next() {
            Value::Bool(false) => Ok(Role::Sender),
            Value::Bool(true) => Ok(Role::Receiver),
            _ => Malformed::new("'role' is missing"),
        }
    }
}

fn need<T>(value: Option<T>, what: &str) -> Read<T> {
    value.ok_or_else(|| Malformed(format!("'{what}' is missing")))
}

/// Descriptors may also be symbols.
fn code_of(name: &str) -> Option<u64> {
    Some(match name {
        "amqp:open:list" => 0x10,
        "amqp:begin:list" => 0x11,
        "amqp:attach:list" => 0x12,
        "amqp:flow:list" => 0x13,
        "amqp:transfer:list" => 0x14,
        "amqp:disposition:list" => 0x15,
        "amqp:detach:list" => 0x16,
        "amqp:end:list" => 0x17,
        "amqp:close:list" => 0x18,
        "amqp:error:list" => 0x1d,
        "amqp:accepted:list" => 0x24,
        "amqp:rejected:list" => 0x25,
        "amqp:released:list" => 0x26,
        "amqp:modified:list" => 0x27,
        "amqp:source:list" => 0x28,
        "amqp:target:list" => 0x29,
        "amqp:coordinator:list" => 0x30,
        "amqp:sasl-init:list" => 0x41,
        "amqp:sasl-response:list" => 0x43,
        "amqp:properties:list" => 0x73,
        _ => return None,
    })
}

impl Performative {
    /// Reads the performative at the head of a frame's body; what is left in `body` is the payload.
    pub(super) fn read(body: &mut Bytes) -> Read<Performative> {
        let (code, mut fields) = Fields::of(Value::read(body)?)?;
        let f = &mut fields;
        Ok(match code {
            0x10 => Performative::Open(Open {
                container_id: need(f.text("container-id")?, "container-id")?,
                hostname: f.text("hostname")?,
                max_frame_size: f.number("max-frame-size")?,
                channel_max: f.number("channel-max")?,
                idle_time_out: f.number("idle-time-out")?,
            }),
            0x11 => Performative::Begin(Begin {
                remote_channel: f.number("remote-channel")?,
                next_outgoing_id: need(f.number("next-outgoing-id")?, "next-outgoing-id")?,
                incoming_window: need(f.number("incoming-window")?, "incoming-window")?,
                outgoing_window: need(f.number("outgoing-window")?, "outgoing-window")?,
                handle_max: f.number("handle-max")?,
            }),
            0x12 => Performative::Attach(Box::new(read_attach(f)?)),
            0x13 => Performative::Flow(Flow {
                next_incoming_id: f.number("next-incoming-id")?,
                incoming_window: need(f.number("incoming-window")?, "incoming-window")?,
                next_outgoing_id: need(f.number("next-outgoing-id")?, "next-outgoing-id")?,
                outgoing_window: need(f.number("outgoing-window")?, "outgoing-window")?,
                handle: f.number("handle")?,
                delivery_count: f.number("delivery-count")?,
                link_credit: f.number("link-credit")?,
                drain: {
                    f.skip(1);
                    f.flag("drain")?
                },
                echo: f.flag("echo")?,
            }),
            0x14 => Performative::Transfer(Transfer {
                handle: need(f.number("handle")?, "handle")?,
                delivery_id: f.number("delivery-id")?,
                delivery_tag: f.binary("delivery-tag")?,
                settled: {
                    f.skip(1);
                    f.flag("settled")?
                },
                more: f.flag("more")?,
                aborted: {
                    f.skip(3);
                    f.flag("aborted")?
                },
            }),
            0x15 => Performative::Disposition(Disposition {
                role: f.role()?,
                first: need(f.number("first")?, "first")?,
                last: f.number("last")?,
                settled: f.flag("settled")?,
                state: Some(f.next()).filter(|state| *state != Value::Null),
            }),
            0x16 => Performative::Detach(Detach {
                handle: need(f.number("handle")?, "handle")?,
                closed: f.flag("closed")?,
                error: ErrorValue::read(f.next())?,
            }),
            0x17 => Performative::End(ErrorValue::read(f.next())?),
            0x18 => Performative::Close(ErrorValue::read(f.next())?),
            other => return Malformed::new(format!("there is no performative {other:#x}")),
        })
    }

    fn value(&self) -> Value {
        let uint = |n: Option<u32>| n.map_or(Value::Null, Value::Uint);
        let ushort = |n: Option<u16>| n.map_or(Value::Null, Value::Ushort);
        let ubyte = |n: Option<u8>| n.map_or(Value::Null, Value::Ubyte);
        let flag = |flag: bool| if flag { Value::Bool(true) } else { Value::Null };
        let role = |role: Role| Value::Bool(role == Role::Receiver);
        let error = |e: &Option<ErrorValue>| e.as_ref().map_or(Value::Null, ErrorValue::value);
        match self {
            Performative::Open(o) => Value::described(
                0x10,
                vec![
                    Value::string(&o.container_id),
                    o.hostname.as_deref().map_or(Value::Null, Value::string),
                    uint(o.max_frame_size),
                    ushort(o.channel_max),
                    uint(o.idle_time_out),
                ],
            ),
            Performative::Begin(b) => Value::described(
                0x11,
                vec![
                    ushort(b.remote_channel),
                    Value::Uint(b.next_outgoing_id),
                    Value::Uint(b.incoming_window),
                    Value::Uint(b.outgoing_window),
                    uint(b.handle_max),
                ],
            ),
            Performative::Attach(a) => Value::described(
                0x12,
                vec![
                    Value::string(&a.name),
                    Value::Uint(a.handle),
                    role(a.role),
                    ubyte(a.snd_settle_mode),
                    ubyte(a.rcv_settle_mode),
                    a.source.clone(),
                    a.target.clone(),
                    Value::Null,
                    Value::Null,
                    uint(a.initial_delivery_count),
                    a.max_message_size.map_or(Value::Null, Value::Ulong),
                    Value::Null,
                    Value::Null,
                    if a.properties.is_empty() { Value::Null } else { Value::Map(a.properties.clone()) },
                ],
            ),
            Performative::Flow(f) => Value::described(
                0x13,
                vec![
                    uint(f.next_incoming_id),
                    Value::Uint(f.incoming_window),
                    Value::Uint(f.next_outgoing_id),
                    Value::Uint(f.outgoing_window),
                    uint(f.handle),
                    uint(f.delivery_count),
                    uint(f.link_credit),
                    Value::Null,
                    flag(f.drain),
                    flag(f.echo),
                ],
            ),
            Performative::Transfer(t) => Value::described(
                0x14,
                vec![
                    Value::Uint(t.handle),
                    uint(t.delivery_id),
                    t.delivery_tag.clone().map_or(Value::Null, Value::Binary),
                    t.delivery_id.map_or(Value::Null, |_| Value::Uint(0)),
                    Value::Bool(t.settled),
                    flag(t.more),
                    Value::Null,
                    Value::Null,
                    Value::Null,
                    flag(t.aborted),
                ],
            ),
            Performative::Disposition(d) => Value::described(
                0x15,
                vec![
                    role(d.role),
                    Value::Uint(d.first),
                    uint(d.last),
                    flag(d.settled),
                    d.state.clone().unwrap_or(Value::Null),
                ],
            ),
            Performative::Detach(d) => {
                Value::described(0x16, vec![Value::Uint(d.handle), flag(d.closed), error(&d.error)])
            }
            Performative::End(e) => Value::described(0x17, vec![error(e)]),
            Performative::Close(e) => Value::described(0x18, vec![error(e)]),
        }
    }

    /// Appends a frame with this performative and payload.
    pub(super) fn write(&self, channel: u16, payload: &[u8], to: &mut BytesMut) {
        write_frame(to, AMQP, channel, |to| {
            self.value().write(to);
            to.put_slice(payload);
        });
    }
}

fn read_attach(f: &mut Fields) -> Read<Attach> {
    Ok(Attach {
        name: need(f.text("name")?, "name")?,
        handle: need(f.number("handle")?, "handle")?,
        role: f.role()?,
        snd_settle_mode: f.number("snd-settle-mode")?,
        rcv_settle_mode: f.number("rcv-settle-mode")?,
        source: f.next(),
        target: f.next(),
        initial_delivery_count: {
            f.skip(2);
            f.number("initial-delivery-count")?
        },
        max_message_size: f.number("max-message-size")?,
        properties: {
            f.skip(2);
            match f.next() {
                Value::Null => Vec::new(),
                Value::Map(entries) => entries,
                _ => return Malformed::new("'properties' is no map"),
            }
        },
    })
}

/// Appends a frame; `body` writes what it holds.
pub(super) fn write_frame(to: &mut BytesMut, kind: u8, channel: u16, body: impl FnOnce(&mut BytesMut)) {
    let start = to.len();
    let [high, low] = channel.to_be_bytes();
    to.put_slice(&[0, 0, 0, 0, 2, kind, high, low]);
    body(to);
    let size = (to.len() - start) as u32;
    to[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attach() -> Performative {
        Performative::Attach(Box::new(Attach {
            name: "l".into(),
            handle: 3,
            role: Role::Receiver,
            snd_settle_mode: Some(1),
            rcv_settle_mode: Some(0),
            source: Value::described(0x28, vec![Value::string("a")]),
            target: Value::described(0x29, Vec::new()),
            initial_delivery_count: Some(7),
            max_message_size: Some(300),
            properties: vec![(Value::symbol("k"), Value::string("v"))],
        }))
    }

    #[test]
    fn performatives_come_back_as_they_were_written() {
        let error = ErrorValue {
            condition: "amqp:not-found".into(),
            description: Some("no".into()),
            info: Vec::new(),
        };
        for performative in [
            Performative::Open(Open {
                container_id: "c".into(),
                hostname: Some("h".into()),
                max_frame_size: Some(512),
                channel_max: Some(9),
                idle_time_out: Some(1000),
            }),
            Performative::Begin(Begin {
                remote_channel: Some(1),
                next_outgoing_id: 2,
                incoming_window: 3,
                outgoing_window: u32::MAX,
                handle_max: Some(5),
            }),
            attach(),
            Performative::Flow(Flow {
                next_incoming_id: Some(1),
                incoming_window: 2,
                next_outgoing_id: 3,
                outgoing_window: 4,
                handle: Some(5),
                delivery_count: Some(6),
                link_credit: Some(7),
                drain: true,
                echo: true,
            }),
            Performative::Transfer(Transfer {
                handle: 1,
                delivery_id: Some(2),
                delivery_tag: Some(Bytes::from_static(b"t")),
                settled: true,
                more: true,
                aborted: true,
            }),
            Performative::Disposition(Disposition {
                role: Role::Receiver,
                first: 1,
                last: Some(2),
                settled: true,
                state: Some(Value::described(0x24, Vec::new())),
            }),
            Performative::Detach(Detach { handle: 1, closed: true, error: Some(error.clone()) }),
            Performative::End(Some(error.clone())),
            Performative::End(None),
            Performative::Close(Some(error)),
        ] {
            let mut bytes = BytesMut::new();
            performative.write(258, b"rest", &mut bytes);
            let mut bytes = bytes.freeze();
            assert_eq!(&bytes[..8], [0, 0, 0, bytes.len() as u8, 2, 0, 1, 2]);
            let mut body = bytes.split_off(HEADER_BYTES);
            assert_eq!(Performative::read(&mut body), Ok(performative));
            assert_eq!(&body[..], b"rest");
        }
    }

    #[test]
    fn bad_performatives_say_what_is_wrong() {
        let list = |code, fields| Value::described(code, fields);
        for (value, says) in [
            (list(0x10, vec![]), "'container-id' is missing"),
            (list(0x10, vec![Value::Uint(1)]), "'container-id' is no text"),
            (list(0x11, vec![]), "'next-outgoing-id' is missing"),
            (list(0x12, vec![Value::string("n"), Value::Uint(0)]), "'role' is missing"),
            (list(0x14, vec![Value::Ulong(u64::MAX)]), "'handle' is no number of its type"),
            (list(0x14, vec![Value::Uint(1), Value::Null, Value::string("t")]), "not binary"),
            (list(0x18, vec![Value::Uint(1)]), "not a described list"),
            (list(0x19, vec![]), "there is no performative 0x19"),
            (Value::Uint(1), "not a described list"),
            (
                Value::Described(Box::new((Value::symbol("amqp:what:list"), Value::List(vec![])))),
                "unknown type",
            ),
        ] {
            let mut bytes = BytesMut::new();
            value.write(&mut bytes);
            let why = Performative::read(&mut bytes.freeze()).unwrap_err().0;
            assert!(why.contains(says), "{why}");
        }
    }

    /// Bytes that nobody meant: each is refused or taken, none is the end of the hub.
    #[test]
    fn mangled_frames_and_messages_are_refused_or_read() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        let mut seed = BytesMut::new();
        attach().value().write(&mut seed);
        let message = b"\x00\x53\x72\xc1\x10\x02\xa3\x09operation\xa1\x01G\x00\x53\x73\xc0\x04\x02\x40\xa1\x00\x00\x53\x75\xa0\x01x";
        seed.extend_from_slice(message);
        let (mut read, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let mut bytes = seed.clone();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            bytes.truncate(1 + random(bytes.len()));
            let bytes = bytes.freeze();
            let start = random(bytes.len());
            for outcome in [
                Performative::read(&mut bytes.clone()).is_ok(),
                super::super::message::read(bytes.slice(start..)).is_ok(),
            ] {
                *(if outcome { &mut read } else { &mut refused }) += 1;
            }
        }
        assert!(read > 100 && refused > 100, "{read} {refused}");
    }
}
