//! Text → tree.

/// Why a query cannot be read: `line`, `column` (1-based, in characters), byte `offset`, what was found and what was expected.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct QueryError {
    pub line: usize,
    pub column: usize,
    pub offset: usize,
    pub message: String,
}
impl std::fmt::Display for QueryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line {}:{} {}", self.line, self.column, self.message)
    }
}
impl std::error::Error for QueryError {}
