//! Device twins, purely: values, laws, wire grammar, query language and the device's session machine.
//!
//! Nothing in this crate reads a clock, opens a socket, draws a random number or touches a file. Whoever
//! needs the time or randomness passes it in, so everything here can be tested in microseconds.
//!
//! | room | what is in it |
//! |---|---|
//! | [`twin`] | the twin document, patches, merging, versions and metadata, limits |
//! | [`identity`] | device and module identities as the registry keeps them |
//! | [`message`] | telemetry and cloud-to-device messages |
//! | [`auth`] | connection strings, SAS tokens, credentials |
//! | [`query`] | the query language: parse, build, evaluate |
//! | [`wire`] | the only place that spells IoT Hub: topics, paths, headers, statuses |
//! | [`session`] | the device's sans-IO session machine |
//! | [`receive`] | when to ask for messages over HTTPS |
//! | [`address`], [`time`], [`error`] | names, instants, the one error type |

pub mod address;
pub mod auth;
pub mod error;
pub mod identity;
pub mod message;
pub mod query;
pub mod receive;
pub mod session;
pub mod time;
pub mod twin;
pub mod wire;

pub use address::{DeviceId, HostName, ModuleId, TwinKey};
pub use error::{Delivery, Error, ErrorKind, Result};
pub use message::{CloudMessage, Message};
pub use time::Timestamp;
pub use twin::{ETag, Patch, Twin};
