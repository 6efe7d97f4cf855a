//! Telling protocols apart by the first bytes after TLS, and replaying those bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Mqtt,
    Http,
    Amqp,
}

/// An AMQP connection begins with this, whatever layer it opens first.
const AMQP: &[u8] = b"AMQP";

/// MQTT's CONNECT with its flags, which are all zero.
const MQTT_CONNECT: u8 = 0x10;

/// Bytes that [`sniff`] wants at most.
pub(super) const ENOUGH: usize = AMQP.len();

/// The protocol that `first` begins; `Ok(None)` if more bytes are needed to tell.
pub(super) fn sniff(first: &[u8]) -> Result<Option<Protocol>, u8> {
    let Some(&byte) = first.first() else { return Ok(None) };
    if byte == MQTT_CONNECT {
        return Ok(Some(Protocol::Mqtt));
    }
    if first.starts_with(AMQP) {
        return Ok(Some(Protocol::Amqp));
    }
    if AMQP.starts_with(first) {
        return Ok(None);
    }
    // A method is a token, and every method in use is upper-case letters.
    if byte.is_ascii_uppercase() { Ok(Some(Protocol::Http)) } else { Err(byte) }
}

/// A stream that first gives back what was read ahead.
#[derive(Debug)]
pub(super) struct Replay<S> {
    ahead: Bytes,
    inner: S,
}

impl<S> Replay<S> {
    pub(super) fn new(ahead: Bytes, inner: S) -> Self {
        Replay { ahead, inner }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replay<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.is_empty() {
            return Pin::new(&mut this.inner).poll_read(cx, buf);
        }
        let n = this.ahead.len().min(buf.remaining());
        buf.put_slice(&this.ahead[..n]);
        this.ahead.advance(n);
        if this.ahead.is_empty() {
            this.ahead = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replay<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[test]
    fn first_bytes() {
        for (first, protocol) in [
            (&b""[..], Ok(None)),
            (b"\x10", Ok(Some(Protocol::Mqtt))),
            (b"\x10\x27\x00", Ok(Some(Protocol::Mqtt))),
            (b"G", Ok(Some(Protocol::Http))),
            (b"POST /x HTTP/1.1", Ok(Some(Protocol::Http))),
            (b"A", Ok(None)),
            (b"AM", Ok(None)),
            (b"AMQP\x00\x01\x00\x00", Ok(Some(Protocol::Amqp))),
            (b"AMQP", Ok(Some(Protocol::Amqp))),
            (b"AMX", Ok(Some(Protocol::Http))),
            (b"ACL / HTTP/1.1", Ok(Some(Protocol::Http))),
            (b"\x20\x02", Err(0x20)),
            (b"\x16\x03\x01", Err(0x16)),
            (b"get / HTTP/1.1", Err(b'g')),
            (b"\x00", Err(0)),
            (b"\xff", Err(0xff)),
        ] {
            assert_eq!(sniff(first), protocol, "{first:?}");
        }
    }

    #[tokio::test]
    async fn what_was_read_ahead_comes_first() {
        let mut stream = Replay::new(Bytes::from_static(b"abc"), &b"def"[..]);
        let mut two = [0; 2];
        stream.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"ab");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"cdef");
    }
}
