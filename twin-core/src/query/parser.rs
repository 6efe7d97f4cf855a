//! Tokens → tree: the clauses of a query. Expressions are in [`super::expression`].

use super::QueryError;
use super::ast::{
    Aggregate, Condition, Expr, MAX_QUERY_CHARACTERS, Path, Query, SelectItem, Selection, Source,
};
use super::lexer::{Kind, Token, tokens};
use super::resolve::{RawPath, RawSegment};
use super::vocabulary::{AGGREGATES, RESERVED, foreign_word, is_one_of};

impl Query {
    /// Parses a query; an error says line, column, what was found and what was expected.
    ///
    /// ```
    /// use twin_core::query::Query;
    /// let query = Query::parse("select * from devices where tags.location.plant = 'Redmond43'")?;
    /// assert_eq!(query.to_string(), "SELECT * FROM devices WHERE tags.location.plant = 'Redmond43'");
    /// let error = Query::parse("SELECT * FROM devices WHERE").unwrap_err();
    /// assert_eq!((error.line, error.column), (1, 28));
    /// # Ok::<(), twin_core::query::QueryError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        let mut parser = Parser::new(text, Source::Devices)?;
        parser.query()
    }

    /// Parses a bare condition, as a job's `queryCondition` and a configuration's `targetCondition` carry it: a
    /// `WHERE` body, `*` for everything, either after an optional `FROM devices.modules [WHERE]`.
    pub fn parse_condition(text: &str) -> Result<Condition, QueryError> {
        let mut parser = Parser::new(text, Source::Devices)?;
        let condition = parser.bare_condition()?;
        parser.end()?;
        Ok(condition)
    }
}

impl std::str::FromStr for Query {
    type Err = QueryError;
    fn from_str(text: &str) -> Result<Query, QueryError> {
        Query::parse(text)
    }
}

pub(crate) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    /// What paths are resolved against.
    pub(crate) source: Source,
}

/// A select item before `FROM` is known.
struct RawItem {
    value: RawValue,
    name: String,
    /// its first token
    at: usize,
}

enum RawValue {
    Path(RawPath),
    Aggregate(&'static str, Option<RawPath>),
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, source: Source) -> Result<Self, QueryError> {
        if let Some((offset, _)) = text.char_indices().nth(MAX_QUERY_CHARACTERS) {
            let message = format!("The query is longer than {MAX_QUERY_CHARACTERS} characters");
            return Err(QueryError::at(text, offset, message));
        }
        Ok(Parser { text, tokens: tokens(text)?, at: 0, source })
    }

    fn query(&mut self) -> Result<Query, QueryError> {
        self.expect_word("SELECT", "SELECT")?;
        let top = if self.take_word("TOP") { Some(self.top()?) } else { None };
        let select_at = self.at;
        let (raw_items, group_or_condition_expected) = self.select_list()?;
        self.expect_word("FROM", group_or_condition_expected)?;
        self.source = self.source_name()?;
        let select = self.selection(raw_items)?;
        let condition = if self.take_word("WHERE") { Some(self.expression()?) } else { None };
        let group_at = self.at;
        let group_by = if self.take_word("GROUP") { self.group_by()? } else { Vec::new() };
        self.end()?;
        let query = Query { top, select, source: self.source, condition, group_by };
        self.check_shape(&query, select_at, group_at)?;
        Ok(query)
    }

    fn bare_condition(&mut self) -> Result<Condition, QueryError> {
        let prefixed = self.take_word("FROM");
        if prefixed {
            let at = self.at;
            self.source = self.source_name()?;
            if self.source == Source::Jobs {
                return Err(self.error_at(at, "A condition picks devices or devices.modules, not jobs"));
            }
            if !self.take_word("WHERE") {
                return Ok(Condition { source: self.source, expr: None });
            }
        } else if self.is_word("WHERE") || self.is_word("SELECT") {
            return Err(
                self.unexpected("a condition alone, without SELECT and WHERE, like tags.building = 9")
            );
        }
        let everything = self.take_symbol("*");
        let expr = if everything { None } else { Some(self.expression()?) };
        Ok(Condition { source: self.source, expr })
    }

    fn top(&mut self) -> Result<u64, QueryError> {
        // Whole numbers a f64 holds exactly.
        const MAX_TOP: f64 = 9_007_199_254_740_992.0;
        match self.peek() {
            Kind::Number(n) if n.fract() == 0.0 && *n <= MAX_TOP => {
                let top = *n as u64;
                self.at += 1;
                Ok(top)
            }
            _ => Err(self.unexpected("a whole number of rows after TOP")),
        }
    }

    /// The items (`None` for `*`) and what may follow.
    fn select_list(&mut self) -> Result<(Option<Vec<RawItem>>, &'static str), QueryError> {
        if self.take_symbol("*") {
            if self.is_symbol(",") {
                return Err(self.unexpected("FROM: '*' stands alone"));
            }
            return Ok((None, "FROM"));
        }
        let mut items = Vec::new();
        loop {
            items.push(self.item()?);
            if !self.take_symbol(",") {
                return Ok((Some(items), "AS, ',' or FROM"));
            }
        }
    }

    fn item(&mut self) -> Result<RawItem, QueryError> {
        let at = self.at;
        let (value, default_name) = match self.aggregate_name() {
            Some((canonical, typed)) => {
                self.at += 2;
                let path = if canonical == "COUNT" { None } else { Some(self.raw_path("a path")?) };
                if !self.take_symbol(")") {
                    let expected = if canonical == "COUNT" {
                        "')': COUNT() takes nothing and counts rows"
                    } else {
                        "')'"
                    };
                    return Err(self.unexpected(expected));
                }
                (RawValue::Aggregate(canonical, path), typed)
            }
            None => {
                let path = self.raw_path("'*', a path or an aggregate")?;
                let name = path.last_name().to_owned();
                (RawValue::Path(path), name)
            }
        };
        let name = if self.take_word("AS") { self.alias()? } else { default_name };
        Ok(RawItem { value, name, at })
    }

    /// An aggregate's name if one is called here: canonical and as typed.
    fn aggregate_name(&self) -> Option<(&'static str, String)> {
        let (Kind::Word(word), Kind::Symbol("(")) = (self.peek(), self.peek_second()) else { return None };
        let name = AGGREGATES.iter().find(|name| word.eq_ignore_ascii_case(name))?;
        Some((name, word.clone()))
    }

    fn alias(&mut self) -> Result<String, QueryError> {
        match self.peek() {
            Kind::Word(word) if !is_one_of(word, RESERVED) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            Kind::Escaped(name) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected("a name after AS")),
        }
    }

    fn source_name(&mut self) -> Result<Source, QueryError> {
        const EXPECTED: &str = "devices, devices.modules or devices.jobs";
        if !self.take_word("devices") {
            let hint = match self.peek() {
                Kind::Word(word) if is_one_of(word, &["enrollments", "enrollmentGroups"]) => {
                    " (enrollments live in the Device Provisioning Service, not in a hub)"
                }
                Kind::Word(word) if is_one_of(word, &["modules", "jobs"]) => " (with the prefix)",
                Kind::Word(_) => " (a collection has no other name or alias)",
                _ => "",
            };
            return Err(self.unexpected(&format!("{EXPECTED}{hint}")));
        }
        if !self.take_symbol(".") {
            return Ok(Source::Devices);
        }
        if self.take_word("modules") {
            Ok(Source::Modules)
        } else if self.take_word("jobs") {
            Ok(Source::Jobs)
        } else {
            Err(self.unexpected(EXPECTED))
        }
    }

    fn selection(&self, raw: Option<Vec<RawItem>>) -> Result<Selection, QueryError> {
        let Some(raw) = raw else { return Ok(Selection::All) };
        let mut items: Vec<SelectItem> = Vec::new();
        for RawItem { value, name, at } in raw {
            let value = match value {
                RawValue::Path(path) => Aggregate::Path(self.resolve(&path)?),
                RawValue::Aggregate(function, path) => {
                    let path = path.map(|path| self.resolve(&path)).transpose()?;
                    match (function, path) {
                        ("AVG", Some(path)) => Aggregate::Avg(path),
                        ("SUM", Some(path)) => Aggregate::Sum(path),
                        ("MIN", Some(path)) => Aggregate::Min(path),
                        ("MAX", Some(path)) => Aggregate::Max(path),
                        _ => Aggregate::Count,
                    }
                }
            };
            // Two members of one name would lose one value silently.
            if items.iter().any(|other| other.name == name && other.value != value) {
                let message = format!("Two columns are named '{name}': give one an alias with AS");
                return Err(self.error_at(at, message));
            }
            items.push(SelectItem { value, name });
        }
        Ok(Selection::Items(items))
    }

    fn group_by(&mut self) -> Result<Vec<Path>, QueryError> {
        self.expect_word("BY", "BY after GROUP")?;
        let mut paths = Vec::new();
        loop {
            let path = self.raw_path("a path to group by")?;
            paths.push(self.resolve(&path)?);
            if !self.take_symbol(",") {
                return Ok(paths);
            }
        }
    }

    /// Rules that concern more than one clause.
    fn check_shape(&self, query: &Query, select_at: usize, group_at: usize) -> Result<(), QueryError> {
        let grouped = !query.group_by.is_empty();
        match query.source {
            Source::Jobs if query.select != Selection::All => {
                return Err(self.error_at(select_at, "FROM devices.jobs gives whole jobs: write SELECT *"));
            }
            Source::Modules | Source::Jobs if grouped => {
                return Err(self.error_at(group_at, "GROUP BY works with FROM devices only"));
            }
            _ => {}
        }
        let Selection::Items(items) = &query.select else {
            return match grouped {
                true => Err(self.error_at(
                    select_at,
                    "SELECT * cannot be grouped: select the paths of GROUP BY and aggregates",
                )),
                false => Ok(()),
            };
        };
        if !query.is_aggregate() {
            return Ok(());
        }
        for item in items {
            match &item.value {
                Aggregate::Path(path) if !query.group_by.contains(path) => {
                    let message =
                        format!("'{path}' stands beside aggregates or GROUP BY: add it to GROUP BY");
                    return Err(self.error_at(select_at, message));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// `name {"." name}` as typed; `expected` says what could have stood here.
    pub(crate) fn raw_path(&mut self, expected: &str) -> Result<RawPath, QueryError> {
        let start = self.tokens[self.at].span.start;
        let mut segments = vec![self.segment(expected)?];
        if let (Kind::Word(word), Kind::Symbol("(")) = (&self.tokens[self.at - 1].kind, self.peek()) {
            let message = format!("Unexpected call of '{word}': expected {expected}");
            return Err(self.error_at(self.at - 1, message));
        }
        while self.take_symbol(".") {
            segments.push(self.segment("a name after '.'")?);
        }
        Ok(RawPath { segments, span: start..self.tokens[self.at - 1].span.end })
    }

    fn segment(&mut self, expected: &str) -> Result<RawSegment, QueryError> {
        let below = self.at > 0 && self.tokens[self.at - 1].kind == Kind::Symbol(".");
        let segment = match self.peek() {
            Kind::Escaped(name) => RawSegment { name: name.clone(), escaped: true },
            Kind::Word(word) if is_one_of(word, RESERVED) => {
                let hint = match below {
                    true => format!("{expected}; '{word}' is a keyword, write [[{word}]]"),
                    false => expected.to_owned(),
                };
                return Err(self.unexpected(&hint));
            }
            Kind::Word(word) if !below && foreign_word(word).is_some() => {
                return Err(self.unexpected(expected));
            }
            Kind::Word(word) => RawSegment { name: word.clone(), escaped: false },
            _ => return Err(self.unexpected(expected)),
        };
        self.at += 1;
        Ok(segment)
    }

    pub(crate) fn resolve(&self, path: &RawPath) -> Result<Path, QueryError> {
        path.resolve(self.source).map_err(|message| QueryError::at(self.text, path.span.start, message))
    }

    fn expression(&mut self) -> Result<Expr, QueryError> {
        let expr = self.parse_expression()?;
        // `x LIKE 'a%'`, `x IS NULL`, `x NOT IN …`: the word after the operand tells what was meant.
        if self.is_word("NOT") {
            return Err(
                self.unexpected("AND, OR or an operator; write NIN, or NOT before the whole comparison")
            );
        }
        Ok(expr)
    }

    fn end(&mut self) -> Result<(), QueryError> {
        match self.peek() {
            Kind::End => Ok(()),
            _ => Err(self.unexpected("an operator, a clause in the order WHERE, GROUP BY, or the end")),
        }
    }

    // ---- tokens

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn advance(&mut self) {
        self.at += 1;
    }

    pub(crate) fn peek(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    /// The token after the next; the end stays the end.
    pub(crate) fn peek_second(&self) -> &Kind {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].kind
    }

    pub(crate) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Kind::Word(found) if found.eq_ignore_ascii_case(word))
    }

    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Kind::Symbol(found) if *found == symbol)
    }

    pub(crate) fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    fn expect_word(&mut self, word: &str, expected: &str) -> Result<(), QueryError> {
        if self.take_word(word) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// An error at the next token: what was found, what was expected, and a hint about words of other languages.
    pub(crate) fn unexpected(&self, expected: &str) -> QueryError {
        let token = &self.tokens[self.at];
        let found = match &token.kind {
            Kind::End => "Unexpected end of the query".to_owned(),
            _ => format!("Unexpected input '{}'", &self.text[token.span.clone()]),
        };
        let hint = match &token.kind {
            Kind::Word(word) => foreign_word(word).map(|hint| format!(". {hint}")).unwrap_or_default(),
            _ => String::new(),
        };
        QueryError::at(self.text, token.span.start, format!("{found}: expected {expected}{hint}"))
    }

    /// An error at token number `at`.
    pub(crate) fn error_at(&self, at: usize, message: impl Into<String>) -> QueryError {
        QueryError::at(self.text, self.tokens[at].span.start, message)
    }
}
