//! What the index reads of a record.

use std::borrow::Cow;

use twin_core::TwinKey;
use twin_core::query::QueryValue;

use super::document::Field;
use super::{Presence, Record, document};
use crate::index::{INDEXED_FIELDS, Leaves, OBJECT, Part, Place};

/// A record with its key, to be indexed.
pub(crate) struct Indexed<'r> {
    pub(crate) key: &'r TwinKey,
    pub(crate) record: &'r Record,
}

impl Leaves for Indexed<'_> {
    fn part(&self, place: Place) -> Part<'_> {
        let parts = self.record.parts();
        let number = |n: u64| Part::Value(QueryValue::Number(n as f64));
        match place {
            Place::Identity => Part::Packed(parts.identity),
            Place::Etag => {
                Part::Value(QueryValue::String(Cow::Owned(self.record.etag().as_str().to_owned())))
            }
            Place::Version => number(parts.version),
            Place::ModelId => Part::Value(QueryValue::String(Cow::Borrowed(self.record.model()))),
            Place::Tags => Part::Text(parts.tags),
            Place::Desired => Part::Text(parts.desired),
            Place::DesiredVersion => number(parts.desired_version),
            Place::Reported => Part::Text(parts.reported),
            Place::ReportedVersion => number(parts.reported_version),
        }
    }

    fn unpack(&self, to: &mut dyn FnMut(&[&str], QueryValue<'_>)) {
        fn text(text: &str) -> QueryValue<'_> {
            QueryValue::String(Cow::Borrowed(text))
        }
        // Presence is volatile: what of it stands in the document is not indexed.
        document::fields(self.key, self.record, &Presence::default(), &mut |name, field| {
            if !INDEXED_FIELDS.contains(&name) || TWIN_FIELDS.contains(&name) {
                return;
            }
            match field {
                Field::Text(content) => to(&[name], text(content)),
                Field::Number(number) => to(&[name], QueryValue::Number(number as f64)),
                Field::Time(time) => to(&[name], text(&time.to_string())),
                Field::Member(member, flag) => {
                    to(&[name], OBJECT);
                    to(&[name, member], QueryValue::Bool(flag));
                }
                Field::Thumbprints(primary, secondary) => {
                    to(&[name], OBJECT);
                    for (member, thumbprint) in
                        [document::PRIMARY, document::SECONDARY].into_iter().zip([primary, secondary])
                    {
                        to(&[name, member], thumbprint.map_or(QueryValue::Null, text));
                    }
                }
                Field::Texts(_) => to(&[name], QueryValue::Raw(b"[]")),
            }
        });
    }
}

/// Fields of the document that are not of the identity and change while it does not.
const TWIN_FIELDS: &[&str] = &["etag", "version", "modelId"];
