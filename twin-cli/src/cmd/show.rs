//! A twin for people.

use serde_json::Value;
use twin_service::{Properties, Twin};

use crate::context::Context;
use crate::fail::Result;
use crate::out;

/// The twin's document, or its parts below each other.
pub(crate) fn twin(cx: &Context, twin: &Twin) -> Result<()> {
    if cx.is_json() { out::json(&twin.to_json()) } else { parts(twin) }
}

pub(crate) fn parts(twin: &Twin) -> Result<()> {
    let mut facts = vec![("device", twin.device_id.to_string())];
    if let Some(module) = &twin.module_id {
        facts.push(("module", module.to_string()));
    }
    if let Some(status) = twin.status() {
        let reason = twin.extra.get("statusReason").and_then(Value::as_str);
        facts.push(("status", reason.map_or(status.to_owned(), |r| format!("{status} ({r})"))));
    }
    facts.extend(twin.connection_state().map(|state| ("connection", state.to_owned())));
    facts.push(("etag", twin.etag.as_str().to_owned()));
    facts.push(("version", twin.version.to_string()));
    facts.push(("tags", out::object(&twin.tags)));
    facts.push(("desired", section(&twin.desired)));
    facts.push(("reported", section(&twin.reported)));
    out::facts(&facts)
}

fn section(properties: &Properties) -> String {
    format!("{}  ($version {})", out::object(&properties.value), properties.version)
}
