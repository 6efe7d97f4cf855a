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
use twin_core::wire::Refusal;

use crate::engine::Engine;
use crate::mail::{Hold, Place};

type Receiving = Pin<Box<dyn Future<Output = Result<Option<Box<CloudMessage>>, Refusal>> + Send>>;

/// What a connection that is subscribed to them knows of its messages.
pub(super) struct Mail {
    engine: Engine,
    key: TwinKey,
    qos: QoS,
    /// whether there may be more than was asked for
    is_due: bool,
    receiving: Option<Receiving>,
    /// packet ids and lock tokens of what was sent and not acknowledged
    held: VecDeque<(u16, String)>,
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
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<CloudMessage>, Refusal>> {
        loop {
            if self.receiving.is_none() {
                if !self.is_due {
                    return Poll::Pending;
                }
                // Before asking: what arrives while the engine looks is not missed.
                self.is_due = false;
                self.receiving = Some(Box::pin(receive(self.engine.clone(), self.key.clone(), self.qos)));
            }
            let Some(receiving) = &mut self.receiving else { return Poll::Pending };
            let Poll::Ready(outcome) = receiving.as_mut().poll(cx) else { return Poll::Pending };
            self.receiving = None;
            match outcome {
                Ok(None) => {}
                Ok(Some(message)) => {
                    self.is_due = true;
                    return Poll::Ready(Ok(message));
                }
                Err(refusal) => return Poll::Ready(Err(refusal)),
            }
        }
    }

    /// The QoS to send a message with, and its packet id for QoS 1. From here on the connection holds it.
    pub(super) fn hold(&mut self, message: &CloudMessage) -> (QoS, u16) {
        if self.qos == QoS::AtMostOnce {
            return (QoS::AtMostOnce, 0);
        }
        // A device has fewer messages than there are ids.
        loop {
            self.last_pkid = self.last_pkid.checked_add(1).unwrap_or(1);
            if self.held.iter().all(|(pkid, _)| *pkid != self.last_pkid) {
                break;
            }
        }
        self.held.push_back((self.last_pkid, message.lock_token.clone()));
        (QoS::AtLeastOnce, self.last_pkid)
    }

    /// The peer acknowledged a packet: completes its message, if it was one.
    pub(super) fn complete(&mut self, pkid: u16) -> Option<impl Future<Output = ()> + Send + use<>> {
        let at = self.held.iter().position(|(held, _)| *held == pkid)?;
        let (_, lock_token) = self.held.remove(at)?;
        let (engine, key) = (self.engine.clone(), self.key.clone());
        Some(async move {
            let done = engine.settle(Place::Device(key.clone()), lock_token, Settlement::Complete).await;
            if let Err(refusal) = done {
                tracing::info!(device = %key, reason = %refusal.message, "a message was acknowledged in vain");
            }
        })
    }
}

async fn receive(engine: Engine, key: TwinKey, qos: QoS) -> Result<Option<Box<CloudMessage>>, Refusal> {
    let place = Place::Device(key);
    let message = engine.receive(place.clone(), Hold::Connection).await?;
    if let (Some(message), QoS::AtMostOnce) = (&message, qos) {
        engine.settle(place, message.lock_token.clone(), Settlement::Complete).await?;
    }
    Ok(message)
}

impl Drop for Mail {
    /// What was not acknowledged is available again, and so is what the engine is about to give.
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let place = Place::Device(self.key.clone());
        let mut lock_tokens: Vec<String> = self.held.drain(..).map(|(_, token)| token).collect();
        match self.receiving.take() {
            None => self.engine.let_go(place, lock_tokens),
            Some(receiving) => {
                let engine = self.engine.clone();
                runtime.spawn(async move {
                    lock_tokens.extend(receiving.await.ok().flatten().map(|message| message.lock_token));
                    engine.let_go(place, lock_tokens);
                });
            }
        }
    }
}
