//! The one error type of the whole stack: a kind, a message, facts, a source.
//!
//! [`ErrorKind`] is a table: each kind has a permanent number (C programs see it), a name, and says
//! whether trying again can help. Everything else about an error is a fact that may or may not be known.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Shorthand for results of this stack.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! kinds {
    ($($number:literal $name:ident $retryable:literal $doc:literal;)*) => {
        /// What went wrong, coarsely. The numbers are permanent; new kinds may be added.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ErrorKind { $(#[doc = $doc] $name = $number,)* }

        impl ErrorKind {
            /// Every kind, in order of number.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$name,)*];

            /// The permanent number of this kind.
            pub const fn number(self) -> u32 { self as u32 }

            /// The name of this kind, as spelled in Rust.
            pub const fn name(self) -> &'static str {
                match self { $(ErrorKind::$name => stringify!($name),)* }
            }

            /// Whether the same call, made again later, may succeed.
            pub const fn is_retryable(self) -> bool {
                match self { $(ErrorKind::$name => $retryable,)* }
            }
        }
    };
}

kinds! {
    1  InvalidArgument    false "The caller gave something that cannot be: a bad id, connection string, patch, query or option.";
    2  Closed             false "The client or hub was closed by its owner; the call came too late.";
    3  Cancelled          false "The caller gave up on the request before it ended.";
    4  Unauthorized       false "The other side refused the credential: wrong key, expired token, unknown or disabled device.";
    5  Forbidden          false "The credential is good but may not do this, or a quota forbids it.";
    6  NotFound           false "The device, module, job or path does not exist.";
    7  AlreadyExists      false "What was to be created exists already.";
    8  PreconditionFailed false "The etag or version that the caller named is not the current one.";
    9  Rejected           false "The hub understood the request and refused its content (HTTP 400 and kin).";
    10 TooLarge           false "A message, twin section or document is over its size limit.";
    11 Throttled          true  "The hub asks to slow down (HTTP 429).";
    12 Unavailable        true  "The hub cannot serve now (HTTP 5xx, server unavailable).";
    13 Timeout            true  "No answer within the time allowed.";
    14 Network            true  "The connection could not be made or was lost.";
    15 Tls                false "The TLS handshake failed: untrusted, expired or wrongly named certificate.";
    16 Protocol           true  "The other side said something that its protocol does not allow.";
    17 NotSupported       false "The operation does not exist on this transport or is not implemented by the hub.";
    18 Storage            true  "The hub's disk failed: full, locked by another process, damaged.";
    19 Internal           false "A fault in this library; please report it.";
}

/// Whether the other side may have acted on a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// The request never left: nothing can have happened.
    NotSent,
    /// The request left and no answer came: it may have happened.
    Unknown,
    /// The other side answered with a refusal: it did not happen.
    Refused,
}

/// What failed, and everything known about it. Cheap to clone.
///
/// No key, token or password ever enters an `Error`.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    status: Option<u16>,
    code: Option<u32>,
    code_name: Option<String>,
    tracking_id: Option<String>,
    retry_after: Option<Duration>,
    delivery: Option<Delivery>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// Equal in everything that is known, sources aside.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        let known = |e: &Inner| (e.kind, e.status, e.code, e.retry_after, e.delivery);
        let (a, b) = (&*self.0, &*other.0);
        known(a) == known(b)
            && a.message == b.message
            && a.code_name == b.code_name
            && a.tracking_id == b.tracking_id
    }
}

impl Error {
    /// An error of `kind` with a message that names the thing, the place and the rule.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Arc::new(Inner {
            kind,
            message: message.into(),
            status: None,
            code: None,
            code_name: None,
            tracking_id: None,
            retry_after: None,
            delivery: None,
            source: None,
        }))
    }

    /// Caller misuse: shorthand for [`ErrorKind::InvalidArgument`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }

    fn with(mut self, set: impl FnOnce(&mut Inner)) -> Self {
        set(Arc::make_mut(&mut self.0));
        self
    }

    /// Adds the status that the hub answered with.
    pub fn with_status(self, status: u16) -> Self {
        self.with(|i| i.status = Some(status))
    }

    /// Adds the hub's numeric error code, e.g. `404001`.
    pub fn with_code(self, code: u32) -> Self {
        self.with(|i| i.code = Some(code))
    }

    /// Adds the hub's symbolic error code, e.g. `DeviceNotFound`.
    pub fn with_code_name(self, name: impl Into<String>) -> Self {
        self.with(|i| i.code_name = Some(name.into()))
    }

    /// Adds the hub's tracking id.
    pub fn with_tracking_id(self, id: impl Into<String>) -> Self {
        self.with(|i| i.tracking_id = Some(id.into()))
    }

    /// Adds how long the hub asks to wait.
    pub fn with_retry_after(self, wait: Duration) -> Self {
        self.with(|i| i.retry_after = Some(wait))
    }

    /// Adds whether the other side may have acted.
    pub fn with_delivery(self, delivery: Delivery) -> Self {
        self.with(|i| i.delivery = Some(delivery))
    }

    /// Adds the underlying cause.
    pub fn with_source(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.with(|i| i.source = Some(Arc::new(source)))
    }

    /// Puts `context` and a colon before the message.
    pub fn context(self, context: impl fmt::Display) -> Self {
        self.with(|i| i.message = format!("{context}: {}", i.message))
    }

    /// What went wrong, coarsely.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call, made again later, may succeed.
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }

    /// The message alone, without the facts that `Display` appends.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The status that the hub answered with (an HTTP status on every protocol).
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The hub's numeric error code, e.g. `404001`.
    pub fn code(&self) -> Option<u32> {
        self.0.code
    }

    /// The hub's symbolic error code, e.g. `DeviceNotFound`.
    pub fn code_name(&self) -> Option<&str> {
        self.0.code_name.as_deref()
    }

    /// The hub's tracking id, to quote when asking its operator.
    pub fn tracking_id(&self) -> Option<&str> {
        self.0.tracking_id.as_deref()
    }

    /// How long the hub asks to wait before trying again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the other side may have acted on the request.
    pub fn delivery(&self) -> Option<Delivery> {
        self.0.delivery
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let mut facts = Vec::new();
        if let Some(status) = self.0.status {
            facts.push(format!("status {status}"));
        }
        match (self.0.code, &self.0.code_name) {
            (Some(code), Some(name)) => facts.push(format!("{code} {name}")),
            (Some(code), None) => facts.push(format!("code {code}")),
            (None, Some(name)) => facts.push(name.clone()),
            (None, None) => {}
        }
        if let Some(id) = &self.0.tracking_id {
            facts.push(format!("tracking id {id}"));
        }
        if facts.is_empty() { Ok(()) } else { write!(f, " ({})", facts.join(", ")) }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.0.kind.name())?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|s| &**s as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_permanent_and_dense() {
        for (i, kind) in ErrorKind::ALL.iter().enumerate() {
            assert_eq!(kind.number() as usize, i + 1, "{}", kind.name());
        }
    }

    #[test]
    fn display_appends_the_facts_it_knows() {
        let e = Error::new(ErrorKind::NotFound, "twin of 'd1'")
            .with_status(404)
            .with_code(404001)
            .with_code_name("DeviceNotFound")
            .with_tracking_id("abc");
        assert_eq!(e.to_string(), "twin of 'd1' (status 404, 404001 DeviceNotFound, tracking id abc)");
        assert!(!e.is_retryable());
    }
}
