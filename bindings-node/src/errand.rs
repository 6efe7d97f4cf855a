//! Requests without a task: each runs where it is begun and where its answer arrives.
//!
//! A task would be run by the runtime's thread, and waking that costs more than a request does until it is on the wire.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use crate::runtime::runtime;

/// One request until its letter is posted.
pub(crate) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Errand {
    work: Mutex<Option<Work>>,
    /// how often it was asked to run since it last rested
    calls: AtomicUsize,
}

/// Begins `work` on this thread. Whoever wakes it goes on with it, so it must not take long between two waits.
pub(crate) fn begin(work: Work) {
    Arc::new(Errand { work: Mutex::new(Some(work)), calls: AtomicUsize::new(0) }).run();
}

impl Errand {
    fn run(self: Arc<Self>) {
        // Whoever finds it running leaves word that it has to run again.
        if self.calls.fetch_add(1, Ordering::AcqRel) > 0 {
            return;
        }
        let _runtime = runtime().enter();
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        loop {
            let seen = self.calls.load(Ordering::Acquire);
            if let Some(running) = &mut work
                && running.as_mut().poll(&mut cx).is_ready()
            {
                return; // for good: nobody finds it at rest any more
            }
            // Back in its place before anybody else may run it.
            let mut place = self.work.lock().unwrap_or_else(PoisonError::into_inner);
            *place = work.take();
            if self.calls.compare_exchange(seen, 0, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return;
            }
            work = place.take();
        }
    }
}

impl Wake for Errand {
    fn wake(self: Arc<Self>) {
        self.run();
    }
}
