//! A message as it is stored: `length of the head (4, little-endian) | head as JSON | body`.

use serde::{Deserialize, Serialize};
use twin_core::message::{Ack, Message};
use twin_core::{Result, Timestamp};

use super::queue::Entry;
use crate::store::failed;

/// Everything but the body. Instants are in ticks.
#[derive(Serialize, Deserialize)]
struct Head {
    sequence: u64,
    enqueued: u64,
    expires: u64,
    deliveries: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    properties: Vec<(String, String)>,
    #[serde(flatten)]
    texts: Texts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ack: Option<String>,
}

macro_rules! texts {
    ($($name:ident),*) => {
        #[derive(Serialize, Deserialize)]
        struct Texts {
            $(#[serde(default, skip_serializing_if = "Option::is_none")] $name: Option<String>),*
        }

        impl Texts {
            fn of(message: &Message) -> Self {
                Texts { $($name: message.$name.clone()),* }
            }

            fn fill(self, message: &mut Message) {
                $(message.$name = self.$name;)*
            }
        }
    };
}
texts!(id, correlation_id, user_id, to, content_type, content_encoding, component, interface_id, output);

pub(super) fn write(entry: &Entry) -> Vec<u8> {
    let message = &entry.message;
    let head = Head {
        sequence: entry.sequence,
        enqueued: entry.enqueued.ticks(),
        expires: entry.expires.ticks(),
        deliveries: entry.deliveries,
        properties: message.properties.clone(),
        texts: Texts::of(message),
        expiry: message.expiry.map(Timestamp::ticks),
        created: message.created.map(Timestamp::ticks),
        ack: message.ack.map(|ack| ack.as_str().to_owned()),
    };
    let head = serde_json::to_vec(&head).expect("texts and numbers can always be written");
    let mut to = Vec::with_capacity(4 + head.len() + message.body.len());
    // A message is limited to 64 KB long before this.
    to.extend_from_slice(&(head.len() as u32).to_le_bytes());
    to.extend_from_slice(&head);
    to.extend_from_slice(&message.body);
    to
}

pub(super) fn read(stored: &[u8]) -> Result<Entry> {
    let wrong = || failed("a stored cloud-to-device message cannot be read");
    let (length, rest) = stored.split_first_chunk::<4>().ok_or_else(wrong)?;
    let (head, body) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(wrong)?;
    let head: Head = serde_json::from_slice(head).map_err(|e| wrong().with_source(e))?;
    let mut message = Message::new(body.to_vec());
    head.texts.fill(&mut message);
    message.properties = head.properties;
    message.expiry = head.expiry.map(Timestamp::from_ticks);
    message.created = head.created.map(Timestamp::from_ticks);
    message.ack = head.ack.and_then(|ack| ack.parse::<Ack>().ok());
    let [enqueued, expires] = [head.enqueued, head.expires].map(Timestamp::from_ticks);
    let mut entry = Entry::new(head.sequence, enqueued, expires, message);
    entry.deliveries = head.deliveries;
    Ok(entry)
}
