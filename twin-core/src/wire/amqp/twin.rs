//! Messages on the twin links.

use std::borrow::Cow;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::wire::{Channel, Heard, Said};

use super::{Body, Correlation, Message, Scalar};

const OPERATION: &str = "operation";
const RESOURCE: &str = "resource";
const VERSION: &str = "version";
const STATUS: &str = "status";

const REPORTED: &str = "/properties/reported";
const DESIRED: &str = "/properties/desired";
const NOTIFICATIONS: &str = "/notifications/twin/properties/desired";

fn named(name: &'static str, value: impl Into<Scalar>) -> (Cow<'static, str>, Scalar) {
    (name.into(), value.into())
}

fn version_of(version: u64) -> Scalar {
    Scalar::Long(version.try_into().unwrap_or(i64::MAX))
}

/// A device's word as a message on its twin link; `id` is the correlation id, which for requests that have one is
/// `Correlation::from_rid` of it. `None` for what is no business of the twin link: its two directions are attached, not
/// subscribed to.
pub fn say(said: &Said, id: Correlation) -> Option<Message> {
    let (operation, resource, version, body) = match said {
        // The Node SDK sends one space; IoT Hub ignores the body.
        Said::GetTwin { .. } => ("GET", None, None, Bytes::from_static(b" ")),
        Said::Report { patch, if_version, .. } => ("PATCH", Some(REPORTED), *if_version, patch.clone()),
        Said::Subscribe(Channel::Desired) => ("PUT", Some(NOTIFICATIONS), None, Bytes::from_static(b" ")),
        Said::Unsubscribe(Channel::Desired) => {
            ("DELETE", Some(NOTIFICATIONS), None, Bytes::from_static(b" "))
        }
        _ => return None,
    };
    let mut annotations = vec![named(OPERATION, operation)];
    annotations.extend(resource.map(|resource| named(RESOURCE, resource)));
    annotations.extend(version.map(|version| (VERSION.into(), version_of(version))));
    Some(Message { correlation: Some(id), annotations, body: Body::Data(body), ..Message::default() })
}

/// Reads a message on a device's twin link at the hub. The request id stands for the correlation id.
///
/// # Errors
/// [`InvalidArgument`](ErrorKind::InvalidArgument) that names what is wrong; it is answered with status 400 if the
/// message has a correlation id.
pub fn hear(message: &Message) -> Result<Said> {
    let text = |name: &str| message.annotation(name).and_then(Scalar::as_text).unwrap_or_default();
    let (operation, resource) = (text(OPERATION), text(RESOURCE));
    let is = |word: &str| operation.eq_ignore_ascii_case(word);
    let resource = resource.trim_end_matches('/');
    let rid = || match &message.correlation {
        Some(id) => Ok(id.to_rid()),
        None => Err(Error::invalid("the message on the twin link has no correlation-id to answer to")),
    };
    if is("GET") && resource.is_empty() {
        return Ok(Said::GetTwin { rid: rid()? });
    }
    if is("PATCH") && resource.eq_ignore_ascii_case(REPORTED) {
        let if_version = match message.annotation(VERSION) {
            None => None,
            Some(value) => Some(value.as_u64().ok_or_else(|| {
                Error::invalid("the annotation 'version' on the twin link is not a whole number")
            })?),
        };
        return Ok(Said::Report { rid: rid()?, patch: message.bytes(), if_version });
    }
    if resource.eq_ignore_ascii_case(NOTIFICATIONS) {
        if is("PUT") {
            return Ok(Said::Subscribe(Channel::Desired));
        }
        if is("DELETE") {
            return Ok(Said::Unsubscribe(Channel::Desired));
        }
    }
    let shown = |text: &str| text.chars().take(60).collect::<String>().escape_debug().to_string();
    Err(Error::invalid(format!(
        "there is no operation '{}' on the resource '{}' of a twin",
        shown(operation),
        shown(resource)
    )))
}

/// A hub's word as a message on a device's twin link; `None` for what AMQP says otherwise. A subscription is answered
/// with a [`Heard::Answer`] whose request id stands for the correlation id.
pub fn say_hub(heard: &Heard) -> Option<Message> {
    Some(match heard {
        Heard::Answer { rid, status, version, body } => {
            let mut annotations = vec![(STATUS.into(), Scalar::Int((*status).into()))];
            annotations.extend(version.map(|version| (VERSION.into(), version_of(version))));
            let correlation = Some(Correlation::from_rid(rid));
            Message { correlation, annotations, body: Body::Data(body.clone()), ..Message::default() }
        }
        Heard::Desired { version, body } => {
            let mut annotations = vec![named(RESOURCE, DESIRED)];
            annotations.extend(version.map(|version| (VERSION.into(), version_of(version))));
            Message { annotations, body: Body::Data(body.clone()), ..Message::default() }
        }
        Heard::Subscribed { .. } | Heard::Unsubscribed(_) | Heard::Done { .. } | Heard::CloudToDevice(_) => {
            return None;
        }
    })
}

/// Reads a hub's message on the twin link at the device; `None` for what is none of ours. The answer to a subscription
/// comes as a [`Heard::Answer`] to its correlation id.
///
/// # Errors
/// [`Protocol`](ErrorKind::Protocol) for an answer without a status: nobody can tell what it means (the Node SDK takes it
/// for success).
pub fn hear_hub(message: &Message) -> Result<Option<Heard>> {
    let version = message.annotation(VERSION).and_then(Scalar::as_u64);
    if let Some(id) = &message.correlation {
        let status = message.annotation(STATUS).and_then(Scalar::as_u64).and_then(|s| s.try_into().ok());
        let status = status
            .ok_or_else(|| Error::new(ErrorKind::Protocol, "an answer on the twin link carries no status"))?;
        return Ok(Some(Heard::Answer { rid: id.to_rid(), status, version, body: message.bytes() }));
    }
    let resource = message.annotation(RESOURCE).and_then(Scalar::as_text);
    // Node takes every message without correlation-id for a change of desired properties.
    let ours = resource.is_none_or(|r| r.trim_end_matches('/').eq_ignore_ascii_case(DESIRED));
    let body = message.bytes();
    Ok((ours && !body.is_empty()).then_some(Heard::Desired { version, body }))
}
