//! Laws over seeded random trees and hostile names and values.

use serde_json::{Map, Value as Json, json};

use crate::query::{
    Aggregate, BinaryOp, Constant, Expr, Function, Lookup, Path, Query, QueryBuilder, QueryValue, SelectItem,
    Selection, Source, field_at, not, raw,
};

/// A small seeded generator (xorshift64*).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.roll(items.len())]
    }

    fn string(&mut self) -> String {
        const PIECES: &[&str] = &[
            "'", "\"", "\\", "]]", "]", "[[", "[", "\n", "\r\n", "\0", "\u{7f}", "\u{85}", "a", "B", "0",
            " ", ".", "$", "_", "-", "é", "😀", "\u{2028}", "u0041", "OR", "AND 1=1", "--", "/*", "(", ")",
            "%", "", "devices", "group", "true", "\\]", "\\\\", "\\u0041",
        ];
        (0..self.roll(5)).map(|_| *self.pick(PIECES)).collect()
    }

    fn path(&mut self) -> Path {
        const HEADS: &[&[&str]] = &[
            &["deviceId"],
            &["statusUpdateTime"],
            &["tags"],
            &["properties", "desired"],
            &["properties", "reported"],
            &["configurations"],
            &["capabilities", "iotEdge"],
        ];
        let mut segments: Vec<String> = self.pick(HEADS).iter().map(|s| (*s).to_owned()).collect();
        for _ in 0..self.roll(4) {
            segments.push(self.string());
        }
        Path(segments)
    }

    fn constant(&mut self, depth: usize) -> Constant {
        match self.roll(if depth == 0 { 7 } else { 8 }) {
            0 => Constant::Undefined,
            1 => Constant::Null,
            2 => Constant::Bool(self.roll(2) == 0),
            3 => Constant::Number(self.roll(1000) as f64 - 500.0),
            4 => Constant::Number(*self.pick(&[
                0.1,
                -0.0,
                1e300,
                5e-324,
                f64::MAX,
                123_456_789.125,
                -1e16,
                2e-7,
            ])),
            5 | 6 => Constant::String(self.string()),
            _ => Constant::Array((0..self.roll(4)).map(|_| self.constant(depth - 1)).collect()),
        }
    }

    fn expr(&mut self, depth: usize) -> Expr {
        if depth == 0 {
            return if self.roll(2) == 0 {
                Expr::Path(self.path())
            } else {
                Expr::Constant(self.constant(2))
            };
        }
        let boxed = |dice: &mut Dice| Box::new(dice.expr(depth - 1));
        match self.roll(9) {
            0 => Expr::Path(self.path()),
            1 => Expr::Constant(self.constant(2)),
            2 => Expr::Call(Function::IsDefined, vec![Expr::Path(self.path())]),
            3 => {
                let function = *self.pick(&[Function::StartsWith, Function::ArrayContains]);
                Expr::Call(function, vec![self.expr(depth - 1), self.expr(depth - 1)])
            }
            4 => Expr::Not(boxed(self)),
            5 => Expr::Neg(boxed(self)),
            6 => Expr::And((0..2 + self.roll(3)).map(|_| self.expr(depth - 1)).collect()),
            7 => Expr::Or((0..2 + self.roll(3)).map(|_| self.expr(depth - 1)).collect()),
            _ => {
                use BinaryOp::{Add, Div, Eq, Ge, Gt, In, Le, Lt, Mul, Ne, Nin, Rem, Sub};
                let op = *self.pick(&[Add, Sub, Mul, Div, Rem, Eq, Ne, Lt, Le, Gt, Ge, In, Nin]);
                let left = boxed(self);
                let right = match op {
                    In | Nin if self.roll(3) == 0 => Box::new(Expr::Path(self.path())),
                    In | Nin => {
                        let items = (0..self.roll(4)).map(|_| self.constant(1)).collect();
                        Box::new(Expr::Constant(Constant::Array(items)))
                    }
                    _ => boxed(self),
                };
                Expr::Binary(left, op, right)
            }
        }
    }

    fn query(&mut self) -> Query {
        let group_by: Vec<Path> = (0..self.roll(3)).map(|_| self.path()).collect();
        let mut items = Vec::new();
        for (index, path) in group_by.iter().enumerate() {
            let name =
                if index == 0 { path.0.last().unwrap().clone() } else { format!("{index}{}", self.string()) };
            items.push(SelectItem { value: Aggregate::Path(path.clone()), name });
        }
        let path = self.path();
        let aggregates = [
            Aggregate::Count,
            Aggregate::Avg(path.clone()),
            Aggregate::Sum(path.clone()),
            Aggregate::Min(path.clone()),
            Aggregate::Max(path),
        ];
        for aggregate in &aggregates[..self.roll(6)] {
            items.push(SelectItem {
                value: aggregate.clone(),
                name: format!("a{}{}", items.len(), self.string()),
            });
        }
        Query {
            top: (self.roll(2) == 0).then(|| self.roll(1000) as u64),
            select: if items.is_empty() { Selection::All } else { Selection::Items(items) },
            source: if group_by.is_empty() {
                *self.pick(&[Source::Devices, Source::Modules])
            } else {
                Source::Devices
            },
            condition: (self.roll(4) > 0).then(|| self.expr(4)),
            group_by,
        }
    }

    fn json(&mut self, depth: usize) -> Json {
        match self.roll(if depth == 0 { 5 } else { 8 }) {
            0 => Json::Null,
            1 => json!(self.roll(2) == 0),
            2 => json!(self.roll(100) as i64 - 50),
            3 => json!(*self.pick(&[0.5, -1e300, 1e-7, 0.1])),
            4 => json!(self.string()),
            5 => (0..self.roll(3)).map(|_| self.json(depth - 1)).collect(),
            _ => {
                let members = (0..self.roll(4)).map(|_| (self.string(), self.json(depth - 1)));
                Json::Object(members.collect::<Map<_, _>>())
            }
        }
    }
}

#[test]
fn what_is_printed_reads_back_as_the_same_tree() {
    let mut read = 0;
    for seed in 0..5000 {
        let query = Dice::new(seed).query();
        let text = query.to_string();
        if text.chars().count() > crate::query::ast::MAX_QUERY_CHARACTERS {
            continue;
        }
        read += 1;
        // -0.0 == 0.0, so compare what prints too.
        let again = Query::parse(&text).unwrap_or_else(|error| panic!("seed {seed}: {text}\n{error}"));
        assert_eq!(again, query, "seed {seed}: {text}");
        assert_eq!(again.to_string(), text, "seed {seed}");
    }
    assert!(read > 4000, "{read}");
}

#[test]
fn nothing_injects_through_the_builder() {
    for seed in 0..5000 {
        let mut dice = Dice::new(seed);
        let (segment, value, prefix, alias) = (dice.string(), dice.string(), dice.string(), dice.string());
        let at = || field_at(["tags", segment.as_str()]);
        let path = Path(vec!["tags".to_owned(), segment.clone()]);
        let leaf = || Box::new(Expr::Path(path.clone()));
        let text = |text: &str| Constant::String(text.to_owned());
        let built = QueryBuilder::devices()
            .select_as(at(), alias.clone())
            .top(3)
            .filter(at().eq(value.as_str()).or(at().is_in([value.as_str(), prefix.as_str()])))
            .filter(not(at().starts_with(prefix.as_str())));
        let intended = Query {
            top: Some(3),
            select: Selection::Items(vec![SelectItem { value: Aggregate::Path(path.clone()), name: alias }]),
            source: Source::Devices,
            condition: Some(Expr::And(vec![
                Expr::Or(vec![
                    Expr::Binary(leaf(), BinaryOp::Eq, Box::new(Expr::Constant(text(&value)))),
                    Expr::Binary(
                        leaf(),
                        BinaryOp::In,
                        Box::new(Expr::Constant(Constant::Array(vec![text(&value), text(&prefix)]))),
                    ),
                ]),
                Expr::Not(Box::new(Expr::Call(
                    Function::StartsWith,
                    vec![*leaf(), Expr::Constant(text(&prefix))],
                ))),
            ])),
            group_by: Vec::new(),
        };
        assert_eq!(built.build(), Ok(intended), "seed {seed}: {built}");
    }
}

#[test]
fn the_builder_says_everything_the_language_has() {
    use crate::query::field;
    let built = QueryBuilder::devices()
        .select("Status")
        .count("n")
        .avg("tags.a", "avg")
        .sum("tags.a", "sum")
        .min("tags.a", "min")
        .max("tags.a", "max")
        .filter(
            field("tags.a")
                .ne(1_i64)
                .and(field("tags.b").lt(1.5))
                .and(field("tags.c").le("x".to_owned()))
                .and(field("tags.d").ge(field("tags.e")))
                .and(field("capabilities.iotEdge").eq(true))
                .and(field("tags.nan").eq(f64::NAN)),
        )
        .filter(field("deviceId").not_in(["a", "b"]).or(field("parentScopes").array_contains("s")))
        .group_by("status");
    assert_eq!(
        built.to_string(),
        "SELECT status, COUNT() AS n, AVG(tags.a) AS [[avg]], SUM(tags.a) AS sum".replace("[[avg]]", "avg")
            + ", MIN(tags.a) AS min, MAX(tags.a) AS max FROM devices WHERE tags.a != 1 AND tags.b < 1.5 AND tags.c <= 'x' \
               AND tags.d >= tags.e AND capabilities.iotEdge = true AND tags.nan = undefined \
               AND (deviceId NIN ['a', 'b'] OR ARRAY_CONTAINS(parentScopes, 's')) GROUP BY status"
    );
    assert!(built.build().is_ok());
    let nowhere = QueryBuilder::modules().filter(field("myProp").gt(1));
    assert_eq!(nowhere.to_string(), "SELECT * FROM devices.modules WHERE myProp > 1");
    assert!(nowhere.build().unwrap_err().message.contains("full path"));
}

#[test]
fn no_text_panics_and_offsets_stay_inside() {
    const PIECES: &[&str] = &[
        "SELECT ",
        "* ",
        "FROM ",
        "devices",
        ".modules",
        " WHERE ",
        "tags.a",
        " = ",
        "'x'",
        "\"",
        "'",
        "[[",
        "]]",
        "[",
        "]",
        "(",
        ")",
        ",",
        "\\",
        "\\u12",
        "0x",
        "1e",
        "1.",
        ".",
        "-",
        "NOT ",
        " AND ",
        " OR ",
        " IN ",
        "GROUP BY ",
        "COUNT()",
        "é",
        "😀",
        "\n",
        "\0",
        "<>",
        "!",
        "TOP ",
        "IS_DEFINED(",
        "$",
        "99999999999999999999",
        "null",
    ];
    for seed in 0..20_000 {
        let mut dice = Dice::new(seed);
        let mut text: String = (0..dice.roll(14)).map(|_| *dice.pick(PIECES)).collect();
        if dice.roll(2) == 0 {
            text.insert_str(0, "SELECT * FROM devices WHERE ");
        }
        for result in [Query::parse(&text).map(|_| ()), Query::parse_condition(&text).map(|_| ())] {
            if let Err(error) = result {
                assert!(text.is_char_boundary(error.offset), "{text:?}: {error}");
            }
        }
    }
}

#[test]
fn raw_text_evaluates_like_a_tree() {
    for seed in 0..3000 {
        let mut dice = Dice::new(seed);
        let document = json!({
            "deviceId": dice.string(), "capabilities": {"iotEdge": dice.json(0)}, "tags": dice.json(4),
            "configurations": dice.json(2), "properties": {"desired": dice.json(3), "reported": dice.json(3)},
        });
        let text = if dice.roll(2) == 0 {
            serde_json::to_vec_pretty(&document).unwrap()
        } else {
            serde_json::to_vec(&document).unwrap()
        };
        let row = raw::RawDocument(&text);
        let mut paths = vec![dice.path(), dice.path()];
        every_path(&document, &mut Vec::new(), &mut paths);
        for path in &paths {
            assert_eq!(row.json(path), document.json(path), "seed {seed}: {path}");
            let same = match (row.lookup(path), document.lookup(path)) {
                (QueryValue::Raw(text), QueryValue::Json(json)) => {
                    serde_json::from_slice::<Json>(text).unwrap() == *json
                }
                (a, b) => format!("{a:?}") == format!("{b:?}"),
            };
            assert!(same, "seed {seed}: {path}");
        }
        for _ in 0..20 {
            let expr = dice.expr(3);
            assert_eq!(expr.is_true(&row), expr.is_true(&document), "seed {seed}: {expr}");
        }
    }
}

fn every_path(json: &Json, path: &mut Vec<String>, into: &mut Vec<Path>) {
    into.push(Path(path.clone()));
    for (name, value) in json.as_object().into_iter().flatten() {
        path.push(name.clone());
        every_path(value, path, into);
        path.pop();
    }
}
