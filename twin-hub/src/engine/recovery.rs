//! From disk to memory at start: every record is checked and installed in the order of creation.

use twin_core::{Result, TwinKey};

use super::indexes::Indexes;
use super::keys;
use super::memory::{Memory, Slot};
use crate::domain::Record;
use crate::mail::{FEEDBACK, Mail, Owner};
use crate::store::{Store, failed};

/// Records between two lines of progress in the log.
const PROGRESS_EVERY: usize = 100_000;

/// Fills `memory`; the next serial.
pub(super) fn recover(store: &dyn Store, memory: &Memory) -> Result<u64> {
    let started = std::time::Instant::now();
    let mut twins: Vec<(TwinKey, Record)> = Vec::new();
    store.scan(keys::TWINS, &mut |key, value| {
        let key = keys::parse(key)?;
        let record = Record::from_stored(value).map_err(|e| e.context(format!("'{key}'")))?;
        let owner = record.identity_view();
        if owner.device != key.device.as_str() || owner.module != key.module.as_ref().map(|m| m.as_str()) {
            return Err(failed(format!("the record of '{key}' belongs to '{}'", record.identity().key())));
        }
        twins.push((key, record));
        if twins.len().is_multiple_of(PROGRESS_EVERY) {
            tracing::info!(twins = twins.len(), "reading twins");
        }
        Ok(())
    })?;
    twins.sort_unstable_by_key(|(_, record)| record.serial());
    let stored = match store.get(keys::SERIAL)? {
        Some(bytes) => u64::from_le_bytes(
            bytes.as_ref().try_into().map_err(|_| failed("the store's next serial cannot be read"))?,
        ),
        None => 1,
    };
    let next_serial = twins.last().map_or(stored, |(_, last)| stored.max(last.serial() + 1));
    let count = twins.len();
    for (key, record) in twins {
        if key.module.is_some() && memory.find(&TwinKey::from(key.device.clone())).is_none() {
            return Err(failed(format!(
                "the module '{key}' is there but its device is not; restore the data directory from a backup"
            )));
        }
        memory.install(&key, record);
    }
    restore_sessions(store, memory)?;
    if count > 0 {
        tracing::info!(twins = count, seconds = started.elapsed().as_secs_f64(), "twins are in memory");
    }
    Ok(next_serial)
}

/// The queues of cloud-to-device messages.
pub(super) fn mail(store: &dyn Store, memory: &Memory) -> Result<Mail> {
    let mut mail = Mail::default();
    store.scan(keys::MESSAGES, &mut |key, value| {
        let (serial, _) =
            keys::parse_message(key).ok_or_else(|| failed("the store has a strange message key"))?;
        let owner = match serial {
            FEEDBACK => None,
            _ => {
                let slot = memory.slot(memory.after(serial - 1)).and_then(Slot::live);
                let live = slot.filter(|(_, record)| record.serial() == serial);
                // A queue ends in the same batch as its device: this is one of a store that was cut short.
                let Some((key, record)) = live else { return Ok(()) };
                Some(Owner::of(&key, &record))
            }
        };
        mail.restore(owner, &value)
    })?;
    Ok(mail)
}

/// Indexes what is in memory.
pub(super) fn index(memory: &Memory) -> Indexes {
    let started = std::time::Instant::now();
    let indexes = Indexes::build(memory);
    if memory.end() > 0 {
        tracing::info!(seconds = started.elapsed().as_secs_f64(), "twins are indexed");
    }
    indexes
}

fn restore_sessions(store: &dyn Store, memory: &Memory) -> Result<()> {
    store.scan(keys::PRESENCES, &mut |key, value| {
        let slot = memory.find(&keys::parse(key)?).and_then(|handle| memory.slot(handle));
        if let (Some(slot), Some(presence)) = (slot, keys::unpack_presence(&value)) {
            slot.restore(&presence);
        }
        Ok(())
    })?;
    store.scan(keys::SESSIONS, &mut |key, value| {
        let slot = memory.find(&keys::parse(key)?).and_then(|handle| memory.slot(handle));
        if let (Some(slot), [channels]) = (slot, &*value) {
            slot.set_kept(super::sessions::Channels(*channels));
        }
        Ok(())
    })
}
