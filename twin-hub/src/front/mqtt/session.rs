//! Everything after CONNACK: one loop per connection.
//!
//! Requests are answered in the order they came, though many reported patches may be with the engine at a time: that is
//! what makes group commit worth something on one connection. A GET is looked up when its turn comes, so it sees the
//! patches before it.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    Packet, PubAck, Publish, SubAck, Subscribe, SubscribeReasonCode, UnsubAck, Unsubscribe,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};
use twin_core::TwinKey;
use twin_core::wire::{ApiVersion, Channel, Heard, HubCode, Refusal, Rid, Said, mqtt};

use super::super::faults::RequestFault;
use super::super::metrics::{Door, count};
use super::super::{Front, Interrupt, Interrupted, Peer};
use super::link::{Link, MAX_PACKET, Violation};
use super::login::Admitted;
use super::mail::{Letter, Mail};
use crate::engine::Notice;

/// Requests of one connection that may be with the engine at a time; reading stops beyond.
const MAX_IN_FLIGHT: usize = 128;
/// Bytes of their bodies; reading stops beyond.
const MAX_IN_FLIGHT_BYTES: usize = 1024 * 1024;
/// Bytes waiting to be sent above which nothing is read and no answer made, until the peer takes some.
const HIGH_WATER_BYTES: usize = 128 * 1024;

/// Why a connection ended.
#[derive(Debug)]
enum Ended {
    Disconnect,
    Eof,
    Io(io::Error),
    Violation(String),
    Silent,
    HalfPacket,
    Expired,
    TakenOver,
    Revoked,
    TooSlow,
    Stopping,
    Cut,
}

impl From<io::Error> for Ended {
    fn from(e: io::Error) -> Self {
        Ended::Io(e)
    }
}

impl From<Violation> for Ended {
    fn from(v: Violation) -> Self {
        Ended::Violation(v.0)
    }
}

/// A request that is with the engine, or waits for those that are.
struct Done {
    /// the packet id to acknowledge, for QoS 1
    ack: Option<u16>,
    bytes: usize,
    what: What,
}

enum What {
    /// nothing to say but the acknowledgement
    Taken,
    /// the twin is asked for
    Get(Rid),
    /// a report was judged
    Reported(Rid, Result<u64, Refusal>),
    /// a request was refused before it got anywhere
    Refused(Rid, Refusal),
}

/// Whether a twin request is served.
enum Verdict {
    /// by this version's rules; `heard` is false when its answer shall be lost on purpose
    Serve {
        api: ApiVersion,
        heard: bool,
    },
    Refuse(Refusal),
}

type Pending = Pin<Box<dyn Future<Output = Done> + Send>>;

enum Event {
    Packet(Packet),
    Done(Done),
    Notice(Option<Notice>),
    Mail(Letter),
    Tick,
    Eof,
}

struct Session<S> {
    front: Arc<Front>,
    link: Link<S>,
    admitted: Admitted,
    subscribed: BTreeSet<Channel>,
    /// while subscribed to cloud-to-device messages
    mail: Option<Box<Mail>>,
    in_flight: FuturesOrdered<Pending>,
    in_flight_bytes: usize,
    heard_at: Instant,
    timer: Pin<Box<Sleep>>,
}

/// Serves a device that was let in.
pub(super) async fn run<S>(front: Arc<Front>, link: Link<S>, admitted: Admitted, peer: Peer, door: Door)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    front.metrics.opened(door);
    let mut interrupt = Interrupt::new(&front);
    let now = Instant::now();
    let mut session = Session {
        subscribed: admitted.attachment.subscriptions.iter().copied().collect(),
        mail: None,
        in_flight: FuturesOrdered::new(),
        in_flight_bytes: 0,
        heard_at: now,
        timer: Box::pin(tokio::time::sleep_until(now + admitted.silence)),
        front,
        link,
        admitted,
    };
    if session.subscribed.contains(&Channel::CloudToDevice) {
        session.deliver_mail(QoS::AtLeastOnce);
    }
    session.arm();
    let ended = tokio::select! {
        biased;
        interrupted = interrupt.wait() => match interrupted {
            Interrupted::Cut => Ended::Cut,
            Interrupted::Stopping => Ended::Stopping,
        },
        ended = session.serve() => ended,
    };
    session.end(ended, &peer).await;
    session.front.metrics.closed(door);
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    async fn serve(&mut self) -> Ended {
        loop {
            let event = match std::future::poll_fn(|cx| self.poll_event(cx)).await {
                Ok(event) => event,
                Err(ended) => return ended,
            };
            let outcome = match event {
                // Boxed: packets are rare on an idle connection, and its future need not hold room for them.
                Event::Packet(packet) => Box::pin(self.packet(packet)).await,
                Event::Done(done) => self.done(done),
                Event::Notice(notice) => self.notice(notice),
                Event::Mail(letter) => {
                    self.mail(letter);
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
            let flowing = self.link.unsent() < HIGH_WATER_BYTES;
            if may_read && flowing {
                match self.link.next_packet(MAX_PACKET) {
                    Ok(Some(packet)) => return Poll::Ready(Ok(Event::Packet(packet))),
                    Ok(None) => {}
                    Err(violation) => return Poll::Ready(Err(violation.into())),
                }
            }
            if flowing
                && !self.in_flight.is_empty()
                && let Poll::Ready(Some(done)) = self.in_flight.poll_next_unpin(cx)
            {
                return Poll::Ready(Ok(Event::Done(done)));
            }
            if flowing
                && let Some(mail) = &mut self.mail
                && let Poll::Ready(found) = mail.poll(cx)
            {
                return Poll::Ready(Ok(Event::Mail(found)));
            }
            if let Poll::Ready(notice) = self.admitted.notices.poll_recv(cx) {
                return Poll::Ready(Ok(Event::Notice(notice)));
            }
            if let Poll::Ready(Err(e)) = self.link.poll_drain(cx) {
                return Poll::Ready(Err(e.into()));
            }
            if !flowing && self.link.unsent() < HIGH_WATER_BYTES {
                continue;
            }
            if may_read {
                match self.link.poll_fill(cx) {
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

    /// Whether there is room for more of what the peer says.
    fn may_read(&self) -> bool {
        self.in_flight.len() < MAX_IN_FLIGHT
            && self.in_flight_bytes < MAX_IN_FLIGHT_BYTES
            && self.link.unsent() < HIGH_WATER_BYTES
    }

    /// When the next patience ends.
    fn deadline(&self) -> Instant {
        let half_packet = self.link.incomplete_since.map(|since| since + self.front.limits.packet_time);
        let silence = self.heard_at + self.admitted.silence;
        [self.admitted.until, half_packet].into_iter().flatten().fold(silence, Instant::min)
    }

    /// Sets the timer if it would ring too late; one that rings too early is set again when it does.
    fn arm(&mut self) {
        let deadline = self.deadline();
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
    }

    fn tick(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        if self.admitted.until.is_some_and(|until| until <= now) {
            return Err(Ended::Expired);
        }
        if !self.may_read() {
            // The hub itself has stopped reading: what the peer may have said meanwhile has not been looked at.
            self.heard_at = now;
            self.link.incomplete_since = self.link.incomplete_since.map(|_| now);
        }
        if self.heard_at + self.admitted.silence <= now {
            return Err(Ended::Silent);
        }
        if self.link.incomplete_since.is_some_and(|since| since + self.front.limits.packet_time <= now) {
            return Err(Ended::HalfPacket);
        }
        let deadline = self.deadline();
        self.timer.as_mut().reset(deadline);
        Ok(())
    }

    async fn packet(&mut self, packet: Packet) -> Result<(), Ended> {
        self.heard_at = Instant::now();
        match packet {
            Packet::Publish(publish) => self.publish(publish),
            Packet::Subscribe(subscribe) => self.subscribe(subscribe).await,
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(unsubscribe).await,
            Packet::PingReq => {
                self.link.send(&Packet::PingResp);
                Ok(())
            }
            Packet::PubAck(ack) => {
                if let Some(completed) = self.mail.as_mut().and_then(|mail| mail.complete(ack.pkid)) {
                    self.in_flight.push_back(Box::pin(async move {
                        completed.await;
                        Done { ack: None, bytes: 0, what: What::Taken }
                    }));
                }
                // One that is not waited for is harmless.
                Ok(())
            }
            Packet::Disconnect => Err(Ended::Disconnect),
            Packet::Connect(_) => Err(Ended::Violation("a second CONNECT".into())),
            other => Err(Ended::Violation(format!("a client may not send this: {other:?}"))),
        }
    }

    fn publish(&mut self, publish: Publish) -> Result<(), Ended> {
        self.admitted.attachment.touch();
        let bytes = publish.payload.len();
        let ack = (publish.qos == QoS::AtLeastOnce).then_some(publish.pkid);
        let key = &self.admitted.key;
        let said = mqtt::hear(key, &publish.topic, publish.payload)
            .map_err(|e| Ended::Violation(clip(e.message()).to_owned()))?;
        let what = match said {
            Said::GetTwin { rid } => match self.verdict()? {
                Verdict::Refuse(refusal) => What::Refused(rid, refusal),
                Verdict::Serve { heard: true, .. } => What::Get(rid),
                Verdict::Serve { heard: false, .. } => What::Taken,
            },
            Said::Report { rid, patch, if_version } => match self.verdict()? {
                Verdict::Refuse(refusal) => What::Refused(rid, refusal),
                Verdict::Serve { api, heard } => {
                    let (engine, key) = (self.front.engine.clone(), key.clone());
                    self.in_flight_bytes += bytes;
                    // Unconstrained: futures that tokio makes wait for their turn wake in reverse, and reports must
                    // reach the engine in the order they were made.
                    self.in_flight.push_back(Box::pin(tokio::task::unconstrained(async move {
                        let outcome = engine.report(&key, patch, if_version, api).await;
                        let what = if heard { What::Reported(rid, outcome) } else { What::Taken };
                        Done { ack, bytes, what }
                    })));
                    return Ok(());
                }
            },
            Said::Telemetry { .. } => {
                self.admitted.attachment.count_telemetry(bytes);
                What::Taken
            }
            Said::MethodAnswer { .. } => {
                tracing::debug!(device = %key, "an answer to a method that nobody called");
                What::Taken
            }
            other => return Err(Ended::Violation(format!("not by PUBLISH: {other:?}"))),
        };
        self.push(Done { ack, bytes, what });
        Ok(())
    }

    /// Whether a twin request is served: a fault may be asked for, a login may lack its version.
    fn verdict(&self) -> Result<Verdict, Ended> {
        let heard = match self.front.faults.next_request() {
            None => true,
            Some(RequestFault::Cut) => return Err(Ended::Cut),
            Some(fault) => match fault.refusal() {
                Some(refusal) => return Ok(Verdict::Refuse(refusal)),
                None => false,
            },
        };
        Ok(match self.admitted.api_version {
            Some(api) => Verdict::Serve { api, heard },
            None => {
                let why = "the MQTT user name names no API version, and twin requests need one";
                Verdict::Refuse(Refusal::new(HubCode::INVALID_PROTOCOL_VERSION, why))
            }
        })
    }

    /// Queues something that is done already behind those that are not.
    fn push(&mut self, done: Done) {
        self.in_flight_bytes += done.bytes;
        self.in_flight.push_back(Box::pin(std::future::ready(done)));
    }

    fn done(&mut self, done: Done) -> Result<(), Ended> {
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(done.bytes);
        if let Some(pkid) = done.ack {
            self.link.send(&Packet::PubAck(PubAck::new(pkid)));
        }
        let (rid, outcome) = match done.what {
            What::Taken => return Ok(()),
            What::Get(rid) => {
                count(&self.front.metrics.twin_reads);
                let twin = self.front.engine.device_twin(&self.admitted.key);
                (rid, twin.map(|body| (200, None, body)))
            }
            What::Reported(rid, outcome) => {
                if outcome.is_ok() {
                    count(&self.front.metrics.twin_updates);
                }
                (rid, outcome.map(|version| (204, Some(version), Bytes::new())))
            }
            What::Refused(rid, refusal) => (rid, Err(refusal)),
        };
        let (status, version, body) = outcome.unwrap_or_else(|refusal| self.refused(refusal));
        if self.subscribed.contains(&Channel::TwinAnswers) {
            self.say(&Heard::Answer { rid, status, version, body })
        } else {
            tracing::debug!(device = %self.admitted.key, status, "answer dropped: its topic is not subscribed to");
            Ok(())
        }
    }

    fn refused(&self, mut refusal: Refusal) -> (u16, Option<u64>, Bytes) {
        self.front.metrics.refused(refusal.code);
        if refusal.tracking_id.is_empty() {
            refusal.tracking_id = super::super::tracking_id();
        }
        tracing::info!(
            device = %self.admitted.key,
            status = refusal.code.status,
            code = refusal.code.name,
            tracking_id = %refusal.tracking_id,
            reason = %refusal.message,
            "twin request refused"
        );
        (refusal.code.status, None, refusal.device_body(self.front.now()).into())
    }

    fn notice(&mut self, notice: Option<Notice>) -> Result<(), Ended> {
        match notice {
            Some(Notice::Desired { version, body }) => {
                count(&self.front.metrics.desired_sent);
                self.say(&Heard::Desired { version: Some(version), body })
            }
            Some(Notice::Mail) => {
                if let Some(mail) = &mut self.mail {
                    mail.wake();
                }
                Ok(())
            }
            Some(Notice::TakenOver) => Err(Ended::TakenOver),
            Some(Notice::Revoked) => Err(Ended::Revoked),
            // The engine dropped the other end: notices came faster than this connection could take them.
            None => Err(Ended::TooSlow),
        }
    }

    /// Delivers messages from now on.
    fn deliver_mail(&mut self, qos: QoS) {
        match &mut self.mail {
            Some(mail) => mail.set_qos(qos),
            None => {
                let (engine, key) = (self.front.engine.clone(), TwinKey::clone(&self.admitted.key));
                self.mail = Some(Box::new(Mail::new(engine, key, qos)));
            }
        }
    }

    fn mail(&mut self, (held, message): Letter) {
        let Some(mail) = &mut self.mail else { return };
        let (qos, pkid) = mail.hold(held);
        if let Some(publish) = mqtt::say_hub(&self.admitted.key, &Heard::CloudToDevice(message)) {
            let mut publish = Publish::from_bytes(publish.topic, qos, publish.payload);
            publish.pkid = pkid;
            self.link.send(&Packet::Publish(publish));
        }
    }

    fn say(&mut self, heard: &Heard) -> Result<(), Ended> {
        if let Some(publish) = mqtt::say_hub(&self.admitted.key, heard) {
            // QoS 0 whatever was granted: twin messages are never stored nor sent again.
            let publish = Publish::from_bytes(publish.topic, QoS::AtMostOnce, publish.payload);
            self.link.send(&Packet::Publish(publish));
        }
        if self.link.unsent() > self.front.limits.max_unsent_bytes { Err(Ended::TooSlow) } else { Ok(()) }
    }

    async fn subscribe(&mut self, subscribe: Subscribe) -> Result<(), Ended> {
        let mut codes = Vec::with_capacity(subscribe.filters.len());
        for filter in subscribe.filters {
            codes.push(match mqtt::hear_filter(&self.admitted.key, &filter.path) {
                Some(channel) => {
                    if !self.subscribed.contains(&channel) {
                        self.admitted.attachment.subscribe(channel).await.map_err(unattached)?;
                        self.subscribed.insert(channel);
                    }
                    let qos = match filter.qos {
                        QoS::AtMostOnce => QoS::AtMostOnce,
                        _ => QoS::AtLeastOnce,
                    };
                    if channel == Channel::CloudToDevice {
                        self.deliver_mail(qos);
                    }
                    SubscribeReasonCode::Success(qos)
                }
                None => {
                    tracing::info!(device = %self.admitted.key, filter = ?clip(&filter.path), "subscription refused");
                    SubscribeReasonCode::Failure
                }
            });
        }
        self.link.send(&Packet::SubAck(SubAck::new(subscribe.pkid, codes)));
        Ok(())
    }

    async fn unsubscribe(&mut self, unsubscribe: Unsubscribe) -> Result<(), Ended> {
        for topic in &unsubscribe.topics {
            if let Some(channel) = mqtt::hear_filter(&self.admitted.key, topic)
                && self.subscribed.contains(&channel)
            {
                self.admitted.attachment.unsubscribe(channel).await.map_err(unattached)?;
                self.subscribed.remove(&channel);
                if channel == Channel::CloudToDevice {
                    self.mail = None;
                }
            }
        }
        self.link.send(&Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid)));
        Ok(())
    }

    /// Finishes: what was acknowledged or answered goes out if the peer takes it, a will is counted.
    async fn end(&mut self, ended: Ended, peer: &Peer) {
        let device = &self.admitted.key;
        match &ended {
            Ended::Disconnect | Ended::Eof | Ended::Stopping | Ended::TakenOver => {
                tracing::debug!(peer = %peer.address, %device, why = ?ended, "disconnected");
            }
            Ended::Io(e) => tracing::debug!(peer = %peer.address, %device, why = %e, "disconnected"),
            Ended::Violation(why) => {
                tracing::info!(peer = %peer.address, %device, why, "disconnected the device: not allowed");
            }
            _ => tracing::info!(peer = %peer.address, %device, why = ?ended, "disconnected the device"),
        }
        if let Some(bytes) = self.admitted.will.take()
            && !matches!(ended, Ended::Disconnect)
        {
            self.admitted.attachment.count_telemetry(bytes);
        }
        if matches!(ended, Ended::Cut | Ended::Io(_) | Ended::TooSlow) {
            return;
        }
        let patience = self.front.limits.close_time;
        let finish = async {
            // What the device said before it went is done; the hub's own goodbye answers it, too.
            while let Some(done) = self.in_flight.next().await {
                if matches!(ended, Ended::Stopping) && self.done(done).is_err() {
                    break;
                }
            }
            let _ = self.link.close().await;
        };
        let _ = tokio::time::timeout(patience, finish).await;
    }
}

/// The engine no longer knows this connection, or could not keep the subscription.
fn unattached(refusal: Refusal) -> Ended {
    Ended::Violation(format!("subscription: {}", refusal.message))
}

/// As much of what a peer chose as a log line should hold.
fn clip(text: &str) -> &str {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
