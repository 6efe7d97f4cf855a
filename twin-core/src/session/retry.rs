//! Retry arithmetic: exponential with full jitter, told apart by kind. A pure function; nobody sleeps here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::random::share;
use crate::error::{Error, ErrorKind};

/// Longest wait that a hub's retry-after is followed for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Longest delay, whatever a policy says.
pub const MAX_DELAY: Duration = Duration::from_secs(365 * 24 * 3600);

/// A retry rule of one's own: the attempt (0 is the first retry) and the error, to the delay or `None` to give up.
pub type CustomRetry = Arc<dyn Fn(u32, &Error) -> Option<Duration> + Send + Sync>;

/// When to try again.
#[derive(Clone)]
#[non_exhaustive]
pub enum RetryPolicy {
    /// Exponential with jitter. Only errors whose kind is retryable are retried.
    ///
    /// The `n`-th delay is drawn from 0 to `first * 2^n`, at most `max`. When the hub asked to slow down, it is
    /// drawn from the upper half of `throttled_first * 2^n`, at most `throttled_max`. A retry-after of the hub is a floor.
    Exponential {
        /// Bound of the first delay. Default 1 s.
        first: Duration,
        /// Bound of any delay. Default 60 s.
        max: Duration,
        /// Bound of the first delay when throttled. Default 10 s.
        throttled_first: Duration,
        /// Bound of any delay when throttled. Default 5 min.
        throttled_max: Duration,
        /// Give up when trying has lasted this long. Default: never.
        give_up_after: Option<Duration>,
    },
    /// A rule of one's own, asked for every error, refused credentials included.
    Custom(CustomRetry),
    /// Never.
    None,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy::Exponential {
            first: Duration::from_secs(1),
            max: Duration::from_secs(60),
            throttled_first: Duration::from_secs(10),
            throttled_max: Duration::from_secs(300),
            give_up_after: None,
        }
    }
}

impl RetryPolicy {
    /// A rule of one's own.
    pub fn custom(rule: impl Fn(u32, &Error) -> Option<Duration> + Send + Sync + 'static) -> Self {
        RetryPolicy::Custom(Arc::new(rule))
    }

    /// How long to wait before retry `attempt` (0 is the first), when trying has lasted `elapsed` and ended in `error`;
    /// `None`: give up. `random` is any random number; the same one gives the same delay.
    pub fn delay(&self, attempt: u32, elapsed: Duration, error: &Error, random: u64) -> Option<Duration> {
        match self {
            RetryPolicy::None => None,
            RetryPolicy::Custom(rule) => rule(attempt, error).map(|delay| delay.min(MAX_DELAY)),
            RetryPolicy::Exponential { first, max, throttled_first, throttled_max, give_up_after } => {
                if !error.is_retryable() || give_up_after.is_some_and(|limit| elapsed >= limit) {
                    return None;
                }
                let delay = if error.kind() == ErrorKind::Throttled {
                    let bound = doubled(*throttled_first, attempt, *throttled_max);
                    bound.mul_f64(0.5 + share(random) / 2.0)
                } else {
                    doubled(*first, attempt, *max).mul_f64(share(random))
                };
                Some(delay.max(error.retry_after().unwrap_or_default().min(MAX_RETRY_AFTER)))
            }
        }
    }
}

/// `first * 2^attempt`, at most `max`.
fn doubled(first: Duration, attempt: u32, max: Duration) -> Duration {
    // Beyond 2^31 times anything sensible the maximum has long been reached.
    first.saturating_mul(1 << attempt.min(31)).min(max).min(MAX_DELAY)
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RetryPolicy::Exponential { first, max, throttled_first, throttled_max, give_up_after } => f
                .debug_struct("Exponential")
                .field("first", first)
                .field("max", max)
                .field("throttled_first", throttled_first)
                .field("throttled_max", throttled_max)
                .field("give_up_after", give_up_after)
                .finish(),
            RetryPolicy::Custom(_) => f.write_str("Custom(…)"),
            RetryPolicy::None => f.write_str("None"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::random::Random;

    fn delays(error: &Error, attempt: u32) -> Vec<Duration> {
        let mut random = Random::new(7);
        (0..1000)
            .map(|_| RetryPolicy::default().delay(attempt, Duration::ZERO, error, random.next()).unwrap())
            .collect()
    }

    #[test]
    fn bounds_double_up_to_the_maximum_and_delays_spread_below_them() {
        let network = Error::new(ErrorKind::Network, "lost");
        for (attempt, bound) in [(0, 1.0), (1, 2.0), (5, 32.0), (6, 60.0), (40, 60.0), (u32::MAX, 60.0)] {
            let delays = delays(&network, attempt);
            let mean = delays.iter().map(Duration::as_secs_f64).sum::<f64>() / 1000.0;
            assert!(delays.iter().all(|d| d.as_secs_f64() <= bound), "attempt {attempt}");
            assert!((mean / bound - 0.5).abs() < 0.05, "attempt {attempt}: mean {mean} of {bound}");
        }
    }

    #[test]
    fn throttling_waits_longer_and_retry_after_is_a_floor() {
        let throttled = Error::new(ErrorKind::Throttled, "slow down");
        assert!(delays(&throttled, 0).iter().all(|d| (5.0..=10.0).contains(&d.as_secs_f64())));
        assert!(delays(&throttled, 30).iter().all(|d| (150.0..=300.0).contains(&d.as_secs_f64())));
        let told = throttled.with_retry_after(Duration::from_secs(77));
        assert!(delays(&told, 0).iter().all(|d| d.as_secs() == 77));
    }

    #[test]
    fn only_retryable_kinds_are_retried_and_not_for_ever_if_told_so() {
        let policy = RetryPolicy::default();
        for kind in ErrorKind::ALL {
            let delay = policy.delay(0, Duration::ZERO, &Error::new(*kind, ""), 1);
            assert_eq!(delay.is_some(), kind.is_retryable(), "{}", kind.name());
        }
        let limited = RetryPolicy::Exponential {
            first: Duration::from_secs(1),
            max: Duration::from_secs(1),
            throttled_first: Duration::from_secs(1),
            throttled_max: Duration::from_secs(1),
            give_up_after: Some(Duration::from_secs(10)),
        };
        let network = Error::new(ErrorKind::Network, "lost");
        assert!(limited.delay(9, Duration::from_millis(9999), &network, 1).is_some());
        assert!(limited.delay(9, Duration::from_secs(10), &network, 1).is_none());
        assert!(RetryPolicy::None.delay(0, Duration::ZERO, &network, 1).is_none());
    }

    #[test]
    fn a_custom_rule_decides_everything() {
        let policy = RetryPolicy::custom(|attempt, error| {
            (error.kind() == ErrorKind::Unauthorized && attempt < 2).then_some(Duration::from_secs(3))
        });
        let error = Error::new(ErrorKind::Unauthorized, "no");
        assert_eq!(policy.delay(1, Duration::MAX, &error, 0), Some(Duration::from_secs(3)));
        assert_eq!(policy.delay(2, Duration::ZERO, &error, 0), None);
        assert_eq!(format!("{policy:?}"), "Custom(…)");
    }
}
