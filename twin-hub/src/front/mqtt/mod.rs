//! MQTT 3.1.1: devices and modules, over TLS or inside a WebSocket.
//!
//! | file | what is in it |
//! |---|---|
//! | `link` | packets over a byte stream, with no buffer kept while idle |
//! | `login` | CONNECT and CONNACK |
//! | `mail` | cloud-to-device messages on their way to one connection |
//! | `session` | everything after: one loop per connection |
//!
//! What this hub does where documents leave a choice is in the crate's documentation.

mod link;
mod login;
mod mail;
mod session;

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::metrics::Door;
use super::{Front, Peer};
use link::Link;

/// Serves one device until it goes or must. `ahead` are its first bytes, read while sniffing.
pub(super) async fn serve<S>(front: Arc<Front>, io: S, ahead: Bytes, peer: Peer, door: Door)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut link = Link::new(io, ahead);
    // The login's future is large and short-lived: boxed, so that it does not live in the task for ever.
    let Some(admitted) = Box::pin(login::login(&front, &mut link, &peer)).await else { return };
    session::run(front, link, admitted, peer, door).await;
}
