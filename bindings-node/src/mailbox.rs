//! Letters to JavaScript.
//!
//! One isolate has one mailbox, with one thread-safe function that says "there is post"; JavaScript then takes everything
//! that waits. So a client costs no such function, a burst costs one hop, and there is one thing to take down at the end:
//! Node up to 24 can abort when a thread-safe function is called while its isolate ends (nodejs/node #55706), so the
//! function is dropped on the isolate's own thread before that, by `close` or by the environment's cleanup hook, whichever
//! is first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{Either4, Env, Function, Latin1String};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Result, Status};
use napi_derive::napi;
use tokio::sync::Notify;

/// Letters that wait before streams of events pause, in letters.
const ROOM: usize = 1024;

/// Says "there is post". Weak: it does not keep the process alive.
type Bell = ThreadsafeFunction<(), (), (), Status, false, true>;

/// What arrived.
pub(crate) struct Letter {
    /// Whom it is for: the number that JavaScript gave the request or the client.
    pub(crate) to: u32,
    /// JSON: an outcome, or an event of a client.
    pub(crate) text: String,
    /// The body of an answer, as it came.
    pub(crate) body: Option<String>,
}

/// A number, a text or nothing. JavaScript takes ASCII over as it is; everything else it has to decode.
pub(crate) type Part = Either4<u32, Latin1String, String, ()>;

impl Letter {
    fn into_parts(self) -> [Part; 3] {
        [Either4::A(self.to), say(self.text), self.body.map_or(Either4::D(()), say)]
    }
}

fn say(text: String) -> Part {
    if text.is_ascii() { Either4::B(text.into()) } else { Either4::C(text) }
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Letter>,
    /// The bell has rung for what waits.
    rung: bool,
    bell: Option<Bell>,
    taken: Arc<Notify>,
}

/// The isolate's mailbox.
#[napi]
#[derive(Clone)]
pub struct Mailbox(Arc<Mutex<Inner>>);

#[napi]
impl Mailbox {
    /// `bell` is called on the isolate's thread when there is post.
    #[napi(constructor)]
    pub fn new(env: Env, bell: Function<'_, (), ()>) -> Result<Self> {
        let bell = bell
            .build_threadsafe_function::<()>()
            .callee_handled::<false>()
            .weak::<true>()
            .build_callback(|_| Ok(()))?;
        let mailbox = Mailbox(Arc::new(Mutex::new(Inner { bell: Some(bell), ..Inner::default() })));
        // Hooks run in reverse order: before the one with which Node itself ends the function.
        env.add_env_cleanup_hook(mailbox.clone(), |mailbox| mailbox.shut())?;
        Ok(mailbox)
    }

    /// Everything that waits, oldest first: for each letter whom it is for, its text and its body (or nothing) in turn, as
    /// objects cost JavaScript several times more to take over.
    #[napi(ts_return_type = "Array<number | string | undefined>")]
    pub fn take(&self) -> Vec<Part> {
        let mut inner = self.lock();
        inner.rung = false;
        inner.taken.notify_waiters();
        let letters = std::mem::take(&mut inner.waiting);
        drop(inner);
        letters.into_iter().flat_map(Letter::into_parts).collect()
    }

    /// No post any more.
    #[napi]
    pub fn close(&self) {
        self.shut();
    }

    fn shut(&self) {
        let mut inner = self.lock();
        let bell = inner.bell.take();
        inner.taken.notify_waiters();
        drop(inner);
        // Outside of the lock, which a ringing thread may want.
        drop(bell);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a letter in; from any thread. Bounded: each request ends once, and whoever posts events waits for
    /// [`room`](Mailbox::room).
    pub(crate) fn post(&self, letter: Letter) {
        let mut inner = self.lock();
        // Under the lock, so that the bell is not dropped meanwhile by the isolate's thread.
        let Some(bell) = &inner.bell else { return };
        if !inner.rung {
            bell.call((), ThreadsafeFunctionCallMode::NonBlocking);
            inner.rung = true;
        }
        inner.waiting.push_back(letter);
    }

    /// Waits until not too many letters wait, or nobody will take them any more.
    pub(crate) async fn room(&self) {
        let taken = self.lock().taken.clone();
        loop {
            let notified = taken.notified();
            let mut notified = std::pin::pin!(notified);
            notified.as_mut().enable();
            {
                let inner = self.lock();
                if inner.waiting.len() < ROOM || inner.bell.is_none() {
                    return;
                }
            }
            notified.await;
        }
    }

    /// Posts the end of request `to`.
    pub(crate) fn answer(&self, to: u32, text: String) {
        self.post(Letter { to, text, body: None });
    }
}
