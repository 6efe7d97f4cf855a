//! Streams of what happens to a client, each with its own small queue.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use twin_core::Error;

use crate::shared::Shared;

/// The end of a stream that the client's task writes to.
pub(crate) struct Outlet<T>(Mutex<Flow<T>>);

struct Flow<T> {
    queue: VecDeque<T>,
    waker: Option<Waker>,
    ended: bool,
    error: Option<Error>,
}

impl<T> Outlet<T> {
    pub(crate) fn new() -> Arc<Outlet<T>> {
        Arc::new(Outlet(Mutex::new(Flow { queue: VecDeque::new(), waker: None, ended: false, error: None })))
    }

    fn lock(&self) -> MutexGuard<'_, Flow<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item unless `room` of them wait already; says whether it did.
    pub(crate) fn push(&self, item: T, room: usize) -> bool {
        let mut flow = self.lock();
        if flow.queue.len() >= room {
            return false;
        }
        flow.queue.push_back(item);
        wake(flow)
    }

    /// [`push`](Outlet::push) for what is not to be dropped: gives it back if there is no room, or nobody reads any more.
    pub(crate) fn offer(&self, item: T, room: usize) -> Option<T> {
        let mut flow = self.lock();
        if flow.queue.len() >= room || flow.ended {
            return Some(item);
        }
        flow.queue.push_back(item);
        wake(flow);
        None
    }

    /// Puts an item in place of everything that waits.
    pub(crate) fn replace(&self, item: T) -> bool {
        let mut flow = self.lock();
        flow.queue.clear();
        flow.queue.push_back(item);
        wake(flow)
    }

    /// Nothing follows.
    pub(crate) fn end(&self, error: Option<Error>) {
        let mut flow = self.lock();
        if !flow.ended {
            (flow.ended, flow.error) = (true, error);
        }
        wake(flow);
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut flow = self.lock();
        match flow.queue.pop_front() {
            Some(item) => {
                if flow.queue.is_empty() {
                    flow.queue = VecDeque::new();
                }
                Poll::Ready(Some(item))
            }
            None if flow.ended => Poll::Ready(None),
            None => {
                flow.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Wakes the reader outside of the lock, and says true.
fn wake<T>(mut flow: MutexGuard<'_, Flow<T>>) -> bool {
    let waker = flow.waker.take();
    drop(flow);
    if let Some(waker) = waker {
        waker.wake();
    }
    true
}

/// A stream of what happens to a client: desired changes, states, token expiries.
///
/// It is a [`Stream`], and has [`next`](Subscription::next) for those who need no more. It does not keep the client
/// alive: it ends when the client is closed or its last handle dropped. Dropping it ends the subscription.
///
/// ```
/// use twin_device::DeviceClient;
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> twin_device::Result<()> {
/// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
/// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
/// let mut changes = client.desired();
/// tokio::spawn(async move {
///     while let Some(change) = changes.next().await {
///         println!("{change:?}");
///     }
///     if let Some(error) = changes.error() {
///         eprintln!("no changes any more: {error}");
///     }
/// });
/// # Ok(())
/// # }
/// ```
pub struct Subscription<T> {
    outlet: Arc<Outlet<T>>,
    shared: Arc<Shared>,
}

impl<T> Subscription<T> {
    pub(crate) fn new(outlet: Arc<Outlet<T>>, shared: Arc<Shared>) -> Self {
        Subscription { outlet, shared }
    }

    /// The next item; `None` when nothing follows. Cancel-safe.
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|cx| self.outlet.poll(cx)).await
    }

    /// Why the stream ended, if it was by an error: the hub refused the credential or the subscription, or the retry
    /// policy gave up. Subscribe again when the cause is gone.
    pub fn error(&self) -> Option<Error> {
        self.outlet.lock().error.clone()
    }
}

impl<T> Stream for Subscription<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.outlet.poll(cx)
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        // The task notices by itself who is gone, when it is awake.
        self.shared.ring();
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_outlet_is_bounded_and_ends_after_what_waits() {
        let mut subscription = Subscription::new(Outlet::new(), Shared::new());
        let outlet = subscription.outlet.clone();
        assert!(outlet.push(1, 2) && outlet.push(2, 2) && !outlet.push(3, 2));
        assert_eq!(subscription.next().await, Some(1));
        assert!(outlet.replace(9));
        outlet.end(Some(Error::invalid("why")));
        outlet.end(None);
        assert_eq!((subscription.next().await, subscription.next().await), (Some(9), None));
        assert_eq!(subscription.error().unwrap().message(), "why");
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken() {
        let mut subscription = Subscription::new(Outlet::new(), Shared::new());
        let outlet = subscription.outlet.clone();
        let reader = tokio::spawn(async move { subscription.next().await });
        tokio::task::yield_now().await;
        outlet.push("now", 1);
        assert_eq!(reader.await.unwrap(), Some("now"));
    }
}
