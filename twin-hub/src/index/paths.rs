//! Paths as numbers.

use std::collections::HashMap;

/// Most different paths that are indexed, over all twins: hundreds of bytes each. Twins whose keys are all different
/// (ids as keys) would fill memory; conditions on paths beyond are answered by scan.
const MAX_PATHS: usize = 65_536;

/// The number of a path. Every path has one once it was seen.
pub(super) type PathId = u32;

/// The empty path, above `tags` and `deviceId`.
pub(super) const ROOT: PathId = 0;

/// A tree of names.
#[derive(Debug)]
pub(super) struct Paths {
    children: Vec<HashMap<Box<str>, PathId>>,
    limit: usize,
    full: bool,
}

impl Paths {
    pub(super) fn new() -> Self {
        Self::with_limit(MAX_PATHS)
    }

    pub(super) fn with_limit(limit: usize) -> Self {
        Paths { children: vec![HashMap::new()], limit, full: false }
    }

    /// How many numbers were given: all are below.
    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    /// Whether some path got no number: then an unknown path may exist in twins.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn child(&self, parent: PathId, name: &str) -> Option<PathId> {
        self.children[parent as usize].get(name).copied()
    }

    /// The number of a path, given now if need be; `None` when there are too many.
    pub(super) fn intern(&mut self, parent: PathId, name: &str) -> Option<PathId> {
        if let Some(id) = self.child(parent, name) {
            return Some(id);
        }
        if self.children.len() >= self.limit {
            self.full = true;
            return None;
        }
        let id = self.children.len() as PathId;
        self.children[parent as usize].insert(name.into(), id);
        self.children.push(HashMap::new());
        Some(id)
    }
}
