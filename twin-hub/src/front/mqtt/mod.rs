//! MQTT 3.1.1: devices and modules, over TLS or inside a WebSocket.
//!
//! | file | what is in it |
//! |---|---|
//! | `link` | packets over a byte stream, with no buffer kept while idle |
//! | `login` | CONNECT and CONNACK |
//! | `session` | everything after: one loop per connection |
//!
//! What this hub does where documents leave a choice (IoT Hub's "Communicate with your IoT hub using the MQTT
//! protocol", MQTT 3.1.1):
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

mod link;
mod login;
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
