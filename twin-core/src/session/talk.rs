//! On an open link: subscribe, ask, report, renew; and what the hub says.

use std::time::Duration;

use super::desired;
use super::link::{MAX_SILENT_TIMEOUTS, Phase, Subscription, Then, Up};
use super::machine::Session;
use super::requests::End;
use super::tokens::RENEW_DRAIN;
use super::{Answer, DesiredChange, Event, Output};
use crate::error::{Delivery, Error, ErrorKind};
use crate::twin::DeviceTwin;
use crate::wire::{Channel, Heard, Rid, Said, status};

impl Session {
    /// Does everything that is due on an open link.
    pub(super) fn advance_link(&mut self) {
        if let Some(error) = self.silence() {
            return self.abandon(error);
        }
        if self.renew() {
            return;
        }
        self.subscribe();
        self.send_gets();
        self.send_reports();
    }

    fn up(&mut self) -> Option<&mut Up> {
        match &mut self.phase {
            Phase::Up(up) => Some(up),
            _ => None,
        }
    }

    /// Repeats what was not answered in time; an error if the link seems dead.
    fn silence(&mut self) -> Option<Error> {
        let now = self.now.mono;
        let (gets, for_watch) = self.gets.overdue(now);
        let reports = self.reports.overdue(&mut self.out, now);
        if for_watch && self.watch.is_reading() {
            self.watch.read_failed(now);
        }
        let up = self.up()?;
        let timeouts = gets.min(1).max(u32::from(reports));
        up.silent += timeouts;
        let silent = up.silent;
        let subscribing = [up.answers, up.desired].iter().any(|s| s.answer_by().is_some_and(|at| now >= at));
        self.counters.unanswered += u64::from(timeouts);
        let what = if subscribing { "a subscription" } else { "several requests" };
        (subscribing || silent >= MAX_SILENT_TIMEOUTS)
            .then(|| Error::new(ErrorKind::Timeout, format!("the hub did not answer {what} in time")))
    }

    /// Renews the token if it is time. `true`: say nothing else now.
    fn renew(&mut self) -> bool {
        let (now, busy) = (self.now.mono, self.gets.in_flight() || self.reports.in_flight());
        if !self.tokens.renewal_due(self.now) {
            // A wall clock that was set ahead and back again calls a renewal off.
            self.up().into_iter().for_each(|up| up.draining = None);
            return false;
        }
        if self.config.renew_in_place {
            let random = self.random.next();
            if let Some(token) = self.tokens.issue(&self.config, self.now, random) {
                self.counters.renewals += 1;
                self.out.push_back(Output::Renew { token });
            }
            return false;
        }
        let Some(up) = self.up() else { return false };
        let until = *up.draining.get_or_insert(now.saturating_add(RENEW_DRAIN));
        if busy && now < until {
            return true;
        }
        self.counters.renewals += 1;
        self.note_stability();
        self.forget_link(&Error::new(ErrorKind::Network, "the link was closed to renew the token"));
        self.leave(Then::Renew);
        true
    }

    fn subscribe(&mut self) {
        let answer_by = self.now.mono.saturating_add(self.config.answer_timeout);
        let watch = self.watch.wanted;
        let needed = watch || self.gets.any_waiting() || self.reports.any_waiting();
        let Some(up) = self.up() else { return };
        let mut asked = Vec::new();
        if needed && !up.answers.is_made() {
            up.answers = Subscription::Asked(answer_by);
            asked.push(Channel::TwinAnswers);
        }
        if watch && !up.desired.is_made() {
            up.desired = Subscription::Asked(answer_by);
            asked.push(Channel::Desired);
        }
        for channel in asked {
            self.say(Said::Subscribe(channel));
        }
    }

    /// Whether answers can be heard on this link.
    pub(super) fn can_ask(&self) -> bool {
        matches!(&self.phase, Phase::Up(up) if up.answers == Subscription::Granted && up.draining.is_none())
    }

    /// When the twin is to be read for the sake of the desired properties.
    pub(super) fn watch_due(&self) -> Option<Duration> {
        let subscribed = matches!(&self.phase, Phase::Up(up) if up.desired == Subscription::Granted);
        self.watch.due().filter(|_| subscribed && self.can_ask() && !self.gets.watch_in_flight())
    }

    fn send_gets(&mut self) {
        let now = self.now.mono;
        let for_watch = self.watch_due().is_some_and(|at| now >= at);
        if self.can_ask() && (for_watch || self.gets.due(now)) {
            let rid = self.next_rid();
            self.gets.send(rid.clone(), now.saturating_add(self.config.answer_timeout), for_watch);
            if for_watch {
                self.watch.reading(now);
            }
            self.say(Said::GetTwin { rid });
        }
    }

    fn send_reports(&mut self) {
        let now = self.now.mono;
        let (most, merge) = (self.config.max_reports_in_flight, self.config.merge_reports);
        while self.can_ask() {
            let Some(message) = self.reports.next(now, most, merge) else { return };
            let rid = self.next_rid();
            let (patch, if_version) = (message.patch.clone(), message.if_version);
            self.reports.sent(message, rid.clone(), now.saturating_add(self.config.answer_timeout));
            self.say(Said::Report { rid, patch, if_version });
        }
    }

    pub(super) fn hear(&mut self, heard: Heard) {
        let now = self.now.mono;
        let Some(up) = self.up() else { return };
        up.silent = 0;
        match heard {
            Heard::Subscribed { channel, granted } => self.subscribed(channel, granted),
            Heard::Unsubscribed(_) => {}
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
            return;
        }
        *subscription = Subscription::None;
        let (established, what) = (
            self.watch.established,
            if channel == Channel::Desired { "desired properties" } else { "answers" },
        );
        let error = Error::new(ErrorKind::Unavailable, format!("the hub refused the subscription to {what}"));
        if established {
            // It was granted before: the hub is in trouble, and the owner was promised that the watch goes on.
            return self.abandon(error);
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

    fn got(&mut self, flight: super::gets::Flight, refusal: Option<Error>, body: &[u8]) {
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

    fn get_refused(&mut self, flight: super::gets::Flight, error: Error) {
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
    fn pause(&mut self, attempt: u32, error: &Error) -> Option<Duration> {
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
