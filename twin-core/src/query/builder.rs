//! A typed builder that cannot be injected into: values become quoted constants, path segments become names, and what
//! a string contains never becomes syntax.
//!
//! ```
//! use twin_core::query::{QueryBuilder, field, not};
//!
//! let query = QueryBuilder::devices().filter(
//!     field("tags.location.plant")
//!         .eq("Redmond43")
//!         .and(field("properties.reported.temperature").gt(75))
//!         .and(not(field("tags.retired").is_defined())),
//! );
//! assert_eq!(
//!     query.to_string(),
//!     "SELECT * FROM devices WHERE tags.location.plant = 'Redmond43' \
//!      AND properties.reported.temperature > 75 AND NOT IS_DEFINED(tags.retired)"
//! );
//! // What a user typed stays a value.
//! let name = "x' OR 'a' = 'a";
//! assert_eq!(field("tags.owner").eq(name).to_string(), r"tags.owner = 'x\' OR \'a\' = \'a'");
//! ```

use std::fmt;

use super::QueryError;
use super::ast::{Aggregate, BinaryOp, Constant, Expr, Function, Path, Query, SelectItem, Selection, Source};
use super::resolve::{RawPath, RawSegment};

/// Builds a query. Displayed as its text.
#[derive(Clone, Debug)]
#[must_use]
pub struct QueryBuilder(Query);

impl QueryBuilder {
    /// `SELECT * FROM devices`
    pub fn devices() -> Self {
        Self::from(Source::Devices)
    }

    /// `SELECT * FROM devices.modules`
    pub fn modules() -> Self {
        Self::from(Source::Modules)
    }

    fn from(source: Source) -> Self {
        QueryBuilder(Query {
            top: None,
            select: Selection::All,
            source,
            condition: None,
            group_by: Vec::new(),
        })
    }

    /// `WHERE condition`; a second call adds `AND condition`.
    pub fn filter(mut self, condition: impl Into<Expr>) -> Self {
        let condition = condition.into();
        self.0.condition = Some(match self.0.condition.take() {
            Some(earlier) => earlier.and(condition),
            None => condition,
        });
        self
    }

    /// Selects a path instead of whole twins; the row's member is named after the last segment. May be repeated.
    pub fn select(self, path: impl Into<Field>) -> Self {
        let Field(path) = path.into();
        let name = path.0.last().cloned().unwrap_or_default();
        self.item(Aggregate::Path(path), name)
    }

    /// `path AS alias`
    pub fn select_as(self, path: impl Into<Field>, alias: impl Into<String>) -> Self {
        self.item(Aggregate::Path(path.into().0), alias.into())
    }

    /// `COUNT() AS alias`
    pub fn count(self, alias: impl Into<String>) -> Self {
        self.item(Aggregate::Count, alias.into())
    }

    /// `AVG(path) AS alias`
    pub fn avg(self, path: impl Into<Field>, alias: impl Into<String>) -> Self {
        self.item(Aggregate::Avg(path.into().0), alias.into())
    }

    /// `SUM(path) AS alias`
    pub fn sum(self, path: impl Into<Field>, alias: impl Into<String>) -> Self {
        self.item(Aggregate::Sum(path.into().0), alias.into())
    }

    /// `MIN(path) AS alias`
    pub fn min(self, path: impl Into<Field>, alias: impl Into<String>) -> Self {
        self.item(Aggregate::Min(path.into().0), alias.into())
    }

    /// `MAX(path) AS alias`
    pub fn max(self, path: impl Into<Field>, alias: impl Into<String>) -> Self {
        self.item(Aggregate::Max(path.into().0), alias.into())
    }

    /// `GROUP BY path`; may be repeated. Select the path too if rows shall show it.
    pub fn group_by(mut self, path: impl Into<Field>) -> Self {
        self.0.group_by.push(path.into().0);
        self
    }

    /// `TOP n`: at most so many rows over all pages.
    pub fn top(mut self, rows: u64) -> Self {
        self.0.top = Some(rows);
        self
    }

    /// The query, checked by the rules a hub checks: known fields, grouping, length, nesting.
    pub fn build(&self) -> Result<Query, QueryError> {
        Query::parse(&self.to_string())
    }

    fn item(mut self, value: Aggregate, name: String) -> Self {
        let item = SelectItem { value, name };
        match &mut self.0.select {
            Selection::Items(items) => items.push(item),
            all => *all = Selection::Items(vec![item]),
        }
        self
    }
}

impl fmt::Display for QueryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A path in a condition or select list.
#[derive(Clone, Debug)]
#[must_use]
pub struct Field(Path);

/// A path of dotted segments: `tags.location.plant`, `deviceId`. What cannot stand in a query as it is gets escaped.
/// For segments that contain dots, see [`field_at`].
pub fn field(path: &str) -> Field {
    field_at(path.split('.'))
}

/// A path of segments, each taken as it is: `field_at(["configurations", "v1.2", "status"])`.
pub fn field_at<S: Into<String>>(segments: impl IntoIterator<Item = S>) -> Field {
    let segment = |name: S| RawSegment { name: name.into(), escaped: false };
    let mut raw = RawPath { segments: segments.into_iter().map(segment).collect(), span: 0..0 };
    if raw.segments.is_empty() {
        raw.segments.push(RawSegment { name: String::new(), escaped: false });
    }
    // A path that names nothing is kept for `build` or the hub to refuse.
    Field(
        raw.resolve(Source::Devices)
            .unwrap_or_else(|_| Path(raw.segments.into_iter().map(|segment| segment.name).collect())),
    )
}

impl Field {
    /// `path = value`. A value may be a constant or another [`Field`], here and below.
    pub fn eq(self, value: impl Into<Expr>) -> Expr {
        self.compare(BinaryOp::Eq, value)
    }

    /// `path != value`: not true where the path is missing.
    pub fn ne(self, value: impl Into<Expr>) -> Expr {
        self.compare(BinaryOp::Ne, value)
    }

    /// `path < value`
    pub fn lt(self, value: impl Into<Expr>) -> Expr {
        self.compare(BinaryOp::Lt, value)
    }

    /// `path <= value`
    pub fn le(self, value: impl Into<Expr>) -> Expr {
        self.compare(BinaryOp::Le, value)
    }

    /// `path > value`
    pub fn gt(self, value: impl Into<Expr>) -> Expr {
        self.compare(BinaryOp::Gt, value)
    }

    /// `path >= value`
    pub fn ge(self, value: impl Into<Expr>) -> Expr {
        self.compare(BinaryOp::Ge, value)
    }

    /// `path IN [values]`
    pub fn is_in<C: Into<Constant>>(self, values: impl IntoIterator<Item = C>) -> Expr {
        self.compare(BinaryOp::In, list(values))
    }

    /// `path NIN [values]`: not true where the path is missing.
    pub fn not_in<C: Into<Constant>>(self, values: impl IntoIterator<Item = C>) -> Expr {
        self.compare(BinaryOp::Nin, list(values))
    }

    /// `IS_DEFINED(path)`
    pub fn is_defined(self) -> Expr {
        Expr::Call(Function::IsDefined, vec![self.into()])
    }

    /// `STARTSWITH(path, prefix)`
    pub fn starts_with(self, prefix: impl Into<String>) -> Expr {
        let prefix = Expr::Constant(Constant::String(prefix.into()));
        Expr::Call(Function::StartsWith, vec![self.into(), prefix])
    }

    /// `ARRAY_CONTAINS(path, value)`
    pub fn array_contains(self, value: impl Into<Constant>) -> Expr {
        Expr::Call(Function::ArrayContains, vec![self.into(), Expr::Constant(value.into())])
    }

    fn compare(self, op: BinaryOp, value: impl Into<Expr>) -> Expr {
        Expr::Binary(Box::new(self.into()), op, Box::new(value.into()))
    }
}

/// `NOT condition`: true where the condition is false, not where it is undefined.
pub fn not(condition: impl Into<Expr>) -> Expr {
    Expr::Not(Box::new(condition.into()))
}

impl Expr {
    /// `self AND other`
    #[must_use]
    pub fn and(self, other: impl Into<Expr>) -> Expr {
        let (mut operands, others) = (self.into_and(), other.into().into_and());
        operands.extend(others);
        Expr::And(operands)
    }

    /// `self OR other`
    #[must_use]
    pub fn or(self, other: impl Into<Expr>) -> Expr {
        let (mut operands, others) = (self.into_or(), other.into().into_or());
        operands.extend(others);
        Expr::Or(operands)
    }

    fn into_and(self) -> Vec<Expr> {
        match self {
            Expr::And(operands) => operands,
            other => vec![other],
        }
    }

    fn into_or(self) -> Vec<Expr> {
        match self {
            Expr::Or(operands) => operands,
            other => vec![other],
        }
    }
}

fn list<C: Into<Constant>>(values: impl IntoIterator<Item = C>) -> Expr {
    Expr::Constant(Constant::Array(values.into_iter().map(Into::into).collect()))
}

impl From<&str> for Field {
    fn from(path: &str) -> Field {
        field(path)
    }
}

impl From<Field> for Expr {
    fn from(field: Field) -> Expr {
        Expr::Path(field.0)
    }
}

impl From<&str> for Constant {
    fn from(text: &str) -> Constant {
        Constant::String(text.to_owned())
    }
}

impl From<String> for Constant {
    fn from(text: String) -> Constant {
        Constant::String(text)
    }
}

impl From<&String> for Constant {
    fn from(text: &String) -> Constant {
        Constant::String(text.clone())
    }
}

impl From<bool> for Constant {
    fn from(value: bool) -> Constant {
        Constant::Bool(value)
    }
}

impl From<f64> for Constant {
    /// Infinities and NaN are no JSON numbers: they become `undefined`, which equals nothing.
    fn from(value: f64) -> Constant {
        if value.is_finite() { Constant::Number(value) } else { Constant::Undefined }
    }
}

macro_rules! from_integers {
    ($($integer:ty)*) => {
        $(impl From<$integer> for Constant {
            /// The nearest 64-bit float, as every number in a query.
            fn from(value: $integer) -> Constant {
                Constant::Number(value as f64)
            }
        })*
    };
}

from_integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

impl<C: Into<Constant>> From<C> for Expr {
    fn from(value: C) -> Expr {
        Expr::Constant(value.into())
    }
}
