//! The query language: text → [`Query`] → rows.
pub mod ast;
pub mod builder;
mod error;
pub mod eval;
mod expression;
mod lexer;
mod parser;
mod print;
pub mod raw;
mod resolve;
mod rows;
mod value;
mod vocabulary;

pub use ast::{
    Aggregate, BinaryOp, Condition, Constant, Expr, Function, Path, Query, SelectItem, Selection, Source,
};
pub use builder::{QueryBuilder, field};
pub use error::QueryError;
pub use eval::{Lookup, Value as QueryValue};
pub use rows::Grouping;
