//! The query language: text → [`Query`] → rows. Grammar and semantics in facts 2; our decisions on what is
//! undocumented are listed here, once.

pub mod ast;
pub mod builder;
pub mod eval;
pub mod lexer;
pub mod parser;

pub use ast::{Aggregate, BinaryOp, Constant, Expr, Function, Path, Query, SelectItem, Selection, Source};
pub use builder::{QueryBuilder, field};
pub use eval::{Lookup, Value as QueryValue};
pub use parser::QueryError;
