//! A WebSocket as a byte stream: packets of MQTT and AMQP may be split over frames in any way, so frames mean nothing here.
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use twin_core::{Error, ErrorKind, HostName, Result};

use crate::tls;

/// Allocated for every connection as long as it lives, in bytes; the library's default is 128 KiB.
const READ_BUFFER: usize = 2048;
/// Most that waits to be written, in bytes.
const MAX_WRITE_BUFFER: usize = 256 * 1024;
/// Largest frame and message accepted, in bytes: twice what IoT Hub lets a message have.
const MAX_MESSAGE: usize = 512 * 1024;
/// Largest piece handed to one frame, in bytes.
const MAX_PIECE: usize = 16 * 1024;

/// The bytes that flow through a WebSocket.
#[derive(Debug)]
pub(crate) struct WsBytes<S> {
    socket: WebSocketStream<S>,
    /// received and not yet read
    rest: Bytes,
}

/// Upgrades `stream` (already encrypted) to a WebSocket on `path` that speaks `protocol`.
pub(crate) async fn upgrade<S>(stream: S, host: &HostName, path: &str, protocol: &str) -> Result<WsBytes<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let invalid = |_| Error::invalid(format!("'{host}' cannot stand in a URL"));
    let mut request = format!("wss://{host}{path}").into_client_request().map_err(invalid)?;
    let value = HeaderValue::from_str(protocol).map_err(|_| Error::invalid("no header value"))?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, value);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config))
        .await
        .map_err(|e| explain(e, host))?;
    Ok(WsBytes { socket, rest: Bytes::new() })
}

fn explain(error: tungstenite::Error, host: &HostName) -> Error {
    let (kind, message, status) = match &error {
        tungstenite::Error::Http(answer) => {
            let status = answer.status().as_u16();
            let (kind, what) = match status {
                401 => (ErrorKind::Unauthorized, "refused the WebSocket"),
                403 => (ErrorKind::Forbidden, "refused the WebSocket"),
                429 => (ErrorKind::Throttled, "asks to slow down"),
                500..=599 => (ErrorKind::Unavailable, "cannot serve WebSockets now"),
                _ => (ErrorKind::Protocol, "does not serve WebSockets there; is it a hub?"),
            };
            (kind, format!("'{host}' {what}"), Some(status))
        }
        tungstenite::Error::Io(_) => {
            if let Some(error) = tls::classify(&error, host.host()) {
                return error;
            }
            (
                ErrorKind::Network,
                format!("the connection to '{host}' was lost during the WebSocket handshake"),
                None,
            )
        }
        other => {
            (ErrorKind::Protocol, format!("the WebSocket handshake with '{host}' failed: {other}"), None)
        }
    };
    let error = Error::new(kind, message).with_source(error);
    status.into_iter().fold(error, Error::with_status)
}

fn io_error(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Io(e) => e,
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            io::ErrorKind::ConnectionAborted.into()
        }
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WsBytes<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                Some(Ok(Message::Text(_))) => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "a WebSocket text frame, where binary ones are due",
                    )));
                }
                // Not waiting for the TCP connection to end: nothing can follow.
                Some(Ok(Message::Close(_))) => return Poll::Ready(Ok(())),
                // The library answers pings by itself.
                Some(Ok(_)) => {}
                Some(Err(tungstenite::Error::ConnectionClosed)) | None => return Poll::Ready(Ok(())),
                Some(Err(e)) => return Poll::Ready(Err(io_error(e))),
            }
        }
        let n = self.rest.len().min(into.remaining());
        into.put_slice(&self.rest[..n]);
        self.rest.advance(n);
        if self.rest.is_empty() {
            // Lets the frame's buffer go: an idle connection keeps none.
            self.rest = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WsBytes<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(io_error)?;
        let piece = &bytes[..bytes.len().min(MAX_PIECE)];
        let message = Message::Binary(Bytes::copy_from_slice(piece));
        Pin::new(&mut self.socket).start_send(message).map_err(io_error)?;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(io_error)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.socket).poll_close(cx)) {
            Ok(()) | Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => {}
            Err(e) => return Poll::Ready(Err(io_error(e))),
        }
        Pin::new(self.socket.get_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{SinkExt, StreamExt};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

    /// The server's end of a WebSocket, and ours.
    async fn pair() -> (WebSocketStream<DuplexStream>, WsBytes<DuplexStream>) {
        let (ours, theirs) = duplex(64 * 1024);
        #[allow(clippy::result_large_err)]
        let answer = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            assert_eq!(request.uri().path(), "/$iothub/websocket");
            assert_eq!(request.headers()["host"], "h:9443");
            let protocol = request.headers()[SEC_WEBSOCKET_PROTOCOL].clone();
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
            Ok(response)
        };
        let host = HostName::new("h:9443").unwrap();
        let (server, client) = tokio::join!(
            tokio_tungstenite::accept_hdr_async(theirs, answer),
            upgrade(ours, &host, "/$iothub/websocket", "mqtt")
        );
        (server.unwrap(), client.unwrap())
    }

    #[tokio::test]
    async fn frames_are_a_byte_stream() {
        let (mut server, mut client) = pair().await;
        for byte in b"hello" {
            server.send(Message::Ping(Bytes::from_static(b"?"))).await.unwrap();
            server.send(Message::Binary(Bytes::copy_from_slice(&[*byte]))).await.unwrap();
        }
        server.send(Message::Binary(Bytes::new())).await.unwrap();
        server.send(Message::Binary(Bytes::from(vec![b'x'; 40_000]))).await.unwrap();
        let mut text = vec![0; 40_005];
        client.read_exact(&mut text).await.unwrap();
        assert!(text.starts_with(b"hellox") && text.ends_with(b"xx"));

        let (wrote, heard) = tokio::join!(
            async {
                client.write_all(&[7; 50_000]).await?;
                client.flush().await
            },
            async {
                let mut heard = 0;
                while heard < 50_000 {
                    if let Message::Binary(bytes) = server.next().await.unwrap().unwrap() {
                        assert!(bytes.iter().all(|b| *b == 7));
                        heard += bytes.len();
                    }
                }
                heard
            }
        );
        wrote.unwrap();
        assert_eq!(heard, 50_000);
        server.close(None).await.unwrap();
        assert_eq!(client.read(&mut text).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn text_is_not_mqtt() {
        let (mut server, mut client) = pair().await;
        server.send(Message::text("hello")).await.unwrap();
        assert_eq!(client.read(&mut [0; 9]).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[tokio::test]
    async fn refusals_are_told_by_kind() {
        for (answer, kind, status) in [
            ("HTTP/1.1 401 No\r\n\r\n", ErrorKind::Unauthorized, Some(401)),
            ("HTTP/1.1 404 No\r\n\r\n", ErrorKind::Protocol, Some(404)),
            ("HTTP/1.1 429 No\r\n\r\n", ErrorKind::Throttled, Some(429)),
            ("HTTP/1.1 503 No\r\n\r\n", ErrorKind::Unavailable, Some(503)),
            ("HTTP/1.1 200 OK\r\n\r\n", ErrorKind::Protocol, Some(200)),
            (
                "HTTP/1.1 101 Yes\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
                ErrorKind::Protocol,
                None,
            ),
            ("SSH-2.0-x\r\n\r\n", ErrorKind::Protocol, None),
        ] {
            let (ours, mut theirs) = duplex(64 * 1024);
            theirs.write_all(answer.as_bytes()).await.unwrap();
            let error = upgrade(ours, &HostName::new("h").unwrap(), "/", "mqtt").await.unwrap_err();
            assert_eq!((error.kind(), error.status()), (kind, status), "{answer}: {error:?}");
        }
    }
}
