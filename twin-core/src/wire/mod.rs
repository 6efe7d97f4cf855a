//! The wire grammar: the only place that spells IoT Hub.
//!
//! [`vocabulary`] is what is said, free of protocol. [`mqtt`] and [`rest`] turn it into bytes (*say*) and back
//! (*hear*): pure, total, inverse, next to each other, used by the client on one side and the hub on the other.
//! Each fact carries its source; golden lines in `facts/*.txt` are read by tests of both directions.

pub mod mqtt;
pub mod rest;
pub mod status;
pub mod version;
pub mod vocabulary;

pub use status::{HubCode, Refusal};
pub use version::ApiVersion;
pub use vocabulary::{Channel, Heard, Rid, Said};
