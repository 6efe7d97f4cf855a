//! Conditions → rows.
//!
//! A condition is true, false or undefined on a row, and `NOT` turns the first two around. So the planner asks for
//! either the rows where an expression is true or those where it is false, and never complements a set: the rows
//! where `x != 'v'` is true are those with another string than `'v'`, not all others.
//!
//! A plan is made under the index's lock, so the values it looks at are counted and bounded
//! ([`Rules::max_plan_values`](super::strings::Rules)); what is left then is checked row by row, without the lock.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;
use std::ops::Bound;

use roaring::RoaringBitmap;
use twin_core::query::{BinaryOp, Constant, Expr, Function, Path};

use super::paths::ROOT;
use super::values::{Values, union};
use super::{INDEXED_FIELDS, Index};

/// How to answer a condition.
#[derive(Debug)]
pub(crate) enum Plan {
    /// The index does not help: check every row.
    Scan,
    /// Check these rows only, or none at all.
    Rows {
        rows: RoaringBitmap,
        /// every row passes; else the condition has to be checked on each
        exact: bool,
    },
}

/// What the engine knows of rows at this moment and the index does not, or not as well.
pub(crate) trait Facts {
    /// The rows that are connected. Asked only if the condition is about that.
    fn connected(&self) -> RoaringBitmap;

    /// The rows whose `deviceId` this is.
    fn of_device(&self, id: &str) -> RoaringBitmap;
}

impl Index {
    /// The rows that pass `condition`, or candidates. With a `window`, those in it: then columns are looked at only there.
    pub(crate) fn plan(&self, condition: &Expr, window: Option<&RoaringBitmap>, facts: &dyn Facts) -> Plan {
        let presence = mentions_presence(condition).then(|| {
            let connected = &facts.connected() & &self.all;
            let disconnected = &self.all - &connected;
            Values::of_two_strings([("Connected", connected), ("Disconnected", disconnected)])
        });
        let left = Cell::new(self.rules.max_plan_values);
        let planner = Planner {
            index: self,
            presence: presence.as_ref(),
            nothing: &self.nothing,
            facts: Some(facts),
            left,
        };
        match (planner.truth(condition, true, window), window) {
            (Some(set), Some(window)) => Plan::Rows { rows: &*set.rows & window, exact: set.exact },
            (Some(set), None) => Plan::Rows { rows: set.rows.into_owned(), exact: set.exact },
            (None, _) => Plan::Scan,
        }
    }
}

/// The rows asked for, or more when not `exact`; never fewer.
struct Set<'i> {
    rows: Cow<'i, RoaringBitmap>,
    exact: bool,
}

impl<'i> Set<'i> {
    fn exactly(rows: &'i RoaringBitmap) -> Option<Set<'i>> {
        Some(Set { rows: Cow::Borrowed(rows), exact: true })
    }

    fn found((rows, exact): (RoaringBitmap, bool)) -> Set<'i> {
        Set { rows: Cow::Owned(rows), exact }
    }

    fn empty() -> Option<Set<'i>> {
        Some(Set { rows: Cow::Owned(RoaringBitmap::new()), exact: true })
    }

    /// The rows of `domain` that are not in here.
    fn rest_of(self, domain: Cow<'i, RoaringBitmap>) -> Set<'i> {
        match self.exact {
            true => Set { rows: Cow::Owned(&*domain - &*self.rows), exact: true },
            // Too many in here are too few there.
            false => Set { rows: domain, exact: false },
        }
    }
}

pub(super) struct Planner<'i> {
    pub(super) index: &'i Index,
    /// `connectionState`, if the condition asks for it
    pub(super) presence: Option<&'i Values>,
    pub(super) nothing: &'i Values,
    pub(super) facts: Option<&'i dyn Facts>,
    /// how many more values may be looked at
    pub(super) left: Cell<u64>,
}

impl<'i> Planner<'i> {
    /// The rows where `expr` is `want`. Rows outside of `within` may be left out. `None`: the index cannot say.
    fn truth(&self, expr: &Expr, want: bool, within: Option<&RoaringBitmap>) -> Option<Set<'i>> {
        match expr {
            Expr::Constant(Constant::Bool(value)) if *value == want => Set::exactly(&self.index.all),
            // Neither true nor false.
            Expr::Constant(_) | Expr::Neg(_) => Set::empty(),
            Expr::Path(path) => Set::exactly(self.values(path)?.bools(want)),
            Expr::Not(operand) => self.truth(operand, !want, within),
            Expr::And(operands) if want => self.all(operands, want, within),
            Expr::Or(operands) if !want => self.all(operands, want, within),
            Expr::And(operands) | Expr::Or(operands) => self.any(operands, want, within),
            Expr::Call(function, arguments) => self.call(*function, arguments, want, within),
            Expr::Binary(left, op, right) => self.binary(left, *op, right, want, within),
        }
    }

    /// Rows that every operand has: the cheap ones first, so that the others look at few rows. Operands that the
    /// index cannot answer are left to the check.
    fn all(&self, operands: &[Expr], want: bool, within: Option<&RoaringBitmap>) -> Option<Set<'i>> {
        let mut ordered: Vec<&Expr> = operands.iter().collect();
        ordered.sort_by_cached_key(|operand| self.cost(operand));
        let mut set: Option<Set<'i>> = None;
        let mut exact = true;
        for operand in ordered {
            let found = self.truth(operand, want, set.as_ref().map(|set| &*set.rows).or(within));
            exact &= found.as_ref().is_some_and(|found| found.exact);
            set = match (set, found) {
                (Some(a), Some(b)) => Some(Set { rows: Cow::Owned(&*a.rows & &*b.rows), exact: true }),
                (a, b) => a.or(b),
            };
            if set.as_ref().is_some_and(|set| set.rows.is_empty()) {
                return Set::empty();
            }
        }
        set.map(|set| Set { exact, ..set })
    }

    /// Rows that some operand has.
    fn any(&self, operands: &[Expr], want: bool, within: Option<&RoaringBitmap>) -> Option<Set<'i>> {
        let mut set = Set::empty()?;
        for operand in operands {
            let found = self.truth(operand, want, within)?;
            set.exact &= found.exact;
            if set.rows.is_empty() {
                set.rows = found.rows;
            } else {
                *set.rows.to_mut() |= &*found.rows;
            }
        }
        Some(set)
    }

    fn call(
        &self,
        function: Function,
        arguments: &[Expr],
        want: bool,
        within: Option<&RoaringBitmap>,
    ) -> Option<Set<'i>> {
        match (function, arguments) {
            (Function::IsDefined, [Expr::Path(path)]) => {
                let present = self.values(path)?.present();
                let set = Set { rows: present, exact: true };
                Some(if want { set } else { set.rest_of(Cow::Borrowed(&self.index.all)) })
            }
            (Function::StartsWith, [Expr::Path(path), Expr::Constant(Constant::String(prefix))]) => {
                let strings = &self.values(path)?.strings;
                self.spend(strings.rows().len(), within)?;
                let set = Set::found(strings.starting_with(prefix, within));
                Some(if want { set } else { set.rest_of(Cow::Borrowed(strings.rows())) })
            }
            (Function::ArrayContains, [Expr::Path(path), value]) => {
                let arrays = Set { rows: Cow::Borrowed(self.values(path)?.composites()), exact: false };
                Some(match self.operands_present(&[value]) {
                    Some(present) => Set { rows: Cow::Owned(&*arrays.rows & &*present.rows), exact: false },
                    None => arrays,
                })
            }
            _ => self.operands_present(&arguments.iter().collect::<Vec<_>>()),
        }
    }

    fn binary(
        &self,
        left: &Expr,
        op: BinaryOp,
        right: &Expr,
        want: bool,
        within: Option<&RoaringBitmap>,
    ) -> Option<Set<'i>> {
        match (left, op, right) {
            (_, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem, _) => {
                Set::empty()
            }
            (
                Expr::Path(path),
                BinaryOp::Eq | BinaryOp::Ne | BinaryOp::In | BinaryOp::Nin,
                Expr::Constant(constant),
            ) if is_device_id(path) && self.facts.is_some() => self.device(op, constant, want),
            (Expr::Path(path), _, Expr::Constant(constant)) => {
                self.compare(self.values(path)?, op, constant, want, within)
            }
            (Expr::Constant(constant), _, Expr::Path(path)) if mirrored(op).is_some() => {
                self.compare(self.values(path)?, mirrored(op)?, constant, want, within)
            }
            _ => self.operands_present(&[left, right]),
        }
    }

    /// The rows where `deviceId op constant` is `want`: the engine finds a device by its id without looking around.
    fn device(&self, op: BinaryOp, constant: &Constant, want: bool) -> Option<Set<'i>> {
        let values = self.values(&Path(vec![DEVICE_ID.into()]))?;
        let (constants, domain) = match (op, constant) {
            (BinaryOp::In | BinaryOp::Nin, Constant::Array(items)) => (&items[..], values.primitives()),
            (BinaryOp::In | BinaryOp::Nin, _) => return Set::empty(),
            _ => (std::slice::from_ref(constant), equality_domain(values, constant)),
        };
        let mut rows = RoaringBitmap::new();
        for constant in constants {
            if let (Constant::String(id), Some(facts)) = (constant, self.facts) {
                rows |= facts.of_device(id);
            }
        }
        // A device that was just created is in memory before it is in the index.
        let set = Set::found((&rows & &self.index.all, true));
        let positive = !matches!(op, BinaryOp::Ne | BinaryOp::Nin);
        Some(if want == positive { set } else { set.rest_of(domain) })
    }

    /// The rows where `path op constant` is `want`.
    fn compare(
        &self,
        values: &'i Values,
        op: BinaryOp,
        constant: &Constant,
        want: bool,
        within: Option<&RoaringBitmap>,
    ) -> Option<Set<'i>> {
        let (set, domain) = match op {
            BinaryOp::Eq | BinaryOp::Ne => (
                self.equal(values, std::slice::from_ref(constant), within)?,
                equality_domain(values, constant),
            ),
            BinaryOp::In | BinaryOp::Nin => match constant {
                Constant::Array(items) => (self.equal(values, items, within)?, values.primitives()),
                _ => return Set::empty(),
            },
            _ => match constant {
                Constant::Number(limit) => {
                    self.spend(values.numbers.len(), within)?;
                    let rows = values
                        .numbers
                        .select(within, |n| n.partial_cmp(limit).is_some_and(|order| in_order(op, order)));
                    (Set::found((rows, true)), Cow::Borrowed(values.number_rows()))
                }
                Constant::String(limit) => {
                    let (low, high) = bounds(op, limit);
                    self.spend(values.strings.rows().len(), within)?;
                    (
                        Set::found(values.strings.range(low, high, within)),
                        Cow::Borrowed(values.strings.rows()),
                    )
                }
                _ => return Set::empty(),
            },
        };
        let positive = !matches!(op, BinaryOp::Ne | BinaryOp::Nin);
        Some(if want == positive { set } else { set.rest_of(domain) })
    }

    /// Rows with a value equal to one of the constants.
    fn equal(
        &self,
        values: &'i Values,
        constants: &[Constant],
        within: Option<&RoaringBitmap>,
    ) -> Option<Set<'i>> {
        let mut set = Set { rows: Cow::Owned(RoaringBitmap::new()), exact: true };
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        for constant in constants {
            match constant {
                Constant::String(text) => texts.push(text.as_str()),
                Constant::Number(number) => numbers.push(*number),
                Constant::Bool(value) => set.rows = either(set.rows, Cow::Borrowed(values.bools(*value))),
                Constant::Null => set.rows = either(set.rows, Cow::Borrowed(values.nulls())),
                Constant::Undefined | Constant::Array(_) => {}
            }
        }
        if !texts.is_empty() {
            // Posting lists are at hand; keys are gone through.
            let looked_at = if values.strings.is_listed() { 0 } else { values.strings.rows().len() };
            self.spend(looked_at, within)?;
            let (rows, exact) = values.strings.equal(&texts, within, &self.index.rules);
            set.exact = exact;
            set.rows = either(set.rows, Cow::Owned(rows));
        }
        if !numbers.is_empty() {
            self.spend(values.numbers.len(), within)?;
            let rows = match numbers[..] {
                [number] => values.numbers.select(within, |n| n == number),
                _ => {
                    numbers.sort_by(f64::total_cmp);
                    values.numbers.select(within, |n| contains(&numbers, n))
                }
            };
            set.rows = either(set.rows, Cow::Owned(rows));
        }
        Some(set)
    }

    /// Pays for looking at so many values, or at those `within` if a column goes by them; `None` if that is too many.
    pub(super) fn spend(&self, values: u64, within: Option<&RoaringBitmap>) -> Option<()> {
        let cost = within.map_or(values, |within| super::column::cost(values, within));
        self.left.set(self.left.get().checked_sub(cost)?);
        Some(())
    }

    /// Rows that have every path in the operands: where one is missing, the comparison or call is undefined.
    fn operands_present(&self, operands: &[&Expr]) -> Option<Set<'i>> {
        let mut paths = Vec::new();
        operands.iter().for_each(|operand| strict_paths(operand, &mut paths));
        let present = paths.iter().filter_map(|path| Some(self.values(path)?.present()));
        let rows = present.reduce(|a, b| Cow::Owned(&*a & &*b))?;
        Some(Set { exact: rows.is_empty(), rows })
    }

    /// What is known about a path; `None` if it is not indexed.
    pub(super) fn values(&self, path: &Path) -> Option<&'i Values> {
        let segments = path.segments();
        match segments {
            [state] if state == CONNECTION_STATE => return self.presence,
            [tags, ..] if tags == "tags" => {}
            [properties, _, under @ ..] if properties == "properties" => {
                if under.first().is_some_and(|member| member == "$metadata") {
                    return None;
                }
            }
            [field, ..] if INDEXED_FIELDS.contains(&field.as_str()) => {}
            _ => return None,
        }
        let paths = &self.index.paths;
        match segments.iter().try_fold(ROOT, |parent, name| paths.child(parent, name)) {
            Some(id) => Some(self.index.values.get(id as usize).unwrap_or(self.nothing)),
            None if paths.is_full() => None,
            None => Some(self.nothing),
        }
    }

    /// How much work an expression is: 0 for bitmaps at hand, 1 for a column to go through.
    fn cost(&self, expr: &Expr) -> u8 {
        match expr {
            Expr::Binary(left, op, right) => match (&**left, &**right) {
                (Expr::Path(path), Expr::Constant(_)) if is_device_id(path) => 0,
                (Expr::Path(path), Expr::Constant(constant))
                | (Expr::Constant(constant), Expr::Path(path)) => {
                    let listed = self.values(path).is_some_and(|values| values.strings.is_listed());
                    let point = !matches!(op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge);
                    match constant {
                        Constant::String(_) if listed && point => 0,
                        Constant::Bool(_) | Constant::Null => 0,
                        Constant::String(_) | Constant::Array(_) if listed => 1,
                        _ => 2,
                    }
                }
                _ => 3,
            },
            Expr::Call(Function::IsDefined, _) | Expr::Path(_) | Expr::Constant(_) => 0,
            Expr::Call(Function::StartsWith, _) => 2,
            Expr::Call(..) | Expr::Neg(_) => 3,
            Expr::Not(operand) => self.cost(operand),
            Expr::And(operands) | Expr::Or(operands) => {
                operands.iter().map(|operand| self.cost(operand)).max().unwrap_or(0)
            }
        }
    }
}

const CONNECTION_STATE: &str = "connectionState";
const DEVICE_ID: &str = "deviceId";

fn is_device_id(path: &Path) -> bool {
    matches!(path.segments(), [field] if field == DEVICE_ID)
}

fn mentions_presence(expr: &Expr) -> bool {
    match expr {
        Expr::Path(path) => matches!(path.segments(), [state] if state == CONNECTION_STATE),
        Expr::Constant(_) => false,
        Expr::Not(operand) | Expr::Neg(operand) => mentions_presence(operand),
        Expr::Binary(left, _, right) => mentions_presence(left) || mentions_presence(right),
        Expr::Call(_, operands) | Expr::And(operands) | Expr::Or(operands) => {
            operands.iter().any(mentions_presence)
        }
    }
}

/// Paths without which an operand is undefined. Conditions within operands may be defined all the same.
fn strict_paths<'e>(expr: &'e Expr, into: &mut Vec<&'e Path>) {
    match expr {
        Expr::Path(path) => into.push(path),
        Expr::Neg(operand) => strict_paths(operand, into),
        Expr::Binary(
            left,
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem,
            right,
        ) => {
            strict_paths(left, into);
            strict_paths(right, into);
        }
        _ => {}
    }
}

/// The operator with its sides changed; membership has none.
fn mirrored(op: BinaryOp) -> Option<BinaryOp> {
    Some(match op {
        BinaryOp::Eq | BinaryOp::Ne => op,
        BinaryOp::Lt => BinaryOp::Gt,
        BinaryOp::Le => BinaryOp::Ge,
        BinaryOp::Gt => BinaryOp::Lt,
        BinaryOp::Ge => BinaryOp::Le,
        _ => return None,
    })
}

/// Rows where `= constant` is true or false, not undefined.
fn equality_domain<'i>(values: &'i Values, constant: &Constant) -> Cow<'i, RoaringBitmap> {
    let nulls = values.nulls();
    match constant {
        Constant::Null => values.primitives(),
        Constant::Bool(_) => union([values.bools(true), values.bools(false), nulls]),
        Constant::Number(_) => union([values.number_rows(), nulls]),
        Constant::String(_) => union([values.strings.rows(), nulls]),
        Constant::Undefined | Constant::Array(_) => Cow::Owned(RoaringBitmap::new()),
    }
}

fn in_order(op: BinaryOp, order: Ordering) -> bool {
    match op {
        BinaryOp::Lt => order.is_lt(),
        BinaryOp::Le => order.is_le(),
        BinaryOp::Gt => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn bounds(op: BinaryOp, limit: &str) -> (Bound<&str>, Bound<&str>) {
    match op {
        BinaryOp::Lt => (Bound::Unbounded, Bound::Excluded(limit)),
        BinaryOp::Le => (Bound::Unbounded, Bound::Included(limit)),
        BinaryOp::Gt => (Bound::Excluded(limit), Bound::Unbounded),
        _ => (Bound::Included(limit), Bound::Unbounded),
    }
}

/// Whether a sorted list has a number; both zeros are one.
fn contains(sorted: &[f64], n: f64) -> bool {
    let at = sorted.partition_point(|other| *other < n);
    sorted.get(at).is_some_and(|other| *other == n)
}

fn either<'i>(mut a: Cow<'i, RoaringBitmap>, b: Cow<'i, RoaringBitmap>) -> Cow<'i, RoaringBitmap> {
    if a.is_empty() {
        return b;
    }
    *a.to_mut() |= &*b;
    a
}
