//! Etags: text, and the counter inside the hub's own.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};

/// A twin's or identity's etag: opaque text without quotes, e.g. `AAAAAAAAAAE=`.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ETag(String);

impl ETag {
    /// From text as a document or header carries it: white space around it, a `W/` and surrounding quotes are taken
    /// off. SDKs send If-Match with and without quotes.
    pub fn new(text: impl AsRef<str>) -> Self {
        let text = text.as_ref().trim();
        let text = text.strip_prefix("W/").unwrap_or(text);
        let bare = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
        ETag(bare.unwrap_or(text).to_owned())
    }

    /// The hub's own etag for the `counter`-th state of a twin: base64 of 8 big-endian bytes. Six dumps of real twins
    /// agree on it; a new twin has counter 1, `AAAAAAAAAAE=`.
    pub fn from_counter(counter: u64) -> Self {
        ETag(STANDARD.encode(counter.to_be_bytes()))
    }

    /// The counter, if this is an etag of [`ETag::from_counter`].
    pub fn counter(&self) -> Option<u64> {
        let bytes = STANDARD.decode(&self.0).ok()?;
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    }

    /// An identity's etag (`deviceEtag` in the twin): base64 of a decimal number, e.g. `NzQxMTYyNTA3`.
    pub fn from_decimal(number: u64) -> Self {
        ETag(STANDARD.encode(number.to_string()))
    }

    /// Without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// With quotes, as a header carries it.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

impl From<String> for ETag {
    fn from(text: String) -> Self {
        ETag::new(text)
    }
}

impl From<ETag> for String {
    fn from(etag: ETag) -> Self {
        etag.0
    }
}

impl fmt::Display for ETag {
    /// Without quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ETag({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_etags() {
        for (text, bare) in [
            ("AAAAAAAAAAE=", "AAAAAAAAAAE="),
            ("\"AAAAAAAAAAE=\"", "AAAAAAAAAAE="),
            ("W/\"AAAAAAAAAAE=\"", "AAAAAAAAAAE="),
            (" \"*\" ", "*"),
            ("*", "*"),
            ("\"", "\""),
            ("", ""),
        ] {
            assert_eq!(ETag::new(text).as_str(), bare, "{text}");
        }
        assert_eq!(ETag::new("a").quoted(), "\"a\"");
        assert_eq!(serde_json::from_str::<ETag>(r#""\"a\"""#).unwrap(), ETag::new("a"));
        assert_eq!(serde_json::to_string(&ETag::new("\"a\"")).unwrap(), r#""a""#);
    }

    #[test]
    fn counters() {
        for (counter, text) in [(1, "AAAAAAAAAAE="), (7, "AAAAAAAAAAc="), (u64::MAX, "//////////8=")] {
            assert_eq!(ETag::from_counter(counter).as_str(), text);
            assert_eq!(ETag::new(text).counter(), Some(counter));
        }
        for other in ["", "*", "NzQxMTYyNTA3", "AAAAAAAAAAE"] {
            assert_eq!(ETag::new(other).counter(), None, "{other}");
        }
        assert_eq!(ETag::from_decimal(741_162_507).as_str(), "NzQxMTYyNTA3");
    }
}
