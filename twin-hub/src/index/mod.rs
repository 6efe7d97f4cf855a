//! The live index that queries are answered from.
//!
//! Rows are dense `u32` handles that the engine gives. Per path there are a bitmap of rows for each of null, true,
//! false, and array or object; a column of 64-bit floats; and the strings, as posting lists while values repeat, as
//! twelve bytes per row once they are mostly unique. [`Index::plan`] turns a condition into rows: exactly those that
//! pass, or a few too many that the condition has to be checked on.
//!
//! What is indexed: tags, desired and reported properties with `$version`, and the fields of the identity. What is
//! not, and is checked row by row: `$metadata`, `lastActivityTime`, `cloudToDeviceMessageCount`, `properties` as a
//! whole, members of arrays, a path compared with another path or with arithmetic (rows that lack the path are left
//! out all the same). `connectionState` is kept by the engine and joins in when a condition asks for it.
//!
//! One index serves one collection: devices, or modules.

mod column;
mod paths;
mod plan;
mod posting;
mod strings;
mod values;

#[cfg(test)]
mod tests;

use roaring::RoaringBitmap;
use serde_json::Value as Json;
use twin_core::query::raw;

use paths::{PathId, Paths, ROOT};
use strings::Rules;
use values::{Leaf, Values};

pub(crate) use plan::Plan;

/// A record, as the index reads it.
pub(crate) trait Leaves {
    /// Calls `to` with the path and content of every part of the record, each once: `tags`, `properties.desired`,
    /// `properties.reported` (members without `$` ones), the two `$version`s, and every field of the twin document
    /// that [`INDEXED_FIELDS`] names and the document has. A path and its content must say what a lookup says.
    fn visit<'a>(&'a self, to: &mut dyn FnMut(&[&str], Part<'a>));
}

/// A part of a record.
pub(crate) enum Part<'a> {
    /// JSON text. Compared as text, so that unchanged sections cost nothing in an update.
    Text(&'a [u8]),
    /// a value that is not at hand as text
    Value(Json),
    /// members that are packed in a way of their own: unpacked only when the bytes are not those of the other record
    Packed(&'a [u8], Box<dyn FnOnce() -> Vec<(&'static str, Json)> + 'a>),
}

impl Part<'_> {
    fn is_same(&self, other: &Part<'_>) -> bool {
        match (self, other) {
            (Part::Text(a), Part::Text(b)) | (Part::Packed(a, _), Part::Packed(b, _)) => a == b,
            (Part::Value(a), Part::Value(b)) => a == b,
            _ => false,
        }
    }
}

/// The fields of a twin document that are indexed, beside tags and properties.
pub(crate) const INDEXED_FIELDS: &[&str] = &[
    "deviceId",
    "moduleId",
    "etag",
    "deviceEtag",
    "version",
    "status",
    "statusReason",
    "statusUpdateTime",
    "authenticationType",
    "x509Thumbprint",
    "modelId",
    "capabilities",
    "deviceScope",
    "parentScopes",
    "configurations",
];

/// The index of one collection.
#[derive(Debug)]
pub(crate) struct Index {
    all: RoaringBitmap,
    paths: Paths,
    /// by path number
    values: Vec<Values>,
    rules: Rules,
}

impl Default for Index {
    fn default() -> Self {
        Index::with(Paths::new(), Rules::default())
    }
}

impl Index {
    fn with(paths: Paths, rules: Rules) -> Index {
        Index { all: RoaringBitmap::new(), values: vec![Values::default()], paths, rules }
    }

    /// The rows there are.
    pub(crate) fn rows(&self) -> &RoaringBitmap {
        &self.all
    }

    /// A row came (`old` is `None`), changed, or went (`new` is `None`). `old` must be what the index was told last.
    pub(crate) fn update(&mut self, handle: u32, old: Option<&dyn Leaves>, new: Option<&dyn Leaves>) {
        match new {
            Some(_) => self.all.insert(handle),
            None => self.all.remove(handle),
        };
        let mut before = old.map(|record| self.parts(record)).unwrap_or_default();
        let mut after = new.map(|record| self.parts(record)).unwrap_or_default();
        after.retain(|part| {
            match before.iter().position(|other| other.0 == part.0 && other.1.is_same(&part.1)) {
                Some(same) => {
                    before.swap_remove(same);
                    false
                }
                None => true,
            }
        });
        let (before, after) = (self.leaves(before), self.leaves(after));
        self.apply(handle, &before, &after);
    }

    fn parts<'a>(&mut self, record: &'a dyn Leaves) -> Vec<(PathId, Part<'a>)> {
        let mut parts = Vec::with_capacity(24);
        record.visit(&mut |path, part| {
            let id = path.iter().try_fold(ROOT, |parent, name| self.paths.intern(parent, name));
            if let Some(id) = id {
                parts.push((id, part));
            }
        });
        parts
    }

    /// All paths and values in the parts, by path number.
    fn leaves<'a>(&mut self, parts: Vec<(PathId, Part<'a>)>) -> Vec<(PathId, Leaf<'a>)> {
        let mut leaves = Vec::with_capacity(parts.len() * 2);
        // The number of each path on the way to where the walk is.
        let mut way: Vec<Option<PathId>> = Vec::new();
        for (at, part) in parts {
            match part {
                Part::Text(text) => raw::walk(text, &mut |path, value| {
                    let id = match path {
                        [] => Some(at),
                        [.., name] => way[path.len() - 1].and_then(|parent| self.paths.intern(parent, name)),
                    };
                    way.truncate(path.len());
                    way.push(id);
                    if let (Some(id), Some(leaf)) = (id, Leaf::new(raw::value(value))) {
                        leaves.push((id, leaf));
                    }
                }),
                Part::Value(value) => self.value_leaves(at, value, &mut leaves),
                Part::Packed(_, unpack) => {
                    for (name, value) in unpack() {
                        if let Some(id) = self.paths.intern(at, name) {
                            self.value_leaves(id, value, &mut leaves);
                        }
                    }
                }
            }
        }
        leaves.sort_unstable_by_key(|(id, _)| *id);
        self.values.resize_with(self.paths.len(), Values::default);
        leaves
    }

    fn value_leaves<'a>(&mut self, at: PathId, value: Json, leaves: &mut Vec<(PathId, Leaf<'a>)>) {
        let leaf = match value {
            Json::String(text) => Some(Leaf::String(text.into())),
            Json::Object(members) => {
                for (name, value) in members {
                    if let Some(id) = self.paths.intern(at, &name) {
                        self.value_leaves(id, value, leaves);
                    }
                }
                Some(Leaf::Composite)
            }
            Json::Null => Some(Leaf::Null),
            Json::Bool(value) => Some(Leaf::Bool(value)),
            Json::Number(number) => number.as_f64().map(Leaf::Number),
            Json::Array(_) => Some(Leaf::Composite),
        };
        leaves.extend(leaf.map(|leaf| (at, leaf)));
    }

    /// Both lists are sorted by path.
    fn apply(&mut self, handle: u32, before: &[(PathId, Leaf<'_>)], after: &[(PathId, Leaf<'_>)]) {
        let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
        loop {
            match (old.peek(), new.peek()) {
                (Some(a), Some(b)) if a.0 == b.0 => {
                    if a.1 != b.1 {
                        self.values[a.0 as usize].replace(handle, &a.1, &b.1, &self.rules);
                    }
                    old.next();
                    new.next();
                }
                (Some((id, leaf)), other) if other.is_none_or(|(next, _)| id < next) => {
                    self.values[*id as usize].remove(handle, leaf);
                    old.next();
                }
                (_, Some((id, leaf))) => {
                    self.values[*id as usize].insert(handle, leaf, &self.rules);
                    new.next();
                }
                _ => return,
            }
        }
    }
}
