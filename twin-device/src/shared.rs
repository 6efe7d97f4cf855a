//! What the handles and the one task of a client share: a letter box, and the outlets that streams read from.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;

use tokio::sync::{Notify, oneshot};
use twin_core::auth::SasToken;
use twin_core::session::{Answer, Command, DesiredChange, State, Ticket};
use twin_core::{Delivery, Error, ErrorKind, Result, Timestamp};

use crate::messages::Incoming;
use crate::seat::Seat;
use crate::subscription::Outlet;

/// Most requests that wait for the task to take them, in letters; one more fails at once. The session has its own bound.
const MAX_LETTERS: usize = 4096;

/// Token expiries kept for a slow reader; there is one per token.
const MAX_EXPIRIES: usize = 4;

/// Where the end of a request goes.
pub(crate) type Reply = oneshot::Sender<Result<Answer>>;

/// What a handle wants from the task.
pub(crate) enum Letter {
    /// A command with a ticket, and who waits for its end.
    Ask(Ticket, Box<Command>, Reply),
    /// Nobody waits for this any more.
    Cancel(Ticket),
    /// Somebody wants to hear of desired changes.
    Watch(Arc<Outlet<DesiredChange>>),
    /// Somebody wants messages from the cloud.
    Mail(Arc<Outlet<Incoming>>),
    /// A new given token.
    UpdateToken(Box<SasToken>),
}

/// See the module.
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    bell: Notify,
    /// as the bell, without its sound: who sets it runs the task
    mail: AtomicBool,
    /// the task is connected and nothing is under way
    idle: AtomicBool,
    pub(crate) seat: Seat,
    tickets: AtomicU64,
}

struct Inner {
    letters: VecDeque<Letter>,
    state: State,
    states: Vec<Weak<Outlet<State>>>,
    expiries: Vec<Weak<Outlet<Timestamp>>>,
    /// the last handle is gone
    abandoned: bool,
    /// the task is gone
    ended: bool,
}

impl Shared {
    pub(crate) fn new() -> Arc<Shared> {
        Arc::new(Shared {
            inner: Mutex::new(Inner {
                letters: VecDeque::new(),
                state: State::Disconnected { reason: None, retry_in: None },
                states: Vec::new(),
                expiries: Vec::new(),
                abandoned: false,
                ended: false,
            }),
            bell: Notify::new(),
            mail: AtomicBool::new(false),
            idle: AtomicBool::new(false),
            seat: Seat::default(),
            tickets: AtomicU64::new(1),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing here can be left half done by a panic, so a poisoned lock is as good as any.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.tickets.fetch_add(1, Ordering::Relaxed))
    }

    /// Puts a letter in and wakes the task, or runs it here: a request that is alone gains by that, while several gain by
    /// going out together.
    pub(crate) fn post(&self, letter: Letter) -> Result<()> {
        let mut inner = self.lock();
        if inner.ended {
            return Err(closed());
        }
        if inner.letters.len() >= MAX_LETTERS && !matches!(letter, Letter::Cancel(_)) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("{MAX_LETTERS} requests wait already, which is the most this client keeps"),
            )
            .with_delivery(Delivery::NotSent));
        }
        let alone = inner.letters.is_empty() && matches!(letter, Letter::Ask(..));
        inner.letters.push_back(letter);
        drop(inner);
        if alone && self.idle.load(Ordering::Acquire) {
            self.mail.store(true, Ordering::Release);
            if self.seat.run_here() {
                return Ok(());
            }
        }
        self.ring();
        Ok(())
    }

    /// Wakes the task: somebody came or went.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits until somebody rang. Cancel-safe.
    pub(crate) async fn rung(&self) {
        let mut sound = pin!(self.bell.notified());
        poll_fn(|cx| match self.mail.swap(false, Ordering::AcqRel) {
            true => Poll::Ready(()),
            false => sound.as_mut().poll(cx),
        })
        .await;
    }

    /// Whether the task is connected and nothing is under way.
    pub(crate) fn set_idle(&self, idle: bool) {
        self.idle.store(idle, Ordering::Release);
    }

    /// Every letter, and whether the last handle is gone.
    pub(crate) fn take_letters(&self) -> (VecDeque<Letter>, bool) {
        let mut inner = self.lock();
        (std::mem::take(&mut inner.letters), inner.abandoned)
    }

    /// The last handle is gone.
    pub(crate) fn abandon(&self) {
        self.lock().abandoned = true;
        self.ring();
    }

    /// The task is gone: later requests fail, streams end.
    pub(crate) fn end(&self) {
        let mut inner = self.lock();
        inner.ended = true;
        // Dropped letters end their requests; dropped outside of the lock, which dropping them may want.
        let letters = std::mem::take(&mut inner.letters);
        inner.state = State::Closed;
        let (states, expiries) = (std::mem::take(&mut inner.states), std::mem::take(&mut inner.expiries));
        drop(inner);
        drop(letters);
        states.iter().filter_map(Weak::upgrade).for_each(|outlet| outlet.end(None));
        expiries.iter().filter_map(Weak::upgrade).for_each(|outlet| outlet.end(None));
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.lock().ended
    }

    pub(crate) fn state(&self) -> State {
        self.lock().state.clone()
    }

    pub(crate) fn set_state(&self, state: State) {
        let mut inner = self.lock();
        inner.state = state.clone();
        inner.states.retain(|outlet| {
            // Only the latest counts: an outlet never holds two.
            outlet.upgrade().map(|outlet| outlet.replace(state.clone())).is_some()
        });
    }

    pub(crate) fn tell_expiry(&self, at: Timestamp) {
        self.lock().expiries.retain(|outlet| {
            outlet.upgrade().map(|outlet| outlet.push(at, MAX_EXPIRIES) || outlet.replace(at)).is_some()
        });
    }

    /// An outlet that starts with the state as it is.
    pub(crate) fn watch_states(&self) -> Arc<Outlet<State>> {
        let outlet = Outlet::new();
        let mut inner = self.lock();
        outlet.replace(inner.state.clone());
        if inner.ended {
            outlet.end(None);
        } else {
            inner.states.push(Arc::downgrade(&outlet));
        }
        outlet
    }

    pub(crate) fn watch_expiries(&self) -> Arc<Outlet<Timestamp>> {
        let outlet = Outlet::new();
        let mut inner = self.lock();
        if inner.ended {
            outlet.end(None);
        } else {
            inner.expiries.push(Arc::downgrade(&outlet));
        }
        outlet
    }
}

/// The end of what comes too late.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the client is closed").with_delivery(Delivery::NotSent)
}
