//! The smallest merge patch that turns one object into another.
use super::Object;

/// `merged(from, &diff(from, to)) == to`, for objects without null members. Empty when equal.
pub fn diff(from: &Object, to: &Object) -> Object {
    todo!()
}
