//! Reading members of a JSON object one by one, with errors that name the member and never echo its content.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::time::Timestamp;
use crate::twin::Object;

/// Members still to be read, at a place that errors name.
pub(super) struct Members {
    path: &'static str,
    members: Object,
}

impl Members {
    pub(super) fn root(members: Object) -> Self {
        Members { path: "", members }
    }

    /// What was not read.
    pub(super) fn rest(self) -> Object {
        self.members
    }

    /// Returns what was not read of an object that [`Members::object`] gave.
    pub(super) fn put_back(&mut self, name: &str, inner: Members) {
        if !inner.members.is_empty() {
            self.members.insert(name.into(), Value::Object(inner.members));
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(&self.at(name), "a string")),
        }
    }

    pub(super) fn texts(&mut self, name: &str) -> Result<Vec<String>> {
        let strings = || wrong(name, "an array of strings");
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(all)) => {
                all.iter().map(|v| v.as_str().map(str::to_owned).ok_or_else(strings)).collect()
            }
            Some(_) => Err(strings()),
        }
    }

    pub(super) fn time(&mut self, name: &str) -> Result<Timestamp> {
        match self.text(name)? {
            None => Ok(Timestamp::NEVER),
            Some(text) => text.parse().map_err(refused(name)),
        }
    }

    /// A number, or (Node) its text.
    pub(super) fn count(&mut self, name: &str) -> Result<u32> {
        let number = match self.take(name) {
            None => Some(0),
            Some(Value::String(text)) => text.parse().ok(),
            Some(other) => other.as_u64().and_then(|n| u32::try_from(n).ok()),
        };
        number.ok_or_else(|| wrong(name, "a number from 0 on"))
    }

    pub(super) fn boolean(&mut self, name: &str) -> Result<bool> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(wrong(&self.at(name), "true or false")),
        }
    }

    pub(super) fn object(&mut self, name: &str, path: &'static str) -> Result<Option<Members>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Members { path, members })),
            Some(_) => Err(wrong(path, "an object")),
        }
    }
}

pub(super) fn wrong(path: &str, wanted: &str) -> Error {
    Error::invalid(format!("identity: '{path}' must be {wanted}"))
        .with_code(400_004)
        .with_code_name("ArgumentInvalid")
}

pub(super) fn refused(path: &str) -> impl Fn(Error) -> Error {
    move |e| {
        e.context(format_args!("identity: '{path}'")).with_code(400_004).with_code_name("ArgumentInvalid")
    }
}
