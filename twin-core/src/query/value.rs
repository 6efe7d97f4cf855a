//! What a path or expression is worth.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value as Json;

use super::ast::Constant;

/// What a path or expression is worth.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Missing, or an operation without a result.
    Undefined,
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Every number is compared as a 64-bit float.
    Number(f64),
    /// Text, compared ordinally (by code point).
    String(Cow<'a, str>),
    /// An array constant of the query.
    List(&'a [Constant]),
    /// An array or object of a document.
    Json(&'a Json),
    /// An array or object, as JSON text.
    Raw(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The worth of a JSON value.
    pub fn from_json(json: &'a Json) -> Value<'a> {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => number.as_f64().map_or(Value::Undefined, Value::Number),
            Json::String(text) => Value::String(Cow::Borrowed(text)),
            Json::Array(_) | Json::Object(_) => Value::Json(json),
        }
    }

    /// The worth of a constant.
    pub fn from_constant(constant: &'a Constant) -> Value<'a> {
        match constant {
            Constant::Undefined => Value::Undefined,
            Constant::Null => Value::Null,
            Constant::Bool(value) => Value::Bool(*value),
            Constant::Number(value) => Value::Number(*value),
            Constant::String(text) => Value::String(Cow::Borrowed(text)),
            Constant::Array(items) => Value::List(items),
        }
    }

    /// Neither undefined nor an array or object.
    pub fn is_primitive(&self) -> bool {
        matches!(self, Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_))
    }

    pub(crate) fn truth(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// `=`: defined for primitives of one type, and between null and any primitive.
    pub(crate) fn equals(&self, other: &Value<'_>) -> Option<bool> {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => Some(a == b),
            (Value::Number(a), Value::Number(b)) => Some(a == b),
            (Value::String(a), Value::String(b)) => Some(a == b),
            (Value::Null, Value::Null) => Some(true),
            (Value::Null, b) if b.is_primitive() => Some(false),
            (a, Value::Null) if a.is_primitive() => Some(false),
            _ => None,
        }
    }

    /// `<` and its kin: defined between two numbers and between two strings.
    pub(crate) fn order(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Value::Number(a), Value::Number(b)) => a.partial_cmp(b),
            (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// Whether an array has an element equal to `needle`; `None` if this is no array or `needle` no primitive.
    /// Elements of another type are not equal.
    pub(crate) fn contains(&self, needle: &Value<'_>) -> Option<bool> {
        if !needle.is_primitive() {
            return None;
        }
        let equal = |element: Value<'_>| element.equals(needle) == Some(true);
        match self {
            Value::List(items) => Some(items.iter().map(Value::from_constant).any(equal)),
            Value::Json(Json::Array(items)) => Some(items.iter().map(Value::from_json).any(equal)),
            Value::Raw(text) => match serde_json::from_slice(text).ok()? {
                Json::Array(items) => Some(items.iter().map(Value::from_json).any(equal)),
                _ => None,
            },
            _ => None,
        }
    }
}
