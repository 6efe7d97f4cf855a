//! `$metadata`: when, and by which section version, each node was last touched (facts 1.2).
use super::Object;
use crate::time::Timestamp;

/// When a node was last touched, and by which version of its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// `$lastUpdated`
    pub at: Timestamp,
    /// `$lastUpdatedVersion`: printed for desired only
    pub version: Option<u64>,
}

/// A tree that mirrors the section's object tree: every object level and every leaf carries a stamp. Arrays are leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    // private: stamp + BTreeMap<String, Metadata> in the order of serde_json::Map, or better
}

impl Metadata {
    /// A root with no members.
    pub fn new(stamp: Stamp) -> Self {
        todo!()
    }
    /// The stamp of this node.
    pub fn stamp(&self) -> Stamp {
        todo!()
    }
    /// The node of member `name`.
    pub fn get(&self, name: &str) -> Option<&Metadata> {
        todo!()
    }
    /// As the wire prints it.
    pub fn to_json(&self) -> Object {
        todo!()
    }
}
