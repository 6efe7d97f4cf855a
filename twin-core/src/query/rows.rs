//! Rows that are not whole twins: projection, grouping, aggregates.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::ast::{Aggregate, Path, Query, SelectItem, Selection};
use super::eval::{Lookup, Value};

impl Query {
    /// Whether rows are groups: there is a `GROUP BY`, or an aggregate in the list.
    pub fn is_aggregate(&self) -> bool {
        let aggregate = |item: &SelectItem| !matches!(item.value, Aggregate::Path(_));
        !self.group_by.is_empty() || self.items().iter().any(aggregate)
    }

    /// Projects one row by the select list (not for `*`, not for aggregates); undefined members are left out.
    pub fn project(&self, row: &(impl Lookup + ?Sized)) -> Json {
        let mut members = Map::new();
        for item in self.items() {
            if let Aggregate::Path(path) = &item.value
                && let Some(value) = row.json(path)
            {
                members.insert(item.name.clone(), value);
            }
        }
        Json::Object(members)
    }

    fn items(&self) -> &[SelectItem] {
        match &self.select {
            Selection::All => &[],
            Selection::Items(items) => items,
        }
    }
}

/// Aggregates rows, fed one by one, into groups. Holds one accumulator per group: no more than there are rows.
#[derive(Clone, Debug)]
pub struct Grouping {
    items: Vec<SelectItem>,
    keys: Vec<Path>,
    top: Option<u64>,
    groups: BTreeMap<Vec<Key>, Group>,
}

#[derive(Clone, Debug)]
struct Group {
    /// one per key path, as the first row of the group had it
    keys: Vec<Option<Json>>,
    rows: u64,
    /// one per select item
    numbers: Vec<Numbers>,
}

/// What AVG, SUM, MIN and MAX need. Values that are no numbers are passed over.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

impl Grouping {
    /// For a query that [`Query::is_aggregate`].
    pub fn new(query: &Query) -> Self {
        let mut grouping = Grouping {
            items: query.items().to_vec(),
            keys: query.group_by.clone(),
            top: query.top,
            groups: BTreeMap::new(),
        };
        // Without GROUP BY there is one row, even over no rows: a count of 0.
        if grouping.keys.is_empty() {
            let group = Group::new(grouping.items.len(), Vec::new());
            grouping.groups.insert(Vec::new(), group);
        }
        grouping
    }

    /// Feeds one row that passed the condition.
    pub fn feed(&mut self, row: &(impl Lookup + ?Sized)) {
        let group = group(&mut self.groups, &self.keys, self.items.len(), row);
        group.rows += 1;
        for (item, numbers) in self.items.iter().zip(&mut group.numbers) {
            if let Some(path) = item.value.gathers()
                && let Value::Number(n) = row.lookup(path)
            {
                numbers.feed(n);
            }
        }
    }

    /// The paths by which rows are grouped.
    pub fn keys(&self) -> &[Path] {
        &self.keys
    }

    /// The paths whose numbers are gathered, in the order of the select list.
    pub fn gathered(&self) -> impl Iterator<Item = &Path> {
        self.items.iter().filter_map(|item| item.value.gathers())
    }

    /// Feeds a whole group whose rows were counted and whose numbers were gathered elsewhere: `first` is the row that
    /// would have been fed first, or anything that has the group's keys as that has them; `numbers` are by
    /// [`Grouping::gathered`], each fed in the order of the rows.
    pub fn feed_group(&mut self, first: &(impl Lookup + ?Sized), rows: u64, numbers: &[Numbers]) {
        let group = group(&mut self.groups, &self.keys, self.items.len(), first);
        group.rows += rows;
        let gathering = self.items.iter().zip(&mut group.numbers);
        let gathering = gathering.filter(|(item, _)| item.value.gathers().is_some());
        gathering.zip(numbers).for_each(|((_, numbers), more)| numbers.merge(more));
    }

    /// The result rows, at most `TOP`, sorted by group key: missing, null, booleans, numbers, strings, the rest.
    pub fn finish(self) -> Vec<Json> {
        let top = self.top.and_then(|top| usize::try_from(top).ok()).unwrap_or(usize::MAX);
        self.groups.values().take(top).map(|group| group.row(&self.items, &self.keys)).collect()
    }
}

/// The group of a row, made if it is the first of it.
fn group<'g>(
    groups: &'g mut BTreeMap<Vec<Key>, Group>,
    keys: &[Path],
    items: usize,
    row: &(impl Lookup + ?Sized),
) -> &'g mut Group {
    let key: Vec<Key> = keys.iter().map(|path| Key::new(row, path)).collect();
    groups.entry(key).or_insert_with(|| Group::new(items, keys.iter().map(|path| row.json(path)).collect()))
}

impl Aggregate {
    /// The path whose numbers it is made of.
    fn gathers(&self) -> Option<&Path> {
        match self {
            Aggregate::Avg(path) | Aggregate::Sum(path) | Aggregate::Min(path) | Aggregate::Max(path) => {
                Some(path)
            }
            Aggregate::Path(_) | Aggregate::Count => None,
        }
    }
}

impl Group {
    fn new(items: usize, keys: Vec<Option<Json>>) -> Self {
        Group { keys, rows: 0, numbers: vec![Numbers::default(); items] }
    }

    fn row(&self, items: &[SelectItem], keys: &[Path]) -> Json {
        let mut members = Map::new();
        for (item, numbers) in items.iter().zip(&self.numbers) {
            let some = numbers.count > 0;
            let value = match &item.value {
                Aggregate::Path(path) => {
                    keys.iter().position(|key| key == path).and_then(|index| self.keys[index].clone())
                }
                Aggregate::Count => Some(Json::from(self.rows)),
                Aggregate::Avg(_) if some => number(numbers.sum / numbers.count as f64),
                Aggregate::Sum(_) if some => number(numbers.sum),
                Aggregate::Min(_) if some => number(numbers.min),
                Aggregate::Max(_) if some => number(numbers.max),
                _ => None,
            };
            if let Some(value) = value {
                members.insert(item.name.clone(), value);
            }
        }
        Json::Object(members)
    }
}

impl Default for Numbers {
    /// None so far.
    fn default() -> Self {
        Numbers { count: 0, sum: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }
}

impl Numbers {
    /// One more.
    pub fn feed(&mut self, n: f64) {
        self.count += 1;
        self.sum += n;
        self.min = self.min.min(n);
        self.max = self.max.max(n);
    }

    fn merge(&mut self, other: &Numbers) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

/// Whole numbers print without a fraction.
fn number(value: f64) -> Option<Json> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        return Some(Json::from(value as i64));
    }
    serde_json::Number::from_f64(value).map(Json::Number)
}

/// A group key with a total order. Numbers are one key if they are equal as 64-bit floats.
#[derive(Clone, Debug)]
enum Key {
    Missing,
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    /// JSON text of an array or object
    Composite(String),
}

impl Key {
    fn new(row: &(impl Lookup + ?Sized), path: &Path) -> Key {
        match row.lookup(path) {
            Value::Undefined => Key::Missing,
            Value::Null => Key::Null,
            Value::Bool(value) => Key::Bool(value),
            // One zero, not two.
            Value::Number(value) => Key::Number(value + 0.0),
            Value::String(text) => Key::String(text.into_owned()),
            Value::List(_) | Value::Json(_) | Value::Raw(_) => {
                row.json(path).map_or(Key::Missing, |json| Key::Composite(json.to_string()))
            }
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Key::Missing => 0,
            Key::Null => 1,
            Key::Bool(_) => 2,
            Key::Number(_) => 3,
            Key::String(_) => 4,
            Key::Composite(_) => 5,
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Key::Bool(a), Key::Bool(b)) => a.cmp(b),
            (Key::Number(a), Key::Number(b)) => a.total_cmp(b),
            (Key::String(a), Key::String(b)) | (Key::Composite(a), Key::Composite(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}
