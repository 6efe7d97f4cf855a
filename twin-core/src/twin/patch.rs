//! Patches of one section: parse, don't validate.

use super::limits::{SectionName, Violation};
use super::strict::{self, NotStrict};
use super::{Object, merge, shape};

/// A merge patch (or whole new content) for one section that obeys every shape rule: names, string lengths, integer
/// range, depth, array rules (see [`limits`](super::limits)). Can only be built valid.
///
/// Whether the section would grow too large is for [`Section`](super::Section) to say, which knows what is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch(Object);

/// Options of the shape check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Arrays allowed (api-version ≥ 2019-10-01). Default true.
    pub arrays: bool,
    /// Members with value null allowed: true in a PATCH (they remove), false in a PUT. Default true.
    pub nulls: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Rules::PATCH
    }
}

impl Rules {
    /// A merge patch by today's api-versions.
    pub const PATCH: Rules = Rules { arrays: true, nulls: true };
    /// Whole new content by today's api-versions: a null would mean nothing.
    pub const REPLACE: Rules = Rules { arrays: true, nulls: false };
}

impl Patch {
    /// Checks an object against the rules, for `section`. Any member named with a `$` is refused: 400004.
    pub fn new(section: SectionName, object: Object, rules: Rules) -> Result<Patch, Violation> {
        shape::check(section, &object, rules)?;
        Ok(Patch(object))
    }

    /// Parses bytes of JSON: refuses an empty body (400005 ArgumentNull), invalid UTF-8, non-JSON, duplicate names
    /// and a non-object (400006 IotHubFormatError), then checks the shape (400004 ArgumentInvalid).
    pub fn parse(section: SectionName, json: &[u8], rules: Rules) -> Result<Patch, Violation> {
        let object = strict::object(section.path(), json).map_err(|why| refuse(section.path(), why))?;
        Patch::new(section, object, rules)
    }

    /// The checked object.
    pub fn as_object(&self) -> &Object {
        &self.0
    }

    /// The checked object.
    pub fn into_object(self) -> Object {
        self.0
    }

    /// Whether the patch names no member. The hub counts such a patch as a change of version all the same.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes one patch of this one and a later one, such that applying it equals applying both in turn, whatever the
    /// target. Gives both back where no merge patch can say that: where this one removes or overwrites a member
    /// with something that is no object and the later one puts an object there (`{"a":null}` then
    /// `{"a":{"b":1}}`: the old `a` has to be gone, and a single patch could only add to it). Those stay two patches.
    pub fn then(mut self, later: Patch) -> Result<Patch, (Patch, Patch)> {
        if !merge::composes(&self.0, &later.0) {
            return Err((self, later));
        }
        merge::compose(&mut self.0, &later.0);
        Ok(self)
    }
}

/// What the service answers to a body that is no strict JSON object.
pub(crate) fn refuse(label: &str, why: NotStrict) -> Violation {
    let what = if label.is_empty() { "The twin" } else { label };
    match why {
        NotStrict::Empty => Violation::empty(label, format!("BadRequest: the body for {what} is empty.")),
        NotStrict::TooDeep { path } => shape::too_deep(&path),
        NotStrict::HugeInteger { path } => shape::out_of_range(&path),
        NotStrict::Duplicate { ref path } => {
            Violation::format(path.clone(), format!("The body for {what} cannot be read: {why}."))
        }
        why => Violation::format(label, format!("The body for {what} cannot be read: {why}.")),
    }
}

#[cfg(test)]
#[path = "patch_tests.rs"]
mod tests;
