//! Evaluation of expressions over anything that can look a path up; three-valued logic.
use super::{Aggregate, Expr, Path, Query};
use serde_json::Value as Json;

/// What a path or expression is worth.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Value<'a> {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    String(std::borrow::Cow<'a, str>),
    Json(std::borrow::Cow<'a, Json>),
}

/// Something that paths can be looked up in (a twin document, or a hub's packed record).
pub trait Lookup {
    /// The value at `path`, or `Undefined`.
    fn lookup<'a>(&'a self, path: &Path) -> Value<'a>;
}

/// A service-view JSON document is a `Lookup`.
impl Lookup for Json {
    fn lookup<'a>(&'a self, path: &Path) -> Value<'a> {
        todo!()
    }
}

impl Expr {
    /// The worth of this expression in `row`.
    pub fn eval<'a>(&'a self, row: &'a (impl Lookup + ?Sized)) -> Value<'a> {
        todo!()
    }
    /// Whether a row passes this condition: only boolean `true` does.
    pub fn is_true(&self, row: &(impl Lookup + ?Sized)) -> bool {
        matches!(self.eval(row), Value::Bool(true))
    }
}

/// Aggregates rows fed one by one into groups; yields rows sorted by group key.
#[derive(Debug)]
pub struct Grouping {/* … */}
impl Grouping {
    /// For a query that [`Query::is_aggregate`].
    pub fn new(query: &Query) -> Self {
        todo!()
    }
    /// Feeds one row that passed the condition.
    pub fn feed(&mut self, row: &(impl Lookup + ?Sized)) {
        todo!()
    }
    /// The result rows.
    pub fn finish(self) -> Vec<Json> {
        todo!()
    }
}

impl Query {
    /// Whether rows are groups (`GROUP BY`, or any aggregate in the list).
    pub fn is_aggregate(&self) -> bool {
        todo!()
    }
    /// Projects one row by the select list (not for `*`, not for aggregates): undefined members are left out.
    pub fn project(&self, row: &(impl Lookup + ?Sized)) -> Json {
        todo!()
    }
}
