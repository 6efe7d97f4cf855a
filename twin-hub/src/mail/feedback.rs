//! What senders are told of their messages ("Send cloud-to-device messages from IoT Hub", message feedback).

use serde_json::json;
use twin_core::Timestamp;
use twin_core::message::{Ack, Message};
use twin_core::wire::amqp::FEEDBACK_CONTENT_TYPE;

use super::Owner;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Success,
    Expired,
    DeliveryCountExceeded,
    Rejected,
}

impl Fate {
    fn as_str(self) -> &'static str {
        match self {
            Fate::Success => "Success",
            Fate::Expired => "Expired",
            Fate::DeliveryCountExceeded => "DeliveryCountExceeded",
            Fate::Rejected => "Rejected",
        }
    }

    /// Whether a sender that asked for `ack` is to be told.
    pub(super) fn is_wanted(self, ack: Option<Ack>) -> bool {
        match ack {
            None | Some(Ack::None) => false,
            Some(Ack::Positive) => self == Fate::Success,
            Some(Ack::Negative) => self != Fate::Success,
            Some(Ack::Full) => true,
        }
    }
}

/// A batch of one record, the whole of a feedback message's body.
pub(super) fn message(now: Timestamp, owner: &Owner, about: &Message, fate: Fate) -> Message {
    let record = json!([{
        "originalMessageId": about.id.as_deref().unwrap_or_default(),
        "deviceId": owner.key.device.as_str(),
        "deviceGenerationId": owner.generation,
        "statusCode": fate.as_str(),
        "description": fate.as_str(),
        "enqueuedTimeUtc": now.to_string(),
    }]);
    Message::new(record.to_string()).with_content_type(FEEDBACK_CONTENT_TYPE).with_content_encoding("utf-8")
}
