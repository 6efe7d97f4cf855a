//! Retry arithmetic: exponential with full jitter, told apart by kind; no sleeping.
use std::time::Duration;

/// When to try again.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RetryPolicy {
    /// Exponential with jitter, for ever or until `give_up_after`.
    Exponential {
        /** first */
        first: Duration,
        /** largest */
        max: Duration,
        /** total */
        give_up_after: Option<Duration>,
    },
    /// Never.
    None,
}
