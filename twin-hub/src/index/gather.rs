//! From records to what is to be done at each path.

use std::borrow::Cow;

use twin_core::query::{QueryValue, raw};

use super::paths::PathId;
use super::values::{Edit, Leaf};
use super::{Change, Index, Leaves, Part, Place};

/// What is to be done, by path.
pub(super) type Edits<'a> = Vec<(PathId, Vec<Edit<'a>>)>;

impl Index {
    /// What a change means for the paths at and below a place.
    pub(super) fn gather<'a>(&mut self, place: Place, change: &Change<'a>, edits: &mut Edits<'a>) {
        let Some(at) = self.places[place as usize] else { return };
        let old = change.old.map(|record| (record, record.part(place)));
        let new = change.new.map(|record| (record, record.part(place)));
        let handle = change.handle;
        match (old, new) {
            (None, None) => {}
            (None, Some((record, part))) => self.leaves(at, record, part, &mut |index, id, leaf| {
                index.push(id, Edit { handle, old: None, new: Some(leaf) }, edits);
            }),
            (Some((record, part)), None) => self.leaves(at, record, part, &mut |index, id, leaf| {
                index.push(id, Edit { handle, old: Some(leaf), new: None }, edits);
            }),
            (Some((_, old)), Some((_, new))) if old.is_same(&new) => {}
            (Some((old, old_part)), Some((new, new_part))) => {
                let (mut before, mut after) = (Vec::new(), Vec::new());
                self.leaves(at, old, old_part, &mut |_, id, leaf| before.push((id, leaf)));
                self.leaves(at, new, new_part, &mut |_, id, leaf| after.push((id, leaf)));
                before.sort_unstable_by_key(|(id, _)| *id);
                after.sort_unstable_by_key(|(id, _)| *id);
                self.compare(handle, before, after, edits);
            }
        }
    }

    /// Both lists are sorted by path.
    fn compare<'a>(
        &mut self,
        handle: u32,
        before: Vec<(PathId, Leaf<'a>)>,
        after: Vec<(PathId, Leaf<'a>)>,
        edits: &mut Edits<'a>,
    ) {
        let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
        loop {
            let id = match (before.peek(), after.peek()) {
                (Some(old), Some(new)) => old.0.min(new.0),
                (Some(one), None) | (None, Some(one)) => one.0,
                (None, None) => return,
            };
            let old = before.next_if(|(other, _)| *other == id).map(|(_, leaf)| leaf);
            let new = after.next_if(|(other, _)| *other == id).map(|(_, leaf)| leaf);
            if old != new {
                self.push(id, Edit { handle, old, new }, edits);
            }
        }
    }

    fn push<'a>(&mut self, id: PathId, edit: Edit<'a>, edits: &mut Edits<'a>) {
        if self.gathering.len() <= id as usize {
            self.gathering.resize(self.paths.len(), 0);
        }
        let gathered = &mut self.gathering[id as usize];
        if *gathered == 0 {
            edits.push((id, Vec::new()));
            *gathered = edits.len() as u32;
        }
        edits[*gathered as usize - 1].1.push(edit);
    }

    /// All paths and values in a part.
    fn leaves<'a>(
        &mut self,
        at: PathId,
        record: &'a dyn Leaves,
        part: Part<'a>,
        to: &mut dyn FnMut(&mut Self, PathId, Leaf<'a>),
    ) {
        match part {
            Part::Text(text) => self.text_leaves(at, text, to),
            Part::Value(value) => {
                if let Some(leaf) = Leaf::new(value) {
                    to(self, at, leaf);
                }
            }
            Part::Packed(_) => record.unpack(&mut |path, value| {
                let id = path.iter().try_fold(at, |parent, name| self.paths.intern(parent, name));
                if let (Some(id), Some(leaf)) = (id, Leaf::new(value)) {
                    to(self, id, leaf.into_owned());
                }
            }),
        }
    }

    fn text_leaves<'a>(
        &mut self,
        at: PathId,
        text: &'a [u8],
        to: &mut dyn FnMut(&mut Self, PathId, Leaf<'a>),
    ) {
        // The number of each path on the way to where the tour is, and of the sibling before.
        let mut way: Vec<Option<PathId>> = Vec::with_capacity(12);
        let mut before = None;
        // A text that ends early has been toured as far as it goes.
        let _ = raw::tour(text, &mut |step| match step {
            raw::Step::Down(name) => {
                let id = match way.last() {
                    None => Some(at),
                    Some(parent) => parent.and_then(|id| self.paths.intern_next(id, before, name)),
                };
                way.push(id);
                before = None;
            }
            raw::Step::Up(value) => {
                let id = way.pop().flatten();
                if let (Some(id), Some(leaf)) = (id, Leaf::new(raw::value(value))) {
                    to(self, id, leaf);
                }
                before = id;
            }
        });
    }
}

impl Leaf<'_> {
    fn into_owned<'a>(self) -> Leaf<'a> {
        match self {
            Leaf::String(text) => Leaf::String(Cow::Owned(text.into_owned())),
            Leaf::Null => Leaf::Null,
            Leaf::Bool(value) => Leaf::Bool(value),
            Leaf::Number(value) => Leaf::Number(value),
            Leaf::Composite => Leaf::Composite,
        }
    }
}

/// An object, as [`Leaves::unpack`] tells it.
pub(crate) const OBJECT: QueryValue<'static> = QueryValue::Raw(b"{}");
