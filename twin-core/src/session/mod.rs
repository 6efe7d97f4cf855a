//! The device's session: a sans-IO state machine that is told the time and never asks.
//!
//! Feed it with `handle_*`, then call `poll` until it says [`Output::Idle`]. It decides when to dial, what to say,
//! when to say it again, when to renew the token and what its owner hears. The driver only moves bytes.

use crate::Timestamp;
use crate::auth::SasToken;
use crate::error::Error;
use crate::twin::{DeviceTwin, Object, Patch};
use crate::wire::{Heard, Said};
use std::time::Duration;

pub mod retry;

/// The time, as the driver reads it: a monotonic reading for timers and the wall clock for tokens.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// since any fixed point
    pub mono: Duration,
    /// wall clock
    pub wall: Timestamp,
}

/// Ties an answer to its question; chosen by the driver, unique per session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What the owner asks for.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Command {
    /// Connect now (also implied by any request) and stay connected.
    Open {
        ticket: Ticket,
    },
    GetTwin {
        ticket: Ticket,
    },
    Report {
        ticket: Ticket,
        patch: Patch,
        if_version: Option<u64>,
    },
    /// From now on desired changes are wanted: the first event is a whole twin.
    WatchDesired {
        ticket: Ticket,
    },
    UnwatchDesired,
    /// A given token was replaced.
    UpdateToken(SasToken),
    /// The owner no longer waits for this ticket.
    Cancel(Ticket),
    /// Disconnect and end every request.
    Close {
        ticket: Ticket,
    },
}

/// What happened to the link.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Link {
    /// connected and authenticated; whether the hub remembers our subscriptions
    Up { session_present: bool },
    /// dialing failed, or the link was lost, or it closed after `Disconnect`
    Down(Error),
}

/// What the driver is to do, or to tell the owner.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Output {
    /// Make a connection with this token (`None`: certificate); answer with `handle_link`.
    Dial { token: Option<SasToken> },
    /// Say this on the link.
    Say(Said),
    /// Close the link; answer with `handle_link(Down)`.
    Disconnect,
    /// Tell the owner.
    Event(Event),
    /// Nothing until something is handled, or until this reading of `mono`.
    Idle { wake_at: Option<Duration> },
}

/// What the owner hears.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Event {
    /// A request ended.
    Done { ticket: Ticket, result: Result<Answer, Error> },
    /// Desired properties, in order, once per `$version`.
    Desired(DesiredChange),
    /// The connection's state changed.
    State(State),
}

/// A successful end of a request.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Answer {
    Opened,
    Twin(DeviceTwin),
    /// the new reported `$version`, if the hub told it
    Reported {
        version: Option<u64>,
    },
    Watching,
    Closed,
}

/// One step of the desired properties.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum DesiredChange {
    /// The whole desired section as it stands at `version`: first, and whenever steps were missed.
    Whole { desired: Object, version: u64 },
    /// A merge patch that leads to `version`.
    Patch { patch: Object, version: u64 },
}

/// The connection, as the owner sees it.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum State {
    Disconnected { reason: Option<Error>, retry_in: Option<Duration> },
    Connecting,
    Connected,
    Closed,
}

/// The machine.
#[derive(Debug)]
pub struct Session {/* … */}

impl Session {
    /// A new session. `seed` feeds the jitter and the request ids.
    pub fn new(config: Config, seed: u64) -> Self {
        todo!()
    }
    /// The owner asks.
    pub fn handle_command(&mut self, now: Now, command: Command) {
        todo!()
    }
    /// The hub said.
    pub fn handle_heard(&mut self, now: Now, heard: Heard) {
        todo!()
    }
    /// The link came up or went down.
    pub fn handle_link(&mut self, now: Now, link: Link) {
        todo!()
    }
    /// Time passed.
    pub fn handle_timeout(&mut self, now: Now) {
        todo!()
    }
    /// What to do next.
    pub fn poll(&mut self) -> Output {
        todo!()
    }
}

/// How the session behaves. Defaults are documented on each member.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[allow(missing_docs)]
pub struct Config {
    pub host: crate::HostName,
    pub key: crate::TwinKey,
    pub credential: crate::auth::Credential,
    /// Lifetime of tokens made from a key. Default 1 h.
    pub token_lifetime: Duration,
    /// How long before its end a token is renewed, as a share of its lifetime. Default 0.15 (facts 4.1: .NET).
    pub token_renew_share: f64,
    /// Longest wait for an answer while connected. Default 30 s...
    pub answer_timeout: Duration,
    /// Longest a request may take in all, reconnects included. Default 240 s.
    pub request_timeout: Duration,
    pub retry: retry::RetryPolicy,
    /// While offline, reports without if-version merge into one pending patch. Default true.
    pub merge_offline_reports: bool,
    /// Most requests waiting at once; one more is refused. Default 1024.
    pub max_pending: usize,
    /// Most reports in flight at once. Default 8...
    pub max_in_flight: usize,
    /// Whether the protocol can renew a token in place (AMQP).
    pub renew_in_place: bool,
}
