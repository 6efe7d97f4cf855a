//! SQLite, in the process of Python that asks it: Python comes with it, so that nothing has to be built for it here.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::find;
use crate::bench::Outcome;

/// What to do about its absence.
pub const MISSING: &str = "peer not found: install Debian's python3, which has SQLite";

const PROGRAM: &str = include_str!("sqlite.py");

/// A database in a file.
#[derive(Debug)]
pub struct Sqlite {
    child: Child,
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    _folder: TempDir,
}

impl Sqlite {
    /// An empty one; `None` if there is no Python.
    pub fn start() -> Outcome<Option<Sqlite>> {
        let Some(python) = find("python3", &[]) else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(python);
        command.args(["-c", PROGRAM]).arg(folder.path().join("twins.db"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let ask = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        Ok(Some(Sqlite { child, ask, answers, _folder: folder }))
    }

    fn ask(&mut self, question: &Value) -> Outcome<Value> {
        let ask = self.ask.as_mut().ok_or("SQLite is stopping")?;
        writeln!(ask, "{question}")?;
        ask.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).map_err(|e| format!("SQLite said {line:?}: {e}").into())
    }

    /// Makes the table of rows `id TAB doc` and its indexes; `load` and `index` in seconds, `bytes` on disk.
    pub fn load(&mut self, rows: &Path, indexes: &[&str]) -> Outcome<Value> {
        self.ask(&json!({"load": rows, "indexes": indexes}))
    }

    /// Milliseconds that a statement takes with all its rows, each time.
    pub fn times(&mut self, sql: &str, times: usize) -> Outcome<Vec<f64>> {
        Ok(serde_json::from_value(self.ask(&json!({"sql": sql, "times": times}))?)?)
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.ask = None;
        let _ = self.child.wait();
    }
}
