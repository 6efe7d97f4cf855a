//! The wire grammar: the only place that spells IoT Hub.
//!
//! [`vocabulary`] is what is said, free of protocol. [`mqtt`], [`amqp`] and [`rest`] turn it into bytes (*say*) and back
//! (*hear*): pure, total, inverse, next to each other, used by the client on one side and the hub on the other.
//! Each fact carries its source; golden lines in `facts/*.txt` are read by tests of both directions.
//!
//! | module | what is in it |
//! |---|---|
//! | [`vocabulary`] | what devices and hubs say to each other |
//! | [`mqtt`] | topics, filters, user name, client id |
//! | [`amqp`] | link addresses and properties, messages on twin links, tokens, error conditions |
//! | [`rest`] | the service API: calls and answers |
//! | [`https`] | the devices' HTTPS interface: telemetry, cloud-to-device messages |
//! | [`status`] | refusals, their bodies, and the errors clients make of them |
//! | [`codes`] | the table of error codes |
//! | [`version`] | api-versions |

pub mod amqp;
mod batch;
pub mod codes;
pub mod https;
mod instant;
pub mod mqtt;
pub mod rest;
mod routes;
pub mod status;
pub mod version;
pub mod vocabulary;

pub use codes::HubCode;
pub use status::Refusal;
pub use version::ApiVersion;
pub use vocabulary::{Channel, Heard, Rid, Said};

#[cfg(test)]
mod golden;
#[cfg(test)]
mod https_golden;
#[cfg(test)]
mod laws;
