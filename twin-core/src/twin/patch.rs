//! Patches: parse, don't validate.

use super::{Object, SectionName, Violation};
use serde_json::Value;

/// A merge patch (or whole new content) for one section that obeys every shape rule of facts 1.5: keys,
/// string lengths, integer range, depth, array rules. Can only be built valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch(Object);

/// Options of the shape check.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Arrays allowed (api-version ≥ 2019-10-01). Default true.
    pub arrays: bool,
    /// Members with value null allowed: true in a PATCH (they remove), false in a PUT. Default true.
    pub nulls: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { arrays: true, nulls: true }
    }
}

impl Patch {
    /// Checks an object against the rules, for `section`.
    pub fn new(section: SectionName, object: Object, rules: Rules) -> Result<Patch, Violation> {
        todo!()
    }
    /// The checked object.
    pub fn as_object(&self) -> &Object {
        &self.0
    }
    /// The checked object.
    pub fn into_object(self) -> Object {
        self.0
    }
    /// Parses bytes of JSON: refuses invalid UTF-8, non-JSON, duplicate keys, a non-object (400006 IotHubFormatError), then checks shape.
    pub fn parse(section: SectionName, json: &[u8], rules: Rules) -> Result<Patch, Violation> {
        todo!()
    }
    /// Merges a later patch into this one, so that applying the result equals applying both in turn.
    pub fn then(self, later: Patch) -> Patch {
        todo!()
    }
}

/// What a service writes to a twin in one PATCH or PUT body. Read-only members of whole-twin bodies are
/// ignored (facts 0.6): etag, version, identity fields, reported, `$metadata`, `$version`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TwinPatch {
    /// `tags`, if the body names it. `{"tags": null}` in a PATCH counts as absent (facts 1.4).
    pub tags: Option<Patch>,
    /// `properties.desired`, if the body names it.
    pub desired: Option<Patch>,
    /// In a PATCH, `properties.desired: null` was sent: remove every member (node e2e expects nulls notified, facts node 4.1).
    pub clear_desired: bool,
    /// The body's `etag`, for information (If-Match decides).
    pub etag: Option<super::ETag>,
}

impl TwinPatch {
    /// Parses a PATCH or PUT body.
    pub fn parse(json: &[u8], rules: Rules) -> Result<TwinPatch, Violation> {
        todo!()
    }
    /// The body that says this patch.
    pub fn to_json(&self) -> Value {
        todo!()
    }
}
