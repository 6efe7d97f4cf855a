//! What a client proves itself with.
use super::{Key, SasToken};

/// What a client proves itself with. `Debug` shows no secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credential {
    /// A symmetric key (`policy` for a shared access policy's): tokens are made and renewed from it.
    Key {
        /** the key */
        key: Key,
        /** `SharedAccessKeyName` */
        policy: Option<String>,
    },
    /// A given token; its owner replaces it before it expires.
    Token(SasToken),
    /// A client certificate, configured with TLS.
    Certificate,
}
