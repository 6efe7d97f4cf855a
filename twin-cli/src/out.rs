//! Printing: tables for people, JSON for programs.

use std::io::Write;

use serde_json::{Map, Value};

use crate::fail::Result;
use crate::style::{Paint, Style};

/// `-o`
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs: stable keys.
    Json,
}

/// One line on stdout, at once.
pub(crate) fn line(text: impl AsRef<str>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", text.as_ref())?;
    Ok(out.flush()?)
}

/// A document, indented.
pub(crate) fn json(value: &Value) -> Result<()> {
    line(format!("{value:#}"))
}

/// One line of talk on stderr.
pub(crate) fn talk(text: impl AsRef<str>) {
    eprintln!("{}", Paint::stderr().paint(Style::Dim, text));
}

/// Rows below a header, columns as wide as they need to be.
pub(crate) fn table(header: &[String], rows: &[Vec<String>]) -> Result<()> {
    let paint = Paint::stdout();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).chain(header.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let print = |row: &[String]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    line(paint.paint(Style::Bold, print(header)))?;
    rows.iter().try_for_each(|row| line(print(row)))
}

/// `name  value` lines; a value of several lines is indented below its first.
pub(crate) fn facts(facts: &[(&str, String)]) -> Result<()> {
    let paint = Paint::stdout();
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in facts {
        let indented = value.replace('\n', &format!("\n{:width$}  ", ""));
        line(format!("{}  {indented}", paint.paint(Style::Dim, format!("{name:width$}"))))?;
    }
    Ok(())
}

/// A value in a table's cell: text without quotes, everything else as compact JSON.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        other => other.to_string(),
    }
}

/// An object as indented JSON with coloured names, or `{}`.
pub(crate) fn object(members: &Map<String, Value>) -> String {
    let mut text = String::new();
    pretty(&Value::Object(members.clone()), 0, Paint::stdout(), &mut text);
    text
}

fn pretty(value: &Value, depth: usize, paint: Paint, out: &mut String) {
    let pad = "  ".repeat(depth + 1);
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push_str("{\n");
            for (i, (name, member)) in members.iter().enumerate() {
                let name = paint.paint(Style::Cyan, Value::String(name.clone()).to_string());
                out.push_str(&format!("{pad}{name}: "));
                pretty(member, depth + 1, paint, out);
                out.push_str(if i + 1 < members.len() { ",\n" } else { "\n" });
            }
            out.push_str(&format!("{}}}", "  ".repeat(depth)));
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_stay_on_their_line() {
        for (value, text) in [
            (json!("a\nb\u{1b}[31m"), "a b [31m"),
            (json!({"x": 1}), "{\"x\":1}"),
            (json!(null), ""),
            (json!(1.5), "1.5"),
        ] {
            assert_eq!(cell(&value), text);
        }
    }

    #[test]
    fn objects_are_readable_json() {
        let value = json!({"a": {"b": [1, 2]}, "c": {}});
        let text = object(value.as_object().unwrap());
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert_eq!(text, "{\n  \"a\": {\n    \"b\": [1,2]\n  },\n  \"c\": {}\n}");
    }
}
