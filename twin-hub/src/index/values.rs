//! Everything at one path, by type.

use std::borrow::Cow;

use roaring::RoaringBitmap;
use twin_core::query::QueryValue;

use super::column::Column;
use super::posting::add_rows;
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

/// What becomes of a row at a path.
#[derive(Debug)]
pub(super) struct Edit<'a> {
    pub(super) handle: u32,
    pub(super) old: Option<Leaf<'a>>,
    pub(super) new: Option<Leaf<'a>>,
}

/// From how many on values are put type by type.
const MANY: usize = 8;

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
    /// Does what rows have come to at this path, in their order.
    pub(super) fn edit(&mut self, edits: &[Edit<'_>], rules: &Rules) {
        if edits.len() >= MANY && edits.iter().all(|edit| edit.old.is_none()) {
            return self.insert_all(edits, rules);
        }
        for edit in edits {
            match (&edit.old, &edit.new) {
                (Some(old), Some(new)) if old != new => self.replace(edit.handle, old, new, rules),
                (Some(old), None) => self.remove(edit.handle, old),
                (None, Some(new)) => self.insert(edit.handle, new, rules),
                _ => {}
            }
        }
    }

    /// Puts values at rows that have none, type by type.
    fn insert_all(&mut self, edits: &[Edit<'_>], rules: &Rules) {
        let (mut numbers, mut strings) = (Vec::new(), Vec::new());
        let [mut nulls, mut trues, mut falses, mut composites, mut number_rows] =
            [(); 5].map(|()| Vec::new());
        for Edit { handle, new, .. } in edits {
            match new {
                None => {}
                Some(Leaf::Null) => nulls.push(*handle),
                Some(Leaf::Bool(true)) => trues.push(*handle),
                Some(Leaf::Bool(false)) => falses.push(*handle),
                Some(Leaf::Composite) => composites.push(*handle),
                Some(Leaf::Number(value)) => {
                    number_rows.push(*handle);
                    numbers.push((*handle, *value));
                }
                Some(Leaf::String(text)) => strings.push((*handle, &**text)),
            }
        }
        for (rows, new) in [
            (&mut self.nulls, nulls),
            (&mut self.trues, trues),
            (&mut self.falses, falses),
            (&mut self.composites, composites),
            (&mut self.number_rows, number_rows),
        ] {
            add_rows(rows, &new);
        }
        self.numbers.set_all(&numbers);
        if !strings.is_empty() {
            self.strings.insert_all(&strings, rules);
        }
    }

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

    /// The values that have a bitmap each, with their rows.
    pub(super) fn bitmaps(&self) -> [(QueryValue<'static>, &RoaringBitmap); 3] {
        [
            (QueryValue::Null, &self.nulls),
            (QueryValue::Bool(false), &self.falses),
            (QueryValue::Bool(true), &self.trues),
        ]
    }

    pub(super) fn composites(&self) -> &RoaringBitmap {
        &self.composites
    }

    pub(super) fn number_rows(&self) -> &RoaringBitmap {
        &self.number_rows
    }

    /// Whether no row has anything here.
    pub(super) fn is_empty(&self) -> bool {
        self.present().is_empty()
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
