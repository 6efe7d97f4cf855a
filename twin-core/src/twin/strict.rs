//! Strict JSON: what `serde_json` reads, minus what it silently repairs.
//!
//! Refused beyond broken syntax: an object that names a member twice (`serde_json` keeps the last), invalid UTF-8,
//! nesting deeper than [`MAX_NESTING`], anything behind the value, and an integer too long for 64 bits (which
//! `serde_json` would round to a float). Reading never recurses deeper than the nesting bound, whatever the bytes.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value, map::Entry};

use super::{Object, path::Path};

/// Levels of objects and arrays that are read at most. Twin rules allow far fewer; this bounds the stack.
pub const MAX_NESTING: usize = 32;

/// Why bytes are not strict JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotStrict {
    /// Nothing but white space, or `null`.
    Empty,
    /// Not JSON at all: what is wrong, with line and column.
    Syntax(String),
    /// JSON, but no object.
    NotAnObject,
    /// An object names this member twice.
    Duplicate {
        /// Dotted path of the member.
        path: String,
    },
    /// Nested deeper than [`MAX_NESTING`].
    TooDeep {
        /// Dotted path of the place where reading stopped.
        path: String,
    },
    /// An integer that 64 bits cannot hold.
    HugeInteger {
        /// Dotted path of the number.
        path: String,
    },
}

impl fmt::Display for NotStrict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotStrict::Empty => f.write_str("it is empty"),
            NotStrict::Syntax(what) => write!(f, "it is not valid JSON: {what}"),
            NotStrict::NotAnObject => f.write_str("it is JSON but not an object"),
            NotStrict::Duplicate { path } => write!(f, "it names the member '{path}' twice"),
            NotStrict::TooDeep { path } => {
                write!(f, "it is nested deeper than {MAX_NESTING} levels at '{path}'")
            }
            NotStrict::HugeInteger { path } => {
                write!(f, "it has an integer at '{path}' that 64 bits cannot hold")
            }
        }
    }
}

impl std::error::Error for NotStrict {}

/// Reads one JSON object; `label` is what paths in the error start with (may be empty).
pub fn object(label: &str, json: &[u8]) -> Result<Object, NotStrict> {
    match value(label, json)? {
        Value::Object(object) => Ok(object),
        Value::Null => Err(NotStrict::Empty),
        _ => Err(NotStrict::NotAnObject),
    }
}

/// Reads one JSON value of any kind.
pub fn value(label: &str, json: &[u8]) -> Result<Value, NotStrict> {
    if json.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
        return Err(NotStrict::Empty);
    }
    let reader = Reader::default();
    let value = reader.read(label, json)?;
    if reader.saw_huge.get()
        && let Some(ordinal) = first_long_integer(json)
    {
        // Read once more, to learn the place of the number that only its text gives away.
        Reader { refuse_number: Some(ordinal), ..Reader::default() }.read(label, json)?;
    }
    Ok(value)
}

/// What one reading knows besides the value.
#[derive(Default)]
struct Reader {
    /// Numbers met so far.
    numbers: Cell<usize>,
    /// Whether a whole number beyond 64 bits was met: a float by spelling, or an integer rounded to one.
    saw_huge: Cell<bool>,
    /// Stop at this number.
    refuse_number: Option<usize>,
    /// The real reason of a failure; errors of serde carry text only.
    failure: RefCell<Option<NotStrict>>,
}

impl Reader {
    fn read(&self, label: &str, json: &[u8]) -> Result<Value, NotStrict> {
        let mut from = serde_json::Deserializer::from_slice(json);
        let root = Path::root(label);
        let seed = Node { reader: self, path: &root, depth: 0 };
        let read = seed.deserialize(&mut from).and_then(|value| from.end().map(|()| value));
        read.map_err(|e| self.failure.take().unwrap_or_else(|| NotStrict::Syntax(e.to_string())))
    }

    fn fail<E: serde::de::Error>(&self, why: NotStrict) -> E {
        *self.failure.borrow_mut() = Some(why);
        E::custom("refused")
    }
}

/// One value at one place.
struct Node<'r, 'p> {
    reader: &'r Reader,
    path: &'p Path<'p>,
    depth: usize,
}

impl Node<'_, '_> {
    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        let ordinal = self.reader.numbers.get();
        self.reader.numbers.set(ordinal + 1);
        if self.reader.refuse_number == Some(ordinal) {
            return Err(self.reader.fail(NotStrict::HugeInteger { path: self.path.to_string() }));
        }
        Ok(())
    }

    fn enter<E: serde::de::Error>(&self) -> Result<usize, E> {
        if self.depth >= MAX_NESTING {
            return Err(self.reader.fail(NotStrict::TooDeep { path: self.path.to_string() }));
        }
        Ok(self.depth + 1)
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.count()?;
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.count()?;
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.count()?;
        if value.abs() >= 9_223_372_036_854_775_808.0 {
            self.reader.saw_huge.set(true);
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let depth = self.enter()?;
        let mut elements = Vec::new();
        loop {
            let path = self.path.element(elements.len());
            match access.next_element_seed(Node { reader: self.reader, path: &path, depth })? {
                Some(element) => elements.push(element),
                None => return Ok(Value::Array(elements)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let depth = self.enter()?;
        let mut members = Object::new();
        while let Some(name) = access.next_key::<String>()? {
            match members.entry(name) {
                Entry::Occupied(entry) => {
                    let path = self.path.member(entry.key()).to_string();
                    return Err(self.reader.fail(NotStrict::Duplicate { path }));
                }
                Entry::Vacant(entry) => {
                    let path = self.path.member(entry.key());
                    let value = access.next_value_seed(Node { reader: self.reader, path: &path, depth })?;
                    entry.insert(value);
                }
            }
        }
        Ok(Value::Object(members))
    }
}

/// The ordinal, among the numbers of this valid JSON, of the first integer that 64 bits cannot hold.
fn first_long_integer(json: &[u8]) -> Option<usize> {
    let (mut at, mut ordinal) = (0, 0);
    while at < json.len() {
        match json[at] {
            b'"' => {
                at += 1;
                while at < json.len() && json[at] != b'"' {
                    at += if json[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let rest = &json[at..];
                let end = rest
                    .iter()
                    .position(|b| !matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
                    .unwrap_or(rest.len());
                let token = std::str::from_utf8(&rest[..end]).unwrap_or_default();
                let integer = !token.contains(['.', 'e', 'E']);
                if integer && token.parse::<u64>().is_err() && token.parse::<i64>().is_err() {
                    return Some(ordinal);
                }
                ordinal += 1;
                at += end;
            }
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_serde_json_reads() {
        for text in [
            r#"{"a":1,"b":-2,"c":1.5,"d":"x\u00e9\n","e":true,"f":null,"g":[1,[],{}],"h":{"i":{}}}"#,
            r#"{"max":18446744073709551615,"min":-9223372036854775808,"big":1e300,"n":-0}"#,
            "{}",
            " {\r\n\t} ",
        ] {
            let want: Object = serde_json::from_str(text).unwrap();
            assert_eq!(object("", text.as_bytes()).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn floats_survive_to_the_last_bit() {
        // Texts that a fast reader rounds wrongly.
        for text in
            ["31.245270191439438", "121.48791951161945", "2.2250738585072011e-308", "0.30000000000000004"]
        {
            let value = value("", text.as_bytes()).unwrap();
            assert_eq!(value.as_f64(), Some(text.parse::<f64>().unwrap()), "{text}");
        }
    }

    #[test]
    fn refuses_what_serde_json_repairs() {
        let path = |p: &str| p.to_string();
        for (json, want) in [
            (&b""[..], NotStrict::Empty),
            (b" \n", NotStrict::Empty),
            (b"null", NotStrict::Empty),
            (b"[1]", NotStrict::NotAnObject),
            (b"7", NotStrict::NotAnObject),
            (br#"{"a":1,"a":1}"#, NotStrict::Duplicate { path: path("top.a") }),
            (br#"{"b":[{"c":1,"\u0063":2}]}"#, NotStrict::Duplicate { path: path("top.b[0].c") }),
            (
                br#"{"a":1,"f":1e20,"s":"\"1","i":[99999999999999999999]}"#,
                NotStrict::HugeInteger { path: path("top.i[0]") },
            ),
            (b"{\"a\":-9223372036854775809}", NotStrict::HugeInteger { path: path("top.a") }),
        ] {
            assert_eq!(object("top", json).unwrap_err(), want, "{}", String::from_utf8_lossy(json));
        }
        for broken in [
            &b"{"[..],
            b"{\"a\":1}x",
            b"{\"a\":\"\xff\"}",
            b"{\"\xc3\x28\":1}",
            b"\xff",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":1e999}",
            b"{'a':1}",
            b"{\"a\":1,}",
            b"{\"a\":01}",
            b"{\"a\":NaN}",
            b"{\"a\":\"\n\"}",
        ] {
            let why = object("top", broken).unwrap_err();
            assert!(matches!(why, NotStrict::Syntax(_)), "{why:?} {}", String::from_utf8_lossy(broken));
        }
    }

    #[test]
    fn hostile_nesting_stops_early() {
        for open in ["[", r#"{"a":"#] {
            let hostile = open.repeat(100_000);
            let why = value("top", hostile.as_bytes()).unwrap_err();
            assert!(matches!(why, NotStrict::TooDeep { .. }), "{why:?}");
        }
        let legal = format!("{}{}", "[".repeat(MAX_NESTING), "]".repeat(MAX_NESTING));
        assert!(value("", legal.as_bytes()).is_ok());
    }
}
