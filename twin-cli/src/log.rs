//! Logs on stderr.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::fail::{Failure, Result};
use crate::style::Paint;

/// `--log-format`
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Plain,
    /// One JSON object a line.
    Json,
}

/// Starts logging at `level`: `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,twin_hub=debug`.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<()> {
    let filter = EnvFilter::try_new(level).map_err(|e| {
        Failure::misuse(format!(
            "--log-level '{level}': {e}; use error, warn, info, debug, trace or module=level"
        ))
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let done = match format {
        LogFormat::Plain => builder.with_ansi(Paint::stderr().is_on()).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    done.map_err(|e| Failure::local(format!("cannot log: {e}")))
}
