//! One versioned section as the hub keeps it: value, metadata, `$version`; and the laws of changing it.
use super::{Metadata, Object, Patch, SectionName, Violation};
use crate::time::Timestamp;

/// `properties.desired` or `properties.reported` with `$metadata` and `$version`.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    // value: Object, metadata: Metadata, version: u64, name: SectionName
}

impl Section {
    /// A section of a twin just created: empty, `$version` 1.
    pub fn new(name: SectionName, now: Timestamp) -> Self {
        todo!()
    }
    /// From stored parts.
    pub fn from_parts(name: SectionName, value: Object, metadata: Metadata, version: u64) -> Self {
        todo!()
    }
    /// Members, without `$` ones.
    pub fn value(&self) -> &Object {
        todo!()
    }
    /// The metadata tree.
    pub fn metadata(&self) -> &Metadata {
        todo!()
    }
    /// `$version`
    pub fn version(&self) -> u64 {
        todo!()
    }
    /// Merges `patch`: bumps `$version`, stamps every node the patch names (and its ancestors), even when values are
    /// equal; refuses growth over the limit, leaving `self` untouched.
    pub fn apply(&mut self, patch: &Patch, now: Timestamp) -> Result<(), Violation> {
        todo!()
    }
    /// Replaces the whole content; returns the notification payload's members: the new section with `null` for
    /// members that vanished (facts 1.8).
    pub fn replace(&mut self, content: &Patch, now: Timestamp) -> Result<Object, Violation> {
        todo!()
    }
    /// What the device sees: members and `$version`.
    pub fn device_view(&self) -> Object {
        todo!()
    }
    /// What the backend sees: members, `$metadata` and `$version`.
    pub fn service_view(&self) -> Object {
        todo!()
    }
}
