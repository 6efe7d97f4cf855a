//! Identity and twin packed into one piece of bytes: what memory and disk hold. JSON sections stay JSON text, so a
//! twin of 1 kB takes little more than that, and reading one parses nothing.
//!
//! `layout (1) | serial, etag, version, desired $version, reported $version (8 each) | seven lengths (4 each) | seven parts`,
//! integers little-endian.

use std::sync::Arc;

use twin_core::Result;
use twin_core::identity::{Identity, Status};
use twin_core::twin::{ETag, Metadata, Object, Section, SectionName};

use super::pack;
use crate::store::failed;

/// The layout written; readers refuse others.
const LAYOUT: u8 = 1;
const NUMBERS: usize = 5;
const PARTS: usize = 7;
const HEADER_BYTES: usize = 1 + NUMBERS * 8 + PARTS * 4;

/// The pieces of a record.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'p> {
    /// place in the order of creation
    pub(crate) serial: u64,
    /// counter behind the twin's etag
    pub(crate) etag: u64,
    /// the twin's `version`
    pub(crate) version: u64,
    /// `properties.desired.$version`
    pub(crate) desired_version: u64,
    /// `properties.reported.$version`
    pub(crate) reported_version: u64,
    /// the identity, packed
    pub(crate) identity: &'p [u8],
    /// the model id, UTF-8; empty if none
    pub(crate) model: &'p [u8],
    /// JSON objects
    pub(crate) tags: &'p [u8],
    pub(crate) desired: &'p [u8],
    pub(crate) reported: &'p [u8],
    /// packed metadata
    pub(crate) desired_metadata: &'p [u8],
    pub(crate) reported_metadata: &'p [u8],
}

/// An identity with its twin, immutable and cheap to clone.
#[derive(Clone, PartialEq)]
pub(crate) struct Record(Arc<[u8]>);

impl std::fmt::Debug for Record {
    /// Shows no keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let p = self.parts();
        write!(f, "Record(#{}, etag {}, version {})", p.serial, p.etag, p.version)
    }
}

impl Record {
    /// Packs the parts.
    pub(crate) fn new(parts: &Parts<'_>) -> Record {
        let pieces = parts.pieces();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + pieces.iter().map(|p| p.len()).sum::<usize>());
        bytes.push(LAYOUT);
        for number in [parts.serial, parts.etag, parts.version, parts.desired_version, parts.reported_version]
        {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for piece in pieces {
            // Sections are limited to tens of kilobytes long before this.
            bytes.extend_from_slice(&(piece.len() as u32).to_le_bytes());
        }
        for piece in pieces {
            bytes.extend_from_slice(piece);
        }
        Record(bytes.into())
    }

    /// Takes bytes that were stored, after checking that they are a record. The sections are not parsed: the store's
    /// checksum says that they are what was packed, and a million of them have to be read at start.
    pub(crate) fn from_stored(bytes: Arc<[u8]>) -> Result<Record> {
        let wrong = |what: &str| failed(format!("a stored twin cannot be read: {what}"));
        if bytes.len() < HEADER_BYTES || bytes[0] != LAYOUT {
            return Err(wrong("its layout is not known to this hub"));
        }
        let record = Record(bytes);
        let end = (0..PARTS).try_fold(HEADER_BYTES, |at, n| at.checked_add(record.length(n)));
        if end != Some(record.0.len()) {
            return Err(wrong("its lengths do not add up"));
        }
        let parts = record.parts();
        pack::View::of(parts.identity)?;
        std::str::from_utf8(parts.model).map_err(|_| wrong("its model id is not UTF-8"))?;
        Ok(record)
    }

    /// The bytes to store.
    pub(crate) fn bytes(&self) -> &Arc<[u8]> {
        &self.0
    }

    /// The pieces, borrowed.
    pub(crate) fn parts(&self) -> Parts<'_> {
        let mut at = HEADER_BYTES;
        let [identity, model, tags, desired, reported, desired_metadata, reported_metadata] =
            std::array::from_fn(|n| {
                let piece = &self.0[at..at + self.length(n)];
                at += piece.len();
                piece
            });
        Parts {
            serial: self.number(0),
            etag: self.number(1),
            version: self.number(2),
            desired_version: self.number(3),
            reported_version: self.number(4),
            identity,
            model,
            tags,
            desired,
            reported,
            desired_metadata,
            reported_metadata,
        }
    }

    /// Place in the order of creation.
    pub(crate) fn serial(&self) -> u64 {
        self.number(0)
    }

    /// The twin's etag.
    pub(crate) fn etag(&self) -> ETag {
        ETag::from_counter(self.number(1))
    }

    /// The identity, without what is volatile.
    pub(crate) fn identity(&self) -> Identity {
        pack::unpack(self.parts().identity).expect("the store's checksum says that this is what was packed")
    }

    /// The identity, read where it lies.
    pub(crate) fn identity_view(&self) -> pack::View<'_> {
        pack::View::of(self.parts().identity).expect("the store's checksum says that this is what was packed")
    }

    /// Whether the identity may connect, without unpacking it.
    pub(crate) fn status(&self) -> Status {
        pack::status(self.parts().identity)
    }

    /// The model id, if one was announced.
    pub(crate) fn model(&self) -> &str {
        std::str::from_utf8(self.parts().model)
            .expect("the store's checksum says that this is what was packed")
    }

    /// The tags, parsed.
    pub(crate) fn tags(&self) -> Object {
        parse(self.parts().tags)
    }

    /// The desired properties, parsed.
    pub(crate) fn desired(&self) -> Section {
        let p = self.parts();
        section(SectionName::Desired, p.desired, p.desired_metadata, p.desired_version)
    }

    /// The reported properties, parsed.
    pub(crate) fn reported(&self) -> Section {
        let p = self.parts();
        section(SectionName::Reported, p.reported, p.reported_metadata, p.reported_version)
    }

    fn number(&self, n: usize) -> u64 {
        let at = 1 + n * 8;
        u64::from_le_bytes(self.0[at..at + 8].try_into().expect("eight bytes"))
    }

    fn length(&self, n: usize) -> usize {
        let at = 1 + NUMBERS * 8 + n * 4;
        u32::from_le_bytes(self.0[at..at + 4].try_into().expect("four bytes")) as usize
    }
}

impl Parts<'_> {
    fn pieces(&self) -> [&[u8]; PARTS] {
        [
            self.identity,
            self.model,
            self.tags,
            self.desired,
            self.reported,
            self.desired_metadata,
            self.reported_metadata,
        ]
    }
}

/// An object as JSON text.
pub(crate) fn json(object: &Object) -> Vec<u8> {
    serde_json::to_vec(object).expect("a JSON object can always be written")
}

/// Metadata in its compact form.
pub(crate) fn packed(metadata: &Metadata) -> Vec<u8> {
    let mut to = Vec::new();
    metadata.encode(&mut to);
    to
}

/// A section that we wrote, parsed again.
fn parse(json: &[u8]) -> Object {
    serde_json::from_slice(json).expect("the store's checksum says that this is what was packed")
}

fn section(name: SectionName, json: &[u8], metadata: &[u8], version: u64) -> Section {
    let value = parse(json);
    let metadata =
        Metadata::decode(metadata, &value).expect("the store's checksum says that this is what was packed");
    Section::from_parts(name, value, metadata, version)
}
