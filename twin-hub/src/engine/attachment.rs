//! A device's connection to the engine, from attaching to dropping.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use twin_core::TwinKey;
use twin_core::identity::{Identity, Status};
use twin_core::wire::{Channel, Refusal};

use super::memory::{Handle, Slot};
use super::sessions::{Channels, Opening};
use super::writer::Work;
use super::{Engine, Operation};
use crate::domain::{Command, Notice, refuse};

/// Longest model id, in characters (a DTMI; Digital Twins Definition Language).
const MAX_MODEL_ID: usize = 128;

/// What a connection does with a session that an earlier one asked to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptSession {
    /// goes on with it, or begins one (MQTT, clean session 0)
    Resume,
    /// forgets it (MQTT, clean session 1)
    Forget,
    /// leaves it to whoever comes for it (AMQP, which has none)
    Leave,
}

/// A connection of a device or module. Dropping it marks the device disconnected (unless another took over).
pub(crate) struct Attachment {
    /// the channels a kept session (clean session 0) had subscribed to; empty for a clean one
    pub(crate) subscriptions: Vec<Channel>,
    /// whether a kept session was found
    pub(crate) session_present: bool,
    engine: Engine,
    handle: Handle,
    key: Arc<TwinKey>,
    generation: u64,
}

impl Engine {
    /// A device connected: takes over from an earlier connection (which hears [`Notice::TakenOver`]), finds its kept
    /// session or (clean) forgets it. Notices come through `notices`, which is bounded: when it is full, the
    /// connection is ended rather than waited for (the engine drops its sender, so the receiver ends): a device that
    /// cannot read reads its twin again after reconnecting.
    ///
    /// `judged` is the identity that was authenticated. If its credentials were changed since, or another one has its
    /// name now, it is refused: the change ended connections before this one was there to be ended.
    pub(crate) async fn attach(
        &self,
        judged: &Identity,
        clean_session: bool,
        model_id: Option<String>,
        notices: mpsc::Sender<Notice>,
    ) -> Result<Attachment, Refusal> {
        let session = if clean_session { KeptSession::Forget } else { KeptSession::Resume };
        self.attach_with(judged, session, model_id, notices).await
    }

    /// [`Engine::attach`] for protocols that have other sessions than MQTT's.
    pub(crate) async fn attach_with(
        &self,
        judged: &Identity,
        session: KeptSession,
        model_id: Option<String>,
        notices: mpsc::Sender<Notice>,
    ) -> Result<Attachment, Refusal> {
        self.0.faults.suffer(Operation::Attach).await?;
        let key = &judged.key();
        let (handle, slot, shared_key, record) = self.0.shared.find(key)?;
        self.check_enabled(key)?;
        if let Some(model_id) = model_id.filter(|m| m != record.model()) {
            if model_id.chars().count() > MAX_MODEL_ID {
                return Err(refuse::invalid(format!(
                    "The model id is longer than {MAX_MODEL_ID} characters"
                )));
            }
            let bytes = model_id.len();
            self.write(bytes, || Ok(Command::Announce { key: key.clone(), model_id })).await?;
        }
        let kept = slot.kept();
        let session_present = session == KeptSession::Resume && kept.is_kept();
        if session == KeptSession::Forget && kept.is_kept() {
            self.keep(handle, &shared_key, None).await?;
        }
        let channels = match (session, session_present) {
            (KeptSession::Forget | KeptSession::Leave, _) => Channels::default(),
            (KeptSession::Resume, true) => kept,
            (KeptSession::Resume, false) => Channels::KEPT,
        };
        if session == KeptSession::Resume && !session_present {
            // On disk from its first subscription on; until then there is nothing in it to lose.
            slot.set_kept(channels);
        }
        let opening = Opening { is_device: key.module.is_none(), channels, notices };
        let generation = self.0.shared.sessions.open(handle, slot, self.now(), opening);
        let attachment = Attachment {
            subscriptions: channels.to_vec(),
            session_present,
            engine: self.clone(),
            handle,
            key: shared_key,
            generation,
        };
        // Who disabled, deleted or changed it before this line did not see the connection; who does after it, does.
        self.check_enabled(key)?;
        let (_, _, current_key, record) = self.0.shared.find(key)?;
        if !Arc::ptr_eq(&current_key, &attachment.key) {
            return Err(refuse::not_found(key));
        }
        let current = record.identity();
        if current.authentication != judged.authentication || current.generation_id != judged.generation_id {
            return Err(refuse::changed_credentials(key));
        }
        Ok(attachment)
    }

    /// A module's connection needs its device to be enabled too.
    fn check_enabled(&self, key: &TwinKey) -> Result<(), Refusal> {
        let device = TwinKey::from(key.device.clone());
        let (_, _, _, record) = self.0.shared.find(&device)?;
        if record.status() == Status::Disabled { Err(refuse::disabled(&device)) } else { Ok(()) }
    }

    /// Makes a kept session durable, or (`None`) forgets it.
    async fn keep(
        &self,
        handle: Handle,
        key: &Arc<TwinKey>,
        channels: Option<Channels>,
    ) -> Result<(), Refusal> {
        let key = key.clone();
        let work = |answer, _room| Ok(Work::Session { handle, key, channels, answer, _room });
        self.enqueue(0, work).await.map(|_| ())
    }
}

impl Attachment {
    /// Subscribes to a channel; durable for kept sessions before it returns. From here on notices flow.
    pub(crate) async fn subscribe(&self, channel: Channel) -> Result<(), Refusal> {
        self.change(|channels| channels.with(channel)).await
    }

    /// Unsubscribes.
    pub(crate) async fn unsubscribe(&self, channel: Channel) -> Result<(), Refusal> {
        self.change(|channels| channels.without(channel)).await
    }

    /// Subscribes to a channel for as long as the connection lasts; nothing of it is kept.
    pub(crate) fn listen(&self, channel: Channel) {
        let sessions = &self.engine.0.shared.sessions;
        if let Some(channels) = sessions.channels(self.handle, self.generation) {
            sessions.set_channels(self.handle, self.generation, channels.with(channel));
        }
    }

    /// The device said something: moves lastActivityTime.
    pub(crate) fn touch(&self) {
        if let Some(slot) = self.slot() {
            slot.touch(self.engine.now());
        }
    }

    /// A D2C message was accepted: counted in the metrics.
    pub(crate) fn count_telemetry(&self, bytes: usize) {
        self.engine.0.shared.metrics.telemetry(bytes);
    }

    async fn change(&self, change: impl Fn(Channels) -> Channels) -> Result<(), Refusal> {
        let sessions = &self.engine.0.shared.sessions;
        let ended = || refuse::unavailable("Another connection of this device took over");
        let before = sessions.channels(self.handle, self.generation).ok_or_else(ended)?;
        let channels = change(before);
        if channels == before {
            return Ok(());
        }
        if channels.is_kept() {
            self.engine.keep(self.handle, &self.key, Some(channels)).await?;
        }
        if sessions.set_channels(self.handle, self.generation, channels) { Ok(()) } else { Err(ended()) }
    }

    fn slot(&self) -> Option<&Slot> {
        self.engine.0.shared.memory.slot(self.handle)
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if let Some(slot) = self.slot() {
            let now = self.engine.now();
            self.engine.0.shared.sessions.close(self.handle, slot, now, self.generation);
        }
    }
}

impl Slot {
    /// The channels of the kept session; none and not kept if there is none.
    fn kept(&self) -> Channels {
        Channels(self.kept.load(Ordering::Acquire))
    }

    /// Sets the channels of the kept session.
    pub(super) fn set_kept(&self, channels: Channels) {
        self.kept.store(channels.0, Ordering::Release);
    }
}
