//! Where a registry gets the time, its waits and its randomness from.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use twin_core::Timestamp;

/// Time, waiting and randomness, for a registry. Tests pass their own, so that an hour's renewal or a minute's
/// back-off takes no time at all.
///
/// ```
/// use std::{future::Future, pin::Pin, time::Duration};
/// use twin_service::{Clock, Timestamp};
///
/// /// Stands still and never waits.
/// struct Frozen;
///
/// impl Clock for Frozen {
///     fn now(&self) -> Timestamp {
///         Timestamp::from_unix(Duration::from_secs(1_700_000_000))
///     }
///     fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
///         Box::pin(std::future::ready(()))
///     }
/// }
///
/// let registry = twin_service::Registry::builder("HostName=h.example;SharedAccessKeyName=service;SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAA==")
///     .clock(Frozen)
///     .build();
/// assert!(registry.is_ok());
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The wall clock: tokens expire by it.
    fn now(&self) -> Timestamp;

    /// Waits.
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// An evenly distributed number from 0 to below 1, which spreads the retries of many backends. Default: the
    /// operating system's randomness.
    fn jitter(&self) -> f64 {
        // Without randomness the retries do not spread, which is no reason to fail one.
        getrandom::u32().map_or(0.5, |n| f64::from(n) / (f64::from(u32::MAX) + 1.0))
    }
}

/// The machine's clock and tokio's timer: what a registry uses unless told otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(time))
    }
}
