//! Callbacks of one handle: made on the library's callback thread, or by whoever polls.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread::{self, ThreadId};

use tokio::sync::{Semaphore, watch};
use twin_core::{Error, ErrorKind};

use crate::boundary::Failure;
use crate::error::{self, c_text, twin_error, twin_error_free};
use crate::result::twin_result;
use crate::runtime::{late, limit, runtime, without_signals};
use crate::string::twin_str;

/// Most asynchronous requests of one handle that wait at a time.
const MAX_PENDING: u32 = 1024;

/// Something to be done where callbacks are made.
type Job = Box<dyn FnOnce() + Send>;

/// The end of an asynchronous request, called exactly once for each that was accepted.
///
/// userdata: what was given with the request.
/// result: how it ended.
/// json: the twin, identity or row; {NULL, 0} where there is none. Valid during the call.
/// version: the new reported $version of a report, where the hub told it; else 0.
/// error: what happened if it failed, valid during the call: do not free it; else {0}.
pub type twin_done_fn = Option<
    unsafe extern "C" fn(
        userdata: *mut c_void,
        result: twin_result,
        json: twin_str,
        version: u64,
        error: twin_error,
    ),
>;

/// What a request gave.
#[derive(Default)]
pub(crate) struct Gift {
    pub(crate) json: Option<String>,
    pub(crate) version: u64,
}

/// A pointer of the program's, handed back to it and never followed.
#[derive(Clone, Copy)]
pub(crate) struct Userdata(pub(crate) *mut c_void);

// SAFETY: it is never followed here; the documentation tells the program on which thread it gets it back.
unsafe impl Send for Userdata {}
// SAFETY: likewise.
unsafe impl Sync for Userdata {}

impl Userdata {
    /// The pointer; through a method, so that closures take the whole and not the bare pointer.
    pub(crate) fn get(self) -> *mut c_void {
        self.0
    }
}

/// Where the callbacks of one handle are made.
pub(crate) struct Desk {
    place: Place,
    pending: Arc<Semaphore>,
    closed: watch::Sender<bool>,
}

enum Place {
    Thread(&'static Callbacks),
    Polled { jobs: Mutex<VecDeque<Job>>, wake: OwnedFd, busy: AtomicBool },
}

impl Desk {
    /// A desk on the library's thread, or one that is polled.
    pub(crate) fn new(polled: bool) -> Result<Arc<Desk>, Failure> {
        let place = if polled {
            Place::Polled { jobs: Mutex::default(), wake: event()?, busy: AtomicBool::new(false) }
        } else {
            Place::Thread(callbacks()?)
        };
        let pending = Arc::new(Semaphore::new(MAX_PENDING as usize));
        Ok(Arc::new(Desk { place, pending, closed: watch::Sender::new(false) }))
    }

    /// Has something done there.
    pub(crate) fn post(&self, job: Job) {
        match &self.place {
            Place::Thread(callbacks) => callbacks.post(job),
            Place::Polled { jobs, wake, .. } => {
                jobs.lock().unwrap_or_else(PoisonError::into_inner).push_back(job);
                ring(wake);
            }
        }
    }

    /// The descriptor that is readable while callbacks wait.
    pub(crate) fn descriptor(&self) -> Result<RawFd, Failure> {
        match &self.place {
            Place::Polled { wake, .. } => Ok(wake.as_raw_fd()),
            Place::Thread(_) => Err(Failure::invalid(
                "the handle makes its callbacks on the library's thread; ask for TWIN_FLAG_OWN_LOOP when making it",
            )),
        }
    }

    /// Makes the callbacks that wait, on this thread; says how many.
    pub(crate) fn poll(&self) -> Result<u32, Failure> {
        self.descriptor()?;
        Ok(self.run_all())
    }

    fn run_all(&self) -> u32 {
        let Place::Polled { jobs, wake, busy } = &self.place else { return 0 };
        // A poll inside of a callback, or on a second thread, leaves the work to the first.
        if busy.swap(true, Ordering::Acquire) {
            return 0;
        }
        let mut ran = 0;
        drain(wake);
        while let Some(job) = { jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front() } {
            run(job);
            ran += 1;
        }
        busy.store(false, Ordering::Release);
        ran
    }

    /// Runs a request in the background; its end is told exactly once.
    pub(crate) fn begin(
        self: &Arc<Self>,
        timeout_ms: u32,
        done: twin_done_fn,
        userdata: *mut c_void,
        request: impl Future<Output = Result<Gift, Failure>> + Send + 'static,
    ) -> Result<(), Failure> {
        let done = done.ok_or_else(|| Failure::invalid("done is NULL; it must be a function"))?;
        let userdata = Userdata(userdata);
        let runtime = runtime()?;
        let permit = self.pending.clone().try_acquire_owned().map_err(|_| {
            let message = format!("{MAX_PENDING} requests wait already; wait for one to end");
            Failure { result: twin_result::TWIN_BUSY, error: Error::new(ErrorKind::Unavailable, message) }
        })?;
        let mut closed = self.closed.subscribe();
        // Closing waits for those that have a place; who gets one afterwards comes too late.
        if *closed.borrow_and_update() {
            return Err(Failure::closed("handle"));
        }
        let desk = self.clone();
        let mut task = runtime.spawn(request);
        runtime.spawn(async move {
            let end = tokio::select! {
                biased;
                end = &mut task => end.unwrap_or_else(|_| Err(Failure::panic())),
                _ = closed.wait_for(|closed| *closed) => Err(Failure::closed("handle")),
                () = tokio::time::sleep(limit(timeout_ms)) => Err(late(timeout_ms)),
            };
            task.abort();
            desk.post(Box::new(move || tell(done, userdata, end)));
            drop(permit);
        });
        Ok(())
    }

    /// Ends what runs in the background, and returns when no callback of this handle can come any more; called from a
    /// callback, what is left comes after that one has returned.
    pub(crate) fn close(&self) -> Result<(), Failure> {
        self.closed.send_replace(true);
        runtime()?.block_on(async {
            // Closing closes no semaphore, so this ends when all requests have.
            let _all = self.pending.acquire_many(MAX_PENDING).await;
        });
        self.settle();
        Ok(())
    }

    fn settle(&self) {
        self.settle_thread();
        self.run_all();
    }

    /// Returns when no callback that was posted to the library's thread before is running or waiting.
    pub(crate) fn settle_thread(&self) {
        if let Place::Thread(callbacks) = &self.place {
            callbacks.settle();
        }
    }
}

fn tell(
    done: unsafe extern "C" fn(*mut c_void, twin_result, twin_str, u64, twin_error),
    userdata: Userdata,
    end: Result<Gift, Failure>,
) {
    let (result, gift, error) = match end {
        Ok(gift) => (twin_result::TWIN_OK, gift, twin_error { id: 0 }),
        Err(failure) if failure.result == twin_result::TWIN_END => {
            (failure.result, Gift::default(), twin_error { id: 0 })
        }
        Err(failure) => (failure.result, Gift::default(), error::keep(failure)),
    };
    let text = gift.json.as_deref().map(c_text);
    let json =
        text.as_ref().map_or(twin_str::NONE, |t| twin_str { data: t.as_ptr(), len: t.as_bytes().len() });
    // SAFETY: the program gave the function for this purpose; everything it is given outlives the call.
    unsafe { done(userdata.get(), result, json, gift.version, error) };
    twin_error_free(error);
}

fn run(job: Job) {
    // A panic of ours must not end the thread, or what the program called us from.
    drop(catch_unwind(AssertUnwindSafe(job)));
}

/// The library's callback thread.
struct Callbacks {
    jobs: mpsc::Sender<Job>,
    thread: ThreadId,
}

fn callbacks() -> Result<&'static Callbacks, Failure> {
    static STARTED: OnceLock<Callbacks> = OnceLock::new();
    static STARTING: Mutex<()> = Mutex::new(());
    let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(callbacks) = STARTED.get() {
        return Ok(callbacks);
    }
    let (jobs, incoming) = mpsc::channel::<Job>();
    let body = move || incoming.into_iter().for_each(run);
    let thread = without_signals(|| thread::Builder::new().name("twin-callbacks".into()).spawn(body))
        .map_err(|e| Error::new(ErrorKind::Internal, format!("the system gives no thread: {e}")))?;
    Ok(STARTED.get_or_init(|| Callbacks { jobs, thread: thread.thread().id() }))
}

impl Callbacks {
    fn post(&self, job: Job) {
        // The thread never ends, so there is always somebody who takes it.
        drop(self.jobs.send(job));
    }

    fn settle(&self) {
        if self.thread == thread::current().id() {
            return;
        }
        let (done, wait) = mpsc::channel();
        self.post(Box::new(move || {
            let _ = done.send(());
        }));
        let _ = wait.recv();
    }
}

/// A descriptor that polls readable once rung.
fn event() -> Result<OwnedFd, Failure> {
    // SAFETY: takes numbers alone.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        let why = io::Error::last_os_error();
        return Err(Error::new(ErrorKind::Internal, format!("the system gives no descriptor: {why}")).into());
    }
    // SAFETY: just made, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn ring(wake: &OwnedFd) {
    let one = 1u64.to_ne_bytes();
    // SAFETY: 8 readable bytes, an open descriptor.
    unsafe { libc::write(wake.as_raw_fd(), one.as_ptr().cast(), one.len()) };
}

fn drain(wake: &OwnedFd) {
    let mut count = [0u8; 8];
    // SAFETY: room for 8 bytes, an open descriptor.
    unsafe { libc::read(wake.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
}
