//! The client end of the wire: TLS, MQTT and AMQP (plain and over WebSocket), HTTPS, proxies. Moves bytes; decides nothing about twins.
//!
//! | room | what is in it |
//! |---|---|
//! | [`options`] | every knob of a connection, with its default |
//! | `tls` | trust and client certificates as a rustls configuration |
//! | `dial`, `proxy`, `ws` | from a name to a byte stream |
//! | [`mqtt`] | MQTT 3.1.1 packets over a byte stream, speaking twin-core's vocabulary |
//! | [`amqp`] | AMQP 1.0 likewise; many devices over one connection |
//! | [`device`] | a device's connection, whatever its protocol |
//! | [`https`] | a device over HTTPS: telemetry and messages, no twins |
//! | [`http`] | one REST request after another |

pub mod amqp;
pub mod device;
mod dial;
mod endpoint;
pub mod http;
pub mod https;
pub mod mqtt;
pub mod options;
mod proxy;
mod tls;
mod ws;

pub use endpoint::{Carrier, Endpoint};
pub use options::{ClientCertificate, MAX_KEEP_ALIVE, Options, Proxy};
