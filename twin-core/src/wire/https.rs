//! The HTTPS interface of devices: telemetry, one by one or in batches, and cloud-to-device messages.
//!
//! Sources: the Node SDK (`http.ts`, `endpoint.ts`), the .NET SDK (`HttpTransportHandler.cs`,
//! `CustomHeaderConstants.cs`), "Send cloud-to-device messages" and, for the headers of a received message, the Azure
//! CLI's extension (`_iot_c2d_message_receive`); golden lines are in `facts/https.txt`. There is no device twin over
//! HTTPS.
//!
//! Choices where no document speaks:
//! - Names of headers have no case, so names of properties arrive in lower case.
//! - The properties of a message within a batch are named like the headers of a single one; names without `iothub-app-`
//!   count as the application's own too.
//! - The lock token in the path counts; `If-Match`, which SDKs send along, is not compared with it.
//! - `iothub-to` is the path of telemetry itself unless the message has a `to` of its own.

use bytes::Bytes;

use super::rest::{
    Request as RestRequest, Response, api_version, hear_key, invalid, quoted_text, split_target,
};
use super::routes::{self, Found, Operation};
use super::{ApiVersion, HubCode, Refusal, batch, instant, status};
use crate::TwinKey;
use crate::address::percent_encode;
use crate::error::Result;
use crate::message::{Ack, CloudMessage, Message, Settlement};

pub(super) const APP: &str = "iothub-app-";
pub(super) const ID: &str = "iothub-messageid";
pub(super) const CORRELATION_ID: &str = "iothub-correlationid";
pub(super) const USER_ID: &str = "iothub-userid";
pub(super) const TO: &str = "iothub-to";
pub(super) const EXPIRY: &str = "iothub-expiry";
pub(super) const ACK: &str = "iothub-ack";
pub(super) const CONTENT_TYPE: &str = "iothub-contenttype";
pub(super) const CONTENT_ENCODING: &str = "iothub-contentencoding";
pub(super) const INTERFACE_ID: &str = "iothub-interface-id";
pub(super) const COMPONENT: &str = "dt-subject";
pub(super) const CREATED: &str = "iothub-creation-time-utc";
pub(super) const OUTPUT: &str = "iothub-outputname";
const SEQUENCE_NUMBER: &str = "iothub-sequencenumber";
const ENQUEUED: &str = "iothub-enqueuedtime";
const DELIVERY_COUNT: &str = "iothub-deliverycount";
const LOCK_TIMEOUT: &str = "iothub-messagelocktimeout";
const ETAG: &str = "etag";
const IF_MATCH: &str = "if-match";
const BODY_TYPE: &str = "content-type";
/// The content type of a batch.
const BATCH: &str = "application/vnd.microsoft.iothub.json";
const REJECT: &str = "reject";

/// TLS port.
pub const PORT: u16 = 443;

/// One call of a device.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Call {
    /// `POST …/messages/events`: one message.
    Send {
        /// Whose.
        key: TwinKey,
        /// The message.
        message: Box<Message>,
    },
    /// `POST …/messages/events` with a batch: all of them or none.
    SendBatch {
        /// Whose.
        key: TwinKey,
        /// The messages, in order.
        messages: Vec<Message>,
    },
    /// `GET …/messages/devicebound`: the next cloud-to-device message, if there is one.
    Receive {
        /// Whose.
        key: TwinKey,
        /// How long the message is to be kept from others, in seconds; by default the hub decides.
        lock_timeout: Option<u32>,
    },
    /// `DELETE …/devicebound/{lock}[?reject]` or `POST …/devicebound/{lock}/abandon`.
    Settle {
        /// Whose.
        key: TwinKey,
        /// Which message.
        lock_token: String,
        /// What becomes of it.
        settlement: Settlement,
    },
}

impl Call {
    /// Whose call it is.
    pub fn key(&self) -> &TwinKey {
        match self {
            Call::Send { key, .. }
            | Call::SendBatch { key, .. }
            | Call::Receive { key, .. }
            | Call::Settle { key, .. } => key,
        }
    }
}

/// An HTTP request, free of any HTTP library.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// `GET` …
    pub method: &'static str,
    /// Path and query, percent-encoded.
    pub target: String,
    /// Lower-case name, value. Names and values are as the message has them: whoever sends them has to look whether HTTP
    /// takes them.
    pub headers: Vec<(String, String)>,
    /// Empty if none.
    pub body: Bytes,
}

impl From<RestRequest> for Request {
    fn from(request: RestRequest) -> Self {
        let headers = request.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Request { method: request.method, target: request.target, headers, body: request.body }
    }
}

/// What a hub answers to a device's call.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// 204: done, or no message waits.
    Nothing,
    /// 200: a message.
    Message(Box<CloudMessage>),
}

/// A device says a call. Authorisation and user agent are its own affair.
pub fn say(call: &Call, api_version: ApiVersion) -> Request {
    let mut headers = Vec::new();
    let mut header = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    let (method, path, query, body) = match call {
        Call::Send { key, message } => {
            let path = events(key);
            if message.to.is_none() {
                header(TO, &path);
            }
            say_properties(message, &mut |name, value| header(name, value));
            ("POST", path, "", message.body.clone())
        }
        Call::SendBatch { key, messages } => {
            let path = events(key);
            header(TO, &path);
            header(BODY_TYPE, BATCH);
            ("POST", path, "", batch::say(messages))
        }
        Call::Receive { key, lock_timeout } => {
            let path = device_bound(key);
            header(TO, &path);
            if let Some(seconds) = lock_timeout {
                header(LOCK_TIMEOUT, &seconds.to_string());
            }
            ("GET", path, "", Bytes::new())
        }
        Call::Settle { key, lock_token, settlement } => {
            header(IF_MATCH, lock_token);
            let path = format!("{}/{}", device_bound(key), percent_encode(lock_token));
            match settlement {
                Settlement::Complete => ("DELETE", path, "", Bytes::new()),
                Settlement::Reject => ("DELETE", path, "&reject", Bytes::new()),
                Settlement::Abandon => ("POST", path + "/abandon", "", Bytes::new()),
            }
        }
    };
    Request { method, target: format!("{path}?api-version={api_version}{query}"), headers, body }
}

/// Whose call a request is, by its path alone: who it is from can be judged before its body is read. `None` as for [`hear`].
pub fn hear_caller(method: &str, target: &str) -> Option<Result<TwinKey, Refusal>> {
    let (path, _) = split_target(target);
    let Found::Route { operation, name, ids } = routes::find(method, path) else { return None };
    caller(operation, name, ids).map(|(caller, _)| caller)
}

/// The caller, and the lock token in the path, if there is one; `None` for operations that are not a device's.
fn caller(
    operation: Operation,
    name: &str,
    [first, second]: [Option<String>; 2],
) -> Option<(Result<TwinKey, Refusal>, Option<String>)> {
    if !matches!(
        operation,
        Operation::SendTelemetry | Operation::Receive | Operation::Complete | Operation::Abandon
    ) {
        return None;
    }
    // The second id of a path is a module's, or a lock token.
    let (module, lock_token) = if name.contains("{mid}") { (second, None) } else { (None, second) };
    Some((hear_key(&[first, module]), lock_token))
}

/// A hub hears a call; `None` if the path is none of these, and [`rest`](super::rest) has to say what it is. Names of
/// headers count in any case.
pub fn hear(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Option<Result<(Call, ApiVersion), Refusal>> {
    let (path, query) = split_target(target);
    let Found::Route { operation, name, ids } = routes::find(method, path) else { return None };
    let (key, lock_token) = caller(operation, name, ids)?;
    Some(api_version(query).and_then(|version| {
        hear_call(operation, key?, lock_token, query, headers, body).map(|call| (call, version))
    }))
}

fn hear_call(
    operation: Operation,
    key: TwinKey,
    lock_token: Option<String>,
    query: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<Call, Refusal> {
    let header = |name: &str| find(headers, name);
    let settle = |key, settlement| {
        let lock_token = lock_token.clone().unwrap_or_default();
        Call::Settle { key, lock_token, settlement }
    };
    Ok(match operation {
        Operation::SendTelemetry if header(BODY_TYPE).is_some_and(is_batch) => {
            Call::SendBatch { key, messages: batch::hear(&body)? }
        }
        Operation::SendTelemetry => {
            let mut message = Message { body, ..hear_properties(headers.iter().copied()) };
            if message.to.as_deref() == Some(&*events(&key)) {
                message.to = None;
            }
            Call::Send { key, message: Box::new(message) }
        }
        Operation::Receive => {
            let seconds = |text: &str| {
                text.trim()
                    .parse()
                    .map_err(|_| invalid(format!("'{LOCK_TIMEOUT}' is not a whole number of seconds")))
            };
            Call::Receive { key, lock_timeout: header(LOCK_TIMEOUT).map(seconds).transpose()? }
        }
        Operation::Abandon => settle(key, Settlement::Abandon),
        _ => {
            let mut words = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
            let rejected = words.any(|word| word.eq_ignore_ascii_case(REJECT));
            settle(key, if rejected { Settlement::Reject } else { Settlement::Complete })
        }
    })
}

/// A hub says an answer.
pub fn say_answer(answer: &Result<Answer, Refusal>, now: crate::Timestamp) -> Response {
    let cloud = match answer {
        Ok(Answer::Message(cloud)) => cloud,
        Ok(Answer::Nothing) => return super::rest::say_answer(&Ok(super::rest::Answer::Nothing), now),
        Err(refusal) => return super::rest::say_answer(&Err(refusal.clone()), now),
    };
    let mut headers = vec![(ETAG.to_owned(), quoted_text(&cloud.lock_token))];
    let mut header = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    say_properties(&cloud.message, &mut header);
    if let Some(number) = cloud.sequence_number {
        header(SEQUENCE_NUMBER, &number.to_string());
    }
    if let Some(at) = cloud.enqueued {
        header(ENQUEUED, &at.to_string());
    }
    if let Some(count) = cloud.delivery_count {
        header(DELIVERY_COUNT, &count.to_string());
    }
    Response { status: 200, headers, body: cloud.message.body.clone() }
}

/// A device hears an answer; errors carry all facts.
pub fn hear_answer(response: Response) -> crate::Result<Answer> {
    let headers: Vec<(&str, &str)> = response.headers.iter().map(|(n, v)| (n.as_str(), v.trim())).collect();
    let header = |name: &str| find(&headers, name);
    if !(200..300).contains(&response.status) {
        let (code, wait) = (header("iothub-errorcode"), header("retry-after"));
        return Err(status::rest_error(response.status, code, wait, &response.body));
    }
    // Only an answer to Receive has a lock token.
    let Some(etag) = header(ETAG).filter(|_| response.status == 200) else { return Ok(Answer::Nothing) };
    let lock_token = etag.trim_start_matches("W/").trim_matches('"').to_owned();
    let message = hear_properties(headers.iter().copied());
    Ok(Answer::Message(Box::new(CloudMessage {
        sequence_number: header(SEQUENCE_NUMBER).and_then(|text| text.parse().ok()),
        enqueued: header(ENQUEUED).and_then(instant::hear),
        delivery_count: header(DELIVERY_COUNT).and_then(|text| text.parse().ok()),
        lock_token,
        message: Message { body: response.body.clone(), ..message },
    })))
}

/// A message's properties as headers, or as the properties of a message in a batch.
pub(super) fn say_properties(message: &Message, put: &mut dyn FnMut(&str, &str)) {
    let texts = [
        (TO, &message.to),
        (ID, &message.id),
        (CORRELATION_ID, &message.correlation_id),
        (USER_ID, &message.user_id),
        (CONTENT_TYPE, &message.content_type),
        (CONTENT_ENCODING, &message.content_encoding),
        (INTERFACE_ID, &message.interface_id),
        (COMPONENT, &message.component),
        (OUTPUT, &message.output),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            put(name, value);
        }
    }
    for (name, at) in [(EXPIRY, message.expiry), (CREATED, message.created)] {
        if let Some(at) = at {
            put(name, &at.to_string());
        }
    }
    if let Some(ack) = message.ack {
        put(ACK, ack.as_str());
    }
    for (name, value) in &message.properties {
        put(&format!("{APP}{name}"), value);
    }
}

/// The other way; the message has no body yet.
pub(super) fn hear_properties<'h>(headers: impl Iterator<Item = (&'h str, &'h str)>) -> Message {
    let mut message = Message::default();
    for (name, value) in headers {
        let lower = name.to_ascii_lowercase();
        if lower.starts_with(APP) {
            message.properties.push((name[APP.len()..].to_owned(), value.to_owned()));
            continue;
        }
        let slot = match &*lower {
            ID => &mut message.id,
            CORRELATION_ID => &mut message.correlation_id,
            USER_ID => &mut message.user_id,
            TO => &mut message.to,
            // The Azure CLI reads the second of each.
            CONTENT_TYPE | "contenttype" => &mut message.content_type,
            CONTENT_ENCODING | "contentencoding" => &mut message.content_encoding,
            INTERFACE_ID => &mut message.interface_id,
            COMPONENT => &mut message.component,
            OUTPUT => &mut message.output,
            EXPIRY => {
                message.expiry = instant::hear(value);
                continue;
            }
            CREATED => {
                message.created = instant::hear(value);
                continue;
            }
            ACK => {
                message.ack = value.parse::<Ack>().ok();
                continue;
            }
            _ => continue,
        };
        *slot = Some(value.to_owned()).filter(|value| !value.is_empty());
    }
    message
}

fn find<'h>(headers: &[(&str, &'h str)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}

fn is_batch(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(BATCH))
}

fn events(key: &TwinKey) -> String {
    super::rest::path("devices", key) + "/messages/events"
}

fn device_bound(key: &TwinKey) -> String {
    super::rest::path("devices", key) + "/messages/devicebound"
}

/// The refusal of a body that is no batch.
pub(super) fn no_batch(why: impl std::fmt::Display) -> Refusal {
    Refusal::new(HubCode::IOT_HUB_FORMAT_ERROR, format!("the body is no batch of messages: {why}"))
}
