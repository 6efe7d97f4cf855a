//! When to ask for cloud-to-device messages over HTTPS, where nobody can push them: pure schedules, told the time.
//!
//! The policies are those of the Node SDK's `Http` (`HttpReceiverOptions`): an interval, one time, a cron expression,
//! or by hand; and whether one time takes all messages that wait or one.

mod cron;

pub use cron::Cron;

use std::time::Duration;

use crate::session::Now;
use crate::{Error, Result, Timestamp};

/// Shortest interval. A shorter one would only run into the hub's limit on receives.
pub const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// When messages are asked for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum When {
    /// Again and again, this long after the last time ended.
    Every(Duration),
    /// Once, at this time; at once if it is past.
    At(Timestamp),
    /// Whenever the expression says so.
    Cron(Cron),
    /// Only when somebody asks.
    Manual,
}

/// When messages are asked for, and how many at a time.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivePolicy {
    /// When. Default: every second, as the Node SDK does; IoT Hub's documents advise against more than once in 25
    /// minutes on a hub with many devices.
    pub when: When,
    /// Whether each time goes on until no message waits; else it takes one. Default: true.
    pub drain: bool,
}

impl Default for ReceivePolicy {
    fn default() -> Self {
        ReceivePolicy { when: When::Every(Duration::from_secs(1)), drain: true }
    }
}

impl ReceivePolicy {
    /// All that wait, each time.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for an interval below [`MIN_INTERVAL`].
    pub fn new(when: When) -> Result<Self> {
        if let When::Every(interval) = when
            && interval < MIN_INTERVAL
        {
            return Err(Error::invalid(format!(
                "the interval between receives is {interval:?}; it must be at least {MIN_INTERVAL:?}"
            )));
        }
        Ok(ReceivePolicy { when, drain: true })
    }

    /// Takes one message each time instead.
    pub fn one_at_a_time(mut self) -> Self {
        self.drain = false;
        self
    }
}

/// Where a policy stands: what was asked for and when the next time is.
#[derive(Debug)]
pub struct Schedule {
    when: When,
    next: Option<Duration>,
}

impl Schedule {
    /// A schedule that begins now. The first time of an interval is one interval from now, as in the Node SDK.
    pub fn new(when: When, now: Now) -> Self {
        let mut schedule = Schedule { when, next: None };
        schedule.next = match schedule.when {
            When::At(at) => Some(now.mono.saturating_add(until(at, now))),
            _ => schedule.following(now),
        };
        schedule
    }

    /// When it is time next, on the monotonic clock; `None`: never again.
    pub fn next(&self) -> Option<Duration> {
        self.next
    }

    /// Whether it is time. The next time is reckoned from when this one ended ([`Schedule::ended`]).
    pub fn take(&mut self, now: Now) -> bool {
        let due = self.next.is_some_and(|at| now.mono >= at);
        if due {
            self.next = None;
        }
        due
    }

    /// The messages of this time are here.
    pub fn ended(&mut self, now: Now) {
        self.next = self.following(now);
    }

    fn following(&self, now: Now) -> Option<Duration> {
        let wait = match &self.when {
            When::Every(interval) => *interval,
            When::Cron(cron) => until(cron.after(now.wall)?, now),
            When::At(_) | When::Manual => return None,
        };
        Some(now.mono.saturating_add(wait))
    }
}

fn until(at: Timestamp, now: Now) -> Duration {
    Duration::from_nanos(at.ticks().saturating_sub(now.wall.ticks()).saturating_mul(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        let wall = Timestamp::from_unix(Duration::from_secs(1_700_000_000 + seconds));
        Now { mono: Duration::from_secs(seconds), wall }
    }

    /// The seconds at which a schedule fires, if each time takes `takes` seconds, looked at every second.
    fn times(when: When, takes: u64) -> Vec<u64> {
        let mut schedule = Schedule::new(when, at(0));
        let (mut fired, mut busy_until) = (Vec::new(), None);
        for second in 0..200 {
            if busy_until == Some(second) {
                schedule.ended(at(second));
            }
            if schedule.take(at(second)) {
                fired.push(second);
                match takes {
                    0 => schedule.ended(at(second)),
                    _ => busy_until = Some(second + takes),
                }
            }
        }
        fired
    }

    #[test]
    fn policies_fire_when_they_should() {
        let wall = |seconds| at(seconds).wall;
        let every = |seconds| When::Every(Duration::from_secs(seconds));
        assert_eq!(times(every(50), 0), [50, 100, 150]);
        assert_eq!(times(every(50), 20), [50, 120, 190]);
        assert_eq!(times(When::At(wall(7)), 0), [7]);
        assert_eq!(times(When::At(Timestamp::NEVER), 0), [0]);
        // 1,700,000,000 is 22:13:20.
        assert_eq!(times(When::Cron("* * * * *".parse().unwrap()), 0), [40, 100, 160]);
        assert_eq!(times(When::Cron("*/50 * * * * *".parse().unwrap()), 0), [30, 40, 90, 100, 150, 160]);
        assert!(times(When::Manual, 0).is_empty());
    }

    #[test]
    fn an_interval_of_nothing_is_refused() {
        assert!(ReceivePolicy::new(When::Every(Duration::ZERO)).is_err());
        let one = ReceivePolicy::new(When::Manual).unwrap().one_at_a_time();
        assert!(!one.drain && ReceivePolicy::default().drain);
    }
}
