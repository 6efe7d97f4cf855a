//! A device's telemetry and messages from the cloud: their links, beside those of its twin.

use std::collections::HashMap;

use bytes::Bytes;
use twin_core::message::{Message, Settlement};
use twin_core::wire::amqp::{self as grammar, Address, LinkProperties};
use twin_core::wire::{ApiVersion, Channel, Heard};
use twin_core::{Delivery, Error, ErrorKind, Result};

use super::peer::{LinkId, Role};
use super::settle::{Arrival, Outcome};
use super::talk::{News, Slot, Talk};

/// Most messages from the cloud that wait for their settlement. IoT Hub keeps 50 for a device.
const MAX_ARRIVED: usize = 1024;

/// See the module.
#[derive(Default)]
pub(super) struct Mail {
    /// Telemetry goes out by this one.
    events: Option<LinkId>,
    /// Messages come in by this one.
    bound: Option<LinkId>,
    /// Whether the hub agreed to it.
    granted: bool,
    /// Deliveries by their lock token.
    arrived: HashMap<String, u32>,
}

impl Mail {
    pub(super) fn links(&self) -> impl Iterator<Item = LinkId> {
        self.events.into_iter().chain(self.bound)
    }
}

impl Talk {
    pub(super) fn send_telemetry(&mut self, slot: Slot, tag: u64, message: &Message) -> Result<()> {
        let Some(device) = self.devices.get(&slot) else { return Ok(()) };
        let key = device.who.key.clone();
        let link = match device.mail.events {
            Some(link) => link,
            None => {
                let link = self.attach_one(slot, &Address::Events(key.clone()), Role::Sender)?;
                if let Some(device) = self.devices.get_mut(&slot) {
                    device.mail.events = Some(link);
                }
                link
            }
        };
        match self.peer.send_marked(link, &grammar::say_telemetry(&key, message), Some(tag)) {
            // Its own fault, not the connection's.
            Err(error) if error.kind() == ErrorKind::TooLarge => {
                self.refuse(slot, tag, error.with_delivery(Delivery::NotSent));
                Ok(())
            }
            sent => sent,
        }
    }

    pub(super) fn subscribe_messages(&mut self, slot: Slot) -> Result<()> {
        let Some(device) = self.devices.get(&slot) else { return Ok(()) };
        if device.mail.bound.is_some() {
            if device.mail.granted {
                self.told_granted(slot, true);
            }
            return Ok(());
        }
        let address = Address::DeviceBound(device.who.key.clone());
        let link = self.attach_one(slot, &address, Role::Receiver)?;
        self.peer.hold(link);
        if let Some(device) = self.devices.get_mut(&slot) {
            device.mail.bound = Some(link);
        }
        Ok(())
    }

    /// The hub gives what was not settled to the next who asks.
    pub(super) fn unsubscribe_messages(&mut self, slot: Slot) {
        let Some(device) = self.devices.get_mut(&slot) else { return };
        device.mail.granted = false;
        device.mail.arrived = HashMap::new();
        if let Some(link) = device.mail.bound.take() {
            self.owners.remove(&link);
            self.peer.detach(link);
        }
        self.news.push_back((slot, News::Heard(Heard::Unsubscribed(Channel::CloudToDevice))));
    }

    pub(super) fn settle_message(
        &mut self,
        slot: Slot,
        tag: u64,
        lock_token: &str,
        settlement: Settlement,
    ) -> Result<()> {
        let Some(device) = self.devices.get_mut(&slot) else { return Ok(()) };
        let Some(delivery) = device.mail.arrived.remove(lock_token) else {
            let message = "the message was settled, or the link that it came by is gone; then the hub delivers it again";
            let error = Error::new(ErrorKind::PreconditionFailed, message);
            self.refuse(slot, tag, error.with_delivery(Delivery::NotSent));
            return Ok(());
        };
        self.peer.settle(
            delivery,
            match settlement {
                Settlement::Complete => Outcome::Accepted,
                Settlement::Reject => Outcome::Rejected,
                Settlement::Abandon => Outcome::Released,
            },
        );
        self.news.push_back((slot, News::Heard(Heard::Done { tag, refusal: None })));
        Ok(())
    }

    /// A link of these was agreed to; `false` if it is another's.
    pub(super) fn mail_attached(&mut self, slot: Slot, link: LinkId) -> bool {
        let Some(device) = self.devices.get_mut(&slot) else { return false };
        if device.mail.bound == Some(link) {
            device.mail.granted = true;
            self.told_granted(slot, true);
            return true;
        }
        device.mail.events == Some(link)
    }

    /// A link of these ended; gives the error back if the device has to go with it.
    pub(super) fn mail_detached(&mut self, slot: Slot, link: LinkId, error: Error) -> Option<Error> {
        let unconfirmed = self.peer.forget_unsettled(link);
        let Some(device) = self.devices.get_mut(&slot) else { return Some(error) };
        if device.mail.events == Some(link) {
            device.mail.events = None;
            for tag in unconfirmed {
                self.refuse(slot, tag, error.clone());
            }
            return None;
        }
        if device.mail.bound == Some(link) && !device.mail.granted {
            device.mail.bound = None;
            tracing::debug!(device = %device.who.key, %error, "the hub refused the link for messages");
            self.told_granted(slot, false);
            return None;
        }
        Some(error)
    }

    pub(super) fn sent(&mut self, slot: Slot, tag: u64, refusal: Option<Error>) {
        self.news.push_back((slot, News::Heard(Heard::Done { tag, refusal })));
    }

    pub(super) fn arrived(&mut self, slot: Slot, arrival: Arrival, message: &grammar::Message) -> Result<()> {
        let prefix = self.unique();
        let Some(device) = self.devices.get_mut(&slot) else { return Ok(()) };
        if device.mail.arrived.len() >= MAX_ARRIVED {
            let error = format!("'{}' sends messages without end", self.host);
            self.down(slot, Error::new(ErrorKind::Protocol, error));
            return Ok(());
        }
        // Tags may come again on another link; the token means this one delivery.
        let token = format!("{prefix}-{}", hex(&arrival.tag));
        device.mail.arrived.insert(token.clone(), arrival.delivery);
        let cloud = Box::new(grammar::hear_cloud_message(message, token));
        self.news.push_back((slot, News::Heard(Heard::CloudToDevice(cloud))));
        Ok(())
    }

    pub(super) fn refuse(&mut self, slot: Slot, tag: u64, error: Error) {
        self.sent(slot, tag, Some(error));
    }

    fn told_granted(&mut self, slot: Slot, granted: bool) {
        let heard = Heard::Subscribed { channel: Channel::CloudToDevice, granted };
        self.news.push_back((slot, News::Heard(heard)));
    }

    fn attach_one(&mut self, slot: Slot, address: &Address, role: Role) -> Result<LinkId> {
        let name = self.unique();
        let Some(device) = self.devices.get(&slot) else {
            return Err(Error::new(ErrorKind::Internal, "a link for nobody"));
        };
        let properties = grammar::say_link_properties(&LinkProperties {
            api_version: Some(ApiVersion::OURS),
            client_version: device.who.product_info.clone(),
            ..LinkProperties::default()
        });
        let link = self.peer.attach(name, role, false, &grammar::say_address(address), &properties)?;
        self.owners.insert(link, slot);
        Ok(link)
    }
}

fn hex(bytes: &Bytes) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
