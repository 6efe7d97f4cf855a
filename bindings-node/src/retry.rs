//! The retry policy that JavaScript chose, where the session can ask it without leaving its thread.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use twin_device::{Error, ErrorKind, RetryPolicy};

/// Shared between the session, which asks, and JavaScript, which may change its mind any time. Empty rules never retry.
#[derive(Clone, Default)]
pub(crate) struct Rules(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    kinds: Vec<String>,
    /// By attempt; the last one counts for all that follow. `None`, or an empty list, gives up.
    delays: Vec<Option<Duration>>,
    throttled_delays: Vec<Option<Duration>>,
}

impl Rules {
    pub(crate) fn set(&self, kinds: Vec<String>, delays: &[f64], throttled_delays: &[f64]) {
        let table = Table { kinds, delays: durations(delays), throttled_delays: durations(throttled_delays) };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = table;
    }

    pub(crate) fn policy(&self) -> RetryPolicy {
        let rules = self.clone();
        RetryPolicy::custom(move |attempt, error| rules.delay(attempt, error))
    }

    fn delay(&self, attempt: u32, error: &Error) -> Option<Duration> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !table.kinds.iter().any(|kind| kind == error.kind().name()) {
            return None;
        }
        let delays = match error.kind() {
            ErrorKind::Throttled => &table.throttled_delays,
            _ => &table.delays,
        };
        let delay = (*delays.get(attempt as usize).or(delays.last())?)?;
        // What the hub asks for is a floor, whatever the policy says.
        Some(delay.max(error.retry_after().unwrap_or_default()))
    }
}

/// A policy says a negative time to give up.
fn durations(ms: &[f64]) -> Vec<Option<Duration>> {
    ms.iter().map(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok()).collect()
}
