//! AMQP's type system (AMQP 1.0, part 1): values, read from bytes and written to bytes.
//!
//! Reading trusts nothing: depth and number of values are bounded, and no length is believed before the bytes are there.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Deepest nesting read.
const MAX_DEPTH: usize = 12;
/// Most values read for one performative or message section.
pub(super) const MAX_VALUES: usize = 4096;

/// A value. Fixed-width types that mean nothing to a hub (decimals, characters, …) keep their bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Ubyte(u8),
    Ushort(u16),
    Uint(u32),
    Ulong(u64),
    Int(i32),
    Long(i64),
    /// milliseconds since 1970
    Timestamp(i64),
    Uuid([u8; 16]),
    Binary(Bytes),
    String(String),
    Symbol(String),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    /// constructor code and elements
    Array(Vec<Value>),
    Described(Box<(Value, Value)>),
    /// format code and content
    Other(u8, Bytes),
}

/// Bytes that are no AMQP value, or one beyond a bound; says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) String);

impl Malformed {
    pub(super) fn new<T>(why: impl Into<String>) -> Result<T, Malformed> {
        Err(Malformed(why.into()))
    }
}

pub(super) type Read<T> = Result<T, Malformed>;

impl Value {
    /// Reads one value off the front of `bytes`.
    pub(super) fn read(bytes: &mut Bytes) -> Read<Value> {
        let mut left = MAX_VALUES;
        Reader { bytes, left: &mut left }.value(MAX_DEPTH)
    }

    pub(super) fn symbol(text: &str) -> Value {
        Value::Symbol(text.to_owned())
    }

    pub(super) fn string(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    /// A described list: a performative, a terminus, an outcome.
    pub(super) fn described(code: u64, fields: Vec<Value>) -> Value {
        Value::Described(Box::new((Value::Ulong(code), Value::List(fields))))
    }

    /// String or symbol.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Value::String(text) | Value::Symbol(text) => Some(text),
            _ => None,
        }
    }

    /// Any whole number that is not negative.
    pub(super) fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Ubyte(n) => Some((*n).into()),
            Value::Ushort(n) => Some((*n).into()),
            Value::Uint(n) => Some((*n).into()),
            Value::Ulong(n) => Some(*n),
            Value::Int(n) => (*n).try_into().ok(),
            Value::Long(n) => (*n).try_into().ok(),
            _ => None,
        }
    }

    /// Appends the value to `to`.
    pub(super) fn write(&self, to: &mut BytesMut) {
        match self {
            Value::Null => to.put_u8(0x40),
            Value::Bool(true) => to.put_u8(0x41),
            Value::Bool(false) => to.put_u8(0x42),
            Value::Ubyte(n) => to.put_slice(&[0x50, *n]),
            Value::Ushort(n) => {
                to.put_u8(0x60);
                to.put_u16(*n);
            }
            Value::Uint(0) => to.put_u8(0x43),
            Value::Uint(n @ 1..=255) => to.put_slice(&[0x52, *n as u8]),
            Value::Uint(n) => {
                to.put_u8(0x70);
                to.put_u32(*n);
            }
            Value::Ulong(0) => to.put_u8(0x44),
            Value::Ulong(n @ 1..=255) => to.put_slice(&[0x53, *n as u8]),
            Value::Ulong(n) => {
                to.put_u8(0x80);
                to.put_u64(*n);
            }
            Value::Int(n) => {
                to.put_u8(0x71);
                to.put_i32(*n);
            }
            Value::Long(n) => {
                to.put_u8(0x81);
                to.put_i64(*n);
            }
            Value::Timestamp(n) => {
                to.put_u8(0x83);
                to.put_i64(*n);
            }
            Value::Uuid(bytes) => {
                to.put_u8(0x98);
                to.put_slice(bytes);
            }
            Value::Binary(bytes) => write_variable(to, 0xa0, bytes),
            Value::String(text) => write_variable(to, 0xa1, text.as_bytes()),
            Value::Symbol(text) => write_variable(to, 0xa3, text.as_bytes()),
            Value::List(items) => {
                // A trailing null says nothing (AMQP 1.0, 1.4).
                let end = items.iter().rposition(|v| *v != Value::Null).map_or(0, |at| at + 1);
                write_compound(to, 0xc0, end, |to| items[..end].iter().for_each(|item| item.write(to)));
            }
            Value::Map(entries) => write_compound(to, 0xc1, 2 * entries.len(), |to| {
                for (key, value) in entries {
                    key.write(to);
                    value.write(to);
                }
            }),
            Value::Array(items) => write_symbols(to, items),
            Value::Described(parts) => {
                to.put_u8(0);
                parts.0.write(to);
                parts.1.write(to);
            }
            Value::Other(code, bytes) => {
                to.put_u8(*code);
                to.put_slice(bytes);
            }
        }
    }
}

fn write_variable(to: &mut BytesMut, code: u8, bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(short) => to.put_slice(&[code, short]),
        Err(_) => {
            to.put_u8(code | 0x10);
            to.put_u32(bytes.len() as u32);
        }
    }
    to.put_slice(bytes);
}

fn write_compound(to: &mut BytesMut, code: u8, count: usize, items: impl FnOnce(&mut BytesMut)) {
    if count == 0 && code == 0xc0 {
        return to.put_u8(0x45);
    }
    // Written in the long form, then shortened in place if it fits: one pass, no second buffer.
    let start = to.len();
    to.put_slice(&[code | 0x10, 0, 0, 0, 0, 0, 0, 0, 0]);
    items(to);
    let size = to.len() - start - 9;
    if size < 255 && count < 256 {
        to[start] = code;
        to[start + 1] = size as u8 + 1;
        to[start + 2] = count as u8;
        to.copy_within(start + 9.., start + 3);
        to.truncate(to.len() - 6);
    } else {
        to[start + 1..start + 5].copy_from_slice(&(size as u32 + 4).to_be_bytes());
        to[start + 5..start + 9].copy_from_slice(&(count as u32).to_be_bytes());
    }
}

/// The arrays that a hub writes hold symbols (its mechanisms); what it echoes of others it echoes as such, too.
fn write_symbols(to: &mut BytesMut, items: &[Value]) {
    let texts = items.iter().filter_map(Value::as_text);
    let size: usize = texts.clone().map(|text| 4 + text.len()).sum();
    to.put_u8(0xf0);
    to.put_u32(size as u32 + 5);
    to.put_u32(texts.clone().count() as u32);
    to.put_u8(0xb3);
    for text in texts {
        to.put_u32(text.len() as u32);
        to.put_slice(text.as_bytes());
    }
}

struct Reader<'b> {
    bytes: &'b mut Bytes,
    /// values that may still be read
    left: &'b mut usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Read<Value> {
        let code = self.u8()?;
        if code != 0 {
            return self.content(code, depth);
        }
        if depth == 0 {
            return Malformed::new("values nested too deep");
        }
        let descriptor = self.value(depth - 1)?;
        let value = self.value(depth - 1)?;
        Ok(Value::Described(Box::new((descriptor, value))))
    }

    fn content(&mut self, code: u8, depth: usize) -> Read<Value> {
        *self.left = self.left.checked_sub(1).ok_or_else(|| Malformed("too many values".into()))?;
        Ok(match code {
            0x40 => Value::Null,
            0x41 => Value::Bool(true),
            0x42 => Value::Bool(false),
            0x43 => Value::Uint(0),
            0x44 => Value::Ulong(0),
            0x45 => Value::List(Vec::new()),
            0x50 => Value::Ubyte(self.u8()?),
            0x52 => Value::Uint(self.u8()?.into()),
            0x53 => Value::Ulong(self.u8()?.into()),
            0x54 => Value::Int((self.u8()? as i8).into()),
            0x55 => Value::Long((self.u8()? as i8).into()),
            0x56 => match self.u8()? {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                other => return Malformed::new(format!("a boolean of {other}")),
            },
            0x60 => Value::Ushort(u16::from_be_bytes(self.array()?)),
            0x70 => Value::Uint(u32::from_be_bytes(self.array()?)),
            0x71 => Value::Int(i32::from_be_bytes(self.array()?)),
            0x80 => Value::Ulong(u64::from_be_bytes(self.array()?)),
            0x81 => Value::Long(i64::from_be_bytes(self.array()?)),
            0x83 => Value::Timestamp(i64::from_be_bytes(self.array()?)),
            0x98 => Value::Uuid(self.array()?),
            0x51 => Value::Other(code, self.take(1)?),
            0x61 => Value::Other(code, self.take(2)?),
            0x72..=0x74 => Value::Other(code, self.take(4)?),
            0x82 | 0x84 => Value::Other(code, self.take(8)?),
            0x94 => Value::Other(code, self.take(16)?),
            0xa0 | 0xb0 => Value::Binary(self.variable(code)?),
            0xa1 | 0xb1 => Value::String(text(&self.variable(code)?)?),
            0xa3 | 0xb3 => {
                let symbol = self.variable(code)?;
                if !symbol.is_ascii() {
                    return Malformed::new("a symbol that is not ASCII");
                }
                Value::Symbol(text(&symbol)?)
            }
            0xc0 | 0xd0 => Value::List(self.compound(code, depth)?),
            0xc1 | 0xd1 => {
                let mut items = self.compound(code, depth)?.into_iter();
                if items.len() % 2 != 0 {
                    return Malformed::new("a map with a key that has no value");
                }
                let mut entries = Vec::with_capacity(items.len() / 2);
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    entries.push((key, value));
                }
                Value::Map(entries)
            }
            0xe0 | 0xf0 => self.elements(code, depth)?,
            other => return Malformed::new(format!("{other:#04x} is the code of no AMQP type")),
        })
    }

    /// The items of a list or map.
    fn compound(&mut self, code: u8, depth: usize) -> Read<Vec<Value>> {
        let (mut inside, count, depth) = self.open(code, depth)?;
        let mut items = Vec::with_capacity(count.min(inside.len()).min(*self.left));
        let mut reader = Reader { bytes: &mut inside, left: self.left };
        for _ in 0..count {
            items.push(reader.value(depth)?);
        }
        if !inside.is_empty() {
            return Malformed::new("a list or map that is longer than its items");
        }
        Ok(items)
    }

    fn elements(&mut self, code: u8, depth: usize) -> Read<Value> {
        let (mut inside, count, depth) = self.open(code, depth)?;
        let mut reader = Reader { bytes: &mut inside, left: self.left };
        let constructor = reader.u8()?;
        if constructor == 0 {
            return Malformed::new("an array of described values is not taken");
        }
        let mut items = Vec::with_capacity(count.min(reader.bytes.len()).min(*reader.left));
        for _ in 0..count {
            items.push(reader.content(constructor, depth)?);
        }
        Ok(Value::Array(items))
    }

    /// Size and count of a compound value, and its inside.
    fn open(&mut self, code: u8, depth: usize) -> Read<(Bytes, usize, usize)> {
        let depth = depth.checked_sub(1).ok_or_else(|| Malformed("values nested too deep".into()))?;
        let mut inside = self.variable(code)?;
        let width = if code & 0x10 == 0 { 1 } else { 4 };
        if inside.len() < width {
            return Malformed::new("a list, map or array without its count");
        }
        let count = inside.get_uint(width) as usize;
        Ok((inside, count, depth))
    }

    /// Bytes behind a length of one byte, or of four if the code says so.
    fn variable(&mut self, code: u8) -> Read<Bytes> {
        let size = match code & 0x10 {
            0 => self.u8()?.into(),
            _ => u32::from_be_bytes(self.array()?) as usize,
        };
        self.take(size)
    }

    fn take(&mut self, size: usize) -> Read<Bytes> {
        if size > self.bytes.len() {
            return Malformed::new(format!("{size} bytes announced, {} there", self.bytes.len()));
        }
        Ok(self.bytes.split_to(size))
    }

    fn u8(&mut self) -> Read<u8> {
        match self.bytes.is_empty() {
            true => Malformed::new("a value ends early"),
            false => Ok(self.bytes.get_u8()),
        }
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let mut array = [0; N];
        if self.bytes.len() < N {
            return Malformed::new("a value ends early");
        }
        self.bytes.copy_to_slice(&mut array);
        Ok(array)
    }
}

fn text(bytes: &[u8]) -> Read<String> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Malformed::new("a string that is not UTF-8"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &Value) -> Bytes {
        let mut to = BytesMut::new();
        value.write(&mut to);
        to.freeze()
    }

    #[test]
    fn values_come_back_as_they_were_written() {
        let long = "x".repeat(300);
        let items: Vec<Value> = (0..300).map(Value::Uint).collect();
        for value in [
            Value::Null,
            Value::Bool(true),
            Value::Bool(false),
            Value::Ubyte(7),
            Value::Ushort(300),
            Value::Uint(0),
            Value::Uint(255),
            Value::Uint(256),
            Value::Ulong(0),
            Value::Ulong(255),
            Value::Ulong(u64::MAX),
            Value::Int(-1),
            Value::Long(i64::MIN),
            Value::Timestamp(-5),
            Value::Uuid([9; 16]),
            Value::Binary(Bytes::from_static(b"")),
            Value::Binary(vec![1; 256].into()),
            Value::string("ä"),
            Value::string(&long),
            Value::symbol("amqp:x"),
            Value::symbol(&long),
            Value::List(Vec::new()),
            Value::List(vec![Value::Null, Value::Uint(1)]),
            Value::List(items.clone()),
            Value::List(vec![Value::string(&"y".repeat(252)), Value::Bool(true)]),
            Value::Map(vec![(Value::symbol("k"), Value::List(vec![Value::Int(1)]))]),
            Value::Map(Vec::new()),
            Value::Array(vec![Value::symbol("a"), Value::symbol("bc")]),
            Value::described(0x24, Vec::new()),
            Value::Other(0x72, Bytes::from_static(b"abcd")),
        ] {
            let mut bytes = written(&value);
            assert_eq!(Value::read(&mut bytes).as_ref(), Ok(&value));
            assert!(bytes.is_empty(), "{value:?}");
            // Any piece cut off is noticed.
            let whole = written(&value);
            for end in 0..whole.len() {
                assert!(Value::read(&mut whole.slice(..end)).is_err(), "{value:?} {end}");
            }
        }
    }

    #[test]
    fn trailing_nulls_are_left_out() {
        let value = Value::List(vec![Value::Uint(1), Value::Null, Value::Null]);
        assert_eq!(Value::read(&mut written(&value)), Ok(Value::List(vec![Value::Uint(1)])));
    }

    #[test]
    fn what_is_no_value_is_refused_without_believing_its_lengths() {
        for (bytes, says) in [
            (&b"\x01"[..], "code of no AMQP type"),
            (b"", "ends early"),
            (b"\x56\x02", "boolean"),
            (b"\xb0\xff\xff\xff\xff", "announced"),
            (b"\xa1\x01\xff", "UTF-8"),
            (b"\xa3\x02\xc3\xa4", "ASCII"),
            (b"\xd0\x00\x00\x00\x04\xff\xff\xff\xff", "ends early"),
            (b"\xc0\x00", "without its count"),
            (b"\xc0\x03\x01\x40\x40", "longer than its items"),
            (b"\xc1\x02\x01\x40", "no value"),
            // An array of four billion nulls, in ten bytes.
            (b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40", "too many values"),
            (b"\xe0\x02\x01\x00", "described"),
            (&b"\xc0\xff\x01".repeat(80), "nested too deep"),
            (&b"\x00".repeat(80), "nested too deep"),
        ] {
            let why = Value::read(&mut Bytes::copy_from_slice(bytes)).unwrap_err().0;
            // The nested lists announce more than is there; either is a reason.
            assert!(why.contains(says) || why.contains("announced"), "{bytes:02x?}: {why}");
        }
    }
}
