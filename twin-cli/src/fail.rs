//! What went wrong, for a person or a program: what was asked, what answered, what to try next; and the exit code.

use std::process::ExitCode;

use serde_json::json;
use twin_core::{Delivery, Error, ErrorKind};

use crate::style::{Paint, Style};

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// A command that did not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command was used wrongly: exit code 2.
    Misuse(String),
    /// A library's error, with a hint that knows more than its kind does.
    Error { error: Error, next: Option<String> },
    /// Something of this machine: a file, a port.
    Local(String),
    /// Whoever read our output has gone: nothing to say, and to nobody.
    NobodyReads,
}

impl Failure {
    pub(crate) fn misuse(message: impl Into<String>) -> Self {
        Failure::Misuse(message.into())
    }

    pub(crate) fn local(message: impl Into<String>) -> Self {
        Failure::Local(message.into())
    }

    /// Says it on stderr, and returns the exit code.
    pub(crate) fn report(self, json: bool) -> ExitCode {
        let code = match &self {
            Failure::NobodyReads => return ExitCode::SUCCESS,
            Failure::Misuse(_) => 2,
            Failure::Error { error, .. } if error.kind() == ErrorKind::InvalidArgument => 2,
            Failure::Error { .. } | Failure::Local(_) => 1,
        };
        eprintln!("{}", if json { self.as_json() } else { self.as_text(Paint::stderr()) });
        ExitCode::from(code)
    }

    fn as_text(&self, paint: Paint) -> String {
        let mut lines = Vec::new();
        let head = paint.paint(Style::Red, "twin:");
        match self {
            Failure::NobodyReads => {}
            Failure::Misuse(message) => {
                lines.push(format!("{head} {message}"));
                lines.push(format!(
                    "  {} twin --help, or --help after a command",
                    paint.paint(Style::Dim, "try:")
                ));
            }
            Failure::Local(message) => lines.push(format!("{head} {message}")),
            Failure::Error { error, next } => {
                lines.push(format!("{head} {}", error.message()));
                if let Some(answered) = answered(error) {
                    lines.push(format!("  {} {answered}", paint.paint(Style::Dim, "answer:")));
                }
                if error.delivery() == Some(Delivery::Unknown) && error.status().is_none() {
                    let text = "no answer came, so the hub may have done it nevertheless";
                    lines.push(format!("  {} {text}", paint.paint(Style::Dim, "note:")));
                }
                if let Some(next) = next.clone().or_else(|| advice(error)) {
                    lines.push(format!("  {} {next}", paint.paint(Style::Dim, "try:")));
                }
            }
        }
        lines.join("\n")
    }

    fn as_json(&self) -> String {
        let value = match self {
            Failure::NobodyReads => json!(null),
            Failure::Misuse(message) => json!({"kind": "InvalidArgument", "message": message}),
            Failure::Local(message) => json!({"kind": "Local", "message": message}),
            Failure::Error { error, next } => json!({
                "kind": error.kind().name(),
                "message": error.message(),
                "status": error.status(),
                "code": error.code(),
                "codeName": error.code_name(),
                "trackingId": error.tracking_id(),
                "retryAfterSeconds": error.retry_after().map(|d| d.as_secs()),
                "mayHaveHappened": error.delivery() == Some(Delivery::Unknown),
                "next": next.clone().or_else(|| advice(error)),
            }),
        };
        json!({ "error": value }).to_string()
    }
}

/// Status, hub code and tracking id, as far as known.
fn answered(error: &Error) -> Option<String> {
    let mut facts = Vec::new();
    facts.extend(error.status().map(|s| format!("status {s}")));
    match (error.code(), error.code_name()) {
        (Some(code), Some(name)) => facts.push(format!("{code} {name}")),
        (Some(code), None) => facts.push(format!("code {code}")),
        (None, Some(name)) => facts.push(name.to_owned()),
        (None, None) => {}
    }
    facts.extend(error.tracking_id().map(|id| format!("tracking id {id}")));
    facts.extend(error.retry_after().map(|d| format!("retry after {} s", d.as_secs())));
    (!facts.is_empty()).then(|| facts.join(", "))
}

/// What to try next, as far as the kind tells.
fn advice(error: &Error) -> Option<String> {
    let text = match error.kind() {
        ErrorKind::InvalidArgument => "--help after the command shows what it takes",
        ErrorKind::Unauthorized => {
            "check the key in the connection string, that the device is enabled, and this machine's clock; \
             'twin sas explain' reads a token"
        }
        ErrorKind::Forbidden => {
            "use a policy with the right for this (iothubowner has all), or check the hub's quotas"
        }
        ErrorKind::NotFound => "'twin device list' shows the devices; ids are case-sensitive",
        ErrorKind::AlreadyExists => {
            "'twin device show' shows what is there; delete it first, or choose another id"
        }
        ErrorKind::PreconditionFailed => {
            "somebody changed it meanwhile: 'twin get' shows it with its new etag"
        }
        ErrorKind::TooLarge => {
            "make it smaller: tags may have 8 KB, desired and reported properties 32 KB each"
        }
        ErrorKind::Throttled => "wait, then again; 'twin query' with larger pages makes fewer requests",
        ErrorKind::Unavailable => "again in a while; quote the tracking id to the hub's operator if it lasts",
        ErrorKind::Timeout | ErrorKind::Network => {
            "check HostName in the connection string and that a hub runs there ('twin hub' starts one)"
        }
        ErrorKind::Storage => "free disk space, or stop the other hub that uses this directory",
        _ => return None,
    };
    Some(text.to_owned())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error { error, next: None }
    }
}

/// For output: a reader that has gone is not a failure.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::NobodyReads,
            _ => Failure::local(format!("cannot write the output: {error}")),
        }
    }
}
