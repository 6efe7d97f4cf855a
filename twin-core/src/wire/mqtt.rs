//! MQTT: topics, filters, user name, client id (facts 3.1, 3.2, node-sdk 2.1).
use super::{ApiVersion, Channel, Heard, Said};
use crate::{HostName, TwinKey, error::Result};
use bytes::Bytes;

/// The WebSocket path, for MQTT and AMQP alike.
pub const WEBSOCKET_PATH: &str = "/$iothub/websocket";
/// The WebSocket subprotocol.
pub const WEBSOCKET_PROTOCOL: &str = "mqtt";
/// TLS port.
pub const PORT: u16 = 8883;

/// A topic and payload, either direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Publish {
    /// the topic
    pub topic: String,
    /// the body
    pub payload: Bytes,
    /// whether QoS 1 is used
    pub at_least_once: bool,
}

/// What a device puts into CONNECT's user name.
#[derive(Clone, Debug, PartialEq)]
pub struct Login {
    /// the hub's name (with the port if the connection string had one)
    pub host: String,
    /// who
    pub key: TwinKey,
    /// `api-version`; `None` when missing (the hub lets it connect, facts 3.1)
    pub api_version: Option<ApiVersion>,
    /// `DeviceClientType`, decoded
    pub product_info: Option<String>,
    /// `model-id`
    pub model_id: Option<String>,
}
/// CONNECT's user name.
pub fn say_login(login: &Login) -> String {
    todo!()
}
/// Reads CONNECT's user name (also the form without `?`).
pub fn hear_login(username: &str) -> Result<Login> {
    todo!()
}
/// CONNECT's client id: `device` or `device/module`.
pub fn say_client_id(key: &TwinKey) -> String {
    todo!()
}
/// Reads CONNECT's client id.
pub fn hear_client_id(text: &str) -> Result<TwinKey> {
    todo!()
}

/// The filter that subscribes to a channel.
pub fn say_filter(key: &TwinKey, channel: Channel) -> String {
    todo!()
}
/// The channel that a filter subscribes to, if it is a documented one.
pub fn hear_filter(key: &TwinKey, filter: &str) -> Option<Channel> {
    todo!()
}

/// A device's publish, for everything but (un)subscribe, which MQTT has packets for.
pub fn say(key: &TwinKey, said: &Said) -> Option<Publish> {
    todo!()
}
/// Reads a device's publish at the hub; `Err` names the topic and what is wrong with it.
pub fn hear(key: &TwinKey, topic: &str, payload: Bytes) -> Result<Said> {
    todo!()
}

/// A hub's publish, for everything but SUBACK / UNSUBACK.
pub fn say_hub(key: &TwinKey, heard: &Heard) -> Option<Publish> {
    todo!()
}
/// Reads a hub's publish at the device; `None` for topics that are none of ours.
pub fn hear_hub(key: &TwinKey, topic: &str, payload: Bytes) -> Option<Heard> {
    todo!()
}
