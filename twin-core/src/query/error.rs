//! Why a query cannot be read.

use std::fmt;

/// Why a query cannot be read: where, what was found, what was expected, and often a hint.
///
/// Displayed the way the service says it: `Line 1:29 Unexpected input 'ORDER': expected …`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Offset in bytes, from 0.
    pub offset: usize,
    /// What was found and what was expected.
    pub message: String,
}

impl QueryError {
    /// An error at byte `offset` of `text`.
    pub(crate) fn at(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        QueryError {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            offset,
            message: message.into(),
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line {}:{} {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for QueryError {}

impl From<QueryError> for crate::Error {
    /// Caller misuse ([`crate::ErrorKind::InvalidArgument`]) that names the place in the query.
    fn from(error: QueryError) -> Self {
        crate::Error::invalid(format!("the query cannot be read: {error}"))
    }
}
