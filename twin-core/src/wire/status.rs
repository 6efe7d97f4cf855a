//! Refusals: what a hub says no with, in the forms of each protocol, and the [`Error`] that a client makes of it.
//!
//! REST bodies come in two forms ("Troubleshoot Azure IoT Hub error codes", .NET SDK `ExceptionHandlingHelper.cs`):
//! form A `{"Message":"ErrorCode:<Name>;<text>","ExceptionMessage":"Tracking ID:…"}`, which this hub says, and form B,
//! where `Message` is itself JSON text. Devices get `{"errorCode":…,"trackingId":…,"message":…,"timestampUtc":…}`;
//! the Node SDK recognises a failed twin request by `errorCode` in the body alone.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::HubCode;
use crate::error::{Delivery, Error, ErrorKind};
use crate::time::Timestamp;
use crate::twin::Violation;

/// Longest text that an error takes over from an answer, in characters.
const MAX_TEXT_CHARS: usize = 1000;

/// Longest wait that an answer can ask for, in seconds; more is taken as this.
const MAX_RETRY_AFTER_SECONDS: u64 = 24 * 60 * 60;

/// A hub's refusal of one request, before it is put into a protocol's form.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Refusal {
    /// Which row of the table.
    pub code: HubCode,
    /// The text behind `ErrorCode:<Name>;`.
    pub message: String,
    /// Quoted in body and logs; hexadecimal.
    pub tracking_id: String,
    /// How long to wait before trying again, in seconds; for 429 and 503.
    pub retry_after: Option<u32>,
    /// The methods that the path has, comma-separated; for 405 over HTTP, whose answer must name them (RFC 9110, 15.5.6).
    pub allowed_methods: Option<String>,
}

impl Refusal {
    /// A refusal with an empty tracking id; the front door fills it in.
    pub fn new(code: HubCode, message: impl Into<String>) -> Self {
        Refusal {
            code,
            message: message.into(),
            tracking_id: String::new(),
            retry_after: None,
            allowed_methods: None,
        }
    }

    /// The path has other methods; these.
    pub fn allowing(self, methods: impl Into<String>) -> Self {
        Refusal { allowed_methods: Some(methods.into()), ..self }
    }

    /// Asks the client to wait, in seconds.
    pub fn after(self, seconds: u32) -> Self {
        Refusal { retry_after: Some(seconds), ..self }
    }

    /// REST body, form A.
    pub fn rest_body(&self, now: Timestamp) -> String {
        json!({
            "Message": format!("ErrorCode:{};{}", self.code.name, self.message),
            "ExceptionMessage": format!("Tracking ID:{}-G:0-TimeStamp:{}", self.tracking_id, american(now)),
        })
        .to_string()
    }

    /// MQTT / AMQP twin error body.
    pub fn device_body(&self, now: Timestamp) -> String {
        json!({
            "errorCode": self.code.number,
            "trackingId": self.tracking_id,
            "message": self.message,
            "timestampUtc": now.to_string(),
        })
        .to_string()
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        let code = HubCode { status: violation.status, number: violation.code, name: violation.code_name };
        Refusal::new(code, violation.message)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Heard {
            number: Some(refusal.code.number),
            name: Some(refusal.code.name.to_owned()),
            tracking_id: Some(refusal.tracking_id),
            text: Some(refusal.message),
        }
        .into_error(refusal.code.status, refusal.retry_after.map(u64::from))
    }
}

/// `06/01/2022 22:27:50`, as form A prints instants.
fn american(at: Timestamp) -> String {
    let iso = at.to_string();
    format!("{}/{}/{} {}", &iso[5..7], &iso[8..10], &iso[..4], &iso[11..19])
}

/// The kind of error a status means to a client.
pub fn kind_of(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Forbidden,
        404 | 410 => ErrorKind::NotFound,
        405 | 501 => ErrorKind::NotSupported,
        408 => ErrorKind::Timeout,
        409 => ErrorKind::AlreadyExists,
        412 => ErrorKind::PreconditionFailed,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::Throttled,
        400..=499 => ErrorKind::Rejected,
        500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Protocol,
    }
}

/// Whether a refused request can have been acted on: after 500, 502 and 504 nobody knows.
fn delivery_of(status: u16) -> Delivery {
    match status {
        400..=499 | 501 | 503 => Delivery::Refused,
        _ => Delivery::Unknown,
    }
}

/// An error from a REST answer: status, `iothub-errorcode` header, `retry-after` header (seconds), body of form A or
/// B or anything.
pub fn rest_error(
    status: u16,
    error_code_header: Option<&str>,
    retry_after: Option<&str>,
    body: &[u8],
) -> Error {
    let mut heard = Heard::in_body(body);
    if let Some(header) = error_code_header.map(str::trim).filter(|h| !h.is_empty()) {
        match header.parse() {
            Ok(number) => heard.number = Some(number),
            Err(_) => heard.name = Some(shorten(header)),
        }
    }
    heard.into_error(status, retry_after.and_then(|text| text.trim().parse().ok()))
}

/// An error from a device twin answer (body may be empty or no JSON).
pub fn device_error(status: u16, body: &[u8]) -> Error {
    Heard::in_body(body).into_error(status, None)
}

/// What a body of any form says.
#[derive(Default)]
struct Heard {
    number: Option<u32>,
    name: Option<String>,
    tracking_id: Option<String>,
    text: Option<String>,
}

impl Heard {
    fn in_body(body: &[u8]) -> Heard {
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(object)) => Self::in_object(&object),
            Ok(Value::String(text)) => Self::in_text(&text),
            Ok(_) => Heard::default(),
            Err(_) => match std::str::from_utf8(body) {
                // A proxy's page: its markup helps nobody.
                Ok(text) if !text.trim_start().starts_with('<') => Self::in_text(text),
                _ => Heard::default(),
            },
        }
    }

    fn in_object(object: &Map<String, Value>) -> Heard {
        let text = |name: &str| member(object, name).and_then(Value::as_str).filter(|t| !t.is_empty());
        let mut heard = match text("message") {
            // Form B: JSON inside the text.
            Some(message) if message.trim_start().starts_with('{') => {
                match serde_json::from_str::<Map<String, Value>>(message) {
                    Ok(inner) if member(&inner, "message").is_none_or(|m| m.as_str() != Some(message)) => {
                        Self::in_inner(&inner)
                    }
                    _ => Self::in_text(message),
                }
            }
            Some(message) => Self::in_text(message),
            None => Heard::default(),
        };
        match member(object, "errorCode") {
            Some(Value::Number(n)) => heard.number = n.as_u64().and_then(|n| n.try_into().ok()),
            Some(Value::String(s)) => match s.parse() {
                Ok(number) => heard.number = Some(number),
                Err(_) => heard.name = Some(shorten(s)),
            },
            _ => {}
        }
        if let Some(id) = text("trackingId").or_else(|| text("exceptionMessage").and_then(tracking_id)) {
            heard.tracking_id = Some(shorten(id));
        }
        heard
    }

    /// The inner object of form B, one level deep.
    fn in_inner(inner: &Map<String, Value>) -> Heard {
        let text = |name: &str| member(inner, name).and_then(Value::as_str);
        Heard {
            number: member(inner, "errorCode").and_then(Value::as_u64).and_then(|n| n.try_into().ok()),
            name: None,
            tracking_id: text("trackingId").map(shorten),
            text: text("message").map(shorten),
        }
    }

    /// `ErrorCode:<Name>;<text>` or any text.
    fn in_text(text: &str) -> Heard {
        let coded = text.trim().strip_prefix("ErrorCode:").and_then(|rest| rest.split_once(';'));
        let (name, text) = match coded {
            Some((name, text)) => (Some(shorten(name.trim())), text),
            None => (None, text),
        };
        let text = shorten(text);
        Heard { name, text: (!text.is_empty()).then_some(text), ..Heard::default() }
    }

    fn into_error(self, status: u16, retry_after: Option<u64>) -> Error {
        let row = match (&self.name, self.number) {
            (_, Some(number)) => HubCode::by_number(number),
            (Some(name), None) => HubCode::by_name(name),
            (None, None) => None,
        };
        let number = self.number.or(row.map(|row| row.number));
        let name = self.name.or(row.map(|row| row.name.to_owned()));
        let text = self.text.filter(|text| !text.is_empty());
        let message = match (text, &name) {
            (Some(text), _) => text,
            (None, Some(name)) => format!("the hub refused: {name}"),
            (None, None) => format!("the hub answered with status {status} and said no more"),
        };
        let kind = match row {
            Some(HubCode::DEVICE_MODEL_MAX_PROPERTIES_EXCEEDED) => ErrorKind::TooLarge,
            _ => kind_of(status),
        };
        let mut error = Error::new(kind, message).with_status(status).with_delivery(delivery_of(status));
        if let Some(number) = number {
            error = error.with_code(number);
        }
        if let Some(name) = name {
            error = error.with_code_name(name);
        }
        if let Some(id) = self.tracking_id.filter(|id| !id.is_empty()) {
            error = error.with_tracking_id(id);
        }
        match retry_after {
            Some(s) => error.with_retry_after(Duration::from_secs(s.min(MAX_RETRY_AFTER_SECONDS))),
            None => error,
        }
    }
}

/// A member by its name in any case of letters: hubs and their proxies do not agree on it.
fn member<'o>(object: &'o Map<String, Value>, name: &str) -> Option<&'o Value> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v))
}

/// The id in `Tracking ID:<hex>-G:<n>-TimeStamp:<time>`.
fn tracking_id(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("Tracking ID:")?;
    let end = rest.find("-G:").or_else(|| rest.find("-TimeStamp:")).unwrap_or(rest.len());
    Some(rest[..end].trim())
}

/// One line of bounded length.
fn shorten(text: &str) -> String {
    let line = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(MAX_TEXT_CHARS).map(line).collect()
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
