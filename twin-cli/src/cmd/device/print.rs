//! Identities, for people and programs. Keys only show when asked for.

use serde_json::{Value, json};
use twin_service::{Authentication, Identity, Status, Timestamp};

use crate::context::Context;
use crate::fail::Result;
use crate::out;

/// One identity.
pub(crate) fn identity(cx: &Context, identity: &Identity, show_keys: bool) -> Result<()> {
    if cx.is_json() {
        return out::json(&document(identity, show_keys));
    }
    let mut facts = vec![("device", identity.device_id.to_string())];
    if let Some(module) = &identity.module_id {
        facts.push(("module", module.to_string()));
    }
    let status = match &identity.status_reason {
        Some(reason) => format!("{} ({reason})", status(identity)),
        None => status(identity).to_owned(),
    };
    facts.extend([
        ("status", status),
        ("authentication", authentication(identity).to_owned()),
        ("connection", connection(identity).to_owned()),
        ("last activity", time(identity.last_activity_time)),
    ]);
    if identity.edge {
        facts.push(("capabilities", "IoT Edge".to_owned()));
    }
    match &identity.authentication {
        Some(Authentication::SelfSigned { primary, secondary }) => {
            facts.extend(primary.clone().map(|t| ("primary thumbprint", t)));
            facts.extend(secondary.clone().map(|t| ("secondary thumbprint", t)));
        }
        Some(Authentication::Sas { primary, secondary }) if show_keys => {
            facts.push(("primary key", primary.expose_base64().to_string()));
            facts.push(("secondary key", secondary.expose_base64().to_string()));
        }
        _ => {}
    }
    facts.extend(identity.etag.as_ref().map(|etag| ("etag", etag.as_str().to_owned())));
    out::facts(&facts)
}

/// Many identities, a line each.
pub(crate) fn identities(cx: &Context, identities: &[Identity]) -> Result<()> {
    if cx.is_json() {
        return out::json(&Value::Array(identities.iter().map(|i| document(i, false)).collect()));
    }
    if identities.is_empty() {
        out::talk("none");
        return Ok(());
    }
    let header = ["id", "status", "authentication", "connection", "last activity"].map(str::to_owned);
    let row = |i: &Identity| {
        vec![
            i.key().to_string(),
            status(i).to_owned(),
            authentication(i).to_owned(),
            connection(i).to_owned(),
            time(i.last_activity_time),
        ]
    };
    out::table(&header, &identities.iter().map(row).collect::<Vec<_>>())
}

/// As the REST interface prints it, without the keys unless they are wanted.
fn document(identity: &Identity, show_keys: bool) -> Value {
    let mut document = identity.to_json();
    if let (false, Some(keys)) = (show_keys, document.pointer_mut("/authentication/symmetricKey")) {
        *keys = json!({ "primaryKey": null, "secondaryKey": null });
    }
    document
}

fn time(at: Timestamp) -> String {
    if at == Timestamp::NEVER { "never".to_owned() } else { at.to_string() }
}

fn status(identity: &Identity) -> &'static str {
    match identity.status {
        Status::Enabled => "enabled",
        Status::Disabled => "disabled",
    }
}

fn connection(identity: &Identity) -> &'static str {
    if identity.connected { "Connected" } else { "Disconnected" }
}

fn authentication(identity: &Identity) -> &'static str {
    match &identity.authentication {
        Some(Authentication::Sas { .. }) => "sas",
        Some(Authentication::SelfSigned { .. }) => "x509",
        Some(Authentication::CertificateAuthority) => "ca",
        Some(Authentication::None) | None => "none",
    }
}
