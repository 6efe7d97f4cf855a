//! The upgrade to WebSocket, and a WebSocket as a byte stream.
//!
//! Clients split packets over messages and messages over frames as they like (the Node SDK sends a packet's first byte
//! alone), so messages mean nothing: their bytes are the stream. Text messages are refused.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use hyper::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use twin_core::wire::amqp::WEBSOCKET_PROTOCOLS;
use twin_core::wire::{HubCode, Refusal, mqtt as wire};

use super::super::metrics::Door;
use super::super::{amqp, mqtt};
use super::tap::Tap;
use super::{Front, Peer, Request, Response, Upgraded};

/// Read buffer per connection, in bytes: tungstenite's own default is 128 KiB.
const READ_BUFFER: usize = 2 * 1024;
/// Longest message and frame taken, in bytes: an MQTT packet and an AMQP frame fit.
const MAX_MESSAGE: usize = 512 * 1024;
/// Most bytes per message sent.
const MAX_SENT: usize = 16 * 1024;
/// Most bytes that tungstenite may hold back for a slow peer.
const WRITE_BUFFER: usize = 4 * MAX_SENT;

/// What is spoken inside a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    Mqtt,
    Amqp,
}

/// The first subprotocol on offer that is spoken here, as it is spelled.
fn choose<'o>(mut offered: impl Iterator<Item = &'o str>) -> Option<(&'static str, Inside)> {
    offered.find_map(|offer| {
        let spoken = [(wire::WEBSOCKET_PROTOCOL, Inside::Mqtt)].into_iter();
        let mut spoken = spoken.chain(WEBSOCKET_PROTOCOLS.map(|protocol| (protocol, Inside::Amqp)));
        spoken.find(|(protocol, _)| *protocol == offer)
    })
}

/// Answers a request for the WebSocket path: the upgrade's response and what it becomes, or a refusal.
pub(super) fn upgrade(mut request: Request) -> Result<(Response, (OnUpgrade, Inside)), Refusal> {
    let bad = |why: String| Refusal::new(HubCode::GENERIC_BAD_REQUEST, why);
    let mut response = create_response_with_body(&request, Default::default)
        .map_err(|e| bad(format!("no WebSocket upgrade: {e}")))?;
    let values = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let offered = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let (chosen, inside) = choose(offered.map(str::trim)).ok_or_else(|| {
        let [amqp, _] = WEBSOCKET_PROTOCOLS;
        bad(format!("the WebSocket offers no subprotocol '{}' or '{amqp}'", wire::WEBSOCKET_PROTOCOL))
    })?;
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(chosen));
    Ok((response, (hyper::upgrade::on(&mut request), inside)))
}

/// Serves MQTT or AMQP on the connection that was upgraded.
pub(super) async fn serve(front: Arc<Front>, (upgrade, inside): (OnUpgrade, Inside), peer: Peer) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(e) => {
            tracing::debug!(peer = %peer.address, error = %e, "no WebSocket came of an upgrade");
            return;
        }
    };
    // Taken out of hyper, so that hyper's buffers go.
    let Ok(parts) = upgraded.downcast::<TokioIo<Tap<Upgraded>>>() else {
        tracing::error!("an upgraded connection is not of its own kind");
        return;
    };
    let io = parts.io.into_inner().inner;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let ahead = parts.read_buf.to_vec();
    let socket = Box::pin(WebSocketStream::from_partially_read(io, ahead, Role::Server, Some(config))).await;
    let stream = Bytestream::new(socket);
    match inside {
        Inside::Mqtt => Box::pin(mqtt::serve(front, stream, Bytes::new(), peer, Door::MqttWs)).await,
        Inside::Amqp => Box::pin(amqp::serve(front, stream, Bytes::new(), peer, Door::AmqpWs)).await,
    }
}

/// The bytes of a WebSocket's binary messages, as a stream.
struct Bytestream<S> {
    /// boxed for the same reason as the TLS stream below it
    socket: Box<WebSocketStream<S>>,
    arrived: Bytes,
}

impl<S> Bytestream<S> {
    fn new(socket: WebSocketStream<S>) -> Self {
        Bytestream { socket: Box::new(socket), arrived: Bytes::new() }
    }
}

fn broken(e: Error) -> io::Error {
    match e {
        Error::Io(e) => e,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Bytestream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.arrived.is_empty() {
            match ready!(Pin::new(&mut *this.socket).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => this.arrived = bytes,
                Some(Ok(Message::Text(_))) => {
                    let why = "a text message; MQTT and AMQP go in binary ones";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
                }
                // Answered by tungstenite; nothing for the stream.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Ok(())),
                Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => return Poll::Ready(Ok(())),
                Some(Err(e)) => return Poll::Ready(Err(broken(e))),
            }
        }
        let n = this.arrived.len().min(buf.remaining());
        buf.put_slice(&this.arrived[..n]);
        this.arrived.advance(n);
        if this.arrived.is_empty() {
            // Lets go of the message's buffer.
            this.arrived = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Bytestream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut *this.socket).poll_ready(cx)).map_err(broken)?;
        let n = buf.len().min(MAX_SENT);
        let message = Message::Binary(Bytes::copy_from_slice(&buf[..n]));
        Pin::new(&mut *this.socket).start_send(message).map_err(broken)?;
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().socket).poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().socket).poll_close(cx).map_err(broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{SinkExt, StreamExt};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn pair() -> (Bytestream<tokio::io::DuplexStream>, WebSocketStream<tokio::io::DuplexStream>) {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let near = WebSocketStream::from_raw_socket(near, Role::Server, None).await;
        (Bytestream::new(near), WebSocketStream::from_raw_socket(far, Role::Client, None).await)
    }

    #[tokio::test]
    async fn messages_are_a_stream_of_bytes() {
        let (mut near, mut far) = pair().await;
        for piece in [&b"a"[..], b"", b"bc", b"d"] {
            far.send(Message::Binary(Bytes::copy_from_slice(piece))).await.unwrap();
            far.send(Message::Ping(Bytes::new())).await.unwrap();
        }
        let mut read = [0; 4];
        near.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"abcd");
        near.write_all(&vec![7; MAX_SENT + 1]).await.unwrap();
        near.flush().await.unwrap();
        let mut sizes = Vec::new();
        while sizes.iter().sum::<usize>() < MAX_SENT + 1 {
            if let Message::Binary(bytes) = far.next().await.unwrap().unwrap() {
                sizes.push(bytes.len());
            }
        }
        assert_eq!(sizes, [MAX_SENT, 1]);
        far.close(None).await.unwrap();
        assert_eq!(near.read(&mut read).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn text_is_refused() {
        let (mut near, mut far) = pair().await;
        far.send(Message::text("hello")).await.unwrap();
        assert_eq!(near.read(&mut [0; 4]).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
