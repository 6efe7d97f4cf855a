//! Cloud-to-device messages: one bounded queue per device, and one of feedback for the services that send. Pure: time and
//! randomness are passed in, and what is to be stored comes out as changes.
//!
//! A message waits until a device receives it. It is then locked, so that nobody else gets it, until the device
//! completes, rejects or abandons it or the lock ends; the last two make it available again. It leaves the queue when it
//! is completed, and as a dead letter when it is rejected, expires, or was delivered too often. Senders may ask to be told
//! which of these it was.
//!
//! | file | what is in it |
//! |---|---|
//! | [`Mail`] | all queues, and the changes to be stored |
//! | `queue` | one queue: order, locks, expiry, deliveries |
//! | `feedback` | what senders are told |
//! | `stored` | a message as it is stored |
//!
//! Limits and defaults are those of "Send cloud-to-device messages from IoT Hub" (50 messages a device, lock 1 minute, time
//! to live 1 hour and at most 2 days, 10 deliveries). What that guide leaves open:
//!
//! * A connection (MQTT, AMQP) holds what it was given until it settles it or ends; the lock of a minute is for HTTPS.
//! * What a connection held when it ended is available again at once, and counts as delivered.
//! * A message whose expiry lies in the past is taken and expires at once; one more than 2 days ahead is refused, 403009.
//! * How often a message was delivered is stored when it is abandoned: a hub that is killed may deliver it once more.
//! * Feedback waits for an hour, a thousand records at most, of which the oldest makes room.

mod feedback;
mod queue;
mod stored;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use twin_core::message::{CloudMessage, MAX_CLOUD_TO_DEVICE_BYTES, Message, Settlement};
use twin_core::wire::{HubCode, Refusal};
use twin_core::{Result, Timestamp, TwinKey};

use crate::domain::Record;
use feedback::Fate;
use queue::{Entry, Queue};

/// Most messages that wait for one device.
pub(crate) const MAX_WAITING: usize = 50;
/// Most records of feedback that wait.
const MAX_FEEDBACK: usize = 1000;
/// How long a message waits by default.
const TIME_TO_LIVE: Duration = Duration::from_secs(60 * 60);
/// How long a message may wait.
const MAX_TIME_TO_LIVE: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// How long a message that was received over HTTPS is locked by default.
const LOCK: Duration = Duration::from_secs(60);
/// The shortest and the longest lock that may be asked for, in seconds.
const LOCK_SECONDS: std::ops::RangeInclusive<u32> = 5..=300;
/// The queue of feedback among the queues; twins have serials from 1 on.
pub(crate) const FEEDBACK: u64 = 0;

/// Whose queue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Owner {
    /// the twin's serial: another device of the same name is another owner
    pub(crate) serial: u64,
    pub(crate) key: TwinKey,
    pub(crate) generation: String,
}

impl Owner {
    /// The device with this record.
    pub(crate) fn of(key: &TwinKey, record: &Record) -> Owner {
        let generation = record.identity_view().generation_id.to_owned();
        Owner { serial: record.serial(), key: key.clone(), generation }
    }
}

/// Which queue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    Device(TwinKey),
    Feedback,
}

/// How long a message that is received stays locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// for so many seconds, or the default
    Seconds(Option<u32>),
    /// until the connection says what becomes of it, or ends
    Connection,
}

/// What is asked of the queues.
#[derive(Debug)]
pub(crate) enum MailCommand {
    Send { to: TwinKey, message: Box<Message> },
    Receive { from: Place, hold: Hold },
    Settle { from: Place, lock_token: String, settlement: Settlement },
}

/// Something to store, or (`None`) to forget.
#[derive(Debug, PartialEq)]
pub(crate) struct Change {
    /// the serial of the queue's owner
    pub(crate) owner: u64,
    pub(crate) sequence: u64,
    pub(crate) stored: Option<Vec<u8>>,
}

/// A queue after a batch became durable.
#[derive(Debug, PartialEq)]
pub(crate) struct State {
    /// `None`: the queue of feedback
    pub(crate) owner: Option<TwinKey>,
    /// how many messages are in it
    pub(crate) waiting: usize,
    /// whether one can be received
    pub(crate) available: bool,
}

/// All queues.
#[derive(Debug)]
pub(crate) struct Mail {
    queues: HashMap<u64, Queue>,
    next_sequence: u64,
    changes: Vec<Change>,
    /// queues that changed since the last [`Mail::confirm`]
    touched: BTreeSet<u64>,
}

impl Default for Mail {
    fn default() -> Self {
        Mail {
            queues: HashMap::from([(FEEDBACK, Queue::new(None))]),
            next_sequence: 1,
            changes: Vec::new(),
            touched: BTreeSet::new(),
        }
    }
}

impl Mail {
    /// Puts back what was stored. `owner` is `None` for feedback.
    pub(crate) fn restore(&mut self, owner: Option<Owner>, stored: &[u8]) -> Result<()> {
        let entry = stored::read(stored)?;
        self.next_sequence = self.next_sequence.max(entry.sequence + 1);
        let serial = owner.as_ref().map_or(FEEDBACK, |owner| owner.serial);
        self.queues.entry(serial).or_insert_with(|| Queue::new(owner)).put(entry);
        self.touched.insert(serial);
        Ok(())
    }

    /// Takes a message for a device. It can be received once [`Mail::confirm`] was called.
    pub(crate) fn send(&mut self, now: Timestamp, to: Owner, message: Message) -> Result<(), Refusal> {
        let bytes = message.bytes();
        if bytes > MAX_CLOUD_TO_DEVICE_BYTES {
            let why = format!("The message has {bytes} bytes; {MAX_CLOUD_TO_DEVICE_BYTES} are allowed");
            return Err(Refusal::new(HubCode::MESSAGE_TOO_LARGE, why));
        }
        if message.expiry.is_some_and(|at| at > now.plus(MAX_TIME_TO_LIVE)) {
            let why = "The message would wait for more than 2 days; that is the most";
            return Err(Refusal::new(HubCode::INVALID_MESSAGE_EXPIRY_TIME, why));
        }
        self.bury(now, to.serial);
        let waiting = self.queues.get(&to.serial).map_or(0, Queue::len);
        if waiting >= MAX_WAITING {
            let why = format!("{MAX_WAITING} messages wait for the device '{}' already", to.key);
            return Err(Refusal::new(HubCode::DEVICE_MAXIMUM_QUEUE_DEPTH_EXCEEDED, why));
        }
        self.add(now, Some(to), message);
        Ok(())
    }

    /// Locks the first message that is available. `random` becomes its lock token.
    pub(crate) fn receive(
        &mut self,
        now: Timestamp,
        from: Option<&Owner>,
        hold: Hold,
        random: [u8; 16],
    ) -> Option<CloudMessage> {
        let serial = from.map_or(FEEDBACK, |owner| owner.serial);
        self.bury(now, serial);
        let until = match hold {
            Hold::Seconds(None) => now.plus(LOCK),
            Hold::Seconds(Some(seconds)) => {
                let seconds = seconds.clamp(*LOCK_SECONDS.start(), *LOCK_SECONDS.end());
                now.plus(Duration::from_secs(seconds.into()))
            }
            Hold::Connection => now.plus(MAX_TIME_TO_LIVE),
        };
        self.queues.get_mut(&serial)?.receive(now, until, token(random))
    }

    /// Does with a locked message what its receiver says.
    pub(crate) fn settle(
        &mut self,
        now: Timestamp,
        from: Option<&Owner>,
        lock_token: &str,
        settlement: Settlement,
    ) -> Result<(), Refusal> {
        let serial = from.map_or(FEEDBACK, |owner| owner.serial);
        let lost = || {
            let why = format!(
                "No message is locked under '{}': the lock ended, or the message was settled before",
                lock_token.chars().take(64).collect::<String>().escape_debug()
            );
            Refusal::new(HubCode::DEVICE_MESSAGE_LOCK_LOST, why)
        };
        let queue = self.queues.get_mut(&serial).ok_or_else(lost)?;
        let sequence = queue.locked(now, lock_token).ok_or_else(lost)?;
        match settlement {
            Settlement::Complete => self.end(now, serial, sequence, Fate::Success),
            Settlement::Reject => self.end(now, serial, sequence, Fate::Rejected),
            Settlement::Abandon => {
                if let Some(entry) = queue.unlock(sequence) {
                    let stored = Some(stored::write(entry));
                    self.changes.push(Change { owner: serial, sequence, stored });
                }
                self.touched.insert(serial);
                self.bury(now, serial);
            }
        }
        Ok(())
    }

    /// Drops the queue of a device that is gone.
    pub(crate) fn forget(&mut self, serial: u64) {
        let Some(queue) = self.queues.remove(&serial) else { return };
        let gone =
            queue.entries().map(|entry| Change { owner: serial, sequence: entry.sequence, stored: None });
        self.changes.extend(gone);
        self.touched.remove(&serial);
    }

    /// Ends what has waited too long or was delivered too often, everywhere.
    pub(crate) fn sweep(&mut self, now: Timestamp) {
        let serials: Vec<u64> = self.queues.keys().copied().collect();
        for serial in serials {
            self.bury(now, serial);
            if self.queues.get(&serial).is_some_and(|queue| queue.is_available(now)) {
                self.touched.insert(serial);
            }
        }
    }

    /// What is to be stored since this was last asked.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// What was to be stored is: it can be received now. The queues that changed.
    pub(crate) fn confirm(&mut self, now: Timestamp) -> Vec<State> {
        let mut states = Vec::new();
        for serial in std::mem::take(&mut self.touched) {
            let Some(queue) = self.queues.get_mut(&serial) else { continue };
            queue.confirm();
            let owner = queue.owner().map(|owner| owner.key.clone());
            states.push(State { owner, waiting: queue.len(), available: queue.is_available(now) });
            if queue.len() == 0 && serial != FEEDBACK {
                self.queues.remove(&serial);
            }
        }
        states
    }

    fn add(&mut self, now: Timestamp, to: Option<Owner>, message: Message) {
        let serial = to.as_ref().map_or(FEEDBACK, |owner| owner.serial);
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let expires = message.expiry.unwrap_or_else(|| now.plus(TIME_TO_LIVE));
        let entry = Entry::new(sequence, now, expires, message);
        self.changes.push(Change { owner: serial, sequence, stored: Some(stored::write(&entry)) });
        self.queues.entry(serial).or_insert_with(|| Queue::new(to)).put(entry);
        self.touched.insert(serial);
    }

    /// Ends what is dead in one queue.
    fn bury(&mut self, now: Timestamp, serial: u64) {
        let Some(queue) = self.queues.get_mut(&serial) else { return };
        for (sequence, fate) in queue.dead(now) {
            self.end(now, serial, sequence, fate);
        }
    }

    /// Takes a message out of its queue and tells its sender, if it wants to know.
    fn end(&mut self, now: Timestamp, serial: u64, sequence: u64, fate: Fate) {
        let Some(queue) = self.queues.get_mut(&serial) else { return };
        let (Some(entry), owner) = (queue.take(sequence), queue.owner().cloned()) else { return };
        self.changes.push(Change { owner: serial, sequence, stored: None });
        self.touched.insert(serial);
        // Nobody is told of feedback's own fate.
        let Some(owner) = owner else { return };
        if !fate.is_wanted(entry.message.ack) {
            return;
        }
        let oldest = self.queues.get(&FEEDBACK).filter(|queue| queue.len() >= MAX_FEEDBACK);
        if let Some(oldest) = oldest.and_then(|queue| queue.entries().next()).map(|entry| entry.sequence) {
            self.end(now, FEEDBACK, oldest, Fate::Expired);
        }
        self.add(now, None, feedback::message(now, &owner, &entry.message, fate));
    }
}

/// A lock token: .NET reads it as a GUID.
fn token(random: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in random.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests;
