//! Cloud-to-device messages to whoever subscribed: each to one subscriber.

use std::sync::{Arc, Weak};

use twin_core::session::Ticket;
use twin_core::{CloudMessage, Error};

use crate::messages::Incoming;
use crate::shared::Shared;
use crate::subscription::Outlet;

/// Messages kept for a slow subscriber; IoT Hub keeps 50 for a device. One more is given back to the hub where the
/// transport can, and else is not acknowledged, so that the hub sends it again on the next connection.
pub(crate) const MAX_MESSAGES: usize = 64;

/// The subscribers of one client.
#[derive(Default)]
pub(crate) struct Mailbox {
    outlets: Vec<Weak<Outlet<Incoming>>>,
    /// The session was asked for messages, by this ticket if that has not ended yet.
    pub(crate) watching: bool,
    pub(crate) watch: Option<Ticket>,
}

impl Mailbox {
    pub(crate) fn add(&mut self, outlet: &Arc<Outlet<Incoming>>) {
        self.outlets.push(Arc::downgrade(outlet));
    }

    /// Hands a message to the first who has room; gives it back if nobody has.
    pub(crate) fn tell(&self, message: CloudMessage, shared: &Arc<Shared>) -> Option<CloudMessage> {
        let mut incoming = Incoming::new(message, shared);
        for outlet in self.outlets.iter().filter_map(Weak::upgrade) {
            incoming = outlet.offer(incoming, MAX_MESSAGES)?;
        }
        Some(incoming.into_message())
    }

    /// Forgets subscribers that are gone; says whether any is left.
    pub(crate) fn is_wanted(&mut self) -> bool {
        self.outlets.retain(|outlet| outlet.strong_count() > 0);
        !self.outlets.is_empty()
    }

    /// Ends every stream.
    pub(crate) fn end(&mut self, error: Option<&Error>) {
        (self.watching, self.watch) = (false, None);
        for outlet in std::mem::take(&mut self.outlets).iter().filter_map(Weak::upgrade) {
            outlet.end(error.cloned());
        }
    }
}
