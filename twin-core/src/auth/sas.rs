//! Shared access signatures: sign, parse, verify, explain (facts 4.1).
use super::Key;
use crate::error::Result;
use crate::{HostName, Timestamp, TwinKey};
use std::time::Duration;

/// Clock skew allowed when verifying (facts 4.1).
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);

/// What a token is for: the resource, as segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A whole hub (`host`): services.
    Hub(HostName),
    /// One device or module (`host/devices/d[/modules/m]`).
    Twin(HostName, TwinKey),
}

impl Scope {
    /// The resource as text, not encoded.
    pub fn resource(&self) -> String {
        todo!()
    }
}

/// A token: kept exactly as received or made. `Debug` and `Display` show no signature.
#[derive(Clone, PartialEq)]
pub struct SasToken {/* text: Zeroizing<String>, sr encoded range, expiry, skn, signature */}

impl SasToken {
    /// Signs a token for `resource` (not encoded) that expires at `expiry`.
    pub fn sign(resource: &str, key: &Key, policy: Option<&str>, expiry: Timestamp) -> SasToken {
        todo!()
    }
    /// Parses `SharedAccessSignature sr=…&sig=…&se=…[&skn=…]`, fields in any order; the error names the field, never echoes the signature.
    pub fn parse(text: &str) -> Result<SasToken> {
        todo!()
    }
    /// The token text: a secret, for a header or password.
    pub fn expose(&self) -> &str {
        todo!()
    }
    /// `sr`, decoded.
    pub fn resource(&self) -> &str {
        todo!()
    }
    /// `skn`, decoded.
    pub fn policy(&self) -> Option<&str> {
        todo!()
    }
    /// `se`
    pub fn expiry(&self) -> Timestamp {
        todo!()
    }
    /// Whether `sr` covers `resource` (not encoded) by whole segments; host names compare case-insensitively, ids exactly.
    pub fn covers(&self, resource: &str) -> bool {
        todo!()
    }
    /// Whether one of `keys` made the signature (constant time, over `sr` as received).
    pub fn is_signed_by<'k>(&self, keys: impl IntoIterator<Item = &'k Key>) -> bool {
        todo!()
    }
    /// Everything at once: scope, expiry with [`MAX_CLOCK_SKEW`], signature. The error says which failed.
    pub fn verify<'k>(
        &self,
        resource: &str,
        keys: impl IntoIterator<Item = &'k Key>,
        now: Timestamp,
    ) -> Result<()> {
        todo!()
    }
    /// Several lines for a person: resource, policy, expiry and how far off, without the signature.
    pub fn explain(&self, now: Timestamp) -> String {
        todo!()
    }
}
impl std::fmt::Debug for SasToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}
