//! The indexes of devices and modules: told of every record that is installed or removed, asked by queries.

use std::sync::{PoisonError, RwLock};

use roaring::RoaringBitmap;
use twin_core::TwinKey;
use twin_core::query::{Query, Source};

use super::memory::{Handle, Memory};
use crate::domain::{Indexed, Record};
use crate::index::{Index, Leaves, Plan};

/// The indexes. A plan holds one for reading, a few milliseconds over a million twins; the writer holds it for one
/// record at a time.
#[derive(Default)]
pub(super) struct Indexes {
    devices: RwLock<Index>,
    modules: RwLock<Index>,
}

impl Indexes {
    /// The twin at `handle` was created (`old` is `None`), changed, or removed (`new` is `None`).
    pub(super) fn update(&self, handle: Handle, key: &TwinKey, old: Option<&Record>, new: Option<&Record>) {
        let index = if key.module.is_some() { &self.modules } else { &self.devices };
        let old = old.map(|record| Indexed { key, record });
        let new = new.map(|record| Indexed { key, record });
        index.write().unwrap_or_else(PoisonError::into_inner).update(
            handle,
            old.as_ref().map(|record| record as &dyn Leaves),
            new.as_ref().map(|record| record as &dyn Leaves),
        );
    }

    /// The twins that may pass the query's condition.
    pub(super) fn candidates(&self, memory: &Memory, query: &Query) -> Candidates {
        let index = match query.source {
            Source::Modules => &self.modules,
            Source::Devices | Source::Jobs => &self.devices,
        };
        let index = index.read().unwrap_or_else(PoisonError::into_inner);
        let plan = query.condition.as_ref().map(|condition| index.plan(condition, &|| connected(memory)));
        match plan {
            Some(Plan::Rows { rows, exact }) => Candidates { handles: rows, exact },
            Some(Plan::Scan) => Candidates { handles: index.rows().clone(), exact: false },
            None => Candidates { handles: index.rows().clone(), exact: true },
        }
    }
}

/// What an index says about a query.
pub(super) struct Candidates {
    /// In the order of creation. A twin may have changed since, so its record decides.
    pub(super) handles: RoaringBitmap,
    /// Every one passed when the index was asked, not only some.
    pub(super) exact: bool,
}

/// Twins that have a connection now.
fn connected(memory: &Memory) -> RoaringBitmap {
    let is_connected = |handle: &Handle| memory.slot(*handle).is_some_and(|slot| slot.presence().connected);
    (0..memory.end()).filter(is_connected).collect()
}
