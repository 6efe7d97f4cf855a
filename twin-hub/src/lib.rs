//! A device-twin hub that unmodified official SDKs connect to: embed it, or run it as `twin hub`.
//!
//! | room | what is in it |
//! |---|---|
//! | [`Hub`], [`HubBuilder`] | start, addresses, connection strings, stop |
//! | `front` | TLS, protocol sniffing, MQTT, WebSocket, REST: protocol in, vocabulary out |
//! | `engine` | what the front doors talk to: reads from memory, writes through one durable writer |
//! | `domain` | one pure step: (now, who, said) to effects |
//! | `store` | the store trait, its laws, the embedded engine |
//! | `index` | the live index that queries are answered from |

mod domain;
mod engine;
mod hub;
mod store;

pub use hub::{Hub, HubBuilder};
