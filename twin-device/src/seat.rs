//! Where a client's one task works: on its runtime, or, while it rests, on the thread of whoever asks for something.
//!
//! Waking a task on another thread costs more than all that a request needs until it is on the wire, so a request to an
//! idle client is brought on its way where it is made.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// See the module.
#[derive(Default)]
pub(crate) struct Seat(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    work: Option<Work>,
    /// the runtime's task, and the runtime
    task: Option<(Waker, Handle)>,
}

impl Seat {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // After a panic in the work there is nothing left to do but to drop it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` to its end; to be spawned.
    pub(crate) async fn work(&self, work: Work) {
        self.lock().work = Some(work);
        // The runtime may drop this future at any time: the work goes with it, as it would if it were the task itself.
        let _leave = Leave(self);
        poll_fn(|cx| {
            let mut inner = self.lock();
            if !inner.task.as_ref().is_some_and(|(waker, _)| waker.will_wake(cx.waker())) {
                inner.task = Some((cx.waker().clone(), Handle::current()));
            }
            match &mut inner.work {
                Some(work) if !self.0.is_poisoned() => work.as_mut().poll(cx),
                _ => Poll::Ready(()),
            }
        })
        .await;
    }

    /// Runs the work on this thread until it has nothing more to do at once. Whether it could: it may be running.
    pub(crate) fn run_here(&self) -> bool {
        let Ok(mut inner) = self.0.try_lock() else { return false };
        let Inner { work: Some(work), task: Some((waker, runtime)) } = &mut *inner else { return false };
        let on_panic = WakeOnPanic(waker.clone());
        let ended = {
            let _runtime = runtime.enter();
            work.as_mut().poll(&mut Context::from_waker(&on_panic.0)).is_ready()
        };
        if ended {
            let over = inner.work.take();
            drop(inner);
            drop(over);
            on_panic.0.wake_by_ref();
        }
        true
    }
}

/// Drops the work.
struct Leave<'s>(&'s Seat);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        let (work, task) = (inner.work.take(), inner.task.take());
        drop(inner);
        // Outside of the lock, which what it drops may want.
        drop((work, task));
    }
}

/// Lets the task see that its work panicked elsewhere.
struct WakeOnPanic(Waker);

impl Drop for WakeOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A seat whose work counts how often it runs and never ends, on a runtime of its own.
    fn counting() -> (tokio::runtime::Runtime, Arc<Seat>, Arc<AtomicUsize>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (seat, runs) = (Arc::new(Seat::default()), Arc::new(AtomicUsize::new(0)));
        let (task, count) = (seat.clone(), runs.clone());
        runtime.spawn(async move {
            let work = poll_fn(move |_| {
                count.fetch_add(1, Ordering::SeqCst);
                Poll::Pending
            });
            task.work(Box::pin(work)).await;
        });
        (runtime, seat, runs)
    }

    #[test]
    fn rests_and_is_run_by_others() {
        let (runtime, seat, runs) = counting();
        assert!(!seat.run_here(), "the runtime has not begun");
        runtime.block_on(tokio::task::yield_now());
        assert!(seat.run_here());
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        let busy = seat.lock();
        assert!(!seat.run_here(), "it runs elsewhere");
        drop(busy);
        drop(runtime);
        assert!(!seat.run_here(), "its runtime is gone");
        assert_eq!(Arc::strong_count(&runs), 1, "and the work with it");
    }

    #[test]
    fn a_panic_elsewhere_ends_the_task() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let seat = Arc::new(Seat::default());
        let task = seat.clone();
        let mut first = true;
        let work = poll_fn(move |_| {
            assert!(std::mem::take(&mut first), "the second time");
            Poll::Pending
        });
        let task = runtime.spawn(async move { task.work(Box::pin(work)).await });
        runtime.block_on(tokio::task::yield_now());
        let there = seat.clone();
        assert!(std::thread::spawn(move || there.run_here()).join().is_err());
        runtime.block_on(task).unwrap();
        assert!(!seat.run_here() && seat.lock().work.is_none());
    }
}
