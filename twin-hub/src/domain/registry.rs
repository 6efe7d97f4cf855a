//! Creating, updating and deleting identities. A twin is made with its identity and goes with it; the modules of a
//! device go with the device (IoT Hub identity registry guide).

use twin_core::auth::Key;
use twin_core::identity::{Authentication, Identity, Status};
use twin_core::twin::{Object, Patch, Section, SectionName, limits};
use twin_core::wire::Refusal;
use twin_core::wire::rest::IfMatch;
use twin_core::{ETag, TwinKey};

use super::record::{Parts, json, packed};
use super::{Done, MAX_MODULES, Notice, Record, Step, pack, refuse};

/// Bytes of a key that the hub makes.
const KEY_BYTES: usize = 32;

/// A twin's etag counter and `version` when it is made: the create event in the non-telemetry event schema docs shows
/// `AAAAAAAAAAE=` and 2.
const FIRST_ETAG: u64 = 1;
const FIRST_VERSION: u64 = 2;

/// Without If-Match creates, with If-Match updates.
pub(super) fn put(
    at: &mut Step<'_>,
    key: &TwinKey,
    if_match: &IfMatch,
    wanted: Identity,
) -> Result<Done, Refusal> {
    if wanted.key() != *key {
        return Err(refuse::invalid(format!("The path names '{key}' and the body '{}'", wanted.key())));
    }
    match (at.world.get(key), if_match) {
        (Some(_), IfMatch::Absent) => Err(refuse::exists(key)),
        (None, IfMatch::Absent) => create(at, wanted, None, None).map(Done::Record),
        (None, _) => Err(refuse::not_found(key)),
        (Some(record), _) => update(at, &record, if_match, wanted).map(Done::Record),
    }
}

/// Creates an identity that was found to be missing, and its twin with the given content.
pub(super) fn create(
    at: &mut Step<'_>,
    mut identity: Identity,
    tags: Option<&Object>,
    desired: Option<&Patch>,
) -> Result<Record, Refusal> {
    let key = identity.key();
    if key.module.is_some() {
        let device = TwinKey::from(key.device.clone());
        if at.world.get(&device).is_none() {
            return Err(refuse::not_found(&device));
        }
        if at.world.modules(&key.device).len() >= MAX_MODULES {
            return Err(refuse::too_many_modules(&key));
        }
        (identity.status, identity.edge) = (Status::Enabled, false);
    }
    identity.generation_id = at.now.ticks().to_string();
    identity.etag = Some(new_etag(at));
    identity.status_updated_time = twin_core::Timestamp::NEVER;
    identity.authentication = Some(match identity.authentication.take() {
        Some(given) => given,
        None => Authentication::Sas { primary: new_key(at), secondary: new_key(at) },
    });
    place_in_scopes(&mut identity);
    let mut desired_section = Section::new(SectionName::Desired, at.now);
    if let Some(content) = desired {
        // From a version before the first one, so that what comes with the identity is version 1.
        let metadata = desired_section.metadata().clone();
        desired_section = Section::from_parts(SectionName::Desired, Object::new(), metadata, 0);
        desired_section.replace(content, at.now)?;
    }
    let reported = Section::new(SectionName::Reported, at.now);
    if let Some(tags) = tags {
        limits::check_growth(SectionName::Tags, 0, limits::size(tags))?;
    }
    let record = Record::new(&Parts {
        serial: at.world.next_serial(),
        etag: FIRST_ETAG,
        version: FIRST_VERSION,
        desired_version: desired_section.version(),
        reported_version: reported.version(),
        identity: &pack::pack(&identity),
        model: b"",
        tags: &tags.map_or_else(|| b"{}".to_vec(), json),
        desired: &json(desired_section.value()),
        reported: &json(reported.value()),
        desired_metadata: &packed(desired_section.metadata()),
        reported_metadata: &packed(reported.metadata()),
    });
    at.world.put(&key, record.clone());
    Ok(record)
}

/// Updates an identity that was found. Whatever makes its connections invalid ends them.
pub(super) fn update(
    at: &mut Step<'_>,
    record: &Record,
    if_match: &IfMatch,
    mut wanted: Identity,
) -> Result<Record, Refusal> {
    let old = record.identity();
    let key = old.key();
    check_etag(&old, if_match)?;
    if key.module.is_some() {
        (wanted.status, wanted.edge) = (Status::Enabled, false);
    }
    wanted.generation_id = old.generation_id.clone();
    wanted.status_updated_time = if wanted.status == old.status { old.status_updated_time } else { at.now };
    if wanted.authentication.is_none() {
        wanted.authentication = old.authentication.clone();
    }
    if wanted.device_scope.is_none() && wanted.edge {
        wanted.device_scope = old.device_scope.clone();
    }
    place_in_scopes(&mut wanted);
    wanted.etag = loop {
        let etag = Some(new_etag(at));
        if etag != old.etag {
            break etag;
        }
    };
    let changed = Record::new(&Parts { identity: &pack::pack(&wanted), ..record.parts() });
    at.world.put(&key, changed.clone());
    if wanted.status != old.status || wanted.authentication != old.authentication {
        revoke(at, &key, wanted.status == Status::Disabled);
    }
    Ok(changed)
}

/// Deletes an identity with its twin, and a device with its modules.
pub(super) fn delete(at: &mut Step<'_>, key: &TwinKey, if_match: &IfMatch) -> Result<Done, Refusal> {
    let record = at.world.get(key).ok_or_else(|| refuse::not_found(key))?;
    check_etag(&record.identity(), if_match)?;
    revoke(at, key, true);
    if key.module.is_none() {
        for module in at.world.modules(&key.device) {
            at.world.remove(&TwinKey { device: key.device.clone(), module: Some(module) });
        }
    }
    at.world.remove(key);
    Ok(Done::Nothing)
}

/// Ends the connections of `key` and, if asked, those of its modules.
fn revoke(at: &mut Step<'_>, key: &TwinKey, with_modules: bool) {
    at.notices.push((key.clone(), Notice::Revoked));
    if with_modules && key.module.is_none() {
        for module in at.world.modules(&key.device) {
            let module = TwinKey { device: key.device.clone(), module: Some(module) };
            at.notices.push((module, Notice::Revoked));
        }
    }
}

pub(super) fn check_etag(identity: &Identity, if_match: &IfMatch) -> Result<(), Refusal> {
    match (if_match, &identity.etag) {
        (IfMatch::ETag(given), Some(current)) if given != current => {
            let what = if identity.module_id.is_some() { "module" } else { "device" };
            Err(refuse::stale(what, given.as_str(), current.as_str()))
        }
        _ => Ok(()),
    }
}

/// An Edge device is a scope of its own; a leaf device that names a scope has it as its parent (REST reference).
fn place_in_scopes(identity: &mut Identity) {
    if identity.module_id.is_some() {
        return;
    }
    if identity.edge {
        if identity.device_scope.is_none() {
            let id = identity.device_id.as_str();
            identity.device_scope = Some(format!("ms-azure-iot-edge://{id}-{}", identity.generation_id));
        }
    } else if let (Some(scope), true) = (&identity.device_scope, identity.parent_scopes.is_empty()) {
        identity.parent_scopes = vec![scope.clone()];
    }
}

/// An identity's etag is base64 of a decimal number, e.g. `NzQxMTYyNTA3` (observed in CLI samples).
fn new_etag(at: &mut Step<'_>) -> ETag {
    let mut bytes = [0; 4];
    (at.random)(&mut bytes);
    ETag::from_decimal(u32::from_le_bytes(bytes).into())
}

fn new_key(at: &mut Step<'_>) -> Key {
    let mut bytes = zeroize::Zeroizing::new([0; KEY_BYTES]);
    (at.random)(&mut bytes[..]);
    Key::from_bytes(&bytes[..]).expect("32 bytes make a key")
}
