//! Topics and filters.

use std::borrow::Cow;
use std::fmt::Write;

use bytes::Bytes;

use crate::TwinKey;
use crate::address::{percent_decode, percent_encode};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{CloudMessage, Message};
use crate::wire::{Channel, Heard, Rid, Said};

use super::bag::{hear_bag, say_bag};

const GET: &str = "$iothub/twin/GET";
const REPORT: &str = "$iothub/twin/PATCH/properties/reported";
const DESIRED: &str = "$iothub/twin/PATCH/properties/desired";
const ANSWER: &str = "$iothub/twin/res";
const METHOD: &str = "$iothub/methods/POST";
const METHOD_ANSWER: &str = "$iothub/methods/res";
const EVENTS: &str = "/messages/events";
const DEVICE_BOUND: &str = "/messages/devicebound";
const INPUTS: &str = "/inputs";

const RID: &str = "$rid=";
const VERSION: &str = "$version=";

/// Longest piece of a topic that an error shows, in characters.
const MAX_SHOWN_CHARS: usize = 120;

/// A topic and payload, either direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Publish {
    /// The topic.
    pub topic: String,
    /// The body.
    pub payload: Bytes,
    /// Whether QoS 1 is used.
    pub at_least_once: bool,
}

impl Publish {
    fn at_most_once(topic: String, payload: Bytes) -> Self {
        Publish { topic, payload, at_least_once: false }
    }
}

/// The filter that subscribes to a channel. A device has no inputs: what it then says is refused by any hub.
pub fn say_filter(key: &TwinKey, channel: Channel) -> String {
    match channel {
        Channel::TwinAnswers => format!("{ANSWER}/#"),
        Channel::Desired => format!("{DESIRED}/#"),
        Channel::Methods => format!("{METHOD}/#"),
        Channel::CloudToDevice => own(key, DEVICE_BOUND) + "/#",
        Channel::Inputs => own(key, INPUTS) + "/#",
    }
}

/// The channel that a filter subscribes to, if it is a documented one.
pub fn hear_filter(key: &TwinKey, filter: &str) -> Option<Channel> {
    let stem = filter.strip_suffix("/#")?;
    match stem {
        ANSWER => return Some(Channel::TwinAnswers),
        DESIRED => return Some(Channel::Desired),
        METHOD => return Some(Channel::Methods),
        _ => {}
    }
    match after_own(key, stem)? {
        DEVICE_BOUND => Some(Channel::CloudToDevice),
        // The document has a module subscribe to everything of its own; Node names its inputs.
        INPUTS | "" if key.module.is_some() => Some(Channel::Inputs),
        _ => None,
    }
}

/// A device's publish; `None` for (un)subscribe and settlements, which MQTT has packets for, for batches and receives,
/// which are HTTPS's, and for what no topic can hold: a request id with `&`, `#`, `+` or NUL.
pub fn say(key: &TwinKey, said: &Said) -> Option<Publish> {
    Some(match said {
        Said::Subscribe(_)
        | Said::Unsubscribe(_)
        | Said::Settle { .. }
        | Said::Batch { .. }
        | Said::Receive { .. } => return None,
        // The Node SDK sends one space; IoT Hub ignores the body.
        Said::GetTwin { rid } => {
            Publish::at_most_once(format!("{GET}/?{RID}{}", sayable(rid)?), Bytes::from_static(b" "))
        }
        Said::Report { rid, patch, if_version } => {
            let mut topic = format!("{REPORT}/?{RID}{}", sayable(rid)?);
            push_version(&mut topic, '&', *if_version);
            Publish::at_most_once(topic, patch.clone())
        }
        Said::Telemetry { message, .. } => {
            let topic = own(key, EVENTS) + "/" + &say_bag(message);
            Publish { topic, payload: message.body.clone(), at_least_once: true }
        }
        Said::MethodAnswer { rid, status, body } => {
            let topic = format!("{METHOD_ANSWER}/{status}/?{RID}{}", sayable(rid)?);
            Publish::at_most_once(topic, body.clone())
        }
    })
}

/// Reads a device's publish at the hub; `Err` names the topic and what is wrong with it, and is of kind
/// [`ErrorKind::Forbidden`] when the topic belongs to another device or module.
pub fn hear(key: &TwinKey, topic: &str, payload: Bytes) -> Result<Said> {
    if let Some(rest) = after(topic, GET) {
        let parameters = parameters(topic, rest)?;
        return Ok(Said::GetTwin { rid: rid(topic, parameters)? });
    }
    if let Some(rest) = after(topic, REPORT) {
        let parameters = parameters(topic, rest)?;
        let rid = rid(topic, parameters)?;
        let if_version = match parameter(parameters, VERSION) {
            None => None,
            Some(text) => {
                Some(number(text).ok_or_else(|| wrong(topic, "its $version is not a whole number"))?)
            }
        };
        return Ok(Said::Report { rid, patch: payload, if_version });
    }
    if let Some(rest) = after(topic, METHOD_ANSWER) {
        let (status, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let status = status.parse().map_err(|_| wrong(topic, "its status is not a whole number"))?;
        let rid = rid(topic, parameters(topic, rest)?)?;
        return Ok(Said::MethodAnswer { rid, status, body: payload });
    }
    let Some(path) = after_own(key, topic) else {
        return Err(not_own(key, topic));
    };
    match after(path, EVENTS) {
        Some(bag) => {
            let message = Box::new(Message { body: payload, ..hear_bag(bag) });
            Ok(Said::Telemetry { tag: 0, message })
        }
        None => Err(not_own(key, topic)),
    }
}

/// A hub's publish; `None` for what MQTT has packets for (SUBACK, UNSUBACK, PUBACK), and for a request id that no topic
/// can hold. Of a cloud-to-device message only what was sent goes along: MQTT has no place for the rest.
pub fn say_hub(key: &TwinKey, heard: &Heard) -> Option<Publish> {
    Some(match heard {
        Heard::Subscribed { .. } | Heard::Unsubscribed(_) | Heard::Done { .. } => return None,
        Heard::CloudToDevice(cloud) => {
            let topic = own(key, DEVICE_BOUND) + "/" + &say_bag(&cloud.message);
            Publish { topic, payload: cloud.message.body.clone(), at_least_once: true }
        }
        Heard::Answer { rid, status, version, body } => {
            let mut topic = format!("{ANSWER}/{status}/?{RID}{}", sayable(rid)?);
            push_version(&mut topic, '&', *version);
            Publish::at_most_once(topic, body.clone())
        }
        Heard::Desired { version, body } => {
            let mut topic = format!("{DESIRED}/");
            push_version(&mut topic, '?', *version);
            Publish::at_most_once(topic, body.clone())
        }
    })
}

/// Reads a hub's publish at the device; `None` for topics that are none of ours. A cloud-to-device message has no lock
/// token yet: whoever acknowledges packets gives it one.
pub fn hear_hub(key: &TwinKey, topic: &str, payload: Bytes) -> Option<Heard> {
    if let Some(rest) = after(topic, ANSWER) {
        let (status, rest) = rest.split_once('/')?;
        let parameters = rest.strip_prefix('?')?;
        return Some(Heard::Answer {
            rid: Rid(parameter(parameters, RID)?.to_owned()),
            status: number(status)?.try_into().ok()?,
            version: parameter(parameters, VERSION).and_then(number),
            body: payload,
        });
    }
    if let Some(bag) = after_own(key, topic).and_then(|path| after(path, DEVICE_BOUND)) {
        let message = Message { body: payload, ..hear_bag(bag) };
        return Some(Heard::CloudToDevice(Box::new(CloudMessage::new(message, ""))));
    }
    let rest = after(topic, DESIRED)?;
    let parameters = rest.strip_prefix('?').or_else(|| rest.is_empty().then_some(""))?;
    Some(Heard::Desired { version: parameter(parameters, VERSION).and_then(number), body: payload })
}

/// `devices/{d}[/modules/{m}]{tail}`.
fn own(key: &TwinKey, tail: &str) -> String {
    let (device, module) = (segment(key.device.as_str()), key.module.as_ref().map(|m| segment(m.as_str())));
    let mut topic =
        String::with_capacity(device.len() + module.as_deref().map_or(0, str::len) + tail.len() + 32);
    topic.push_str("devices/");
    topic.push_str(&device);
    if let Some(module) = module {
        topic.push_str("/modules/");
        topic.push_str(&module);
    }
    topic.push_str(tail);
    topic
}

/// What follows `devices/{d}[/modules/{m}]`: empty, or from a slash on. `None` if it is not this key's.
fn after_own<'t>(key: &TwinKey, topic: &'t str) -> Option<&'t str> {
    let rest = after_id(topic.strip_prefix("devices/")?, key.device.as_str())?;
    match &key.module {
        None if rest.starts_with("/modules/") => None,
        None => Some(rest),
        Some(module) => after_id(rest.strip_prefix("/modules/")?, module.as_str()),
    }
}

fn after_id<'t>(topic: &'t str, id: &str) -> Option<&'t str> {
    let (found, rest) = topic.split_at(topic.find('/').unwrap_or(topic.len()));
    let same = found == id || (found.contains('%') && percent_decode(found).is_some_and(|found| found == id));
    same.then_some(rest)
}

fn segment(id: &str) -> Cow<'_, str> {
    if id.contains(['#', '+']) { percent_encode(id).into() } else { id.into() }
}

/// What follows `stem` and a slash, which may be missing before `?` and at the end.
fn after<'t>(topic: &'t str, stem: &str) -> Option<&'t str> {
    let rest = topic.strip_prefix(stem)?;
    match rest.as_bytes().first() {
        None | Some(b'?') => Some(rest),
        Some(b'/') => Some(&rest[1..]),
        _ => None,
    }
}

fn parameters<'t>(topic: &str, rest: &'t str) -> Result<&'t str> {
    rest.strip_prefix('?').ok_or_else(|| wrong(topic, "it has no '?$rid='"))
}

fn parameter<'t>(parameters: &'t str, name: &str) -> Option<&'t str> {
    parameters.split('&').find_map(|pair| pair.strip_prefix(name))
}

fn rid(topic: &str, parameters: &str) -> Result<Rid> {
    let rid = parameter(parameters, RID).ok_or_else(|| wrong(topic, "it has no $rid"))?;
    Ok(Rid(rid.to_owned()))
}

fn sayable(rid: &Rid) -> Option<&str> {
    (!rid.0.contains(['&', '#', '+', '\0'])).then_some(&*rid.0)
}

fn push_version(topic: &mut String, separator: char, version: Option<u64>) {
    if let Some(version) = version {
        write!(topic, "{separator}{VERSION}{version}").expect("a String takes all");
    }
}

fn number(text: &str) -> Option<u64> {
    // `parse` alone would take a plus sign.
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

fn wrong(topic: &str, why: &str) -> Error {
    Error::invalid(format!("topic '{}' is wrong: {why}", shown(topic)))
}

/// Why a topic is not one that `key` may publish to.
fn not_own(key: &TwinKey, topic: &str) -> Error {
    let Some(path) = topic.strip_prefix("devices/") else {
        return wrong(topic, "IoT Hub has no such topic to publish to");
    };
    let mut segments = path.split('/');
    let device = segments.next().unwrap_or_default();
    let whose = match (segments.next(), segments.next()) {
        (Some("modules"), Some(module)) => format!("{device}/{module}"),
        _ => device.to_owned(),
    };
    if after_own(key, topic).is_some() {
        return wrong(topic, "IoT Hub has no such topic to publish to");
    }
    Error::new(
        ErrorKind::Forbidden,
        format!("topic '{}' belongs to '{}', not to '{key}'", shown(topic), shown(&whose)),
    )
}

fn shown(text: &str) -> String {
    let short: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{}{more}", short.escape_debug())
}
