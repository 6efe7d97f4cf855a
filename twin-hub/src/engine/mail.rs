//! Cloud-to-device messages at the engine: sending, receiving, settling, and their part of the writer's work. A message
//! that was taken is on disk before its sender hears so, and one that is settled is gone from it.

use tokio::sync::watch;
use twin_core::message::{CloudMessage, Message, Settlement};
use twin_core::wire::Refusal;
use twin_core::{Timestamp, TwinKey};

use super::overlay::Overlay;
use super::writer::{Work, Writer};
use super::{Engine, keys};
use crate::domain::{Done, Notice, World, refuse};
use crate::mail::{Hold, MailCommand, Owner, Place};
use crate::store::Batch;

impl Engine {
    /// Puts a message into a device's queue.
    pub(crate) async fn send(&self, to: TwinKey, message: Message) -> Result<(), Refusal> {
        let bytes = message.bytes();
        self.mail(bytes, MailCommand::Send { to, message: Box::new(message) }).await.map(|_| ())
    }

    /// Locks the next message of a queue, if one is available.
    pub(crate) async fn receive(
        &self,
        from: Place,
        hold: Hold,
    ) -> Result<Option<Box<CloudMessage>>, Refusal> {
        match self.mail(0, MailCommand::Receive { from, hold }).await? {
            Done::Mail(found) => Ok(found),
            other => unreachable!("receiving ends with a message or none, not with {other:?}"),
        }
    }

    /// Says what becomes of a message that was received.
    pub(crate) async fn settle(
        &self,
        from: Place,
        lock_token: String,
        settlement: Settlement,
    ) -> Result<(), Refusal> {
        self.mail(0, MailCommand::Settle { from, lock_token, settlement }).await.map(|_| ())
    }

    /// Makes messages available again that a connection held when it ended. Nobody waits for it.
    pub(crate) fn let_go(&self, from: Place, lock_tokens: Vec<String>) {
        if lock_tokens.is_empty() {
            return;
        }
        let engine = self.clone();
        tokio::spawn(async move {
            for lock_token in lock_tokens {
                // Lost locks and a hub that stops have the same effect.
                let _ = engine.settle(from.clone(), lock_token, Settlement::Abandon).await;
            }
        });
    }

    /// Changes when feedback can be received.
    pub(crate) fn feedback(&self) -> watch::Receiver<u64> {
        self.0.shared.feedback.subscribe()
    }

    /// A device-to-cloud message was accepted: counted in the metrics; moves lastActivityTime.
    pub(crate) fn count_telemetry(&self, from: &TwinKey, bytes: usize) {
        self.0.shared.metrics.telemetry(bytes);
        self.touch(from);
    }

    /// A device said something without a connection that is attached: moves lastActivityTime.
    pub(crate) fn touch(&self, key: &TwinKey) {
        let slot = self.0.shared.memory.find(key).and_then(|handle| self.0.shared.memory.slot(handle));
        if let Some(slot) = slot {
            slot.touch(self.now());
        }
    }

    async fn mail(&self, bytes: usize, command: MailCommand) -> Result<Done, Refusal> {
        self.enqueue(bytes, |answer, _room| Ok(Work::Mail { command, answer, _room })).await
    }
}

impl Writer {
    /// Does what is asked of the queues, in the world as the batch has changed it so far.
    pub(super) fn mail(&mut self, world: &Overlay<'_>, command: MailCommand) -> Result<Done, Refusal> {
        let now = (self.clock)();
        let owner = |key: &TwinKey| {
            if key.module.is_some() {
                return Err(refuse::invalid(format!(
                    "'{key}' is a module; only devices have messages waiting"
                )));
            }
            let record = world.get(key).ok_or_else(|| refuse::not_found(key))?;
            Ok(Owner::of(key, &record))
        };
        let place = |place: &Place| match place {
            Place::Device(key) => owner(key).map(Some),
            Place::Feedback => Ok(None),
        };
        match command {
            MailCommand::Send { to, message } => {
                self.mail.send(now, owner(&to)?, *message)?;
                Ok(Done::Nothing)
            }
            MailCommand::Receive { from, hold } => {
                let mut random = [0; 16];
                getrandom::fill(&mut random).expect("the system gives random bytes");
                let found = self.mail.receive(now, place(&from)?.as_ref(), hold, random);
                Ok(Done::Mail(found.map(Box::new)))
            }
            MailCommand::Settle { from, lock_token, settlement } => {
                self.mail.settle(now, place(&from)?.as_ref(), &lock_token, settlement)?;
                Ok(Done::Nothing)
            }
        }
    }

    /// What the store is told of messages.
    pub(super) fn store_mail(&mut self, batch: &mut Batch) {
        for change in self.mail.take_changes() {
            let key = keys::message(change.owner, change.sequence);
            match change.stored {
                Some(stored) => batch.put(key, stored),
                None => batch.delete(key),
            }
        }
    }

    /// Tells who listens that messages wait, once these are durable.
    pub(super) fn deliver_mail(&mut self, now: Timestamp) {
        let shared = &self.shared;
        for state in self.mail.confirm(now) {
            let Some(owner) = &state.owner else {
                if state.available {
                    shared.feedback.send_modify(|count| *count += 1);
                }
                continue;
            };
            let Some(handle) = shared.memory.find(owner) else { continue };
            let Some(slot) = shared.memory.slot(handle) else { continue };
            slot.set_waiting(state.waiting);
            if state.available {
                shared.sessions.tell(handle, slot, now, Notice::Mail);
            }
        }
    }

    /// Ends messages whose time is over, and tells again of those that can be received.
    pub(super) fn sweep_mail(&mut self) {
        if self.shared.broken().is_some() {
            return;
        }
        let now = (self.clock)();
        self.mail.sweep(now);
        let mut batch = Batch::default();
        self.store_mail(&mut batch);
        if batch.is_empty() || self.apply(&batch).is_ok() {
            self.deliver_mail(now);
        }
    }
}
