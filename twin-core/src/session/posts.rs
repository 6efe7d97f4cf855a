//! What is sent without an answer of its own: telemetry, and what becomes of cloud-to-device messages. A queue in the
//! order it was made, several in flight, sent again when the hub did not confirm.

use std::collections::VecDeque;
use std::time::Duration;

use super::requests::{End, Outbox, Waiter, earliest};
use crate::error::{Delivery, Error};
use crate::message::{Message, Settlement};
use crate::wire::Said;

/// Bytes of telemetry that wait or are in flight; one message more is refused.
pub const MAX_POST_BYTES: usize = 16 * 1024 * 1024;

/// What is sent.
#[derive(Clone, Debug)]
pub(super) enum Cargo {
    Message(Box<Message>),
    Batch(Vec<Message>),
    Settle { lock_token: String, settlement: Settlement },
    Receive { drain: bool },
}

impl Cargo {
    /// For messages of errors.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Cargo::Message(_) => "sending telemetry",
            Cargo::Batch(_) => "sending a batch of telemetry",
            Cargo::Settle { settlement: Settlement::Complete, .. } => "completing a message",
            Cargo::Settle { settlement: Settlement::Reject, .. } => "rejecting a message",
            Cargo::Settle { settlement: Settlement::Abandon, .. } => "abandoning a message",
            Cargo::Receive { .. } => "asking for messages",
        }
    }

    /// What counts against the bounds.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Cargo::Message(message) => message.bytes(),
            Cargo::Batch(messages) => messages.iter().map(Message::bytes).sum(),
            Cargo::Settle { lock_token, .. } => lock_token.len(),
            Cargo::Receive { .. } => 0,
        }
    }

    fn say(&self, tag: u64) -> Said {
        match self.clone() {
            Cargo::Message(message) => Said::Telemetry { tag, message },
            Cargo::Batch(messages) => Said::Batch { tag, messages },
            Cargo::Settle { lock_token, settlement } => Said::Settle { tag, lock_token, settlement },
            Cargo::Receive { drain } => Said::Receive { tag, drain },
        }
    }
}

#[derive(Debug)]
struct Post {
    waiter: Waiter,
    cargo: Cargo,
}

#[derive(Debug)]
struct Flight {
    tag: u64,
    answer_by: Duration,
    post: Post,
}

/// Everything of the kind, waiting or in flight.
#[derive(Debug, Default)]
pub(super) struct Posts {
    queue: VecDeque<Post>,
    flights: VecDeque<Flight>,
    bytes: usize,
    last_tag: u64,
    /// The hub refused for the moment: not before this.
    pub(super) not_before: Option<Duration>,
    /// Refusals for the moment in a row.
    pub(super) attempt: u32,
}

impl Posts {
    pub(super) fn push(&mut self, waiter: Waiter, cargo: Cargo) {
        self.bytes += cargo.bytes();
        self.queue.push_back(Post { waiter, cargo });
    }

    /// Owners that wait.
    pub(super) fn len(&self) -> usize {
        self.queue.len() + self.flights.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn in_flight(&self) -> bool {
        !self.flights.is_empty()
    }

    /// The next to say, if one may go out now.
    pub(super) fn next(&mut self, now: Duration, most: usize, answer_by: Duration) -> Option<Said> {
        if self.flights.len() >= most.max(1) || self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        let post = self.queue.pop_front()?;
        self.last_tag += 1;
        let said = post.cargo.say(self.last_tag);
        self.flights.push_back(Flight { tag: self.last_tag, answer_by, post });
        Some(said)
    }

    /// The one that the hub took or refused, taken out.
    pub(super) fn take(&mut self, tag: u64) -> Option<Taken> {
        let at = self.flights.iter().position(|flight| flight.tag == tag)?;
        let post = self.flights.remove(at)?.post;
        self.bytes -= post.cargo.bytes();
        Some(Taken(post))
    }

    /// To be sent again, before all that was not sent yet.
    pub(super) fn again(&mut self, Taken(mut post): Taken, refusal: Error) {
        post.waiter.refusal = Some(refusal);
        self.bytes += post.cargo.bytes();
        self.queue.push_front(post);
    }

    /// What should have been confirmed by now waits again. Tells how much of it there is.
    pub(super) fn overdue(&mut self, now: Duration) -> u32 {
        let late = self.flights.iter().filter(|flight| now >= flight.answer_by).count();
        self.recall(|flight| now >= flight.answer_by);
        late as u32
    }

    /// The link is gone: everything waits again, in order.
    pub(super) fn link_lost(&mut self) {
        self.recall(|_| true);
    }

    fn recall(&mut self, which: impl Fn(&Flight) -> bool) {
        let (back, stay): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.flights).into_iter().partition(which);
        self.flights = stay;
        for mut flight in back.into_iter().rev() {
            flight.post.waiter.maybe_done = true;
            self.queue.push_front(flight.post);
        }
    }

    /// Ends those that `which` picks. What is in flight may arrive all the same.
    pub(super) fn end(&mut self, out: &mut Outbox, end: &End, which: impl Fn(&Waiter) -> bool) {
        let mut bytes = 0;
        let mut stays = |post: &mut Post, in_flight: bool| {
            let ends = which(&post.waiter);
            if ends {
                post.waiter.end(out, post.cargo.what(), in_flight, end);
                bytes += post.cargo.bytes();
            }
            !ends
        };
        self.flights.retain_mut(|flight| stays(&mut flight.post, true));
        self.queue.retain_mut(|post| stays(post, false));
        self.bytes -= bytes;
    }

    /// When a wait ends.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let flying = self.flights.iter().map(|flight| &flight.post);
        self.queue.iter().chain(flying).map(|post| post.waiter.deadline).min()
    }

    /// When a confirmation is overdue.
    pub(super) fn wake_flights(&self) -> Option<Duration> {
        self.flights.iter().map(|flight| flight.answer_by).min()
    }

    /// When something is to be done on an open link.
    pub(super) fn wake(&self, most: usize) -> Option<Duration> {
        let room = !self.queue.is_empty() && self.flights.len() < most.max(1);
        earliest(self.wake_flights(), self.not_before.filter(|_| room))
    }
}

/// One that the hub took or refused.
pub(super) struct Taken(Post);

impl Taken {
    /// It ends; well, if there is no refusal.
    pub(super) fn done(self, out: &mut Outbox, refusal: Option<Error>) {
        let Post { waiter, cargo } = self.0;
        match refusal {
            None => waiter.answer(out, super::Answer::Taken),
            Some(error) => {
                let delivery = match error.delivery() {
                    _ if waiter.maybe_done => Delivery::Unknown,
                    Some(delivery) => delivery,
                    None => Delivery::Refused,
                };
                let error = error.context(cargo.what()).with_delivery(delivery);
                super::requests::done(out, waiter.ticket, Err(error));
            }
        }
    }
}
