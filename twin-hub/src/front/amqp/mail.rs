//! Cloud-to-device messages and feedback: links out of their queues, and the link that services send on.
//!
//! A link gets one message after another while its peer gives credit; what it was sent is locked until the peer says what
//! becomes of it. What is not settled when a link ends can be received again.

use std::future::Future;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use twin_core::TwinKey;
use twin_core::message::{CloudMessage, Settlement};
use twin_core::wire::amqp::{self, Address, hear_address, hear_message, say_cloud_message};
use twin_core::wire::{HubCode, Refusal};

use super::super::held::{Held, fetch};
use super::connection::{Connection, Finished};
use super::frame::{Attach, Disposition, Fields};
use super::link::{At, Delivery, Feed, Link, Way};
use super::message;
use super::session::Session;
use super::twin::{accepted, rejected};
use super::value::Value;
use crate::mail::Place;

const ACCEPTED: u64 = 0x24;
const REJECTED: u64 = 0x25;
const RELEASED: u64 = 0x26;
const MODIFIED: u64 = 0x27;
/// `snd-settle-mode`: the sender sends all settled.
const SETTLED: u8 = 1;

/// What comes out of the queues for a connection.
pub(super) enum Mailed {
    /// a message for a link, or none was there
    Fetched(At, Option<(Held, Box<CloudMessage>)>),
    /// feedback can be received
    Feedback(watch::Receiver<u64>),
}

pub(super) type Mailing = Pin<Box<dyn Future<Output = Mailed> + Send>>;

/// A message was sent to a device, or one to the peer was settled.
pub(super) struct Done {
    /// a delivery of the peer's that is to be settled, or one of the hub's that the peer waits to see settled
    tells: Option<(At, u32, Sender)>,
    bytes: usize,
    outcome: Result<(), Refusal>,
}

/// Who sent the delivery that an outcome is of.
enum Sender {
    Peer,
    Hub(Value),
}

/// What a link that the peer receives on is fed from.
pub(super) fn feed_of(address: &Address, attach: &Attach) -> Option<Box<Feed>> {
    let from = match address {
        Address::DeviceBound(key) => Place::Device(key.clone()),
        Address::Feedback => Place::Feedback,
        _ => return None,
    };
    let settles = attach.snd_settle_mode != Some(SETTLED);
    Some(Box::new(Feed { from, settles, fetching: false, wants: true, draining: false }))
}

/// What an outcome means; `None` while the peer has not decided.
fn settlement(disposition: &Disposition) -> Option<Settlement> {
    let outcome = disposition.state.clone().and_then(|state| Fields::of(state).ok());
    match outcome {
        Some((ACCEPTED, _)) => Some(Settlement::Complete),
        Some((REJECTED, _)) => Some(Settlement::Reject),
        Some((RELEASED, _)) => Some(Settlement::Abandon),
        Some((MODIFIED, mut fields)) => {
            fields.skip(1);
            let undeliverable = fields.flag("undeliverable-here").unwrap_or_default();
            Some(if undeliverable { Settlement::Reject } else { Settlement::Abandon })
        }
        // Settled without an outcome: nothing says that it was taken.
        _ => disposition.settled.then_some(Settlement::Abandon),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// Gets a message for a link, if it has credit and there may be one.
    pub(super) fn feed(&mut self, at: At) {
        let session = self.sessions.get_mut(&at.channel).filter(|session| !session.ending);
        let link = session.and_then(|session| session.links.get_mut(&at.handle));
        let Some(Link { way: Way::Out(outgoing), serial, .. }) = link else { return };
        let (credit, sending) = (outgoing.credit, !outgoing.queue.is_empty());
        let Some(feed) = outgoing.feed.as_deref_mut().filter(|_| *serial == at.serial) else { return };
        // Credit that is used up needs no draining.
        feed.draining &= credit > 0;
        if feed.fetching || credit == 0 || sending {
            return;
        }
        if feed.wants {
            feed.fetching = true;
            feed.wants = false;
            let fetch = fetch(&self.front.engine, feed.from.clone());
            self.mail.push(Box::pin(async move { Mailed::Fetched(at, fetch.await.ok().flatten()) }));
        } else if feed.draining
            && let Some(session) = self.sessions.get_mut(&at.channel)
        {
            session.drain(at.handle, &mut self.pipe.outbox);
        }
    }

    /// The same for all links of a session.
    pub(super) fn feed_session(&mut self, channel: u16) {
        let Some(session) = self.sessions.get(&channel) else { return };
        for at in session.feeds(|feed| feed.wants || feed.draining) {
            self.feed(at);
        }
    }

    /// There is mail for a device.
    pub(super) fn mail_for(&mut self, key: &TwinKey) {
        if let Some(at) = self.devices.get(key).and_then(|device| device.mail) {
            self.wants(at);
        }
    }

    fn wants(&mut self, at: At) {
        let link = self.sessions.get_mut(&at.channel).and_then(|session| session.links.get_mut(&at.handle));
        let Some(Link { way: Way::Out(outgoing), .. }) = link else { return };
        if let Some(feed) = &mut outgoing.feed {
            feed.wants = true;
            self.feed(at);
        }
    }

    /// A link for feedback was attached.
    pub(super) fn await_feedback(&mut self) {
        if !self.awaits_feedback {
            self.awaits_feedback = true;
            self.push_feedback(self.front.engine.feedback());
        }
    }

    fn push_feedback(&mut self, mut waits: watch::Receiver<u64>) {
        self.mail.push(Box::pin(async move {
            // It ends with the engine, and then no message comes any more.
            if waits.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            Mailed::Feedback(waits)
        }));
    }

    /// Something came out of a queue.
    pub(super) fn mailed(&mut self, mailed: Mailed) {
        match mailed {
            Mailed::Fetched(at, found) => self.fetched(at, found),
            Mailed::Feedback(waits) => {
                let feedback = |feed: &Feed| feed.from == Place::Feedback;
                let links: Vec<At> = self.sessions.values().flat_map(|s| s.feeds(feedback)).collect();
                self.awaits_feedback = !links.is_empty();
                if self.awaits_feedback {
                    self.push_feedback(waits);
                }
                for at in links {
                    self.wants(at);
                }
            }
        }
    }

    fn fetched(&mut self, at: At, found: Option<(Held, Box<CloudMessage>)>) {
        let link = self.sessions.get_mut(&at.channel).and_then(|session| session.links.get_mut(&at.handle));
        // A message for a link that is gone goes back as it is dropped.
        let Some(Link { way: Way::Out(outgoing), serial, .. }) = link else { return };
        let Some(feed) = outgoing.feed.as_deref_mut().filter(|_| *serial == at.serial) else { return };
        feed.fetching = false;
        if let Some((held, cloud)) = found {
            feed.wants = true;
            let settles = feed.settles;
            let bytes = message::write(&say_cloud_message(&cloud));
            match settles {
                true => self.send_held(at, bytes, Some(held)),
                false => {
                    self.send_held(at, bytes, None);
                    self.settle_held(held, Settlement::Complete, None);
                }
            }
        }
        self.feed(at);
    }

    fn send_held(&mut self, at: At, bytes: bytes::Bytes, held: Option<Held>) {
        let max_frame = self.max_frame();
        if let Some(session) = self.sessions.get_mut(&at.channel) {
            session.send(at.handle, bytes, held, max_frame, &mut self.pipe.outbox);
        }
    }

    /// The peer says what becomes of deliveries of the hub's.
    pub(super) fn disposition(&mut self, channel: u16, disposition: &Disposition) {
        let Some(settlement) = settlement(disposition) else { return };
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        for (id, unsettled) in session.disposed(disposition) {
            let state = disposition.state.clone().filter(|_| !disposition.settled);
            let tells = state.map(|state| (unsettled.at, id, Sender::Hub(state)));
            self.settle_held(unsettled.held, settlement, tells);
        }
    }

    fn settle_held(&mut self, held: Held, settlement: Settlement, tells: Option<(At, u32, Sender)>) {
        self.in_flight.push_back(Box::pin(tokio::task::unconstrained(async move {
            Finished::Mail(Done { tells, bytes: 0, outcome: held.settle(settlement).await })
        })));
    }

    /// A service sends a message to the device that it names.
    pub(super) fn service_sends(&mut self, delivery: &Delivery, message: &amqp::Message) {
        let known = |key: &TwinKey| self.front.engine.identity(key).is_some();
        let to = message.to.as_deref().unwrap_or_default();
        let to = match hear_address(to, &known) {
            Ok(Address::DeviceBound(key)) => Ok(key),
            _ => {
                let shown: String = to.chars().take(200).collect();
                let why = format!("The message is to '{}', which names no device", shown.escape_debug());
                Err(Refusal::new(HubCode::INVALID_OPERATION, why))
            }
        };
        let (engine, cargo) = (self.front.engine.clone(), hear_message(message));
        let bytes = delivery.bytes.len();
        let tells = (!delivery.settled).then_some((delivery.at, delivery.id, Sender::Peer));
        self.in_flight_bytes += bytes;
        // Unconstrained: messages must reach the engine in the order in which they came.
        self.in_flight.push_back(Box::pin(tokio::task::unconstrained(async move {
            let outcome = match to {
                Ok(key) => engine.send(key, cargo).await,
                Err(refusal) => Err(refusal),
            };
            Finished::Mail(Done { tells, bytes, outcome })
        })));
    }

    /// Tells the peer how it went.
    pub(super) fn mail_done(&mut self, done: Done) {
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(done.bytes);
        let refused = done.outcome.err().map(|refusal| rejected(&self.error(refusal)));
        match done.tells {
            Some((at, id, Sender::Peer)) => self.settle(at, id, refused.unwrap_or_else(accepted)),
            Some((at, id, Sender::Hub(state))) => {
                let lives = |session: &&Session| {
                    !session.ending && session.links.get(&at.handle).is_some_and(|l| l.serial == at.serial)
                };
                if let Some(session) = self.sessions.get(&at.channel).filter(lives) {
                    session.settled(id, refused.unwrap_or(state), &mut self.pipe.outbox);
                }
            }
            None => {}
        }
    }
}
