//! One call of the service API, made until it ends: answered, refused, or given up on.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use twin_core::wire::ApiVersion;
use twin_core::wire::rest::{self, Answer, Call, IfMatch};
use twin_core::{Delivery, Error, ErrorKind, Result};

use crate::options::Retry;
use crate::registry::Registry;

/// What the client calls itself.
const USER_AGENT: &str = concat!("twin-service/", env!("CARGO_PKG_VERSION"));

/// What making a call twice does when the hub has acted on it already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Twice {
    /// The same as once.
    Harmless,
    /// Nothing: the second is refused as a conflict.
    Conflict,
    /// More than once.
    Harmful,
}

fn twice(call: &Call) -> Twice {
    match call {
        Call::PatchTwin { if_match, .. } | Call::ReplaceTwin { if_match, .. } => match if_match {
            IfMatch::ETag(_) => Twice::Conflict,
            IfMatch::Any | IfMatch::Absent => Twice::Harmless,
        },
        Call::PutIdentity { if_match, .. } => match if_match {
            IfMatch::ETag(_) | IfMatch::Absent => Twice::Conflict,
            IfMatch::Any => Twice::Harmless,
        },
        Call::DeleteIdentity { .. } => Twice::Conflict,
        Call::Bulk { .. } => Twice::Harmful,
        _ => Twice::Harmless,
    }
}

/// Whether the hub may have acted on a call that ended in `error`.
fn may_have_happened(error: &Error) -> bool {
    match error.status() {
        // Refused before anything was done.
        Some(status) if status < 500 || status == 503 => false,
        // The hub, or a gateway before it, gave up on the way.
        Some(_) => true,
        None => error.delivery() != Some(Delivery::NotSent),
    }
}

fn is_conflict(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::PreconditionFailed | ErrorKind::AlreadyExists | ErrorKind::NotFound)
}

/// Whether the same request may go better later. What is no answer at all (a redirect, a page of a captive portal) will not.
fn is_passing(error: &Error) -> bool {
    use ErrorKind::{Network, Throttled, Timeout, Unavailable};
    matches!(error.kind(), Throttled | Unavailable | Timeout | Network)
}

impl Retry {
    /// How long to wait before the next attempt, after `attempt` attempts and `elapsed` time; `None` gives up.
    fn wait(&self, attempt: u32, elapsed: Duration, error: &Error, jitter: f64) -> Option<Duration> {
        if attempt >= self.max_attempts || !is_passing(error) {
            return None;
        }
        let doublings = (attempt - 1).min(31);
        let bound = self.first_wait.saturating_mul(1 << doublings).min(self.max_wait);
        let spread = bound.mul_f64(jitter.clamp(0.0, 1.0));
        let wait = match error.retry_after() {
            // Not earlier than asked, and not all at the same moment.
            Some(asked) => asked + spread.min(self.first_wait),
            None => spread,
        };
        (elapsed + wait <= self.give_up_after).then_some(wait)
    }
}

impl Registry {
    /// Makes `call`, again and again as the retry rules say. `what` starts the message of an error.
    pub(crate) async fn call(&self, what: impl Fn() -> String, call: Call) -> Result<Answer> {
        let inner = &*self.0;
        // Attempts take real time, waits take the clock's: neither looks at a wall clock that may jump.
        let mut elapsed = Duration::ZERO;
        let twice = twice(&call);
        let mut unanswered = false;
        let mut attempt = 1;
        loop {
            let begun = Instant::now();
            let error = match self.attempt(&call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            elapsed += begun.elapsed();
            if unanswered && twice == Twice::Conflict && is_conflict(&error) {
                return Err(error.with_delivery(Delivery::Unknown).context(format!(
                    "{}: an earlier attempt got no answer and may be what this conflicts with; read the current state",
                    what()
                )));
            }
            let happened = may_have_happened(&error);
            let again = if happened && twice == Twice::Harmful {
                None
            } else {
                inner.retry.wait(attempt, elapsed, &error, inner.clock.jitter())
            };
            let Some(wait) = again else {
                let error = inner.tokens.explain(error, inner.clock.now());
                return Err(finish(error, what(), attempt, unanswered || happened));
            };
            unanswered |= happened;
            tracing::debug!(attempt, ?wait, %error, "trying again");
            inner.clock.sleep(wait).await;
            elapsed += wait;
            attempt += 1;
        }
    }

    async fn attempt(&self, call: &Call) -> Result<Answer> {
        let inner = &*self.0;
        let token = inner.tokens.current(inner.clock.now());
        let mut request = rest::say(call, ApiVersion::OURS);
        request.headers.push(("authorization", token.expose().to_owned()));
        request.headers.push(("user-agent", USER_AGENT.to_owned()));
        let response = inner.http.send(request).await?;
        if (300..400).contains(&response.status) {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("{} answers with a redirect, which is not followed; check the host name", inner.host),
            )
            .with_status(response.status)
            .with_delivery(Delivery::Refused));
        }
        rest::hear_answer(call, response)
    }

    /// Like [`Registry::call`], for calls answered with one JSON document.
    pub(crate) async fn call_json<T: DeserializeOwned>(
        &self,
        what: impl Fn() -> String,
        call: Call,
    ) -> Result<T> {
        match self.call(&what, call).await? {
            Answer::Json { body, .. } => parse(&body).map_err(|e| e.context(what())),
            _ => Err(no_document().context(what())),
        }
    }
}

fn finish(error: Error, what: String, attempts: u32, may_have_happened: bool) -> Error {
    let error = if attempts > 1 { error.context(format!("after {attempts} attempts")) } else { error };
    let error = if may_have_happened { error.with_delivery(Delivery::Unknown) } else { error };
    error.context(what)
}

pub(crate) fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T> {
    // The parser's own message can repeat parts of the body, and bodies of identities hold keys.
    serde_json::from_slice(body).map_err(|e| {
        Error::new(
            ErrorKind::Protocol,
            format!(
                "the hub's answer is not the JSON it should be, at line {} column {}",
                e.line(),
                e.column()
            ),
        )
        .with_delivery(Delivery::Unknown)
    })
}

pub(crate) fn no_document() -> Error {
    Error::new(ErrorKind::Protocol, "the hub's answer has no document").with_delivery(Delivery::Unknown)
}
