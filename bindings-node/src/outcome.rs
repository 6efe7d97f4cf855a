//! Results as JSON: `{"ok":…}` or `{"failure":{kind,message,…}}`.

use serde_json::{Map, Value, json};
use twin_device::{Delivery, Error};

/// The end of an operation.
pub(crate) fn outcome(result: Result<Value, Error>) -> String {
    match result {
        Ok(value) => json!({ "ok": value }).to_string(),
        Err(error) => json!({ "failure": failure(&error) }).to_string(),
    }
}

/// An error and everything that is known about it; `packages/azure-iot-common/lib/classify.js` reads it.
pub(crate) fn failure(error: &Error) -> Value {
    let mut facts = Map::new();
    let mut fact = |name: &str, value: Value| {
        if !value.is_null() {
            facts.insert(name.into(), value);
        }
    };
    fact("kind", error.kind().name().into());
    fact("message", error.message().into());
    fact("retryable", error.is_retryable().into());
    fact("status", error.status().into());
    fact("code", error.code().into());
    fact("codeName", error.code_name().into());
    fact("trackingId", error.tracking_id().into());
    fact("retryAfterMs", error.retry_after().map(|wait| wait.as_millis() as u64).into());
    fact(
        "delivery",
        error
            .delivery()
            .map(|delivery| match delivery {
                Delivery::NotSent => "NotSent",
                Delivery::Refused => "Refused",
                // Whatever is added later: nothing is promised.
                _ => "Unknown",
            })
            .into(),
    );
    fact("os", os_error(error));
    fact("cause", std::error::Error::source(error).map(|source| source.to_string()).into());
    Value::Object(facts)
}

/// The system's own word for what went wrong, where there is one: its number, or the name that Node has for a failed
/// lookup.
fn os_error(error: &Error) -> Value {
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        if let Some(io) = source.downcast_ref::<std::io::Error>() {
            if let Some(number) = io.raw_os_error() {
                return number.into();
            }
            // The resolver's errors have no number.
            if io.to_string().starts_with("failed to lookup address") {
                return "ENOTFOUND".into();
            }
        }
        next = source.source();
    }
    Value::Null
}
