//! One loop per connection, from `open` to its end.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{FuturesOrdered, FuturesUnordered, SelectAll};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};
use twin_core::TwinKey;

use super::super::metrics::Door;
use super::super::{Front, Interrupt, Interrupted, Peer, tracking_id};
use super::arrival::{Entered, Entering, Newcomer};
use super::claims::Claims;
use super::device::{Device, Heard, Notices};
use super::frame::{ErrorValue, Open, Performative};
use super::mail::{self, Mailed, Mailing};
use super::pipe::{Frame, MAX_FRAME, Pipe};
use super::sasl;
use super::session::Session;
use super::twin;
use super::value::Malformed;

/// Requests of one connection that may be with the engine at a time; reading stops beyond.
const MAX_IN_FLIGHT: usize = 128;
/// Bytes of their bodies; reading stops beyond.
const MAX_IN_FLIGHT_BYTES: usize = 1024 * 1024;
/// Bytes waiting to be sent above which nothing is read and no answer made, until the peer takes some. One frame of the
/// peer's can set free what waited for credit on top, [`MAX_HELD_BYTES`](super::link::MAX_HELD_BYTES) at most.
const HIGH_WATER_BYTES: usize = 128 * 1024;
/// Largest channel number: one session per device is what .NET and Java open.
pub(super) const CHANNEL_MAX: u16 = 1023;
/// How long a peer may be silent; half of it is what `open` asks for. IoT Edge's hub closes after four minutes.
const SILENCE: Duration = Duration::from_secs(240);
/// Shortest silence that a peer may ask the hub to keep below. Proton asks for half a second when told to beat each second.
const LEAST_IDLE: Duration = Duration::from_millis(200);
/// Smallest frame that a peer must take (AMQP 1.0, 2.7.1).
const LEAST_FRAME: u32 = 512;

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// the peer closed it as AMQP says
    Closed,
    Eof,
    Io(io::Error),
    /// the peer broke a rule, or a rule of the hub's ends it: the condition, and why
    Broken(&'static str, String),
    Silent,
    HalfFrame,
    Stopping,
    Cut,
}

impl From<io::Error> for Ended {
    fn from(e: io::Error) -> Self {
        Ended::Io(e)
    }
}

impl From<Malformed> for Ended {
    fn from(e: Malformed) -> Self {
        Ended::Broken("amqp:decode-error", e.0)
    }
}

enum Event {
    Frame(Frame),
    Entered(Entered),
    Done(Finished),
    Notice(Heard),
    Mailed(Mailed),
    Tick,
    Eof,
}

/// What was with the engine and is to be answered.
pub(super) enum Finished {
    Twin(twin::Done),
    Mail(mail::Done),
}

pub(super) type Pending = Pin<Box<dyn Future<Output = Finished> + Send>>;

/// What the peer's `open` said.
#[derive(Debug)]
struct Remote {
    max_frame: usize,
    /// how often something must be said
    heartbeat: Option<Duration>,
}

pub(super) struct Connection<S> {
    pub(super) front: Arc<Front>,
    pub(super) peer: Peer,
    pub(super) pipe: Pipe<S>,
    pub(super) claims: Claims,
    pub(super) sessions: HashMap<u16, Session>,
    pub(super) devices: HashMap<Arc<TwinKey>, Device>,
    pub(super) notices: SelectAll<Notices>,
    /// devices that are being attached to the engine
    pub(super) entering: FuturesUnordered<Entering>,
    /// links that wait for them
    pub(super) newcomers: HashMap<TwinKey, Vec<Newcomer>>,
    pub(super) in_flight: FuturesOrdered<Pending>,
    pub(super) in_flight_bytes: usize,
    /// messages that come out of queues
    pub(super) mail: FuturesUnordered<Mailing>,
    /// whether one of these waits for feedback
    pub(super) awaits_feedback: bool,
    /// numbers links and devices
    pub(super) serial: u64,
    remote: Remote,
    heard_at: Instant,
    said_at: Instant,
    timer: Pin<Box<Sleep>>,
}

/// Serves a peer until it goes or must.
pub(super) async fn run<S>(front: Arc<Front>, pipe: Pipe<S>, peer: Peer, door: Door)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut interrupt = Interrupt::new(&front);
    // Boxed: this future is large and short-lived.
    let arrival = Box::pin(arrive(&front, pipe, &peer));
    let arrived = tokio::select! {
        biased;
        _ = interrupt.wait() => return,
        arrived = arrival => arrived,
    };
    let Some((pipe, claims, remote)) = arrived else { return };
    front.metrics.opened(door);
    let now = Instant::now();
    let mut connection = Connection {
        pipe,
        claims,
        sessions: HashMap::new(),
        devices: HashMap::new(),
        notices: SelectAll::new(),
        entering: FuturesUnordered::new(),
        newcomers: HashMap::new(),
        in_flight: FuturesOrdered::new(),
        in_flight_bytes: 0,
        mail: FuturesUnordered::new(),
        awaits_feedback: false,
        serial: 0,
        remote,
        heard_at: now,
        said_at: now,
        timer: Box::pin(tokio::time::sleep_until(now + SILENCE)),
        front,
        peer,
    };
    connection.arm();
    let ended = tokio::select! {
        biased;
        interrupted = interrupt.wait() => match interrupted {
            Interrupted::Cut => Ended::Cut,
            Interrupted::Stopping => Ended::Stopping,
        },
        ended = connection.serve() => ended,
    };
    Box::pin(connection.end(ended)).await;
    connection.front.metrics.closed(door);
}

/// From the first byte to `open`.
async fn arrive<S>(front: &Front, mut pipe: Pipe<S>, peer: &Peer) -> Option<(Pipe<S>, Claims, Remote)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut claims = Claims::default();
    let arrival = async {
        sasl::negotiate(front, &mut pipe, peer, &mut claims).await?;
        loop {
            match pipe.next_frame() {
                Ok(Some(Frame::Performative {
                    channel: 0, performative: Performative::Open(open), ..
                })) => return opened(&mut pipe, &open),
                Ok(Some(Frame::Empty)) => {}
                Ok(Some(_)) => return refuse(&mut pipe, "amqp:illegal-state", "the first frame is no open"),
                Ok(None) => {
                    pipe.drain().await.map_err(|e| e.to_string())?;
                    match pipe.fill().await {
                        Ok(0) => return Err("closed by the peer".into()),
                        Ok(_) => {}
                        Err(e) => return Err(e.to_string()),
                    }
                }
                Err(Malformed(why)) => return refuse(&mut pipe, "amqp:decode-error", &why),
            }
        }
    };
    let why = match tokio::time::timeout(front.limits.first_words_time, arrival).await {
        Ok(Ok(remote)) => return Some((pipe, claims, remote)),
        Ok(Err(why)) => why,
        Err(_) => "no open in time".to_owned(),
    };
    tracing::debug!(peer = %peer.address, why, "closed before AMQP was open");
    let _ = tokio::time::timeout(front.limits.close_time, pipe.close()).await;
    None
}

fn refuse<S>(pipe: &mut Pipe<S>, condition: &str, why: &str) -> Result<Remote, sasl::Failed> {
    say_open(pipe);
    Performative::Close(Some(plain_error(condition, why))).write(0, b"", &mut pipe.outbox);
    Err(why.to_owned())
}

fn say_open<S>(pipe: &mut Pipe<S>) {
    let open = Open {
        container_id: "twin-hub".into(),
        hostname: None,
        max_frame_size: Some(MAX_FRAME as u32),
        channel_max: Some(CHANNEL_MAX),
        idle_time_out: Some((SILENCE / 2).as_millis() as u32),
    };
    Performative::Open(open).write(0, b"", &mut pipe.outbox);
}

/// Answers the peer's `open`.
fn opened<S>(pipe: &mut Pipe<S>, open: &Open) -> Result<Remote, sasl::Failed> {
    let max_frame = open.max_frame_size.unwrap_or(u32::MAX);
    if max_frame < LEAST_FRAME {
        return refuse(pipe, "amqp:frame-size-too-small", "max-frame-size is below 512");
    }
    let idle = open.idle_time_out.filter(|idle| *idle > 0).map(|ms| Duration::from_millis(ms.into()));
    if idle.is_some_and(|idle| idle < LEAST_IDLE) {
        return refuse(pipe, "amqp:not-allowed", "idle-time-out is below 200 ms, which cannot be kept");
    }
    say_open(pipe);
    Ok(Remote { max_frame: (max_frame as usize).min(MAX_FRAME), heartbeat: idle.map(|idle| idle / 2) })
}

/// An error that is AMQP's business alone.
pub(super) fn plain_error(condition: &str, why: &str) -> ErrorValue {
    ErrorValue { condition: condition.to_owned(), description: Some(why.to_owned()), info: Vec::new() }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    async fn serve(&mut self) -> Ended {
        loop {
            let event = match std::future::poll_fn(|cx| self.poll_event(cx)).await {
                Ok(event) => event,
                Err(ended) => return ended,
            };
            let outcome = match event {
                Event::Frame(Frame::Empty) => {
                    self.heard_at = Instant::now();
                    Ok(())
                }
                // Boxed: frames are rare on an idle connection, and its future need not hold room for them.
                Event::Frame(Frame::Performative { channel, performative, payload }) => {
                    self.heard_at = Instant::now();
                    Box::pin(self.dispatch(channel, performative, payload)).await
                }
                Event::Entered(entered) => Box::pin(self.let_in(entered)).await,
                Event::Done(done) => self.done(done),
                Event::Notice(heard) => self.notice(heard),
                Event::Mailed(mailed) => {
                    self.mailed(mailed);
                    Ok(())
                }
                Event::Tick => self.tick(),
                Event::Eof => Err(Ended::Eof),
            };
            if let Err(ended) = outcome {
                return ended;
            }
        }
    }

    /// The next thing to do. Output is written when nothing else can be done at once, so that answers travel together.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Ended>> {
        loop {
            let may_read = self.in_flight.len() < MAX_IN_FLIGHT && self.in_flight_bytes < MAX_IN_FLIGHT_BYTES;
            let flowing = self.pipe.unsent() < HIGH_WATER_BYTES;
            // Before anything is read: most come in at once, and then nothing has to be kept for later.
            if !self.entering.is_empty()
                && let Poll::Ready(Some(entered)) = self.entering.poll_next_unpin(cx)
            {
                return Poll::Ready(Ok(Event::Entered(entered)));
            }
            if may_read && flowing {
                match self.pipe.next_frame() {
                    Ok(Some(frame)) => return Poll::Ready(Ok(Event::Frame(frame))),
                    Ok(None) => {}
                    Err(malformed) => return Poll::Ready(Err(malformed.into())),
                }
            }
            if flowing
                && !self.in_flight.is_empty()
                && let Poll::Ready(Some(done)) = self.in_flight.poll_next_unpin(cx)
            {
                return Poll::Ready(Ok(Event::Done(done)));
            }
            // Notices of many devices may come at once: they wait in their own queues, not here.
            if flowing
                && !self.notices.is_empty()
                && let Poll::Ready(Some(heard)) = self.notices.poll_next_unpin(cx)
            {
                return Poll::Ready(Ok(Event::Notice(heard)));
            }
            if flowing
                && !self.mail.is_empty()
                && let Poll::Ready(Some(mailed)) = self.mail.poll_next_unpin(cx)
            {
                return Poll::Ready(Ok(Event::Mailed(mailed)));
            }
            if self.pipe.unsent() > 0 {
                self.said_at = Instant::now();
            }
            if let Poll::Ready(Err(e)) = self.pipe.poll_drain(cx) {
                return Poll::Ready(Err(e.into()));
            }
            if !flowing && self.pipe.unsent() < HIGH_WATER_BYTES {
                continue;
            }
            if may_read && flowing {
                match self.pipe.poll_fill(cx) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Ok(Event::Eof)),
                    Poll::Ready(Ok(_)) => {
                        self.arm();
                        continue;
                    }
                    Poll::Ready(Err(e)) => return Poll::Ready(Err(e.into())),
                    Poll::Pending => {}
                }
            }
            return self.timer.as_mut().poll(cx).map(|()| Ok(Event::Tick));
        }
    }

    /// When the next patience ends.
    fn deadline(&self) -> Instant {
        let half_frame = self.pipe.incomplete_since.map(|since| since + self.front.limits.packet_time);
        let heartbeat = self.remote.heartbeat.map(|every| self.said_at + every);
        let others = [self.claims.next_end(), half_frame, heartbeat];
        others.into_iter().flatten().fold(self.heard_at + SILENCE, Instant::min)
    }

    /// Sets the timer if it would ring too late; one that rings too early is set again when it does.
    pub(super) fn arm(&mut self) {
        let deadline = self.deadline();
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
    }

    fn tick(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        if self.heard_at + SILENCE <= now {
            return Err(Ended::Silent);
        }
        if self.claims.next_end().is_some_and(|end| end <= now) {
            self.expire(now);
        }
        // A frame that waits because the hub itself has stopped reading is not the peer's fault.
        let reading = self.in_flight.len() < MAX_IN_FLIGHT && self.pipe.unsent() < HIGH_WATER_BYTES;
        match self.pipe.incomplete_since {
            Some(since) if since + self.front.limits.packet_time <= now => {
                if reading {
                    return Err(Ended::HalfFrame);
                }
                self.pipe.incomplete_since = Some(now);
            }
            _ => {}
        }
        if self.remote.heartbeat.is_some_and(|every| self.said_at + every <= now) {
            self.pipe.beat();
            self.said_at = now;
        }
        let deadline = self.deadline();
        self.timer.as_mut().reset(deadline);
        Ok(())
    }

    /// Queues a message on a link and sends what may be sent; `false` if the link is not there any more.
    pub(super) fn send(&mut self, channel: u16, handle: u32, bytes: Bytes) -> bool {
        let max_frame = self.remote.max_frame;
        self.sessions
            .get_mut(&channel)
            .is_some_and(|session| session.send(handle, bytes, None, max_frame, &mut self.pipe.outbox))
    }

    /// Answers what the engine was asked for.
    fn done(&mut self, finished: Finished) -> Result<(), Ended> {
        match finished {
            Finished::Twin(done) => self.twin_done(done),
            Finished::Mail(done) => {
                self.mail_done(done);
                Ok(())
            }
        }
    }

    pub(super) fn max_frame(&self) -> usize {
        self.remote.max_frame
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A refusal as an error of a link or connection; counted and logged.
    pub(super) fn error(&self, mut refusal: twin_core::wire::Refusal) -> ErrorValue {
        self.front.metrics.refused(refusal.code);
        if refusal.tracking_id.is_empty() {
            refusal.tracking_id = tracking_id();
        }
        tracing::info!(
            peer = %self.peer.address,
            code = refusal.code.name,
            tracking_id = %refusal.tracking_id,
            reason = %refusal.message,
            "refused over AMQP"
        );
        super::error_of(&refusal, self.front.now())
    }

    /// Finishes: what was acknowledged or answered goes out if the peer takes it.
    async fn end(&mut self, ended: Ended) {
        let (peer, devices) = (self.peer.address, self.devices.len());
        match &ended {
            Ended::Closed | Ended::Eof | Ended::Stopping => {
                tracing::debug!(%peer, devices, why = ?ended, "disconnected");
            }
            Ended::Io(e) => tracing::debug!(%peer, devices, why = %e, "disconnected"),
            _ => tracing::info!(%peer, devices, why = ?ended, "disconnected the peer"),
        }
        if matches!(ended, Ended::Cut | Ended::Io(_)) {
            return;
        }
        let patience = self.front.limits.close_time;
        let finish = async {
            // What was said before the end is done; the hub's own goodbye answers it, too.
            while let Some(done) = self.in_flight.next().await {
                if matches!(ended, Ended::Stopping) && self.done(done).is_err() {
                    break;
                }
            }
            let error = match &ended {
                Ended::Broken(condition, why) => Some(plain_error(condition, why)),
                Ended::Stopping => Some(plain_error("amqp:connection:forced", "the hub is stopping")),
                Ended::Silent => Some(plain_error(
                    "amqp:resource-limit-exceeded",
                    "nothing was heard for longer than idle-time-out",
                )),
                Ended::HalfFrame => {
                    Some(plain_error("amqp:connection:framing-error", "a frame was begun and not ended"))
                }
                _ => None,
            };
            Performative::Close(error).write(0, b"", &mut self.pipe.outbox);
            let _ = self.pipe.close().await;
        };
        let _ = tokio::time::timeout(patience, Box::pin(finish)).await;
        self.devices.clear();
    }
}
