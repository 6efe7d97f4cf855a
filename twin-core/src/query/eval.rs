//! Evaluation of expressions over anything that a path can be looked up in; three-valued logic.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::ast::{BinaryOp, Expr, Function, Path};
pub use super::value::Value;

/// Something that paths can be looked up in: a twin document, or a hub's packed record.
pub trait Lookup {
    /// The value at `path`, or [`Value::Undefined`].
    fn lookup<'a>(&'a self, path: &Path) -> Value<'a>;

    /// The value at `path` exactly as the document has it (for rows), or `None`.
    fn json(&self, path: &Path) -> Option<Json>;
}

/// A service-view JSON document is a `Lookup`.
impl Lookup for Json {
    fn lookup<'a>(&'a self, path: &Path) -> Value<'a> {
        descend(self, path).map_or(Value::Undefined, Value::from_json)
    }

    fn json(&self, path: &Path) -> Option<Json> {
        descend(self, path).cloned()
    }
}

fn descend<'a>(document: &'a Json, path: &Path) -> Option<&'a Json> {
    path.segments().iter().try_fold(document, |value, segment| value.as_object()?.get(segment))
}

impl Expr {
    /// The worth of this expression in `row`.
    pub fn eval<'a>(&'a self, row: &'a (impl Lookup + ?Sized)) -> Value<'a> {
        match self {
            Expr::Constant(constant) => Value::from_constant(constant),
            Expr::Path(path) => row.lookup(path),
            Expr::Neg(operand) => match operand.eval(row) {
                Value::Number(n) => Value::Number(-n),
                _ => Value::Undefined,
            },
            Expr::Binary(left, op, right) if op.is_arithmetic() => {
                arithmetic(*op, &left.eval(row), &right.eval(row))
            }
            _ => self.truth(row).map_or(Value::Undefined, Value::Bool),
        }
    }

    /// Whether a row passes this condition: only boolean `true` does.
    pub fn is_true(&self, row: &(impl Lookup + ?Sized)) -> bool {
        match self {
            // Neither `false` nor "undefined" passes, so the first operand that is not true decides.
            Expr::And(operands) => operands.iter().all(|operand| operand.is_true(row)),
            Expr::Or(operands) => operands.iter().any(|operand| operand.is_true(row)),
            _ => self.truth(row) == Some(true),
        }
    }

    /// `None` is "undefined": neither true nor false.
    fn truth(&self, row: &(impl Lookup + ?Sized)) -> Option<bool> {
        match self {
            Expr::Not(operand) => operand.truth(row).map(|truth| !truth),
            Expr::And(operands) => all(operands.iter().map(|operand| operand.truth(row))),
            Expr::Or(operands) => {
                all(operands.iter().map(|operand| operand.truth(row).map(|truth| !truth))).map(|none| !none)
            }
            Expr::Call(function, arguments) => call(*function, arguments, row),
            Expr::Binary(left, op, right) if !op.is_arithmetic() => {
                compare(*op, &left.eval(row), &right.eval(row))
            }
            Expr::Constant(_) | Expr::Path(_) | Expr::Neg(_) | Expr::Binary(..) => self.eval(row).truth(),
        }
    }
}

impl BinaryOp {
    fn is_arithmetic(self) -> bool {
        matches!(self, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem)
    }
}

/// Kleene's AND: one `false` decides, else one undefined makes it undefined.
fn all(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for truth in truths {
        match truth {
            Some(false) => return Some(false),
            Some(true) => {}
            None => result = None,
        }
    }
    result
}

fn arithmetic<'a>(op: BinaryOp, left: &Value<'_>, right: &Value<'_>) -> Value<'a> {
    let (Value::Number(a), Value::Number(b)) = (left, right) else { return Value::Undefined };
    let result = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        _ => a % b,
    };
    if result.is_finite() { Value::Number(result) } else { Value::Undefined }
}

fn compare(op: BinaryOp, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
    match op {
        BinaryOp::Eq => left.equals(right),
        BinaryOp::Ne => left.equals(right).map(|equal| !equal),
        BinaryOp::In => right.contains(left),
        BinaryOp::Nin => right.contains(left).map(|found| !found),
        BinaryOp::Lt => left.order(right).map(Ordering::is_lt),
        BinaryOp::Le => left.order(right).map(Ordering::is_le),
        BinaryOp::Gt => left.order(right).map(Ordering::is_gt),
        BinaryOp::Ge => left.order(right).map(Ordering::is_ge),
        _ => None,
    }
}

fn call(function: Function, arguments: &[Expr], row: &(impl Lookup + ?Sized)) -> Option<bool> {
    match (function, arguments) {
        (Function::IsDefined, [path]) => Some(!matches!(path.eval(row), Value::Undefined)),
        (Function::StartsWith, [text, prefix]) => match (text.eval(row), prefix.eval(row)) {
            (Value::String(text), Value::String(prefix)) => Some(text.starts_with(&*prefix)),
            _ => None,
        },
        (Function::ArrayContains, [array, value]) => array.eval(row).contains(&value.eval(row)),
        _ => None,
    }
}
