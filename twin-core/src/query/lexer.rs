//! Text → tokens with byte spans.

use std::ops::Range;

use super::QueryError;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// a bare word: keyword, function or name
    Word(String),
    /// `[[name]]`, unescaped
    Escaped(String),
    Number(f64),
    String(String),
    /// punctuation or operator; `<>` is `!=`
    Symbol(&'static str),
    End,
}

/// A token and where it stands in the text, in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
}

const SYMBOLS: &[&str] =
    &["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", ".", "*", "/", "%", "+", "-"];

/// Operators of other languages, and what to write instead.
const FOREIGN_SYMBOLS: &[(&str, &str)] = &[
    ("==", "write ="),
    ("&&", "write AND"),
    ("||", "write OR"),
    ("!", "write NOT, or != to compare"),
    (";", "a query has no ';' at its end"),
];

/// Splits `text` into tokens; the last one is [`Kind::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens: Vec<Token> = Vec::new();
    loop {
        lexer.skip_whitespace();
        let start = lexer.at;
        let after_dot = tokens.last().is_some_and(|t| t.kind == Kind::Symbol("."));
        let kind = lexer.next(after_dot)?;
        let end = kind == Kind::End;
        tokens.push(Token { kind, span: start..lexer.at });
        if end {
            return Ok(tokens);
        }
    }
}

/// Whether a name can start with `c` / go on with `c` without being escaped.
pub(crate) fn starts_word(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

fn continues_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error(&self, offset: usize, message: impl Into<String>) -> QueryError {
        QueryError::at(self.text, offset, message)
    }

    fn skip_whitespace(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take_while(&mut self, test: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|c| !test(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn next(&mut self, after_dot: bool) -> Result<Kind, QueryError> {
        let Some(c) = self.peek() else { return Ok(Kind::End) };
        if self.rest().starts_with("[[") {
            return self.escaped_name();
        }
        // Below a dot a name may start with a digit: `tags.2ndFloor`.
        if starts_word(c) || (after_dot && continues_word(c)) {
            let start = self.at;
            self.at += c.len_utf8();
            self.take_while(continues_word);
            return Ok(Kind::Word(self.text[start..self.at].to_owned()));
        }
        match c {
            '0'..='9' => self.number(),
            '\'' | '"' => self.string(c),
            _ => self.symbol(c),
        }
    }

    fn symbol(&mut self, c: char) -> Result<Kind, QueryError> {
        let foreign = FOREIGN_SYMBOLS.iter().find(|(symbol, _)| self.rest().starts_with(symbol));
        let known = SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol));
        match (known, foreign) {
            (Some(symbol), None) => {
                self.at += symbol.len();
                Ok(Kind::Symbol(if *symbol == "<>" { "!=" } else { symbol }))
            }
            // `!=` is known although `!` is foreign; `==` is foreign although `=` is known.
            (Some(symbol), Some((foreign, _))) if symbol.len() > foreign.len() => {
                self.at += symbol.len();
                Ok(Kind::Symbol(symbol))
            }
            (_, Some((foreign, hint))) => {
                Err(self.error(self.at, format!("Unexpected character at input '{foreign}': {hint}")))
            }
            (None, None) => {
                let hint = match c {
                    '`' => ": names are escaped like this: [[name]]",
                    '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' => {
                        ": strings stand in straight quotes, ' or \""
                    }
                    '#' | '@' | ':' | '~' | '^' | '?' | '{' | '}' | '\\' => {
                        ": a name with special characters is escaped like this: [[name]]"
                    }
                    _ => "",
                };
                Err(self
                    .error(self.at, format!("Unexpected character at input '{}'{hint}", c.escape_debug())))
            }
        }
    }

    fn number(&mut self) -> Result<Kind, QueryError> {
        let start = self.at;
        let value = if self.rest().starts_with("0x") || self.rest().starts_with("0X") {
            self.at += 2;
            let digits = self.take_while(|c| c.is_ascii_hexdigit());
            if digits.is_empty() {
                return Err(
                    self.error(self.at, "Unexpected end of a hexadecimal number: expected a digit 0-9, a-f")
                );
            }
            digits.chars().fold(0.0, |sum, c| sum * 16.0 + f64::from(c.to_digit(16).unwrap_or(0)))
        } else {
            self.decimal()?
        };
        if self.peek().is_some_and(continues_word) {
            let word = self.take_while(continues_word);
            return Err(self.error(
                start,
                format!("Unexpected input '{word}' in the number '{}'", &self.text[start..self.at]),
            ));
        }
        if !value.is_finite() {
            return Err(self.error(start, "The number is too large: at most about 1.79e308"));
        }
        Ok(Kind::Number(value))
    }

    fn decimal(&mut self) -> Result<f64, QueryError> {
        let start = self.at;
        let digit = |c: char| c.is_ascii_digit();
        self.take_while(digit);
        let fraction = self.rest().strip_prefix('.').is_some_and(|rest| rest.starts_with(digit));
        if fraction {
            self.at += 1;
            self.take_while(digit);
        }
        if let Some(exponent) = self.rest().strip_prefix(['e', 'E']) {
            let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if unsigned.starts_with(digit) {
                self.at += 1 + exponent.len() - unsigned.len();
                self.take_while(digit);
            }
        }
        let text = &self.text[start..self.at];
        text.parse().map_err(|_| self.error(start, format!("'{text}' is not a number")))
    }

    /// Escapes are `\'`, `\"`, `\\` and `\uXXXX` (IoT Hub query-language guide); anything else stands for itself.
    fn string(&mut self, quote: char) -> Result<Kind, QueryError> {
        let start = self.at;
        self.at += 1;
        let mut value = String::new();
        loop {
            value.push_str(self.take_while(|c| c != quote && c != '\\'));
            match self.peek() {
                Some('\\') => value.push(self.escape()?),
                Some(_) => {
                    self.at += 1;
                    if self.peek() == Some(quote) {
                        let message = format!(
                            "Unexpected character at input '{quote}': a quote inside a string is written \\{quote}"
                        );
                        return Err(self.error(self.at, message));
                    }
                    return Ok(Kind::String(value));
                }
                None => {
                    return Err(self
                        .error(start, format!("The string that starts here never ends: expected {quote}")));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, QueryError> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(c @ ('\'' | '"' | '\\')) => {
                self.at += 1;
                Ok(c)
            }
            Some('u') => {
                let first = self.code_unit(start)?;
                let units = match first {
                    0xD800..=0xDBFF if self.rest().starts_with("\\u") => {
                        self.at += 1;
                        vec![first, self.code_unit(start)?]
                    }
                    _ => vec![first],
                };
                let mut decoded = char::decode_utf16(units);
                match (decoded.next(), decoded.next()) {
                    (Some(Ok(c)), None) => Ok(c),
                    _ => {
                        Err(self.error(start, "A \\u escape names half a surrogate pair: write both halves"))
                    }
                }
            }
            _ => Err(self.error(start, "Unknown escape in a string: there are \\' \\\" \\\\ and \\uXXXX")),
        }
    }

    /// Reads `uXXXX`.
    fn code_unit(&mut self, start: usize) -> Result<u16, QueryError> {
        let digits = self.rest().get(1..5).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.error(start, "A \\u escape needs four hexadecimal digits"))?;
        self.at += 5;
        Ok(unit)
    }

    /// `[[name]]`. Everything up to `]]` belongs to the name; `\]` and `\\` stand for `]` and `\` so that any name
    /// can be written (our extension: the service documents no way to write `]]` in a name).
    fn escaped_name(&mut self) -> Result<Kind, QueryError> {
        let start = self.at;
        self.at += 2;
        let mut name = String::new();
        loop {
            name.push_str(self.take_while(|c| c != ']' && c != '\\'));
            let rest = self.rest();
            if rest.is_empty() {
                return Err(self.error(start, "The name that starts here never ends: expected ]]"));
            }
            if rest.starts_with("]]") {
                self.at += 2;
                return Ok(Kind::Escaped(name));
            }
            if rest.starts_with("\\]") || rest.starts_with("\\\\") {
                self.at += 1;
            }
            name.push(if self.rest().starts_with(']') { ']' } else { '\\' });
            self.at += 1;
        }
    }
}
