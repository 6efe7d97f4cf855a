//! What the index reads of a record.

use serde_json::Value;
use twin_core::TwinKey;

use super::{Presence, Record, document};
use crate::index::{INDEXED_FIELDS, Leaves, Part};

/// A record with its key, to be indexed.
pub(crate) struct Indexed<'r> {
    pub(crate) key: &'r TwinKey,
    pub(crate) record: &'r Record,
}

impl Leaves for Indexed<'_> {
    fn visit<'a>(&'a self, to: &mut dyn FnMut(&[&str], Part<'a>)) {
        // Presence is volatile: what of it stands in the document is not indexed.
        let head = document::head(self.key, self.record, &self.record.identity(), &Presence::default());
        for (field, value) in head {
            if INDEXED_FIELDS.contains(&field) {
                to(&[field], Part::Value(value));
            }
        }
        let parts = self.record.parts();
        to(&["tags"], Part::Text(parts.tags));
        to(&["properties", "desired"], Part::Text(parts.desired));
        to(&["properties", "desired", "$version"], Part::Value(Value::from(parts.desired_version)));
        to(&["properties", "reported"], Part::Text(parts.reported));
        to(&["properties", "reported", "$version"], Part::Value(Value::from(parts.reported_version)));
    }
}
