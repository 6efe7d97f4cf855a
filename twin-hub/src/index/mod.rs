//! The live index that queries are answered from.
//!
//! Rows are dense `u32` handles that the engine gives. Per path there are a bitmap of rows for each of null, true,
//! false, and array or object; a column of 64-bit floats; and the strings, as posting lists while values repeat, as
//! twelve bytes per row once they are mostly unique. [`Index::plan`] turns a condition into rows: exactly those that
//! pass, or a few too many that the condition has to be checked on.
//!
//! What is indexed: tags, desired and reported properties with `$version`, and the fields of the identity. What is
//! not, and is checked row by row: `$metadata`, `lastActivityTime`, `cloudToDeviceMessageCount`, `properties` as a
//! whole, members of arrays, a path compared with another path or with arithmetic (rows that lack the path are left
//! out all the same). `connectionState` is kept by the engine and joins in when a condition asks for it.
//!
//! One index serves one collection: devices, or modules.

mod build;
mod column;
mod gather;
mod group;
mod paths;
mod plan;
mod posting;
mod strings;
mod values;

#[cfg(test)]
mod tests;

use roaring::RoaringBitmap;
use twin_core::query::QueryValue;

use paths::{PathId, Paths, ROOT};
use strings::Rules;
use values::Values;

pub(crate) use build::Builder;
pub(crate) use gather::OBJECT;
pub(crate) use group::Group;
pub(crate) use plan::{Facts, Plan};

/// A record, as the index reads it.
pub(crate) trait Leaves {
    /// The part at a place. A place and its content must say what a lookup says.
    fn part(&self, place: Place) -> Part<'_>;

    /// Calls `to` with the path and value of what is packed at [`Place::Identity`]: every field of the twin document
    /// that [`INDEXED_FIELDS`] names, that has no place of its own and that the document has; members of objects after
    /// the object itself, of which only that it is one matters.
    fn unpack(&self, to: &mut dyn FnMut(&[&str], QueryValue<'_>));
}

/// The parts of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// what the identity says, packed
    Identity,
    /// `etag`
    Etag,
    /// `version`
    Version,
    /// `modelId`
    ModelId,
    /// `tags`
    Tags,
    /// `properties.desired`, members without `$` ones
    Desired,
    /// `properties.desired.$version`
    DesiredVersion,
    /// `properties.reported`, members without `$` ones
    Reported,
    /// `properties.reported.$version`
    ReportedVersion,
}

impl Place {
    const ALL: [Place; 9] = [
        Place::Identity,
        Place::Etag,
        Place::Version,
        Place::ModelId,
        Place::Tags,
        Place::Desired,
        Place::DesiredVersion,
        Place::Reported,
        Place::ReportedVersion,
    ];

    fn path(self) -> &'static [&'static str] {
        match self {
            Place::Identity => &[],
            Place::Etag => &["etag"],
            Place::Version => &["version"],
            Place::ModelId => &["modelId"],
            Place::Tags => &["tags"],
            Place::Desired => &["properties", "desired"],
            Place::DesiredVersion => &["properties", "desired", "$version"],
            Place::Reported => &["properties", "reported"],
            Place::ReportedVersion => &["properties", "reported", "$version"],
        }
    }
}

/// A part of a record.
pub(crate) enum Part<'a> {
    /// JSON text. Compared as text, so that unchanged sections cost nothing in an update.
    Text(&'a [u8]),
    /// a value that is not at hand as text
    Value(QueryValue<'a>),
    /// members that are packed in a way of their own: unpacked only when the bytes are not those of the other record
    Packed(&'a [u8]),
}

impl Part<'_> {
    fn is_same(&self, other: &Part<'_>) -> bool {
        use QueryValue::{Null, Number, String, Undefined};
        match (self, other) {
            (Part::Text(a), Part::Text(b)) | (Part::Packed(a), Part::Packed(b)) => a == b,
            (Part::Value(Number(a)), Part::Value(Number(b))) => a == b,
            (Part::Value(String(a)), Part::Value(String(b))) => a == b,
            (Part::Value(Null), Part::Value(Null)) | (Part::Value(Undefined), Part::Value(Undefined)) => true,
            _ => false,
        }
    }
}

/// What became of a row.
pub(crate) struct Change<'a> {
    pub(crate) handle: u32,
    /// what the index was told last of this row; `None`: it is new
    pub(crate) old: Option<&'a dyn Leaves>,
    /// what it is to be told now; `None`: it is gone
    pub(crate) new: Option<&'a dyn Leaves>,
}

/// The fields of a twin document that are indexed, beside tags and properties.
pub(crate) const INDEXED_FIELDS: &[&str] = &[
    "deviceId",
    "moduleId",
    "etag",
    "deviceEtag",
    "version",
    "status",
    "statusReason",
    "statusUpdateTime",
    "authenticationType",
    "x509Thumbprint",
    "modelId",
    "capabilities",
    "deviceScope",
    "parentScopes",
    "configurations",
];

/// The index of one collection.
#[derive(Debug)]
pub(crate) struct Index {
    all: RoaringBitmap,
    paths: Paths,
    /// by path number
    values: Vec<Values>,
    rules: Rules,
    /// the path numbers of [`Place::ALL`]
    places: [Option<PathId>; Place::ALL.len()],
    /// by path number: where what is to be done there is gathered, one past its place; zero when there is nothing
    gathering: Vec<u32>,
    /// what is known of a path that no row has
    nothing: Values,
}

impl Default for Index {
    fn default() -> Self {
        Index::with(Paths::new(), Rules::default())
    }
}

impl Index {
    fn with(mut paths: Paths, rules: Rules) -> Index {
        let places = Place::ALL
            .map(|place| place.path().iter().try_fold(ROOT, |parent, name| paths.intern(parent, name)));
        Index {
            all: RoaringBitmap::new(),
            values: Vec::new(),
            paths,
            rules,
            places,
            gathering: Vec::new(),
            nothing: Values::default(),
        }
    }

    /// The rows there are.
    pub(crate) fn rows(&self) -> &RoaringBitmap {
        &self.all
    }

    /// Rows came, changed or went. Cheapest for many at a time, in ascending order: then the work goes path by path.
    pub(crate) fn update(&mut self, changes: &[Change<'_>]) {
        self.update_places(changes, &Place::ALL);
        for run in changes.chunk_by(|a, b| a.new.is_some() == b.new.is_some()) {
            let handles: Vec<u32> = run.iter().map(|change| change.handle).collect();
            match run[0].new {
                Some(_) => posting::add_rows(&mut self.all, &handles),
                None => handles.iter().for_each(|handle| _ = self.all.remove(*handle)),
            }
        }
    }

    fn update_places(&mut self, changes: &[Change<'_>], places: &[Place]) {
        let mut edits = Vec::new();
        for change in changes {
            for place in places {
                self.gather(*place, change, &mut edits);
            }
        }
        self.values.resize_with(self.paths.len(), Values::default);
        for (id, edits) in edits {
            self.gathering[id as usize] = 0;
            self.values[id as usize].edit(&edits, &self.rules);
        }
    }
}
