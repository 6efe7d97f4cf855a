//! The shape rules: what a member may be called and what it may hold.
//!
//! Decided where no document says: an empty name is refused (no query could reach it); a number is an integer when
//! it is spelled as one, so floats of any magnitude pass (`1e300`) while `9007199254740993` does not; a string inside
//! an array has the same limit as any string.

use serde_json::{Number, Value};

use super::limits::{
    MAX_DEPTH, MAX_INTEGER, MAX_KEY_BYTES, MAX_STRING_BYTES, MIN_INTEGER, SectionName, Violation, is_control,
};
use super::{Object, Rules, path::Path};

/// Checks every member of a section's patch or content.
pub(crate) fn check(section: SectionName, object: &Object, rules: Rules) -> Result<(), Violation> {
    let root = Path::root(section.path());
    members(object, &root, 0, Walk { rules, in_array: false })
}

#[derive(Clone, Copy)]
struct Walk {
    rules: Rules,
    in_array: bool,
}

fn members(object: &Object, path: &Path<'_>, depth: usize, walk: Walk) -> Result<(), Violation> {
    for (name, member) in object {
        let path = path.member(name);
        key(name, &path)?;
        value(member, &path, depth, walk)?;
    }
    Ok(())
}

fn key(name: &str, path: &Path<'_>) -> Result<(), Violation> {
    if name.len() > MAX_KEY_BYTES {
        return Err(broken(
            path,
            format!(
                "Property or Tag name should be maximum {MAX_KEY_BYTES} bytes. Error in Property/Tag {path}."
            ),
        ));
    }
    if name.is_empty() {
        return Err(broken(
            path,
            format!("Property or Tag name cannot be empty. Error in Property/Tag {path}."),
        ));
    }
    if name.chars().any(|c| is_control(c) || matches!(c, '.' | '$' | '#' | ' ')) {
        // The service's wording, and its undocumented '#': azure-iot-sdk-java #243, azure-docs #8869.
        return Err(broken(
            path,
            format!(
                "Property or Tag name has invalid characters. Error in Property/Tag {path}. Must not contain \
                 Control Characters, '.', '$', '#', or ' '."
            ),
        ));
    }
    Ok(())
}

fn value(value: &Value, path: &Path<'_>, depth: usize, walk: Walk) -> Result<(), Violation> {
    match value {
        Value::Bool(_) => Ok(()),
        Value::Null if walk.in_array => Err(broken(
            path,
            format!("Value of Property or Tag cannot be null inside an array. Error in Property/Tag {path}."),
        )),
        Value::Null if walk.rules.nulls => Ok(()),
        Value::Null => Err(null_in_replace(path)),
        Value::Number(number) => integer(number, path),
        Value::String(text) if text.len() > MAX_STRING_BYTES => Err(broken(
            path,
            format!(
                "Property or Tag value should be maximum {MAX_STRING_BYTES} bytes. Error in Property/Tag \
                 {path}: {} bytes.",
                text.len()
            ),
        )),
        Value::String(_) => Ok(()),
        Value::Array(_) if !walk.rules.arrays => Err(broken(
            path,
            format!(
                "Provided json is not a valid 'tags' or 'properties' object: arrays are not supported. Error in \
                 Property/Tag {path}."
            ),
        )),
        Value::Array(elements) => {
            let depth = deeper(depth, path)?;
            let walk = Walk { in_array: true, ..walk };
            elements.iter().enumerate().try_for_each(|(i, e)| self::value(e, &path.element(i), depth, walk))
        }
        Value::Object(object) => members(object, path, deeper(depth, path)?, walk),
    }
}

fn integer(number: &Number, path: &Path<'_>) -> Result<(), Violation> {
    let fits = match (number.as_i64(), number.is_u64()) {
        (Some(n), _) => (MIN_INTEGER..=MAX_INTEGER).contains(&n),
        (None, beyond_i64) => !beyond_i64,
    };
    if fits { Ok(()) } else { Err(out_of_range(&path.to_string())) }
}

/// An integer beyond ±2^52.
pub(crate) fn out_of_range(path: &str) -> Violation {
    Violation::invalid(
        path,
        format!(
            "Integer value of Property or Tag should be between {MIN_INTEGER} and {MAX_INTEGER}. Error in \
             Property/Tag {path}."
        ),
    )
}

/// Nested beyond [`MAX_DEPTH`].
pub(crate) fn too_deep(path: &str) -> Violation {
    Violation::invalid(
        path,
        format!(
            "Property or Tag should be nested at most {MAX_DEPTH} levels deep. Error in Property/Tag {path}."
        ),
    )
}

/// A null in a replacement (wording: azure-cli-extension #693).
pub(crate) fn null_in_replace(path: impl std::fmt::Display) -> Violation {
    let path = path.to_string();
    let message = format!("Value of Property or Tag cannot be null. Error in Property/Tag {path}");
    Violation::invalid(path, message)
}

fn deeper(depth: usize, path: &Path<'_>) -> Result<usize, Violation> {
    if depth >= MAX_DEPTH { Err(too_deep(&path.to_string())) } else { Ok(depth + 1) }
}

fn broken(path: &Path<'_>, message: String) -> Violation {
    Violation::invalid(path.to_string(), message)
}
