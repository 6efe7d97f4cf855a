//! Looking query paths up in a packed record: one scan of the section's JSON text, no trees.

use std::borrow::Cow;
use std::cell::OnceCell;

use serde_json::Value as Json;
use twin_core::TwinKey;
use twin_core::query::{Lookup, Path, QueryValue, raw};

use super::{Presence, Record, document};

/// One twin as a row of a query.
pub(crate) struct Row<'r> {
    key: &'r TwinKey,
    record: &'r Record,
    presence: Presence,
    /// the backend's view, made when a path asks for something that is not at hand
    document: OnceCell<Vec<u8>>,
    /// desired and reported with metadata and version, made likewise
    sections: [OnceCell<Vec<u8>>; 2],
}

/// Fields whose text is at hand.
const TEXT_FIELDS: &[&str] =
    &["deviceId", "moduleId", "etag", "modelId", "status", "connectionState", "lastActivityTime"];

impl<'r> Row<'r> {
    /// The row of a twin.
    pub(crate) fn new(key: &'r TwinKey, record: &'r Record, presence: Presence) -> Self {
        Row { key, record, presence, document: OnceCell::new(), sections: Default::default() }
    }

    /// The JSON text that holds `path`, and the path from there. Metadata and versions are packed, so paths that
    /// touch them go through the backend's view of their section.
    fn text<'a, 'p>(&'a self, path: &'p [String]) -> (&'a [u8], &'p [String]) {
        let parts = self.record.parts();
        match path {
            [tags, under @ ..] if tags == "tags" => (parts.tags, under),
            [properties, section, under @ ..] if properties == "properties" => {
                let desired = section == "desired";
                if under.first().is_some_and(|member| !member.starts_with('$')) {
                    return (if desired { parts.desired } else { parts.reported }, under);
                }
                let view = self.sections[usize::from(desired)].get_or_init(|| {
                    let mut view = Vec::new();
                    let (object, metadata, version) = match desired {
                        true => (parts.desired, parts.desired_metadata, parts.desired_version),
                        false => (parts.reported, parts.reported_metadata, parts.reported_version),
                    };
                    document::push_section(&mut view, object, metadata, version);
                    view
                });
                (view, under)
            }
            _ => (
                self.document.get_or_init(|| document::service_twin(self.key, self.record, &self.presence)),
                path,
            ),
        }
    }
}

impl Lookup for Row<'_> {
    fn lookup<'a>(&'a self, path: &Path) -> QueryValue<'a> {
        let segments = path.segments();
        let first = segments.first().map(String::as_str);
        let text = |s: &'a str| QueryValue::String(Cow::Borrowed(s));
        // Fields that every other query asks for, without making the view.
        match (first, segments.len()) {
            (Some("deviceId"), 1) => return text(self.key.device.as_str()),
            (Some("moduleId"), 1) => {
                return self.key.module.as_ref().map_or(QueryValue::Undefined, |m| text(m.as_str()));
            }
            (Some("etag"), 1) => {
                return QueryValue::String(Cow::Owned(self.record.etag().as_str().to_owned()));
            }
            (Some("version"), 1) => return QueryValue::Number(self.record.parts().version as f64),
            (Some("modelId"), 1) => return text(self.record.model()),
            (Some("status"), 1) => return text(self.record.status().as_str()),
            (Some("connectionState"), 1) => {
                return text(document::connection_state(self.presence.connected));
            }
            (Some("lastActivityTime"), 1) => {
                return QueryValue::String(Cow::Owned(self.presence.active.to_string()));
            }
            _ => {}
        }
        let parts = self.record.parts();
        if let [_, section, version] = segments
            && version == "$version"
            && first == Some("properties")
        {
            let version = if section == "desired" { parts.desired_version } else { parts.reported_version };
            return QueryValue::Number(version as f64);
        }
        let (json, under) = self.text(segments);
        raw::lookup(json, under)
    }

    fn json(&self, path: &Path) -> Option<Json> {
        match path.segments() {
            [field] if field == "version" => return Some(self.record.parts().version.into()),
            [field] if TEXT_FIELDS.contains(&field.as_str()) => {
                return match self.lookup(path) {
                    QueryValue::String(text) => Some(text.into()),
                    _ => None,
                };
            }
            _ => {}
        }
        let (json, under) = self.text(path.segments());
        raw::json(json, under)
    }
}
