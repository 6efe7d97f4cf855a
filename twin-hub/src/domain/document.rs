//! The views of a record: what the device reads, what the backend reads. Sections are copied as they are, so a
//! view costs one allocation and no parsing, metadata aside.

use bytes::Bytes;
use twin_core::twin::Metadata;
use twin_core::{Timestamp, TwinKey};

use super::pack::Proof;
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

/// A section as the backend reads it: `object` is its text, which needs no writing anew, `metadata` is packed.
pub(super) fn push_section(to: &mut Vec<u8>, object: &[u8], metadata: &[u8], version: u64) {
    open_object(to, object);
    to.extend_from_slice(b"\"$metadata\":");
    Metadata::print(metadata, object, to).expect("the store's checksum says that this is what was packed");
    to.extend_from_slice(b",\"$version\":");
    push_number(to, version);
    to.push(b'}');
}

/// `object` without its closing brace, ready for one more member.
fn open_object(to: &mut Vec<u8>, object: &[u8]) {
    to.extend_from_slice(&object[..object.len() - 1]);
    if object.len() > 2 {
        to.push(b',');
    }
}

/// `object` with `$version` as its last member.
fn push_with_version(to: &mut Vec<u8>, object: &[u8], version: u64) {
    open_object(to, object);
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
    to.push(b'{');
    fields(key, record, presence, &mut |name, field| {
        if to.last() != Some(&b'{') {
            to.push(b',');
        }
        to.push(b'"');
        to.extend_from_slice(name.as_bytes());
        to.extend_from_slice(b"\":");
        match field {
            Field::Text(text) => push_json(to, text),
            Field::Number(n) => push_number(to, n),
            Field::Time(time) => {
                to.push(b'"');
                time.write(to);
                to.push(b'"');
            }
            Field::Member(name, flag) => {
                to.extend_from_slice(b"{\"");
                to.extend_from_slice(name.as_bytes());
                to.extend_from_slice(if flag { b"\":true}" } else { b"\":false}" });
            }
            Field::Thumbprints(primary, secondary) => {
                for (before, name, thumbprint) in [(b'{', PRIMARY, primary), (b',', SECONDARY, secondary)] {
                    to.push(before);
                    push_json(to, name);
                    to.push(b':');
                    push_json(to, &thumbprint);
                }
                to.push(b'}');
            }
            Field::Texts(texts) => push_json(to, texts),
        }
    });
    to.extend_from_slice(b",\"tags\":");
    to.extend_from_slice(parts.tags);
    to.extend_from_slice(b",\"properties\":{\"desired\":");
    push_section(to, parts.desired, parts.desired_metadata, parts.desired_version);
    to.extend_from_slice(b",\"reported\":");
    push_section(to, parts.reported, parts.reported_metadata, parts.reported_version);
    to.extend_from_slice(b"}}");
}

fn push_json<T: serde::Serialize + ?Sized>(to: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(to, value).expect("a JSON value can always be written");
}

/// The content of a field.
pub(super) enum Field<'f> {
    /// a string
    Text(&'f str),
    /// a number
    Number(u64),
    /// an instant, which is printed as a string
    Time(Timestamp),
    /// an object with one member of this name
    Member(&'static str, bool),
    /// an object with the primary and the secondary one
    Thumbprints(Option<&'f str>, Option<&'f str>),
    /// an array of strings
    Texts(&'f [&'f str]),
}

/// The members of `x509Thumbprint`.
pub(super) const PRIMARY: &str = "primaryThumbprint";
pub(super) const SECONDARY: &str = "secondaryThumbprint";

/// Calls `to` with every field of a twin but tags and properties, in the order in which the service prints them.
pub(super) fn fields(
    key: &TwinKey,
    record: &Record,
    presence: &Presence,
    to: &mut dyn FnMut(&'static str, Field<'_>),
) {
    use Field::{Member, Number, Text, Texts, Time};
    let identity = record.identity_view();
    to("deviceId", Text(key.device.as_str()));
    if let Some(module) = &key.module {
        to("moduleId", Text(module.as_str()));
    }
    to("etag", Text(record.etag().as_str()));
    to("deviceEtag", Text(identity.etag.unwrap_or("")));
    to("status", Text(identity.status.as_str()));
    if let Some(reason) = identity.status_reason {
        to("statusReason", Text(reason));
    }
    to("statusUpdateTime", Time(identity.status_updated_time));
    to("connectionState", Text(connection_state(presence.connected)));
    to("lastActivityTime", Time(presence.active));
    to("cloudToDeviceMessageCount", Number(presence.waiting.into()));
    to("authenticationType", Text(identity.proof.type_name()));
    to(
        "x509Thumbprint",
        match identity.proof {
            Proof::SelfSigned { primary, secondary } => Field::Thumbprints(primary, secondary),
            _ => Field::Thumbprints(None, None),
        },
    );
    to("modelId", Text(record.model()));
    to("version", Number(record.parts().version));
    if key.module.is_none() {
        to("capabilities", Member("iotEdge", identity.edge));
        if let Some(scope) = identity.device_scope {
            to("deviceScope", Text(scope));
        }
        if !identity.parent_scopes.is_empty() {
            to("parentScopes", Texts(&identity.parent_scopes));
        }
    }
}

/// `Connected` or `Disconnected`
pub(super) fn connection_state(connected: bool) -> &'static str {
    if connected { "Connected" } else { "Disconnected" }
}
