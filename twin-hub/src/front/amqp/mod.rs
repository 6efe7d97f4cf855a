//! AMQP 1.0: devices and modules, many of them on one connection if they like, and services; over TLS or inside a
//! WebSocket.
//!
//! | file | what is in it |
//! |---|---|
//! | `value`, `frame`, `message` | AMQP's types, performatives and messages, in bytes |
//! | `pipe` | frames over a byte stream, with no buffer kept while idle |
//! | `sasl` | protocol headers and SASL |
//! | `claims` | what the peer has proven |
//! | `connection` | one loop per connection |
//! | `session`, `link` | windows, credit, deliveries |
//! | `dispatch` | what each frame does |
//! | `device` | the devices on a connection |
//! | `twin` | requests on twin links |
//!
//! What this hub does where documents leave a choice (IoT Hub's "Communicate with your IoT hub by using the AMQP
//! Protocol", AMQP 1.0):
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
//! | cloud-to-device and method links | attach and stay idle |
//! | cloud-to-device messages of services | rejected with `amqp:not-implemented` |
//! | reading device-to-cloud messages | detached with `amqp:not-implemented` |
//! | idle-time-out | 120 s is asked for, 240 s are waited; below 1 s is refused |
//! | bytes that are no AMQP, frames out of place | close with `amqp:decode-error`, `amqp:illegal-state`, … |

mod claims;
mod connection;
mod device;
mod dispatch;
mod frame;
mod link;
mod message;
mod pipe;
mod sasl;
mod session;
mod twin;
mod value;

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use twin_core::Timestamp;
use twin_core::wire::Refusal;
use twin_core::wire::amqp::say_refusal;

use super::metrics::Door;
use super::{Front, Peer};
use frame::ErrorValue;
use pipe::Pipe;
use value::Value;

/// Serves one connection until it goes or must. `ahead` are its first bytes, read while sniffing.
pub(super) async fn serve<S>(front: Arc<Front>, io: S, ahead: Bytes, peer: Peer, door: Door)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    connection::run(front, Pipe::new(io, ahead), peer, door).await;
}

/// A refusal as it goes over the wire.
fn error_of(refusal: &Refusal, now: Timestamp) -> ErrorValue {
    let said = say_refusal(refusal, now);
    let (name, tracking_id) = said.tracking_id;
    ErrorValue {
        condition: said.condition.to_owned(),
        description: Some(said.description),
        info: vec![(Value::symbol(name), Value::String(tracking_id))],
    }
}
