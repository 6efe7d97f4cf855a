//! What devices and hub say to each other, free of protocol.
use bytes::Bytes;

use crate::error::Error;
use crate::message::{CloudMessage, Message, Settlement};

/// A request id: any text, echoed exactly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rid(pub String);

/// A stream of things a device can ask the hub to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Channel {
    /// Answers to twin requests.
    TwinAnswers,
    /// Changes of desired properties.
    Desired,
    /// Cloud-to-device messages.
    CloudToDevice,
    /// Direct methods.
    Methods,
    /// A module's inputs.
    Inputs,
}

/// What a device says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Said {
    /// Send me this from now on.
    Subscribe(Channel),
    /// No longer.
    Unsubscribe(Channel),
    /// Give me my twin.
    GetTwin {
        /** echoed */
        rid: Rid,
    },
    /// Merge this into my reported properties.
    Report {
        /** echoed */
        rid: Rid,
        /** a JSON merge patch */
        patch: Bytes,
        /** only if `$version` is this */
        if_version: Option<u64>,
    },
    /// Telemetry.
    Telemetry {
        /** what [`Heard::Done`] names it by on this end of the connection; 0 at a hub, which never learns it */
        tag: u64,
        /** what is sent */
        message: Box<Message>,
    },
    /// Several messages of telemetry at once, taken whole or not at all. Over HTTPS alone.
    Batch {
        /** as for telemetry */
        tag: u64,
        /** what is sent */
        messages: Vec<Message>,
    },
    /// Give me cloud-to-device messages now. Over HTTPS alone: the others push them.
    Receive {
        /** as for telemetry; done when no more follow */
        tag: u64,
        /** all that wait, or one */
        drain: bool,
    },
    /// What becomes of a cloud-to-device message that was delivered. Not a message of its own on every protocol: over
    /// MQTT it is the acknowledgement.
    Settle {
        /** as for telemetry */
        tag: u64,
        /** which message */
        lock_token: String,
        /** what becomes of it */
        settlement: Settlement,
    },
    /// The answer to a direct method.
    MethodAnswer {
        /** echoed */
        rid: Rid,
        /** the method's status */
        status: i32,
        /** JSON */
        body: Bytes,
    },
}

/// What a hub says to a device.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Heard {
    /// The channel is on (or off: `granted` false, the hub refused it).
    Subscribed {
        /** which */
        channel: Channel,
        /** whether the hub agreed */
        granted: bool,
    },
    /// The channel is off.
    Unsubscribed(Channel),
    /// The answer to `GetTwin` or `Report`.
    Answer {
        /** as asked */
        rid: Rid,
        /** HTTP status */
        status: u16,
        /** the new reported `$version`, if told */
        version: Option<u64>,
        /** twin, error JSON, or empty */
        body: Bytes,
    },
    /// The hub took telemetry or a settlement, or refused it.
    Done {
        /** the one of [`Said::Telemetry`] or [`Said::Settle`] */
        tag: u64,
        /** why not */
        refusal: Option<Error>,
    },
    /// A cloud-to-device message.
    CloudToDevice(Box<CloudMessage>),
    /// Desired properties changed: a patch with `$version` in it.
    Desired {
        /** the version in the topic or annotation */
        version: Option<u64>,
        /** JSON */
        body: Bytes,
    },
}
