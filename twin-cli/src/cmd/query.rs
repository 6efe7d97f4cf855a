//! `twin query 'SELECT …'`

use clap::Args;
use serde_json::{Value, json};
use twin_service::{Error, ErrorKind, Page};

use crate::context::Context;
use crate::fail::{Failure, Result};
use crate::out;

/// Finds twins, or counts them: 'SELECT * FROM devices WHERE tags.location.plant = '\''Redmond43'\'''
///
/// Shows one page, and how to go on; --all shows every page.
#[derive(Args)]
pub(crate) struct Query {
    /// The query
    #[arg(value_name = "SELECT…")]
    text: String,
    /// Most rows of a page
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(twin_service::MAX_PAGE_SIZE)))]
    page_size: Option<u32>,
    /// Shows all pages
    #[arg(long)]
    all: bool,
    /// Goes on from the token that the page before ended with; give the same query and page size
    #[arg(long, value_name = "TOKEN")]
    resume: Option<String>,
}

impl Query {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        let mut query = cx.registry()?.query(&self.text);
        if let Some(rows) = self.page_size {
            query = query.page_size(rows);
        }
        if let Some(token) = self.resume {
            query = query.resume_from(token);
        }
        let mut pages = query.pages();
        let mut printer = Printer::default();
        while let Some(page) = pages.next_page().await.map_err(|e| point_at(&self.text, e))? {
            printer.page(cx, &page)?;
            if !self.all && !page.is_empty() {
                break;
            }
        }
        printer.end(cx)?;
        if let Some(token) = pages.continuation() {
            out::talk(format!(
                "more rows follow: --all, or --resume '{token}' with the same query and page size"
            ));
        }
        Ok(())
    }
}

/// Shows where the text of a refused query goes wrong, if our own parser finds it wrong as well.
fn point_at(text: &str, error: Error) -> Failure {
    let next = match twin_core::query::Query::parse(text) {
        Err(wrong) if error.kind() == ErrorKind::Rejected => {
            let line = text.lines().nth(wrong.line - 1).unwrap_or_default();
            Some(format!(
                "look here:\n    {line}\n    {:>width$} {}",
                "^",
                wrong.message,
                width = wrong.column
            ))
        }
        _ => None,
    };
    Failure::Error { error, next }
}

/// Prints page after page as one JSON array, or as a table each.
#[derive(Default)]
struct Printer {
    rows: usize,
}

impl Printer {
    fn page(&mut self, cx: &Context, page: &Page) -> Result<()> {
        let rows = page.rows()?;
        if cx.is_json() {
            for row in &rows {
                out::line(format!("{}{row}", if self.rows == 0 { "[ " } else { ", " }))?;
                self.rows += 1;
            }
            return Ok(());
        }
        self.rows += rows.len();
        if rows.is_empty() {
            return Ok(());
        }
        let rows: Vec<Value> = if page.has_twins() { rows.iter().map(summary).collect() } else { rows };
        let header = columns(&rows);
        let cells = rows
            .iter()
            .map(|row| header.iter().map(|name| row.get(name).map_or_else(String::new, out::cell)).collect())
            .collect::<Vec<Vec<String>>>();
        out::table(&header, &cells)
    }

    fn end(&self, cx: &Context) -> Result<()> {
        match (cx.is_json(), self.rows) {
            (true, 0) => out::line("[]"),
            (true, _) => out::line("]"),
            (false, 0) => {
                out::talk("no rows");
                Ok(())
            }
            (false, rows) => {
                out::talk(format!("{rows} row{}", if rows == 1 { "" } else { "s" }));
                Ok(())
            }
        }
    }
}

/// The members of a whole twin that fit on a line, in the order people look for them.
fn summary(twin: &Value) -> Value {
    let mut row = serde_json::Map::new();
    for name in ["deviceId", "moduleId", "status", "connectionState", "tags"] {
        if let Some(value) = twin.get(name) {
            row.insert(name.to_owned(), value.clone());
        }
    }
    for section in ["desired", "reported"] {
        let Some(Value::Object(members)) = twin.pointer(&format!("/properties/{section}")) else { continue };
        let plain: serde_json::Map<String, Value> = members
            .iter()
            .filter(|(name, _)| !name.starts_with('$'))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        row.insert(section.to_owned(), json!(plain));
    }
    Value::Object(row)
}

/// The names of all members: the known ones first, then by alphabet.
fn columns(rows: &[Value]) -> Vec<String> {
    let known = ["deviceId", "moduleId", "status", "connectionState", "tags", "desired", "reported"];
    let mut names: Vec<String> =
        rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys().cloned()).collect();
    names.sort_by_key(|name| (known.iter().position(|k| k == name).unwrap_or(known.len()), name.clone()));
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_the_union_of_members() {
        let rows = [json!({"z": 1, "deviceId": "a"}), json!({"b": 2, "z": 3})];
        assert_eq!(columns(&rows), ["deviceId", "b", "z"]);
    }
}
