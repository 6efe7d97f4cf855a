//! The keys under which the store keeps things: one letter for what, then device, then NUL and module. Ids never
//! contain NUL, so a device's keys come directly before those of its modules.

use twin_core::{Result, Timestamp, TwinKey};

use crate::domain::Presence;
use crate::store::failed;

/// Twins and identities.
pub(super) const TWINS: &[u8] = b"t";
/// Channels of kept sessions.
pub(super) const SESSIONS: &[u8] = b"s";
/// Connection state and activity.
pub(super) const PRESENCES: &[u8] = b"p";
/// Cloud-to-device messages.
pub(super) const MESSAGES: &[u8] = b"c";
/// The next serial.
pub(super) const SERIAL: &[u8] = b"m/serial";

/// Where a twin is.
pub(super) fn twin(key: &TwinKey) -> Vec<u8> {
    under(TWINS, key)
}

/// Where a kept session is.
pub(super) fn session(key: &TwinKey) -> Vec<u8> {
    under(SESSIONS, key)
}

/// Where a presence is.
pub(super) fn presence(key: &TwinKey) -> Vec<u8> {
    under(PRESENCES, key)
}

/// Where a message is: under its queue's owner, in the order of sending.
pub(super) fn message(owner: u64, sequence: u64) -> Vec<u8> {
    [MESSAGES, &owner.to_be_bytes(), &sequence.to_be_bytes()].concat()
}

/// Owner and sequence in a message's key.
pub(super) fn parse_message(key: &[u8]) -> Option<(u64, u64)> {
    let (owner, sequence) = key.strip_prefix(MESSAGES)?.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*owner), u64::from_be_bytes(sequence.try_into().ok()?)))
}

fn under(prefix: &[u8], key: &TwinKey) -> Vec<u8> {
    let module = key.module.as_ref().map_or("", |m| m.as_str());
    let mut to = Vec::with_capacity(prefix.len() + key.device.as_str().len() + 1 + module.len());
    to.extend_from_slice(prefix);
    to.extend_from_slice(key.device.as_str().as_bytes());
    if !module.is_empty() {
        to.push(0);
        to.extend_from_slice(module.as_bytes());
    }
    to
}

/// The twin key in a store key with a prefix of one letter.
pub(super) fn parse(key: &[u8]) -> Result<TwinKey> {
    let text = key
        .get(1..)
        .and_then(|k| std::str::from_utf8(k).ok())
        .ok_or_else(|| failed(format!("the store has a strange key '{}'", key.escape_ascii())))?;
    match text.split_once('\0') {
        Some((device, module)) => TwinKey::module(device, module),
        None => TwinKey::device(text),
    }
}

/// A presence as it is stored. Whether it is connected is not: after a start nobody is.
pub(super) fn pack_presence(presence: &Presence) -> [u8; 16] {
    let mut to = [0; 16];
    to[..8].copy_from_slice(&presence.changed.ticks().to_le_bytes());
    to[8..].copy_from_slice(&presence.active.ticks().to_le_bytes());
    to
}

/// Reads [`pack_presence`].
pub(super) fn unpack_presence(bytes: &[u8]) -> Option<Presence> {
    let ticks = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    Some(Presence {
        connected: false,
        changed: Timestamp::from_ticks(ticks(0)?),
        active: Timestamp::from_ticks(ticks(8)?),
        waiting: 0,
    })
}
