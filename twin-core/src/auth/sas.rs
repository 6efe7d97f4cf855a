//! Shared access signatures: sign, parse, verify, explain.
//!
//! A token is `SharedAccessSignature sr={resource}&sig={signature}&se={expiry}[&skn={policy}]`. The signature is the
//! base64 of HMAC-SHA256 over `sr`, a line feed and `se`, both exactly as they stand in the token ("Control access to
//! IoT Hub with shared access signatures"). SDKs differ in everything the signature does not fix: .NET writes
//! `%2f` where Node writes `%2F`, Node's service client leaves `sr` unencoded, and the order of fields is free. So
//! a token is kept as received and nothing of it is ever encoded again.
//!
//! # Which resource a token covers
//!
//! Segments are compared whole: `h/devices/a` covers `h/devices/a/modules/m` and not `h/devices/ab`. `sr` is decoded
//! once, unless it contains a `/` and so was never encoded as a whole; after that a segment may be an id as it is
//! or an id that was percent-encoded by itself, as the .NET and C SDKs do before they encode the whole. An id
//! that is the percent-encoded form of another id (`a%23b` and `a#b`) can therefore not be told apart from it by a
//! token of a *policy*; tokens made with a device's own key are not affected.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Key;
use crate::address::{percent_decode, percent_encode};
use crate::error::{Error, ErrorKind, Result};
use crate::{HostName, Timestamp, TwinKey};

/// Clock skew allowed when verifying (`MaxClockSkew` of IoT Edge's hub and of the .NET SDK).
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);

/// Longest token that is read, in bytes; real ones have a few hundred.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Longest piece of a resource that an error shows, in characters: longer than any real one.
const MAX_SHOWN_CHARS: usize = 600;

/// The last second that a [`Timestamp`] can tell, since 1970.
const LAST_SECOND: u64 = 253_402_300_799;

const SCHEME: &str = "SharedAccessSignature";

/// What a token is for: the resource, as segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A whole hub (`host`): services.
    Hub(HostName),
    /// One device or module (`host/devices/d[/modules/m]`).
    Twin(HostName, TwinKey),
}

impl Scope {
    /// The resource as text, not encoded; with the port if the host name has one, as the official SDKs sign it.
    pub fn resource(&self) -> String {
        match self {
            Scope::Hub(host) => host.to_string(),
            Scope::Twin(host, TwinKey { device, module: None }) => format!("{host}/devices/{device}"),
            Scope::Twin(host, TwinKey { device, module: Some(module) }) => {
                format!("{host}/devices/{device}/modules/{module}")
            }
        }
    }
}

/// A token, kept exactly as received or made. `Debug` and [`SasToken::explain`] show no signature.
#[derive(Clone)]
pub struct SasToken {
    text: Zeroizing<String>,
    /// where `sr` and `se` stand in `text`: they are signed as they are
    sr: Range<usize>,
    se: Range<usize>,
    resource: String,
    policy: Option<String>,
    expiry: Timestamp,
    signature: Zeroizing<Vec<u8>>,
}

impl SasToken {
    /// Signs a token for `resource` (not encoded) that expires at `expiry`, to the second; `policy` names the shared
    /// access policy that `key` belongs to.
    pub fn sign(resource: &str, key: &Key, policy: Option<&str>, expiry: Timestamp) -> SasToken {
        let sr = percent_encode(resource);
        let se = expiry.unix_seconds().to_string();
        let signature = key.mac(&[&sr, "\n", &se]);
        let sig = Zeroizing::new(BASE64.encode(signature));
        let sig = Zeroizing::new(percent_encode(&sig));
        let skn = policy.map(percent_encode);
        // Room for all of it, so that growing leaves no copy behind.
        let size = SCHEME.len() + sr.len() + sig.len() + se.len() + skn.as_ref().map_or(0, String::len) + 32;
        let mut text = Zeroizing::new(String::with_capacity(size));
        for piece in [SCHEME, " sr=", &sr, "&sig=", &sig, "&se=", &se] {
            text.push_str(piece);
        }
        let se_start = text.len() - se.len();
        if let Some(skn) = &skn {
            text.push_str("&skn=");
            text.push_str(skn);
        }
        let sr_start = SCHEME.len() + " sr=".len();
        SasToken {
            sr: sr_start..sr_start + sr.len(),
            se: se_start..se_start + se.len(),
            text,
            resource: resource.to_owned(),
            policy: policy.map(str::to_owned),
            expiry: Timestamp::from_unix(Duration::from_secs(expiry.unix_seconds())),
            signature: Zeroizing::new(signature.to_vec()),
        }
    }

    /// Reads `SharedAccessSignature sr=…&sig=…&se=…[&skn=…]`, fields in any order, unknown fields ignored. The error
    /// names the field and never echoes the signature.
    pub fn parse(text: &str) -> Result<SasToken> {
        let text = text.trim();
        if text.len() > MAX_TOKEN_BYTES {
            return Err(malformed(format!("it has more than {MAX_TOKEN_BYTES} bytes")));
        }
        let fields = match text.split_at_checked(SCHEME.len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) && rest.starts_with(' ') => rest,
            _ => return Err(malformed("it does not start with 'SharedAccessSignature '")),
        };
        let [mut sr, mut sig, mut se, mut skn] = [const { None::<Range<usize>> }; 4];
        for field in fields.trim_start().split('&') {
            let Some((name, value)) = field.split_once('=') else { continue };
            let (name, slot) = match name {
                "sr" => ("sr", &mut sr),
                "sig" => ("sig", &mut sig),
                "se" => ("se", &mut se),
                "skn" => ("skn", &mut skn),
                _ => continue,
            };
            let start = value.as_ptr() as usize - text.as_ptr() as usize;
            if slot.replace(start..start + value.len()).is_some() {
                return Err(malformed(format!("it has '{name}' twice")));
            }
        }
        let required = |name: &str, slot: Option<Range<usize>>| match slot {
            Some(range) if !range.is_empty() => Ok(range),
            _ => Err(malformed(format!("it has no '{name}'"))),
        };
        let (sr, sig, se) = (required("sr", sr)?, required("sig", sig)?, required("se", se)?);
        Ok(SasToken {
            resource: decode_resource(&text[sr.clone()])
                .ok_or_else(|| malformed("its 'sr' is not percent-encoded UTF-8"))?,
            policy: read_policy(skn.map(|range| &text[range]))?,
            expiry: read_expiry(&text[se.clone()])?,
            signature: read_signature(&text[sig])?,
            text: Zeroizing::new(text.to_owned()),
            sr,
            se,
        })
    }

    /// The token text: a secret, for a header or password.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// `sr`, decoded.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The host that `sr` names, with its port if it has one: the first segment of [`SasToken::resource`].
    pub fn host(&self) -> &str {
        self.resource.split('/').next().unwrap_or_default()
    }

    /// `skn`, decoded: the shared access policy; `None` for a device's or module's own key.
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// `se`
    pub fn expiry(&self) -> Timestamp {
        self.expiry
    }

    /// Whether the token is past its expiry by more than [`MAX_CLOCK_SKEW`].
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now > self.expiry.plus(MAX_CLOCK_SKEW)
    }

    /// Whether `sr` covers `resource` (not encoded) by whole segments; host names compare case-insensitively, ids
    /// exactly.
    pub fn covers(&self, resource: &str) -> bool {
        let mut wanted = resource.split('/');
        let segments = self.resource.strip_suffix('/').unwrap_or(&self.resource).split('/');
        segments.enumerate().all(|(i, given)| {
            let Some(wanted) = wanted.next() else { return false };
            let same = |given: &str| match i {
                0 => given.eq_ignore_ascii_case(wanted),
                _ => given == wanted,
            };
            !given.is_empty() && (same(given) || (given.contains('%') && encodes(given, &same)))
        })
    }

    /// Whether one of `keys` made the signature, in the same time whichever it is; over `sr` and `se` as received.
    pub fn is_signed_by<'k>(&self, keys: impl IntoIterator<Item = &'k Key>) -> bool {
        let (sr, se) = (&self.text[self.sr.clone()], &self.text[self.se.clone()]);
        let mut signed = subtle::Choice::from(0);
        for key in keys {
            signed |= key.mac(&[sr, "\n", se])[..].ct_eq(&self.signature);
        }
        signed.into()
    }

    /// Everything at once: scope, expiry with [`MAX_CLOCK_SKEW`], signature. The error says which failed and is of
    /// kind [`ErrorKind::Unauthorized`].
    pub fn verify<'k>(
        &self,
        resource: &str,
        keys: impl IntoIterator<Item = &'k Key>,
        now: Timestamp,
    ) -> Result<()> {
        let refuse = |why: String| Err(Error::new(ErrorKind::Unauthorized, why));
        if !self.covers(resource) {
            return refuse(format!("the token is for {} and does not cover {resource:?}", self.shown()));
        }
        if self.is_expired(now) {
            return refuse(format!("the token expired at {}; renew it (it is {now} now)", self.expiry));
        }
        if !self.is_signed_by(keys) {
            return refuse(format!(
                "the signature of the token for {} does not match any current key{}",
                self.shown(),
                self.policy.as_ref().map(|p| format!(" of policy {p:?}")).unwrap_or_default()
            ));
        }
        Ok(())
    }

    /// `sr` for a message: quoted, escaped, cut.
    fn shown(&self) -> String {
        let short: String = self.resource.chars().take(MAX_SHOWN_CHARS).collect();
        format!("{short:?}{}", if short.len() < self.resource.len() { "…" } else { "" })
    }

    /// Several lines for a person: resource, policy, expiry and how far off, without the signature.
    pub fn explain(&self, now: Timestamp) -> String {
        let whose = match &self.policy {
            Some(policy) => format!("shared access policy {policy:?}"),
            None => "none: signed with the device's or module's own key".to_owned(),
        };
        let (this, that) = (self.expiry.unix_seconds(), now.unix_seconds());
        let when = match this.checked_sub(that) {
            Some(left) => format!("in {}", duration(left)),
            None if self.is_expired(now) => format!("expired {} ago", duration(that - this)),
            None => format!(
                "{} ago, within the {} s that clocks may differ",
                duration(that - this),
                MAX_CLOCK_SKEW.as_secs()
            ),
        };
        format!(
            "resource (sr)   {}\npolicy (skn)    {whose}\nexpires (se)    {}, {when}\nsignature (sig) {} bytes, not shown",
            self.resource.escape_debug(),
            self.expiry,
            self.signature.len()
        )
    }
}

impl PartialEq for SasToken {
    fn eq(&self, other: &Self) -> bool {
        self.text.as_bytes().ct_eq(other.text.as_bytes()).into()
    }
}

impl fmt::Debug for SasToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SasToken")
            .field("resource", &self.resource)
            .field("policy", &self.policy)
            .field("expiry", &self.expiry)
            .finish_non_exhaustive()
    }
}

fn malformed(why: impl fmt::Display) -> Error {
    Error::invalid(format!("the shared access signature is malformed: {why}"))
}

/// `sr` with its outer encoding taken off, if it has one.
fn decode_resource(sr: &str) -> Option<String> {
    if sr.contains('/') { Some(sr.to_owned()) } else { percent_decode(sr) }
}

/// Whether `given` is the percent-encoded form of what `same` accepts. An escape of a character that nobody encodes
/// (`%2D` for `-`) makes it an id that contains a percent sign, not an encoded one.
fn encodes(given: &str, same: &dyn Fn(&str) -> bool) -> bool {
    let deliberate = given.split('%').skip(1).all(|tail| match tail.as_bytes() {
        [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            let byte = u8::from_str_radix(&tail[..2], 16).unwrap_or_default();
            !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte)
        }
        _ => false,
    });
    deliberate && percent_decode(given).is_some_and(|plain| same(&plain))
}

fn read_policy(skn: Option<&str>) -> Result<Option<String>> {
    match skn {
        None | Some("") => Ok(None),
        Some(skn) => match percent_decode(skn) {
            Some(policy) => Ok(Some(policy)),
            None => Err(malformed("its 'skn' is not percent-encoded UTF-8")),
        },
    }
}

fn read_expiry(se: &str) -> Result<Timestamp> {
    if !se.bytes().all(|b| b.is_ascii_digit()) {
        return Err(malformed("its 'se' is not a number of seconds since 1970"));
    }
    // Too many digits: later than any clock can tell.
    let seconds = se.parse().unwrap_or(u64::MAX).min(LAST_SECOND);
    Ok(Timestamp::from_unix(Duration::from_secs(seconds)))
}

fn read_signature(sig: &str) -> Result<Zeroizing<Vec<u8>>> {
    let text = percent_decode(sig).map(Zeroizing::new);
    let bytes = text.and_then(|text| BASE64.decode(text.as_bytes()).ok());
    bytes.map(Zeroizing::new).ok_or_else(|| malformed("its 'sig' is not percent-encoded base64"))
}

fn duration(seconds: u64) -> String {
    let (d, h, m, s) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    match (d, h, m) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, _) => format!("{m} min {s} s"),
        (0, _, _) => format!("{h} h {m} min"),
        _ => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
#[path = "sas_tests.rs"]
mod tests;
