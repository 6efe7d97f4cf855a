//! One owner's wait for one request, and how it ends.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Answer, Event, Output, Ticket};
use crate::error::{Delivery, Error, ErrorKind};

/// What the session says next.
pub(super) type Outbox = VecDeque<Output>;

/// Somebody who waits.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) ticket: Ticket,
    pub(super) deadline: Duration,
    /// An earlier attempt was sent and not answered: the hub may have acted.
    pub(super) maybe_done: bool,
    /// Why the hub refused the last attempt.
    pub(super) refusal: Option<Error>,
}

/// Why a wait ends without an answer.
#[derive(Clone, Debug)]
pub(super) enum End {
    Cancelled,
    Closed,
    /// The deadline passed; with the state of the link, for the message.
    TimedOut(String),
    Failed(Error),
}

impl Waiter {
    pub(super) fn new(ticket: Ticket, deadline: Duration) -> Self {
        Waiter { ticket, deadline, maybe_done: false, refusal: None }
    }

    /// Ends with success.
    pub(super) fn answer(self, out: &mut Outbox, answer: Answer) {
        done(out, self.ticket, Ok(answer));
    }

    /// Ends without. `what` names the request; `in_flight` whether an attempt is unanswered right now.
    pub(super) fn end(&mut self, out: &mut Outbox, what: &str, in_flight: bool, end: &End) {
        let delivery = if in_flight || self.maybe_done { Delivery::Unknown } else { Delivery::NotSent };
        let error = match (end, self.refusal.take()) {
            (End::Cancelled, _) => Error::new(ErrorKind::Cancelled, format!("the caller gave up on {what}"))
                .with_delivery(delivery),
            (End::Closed, _) => {
                Error::new(ErrorKind::Closed, format!("the client was closed before {what} ended"))
                    .with_delivery(delivery)
            }
            // What the hub said last is worth more than that time ran out.
            (End::TimedOut(_), Some(refusal)) if !in_flight => {
                let delivery = if self.maybe_done { Delivery::Unknown } else { Delivery::Refused };
                refusal.context(format!("{what} was refused until its time ran out")).with_delivery(delivery)
            }
            (End::TimedOut(link), _) => {
                Error::new(ErrorKind::Timeout, format!("{what} did not end in time; {link}"))
                    .with_delivery(delivery)
            }
            (End::Failed(error), _) => error.clone().context(what).with_delivery(delivery),
        };
        done(out, self.ticket, Err(error));
    }
}

/// Tells the owner that a request ended.
pub(super) fn done(out: &mut Outbox, ticket: Ticket, result: Result<Answer, Error>) {
    out.push_back(Output::Event(Event::Done { ticket, result }));
}

/// Takes out of `waiters` those that `which` picks and ends them.
pub(super) fn end_where(
    waiters: &mut Vec<Waiter>,
    out: &mut Outbox,
    what: &str,
    in_flight: bool,
    end: &End,
    which: impl Fn(&Waiter) -> bool,
) {
    for mut waiter in waiters.extract_if(.., |w| which(w)) {
        waiter.end(out, what, in_flight, end);
    }
}

/// The earliest of both, `None` being never.
pub(super) fn earliest(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
