//! Statuses, hub codes and error bodies (facts 5), and what kind of [`Error`] each becomes.
use crate::error::{Error, ErrorKind};
use crate::time::Timestamp;

/// One row of the service's error table: HTTP status, number, name. `hub_codes!` builds constants such as
/// `HubCode::DEVICE_NOT_FOUND` for all of facts 5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubCode {
    /// HTTP status
    pub status: u16,
    /// e.g. 404001
    pub number: u32,
    /// e.g. `DeviceNotFound`
    pub name: &'static str,
}

impl HubCode {
    /// ArgumentInvalid
    pub const ARGUMENT_INVALID: HubCode = HubCode { status: 400, number: 400004, name: "ArgumentInvalid" };
    // … all of facts 5.2 …
}

/// A hub's refusal of one request, before it is put into a protocol's form.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// which row of the table
    pub code: HubCode,
    /// the text behind `ErrorCode:<Name>;`
    pub message: String,
    /// quoted in body and logs
    pub tracking_id: String,
    /// seconds, for 429 and 503
    pub retry_after: Option<u32>,
}

impl Refusal {
    /// A refusal with an empty tracking id; the front door fills it in.
    pub fn new(code: HubCode, message: impl Into<String>) -> Self {
        Refusal { code, message: message.into(), tracking_id: String::new(), retry_after: None }
    }
    /// REST body, form A (facts 5.1).
    pub fn rest_body(&self, now: Timestamp) -> String {
        todo!()
    }
    /// MQTT / AMQP twin error body (facts 5.1).
    pub fn device_body(&self, now: Timestamp) -> String {
        todo!()
    }
}

/// The kind of error a status means to a client.
pub fn kind_of(status: u16) -> ErrorKind {
    todo!()
}
/// An error from a REST answer: status, `iothub-errorcode` header, body of form A or B or anything.
pub fn rest_error(
    status: u16,
    error_code_header: Option<&str>,
    retry_after: Option<&str>,
    body: &[u8],
) -> Error {
    todo!()
}
/// An error from a device twin answer (body may be empty or no JSON).
pub fn device_error(status: u16, body: &[u8]) -> Error {
    todo!()
}
