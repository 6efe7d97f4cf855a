//! A device's call: telemetry, and the messages that wait for it. Twins are not served to devices over HTTPS, here as in
//! IoT Hub.

use bytes::Bytes;
use hyper::http::request::Parts;
use twin_core::TwinKey;
use twin_core::message::{MAX_TELEMETRY_BYTES, Message};
use twin_core::wire::https::{self, Answer, Call};
use twin_core::wire::rest::Response;
use twin_core::wire::{HubCode, Refusal};

use super::Front;
use crate::mail::{Hold, Place};

/// Does what the device of `key`, which has proved who it is, asks for.
pub(super) async fn call(
    front: &Front,
    key: TwinKey,
    head: &Parts,
    target: &str,
    body: Bytes,
) -> Result<Response, Refusal> {
    let headers: Vec<(&str, &str)> =
        head.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    let nothing_here = || Refusal::new(HubCode::GENERIC_NOT_FOUND, "no device's call has this path");
    let heard = https::hear(head.method.as_str(), target, &headers, body).ok_or_else(nothing_here)?;
    let (call, _) = heard?;
    front.engine.touch(&key);
    let answer = match call {
        Call::Send { message, .. } => telemetry(front, &key, &[*message])?,
        Call::SendBatch { messages, .. } => telemetry(front, &key, &messages)?,
        Call::Receive { lock_timeout, .. } => {
            match front.engine.receive(Place::Device(key), Hold::Seconds(lock_timeout)).await? {
                Some(message) => Answer::Message(message),
                None => Answer::Nothing,
            }
        }
        Call::Settle { lock_token, settlement, .. } => {
            front.engine.settle(Place::Device(key), lock_token, settlement).await?;
            Answer::Nothing
        }
        _ => return Err(nothing_here()),
    };
    Ok(https::say_answer(&Ok(answer), front.now()))
}

/// All of it or none: the limit is for a batch as a whole ("Understand and use IoT Hub messages").
fn telemetry(front: &Front, key: &TwinKey, messages: &[Message]) -> Result<Answer, Refusal> {
    let bytes: usize = messages.iter().map(Message::bytes).sum();
    if bytes > MAX_TELEMETRY_BYTES {
        let why = format!("The messages have {bytes} bytes; {MAX_TELEMETRY_BYTES} are allowed");
        return Err(Refusal::new(HubCode::MESSAGE_TOO_LARGE, why));
    }
    for message in messages {
        front.engine.count_telemetry(key, message.bytes());
    }
    Ok(Answer::Nothing)
}
