//! Tokens → expressions: a Pratt parser. Precedence is the table in [`super::print`].

use super::QueryError;
use super::ast::{BinaryOp, Constant, Expr, Function, MAX_EXPRESSION_HEIGHT};
use super::lexer::Kind;
use super::parser::Parser;
use super::print::{AND, COMPARISON, NEG, NOT, OR, precedence};
use super::vocabulary::{FUNCTIONS, LITERALS, foreign_function, is_one_of};

/// An expression and the height of its tree.
struct Tall {
    expr: Expr,
    height: usize,
}

const EXPECTED: &str = "a path, a constant, a function, NOT or '('";

impl Parser<'_> {
    pub(crate) fn parse_expression(&mut self) -> Result<Expr, QueryError> {
        Ok(self.operand(OR, 0)?.expr)
    }

    /// An expression of operators that bind at least as tight as `least`, `depth` levels below the top.
    fn operand(&mut self, least: u8, depth: usize) -> Result<Tall, QueryError> {
        self.check_height(depth)?;
        let mut left = self.prefix(depth)?;
        loop {
            if least <= AND && self.is_word("AND") {
                left = self.chain("AND", NOT, left, depth, Expr::And)?;
            } else if least <= OR && self.is_word("OR") {
                left = self.chain("OR", AND, left, depth, Expr::Or)?;
            } else if let Some(op) = self.binary_op().filter(|op| precedence(*op) >= least) {
                left = self.binary(left, op, depth)?;
            } else {
                return Ok(left);
            }
        }
    }

    /// `left AND a AND b …` as one node, so that long chains stay flat.
    fn chain(
        &mut self,
        word: &str,
        least: u8,
        left: Tall,
        depth: usize,
        build: fn(Vec<Expr>) -> Expr,
    ) -> Result<Tall, QueryError> {
        let mut height = left.height;
        let mut operands = vec![left.expr];
        while self.take_word(word) {
            let next = self.operand(least, depth + 1)?;
            height = height.max(next.height);
            operands.push(next.expr);
        }
        self.taller(build(operands), height)
    }

    fn binary(&mut self, left: Tall, op: BinaryOp, depth: usize) -> Result<Tall, QueryError> {
        self.advance();
        let right = if matches!(op, BinaryOp::In | BinaryOp::Nin) {
            self.list(op, depth + 1)?
        } else {
            self.operand(precedence(op) + 1, depth + 1)?
        };
        let height = left.height.max(right.height);
        let result = self.taller(Expr::Binary(Box::new(left.expr), op, Box::new(right.expr)), height)?;
        if precedence(op) == COMPARISON && self.binary_op().is_some_and(|next| precedence(next) == COMPARISON)
        {
            return Err(self.unexpected("AND or OR: comparisons do not chain, write a < b AND b < c"));
        }
        Ok(result)
    }

    /// The right side of `IN` and `NIN`: a list constant or a path.
    fn list(&mut self, op: BinaryOp, depth: usize) -> Result<Tall, QueryError> {
        match self.peek() {
            Kind::Symbol("[") | Kind::Escaped(_) => self.atom(depth),
            Kind::Word(word) if !is_one_of(word, LITERALS) && self.peek_second() != &Kind::Symbol("(") => {
                self.atom(depth)
            }
            _ => Err(self.unexpected(&format!("'[': a list stands in brackets, like {op} ['a', 'b']"))),
        }
    }

    fn binary_op(&self) -> Option<BinaryOp> {
        Some(match self.peek() {
            Kind::Symbol("+") => BinaryOp::Add,
            Kind::Symbol("-") => BinaryOp::Sub,
            Kind::Symbol("*") => BinaryOp::Mul,
            Kind::Symbol("/") => BinaryOp::Div,
            Kind::Symbol("%") => BinaryOp::Rem,
            Kind::Symbol("=") => BinaryOp::Eq,
            Kind::Symbol("!=") => BinaryOp::Ne,
            Kind::Symbol("<") => BinaryOp::Lt,
            Kind::Symbol("<=") => BinaryOp::Le,
            Kind::Symbol(">") => BinaryOp::Gt,
            Kind::Symbol(">=") => BinaryOp::Ge,
            Kind::Word(word) if word.eq_ignore_ascii_case("IN") => BinaryOp::In,
            Kind::Word(word) if word.eq_ignore_ascii_case("NIN") => BinaryOp::Nin,
            _ => return None,
        })
    }

    fn prefix(&mut self, depth: usize) -> Result<Tall, QueryError> {
        if self.take_word("NOT") {
            let operand = self.operand(NOT, depth + 1)?;
            return self.taller(Expr::Not(Box::new(operand.expr)), operand.height);
        }
        if self.take_symbol("-") {
            if let Kind::Number(n) = self.peek() {
                let constant = Constant::Number(-n);
                self.advance();
                return Ok(Tall { expr: Expr::Constant(constant), height: 1 });
            }
            let operand = self.operand(NEG, depth + 1)?;
            return self.taller(Expr::Neg(Box::new(operand.expr)), operand.height);
        }
        if self.take_symbol("(") {
            if self.is_word("SELECT") {
                return Err(self.unexpected("an expression: subqueries are not in the language"));
            }
            let inner = self.operand(OR, depth + 1)?;
            if !self.take_symbol(")") {
                return Err(self.unexpected("an operator or ')'"));
            }
            return Ok(inner);
        }
        self.atom(depth)
    }

    fn atom(&mut self, depth: usize) -> Result<Tall, QueryError> {
        let is_call = matches!((self.peek(), self.peek_second()), (Kind::Word(_), Kind::Symbol("(")));
        if let Some((constant, height)) = self.constant(depth)? {
            return self.taller(Expr::Constant(constant), height);
        }
        match self.peek() {
            Kind::Word(word) if is_call && !self.is_word("IN") && !self.is_word("NIN") => {
                let name = word.clone();
                self.call(&name, depth)
            }
            Kind::Word(_) | Kind::Escaped(_) => {
                let path = self.raw_path(EXPECTED)?;
                Ok(Tall { expr: Expr::Path(self.resolve(&path)?), height: 1 })
            }
            _ => Err(self.unexpected(EXPECTED)),
        }
    }

    fn call(&mut self, name: &str, depth: usize) -> Result<Tall, QueryError> {
        let at = self.position();
        let found = FUNCTIONS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        let Some((_, function)) = found else {
            let message = format!("Unexpected function '{name}': {}", foreign_function(name));
            return Err(self.error_at(at, message));
        };
        self.advance();
        self.advance();
        let mut arguments = Vec::new();
        let mut height = 0;
        if !self.is_symbol(")") {
            loop {
                let argument = self.operand(OR, depth + 1)?;
                height = height.max(argument.height);
                arguments.push(argument.expr);
                if !self.take_symbol(",") {
                    break;
                }
            }
        }
        if !self.take_symbol(")") {
            return Err(self.unexpected("',' or ')'"));
        }
        self.check_arguments(at, *function, &arguments)?;
        self.taller(Expr::Call(*function, arguments), height)
    }

    fn check_arguments(&self, at: usize, function: Function, arguments: &[Expr]) -> Result<(), QueryError> {
        let name = function.name();
        if arguments.len() != function.arity() {
            let message = format!("{name} takes {} argument(s), found {}", function.arity(), arguments.len());
            return Err(self.error_at(at, message));
        }
        if function == Function::IsDefined && !matches!(arguments[0], Expr::Path(_)) {
            return Err(self.error_at(at, "IS_DEFINED takes a path, like IS_DEFINED(tags.location)"));
        }
        Ok(())
    }

    /// A constant, if one stands here, and its height.
    fn constant(&mut self, depth: usize) -> Result<Option<(Constant, usize)>, QueryError> {
        let constant = match self.peek() {
            Kind::Number(n) => Constant::Number(*n),
            Kind::String(text) => Constant::String(text.clone()),
            Kind::Symbol("[") => return Ok(Some(self.array(depth)?)),
            // `tags.true` is a path; `true` alone is not.
            Kind::Word(word) if is_one_of(word, LITERALS) => match word.to_ascii_lowercase().as_str() {
                "true" => Constant::Bool(true),
                "false" => Constant::Bool(false),
                "null" => Constant::Null,
                _ => Constant::Undefined,
            },
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some((constant, 0)))
    }

    fn array(&mut self, depth: usize) -> Result<(Constant, usize), QueryError> {
        self.check_height(depth)?;
        self.advance();
        let mut items = Vec::new();
        let mut height = 0;
        if self.take_symbol("]") {
            return Ok((Constant::Array(items), height));
        }
        loop {
            let negative = self.take_symbol("-");
            match (negative, self.constant(depth + 1)?) {
                (true, Some((Constant::Number(n), _))) => items.push(Constant::Number(-n)),
                (false, Some((constant, inner))) => {
                    height = height.max(inner);
                    items.push(constant);
                }
                (true, _) => return Err(self.unexpected("a number after '-'")),
                (false, None) => return Err(self.unexpected("a constant: lists hold constants only")),
            }
            if self.take_symbol("]") {
                return Ok((Constant::Array(items), height + 1));
            }
            if !self.take_symbol(",") {
                return Err(self.unexpected("',' or ']'"));
            }
        }
    }

    fn taller(&self, expr: Expr, height: usize) -> Result<Tall, QueryError> {
        self.check_height(height)?;
        Ok(Tall { expr, height: height + 1 })
    }

    fn check_height(&self, height: usize) -> Result<(), QueryError> {
        if height < MAX_EXPRESSION_HEIGHT {
            return Ok(());
        }
        let message = format!("The expression is nested more than {MAX_EXPRESSION_HEIGHT} levels deep");
        Err(self.error_at(self.position(), message))
    }
}
