//! Device twins for devices: open, read the twin, report, hear desired changes, send telemetry, take messages, survive bad
//! networks.
//!
//! | name | what it is |
//! |---|---|
//! | [`DeviceClient`], [`ModuleClient`] | cheap handles on one connection of one device or module |
//! | [`Builder`] | everything that can be chosen before connecting |
//! | [`Subscription`] | desired changes, connection states and token expiries as streams |
//! | [`DeviceTwin`], [`TypedTwin`] | the twin, as JSON and as your own types |
//! | [`Message`], [`Incoming`], [`ReceivePolicy`] | telemetry, messages from the cloud, and when to ask for them over HTTPS |
//! | [`Options`], [`Transport`], [`RetryPolicy`] | how to connect, and when again |
//! | [`AmqpPool`] | many devices over few connections |
//! | [`Error`], [`ErrorKind`], [`Delivery`] | what went wrong, and whether the hub may have acted |
//!
//! ```
//! use serde_json::json;
//! use twin_device::{DesiredChange, DeviceClient};
//!
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> twin_device::Result<()> {
//! # let (hub, _registry, connection_string) = hub_with_lamp().await?;
//! let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
//! client.report(json!({"connectivity": {"type": "cellular"}})).await?;
//!
//! let mut changes = client.desired();
//! while let Some(change) = changes.next().await {
//!     match change {
//!         DesiredChange::Whole { desired, version } => println!("all of it at {version}: {desired:?}"),
//!         DesiredChange::Patch { patch, version } => println!("this leads to {version}: {patch:?}"),
//!     }
//! #     client.close().await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! - **No desired change is lost.** After every connection the client subscribes, reads the twin and delivers the
//!   difference; each `$version` comes once and in order, or a [`DesiredChange::Whole`] stands for what was missed.
//! - **Every request ends**, and its error says whether the hub may have acted ([`Error::delivery`]).
//! - **Telemetry arrives at least once, in order**; a message from the cloud comes again until it is settled.
//! - **Dropping a future gives its request up**; dropping the last handle says goodbye to the hub and ends everything.
//! - Connections, subscriptions and tokens made from a key are renewed without the application's help.

mod builder;
mod client;
mod driver;
mod fan;
mod kind;
mod mailbox;
mod messages;
mod pool;
mod request;
mod seat;
mod shared;
mod subscription;

pub use builder::{Builder, Transport};
pub use client::{Client, DeviceClient, ModuleClient, Reported};
pub use kind::{Device, Kind, Module};
pub use messages::Incoming;
pub use pool::AmqpPool;
pub use subscription::Subscription;

pub use twin_core::auth::{Credential, DeviceConnectionString, Key, SasToken};
pub use twin_core::message::{Ack, CloudMessage, MAX_TELEMETRY_BYTES, Message, Settlement};
pub use twin_core::receive::{Cron, ReceivePolicy, When};
pub use twin_core::session::{DesiredChange, RetryPolicy, State};
pub use twin_core::twin::{DeviceTwin, Object, Patch, Properties, Typed, TypedTwin, diff, merge};
pub use twin_core::{Delivery, DeviceId, Error, ErrorKind, HostName, ModuleId, Result, Timestamp, TwinKey};
pub use twin_transport::{ClientCertificate, Options, Proxy};
