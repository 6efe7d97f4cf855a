//! An index of many rows at once, by several threads: each takes some places of every row, so that what they build
//! shares no path.

use super::{Change, Index, Leaves, Place, Values};

/// Places by thread, about the same work each; a row's identity comes first where one thread has several.
const SHARES: [&[Place]; 3] = [
    &[Place::Identity, Place::Etag, Place::Version, Place::ModelId],
    &[Place::Tags, Place::Desired, Place::DesiredVersion],
    &[Place::Reported, Place::ReportedVersion],
];

/// Builds a part of an index.
pub(crate) struct Builder {
    index: Index,
    places: &'static [Place],
}

impl Builder {
    /// Builders of the parts of one index. They may run at the same time.
    pub(crate) fn all() -> Vec<Builder> {
        Self::of(&Index::default())
    }

    /// Builders of parts that obey the rules of `index`.
    pub(super) fn of(index: &Index) -> Vec<Builder> {
        let part = |places| Builder { index: index.empty(), places };
        SHARES.map(part).into()
    }

    /// Tells of rows: each once, in ascending order. All builders must be told the same.
    pub(crate) fn insert(&mut self, rows: &[(u32, &dyn Leaves)]) {
        let change = |(handle, record): &(u32, _)| Change { handle: *handle, old: None, new: Some(*record) };
        let changes: Vec<Change<'_>> = rows.iter().map(change).collect();
        self.index.update_places(&changes, self.places);
        let handles: Vec<u32> = rows.iter().map(|(handle, _)| *handle).collect();
        super::posting::add_rows(&mut self.index.all, &handles);
    }

    /// Puts the parts together.
    pub(crate) fn finish(parts: Vec<Builder>) -> Index {
        let mut parts = parts.into_iter().map(|part| part.index);
        let mut whole = parts.next().unwrap_or_default();
        parts.for_each(|part| whole.absorb(part));
        whole
    }
}

impl Index {
    fn empty(&self) -> Index {
        Index::with(self.paths.empty(), self.rules.clone())
    }

    /// Takes over what another index knows about the same rows at other paths.
    fn absorb(&mut self, other: Index) {
        let numbers = self.paths.absorb(&other.paths);
        self.values.resize_with(self.paths.len(), Values::default);
        for (id, values) in numbers.into_iter().zip(other.values) {
            // Paths without a number are not indexed, as those that come later.
            if let (Some(id), false) = (id, values.is_empty()) {
                self.values[id as usize] = values;
            }
        }
    }
}
