//! What is said on an open link: subscribe, ask, report, renew; and again what was not answered.

use std::time::Duration;

use super::Output;
use super::link::{MAX_SILENT_TIMEOUTS, Phase, Subscription, Then, Up};
use super::machine::Session;
use super::tokens::RENEW_DRAIN;
use crate::error::{Error, ErrorKind};
use crate::wire::{Channel, Said};
/// A shorter answer timeout would only repeat requests.
const MIN_ANSWER_TIMEOUT: Duration = Duration::from_millis(100);

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
        self.send_posts();
    }

    pub(super) fn up(&mut self) -> Option<&mut Up> {
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
        let posts = self.posts.overdue(now);
        if for_watch && self.watch.is_reading() {
            self.watch.read_failed(now);
        }
        let up = self.up()?;
        let timeouts = gets.min(1).max(u32::from(reports)).max(posts.min(1));
        up.silent += timeouts;
        let silent = up.silent;
        let subscribing =
            [up.answers, up.desired, up.messages].iter().any(|s| s.answer_by().is_some_and(|at| now >= at));
        self.counters.unanswered += u64::from(timeouts);
        let what = if subscribing { "a subscription" } else { "several requests" };
        (subscribing || silent >= MAX_SILENT_TIMEOUTS)
            .then(|| Error::new(ErrorKind::Timeout, format!("the hub did not answer {what} in time")))
    }

    /// Renews the token if it is time. `true`: say nothing else now.
    fn renew(&mut self) -> bool {
        let (now, busy) = (self.now.mono, self.is_busy());
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

    fn is_busy(&self) -> bool {
        self.gets.in_flight() || self.reports.in_flight() || self.posts.in_flight()
    }

    /// When the answer to what is said now is due.
    pub(super) fn answer_by(&self) -> Duration {
        self.now.mono.saturating_add(self.config.answer_timeout.max(MIN_ANSWER_TIMEOUT))
    }

    fn subscribe(&mut self) {
        let answer_by = self.answer_by();
        let watch = self.watch.wanted;
        let needed = watch || self.gets.any_waiting() || self.reports.any_waiting();
        let messages = self.mail.wanted;
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
        if messages && !up.messages.is_made() {
            up.messages = Subscription::Asked(answer_by);
            asked.push(Channel::CloudToDevice);
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
            self.gets.send(rid.clone(), self.answer_by(), for_watch);
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
            self.reports.sent(message, rid.clone(), self.answer_by());
            self.say(Said::Report { rid, patch, if_version });
        }
    }
}
