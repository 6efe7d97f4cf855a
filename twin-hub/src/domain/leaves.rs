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
        let parts = self.record.parts();
        to(&[], Part::Packed(parts.identity, Box::new(|| self.identity_fields())));
        to(&["etag"], Part::Value(Value::from(self.record.etag().as_str())));
        to(&["version"], Part::Value(Value::from(parts.version)));
        to(&["modelId"], Part::Value(Value::from(self.record.model())));
        to(&["tags"], Part::Text(parts.tags));
        to(&["properties", "desired"], Part::Text(parts.desired));
        to(&["properties", "desired", "$version"], Part::Value(Value::from(parts.desired_version)));
        to(&["properties", "reported"], Part::Text(parts.reported));
        to(&["properties", "reported", "$version"], Part::Value(Value::from(parts.reported_version)));
    }
}

/// Fields of the document that are not of the identity and change while it does not.
const TWIN_FIELDS: &[&str] = &["etag", "version", "modelId"];

impl Indexed<'_> {
    /// The fields that come from the packed identity alone.
    fn identity_fields(&self) -> Vec<(&'static str, Value)> {
        // Presence is volatile: what of it stands in the document is not indexed.
        let mut fields = Vec::with_capacity(INDEXED_FIELDS.len());
        document::fields(self.key, self.record, &Presence::default(), &mut |name, field| {
            if INDEXED_FIELDS.contains(&name) && !TWIN_FIELDS.contains(&name) {
                fields.push((name, field.into()));
            }
        });
        fields
    }
}
