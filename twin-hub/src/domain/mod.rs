//! What the hub decides, purely: one step takes the time and what was said, looks at the world and changes it,
//! and says who is to be told. No clock, disk, socket or randomness of its own in here.
//!
//! Who may say it was decided before (policies and device credentials are the front door's business).
//!
//! | file | what is in it |
//! |---|---|
//! | [`step`], [`Command`], [`World`] | the door |
//! | `twins` | reported patches, service patches, replacements, and the notifications they produce |
//! | `registry` | creating, updating, deleting identities; a twin lives as long as its identity |
//! | `bulk` | up to 100 registry operations at once, each with its own result |
//! | `record` | identity and twin packed into one piece of bytes: what memory and disk hold |
//! | `pack` | the packed form of an identity |
//! | `document` | the views: what the device reads, what the backend reads |
//! | `row`, `leaves` | looking query paths up in a packed record; what the index reads of it |
//! | `refuse` | refusals with the service's numbers and words |
//!
//! # Decisions on what the service's documents leave open
//!
//! * `If-Match` absent is unconditional.
//! * A PUT of a twin that leaves `tags` or `properties.desired` out keeps the section it leaves out (the device-twins
//!   guide describes replacing each section as an operation of its own), so that nothing is lost by omission.
//! * Every patch that names a desired member moves `$version` and notifies, even when no value changes; a patch of
//!   `{}` names none and does neither, though it counts as an update of the twin, so etag and version move (SDKs that
//!   write whole twins back send an empty `desired`).
//! * Updating an identity without `authentication` keeps the keys it has.
//! * A module's status is its device's; it cannot be disabled by itself.
//! * A device that is deleted and created again is another one: other generation id, new place in query pages.
//! * A connection that announces no model id leaves the model id that an earlier one announced.

mod bulk;
mod document;
mod leaves;
mod pack;
mod record;
pub(crate) mod refuse;
mod registry;
mod row;
mod twins;

use bytes::Bytes;
use twin_core::identity::Identity;
use twin_core::message::CloudMessage;
use twin_core::twin::{Patch, TwinPatch};
use twin_core::wire::Refusal;
use twin_core::wire::rest::IfMatch;
use twin_core::{DeviceId, ModuleId, Timestamp, TwinKey};

pub(crate) use bulk::{BulkItem, BulkResult};
pub(crate) use document::{device_twin, push_service_twin, service_twin};
pub(crate) use leaves::Indexed;
pub(crate) use record::Record;
pub(crate) use row::Row;

/// Most modules on one device (IoT Hub identity registry guide).
pub(crate) const MAX_MODULES: usize = 50;

/// What a connected device is told.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    /// desired properties changed; the body is shared between connections
    Desired { version: u64, body: Bytes },
    /// cloud-to-device messages wait
    Mail,
    /// disconnect: another connection of the same identity took over
    TakenOver,
    /// disconnect: the identity was deleted, disabled or its keys changed
    Revoked,
}

/// What is volatile about an identity: known while the hub runs, on disk now and then.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Presence {
    /// whether a connection of it is open
    pub(crate) connected: bool,
    /// when that last changed
    pub(crate) changed: Timestamp,
    /// when it last connected, or said or heard something
    pub(crate) active: Timestamp,
    /// how many cloud-to-device messages wait for it
    pub(crate) waiting: u8,
}

/// What was said, already parsed.
#[derive(Debug)]
pub(crate) enum Command {
    /// A device or module merges into its reported properties.
    Report { key: TwinKey, patch: Patch, if_version: Option<u64> },
    /// A device or module announced its model when it connected.
    Announce { key: TwinKey, model_id: String },
    /// The backend merges into tags and desired properties.
    PatchTwin { key: TwinKey, if_match: IfMatch, patch: TwinPatch },
    /// The backend replaces tags, desired properties or both.
    ReplaceTwin { key: TwinKey, if_match: IfMatch, content: TwinPatch },
    /// The backend creates (no If-Match) or updates an identity.
    PutIdentity { key: TwinKey, if_match: IfMatch, identity: Box<Identity> },
    /// The backend deletes an identity, its twin, and the modules of a device.
    DeleteIdentity { key: TwinKey, if_match: IfMatch },
    /// The backend does many of these.
    Bulk(Vec<BulkItem>),
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Done {
    /// the new reported `$version`
    Reported(u64),
    /// the twin or identity as it is now
    Record(Record),
    /// it is gone, or there is nothing to show
    Nothing,
    /// the cloud-to-device message that was received, if one waited
    Mail(Option<Box<CloudMessage>>),
    /// one result per failed item
    Bulk(BulkResult),
}

/// What a step sees and changes. A change is seen by the steps after it; the owner makes it durable.
pub(crate) trait World {
    /// The record of `key`, with all changes so far.
    fn get(&self, key: &TwinKey) -> Option<Record>;
    /// The modules of a device, with all changes so far.
    fn modules(&mut self, device: &DeviceId) -> Vec<ModuleId>;
    /// Puts a record.
    fn put(&mut self, key: &TwinKey, record: Record);
    /// Removes a record.
    fn remove(&mut self, key: &TwinKey);
    /// A number larger than any before: the place of a new twin in the order of creation.
    fn next_serial(&mut self) -> u64;
}

/// The surroundings of one step.
pub(crate) struct Step<'s> {
    /// the time of this step
    pub(crate) now: Timestamp,
    /// what is, and becomes
    pub(crate) world: &'s mut dyn World,
    /// fills a slice with unpredictable bytes, for keys
    pub(crate) random: &'s mut dyn FnMut(&mut [u8]),
    /// whom to tell what, once the change is durable
    pub(crate) notices: Vec<(TwinKey, Notice)>,
}

/// Does what was said, or refuses it and changes nothing.
pub(crate) fn step(at: &mut Step<'_>, command: Command) -> Result<Done, Refusal> {
    match command {
        Command::Report { key, patch, if_version } => twins::report(at, &key, &patch, if_version),
        Command::Announce { key, model_id } => twins::announce(at, &key, &model_id),
        Command::PatchTwin { key, if_match, patch } => twins::patch(at, &key, &if_match, &patch),
        Command::ReplaceTwin { key, if_match, content } => twins::replace(at, &key, &if_match, &content),
        Command::PutIdentity { key, if_match, identity } => registry::put(at, &key, &if_match, *identity),
        Command::DeleteIdentity { key, if_match } => registry::delete(at, &key, &if_match),
        Command::Bulk(items) => Ok(Done::Bulk(bulk::run(at, items))),
    }
}

#[cfg(test)]
mod tests;
