//! One Node.js script, played twice against the same hub: on the official packages and on ours. What it says comes line
//! by line and is compared; differences must be listed, and what is listed must differ.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a script said once: under which name, and which values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What the values are of.
    pub what: String,
    /// The values.
    pub values: Vec<Value>,
}

/// A difference that is meant, from `tests/node/compare/allowed.json`.
#[derive(Debug, Deserialize)]
pub struct Allowance {
    /// The scripts that show it.
    pub scripts: Vec<String>,
    /// The name under which it is said; `order` is the order of the names.
    pub what: String,
    /// What the official packages say, in all transports that are played.
    pub official: Value,
    /// What ours say.
    pub ours: Value,
    /// Which one of the packages' READMEs it is: the first cell of a row there, which has the reason.
    pub difference: String,
}

/// What was said under each name, and in which order the names came.
fn by_name(lines: &[Line]) -> BTreeMap<&str, Vec<&[Value]>> {
    let mut said: BTreeMap<&str, Vec<&[Value]>> = BTreeMap::new();
    for line in lines {
        said.entry(&line.what).or_default().push(&line.values);
    }
    said
}

/// The differences between two plays of `script` that no allowance covers, each as the allowance it would take. Counts in
/// `used` which allowances were needed.
pub fn differences(
    script: &str,
    official: &[Line],
    ours: &[Line],
    allowed: &[Allowance],
    used: &mut [usize],
) -> Vec<String> {
    let mut found = Vec::new();
    let mut judge = |what: &str, official: Value, ours: Value| -> bool {
        if official == ours {
            return true;
        }
        let covering = allowed.iter().position(|a| {
            a.what == what
                && a.official == official
                && a.ours == ours
                && a.scripts.iter().any(|name| name == script)
        });
        match covering {
            Some(index) => used[index] += 1,
            None => found.push(
                json!({ "scripts": [script], "what": what, "official": official, "ours": ours }).to_string(),
            ),
        }
        false
    };
    let (theirs, mine) = (by_name(official), by_name(ours));
    let nothing = Vec::new();
    let mut same = Vec::new();
    for what in theirs.keys().chain(mine.keys().filter(|what| !theirs.contains_key(*what))) {
        let [theirs, mine] = [&theirs, &mine].map(|said| said.get(what).unwrap_or(&nothing));
        if judge(what, json!(theirs), json!(mine)) {
            same.push(*what);
        }
    }
    let order = |lines: &[Line]| -> Value {
        lines.iter().map(|line| line.what.as_str()).filter(|what| same.contains(what)).collect()
    };
    judge("order", order(official), order(ours));
    found
}

/// A message with everything that is wrong, or nothing; `readmes` is the text of those.
pub fn report(found: &[String], allowed: &[Allowance], used: &[usize], readmes: &str) -> Option<String> {
    let mut text = String::new();
    for difference in found {
        let _ = writeln!(text, "differs, and is not listed:\n  {difference}");
    }
    for (allowance, used) in allowed.iter().zip(used) {
        if *used == 0 {
            let _ = writeln!(text, "listed, but does not differ: {:?} {}", allowance.scripts, allowance.what);
        }
        if !readmes.contains(&format!("\n| {} |", allowance.difference)) {
            let _ = writeln!(text, "in no README: {:?}, of {:?}", allowance.difference, allowance.scripts);
        }
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &[(&str, i32)]) -> Vec<Line> {
        lines.iter().map(|(what, n)| Line { what: (*what).into(), values: vec![json!(n)] }).collect()
    }

    fn allowance(what: &str, official: Value, ours: Value) -> Allowance {
        Allowance { scripts: vec!["s".into()], what: what.into(), official, ours, difference: "d".into() }
    }

    #[test]
    fn differences_are_found_by_value_and_by_order_and_allowances_are_exact() {
        let two = allowance("b", json!([[2]]), json!([[3]]));
        let cases = [
            (vec![("a", 1), ("b", 2)], vec![("a", 1), ("b", 2)], vec![], 0),
            (vec![("a", 1), ("b", 2)], vec![("a", 1), ("b", 3)], vec![], 1),
            (vec![("a", 1), ("b", 2)], vec![("a", 1), ("b", 3)], vec![two], 0),
            (vec![("a", 1), ("b", 2)], vec![("b", 2), ("a", 1)], vec![], 1),
            (vec![("a", 1)], vec![("a", 1), ("a", 1)], vec![], 1),
            (vec![("a", 1)], vec![], vec![], 1),
        ];
        for (official, ours, allowed, expected) in cases {
            let mut used = vec![0; allowed.len()];
            let found = differences("s", &said(&official), &said(&ours), &allowed, &mut used);
            assert_eq!(found.len(), expected, "{official:?} {ours:?}: {found:?}");
            assert!(used.iter().all(|n| *n == 1));
        }
        let stale = [allowance("a", json!([]), json!([]))];
        let readme = "\n| d | here | because |";
        assert!(report(&[], &stale, &[0], readme).unwrap().contains("does not differ"));
        assert!(report(&[], &stale, &[1], "").unwrap().contains("in no README"));
        assert_eq!(report(&[], &stale, &[1], readme), None);
    }
}
