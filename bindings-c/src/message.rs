//! Telemetry, and messages from the cloud.

use std::ffi::c_void;
use std::mem::MaybeUninit;

use serde_json::{Value, json};
use twin_device::{Incoming, Message};

use crate::boundary::{Failure, guard};
use crate::client::{CLIENTS, each, twin_client};
use crate::desk::{Gift, Userdata, twin_done_fn};
use crate::error::{c_text, lend, twin_error};
use crate::result::twin_result;
use crate::runtime::{runtime, wait};
use crate::string::twin_str;
use crate::watch::watch;

/// What becomes of a message from the cloud.
#[repr(u32)]
pub enum twin_settlement {
    /// Done: the hub forgets it.
    TWIN_SETTLEMENT_COMPLETE = 0,
    /// Not wanted: the hub forgets it, and tells its sender if that one asked. Not over MQTT.
    TWIN_SETTLEMENT_REJECT = 1,
    /// Not now: the hub delivers it again. Not over MQTT.
    TWIN_SETTLEMENT_ABANDON = 2,
}

/// Told of a message from the cloud.
///
/// userdata: what was given to twin_client_on_message.
/// body: any bytes, a NUL behind them. Valid during the call.
/// about: JSON: {"messageId":"...","correlationId":"...","contentType":"...","contentEncoding":"...","properties":{"name":"value"}},
/// members that are not there left out. Valid during the call.
/// Returns a twin_settlement, any other number being TWIN_SETTLEMENT_ABANDON. Where it cannot be done, as when the connection
/// is lost meanwhile, the hub delivers the message again.
pub type twin_message_fn =
    Option<unsafe extern "C" fn(userdata: *mut c_void, body: twin_str, about: twin_str) -> u32>;

/// Sends telemetry; returns when the hub has it. Messages arrive at least once and in the order they were sent.
///
/// client: in.
/// body: in, any bytes; up to 256 KB together with what is told about them.
/// about: in, JSON: {"messageId":"...","correlationId":"...","contentType":"...","contentEncoding":"...","properties":{"name":
/// "value"}}, each member may be left out; no text: nothing.
/// timeout_ms: in, milliseconds; 0: the client's request timeout.
/// error: out, may be NULL; its delivery tells whether the hub may have the message.
/// Results: TWIN_INVALID_ARGUMENT; TWIN_TOO_LARGE; what the hub answered; TWIN_TIMEOUT; TWIN_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_send(
    client: twin_client,
    body: twin_str,
    about: twin_str,
    timeout_ms: u32,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        CLIENTS.with(client.id, |held| {
            let (client, message) = (held.client.clone(), message(body, about)?);
            wait(timeout_ms, async move { Ok(each!(client, client => client.send(message).await)?) })
        })
    })
}

/// twin_client_send in the background; body and about are copied, `done` gets neither JSON nor version.
///
/// Arguments and results: as for twin_client_send and twin_client_open_async.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_send_async(
    client: twin_client,
    body: twin_str,
    about: twin_str,
    timeout_ms: u32,
    done: twin_done_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        CLIENTS.with(client.id, |held| {
            let (client, message) = (held.client.clone(), message(body, about)?);
            held.desk.begin(timeout_ms, done, userdata, async move {
                each!(client, client => client.send(message).await)?;
                Ok(Gift::default())
            })
        })
    })
}

/// Asks for the messages that backends send to the device. Replaces the callback there was. Over HTTPS the hub is asked once a
/// second, elsewhere it tells by itself.
///
/// client: in. Connects, if it is not connected.
/// callback: in; NULL ends the subscription. Its result says what becomes of the message.
/// userdata: in, may be NULL: handed to the callback.
/// error: out, may be NULL.
/// Results: TWIN_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_on_message(
    client: twin_client,
    callback: twin_message_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let userdata = Userdata(userdata);
        watch(
            client,
            callback,
            |held, callback| {
                let from = each!(&held.client, client => client.messages());
                held.watches.message.start(&held.desk, from, move |incoming: Option<Incoming>, _| {
                    let Some(incoming) = incoming else { return };
                    let mut bytes = incoming.message.body.to_vec();
                    bytes.push(0);
                    let about = c_text(&about(&incoming.message).to_string());
                    let body = twin_str { data: bytes.as_ptr().cast(), len: bytes.len() - 1 };
                    // SAFETY: the program gave the function for this; body and about outlive the call.
                    let answer = unsafe { callback(userdata.get(), body, lend(&about)) };
                    settle(incoming, answer);
                })
            },
            |held| &held.watches.message,
        )
    })
}

/// In the background: what cannot be settled comes again.
fn settle(incoming: Incoming, answer: u32) {
    let Ok(runtime) = runtime() else { return };
    let asked = match answer {
        0 => twin_settlement::TWIN_SETTLEMENT_COMPLETE,
        1 => twin_settlement::TWIN_SETTLEMENT_REJECT,
        _ => twin_settlement::TWIN_SETTLEMENT_ABANDON,
    };
    runtime.spawn(async move {
        drop(match asked {
            twin_settlement::TWIN_SETTLEMENT_COMPLETE => incoming.complete().await,
            twin_settlement::TWIN_SETTLEMENT_REJECT => incoming.reject().await,
            twin_settlement::TWIN_SETTLEMENT_ABANDON => incoming.abandon().await,
        });
    });
}

fn message(body: twin_str, about: twin_str) -> Result<Message, Failure> {
    let mut message = Message::new(body.bytes("the body")?.unwrap_or_default().to_vec());
    if about.optional("about")?.is_none() {
        return Ok(message);
    }
    let Value::Object(members) = about.json("about")? else {
        return Err(Failure::invalid("about must be a JSON object"));
    };
    for (name, value) in members {
        let place = match name.as_str() {
            "messageId" => &mut message.id,
            "correlationId" => &mut message.correlation_id,
            "contentType" => &mut message.content_type,
            "contentEncoding" => &mut message.content_encoding,
            "properties" => {
                message.properties = properties(value)?;
                continue;
            }
            _ => return Err(Failure::invalid(format!("about has a member '{name}', which nothing has"))),
        };
        let Value::String(text) = value else {
            return Err(Failure::invalid(format!("about.{name} must be a string")));
        };
        *place = Some(text);
    }
    Ok(message)
}

fn properties(value: Value) -> Result<Vec<(String, String)>, Failure> {
    let Value::Object(members) = value else {
        return Err(Failure::invalid("about.properties must be a JSON object"));
    };
    let pairs = members.into_iter().map(|(name, value)| match value {
        Value::String(text) => Ok((name, text)),
        _ => Err(Failure::invalid(format!("about.properties.{name} must be a string"))),
    });
    pairs.collect()
}

fn about(message: &Message) -> Value {
    let mut members = json!({});
    for (name, value) in [
        ("messageId", &message.id),
        ("correlationId", &message.correlation_id),
        ("contentType", &message.content_type),
        ("contentEncoding", &message.content_encoding),
    ] {
        if let Some(value) = value {
            members[name] = json!(value);
        }
    }
    if !message.properties.is_empty() {
        members["properties"] = message.properties.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
    }
    members
}
