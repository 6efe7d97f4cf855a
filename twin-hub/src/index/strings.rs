//! The strings at one path: a posting list per value while values repeat, fixed-size keys per row once they do not.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::ops::Bound;

use roaring::RoaringBitmap;

use super::column::Column;
use super::posting::{Posting, add_rows};

/// When a path's strings change from posting lists to keys, how those are hashed, and what a plan may cost: the same for
/// a whole index.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// most different values with a posting list each; a value costs about 100 bytes
    pub(super) max_values: usize,
    /// from how many different values on a path is checked for being mostly unique
    pub(super) min_unique_values: usize,
    /// most values that one plan looks at, row by row or in posting lists
    pub(super) max_plan_values: u64,
    pub(super) hasher: RandomState,
}

impl Default for Rules {
    fn default() -> Self {
        // A plan keeps the writer waiting: 64 columns of a million rows take about a tenth of a second.
        let max_plan_values = 64_000_000;
        Rules { max_values: 50_000, min_unique_values: 16_384, max_plan_values, hasher: RandomState::new() }
    }
}

impl Rules {
    fn hash(&self, value: &str) -> u32 {
        self.hasher.hash_one(value) as u32
    }
}

/// Rows per value below which a path counts as mostly unique: serial numbers, addresses, times.
const UNIQUE_ROWS_PER_VALUE: u64 = 4;

/// The strings at one path.
#[derive(Debug, Default)]
pub(super) struct Strings {
    /// rows that have a string
    rows: RoaringBitmap,
    count: u64,
    by_value: Values,
}

#[derive(Debug)]
enum Values {
    /// Exact answers.
    Listed(BTreeMap<Box<str>, Posting>),
    /// Candidates that the condition has to be checked on.
    Keyed(Box<Keyed>),
}

impl Default for Values {
    fn default() -> Self {
        Values::Listed(BTreeMap::new())
    }
}

/// Twelve bytes per row, whatever the strings are.
#[derive(Debug)]
struct Keyed {
    /// what most strings start with
    prefix: Box<[u8]>,
    /// the next eight bytes: never puts two strings in the wrong order, but may make them equal
    order: Column<u64>,
    hash: Column<u32>,
}

/// Rows, and whether they are the answer or may hold too many.
pub(super) type Found = (RoaringBitmap, bool);

impl Strings {
    pub(super) fn rows(&self) -> &RoaringBitmap {
        &self.rows
    }

    /// Whether answers come from posting lists.
    pub(super) fn is_listed(&self) -> bool {
        matches!(self.by_value, Values::Listed(_))
    }

    /// Puts strings at rows that have none.
    pub(super) fn insert_all(&mut self, new: &[(u32, &str)], rules: &Rules) {
        let handles: Vec<u32> = new.iter().map(|(handle, _)| *handle).collect();
        add_rows(&mut self.rows, &handles);
        self.count += new.len() as u64;
        let mut by_value: HashMap<&str, Vec<u32>> = HashMap::new();
        if self.is_listed() {
            new.iter().for_each(|(handle, value)| by_value.entry(*value).or_default().push(*handle));
        } else if let Values::Keyed(keyed) = &mut self.by_value {
            return keyed.insert_all(new, rules);
        }
        for (value, handles) in by_value {
            match &mut self.by_value {
                Values::Keyed(keyed) => handles.iter().for_each(|handle| keyed.insert(*handle, value, rules)),
                Values::Listed(values) => match values.get_mut(value) {
                    Some(posting) => posting.insert_all(&handles),
                    None => {
                        let mut posting = Posting::None;
                        posting.insert_all(&handles);
                        values.insert(value.into(), posting);
                        self.check_uniqueness(rules);
                    }
                },
            }
        }
    }

    /// Puts a string at a row that has none.
    pub(super) fn insert(&mut self, handle: u32, value: &str, rules: &Rules) {
        self.count += u64::from(self.rows.insert(handle));
        match &mut self.by_value {
            Values::Listed(values) => {
                if let Some(posting) = values.get_mut(value) {
                    posting.insert(handle);
                    return;
                }
                values.insert(value.into(), Posting::One(handle));
                self.check_uniqueness(rules);
            }
            Values::Keyed(keyed) => keyed.insert(handle, value, rules),
        }
    }

    /// Goes over from lists to keys when there are too many different values.
    fn check_uniqueness(&mut self, rules: &Rules) {
        let Values::Listed(values) = &self.by_value else { return };
        let unique = values.len() > rules.min_unique_values
            && values.len() as u64 * UNIQUE_ROWS_PER_VALUE > self.count;
        if unique || values.len() > rules.max_values {
            self.by_value = Values::Keyed(Box::new(Keyed::new(values, rules)));
        }
    }

    /// Takes the string `value` from a row.
    pub(super) fn remove(&mut self, handle: u32, value: &str) {
        self.count -= u64::from(self.rows.remove(handle));
        match &mut self.by_value {
            Values::Listed(values) => {
                if let Some(posting) = values.get_mut(value) {
                    posting.remove(handle);
                    if posting.is_empty() {
                        values.remove(value);
                    }
                }
            }
            Values::Keyed(keyed) => {
                keyed.order.clear(handle);
                keyed.hash.clear(handle);
            }
        }
    }

    /// Puts the string `new` in place of `old`.
    pub(super) fn replace(&mut self, handle: u32, old: &str, new: &str, rules: &Rules) {
        match &mut self.by_value {
            Values::Keyed(keyed) => keyed.insert(handle, new, rules),
            Values::Listed(_) => {
                self.remove(handle, old);
                self.insert(handle, new, rules);
            }
        }
    }

    /// Calls `to` with every string and its rows; with nothing if there are no lists.
    pub(super) fn each<'s>(&'s self, mut to: impl FnMut(&'s str, &'s Posting)) {
        if let Values::Listed(values) = &self.by_value {
            values.iter().for_each(|(value, posting)| to(value, posting));
        }
    }

    /// Rows with one of these strings.
    pub(super) fn equal(&self, wanted: &[&str], within: Option<&RoaringBitmap>, rules: &Rules) -> Found {
        match &self.by_value {
            Values::Listed(values) => (union(wanted.iter().filter_map(|value| values.get(*value))), true),
            Values::Keyed(keyed) => {
                let mut hashes: Vec<u32> = wanted.iter().map(|value| rules.hash(value)).collect();
                hashes.sort_unstable();
                let rows = match hashes[..] {
                    [hash] => keyed.hash.select(within, |h| h == hash),
                    _ => keyed.hash.select(within, |h| hashes.binary_search(&h).is_ok()),
                };
                (rows, false)
            }
        }
    }

    /// Rows with a string in a range.
    pub(super) fn range(&self, low: Bound<&str>, high: Bound<&str>, within: Option<&RoaringBitmap>) -> Found {
        match &self.by_value {
            Values::Listed(values) => {
                // `BTreeMap::range` panics on a range that is none.
                let low_below_high = match (low, high) {
                    (Bound::Included(l), Bound::Included(h)) => l <= h,
                    (Bound::Included(l) | Bound::Excluded(l), Bound::Included(h) | Bound::Excluded(h)) => {
                        l < h
                    }
                    _ => true,
                };
                match low_below_high {
                    true => (union(values.range::<str, _>((low, high)).map(|(_, posting)| posting)), true),
                    false => (RoaringBitmap::new(), true),
                }
            }
            Values::Keyed(keyed) => {
                let key = |bound| match bound {
                    Bound::Included(text) | Bound::Excluded(text) => Some(keyed.key(str::as_bytes(text))),
                    Bound::Unbounded => None,
                };
                let (low, high) = (key(low).unwrap_or(0), key(high).unwrap_or(u64::MAX));
                (keyed.order.select(within, |k| low <= k && k <= high), false)
            }
        }
    }

    /// Rows with a string that starts with `prefix`.
    pub(super) fn starting_with(&self, prefix: &str, within: Option<&RoaringBitmap>) -> Found {
        match &self.by_value {
            Values::Listed(values) => {
                let from = values.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
                let matching = from.take_while(|(value, _)| value.starts_with(prefix));
                (union(matching.map(|(_, posting)| posting)), true)
            }
            Values::Keyed(keyed) => {
                // No UTF-8 string with the prefix sorts behind this.
                let mut last = prefix.as_bytes().to_vec();
                last.resize(last.len() + keyed.prefix.len() + size_of::<u64>(), 0xFF);
                let (low, high) = (keyed.key(prefix.as_bytes()), keyed.key(&last));
                (keyed.order.select(within, |k| low <= k && k <= high), false)
            }
        }
    }

    /// A column of two strings that are there already as bitmaps.
    pub(super) fn of_two(values: [(&str, RoaringBitmap); 2]) -> Strings {
        let rows = &values[0].1 | &values[1].1;
        let by_value = values.into_iter().map(|(value, rows)| (value.into(), Posting::Many(rows)));
        Strings { count: rows.len(), rows, by_value: Values::Listed(by_value.collect()) }
    }
}

impl Keyed {
    fn new(values: &BTreeMap<Box<str>, Posting>, rules: &Rules) -> Keyed {
        let first = values.first_key_value().map_or(&[][..], |(value, _)| value.as_bytes());
        let last = values.last_key_value().map_or(&[][..], |(value, _)| value.as_bytes());
        // What the first and the last string in order share, all between them share.
        let shared = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        let mut keyed =
            Keyed { prefix: first[..shared].into(), order: Column::default(), hash: Column::default() };
        for (value, posting) in values {
            let (mut few, mut many) = (Vec::new(), RoaringBitmap::new());
            posting.add_to(&mut few, &mut many);
            for handle in few.into_iter().chain(many) {
                keyed.insert(handle, value, rules);
            }
        }
        keyed
    }

    fn insert(&mut self, handle: u32, value: &str, rules: &Rules) {
        self.order.set(handle, self.key(value.as_bytes()));
        self.hash.set(handle, rules.hash(value));
    }

    fn insert_all(&mut self, new: &[(u32, &str)], rules: &Rules) {
        let keys: Vec<_> = new.iter().map(|(handle, value)| (*handle, self.key(value.as_bytes()))).collect();
        self.order.set_all(&keys);
        let hashes: Vec<_> = new.iter().map(|(handle, value)| (*handle, rules.hash(value))).collect();
        self.hash.set_all(&hashes);
    }

    /// If `a <= b` then `key(a) <= key(b)`.
    fn key(&self, value: &[u8]) -> u64 {
        let Some(rest) = value.strip_prefix(&*self.prefix) else {
            return if *value < *self.prefix { 0 } else { u64::MAX };
        };
        let mut next = [0; 8];
        let known = rest.len().min(8);
        next[..known].copy_from_slice(&rest[..known]);
        u64::from_be_bytes(next).clamp(1, u64::MAX - 1)
    }
}

fn union<'p>(postings: impl Iterator<Item = &'p Posting>) -> RoaringBitmap {
    let (mut few, mut many) = (Vec::new(), RoaringBitmap::new());
    for posting in postings {
        posting.add_to(&mut few, &mut many);
    }
    many.extend(few);
    many
}
