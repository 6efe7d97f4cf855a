//! The library's threads: one drives all connections, one makes callbacks. Started by the first client or registry, never
//! stopped; no signal is ever handled on them.

use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::panic::resume_unwind;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, Once, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;
use twin_core::{Delivery, Error, ErrorKind};

use crate::boundary::Failure;

/// The process that started the library; 0: not started.
static STARTED_BY: AtomicU32 = AtomicU32::new(0);

/// Whether this is a child of the process that started the library: its threads are not here, and locks may be held.
pub(crate) fn is_forked() -> bool {
    let started_by = STARTED_BY.load(Ordering::Relaxed);
    started_by != 0 && started_by != std::process::id()
}

/// The one runtime of the process. It has one thread: a scheduler of many would cost more memory than the clients. A
/// system that gives no thread today may give one tomorrow, so only success is kept.
pub(crate) fn runtime() -> Result<&'static Handle, Failure> {
    static STARTED: OnceLock<Handle> = OnceLock::new();
    static STARTING: Mutex<()> = Mutex::new(());
    if let Some(handle) = STARTED.get() {
        return Ok(handle);
    }
    let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = STARTED.get() {
        return Ok(handle);
    }
    STARTED_BY.store(std::process::id(), Ordering::Relaxed);
    let handle = start().map_err(|e| {
        STARTED_BY.store(0, Ordering::Relaxed);
        Error::new(ErrorKind::Internal, format!("the system gives no thread or descriptor: {e}"))
    })?;
    Ok(STARTED.get_or_init(|| handle))
}

fn start() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let body = move || runtime.block_on(std::future::pending::<()>());
    without_signals(|| thread::Builder::new().name("twin".into()).spawn(body))?;
    Ok(handle)
}

/// Gives back what reading the trust store took and freed, a third of a megabyte that the heap of glibc would keep. Once:
/// later clients reuse what is free.
pub(crate) fn tidy_heap() {
    #[cfg(target_env = "gnu")]
    {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // Whether there was something to give back does not matter.
            // SAFETY: it takes a number and locks the heap for itself.
            let _ = unsafe { libc::malloc_trim(0) };
        });
    }
}

/// Starts threads in `body` that take no signals: those stay with the program's own.
pub(crate) fn without_signals<T>(body: impl FnOnce() -> T) -> T {
    let mut all = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: both sets are room for a set; sigfillset fills the first before it is read, pthread_sigmask the second.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let made = body();
    // SAFETY: `before` was written above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    made
}

/// What a call waits for at most: 0 is no limit of its own.
pub(crate) fn limit(timeout_ms: u32) -> Duration {
    match timeout_ms {
        // A year: requests end long before by their own limits.
        0 => Duration::from_secs(365 * 24 * 3600),
        ms => Duration::from_millis(ms.into()),
    }
}

/// The failure of a request that outlasted its caller's patience.
pub(crate) fn late(timeout_ms: u32) -> Failure {
    Error::new(ErrorKind::Timeout, format!("no answer within the {timeout_ms} ms that the caller gave"))
        .with_delivery(Delivery::Unknown)
        .into()
}

/// Runs a request on the library's thread and waits for it here. It never runs on the caller's thread, which would meet the
/// signals that writing to a lost connection makes. When the time is over, the request is given up.
pub(crate) fn wait<T: Send + 'static>(
    timeout_ms: u32,
    request: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    let runtime = runtime()?;
    let mut task = runtime.spawn(request);
    runtime.block_on(async {
        match timeout(limit(timeout_ms), &mut task).await {
            Ok(Ok(done)) => done,
            Ok(Err(end)) => match end.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(Failure::closed("library")),
            },
            Err(_) => {
                task.abort();
                // It may have ended in this very moment.
                match task.await {
                    Ok(done) => done,
                    Err(_) => Err(late(timeout_ms)),
                }
            }
        }
    })
}
