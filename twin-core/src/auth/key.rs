//! A symmetric key: base64 text, raw bytes inside, wiped on drop, never printed.
use crate::error::Result;

/// A symmetric key of 16 to 64 bytes (facts 4.5). `Debug` prints `Key(…)`. Equality is constant-time.
#[derive(Clone)]
pub struct Key(zeroize::Zeroizing<Vec<u8>>);

impl Key {
    /// From base64 text; the error says what is wrong without echoing it.
    pub fn from_base64(text: &str) -> Result<Key> {
        todo!()
    }
    /// From raw bytes (32 random ones make a good key).
    pub fn from_bytes(bytes: &[u8]) -> Result<Key> {
        todo!()
    }
    /// The base64 text: a secret, handle with care.
    pub fn expose_base64(&self) -> zeroize::Zeroizing<String> {
        todo!()
    }
    /// The raw bytes: a secret.
    pub fn expose_bytes(&self) -> &[u8] {
        &self.0
    }
}
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        todo!()
    }
}
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}
