//! The device's session: a sans-IO state machine that is told the time and never asks.
//!
//! Feed it with `handle_*`, then call [`Session::poll`] until it says [`Output::Idle`]. It decides when to dial,
//! what to say, when to say it again, when to renew the token and what its owner hears. The driver only moves
//! bytes, and owes it three things: one [`Link`] for each [`Output::Dial`] and [`Output::Disconnect`],
//! `handle_timeout` at `wake_at`, and no answers of an earlier link after its [`Link::Down`].
//!
//! # Promises
//!
//! 1. **Desired changes are delivered in order, once per `$version`, or replaced by a whole section.** The hub never
//!    stores or replays notifications (IoT Hub device-twins guide), so after every connection the session
//!    subscribes, reads the twin, drops notifications at or below what it read and delivers the rest. Moved while
//!    away: [`DesiredChange::Whole`]; not moved: nothing. A gap in `$version` leads to a read. A version that went
//!    backwards (the twin was deleted and made again) is read twice and then delivered as `Whole`. The
//!    session keeps a copy of the desired section for this ([`Session::desired`]), so memory per session grows with it.
//! 2. **Subscriptions stay made.** They are said again on every link, whether or not the hub says that it
//!    remembers the session: hubs and gateways have claimed to remember and did not (azure-iot-sdk-java #500).
//!    The cost is one or two packets and one round trip per connection.
//! 3. **Every request ends**, with an answer or an error whose `delivery()` says whether the hub may have acted.
//!    The bound is [`Config::request_timeout`] over all attempts.
//! 4. **Reports take effect in the order they were made.** By default one message is in flight: the hub
//!    guarantees the order only then (azure-docs #88848). Reports that wait meanwhile are merged into the next
//!    message, so throughput does not suffer. If a merged message is refused, its parts are sent one by one, so
//!    no report fails for another's fault. See [`Command::Report`] for what is sent again after a lost link.
//! 5. **Retry** is exponential with jitter, told apart by kind ([`RetryPolicy`]); refused credentials are not retried.
//! 6. **Tokens made from a key are renewed before they end**, spread over a tenth of the lifetime so that a fleet
//!    does not renew at once, and when no request is in flight if that comes soon. Timers run on the monotonic clock;
//!    a wall clock that jumped ahead only renews earlier.
//!
//! 7. **Telemetry arrives at least once, in the order it was sent** as long as the hub takes what it is given: several
//!    messages are in flight ([`Config::max_posts_in_flight`]), what was not confirmed when a link ended is sent again
//!    before anything later, and what the hub refused for the moment is repeated.
//! 8. **Cloud-to-device messages are subscribed to on every link**, like desired changes. A message that the owner did not
//!    settle comes again: on the next link over MQTT, when its lock ends otherwise.
//!
//! # Driving it
//!
//! ```
//! use twin_core::auth::Credential;
//! use twin_core::session::{Command, Config, Event, Link, Now, Output, Session, Ticket};
//! use twin_core::{HostName, Timestamp, TwinKey};
//!
//! let config = Config::new(HostName::new("hub.example")?, TwinKey::device("d1")?, Credential::Certificate);
//! let mut session = Session::new(config, 42);
//! let now = Now { mono: std::time::Duration::ZERO, wall: Timestamp::NEVER }; // a driver reads its clocks
//! session.handle_command(now, Command::Open { ticket: Ticket(1) });
//! loop {
//!     match session.poll() {
//!         Output::Dial { .. } => session.handle_link(now, Link::Up { session_present: false }),
//!         Output::Event(Event::Done { ticket, result }) => assert!(ticket == Ticket(1) && result.is_ok()),
//!         Output::Event(_) => {}
//!         Output::Idle { wake_at } => break assert_eq!(wake_at, None), // wait for words, commands or this time
//!         other => panic!("nothing to say yet: {other:?}"),
//!     }
//! }
//! # Ok::<(), twin_core::Error>(())
//! ```
//!
//! # Bounds
//!
//! Requests: [`Config::max_pending`] and [`MAX_PENDING_BYTES`], of telemetry [`MAX_POST_BYTES`]. Held notifications: [`MAX_HELD`]. Waits: the named durations
//! in [`Config`] and the constants here. Outputs: proportional to what was fed, if the driver polls to `Idle` each time.

mod config;
mod desired;
mod gets;
mod hear;
mod link;
mod machine;
mod messages;
mod posts;
mod random;
mod report;
mod reports;
mod requests;
pub mod retry;
mod talk;
mod timers;
mod tokens;
mod vocabulary;

#[cfg(test)]
mod script;
#[cfg(test)]
mod sim;

pub use config::Config;
pub use desired::{GAP_FIRST_DELAY, GAP_READS, MAX_HELD, VERIFY_INTERVAL};
pub use link::{DISCONNECT_TIMEOUT, MAX_SILENT_TIMEOUTS, STABLE_AFTER};
pub use machine::{Counters, Session};
pub use posts::MAX_POST_BYTES;
pub use report::MAX_REPORT_BYTES;
pub use reports::{MAX_MERGED_BYTES, MAX_PENDING_BYTES};
pub use retry::RetryPolicy;
pub use tokens::{RENEW_DRAIN, RENEW_SPREAD};
pub use vocabulary::{Answer, Command, DesiredChange, Event, Link, Now, Output, State, Ticket};
