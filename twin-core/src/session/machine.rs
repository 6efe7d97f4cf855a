//! The machine: its state, and the doors by which the driver feeds it.

use std::time::Duration;

use super::desired::Watch;
use super::gets::Gets;
use super::link::Phase;
use super::messages::Mail;
use super::posts::{Cargo, Posts};
use super::random::Random;
use super::report::Report;
use super::reports::{MAX_PENDING_BYTES, Reports};
use super::requests::{End, Outbox, Waiter, done, end_where};
use super::tokens::Tokens;
use super::{Answer, Command, Config, Event, Link, Now, Output, State, Ticket};
use crate::Timestamp;
use crate::error::{Delivery, Error, ErrorKind};
use crate::twin::Object;
use crate::wire::{Channel, Heard, Rid, Said};

/// The machine.
#[derive(Debug)]
pub struct Session {
    pub(super) config: Config,
    pub(super) random: Random,
    pub(super) now: Now,
    pub(super) out: Outbox,
    pub(super) counters: Counters,
    pub(super) phase: Phase,
    /// Somebody asked for a link, and nothing ended that wish since.
    pub(super) link_wanted: bool,
    /// Failures to connect, and links that did not last, in a row; and since when.
    pub(super) failures: u32,
    pub(super) failing_since: Option<Duration>,
    /// A refused password was already given a second chance.
    pub(super) refusal_forgiven: bool,
    /// What the owner heard last about the connection.
    pub(super) told: Told,
    /// Why there is no link, for messages.
    pub(super) problem: Option<Error>,
    pub(super) tokens: Tokens,
    pub(super) opens: Vec<Waiter>,
    pub(super) gets: Gets,
    pub(super) reports: Reports,
    pub(super) watch: Watch,
    pub(super) posts: Posts,
    pub(super) mail: Mail,
    /// Bounded by `max_pending`, too.
    pub(super) closers: Vec<Ticket>,
    rid_prefix: u32,
    rids: u64,
}

/// What the owner heard last about the connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Told {
    Nothing,
    Disconnected,
    Connecting,
    Connected,
    Closed,
}

/// What happened so far, for metrics and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Dials.
    pub dials: u64,
    /// Links that came up.
    pub links: u64,
    /// Tokens renewed, by a new link or in place.
    pub renewals: u64,
    /// Twin requests sent.
    pub requests: u64,
    /// Requests unanswered within the answer timeout.
    pub unanswered: u64,
    /// Answers that no request waited for: late, doubled or wrong.
    pub unknown_answers: u64,
    /// Desired changes delivered.
    pub changes: u64,
    /// Desired notifications dropped as doubled or outdated.
    pub stale_notifications: u64,
}

impl Session {
    /// A new session. `seed` feeds the jitter and the request ids: it must differ between devices, and between two
    /// sessions of one device.
    pub fn new(config: Config, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let rid_prefix = random.next() as u32;
        Session {
            tokens: Tokens::new(config.credential.clone()),
            config,
            random,
            now: Now { mono: Duration::ZERO, wall: Timestamp::NEVER },
            out: Outbox::new(),
            counters: Counters::default(),
            phase: Phase::Idle,
            link_wanted: false,
            failures: 0,
            failing_since: None,
            refusal_forgiven: false,
            told: Told::Nothing,
            problem: None,
            opens: Vec::new(),
            gets: Gets::default(),
            reports: Reports::default(),
            watch: Watch::default(),
            posts: Posts::default(),
            mail: Mail::default(),
            closers: Vec::new(),
            rid_prefix,
            rids: 0,
        }
    }

    /// The owner asks.
    pub fn handle_command(&mut self, now: Now, command: Command) {
        self.now = now;
        match command {
            Command::Open { ticket } => self.open(ticket),
            Command::GetTwin { ticket } => self.get_twin(ticket),
            Command::Report { ticket, patch, if_version } => {
                self.report(ticket, patch.into_object(), if_version)
            }
            Command::WatchDesired { ticket } => self.watch_desired(ticket),
            Command::UnwatchDesired => self.unwatch_desired(),
            Command::Send { ticket, message } => self.post(ticket, Cargo::Message(message)),
            Command::SendBatch { ticket, messages } => self.post(ticket, Cargo::Batch(messages)),
            Command::Receive { ticket, drain } => self.post(ticket, Cargo::Receive { drain }),
            Command::Settle { ticket, lock_token, settlement } => {
                self.post(ticket, Cargo::Settle { lock_token, settlement })
            }
            Command::WatchMessages { ticket } => self.watch_messages(ticket),
            Command::UnwatchMessages => self.unwatch_messages(),
            Command::UpdateToken(token) => self.update_token(token),
            Command::Cancel(ticket) => self.end(&End::Cancelled, |w| w.ticket == ticket),
            Command::Close { ticket } => self.close(ticket),
        }
        self.advance();
    }

    /// The hub said.
    pub fn handle_heard(&mut self, now: Now, heard: Heard) {
        self.now = now;
        self.hear(heard);
        self.advance();
    }

    /// The link came up or went down.
    pub fn handle_link(&mut self, now: Now, link: Link) {
        self.now = now;
        match link {
            Link::Up { session_present: _ } => self.link_up(),
            Link::Down(error) => self.link_down(error),
        }
        self.advance();
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        self.advance();
    }

    /// What to do next.
    pub fn poll(&mut self) -> Output {
        self.out.pop_front().unwrap_or_else(|| Output::Idle { wake_at: self.wake_at() })
    }

    /// The desired section as the owner was told it last, with its `$version`; `None` before the first.
    pub fn desired(&self) -> Option<(&Object, u64)> {
        self.watch.known()
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Requests that have not ended.
    pub fn pending(&self) -> usize {
        self.opens.len()
            + self.watch.waiters.len()
            + self.gets.len()
            + self.reports.len()
            + self.posts.len()
            + self.mail.waiters.len()
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.watch.held()
    }

    fn open(&mut self, ticket: Ticket) {
        let Some(waiter) = self.admit(ticket, "connecting") else { return };
        if matches!(self.phase, Phase::Up(_)) {
            waiter.answer(&mut self.out, Answer::Opened);
        } else {
            self.opens.push(waiter);
        }
    }

    fn get_twin(&mut self, ticket: Ticket) {
        if let Some(waiter) = self.admit_twin(ticket, "reading the twin") {
            self.gets.push(waiter);
        }
    }

    fn report(&mut self, ticket: Ticket, patch: Object, if_version: Option<u64>) {
        let Some(waiter) = self.admit_twin(ticket, "reporting properties") else { return };
        let bytes = self.reports.bytes();
        match Report::new(waiter, patch, if_version) {
            Ok(report) if bytes + report.bytes <= MAX_PENDING_BYTES => self.reports.push(report),
            Ok(_) => done(&mut self.out, ticket, Err(full(&format!("{bytes} bytes of reports")))),
            Err(error) => done(&mut self.out, ticket, Err(error)),
        }
    }

    fn watch_desired(&mut self, ticket: Ticket) {
        let Some(waiter) = self.admit_twin(ticket, "watching desired properties") else { return };
        self.watch.wanted = true;
        if self.watch.known().is_some() {
            waiter.answer(&mut self.out, Answer::Watching);
        } else {
            self.watch.waiters.push(waiter);
        }
    }

    fn unwatch_desired(&mut self) {
        for mut waiter in self.watch.stop() {
            waiter.end(&mut self.out, "watching desired properties", false, &End::Cancelled);
        }
        if let Phase::Up(up) = &mut self.phase {
            if up.desired.is_made() {
                self.out.push_back(Output::Say(Said::Unsubscribe(Channel::Desired)));
            }
            up.desired = super::link::Subscription::None;
        }
    }

    /// Lets a request in that is about the twin, if the transport carries twins.
    fn admit_twin(&mut self, ticket: Ticket, what: &str) -> Option<Waiter> {
        if !self.config.twins {
            let message = format!("{what}: IoT Hub has no twins over HTTPS; MQTT and AMQP carry them");
            let error = Error::new(ErrorKind::NotSupported, message).with_delivery(Delivery::NotSent);
            done(&mut self.out, ticket, Err(error));
            return None;
        }
        self.admit(ticket, what)
    }

    /// Lets a request in: `None` if it ended already, because the session is closed or full.
    pub(super) fn admit(&mut self, ticket: Ticket, what: &str) -> Option<Waiter> {
        let error = if self.is_closing() {
            Error::new(ErrorKind::Closed, format!("{what}: the client is closed"))
                .with_delivery(Delivery::NotSent)
        } else if self.pending() >= self.config.max_pending {
            full(&format!("{} requests", self.config.max_pending)).context(what)
        } else {
            self.link_wanted = true;
            let deadline = self.now.mono.saturating_add(self.config.request_timeout);
            return Some(Waiter::new(ticket, deadline));
        };
        done(&mut self.out, ticket, Err(error));
        None
    }

    /// Ends the requests that `which` picks. A watch that never began ends with its last waiter.
    pub(super) fn end(&mut self, end: &End, which: impl Fn(&Waiter) -> bool) {
        end_where(&mut self.opens, &mut self.out, "connecting", false, end, &which);
        self.gets.end(&mut self.out, end, &which);
        self.reports.end(&mut self.out, end, &which);
        self.posts.end(&mut self.out, end, &which);
        self.end_mail(end, &which);
        let watch = &mut self.watch;
        end_where(&mut watch.waiters, &mut self.out, "watching desired properties", false, end, &which);
        if watch.wanted && !watch.established && watch.waiters.is_empty() {
            self.unwatch_desired();
        }
    }

    /// The next request id: never used before in this session, on whatever link.
    pub(super) fn next_rid(&mut self) -> Rid {
        self.rids += 1;
        self.counters.requests += 1;
        Rid(format!("{:08x}-{:x}", self.rid_prefix, self.rids))
    }

    pub(super) fn say(&mut self, said: Said) {
        self.out.push_back(Output::Say(said));
    }

    pub(super) fn tell(&mut self, told: Told, state: State) {
        if told != self.told || told == Told::Disconnected {
            self.told = told;
            self.out.push_back(Output::Event(Event::State(state)));
        }
    }
}

pub(super) fn full(what: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{what} wait already, which is the most this client keeps"))
        .with_delivery(Delivery::NotSent)
}
