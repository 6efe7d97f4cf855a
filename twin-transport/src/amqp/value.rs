//! The AMQP 1.0 type system (part 1 of the standard), as far as anything here needs it.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Deepest nesting read: real frames have three levels.
const MAX_DEPTH: u32 = 8;
/// Most items of one list, map or array that are read.
const MAX_ITEMS: usize = 4096;

/// A value of AMQP. Numbers keep their width, because some peers look at it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Ubyte(u8),
    Ushort(u16),
    Uint(u32),
    Ulong(u64),
    /// Also heard for `byte` and `short`.
    Int(i32),
    Long(i64),
    /// Milliseconds since 1970.
    Timestamp(i64),
    Uuid([u8; 16]),
    Binary(Bytes),
    Text(String),
    Symbol(String),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    /// A numeric descriptor and the value described.
    Described(u64, Box<Value>),
    /// A type that means nothing here: numbers with fractions, characters, arrays; never said.
    Other,
}

/// The bytes are no AMQP.
#[derive(Debug, PartialEq)]
pub(super) struct Malformed(pub(super) &'static str);

const CUT: Malformed = Malformed("a value is cut off");

impl Value {
    pub(super) fn described(code: u64, list: Vec<Value>) -> Value {
        Value::Described(code, Box::new(Value::List(list)))
    }

    pub(super) fn symbol(text: impl Into<String>) -> Value {
        Value::Symbol(text.into())
    }

    pub(super) fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    /// A string or symbol.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Symbol(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub(super) fn as_u64(&self) -> Option<u64> {
        Some(match self {
            Value::Ubyte(n) => (*n).into(),
            Value::Ushort(n) => (*n).into(),
            Value::Uint(n) => (*n).into(),
            Value::Ulong(n) => *n,
            Value::Int(n) => (*n).try_into().ok()?,
            Value::Long(n) => (*n).try_into().ok()?,
            _ => return None,
        })
    }

    pub(super) fn as_u32(&self) -> Option<u32> {
        self.as_u64()?.try_into().ok()
    }

    pub(super) fn is_true(&self) -> bool {
        *self == Value::Bool(true)
    }

    /// Appends the value, in its shortest encoding.
    pub(super) fn write(&self, out: &mut BytesMut) {
        match self {
            Value::Null | Value::Other => out.put_u8(0x40),
            Value::Bool(true) => out.put_u8(0x41),
            Value::Bool(false) => out.put_u8(0x42),
            Value::Ubyte(n) => out.put_slice(&[0x50, *n]),
            Value::Ushort(n) => {
                out.put_u8(0x60);
                out.put_u16(*n);
            }
            Value::Uint(0) => out.put_u8(0x43),
            Value::Uint(n) if *n < 256 => out.put_slice(&[0x52, *n as u8]),
            Value::Uint(n) => {
                out.put_u8(0x70);
                out.put_u32(*n);
            }
            Value::Ulong(0) => out.put_u8(0x44),
            Value::Ulong(n) if *n < 256 => out.put_slice(&[0x53, *n as u8]),
            Value::Ulong(n) => {
                out.put_u8(0x80);
                out.put_u64(*n);
            }
            Value::Int(n) => match i8::try_from(*n) {
                Ok(n) => out.put_slice(&[0x54, n as u8]),
                Err(_) => {
                    out.put_u8(0x71);
                    out.put_i32(*n);
                }
            },
            Value::Long(n) => match i8::try_from(*n) {
                Ok(n) => out.put_slice(&[0x55, n as u8]),
                Err(_) => {
                    out.put_u8(0x81);
                    out.put_i64(*n);
                }
            },
            Value::Timestamp(n) => {
                out.put_u8(0x83);
                out.put_i64(*n);
            }
            Value::Uuid(bytes) => {
                out.put_u8(0x98);
                out.put_slice(bytes);
            }
            Value::Binary(bytes) => sized(out, [0xa0, 0xb0], bytes),
            Value::Text(text) => sized(out, [0xa1, 0xb1], text.as_bytes()),
            Value::Symbol(text) => sized(out, [0xa3, 0xb3], text.as_bytes()),
            Value::List(items) if items.is_empty() => out.put_u8(0x45),
            Value::List(items) => {
                compound(out, [0xc0, 0xd0], items.len(), |out| items.iter().for_each(|item| item.write(out)));
            }
            Value::Map(pairs) => compound(out, [0xc1, 0xd1], 2 * pairs.len(), |out| {
                for (name, value) in pairs {
                    name.write(out);
                    value.write(out);
                }
            }),
            Value::Described(code, value) => {
                out.put_u8(0);
                Value::Ulong(*code).write(out);
                value.write(out);
            }
        }
    }

    /// Takes one value off the front.
    pub(super) fn read(bytes: &mut Bytes) -> Result<Value, Malformed> {
        read(bytes, 0)
    }
}

fn sized(out: &mut BytesMut, [short, long]: [u8; 2], bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(length) => out.put_slice(&[short, length]),
        Err(_) => {
            out.put_u8(long);
            out.put_u32(bytes.len() as u32);
        }
    }
    out.put_slice(bytes);
}

fn compound(out: &mut BytesMut, [short, long]: [u8; 2], count: usize, write: impl FnOnce(&mut BytesMut)) {
    let mut items = BytesMut::new();
    write(&mut items);
    match (u8::try_from(items.len() + 1), u8::try_from(count)) {
        (Ok(size), Ok(count)) => out.put_slice(&[short, size, count]),
        _ => {
            out.put_u8(long);
            out.put_u32(items.len() as u32 + 4);
            out.put_u32(count as u32);
        }
    }
    out.put_slice(&items);
}

fn read(bytes: &mut Bytes, depth: u32) -> Result<Value, Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed("values are nested too deeply"));
    }
    let code = bytes.try_get_u8().map_err(|_| CUT)?;
    if code == 0 {
        let descriptor = read(bytes, depth + 1)?;
        let value = read(bytes, depth + 1)?;
        // Symbolic descriptors are allowed; nobody uses them for what is understood here.
        let number = descriptor.as_u64().unwrap_or(u64::MAX);
        return Ok(Value::Described(number, Box::new(value)));
    }
    Ok(match code >> 4 {
        0x4..=0x9 => fixed(code, bytes)?,
        0xa | 0xb => {
            let content = take_sized(code >> 4 == 0xb, bytes)?;
            let text = |content: Bytes| {
                String::from_utf8(content.into()).map_err(|_| Malformed("a string is not UTF-8"))
            };
            match code & 0xf {
                0 => Value::Binary(content),
                1 => Value::Text(text(content)?),
                3 => Value::Symbol(text(content)?),
                _ => return Err(Malformed("a type is unknown")),
            }
        }
        0xc | 0xd => {
            let long = code >> 4 == 0xd;
            let mut content = take_sized(long, bytes)?;
            let count = if long {
                content.try_get_u32().map(|n| n as usize)
            } else {
                content.try_get_u8().map(usize::from)
            };
            let count = count.map_err(|_| CUT)?;
            if count > MAX_ITEMS {
                return Err(Malformed("a list or map has too many items"));
            }
            match code & 0xf {
                0 => {
                    let items = (0..count).map(|_| read(&mut content, depth + 1));
                    Value::List(items.collect::<Result<_, _>>()?)
                }
                1 if count % 2 == 0 => {
                    let pair = |_| Ok((read(&mut content, depth + 1)?, read(&mut content, depth + 1)?));
                    Value::Map((0..count / 2).map(pair).collect::<Result<_, _>>()?)
                }
                _ => return Err(Malformed("a compound type is unknown")),
            }
        }
        // Arrays hold lists of capabilities and locales: of no interest.
        0xe | 0xf => {
            take_sized(code >> 4 == 0xf, bytes)?;
            Value::Other
        }
        _ => return Err(Malformed("a type is unknown")),
    })
}

fn take_sized(long: bool, bytes: &mut Bytes) -> Result<Bytes, Malformed> {
    let size =
        if long { bytes.try_get_u32().map(|n| n as usize) } else { bytes.try_get_u8().map(usize::from) };
    let size = size.map_err(|_| CUT)?;
    if size > bytes.len() { Err(CUT) } else { Ok(bytes.split_to(size)) }
}

fn fixed(code: u8, bytes: &mut Bytes) -> Result<Value, Malformed> {
    let width = [0, 1, 2, 4, 8, 16][usize::from(code >> 4) - 4];
    if bytes.len() < width {
        return Err(CUT);
    }
    let mut at = bytes.split_to(width);
    Ok(match code {
        0x40 => Value::Null,
        0x41 => Value::Bool(true),
        0x42 => Value::Bool(false),
        0x43 => Value::Uint(0),
        0x44 => Value::Ulong(0),
        0x45 => Value::List(Vec::new()),
        0x50 => Value::Ubyte(at.get_u8()),
        0x51 => Value::Int(at.get_i8().into()),
        0x52 => Value::Uint(at.get_u8().into()),
        0x53 => Value::Ulong(at.get_u8().into()),
        0x54 => Value::Int(at.get_i8().into()),
        0x55 => Value::Long(at.get_i8().into()),
        0x56 => Value::Bool(at.get_u8() != 0),
        0x60 => Value::Ushort(at.get_u16()),
        0x61 => Value::Int(at.get_i16().into()),
        0x70 => Value::Uint(at.get_u32()),
        0x71 => Value::Int(at.get_i32()),
        0x80 => Value::Ulong(at.get_u64()),
        0x81 => Value::Long(at.get_i64()),
        0x98 => Value::Uuid(at[..].try_into().map_err(|_| CUT)?),
        0x83 => Value::Timestamp(at.get_i64()),
        0x72 | 0x73 | 0x74 | 0x82 | 0x84 | 0x94 => Value::Other,
        _ => return Err(Malformed("a type is unknown")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(value: &Value) -> Bytes {
        let mut out = BytesMut::new();
        value.write(&mut out);
        out.freeze()
    }

    #[test]
    fn values_come_back() {
        let long = "x".repeat(300);
        for value in [
            Value::Null,
            Value::Bool(true),
            Value::Bool(false),
            Value::Ubyte(200),
            Value::Ushort(65_535),
            Value::Uint(0),
            Value::Uint(255),
            Value::Uint(u32::MAX),
            Value::Ulong(0),
            Value::Ulong(255),
            Value::Ulong(u64::MAX),
            Value::Int(-128),
            Value::Int(i32::MIN),
            Value::Long(127),
            Value::Timestamp(1_575_892_800_000),
            Value::Long(i64::MIN),
            Value::Uuid([7; 16]),
            Value::Binary(Bytes::from_static(b"\0\xff")),
            Value::Binary(Bytes::from(vec![1; 70_000])),
            Value::text(""),
            Value::text("é"),
            Value::text(&long),
            Value::symbol("amqp:not-found"),
            Value::List(vec![]),
            Value::List(vec![Value::Null; 300]),
            Value::Map(vec![(Value::symbol(&long), Value::List(vec![Value::Uint(3)]))]),
            Value::described(0x10, vec![Value::text("id"), Value::Null]),
        ] {
            let mut bytes = bytes_of(&value);
            assert_eq!(Value::read(&mut bytes).as_ref(), Ok(&value));
            assert!(bytes.is_empty());
        }
    }

    #[test]
    fn bytes_of_the_standard() {
        // Part 1, section 1.6; and what rhea sends.
        for (bytes, value) in [
            (&[0x56, 1][..], Value::Bool(true)),
            (&[0x51, 0xff], Value::Int(-1)),
            (&[0x61, 0xff, 0xfe], Value::Int(-2)),
            (&[0x70, 0, 0, 0, 5], Value::Uint(5)),
            (&[0x80, 0, 0, 0, 0, 0, 0, 0, 5], Value::Ulong(5)),
            (&[0x83, 0, 0, 0, 0, 0, 0, 0, 5], Value::Timestamp(5)),
            (&[0xb1, 0, 0, 0, 1, b'a'], Value::text("a")),
            (&[0xd0, 0, 0, 0, 5, 0, 0, 0, 1, 0x40], Value::List(vec![Value::Null])),
            (&[0xe0, 3, 1, 0x50, 7], Value::Other),
            (&[0, 0x53, 0x24, 0x45], Value::described(0x24, vec![])),
            (&[0, 0xa3, 1, b'x', 0x45], Value::described(u64::MAX, vec![])),
        ] {
            assert_eq!(Value::read(&mut Bytes::copy_from_slice(bytes)), Ok(value), "{bytes:?}");
        }
    }

    #[test]
    fn anything_else_is_refused_and_nothing_panics() {
        for bytes in [&[][..], &[0], &[0xc0, 1], &[0xc1, 2, 1, 0x40], &[0xd0, 0, 0, 0, 4, 255, 255, 255, 255]]
        {
            assert!(Value::read(&mut Bytes::copy_from_slice(bytes)).is_err(), "{bytes:?}");
        }
        assert!(Value::read(&mut Bytes::from(vec![0; 100_000])).is_err());
        let mut seed = 7_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as u8
        };
        for _ in 0..50_000 {
            let bytes: Vec<u8> = (0..random() % 24).map(|_| random()).collect();
            let mut rest = Bytes::from(bytes);
            while Value::read(&mut rest).is_ok() && !rest.is_empty() {}
        }
    }
}
