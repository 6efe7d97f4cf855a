//! Telemetry and cloud-to-device messages: the session's part.

use super::link::Subscription;
use super::machine::{Session, full};
use super::posts::{Cargo, MAX_POST_BYTES};
use super::requests::{End, Waiter, done};
use super::{Answer, Event, Output, Ticket};
use crate::error::{Delivery, Error, ErrorKind};
use crate::message::{CloudMessage, MAX_TELEMETRY_BYTES};
use crate::wire::{Channel, Said};

const WATCHING: &str = "asking for messages";

/// Whether cloud-to-device messages are wanted, and who waits to hear that they come.
#[derive(Debug, Default)]
pub(super) struct Mail {
    pub(super) wanted: bool,
    pub(super) established: bool,
    pub(super) waiters: Vec<Waiter>,
}

impl Session {
    pub(super) fn post(&mut self, ticket: Ticket, cargo: Cargo) {
        let (what, bytes) = (cargo.what(), cargo.bytes());
        let Some(waiter) = self.admit(ticket, what) else { return };
        let waiting = self.posts.bytes();
        if bytes > MAX_TELEMETRY_BYTES {
            let message = format!(
                "{what}: {bytes} bytes of body and properties are over the limit of {MAX_TELEMETRY_BYTES}"
            );
            let error = Error::new(ErrorKind::TooLarge, message).with_delivery(Delivery::NotSent);
            done(&mut self.out, ticket, Err(error));
        } else if waiting + bytes > MAX_POST_BYTES {
            done(&mut self.out, ticket, Err(full(&format!("{waiting} bytes of telemetry"))));
        } else {
            self.posts.push(waiter, cargo);
        }
    }

    pub(super) fn send_posts(&mut self) {
        let (now, most, answer_by) = (self.now.mono, self.config.max_posts_in_flight, self.answer_by());
        while self.up().is_some_and(|up| up.draining.is_none()) {
            let Some(said) = self.posts.next(now, most, answer_by) else { return };
            self.say(said);
        }
    }

    /// The hub took it, or refused.
    pub(super) fn posted(&mut self, tag: u64, refusal: Option<Error>) {
        let Some(taken) = self.posts.take(tag) else {
            self.counters.unknown_answers += 1;
            return;
        };
        let Some(error) = refusal else {
            (self.posts.attempt, self.posts.not_before) = (0, None);
            return taken.done(&mut self.out, None);
        };
        let attempt = self.posts.attempt;
        let again = if error.is_retryable() { self.pause(attempt, &error) } else { None };
        match again {
            Some(until) => {
                self.posts.attempt = attempt.saturating_add(1);
                self.posts.not_before = Some(until);
                self.posts.again(taken, error);
            }
            None => taken.done(&mut self.out, Some(error)),
        }
    }

    pub(super) fn watch_messages(&mut self, ticket: Ticket) {
        let Some(waiter) = self.admit(ticket, WATCHING) else { return };
        self.mail.wanted = true;
        if self.up().is_some_and(|up| up.messages == Subscription::Granted) {
            waiter.answer(&mut self.out, Answer::Watching);
        } else {
            self.mail.waiters.push(waiter);
        }
    }

    pub(super) fn unwatch_messages(&mut self) {
        for mut waiter in std::mem::take(&mut self.mail).waiters {
            waiter.end(&mut self.out, WATCHING, false, &End::Cancelled);
        }
        if let Some(up) = self.up()
            && up.messages.is_made()
        {
            up.messages = Subscription::None;
            self.out.push_back(Output::Say(Said::Unsubscribe(Channel::CloudToDevice)));
        }
    }

    pub(super) fn messages_granted(&mut self) {
        self.mail.established = true;
        for waiter in std::mem::take(&mut self.mail.waiters) {
            waiter.answer(&mut self.out, Answer::Watching);
        }
    }

    /// The hub refused the subscription, which was never granted before.
    pub(super) fn messages_refused(&mut self, error: &Error) {
        let watchers = std::mem::take(&mut self.mail).waiters;
        for mut waiter in watchers {
            waiter.end(&mut self.out, WATCHING, false, &End::Failed(error.clone()));
        }
    }

    /// Ends the waits that `which` picks. A watch that never began ends with its last waiter.
    pub(super) fn end_mail(&mut self, end: &End, which: impl Fn(&Waiter) -> bool) {
        super::requests::end_where(&mut self.mail.waiters, &mut self.out, WATCHING, false, end, which);
        if self.mail.wanted && !self.mail.established && self.mail.waiters.is_empty() {
            self.unwatch_messages();
        }
    }

    pub(super) fn deliver_message(&mut self, message: Box<CloudMessage>) {
        if self.mail.wanted {
            self.out.push_back(Output::Event(Event::Message(message)));
        }
    }
}
