//! A small reader, so that simple firmware needs no JSON library.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use serde_json::Value;
use twin_core::{Error, ErrorKind};

use crate::boundary::{Failure, guard, needed};
use crate::error::twin_error;
use crate::result::twin_result;
use crate::string::{give, twin_str, twin_string};

fn find(json: twin_str, path: twin_str) -> Result<Value, Failure> {
    let mut document = json.json("the document")?;
    let path = path.text("the path")?;
    let pointer: Cow<'_, str> = match path {
        "" => "".into(),
        pointer if pointer.starts_with('/') => pointer.into(),
        dotted => format!("/{}", dotted.replace('.', "/")).into(),
    };
    let found = document.pointer_mut(&pointer).map(Value::take);
    found.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("the document has nothing at '{path}'")).into()
    })
}

fn wrong(path: twin_str, wanted: &str) -> Failure {
    let path = path.optional("the path").ok().flatten().unwrap_or_default();
    Failure::invalid(format!("the value at '{path}' is not {wanted}"))
}

/// The string at a path.
///
/// json: in, a JSON document.
/// path: in: names between dots, indices as numbers, "desired.rooms.0.name"; or a JSON pointer (RFC 6901), which begins
/// with a slash, for names with dots in them. "": the whole document.
/// value: out, not NULL; free with twin_string_free.
/// error: out, may be NULL.
/// Results: TWIN_NOT_FOUND: nothing there; TWIN_INVALID_ARGUMENT: not JSON, or something else is there.
#[unsafe(no_mangle)]
pub extern "C" fn twin_json_string(
    json: twin_str,
    path: twin_str,
    value: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(value, "value")?;
        match find(json, path)? {
            Value::String(text) => give(Some(out), &text),
            _ => Err(wrong(path, "a string")),
        }
    })
}

/// The number at a path; integers beyond 2^53 are rounded.
///
/// value: out, not NULL.
/// Other arguments and results: as for twin_json_string.
#[unsafe(no_mangle)]
pub extern "C" fn twin_json_number(
    json: twin_str,
    path: twin_str,
    value: Option<&mut MaybeUninit<f64>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(value, "value")?;
        out.write(find(json, path)?.as_f64().ok_or_else(|| wrong(path, "a number"))?);
        Ok(())
    })
}

/// The integer at a path.
///
/// value: out, not NULL.
/// Other arguments and results: as for twin_json_string; a number with a fraction or beyond 64 bits is something else.
#[unsafe(no_mangle)]
pub extern "C" fn twin_json_integer(
    json: twin_str,
    path: twin_str,
    value: Option<&mut MaybeUninit<i64>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(value, "value")?;
        out.write(find(json, path)?.as_i64().ok_or_else(|| wrong(path, "an integer of 64 bits"))?);
        Ok(())
    })
}

/// The boolean at a path.
///
/// value: out, not NULL.
/// Other arguments and results: as for twin_json_string.
#[unsafe(no_mangle)]
pub extern "C" fn twin_json_bool(
    json: twin_str,
    path: twin_str,
    value: Option<&mut MaybeUninit<bool>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(value, "value")?;
        out.write(find(json, path)?.as_bool().ok_or_else(|| wrong(path, "true or false"))?);
        Ok(())
    })
}

/// Whatever is at a path, as JSON text.
///
/// value: out, not NULL; free with twin_string_free.
/// Other arguments and results: as for twin_json_string.
#[unsafe(no_mangle)]
pub extern "C" fn twin_json_value(
    json: twin_str,
    path: twin_str,
    value: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(value, "value")?;
        give(Some(out), &find(json, path)?.to_string())
    })
}
