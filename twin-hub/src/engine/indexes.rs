//! The indexes of devices and modules: told of every record that is installed or removed, asked by queries.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use roaring::RoaringBitmap;
use serde_json::Value as Json;
use twin_core::TwinKey;
use twin_core::query::{Grouping, Lookup, Path, Query, QueryValue, Source};

use super::memory::{Handle, Memory};
use crate::domain::{Indexed, Record, Row};
use crate::index::{Builder, Change, Facts, Group, Index, Leaves, Plan};

/// The indexes. A plan holds one for reading, a few milliseconds over a million twins; the writer holds it for some
/// milliseconds at most, for [`ROWS_AT_A_TIME`] of a batch's changes.
#[derive(Default)]
pub(super) struct Indexes {
    devices: RwLock<Index>,
    modules: RwLock<Index>,
}

/// A twin that was created (`old` is `None`), changed, or removed (`new` is `None`).
pub(super) struct Changed {
    pub(super) handle: Handle,
    pub(super) key: Arc<TwinKey>,
    pub(super) old: Option<Record>,
    pub(super) new: Option<Record>,
}

impl Indexes {
    /// Tells of what the writer has removed and installed, in that order.
    pub(super) fn update(&self, changed: &[Changed]) {
        changed.chunks(ROWS_AT_A_TIME).for_each(|changed| self.update_some(changed));
    }

    fn update_some(&self, changed: &[Changed]) {
        for is_module in [false, true] {
            let index = if is_module { &self.modules } else { &self.devices };
            let rows: Vec<_> = changed
                .iter()
                .filter(|changed| changed.key.module.is_some() == is_module)
                .map(|changed| {
                    let indexed = |record| Indexed { key: &changed.key, record };
                    (changed.handle, changed.old.as_ref().map(indexed), changed.new.as_ref().map(indexed))
                })
                .collect();
            let changes: Vec<Change<'_>> = rows
                .iter()
                .map(|(handle, old, new)| Change {
                    handle: *handle,
                    old: old.as_ref().map(|record| record as &dyn Leaves),
                    new: new.as_ref().map(|record| record as &dyn Leaves),
                })
                .collect();
            if !changes.is_empty() {
                index.write().unwrap_or_else(PoisonError::into_inner).update(&changes);
            }
        }
    }

    /// Builds them anew from what is in memory, by several threads.
    pub(super) fn build(memory: &Memory) -> Indexes {
        let build = |modules: bool| {
            let mut builders = Builder::all();
            std::thread::scope(|scope| {
                for builder in &mut builders {
                    scope.spawn(move || fill(builder, memory, modules));
                }
            });
            RwLock::new(Builder::finish(builders))
        };
        let has_modules = memory.counts().modules.load(Ordering::Relaxed) > 0;
        Indexes { devices: build(false), modules: if has_modules { build(true) } else { RwLock::default() } }
    }

    /// The twins among those in `window` that may pass the query's condition.
    pub(super) fn candidates(&self, memory: &Memory, query: &Query, window: Range<Handle>) -> RoaringBitmap {
        let index = self.of(query);
        let mut rows = RoaringBitmap::new();
        rows.insert_range(window);
        rows &= index.rows();
        let facts = Now { memory, source: query.source };
        match query.condition.as_ref().map(|condition| index.plan(condition, Some(&rows), &facts)) {
            Some(Plan::Rows { rows, .. }) => rows,
            Some(Plan::Scan) | None => rows,
        }
    }

    /// Feeds whole groups to `grouping`, if the index knows all that is asked for; otherwise the twins that have to be
    /// looked at one by one. All groups are of one moment.
    pub(super) fn groups(
        &self,
        memory: &Memory,
        query: &Query,
        grouping: &mut Grouping,
    ) -> Option<Candidates> {
        let index = self.of(query);
        let candidates = candidates(&index, memory, query);
        if !candidates.exact {
            return Some(candidates);
        }
        let gathered: Vec<Path> = grouping.gathered().cloned().collect();
        let Some(groups) = index.groups(&candidates.handles, grouping.keys(), &gathered) else {
            return Some(candidates);
        };
        let keys = grouping.keys().to_vec();
        for group in groups {
            grouping.feed_group(&KeysOf { keys: &keys, group: &group, memory }, group.rows, &group.numbers);
        }
        None
    }

    fn of(&self, query: &Query) -> RwLockReadGuard<'_, Index> {
        let index = match query.source {
            Source::Modules => &self.modules,
            Source::Devices | Source::Jobs => &self.devices,
        };
        index.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn candidates(index: &Index, memory: &Memory, query: &Query) -> Candidates {
    let facts = Now { memory, source: query.source };
    match query.condition.as_ref().map(|condition| index.plan(condition, None, &facts)) {
        Some(Plan::Rows { rows, exact }) => Candidates { handles: rows, exact },
        Some(Plan::Scan) => Candidates { handles: index.rows().clone(), exact: false },
        None => Candidates { handles: index.rows().clone(), exact: true },
    }
}

/// What a group has at its key paths.
struct KeysOf<'g> {
    keys: &'g [Path],
    group: &'g Group<'g>,
    memory: &'g Memory,
}

impl KeysOf<'_> {
    /// The key as the group's first twin spells it, if that still has it.
    fn spelled(&self, path: &Path) -> Option<Json> {
        let slot = self.memory.slot(self.group.first)?;
        let (key, record) = slot.live()?;
        let row = Row::new(&key, &record, slot.presence());
        match (row.lookup(path), self.lookup(path)) {
            (QueryValue::Number(a), QueryValue::Number(b)) if a == b => row.json(path),
            _ => None,
        }
    }
}

impl Lookup for KeysOf<'_> {
    fn lookup<'a>(&'a self, path: &Path) -> QueryValue<'a> {
        let at = self.keys.iter().position(|key| key == path);
        at.map_or(QueryValue::Undefined, |at| self.group.keys[at].clone())
    }

    fn json(&self, path: &Path) -> Option<Json> {
        match self.lookup(path) {
            QueryValue::Null => Some(Json::Null),
            QueryValue::Bool(value) => Some(value.into()),
            QueryValue::String(text) => Some(text.into()),
            // 1 and 1.0 are one key; the row shows it as the first twin has it.
            QueryValue::Number(n) => Some(self.spelled(path).unwrap_or_else(|| n.into())),
            _ => None,
        }
    }
}

/// Rows that are indexed at a time: enough that each path's work is done in one go, few enough to stay in a cache and to
/// keep no query waiting.
const ROWS_AT_A_TIME: usize = 1024;

fn fill(builder: &mut Builder, memory: &Memory, modules: bool) {
    let twins = (0..memory.end()).filter_map(|handle| Some((handle, memory.slot(handle)?.live()?)));
    let mut twins = twins.filter(|(_, (key, _))| key.module.is_some() == modules).peekable();
    while twins.peek().is_some() {
        let some: Vec<_> = twins.by_ref().take(ROWS_AT_A_TIME).collect();
        let indexed: Vec<_> =
            some.iter().map(|(handle, (key, record))| (*handle, Indexed { key, record })).collect();
        let rows: Vec<_> =
            indexed.iter().map(|(handle, indexed)| (*handle, indexed as &dyn Leaves)).collect();
        builder.insert(&rows);
    }
}

/// What an index says about a query.
pub(super) struct Candidates {
    /// In the order of creation. A twin may have changed since, so its record decides.
    pub(super) handles: RoaringBitmap,
    /// Every one passed when the index was asked, not only some.
    pub(super) exact: bool,
}

/// What memory knows.
struct Now<'m> {
    memory: &'m Memory,
    source: Source,
}

impl Facts for Now<'_> {
    fn connected(&self) -> RoaringBitmap {
        let is_connected =
            |handle: &Handle| self.memory.slot(*handle).is_some_and(|slot| slot.presence().connected);
        (0..self.memory.end()).filter(is_connected).collect()
    }

    fn of_device(&self, id: &str) -> RoaringBitmap {
        match self.source {
            Source::Modules => self.memory.modules(id).into_iter().map(|(_, handle)| handle).collect(),
            Source::Devices | Source::Jobs => self.memory.device(id).into_iter().collect(),
        }
    }
}
