//! Cloud-to-device messages on their way to one connection ("Communicate with your IoT hub using the MQTT protocol").
//!
//! One message is asked of the engine at a time, while the peer takes what is sent. With QoS 1 the peer's PUBACK completes
//! a message; until then the connection holds it, and when the connection ends, what it held is available again. With
//! QoS 0 a message is completed before it is sent, so it arrives at most once. A kept session that is taken up again goes
//! on with QoS 1.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use rumqttc::mqttbytes::QoS;
use twin_core::TwinKey;
use twin_core::message::{CloudMessage, Settlement};

use super::super::held::{Fetch, Held, fetch};
use crate::engine::Engine;
use crate::mail::Place;

/// A message for the peer. Without [`Held`] it is completed already.
pub(super) type Letter = (Option<Held>, Box<CloudMessage>);

type Receiving = Pin<Box<dyn Future<Output = Option<Letter>> + Send>>;

/// What a connection that is subscribed to them knows of its messages.
pub(super) struct Mail {
    engine: Engine,
    key: TwinKey,
    qos: QoS,
    /// whether there may be more than was asked for
    is_due: bool,
    receiving: Option<Receiving>,
    /// what was sent and not acknowledged, by packet id
    held: VecDeque<(u16, Held)>,
    last_pkid: u16,
}

impl Mail {
    pub(super) fn new(engine: Engine, key: TwinKey, qos: QoS) -> Self {
        Mail { engine, key, qos, is_due: true, receiving: None, held: VecDeque::new(), last_pkid: 0 }
    }

    /// Subscribed again, maybe with another QoS.
    pub(super) fn set_qos(&mut self, qos: QoS) {
        self.qos = qos;
        self.is_due = true;
    }

    /// Messages wait.
    pub(super) fn wake(&mut self) {
        self.is_due = true;
    }

    /// The next message, once there is one.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Letter> {
        loop {
            if self.receiving.is_none() {
                if !self.is_due {
                    return Poll::Pending;
                }
                // Before asking: what arrives while the engine looks is not missed.
                self.is_due = false;
                let fetch = fetch(&self.engine, Place::Device(self.key.clone()));
                self.receiving = Some(Box::pin(receive(fetch, self.qos)));
            }
            let Some(receiving) = &mut self.receiving else { return Poll::Pending };
            let Poll::Ready(found) = receiving.as_mut().poll(cx) else { return Poll::Pending };
            self.receiving = None;
            if let Some(letter) = found {
                self.is_due = true;
                return Poll::Ready(letter);
            }
        }
    }

    /// The QoS to send a message with, and its packet id for QoS 1. From here on its acknowledgement is waited for.
    pub(super) fn hold(&mut self, held: Option<Held>) -> (QoS, u16) {
        let Some(held) = held else { return (QoS::AtMostOnce, 0) };
        // A device has fewer messages than there are ids.
        loop {
            self.last_pkid = self.last_pkid.checked_add(1).unwrap_or(1);
            if self.held.iter().all(|(pkid, _)| *pkid != self.last_pkid) {
                break;
            }
        }
        self.held.push_back((self.last_pkid, held));
        (QoS::AtLeastOnce, self.last_pkid)
    }

    /// The peer acknowledged a packet: completes its message, if it was one.
    pub(super) fn complete(&mut self, pkid: u16) -> Option<impl Future<Output = ()> + Send + use<>> {
        let at = self.held.iter().position(|(held, _)| *held == pkid)?;
        let (_, held) = self.held.remove(at)?;
        let key = self.key.clone();
        Some(async move {
            if let Err(refusal) = held.settle(Settlement::Complete).await {
                tracing::info!(device = %key, reason = %refusal.message, "a message was acknowledged in vain");
            }
        })
    }
}

async fn receive(fetch: Fetch, qos: QoS) -> Option<Letter> {
    let (held, message) = fetch.await.ok().flatten()?;
    if qos != QoS::AtMostOnce {
        return Some((Some(held), message));
    }
    match held.settle(Settlement::Complete).await {
        Ok(()) => Some((None, message)),
        Err(refusal) => {
            tracing::info!(reason = %refusal.message, "a message could not be taken out of its queue");
            None
        }
    }
}
