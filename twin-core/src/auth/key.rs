//! A symmetric key: base64 text outside, raw bytes inside, wiped on drop, never printed.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Shortest key, in bytes (IoT Hub identity registry guide: keys of 16 to 64 bytes).
pub const MIN_KEY_BYTES: usize = 16;
/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 64;

/// A symmetric key of 16 to 64 bytes. `Debug` prints `Key(…)`. Equality takes the same time wherever keys differ.
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// From base64 text with its padding; the error says what is wrong without echoing it.
    pub fn from_base64(text: &str) -> Result<Key> {
        let bytes = BASE64.decode(text).map(Zeroizing::new).map_err(|_| {
            // The decoder's own message would show characters of the key.
            Error::invalid("the key is not base64; copy it whole, with the '=' at its end")
        })?;
        Self::check(bytes)
    }

    /// From raw bytes (32 random ones make a good key).
    pub fn from_bytes(bytes: &[u8]) -> Result<Key> {
        Self::check(Zeroizing::new(bytes.to_vec()))
    }

    fn check(bytes: Zeroizing<Vec<u8>>) -> Result<Key> {
        if !(MIN_KEY_BYTES..=MAX_KEY_BYTES).contains(&bytes.len()) {
            return Err(Error::invalid(format!(
                "the key has {} bytes; keys have {MIN_KEY_BYTES} to {MAX_KEY_BYTES}",
                bytes.len()
            )));
        }
        Ok(Key(bytes))
    }

    /// The base64 text: a secret, handle with care.
    pub fn expose_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(&*self.0))
    }

    /// The raw bytes: a secret.
    pub fn expose_bytes(&self) -> &[u8] {
        &self.0
    }

    /// HMAC-SHA256 over `text` with this key.
    pub(crate) fn mac(&self, text: &[&str]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        text.iter().for_each(|part| mac.update(part.as_bytes()));
        mac.finalize().into_bytes().into()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_both_ways() {
        let text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let key = Key::from_base64(text).unwrap();
        assert_eq!(key.expose_bytes(), (0u8..32).collect::<Vec<_>>());
        assert_eq!(*key.expose_base64(), text);
        assert_eq!(key, Key::from_bytes(&(0u8..32).collect::<Vec<_>>()).unwrap());
        assert_ne!(key, Key::from_bytes(&[7; 32]).unwrap());
        assert_ne!(key, Key::from_bytes(&[7; 16]).unwrap());
    }

    #[test]
    fn sizes() {
        for (bytes, good) in [(0, false), (15, false), (16, true), (64, true), (65, false)] {
            assert_eq!(Key::from_bytes(&vec![1; bytes]).is_ok(), good, "{bytes}");
        }
    }

    #[test]
    fn what_is_no_base64_is_refused_without_an_echo() {
        for bad in
            ["", "Zm9v", "SECRETSECRETSECRETSECRET!", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "é"]
        {
            let error = format!("{:?}", Key::from_base64(bad).unwrap_err());
            assert!(bad.is_empty() || !error.contains(bad), "{error}");
        }
    }
}
