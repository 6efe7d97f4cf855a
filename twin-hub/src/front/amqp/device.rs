//! The devices on a connection: attached to the engine by their first link, detached by their last.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::Instant;
use twin_core::TwinKey;
use twin_core::wire::amqp::{Address, Direction};
use twin_core::wire::{Channel, Heard as Word, HubCode, Refusal};

use super::super::metrics::count;
use super::claims::Claim;
use super::connection::{Connection, Ended};
use super::link::{At, Link};
use crate::engine::{Attachment, Notice};

/// A device or module that has links on this connection.
pub(super) struct Device {
    pub(super) attachment: Arc<Attachment>,
    serial: u64,
    /// how many
    links: usize,
    /// where its twin's requests come from
    pub(super) twin_in: Option<At>,
    /// where answers and changes go
    pub(super) twin_out: Option<At>,
    /// whether changes of desired properties are asked for
    pub(super) desired: bool,
    /// where cloud-to-device messages go
    pub(super) mail: Option<At>,
}

/// What the engine says to one device; `None` is that it says no more.
pub(super) type Heard = (Arc<TwinKey>, u64, Option<Notice>);

/// One device's notices, as one of the connection's streams.
pub(super) struct Notices {
    key: Arc<TwinKey>,
    serial: u64,
    from: mpsc::Receiver<Notice>,
    over: bool,
}

impl Stream for Notices {
    type Item = Heard;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        this.from.poll_recv(cx).map(|notice| {
            this.over = notice.is_none();
            Some((this.key.clone(), this.serial, notice))
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// A device was attached to the engine.
    pub(super) fn add_device(
        &mut self,
        key: TwinKey,
        attachment: Attachment,
        from: mpsc::Receiver<Notice>,
    ) -> Arc<TwinKey> {
        let (key, serial) = (Arc::new(key), self.next_serial());
        tracing::debug!(peer = %self.peer.address, device = %key, "connected");
        self.notices.push(Notices { key: key.clone(), serial, from, over: false });
        let device = Device {
            attachment: Arc::new(attachment),
            serial,
            links: 0,
            twin_in: None,
            twin_out: None,
            desired: false,
            mail: None,
        };
        self.devices.insert(key.clone(), device);
        key
    }

    /// A link of a device was attached. An earlier one of the same kind is taken over, of those that there is one of.
    pub(super) fn entered(&mut self, key: &Arc<TwinKey>, address: &Address, direction: Direction, at: At) {
        let Some(device) = self.devices.get_mut(key) else { return };
        device.links += 1;
        let place = match (address, direction) {
            (Address::Twin(_), Direction::ToHub) => &mut device.twin_in,
            (Address::Twin(_), Direction::FromHub) => &mut device.twin_out,
            (Address::DeviceBound(_), _) => {
                device.attachment.listen(Channel::CloudToDevice);
                &mut device.mail
            }
            _ => return,
        };
        if let Some(earlier) = place.replace(at) {
            self.end_link(earlier, stolen("another link took over"));
        }
    }

    /// A link is gone, whoever ended it. The device goes with its last link.
    pub(super) fn left(&mut self, at: At, link: &Link) {
        let Some(key) = &link.key else { return };
        let Some(device) = self.devices.get_mut(key) else { return };
        device.links = device.links.saturating_sub(1);
        if device.twin_in == Some(at) {
            device.twin_in = None;
        }
        if device.twin_out == Some(at) {
            device.twin_out = None;
        }
        if device.mail == Some(at) {
            device.mail = None;
        }
        self.leave_if_idle(&key.clone());
    }

    /// Detaches a device from the engine once it has no link.
    pub(super) fn leave_if_idle(&mut self, key: &Arc<TwinKey>) {
        if self.devices.get(key).is_some_and(|device| device.links == 0) {
            tracing::debug!(peer = %self.peer.address, device = %key, "disconnected");
            self.devices.remove(key);
        }
    }

    /// The engine said something to a device.
    pub(super) fn notice(&mut self, (key, serial, notice): Heard) -> Result<(), Ended> {
        let Some(device) = self.devices.get(&key).filter(|device| device.serial == serial) else {
            return Ok(());
        };
        match notice {
            Some(Notice::Desired { version, body }) => {
                if device.desired {
                    count(&self.front.metrics.desired_sent);
                    self.say(&key, &Word::Desired { version: Some(version), body });
                }
            }
            Some(Notice::Mail) => self.mail_for(&key),
            Some(Notice::TakenOver) => {
                self.end_device(&key, stolen("another connection of this device took over"));
            }
            Some(Notice::Revoked) => {
                self.claims.forget(&Claim::Token((*key).clone()));
                let why = "the identity was deleted or disabled, or its keys changed";
                self.end_device(&key, Refusal::new(HubCode::IOT_HUB_UNAUTHORIZED, why));
            }
            // The engine dropped the other end: notices came faster than this device could take them.
            None => {
                let why = "the device took changes of its twin too slowly";
                self.end_device(&key, Refusal::new(HubCode::DEVICE_MAXIMUM_QUEUE_SIZE_EXCEEDED, why));
            }
        }
        Ok(())
    }

    /// Ends what stood on claims that have ended: the links, not the connection, which may be others', too.
    pub(super) fn expire(&mut self, now: Instant) {
        for ended in self.claims.take_ended(now) {
            tracing::info!(peer = %self.peer.address, claim = ?ended, "a token has expired");
            let why = "the token has expired; renew it in time";
            self.end_links(|link| link.claim == ended, &Refusal::new(HubCode::IOT_HUB_UNAUTHORIZED, why));
        }
    }

    /// Ends all links of a device.
    pub(super) fn end_device(&mut self, key: &TwinKey, refusal: Refusal) {
        self.end_links(|link| link.key.as_deref() == Some(key), &refusal);
    }

    fn end_links(&mut self, which: impl Fn(&Link) -> bool, refusal: &Refusal) {
        let mut ending = Vec::new();
        for (channel, session) in &self.sessions {
            let links = session.links.iter().filter(|(_, link)| which(link));
            ending.extend(links.map(|(handle, link)| At {
                channel: *channel,
                handle: *handle,
                serial: link.serial,
            }));
        }
        for at in ending {
            self.end_link(at, refusal.clone());
        }
    }

    /// Ends one link, if it is still there.
    pub(super) fn end_link(&mut self, at: At, refusal: Refusal) {
        let Some(session) = self.sessions.get(&at.channel) else { return };
        if session.links.get(&at.handle).is_none_or(|link| link.serial != at.serial) {
            return;
        }
        let error = self.error(refusal);
        self.detach(at.channel, at.handle, error);
    }

    /// Ends one link with an error that is made already.
    pub(super) fn detach(&mut self, channel: u16, handle: u32, error: super::frame::ErrorValue) {
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        if let Some(link) = session.detach(handle, error, &mut self.pipe.outbox) {
            self.left(At { channel, handle, serial: link.serial }, &link);
        }
    }

    /// Subscribes to changes of desired properties, or unsubscribes.
    pub(super) async fn want_desired(&mut self, key: &TwinKey, wanted: bool) -> Result<(), Refusal> {
        let Some(device) = self.devices.get_mut(key) else { return Ok(()) };
        device.desired = wanted;
        let attachment = device.attachment.clone();
        match wanted {
            true => attachment.subscribe(Channel::Desired).await,
            false => attachment.unsubscribe(Channel::Desired).await,
        }
    }
}

fn stolen(why: &str) -> Refusal {
    Refusal::new(HubCode::CONNECTION_FORCEFULLY_CLOSED_ON_NEW_CONNECTION, why)
}
