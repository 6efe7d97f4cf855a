//! Where state is kept: a small trait with laws, an embedded engine on disk, and memory.
//!
//! | file | what is in it |
//! |---|---|
//! | [`Store`], [`Batch`] | the trait: scan, apply a batch durably and atomically, copy |
//! | `memory` | keeps everything in memory: `--ephemeral` |
//! | `embedded` | fjall in a directory: durable, checked on open |
//! | `frame` | sequence number and checksum around every value |
//! | `marker` | how far the disk got, beside the store: notices a journal cut short |
//! | `directory` | the data directory: private, versioned, one process at a time |
//! | `laws` | the test suite that any store must pass |

pub(crate) mod directory;
pub(crate) mod embedded;
pub(crate) mod frame;
#[cfg(test)]
pub(crate) mod laws;
pub(crate) mod marker;
pub(crate) mod memory;

use std::path::Path;
use std::sync::Arc;

use twin_core::{Error, ErrorKind, Result};

/// A key, and its new value or (`None`) its end.
pub(crate) type Change = (Vec<u8>, Option<Arc<[u8]>>);

/// Changes that become visible together or not at all. Later changes of a key win over earlier ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    changes: Vec<Change>,
}

impl Batch {
    /// Writes `value` under `key`.
    pub(crate) fn put(&mut self, key: Vec<u8>, value: impl Into<Arc<[u8]>>) {
        self.changes.push((key, Some(value.into())));
    }

    /// Removes `key`; removing what is not there is no error.
    pub(crate) fn delete(&mut self, key: Vec<u8>) {
        self.changes.push((key, None));
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes, in order.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }
}

/// What a scan calls for every record: key, value. An error ends the scan.
pub(crate) type Visit<'v> = dyn FnMut(&[u8], Arc<[u8]>) -> Result<()> + 'v;

/// Work that may run on another thread while the store goes on changing.
pub(crate) type Job = Box<dyn FnOnce() -> Result<()> + Send>;

/// Keeps bytes under bytes. One owner: the writer. The laws are in `laws`.
pub(crate) trait Store: Send {
    /// The value under `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>>;

    /// Every record whose key starts with `prefix`, in order of key bytes.
    fn scan(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<()>;

    /// Applies all of `batch`; when it returns `Ok` the changes survive a crash. On `Err` none of them may be
    /// relied on, and the store may refuse everything from then on.
    fn apply(&mut self, batch: &Batch) -> Result<()>;

    /// Freezes the state as it is now; the job then copies it into `target`, which must be empty or missing,
    /// so that `target` opens as a data directory.
    fn copy_to(&self, target: &Path) -> Result<Job>;

    /// Whether [`Store::apply`] waits for a disk. If not, whoever asks for a change may make it on the spot.
    fn waits(&self) -> bool {
        true
    }

    /// Flushes and lets go of everything.
    fn close(self: Box<Self>) -> Result<()>;
}

/// An error of the storage kind.
pub(crate) fn failed(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Storage, message)
}
