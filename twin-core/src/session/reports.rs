//! Reports: a queue in the order they were made, merged when they wait, sent again when unanswered.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::Answer;
use super::requests::{End, Outbox, Waiter, done, earliest};
use crate::error::{Delivery, Error, ErrorKind};
use crate::twin::Object;
use crate::twin::merge::{compose, composes};
use crate::wire::Rid;

/// Largest single report, in bytes of JSON: the hub's message size (IoT Hub quotas).
pub const MAX_REPORT_BYTES: usize = 256 * 1024;
/// Waiting reports merge up to this many bytes of JSON: the size of a reported section.
pub const MAX_MERGED_BYTES: usize = 32 * 1024;
/// Bytes of JSON in all reports that wait or are in flight; one more is refused.
pub const MAX_PENDING_BYTES: usize = 4 * 1024 * 1024;

const WHAT: &str = "reporting properties";

/// One owner's report.
#[derive(Debug)]
pub(super) struct Report {
    waiter: Waiter,
    patch: Object,
    bytes: usize,
    if_version: Option<u64>,
    /// It was part of a merged message that was refused: send it by itself, to tell whose fault it was.
    alone: bool,
}

impl Report {
    /// Refuses what no message can carry.
    pub(super) fn new(waiter: Waiter, patch: Object, if_version: Option<u64>) -> Result<Report, Error> {
        let bytes = json_len(&patch);
        if bytes > MAX_REPORT_BYTES {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("the reported patch has {bytes} bytes of JSON; a message holds {MAX_REPORT_BYTES}"),
            )
            .with_delivery(Delivery::NotSent));
        }
        Ok(Report { waiter, patch, bytes, if_version, alone: false })
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// One message on its way.
#[derive(Debug)]
struct Flight {
    rid: Rid,
    answer_by: Duration,
    /// Those of its reports that somebody still waits for.
    reports: Vec<Report>,
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

    /// Owners that wait.
    pub(super) fn len(&self) -> usize {
        self.queue.len() + self.flights.iter().map(|f| f.reports.len()).sum::<usize>()
    }

    /// Bytes of JSON kept.
    pub(super) fn bytes(&self) -> usize {
        let flying = self.flights.iter().flat_map(|f| &f.reports);
        self.queue.iter().chain(flying).map(|r| r.bytes).sum()
    }

    pub(super) fn in_flight(&self) -> bool {
        !self.flights.is_empty()
    }

    pub(super) fn any_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The next message, if one may go out now.
    pub(super) fn next(&mut self, now: Duration, max_in_flight: usize, merge: bool) -> Option<Message> {
        if self.flights.len() >= max_in_flight.max(1) || self.not_before.is_some_and(|t| now < t) {
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

    /// The message goes out.
    pub(super) fn sent(&mut self, message: Message, rid: Rid, answer_by: Duration) {
        self.flights.push_back(Flight { rid, answer_by, reports: message.reports });
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
                for report in flight.reports {
                    report.waiter.answer(out, Answer::Reported { version });
                }
                return Some(false);
            }
            Err(error) => error,
        };
        // A server that fails may have applied the patch before; one that throttles or finds fault has not.
        let maybe_done = error.is_retryable() && error.kind() != ErrorKind::Throttled;
        let again = error.is_retryable();
        if again || flight.reports.len() > 1 {
            // What was sent after it would overtake it: repeat that as well, behind it.
            self.flights_to_queue(
                out,
                at,
                &Error::new(ErrorKind::Network, "an earlier report is to be repeated"),
            );
            self.back_to_queue(out, flight, maybe_done, !again, error);
        } else {
            for report in flight.reports {
                refused(out, report, error, maybe_done);
            }
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
                refused(out, report, error, false);
            }
        }
    }

    /// Puts a message's reports back to the front. One that named a version and may have been applied
    /// can't be repeated: it would fail for its own success.
    fn back_to_queue(
        &mut self,
        out: &mut Outbox,
        flight: Flight,
        maybe_done: bool,
        alone: bool,
        error: &Error,
    ) {
        for mut report in flight.reports.into_iter().rev() {
            if report.if_version.is_some() && maybe_done {
                refused(out, report, error, true);
                continue;
            }
            report.waiter.maybe_done |= maybe_done;
            report.waiter.refusal = error.status().map(|_| error.clone());
            report.alone |= alone;
            self.queue.push_front(report);
        }
    }

    /// Ends the waits that `which` picks. What waits is not sent any more; what is in flight is not repeated.
    pub(super) fn end(&mut self, out: &mut Outbox, end: &End, which: impl Fn(&Waiter) -> bool) {
        for flight in &mut self.flights {
            for report in flight.reports.extract_if(.., |r| which(&r.waiter)) {
                report.waiter.end(out, WHAT, true, end);
            }
        }
        if self.queue.iter().any(|r| which(&r.waiter)) {
            for report in std::mem::take(&mut self.queue) {
                if which(&report.waiter) {
                    report.waiter.end(out, WHAT, false, end);
                } else {
                    self.queue.push_back(report);
                }
            }
        }
    }

    /// When a wait ends.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let flying = self.flights.iter().flat_map(|f| &f.reports);
        self.queue.iter().chain(flying).map(|r| r.waiter.deadline).min()
    }

    /// When an answer is overdue.
    pub(super) fn wake_flights(&self) -> Option<Duration> {
        self.flights.iter().map(|f| f.answer_by).min()
    }

    /// When something is to be done on an open link.
    pub(super) fn wake(&self, max_in_flight: usize) -> Option<Duration> {
        let room = self.flights.len() < max_in_flight.max(1) && self.any_waiting();
        earliest(self.wake_flights(), self.not_before.filter(|_| room))
    }
}

fn refused(out: &mut Outbox, report: Report, error: &Error, maybe_done: bool) {
    let unknown = maybe_done || report.waiter.maybe_done;
    let delivery = if unknown { Delivery::Unknown } else { Delivery::Refused };
    done(out, report.waiter.ticket, Err(error.clone().context(WHAT).with_delivery(delivery)));
}

/// Bytes of the JSON text, without making it.
fn json_len(object: &Object) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, object).expect("a JSON object with text keys always serialises");
    count.0
}
