//! Reads of the twin: those that wait to be sent share one message; reading is harmless, so it is repeated freely.

use std::time::Duration;

use super::Answer;
use super::requests::{End, Outbox, Waiter, earliest, end_where};
use crate::error::Error;
use crate::twin::DeviceTwin;
use crate::wire::Rid;

const WHAT: &str = "reading the twin";

/// Every read, waiting or in flight.
#[derive(Debug, Default)]
pub(super) struct Gets {
    waiting: Vec<Waiter>,
    flights: Vec<Flight>,
    /// The hub refused for the moment: not before this.
    pub(super) not_before: Option<Duration>,
    /// Refusals for the moment in a row.
    pub(super) attempt: u32,
}

/// One message on its way.
#[derive(Debug)]
pub(super) struct Flight {
    rid: Rid,
    answer_by: Duration,
    waiters: Vec<Waiter>,
    /// Whether the desired properties wait for it too.
    pub(super) for_watch: bool,
}

impl Gets {
    pub(super) fn push(&mut self, waiter: Waiter) {
        self.waiting.push(waiter);
    }

    /// Owners that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.flights.iter().map(|f| f.waiters.len()).sum::<usize>()
    }

    pub(super) fn in_flight(&self) -> bool {
        !self.flights.is_empty()
    }

    pub(super) fn watch_in_flight(&self) -> bool {
        self.flights.iter().any(|f| f.for_watch)
    }

    /// Whether anybody waits for a message to be sent.
    pub(super) fn any_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether a message should go out now for those who wait.
    pub(super) fn due(&self, now: Duration) -> bool {
        self.any_waiting() && self.not_before.is_none_or(|t| now >= t)
    }

    /// A message goes out; everybody who waits shares it.
    pub(super) fn send(&mut self, rid: Rid, answer_by: Duration, for_watch: bool) {
        let waiters = std::mem::take(&mut self.waiting);
        self.flights.push(Flight { rid, answer_by, waiters, for_watch });
    }

    /// The message that this answers, taken out.
    pub(super) fn take(&mut self, rid: &Rid) -> Option<Flight> {
        let at = self.flights.iter().position(|f| f.rid == *rid)?;
        Some(self.flights.swap_remove(at))
    }

    /// The owners of a message wait again.
    pub(super) fn again(&mut self, flight: Flight, refusal: Option<&Error>) {
        self.waiting.extend(flight.waiters.into_iter().map(|mut w| {
            w.refusal = refusal.cloned().or(w.refusal);
            w
        }));
    }

    /// Takes out what should have been answered by now; its owners wait again. Tells how many messages, and whether the
    /// desired properties waited for one.
    pub(super) fn overdue(&mut self, now: Duration) -> (u32, bool) {
        let (mut count, mut for_watch) = (0, false);
        while let Some(at) = self.flights.iter().position(|f| now >= f.answer_by) {
            let flight = self.flights.swap_remove(at);
            count += 1;
            for_watch |= flight.for_watch;
            self.again(flight, None);
        }
        (count, for_watch)
    }

    /// The link is gone: everybody waits again.
    pub(super) fn link_lost(&mut self) {
        for flight in std::mem::take(&mut self.flights) {
            self.again(flight, None);
        }
    }

    /// Ends the waits that `which` picks.
    pub(super) fn end(&mut self, out: &mut Outbox, end: &End, which: impl Fn(&Waiter) -> bool) {
        end_where(&mut self.waiting, out, WHAT, false, end, &which);
        for flight in &mut self.flights {
            end_where(&mut flight.waiters, out, WHAT, true, end, &which);
        }
    }

    /// When a wait ends.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let flying = self.flights.iter().flat_map(|f| &f.waiters);
        self.waiting.iter().chain(flying).map(|w| w.deadline).min()
    }

    /// When an answer is overdue.
    pub(super) fn wake_flights(&self) -> Option<Duration> {
        self.flights.iter().map(|f| f.answer_by).min()
    }

    /// When something is to be done on an open link.
    pub(super) fn wake(&self) -> Option<Duration> {
        earliest(self.wake_flights(), self.not_before.filter(|_| self.any_waiting()))
    }
}

impl Flight {
    pub(super) fn answer(self, out: &mut Outbox, twin: &DeviceTwin) {
        for waiter in self.waiters {
            waiter.answer(out, Answer::Twin(twin.clone()));
        }
    }

    /// The hub refused, or its answer made no sense: nothing was changed by reading.
    pub(super) fn refused(self, out: &mut Outbox, error: &Error) {
        for waiter in self.waiters {
            super::requests::done(out, waiter.ticket, Err(error.clone().context(WHAT)));
        }
    }
}
