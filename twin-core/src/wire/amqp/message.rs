//! The parts of an AMQP message that matter here, free of any library.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::wire::Rid;

/// A message id or correlation id. Hubs echo it in the type that it came in: an SDK that compares values would not
/// know it otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Correlation {
    /// A string (Node, Java).
    Text(String),
    /// A UUID (C), in network order.
    Uuid([u8; 16]),
    /// A number.
    Ulong(u64),
    /// Bytes.
    Binary(Bytes),
}

/// Marks a request id that stands for a correlation id other than a plain string.
const MARK: char = '\0';

impl Correlation {
    /// As a request id: a string as it is, all else in a form of its own that [`Correlation::from_rid`] undoes.
    pub fn to_rid(&self) -> Rid {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        Rid(match self {
            Correlation::Text(text) if !text.starts_with(MARK) => text.clone(),
            Correlation::Text(text) => format!("{MARK}t{text}"),
            Correlation::Uuid(bytes) => format!("{MARK}u{}", hex(bytes)),
            Correlation::Ulong(number) => format!("{MARK}n{number}"),
            Correlation::Binary(bytes) => format!("{MARK}b{}", hex(bytes)),
        })
    }

    /// The correlation id that a request id stands for.
    pub fn from_rid(rid: &Rid) -> Correlation {
        Self::read(&rid.0).unwrap_or_else(|| Correlation::Text(rid.0.clone()))
    }

    fn read(text: &str) -> Option<Correlation> {
        let mut rest = text.strip_prefix(MARK)?.chars();
        let (kind, rest) = (rest.next()?, rest.as_str());
        let bytes = || (0..rest.len() / 2).map(|i| u8::from_str_radix(rest.get(2 * i..2 * i + 2)?, 16).ok());
        Some(match kind {
            't' => Correlation::Text(rest.to_owned()),
            'u' => Correlation::Uuid(bytes().collect::<Option<Vec<u8>>>()?.try_into().ok()?),
            'n' => Correlation::Ulong(rest.parse().ok()?),
            'b' => Correlation::Binary(bytes().collect::<Option<Vec<u8>>>()?.into()),
            _ => return None,
        })
    }
}

/// A simple value, as annotations and properties hold them. Types that mean nothing to us are left out by whoever
/// fills a message in.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A string or symbol.
    Text(String),
    /// `int`; heard: any whole number that fits.
    Int(i32),
    /// `long`; heard: any whole number that fits.
    Long(i64),
    /// `timestamp`: milliseconds since 1970.
    Timestamp(i64),
}

impl Scalar {
    /// A text as it is.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number of any type, also one in digits.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Scalar::Int(number) => (*number).try_into().ok(),
            Scalar::Long(number) => (*number).try_into().ok(),
            Scalar::Timestamp(_) => None,
            Scalar::Text(text) => {
                text.parse().ok().filter(|_| text.bytes().all(|digit| digit.is_ascii_digit()))
            }
        }
    }
}

impl fmt::Display for Scalar {
    /// The text, or digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Text(text) => f.write_str(text),
            Scalar::Int(number) => write!(f, "{number}"),
            Scalar::Long(number) | Scalar::Timestamp(number) => write!(f, "{number}"),
        }
    }
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Scalar::Text(text.to_owned())
    }
}

/// What a message carries.
#[derive(Clone, PartialEq)]
pub enum Body {
    /// Data sections, joined.
    Data(Bytes),
    /// An amqp-value that is a string: a token, for instance.
    Text(String),
}

impl fmt::Debug for Body {
    /// Shows the size alone: a body may be a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Data(bytes) => write!(f, "Data({} bytes)", bytes.len()),
            Body::Text(text) => write!(f, "Text({} bytes)", text.len()),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Body::Data(Bytes::new())
    }
}

/// The parts of an AMQP message that matter here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// `message-id`
    pub id: Option<Correlation>,
    /// `correlation-id`
    pub correlation: Option<Correlation>,
    /// `user-id`
    pub user_id: Option<Bytes>,
    /// `to`
    pub to: Option<String>,
    /// `reply-to`
    pub reply_to: Option<String>,
    /// `content-type`
    pub content_type: Option<String>,
    /// `content-encoding`
    pub content_encoding: Option<String>,
    /// `absolute-expiry-time`, in milliseconds since 1970.
    pub expiry: Option<i64>,
    /// `creation-time`, in milliseconds since 1970.
    pub created: Option<i64>,
    /// `delivery-count` of the header: failed attempts before.
    pub delivery_count: Option<u32>,
    /// Message annotations.
    pub annotations: Vec<(Cow<'static, str>, Scalar)>,
    /// Application properties.
    pub properties: Vec<(Cow<'static, str>, Scalar)>,
    /// The body.
    pub body: Body,
}

impl Message {
    /// The message annotation of this name.
    pub fn annotation(&self, name: &str) -> Option<&Scalar> {
        self.annotations.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// The application property of this name.
    pub fn property(&self, name: &str) -> Option<&Scalar> {
        self.properties.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// The body as bytes, whichever section they came in.
    pub fn bytes(&self) -> Bytes {
        match &self.body {
            Body::Data(bytes) => bytes.clone(),
            Body::Text(text) => text.clone().into(),
        }
    }
}
