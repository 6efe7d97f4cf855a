//! The one writer: takes what arrived meanwhile, steps the domain over it, makes it durable with one sync, installs
//! it in memory, tells devices, and answers.
//!
//! It is at home on a thread of its own, as the store blocks. A store in memory does not: then whoever asks for a change
//! makes it on the spot ([`write_now`]), as two hand-overs between threads cost several times what the change does.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use twin_core::wire::Refusal;
use twin_core::{Result, TwinKey};

use super::indexes::Changed;
use super::keys;
use super::memory::Handle;
use super::overlay::Overlay;
use super::sessions::Channels;
use super::{Clock, Shared};
use crate::domain::{Command, Done, Notice, Record, Step, refuse, step};
use crate::mail::{Mail, MailCommand};
use crate::store::{Batch, Job, Store};

/// Most pieces of work in one batch.
const MAX_BATCH: usize = 1024;
/// How often presence (connection state, activity) is written. A hub that is killed forgets at most so much of it.
pub(super) const PRESENCE_EVERY: Duration = Duration::from_secs(60);
/// Most presences written with one batch; the rest follows with the next.
const MAX_PRESENCES: usize = 4096;

/// Something for the writer to do.
pub(super) enum Work {
    /// a change of twins or identities
    Command {
        command: Command,
        answer: oneshot::Sender<Result<Done, Refusal>>,
        /// room in the queue, given back when the work is done
        _room: OwnedSemaphorePermit,
    },
    /// a change of a kept session
    Session {
        handle: Handle,
        key: Arc<TwinKey>,
        /// `None`: the session is forgotten
        channels: Option<Channels>,
        answer: oneshot::Sender<Result<Done, Refusal>>,
        _room: OwnedSemaphorePermit,
    },
    /// something about cloud-to-device messages
    Mail { command: MailCommand, answer: oneshot::Sender<Result<Done, Refusal>>, _room: OwnedSemaphorePermit },
    /// freeze the state for a copy
    Backup { target: PathBuf, answer: oneshot::Sender<Result<Job>> },
    /// finish and close the store
    Stop { answer: oneshot::Sender<Result<()>> },
    /// end at once, as if killed
    #[cfg(test)]
    Crash { answer: oneshot::Sender<()> },
}

/// The writer's state.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) store: Box<dyn Store>,
    pub(super) clock: Clock,
    pub(super) gather: Duration,
    pub(super) next_serial: u64,
    pub(super) mail: Mail,
    pub(super) presence_due: Instant,
}

/// Whom to answer what, and the room in the queue that this gives back.
type Answer = (oneshot::Sender<Result<Done, Refusal>>, Result<Done, Refusal>, OwnedSemaphorePermit);

/// The writer, until it is stopped: its thread's, and for stores that do not wait everybody's.
pub(super) type Held = Mutex<Option<Writer>>;

fn lock(held: &Held) -> MutexGuard<'_, Option<Writer>> {
    // Poisoned by a fault that the alarm has told; nothing is written any more.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does a piece of work on the caller's thread; not if the writer was stopped. A caller's works are done in the order of
/// its calls.
pub(super) fn write_now(held: &Held, work: Work) {
    let mut guard = lock(held);
    if let Some(writer) = guard.as_mut() {
        let _alarm = Alarm(writer.shared.clone());
        writer.write(vec![work]);
    }
}

/// Works until stopped, or until every sender is gone.
pub(super) fn run(held: &Held, queue: &Receiver<Work>) {
    let (gather, shared) = match lock(held).as_ref() {
        Some(writer) => (writer.gather, writer.shared.clone()),
        None => return,
    };
    let _alarm = Alarm(shared);
    loop {
        let due = lock(held).as_ref().map_or_else(Instant::now, |writer| writer.presence_due);
        let mut last = None;
        let mut batch = Vec::new();
        match queue.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(work) => last = Writer::gather(queue, work, &mut batch, gather),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                if let Some(Err(error)) = lock(held).take().map(Writer::close) {
                    tracing::error!(%error, "the store could not be closed");
                }
                return;
            }
        }
        let mut guard = lock(held);
        let Some(writer) = guard.as_mut() else { return };
        if !batch.is_empty() {
            writer.write(batch);
        }
        if Instant::now() >= writer.presence_due {
            writer.write_presence(MAX_PRESENCES);
            writer.sweep_mail();
        }
        match last {
            Some(Work::Backup { target, answer }) => {
                writer.write_presence(usize::MAX);
                let _ = answer.send(writer.store.copy_to(&target));
            }
            Some(Work::Stop { answer }) => {
                let closed = guard.take().map_or(Ok(()), Writer::close);
                let _ = answer.send(closed);
                return;
            }
            #[cfg(test)]
            Some(Work::Crash { answer }) => {
                drop(guard.take());
                let _ = answer.send(());
                return;
            }
            _ => {}
        }
    }
}

impl Writer {
    /// Takes `first` and what is waiting behind it, up to the first piece of work that must stand alone.
    fn gather(queue: &Receiver<Work>, first: Work, batch: &mut Vec<Work>, longest: Duration) -> Option<Work> {
        let until = Instant::now() + longest;
        let mut next = Some(first);
        while let Some(work) = next {
            if !matches!(work, Work::Command { .. } | Work::Session { .. } | Work::Mail { .. }) {
                return Some(work);
            }
            batch.push(work);
            if batch.len() == MAX_BATCH {
                return None;
            }
            next = match longest.is_zero() {
                true => queue.try_recv().ok(),
                false => queue.recv_timeout(until.saturating_duration_since(Instant::now())).ok(),
            };
        }
        None
    }

    fn write(&mut self, work: Vec<Work>) {
        let mut answers: Vec<Answer> = Vec::with_capacity(work.len());
        if let Some(broken) = self.shared.broken() {
            for work in work {
                answers.extend(refused(work, &broken));
            }
            return self.answer(answers);
        }
        let shared = self.shared.clone();
        let mut overlay = Overlay::new(&shared.memory, self.next_serial);
        let mut notices = Vec::new();
        let mut sessions = Vec::new();
        for work in work {
            match work {
                Work::Command { command, answer, _room } => {
                    let result = self.step(&mut overlay, &mut notices, command);
                    answers.push((answer, result, _room));
                }
                Work::Session { handle, key, channels, answer, _room } => {
                    sessions.push((handle, key, channels));
                    answers.push((answer, Ok(Done::Nothing), _room));
                }
                Work::Mail { command, answer, _room } => {
                    let result = self.mail(&overlay, command);
                    answers.push((answer, result, _room));
                }
                _ => unreachable!("gather passes only commands, sessions and mail"),
            }
        }
        let (serial, created) = (overlay.serial(), overlay.created() > 0);
        let changes = overlay.into_changes();
        let batch = self.batch(&changes, &sessions, created.then_some(serial));
        // Looking for mail where there is none changes nothing.
        if !batch.is_empty()
            && let Err(broken) = self.apply(&batch)
        {
            for (_, result, _) in &mut answers {
                *result = Err(broken.clone());
            }
            return self.answer(answers);
        }
        self.next_serial = serial;
        if !batch.is_empty() {
            self.shared.metrics.batch(answers.len());
        }
        // Found before the changes go in: whoever is deleted is told too.
        let told: Vec<(Handle, Notice)> = notices
            .into_iter()
            .filter_map(|(key, notice)| Some((shared.memory.find(&key)?, notice)))
            .collect();
        self.install(changes, &sessions);
        let now = (self.clock)();
        for (handle, notice) in told {
            if let Some(slot) = shared.memory.slot(handle) {
                shared.sessions.tell(handle, slot, now, notice);
            }
        }
        self.deliver_mail(now);
        self.answer(answers);
    }

    fn step(
        &self,
        overlay: &mut Overlay<'_>,
        notices: &mut Vec<(TwinKey, Notice)>,
        command: Command,
    ) -> Result<Done, Refusal> {
        let creates = match &command {
            Command::PutIdentity { .. } => 1,
            Command::Bulk(items) => items.len(),
            _ => 0,
        };
        if creates > 0 && !self.shared.memory.has_room_for(overlay.created() + creates) {
            return Err(refuse::unavailable(
                "This hub has created as many devices as it can without a restart; restart it",
            ));
        }
        let mut random = |to: &mut [u8]| getrandom::fill(to).expect("the system gives random bytes");
        let mut at = Step { now: (self.clock)(), world: overlay, random: &mut random, notices: Vec::new() };
        let done = step(&mut at, command)?;
        notices.append(&mut at.notices);
        Ok(done)
    }

    /// What the store is told.
    fn batch(
        &mut self,
        changes: &HashMap<TwinKey, Option<Record>>,
        sessions: &[(Handle, Arc<TwinKey>, Option<Channels>)],
        serial: Option<u64>,
    ) -> Batch {
        let mut batch = Batch::default();
        let gone = |key: &TwinKey| changes.get(key).is_some_and(Option::is_none);
        for (_, key, channels) in sessions.iter().filter(|(_, key, _)| !gone(key)) {
            match channels {
                Some(channels) => batch.put(keys::session(key), [channels.0]),
                None => batch.delete(keys::session(key)),
            }
        }
        for (key, record) in changes {
            let before = self.shared.memory.get(key);
            // A twin that is gone, or another one under the same name, has nothing of the old one's.
            if let Some(old) = before
                && record.as_ref().is_none_or(|new| new.serial() != old.serial())
            {
                self.mail.forget(old.serial());
                batch.delete(keys::session(key));
                batch.delete(keys::presence(key));
            }
            match record {
                Some(record) => batch.put(keys::twin(key), record.bytes().clone()),
                None => batch.delete(keys::twin(key)),
            }
        }
        self.store_mail(&mut batch);
        if let Some(serial) = serial {
            batch.put(keys::SERIAL.to_vec(), serial.to_le_bytes());
        }
        batch
    }

    /// Makes durable changes visible: removals first (modules before their devices), then twins in the order of
    /// their creation.
    fn install(
        &self,
        changes: HashMap<TwinKey, Option<Record>>,
        sessions: &[(Handle, Arc<TwinKey>, Option<Channels>)],
    ) {
        let memory = &self.shared.memory;
        let mut gone: Vec<TwinKey> = Vec::new();
        let mut there: Vec<(TwinKey, Record)> = Vec::with_capacity(changes.len());
        for (key, record) in changes {
            match record {
                Some(record) => {
                    // Deleted and created again in one batch: another twin in another place.
                    if memory.get(&key).is_some_and(|old| old.serial() != record.serial()) {
                        gone.push(key.clone());
                    }
                    there.push((key, record));
                }
                None => gone.push(key),
            }
        }
        gone.sort_unstable_by_key(|key| key.module.is_none());
        there.sort_unstable_by_key(|(_, record)| record.serial());
        let mut changed = Vec::with_capacity(gone.len() + there.len());
        for key in &gone {
            if let Some((handle, key, old)) = memory.remove(key) {
                changed.push(Changed { handle, key, old: Some(old), new: None });
            }
        }
        for (key, record) in there {
            let (handle, key, old) = memory.install(&key, record.clone());
            changed.push(Changed { handle, key, old, new: Some(record) });
        }
        self.shared.indexes.update(&changed);
        for (handle, key, channels) in sessions {
            if let Some(slot) = self.shared.memory.slot(*handle)
                && slot.live().is_some_and(|(live, _)| Arc::ptr_eq(&live, key))
            {
                slot.set_kept(channels.unwrap_or_default());
            }
        }
    }

    fn answer(&self, answers: Vec<Answer>) {
        for (to, result, _room) in answers {
            if result.is_err() {
                self.shared.metrics.refusal();
            }
            // Whoever asked may have gone.
            let _ = to.send(result);
        }
    }

    /// Writes the presence of up to `most` twins where it changed. A failure costs nothing that was acknowledged.
    fn write_presence(&mut self, most: usize) {
        self.presence_due = Instant::now() + PRESENCE_EVERY;
        if self.shared.broken().is_some() {
            return;
        }
        let mut batch = Batch::default();
        for handle in 0..self.shared.memory.end() {
            if batch.changes().len() >= most {
                self.presence_due = Instant::now();
                break;
            }
            let Some(slot) = self.shared.memory.slot(handle) else { continue };
            if let Some(presence) = slot.take_unwritten()
                && let Some((key, _)) = slot.live()
            {
                batch.put(keys::presence(&key), keys::pack_presence(&presence));
            }
        }
        // What it says of a failure, everybody who asks hears.
        let _ = self.apply(&batch);
    }

    /// Makes a batch durable. If that fails, nothing is written any more.
    pub(super) fn apply(&mut self, batch: &Batch) -> Result<(), Refusal> {
        self.store.apply(batch).map_err(|error| {
            tracing::error!(%error, "the store failed; the hub answers reads only");
            self.shared.break_down(error.message());
            refuse::failed(error.message())
        })
    }

    fn close(mut self) -> Result<()> {
        self.write_presence(usize::MAX);
        self.store.close()
    }
}

/// Says that nothing is written any more when the writer ends by a fault of its own.
struct Alarm(Arc<Shared>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.break_down("the writer failed, see the log; restart the hub");
        }
    }
}

fn refused(work: Work, broken: &Refusal) -> Option<Answer> {
    match work {
        Work::Command { answer, _room, .. }
        | Work::Session { answer, _room, .. }
        | Work::Mail { answer, _room, .. } => Some((answer, Err(broken.clone()), _room)),
        _ => None,
    }
}
