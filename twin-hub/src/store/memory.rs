//! Keeps everything in memory. Values are shared with whoever put them, so a hub that holds its records in
//! memory anyway pays for them once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use twin_core::Result;

use super::embedded::Embedded;
use super::{Batch, Job, Store, Visit};

/// The store of an ephemeral hub.
#[derive(Default)]
pub(crate) struct MemoryStore {
    records: BTreeMap<Vec<u8>, Arc<[u8]>>,
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>> {
        Ok(self.records.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        for (key, value) in self.records.range(prefix.to_vec()..).take_while(|(k, _)| k.starts_with(prefix)) {
            visit(key, value.clone())?;
        }
        Ok(())
    }

    fn apply(&mut self, batch: &Batch) -> Result<()> {
        for (key, value) in batch.changes() {
            match value {
                Some(value) => self.records.insert(key.clone(), value.clone()),
                None => self.records.remove(key),
            };
        }
        Ok(())
    }

    fn copy_to(&self, target: &Path) -> Result<Job> {
        let (records, target) = (self.records.clone(), target.to_owned());
        Ok(Box::new(move || Embedded::create_copy(&target, records.into_iter().map(Ok))))
    }

    fn waits(&self) -> bool {
        false
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::laws;
    use super::*;

    #[test]
    fn obeys_the_laws() {
        laws::check(|| (Box::new(MemoryStore::default()) as Box<dyn Store>, ()));
    }
}
