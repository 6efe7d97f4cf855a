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
//! | `arrival` | devices on their way in |
//! | `device` | the devices on a connection |
//! | `twin` | requests on twin links |
//! | `mail` | cloud-to-device messages and feedback |
//!
//! What this hub does where documents leave a choice is in the crate's documentation.

mod arrival;
mod claims;
mod connection;
mod device;
mod dispatch;
mod frame;
mod link;
mod mail;
mod message;
mod pipe;
mod sasl;
mod session;
mod twin;
mod value;

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use twin_core::Timestamp;
use twin_core::wire::Refusal;
use twin_core::wire::amqp::say_refusal;

use super::metrics::Door;
use super::{Front, Peer};
use frame::ErrorValue;
use pipe::Pipe;
use value::Value;

/// Bytes under way between [`hear`] and the hub.
const HEARING_BYTES: usize = 16 * 1024;

/// Serves one connection until it goes or must. `ahead` are its first bytes, read while sniffing.
pub(super) async fn serve<S>(front: Arc<Front>, io: S, ahead: Bytes, peer: Peer, door: Door)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    connection::run(front, Pipe::new(io, ahead), peer, door).await;
}

/// What a peer hears that says all of `said` at once and then nothing more.
pub(crate) async fn hear(front: Arc<Front>, said: Bytes) -> Bytes {
    let (near, far) = tokio::io::duplex(HEARING_BYTES);
    let (mut from, mut to) = tokio::io::split(far);
    let peer = Peer { address: ([127, 0, 0, 1], 0).into(), certificate: None };
    let saying = async {
        // A hub that has closed takes no more.
        let _ = to.write_all(&said).await;
        let _ = to.shutdown().await;
    };
    let mut heard = Vec::new();
    let hearing = async {
        let _ = from.read_to_end(&mut heard).await;
    };
    tokio::join!(serve(front, near, Bytes::new(), peer, Door::Amqp), saying, hearing);
    heard.into()
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
