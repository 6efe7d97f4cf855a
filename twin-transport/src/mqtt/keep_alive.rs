//! When to ping, and when silence means that the other side is gone.
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Longest wait for an answer to a ping; half the keep-alive where that is shorter.
const MAX_PONG_WAIT: Duration = Duration::from_secs(30);

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A ping must go out now.
    Ping,
    /// The ping was not answered: the connection is dead.
    Dead,
}

/// Pings when one direction was silent for a whole keep-alive, and wants to hear anything soon after.
///
/// MQTT asks for a packet from the client in every interval; that alone would let a client that only reports, and whose
/// reports go nowhere, wait for the kernel's patience (many minutes). So silence from the hub makes a ping due as well.
#[derive(Debug)]
pub(crate) struct KeepAlive {
    interval: Duration,
    last_sent: Instant,
    last_heard: Instant,
    pinged: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl KeepAlive {
    pub(crate) fn new(interval: Duration) -> Self {
        let now = Instant::now();
        KeepAlive {
            interval,
            last_sent: now,
            last_heard: now,
            pinged: None,
            timer: Box::pin(sleep_until(now + interval)),
        }
    }

    pub(crate) fn sent(&mut self) {
        self.last_sent = Instant::now();
    }

    pub(crate) fn heard(&mut self) {
        self.last_heard = Instant::now();
        self.pinged = None;
    }

    /// Ready when something is due. A returned ping counts as asked for: its answer is waited for from now on.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        loop {
            let now = Instant::now();
            let at = match self.pinged {
                Some(pinged) => pinged + MAX_PONG_WAIT.min(self.interval / 2),
                None => self.last_sent.min(self.last_heard) + self.interval,
            };
            if at <= now {
                return Poll::Ready(match self.pinged.replace(now) {
                    Some(_) => Due::Dead,
                    None => Due::Ping,
                });
            }
            // The timer is moved only when it rings, not with every packet: that would cost more than the packet.
            if self.timer.deadline() > at || self.timer.is_elapsed() {
                self.timer.as_mut().reset(at);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
