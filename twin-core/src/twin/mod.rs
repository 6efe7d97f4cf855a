//! The twin: documents, patches, merging, versions and metadata, limits, notifications.
//!
//! | type | what it is |
//! |---|---|
//! | [`Twin`] | the document as the backend sees it (service view) |
//! | [`DeviceTwin`] | the document as the device sees it |
//! | [`Patch`] | a JSON object that obeys the shape rules, parsed once |
//! | [`Section`] | one of desired / reported with its metadata and version: what the hub keeps |
//! | [`limits`] | every documented limit with its citation |

pub mod diff;
pub mod document;
pub mod limits;
pub mod merge;
pub mod metadata;
pub mod patch;
pub mod section;
pub mod version;

pub use diff::diff;
pub use document::{DeviceSection, DeviceTwin, Properties, Twin};
pub use limits::{SectionName, Violation};
pub use merge::{merge, merged};
pub use metadata::{Metadata, Stamp};
pub use patch::{Patch, TwinPatch};
pub use section::Section;
pub use version::ETag;

/// A JSON object.
pub type Object = serde_json::Map<String, serde_json::Value>;
