//! Messages: telemetry from a device to the cloud, and cloud-to-device messages.
//!
//! What a message consists of is said here once; how each protocol spells it is in [`wire`](crate::wire).

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use crate::{Error, Result, Timestamp};

/// Largest telemetry message, in bytes of body and properties ("Understand and use IoT Hub messages": 256 KB).
pub const MAX_TELEMETRY_BYTES: usize = 256 * 1024;
/// Largest cloud-to-device message, in bytes of body and properties ("Send cloud-to-device messages": 64 KB).
pub const MAX_CLOUD_TO_DEVICE_BYTES: usize = 64 * 1024;

/// A message, in either direction: a body of any bytes, properties of the application's own, and the properties that
/// IoT Hub knows. Telemetry is this; a cloud-to-device message as a device gets it is a [`CloudMessage`].
///
/// Which of the properties arrive depends on the protocol: a batch over HTTPS, say, carries the application's
/// alone when an official SDK sends it.
///
/// ```
/// use twin_core::Message;
///
/// let message = Message::new(r#"{"temperature": 21.5}"#)
///     .with_property("alert", "no")
///     .with_content_type("application/json")
///     .with_content_encoding("utf-8");
/// assert_eq!(message.property("alert"), Some("no"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The body.
    pub body: Bytes,
    /// The application's own properties, in order. Names that begin with `$.` or `iothub-` are the hub's.
    pub properties: Vec<(String, String)>,
    /// `message-id`: up to 128 characters of ASCII, for the application to tell messages apart.
    pub id: Option<String>,
    /// `correlation-id`: what this message belongs to.
    pub correlation_id: Option<String>,
    /// `user-id`: where the message is from.
    pub user_id: Option<String>,
    /// `to`: where the message is meant to go.
    pub to: Option<String>,
    /// `content-type`, such as `application/json`; message routing looks into bodies of that type only.
    pub content_type: Option<String>,
    /// `content-encoding`: `utf-8`, `utf-16` or `utf-32`.
    pub content_encoding: Option<String>,
    /// When a cloud-to-device message ends undelivered.
    pub expiry: Option<Timestamp>,
    /// When the device made the message; it may have waited for a connection.
    pub created: Option<Timestamp>,
    /// Which feedback the sender of a cloud-to-device message wants.
    pub ack: Option<Ack>,
    /// The component of a Plug and Play model that this is telemetry of (`dt-subject`).
    pub component: Option<String>,
    /// The interface that the message belongs to, such as the one of security messages.
    pub interface_id: Option<String>,
    /// The output of a module that the message leaves by.
    pub output: Option<String>,
}

impl Message {
    /// A message with this body.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Message { body: body.into(), ..Message::default() }
    }

    /// Adds a property of the application's.
    pub fn with_property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// Sets the message id.
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the correlation id.
    pub fn with_correlation_id(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// Sets the content type.
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Sets the content encoding.
    pub fn with_content_encoding(mut self, encoding: impl Into<String>) -> Self {
        self.content_encoding = Some(encoding.into());
        self
    }

    /// The application's property of this name; the first, if there are several.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// What counts against the limits: the body and all properties, in bytes.
    pub fn bytes(&self) -> usize {
        let texts = [
            &self.id,
            &self.correlation_id,
            &self.user_id,
            &self.to,
            &self.content_type,
            &self.content_encoding,
            &self.component,
            &self.interface_id,
            &self.output,
        ];
        let system: usize = texts.into_iter().flatten().map(String::len).sum();
        let own: usize = self.properties.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.body.len() + system + own
    }
}

impl fmt::Debug for Message {
    /// Shows how large the body is, not what is in it: logs of telemetry would hold whatever devices measure.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Message");
        shown.field("bytes", &self.body.len()).field("properties", &self.properties);
        let texts = [
            ("id", &self.id),
            ("correlation_id", &self.correlation_id),
            ("user_id", &self.user_id),
            ("to", &self.to),
            ("content_type", &self.content_type),
            ("content_encoding", &self.content_encoding),
            ("component", &self.component),
            ("interface_id", &self.interface_id),
            ("output", &self.output),
        ];
        for (name, value) in texts.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            shown.field(name, value);
        }
        for (name, at) in [("expiry", self.expiry), ("created", self.created)] {
            if let Some(at) = at {
                shown.field(name, &at);
            }
        }
        if let Some(ack) = self.ack {
            shown.field("ack", &ack);
        }
        shown.finish()
    }
}

/// A cloud-to-device message as a device gets it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloudMessage {
    /// What was sent.
    pub message: Message,
    /// Names this delivery to the hub when the device completes, rejects or abandons it. Over MQTT, which has no such
    /// thing, the connection's own name for it.
    pub lock_token: String,
    /// Where the message stands in the device's queue.
    pub sequence_number: Option<u64>,
    /// When the hub took the message.
    pub enqueued: Option<Timestamp>,
    /// How often the hub tried to deliver it before.
    pub delivery_count: Option<u32>,
}

impl CloudMessage {
    /// A delivery of `message` under this lock token.
    pub fn new(message: Message, lock_token: impl Into<String>) -> Self {
        CloudMessage { message, lock_token: lock_token.into(), ..CloudMessage::default() }
    }
}

/// What becomes of a cloud-to-device message that was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settlement {
    /// Done: out of the queue.
    Complete,
    /// Not wanted: out of the queue, to the dead letters.
    Reject,
    /// Not now: back into the queue, to be delivered again.
    Abandon,
}

/// Which feedback the sender of a cloud-to-device message wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ack {
    /// None.
    None,
    /// If the device completes it.
    Positive,
    /// If it expires, is rejected or was delivered too often.
    Negative,
    /// Whatever becomes of it.
    Full,
}

impl Ack {
    const ALL: [Ack; 4] = [Ack::None, Ack::Positive, Ack::Negative, Ack::Full];

    /// `none`, `positive`, `negative` or `full`.
    pub fn as_str(self) -> &'static str {
        match self {
            Ack::None => "none",
            Ack::Positive => "positive",
            Ack::Negative => "negative",
            Ack::Full => "full",
        }
    }
}

impl fmt::Display for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Ack {
    type Err = Error;

    /// Reads the four words, in any case of letters.
    fn from_str(text: &str) -> Result<Self> {
        Ack::ALL.into_iter().find(|ack| ack.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            Error::invalid(format!(
                "'{}' is no kind of feedback; none, positive, negative and full are",
                text.chars().take(40).collect::<String>().escape_debug()
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_weighs_and_shows() {
        let message = Message::new("secret").with_property("ab", "c").with_id("12345");
        assert_eq!(message.bytes(), 6 + 3 + 5);
        let shown = format!("{message:?}");
        assert!(shown.contains("12345") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn kinds_of_feedback() {
        for ack in Ack::ALL {
            assert_eq!(ack.to_string().to_uppercase().parse::<Ack>().unwrap(), ack);
        }
        assert!("maybe".parse::<Ack>().is_err());
    }
}
