//! The embedded engine: fjall in a data directory.
//!
//! One keyspace holds every record in its [`frame`], and, under a key of its own, the number of the last batch (in the same
//! keyspace, so that no second memtable keeps old journals alive). A batch is synced before [`Store::apply`] returns. Opening checks that nothing acknowledged is missing (see [`marker`](super::marker));
//! scanning checks every record's frame.

use std::path::Path;
use std::sync::Arc;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};
use twin_core::{Error, Result};

use super::directory::Directory;
use super::marker::Marker;
use super::{Batch, Job, Store, Visit, failed, frame};

/// Block cache of the engine, in bytes. Small: the hub reads from its own memory, the engine only at start.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
/// Threads that flush and compact.
const WORKER_THREADS: usize = 2;
/// Records written per batch while copying.
const COPY_BATCH: usize = 1024;
/// The key of the last batch's number. Keys of callers never start with NUL.
const HEAD: &[u8] = b"\0batch";

/// A store in a directory.
pub(crate) struct Embedded {
    db: Database,
    records: Keyspace,
    /// number of the last batch applied
    sequence: u64,
    marker: Marker,
    /// what went wrong with an earlier batch: nothing is written any more
    broken: Option<Error>,
    directory: Directory,
}

impl Embedded {
    /// Opens or makes the data directory at `path` and checks that everything acknowledged is there.
    pub(crate) fn open(path: &Path) -> Result<Embedded> {
        let directory = Directory::open(path)?;
        let wrong = |e: fjall::Error| explain(&directory, "opened", e);
        let db = Database::builder(directory.store())
            .cache_size(CACHE_BYTES)
            .worker_threads(WORKER_THREADS)
            .open()
            .map_err(wrong)?;
        let records = db.keyspace("records", KeyspaceCreateOptions::default).map_err(wrong)?;
        let sequence = match records.get(HEAD).map_err(wrong)? {
            Some(framed) => frame::open(HEAD, &framed)?.0,
            None => 0,
        };
        let (marker, durable) = Marker::open(&directory.marker())?;
        if sequence < durable {
            return Err(failed(format!(
                "the store in '{}' ends at batch {sequence}, but batch {durable} was acknowledged: its journal is \
                 damaged and {} batches of changes are missing. Restore the directory from a backup; to go on \
                 without them, delete '{}'",
                directory.path().display(),
                durable - sequence,
                directory.marker().display()
            )));
        }
        Ok(Embedded { db, records, sequence, marker, broken: None, directory })
    }

    /// Makes a data directory at `target`, which must be empty or missing, holding `records`.
    pub(crate) fn create_copy(
        target: &Path,
        records: impl Iterator<Item = Result<(Vec<u8>, Arc<[u8]>)>>,
    ) -> Result<()> {
        Directory::check_empty(target)?;
        let mut copy = Embedded::open(target)?;
        let mut batch = Batch::default();
        for record in records {
            let (key, value) = record?;
            batch.put(key, value);
            if batch.changes().len() == COPY_BATCH {
                copy.apply(&std::mem::take(&mut batch))?;
            }
        }
        copy.apply(&batch)?;
        Box::new(copy).close()
    }

    fn commit(&mut self, batch: &Batch, sequence: u64) -> Result<(), fjall::Error> {
        let mut write = self.db.batch().durability(Some(PersistMode::SyncData));
        for (key, value) in batch.changes() {
            match value {
                Some(value) => write.insert(&self.records, key.as_slice(), frame::seal(key, sequence, value)),
                None => write.remove(&self.records, key.as_slice()),
            }
        }
        write.insert(&self.records, HEAD, frame::seal(HEAD, sequence, &[]));
        write.commit()
    }
}

impl Store for Embedded {
    fn get(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>> {
        match self.records.get(key).map_err(|e| explain(&self.directory, "read", e))? {
            Some(framed) => Ok(Some(frame::open(key, &framed)?.1)),
            None => Ok(None),
        }
    }

    fn scan(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        for item in self.records.prefix(prefix) {
            let (key, framed) = item.into_inner().map_err(|e| explain(&self.directory, "read", e))?;
            if *key == *HEAD {
                continue;
            }
            let (sequence, value) = frame::open(&key, &framed)?;
            if sequence > self.sequence {
                return Err(failed(format!(
                    "the record '{}' belongs to batch {sequence}, but the store in '{}' ends at batch {}: it is \
                     damaged; restore the directory from a backup",
                    key.escape_ascii(),
                    self.directory.path().display(),
                    self.sequence
                )));
            }
            visit(&key, value)?;
        }
        Ok(())
    }

    fn apply(&mut self, batch: &Batch) -> Result<()> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        if batch.is_empty() {
            return Ok(());
        }
        let sequence = self.sequence + 1;
        if let Err(e) = self.commit(batch, sequence) {
            // Whether the batch will be there after a restart is unknown, so nothing may be built on it.
            let error = explain(&self.directory, "written", e);
            self.broken = Some(error.clone());
            return Err(error);
        }
        self.sequence = sequence;
        if let Err(e) = self.marker.advance(sequence) {
            // The batch is durable; only the check at the next start is weaker.
            tracing::warn!(error = %e, file = %self.directory.marker().display(), "the progress marker cannot be written");
        }
        Ok(())
    }

    fn copy_to(&self, target: &Path) -> Result<Job> {
        Directory::check_empty(target)?;
        let snapshot = self.db.snapshot();
        let (records, target) = (self.records.clone(), target.to_owned());
        let from = self.directory.path().to_owned();
        Ok(Box::new(move || {
            let read = snapshot.iter(&records).filter_map(|item| {
                let (key, framed) = match item.into_inner() {
                    Ok((key, _)) if *key == *HEAD => return None,
                    Ok(pair) => pair,
                    Err(e) => {
                        let what = format!("the store in '{}' cannot be read", from.display());
                        return Some(Err(failed(what).with_source(e)));
                    }
                };
                Some(frame::open(&key, &framed).map(|(_, value)| (key.to_vec(), value)))
            });
            Embedded::create_copy(&target, read)
        }))
    }

    fn close(self: Box<Self>) -> Result<()> {
        if self.broken.is_some() {
            return Ok(()); // already reported, and there is nothing that could still be flushed
        }
        self.db.persist(PersistMode::SyncAll).map_err(|e| explain(&self.directory, "closed", e))
    }
}

fn explain(directory: &Directory, what: &str, e: fjall::Error) -> Error {
    let full = matches!(&e, fjall::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull);
    let way_out = if full {
        "; the disk is full: free some space and start the hub again"
    } else {
        "; look at the disk, then start the hub again, or restore the directory from a backup"
    };
    failed(format!("the store in '{}' cannot be {what}: {e}{way_out}", directory.path().display()))
        .with_source(e)
}

#[cfg(test)]
mod tests {
    use super::super::laws;
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn obeys_the_laws() {
        laws::check(|| {
            let dir = tempfile::tempdir().unwrap();
            let store = Embedded::open(&dir.path().join("data")).unwrap();
            (Box::new(store) as Box<dyn Store>, Some(dir))
        });
    }

    #[test]
    fn what_was_applied_is_there_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Embedded::open(dir.path()).unwrap();
        for n in 0u32..40 {
            let mut batch = Batch::default();
            batch.put(n.to_be_bytes().to_vec(), vec![n as u8; 100]);
            batch.delete((n / 2).to_be_bytes().to_vec());
            store.apply(&batch).unwrap();
        }
        let before = laws::all(&store);
        drop(store); // no close: what a killed process leaves
        let store = Embedded::open(dir.path()).unwrap();
        assert_eq!(laws::all(&store), before);
        assert_eq!(store.sequence, 40);
    }

    #[test]
    fn damaged_and_impossible_records_are_named() {
        for (framed, want) in [
            (vec![1, 2, 3], "shorter than its frame"),
            (frame::seal(b"other", 1, b"value"), "checksum"),
            (frame::seal(b"pump-7", 99, b"value"), "belongs to batch 99"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let store = Embedded::open(dir.path()).unwrap();
            store.records.insert(b"pump-7", framed).unwrap();
            let error = store.scan(b"", &mut |_, _| Ok(())).unwrap_err();
            assert_eq!(error.kind(), twin_core::ErrorKind::Storage);
            let text = error.to_string();
            assert!(text.contains(want) && text.contains("pump-7") && text.contains("backup"), "{text}");
        }
    }

    /// Cuts the journal where fjall's own recovery would cut a damaged one: batches vanish silently, and the
    /// marker knows.
    #[test]
    fn a_journal_cut_in_the_middle_is_noticed_and_a_torn_tail_is_not() {
        for (lost, fine) in [(1, false), (0, true)] {
            let dir = tempfile::tempdir().unwrap();
            let mut store = Embedded::open(dir.path()).unwrap();
            let mut lengths = Vec::new();
            for n in 0u32..10 {
                let mut batch = Batch::default();
                batch.put(n.to_be_bytes().to_vec(), vec![7; 1000]);
                store.apply(&batch).unwrap();
                lengths.push(journal_end(&dir.path().join("store")));
            }
            drop(store);
            let (path, _) = journal(&dir.path().join("store"));
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            let end = lengths[9 - lost];
            file.set_len(end).unwrap();
            if fine {
                // a batch that was being written when the power went
                file.write_all_at(&[1, 1, 0, 0], end).unwrap();
            }
            match Embedded::open(dir.path()) {
                Ok(store) => {
                    assert!(fine);
                    assert_eq!(laws::all(&store).len(), 10);
                }
                Err(e) => {
                    assert!(!fine, "{e}");
                    let text = e.to_string();
                    assert!(text.contains("batch 10 was acknowledged") && text.contains("backup"), "{text}");
                }
            }
        }
    }

    /// The journal file and its length.
    fn journal(store: &Path) -> (std::path::PathBuf, u64) {
        std::fs::read_dir(store)
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "jnl"))
            .map(|p| (p.clone(), p.metadata().unwrap().len()))
            .next()
            .expect("a journal")
    }

    /// Where the written part of the journal ends (the file may be preallocated with zeros).
    fn journal_end(store: &Path) -> u64 {
        let (path, _) = journal(store);
        let bytes = std::fs::read(path).unwrap();
        bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at as u64 + 1)
    }
}
