//! Link addresses.

use crate::TwinKey;
use crate::address::{percent_decode, percent_encode};
use crate::error::{Error, ErrorKind, Result};

/// Longest piece of an address that an error shows, in characters.
const MAX_SHOWN_CHARS: usize = 200;

/// Where a link leads. Tells what it is for, whatever its properties say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// Tokens.
    Cbs,
    /// A twin: requests one way, answers and changes of desired properties the other.
    Twin(TwinKey),
    /// Direct methods: requests from the hub, answers to it.
    Methods(TwinKey),
    /// Telemetry; from the hub: a module's inputs.
    Events(TwinKey),
    /// Cloud-to-device messages of one device or module.
    DeviceBound(TwinKey),
    /// A service's cloud-to-device messages to any device; each names its own in `to`.
    ServiceSend,
    /// A service's feedback on cloud-to-device messages.
    Feedback,
    /// A service's file notifications.
    FileNotifications,
    /// A service's reading of telemetry: a consumer group and a partition of the built-in endpoint, or without them the
    /// endpoint itself.
    Telemetry {
        /// `ConsumerGroups/{group}/Partitions/{partition}`
        partition: Option<(String, String)>,
    },
}

/// Which way a link's messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The client sends.
    ToHub,
    /// The hub sends.
    FromHub,
}

impl Address {
    /// Whether links of this direction exist there.
    pub fn allows(&self, direction: Direction) -> bool {
        match self {
            Address::Cbs | Address::Twin(_) | Address::Methods(_) => true,
            Address::Events(key) => direction == Direction::ToHub || key.module.is_some(),
            Address::ServiceSend => direction == Direction::ToHub,
            Address::DeviceBound(_)
            | Address::Feedback
            | Address::FileNotifications
            | Address::Telemetry { .. } => direction == Direction::FromHub,
        }
    }

    /// The device or module whose link this is; `None` for tokens and services.
    pub fn key(&self) -> Option<&TwinKey> {
        match self {
            Address::Twin(key) | Address::Methods(key) | Address::Events(key) | Address::DeviceBound(key) => {
                Some(key)
            }
            _ => None,
        }
    }
}

/// The address as text: a path with its slash, or `$cbs`.
pub fn say_address(address: &Address) -> String {
    match address {
        Address::Cbs => super::CBS.to_owned(),
        Address::Twin(key) => own(key, "twin"),
        Address::Methods(key) => own(key, "methods/devicebound"),
        Address::Events(key) => own(key, "messages/events"),
        Address::DeviceBound(key) => own(key, "messages/devicebound"),
        Address::ServiceSend => "/messages/devicebound".to_owned(),
        Address::Feedback => "/messages/serviceBound/feedback".to_owned(),
        Address::FileNotifications => "/messages/serviceBound/filenotifications".to_owned(),
        Address::Telemetry { partition: None } => "/messages/events".to_owned(),
        Address::Telemetry { partition: Some((group, partition)) } => format!(
            "/messages/events/ConsumerGroups/{}/Partitions/{}",
            percent_encode(group),
            percent_encode(partition)
        ),
    }
}

fn own(key: &TwinKey, tail: &str) -> String {
    format!("{}/{tail}", say_path(key))
}

/// `/devices/{d}[/modules/{m}]`
fn say_path(key: &TwinKey) -> String {
    let device = percent_encode(key.device.as_str());
    match &key.module {
        None => format!("/devices/{device}"),
        Some(module) => format!("/devices/{device}/modules/{}", percent_encode(module.as_str())),
    }
}

/// Reads an address: absolute (`amqps://host/…`) or a path, with its leading slash or without. `known` tells whether a
/// device or module is one that the hearer reckons with; it decides between two readings of an id.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound), as IoT Hub's 404006, when the address has none of the expected forms.
pub fn hear_address(text: &str, known: &dyn Fn(&TwinKey) -> bool) -> Result<Address> {
    read(text, known).ok_or_else(|| {
        let shown: String = text.chars().take(MAX_SHOWN_CHARS).collect();
        Error::new(
            ErrorKind::NotFound,
            format!("the link address '{}' matches none of the expected formats", shown.escape_debug()),
        )
    })
}

fn read(text: &str, known: &dyn Fn(&TwinKey) -> bool) -> Option<Address> {
    let path = after_host(text);
    let path = path.strip_prefix('/').unwrap_or(path);
    if path == super::CBS {
        return Some(Address::Cbs);
    }
    let segments: Vec<&str> = path.split('/').take(9).collect();
    if is(segments[0], "devices") {
        let (key, rest) = read_key(&segments[1..], known)?;
        return match rest {
            [a] if is(a, "twin") => Some(Address::Twin(key)),
            [a, b] if is(a, "methods") && is(b, "devicebound") => Some(Address::Methods(key)),
            [a, b] if is(a, "messages") && is(b, "events") => Some(Address::Events(key)),
            [a, b] if is(a, "messages") && is(b, "devicebound") => Some(Address::DeviceBound(key)),
            _ => None,
        };
    }
    let [messages, rest @ ..] = &*segments else { return None };
    if !is(messages, "messages") {
        return None;
    }
    Some(match rest {
        [a] if is(a, "devicebound") => Address::ServiceSend,
        [a] if is(a, "events") => Address::Telemetry { partition: None },
        [a, b] if is(a, "serviceBound") && is(b, "feedback") => Address::Feedback,
        [a, b] if is(a, "serviceBound") && is(b, "filenotifications") => Address::FileNotifications,
        [a, b, group, c, partition]
            if is(a, "events") && is(b, "ConsumerGroups") && is(c, "Partitions") && !group.is_empty() =>
        {
            Address::Telemetry { partition: Some((percent_decode(group)?, percent_decode(partition)?)) }
        }
        _ => return None,
    })
}

/// What follows `amqps://host`; the text itself if it is no absolute address.
fn after_host(text: &str) -> &str {
    for scheme in ["amqps://", "amqp://"] {
        if let Some((found, rest)) = text.split_at_checked(scheme.len())
            && found.eq_ignore_ascii_case(scheme)
        {
            return rest.find('/').map_or("", |at| &rest[at..]);
        }
    }
    text
}

fn is(segment: &str, word: &str) -> bool {
    segment.eq_ignore_ascii_case(word)
}

/// `{d}[/modules/{m}]` and what follows.
pub(super) fn read_key<'s, 't>(
    segments: &'s [&'t str],
    known: &dyn Fn(&TwinKey) -> bool,
) -> Option<(TwinKey, &'s [&'t str])> {
    let (device, module, rest) = match segments {
        [device, word, module, rest @ ..] if is(word, "modules") => (device, Some(module), rest),
        [device, rest @ ..] => (device, None, rest),
        [] => return None,
    };
    let make = |device: &str, module: Option<&str>| match module {
        None => TwinKey::device(device).ok(),
        Some(module) => TwinKey::module(device, module).ok(),
    };
    let plain = make(device, module.copied());
    if let Some(key) = plain.as_ref().filter(|key| known(key)) {
        return Some((key.clone(), rest));
    }
    let decoded = percent_decode(device).zip(match module {
        None => Some(None),
        Some(module) => percent_decode(module).map(Some),
    });
    let decoded = decoded.and_then(|(device, module)| make(&device, module.as_deref()));
    Some((decoded.or(plain)?, rest))
}
