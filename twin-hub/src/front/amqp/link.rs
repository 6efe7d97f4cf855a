//! Links: where they lead, and how far messages may go on them.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use twin_core::TwinKey;
use twin_core::wire::ApiVersion;
use twin_core::wire::amqp::{Address, Direction};

use super::super::held::Held;
use super::claims::Claim;
use super::frame::{Detach, Flow};
use crate::mail::Place;

/// Messages that a peer may send on a link before the hub says so again.
pub(super) const CREDIT: u32 = 200;
/// Longest message taken, in bytes: 256 KiB of body (IoT Hub's limit for device-to-cloud messages) and its properties.
pub(super) const MAX_MESSAGE: usize = 320 * 1024;
/// Longest body, in bytes.
pub(super) const MAX_BODY: usize = 256 * 1024;

/// Bytes of messages that have come in part, or wait for credit, on all links of a connection.
pub(super) const MAX_HELD_BYTES: usize = 16 * 1024 * 1024;

/// Which link: its session's channel, and its handle, which is the same number both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct At {
    pub(super) channel: u16,
    pub(super) handle: u32,
    /// tells this link from earlier and later ones with the same numbers
    pub(super) serial: u64,
}

/// One attached link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) serial: u64,
    pub(super) address: Address,
    /// the device or module whose link this is
    pub(super) key: Option<Arc<TwinKey>>,
    pub(super) claim: Claim,
    pub(super) api: Option<ApiVersion>,
    pub(super) way: Way,
}

#[derive(Debug)]
pub(super) enum Way {
    /// the peer sends
    In(Incoming),
    /// the hub sends
    Out(Outgoing),
}

#[derive(Debug, Default)]
pub(super) struct Incoming {
    pub(super) credit: u32,
    pub(super) delivery_count: u32,
    /// what has come of a message in several frames
    pub(super) partial: Option<Partial>,
}

#[derive(Debug)]
pub(super) struct Partial {
    pub(super) delivery_id: u32,
    pub(super) settled: bool,
    pub(super) bytes: BytesMut,
}

#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) credit: u32,
    pub(super) delivery_count: u32,
    pub(super) queue: VecDeque<Parcel>,
    pub(super) queued_bytes: usize,
    /// for links of cloud-to-device messages and feedback
    pub(super) feed: Option<Box<Feed>>,
}

/// What a link gets out of a queue, one message after another while there is credit.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) from: Place,
    /// whether the peer settles what it is sent; else it is done with once sent
    pub(super) settles: bool,
    /// whether one is being got
    pub(super) fetching: bool,
    /// whether there may be one to get
    pub(super) wants: bool,
    /// whether the credit is to be used up once there is nothing more
    pub(super) draining: bool,
}

/// A message on its way out.
#[derive(Debug)]
pub(super) struct Parcel {
    /// what is still to be sent
    pub(super) rest: Bytes,
    /// once its first frame has gone
    pub(super) delivery_id: Option<u32>,
    /// what is to be settled by the peer
    pub(super) held: Option<Held>,
}

/// A message that was sent and that the peer has to settle.
#[derive(Debug)]
pub(super) struct Unsettled {
    pub(super) at: At,
    pub(super) held: Held,
}

/// A link that waits for its device to be let in: what the peer says of it meanwhile. Only the last flow counts, as each
/// tells the whole state.
#[derive(Debug, Default)]
pub(super) struct Arriving {
    pub(super) serial: u64,
    pub(super) flow: Option<Flow>,
    pub(super) detach: Option<Detach>,
}

impl Link {
    pub(super) fn direction(&self) -> Direction {
        match self.way {
            Way::In(_) => Direction::ToHub,
            Way::Out(_) => Direction::FromHub,
        }
    }

    /// Bytes that it holds for later.
    pub(super) fn held_bytes(&self) -> usize {
        match &self.way {
            Way::In(incoming) => incoming.partial.as_ref().map_or(0, |partial| partial.bytes.len()),
            Way::Out(outgoing) => outgoing.queued_bytes,
        }
    }
}

/// A message that has come whole.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) at: At,
    pub(super) id: u32,
    pub(super) settled: bool,
    pub(super) bytes: Bytes,
}
