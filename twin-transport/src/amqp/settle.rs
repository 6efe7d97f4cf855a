//! What becomes of messages, ours and the hub's: dispositions (2.6.12) and the states of deliveries (3.4).

use bytes::Bytes;
use twin_core::wire::amqp as grammar;
use twin_core::{Delivery, Error, ErrorKind};

use super::frame::{self, Fields};
use super::peer::{Happened, LinkId, Peer};
use super::value::Value;

const ACCEPTED: u64 = frame::ACCEPTED;
const REJECTED: u64 = 0x25;
const RELEASED: u64 = 0x26;
const MODIFIED: u64 = 0x27;

/// What we do with a delivery of the hub's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outcome {
    Accepted,
    Rejected,
    Released,
}

/// A delivery of the hub's that waits for our word, by the hub's number for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrival {
    pub(super) delivery: u32,
    pub(super) tag: Bytes,
}

impl Peer {
    /// Says what became of a delivery. The hub's answer is not waited for: if it does not hear this, it delivers again.
    pub(super) fn settle(&mut self, delivery: u32, outcome: Outcome) {
        let code = match outcome {
            Outcome::Accepted => ACCEPTED,
            Outcome::Rejected => REJECTED,
            Outcome::Released => RELEASED,
        };
        let state = Value::described(code, Vec::new());
        let fields = vec![Value::Bool(true), Value::Uint(delivery), Value::Null, Value::Bool(true), state];
        self.put(frame::DISPOSITION, fields, &[]);
    }

    /// The hub says what became of ours.
    pub(super) fn disposition(&mut self, fields: &mut Fields) -> Option<Happened> {
        let (is_receiver, first) = (fields.take(0).is_true(), fields.number(1)?);
        let last = fields.number(2).unwrap_or(first);
        let state = fields.take(4);
        if !is_receiver || matches!(state, Value::Null) {
            return None;
        }
        let error = refusal(state);
        // Ours alone are looked at, whatever range the hub names.
        let within = |delivery: u32| delivery.wrapping_sub(first) <= last.wrapping_sub(first);
        let mut settled: Vec<_> = self.unsettled.extract_if(|delivery, _| within(*delivery)).collect();
        settled.sort_by_key(|(delivery, _)| delivery.wrapping_sub(first));
        self.happened.extend(
            settled.into_iter().map(|(_, (link, mark))| Happened::Settled(link, mark, error.clone())),
        );
        self.happened.pop_front()
    }

    /// Forgets what was sent on a link that is gone: the marks of what was not confirmed.
    pub(super) fn forget_unsettled(&mut self, link: LinkId) -> Vec<u64> {
        self.unsettled.extract_if(|_, (on, _)| *on == link).map(|(_, (_, mark))| mark).collect()
    }
}

/// Why a delivery was not taken.
fn refusal(state: Value) -> Option<Error> {
    let Value::Described(code, value) = state else { return None };
    match code {
        ACCEPTED => None,
        RELEASED | MODIFIED => Some(
            Error::new(ErrorKind::Unavailable, "the hub gave the message back")
                .with_delivery(Delivery::Refused),
        ),
        REJECTED => {
            let mut list = match *value {
                Value::List(list) => Fields::new(list),
                _ => Fields::new(Vec::new()),
            };
            let error = match list.described(0, frame::ERROR) {
                Some(mut error) => {
                    let (condition, description) = (error.take(0), error.take(1));
                    let condition = condition.as_text().unwrap_or_default();
                    grammar::hear_condition(condition, description.as_text())
                }
                None => Error::new(ErrorKind::Rejected, "the hub rejected the message"),
            };
            Some(error.with_delivery(Delivery::Refused))
        }
        // `received` and whatever else says nothing final.
        _ => None,
    }
}
