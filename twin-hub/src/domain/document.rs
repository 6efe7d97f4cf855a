//! The views of a record: what the device reads, what the backend reads. Sections are copied as they are, so a
//! view costs one allocation and no parsing, metadata aside.

use bytes::Bytes;
use serde_json::Value;
use twin_core::TwinKey;
use twin_core::identity::{Authentication, Identity};

use super::{Presence, Record};

/// Room for the fixed members of a service view beside its sections, in bytes.
const FIXED_BYTES: usize = 768;

/// The twin as the device reads it: `{"desired":{…,"$version":n},"reported":{…,"$version":m}}`, without the
/// `properties` wrapper and without metadata (observed: azure-docs #21305).
pub(crate) fn device_twin(record: &Record) -> Bytes {
    let parts = record.parts();
    // Two versions of at most 20 digits and the fixed text fit into 96 bytes.
    let mut to = Vec::with_capacity(parts.desired.len() + parts.reported.len() + 96);
    to.extend_from_slice(b"{\"desired\":");
    push_with_version(&mut to, parts.desired, parts.desired_version);
    to.extend_from_slice(b",\"reported\":");
    push_with_version(&mut to, parts.reported, parts.reported_version);
    to.push(b'}');
    to.into()
}

/// `object` with `$version` as its last member.
fn push_with_version(to: &mut Vec<u8>, object: &[u8], version: u64) {
    to.extend_from_slice(&object[..object.len() - 1]);
    if object.len() > 2 {
        to.push(b',');
    }
    to.extend_from_slice(b"\"$version\":");
    push_number(to, version);
    to.push(b'}');
}

fn push_number(to: &mut Vec<u8>, n: u64) {
    use std::io::Write;
    write!(to, "{n}").expect("a Vec takes everything");
}

/// The twin as the backend reads it, with every member that the service's documents name: Java's parser fails on a
/// twin without `status` or `connectionState` (azure-iot-sdk-java #1611).
pub(crate) fn service_twin(key: &TwinKey, record: &Record, presence: &Presence) -> Vec<u8> {
    let parts = record.parts();
    let mut to = Vec::with_capacity(
        FIXED_BYTES
            + parts.tags.len()
            + parts.desired.len()
            + parts.reported.len()
            + 8 * (parts.desired_metadata.len() + parts.reported_metadata.len()),
    );
    push_service_twin(&mut to, key, record, presence);
    to
}

/// [`service_twin`] at the end of `to`.
pub(crate) fn push_service_twin(to: &mut Vec<u8>, key: &TwinKey, record: &Record, presence: &Presence) {
    let parts = record.parts();
    let head = head(key, record, &record.identity(), presence);
    to.push(b'{');
    for (name, value) in &head {
        if to.last() != Some(&b'{') {
            to.push(b',');
        }
        push_json(to, &Value::String((*name).into()));
        to.push(b':');
        push_json(to, value);
    }
    to.extend_from_slice(b",\"tags\":");
    to.extend_from_slice(parts.tags);
    to.extend_from_slice(b",\"properties\":{\"desired\":");
    record.desired().write_service_view(to);
    to.extend_from_slice(b",\"reported\":");
    record.reported().write_service_view(to);
    to.extend_from_slice(b"}}");
}

fn push_json(to: &mut Vec<u8>, value: &Value) {
    serde_json::to_writer(to, value).expect("a JSON value can always be written");
}

/// Every member of a twin but tags and properties, in the order in which the service prints them.
pub(super) fn head(
    key: &TwinKey,
    record: &Record,
    identity: &Identity,
    presence: &Presence,
) -> Vec<(&'static str, Value)> {
    let mut to = vec![("deviceId", Value::from(key.device.as_str()))];
    if let Some(module) = &key.module {
        to.push(("moduleId", module.as_str().into()));
    }
    to.push(("etag", record.etag().as_str().into()));
    to.push(("deviceEtag", identity.etag.as_ref().map_or("", |e| e.as_str()).into()));
    to.push(("status", identity.status.as_str().into()));
    if let Some(reason) = &identity.status_reason {
        to.push(("statusReason", reason.as_str().into()));
    }
    to.push(("statusUpdateTime", identity.status_updated_time.to_string().into()));
    to.push(("connectionState", connection_state(presence.connected).into()));
    to.push(("lastActivityTime", presence.active.to_string().into()));
    to.push(("cloudToDeviceMessageCount", 0.into()));
    to.push((
        "authenticationType",
        identity.authentication.as_ref().map_or("none", Authentication::type_name).into(),
    ));
    to.push(("x509Thumbprint", thumbprints(identity.authentication.as_ref())));
    to.push(("modelId", record.model().into()));
    to.push(("version", record.parts().version.into()));
    if key.module.is_none() {
        to.push(("capabilities", serde_json::json!({ "iotEdge": identity.edge })));
        if let Some(scope) = &identity.device_scope {
            to.push(("deviceScope", scope.as_str().into()));
        }
        if !identity.parent_scopes.is_empty() {
            to.push(("parentScopes", identity.parent_scopes.clone().into()));
        }
    }
    to
}

/// `Connected` or `Disconnected`
pub(super) fn connection_state(connected: bool) -> &'static str {
    if connected { "Connected" } else { "Disconnected" }
}

fn thumbprints(authentication: Option<&Authentication>) -> Value {
    let (primary, secondary) = match authentication {
        Some(Authentication::SelfSigned { primary, secondary }) => (primary.as_deref(), secondary.as_deref()),
        _ => (None, None),
    };
    serde_json::json!({ "primaryThumbprint": primary, "secondaryThumbprint": secondary })
}
