//! The twin: documents, patches, merging, versions and metadata, limits, notifications.
//!
//! | type | what it is |
//! |---|---|
//! | [`Twin`] | the document as the backend sees it (service view) |
//! | [`DeviceTwin`] | the document as the device sees it |
//! | [`Patch`], [`TwinPatch`] | JSON that obeys the shape rules, parsed once: for one section, for a whole body |
//! | [`merge()`], [`diff()`] | JSON merge patch (RFC 7396) and its inverse |
//! | [`Section`] | one of desired / reported with its metadata and version: what the hub keeps |
//! | [`notification`] | what a device hears about a desired change |
//! | [`Typed`], [`TypedTwin`] | sections as your own serde types, and patches that hold only what changed |
//! | [`limits`] | every documented limit with its citation |

pub mod diff;
pub mod document;
pub mod limits;
pub mod merge;
pub mod metadata;
mod metadata_codec;
pub mod notification;
pub mod patch;
pub(crate) mod path;
pub mod section;
mod service;
mod shape;
pub mod strict;
mod twin_patch;
pub mod typed;
pub mod version;

#[cfg(test)]
mod laws;

pub use diff::diff;
pub use document::{DeviceSection, DeviceTwin, Properties};
pub use limits::{SectionName, Violation};
pub use merge::{merge, merged};
pub use metadata::{Metadata, Stamp};
pub use patch::{Patch, Rules};
pub use section::Section;
pub use service::{Thumbprints, Twin};
pub use twin_patch::TwinPatch;
pub use typed::{Typed, TypedTwin};
pub use version::ETag;

/// A JSON object. Members iterate in the order of their names.
pub type Object = serde_json::Map<String, serde_json::Value>;
