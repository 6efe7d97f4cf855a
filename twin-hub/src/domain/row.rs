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
}

impl<'r> Row<'r> {
    /// The row of a twin.
    pub(crate) fn new(key: &'r TwinKey, record: &'r Record, presence: Presence) -> Self {
        Row { key, record, presence, document: OnceCell::new() }
    }

    /// The JSON text that holds `path`, and the path from there. Metadata and versions are packed, so paths that
    /// touch them, or a section as a whole, go through the backend's view.
    fn text<'a, 'p>(&'a self, path: &'p [String]) -> (&'a [u8], &'p [String]) {
        let parts = self.record.parts();
        match path {
            [tags, under @ ..] if tags == "tags" => (parts.tags, under),
            [properties, section, under @ ..]
                if properties == "properties" && under.first().is_some_and(|m| !m.starts_with('$')) =>
            {
                match section.as_str() {
                    "desired" => (parts.desired, under),
                    _ => (parts.reported, under),
                }
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
        let (json, under) = self.text(path.segments());
        raw::json(json, under)
    }
}
