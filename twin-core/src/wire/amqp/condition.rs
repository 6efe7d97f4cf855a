//! Error conditions of links, sessions and connections.

use crate::error::{Error, ErrorKind};
use crate::wire::{HubCode, Refusal, status};
use crate::{Timestamp, wire::codes};

/// An error as it stands in detach, end or close.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The symbol, e.g. `amqp:not-found`.
    pub condition: &'static str,
    /// JSON: `{"errorCode":…,"trackingId":…,"message":…,"timestampUtc":…}`.
    pub description: String,
    /// For the info map: name and tracking id.
    pub tracking_id: (&'static str, String),
}

const TRACKING_ID: &str = "com.microsoft:tracking-id";

/// Conditions and what they mean to a client ("Understand AMQP error conditions"; Node `amqp_common_errors.ts`; .NET
/// `AmqpErrorMapper.cs`). The status is the one that the same refusal has over HTTP.
const CONDITIONS: &[(&str, u16, ErrorKind)] = &[
    ("amqp:internal-error", 500, ErrorKind::Unavailable),
    ("amqp:not-found", 404, ErrorKind::NotFound),
    ("amqp:unauthorized-access", 401, ErrorKind::Unauthorized),
    ("amqp:decode-error", 400, ErrorKind::Protocol),
    ("amqp:resource-limit-exceeded", 403, ErrorKind::Forbidden),
    ("amqp:not-allowed", 405, ErrorKind::NotSupported),
    ("amqp:invalid-field", 400, ErrorKind::Protocol),
    ("amqp:not-implemented", 501, ErrorKind::NotSupported),
    ("amqp:resource-locked", 409, ErrorKind::Unavailable),
    ("amqp:precondition-failed", 412, ErrorKind::PreconditionFailed),
    ("amqp:resource-deleted", 404, ErrorKind::NotFound),
    ("amqp:illegal-state", 400, ErrorKind::Protocol),
    ("amqp:frame-size-too-small", 400, ErrorKind::Protocol),
    ("amqp:connection:forced", 503, ErrorKind::Unavailable),
    ("amqp:connection:framing-error", 400, ErrorKind::Protocol),
    ("amqp:connection:redirect", 503, ErrorKind::Unavailable),
    ("amqp:session:window-violation", 400, ErrorKind::Protocol),
    ("amqp:session:errant-link", 400, ErrorKind::Protocol),
    ("amqp:session:handle-in-use", 400, ErrorKind::Protocol),
    ("amqp:session:unattached-handle", 400, ErrorKind::Protocol),
    ("amqp:link:detach-forced", 503, ErrorKind::Unavailable),
    ("amqp:link:transfer-limit-exceeded", 400, ErrorKind::Protocol),
    ("amqp:link:message-size-exceeded", 413, ErrorKind::TooLarge),
    ("amqp:link:redirect", 503, ErrorKind::Unavailable),
    ("amqp:link:stolen", 409, ErrorKind::Unavailable),
    ("com.microsoft:timeout", 503, ErrorKind::Unavailable),
    ("com.microsoft:server-busy", 503, ErrorKind::Unavailable),
    ("com.microsoft:message-lock-lost", 412, ErrorKind::PreconditionFailed),
    ("com.microsoft:iot-hub-not-found-error", 401, ErrorKind::Unauthorized),
    ("com.microsoft:argument-error", 400, ErrorKind::Rejected),
    ("com.microsoft:argument-out-of-range", 400, ErrorKind::Rejected),
    ("com.microsoft:device-already-exists", 409, ErrorKind::AlreadyExists),
    ("com.microsoft:device-container-throttled", 429, ErrorKind::Throttled),
    ("com.microsoft:quota-exceeded", 403, ErrorKind::Forbidden),
    ("com.microsoft:precondition-failed", 412, ErrorKind::PreconditionFailed),
    ("com.microsoft:iot-hub-suspended", 403, ErrorKind::Forbidden),
];

/// The condition for a code.
fn condition_of(code: HubCode) -> &'static str {
    use codes::HubCode as C;
    match code {
        C::IOT_HUB_NOT_FOUND => "com.microsoft:iot-hub-not-found-error",
        C::IOT_HUB_SUSPENDED => "com.microsoft:iot-hub-suspended",
        C::IOT_HUB_QUOTA_EXCEEDED => "com.microsoft:quota-exceeded",
        C::INVALID_OPERATION => "amqp:not-allowed",
        C::DEVICE_ALREADY_EXISTS | C::MODULE_ALREADY_EXISTS_ON_DEVICE => {
            "com.microsoft:device-already-exists"
        }
        C::CONNECTION_FORCEFULLY_CLOSED_ON_NEW_CONNECTION => "amqp:link:stolen",
        C::DEVICE_MESSAGE_LOCK_LOST => "com.microsoft:message-lock-lost",
        C::MESSAGE_TOO_LARGE => "amqp:link:message-size-exceeded",
        C::GENERIC_TIMEOUT => "com.microsoft:timeout",
        _ => match code.status {
            401 => "amqp:unauthorized-access",
            403 | 413 => "amqp:resource-limit-exceeded",
            404 => "amqp:not-found",
            405 => "amqp:not-allowed",
            409 => "amqp:resource-locked",
            412 => "com.microsoft:precondition-failed",
            429 => "com.microsoft:device-container-throttled",
            400..=499 => "com.microsoft:argument-error",
            501 => "amqp:not-implemented",
            503 | 504 => "com.microsoft:timeout",
            _ => "amqp:internal-error",
        },
    }
}

/// A refusal as an error condition.
pub fn say_refusal(refusal: &Refusal, now: Timestamp) -> Condition {
    Condition {
        condition: condition_of(refusal.code),
        description: refusal.device_body(now),
        tracking_id: (TRACKING_ID, refusal.tracking_id.clone()),
    }
}

/// The kind of error that a condition means to a client; [`Protocol`](ErrorKind::Protocol) for unknown ones.
pub fn kind_of(condition: &str) -> ErrorKind {
    find(condition).map_or(ErrorKind::Protocol, |(_, _, kind)| *kind)
}

fn find(condition: &str) -> Option<&'static (&'static str, u16, ErrorKind)> {
    CONDITIONS.iter().find(|(name, _, _)| *name == condition)
}

/// An error from a condition; the description may be JSON, plain text or missing.
pub fn hear_condition(condition: &str, description: Option<&str>) -> Error {
    let described = description.unwrap_or_default().trim();
    let row = find(condition);
    // `device_error` knows the bodies; what it makes of the kind counts only where the condition is unknown.
    let inner = status::device_error(row.map_or(0, |(_, status, _)| *status), described.as_bytes());
    let shown: String = condition.chars().take(100).collect();
    let message = match described {
        "" => format!("the hub ended it with {}", shown.escape_debug()),
        _ => format!("{} ({})", inner.message(), shown.escape_debug()),
    };
    let status = inner.code().and_then(|code| u16::try_from(code / 1000).ok()).or(row.map(|(_, s, _)| *s));
    let kind = match (row, status) {
        // The description is more exact where the condition is a general one.
        (Some(("amqp:resource-limit-exceeded", ..)), Some(413)) => ErrorKind::TooLarge,
        (Some((_, _, kind)), _) => *kind,
        (None, Some(status)) => status::kind_of(status),
        (None, None) => ErrorKind::Protocol,
    };
    let mut error = Error::new(kind, message);
    if let Some(status) = status {
        error = error.with_status(status);
    }
    if let Some(code) = inner.code() {
        error = error.with_code(code);
    }
    if let Some(name) = inner.code_name() {
        error = error.with_code_name(name);
    }
    match inner.tracking_id() {
        Some(id) => error.with_tracking_id(id),
        None => error,
    }
}

/// Where a redirect leads (`amqp:link:redirect`: reading telemetry lives on another endpoint): for the info map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// `hostname`
    pub hostname: String,
    /// `network-host`
    pub network_host: String,
    /// `port`
    pub port: u16,
    /// `address`
    pub address: String,
}

impl Redirect {
    /// The condition that carries it.
    pub const CONDITION: &'static str = "amqp:link:redirect";

    /// The info map: names and texts; the port is a number on the wire.
    pub fn say(&self) -> [(&'static str, super::Scalar); 4] {
        [
            ("hostname", self.hostname.as_str().into()),
            ("network-host", self.network_host.as_str().into()),
            ("port", super::Scalar::Int(self.port.into())),
            ("address", self.address.as_str().into()),
        ]
    }

    /// Reads the info map.
    pub fn hear<'i>(info: impl IntoIterator<Item = (&'i str, super::Scalar)>) -> Option<Redirect> {
        let info: Vec<_> = info.into_iter().collect();
        let find = |name: &str| info.iter().find(|(n, _)| *n == name).map(|(_, value)| value);
        let text = |name: &str| find(name).and_then(super::Scalar::as_text).map(str::to_owned);
        Some(Redirect {
            hostname: text("hostname").or_else(|| text("network-host"))?,
            network_host: text("network-host").or_else(|| text("hostname"))?,
            port: find("port").and_then(super::Scalar::as_u64)?.try_into().ok()?,
            address: text("address")?,
        })
    }
}
