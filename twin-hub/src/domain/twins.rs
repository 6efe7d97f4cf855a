//! Changes of twins: what devices report, what the backend writes, and the notifications they produce.
//!
//! Versions and etags move as observed on the service: a reported update moves `version` and the reported
//! `$version` but not the etag; an update by the backend moves etag and `version`, and the desired `$version` if it touches
//! desired properties (derived from the dumps in the CLI extension, the Java SDK's PR 1219 and the event schema docs).

use bytes::Bytes;
use twin_core::TwinKey;
use twin_core::twin::section::{merge_within, replace_within};
use twin_core::twin::{ETag, Object, Patch, Section, SectionName, TwinPatch, notification};
use twin_core::wire::Refusal;
use twin_core::wire::rest::IfMatch;

use super::record::{Parts, json, packed};
use super::{Done, Notice, Record, Step, refuse};

/// A device merges into its reported properties.
pub(super) fn report(
    at: &mut Step<'_>,
    key: &TwinKey,
    patch: &Patch,
    if_version: Option<u64>,
) -> Result<Done, Refusal> {
    let record = at.world.get(key).ok_or_else(|| refuse::not_found(key))?;
    let parts = record.parts();
    if let Some(given) = if_version.filter(|given| *given != parts.reported_version) {
        return Err(refuse::stale_version(given, parts.reported_version));
    }
    let mut reported = record.reported();
    reported.apply(patch, at.now)?;
    let changed = Record::new(&Parts {
        version: parts.version + 1,
        reported_version: reported.version(),
        reported: &json(reported.value()),
        reported_metadata: &packed(reported.metadata()),
        ..parts
    });
    at.world.put(key, changed);
    Ok(Done::Reported(reported.version()))
}

/// A device announced its model; no version moves, as the model is not part of what is versioned.
pub(super) fn announce(at: &mut Step<'_>, key: &TwinKey, model_id: &str) -> Result<Done, Refusal> {
    let record = at.world.get(key).ok_or_else(|| refuse::not_found(key))?;
    if record.model() != model_id {
        at.world.put(key, Record::new(&Parts { model: model_id.as_bytes(), ..record.parts() }));
    }
    Ok(Done::Nothing)
}

/// The backend merges into tags and desired properties.
pub(super) fn patch(
    at: &mut Step<'_>,
    key: &TwinKey,
    if_match: &IfMatch,
    patch: &TwinPatch,
) -> Result<Done, Refusal> {
    let record = checked(at, key, if_match)?;
    let mut edit = Edit::new(&record);
    if let Some(tags) = &patch.tags {
        let mut object = record.tags();
        merge_within(SectionName::Tags, &mut object, tags)?;
        edit.tags = Some(json(&object));
    }
    if patch.clear_desired {
        let mut section = record.desired();
        let told = section.clear(at.now);
        edit.set_desired(section, &told);
    } else if let Some(desired) = patch.desired.as_ref().filter(|p| !p.is_empty()) {
        let mut section = record.desired();
        section.apply(desired, at.now)?;
        edit.set_desired(section, desired.as_object());
    }
    Ok(edit.finish(at, key))
}

/// The backend replaces tags, desired properties or both.
pub(super) fn replace(
    at: &mut Step<'_>,
    key: &TwinKey,
    if_match: &IfMatch,
    content: &TwinPatch,
) -> Result<Done, Refusal> {
    let record = checked(at, key, if_match)?;
    let mut edit = Edit::new(&record);
    if let Some(tags) = &content.tags {
        let mut object = record.tags();
        replace_within(SectionName::Tags, &mut object, tags)?;
        edit.tags = Some(json(&object));
    }
    if let Some(desired) = &content.desired {
        let mut section = record.desired();
        let told = section.replace(desired, at.now)?;
        edit.set_desired(section, &told);
    }
    Ok(edit.finish(at, key))
}

/// The record, if it exists and If-Match agrees.
fn checked(at: &Step<'_>, key: &TwinKey, if_match: &IfMatch) -> Result<Record, Refusal> {
    let record = at.world.get(key).ok_or_else(|| refuse::not_found(key))?;
    match if_match {
        IfMatch::ETag(given) if *given != record.etag() => {
            Err(refuse::stale("twin", given.as_str(), record.etag().as_str()))
        }
        _ => Ok(record),
    }
}

/// What one write by the backend changes.
struct Edit<'r> {
    record: &'r Record,
    tags: Option<Vec<u8>>,
    desired: Option<(Section, Bytes)>,
}

impl<'r> Edit<'r> {
    fn new(record: &'r Record) -> Self {
        Edit { record, tags: None, desired: None }
    }

    fn set_desired(&mut self, section: Section, told: &Object) {
        let body = notification::say(told, section.version()).into();
        self.desired = Some((section, body));
    }

    fn finish(self, at: &mut Step<'_>, key: &TwinKey) -> Done {
        let mut parts = self.record.parts();
        parts.etag += 1;
        parts.version += 1;
        if let Some(tags) = &self.tags {
            parts.tags = tags;
        }
        let (value, metadata);
        if let Some((section, body)) = self.desired {
            (value, metadata) = (json(section.value()), packed(section.metadata()));
            parts.desired_version = section.version();
            parts.desired = &value;
            parts.desired_metadata = &metadata;
            at.notices.push((key.clone(), Notice::Desired { version: section.version(), body }));
        }
        let changed = Record::new(&parts);
        at.world.put(key, changed.clone());
        Done::Record(changed)
    }
}

/// Whether an etag is the star or matches; the bulk interface carries it in a member instead of a header.
pub(super) fn if_match(only_if: bool, given: Option<&ETag>) -> IfMatch {
    match given {
        Some(etag) if only_if && etag.as_str() != "*" => IfMatch::ETag(etag.clone()),
        _ => IfMatch::Any,
    }
}
