//! The index against a full scan, over seeded random twins, updates and queries.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use serde_json::{Map, Value as Json, json};
use twin_core::query::{BinaryOp, Constant, Expr, Function, Path, Query, QueryValue, raw::RawDocument};

use super::paths::Paths;
use super::strings::Rules;
use super::{Builder, Change, Facts, INDEXED_FIELDS, Index, Leaves, Part, Place, Plan};

mod groups;
mod pieces;

/// A twin as a hub keeps it: sections as text, fields as values.
struct Twin {
    document: Json,
    text: Vec<u8>,
    packed: Vec<u8>,
    tags: Vec<u8>,
    desired: Vec<u8>,
    reported: Vec<u8>,
}

impl Twin {
    fn new(document: Json) -> Twin {
        let section = |section: &Json| {
            let mut members = section.as_object().unwrap().clone();
            members.retain(|name, _| !name.starts_with('$'));
            serde_json::to_vec(&members).unwrap()
        };
        let packed = INDEXED_FIELDS.iter().map(|field| document.get(*field)).collect::<Vec<_>>();
        Twin {
            packed: serde_json::to_vec(&packed).unwrap(),
            text: serde_json::to_vec(&document).unwrap(),
            tags: section(&document["tags"]),
            desired: section(&document["properties"]["desired"]),
            reported: section(&document["properties"]["reported"]),
            document,
        }
    }
}

impl Leaves for Twin {
    fn part(&self, place: Place) -> Part<'_> {
        let at = |path: &[&str]| path.iter().try_fold(&self.document, |value, name| value.get(name));
        match place {
            Place::Identity => Part::Packed(&self.packed),
            Place::Tags => Part::Text(&self.tags),
            Place::Desired => Part::Text(&self.desired),
            Place::Reported => Part::Text(&self.reported),
            place => Part::Value(at(place.path()).map_or(QueryValue::Undefined, QueryValue::from_json)),
        }
    }

    fn unpack(&self, to: &mut dyn FnMut(&[&str], QueryValue<'_>)) {
        for field in INDEXED_FIELDS.iter().filter(|field| !["etag", "version", "modelId"].contains(field)) {
            let Some(value) = self.document.get(*field) else { continue };
            to(&[field], QueryValue::from_json(value));
            for (member, value) in value.as_object().into_iter().flatten() {
                to(&[field, member], QueryValue::from_json(value));
            }
        }
    }
}

fn leaves(twin: &Twin) -> &dyn Leaves {
    twin
}

/// The index, and what it is told, kept as plain documents.
struct Model {
    index: Index,
    twins: BTreeMap<u32, Twin>,
}

impl Model {
    fn new(index: Index) -> Model {
        Model { index, twins: BTreeMap::new() }
    }

    fn set(&mut self, handle: u32, document: Option<Json>) {
        let document = document.map(Twin::new);
        let (old, new) = (self.twins.remove(&handle), &document);
        let (old, new) = (old.as_ref().map(leaves), new.as_ref().map(leaves));
        self.index.update(&[Change { handle, old, new }]);
        self.twins.extend(document.map(|twin| (handle, twin)));
    }

    /// Many at once; the last counts where a row is named twice.
    fn set_all(&mut self, documents: impl Iterator<Item = (u32, Option<Json>)>) {
        let new: BTreeMap<u32, Option<Twin>> =
            documents.map(|(handle, document)| (handle, document.map(Twin::new))).collect();
        let changes = new.iter().map(|(handle, new)| {
            let (old, new) = (self.twins.get(handle).map(leaves), new.as_ref().map(leaves));
            Change { handle: *handle, old, new }
        });
        self.index.update(&changes.collect::<Vec<_>>());
        for (handle, twin) in new {
            self.twins.remove(&handle);
            self.twins.extend(twin.map(|twin| (handle, twin)));
        }
    }

    /// The index built anew, as at a start.
    fn rebuild(&mut self) {
        let mut builders = Builder::of(&self.index);
        let rows: Vec<(u32, &dyn Leaves)> =
            self.twins.iter().map(|(handle, twin)| (*handle, leaves(twin))).collect();
        for builder in &mut builders {
            rows.chunks(17).for_each(|rows| builder.insert(rows));
        }
        self.index = Builder::finish(builders);
    }

    fn scan(&self, condition: &Expr) -> RoaringBitmap {
        self.rows(|twin| condition.is_true(&RawDocument(&twin.text)))
    }

    fn plan(&self, condition: &Expr) -> Plan {
        self.index.plan(condition, None, self)
    }

    fn rows(&self, wanted: impl Fn(&Twin) -> bool) -> RoaringBitmap {
        self.twins.iter().filter(|(_, twin)| wanted(twin)).map(|(handle, _)| *handle).collect()
    }

    /// The same in a window, of which some rows are beyond.
    fn check_window(&self, condition: &Expr, expected: &RoaringBitmap, context: &str) {
        let (first, last) = (expected.min().unwrap_or(0), expected.max().unwrap_or(9));
        let within = |row: &u32| (first..=last.saturating_sub(3)).contains(row);
        let window: RoaringBitmap = self.index.rows().iter().filter(within).collect();
        match self.index.plan(condition, Some(&window), self) {
            Plan::Rows { rows, exact: true } => {
                assert_eq!(rows, expected & &window, "{context}: {condition}")
            }
            Plan::Rows { rows, exact: false } => {
                assert!((expected & &window).is_subset(&rows), "{context}: {condition}");
                assert!(rows.is_subset(&window), "{context}: {condition}");
            }
            Plan::Scan => {}
        }
    }

    /// Whether the index answered, exactly or not, after checking that it is right.
    fn check(&self, condition: &Expr, context: &str) -> (bool, bool) {
        let expected = self.scan(condition);
        self.check_window(condition, &expected, context);
        match self.plan(condition) {
            Plan::Scan => (false, false),
            Plan::Rows { rows, exact: true } => {
                assert_eq!(rows, expected, "{context}: {condition}");
                (true, true)
            }
            Plan::Rows { rows, exact: false } => {
                assert!(expected.is_subset(&rows), "{context}: {condition} lost {:?}", &expected - &rows);
                assert!(rows.is_subset(self.index.rows()), "{context}: {condition}");
                (true, false)
            }
        }
    }
}

impl Facts for Model {
    fn connected(&self) -> RoaringBitmap {
        self.rows(|twin| twin.document["connectionState"] == "Connected")
    }

    fn of_device(&self, id: &str) -> RoaringBitmap {
        self.rows(|twin| twin.document["deviceId"] == id)
    }
}

/// A small seeded generator (xorshift64*).
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.roll(items.len())]
    }

    /// Few different ones, ones with a common start, and unique ones.
    fn text(&mut self) -> String {
        match self.roll(4) {
            0 => format!("sn-00{}", self.roll(1000)),
            1 => format!("{}", self.roll(30)),
            _ => (*self.pick(&[
                "",
                "a",
                "ab",
                "b",
                "é",
                "sn-",
                "sn-00",
                "sn-001",
                "z",
                "\u{10ffff}",
                "enabled",
            ]))
            .to_owned(),
        }
    }

    fn scalar(&mut self) -> Json {
        match self.roll(8) {
            0 => Json::Null,
            1 => json!(self.roll(2) == 0),
            2 | 3 => json!(self.roll(6) as i64 - 2),
            4 => json!(*self.pick(&[0.5, -0.0, 1e10, 3.0])),
            _ => json!(self.text()),
        }
    }

    fn section(&mut self, depth: usize) -> Json {
        let mut members = Map::new();
        for _ in 0..self.roll(5) {
            let value = match self.roll(if depth == 0 { 5 } else { 8 }) {
                0 => (0..self.roll(3)).map(|_| self.scalar()).collect(),
                1..=4 => self.scalar(),
                _ => self.section(depth - 1),
            };
            members.insert((*self.pick(&["a", "b", "c", "d e"])).to_owned(), value);
        }
        Json::Object(members)
    }

    fn twin(&mut self) -> Json {
        let with_version = |dice: &mut Dice| {
            let mut section = dice.section(2);
            section["$version"] = json!(dice.roll(5));
            section["$metadata"] = json!({"$lastUpdated": dice.text()});
            section
        };
        let mut twin = json!({
            "deviceId": self.text(), "version": self.roll(9), "status": *self.pick(&["enabled", "disabled"]),
            "connectionState": *self.pick(&["Connected", "Disconnected"]), "lastActivityTime": self.text(),
            "x509Thumbprint": {"primaryThumbprint": null, "secondaryThumbprint": self.text()},
            "tags": self.section(2),
            "properties": {"desired": with_version(self), "reported": with_version(self)},
        });
        if self.roll(2) == 0 {
            twin["capabilities"] = json!({"iotEdge": self.roll(2) == 0});
            twin["parentScopes"] = json!([self.text(), self.text()]);
        }
        twin
    }

    fn path(&mut self) -> Path {
        const HEADS: &[&[&str]] = &[
            &["tags"],
            &["tags"],
            &["properties", "desired"],
            &["properties", "reported"],
            &["properties", "reported"],
        ];
        const FIELDS: &[&[&str]] = &[
            &["deviceId"],
            &["version"],
            &["status"],
            &["connectionState"],
            &["lastActivityTime"],
            &["x509Thumbprint", "primaryThumbprint"],
            &["x509Thumbprint", "secondaryThumbprint"],
            &["capabilities", "iotEdge"],
            &["parentScopes"],
            &["properties", "desired", "$version"],
            &["properties", "desired", "$metadata", "$lastUpdated"],
            &["properties"],
            &["moduleId"],
        ];
        let fields = self.roll(4) == 0;
        let mut path: Vec<String> =
            self.pick(if fields { FIELDS } else { HEADS }).iter().map(|s| (*s).to_owned()).collect();
        if !fields {
            for _ in 0..*self.pick(&[0, 1, 1, 1, 1, 2, 2, 3]) {
                path.push((*self.pick(&["a", "b", "c", "d e", "never"])).to_owned());
            }
        }
        Path(path)
    }

    fn constant(&mut self) -> Constant {
        match self.roll(12) {
            0 => Constant::Undefined,
            1 => Constant::Null,
            2 => Constant::Bool(self.roll(2) == 0),
            3 => Constant::Array((0..self.roll(4)).map(|_| self.constant()).collect()),
            4..=6 => Constant::Number(*self.pick(&[-1.0, 0.0, 1.0, 2.0, 0.5, 1e10, 4.0])),
            7 => Constant::String((*self.pick(&["Connected", "enabled", "disabled"])).to_owned()),
            _ => Constant::String(self.text()),
        }
    }

    fn operand(&mut self) -> Expr {
        match self.roll(12) {
            0..=6 => Expr::Path(self.path()),
            7 => Expr::Neg(Box::new(Expr::Path(self.path()))),
            8 => Expr::Binary(
                Box::new(Expr::Path(self.path())),
                BinaryOp::Add,
                Box::new(Expr::Path(self.path())),
            ),
            9 => self.condition(0),
            _ => Expr::Constant(self.constant()),
        }
    }

    fn condition(&mut self, depth: usize) -> Expr {
        use BinaryOp::{Eq, Ge, Gt, In, Le, Lt, Ne, Nin};
        match self.roll(if depth == 0 { 8 } else { 12 }) {
            0 => Expr::Call(Function::IsDefined, vec![Expr::Path(self.path())]),
            1 => Expr::Call(
                Function::StartsWith,
                vec![Expr::Path(self.path()), Expr::Constant(Constant::String(self.text()))],
            ),
            2 => Expr::Call(Function::ArrayContains, vec![Expr::Path(self.path()), self.operand()]),
            3 => Expr::Path(self.path()),
            4 => {
                let items = (0..self.roll(4)).map(|_| self.constant()).collect();
                let op = *self.pick(&[In, Nin]);
                Expr::Binary(Box::new(self.operand()), op, Box::new(Expr::Constant(Constant::Array(items))))
            }
            5 => {
                let op = *self.pick(&[Eq, Ne, Lt, Le, Gt, Ge]);
                Expr::Binary(Box::new(self.operand()), op, Box::new(self.operand()))
            }
            6 | 7 => {
                let op = *self.pick(&[Eq, Eq, Ne, Lt, Le, Gt, Ge]);
                let constant = Constant::String(self.text());
                let constant = if self.roll(2) == 0 { constant } else { self.constant() };
                Expr::Binary(Box::new(Expr::Path(self.path())), op, Box::new(Expr::Constant(constant)))
            }
            8 => Expr::Not(Box::new(self.condition(depth - 1))),
            9 | 10 => Expr::And((0..2 + self.roll(2)).map(|_| self.condition(depth - 1)).collect()),
            _ => Expr::Or((0..2 + self.roll(2)).map(|_| self.condition(depth - 1)).collect()),
        }
    }
}

/// Small limits, so that a few rows bring a path from posting lists to keys.
fn small(seed: u64) -> Index {
    let rules = match seed % 3 {
        0 => Rules::default(),
        1 => Rules { min_unique_values: 3, ..Rules::default() },
        _ => Rules { max_values: 5, ..Rules::default() },
    };
    let max_plan_values = if seed.is_multiple_of(11) { 60 } else { u64::MAX };
    let rules = Rules { max_plan_values, ..rules };
    let paths = if seed.is_multiple_of(7) { Paths::with_limit(20) } else { Paths::new() };
    Index::with(paths, rules)
}

#[test]
fn plans_agree_with_a_scan_under_random_updates() {
    let (mut answered, mut exact, mut asked) = (0, 0, 0);
    for seed in 0..120 {
        let mut dice = Dice::new(seed);
        let mut model = Model::new(small(seed));
        for round in 0..10 {
            let rows = if round == 3 { 100 } else { 12 };
            let changes: Vec<_> = (0..rows)
                .map(|_| {
                    let handle = dice.roll(40) as u32 * if seed.is_multiple_of(5) { 5003 } else { 1 };
                    (handle, (dice.roll(6) > 0).then(|| dice.twin()))
                })
                .collect();
            match round % 3 {
                0 => model.set_all(changes.into_iter()),
                _ => changes.into_iter().for_each(|(handle, document)| model.set(handle, document)),
            }
            if round == 7 {
                model.rebuild();
            }
            for _ in 0..12 {
                let condition = dice.condition(3);
                let (by_index, exactly) = model.check(&condition, &format!("seed {seed}, round {round}"));
                answered += usize::from(by_index);
                exact += usize::from(exactly);
                asked += 1;
            }
        }
    }
    // The index has to be of use, not only right.
    assert!(answered * 10 > asked * 7 && exact * 10 > asked * 2, "{answered} and {exact} of {asked}");
}

#[test]
fn a_plan_looks_at_no_more_than_it_may() {
    let rules = Rules { max_plan_values: 1000, min_unique_values: 3, ..Rules::default() };
    let mut model = Model::new(Index::with(Paths::new(), rules));
    for n in 0..100 {
        let tags = json!({"n": n, "s": format!("s-{n}"), "few": n % 2 == 0});
        let sections = json!({"desired": {"$version": 1}, "reported": {"$version": 1}});
        model.set(n, Some(json!({"deviceId": "d", "tags": tags, "properties": sections})));
    }
    let terms = |term: &str, count: usize| {
        let text = (0..count).map(|n| term.replace('?', &n.to_string())).collect::<Vec<_>>().join(" OR ");
        Query::parse(&format!("SELECT * FROM devices WHERE {text}")).unwrap().condition.unwrap()
    };
    for (term, most) in [
        ("tags.n < ?", 10),
        ("tags.n = ?", 10),
        ("tags.s > 's-?'", 10),
        ("tags.s = 's-?'", 10),
        ("STARTSWITH(tags.s, 's-?')", 10),
    ] {
        assert!(model.check(&terms(term, most), "cheap enough").0, "{term}");
        assert!(!model.check(&terms(term, most + 1), "too much work").0, "{term}");
    }
    // What costs nothing is not counted, and AND leaves what is too much to the check.
    assert!(model.check(&terms("tags.few = true", 100), "bitmaps").0);
    let and = Expr::And(vec![terms("tags.few = true", 1), terms("tags.n < ?", 30)]);
    assert_eq!(model.check(&and, "half of it"), (true, false));
}

#[test]
fn a_removed_row_leaves_nothing_behind() {
    let mut model = Model::new(small(1));
    let mut dice = Dice::new(7);
    for handle in 0..200 {
        model.set(handle, Some(dice.twin()));
    }
    for handle in 0..200 {
        model.set(handle, None);
    }
    assert!(model.index.rows().is_empty());
    for values in &model.index.values {
        assert!(values.present().is_empty());
        assert_eq!(values.numbers.len(), 0);
    }
}

fn condition(text: &str) -> Expr {
    Query::parse_condition(text).unwrap().expr.unwrap()
}

/// condition, and whether the index answers: exactly, with candidates, or not at all
#[test]
fn what_is_answered_from_the_index() {
    let mut model = Model::new(Index::default());
    let mut dice = Dice::new(3);
    for handle in 0..300 {
        let mut twin = dice.twin();
        twin["tags"]["serial"] = json!(format!("serial-{handle:06}"));
        model.set(handle, Some(twin));
    }
    const EXACT: (bool, bool) = (true, true);
    const CANDIDATES: (bool, bool) = (true, false);
    const SCAN: (bool, bool) = (false, false);
    let table = [
        ("tags.a = 'ab'", EXACT),
        ("tags.a != 'ab'", EXACT),
        ("NOT tags.a = 'ab'", EXACT),
        ("tags.a >= 'b'", EXACT),
        ("'b' > tags.a", EXACT),
        ("tags.a > 1 AND tags.a <= 3", EXACT),
        ("tags.a IN ['a', 1, null]", EXACT),
        ("tags.a NIN ['a', 1]", EXACT),
        ("IS_DEFINED(tags.a)", EXACT),
        ("NOT IS_DEFINED(tags.a.b)", EXACT),
        ("STARTSWITH(tags.a, 'sn-')", EXACT),
        ("NOT STARTSWITH(tags.serial, 'serial-0001')", EXACT),
        ("capabilities.iotEdge = true AND (status = 'enabled' OR version < 3)", EXACT),
        ("connectionState = 'Connected'", EXACT),
        ("connectionState != 'Connected' AND properties.reported.$version = 2", EXACT),
        ("tags.never.was = 1", EXACT),
        ("tags.a", EXACT),
        ("ARRAY_CONTAINS(parentScopes, 'a')", CANDIDATES),
        ("tags.a = tags.b", CANDIDATES),
        ("tags.a + 1 > 2", CANDIDATES),
        ("status = 'enabled' AND properties.desired.$metadata.$lastUpdated > 'a'", CANDIDATES),
        ("status = 'enabled' OR lastActivityTime > 'a'", SCAN),
        ("lastActivityTime > '2026'", SCAN),
    ];
    for (text, expected) in table {
        assert_eq!(model.check(&condition(text), text), expected, "{text}");
    }
}

#[test]
fn unique_strings_are_narrowed_down() {
    let mut model = Model::new(Index::default());
    for handle in 0..6000 {
        let tags = json!({"serial": format!("serial-{handle:06}"), "mac": format!("00:1b:{:02x}:{:02x}", handle / 256, handle % 256)});
        model.set(handle, Some(json!({"tags": tags, "properties": {"desired": {}, "reported": {}}})));
    }
    for (text, most) in [
        ("tags.serial = 'serial-001234'", 3),
        ("tags.serial IN ['serial-001234', 'serial-000001', 'x']", 5),
        ("STARTSWITH(tags.serial, 'serial-0012')", 100),
        ("STARTSWITH(tags.serial, 'ser')", 6000),
        ("STARTSWITH(tags.serial, 'sex')", 0),
        ("tags.serial < 'serial-000010'", 11),
        ("tags.serial >= 'serial-005990' AND tags.mac != ''", 11),
        ("tags.serial > 'z'", 0),
        ("tags.mac = '00:1b:01:02'", 3),
    ] {
        let condition = condition(text);
        model.check(&condition, text);
        match model.plan(&condition) {
            Plan::Rows { rows, .. } => assert!(rows.len() <= most, "{text}: {}", rows.len()),
            Plan::Scan => panic!("{text}"),
        }
    }
}

#[test]
fn rows_are_found_by_a_lookup_of_the_same_path() {
    // What is unpacked and what is read as text must mean the same.
    let twin = Twin::new(json!({
        "deviceId": "d", "x509Thumbprint": {"primaryThumbprint": null}, "tags": {"o": {"x": [1]}, "e\"s": "\n"},
        "properties": {"desired": {}, "reported": {}},
    }));
    let mut model = Model::new(Index::default());
    model.index.update(&[Change { handle: 5, old: None, new: Some(&twin) }]);
    for path in [
        "deviceId",
        "x509Thumbprint.primaryThumbprint",
        "tags.o",
        "tags.o.x",
        "tags.[[e\"s]]",
        "properties.desired",
    ] {
        let plan = model.plan(&condition(&format!("IS_DEFINED({path})")));
        assert!(matches!(plan, Plan::Rows { rows, exact: true } if rows.contains(5)), "{path}");
    }
}
