//! The query language: text → [`Query`] → rows.
//!
//! [`Query::parse`] reads text, [`QueryBuilder`] builds it from typed parts, both display as text that reads back as
//! the same tree. [`Expr::is_true`] filters anything that is a [`Lookup`]; [`Query::project`] and [`Grouping`] make
//! rows. [`raw`] looks paths up in JSON text without building a tree.
//!
//! The grammar is that of the IoT Hub query-language guide, and what the official tools send beyond it. What Microsoft
//! documents nowhere is decided here, once:
//!
//! | question | decision |
//! |---|---|
//! | precedence, loosest first | `OR`, `AND`, `NOT`, comparisons with `IN`/`NIN`, `+ -`, `* / %`, unary `-`; comparisons do not chain |
//! | truth | three values: a condition is true, false or undefined; only true passes. `NOT undefined` is undefined; `false AND undefined` is false; `true OR undefined` is true |
//! | what is no boolean, as a condition | undefined: `WHERE tags.count` passes no row |
//! | `x != 'v'`, `NOT x = 'v'` where `x` is missing | undefined: does not pass; ask `NOT IS_DEFINED(x) OR x != 'v'` |
//! | `= != < <= > >=` between types | undefined: `tags.building = 9` does not match `"9"`, and neither does `!=` |
//! | `null` | equals `null` and no other value: `x != null` passes for every primitive `x` that is there; missing is not `null` |
//! | `< <= > >=` | between two numbers or two strings; booleans and nulls have no order |
//! | strings | compared ordinally, by code point, case-sensitively; ISO times therefore by time |
//! | numbers | 64-bit floats: `1 = 1.0`; integers beyond 2^53 lose their last digits in comparisons, not in rows |
//! | arrays and objects | compared with anything: undefined |
//! | `IN`, `NIN` | whether the list has an equal element; elements of other types are not equal, so `5 NIN ['a']` is true. Undefined for a missing or composite left side or a right side that is no array |
//! | arithmetic | on numbers only; a result that is no finite number (division by zero) is undefined |
//! | `STARTSWITH`, `ARRAY_CONTAINS` | undefined unless given two strings, or an array and a primitive |
//! | `IS_DEFINED` of a member that is null | true |
//! | key of an unaliased path | the last segment as typed: `SELECT DeviceId` gives `{"DeviceId": …}` |
//! | key of an unaliased aggregate | its name as typed: `count()` gives `{"count": …}` |
//! | undefined values in a row | the member is left out |
//! | two columns of one name | refused, unless they are the same |
//! | `GROUP BY` where the path is missing | one group, whose row lacks the member |
//! | order of groups | by key: missing, null, booleans, numbers, strings, the rest |
//! | `AVG SUM MIN MAX` | of the numbers; without any number the member is left out. `COUNT()` counts rows |
//! | aggregates over no rows | without `GROUP BY` one row (`COUNT()` is 0), with it none |
//! | `TOP n` | the first n rows over all pages, groups counted as rows |
//! | `GROUP BY` | FROM devices only; aggregates without it also FROM devices.modules |
//! | keywords as path segments | refused unless escaped (`tags.[[group]].name`, as the service does); names of functions are fine |
//! | `]]` inside an escaped name | `\]` and `\\` stand for `]` and `\` (our extension) |

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

#[cfg(test)]
mod tests;

pub use ast::{
    Aggregate, BinaryOp, Condition, Constant, Expr, Function, Path, Query, SelectItem, Selection, Source,
};
pub use builder::{Field, QueryBuilder, field, field_at, not};
pub use error::QueryError;
pub use eval::{Lookup, Value as QueryValue};
pub use rows::{Grouping, Numbers};
