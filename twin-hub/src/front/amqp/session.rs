//! Sessions: windows, links and their credit, deliveries in both directions (AMQP 1.0, 2.5 and 2.6). No sockets here:
//! what is to be said is appended to the connection's outbox.

use std::collections::{BTreeMap, HashMap};

use bytes::{Bytes, BytesMut};

use super::super::held::Held;
use super::frame::{Begin, Detach, Disposition, ErrorValue, Flow, Performative, Role, Transfer};
use super::link::{
    Arriving, At, CREDIT, Delivery, Feed, Incoming, Link, MAX_MESSAGE, Outgoing, Parcel, Partial, Unsettled,
    Way,
};
use super::value::Value;

/// Frames that a peer may send on a session before the hub says so again.
const WINDOW: u32 = 2048;
/// Largest link handle.
pub(super) const HANDLE_MAX: u32 = 8191;
/// Room in a frame for everything but a message's bytes.
const TRANSFER_ROOM: usize = 64;

/// Places for messages that an idle link keeps.
const KEPT_CAPACITY: usize = 4;

/// What was wrong, and what is to be ended for it.
#[derive(Debug, PartialEq)]
pub(super) enum Wrong {
    Session(&'static str, String),
    Link(u32, &'static str, String),
    /// a message beyond [`MAX_MESSAGE`]
    TooLarge(u32),
}

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    channel: u16,
    next_incoming_id: u32,
    /// frames that the peer may still send
    incoming_left: u32,
    next_outgoing_id: u32,
    /// frames that the hub may still send
    window: u32,
    next_delivery: u32,
    pub(super) links: HashMap<u32, Link>,
    /// what the hub has sent and the peer has to settle, by delivery id: no more than the queues of its links hold
    unsettled: BTreeMap<u32, Unsettled>,
    /// links that wait for their devices to be let in, by handle
    pub(super) arriving: HashMap<u32, Arriving>,
    /// handles of links that the hub has ended, until the peer says so, too
    pub(super) ending_links: Vec<u32>,
    /// the hub has ended it; the peer has yet to
    pub(super) ending: bool,
}

impl Session {
    /// Answers `begin`.
    pub(super) fn begin(channel: u16, begin: &Begin, out: &mut BytesMut) -> Session {
        let answer = Begin {
            remote_channel: Some(channel),
            next_outgoing_id: 0,
            incoming_window: WINDOW,
            outgoing_window: WINDOW,
            handle_max: Some(HANDLE_MAX),
        };
        Performative::Begin(answer).write(channel, b"", out);
        Session {
            channel,
            next_incoming_id: begin.next_outgoing_id,
            incoming_left: WINDOW,
            next_outgoing_id: 0,
            window: begin.incoming_window,
            next_delivery: 0,
            links: HashMap::new(),
            unsettled: BTreeMap::new(),
            arriving: HashMap::new(),
            ending_links: Vec::new(),
            ending: false,
        }
    }

    /// Links, in whatever state.
    pub(super) fn handles(&self) -> usize {
        self.links.len() + self.arriving.len() + self.ending_links.len()
    }

    /// Whether a link may not be attached under this handle.
    pub(super) fn is_in_use(&self, handle: u32) -> bool {
        self.links.contains_key(&handle)
            || self.arriving.contains_key(&handle)
            || self.ending_links.contains(&handle)
    }

    fn flow(&self) -> Flow {
        Flow {
            next_incoming_id: Some(self.next_incoming_id),
            incoming_window: self.incoming_left,
            next_outgoing_id: self.next_outgoing_id,
            outgoing_window: WINDOW,
            ..Flow::default()
        }
    }

    /// Opens the window again and says so, with the state of one link if there is one.
    fn say_flow(&mut self, handle: Option<u32>, out: &mut BytesMut) {
        self.incoming_left = WINDOW;
        let mut flow = self.flow();
        if let Some(link) = handle.and_then(|handle| self.links.get(&handle)) {
            let (delivery_count, credit) = match &link.way {
                Way::In(incoming) => (incoming.delivery_count, incoming.credit),
                Way::Out(outgoing) => (outgoing.delivery_count, outgoing.credit),
            };
            flow.handle = handle;
            flow.delivery_count = Some(delivery_count);
            flow.link_credit = Some(credit);
        }
        Performative::Flow(flow).write(self.channel, b"", out);
    }

    /// Adds a link that was accepted; a peer that sends gets its first credit.
    pub(super) fn add(&mut self, handle: u32, mut link: Link, out: &mut BytesMut) {
        if let Way::In(incoming) = &mut link.way {
            incoming.credit = CREDIT;
        }
        let gives_credit = matches!(link.way, Way::In(_));
        self.links.insert(handle, link);
        if gives_credit {
            self.say_flow(Some(handle), out);
        }
    }

    /// Ends a link from the hub's side.
    pub(super) fn detach(&mut self, handle: u32, error: ErrorValue, out: &mut BytesMut) -> Option<Link> {
        let link = self.remove(handle)?;
        self.refuse(handle, error, out);
        Some(link)
    }

    /// The same for a link that never came to be.
    pub(super) fn refuse(&mut self, handle: u32, error: ErrorValue, out: &mut BytesMut) {
        self.ending_links.push(handle);
        let detach = Detach { handle, closed: true, error: Some(error) };
        Performative::Detach(detach).write(self.channel, b"", out);
    }

    /// The peer detached: what was attached there, if the hub had not ended it before.
    pub(super) fn detached(&mut self, detach: &Detach, out: &mut BytesMut) -> Result<Option<Link>, Wrong> {
        if let Some(at) = self.ending_links.iter().position(|handle| *handle == detach.handle) {
            self.ending_links.swap_remove(at);
            return Ok(None);
        }
        if let Some(arriving) = self.arriving.get_mut(&detach.handle) {
            arriving.detach = Some(detach.clone());
            return Ok(None);
        }
        let link = self.remove(detach.handle).ok_or_else(|| self.unattached(detach.handle))?;
        let answer = Detach { handle: detach.handle, closed: detach.closed, error: None };
        Performative::Detach(answer).write(self.channel, b"", out);
        Ok(Some(link))
    }

    /// The links that are fed out of a queue, as far as they are wanted.
    pub(super) fn feeds(&self, wanted: impl Fn(&Feed) -> bool) -> Vec<At> {
        let fed = self.links.iter().filter(|(_, link)| match &link.way {
            Way::Out(outgoing) => outgoing.feed.as_deref().is_some_and(&wanted),
            Way::In(_) => false,
        });
        let channel = self.channel;
        fed.map(|(handle, link)| At { channel, handle: *handle, serial: link.serial }).collect()
    }

    /// Takes a link out; what was not settled on it goes back.
    fn remove(&mut self, handle: u32) -> Option<Link> {
        let link = self.links.remove(&handle)?;
        self.unsettled.retain(|_, unsettled| unsettled.at.handle != handle);
        Some(link)
    }

    /// Takes all links out, and what was not settled on them goes back.
    pub(super) fn remove_all(&mut self) -> HashMap<u32, Link> {
        self.unsettled.clear();
        std::mem::take(&mut self.links)
    }

    fn unattached(&self, handle: u32) -> Wrong {
        Wrong::Session("amqp:session:unattached-handle", format!("handle {handle} is not attached"))
    }

    /// The peer's view of the session, and of one link: what may be sent now.
    pub(super) fn flowed(&mut self, flow: &Flow, max_frame: usize, out: &mut BytesMut) -> Result<(), Wrong> {
        let under_way = self.next_outgoing_id.wrapping_sub(flow.next_incoming_id.unwrap_or(0));
        self.window = flow.incoming_window.saturating_sub(under_way);
        if let Some(arriving) = flow.handle.and_then(|handle| self.arriving.get_mut(&handle)) {
            arriving.flow = Some(flow.clone());
            self.pump_all(max_frame, out);
            return Ok(());
        }
        self.link_flowed(flow, max_frame, out)
    }

    /// The peer's view of one link, if it told any.
    pub(super) fn link_flowed(
        &mut self,
        flow: &Flow,
        max_frame: usize,
        out: &mut BytesMut,
    ) -> Result<(), Wrong> {
        if let Some(handle) = flow.handle {
            if self.ending_links.contains(&handle) {
                return Ok(());
            }
            let unattached = self.unattached(handle);
            let link = self.links.get_mut(&handle).ok_or(unattached)?;
            match &mut link.way {
                Way::Out(outgoing) => {
                    let end = flow.delivery_count.unwrap_or(0).wrapping_add(flow.link_credit.unwrap_or(0));
                    let credit = end.wrapping_sub(outgoing.delivery_count);
                    // Behind what was sent already: a peer that took credit back.
                    outgoing.credit = if credit > i32::MAX as u32 { 0 } else { credit };
                }
                Way::In(incoming) => {
                    if let Some(count) = flow.delivery_count {
                        incoming.delivery_count = count;
                    }
                }
            }
        }
        self.pump_all(max_frame, out);
        let link = flow.handle.and_then(|handle| Some((handle, self.links.get_mut(&handle)?)));
        match link {
            Some((handle, Link { way: Way::Out(outgoing), .. })) if flow.drain => match &mut outgoing.feed {
                // Whether there is more to send is not known yet.
                Some(feed) if outgoing.credit > 0 => feed.draining = true,
                _ => self.drain(handle, out),
            },
            _ if flow.echo => self.say_flow(flow.handle, out),
            _ => {}
        }
        Ok(())
    }

    /// There is nothing more to send now: the credit is used up, as the peer asked.
    pub(super) fn drain(&mut self, handle: u32, out: &mut BytesMut) {
        let Some(Link { way: Way::Out(outgoing), .. }) = self.links.get_mut(&handle) else { return };
        outgoing.delivery_count = outgoing.delivery_count.wrapping_add(outgoing.credit);
        outgoing.credit = 0;
        if let Some(feed) = &mut outgoing.feed {
            feed.draining = false;
        }
        self.say_flow(Some(handle), out);
    }

    /// A transfer came: the message, once it is whole.
    pub(super) fn transferred(
        &mut self,
        transfer: &Transfer,
        payload: Bytes,
        out: &mut BytesMut,
    ) -> Result<Option<Delivery>, Wrong> {
        self.next_incoming_id = self.next_incoming_id.wrapping_add(1);
        self.incoming_left = self.incoming_left.checked_sub(1).ok_or_else(|| {
            Wrong::Session(
                "amqp:session:window-violation",
                "more transfers than the window has room for".into(),
            )
        })?;
        let handle = transfer.handle;
        let delivery = match self.links.get_mut(&handle) {
            Some(link) => {
                let (channel, serial) = (self.channel, link.serial);
                match &mut link.way {
                    Way::In(incoming) => receive(incoming, transfer, payload)?.map(|(id, settled, bytes)| {
                        Delivery { at: At { channel, handle, serial }, id, settled, bytes }
                    }),
                    Way::Out(_) => {
                        let why = "a transfer to the sender of the link".to_owned();
                        return Err(Wrong::Link(handle, "amqp:not-allowed", why));
                    }
                }
            }
            // Sent before the peer heard that the link has ended.
            None if self.ending_links.contains(&handle) => None,
            None => return Err(self.unattached(handle)),
        };
        let low = self
            .links
            .get(&handle)
            .is_some_and(|link| matches!(&link.way, Way::In(incoming) if incoming.credit <= CREDIT / 2));
        if low {
            if let Some(Link { way: Way::In(incoming), .. }) = self.links.get_mut(&handle) {
                incoming.credit = CREDIT;
            }
            self.say_flow(Some(handle), out);
        } else if self.incoming_left <= WINDOW / 2 {
            self.say_flow(None, out);
        }
        Ok(delivery)
    }

    /// Says what became of a delivery of the peer's.
    pub(super) fn settle(&self, delivery: u32, state: Value, out: &mut BytesMut) {
        let disposition = Disposition {
            role: Role::Receiver,
            first: delivery,
            last: None,
            settled: true,
            state: Some(state),
        };
        Performative::Disposition(disposition).write(self.channel, b"", out);
    }

    /// What the peer says of deliveries of the hub's: those that it settles, or has decided upon. Each once.
    pub(super) fn disposed(&mut self, disposition: &Disposition) -> Vec<(u32, Unsettled)> {
        if disposition.role != Role::Receiver {
            return Vec::new();
        }
        let last = disposition.last.unwrap_or(disposition.first);
        if last < disposition.first {
            return Vec::new();
        }
        let ids: Vec<u32> = self.unsettled.range(disposition.first..=last).map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| Some((id, self.unsettled.remove(&id)?))).collect()
    }

    /// Says that a delivery of the hub's is settled on its side, too.
    pub(super) fn settled(&self, delivery: u32, state: Value, out: &mut BytesMut) {
        let disposition = Disposition {
            role: Role::Sender,
            first: delivery,
            last: None,
            settled: true,
            state: Some(state),
        };
        Performative::Disposition(disposition).write(self.channel, b"", out);
    }

    /// Queues a message and sends what may be sent. `false` if there is no such link; then what was held goes back.
    pub(super) fn send(
        &mut self,
        handle: u32,
        bytes: Bytes,
        held: Option<Held>,
        max_frame: usize,
        out: &mut BytesMut,
    ) -> bool {
        let Some(Link { way: Way::Out(outgoing), .. }) = self.links.get_mut(&handle) else { return false };
        outgoing.queued_bytes += bytes.len();
        outgoing.queue.push_back(Parcel { rest: bytes, delivery_id: None, held });
        self.pump(handle, max_frame, out);
        true
    }

    fn pump_all(&mut self, max_frame: usize, out: &mut BytesMut) {
        let waits = |link: &Link| matches!(&link.way, Way::Out(o) if !o.queue.is_empty() && o.credit > 0);
        let waiting: Vec<u32> =
            self.links.iter().filter(|(_, link)| waits(link)).map(|(handle, _)| *handle).collect();
        for handle in waiting {
            self.pump(handle, max_frame, out);
        }
    }

    fn pump(&mut self, handle: u32, max_frame: usize, out: &mut BytesMut) {
        let Some(Link { way: Way::Out(outgoing), serial, .. }) = self.links.get_mut(&handle) else { return };
        let at = At { channel: self.channel, handle, serial: *serial };
        let Outgoing { credit, delivery_count, queue, queued_bytes, .. } = outgoing;
        while self.window > 0
            && let Some(parcel) = queue.front_mut()
        {
            let first = parcel.delivery_id.is_none();
            if first && *credit == 0 {
                break;
            }
            let id = *parcel.delivery_id.get_or_insert_with(|| {
                let id = self.next_delivery;
                self.next_delivery = id.wrapping_add(1);
                *credit -= 1;
                *delivery_count = delivery_count.wrapping_add(1);
                id
            });
            let piece = parcel.rest.split_to(parcel.rest.len().min(max_frame - TRANSFER_ROOM));
            *queued_bytes -= piece.len();
            let more = !parcel.rest.is_empty();
            let tag = || match &parcel.held {
                Some(held) => held.tag(),
                None => Bytes::copy_from_slice(&id.to_be_bytes()),
            };
            let transfer = Transfer {
                handle,
                delivery_id: first.then_some(id),
                delivery_tag: first.then(tag),
                settled: parcel.held.is_none(),
                more,
                aborted: false,
            };
            Performative::Transfer(transfer).write(self.channel, &piece, out);
            self.next_outgoing_id = self.next_outgoing_id.wrapping_add(1);
            self.window -= 1;
            if !more && let Some(Parcel { held: Some(held), .. }) = queue.pop_front() {
                self.unsettled.insert(id, Unsettled { at, held });
            }
        }
        if queue.is_empty() && queue.capacity() > KEPT_CAPACITY {
            queue.shrink_to(KEPT_CAPACITY);
        }
    }
}

/// Takes one frame of a message: id, whether it is settled, and its bytes, once it is whole.
fn receive(
    incoming: &mut Incoming,
    transfer: &Transfer,
    payload: Bytes,
) -> Result<Option<(u32, bool, Bytes)>, Wrong> {
    let wrong = |condition, why: &str| Wrong::Link(transfer.handle, condition, why.to_owned());
    let Some(mut partial) = incoming.partial.take() else {
        let id = transfer.delivery_id;
        let id = id.ok_or_else(|| wrong("amqp:invalid-field", "a first transfer without a delivery-id"))?;
        incoming.credit = incoming.credit.checked_sub(1).ok_or_else(|| {
            wrong("amqp:link:transfer-limit-exceeded", "more messages than the link has credit for")
        })?;
        incoming.delivery_count = incoming.delivery_count.wrapping_add(1);
        if transfer.aborted {
            return Ok(None);
        }
        if payload.len() > MAX_MESSAGE {
            return Err(Wrong::TooLarge(transfer.handle));
        }
        if !transfer.more {
            return Ok(Some((id, transfer.settled, payload)));
        }
        let bytes = BytesMut::from(&payload[..]);
        incoming.partial = Some(Partial { delivery_id: id, settled: transfer.settled, bytes });
        return Ok(None);
    };
    if transfer.aborted {
        return Ok(None);
    }
    if transfer.delivery_id.is_some_and(|id| id != partial.delivery_id) {
        return Err(wrong("amqp:invalid-field", "another delivery-id in the middle of a message"));
    }
    if partial.bytes.len() + payload.len() > MAX_MESSAGE {
        return Err(Wrong::TooLarge(transfer.handle));
    }
    partial.bytes.extend_from_slice(&payload);
    partial.settled |= transfer.settled;
    if transfer.more {
        incoming.partial = Some(partial);
        return Ok(None);
    }
    Ok(Some((partial.delivery_id, partial.settled, partial.bytes.freeze())))
}
