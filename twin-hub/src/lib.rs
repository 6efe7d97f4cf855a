//! A device-twin hub that unmodified official SDKs connect to: embed it, or run it as `twin hub`.
//!
//! | room | what is in it |
//! |---|---|
//! | [`Hub`], [`HubBuilder`], [`Limits`] | start, addresses, connection strings, stop; what clients may take |
//! | [`LoginFault`], [`RequestFault`] | what the hub lets go wrong when a test asks for it |
//! | `front` | TLS, protocol sniffing, MQTT, WebSocket, REST: protocol in, vocabulary out |
//! | `engine` | what the front doors talk to: reads from memory, writes through one durable writer |
//! | `domain` | one pure step: (now, who, said) to effects |
//! | `store` | the store trait, its laws, the embedded engine |
//! | `index` | the live index that queries are answered from |
//! | `pki`, `policies`, `private_file` | the hub's certificates, its shared access policies, files of its owner |

mod config;
mod domain;
mod engine;
mod front;
mod hub;
mod index;
mod pki;
mod policies;
mod private_file;
mod store;

pub use config::{HubBuilder, Limits};
pub use front::faults::{LoginFault, RequestFault};
pub use hub::Hub;
