//! Faults on demand: tests make the hub refuse or dawdle, by count, so that what clients do about it can be seen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use twin_core::wire::Refusal;

/// Most faults that wait at a time; more push the oldest out.
const MAX_FAULTS: usize = 64;

/// What a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "tests choose")]
pub(crate) enum Operation {
    /// whatever comes
    Any,
    /// a device connects
    Attach,
    /// a device reads its twin
    GetTwin,
    /// a device reports
    Report,
    /// the backend calls the service interface
    Call,
}

/// One fault: hits the next `times` operations that match.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) operation: Operation,
    pub(crate) times: u32,
    /// waited before anything else; device reads are not delayed, as they never wait
    pub(crate) delay: Duration,
    /// refused with this instead of done; `None` only delays
    pub(crate) refusal: Option<Refusal>,
}

/// The faults that wait to happen. Costs one atomic load while there are none.
#[derive(Default)]
pub(crate) struct Faults {
    any: AtomicBool,
    waiting: Mutex<Vec<Fault>>,
}

impl Faults {
    /// Adds a fault.
    pub(crate) fn inject(&self, fault: Fault) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == MAX_FAULTS {
            waiting.remove(0);
        }
        waiting.push(fault);
        self.any.store(true, Ordering::Release);
    }

    /// Removes all faults.
    pub(crate) fn clear(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.any.store(false, Ordering::Release);
    }

    /// Takes the fault that hits `operation` now, if any.
    pub(super) fn take(&self, operation: Operation) -> Option<Fault> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiting
            .iter()
            .position(|f| f.times > 0 && (f.operation == operation || f.operation == Operation::Any))?;
        waiting[at].times -= 1;
        let fault = waiting[at].clone();
        if fault.times == 0 {
            waiting.remove(at);
            self.any.store(!waiting.is_empty(), Ordering::Release);
        }
        Some(fault)
    }

    /// Suffers the fault that hits `operation`, if any.
    pub(super) async fn suffer(&self, operation: Operation) -> Result<(), Refusal> {
        let Some(fault) = self.take(operation) else { return Ok(()) };
        if !fault.delay.is_zero() {
            tokio::time::sleep(fault.delay).await;
        }
        fault.refusal.map_or(Ok(()), Err)
    }

    /// Like [`Faults::suffer`], for what never waits.
    pub(super) fn suffer_now(&self, operation: Operation) -> Result<(), Refusal> {
        self.take(operation).and_then(|fault| fault.refusal).map_or(Ok(()), Err)
    }
}
