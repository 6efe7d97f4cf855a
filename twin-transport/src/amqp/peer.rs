//! One AMQP connection with one session and its links, purely: bytes in, bytes out, and what happened.
//!
//! Only what a device's client needs: links are made by us, what we send on most of them is settled as it leaves, and
//! everything received is accepted. All links share one session, as in the C SDK.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use twin_core::wire::amqp as grammar;
use twin_core::{Error, ErrorKind, HostName, Result};

use super::frame::{self, Fields, Frame};
use super::message;
use super::settle::{Arrival, Outcome};
use super::value::{Malformed, Value};

/// Transfers that the hub may send before it hears from us.
const INCOMING_WINDOW: u32 = 2048;
/// Messages that the hub may send on one link before it hears from us.
const CREDIT: u32 = 64;
/// Largest message taken, in bytes: twice what IoT Hub lets a message have, as over MQTT.
const MAX_MESSAGE: usize = 512 * 1024;
/// Most messages that wait for credit on one link; one more means that the hub stopped taking them.
const MAX_WAITING: usize = 2048;
/// Most that waits to be sent, in bytes. More means that the hub stopped reading long ago.
const MAX_OUTBOX: usize = 8 * 1024 * 1024;
/// Most links of one connection.
const MAX_LINKS: u32 = 16 * 1024;
/// Room that a frame takes besides its piece of a message, in bytes.
const TRANSFER_OVERHEAD: usize = 64;

/// A link, by our own number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LinkId(pub(super) u32);

/// Which end of a link we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Sender,
    Receiver,
}

/// What a frame led to.
#[derive(Debug)]
pub(super) enum Happened {
    /// The session is there: messages can be sent.
    Begun,
    /// The hub agreed to a link.
    Attached(LinkId),
    /// A whole message came.
    Message(LinkId, Box<grammar::Message>),
    /// A whole message came that waits for our word.
    Delivery(LinkId, Arrival, Box<grammar::Message>),
    /// The hub took a message with this mark, or says why not.
    Settled(LinkId, u64, Option<Error>),
    /// The hub ended a link, or confirmed that we did.
    Detached(LinkId, Option<Error>),
    /// The hub said goodbye to all of it.
    Closed(Option<Error>),
}

#[derive(Debug)]
struct Link {
    name: String,
    role: Role,
    settled: bool,
    attached: bool,
    /// We said detach and wait for the hub's.
    leaving: bool,
    /// The hub agreed to nothing: its detach with the reason follows.
    refused: bool,
    remote_handle: Option<u32>,
    credit: u32,
    deliveries: u32,
    /// What is received waits for our word, instead of being accepted at once.
    held: bool,
    waiting: VecDeque<Parcel>,
    partial: BytesMut,
    /// The delivery that arrives, and whether it is settled.
    arriving: Option<(Arrival, bool)>,
}

/// A message on its way out.
#[derive(Debug)]
struct Parcel {
    rest: Bytes,
    /// Its first piece has gone.
    begun: bool,
    /// Whoever sent it wants to hear what becomes of it.
    mark: Option<u64>,
}

/// See the module.
pub(super) struct Peer {
    host: HostName,
    pub(super) outbox: BytesMut,
    header_heard: bool,
    begun: bool,
    closing: bool,
    remote_max_frame: u32,
    /// The hub wants a sign of life at least this often.
    pub(super) remote_idle: Option<Duration>,
    max_handle: u32,
    next_handle: u32,
    /// Handles below `next_handle` that were given back.
    free: Vec<u32>,
    next_outgoing: u32,
    outgoing_window: u32,
    /// Deliveries are numbered apart from frames, without gaps: Proton insists.
    next_delivery: u32,
    next_incoming: u32,
    incoming_left: u32,
    links: HashMap<LinkId, Link>,
    remote: HashMap<u32, LinkId>,
    /// Links whose messages wait for the session's window.
    stalled: bool,
    /// Deliveries of ours that the hub has to confirm: their link and mark.
    pub(super) unsettled: HashMap<u32, (LinkId, u64)>,
    /// What one frame led to besides the first thing.
    pub(super) happened: VecDeque<Happened>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("host", &self.host)
            .field("links", &self.links.len())
            .finish_non_exhaustive()
    }
}

impl Peer {
    /// Says everything up to the session at once: the standard lets a client not wait for the answers (2.4.1).
    /// `idle` is how long the hub may be silent.
    pub(super) fn new(host: HostName, container: &str, idle: Duration) -> Peer {
        let mut outbox = BytesMut::new();
        outbox.extend_from_slice(&frame::HEADER);
        let idle = u32::try_from(idle.as_millis()).unwrap_or(u32::MAX);
        let open = vec![
            Value::text(container),
            Value::text(host.host()),
            Value::Uint(frame::MAX_FRAME),
            Value::Ushort(0),
            Value::Uint(idle),
        ];
        frame::write(&mut outbox, frame::OPEN, open, &[]);
        let begin = vec![Value::Null, Value::Uint(0), Value::Uint(INCOMING_WINDOW), Value::Uint(u32::MAX)];
        frame::write(&mut outbox, frame::BEGIN, begin, &[]);
        Peer {
            host,
            outbox,
            header_heard: false,
            begun: false,
            closing: false,
            remote_max_frame: frame::MIN_MAX_FRAME,
            remote_idle: None,
            max_handle: MAX_LINKS - 1,
            next_handle: 0,
            free: Vec::new(),
            next_outgoing: 0,
            outgoing_window: 0,
            next_delivery: 0,
            next_incoming: 0,
            incoming_left: INCOMING_WINDOW,
            links: HashMap::new(),
            remote: HashMap::new(),
            stalled: false,
            unsettled: HashMap::new(),
            happened: VecDeque::new(),
        }
    }

    /// Asks for a link, if the hub allows one more.
    pub(super) fn attach(
        &mut self,
        name: String,
        role: Role,
        settled: bool,
        address: &str,
        properties: &[(&'static str, String)],
    ) -> Result<LinkId> {
        let id = LinkId(self.free.pop().unwrap_or(self.next_handle));
        if id.0 > self.max_handle {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("'{}' takes no more links on one connection", self.host),
            ));
        }
        self.next_handle = self.next_handle.max(id.0 + 1);
        let end = |code, given: bool| {
            let address = if given { Value::text(address) } else { Value::Null };
            Value::described(code, vec![address])
        };
        let properties = properties.iter().map(|(name, value)| (Value::symbol(*name), Value::text(value)));
        let mut attach = vec![
            Value::text(&name),
            Value::Uint(id.0),
            Value::Bool(role == Role::Receiver),
            // Settled as they leave, or as each message says (2.8.2).
            Value::Ubyte(if settled { 1 } else { 2 }),
            Value::Ubyte(0),
            end(frame::SOURCE, role == Role::Receiver),
            end(frame::TARGET, role == Role::Sender),
            Value::Null,
            Value::Null,
            if role == Role::Sender { Value::Uint(0) } else { Value::Null },
            Value::Ulong(MAX_MESSAGE as u64),
            Value::Null,
            Value::Null,
        ];
        let properties = Value::Map(properties.collect());
        if properties != Value::Map(Vec::new()) {
            attach.push(properties);
        }
        self.put(frame::ATTACH, attach, &[]);
        let link = Link {
            name,
            role,
            settled,
            attached: false,
            leaving: false,
            refused: false,
            remote_handle: None,
            credit: 0,
            deliveries: 0,
            held: false,
            waiting: VecDeque::new(),
            partial: BytesMut::new(),
            arriving: None,
        };
        self.links.insert(id, link);
        if role == Role::Receiver {
            self.grant(id);
        }
        Ok(id)
    }

    /// Sends a message, as soon as the hub gives credit.
    pub(super) fn send(&mut self, id: LinkId, message: &grammar::Message) -> Result<()> {
        self.send_marked(id, message, None)
    }

    /// [`send`](Peer::send); with a mark, `Settled` follows when the hub says what became of it.
    pub(super) fn send_marked(
        &mut self,
        id: LinkId,
        message: &grammar::Message,
        mark: Option<u64>,
    ) -> Result<()> {
        let payload = message::encode(message);
        if payload.len() > MAX_MESSAGE {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("a message of {} bytes is over the limit of {MAX_MESSAGE}", payload.len()),
            ));
        }
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        if link.waiting.len() >= MAX_WAITING || self.outbox.len() > MAX_OUTBOX {
            return Err(Error::new(
                ErrorKind::Network,
                format!("'{}' has stopped taking messages", self.host),
            ));
        }
        link.waiting.push_back(Parcel { rest: payload, begun: false, mark });
        self.pump(id);
        Ok(())
    }

    /// What is received on this link from now on waits for our word ([`Peer::settle`]).
    pub(super) fn hold(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.held = true;
        }
    }

    /// Ends a link; `Detached` follows unless the hub is gone.
    pub(super) fn detach(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id).filter(|link| !link.leaving) {
            link.leaving = true;
            link.waiting = VecDeque::new();
            self.put(frame::DETACH, vec![Value::Uint(id.0), Value::Bool(true)], &[]);
        }
    }

    /// Says goodbye; `Closed` follows.
    pub(super) fn close(&mut self) {
        if !std::mem::replace(&mut self.closing, true) {
            self.put(frame::CLOSE, Vec::new(), &[]);
        }
    }

    /// Takes frames off the inbox until one leads to something.
    pub(super) fn read(&mut self, inbox: &mut BytesMut) -> Result<Option<Happened>> {
        if let Some(happened) = self.happened.pop_front() {
            return Ok(Some(happened));
        }
        if !self.header_heard {
            let Some(header) = inbox.get(..frame::HEADER.len()) else { return self.look_at(inbox) };
            if header != frame::HEADER {
                return Err(self.no_amqp(header));
            }
            let _ = inbox.split_to(frame::HEADER.len());
            self.header_heard = true;
        }
        while let Some(frame) = frame::read(inbox).map_err(|e| self.protocol(e.0))? {
            // There is one session; the hub may give it any number.
            let Frame::Performative { code, mut fields, payload } = frame else { continue };
            let happened = match code {
                frame::OPEN => self.opened(&mut fields),
                frame::BEGIN => self.begin(&mut fields),
                frame::ATTACH => self.attached(&mut fields)?,
                frame::FLOW => self.flow(&mut fields),
                frame::TRANSFER => self.transfer(&mut fields, payload)?,
                frame::DISPOSITION => self.disposition(&mut fields),
                frame::DETACH => self.detached(&mut fields),
                frame::END => Some(Happened::Closed(error_in(&mut fields, 0))),
                frame::CLOSE => {
                    self.close();
                    Some(Happened::Closed(error_in(&mut fields, 0)))
                }
                _ => return Err(self.protocol("it says something that AMQP does not know")),
            };
            if happened.is_some() {
                return Ok(happened);
            }
        }
        Ok(None)
    }

    /// Says that we are still there.
    pub(super) fn beat(&mut self) {
        frame::write_empty(&mut self.outbox);
    }

    /// Whether the header could still become one.
    fn look_at(&self, inbox: &BytesMut) -> Result<Option<Happened>> {
        if frame::HEADER.starts_with(inbox) { Ok(None) } else { Err(self.no_amqp(inbox)) }
    }

    fn no_amqp(&self, header: &[u8]) -> Error {
        match header {
            b"AMQP\x03\x01\x00\x00" => self.protocol("it insists on SASL"),
            _ => Error::new(
                ErrorKind::Protocol,
                format!("'{}' does not speak AMQP 1.0 there; is it a hub?", self.host),
            ),
        }
    }

    fn opened(&mut self, fields: &mut Fields) -> Option<Happened> {
        if let Some(size) = fields.number(2) {
            self.remote_max_frame = size.max(frame::MIN_MAX_FRAME);
        } else {
            self.remote_max_frame = frame::MAX_FRAME;
        }
        self.remote_idle = fields.number(4).filter(|ms| *ms > 0).map(|ms| Duration::from_millis(ms.into()));
        None
    }

    fn begin(&mut self, fields: &mut Fields) -> Option<Happened> {
        self.next_incoming = fields.number(1).unwrap_or(0);
        self.outgoing_window = fields.number(2).unwrap_or(0);
        self.max_handle = fields.number(4).unwrap_or(u32::MAX).min(MAX_LINKS - 1);
        self.begun = true;
        Some(Happened::Begun)
    }

    fn attached(&mut self, fields: &mut Fields) -> Result<Option<Happened>> {
        let name = fields.take(0);
        let (handle, receiver) = (fields.number(1), fields.take(2).is_true());
        let role = if receiver { Role::Sender } else { Role::Receiver };
        let found = self.links.iter().find(|(_, link)| {
            link.remote_handle.is_none() && link.role == role && Some(&*link.name) == name.as_text()
        });
        let (Some((&id, _)), Some(handle)) = (found, handle) else {
            return Err(self.protocol("it attaches a link that nobody asked for"));
        };
        // A hub that refuses a link attaches it with its own end missing, and detaches it right after (2.6.3).
        let refused = match role {
            Role::Sender => fields.take(6) == Value::Null,
            Role::Receiver => fields.take(5) == Value::Null,
        };
        self.remote.insert(handle, id);
        let initial = fields.number(9);
        if let Some(link) = self.links.get_mut(&id) {
            link.remote_handle = Some(handle);
            (link.attached, link.refused) = (!refused, refused);
            if role == Role::Receiver {
                link.deliveries = initial.unwrap_or(0);
            }
            if refused || link.leaving {
                return Ok(None);
            }
        }
        Ok(Some(Happened::Attached(id)))
    }

    fn flow(&mut self, fields: &mut Fields) -> Option<Happened> {
        // `next-incoming-id` is missing as long as the hub has not heard our begin.
        let heard_up_to = fields.number(0).unwrap_or(0);
        let window = fields.number(1).unwrap_or(0);
        self.outgoing_window = window.saturating_sub(self.next_outgoing.wrapping_sub(heard_up_to));
        let id = fields.number(4).and_then(|handle| self.remote.get(&handle).copied());
        let (delivered, credit) = (fields.number(5).unwrap_or(0), fields.number(6));
        if let Some((id, link)) = id.and_then(|id| Some((id, self.links.get_mut(&id)?))) {
            if let (Role::Sender, Some(credit)) = (link.role, credit) {
                link.credit = credit.saturating_sub(link.deliveries.wrapping_sub(delivered));
                if fields.take(8).is_true() && link.waiting.is_empty() {
                    // Drained: the credit is used up by having nothing to say (2.6.7).
                    link.deliveries = link.deliveries.wrapping_add(link.credit);
                    link.credit = 0;
                    self.put_flow(Some(id));
                    return None;
                }
                self.pump(id);
            }
            if fields.take(9).is_true() {
                self.put_flow(Some(id));
            }
        } else if fields.take(9).is_true() {
            self.put_flow(None);
        }
        if self.stalled && self.outgoing_window > 0 {
            self.stalled = false;
            let waiting = self.links.iter().filter(|(_, link)| !link.waiting.is_empty());
            for id in waiting.map(|(id, _)| *id).collect::<Vec<_>>() {
                self.pump(id);
            }
        }
        None
    }

    fn transfer(&mut self, fields: &mut Fields, payload: Bytes) -> Result<Option<Happened>> {
        if self.incoming_left == 0 {
            return Err(self.protocol("it sends more than its window allows"));
        }
        self.incoming_left -= 1;
        self.next_incoming = self.next_incoming.wrapping_add(1);
        let id = fields.number(0).and_then(|handle| self.remote.get(&handle).copied());
        let Some((id, link)) = id.and_then(|id| Some((id, self.links.get_mut(&id)?))) else {
            return Err(self.protocol("it sends on a link that is not attached"));
        };
        if let Some(delivery) = fields.number(1) {
            let tag = fields.take(2);
            let tag = if let Value::Binary(tag) = tag { tag } else { Bytes::new() };
            link.arriving = Some((Arrival { delivery, tag }, fields.take(4).is_true()));
        }
        let Some((arrival, mut settled)) = link.arriving.clone() else {
            return Err(self.protocol("it sends a piece of no message"));
        };
        settled |= fields.take(4).is_true();
        if fields.take(9).is_true() {
            (link.arriving, link.partial) = (None, BytesMut::new());
            self.received(id);
            return Ok(None);
        }
        if link.partial.len() + payload.len() > MAX_MESSAGE {
            return Err(self.protocol("it sends a message that is far too large"));
        }
        if fields.take(5).is_true() {
            link.partial.extend_from_slice(&payload);
            if self.incoming_left < INCOMING_WINDOW / 2 {
                self.put_flow(None);
            }
            return Ok(None);
        }
        let whole = if link.partial.is_empty() {
            payload
        } else {
            link.partial.extend_from_slice(&payload);
            std::mem::take(&mut link.partial).freeze()
        };
        link.arriving = None;
        let (leaving, held) = (link.leaving, link.held);
        if !settled && !held {
            self.settle(arrival.delivery, Outcome::Accepted);
        }
        self.received(id);
        let message = message::decode(whole).map_err(|Malformed(why)| self.protocol(why))?;
        let message = Box::new(message);
        Ok(match (leaving, held) {
            (true, _) => None,
            (_, true) => Some(Happened::Delivery(id, arrival, message)),
            _ => Some(Happened::Message(id, message)),
        })
    }

    /// Counts a delivery, and grants more before the hub runs out.
    fn received(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.deliveries = link.deliveries.wrapping_add(1);
        link.credit = link.credit.saturating_sub(1);
        if link.credit < CREDIT / 2 && !link.leaving {
            self.grant(id);
        } else if self.incoming_left < INCOMING_WINDOW / 2 {
            self.put_flow(None);
        }
    }

    fn grant(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.credit = CREDIT;
            self.put_flow(Some(id));
        }
    }

    fn put_flow(&mut self, id: Option<LinkId>) {
        self.incoming_left = INCOMING_WINDOW;
        let next_incoming = if self.begun { Value::Uint(self.next_incoming) } else { Value::Null };
        let mut fields = vec![
            next_incoming,
            Value::Uint(INCOMING_WINDOW),
            Value::Uint(self.next_outgoing),
            Value::Uint(u32::MAX),
        ];
        if let Some((id, link)) = id.and_then(|id| Some((id, self.links.get(&id)?))) {
            // A receiver that has not heard the sender's count yet leaves it out (2.7.4).
            let known = link.role == Role::Sender || link.attached;
            let deliveries = if known { Value::Uint(link.deliveries) } else { Value::Null };
            fields.extend([Value::Uint(id.0), deliveries, Value::Uint(link.credit)]);
        }
        self.put(frame::FLOW, fields, &[]);
    }

    /// Sends what waits on a link, as far as credit (which counts messages) and window (which counts frames) go.
    fn pump(&mut self, id: LinkId) {
        let most = self.remote_max_frame as usize - TRANSFER_OVERHEAD;
        loop {
            let Some(link) = self.links.get_mut(&id) else { return };
            let Some(parcel) = link.waiting.front_mut() else {
                link.waiting = VecDeque::new();
                return;
            };
            if !self.begun || !link.attached || (link.credit == 0 && !parcel.begun) {
                return;
            }
            if self.outgoing_window == 0 {
                self.stalled = true;
                return;
            }
            let piece = parcel.rest.split_to(parcel.rest.len().min(most));
            let more = !parcel.rest.is_empty();
            let settled = Value::Bool(link.settled);
            let fields = match std::mem::replace(&mut parcel.begun, true) {
                true => {
                    vec![Value::Uint(id.0), Value::Null, Value::Null, Value::Null, settled, Value::Bool(more)]
                }
                false => {
                    let tag = Value::Binary(Bytes::copy_from_slice(&link.deliveries.to_be_bytes()));
                    if let Some(mark) = parcel.mark {
                        self.unsettled.insert(self.next_delivery, (id, mark));
                    }
                    let delivery = Value::Uint(self.next_delivery);
                    self.next_delivery = self.next_delivery.wrapping_add(1);
                    link.credit -= 1;
                    link.deliveries = link.deliveries.wrapping_add(1);
                    vec![Value::Uint(id.0), delivery, tag, Value::Uint(0), settled, Value::Bool(more)]
                }
            };
            if !more {
                link.waiting.pop_front();
            }
            self.next_outgoing = self.next_outgoing.wrapping_add(1);
            self.outgoing_window -= 1;
            self.put(frame::TRANSFER, fields, &piece);
        }
    }

    fn detached(&mut self, fields: &mut Fields) -> Option<Happened> {
        let id = self.remote.remove(&fields.number(0)?)?;
        let link = self.links.remove(&id)?;
        self.free.push(id.0);
        if !link.leaving {
            self.put(frame::DETACH, vec![Value::Uint(id.0), Value::Bool(true)], &[]);
        }
        Some(Happened::Detached(id, error_in(fields, 2)))
    }

    pub(super) fn put(&mut self, code: u64, fields: Vec<Value>, payload: &[u8]) {
        frame::write(&mut self.outbox, code, fields, payload);
    }

    fn protocol(&self, what: &str) -> Error {
        Error::new(ErrorKind::Protocol, format!("'{}' does not keep to AMQP 1.0: {what}", self.host))
    }
}

/// The error of detach, end and close.
fn error_in(fields: &mut Fields, index: usize) -> Option<Error> {
    let mut error = fields.described(index, frame::ERROR)?;
    let (condition, description) = (error.take(0), error.take(1));
    Some(grammar::hear_condition(condition.as_text().unwrap_or_default(), description.as_text()))
}
