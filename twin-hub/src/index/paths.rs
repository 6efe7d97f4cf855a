//! Paths as numbers.

use std::collections::HashMap;

use twin_core::query::raw;

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
    nodes: Vec<Node>,
    limit: usize,
    full: bool,
}

#[derive(Debug)]
struct Node {
    parent: PathId,
    name: Box<str>,
    children: HashMap<Box<str>, PathId>,
    /// What came next the last time: twins are alike, and comparing one name is cheaper than hashing it.
    first_child: PathId,
    next_sibling: PathId,
}

impl Node {
    fn new(parent: PathId, name: &str) -> Node {
        Node { parent, name: name.into(), children: HashMap::new(), first_child: ROOT, next_sibling: ROOT }
    }
}

impl Paths {
    pub(super) fn new() -> Self {
        Self::with_limit(MAX_PATHS)
    }

    pub(super) fn with_limit(limit: usize) -> Self {
        Paths { nodes: vec![Node::new(ROOT, "")], limit, full: false }
    }

    /// None, with the same limit.
    pub(super) fn empty(&self) -> Self {
        Self::with_limit(self.limit)
    }

    /// How many numbers were given: all are below.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether some path got no number: then an unknown path may exist in twins.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn child(&self, parent: PathId, name: &str) -> Option<PathId> {
        self.nodes[parent as usize].children.get(name).copied()
    }

    /// The number of a path, given now if need be; `None` when there are too many.
    pub(super) fn intern(&mut self, parent: PathId, name: &str) -> Option<PathId> {
        if let Some(id) = self.child(parent, name) {
            return Some(id);
        }
        if self.nodes.len() >= self.limit {
            self.full = true;
            return None;
        }
        let id = self.nodes.len() as PathId;
        self.nodes[parent as usize].children.insert(name.into(), id);
        self.nodes.push(Node::new(parent, name));
        Some(id)
    }

    /// [`Paths::intern`] of a name in its quotes, as JSON text has it, which follows its sibling `before`.
    pub(super) fn intern_next(
        &mut self,
        parent: PathId,
        before: Option<PathId>,
        quoted: &[u8],
    ) -> Option<PathId> {
        let guess = match before {
            Some(sibling) => self.nodes[sibling as usize].next_sibling,
            None => self.nodes[parent as usize].first_child,
        };
        let known = &self.nodes[guess as usize];
        let is_guess = guess != ROOT
            && known.parent == parent
            // A name with an escape is longer as text, or has a backslash itself and then is escaped in the text.
            && quoted.get(1..quoted.len().saturating_sub(1)) == Some(known.name.as_bytes())
            && !known.name.contains('\\');
        if is_guess {
            return Some(guess);
        }
        let id = self.intern(parent, &raw::string(quoted)?)?;
        match before {
            Some(sibling) => self.nodes[sibling as usize].next_sibling = id,
            None => self.nodes[parent as usize].first_child = id,
        }
        Some(id)
    }

    /// Gives every path of `other` a number here: where each went, by its number there.
    pub(super) fn absorb(&mut self, other: &Paths) -> Vec<Option<PathId>> {
        let mut new: Vec<Option<PathId>> = vec![Some(ROOT)];
        for node in &other.nodes[1..] {
            // A parent has its number before its children.
            new.push(new[node.parent as usize].and_then(|parent| self.intern(parent, &node.name)));
        }
        self.full |= other.full;
        new
    }
}
