//! Who is connected: one entry per open connection, spread over locks, a few dozen bytes each.
//!
//! A twin's presence changes under the lock of its entry, so that the end of an old connection can never be written
//! over the start of a new one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use twin_core::Timestamp;
use twin_core::wire::Channel;

use super::memory::{Handle, Slot};
use crate::domain::Notice;

/// Locks that the connections are spread over.
const SHARDS: usize = 64;

/// A set of channels in one byte, as it is also kept on disk for sessions that survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Channels(pub(super) u8);

/// Marks that a kept session exists, even one without channels.
const KEPT: u8 = 0x80;

const BITS: [(Channel, u8); 5] = [
    (Channel::TwinAnswers, 1),
    (Channel::Desired, 2),
    (Channel::CloudToDevice, 4),
    (Channel::Methods, 8),
    (Channel::Inputs, 16),
];

impl Channels {
    /// A kept session without channels.
    pub(super) const KEPT: Channels = Channels(KEPT);

    fn bit(channel: Channel) -> u8 {
        BITS.iter().find(|(c, _)| *c == channel).map_or(0, |(_, bit)| *bit)
    }
    pub(super) fn with(self, channel: Channel) -> Self {
        Channels(self.0 | Self::bit(channel))
    }
    pub(super) fn without(self, channel: Channel) -> Self {
        Channels(self.0 & !Self::bit(channel))
    }
    pub(super) fn has(self, channel: Channel) -> bool {
        self.0 & Self::bit(channel) != 0
    }
    pub(super) fn is_kept(self) -> bool {
        self.0 & KEPT != 0
    }
    /// The channels, in a fixed order.
    pub(super) fn to_vec(self) -> Vec<Channel> {
        BITS.iter().filter(|(_, bit)| self.0 & bit != 0).map(|(channel, _)| *channel).collect()
    }
}

struct Connection {
    /// tells this connection from earlier ones of the same twin
    generation: u64,
    channels: Channels,
    is_device: bool,
    notices: mpsc::Sender<Notice>,
}

type Shard = HashMap<Handle, Connection>;

/// A new connection.
pub(super) struct Opening {
    pub(super) is_device: bool,
    pub(super) channels: Channels,
    pub(super) notices: mpsc::Sender<Notice>,
}

/// The open connections.
pub(crate) struct Sessions {
    shards: Box<[Mutex<Shard>]>,
    next_generation: AtomicU64,
    devices: AtomicUsize,
}

impl Default for Sessions {
    fn default() -> Self {
        Sessions {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            next_generation: AtomicU64::new(1),
            devices: AtomicUsize::new(0),
        }
    }
}

impl Sessions {
    /// Registers a connection; an earlier one of the same twin is told that it was taken over. The generation.
    pub(super) fn open(&self, handle: Handle, slot: &Slot, now: Timestamp, opening: Opening) -> u64 {
        let generation = self.next_generation.fetch_add(1, Ordering::Relaxed);
        let Opening { is_device, channels, notices } = opening;
        let mut shard = self.shard(handle);
        if let Some(old) = shard.insert(handle, Connection { generation, channels, is_device, notices }) {
            // If its queue is full, dropping the sender ends it just as well.
            let _ = old.notices.try_send(Notice::TakenOver);
        } else if is_device {
            self.devices.fetch_add(1, Ordering::Relaxed);
        }
        slot.set_connected(true, now);
        generation
    }

    /// Forgets a connection, unless another one took over or the hub had ended it.
    pub(super) fn close(&self, handle: Handle, slot: &Slot, now: Timestamp, generation: u64) {
        let mut shard = self.shard(handle);
        if shard.get(&handle).is_some_and(|c| c.generation == generation) {
            self.forget(&mut shard, handle, slot, now);
        }
    }

    /// The channels of a connection that is still the current one.
    pub(super) fn channels(&self, handle: Handle, generation: u64) -> Option<Channels> {
        self.shard(handle).get(&handle).filter(|c| c.generation == generation).map(|c| c.channels)
    }

    /// Changes the channels of a connection; `false` if it is not the current one any more.
    pub(super) fn set_channels(&self, handle: Handle, generation: u64, channels: Channels) -> bool {
        match self.shard(handle).get_mut(&handle).filter(|c| c.generation == generation) {
            Some(connection) => {
                connection.channels = channels;
                true
            }
            None => false,
        }
    }

    /// Tells a connection, if there is one and it listens. One that cannot keep up is ended: its device reads the
    /// twin again after it reconnects, as it must anyway, while a queue without end would be the hub's end.
    pub(super) fn tell(&self, handle: Handle, slot: &Slot, now: Timestamp, notice: Notice) {
        let mut shard = self.shard(handle);
        let Some(connection) = shard.get(&handle) else { return };
        let channel = match notice {
            Notice::Desired { .. } => Some(Channel::Desired),
            Notice::Mail => Some(Channel::CloudToDevice),
            Notice::TakenOver | Notice::Revoked => None,
        };
        let ends = channel.is_none();
        if channel.is_some_and(|channel| !connection.channels.has(channel)) {
            return;
        }
        if connection.notices.try_send(notice).is_err() || ends {
            self.forget(&mut shard, handle, slot, now);
        }
    }

    /// How many devices (not modules) are connected.
    pub(super) fn connected_devices(&self) -> usize {
        self.devices.load(Ordering::Relaxed)
    }

    fn forget(&self, shard: &mut Shard, handle: Handle, slot: &Slot, now: Timestamp) {
        if shard.remove(&handle).is_some_and(|c| c.is_device) {
            self.devices.fetch_sub(1, Ordering::Relaxed);
        }
        slot.set_connected(false, now);
    }

    fn shard(&self, handle: Handle) -> MutexGuard<'_, Shard> {
        self.shards[handle as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
