//! Everything at one path, by type.

use std::borrow::Cow;

use roaring::RoaringBitmap;
use twin_core::query::QueryValue;

use super::column::Column;
use super::strings::{Rules, Strings};

/// What a row has at a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Leaf<'a> {
    Null,
    Bool(bool),
    Number(f64),
    String(Cow<'a, str>),
    /// an array or object: only that it is there
    Composite,
}

impl<'a> Leaf<'a> {
    pub(super) fn new(value: QueryValue<'a>) -> Option<Leaf<'a>> {
        match value {
            QueryValue::Undefined => None,
            QueryValue::Null => Some(Leaf::Null),
            QueryValue::Bool(value) => Some(Leaf::Bool(value)),
            QueryValue::Number(value) => Some(Leaf::Number(value)),
            QueryValue::String(text) => Some(Leaf::String(text)),
            QueryValue::List(_) | QueryValue::Json(_) | QueryValue::Raw(_) => Some(Leaf::Composite),
        }
    }
}

/// Everything at one path, by type.
#[derive(Debug, Default)]
pub(super) struct Values {
    nulls: RoaringBitmap,
    trues: RoaringBitmap,
    falses: RoaringBitmap,
    composites: RoaringBitmap,
    number_rows: RoaringBitmap,
    pub(super) numbers: Column<f64>,
    pub(super) strings: Strings,
}

impl Values {
    /// Puts a value at a row that has none.
    pub(super) fn insert(&mut self, handle: u32, leaf: &Leaf<'_>, rules: &Rules) {
        match leaf {
            Leaf::Null => _ = self.nulls.insert(handle),
            Leaf::Bool(true) => _ = self.trues.insert(handle),
            Leaf::Bool(false) => _ = self.falses.insert(handle),
            Leaf::Composite => _ = self.composites.insert(handle),
            Leaf::Number(value) => {
                self.number_rows.insert(handle);
                self.numbers.set(handle, *value);
            }
            Leaf::String(text) => self.strings.insert(handle, text, rules),
        }
    }

    /// Takes the value of a row.
    pub(super) fn remove(&mut self, handle: u32, leaf: &Leaf<'_>) {
        match leaf {
            Leaf::Null => _ = self.nulls.remove(handle),
            Leaf::Bool(true) => _ = self.trues.remove(handle),
            Leaf::Bool(false) => _ = self.falses.remove(handle),
            Leaf::Composite => _ = self.composites.remove(handle),
            Leaf::Number(_) => {
                self.number_rows.remove(handle);
                self.numbers.clear(handle);
            }
            Leaf::String(text) => self.strings.remove(handle, text),
        }
    }

    /// Puts `new` in place of `old`.
    pub(super) fn replace(&mut self, handle: u32, old: &Leaf<'_>, new: &Leaf<'_>, rules: &Rules) {
        match (old, new) {
            (Leaf::Number(_), Leaf::Number(value)) => self.numbers.set(handle, *value),
            (Leaf::String(old), Leaf::String(new)) => self.strings.replace(handle, old, new, rules),
            _ => {
                self.remove(handle, old);
                self.insert(handle, new, rules);
            }
        }
    }

    /// A path that has one of two strings.
    pub(super) fn of_two_strings(values: [(&str, RoaringBitmap); 2]) -> Values {
        Values { strings: Strings::of_two(values), ..Values::default() }
    }

    pub(super) fn nulls(&self) -> &RoaringBitmap {
        &self.nulls
    }

    pub(super) fn bools(&self, value: bool) -> &RoaringBitmap {
        if value { &self.trues } else { &self.falses }
    }

    pub(super) fn composites(&self) -> &RoaringBitmap {
        &self.composites
    }

    pub(super) fn number_rows(&self) -> &RoaringBitmap {
        &self.number_rows
    }

    /// Rows with null, a boolean, a number or a string.
    pub(super) fn primitives(&self) -> Cow<'_, RoaringBitmap> {
        union([&self.nulls, &self.trues, &self.falses, &self.number_rows, self.strings.rows()])
    }

    /// Rows with anything.
    pub(super) fn present(&self) -> Cow<'_, RoaringBitmap> {
        let strings = self.strings.rows();
        union([&self.nulls, &self.trues, &self.falses, &self.number_rows, strings, &self.composites])
    }
}

/// The union, borrowed when only one set has anything, as is usual for a path.
pub(super) fn union<const N: usize>(sets: [&RoaringBitmap; N]) -> Cow<'_, RoaringBitmap> {
    let mut filled = sets.into_iter().filter(|set| !set.is_empty());
    let Some(first) = filled.next() else { return Cow::Owned(RoaringBitmap::new()) };
    let mut all = Cow::Borrowed(first);
    for set in filled {
        *all.to_mut() |= set;
    }
    all
}
