//! What goes into the session and what comes out.

use std::time::Duration;

use crate::Timestamp;
use crate::auth::SasToken;
use crate::error::Error;
use crate::message::{CloudMessage, Message, Settlement};
use crate::twin::{DeviceTwin, Object, Patch};
use crate::wire::Said;

/// The time, as the driver reads it: a monotonic reading for timers and the wall clock for tokens.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Since any fixed point.
    pub mono: Duration,
    /// The wall clock.
    pub wall: Timestamp,
}

/// Ties an answer to its question; chosen by the driver, unique per session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What the owner asks for.
///
/// Every command with a ticket ends in exactly one [`Event::Done`] with it. Each but `Close` makes the session connect
/// and stay connected until [`Command::Close`], or until connecting fails for good ([`State::Disconnected`]
/// without `retry_in`); then the next such command, or [`Command::UpdateToken`], makes it try again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Connect now and stay connected. Ends when connected. If it times out the session goes on trying.
    Open {
        /// names the request
        ticket: Ticket,
    },
    /// Read the twin. Asked again over lost links and missing answers until the request timeout: reading is
    /// harmless. Reads that wait for a link share one message.
    GetTwin {
        /** names the request */
        ticket: Ticket,
    },
    /// Merge a patch into the reported properties.
    ///
    /// Without `if_version`, a report that was sent and not answered is sent again, before any later report, until the
    /// request timeout: the device is the only writer of its reported properties, so applying a patch
    /// twice in a row leaves the same state. The `$version` in the answer may then be that of the second time.
    /// With `if_version` it is sent once and alone; without an answer it fails with delivery unknown.
    Report {
        /** names the request */
        ticket: Ticket,
        /** the merge patch */
        patch: Patch,
        /** only if the reported `$version` is this */
        if_version: Option<u64>,
    },
    /// From now on desired changes are wanted: the first [`Event::Desired`] is a whole section, right after this ends.
    /// When they are wanted already, this ends without another one; see [`Session::desired`](super::Session::desired).
    WatchDesired {
        /** names the request */
        ticket: Ticket,
    },
    /// Desired changes are no longer wanted.
    UnwatchDesired,
    /// Send telemetry. What was sent and not confirmed is sent again on the next link, until the request timeout: a
    /// message arrives at least once, or fails with an error that says whether it may have.
    Send {
        /** names the request */
        ticket: Ticket,
        /** the message */
        message: Box<Message>,
    },
    /// Send several messages in one go (HTTPS alone), likewise.
    SendBatch {
        /** names the request */
        ticket: Ticket,
        /** the messages, in order */
        messages: Vec<Message>,
    },
    /// From now on cloud-to-device messages are wanted: [`Event::Message`] for each. Ends when the hub agreed.
    WatchMessages {
        /** names the request */
        ticket: Ticket,
    },
    /// Cloud-to-device messages are no longer wanted.
    UnwatchMessages,
    /// Ask for messages now (HTTPS alone). Ends when no more follow.
    Receive {
        /** names the request */
        ticket: Ticket,
        /** all that wait, or one */
        drain: bool,
    },
    /// What becomes of a cloud-to-device message.
    Settle {
        /** names the request */
        ticket: Ticket,
        /** which message: its [`CloudMessage::lock_token`] */
        lock_token: String,
        /** what becomes of it */
        settlement: Settlement,
    },
    /// A given token replaces the credential. The session reconnects with it, at once if it had stopped.
    UpdateToken(SasToken),
    /// The owner no longer waits for this ticket. It ends with an error of kind `Cancelled`, whose delivery tells whether
    /// the hub may have acted; a report that was not sent yet never will be.
    Cancel(Ticket),
    /// End every request (kind `Closed`) and disconnect. Later commands fail with `Closed`.
    Close {
        /** names the request */
        ticket: Ticket,
    },
}

/// What happened to the link.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Link {
    /// Connected and authenticated.
    Up {
        /// Whether the hub says that it remembers our subscriptions. Not relied upon.
        session_present: bool,
    },
    /// Dialing failed, or the link was lost, or it closed after `Disconnect`.
    Down(Error),
}

/// What the driver is to do, or to tell the owner.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Make a connection; answer with `handle_link`, within the driver's own connect timeout. Should an earlier link
    /// still be closing, forget it and report nothing of it any more.
    Dial {
        /// The password; `None`: the certificate proves who we are.
        token: Option<SasToken>,
    },
    /// Say this on the link; drop it if there is none any more.
    Say(Said),
    /// Give the hub a new token on the open link (only with [`Config::renew_in_place`](super::Config::renew_in_place)).
    /// Nothing to answer; a refusal is a `Link::Down`.
    Renew {
        /// The new token.
        token: SasToken,
    },
    /// Close the link gracefully, or give up dialing; answer with `handle_link(Down)`.
    Disconnect,
    /// Tell the owner.
    Event(Event),
    /// Nothing until something is handled.
    Idle {
        /// Call `handle_timeout` when `mono` reads this, if nothing else happens before.
        wake_at: Option<Duration>,
    },
}

/// What the owner hears.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A request ended.
    Done {
        /** which */
        ticket: Ticket,
        /** how */
        result: Result<Answer, Error>,
    },
    /// Desired properties, in order, once per `$version`.
    Desired(DesiredChange),
    /// A cloud-to-device message.
    Message(Box<CloudMessage>),
    /// The connection's state changed. A renewal that reconnects at the first try is not told.
    State(State),
    /// A given token ends soon; replace it with [`Command::UpdateToken`]. Told once per token.
    TokenExpiring {
        /// When it ends.
        at: Timestamp,
    },
}

/// A successful end of a request.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// To `Open`.
    Opened,
    /// To `GetTwin`.
    Twin(DeviceTwin),
    /// To `Report`.
    Reported {
        /// The new reported `$version`, if the hub told it. Merged reports share one.
        version: Option<u64>,
    },
    /// To `WatchDesired` and `WatchMessages`.
    Watching,
    /// To `Send`, `SendBatch`, `Receive` and `Settle`: the hub took it.
    Taken,
    /// To `Close`.
    Closed,
}

/// One step of the desired properties.
#[derive(Clone, Debug, PartialEq)]
pub enum DesiredChange {
    /// The whole desired section as it stands at `version`: first, and whenever steps were missed.
    /// [`twin::diff`](crate::twin::diff()) from the one before gives a patch, removals included.
    Whole {
        /** members, without `$` ones */
        desired: Object,
        /** `$version` */
        version: u64,
    },
    /// A merge patch that leads from the version before to `version`.
    Patch {
        /** members, without `$` ones; null removes */
        patch: Object,
        /** `$version` */
        version: u64,
    },
}

/// The connection, as the owner sees it.
#[derive(Clone, Debug)]
pub enum State {
    /// No link.
    Disconnected {
        /// Why the last attempt or link ended.
        reason: Option<Error>,
        /// When the next attempt follows; `None`: not before the owner asks.
        retry_in: Option<Duration>,
    },
    /// A link is being made.
    Connecting,
    /// The link is up.
    Connected,
    /// Closed by its owner, for good.
    Closed,
}
