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
//!
//! # Over the wire, where documents leave a choice
//!
//! Every listening port takes every protocol; TLS 1.2 and 1.3. AMQP is not served yet: such a connection is closed.
//!
//! Over MQTT (IoT Hub's "Communicate with your IoT hub using the MQTT protocol", MQTT 3.1.1):
//!
//! | case | here |
//! |---|---|
//! | wrong key, expired token, unknown or disabled device, host name that is not the hub's | CONNACK 5, then close |
//! | no user name, or one that is none of IoT Hub's | CONNACK 4, then close |
//! | client id empty or not the user name's device | CONNACK 2, then close |
//! | protocol level other than 4 | CONNACK 1, then close |
//! | subscribing to a topic that is not documented, or another device's | SUBACK 0x80; the connection stays |
//! | publishing to such a topic, QoS 2, a malformed packet, a second CONNECT | close |
//! | SUBSCRIBE with QoS 2 | QoS 1 is granted; the hub itself sends with QoS 0 |
//! | twin requests without a subscription to their answers | done; the answer is dropped |
//! | user name without `api-version` | connects; twin requests are answered 400 |
//! | keep-alive 0 or above 1177 s | as 1177 s |
//! | will | counted as telemetry when the connection ends without DISCONNECT |
//! | telemetry | acknowledged and counted; not routed anywhere yet |
//! | answers of direct methods | acknowledged and dropped: the hub sends no methods yet |
//! | a token's end | five minutes of clock skew are allowed at login and at the end alike: the hub disconnects five minutes after `se` |
//! | a request at QoS 1 | PUBACK once it is done and durable |
//! | many requests at once | answered in the order they came; a GET sees the reports before it |
//!
//! Over HTTP (errors have the body and the headers that the Node, Python and .NET SDKs parse):
//!
//! | case | here |
//! |---|---|
//! | no Authorization, a token that does not hold, a Bearer token | 401 |
//! | a policy that lacks the right | 401, as IoT Hub answers it |
//! | both Content-Length and Transfer-Encoding, or two lengths | 400, and the connection is closed |
//! | a body over 1 MiB | 413 |
//! | paths of the documented API that are not served yet | 501 |
//! | `/health` | anyone: 200 while the hub serves, 503 while it stops or its store has failed |
//! | `/metrics` | from loopback: anyone; from elsewhere: with a token whose policy has ServiceConnect |
//! | WebSocket subprotocol other than `mqtt` | 501 for AMQP's (not served yet), 400 else |

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
