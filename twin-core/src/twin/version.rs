//! Etags: text, and the counter inside the hub's own.

/// A twin's or identity's etag: opaque text without quotes, e.g. `AAAAAAAAAAE=`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ETag(String);

impl ETag {
    /// From text as a document or header carries it: surrounding quotes and a `W/` are taken off.
    pub fn new(text: impl AsRef<str>) -> Self {
        todo!()
    }
    /// The hub's own etag for the `counter`-th state of a twin: base64 of 8 big-endian bytes (facts 1.3).
    pub fn from_counter(counter: u64) -> Self {
        todo!()
    }
    /// Without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
