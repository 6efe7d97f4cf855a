//! The link's life: dial, up, down, wait, dial again; renewal and closing.

use std::time::Duration;

use super::machine::{Session, Told, full};
use super::requests::{End, done};
use super::{Answer, Output, State, Ticket};
use crate::auth::SasToken;
use crate::error::{Error, ErrorKind};

/// The driver has this long to close a link before the session goes on without its word.
pub const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A link that stayed up this long was a good one: the next failure counts as the first.
pub const STABLE_AFTER: Duration = Duration::from_secs(20);
/// After this many answer timeouts with nothing heard between them the link is given up.
pub const MAX_SILENT_TIMEOUTS: u32 = 2;

/// Where the link is in its life.
#[derive(Debug)]
pub(super) enum Phase {
    /// None, and none on the way.
    Idle,
    /// None; the next dial is at this time.
    Waiting(Duration),
    Dialing,
    Up(Up),
    /// `Disconnect` was said; the driver is to confirm by this time.
    Leaving {
        until: Duration,
        then: Then,
    },
    Closed,
}

/// What follows when the link is closed.
#[derive(Debug)]
pub(super) enum Then {
    /// Dial at once with a new token.
    Renew,
    /// Treat it as lost for this reason.
    Retry(Error),
    Close,
}

/// An open link.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) since: Duration,
    pub(super) answers: Subscription,
    pub(super) desired: Subscription,
    pub(super) messages: Subscription,
    /// Nothing new is sent, because the link is to be renewed; at the latest at this time.
    pub(super) draining: Option<Duration>,
    /// Answer timeouts since something was heard.
    pub(super) silent: u32,
}

/// A subscription on this link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Subscription {
    None,
    /// Said; the answer is due at this time.
    Asked(Duration),
    Granted,
}

impl Subscription {
    pub(super) fn is_made(self) -> bool {
        self != Subscription::None
    }

    pub(super) fn answer_by(self) -> Option<Duration> {
        match self {
            Subscription::Asked(at) => Some(at),
            _ => None,
        }
    }
}

impl Session {
    /// Does everything that is due now. The one place where things are begun, so that no path forgets any.
    pub(super) fn advance(&mut self) {
        let now = self.now.mono;
        let announcement = if self.is_closing() { None } else { self.tokens.announcement(self.now) };
        if let Some(at) = announcement {
            self.out.push_back(Output::Event(super::Event::TokenExpiring { at }));
        }
        if self.deadline().is_some_and(|at| now >= at) {
            let link = self.describe_link();
            self.end(&End::TimedOut(link), |w| now >= w.deadline);
        }
        match &self.phase {
            Phase::Idle if self.link_wanted => self.dial(),
            Phase::Waiting(at) if now >= *at => self.dial(),
            Phase::Leaving { until, .. } if now >= *until => self.left(),
            Phase::Up(_) => self.advance_link(),
            _ => {}
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closed | Phase::Leaving { then: Then::Close, .. })
    }

    fn dial(&mut self) {
        let random = self.random.next();
        let token = self.tokens.issue(&self.config, self.now, random);
        self.counters.dials += 1;
        self.phase = Phase::Dialing;
        // A renewal that succeeds at once is not told: nothing changed for the owner.
        if self.told != Told::Connected {
            self.tell(Told::Connecting, State::Connecting);
        }
        self.out.push_back(Output::Dial { token });
    }

    pub(super) fn link_up(&mut self) {
        match self.phase {
            Phase::Dialing => {}
            // A dial that was given up succeeded before the driver heard.
            Phase::Leaving { .. } | Phase::Up(_) => return,
            Phase::Idle | Phase::Waiting(_) | Phase::Closed => return self.out.push_back(Output::Disconnect),
        }
        self.counters.links += 1;
        self.problem = None;
        self.phase = Phase::Up(Up {
            since: self.now.mono,
            answers: Subscription::None,
            desired: Subscription::None,
            messages: Subscription::None,
            draining: None,
            silent: 0,
        });
        self.tell(Told::Connected, State::Connected);
        for waiter in std::mem::take(&mut self.opens) {
            waiter.answer(&mut self.out, Answer::Opened);
        }
    }

    pub(super) fn link_down(&mut self, error: Error) {
        match &self.phase {
            Phase::Dialing => self.retry(error, false),
            Phase::Up(_) => self.lost(error),
            Phase::Leaving { .. } => self.left(),
            Phase::Idle | Phase::Waiting(_) | Phase::Closed => {}
        }
    }

    /// Closes the link, or gives up dialing.
    pub(super) fn leave(&mut self, then: Then) {
        self.out.push_back(Output::Disconnect);
        self.phase = Phase::Leaving { until: self.now.mono.saturating_add(DISCONNECT_TIMEOUT), then };
    }

    /// Gives up a link that does not work.
    pub(super) fn abandon(&mut self, error: Error) {
        self.note_stability();
        self.forget_link(&error);
        self.leave(Then::Retry(error));
    }

    /// The driver closed the link, or had time enough.
    fn left(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Leaving { then: Then::Renew, .. } => self.dial(),
            Phase::Leaving { then: Then::Retry(error), .. } => self.retry(error, true),
            Phase::Leaving { then: Then::Close, .. } => self.closed(),
            other => self.phase = other,
        }
    }

    fn lost(&mut self, error: Error) {
        self.note_stability();
        self.forget_link(&error);
        self.retry(error, true);
    }

    /// A link that lasted ends a row of failures.
    pub(super) fn note_stability(&mut self) {
        let Phase::Up(up) = &self.phase else { return };
        if self.now.mono.saturating_sub(up.since) >= STABLE_AFTER {
            (self.failures, self.failing_since, self.refusal_forgiven) = (0, None, false);
        }
    }

    /// Requests in flight and subscriptions are gone with the link.
    pub(super) fn forget_link(&mut self, error: &Error) {
        self.gets.link_lost();
        self.reports.link_lost(&mut self.out, error);
        self.watch.link_lost();
        self.posts.link_lost();
        // What was not handed over yet can't be said any more.
        self.out.retain(|output| !matches!(output, Output::Say(_) | Output::Renew { .. }));
    }

    /// Dials again after a delay, or stops for good.
    fn retry(&mut self, error: Error, was_up: bool) {
        let now = self.now.mono;
        let error = match self.tokens.explain_refusal(self.now) {
            Some(why) if error.kind() == ErrorKind::Unauthorized => error.context(why),
            _ => error,
        };
        let elapsed = now.saturating_sub(*self.failing_since.get_or_insert(now));
        let random = self.random.next();
        let forgive = error.kind() == ErrorKind::Unauthorized
            && !self.refusal_forgiven
            && self.tokens.refusal_may_pass(self.now, was_up);
        self.refusal_forgiven |= forgive;
        let delay = if forgive {
            let passing = Error::new(ErrorKind::Network, "the token may have been outdated");
            self.config.retry.delay(self.failures, elapsed, &passing, random)
        } else {
            self.config.retry.delay(self.failures, elapsed, &error, random)
        };
        self.failures = self.failures.saturating_add(1);
        self.problem = Some(error.clone());
        self.tell(Told::Disconnected, State::Disconnected { reason: Some(error.clone()), retry_in: delay });
        match delay {
            Some(delay) => self.phase = Phase::Waiting(now.saturating_add(delay)),
            None => self.stop(error),
        }
    }

    /// Connecting failed for good: everybody who waits hears why.
    fn stop(&mut self, error: Error) {
        self.phase = Phase::Idle;
        self.link_wanted = false;
        (self.failures, self.failing_since, self.refusal_forgiven) = (0, None, false);
        self.end(&End::Failed(error), |_| true);
    }

    pub(super) fn update_token(&mut self, token: SasToken) {
        if self.is_closing() {
            return;
        }
        self.tokens.replace(token);
        let stopped = matches!(self.phase, Phase::Idle) && self.told == Told::Disconnected;
        self.link_wanted |= stopped;
    }

    pub(super) fn close(&mut self, ticket: Ticket) {
        if matches!(self.phase, Phase::Closed) {
            return done(&mut self.out, ticket, Ok(Answer::Closed));
        }
        if self.closers.len() >= self.config.max_pending.max(1) {
            return done(&mut self.out, ticket, Err(full("too many calls to close")));
        }
        self.closers.push(ticket);
        if self.is_closing() {
            return;
        }
        self.link_wanted = false;
        self.end(&End::Closed, |_| true);
        self.watch.stop();
        self.mail = Default::default();
        match &mut self.phase {
            Phase::Up(_) | Phase::Dialing => self.leave(Then::Close),
            Phase::Leaving { then, .. } => *then = Then::Close,
            Phase::Idle | Phase::Waiting(_) | Phase::Closed => self.closed(),
        }
    }

    fn closed(&mut self) {
        self.phase = Phase::Closed;
        self.tell(Told::Closed, State::Closed);
        for ticket in std::mem::take(&mut self.closers) {
            done(&mut self.out, ticket, Ok(Answer::Closed));
        }
    }

    /// For the message of a request whose time ran out.
    fn describe_link(&self) -> String {
        match (&self.phase, &self.problem) {
            (Phase::Up(_), _) => "the hub did not answer".into(),
            (_, Some(problem)) => format!("no connection: {problem}"),
            (_, None) => "no connection yet".into(),
        }
    }
}
