//! Messages that wait for their PUBACK: telemetry for the hub's, cloud-to-device messages for ours.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

use twin_core::message::{CloudMessage, Settlement};
use twin_core::wire::Heard;
use twin_core::{Delivery, Error, ErrorKind, HostName, Result};

/// Most messages that wait for their acknowledgement, in each direction. IoT Hub keeps 50 for a device.
const MAX_UNACKNOWLEDGED: usize = 1024;

/// Numbers connections, so that no lock token of one means anything on another.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

/// See the module.
pub(super) struct Post {
    connection: u64,
    /// Packet id of what we sent, and its tag.
    sent: HashMap<u16, u64>,
    /// Deliveries that were not settled: their number and packet id. A message of QoS 0 has none.
    arrived: HashMap<u64, Option<u16>>,
    deliveries: u64,
    /// What is to be told before the next packet is read.
    pub(super) news: VecDeque<Heard>,
}

impl Post {
    pub(super) fn new() -> Post {
        Post {
            connection: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            sent: HashMap::new(),
            arrived: HashMap::new(),
            deliveries: 0,
            news: VecDeque::new(),
        }
    }

    pub(super) fn is_used(&self, id: u16) -> bool {
        self.sent.contains_key(&id)
    }

    pub(super) fn sent(&mut self, id: u16, tag: u64, host: &HostName) -> Result<()> {
        if self.sent.len() >= MAX_UNACKNOWLEDGED {
            return Err(Error::new(ErrorKind::Network, format!("'{host}' leaves telemetry unacknowledged")));
        }
        self.sent.insert(id, tag);
        Ok(())
    }

    pub(super) fn acknowledged(&mut self, id: u16) -> Option<Heard> {
        self.sent.remove(&id).map(|tag| Heard::Done { tag, refusal: None })
    }

    /// Tells that something was not done, without ending the connection.
    pub(super) fn refuse(&mut self, tag: u64, refusal: Error) -> Result<()> {
        self.news.push_back(Heard::Done { tag, refusal: Some(refusal) });
        Ok(())
    }

    pub(super) fn arrived(
        &mut self,
        id: Option<u16>,
        mut message: Box<CloudMessage>,
        host: &HostName,
    ) -> Result<Option<Heard>> {
        // A hub that gave up waiting sends the same packet again.
        if id.is_some() {
            self.arrived.retain(|_, other| *other != id);
        }
        if self.arrived.len() >= MAX_UNACKNOWLEDGED {
            return Err(Error::new(ErrorKind::Protocol, format!("'{host}' sends messages without end")));
        }
        self.deliveries += 1;
        if id.is_some() {
            self.arrived.insert(self.deliveries, id);
        }
        message.lock_token = format!("{}-{}", self.connection, self.deliveries);
        Ok(Some(Heard::CloudToDevice(message)))
    }

    /// The packet id to acknowledge, if there is one. The outcome is told.
    pub(super) fn settle(
        &mut self,
        tag: u64,
        lock_token: &str,
        settlement: Settlement,
    ) -> Result<Option<u16>> {
        if settlement != Settlement::Complete {
            let message = "MQTT can only complete a message; AMQP and HTTPS can reject and abandon one, too";
            self.refuse(tag, Error::new(ErrorKind::NotSupported, message).with_delivery(Delivery::NotSent))?;
            return Ok(None);
        }
        let number = lock_token.split_once('-').and_then(|(connection, number)| {
            let ours = connection.parse() == Ok(self.connection);
            number.parse::<u64>().ok().filter(|number| ours && *number <= self.deliveries)
        });
        let Some(number) = number else {
            let message = "the connection that the message came by is gone; the hub delivers it again";
            let refusal = Error::new(ErrorKind::PreconditionFailed, message).with_delivery(Delivery::NotSent);
            self.refuse(tag, refusal)?;
            return Ok(None);
        };
        self.news.push_back(Heard::Done { tag, refusal: None });
        // Completing twice is no error; neither is it for a message that the hub forgot as it left (QoS 0).
        Ok(self.arrived.remove(&number).flatten())
    }
}
