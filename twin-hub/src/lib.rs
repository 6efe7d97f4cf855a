//! A device-twin hub that unmodified official SDKs connect to: embed it, or run it as `twin hub`.
//!
//! | room | what is in it |
//! |---|---|
//! | [`Hub`], [`HubBuilder`], [`Limits`] | start, addresses, connection strings, stop; what clients may take |
//! | [`LoginFault`], [`RequestFault`] | what the hub lets go wrong when a test asks for it |
//! | `front` | TLS, protocol sniffing, MQTT, AMQP, WebSocket, REST: protocol in, vocabulary out |
//! | `engine` | what the front doors talk to: reads from memory, writes through one durable writer |
//! | `domain` | one pure step: (now, who, said) to effects |
//! | `store` | the store trait, its laws, the embedded engine |
//! | `index` | the live index that queries are answered from |
//! | `pki`, `policies`, `private_file` | the hub's certificates, its shared access policies, files of its owner |
//!
//! # Over the wire, where documents leave a choice
//!
//! Every listening port takes every protocol; TLS 1.2 and 1.3.
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
//! | SUBSCRIBE with QoS 2 | QoS 1 is granted; twin answers and changes are sent with QoS 0, cloud-to-device messages as granted |
//! | a cloud-to-device message at QoS 1 | PUBACK completes it; until then the connection holds it, whatever time that takes |
//! | the same at QoS 0 | completed before it is sent: it arrives at most once |
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
//! Over AMQP (IoT Hub's "Communicate with your IoT hub by using the AMQP Protocol", AMQP 1.0):
//!
//! | case | here |
//! |---|---|
//! | no SASL at all, as the Node SDK opens | taken; links wait for a token or a certificate |
//! | SASL EXTERNAL | offered to who has shown a client certificate |
//! | put-token that does not hold | status-code 401, without telling which part; one that is malformed: 400 |
//! | tokens on one connection | 1000, each of its own device or module; the next one: 403005 |
//! | a link without a right to it | attached without a terminus, then detached: `amqp:unauthorized-access` |
//! | an address of no known form, or the wrong direction | the same with `amqp:not-found`, 404006 |
//! | a link without api-version | served as the newest |
//! | a token expires | links that stood on it are detached with `amqp:unauthorized-access`; the connection stays |
//! | a device deleted, disabled or given new keys | the same |
//! | a second connection of the same device | the earlier one's links are detached with `amqp:link:stolen`, 400027 |
//! | a second twin link of the same device on one connection | the same |
//! | a reported patch that was taken | status 200 (204 is MQTT's) |
//! | a device is connected | from its first link on to its last; a token alone does not connect |
//! | a kept MQTT session of the device | neither used nor forgotten |
//! | device-to-cloud messages | accepted and counted; not routed anywhere yet |
//! | a link of cloud-to-device messages or feedback | unsettled unless the peer asks for settled ones, which are completed by being sent |
//! | accepted, rejected, released, modified | complete, reject, abandon, abandon; reject if modified says `undeliverable-here` |
//! | settled without an outcome | abandon |
//! | an outcome that comes too late | nothing, or (if the peer waits for the hub to settle) rejected with `com.microsoft:message-lock-lost` |
//! | a second link of the same device for its messages | the earlier one is detached with `amqp:link:stolen` |
//! | several links for feedback, on whatever connections | each record goes to one of them |
//! | a service's message to nobody, to a full queue, too large | rejected with `amqp:not-found`, `amqp:resource-limit-exceeded`, `amqp:link:message-size-exceeded` |
//! | a service's message whose `to` names no device | rejected with `amqp:not-allowed`, 400003 |
//! | links for methods and file notifications | attach and stay idle |
//! | reading device-to-cloud messages | detached with `amqp:not-implemented` |
//! | idle-time-out | 120 s is asked for, 240 s are waited; below 1 s is refused |
//! | bytes that are no AMQP, frames out of place | close with `amqp:decode-error`, `amqp:illegal-state`, … |
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
//! | WebSocket subprotocols | the first on offer of `mqtt`, `AMQPWSB10`, `amqp`; 400 if it is none of them |

mod config;
mod domain;
mod engine;
mod front;
mod hub;
mod index;
mod mail;
mod pki;
mod policies;
mod private_file;
mod store;

pub use config::{HubBuilder, Limits};
pub use front::faults::{LoginFault, RequestFault};
pub use hub::Hub;
