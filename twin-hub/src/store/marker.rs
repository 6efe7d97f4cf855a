//! How far the disk got, kept in a small file beside the store.
//!
//! A journal whose middle is damaged looks, to the embedded engine, like one whose tail was torn by a crash: it
//! drops everything behind the damage without a word (fjall #311). So the number of the last batch that was made
//! durable is also written here, *after* the sync that made it durable. The marker is not synced itself: it can
//! lag after a power loss, which costs nothing, and never run ahead. When the store is found behind its marker, acknowledged
//! changes are missing, and opening fails instead of going on without them.
//!
//! Two slots of 16 bytes (`sequence | crc32 | 0`), written in turn, so that a torn write leaves the other one.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use twin_core::Result;

use super::failed;

const SLOT_BYTES: usize = 16;

/// The open marker file.
pub(crate) struct Marker {
    file: File,
    turn: u64,
}

impl Marker {
    /// Opens or makes the file; also what it says, 0 if nothing.
    pub(crate) fn open(path: &Path) -> Result<(Marker, u64)> {
        let wrong =
            |e| failed(format!("the progress marker '{}' cannot be opened", path.display())).with_source(e);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(wrong)?;
        let mut newest = 0;
        for slot in 0..2 {
            let mut bytes = [0; SLOT_BYTES];
            // A short or missing slot reads as "nothing yet".
            if file.read_exact_at(&mut bytes, slot * SLOT_BYTES as u64).is_ok() {
                let (sequence, rest) = bytes.split_at(8);
                if crc32fast::hash(sequence).to_le_bytes() == rest[..4] {
                    newest = newest.max(u64::from_le_bytes(sequence.try_into().expect("split at 8")));
                }
            }
        }
        Ok((Marker { file, turn: 0 }, newest))
    }

    /// Notes that everything up to `sequence` is durable.
    pub(crate) fn advance(&mut self, sequence: u64) -> std::io::Result<()> {
        let mut bytes = [0; SLOT_BYTES];
        bytes[..8].copy_from_slice(&sequence.to_le_bytes());
        bytes[8..12].copy_from_slice(&crc32fast::hash(&sequence.to_le_bytes()).to_le_bytes());
        self.turn ^= 1;
        self.file.write_all_at(&bytes, self.turn * SLOT_BYTES as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_newest_and_survives_a_torn_slot() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("marker");
        let (mut marker, found) = Marker::open(&path).unwrap();
        assert_eq!(found, 0);
        for n in [5, 6, 7] {
            marker.advance(n).unwrap();
        }
        assert_eq!(Marker::open(&path).unwrap().1, 7);
        // slot 1 holds 7 (turns 1, 0, 1): tear it
        marker.file.write_all_at(&[9], SLOT_BYTES as u64).unwrap();
        assert_eq!(Marker::open(&path).unwrap().1, 6);
    }
}
