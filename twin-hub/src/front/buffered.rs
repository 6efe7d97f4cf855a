//! Bytes on their way in and out of a connection.
//!
//! Reading goes through one scratch buffer per thread; a connection owns bytes only while a packet or frame is
//! incomplete or output waits. So an idle connection costs its TLS state and little else. What the bytes mean is said
//! beside each protocol: `mqtt/link.rs` takes packets out of a [`Buffered`] stream, `amqp/pipe.rs` frames.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// How long a peer that was told goodbye may take to go.
const LINGER: Duration = Duration::from_secs(1);

/// Bytes read at a time.
const SCRATCH_BYTES: usize = 16 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into());
}

/// A stream with what has arrived and what waits to be sent.
#[derive(Debug)]
pub(super) struct Buffered<S> {
    io: S,
    pub(super) inbox: BytesMut,
    pub(super) outbox: BytesMut,
    /// something was written that may still sit in a buffer below
    unflushed: bool,
    /// since when the packet or frame at the head of the inbox has been incomplete
    pub(super) incomplete_since: Option<Instant>,
}

impl<S> Buffered<S> {
    /// `ahead` was read already.
    pub(super) fn new(io: S, ahead: Bytes) -> Self {
        Buffered {
            io,
            incomplete_since: (!ahead.is_empty()).then(Instant::now),
            inbox: BytesMut::from(ahead),
            outbox: BytesMut::new(),
            unflushed: false,
        }
    }

    /// A whole packet or frame was taken out of the inbox: the next one begins now, if it has.
    pub(super) fn took_one(&mut self) {
        self.incomplete_since = match self.inbox.is_empty() {
            // Dropped, not cleared: an idle connection keeps no buffer.
            true => {
                self.inbox = BytesMut::new();
                None
            }
            false => Some(Instant::now()),
        };
    }

    /// Bytes that wait to be sent.
    pub(super) fn unsent(&self) -> usize {
        self.outbox.len()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Buffered<S> {
    /// Reads what is there; 0 is the end of the stream.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buf = ReadBuf::new(scratch);
            match Pin::new(&mut self.io).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) => {
                    let read = buf.filled();
                    if !read.is_empty() && self.incomplete_since.is_none() {
                        self.incomplete_since = Some(Instant::now());
                    }
                    self.inbox.extend_from_slice(read);
                    Poll::Ready(Ok(read.len()))
                }
                Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
                Poll::Pending => Poll::Pending,
            }
        })
    }

    /// Reads more; 0 is the end of the stream.
    pub(super) async fn fill(&mut self) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// Sends what waits, down to the socket.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbox.is_empty() {
            match Pin::new(&mut self.io).poll_write(cx, &self.outbox) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => {
                    self.outbox.advance(n);
                    self.unflushed = true;
                }
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.outbox = BytesMut::new();
        if self.unflushed {
            match Pin::new(&mut self.io).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what waits.
    pub(super) async fn drain(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_drain(cx)).await
    }

    /// Sends what waits, says that nothing more comes, and waits a little for the peer to go: if its bytes lay unread
    /// when the socket closes, the system would tell it of an error instead of what was sent last.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.drain().await?;
        std::future::poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await?;
        let gone = async {
            while matches!(self.fill().await, Ok(1..)) {
                self.inbox = BytesMut::new();
            }
        };
        let _ = tokio::time::timeout(LINGER, gone).await;
        Ok(())
    }
}
