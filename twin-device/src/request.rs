//! One request as a future: posted when made, given up when dropped.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;
use twin_core::session::{Answer, Command, Ticket};
use twin_core::{Delivery, Error, ErrorKind, Result};

use crate::shared::{Letter, Shared};

/// Resolves when the request ended. Dropping it before gives the request up.
pub(crate) struct Request {
    ticket: Ticket,
    reply: oneshot::Receiver<Result<Answer>>,
    shared: Arc<Shared>,
    ended: bool,
}

impl Request {
    /// Posts a command, made with its ticket.
    pub(crate) fn post(shared: &Arc<Shared>, command: impl FnOnce(Ticket) -> Command) -> Result<Request> {
        let ticket = shared.ticket();
        let (sender, reply) = oneshot::channel();
        shared.post(Letter::Ask(ticket, Box::new(command(ticket)), sender))?;
        Ok(Request { ticket, reply, shared: shared.clone(), ended: false })
    }
}

impl Future for Request {
    type Output = Result<Answer>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(Pin::new(&mut self.reply).poll(cx));
        self.ended = true;
        // The task ended without an answer: the runtime that ran it was shut down.
        Poll::Ready(result.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Closed, "the client's task has ended with its runtime")
                .with_delivery(Delivery::Unknown))
        }))
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.ended {
            // Fails only if the task is gone, and then there is nothing to give up.
            let _ = self.shared.post(Letter::Cancel(self.ticket));
        }
    }
}
