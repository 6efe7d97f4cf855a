//! What frames mean: sessions and links come and go, messages are moved.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use twin_core::identity::Identity;
use twin_core::wire::amqp::{
    self, Address, Direction, hear_address, hear_link_properties, hear_put_token, say_token_answer,
};
use twin_core::wire::{ApiVersion, HubCode, Refusal, rest};
use twin_core::{ErrorKind, TwinKey};

use super::super::faults::LoginFault;
use super::arrival::{Awaited, direction_of};
use super::connection::{CHANNEL_MAX, Connection, Ended, plain_error};
use super::frame::{Attach, Begin, Detach, Performative, Role, Transfer};
use super::link::{At, Delivery, Link, MAX_BODY, MAX_HELD_BYTES, MAX_MESSAGE, Way};
use super::mail::feed_of;
use super::message;
use super::session::{HANDLE_MAX, Session, Wrong};
use super::twin::accepted;
use super::value::{Malformed, Value};

/// Links of a connection that has proven nothing.
const LINKS_OF_A_STRANGER: usize = 16;
/// Further ones for every token: two pairs and two single ones are what a device has.
const LINKS_PER_CLAIM: usize = 8;

/// Terminus types.
const SOURCE: u64 = 0x28;
const TARGET: u64 = 0x29;
const COORDINATOR: u64 = 0x30;

fn broken<T>(condition: &'static str, why: impl Into<String>) -> Result<T, Ended> {
    Err(Ended::Broken(condition, why.into()))
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// Does what a frame says.
    pub(super) async fn dispatch(
        &mut self,
        channel: u16,
        performative: Performative,
        payload: Bytes,
    ) -> Result<(), Ended> {
        match performative {
            Performative::Open(_) => return broken("amqp:illegal-state", "a second open"),
            Performative::Close(error) => {
                if let Some(error) = error {
                    tracing::debug!(peer = %self.peer.address, ?error, "the peer closes with an error");
                }
                return Err(Ended::Closed);
            }
            Performative::Begin(begin) => return self.begin(channel, &begin),
            _ => {}
        }
        let Some(session) = self.sessions.get_mut(&channel) else {
            return broken("amqp:illegal-state", format!("no session was begun on channel {channel}"));
        };
        if session.ending {
            // Sent before the peer heard that its session has ended.
            if let Performative::End(_) = performative {
                self.sessions.remove(&channel);
            }
            return Ok(());
        }
        let max_frame = self.max_frame();
        let session = self.sessions.get_mut(&channel).ok_or(Ended::Closed)?;
        match performative {
            Performative::Attach(attach) => self.attach(channel, *attach),
            Performative::Flow(flow) => {
                let outcome = session.flowed(&flow, max_frame, &mut self.pipe.outbox);
                outcome.or_else(|wrong| self.wrong(channel, wrong))?;
                self.feed_session(channel);
                Ok(())
            }
            Performative::Transfer(transfer) => self.transfer(channel, &transfer, payload).await,
            Performative::Disposition(disposition) => {
                self.disposition(channel, &disposition);
                Ok(())
            }
            Performative::Detach(detach) => self.detached(channel, &detach).await,
            Performative::End(_) => {
                self.end_session(channel, None);
                self.sessions.remove(&channel);
                Ok(())
            }
            Performative::Open(_) | Performative::Close(_) | Performative::Begin(_) => Ok(()),
        }
    }

    fn begin(&mut self, channel: u16, begin: &Begin) -> Result<(), Ended> {
        if channel > CHANNEL_MAX {
            let why = format!("channel {channel} is above channel-max, {CHANNEL_MAX}");
            return broken("amqp:connection:framing-error", why);
        }
        if begin.remote_channel.is_some() {
            return broken("amqp:not-allowed", "a begin that answers none of the hub's");
        }
        if self.sessions.contains_key(&channel) {
            return broken("amqp:illegal-state", format!("a second begin on channel {channel}"));
        }
        if self.sessions.len() > LINKS_OF_A_STRANGER + self.proven() {
            return broken("amqp:resource-limit-exceeded", "too many sessions for what was proven");
        }
        self.sessions.insert(channel, Session::begin(channel, begin, &mut self.pipe.outbox));
        Ok(())
    }

    /// Ends what was wrong, as far as it was.
    pub(super) fn wrong(&mut self, channel: u16, wrong: Wrong) -> Result<(), Ended> {
        match wrong {
            Wrong::Session(condition, why) => {
                tracing::info!(peer = %self.peer.address, condition, why, "ended a session");
                self.end_session(channel, Some(plain_error(condition, &why)));
            }
            Wrong::Link(handle, condition, why) => {
                tracing::info!(peer = %self.peer.address, condition, why, "ended a link");
                self.detach(channel, handle, plain_error(condition, &why));
            }
            Wrong::TooLarge(handle) => {
                let why = format!("a message of more than {MAX_MESSAGE} bytes");
                let error = self.error(Refusal::new(HubCode::MESSAGE_TOO_LARGE, why));
                self.detach(channel, handle, error);
            }
        }
        Ok(())
    }

    /// Ends a session and all on it.
    fn end_session(&mut self, channel: u16, error: Option<super::frame::ErrorValue>) {
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        session.ending = true;
        session.ending_links = Vec::new();
        session.arriving = HashMap::new();
        let links = session.remove_all();
        Performative::End(error).write(channel, b"", &mut self.pipe.outbox);
        for (handle, link) in links {
            self.left(At { channel, handle, serial: link.serial }, &link);
        }
    }

    pub(super) async fn detached(&mut self, channel: u16, detach: &Detach) -> Result<(), Ended> {
        let Some(session) = self.sessions.get_mut(&channel) else { return Ok(()) };
        let link = match session.detached(detach, &mut self.pipe.outbox) {
            Ok(Some(link)) => link,
            Ok(None) => return Ok(()),
            Err(wrong) => return self.wrong(channel, wrong),
        };
        let at = At { channel, handle: detach.handle, serial: link.serial };
        let twin_out = |key: &TwinKey| self.devices.get(key).and_then(|device| device.twin_out) == Some(at);
        if let Some(key) = link.key.clone().filter(|key| twin_out(key)) {
            // The subscription ends with the link that it was for.
            let _ = self.want_desired(&key, false).await;
        }
        self.left(at, &link);
        Ok(())
    }

    fn attach(&mut self, channel: u16, attach: Attach) -> Result<(), Ended> {
        let handle = attach.handle;
        if handle > HANDLE_MAX {
            return broken("amqp:connection:framing-error", format!("handle {handle} is above {HANDLE_MAX}"));
        }
        let links: usize = self.sessions.values().map(Session::handles).sum();
        let most = LINKS_OF_A_STRANGER + LINKS_PER_CLAIM * self.proven();
        if links >= most {
            return broken(
                "amqp:resource-limit-exceeded",
                format!("more than {most} links for what was proven"),
            );
        }
        let Some(session) = self.sessions.get(&channel) else { return Ok(()) };
        if session.is_in_use(handle) {
            let why = format!("handle {handle} is in use");
            return self.wrong(channel, Wrong::Session("amqp:session:handle-in-use", why));
        }
        match self.accept(&attach) {
            Ok((link, None)) => self.add_link(channel, &attach, link),
            Ok((link, Some(awaited))) => self.wait_for(channel, attach, link, awaited),
            Err(refusal) => self.refuse_link(channel, &attach, refusal),
        }
        Ok(())
    }

    /// How many devices and services the peer may speak for.
    fn proven(&self) -> usize {
        self.claims.len() + usize::from(self.peer.certificate.is_some()) + self.devices.len()
    }

    /// Judges a link that the peer wants, and tells whom it has to wait for.
    fn accept(&mut self, attach: &Attach) -> Result<(Link, Option<Awaited>), Refusal> {
        let direction = direction_of(attach);
        let terminus = match direction {
            Direction::ToHub => &attach.target,
            Direction::FromHub => &attach.source,
        };
        let text = address_of(terminus)?;
        let known = |key: &TwinKey| self.front.engine.identity(key).is_some();
        let not_found = |why: String| Refusal::new(HubCode::AMQP_ADDRESS_NOT_FOUND, why);
        let address = hear_address(text, &known).map_err(|e| not_found(e.message().to_owned()))?;
        if !address.allows(direction) {
            let way = if direction == Direction::ToHub { "to" } else { "from" };
            return Err(not_found(format!("there are no links {way} the hub at this address")));
        }
        let properties = attach
            .properties
            .iter()
            .filter_map(|(name, value)| Some((name.as_text()?, message::scalar(value.clone())?)));
        let properties = hear_link_properties(properties)
            .map_err(|e| Refusal::new(HubCode::INVALID_PROTOCOL_VERSION, e.message()))?;
        let (claim, identity) = self.claims.open(&self.front, &self.peer, &address)?;
        if let Address::Telemetry { .. } = address {
            return Err(rest::not_yet("reading device-to-cloud messages"));
        }
        let feed = match direction {
            Direction::FromHub => feed_of(&address, attach),
            Direction::ToHub => None,
        };
        let here = |identity: &Arc<Identity>| self.devices.get_key_value(&identity.key()).map(|(key, _)| key);
        let key = identity.as_ref().and_then(here).cloned();
        let awaited = identity
            .filter(|_| key.is_none())
            .map(|identity| Awaited { identity, model_id: properties.model_id });
        let link = Link {
            name: attach.name.clone(),
            serial: self.next_serial(),
            address,
            key,
            claim,
            api: properties.api_version,
            way: match direction {
                Direction::ToHub => Way::In(super::link::Incoming {
                    delivery_count: attach.initial_delivery_count.unwrap_or(0),
                    ..Default::default()
                }),
                Direction::FromHub => Way::Out(super::link::Outgoing { feed, ..Default::default() }),
            },
        };
        Ok((link, awaited))
    }

    /// Answers an attach. One that is refused makes no link and is answered without the terminus on the hub's side; the
    /// detach follows (AMQP 1.0, 2.6.3).
    pub(super) fn answer_attach(&mut self, channel: u16, attach: &Attach, link: Option<&Link>) {
        let sends = attach.role == Role::Receiver;
        let (mut source, mut target) = (attach.source.clone(), attach.target.clone());
        if link.is_none() {
            *(if sends { &mut source } else { &mut target }) = Value::Null;
        }
        // What the hub sends is settled, but for messages out of a queue.
        let unsettled = link.is_some_and(|link| match &link.way {
            Way::Out(outgoing) => outgoing.feed.as_ref().is_some_and(|feed| feed.settles),
            Way::In(_) => false,
        });
        let answer = Attach {
            name: attach.name.clone(),
            handle: attach.handle,
            role: if sends { Role::Sender } else { Role::Receiver },
            snd_settle_mode: if sends { Some(u8::from(!unsettled)) } else { attach.snd_settle_mode },
            rcv_settle_mode: attach.rcv_settle_mode.filter(|_| unsettled).or(Some(0)),
            source,
            target,
            initial_delivery_count: sends.then_some(0),
            max_message_size: (!sends).then_some(MAX_MESSAGE as u64),
            properties: Vec::new(),
        };
        Performative::Attach(Box::new(answer)).write(channel, b"", &mut self.pipe.outbox);
    }

    async fn transfer(&mut self, channel: u16, transfer: &Transfer, payload: Bytes) -> Result<(), Ended> {
        let Some(session) = self.sessions.get_mut(&channel) else { return Ok(()) };
        match session.transferred(transfer, payload, &mut self.pipe.outbox) {
            Ok(Some(delivery)) => self.delivered(delivery).await,
            Ok(None) => {
                if transfer.more && self.held_bytes() > MAX_HELD_BYTES {
                    return broken(
                        "amqp:resource-limit-exceeded",
                        "too many messages were begun and not ended",
                    );
                }
                Ok(())
            }
            Err(wrong) => self.wrong(channel, wrong),
        }
    }

    /// A message came whole.
    async fn delivered(&mut self, delivery: Delivery) -> Result<(), Ended> {
        let At { channel, handle, .. } = delivery.at;
        let Some(link) = self.sessions.get(&channel).and_then(|session| session.links.get(&handle)) else {
            return Ok(());
        };
        let (key, api) = (link.key.clone(), link.api.unwrap_or(ApiVersion::OURS));
        let address = link.address.clone();
        let message = match message::read(delivery.bytes.clone()) {
            Ok(message) => message,
            Err(Malformed(why)) => {
                return self.wrong(channel, Wrong::Link(handle, "amqp:decode-error", why));
            }
        };
        match (&address, key) {
            (Address::Twin(_), Some(key)) => return self.twin_request(key, api, delivery, message).await,
            (Address::Events(_), Some(key)) => {
                let bytes = message.bytes().len();
                if bytes > MAX_BODY {
                    return self.wrong(channel, Wrong::TooLarge(handle));
                }
                if let Some(device) = self.devices.get(&key) {
                    device.attachment.touch();
                    device.attachment.count_telemetry(bytes);
                }
            }
            (Address::Cbs, _) => {
                self.token(&delivery, &message)?;
            }
            (Address::ServiceSend, _) => {
                self.service_sends(&delivery, &message);
                return Ok(());
            }
            _ => tracing::debug!(peer = %self.peer.address, "an answer to a method that nobody called"),
        }
        if !delivery.settled {
            self.settle(delivery.at, delivery.id, accepted());
        }
        Ok(())
    }

    /// A token was put: judges and answers.
    fn token(&mut self, delivery: &Delivery, message: &amqp::Message) -> Result<(), Ended> {
        let outcome = match self.front.faults.next_login() {
            None => self.put_token(message),
            Some(LoginFault::Silence) => return Err(Ended::Cut),
            Some(LoginFault::Unavailable) => {
                Err(Refusal::new(HubCode::SERVICE_UNAVAILABLE, "this fault was asked for"))
            }
            Some(LoginFault::NotAuthorized) => {
                Err(Refusal::new(HubCode::IOT_HUB_UNAUTHORIZED, "this fault was asked for"))
            }
        };
        self.arm();
        if let Err(refusal) = &outcome {
            self.front.metrics.refused(refusal.code);
            tracing::info!(peer = %self.peer.address, code = refusal.code.name, reason = %refusal.message, "token refused");
        }
        let Some(id) = message.id.clone() else {
            tracing::info!(peer = %self.peer.address, "a token without a message-id gets no answer");
            return Ok(());
        };
        let answer = message::write(&say_token_answer(id, outcome.as_ref().copied()));
        // On the link beside it; a client has one pair.
        let at = |session: &Session| {
            let mut links = session.links.iter();
            let found = links.find(|(_, l)| l.address == Address::Cbs && l.direction() == Direction::FromHub);
            found.map(|(handle, _)| *handle)
        };
        let channel = delivery.at.channel;
        match self.sessions.get(&channel).and_then(at) {
            Some(handle) => {
                self.send(channel, handle, answer);
            }
            None => tracing::info!(peer = %self.peer.address, "no link for the answer to a token"),
        }
        Ok(())
    }

    fn put_token(&mut self, message: &amqp::Message) -> Result<(), Refusal> {
        let known = |key: &TwinKey| self.front.engine.identity(key).is_some();
        let put = hear_put_token(message, &known).map_err(|e| {
            let code = match e.kind() {
                ErrorKind::Unauthorized => HubCode::IOT_HUB_UNAUTHORIZED,
                ErrorKind::NotSupported => HubCode::NOT_IMPLEMENTED,
                _ => HubCode::ARGUMENT_INVALID,
            };
            Refusal::new(code, e.message())
        })?;
        self.claims.put(&self.front, &self.peer, &put.scope, &put.token)
    }
}

/// The address of a terminus.
fn address_of(terminus: &Value) -> Result<&str, Refusal> {
    let missing = || Refusal::new(HubCode::AMQP_ADDRESS_NOT_FOUND, "the link has no address");
    let Value::Described(parts) = terminus else { return Err(missing()) };
    let (code, fields) = match &**parts {
        (Value::Ulong(code), Value::List(fields)) => (*code, fields),
        (Value::Symbol(name), Value::List(fields)) => match name.as_str() {
            "amqp:source:list" => (SOURCE, fields),
            "amqp:target:list" => (TARGET, fields),
            "amqp:coordinator:list" => (COORDINATOR, fields),
            _ => return Err(missing()),
        },
        _ => return Err(missing()),
    };
    match (code, fields.first()) {
        (SOURCE | TARGET, Some(Value::String(text))) => Ok(text),
        (COORDINATOR, _) => Err(Refusal::new(HubCode::NOT_IMPLEMENTED, "there are no transactions here")),
        _ => Err(missing()),
    }
}
