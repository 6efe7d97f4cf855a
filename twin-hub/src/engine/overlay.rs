//! The world that steps of one batch see: memory, and on top of it what the batch has changed so far.

use std::collections::{BTreeSet, HashMap};

use twin_core::{DeviceId, ModuleId, TwinKey};

use super::memory::Memory;
use crate::domain::{Record, World};

/// Changes that are not durable yet.
pub(super) struct Overlay<'m> {
    memory: &'m Memory,
    changes: HashMap<TwinKey, Option<Record>>,
    /// sorted modules of the devices that were asked for
    modules: HashMap<DeviceId, BTreeSet<ModuleId>>,
    next_serial: u64,
    created: usize,
}

impl<'m> Overlay<'m> {
    /// Over `memory`, giving out serials from `next_serial`.
    pub(super) fn new(memory: &'m Memory, next_serial: u64) -> Self {
        Overlay { memory, changes: HashMap::new(), modules: HashMap::new(), next_serial, created: 0 }
    }

    /// The serial that would be given out next.
    pub(super) fn serial(&self) -> u64 {
        self.next_serial
    }

    /// How many twins the batch has created.
    pub(super) fn created(&self) -> usize {
        self.created
    }

    /// The last state of everything that was changed.
    pub(super) fn into_changes(self) -> HashMap<TwinKey, Option<Record>> {
        self.changes
    }

    fn modules_of(&mut self, device: &DeviceId) -> &mut BTreeSet<ModuleId> {
        self.modules
            .entry(device.clone())
            .or_insert_with(|| self.memory.modules(device.as_str()).into_iter().map(|(id, _)| id).collect())
    }
}

impl World for Overlay<'_> {
    fn get(&self, key: &TwinKey) -> Option<Record> {
        match self.changes.get(key) {
            Some(changed) => changed.clone(),
            None => self.memory.get(key),
        }
    }

    fn modules(&mut self, device: &DeviceId) -> Vec<ModuleId> {
        self.modules_of(device).iter().cloned().collect()
    }

    fn put(&mut self, key: &TwinKey, record: Record) {
        // Loaded before the change goes in: memory knows only what was there before the batch.
        if let Some(module) = &key.module {
            self.modules_of(&key.device).insert(module.clone());
        }
        self.changes.insert(key.clone(), Some(record));
    }

    fn remove(&mut self, key: &TwinKey) {
        match &key.module {
            Some(module) => drop(self.modules_of(&key.device).remove(module)),
            None => self.modules_of(&key.device).clear(),
        }
        self.changes.insert(key.clone(), None);
    }

    fn next_serial(&mut self) -> u64 {
        self.created += 1;
        self.next_serial += 1;
        self.next_serial - 1
    }
}
