//! JSON merge patch as the hub does it (RFC 7396, facts 1.4).
use super::Object;

/// Applies `patch` to `target`: null removes, objects recurse (nested null under a missing parent leaves an empty object), all else replaces.
pub fn merge(target: &mut Object, patch: &Object) {
    todo!()
}

/// [`merge`] into a copy.
pub fn merged(target: &Object, patch: &Object) -> Object {
    todo!()
}
