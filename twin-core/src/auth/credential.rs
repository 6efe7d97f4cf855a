//! What a client proves itself with.

use super::{Key, SasToken};

/// What a client proves itself with. `Debug` shows no secret.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Credential {
    /// A symmetric key: tokens are made and renewed from it.
    Key {
        /// The device's, module's or policy's key.
        key: Key,
        /// `SharedAccessKeyName`: the shared access policy that the key belongs to; `None` for a device's own key.
        policy: Option<String>,
    },
    /// A given token; its owner replaces it before it expires.
    Token(SasToken),
    /// A client certificate, configured with TLS.
    Certificate,
}
