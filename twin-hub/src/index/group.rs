//! Rows → groups, from what the index has of them: no record is looked at.
//!
//! Each row gets the number of its group, path by path: at the first path its value's, at each further one that of the
//! pair. Then each column of numbers is walked once, in the order of the rows, so that sums come out as from a walk
//! over the rows.

use std::cell::Cell;
use std::collections::HashMap;

use roaring::RoaringBitmap;
use twin_core::query::{Numbers, Path, QueryValue};

use super::Index;
use super::plan::Planner;
use super::values::Values;

/// A group of rows.
#[derive(Debug)]
pub(crate) struct Group<'i> {
    /// one per key path; numbers that are equal are one key, however they are spelled
    pub(crate) keys: Vec<QueryValue<'i>>,
    /// the first row of it
    pub(crate) first: u32,
    pub(crate) rows: u64,
    /// one per path of numbers
    pub(crate) numbers: Vec<Numbers>,
}

/// No group: the row is not asked for.
const NONE: u32 = u32::MAX;

impl Index {
    /// The groups of `rows` by the values at the paths in `keys`, with the numbers at those in `gathered`. `None`: the
    /// index cannot say, because a path is not indexed, values are mostly unique or composite, or it is too much work.
    pub(crate) fn groups(
        &self,
        rows: &RoaringBitmap,
        keys: &[Path],
        gathered: &[Path],
    ) -> Option<Vec<Group<'_>>> {
        let left = Cell::new(self.rules.max_plan_values);
        let planner = Planner { index: self, presence: None, nothing: &self.nothing, facts: None, left };
        let keys = keys.iter().map(|path| planner.values(path)).collect::<Option<Vec<_>>>()?;
        let gathered = gathered.iter().map(|path| planner.values(path)).collect::<Option<Vec<_>>>()?;
        if keys.iter().any(|values| !values.composites().is_disjoint(rows) || !values.strings.is_listed()) {
            return None;
        }
        let (Some(base), Some(last)) = (rows.min(), rows.max()) else { return Some(Vec::new()) };
        match (&keys[..], &gathered[..]) {
            ([], []) => {
                return Some(vec![Group {
                    keys: Vec::new(),
                    first: base,
                    rows: rows.len(),
                    numbers: Vec::new(),
                }]);
            }
            ([values], []) if values.number_rows().is_disjoint(rows) => return Some(counts(values, rows)),
            _ => {}
        }
        planner.spend(u64::from(last - base), None)?;
        for values in &keys {
            planner.spend(values.present().len(), None)?;
        }
        for values in &gathered {
            planner.spend(values.numbers.len(), None)?;
        }
        let mut number_of = vec![NONE; (last - base) as usize + 1];
        rows.iter().for_each(|row| number_of[(row - base) as usize] = 0);
        let mut grouped = Grouped { base, number_of, keys: vec![Vec::new()] };
        keys.iter().for_each(|values| grouped.split(values, rows));
        let mut groups = grouped.count();
        for values in gathered {
            groups.iter_mut().for_each(|group| group.numbers.push(Numbers::default()));
            values.numbers.each(base..=last, |row, n| {
                if let Some(group) = groups.get_mut(grouped.number_of[(row - base) as usize] as usize)
                    && let Some(numbers) = group.numbers.last_mut()
                {
                    numbers.feed(n);
                }
            });
        }
        groups.retain(|group| group.rows > 0);
        Some(groups)
    }
}

/// Groups by one path that has no numbers, counted without going through the rows.
fn counts<'i>(values: &'i Values, rows: &RoaringBitmap) -> Vec<Group<'i>> {
    let mut groups = Vec::new();
    let mut add = |key, first: Option<u32>, rows| {
        if let Some(first) = first {
            groups.push(Group { keys: vec![key], first, rows, numbers: Vec::new() });
        }
    };
    for (key, of_value) in values.bitmaps() {
        let rows = of_value & rows;
        add(key, rows.min(), rows.len());
    }
    values.strings.each(|value, posting| {
        let (first, count) = posting.count_within(rows);
        add(QueryValue::String(value.into()), first, count);
    });
    let missing = rows - &*values.present();
    add(QueryValue::Undefined, missing.min(), missing.len());
    groups
}

/// Rows with the numbers of their groups.
struct Grouped<'i> {
    base: u32,
    /// by row, from `base` on
    number_of: Vec<u32>,
    /// by group number: the keys so far
    keys: Vec<Vec<QueryValue<'i>>>,
}

/// How the groups split at one path.
struct Split<'i> {
    /// the number of the value at hand
    value: u32,
    /// the number of the new group, by old group and value
    of_pair: HashMap<(u32, u32), u32>,
    last: ((u32, u32), u32),
    /// by new group number
    keys: Vec<Vec<QueryValue<'i>>>,
}

impl<'i> Grouped<'i> {
    /// Splits each group by the values at one more path.
    fn split(&mut self, values: &'i Values, rows: &RoaringBitmap) {
        let mut split =
            Split { value: 0, of_pair: HashMap::new(), last: ((NONE, NONE), NONE), keys: Vec::new() };
        for (key, of_value) in values.bitmaps() {
            (of_value & rows).iter().for_each(|row| self.renumber(row, &key, &mut split));
            split.value += 1;
        }
        let missing = rows - &*values.present();
        missing.iter().for_each(|row| self.renumber(row, &QueryValue::Undefined, &mut split));
        split.value += 1;
        values.strings.each(|text, posting| {
            let key = QueryValue::String(text.into());
            posting.each_within(rows, |row| self.renumber(row, &key, &mut split));
            split.value += 1;
        });
        let first = split.value;
        let mut of_number: HashMap<u64, u32> = HashMap::new();
        let range = self.base..=self.base + (self.number_of.len() - 1) as u32;
        values.numbers.each(range, |row, n| {
            if self.number_of[(row - self.base) as usize] != NONE {
                // One zero, not two.
                let n = n + 0.0;
                let next = first + of_number.len() as u32;
                split.value = *of_number.entry(n.to_bits()).or_insert(next);
                self.renumber(row, &QueryValue::Number(n), &mut split);
            }
        });
        self.keys = split.keys;
    }

    /// Each row once: then its old group's number is not needed any more.
    fn renumber(&mut self, row: u32, key: &QueryValue<'i>, split: &mut Split<'i>) {
        let number = &mut self.number_of[(row - self.base) as usize];
        let pair = (*number, split.value);
        if split.last.0 != pair {
            let next = split.keys.len() as u32;
            split.last = (pair, *split.of_pair.entry(pair).or_insert(next));
            if split.last.1 == next {
                let mut keys = self.keys[pair.0 as usize].clone();
                keys.push(key.clone());
                split.keys.push(keys);
            }
        }
        *number = split.last.1;
    }

    /// The groups, with no numbers yet.
    fn count(&self) -> Vec<Group<'i>> {
        let empty = |keys: &Vec<_>| Group { keys: keys.clone(), first: NONE, rows: 0, numbers: Vec::new() };
        let mut groups: Vec<Group<'i>> = self.keys.iter().map(empty).collect();
        for (row, number) in (self.base..).zip(&self.number_of) {
            if let Some(group) = groups.get_mut(*number as usize) {
                group.first = group.first.min(row);
                group.rows += 1;
            }
        }
        groups
    }
}
