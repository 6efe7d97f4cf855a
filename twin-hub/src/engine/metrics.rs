//! What the engine counts.

use std::sync::atomic::{AtomicU64, Ordering};

use super::memory::Counts;

/// Counters.
#[derive(Default)]
pub(super) struct Metrics {
    batches: AtomicU64,
    writes: AtomicU64,
    refusals: AtomicU64,
    telemetry: AtomicU64,
    telemetry_bytes: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// devices registered
    pub(crate) devices: usize,
    /// devices among them that are disabled
    pub(crate) disabled_devices: usize,
    /// modules registered
    pub(crate) modules: usize,
    /// devices connected
    pub(crate) connected_devices: usize,
    /// batches made durable since the start, each with one sync
    pub(crate) batches: u64,
    /// writes answered with them
    pub(crate) writes: u64,
    /// writes refused by the domain or the store
    pub(crate) refusals: u64,
    /// memory, about, of changes that wait for the writer or are being written, in bytes
    pub(crate) queued_bytes: usize,
    /// queries being answered
    pub(crate) queries: usize,
    /// D2C messages accepted
    pub(crate) telemetry: u64,
    /// bytes of D2C messages accepted
    pub(crate) telemetry_bytes: u64,
}

impl Metrics {
    pub(super) fn batch(&self, writes: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(writes as u64, Ordering::Relaxed);
    }

    pub(super) fn refusal(&self) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn telemetry(&self, bytes: usize) {
        self.telemetry.fetch_add(1, Ordering::Relaxed);
        self.telemetry_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Everything but the queues, which the engine knows.
    pub(super) fn figures(&self, counts: &Counts, connected_devices: usize) -> Figures {
        Figures {
            devices: counts.devices.load(Ordering::Relaxed),
            disabled_devices: counts.disabled.load(Ordering::Relaxed),
            modules: counts.modules.load(Ordering::Relaxed),
            connected_devices,
            batches: self.batches.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            refusals: self.refusals.load(Ordering::Relaxed),
            queued_bytes: 0,
            queries: 0,
            telemetry: self.telemetry.load(Ordering::Relaxed),
            telemetry_bytes: self.telemetry_bytes.load(Ordering::Relaxed),
        }
    }
}
