//! One queue: order, locks, expiry, deliveries.

use std::collections::VecDeque;

use twin_core::Timestamp;
use twin_core::message::{CloudMessage, Message};

use super::Owner;
use super::feedback::Fate;

/// How often a message is delivered before it is given up.
const MAX_DELIVERIES: u32 = 10;

/// A message that waits.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) sequence: u64,
    pub(super) enqueued: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) deliveries: u32,
    pub(super) message: Message,
    lock: Option<Lock>,
    /// whether it is on disk: nobody gets what the sender was not told of
    is_durable: bool,
}

#[derive(Debug)]
struct Lock {
    token: String,
    until: Timestamp,
}

impl Entry {
    /// One that was never delivered and is not durable yet.
    pub(super) fn new(sequence: u64, enqueued: Timestamp, expires: Timestamp, message: Message) -> Self {
        Entry { sequence, enqueued, expires, deliveries: 0, message, lock: None, is_durable: false }
    }

    fn is_locked(&self, now: Timestamp) -> bool {
        self.lock.as_ref().is_some_and(|lock| lock.until > now)
    }

    fn fate(&self, now: Timestamp) -> Option<Fate> {
        match () {
            () if self.is_locked(now) => None,
            () if self.expires <= now => Some(Fate::Expired),
            () if self.deliveries >= MAX_DELIVERIES => Some(Fate::DeliveryCountExceeded),
            () => None,
        }
    }

    fn is_available(&self, now: Timestamp) -> bool {
        self.is_durable && !self.is_locked(now) && self.fate(now).is_none()
    }
}

/// Messages in the order in which they came.
#[derive(Debug)]
pub(super) struct Queue {
    owner: Option<Owner>,
    entries: VecDeque<Entry>,
}

impl Queue {
    /// An empty one; without an owner it is that of feedback.
    pub(super) fn new(owner: Option<Owner>) -> Self {
        Queue { owner, entries: VecDeque::new() }
    }

    pub(super) fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Puts a message where its sequence number belongs.
    pub(super) fn put(&mut self, entry: Entry) {
        let at = self.entries.partition_point(|other| other.sequence < entry.sequence);
        self.entries.insert(at, entry);
    }

    /// Everything in it is durable.
    pub(super) fn confirm(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.is_durable = true);
    }

    /// Whether a message can be received.
    pub(super) fn is_available(&self, now: Timestamp) -> bool {
        self.entries.iter().any(|entry| entry.is_available(now))
    }

    /// Locks the first message that is available, and counts the delivery.
    pub(super) fn receive(
        &mut self,
        now: Timestamp,
        until: Timestamp,
        token: String,
    ) -> Option<CloudMessage> {
        let entry = self.entries.iter_mut().find(|entry| entry.is_available(now))?;
        let mut cloud = CloudMessage::new(entry.message.clone(), token.clone());
        cloud.sequence_number = Some(entry.sequence);
        cloud.enqueued = Some(entry.enqueued);
        cloud.delivery_count = Some(entry.deliveries);
        entry.deliveries += 1;
        entry.lock = Some(Lock { token, until });
        Some(cloud)
    }

    /// The message that is locked under a token.
    pub(super) fn locked(&self, now: Timestamp, token: &str) -> Option<u64> {
        let holds = |entry: &&Entry| entry.lock.as_ref().is_some_and(|l| l.token == token && l.until > now);
        self.entries.iter().find(holds).map(|entry| entry.sequence)
    }

    /// Makes a message available again.
    pub(super) fn unlock(&mut self, sequence: u64) -> Option<&Entry> {
        let entry = self.entries.iter_mut().find(|entry| entry.sequence == sequence)?;
        entry.lock = None;
        Some(entry)
    }

    /// Takes a message out.
    pub(super) fn take(&mut self, sequence: u64) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.sequence == sequence)?;
        self.entries.remove(at)
    }

    /// The messages whose time is over.
    pub(super) fn dead(&self, now: Timestamp) -> Vec<(u64, Fate)> {
        self.entries.iter().filter_map(|entry| Some((entry.sequence, entry.fate(now)?))).collect()
    }
}
