//! A [`Talk`] over a byte stream, driven by its owner.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use twin_core::{Error, ErrorKind, HostName, Result};

use super::talk::{News, Slot, Talk};
use crate::mqtt::{Io, lost};

/// Read at once, in bytes. On the stack: a connection that waits owns no read buffer.
const READ_PIECE: usize = 4096;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Patience with a hub that is late with a sign of life; half the time it was given where that is shorter.
const MAX_GRACE: Duration = Duration::from_secs(30);
/// Signs of life are sent no faster than this, whatever the hub asks for.
const MIN_BEAT: Duration = Duration::from_millis(500);

/// See the module. Does nothing unless polled.
pub(super) struct Line {
    io: Box<dyn Io>,
    host: HostName,
    inbox: BytesMut,
    unflushed: bool,
    last_sent: Instant,
    last_heard: Instant,
    patience: Duration,
    timer: Pin<Box<Sleep>>,
    pub(super) talk: Talk,
}

impl Line {
    /// `idle` is how long the hub may be silent; it was told so.
    pub(super) fn new(io: Box<dyn Io>, host: HostName, talk: Talk, idle: Duration) -> Line {
        let now = Instant::now();
        let patience = idle + MAX_GRACE.min(idle / 2);
        Line {
            io,
            host,
            inbox: BytesMut::new(),
            unflushed: false,
            last_sent: now,
            last_heard: now,
            patience,
            timer: Box::pin(sleep_until(now + patience)),
            talk,
        }
    }

    /// Sends what waits, keeps the connection alive, and returns the next thing that a device is to hear. Cancel-safe.
    ///
    /// # Errors
    /// When the connection is over, for every device on it.
    pub(super) async fn next(&mut self) -> Result<(Slot, News)> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<(Slot, News)>> {
        loop {
            let news = self.talk.next(&mut self.inbox);
            // What was heard may have led to something to say, a goodbye for instance.
            let sent = self.poll_send(cx);
            if let Some(news) = news? {
                return Poll::Ready(Ok(news));
            }
            if self.inbox.is_empty() {
                self.inbox = BytesMut::new();
            }
            if let Poll::Ready(Err(error)) = sent {
                // The hub's reason (a TLS alert that refuses a certificate, say) may lie there unread.
                return match self.poll_fill(cx) {
                    Poll::Ready(Err(reason)) if reason.kind() != ErrorKind::Network => {
                        Poll::Ready(Err(reason))
                    }
                    Poll::Ready(Ok(())) => continue,
                    _ => Poll::Ready(Err(error)),
                };
            }
            match self.poll_alive(cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => continue,
                Poll::Pending => {}
            }
            ready!(self.poll_fill(cx))?;
        }
    }

    /// Says goodbye, within two seconds.
    pub(super) async fn close(mut self) {
        self.talk.peer.close();
        let goodbye = async {
            while self.next().await.is_ok() {}
            poll_fn(|cx| {
                // Whatever could not be sent will not be.
                let _ = self.poll_send(cx);
                Pin::new(&mut self.io).poll_shutdown(cx)
            })
            .await
        };
        let _: Result<io::Result<()>, _> = timeout(GOODBYE, goodbye).await;
    }

    /// Ready when a sign of life is to be sent, or when the hub gave none for too long.
    fn poll_alive(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            let now = Instant::now();
            let dead_at = self.last_heard + self.patience;
            let beat_at = self.talk.peer.remote_idle.map(|idle| self.last_sent + MIN_BEAT.max(idle / 2));
            if dead_at <= now {
                return Poll::Ready(Err(Error::new(
                    ErrorKind::Timeout,
                    format!("'{}' gave no sign of life; the connection is given up", self.host),
                )));
            }
            if beat_at.is_some_and(|at| at <= now) {
                self.talk.peer.beat();
                self.last_sent = now;
                return Poll::Ready(Ok(()));
            }
            let at = beat_at.map_or(dead_at, |at| at.min(dead_at));
            if self.timer.deadline() > at || self.timer.is_elapsed() {
                self.timer.as_mut().reset(at);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut piece = [MaybeUninit::uninit(); READ_PIECE];
        let mut piece = ReadBuf::uninit(&mut piece);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut piece)).map_err(|e| lost(&e, &self.host))?;
        if piece.filled().is_empty() {
            return Poll::Ready(Err(Error::new(
                ErrorKind::Network,
                format!("'{}' closed the connection", self.host),
            )));
        }
        self.last_heard = Instant::now();
        self.inbox.extend_from_slice(piece.filled());
        Poll::Ready(Ok(()))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.talk.peer.outbox.is_empty() {
            let n = ready!(Pin::new(&mut self.io).poll_write(cx, &self.talk.peer.outbox))
                .and_then(|n| if n == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(n) })
                .map_err(|e| lost(&e, &self.host))?;
            self.talk.peer.outbox.advance(n);
            self.unflushed = true;
            self.last_sent = Instant::now();
        }
        if self.unflushed {
            self.talk.peer.outbox = BytesMut::new();
            ready!(Pin::new(&mut self.io).poll_flush(cx)).map_err(|e| lost(&e, &self.host))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}
