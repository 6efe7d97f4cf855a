//! Every record in memory, for reads that never wait: key → dense handle → record.
//!
//! Handles are given out in the order of creation and not again while the hub runs, so walking them upward walks the
//! twins in a stable order. One writer installs; any number of readers look, each under a lock that is held for the
//! time of a pointer copy.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use twin_core::identity::Status;
use twin_core::{ModuleId, Timestamp, TwinKey};

use crate::domain::{Presence, Record};

/// A twin's number while the hub runs.
pub(crate) type Handle = u32;

/// Locks that the keys are spread over.
const KEY_SHARDS: usize = 64;
/// Slots made at a time.
const CHUNK_SLOTS: usize = 4096;
/// Most chunks: 67 million creations while one hub runs.
const MAX_CHUNKS: usize = 16_384;

/// What is kept about one twin.
#[derive(Default)]
pub(crate) struct Slot {
    live: RwLock<Option<(Arc<TwinKey>, Record)>>,
    /// the record's serial; stays when the twin is deleted, so that pages find their place
    serial: AtomicU64,
    changed: AtomicU64,
    active: AtomicU64,
    /// channels of the kept session, see `sessions`
    pub(super) kept: AtomicU8,
    flags: AtomicU8,
    /// cloud-to-device messages in the queue
    waiting: AtomicU8,
}

const CONNECTED: u8 = 1;
/// presence changed since it was last written to disk
const UNWRITTEN: u8 = 2;

impl Slot {
    /// Key and record, if the twin is still there.
    pub(crate) fn live(&self) -> Option<(Arc<TwinKey>, Record)> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, live: Option<(Arc<TwinKey>, Record)>) {
        if let Some((_, record)) = &live {
            self.serial.store(record.serial(), Ordering::Release);
        }
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = live;
    }

    /// Connection state and activity.
    pub(crate) fn presence(&self) -> Presence {
        Presence {
            connected: self.flags.load(Ordering::Relaxed) & CONNECTED != 0,
            changed: Timestamp::from_ticks(self.changed.load(Ordering::Relaxed)),
            active: Timestamp::from_ticks(self.active.load(Ordering::Relaxed)),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    /// Notes how many cloud-to-device messages wait.
    pub(super) fn set_waiting(&self, waiting: usize) {
        // No queue is nearly as long as this number can be.
        self.waiting.store(waiting.try_into().unwrap_or(u8::MAX), Ordering::Relaxed);
    }

    /// Moves the activity time.
    pub(super) fn touch(&self, now: Timestamp) {
        self.active.fetch_max(now.ticks(), Ordering::Relaxed);
        self.flags.fetch_or(UNWRITTEN, Ordering::Relaxed);
    }

    /// Notes that a connection was opened or closed.
    pub(super) fn set_connected(&self, connected: bool, now: Timestamp) {
        let before = match connected {
            true => self.flags.fetch_or(CONNECTED, Ordering::Relaxed),
            false => self.flags.fetch_and(!CONNECTED, Ordering::Relaxed),
        };
        if (before & CONNECTED != 0) != connected {
            self.changed.fetch_max(now.ticks(), Ordering::Relaxed);
        }
        self.touch(now);
    }

    /// Takes the presence to be written to disk, if it changed since it was last taken.
    pub(super) fn take_unwritten(&self) -> Option<Presence> {
        let before = self.flags.fetch_and(!UNWRITTEN, Ordering::Relaxed);
        (before & UNWRITTEN != 0).then(|| self.presence())
    }

    /// Puts what the disk knew, at start.
    pub(super) fn restore(&self, presence: &Presence) {
        self.changed.store(presence.changed.ticks(), Ordering::Relaxed);
        self.active.store(presence.active.ticks(), Ordering::Relaxed);
    }
}

/// The modules of a device that has any.
type Modules = BTreeMap<ModuleId, Handle>;

/// A device in the key map; shares its text with the slot's key.
struct ByDevice(Arc<TwinKey>);

impl PartialEq for ByDevice {
    fn eq(&self, other: &Self) -> bool {
        self.0.device == other.0.device
    }
}
impl Eq for ByDevice {}
impl Hash for ByDevice {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.device.as_str().hash(state);
    }
}
impl std::borrow::Borrow<str> for ByDevice {
    fn borrow(&self) -> &str {
        self.0.device.as_str()
    }
}

struct Device {
    handle: Handle,
    modules: Option<Box<Modules>>,
}

type Shard = RwLock<HashMap<ByDevice, Device>>;
type Chunk = Box<[Slot]>;

/// The records.
pub(crate) struct Memory {
    shards: Box<[Shard]>,
    hasher: RandomState,
    chunks: Box<[OnceLock<Chunk>]>,
    /// one past the newest handle
    end: AtomicU32,
    counts: Counts,
}

/// How many there are.
#[derive(Default)]
pub(crate) struct Counts {
    pub(super) devices: AtomicUsize,
    pub(super) disabled: AtomicUsize,
    pub(super) modules: AtomicUsize,
}

impl Counts {
    fn add(&self, key: &TwinKey, record: &Record) {
        if key.module.is_some() {
            self.modules.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.devices.fetch_add(1, Ordering::Relaxed);
        if record.status() == Status::Disabled {
            self.disabled.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take(&self, key: &TwinKey, record: &Record) {
        if key.module.is_some() {
            self.modules.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        self.devices.fetch_sub(1, Ordering::Relaxed);
        if record.status() == Status::Disabled {
            self.disabled.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Memory {
            shards: (0..KEY_SHARDS).map(|_| Shard::default()).collect(),
            hasher: RandomState::new(),
            chunks: (0..MAX_CHUNKS).map(|_| OnceLock::new()).collect(),
            end: AtomicU32::new(0),
            counts: Counts::default(),
        }
    }
}

impl Memory {
    /// The handle of `key`.
    pub(crate) fn find(&self, key: &TwinKey) -> Option<Handle> {
        let shard = self.shard(key.device.as_str()).read().unwrap_or_else(PoisonError::into_inner);
        let device = shard.get(key.device.as_str())?;
        match &key.module {
            None => Some(device.handle),
            Some(module) => device.modules.as_ref()?.get(module).copied(),
        }
    }

    /// The record of `key`.
    pub(crate) fn get(&self, key: &TwinKey) -> Option<Record> {
        Some(self.slot(self.find(key)?)?.live()?.1)
    }

    /// The slot of a handle; may hold a twin that is gone.
    pub(crate) fn slot(&self, handle: Handle) -> Option<&Slot> {
        let handle = handle as usize;
        self.chunks.get(handle / CHUNK_SLOTS)?.get()?.get(handle % CHUNK_SLOTS)
    }

    /// The handle of a device.
    pub(crate) fn device(&self, id: &str) -> Option<Handle> {
        let shard = self.shard(id).read().unwrap_or_else(PoisonError::into_inner);
        shard.get(id).map(|device| device.handle)
    }

    /// The modules of a device, sorted.
    pub(crate) fn modules(&self, device: &str) -> Vec<(ModuleId, Handle)> {
        let shard = self.shard(device).read().unwrap_or_else(PoisonError::into_inner);
        let modules = shard.get(device).and_then(|d| d.modules.as_ref());
        modules.map(|m| m.iter().map(|(id, handle)| (id.clone(), *handle)).collect()).unwrap_or_default()
    }

    /// One past the newest handle. Handles from 0 to here walk the twins in the order of their creation.
    pub(crate) fn end(&self) -> Handle {
        self.end.load(Ordering::Acquire)
    }

    /// The first handle whose twin was created after `serial`.
    pub(crate) fn after(&self, serial: u64) -> Handle {
        let (mut low, mut high) = (0, self.end());
        while low < high {
            let middle = low + (high - low) / 2;
            let at = self.slot(middle).map_or(u64::MAX, |s| s.serial.load(Ordering::Acquire));
            if at <= serial { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// How many there are.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether another twin can be created.
    pub(crate) fn has_room_for(&self, more: usize) -> bool {
        self.end() as usize + more <= MAX_CHUNKS * CHUNK_SLOTS
    }

    /// Puts a record in place of the one with the same serial, or as a new twin: where it is, its key and what it
    /// replaced. A twin of the same name with another serial must be gone; twins must come in the order of their
    /// serials. The writer alone calls this.
    pub(super) fn install(&self, key: &TwinKey, record: Record) -> (Handle, Arc<TwinKey>, Option<Record>) {
        let slot = self.find(key).and_then(|handle| Some((handle, self.slot(handle)?)));
        if let Some((handle, slot)) = slot
            && let Some((shared, before)) = slot.live()
        {
            debug_assert_eq!(
                before.serial(),
                record.serial(),
                "another twin of the same name was removed before"
            );
            self.counts.take(key, &before);
            self.counts.add(key, &record);
            slot.set(Some((shared.clone(), record)));
            return (handle, shared, Some(before));
        }
        self.counts.add(key, &record);
        let handle = self.end.load(Ordering::Relaxed);
        let chunk = self.chunks[handle as usize / CHUNK_SLOTS]
            .get_or_init(|| (0..CHUNK_SLOTS).map(|_| Slot::default()).collect());
        let shared = Arc::new(key.clone());
        chunk[handle as usize % CHUNK_SLOTS].set(Some((shared.clone(), record)));
        self.end.store(handle + 1, Ordering::Release);
        let mut shard = self.shard(key.device.as_str()).write().unwrap_or_else(PoisonError::into_inner);
        match &key.module {
            None => {
                shard.insert(ByDevice(shared.clone()), Device { handle, modules: None });
            }
            Some(module) => {
                let device = shard.get_mut(key.device.as_str()).expect("a module comes after its device");
                device.modules.get_or_insert_default().insert(module.clone(), handle);
            }
        }
        (handle, shared, None)
    }

    /// Removes a twin, if it is there, and gives what it was; its modules must be gone. The writer alone calls this.
    pub(super) fn remove(&self, key: &TwinKey) -> Option<(Handle, Arc<TwinKey>, Record)> {
        let handle = {
            let mut shard = self.shard(key.device.as_str()).write().unwrap_or_else(PoisonError::into_inner);
            match &key.module {
                None => shard.remove(key.device.as_str())?.handle,
                Some(module) => {
                    let device = shard.get_mut(key.device.as_str())?;
                    let modules = device.modules.as_mut()?;
                    let handle = modules.remove(module)?;
                    if modules.is_empty() {
                        device.modules = None;
                    }
                    handle
                }
            }
        };
        let slot = self.slot(handle)?;
        let (shared, record) = slot.live()?;
        self.counts.take(key, &record);
        slot.set(None);
        slot.kept.store(0, Ordering::Release);
        slot.set_waiting(0);
        Some((handle, shared, record))
    }

    fn shard(&self, device: &str) -> &Shard {
        &self.shards[self.hasher.hash_one(device) as usize % KEY_SHARDS]
    }
}
