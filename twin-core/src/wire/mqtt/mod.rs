//! MQTT 3.1.1: topics, filters, user name, client id.
//!
//! Sources: "Communicate with your IoT hub using the MQTT protocol" (2023-06-27) and the topics that the Node
//! (`mqtt.ts`, `mqtt_twin_client.ts`), .NET, Java, C and Python SDKs build; golden lines are in `facts/mqtt.txt`.
//!
//! Choices where no document speaks:
//! - A request id is any text up to the next `&`; it is neither decoded nor encoded, so the echo is exact.
//! - Ids stand in topics as they are (Node, Python, C). An id with `#` or `+`, which topics must not contain, is
//!   percent-encoded (as .NET does with every id), and both forms are heard.
//! - The slash before `?` may be missing, and the one after `events`; parameters come in any order, unknown ones are
//!   ignored.
//! - In a property bag a name without `=` counts as an empty value, and a system property without a value as missing.
//! - Filters are only those that the document lists; a wildcard elsewhere is not one of them.

mod bag;
mod login;
mod topic;

pub use bag::{hear_bag, say_bag};
pub use login::{Login, hear_client_id, hear_login, say_client_id, say_login};
pub use topic::{Publish, hear, hear_filter, hear_hub, say, say_filter, say_hub};

/// The WebSocket path, for MQTT and AMQP alike.
pub const WEBSOCKET_PATH: &str = "/$iothub/websocket";
/// The WebSocket subprotocol.
pub const WEBSOCKET_PROTOCOL: &str = "mqtt";
/// TLS port.
pub const PORT: u16 = 8883;
