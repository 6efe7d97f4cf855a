//! AMQP 1.0: link addresses, link properties, twin messages, CBS, error conditions.
//!
//! Sources: "Communicate with your IoT hub by using the AMQP Protocol", the Node SDK (`amqp.ts`, `amqp_twin_client.ts`,
//! `amqp_cbs.ts`, `amqp_common_errors.ts`), the .NET SDK (`AmqpErrorMapper.cs`), the Java and C SDKs, IoT Edge's hub; golden
//! lines are in `facts/amqp.txt`.
//!
//! Nothing here knows an AMQP library: [`Message`] holds the few parts of a message that matter, and whoever owns the
//! socket fills it in.
//!
//! Choices where no document speaks:
//! - Links are told apart by address alone: the Node SDK leaks the properties of one link into the next.
//! - Ids stand in addresses and audiences percent-encoded (Node, .NET) or as they are (C, Java); both are heard. An id
//!   that reads both ways (`a%23b`) is the one that the hearer says it knows, else the decoded one.
//! - The fixed words of an address count in any case of letters: documents write `deviceBound`, SDKs `devicebound`.
//! - A successful report is answered with 200, as Azure does (the C SDK's #1386), not with MQTT's 204.
//! - The subscription to desired properties is answered with 200.
//! - Message ids that are UUIDs in lower case travel as AMQP `uuid`, all others as strings, as the Node SDK has it; both
//!   are heard, and numbers as their digits.

mod address;
mod cargo;
mod cbs;
mod condition;
mod link;
mod message;
mod sasl;
mod twin;

pub use address::{Address, Direction, hear_address, say_address};
pub use cargo::{hear_cloud_message, hear_message, say_cloud_message, say_message, say_telemetry};
pub use cbs::{PutToken, hear_put_token, hear_token_answer, say_put_token, say_token_answer};
pub use condition::{Condition, Redirect, hear_condition, kind_of, say_refusal};
pub use link::{LinkProperties, hear_link_properties, say_channel_id, say_link_properties};
pub use message::{Body, Correlation, Message, Scalar};
pub use sasl::{PlainUser, hear_plain_user, say_plain_user};
pub use twin::{hear, hear_hub, say, say_hub};

/// The WebSocket subprotocol; the path is [`mqtt::WEBSOCKET_PATH`](super::mqtt::WEBSOCKET_PATH).
pub const WEBSOCKET_PROTOCOL: &str = "AMQPWSB10";
/// Other subprotocols that mean AMQP as well: `amqp` is the one that OASIS registered.
pub const WEBSOCKET_PROTOCOLS: [&str; 2] = [WEBSOCKET_PROTOCOL, "amqp"];
/// TLS port.
pub const PORT: u16 = 5671;
/// The node for tokens (claims-based security).
pub const CBS: &str = "$cbs";
/// The annotation that marks a module's input or output.
pub const INPUT_NAME: &str = "x-opt-input-name";
/// The content type of feedback on cloud-to-device messages ("Send cloud-to-device messages from IoT Hub").
pub const FEEDBACK_CONTENT_TYPE: &str = "application/vnd.microsoft.iothub.feedback.json";
/// The SASL mechanism of Microsoft's own that says: tokens follow by CBS.
pub const SASL_CBS: &str = "MSSBCBS";

#[cfg(test)]
mod golden;
#[cfg(test)]
mod laws;
