//! What is heard on an open link.

use std::time::Duration;

use super::desired;
use super::gets::Flight;
use super::link::Subscription;
use super::machine::Session;
use super::requests::End;
use super::{Answer, DesiredChange, Event, Output};
use crate::error::{Delivery, Error, ErrorKind};
use crate::twin::DeviceTwin;
use crate::wire::{Channel, Heard, Rid, status};

impl Session {
    pub(super) fn hear(&mut self, heard: Heard) {
        let now = self.now.mono;
        let Some(up) = self.up() else { return };
        up.silent = 0;
        match heard {
            Heard::Subscribed { channel, granted } => self.subscribed(channel, granted),
            Heard::Unsubscribed(_) => {}
            Heard::Done { tag, refusal } => self.posted(tag, refusal),
            Heard::CloudToDevice(message) => self.deliver_message(message),
            Heard::Answer { rid, status, version, body } => self.answered(&rid, status, version, &body),
            Heard::Desired { version, body } => match self.watch.hear(now, version, &body) {
                desired::Heard::Change(change) => self.deliver(change),
                desired::Heard::Stale => self.counters.stale_notifications += 1,
                desired::Heard::Held | desired::Heard::Dropped => {}
            },
        }
    }

    fn subscribed(&mut self, channel: Channel, granted: bool) {
        let now = self.now.mono;
        let Some(up) = self.up() else { return };
        let subscription = match channel {
            Channel::TwinAnswers => &mut up.answers,
            Channel::Desired => &mut up.desired,
            Channel::CloudToDevice => &mut up.messages,
            _ => return,
        };
        if !subscription.is_made() {
            return;
        }
        if granted {
            *subscription = Subscription::Granted;
            if channel == Channel::Desired {
                self.watch.subscribed(now);
            }
            if channel == Channel::CloudToDevice {
                self.messages_granted();
            }
            return;
        }
        *subscription = Subscription::None;
        let (established, what) = match channel {
            Channel::Desired => (self.watch.established, "desired properties"),
            Channel::CloudToDevice => (self.mail.established, "messages"),
            _ => (self.watch.established, "answers"),
        };
        let error = Error::new(ErrorKind::Unavailable, format!("the hub refused the subscription to {what}"));
        if established {
            // It was granted before: the hub is in trouble, and the owner was promised that the watch goes on.
            return self.abandon(error);
        }
        if channel == Channel::CloudToDevice {
            return self.messages_refused(&error);
        }
        if channel == Channel::TwinAnswers {
            self.gets.end(&mut self.out, &End::Failed(error.clone()), |_| true);
            self.reports.end(&mut self.out, &End::Failed(error.clone()), |_| true);
        }
        self.fail_watch(&error);
    }

    /// The watch can't begin.
    fn fail_watch(&mut self, error: &Error) {
        let watchers: Vec<_> = self.watch.waiters.iter().map(|w| w.ticket).collect();
        self.end(&End::Failed(error.clone()), |w| watchers.contains(&w.ticket));
    }

    fn answered(&mut self, rid: &Rid, status: u16, version: Option<u64>, body: &[u8]) {
        // A status outside 2xx is a refusal, with or without a body (the Node SDK takes an empty body for success).
        let refusal = (!(200..300).contains(&status))
            .then(|| status::device_error(status, body).with_delivery(Delivery::Refused));
        if let Some(flight) = self.gets.take(rid) {
            return self.got(flight, refusal, body);
        }
        match self.reports.answered(&mut self.out, rid, refusal.as_ref().map_or(Ok(version), Err)) {
            None => self.counters.unknown_answers += 1,
            Some(false) => {}
            Some(true) => {
                let error = refusal.expect("only refusals are repeated");
                let attempt = self.reports.attempt;
                self.reports.attempt = attempt.saturating_add(1);
                match self.pause(attempt, &error) {
                    Some(until) => self.reports.not_before = Some(until),
                    None => self.reports.give_up(&mut self.out, &error),
                }
            }
        }
    }

    fn got(&mut self, flight: Flight, refusal: Option<Error>, body: &[u8]) {
        let twin = match refusal {
            Some(error) => Err(error),
            None => DeviceTwin::from_json(body)
                .map_err(|e| Error::new(ErrorKind::Protocol, "the hub's answer is no twin").with_source(e)),
        };
        match twin {
            Ok(twin) => {
                (self.gets.attempt, self.gets.not_before) = (0, None);
                let for_watch = flight.for_watch;
                flight.answer(&mut self.out, &twin);
                if for_watch && self.watch.is_reading() {
                    self.caught_up(&twin);
                }
            }
            Err(error) => self.get_refused(flight, error),
        }
    }

    fn get_refused(&mut self, flight: Flight, error: Error) {
        let (attempt, for_watch) = (self.gets.attempt, flight.for_watch && self.watch.is_reading());
        self.gets.attempt = attempt.saturating_add(1);
        let again = if error.is_retryable() { self.pause(attempt, &error) } else { None };
        match again {
            Some(until) => {
                if error.kind() == ErrorKind::Protocol {
                    // Whoever asked should see that the hub talks nonsense, not wait for better.
                    flight.refused(&mut self.out, &error);
                } else {
                    self.gets.again(flight, Some(&error));
                    self.gets.not_before = Some(until);
                }
                if for_watch {
                    self.watch.read_failed(until);
                }
            }
            None => {
                flight.refused(&mut self.out, &error);
                if for_watch && self.watch.established {
                    let message = "the twin could not be read to catch up with its desired properties";
                    self.abandon(Error::new(ErrorKind::Unavailable, message).with_source(error));
                } else if for_watch {
                    self.fail_watch(&error);
                }
            }
        }
    }

    /// Until when to wait before a refused request is repeated; `None`: don't.
    pub(super) fn pause(&mut self, attempt: u32, error: &Error) -> Option<Duration> {
        let random = self.random.next();
        let delay = self.config.retry.delay(attempt, Duration::ZERO, error, random)?;
        Some(self.now.mono.saturating_add(delay))
    }

    fn caught_up(&mut self, twin: &DeviceTwin) {
        let changes = self.watch.read(self.now.mono, twin);
        if self.watch.known().is_some() {
            self.watch.established = true;
            for waiter in std::mem::take(&mut self.watch.waiters) {
                waiter.answer(&mut self.out, Answer::Watching);
            }
        }
        for change in changes {
            self.deliver(change);
        }
    }

    fn deliver(&mut self, change: DesiredChange) {
        self.counters.changes += 1;
        self.out.push_back(Output::Event(Event::Desired(change)));
    }
}
