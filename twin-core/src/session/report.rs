//! One owner's report.

use super::Answer;
use super::requests::{End, Outbox, Waiter, done};
use crate::error::{Delivery, Error, ErrorKind};
use crate::twin::Object;

/// Largest single report, in bytes of JSON: the hub's message size (IoT Hub quotas).
pub const MAX_REPORT_BYTES: usize = 256 * 1024;

const WHAT: &str = "reporting properties";

/// One owner's report.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) waiter: Waiter,
    pub(super) patch: Object,
    pub(super) bytes: usize,
    pub(super) if_version: Option<u64>,
    /// It was part of a merged message that was refused: send it by itself, to tell whose fault it was.
    pub(super) alone: bool,
    /// Its owner was told how it ended. It may have been applied all the same, so if an earlier one has to be repeated,
    /// this one has to follow it once more.
    pub(super) ended: bool,
}

impl Report {
    /// Refuses what no message can carry.
    pub(super) fn new(waiter: Waiter, patch: Object, if_version: Option<u64>) -> Result<Report, Error> {
        let bytes = json_len(&patch);
        if bytes > MAX_REPORT_BYTES {
            let text =
                format!("the reported patch has {bytes} bytes of JSON; a message holds {MAX_REPORT_BYTES}");
            return Err(Error::new(ErrorKind::TooLarge, text).with_delivery(Delivery::NotSent));
        }
        Ok(Report { waiter, patch, bytes, if_version, alone: false, ended: false })
    }

    /// The hub applied it.
    pub(super) fn answer(self, out: &mut Outbox, version: Option<u64>) {
        if !self.ended {
            self.waiter.answer(out, Answer::Reported { version });
        }
    }

    /// It will not be sent again. `maybe_done`: this time the hub may have applied it.
    pub(super) fn refuse(self, out: &mut Outbox, error: &Error, maybe_done: bool) {
        if !self.ended {
            let unknown = maybe_done || self.waiter.maybe_done;
            let delivery = if unknown { Delivery::Unknown } else { Delivery::Refused };
            done(out, self.waiter.ticket, Err(error.clone().context(WHAT).with_delivery(delivery)));
        }
    }

    /// Its owner waits no longer.
    pub(super) fn end(&mut self, out: &mut Outbox, in_flight: bool, end: &End) {
        if !self.ended {
            self.ended = true;
            self.waiter.end(out, WHAT, in_flight, end);
        }
    }
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
