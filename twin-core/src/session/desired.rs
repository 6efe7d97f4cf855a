//! The desired properties: from subscription and reads to changes in order, once per `$version`.
//!
//! Pure bookkeeping: the machine says what this asks for and tells it what was heard.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::DesiredChange;
use super::requests::Waiter;
use crate::twin::{DeviceTwin, Object, merge};

/// Most notifications held while the twin is read; on overflow all are dropped and the twin is read once more.
pub const MAX_HELD: usize = 32;
/// Reads that try to close a gap in `$version` before held notifications beyond the gap are given up: they
/// stem from an earlier life of the twin, or the hub's reads lag behind its notifications.
pub const GAP_READS: u32 = 5;
/// Pause before the second such read; it doubles for each further one.
pub const GAP_FIRST_DELAY: Duration = Duration::from_millis(250);
/// A notification at or below the known version is dropped as stale. It may also be the first sign that the twin was
/// deleted and made again, so the twin is read, at most once in this time.
pub const VERIFY_INTERVAL: Duration = Duration::from_secs(10);

/// What the owner wants to know and knows about the desired properties.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The owner wants changes.
    pub(super) wanted: bool,
    /// The first whole section was delivered: from here on failures are overcome, not reported.
    pub(super) established: bool,
    /// Owners that wait for the first one.
    pub(super) waiters: Vec<Waiter>,
    /// What the owner knows.
    known: Option<(Object, u64)>,
    phase: Phase,
    /// Notifications that came before the twin was read.
    held: BTreeMap<u64, Object>,
    overflowed: bool,
    gap_reads: u32,
    /// The last read went backwards; the next decides.
    backwards: bool,
    last_read: Duration,
}

#[derive(Debug, Default, PartialEq)]
enum Phase {
    /// Not subscribed on this link.
    #[default]
    Off,
    /// The twin is to be read at this time.
    Due(Duration),
    /// The twin is being read.
    Reading,
    /// Notifications follow each other; `Some`: to be verified at this time.
    Live(Option<Duration>),
}

impl Watch {
    /// What the owner was told last.
    pub(super) fn known(&self) -> Option<(&Object, u64)> {
        self.known.as_ref().map(|(desired, version)| (desired, *version))
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// The owner wants nothing more; returns who still waited.
    pub(super) fn stop(&mut self) -> Vec<Waiter> {
        std::mem::take(self).waiters
    }

    /// The link is gone.
    pub(super) fn link_lost(&mut self) {
        self.phase = Phase::Off;
        self.held.clear();
        (self.overflowed, self.gap_reads, self.backwards) = (false, 0, false);
    }

    /// The hub confirmed the subscription on this link.
    pub(super) fn subscribed(&mut self, now: Duration) {
        if self.wanted && self.phase == Phase::Off {
            self.phase = Phase::Due(now);
        }
    }

    /// When the twin is to be read; `None` if not wanted or being read.
    pub(super) fn due(&self) -> Option<Duration> {
        match self.phase {
            Phase::Due(at) | Phase::Live(Some(at)) => Some(at),
            _ => None,
        }
    }

    /// Whether an answer to a read is awaited. One to a read from before the current subscription proves nothing.
    pub(super) fn is_reading(&self) -> bool {
        self.phase == Phase::Reading
    }

    /// The read was sent.
    pub(super) fn reading(&mut self, now: Duration) {
        (self.phase, self.last_read) = (Phase::Reading, now);
    }

    /// The read brought nothing; try again then.
    pub(super) fn read_failed(&mut self, again: Duration) {
        self.phase = Phase::Due(again);
    }

    /// A notification came. Returns the change to deliver, and whether it was stale.
    pub(super) fn hear(&mut self, now: Duration, version: Option<u64>, body: &[u8]) -> Heard {
        if !self.wanted {
            return Heard::Dropped;
        }
        let parsed = parse(version, body);
        match (&self.phase, parsed, self.known.as_ref().map(|k| k.1)) {
            // What can't be read or placed may have been anything.
            (Phase::Live(_), None, _) | (Phase::Live(_), _, None) => {
                self.phase = Phase::Due(now.max(self.last_read.saturating_add(GAP_FIRST_DELAY)));
                Heard::Held
            }
            (_, None, _) => {
                self.overflowed = true;
                Heard::Held
            }
            (Phase::Live(_), Some((version, patch)), Some(known))
                if known.checked_add(1) == Some(version) =>
            {
                Heard::Change(self.step(version, patch))
            }
            (Phase::Live(verify), Some((version, _)), Some(known)) if version <= known => {
                self.phase =
                    Phase::Live(verify.or(Some(now.max(self.last_read.saturating_add(VERIFY_INTERVAL)))));
                Heard::Stale
            }
            (phase, Some((version, patch)), _) => {
                if matches!(phase, Phase::Live(_)) {
                    self.phase = Phase::Due(now);
                }
                if self.held.len() >= MAX_HELD {
                    self.held.clear();
                    self.overflowed = true;
                } else {
                    self.held.insert(version, patch);
                }
                Heard::Held
            }
        }
    }

    /// The twin was read: what the owner has to hear.
    pub(super) fn read(&mut self, now: Duration, twin: &DeviceTwin) -> Vec<DesiredChange> {
        let mut changes = Vec::new();
        let (desired, version) = (&twin.desired.value, twin.desired.version);
        let known = self.known.as_ref();
        if known.is_some_and(|(_, known)| version < *known) && !self.backwards {
            self.backwards = true;
            self.phase = Phase::Due(now.saturating_add(GAP_FIRST_DELAY));
            return changes;
        }
        self.backwards = false;
        if known.is_none_or(|known| known.1 != version || known.0 != *desired) {
            self.known = Some((desired.clone(), version));
            changes.push(DesiredChange::Whole { desired: desired.clone(), version });
        }
        self.held = self.held.split_off(&version.saturating_add(1));
        let mut at = version;
        while let Some(patch) = at.checked_add(1).and_then(|next| self.held.remove(&next)) {
            at += 1;
            changes.push(self.step(at, patch));
        }
        self.after_read(now);
        changes
    }

    /// Live, unless something is missing before what is still held.
    fn after_read(&mut self, now: Duration) {
        let lost = std::mem::take(&mut self.overflowed);
        if (lost || !self.held.is_empty()) && self.gap_reads < GAP_READS {
            self.phase = Phase::Due(now.saturating_add(GAP_FIRST_DELAY * ((1 << self.gap_reads) >> 1)));
            self.gap_reads += 1;
        } else {
            self.held.clear();
            self.gap_reads = 0;
            self.phase = Phase::Live(None);
        }
    }

    fn step(&mut self, version: u64, patch: Object) -> DesiredChange {
        if let Some((desired, known)) = &mut self.known {
            merge(desired, &patch);
            *known = version;
        }
        DesiredChange::Patch { patch, version }
    }
}

/// What became of a notification.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    Change(DesiredChange),
    Held,
    Stale,
    Dropped,
}

/// The version and the members. The topic's version counts; the body's is its repetition (IoT Hub MQTT guide).
fn parse(version: Option<u64>, body: &[u8]) -> Option<(u64, Object)> {
    let mut patch: Object = serde_json::from_slice(body).ok()?;
    let version = version.or_else(|| patch.get("$version").and_then(Value::as_u64))?;
    patch.retain(|name, _| !name.starts_with('$'));
    Some((version, patch))
}
