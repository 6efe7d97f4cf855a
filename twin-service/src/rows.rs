//! A query's result row by row.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use twin_core::Result;

use crate::query::{Page, Pages};

type Fetch = Pin<Box<dyn Future<Output = (Pages, Result<Option<Page>>)> + Send>>;

/// The rows of a query's result: a [`Stream`], and an [`Rows::next`] of its own.
///
/// Fetches a page when the one before is used up. A row that does not fit `T` is an error in its place, and the
/// rows after it still come. A request that fails (after its retries) is the last thing that comes; who wants to go
/// on from there reads [`Pages`] instead.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> twin_service::Result<()> {
/// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
/// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
/// # for id in ["a", "b", "c"] {
/// #     registry.create(&twin_service::Identity::new(twin_service::TwinKey::device(id)?)).await?;
/// # }
/// use futures_util::TryStreamExt;
///
/// let ids: Vec<String> = registry
///     .query("SELECT * FROM devices")
///     .page_size(2)
///     .twins()
///     .map_ok(|twin| twin.device_id.to_string())
///     .try_collect()
///     .await?;
/// assert_eq!(ids.len(), 3);
/// # hub.close().await
/// # }
/// ```
pub struct Rows<T> {
    read: fn(&Page) -> Vec<Result<T>>,
    ready: VecDeque<Result<T>>,
    state: State,
}

enum State {
    Idle(Pages),
    Fetching(Fetch),
    Done,
}

impl<T> Rows<T> {
    pub(crate) fn new(pages: Pages, read: fn(&Page) -> Vec<Result<T>>) -> Self {
        Rows { read, ready: VecDeque::new(), state: State::Idle(pages) }
    }

    /// The next row; `None` after the last. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<T>> {
        poll_fn(|cx| self.poll_row(cx)).await
    }

    fn poll_row(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Poll::Ready(Some(row));
            }
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Poll::Ready(None),
                State::Idle(pages) if !pages.has_more() => return Poll::Ready(None),
                State::Idle(mut pages) => {
                    self.state = State::Fetching(Box::pin(async move {
                        let page = pages.next_page().await;
                        (pages, page)
                    }));
                }
                State::Fetching(mut fetch) => {
                    let Poll::Ready((pages, page)) = fetch.as_mut().poll(cx) else {
                        self.state = State::Fetching(fetch);
                        return Poll::Pending;
                    };
                    match page {
                        Ok(page) => {
                            self.state = State::Idle(pages);
                            self.ready.extend(page.iter().flat_map(self.read));
                        }
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    }
                }
            }
        }
    }
}

impl<T> Stream for Rows<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        Poll::Ready(ready!(self.poll_row(cx)))
    }
}

// Nothing in it is pinned in place: the future is boxed.
impl<T> Unpin for Rows<T> {}

impl<T> fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("ready", &self.ready.len()).finish_non_exhaustive()
    }
}
