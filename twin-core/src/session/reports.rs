//! Reports: a queue in the order they were made, merged when they wait, sent again when unanswered.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::report::Report;
use super::requests::{End, Outbox, Waiter, earliest};
use crate::error::{Error, ErrorKind};
use crate::twin::Object;
use crate::twin::merge::{compose, composes};
use crate::wire::Rid;

/// Waiting reports merge up to this many bytes of JSON: the size of a reported section.
pub const MAX_MERGED_BYTES: usize = 32 * 1024;
/// Bytes of JSON in all reports that wait or are in flight; one more is refused.
pub const MAX_PENDING_BYTES: usize = 4 * 1024 * 1024;

/// One message on its way.
#[derive(Debug)]
struct Flight {
    rid: Rid,
    answer_by: Duration,
    reports: Vec<Report>,
    /// A message sent after it was answered: repeating this one would undo that one.
    overtaken: bool,
    /// It names a version.
    exclusive: bool,
}

/// A message to say.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) patch: Bytes,
    pub(super) if_version: Option<u64>,
    reports: Vec<Report>,
}

/// Every report, waiting or in flight.
#[derive(Debug, Default)]
pub(super) struct Reports {
    queue: VecDeque<Report>,
    flights: VecDeque<Flight>,
    /// The hub refused for the moment: not before this.
    pub(super) not_before: Option<Duration>,
    /// Refusals for the moment in a row.
    pub(super) attempt: u32,
}

impl Reports {
    pub(super) fn push(&mut self, report: Report) {
        self.queue.push_back(report);
    }

    fn all(&self) -> impl Iterator<Item = &Report> {
        self.flights.iter().flat_map(|f| &f.reports).chain(&self.queue)
    }

    /// Owners that wait.
    pub(super) fn len(&self) -> usize {
        self.all().filter(|r| !r.ended).count()
    }

    /// Bytes of JSON kept.
    pub(super) fn bytes(&self) -> usize {
        self.all().map(|r| r.bytes).sum()
    }

    pub(super) fn in_flight(&self) -> bool {
        !self.flights.is_empty()
    }

    pub(super) fn any_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The next message, if one may go out now. One that names a version is alone in flight.
    pub(super) fn next(&mut self, now: Duration, max_in_flight: usize, merge: bool) -> Option<Message> {
        while self.flights.is_empty() && self.queue.front().is_some_and(|r| r.ended) {
            // Nothing earlier is to be repeated, so this need not follow.
            self.queue.pop_front();
        }
        if !self.has_room(max_in_flight) || self.not_before.is_some_and(|t| now < t) {
            return None;
        }
        let first = self.queue.pop_front()?;
        let (if_version, mergeable) = (first.if_version, merge && first.if_version.is_none() && !first.alone);
        let mut bytes = first.bytes;
        let mut reports = vec![first];
        let mut merged: Option<Object> = None;
        while let Some(next) = self.queue.front().filter(|_| mergeable) {
            let fits = bytes + next.bytes <= MAX_MERGED_BYTES && next.if_version.is_none() && !next.alone;
            let so_far = merged.as_ref().unwrap_or(&reports[0].patch);
            if !fits || !composes(so_far, &next.patch) {
                break;
            }
            bytes += next.bytes;
            compose(merged.get_or_insert_with(|| reports[0].patch.clone()), &next.patch);
            reports.extend(self.queue.pop_front());
        }
        let patch = serde_json::to_vec(merged.as_ref().unwrap_or(&reports[0].patch));
        let patch = patch.expect("a JSON object with text keys always serialises").into();
        Some(Message { patch, if_version, reports })
    }

    /// Whether there is a next message, and nothing in flight forbids it.
    fn has_room(&self, max_in_flight: usize) -> bool {
        let Some(next) = self.queue.front() else { return false };
        let exclusive = next.if_version.is_some() || self.flights.iter().any(|f| f.exclusive);
        self.flights.len() < if exclusive { 1 } else { max_in_flight.max(1) }
    }

    /// The message goes out.
    pub(super) fn sent(&mut self, message: Message, rid: Rid, answer_by: Duration) {
        let (reports, exclusive) = (message.reports, message.if_version.is_some());
        self.flights.push_back(Flight { rid, answer_by, reports, overtaken: false, exclusive });
    }

    /// Handles an answer: `Err(error)` is what the hub refused with. `None` if no message has this rid; else whether
    /// the message is to be repeated after a pause, because the hub refused it for the moment.
    pub(super) fn answered(
        &mut self,
        out: &mut Outbox,
        rid: &Rid,
        result: Result<Option<u64>, &Error>,
    ) -> Option<bool> {
        let at = self.flights.iter().position(|f| f.rid == *rid)?;
        let flight = self.flights.remove(at).expect("just found");
        let error = match result {
            Ok(version) => {
                (self.attempt, self.not_before) = (0, None);
                self.flights.iter_mut().take(at).for_each(|earlier| earlier.overtaken = true);
                flight.reports.into_iter().for_each(|report| report.answer(out, version));
                return Some(false);
            }
            Err(error) => error,
        };
        // A server that fails may have applied the patch before; one that throttles or finds fault has not.
        let maybe_done = error.is_retryable() && error.kind() != ErrorKind::Throttled;
        let again = error.is_retryable();
        if again || flight.reports.len() > 1 {
            // What was sent after it would overtake it: repeat that as well, behind it.
            let why = Error::new(ErrorKind::Network, "an earlier report is to be repeated");
            self.flights_to_queue(out, at, &why);
            self.back_to_queue(out, flight, maybe_done, !again, error);
        } else {
            flight.reports.into_iter().for_each(|report| report.refuse(out, error, maybe_done));
        }
        Some(again)
    }

    /// Takes out messages unanswered for too long, and those sent after them; tells whether there were any.
    pub(super) fn overdue(&mut self, out: &mut Outbox, now: Duration) -> bool {
        let Some(first) = self.flights.iter().position(|f| now >= f.answer_by) else { return false };
        self.flights_to_queue(out, first, &Error::new(ErrorKind::Timeout, "the hub did not answer in time"));
        true
    }

    /// The link is gone: everything in flight is to be sent again, in order, except what named a version.
    pub(super) fn link_lost(&mut self, out: &mut Outbox, error: &Error) {
        self.flights_to_queue(out, 0, error);
    }

    fn flights_to_queue(&mut self, out: &mut Outbox, from: usize, error: &Error) {
        for flight in self.flights.split_off(from).into_iter().rev() {
            self.back_to_queue(out, flight, true, false, error);
        }
    }

    /// The hub refused the foremost message for the moment, and it is not to be repeated: its reports end.
    pub(super) fn give_up(&mut self, out: &mut Outbox, error: &Error) {
        while self.queue.front().is_some_and(|r| r.waiter.refusal.is_some()) {
            if let Some(report) = self.queue.pop_front() {
                report.refuse(out, error, false);
            }
        }
    }

    /// Puts a message's reports back to the front. Those that can't be repeated end: one that named a version and may
    /// have been applied would fail for its own success, an overtaken one would undo a later one.
    fn back_to_queue(
        &mut self,
        out: &mut Outbox,
        flight: Flight,
        maybe_done: bool,
        alone: bool,
        error: &Error,
    ) {
        let Flight { reports, overtaken, .. } = flight;
        for mut report in reports.into_iter().rev() {
            if overtaken || (report.if_version.is_some() && maybe_done) {
                report.refuse(out, error, maybe_done);
                continue;
            }
            report.waiter.maybe_done |= maybe_done;
            if report.ended && !report.waiter.maybe_done {
                continue;
            }
            // A merged message's fault need not be this report's.
            report.waiter.refusal = error.status().filter(|_| !alone).map(|_| error.clone());
            report.alone |= alone;
            self.queue.push_front(report);
        }
    }

    /// Ends the waits that `which` picks. What was never sent never will be.
    pub(super) fn end(&mut self, out: &mut Outbox, end: &End, which: impl Fn(&Waiter) -> bool) {
        for report in self.flights.iter_mut().flat_map(|f| &mut f.reports).filter(|r| which(&r.waiter)) {
            report.end(out, true, end);
        }
        for report in self.queue.iter_mut().filter(|r| which(&r.waiter)) {
            report.end(out, false, end);
        }
        self.queue.retain(|r| !r.ended || r.waiter.maybe_done);
    }

    /// When a wait ends.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.all().filter(|r| !r.ended).map(|r| r.waiter.deadline).min()
    }

    /// When an answer is overdue.
    pub(super) fn wake_flights(&self) -> Option<Duration> {
        self.flights.iter().map(|f| f.answer_by).min()
    }

    /// When something is to be done on an open link.
    pub(super) fn wake(&self, max_in_flight: usize) -> Option<Duration> {
        earliest(self.wake_flights(), self.not_before.filter(|_| self.has_room(max_in_flight)))
    }
}
