//! Trees → text that parses to the same tree.

use std::fmt::{self, Display, Formatter, Write};

use super::ast::{
    Aggregate, BinaryOp, Condition, Constant, Expr, Path, Query, SelectItem, Selection, Source,
};
use super::vocabulary::{RESERVED, is_one_of};

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("SELECT ")?;
        if let Some(top) = self.top {
            write!(f, "TOP {top} ")?;
        }
        match &self.select {
            Selection::All => f.write_str("*")?,
            Selection::Items(items) => list(f, items)?,
        }
        write!(f, " FROM {}", self.source.name())?;
        if let Some(condition) = &self.condition {
            write!(f, " WHERE {condition}")?;
        }
        if !self.group_by.is_empty() {
            f.write_str(" GROUP BY ")?;
            list(f, &self.group_by)?;
        }
        Ok(())
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (&self.expr, self.source) {
            (None, Source::Devices) => f.write_str("*"),
            (Some(expr), Source::Devices) => expr.fmt(f),
            (None, source) => write!(f, "FROM {}", source.name()),
            (Some(expr), source) => write!(f, "FROM {} WHERE {expr}", source.name()),
        }
    }
}

impl Display for SelectItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.value {
            Aggregate::Path(path) => {
                path.fmt(f)?;
                if path.0.last() == Some(&self.name) {
                    return Ok(());
                }
            }
            Aggregate::Count => f.write_str("COUNT()")?,
            Aggregate::Avg(path) => write!(f, "AVG({path})")?,
            Aggregate::Sum(path) => write!(f, "SUM({path})")?,
            Aggregate::Min(path) => write!(f, "MIN({path})")?,
            Aggregate::Max(path) => write!(f, "MAX({path})")?,
        }
        f.write_str(" AS ")?;
        name(f, &self.name)
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_char('.')?;
            }
            name(f, segment)?;
        }
        Ok(())
    }
}

impl Display for Constant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Constant::Undefined => f.write_str("undefined"),
            Constant::Null => f.write_str("null"),
            Constant::Bool(value) => value.fmt(f),
            Constant::Number(value) => number(f, *value),
            Constant::String(value) => string(f, value),
            Constant::Array(items) => {
                // `[[` would start an escaped name.
                f.write_str(if matches!(items.first(), Some(Constant::Array(_))) { "[ " } else { "[" })?;
                list(f, items)?;
                f.write_char(']')
            }
        }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Constant(constant) => constant.fmt(f),
            Expr::Path(path) => path.fmt(f),
            Expr::Call(function, arguments) => {
                write!(f, "{}(", function.name())?;
                list(f, arguments)?;
                f.write_char(')')
            }
            Expr::Not(operand) => {
                f.write_str("NOT ")?;
                operand_at(f, operand, NOT)
            }
            Expr::Neg(operand) => {
                f.write_char('-')?;
                // `-5` is a constant; the negation of 5 is `-(5)`.
                let constant = matches!(**operand, Expr::Constant(_));
                operand_at(f, operand, if constant { ATOM + 1 } else { NEG })
            }
            Expr::And(operands) => chain(f, operands, " AND ", NOT),
            Expr::Or(operands) => chain(f, operands, " OR ", AND),
            Expr::Binary(left, op, right) => {
                let level = precedence(*op);
                operand_at(f, left, if level == COMPARISON { level + 1 } else { level })?;
                write!(f, " {op} ")?;
                operand_at(f, right, level + 1)
            }
        }
    }
}

impl Display for BinaryOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
            BinaryOp::Eq => "=",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::In => "IN",
            BinaryOp::Nin => "NIN",
        })
    }
}

/// Precedence, loosest first. Undocumented for the service; `NOT` stands where SQL has it.
pub(crate) const OR: u8 = 1;
pub(crate) const AND: u8 = 2;
pub(crate) const NOT: u8 = 3;
pub(crate) const COMPARISON: u8 = 4;
pub(crate) const SUM: u8 = 5;
pub(crate) const PRODUCT: u8 = 6;
pub(crate) const NEG: u8 = 7;
const ATOM: u8 = 8;

pub(crate) fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Add | BinaryOp::Sub => SUM,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => PRODUCT,
        _ => COMPARISON,
    }
}

fn precedence_of(expr: &Expr) -> u8 {
    match expr {
        Expr::Or(_) => OR,
        Expr::And(_) => AND,
        Expr::Not(_) => NOT,
        Expr::Binary(_, op, _) => precedence(*op),
        Expr::Neg(_) => NEG,
        Expr::Constant(_) | Expr::Path(_) | Expr::Call(..) => ATOM,
    }
}

fn operand_at(f: &mut Formatter<'_>, expr: &Expr, least: u8) -> fmt::Result {
    if precedence_of(expr) < least { write!(f, "({expr})") } else { expr.fmt(f) }
}

fn chain(f: &mut Formatter<'_>, operands: &[Expr], separator: &str, least: u8) -> fmt::Result {
    for (index, operand) in operands.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        operand_at(f, operand, least)?;
    }
    Ok(())
}

fn list(f: &mut Formatter<'_>, items: &[impl Display]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

/// A name, escaped unless it is a plain ASCII word and no keyword.
fn name(f: &mut Formatter<'_>, name: &str) -> fmt::Result {
    let word = name.strip_prefix('$').unwrap_or(name);
    let plain = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain && !is_one_of(name, RESERVED) {
        return f.write_str(name);
    }
    f.write_str("[[")?;
    let mut previous = None;
    let mut characters = name.chars().peekable();
    while let Some(c) = characters.next() {
        let next = characters.peek();
        // Only where it must be: the service reads a lone `]` or `\` as itself.
        let escape = match c {
            ']' => previous == Some(']') || matches!(next, None | Some(']')),
            '\\' => matches!(next, None | Some(']' | '\\')) || previous == Some('\\'),
            _ => false,
        };
        if escape {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
        previous = Some(c);
    }
    f.write_str("]]")
}

fn string(f: &mut Formatter<'_>, value: &str) -> fmt::Result {
    f.write_char('\'')?;
    for c in value.chars() {
        match c {
            '\'' | '\\' => write!(f, "\\{c}")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('\'')
}

/// The shortest text that reads back as the same number; a number no query can write reads back as undefined.
fn number(f: &mut Formatter<'_>, value: f64) -> fmt::Result {
    if !value.is_finite() {
        return f.write_str("undefined");
    }
    let text = format!("{value:?}");
    f.write_str(text.strip_suffix(".0").unwrap_or(&text))
}
