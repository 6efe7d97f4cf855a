//! One versioned section as the hub keeps it: value, metadata, `$version`; and the laws of changing it.

use serde::Serialize;
use serde_json::Value;

use super::limits::{check_growth, size};
use super::{Metadata, Object, Patch, SectionName, Stamp, Violation, diff, merge, merged};
use crate::time::Timestamp;

/// `properties.desired` or `properties.reported` with `$metadata` and `$version`.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    name: SectionName,
    value: Object,
    metadata: Metadata,
    version: u64,
}

impl Section {
    /// A section of a twin just created: empty, `$version` 1, its root stamped `now`.
    ///
    /// Dumps of fresh twins show either the creation time or [`Timestamp::NEVER`] there, and no `$lastUpdatedVersion`.
    pub fn new(name: SectionName, now: Timestamp) -> Self {
        let root = Stamp { at: now, version: None };
        Section { name, value: Object::new(), metadata: Metadata::new(root), version: 1 }
    }

    /// From stored parts.
    pub fn from_parts(name: SectionName, value: Object, metadata: Metadata, version: u64) -> Self {
        Section { name, value, metadata, version }
    }

    /// Value, metadata and `$version`, to store them.
    pub fn into_parts(self) -> (Object, Metadata, u64) {
        (self.value, self.metadata, self.version)
    }

    /// Which section it is.
    pub fn name(&self) -> SectionName {
        self.name
    }

    /// Members, without `$` ones.
    pub fn value(&self) -> &Object {
        &self.value
    }

    /// The metadata tree.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// `$version`
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Merges `patch`: bumps `$version` by one and stamps every node the patch names and its ancestors, even when
    /// values are equal or the patch is empty. Refuses growth over the limit, leaving `self` untouched.
    pub fn apply(&mut self, patch: &Patch, now: Timestamp) -> Result<(), Violation> {
        merge_within(self.name, &mut self.value, patch)?;
        let stamp = self.next(now);
        self.metadata.touch(patch.as_object(), stamp);
        Ok(())
    }

    /// Replaces the whole content. Gives the members of the notification: the new section with `null` for members that
    /// vanished, nested ones too (observed: azure-iot-sdk-csharp #954). Refuses growth over the limit,
    /// leaving `self` untouched.
    pub fn replace(&mut self, content: &Patch, now: Timestamp) -> Result<Object, Violation> {
        let before = replace_within(self.name, &mut self.value, content)?;
        let stamp = self.next(now);
        self.metadata = Metadata::of(&self.value, stamp);
        Ok(diff::replacement(&before, &self.value))
    }

    /// Removes every member; gives the members of the notification, each `null`.
    pub fn clear(&mut self, now: Timestamp) -> Object {
        self.replace(&Patch::default(), now).expect("an empty section is within every limit")
    }

    /// What the device sees: members and `$version`.
    pub fn device_view(&self) -> Object {
        let mut view = self.value.clone();
        view.insert("$version".into(), self.version.into());
        view
    }

    /// What the backend sees: members, `$metadata` and `$version`.
    pub fn service_view(&self) -> Object {
        let mut view = self.device_view();
        view.insert("$metadata".into(), Value::Object(self.metadata.to_json()));
        view
    }

    /// [`Section::device_view`] as JSON text, appended without building the view.
    pub fn write_device_view(&self, out: &mut Vec<u8>) {
        write_open(&self.value, out);
        close_with_version(self.version, out);
    }

    /// [`Section::service_view`] as JSON text, appended without building the view.
    pub fn write_service_view(&self, out: &mut Vec<u8>) {
        write_open(&self.value, out);
        out.extend_from_slice(b"\"$metadata\":");
        self.metadata.write_json(out);
        out.push(b',');
        close_with_version(self.version, out);
    }

    /// Moves `$version` on and gives the stamp of this change.
    fn next(&mut self, now: Timestamp) -> Stamp {
        self.version = self.version.saturating_add(1);
        Stamp { at: now, version: (self.name == SectionName::Desired).then_some(self.version) }
    }
}

/// Merges `patch` into a section's bare value (tags have no more than that), refusing growth over the limit and then
/// leaving it untouched.
pub fn merge_within(section: SectionName, value: &mut Object, patch: &Patch) -> Result<(), Violation> {
    let before = size(value);
    // A merge adds at most what the patch holds, so the usual small change needs no copy to fall back to.
    if before.saturating_add(size(patch.as_object())) <= section.max_bytes() {
        merge(value, patch.as_object());
        return Ok(());
    }
    let after = merged(value, patch.as_object());
    check_growth(section, before, size(&after))?;
    *value = after;
    Ok(())
}

/// Replaces a section's bare value, refusing growth over the limit and then leaving it untouched; gives the old value.
pub fn replace_within(
    section: SectionName,
    value: &mut Object,
    content: &Patch,
) -> Result<Object, Violation> {
    // Through a merge, so that a null in a content that was checked by a patch's rules removes here too.
    let after = merged(&Object::new(), content.as_object());
    check_growth(section, size(value), size(&after))?;
    Ok(std::mem::replace(value, after))
}

/// The answer to a device's GET: both sections as the device sees them.
pub fn write_device_twin(desired: &Section, reported: &Section, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"desired\":");
    desired.write_device_view(out);
    out.extend_from_slice(b",\"reported\":");
    reported.write_device_view(out);
    out.push(b'}');
}

/// `{"a":1,` or `{`: the object's text, open for more members.
pub(super) fn write_open(object: &Object, out: &mut Vec<u8>) {
    write(object, out);
    out.pop();
    if !object.is_empty() {
        out.push(b',');
    }
}

/// `"$version":7}`
pub(super) fn close_with_version(version: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"$version\":");
    out.extend_from_slice(version.to_string().as_bytes());
    out.push(b'}');
}

/// Appends anything as JSON.
pub(super) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("JSON values and strings print to memory without fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twin::Rules;
    use serde_json::json;

    const T: fn(u64) -> Timestamp = Timestamp::from_ticks;

    fn patch(name: SectionName, value: Value) -> Patch {
        Patch::new(name, value.as_object().unwrap().clone(), Rules::PATCH).unwrap()
    }

    fn text(write: impl Fn(&mut Vec<u8>)) -> Value {
        let mut out = Vec::new();
        write(&mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn every_accepted_patch_moves_the_version() {
        let mut s = Section::new(SectionName::Desired, T(1));
        assert_eq!((s.version(), s.value().len()), (1, 0));
        assert_eq!(s.metadata().stamp(), Stamp { at: T(1), version: None });
        for (n, p, want) in [
            (2, json!({"a": 1}), json!({"a": 1})),
            (3, json!({"a": 1}), json!({"a": 1})),
            (4, json!({}), json!({"a": 1})),
            (5, json!({"zz": null}), json!({"a": 1})),
            (6, json!({"a": null, "b": {"c": null}}), json!({"b": {}})),
        ] {
            s.apply(&patch(s.name(), p), T(n)).unwrap();
            assert_eq!(s.version(), n);
            assert_eq!(s.metadata().stamp(), Stamp { at: T(n), version: Some(n) });
            assert_eq!(Value::Object(s.value().clone()), want);
        }
        let mut reported = Section::new(SectionName::Reported, T(1));
        reported.apply(&patch(SectionName::Reported, json!({"a": {"b": 1}})), T(2)).unwrap();
        assert_eq!(reported.metadata().get("a").unwrap().stamp(), Stamp { at: T(2), version: None });
    }

    #[test]
    fn a_refused_change_leaves_everything_as_it_was() {
        let chunk = |n: usize| "x".repeat(n);
        let mut s = Section::new(SectionName::Desired, T(1));
        // 8 names of one byte and 8 × 4095 bytes: exactly 32 KB
        let full: Object = ('a'..='h').map(|c| (c.to_string(), Value::String(chunk(4095)))).collect();
        s.apply(&patch(s.name(), Value::Object(full)), T(2)).unwrap();
        assert_eq!(size(s.value()), 32 * 1024);
        let before = s.clone();
        let v = s.apply(&patch(s.name(), json!({"a": chunk(4096)})), T(3)).unwrap_err();
        assert_eq!((v.status, v.code_name), (403, "DeviceModelMaxPropertiesExceeded"));
        assert!(v.message.starts_with("'Properties.Desired' size should be less than 32768 bytes."), "{v}");
        assert_eq!(s, before);
        // the same size again, then smaller
        s.apply(&patch(s.name(), json!({"a": chunk(4095)})), T(4)).unwrap();
        s.apply(&patch(s.name(), json!({"a": null, "new": chunk(4000)})), T(5)).unwrap();
        assert_eq!(s.version(), 4);
        // an oversize section (of older rules) may shrink, not grow
        let huge: Object = (0..10).map(|i| (i.to_string(), Value::String(chunk(4096)))).collect();
        let mut s = Section::from_parts(
            SectionName::Desired,
            huge.clone(),
            Metadata::of(&huge, Stamp { at: T(1), version: Some(9) }),
            9,
        );
        s.apply(&patch(s.name(), json!({"1": null})), T(2)).unwrap();
        assert!(s.apply(&patch(s.name(), json!({"q": 1})), T(3)).is_err());
        assert_eq!(s.version(), 10);
    }

    #[test]
    fn a_replacement_stamps_all_and_tells_what_vanished() {
        let mut s = Section::new(SectionName::Desired, T(1));
        s.apply(&patch(s.name(), json!({"a": 1, "b": 2, "n": {"x": 1, "y": 2}})), T(2)).unwrap();
        let heard = s.replace(&patch(s.name(), json!({"a": 1, "c": 100, "n": {"y": 2}})), T(3)).unwrap();
        assert_eq!(Value::Object(heard), json!({"a": 1, "b": null, "c": 100, "n": {"x": null, "y": 2}}));
        assert_eq!(s.version(), 3);
        let stamp = Stamp { at: T(3), version: Some(3) };
        assert_eq!(s.metadata(), &Metadata::of(s.value(), stamp));
        assert_eq!(Value::Object(s.clear(T(4))), json!({"a": null, "c": null, "n": null}));
        assert_eq!((s.version(), s.value().len()), (4, 0));
        // a null that slipped in by a patch's rules is not stored
        s.replace(&patch(s.name(), json!({"a": null, "b": 1})), T(5)).unwrap();
        assert_eq!(Value::Object(s.value().clone()), json!({"b": 1}));
    }

    #[test]
    fn views_are_what_each_side_sees() {
        let mut s = Section::new(SectionName::Desired, T(0));
        assert_eq!(Value::Object(s.device_view()), json!({"$version": 1}));
        assert_eq!(text(|out| s.write_device_view(out)), json!({"$version": 1}));
        s.apply(&patch(s.name(), json!({"telemetryConfig": {"sendFrequency": "5m"}})), T(0)).unwrap();
        let node = json!({"$lastUpdated": "0001-01-01T00:00:00Z", "$lastUpdatedVersion": 2});
        let (mut root, mut inner) = (node.clone(), node.clone());
        inner["sendFrequency"] = node;
        root["telemetryConfig"] = inner;
        let device = json!({"telemetryConfig": {"sendFrequency": "5m"}, "$version": 2});
        let mut service = device.clone();
        service["$metadata"] = root;
        assert_eq!(Value::Object(s.device_view()), device);
        assert_eq!(Value::Object(s.service_view()), service);
        assert_eq!(text(|out| s.write_device_view(out)), device);
        assert_eq!(text(|out| s.write_service_view(out)), service);
        let reported = Section::new(SectionName::Reported, T(0));
        let both = text(|out| write_device_twin(&s, &reported, out));
        assert_eq!(both, json!({"desired": device, "reported": {"$version": 1}}));
    }
}
