//! Looking paths up in JSON text without building a tree: one forward scan that skips what it does not need.
//!
//! The text must be valid JSON without duplicate keys, as a hub stores it. On anything else the answer may be
//! "undefined", but never a panic.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::ast::Path;
use super::eval::{Lookup, Value};

/// A whole service-view document as JSON text.
#[derive(Clone, Copy, Debug)]
pub struct RawDocument<'t>(pub &'t [u8]);

impl Lookup for RawDocument<'_> {
    fn lookup<'a>(&'a self, path: &Path) -> Value<'a> {
        lookup(self.0, path.segments())
    }

    fn json(&self, path: &Path) -> Option<Json> {
        json(self.0, path.segments())
    }
}

/// The value at `path` below the value that `text` starts with.
pub fn lookup<'t>(text: &'t [u8], path: &[String]) -> Value<'t> {
    find(text, path).map_or(Value::Undefined, value)
}

/// The value at `path`, exactly.
pub fn json(text: &[u8], path: &[String]) -> Option<Json> {
    serde_json::from_slice(find(text, path)?).ok()
}

/// The text of the value at `path` below the value that `text` starts with.
pub fn find<'t>(text: &'t [u8], path: &[String]) -> Option<&'t [u8]> {
    let mut scan = Scan { text, at: 0 };
    scan.whitespace();
    for segment in path {
        scan.enter_member(segment)?;
    }
    let start = scan.at;
    scan.skip_value()?;
    Some(&text[start..scan.at])
}

/// Deepest object that [`tour`] enters: far above a twin's 10 levels, `$metadata` included.
const MAX_TOUR_DEPTH: usize = 64;

/// A step of [`tour`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'t> {
    /// To a value: the name of the member in its quotes, as it is written; empty for the text's own value.
    Down(&'t [u8]),
    /// Back from it: its text.
    Up(&'t [u8]),
}

/// Walks the tree of objects in `text`, telling every step; leaves and arrays have no inside. `None`: the text is not
/// whole.
pub fn tour<'t>(text: &'t [u8], step: &mut impl FnMut(Step<'t>)) -> Option<()> {
    let mut scan = Scan { text, at: 0 };
    scan.whitespace();
    scan.tour(b"", step, MAX_TOUR_DEPTH)
}

/// What a piece of JSON text is worth.
pub fn value(text: &[u8]) -> Value<'_> {
    match text.first() {
        Some(b'"') => string(text).map_or(Value::Undefined, Value::String),
        Some(b'{' | b'[') => Value::Raw(text),
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'n') => Value::Null,
        _ => number(text).map_or(Value::Undefined, Value::Number),
    }
}

fn number(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The text of a JSON string in its quotes.
pub fn string(quoted: &[u8]) -> Option<Cow<'_, str>> {
    let inner = quoted.get(1..quoted.len().checked_sub(1)?)?;
    if inner.contains(&b'\\') {
        return serde_json::from_slice(quoted).ok().map(Cow::Owned);
    }
    std::str::from_utf8(inner).ok().map(Cow::Borrowed)
}

struct Scan<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Scan<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Passes `byte` and the white space around it.
    fn pass(&mut self, byte: u8) -> Option<()> {
        self.whitespace();
        (self.peek()? == byte).then_some(())?;
        self.at += 1;
        self.whitespace();
        Some(())
    }

    /// From the start of an object to the start of the value of its member `name`.
    fn enter_member(&mut self, name: &str) -> Option<()> {
        self.pass(b'{')?;
        loop {
            let key = self.string()?;
            self.pass(b':')?;
            if is_key(key, name) {
                return Some(());
            }
            self.skip_value()?;
            self.pass(b',')?;
        }
    }

    /// Passes a string; its text in quotes.
    fn string(&mut self) -> Option<&'t [u8]> {
        let start = self.at;
        (self.peek()? == b'"').then_some(())?;
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..)?;
            self.at += rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
            if self.text[self.at] == b'"' {
                self.at += 1;
                return self.text.get(start..self.at);
            }
            self.at += 2;
        }
    }

    /// Passes the value that starts here.
    fn skip_value(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' => self.skip_composite(),
            _ => {
                let rest = &self.text[self.at..];
                let end =
                    rest.iter().position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'));
                self.at += end.unwrap_or(rest.len());
                Some(())
            }
        }
    }

    fn skip_composite(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            let rest = self.text.get(self.at..)?;
            self.at += rest.iter().position(|b| matches!(b, b'"' | b'{' | b'}' | b'[' | b']'))?;
            match self.text[self.at] {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                _ => depth -= 1,
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn tour(&mut self, name: &'t [u8], step: &mut impl FnMut(Step<'t>), depth: usize) -> Option<()> {
        step(Step::Down(name));
        let start = self.at;
        if self.peek()? != b'{' || depth == 0 {
            self.skip_value()?;
        } else {
            self.pass(b'{')?;
            while self.peek()? == b'"' {
                let member = self.string()?;
                self.pass(b':')?;
                self.tour(member, step, depth - 1)?;
                if self.pass(b',').is_none() {
                    break;
                }
            }
            self.pass(b'}')?;
        }
        step(Step::Up(&self.text[start..self.at]));
        Some(())
    }
}

/// Whether a key in its quotes is `name`.
fn is_key(quoted: &[u8], name: &str) -> bool {
    let inner = &quoted[1..quoted.len() - 1];
    // An escape makes a key's text longer than the key, so equal text without escapes is equality.
    if inner.len() == name.len() {
        return inner == name.as_bytes() && !inner.contains(&b'\\');
    }
    inner.len() > name.len() && inner.contains(&b'\\') && string(quoted).is_some_and(|key| key == name)
}
