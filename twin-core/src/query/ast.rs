//! The query as a tree.

/// A parsed query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// `TOP n`: at most so many rows over all pages.
    pub top: Option<u64>,
    /// What each row shows.
    pub select: Selection,
    /// Which collection.
    pub source: Source,
    /// `WHERE`
    pub condition: Option<Expr>,
    /// `GROUP BY`
    pub group_by: Vec<Path>,
}

/// `*` or a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Selection {
    /// `*`: whole twins
    All,
    /// a list of items
    Items(Vec<SelectItem>),
}

/// One projected member.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectItem {
    /// What is computed.
    pub value: Aggregate,
    /// The member's name in the row: the alias, or the last path segment as typed.
    pub name: String,
}

/// A path or an aggregate over rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Aggregate {
    /// no aggregate: the path itself
    Path(Path),
    /// `COUNT()`
    Count,
    /// `AVG(path)`
    Avg(Path),
    /// `SUM(path)`
    Sum(Path),
    /// `MIN(path)`
    Min(Path),
    /// `MAX(path)`
    Max(Path),
}

/// `FROM`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `devices`
    Devices,
    /// `devices.modules`
    Modules,
    /// `devices.jobs`
    Jobs,
}

/// A path, with the collection qualifier (`devices.` …) taken off and identity fields in their canonical spelling
/// (`DEVICEID` → `deviceId`, `statusUpdatedTime` → `statusUpdateTime`); tag and property names as typed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path(pub Vec<String>);

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// `undefined`
    Undefined,
    /// `null`
    Null,
    /// `true` / `false`
    Bool(bool),
    /// a number
    Number(f64),
    /// a string
    String(String),
    /// `[a, b]`
    Array(Vec<Constant>),
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    And,
    Or,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    Nin,
}

/// A function device queries accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `IS_DEFINED(path)`
    IsDefined,
    /// `STARTSWITH(text, prefix)`
    StartsWith,
    /// `ARRAY_CONTAINS(array, value)`
    ArrayContains,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// a constant
    Constant(Constant),
    /// a path
    Path(Path),
    /// a call
    Call(Function, Vec<Expr>),
    /// `NOT e`
    Not(Box<Expr>),
    /// unary minus
    Neg(Box<Expr>),
    /// `a op b`
    Binary(Box<Expr>, BinaryOp, Box<Expr>),
}

impl Query {
    /// Parses; errors carry line, column and what was expected.
    pub fn parse(text: &str) -> Result<Query, super::QueryError> {
        todo!()
    }
    /// Parses a bare condition (`WHERE` body, or `*`), as jobs and configurations use.
    pub fn parse_condition(text: &str) -> Result<Option<Expr>, super::QueryError> {
        todo!()
    }
}
