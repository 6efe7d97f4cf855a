//! Tables of what C holds. A handle is a number: kind, generation and place, so that using one too late or a wrong one is
//! noticed. Nothing of C's is followed here.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::boundary::Failure;

/// Generations of one place; a place that has used all of them is not used again.
const MAX_GENERATION: u32 = (1 << 24) - 1;

/// All handles of one kind. The id is, from the top, 8 bits of kind, 24 of generation, 32 of place.
pub(crate) struct Table<T> {
    kind: u8,
    name: &'static str,
    places: Mutex<Places<T>>,
}

struct Places<T> {
    all: Vec<Place<T>>,
    free: Vec<u32>,
}

struct Place<T> {
    generation: u32,
    value: Option<Arc<T>>,
}

impl<T> Table<T> {
    pub(crate) const fn new(kind: u8, name: &'static str) -> Self {
        Table { kind, name, places: Mutex::new(Places { all: Vec::new(), free: Vec::new() }) }
    }

    fn lock(&self) -> MutexGuard<'_, Places<T>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a value; gives its id, which is never 0.
    pub(crate) fn keep(&self, value: T) -> u64 {
        let mut places = self.lock();
        let index = places.free.pop().unwrap_or_else(|| {
            places.all.push(Place { generation: 0, value: None });
            u32::try_from(places.all.len() - 1).expect("memory ends before 4 billion handles")
        });
        let place = &mut places.all[index as usize];
        place.value = Some(Arc::new(value));
        u64::from(self.kind) << 56 | u64::from(place.generation) << 32 | u64::from(index)
    }

    /// The value of a handle.
    pub(crate) fn get(&self, id: u64) -> Result<Arc<T>, Failure> {
        self.find(&mut self.lock(), id).map(|(_, value)| value)
    }

    /// Ends a handle; gives its value.
    pub(crate) fn remove(&self, id: u64) -> Result<Arc<T>, Failure> {
        let mut places = self.lock();
        let (index, value) = self.find(&mut places, id)?;
        let place = &mut places.all[index as usize];
        place.value = None;
        place.generation += 1;
        if place.generation <= MAX_GENERATION {
            places.free.push(index);
        }
        Ok(value)
    }

    /// Does something with a handle's value; a panic closes the handle.
    pub(crate) fn with<R>(
        &self,
        id: u64,
        body: impl FnOnce(&Arc<T>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let value = self.get(id)?;
        match catch_unwind(AssertUnwindSafe(|| body(&value))) {
            Ok(done) => done,
            Err(panic) => {
                drop(self.remove(id));
                resume_unwind(panic)
            }
        }
    }

    fn find(&self, places: &mut Places<T>, id: u64) -> Result<(u32, Arc<T>), Failure> {
        let (kind, generation, index) = ((id >> 56) as u8, (id >> 32) as u32 & MAX_GENERATION, id as u32);
        let place = places.all.get(index as usize).filter(|_| kind == self.kind);
        match place {
            Some(place) if place.generation == generation && place.value.is_some() => {
                let value = place.value.clone().expect("looked at just now");
                Ok((index, value))
            }
            Some(place) if generation < place.generation => Err(Failure::closed(self.name)),
            _ => Err(Failure::invalid(format!("the {} is no handle of this library, or empty", self.name))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::twin_result::{TWIN_CLOSED, TWIN_INVALID_ARGUMENT};

    #[test]
    fn handles_are_told_apart_and_noticed_when_used_too_late() {
        let table = Table::new(1, "thing");
        let first = table.keep("first");
        assert_eq!(*table.get(first).unwrap(), "first");
        table.remove(first).unwrap();
        let second = table.keep("second");
        assert_ne!(first, second);
        assert_eq!(table.get(first).unwrap_err().result, TWIN_CLOSED);
        assert_eq!(table.remove(first).unwrap_err().result, TWIN_CLOSED);
        assert_eq!(*table.get(second).unwrap(), "second");
        for wrong in [0, u64::MAX, second | 0xff, second ^ (7 << 56), second + (1 << 32)] {
            assert_eq!(table.get(wrong).unwrap_err().result, TWIN_INVALID_ARGUMENT, "{wrong:x}");
        }
    }

    #[test]
    fn a_panic_closes_the_handle() {
        let table = Table::new(1, "thing");
        let id = table.keep(());
        let caught = catch_unwind(AssertUnwindSafe(|| {
            table.with(id, |_| -> Result<(), Failure> { panic!("on purpose") })
        }));
        assert!(caught.is_err());
        assert_eq!(table.get(id).unwrap_err().result, TWIN_CLOSED);
    }

    #[test]
    fn a_used_up_place_is_left_alone() {
        let table = Table::new(1, "thing");
        let id = table.keep(());
        table.lock().all[0].generation = MAX_GENERATION;
        table.remove(id | u64::from(MAX_GENERATION) << 32).unwrap();
        assert_eq!(table.keep(()) as u32, 1);
    }
}
