//! The query as a tree.

/// Longest query text, in characters (IoT Hub query-language guide).
pub const MAX_QUERY_CHARACTERS: usize = 8192;

/// Highest tree an expression may form: parentheses, `NOT`, unary minus and arithmetic chains each add a level
/// (`AND`/`OR` chains of any length are one). Keeps every walk over a tree off the end of the stack. Our choice.
pub const MAX_EXPRESSION_HEIGHT: usize = 100;

/// A parsed query. Displayed as query text that parses to the same tree.
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

/// A condition without a `SELECT`, as jobs (`queryCondition`) and configurations (`targetCondition`) carry it.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// [`Source::Devices`], or [`Source::Modules`] after a `FROM devices.modules WHERE` prefix.
    pub source: Source,
    /// `None` for `*`: everything.
    pub expr: Option<Expr>,
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
    /// The member's name in the row: the alias, or the last path segment (or aggregate's name) as typed.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(pub Vec<String>);

impl Path {
    /// The segments, outermost first.
    pub fn segments(&self) -> &[String] {
        &self.0
    }
}

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Rem,
    /// `=`
    Eq,
    /// `!=`, `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `IN`: the right side is an array constant or a path
    In,
    /// `NIN`: the right side is an array constant or a path
    Nin,
}

/// A function device queries accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// a call; [`Function::IsDefined`] has one path as argument, the others two arguments
    Call(Function, Vec<Expr>),
    /// `NOT e`
    Not(Box<Expr>),
    /// unary minus
    Neg(Box<Expr>),
    /// `a AND b AND …`, two or more
    And(Vec<Expr>),
    /// `a OR b OR …`, two or more
    Or(Vec<Expr>),
    /// `a op b`
    Binary(Box<Expr>, BinaryOp, Box<Expr>),
}
