//! The hub's side of AMQP, purely: tokens by CBS, the twin links of every device on the connection.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::BytesMut;
use twin_core::auth::{SasToken, Scope};
use twin_core::wire::amqp::{self as grammar, Address, Correlation, LinkProperties};
use twin_core::wire::{ApiVersion, Channel, Heard, Said};
use twin_core::{Delivery, Error, ErrorKind, HostName, Result};

use super::mail::Mail;
use super::peer::{Happened, LinkId, Peer, Role};
use crate::Endpoint;

/// Most answers to subscriptions that one device waits for.
const MAX_SUBSCRIBING: usize = 16;

/// A device on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Slot(pub(super) u64);

/// What there is to tell a device.
#[derive(Debug)]
pub(super) enum News {
    /// The hub took its token, or its links.
    Up,
    Heard(Heard),
    /// It is no longer on the connection.
    Down(Error),
}

pub(super) struct Device {
    /// Who it is.
    pub(super) who: Arc<Endpoint>,
    up: bool,
    /// Sender and receiver.
    links: Option<[LinkId; 2]>,
    attached: [bool; 2],
    /// The session asked for answers and waits to hear that they come.
    asked_for_answers: bool,
    /// Correlation ids of subscriptions to desired properties (true) and their ends (false).
    subscribing: Vec<(Correlation, bool)>,
    pub(super) mail: Mail,
}

/// See the module.
pub(super) struct Talk {
    pub(super) peer: Peer,
    pub(super) host: HostName,
    /// Makes names and ids unique, as the other side wants them.
    prefix: String,
    count: u64,
    cbs: Option<[LinkId; 2]>,
    tokens: HashMap<Correlation, Slot>,
    pub(super) devices: HashMap<Slot, Device>,
    pub(super) owners: HashMap<LinkId, Slot>,
    pub(super) news: VecDeque<(Slot, News)>,
}

impl Talk {
    pub(super) fn new(peer: Peer, host: HostName, prefix: String) -> Talk {
        Talk {
            peer,
            host,
            prefix,
            count: 0,
            cbs: None,
            tokens: HashMap::new(),
            devices: HashMap::new(),
            owners: HashMap::new(),
            news: VecDeque::new(),
        }
    }

    /// A device comes: [`News::Up`] or [`News::Down`] follows.
    pub(super) fn join(&mut self, slot: Slot, who: Arc<Endpoint>, token: Option<&SasToken>) -> Result<()> {
        let device = Device {
            who,
            up: false,
            links: None,
            attached: [false; 2],
            asked_for_answers: false,
            subscribing: Vec::new(),
            mail: Mail::default(),
        };
        self.devices.insert(slot, device);
        match token {
            Some(token) => self.renew(slot, token),
            // A certificate is checked when the first link is attached: until then nobody knows.
            None => self.attach(slot),
        }
    }

    /// A device goes, without another word to it.
    pub(super) fn leave(&mut self, slot: Slot) {
        let Some(device) = self.devices.remove(&slot) else { return };
        self.tokens.retain(|_, owner| *owner != slot);
        for link in device.links.into_iter().flatten().chain(device.mail.links()) {
            self.owners.remove(&link);
            self.peer.forget_unsettled(link);
            self.peer.detach(link);
        }
    }

    /// Gives the hub a token for a device.
    pub(super) fn renew(&mut self, slot: Slot, token: &SasToken) -> Result<()> {
        let id = Correlation::Text(self.unique());
        let Some(device) = self.devices.get(&slot) else { return Ok(()) };
        let scope = Scope::Twin(device.who.hub.clone(), device.who.key.clone());
        let properties =
            LinkProperties { client_version: device.who.product_info.clone(), ..LinkProperties::default() };
        let [sender, _] = match self.cbs {
            Some(links) => links,
            None => {
                let properties = grammar::say_link_properties(&properties);
                let links = self.pair(&Address::Cbs, false, &properties)?;
                *self.cbs.insert(links)
            }
        };
        self.peer.send(sender, &grammar::say_put_token(id.clone(), &scope, token))?;
        // An older token's answer is of no interest any more.
        self.tokens.retain(|_, owner| *owner != slot);
        self.tokens.insert(id, slot);
        Ok(())
    }

    /// Says something for a device.
    pub(super) fn say(&mut self, slot: Slot, said: &Said) -> Result<()> {
        let Some(device) = self.devices.get_mut(&slot) else { return Ok(()) };
        let id = match said {
            Said::Subscribe(Channel::TwinAnswers) => {
                device.asked_for_answers = true;
                if device.links.is_none() {
                    return self.attach(slot);
                }
                self.told_attached(slot);
                return Ok(());
            }
            Said::Subscribe(Channel::Desired) | Said::Unsubscribe(Channel::Desired) => {
                if device.links.is_none() {
                    self.attach(slot)?;
                }
                let id = Correlation::Text(self.unique());
                let Some(device) = self.devices.get_mut(&slot) else { return Ok(()) };
                if device.subscribing.len() >= MAX_SUBSCRIBING {
                    return Err(Error::new(
                        ErrorKind::Protocol,
                        format!("'{}' leaves subscriptions unanswered", self.host),
                    ));
                }
                device.subscribing.push((id.clone(), matches!(said, Said::Subscribe(_))));
                id
            }
            Said::Telemetry { tag, message } => return self.send_telemetry(slot, *tag, message),
            Said::Settle { tag, lock_token, settlement } => {
                return self.settle_message(slot, *tag, lock_token, *settlement);
            }
            Said::Subscribe(Channel::CloudToDevice) => return self.subscribe_messages(slot),
            Said::Unsubscribe(Channel::CloudToDevice) => {
                self.unsubscribe_messages(slot);
                return Ok(());
            }
            Said::Batch { tag, .. } | Said::Receive { tag, .. } => {
                let refusal = Error::new(ErrorKind::NotSupported, "only HTTPS does this; AMQP does not");
                self.refuse(slot, *tag, refusal.with_delivery(Delivery::NotSent));
                return Ok(());
            }
            Said::Subscribe(channel) => {
                let heard = Heard::Subscribed { channel: *channel, granted: false };
                self.news.push_back((slot, News::Heard(heard)));
                return Ok(());
            }
            Said::GetTwin { rid } | Said::Report { rid, .. } => Correlation::from_rid(rid),
            _ => {
                return Err(Error::new(
                    ErrorKind::NotSupported,
                    "this client does not speak of methods over AMQP",
                ));
            }
        };
        let links = self.devices.get(&slot).and_then(|device| device.links);
        match (grammar::say(said, id), links) {
            (Some(message), Some([sender, _])) => self.peer.send(sender, &message),
            _ => Err(Error::new(ErrorKind::Internal, "something was said before answers were asked for")),
        }
    }

    /// The next thing that a device is to hear, from what was received.
    pub(super) fn next(&mut self, inbox: &mut BytesMut) -> Result<Option<(Slot, News)>> {
        loop {
            if let Some(news) = self.news.pop_front() {
                return Ok(Some(news));
            }
            match self.peer.read(inbox)? {
                None => return Ok(None),
                Some(happened) => self.relay(happened)?,
            }
        }
    }

    fn relay(&mut self, happened: Happened) -> Result<()> {
        match happened {
            Happened::Begun => {}
            Happened::Attached(link) => {
                if let Some(slot) = self.owners.get(&link).copied()
                    && !self.mail_attached(slot, link)
                {
                    self.attached(slot, link);
                }
            }
            Happened::Message(link, message) if self.cbs.is_some_and(|[_, receiver]| receiver == link) => {
                self.token_answered(&message);
            }
            Happened::Message(link, message) => {
                if let Some(slot) = self.owners.get(&link).copied() {
                    self.heard(slot, &message);
                }
            }
            Happened::Delivery(link, arrival, message) => {
                if let Some(slot) = self.owners.get(&link).copied() {
                    self.arrived(slot, arrival, &message)?;
                }
            }
            Happened::Settled(link, tag, refusal) => {
                if let Some(slot) = self.owners.get(&link).copied() {
                    self.sent(slot, tag, refusal);
                }
            }
            Happened::Detached(link, error) => {
                if self.cbs.is_some_and(|links| links.contains(&link)) {
                    return Err(self.ended(error, "ended the link for tokens"));
                }
                if let Some(slot) = self.owners.remove(&link) {
                    let error = self.ended(error, "ended a link");
                    if let Some(error) = self.mail_detached(slot, link, error) {
                        self.down(slot, error);
                    }
                }
            }
            Happened::Closed(error) => return Err(self.ended(error, "closed the connection")),
        }
        Ok(())
    }

    fn ended(&self, error: Option<Error>, what: &str) -> Error {
        let message = format!("'{}' {what}", self.host);
        match error {
            Some(error) => error.context(message),
            None => Error::new(ErrorKind::Network, message),
        }
    }

    pub(super) fn down(&mut self, slot: Slot, error: Error) {
        self.leave(slot);
        self.news.push_back((slot, News::Down(error)));
    }

    fn attach(&mut self, slot: Slot) -> Result<()> {
        let channel = grammar::say_channel_id(&self.unique());
        let Some(device) = self.devices.get(&slot) else { return Ok(()) };
        let properties = grammar::say_link_properties(&LinkProperties {
            api_version: Some(ApiVersion::OURS),
            client_version: device.who.product_info.clone(),
            channel: Some(channel),
            model_id: device.who.model_id.clone(),
            auth_chain: None,
        });
        let links = self.pair(&Address::Twin(device.who.key.clone()), true, &properties)?;
        self.owners.extend(links.map(|link| (link, slot)));
        if let Some(device) = self.devices.get_mut(&slot) {
            device.links = Some(links);
        }
        Ok(())
    }

    /// A sender and a receiver.
    fn pair(
        &mut self,
        address: &Address,
        settled: bool,
        properties: &[(&'static str, String)],
    ) -> Result<[LinkId; 2]> {
        let (address, name) = (grammar::say_address(address), self.unique());
        let sender = self.peer.attach(format!("{name}-s"), Role::Sender, settled, &address, properties)?;
        let receiver = self.peer.attach(format!("{name}-r"), Role::Receiver, settled, &address, properties);
        if receiver.is_err() {
            self.peer.detach(sender);
        }
        Ok([sender, receiver?])
    }

    fn attached(&mut self, slot: Slot, link: LinkId) {
        let Some(device) = self.devices.get_mut(&slot) else { return };
        let Some(index) = device.links.and_then(|links| links.iter().position(|l| *l == link)) else {
            return;
        };
        device.attached[index] = true;
        if device.attached == [true; 2] {
            if !std::mem::replace(&mut device.up, true) {
                self.news.push_back((slot, News::Up));
            }
            self.told_attached(slot);
        }
    }

    /// Answers can come as soon as both links are there.
    fn told_attached(&mut self, slot: Slot) {
        let Some(device) = self.devices.get_mut(&slot) else { return };
        if device.attached == [true; 2] && std::mem::take(&mut device.asked_for_answers) {
            let heard = Heard::Subscribed { channel: Channel::TwinAnswers, granted: true };
            self.news.push_back((slot, News::Heard(heard)));
        }
    }

    fn token_answered(&mut self, message: &grammar::Message) {
        let Some((id, result)) = grammar::hear_token_answer(message) else { return };
        let Some(slot) = self.tokens.remove(&id) else { return };
        let Some(device) = self.devices.get_mut(&slot) else { return };
        match result {
            Ok(()) if std::mem::replace(&mut device.up, true) => {}
            Ok(()) => self.news.push_back((slot, News::Up)),
            Err(error) => {
                let context = format!("'{}' refused the token of '{}'", self.host, device.who.key);
                self.down(slot, error.context(context));
            }
        }
    }

    fn heard(&mut self, slot: Slot, message: &grammar::Message) {
        let Some(device) = self.devices.get_mut(&slot) else { return };
        let heard = match grammar::hear_hub(message) {
            Ok(Some(heard)) => heard,
            Ok(None) => {
                tracing::debug!(device = %device.who.key, "a message on the twin link that is none of ours is ignored");
                return;
            }
            Err(error) => {
                let error = error.context(format!("'{}' does not answer as a hub does", self.host));
                return self.down(slot, error);
            }
        };
        let heard = match heard {
            Heard::Answer { rid, status, version, body } => {
                let id = Correlation::from_rid(&rid);
                match device.subscribing.iter().position(|(asked, _)| *asked == id) {
                    None => Heard::Answer { rid, status, version, body },
                    Some(at) => match device.subscribing.swap_remove(at).1 {
                        false => Heard::Unsubscribed(Channel::Desired),
                        true => {
                            let granted = (200..300).contains(&status);
                            Heard::Subscribed { channel: Channel::Desired, granted }
                        }
                    },
                }
            }
            other => other,
        };
        self.news.push_back((slot, News::Heard(heard)));
    }

    pub(super) fn unique(&mut self) -> String {
        self.count += 1;
        format!("{}-{}", self.prefix, self.count)
    }
}
