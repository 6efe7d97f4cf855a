//! Devices on their way in: attaching one to the engine may wait for a disk, and the others on the connection must not wait
//! with it. Its links are answered once it is in; what the peer says of them meanwhile is kept with the session.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use twin_core::TwinKey;
use twin_core::identity::Identity;
use twin_core::wire::amqp::{Address, Direction};
use twin_core::wire::{HubCode, Refusal};

use super::connection::{Connection, Ended};
use super::frame::{Attach, Role};
use super::link::{Arriving, At, Link};
use crate::engine::{Attachment, KeptSession, Notice};

/// Notices that may wait for one device. They are moved on as they come, so this is a burst from one batch of the
/// engine; memory is taken only as far as it is used.
const MAX_NOTICES: usize = 1024;

/// Whom a link waits for.
pub(super) struct Awaited {
    pub(super) identity: Arc<Identity>,
    pub(super) model_id: Option<String>,
}

/// A link that waits for its device.
pub(super) struct Newcomer {
    channel: u16,
    attach: Attach,
    link: Link,
}

/// What became of attaching a device to the engine.
pub(super) struct Entered {
    key: TwinKey,
    outcome: Result<(Attachment, mpsc::Receiver<Notice>), Refusal>,
}

pub(super) type Entering = Pin<Box<dyn Future<Output = Entered> + Send>>;

/// Which way messages go on a link that a peer asks for.
pub(super) fn direction_of(attach: &Attach) -> Direction {
    match attach.role {
        Role::Sender => Direction::ToHub,
        Role::Receiver => Direction::FromHub,
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// Lets a link wait for its device; the first one asks for it.
    pub(super) fn wait_for(&mut self, channel: u16, attach: Attach, link: Link, awaited: Awaited) {
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        session.arriving.insert(attach.handle, Arriving { serial: link.serial, ..Arriving::default() });
        let key = awaited.identity.key();
        let newcomers = self.newcomers.entry(key.clone()).or_default();
        newcomers.push(Newcomer { channel, attach, link });
        if newcomers.len() > 1 {
            return;
        }
        let engine = self.front.engine.clone();
        self.entering.push(Box::pin(async move {
            let (sender, from) = mpsc::channel(MAX_NOTICES);
            let Awaited { identity, model_id } = awaited;
            // AMQP has no kept sessions: one that MQTT left stays as it is.
            let attached = engine.attach_with(&identity, KeptSession::Leave, model_id, sender).await;
            Entered { key, outcome: attached.map(|attachment| (attachment, from)) }
        }));
    }

    /// A device is in, or is not let in: its links are answered.
    pub(super) async fn let_in(&mut self, Entered { key, outcome }: Entered) -> Result<(), Ended> {
        let newcomers = self.newcomers.remove(&key).unwrap_or_default();
        let key = outcome.map(|(attachment, from)| self.add_device(key, attachment, from));
        for Newcomer { channel, attach, link } in newcomers {
            let handle = attach.handle;
            // The session may have ended in the meantime, or another have begun under its number.
            let Some(session) = self.sessions.get_mut(&channel) else { continue };
            if session.arriving.get(&handle).is_none_or(|arriving| arriving.serial != link.serial) {
                continue;
            }
            let arriving = session.arriving.remove(&handle).unwrap_or_default();
            match &key {
                Err(refusal) => self.refuse_link(channel, &attach, refusal.clone()),
                Ok(_) if !self.claims.hold(&link.claim) => {
                    let refusal = Refusal::new(HubCode::IOT_HUB_UNAUTHORIZED, "the token has expired");
                    self.refuse_link(channel, &attach, refusal);
                }
                Ok(key) => self.add_link(channel, &attach, Link { key: Some(key.clone()), ..link }),
            }
            if let Some(flow) = arriving.flow {
                let max_frame = self.max_frame();
                if let Some(session) = self.sessions.get_mut(&channel) {
                    let outcome = session.link_flowed(&flow, max_frame, &mut self.pipe.outbox);
                    outcome.or_else(|wrong| self.wrong(channel, wrong))?;
                    self.feed_session(channel);
                }
            }
            if let Some(detach) = arriving.detach {
                self.detached(channel, &detach).await?;
            }
        }
        if let Ok(key) = &key {
            self.leave_if_idle(key);
        }
        Ok(())
    }

    /// Answers an attach and begins with the link.
    pub(super) fn add_link(&mut self, channel: u16, attach: &Attach, link: Link) {
        let (handle, direction) = (attach.handle, link.direction());
        let Some(session) = self.sessions.get(&channel) else { return };
        let same = |other: &Link| other.name == link.name && other.direction() == direction;
        if let Some((earlier, other)) = session.links.iter().find(|(_, other)| same(other)) {
            let at = At { channel, handle: *earlier, serial: other.serial };
            let why = "a link of the same name was attached";
            self.end_link(at, Refusal::new(HubCode::LINK_CREATION_CONFLICT, why));
        }
        let at = At { channel, handle, serial: link.serial };
        let (key, address) = (link.key.clone(), link.address.clone());
        self.answer_attach(channel, attach, Some(&link));
        if let Some(session) = self.sessions.get_mut(&channel) {
            session.add(handle, link, &mut self.pipe.outbox);
        }
        if let Some(key) = key {
            self.entered(&key, &address, direction, at);
        }
        if address == Address::Feedback {
            self.await_feedback();
        }
    }

    /// Answers an attach with a refusal.
    pub(super) fn refuse_link(&mut self, channel: u16, attach: &Attach, refusal: Refusal) {
        let error = self.error(refusal);
        self.answer_attach(channel, attach, None);
        if let Some(session) = self.sessions.get_mut(&channel) {
            session.refuse(attach.handle, error, &mut self.pipe.outbox);
        }
    }
}
