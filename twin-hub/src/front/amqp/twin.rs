//! Messages on the twin links of devices.
//!
//! Requests are answered in the order they came, though many reported patches may be with the engine at a time: that is
//! what makes group commit worth something on one connection. A GET is looked up when its turn comes, so it sees the
//! patches before it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use twin_core::TwinKey;
use twin_core::wire::amqp::{Message, hear, say_hub};
use twin_core::wire::{ApiVersion, Channel, Heard, HubCode, Refusal, Rid, Said};

use super::super::faults::RequestFault;
use super::super::metrics::count;
use super::super::tracking_id;
use super::connection::{Connection, Ended, Finished};
use super::frame::ErrorValue;
use super::link::{At, Delivery, Link, MAX_HELD_BYTES};
use super::message;
use super::value::Value;

/// Most bytes that wait on one link for a peer that gives no credit.
const MAX_QUEUED_BYTES: usize = 1024 * 1024;

/// A request that is with the engine, or waits for those that are.
pub(super) struct Done {
    key: Arc<TwinKey>,
    /// the delivery to settle
    settles: Option<(At, u32)>,
    bytes: usize,
    what: What,
}

enum What {
    /// nothing to say
    Taken,
    /// the twin is asked for
    Get(Rid),
    /// a report was judged
    Reported(Rid, Result<u64, Refusal>),
    /// the subscription was changed
    Subscribed(Rid),
    /// a request was refused before it got anywhere
    Refused(Rid, Refusal),
}

/// Whether a twin request is served.
enum Verdict {
    /// `heard` is false when its answer shall be lost on purpose
    Serve {
        heard: bool,
    },
    Refuse(Refusal),
}

/// The outcome `accepted`.
pub(super) fn accepted() -> Value {
    Value::described(0x24, Vec::new())
}

/// The outcome `rejected`, with its error.
pub(super) fn rejected(error: &ErrorValue) -> Value {
    Value::described(0x25, vec![error.value()])
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// A message came on a twin link.
    pub(super) async fn twin_request(
        &mut self,
        key: Arc<TwinKey>,
        api: ApiVersion,
        delivery: Delivery,
        message: Message,
    ) -> Result<(), Ended> {
        let bytes = delivery.bytes.len();
        let settles = (!delivery.settled).then_some((delivery.at, delivery.id));
        let rid = message.correlation.as_ref().map(|id| id.to_rid());
        if let Some(device) = self.devices.get(&key) {
            device.attachment.touch();
        }
        let said = match hear(&message) {
            Ok(said) => said,
            Err(e) => {
                let refusal = Refusal::new(HubCode::ARGUMENT_INVALID, e.message());
                let what = match rid {
                    Some(rid) => What::Refused(rid, refusal),
                    None => {
                        tracing::info!(device = %key, reason = %refusal.message, "a message that nobody awaits an answer to");
                        What::Taken
                    }
                };
                self.push(Done { key, settles, bytes, what });
                return Ok(());
            }
        };
        let heard = match (self.verdict()?, &rid) {
            (Verdict::Serve { heard }, _) => heard,
            (Verdict::Refuse(refusal), Some(rid)) => {
                self.push(Done { key, settles, bytes, what: What::Refused(rid.clone(), refusal) });
                return Ok(());
            }
            (Verdict::Refuse(_), None) => false,
        };
        let what = match said {
            Said::GetTwin { rid } if heard => What::Get(rid),
            Said::Report { rid, patch, if_version } => {
                let (engine, key) = (self.front.engine.clone(), key.clone());
                self.in_flight_bytes += bytes;
                // Unconstrained: futures that tokio makes wait for their turn wake in reverse, and reports must reach
                // the engine in the order they were made.
                self.in_flight.push_back(Box::pin(tokio::task::unconstrained(async move {
                    let outcome = engine.report(&key, patch, if_version, api).await;
                    let what = if heard { What::Reported(rid, outcome) } else { What::Taken };
                    Finished::Twin(Done { key, settles, bytes, what })
                })));
                return Ok(());
            }
            Said::Subscribe(Channel::Desired) | Said::Unsubscribe(Channel::Desired) => {
                let wanted = matches!(said, Said::Subscribe(_));
                match (self.want_desired(&key, wanted).await, rid) {
                    (Ok(()), Some(rid)) if heard => What::Subscribed(rid),
                    (Err(refusal), Some(rid)) if heard => What::Refused(rid, refusal),
                    _ => What::Taken,
                }
            }
            _ => What::Taken,
        };
        self.push(Done { key, settles, bytes, what });
        Ok(())
    }

    /// Whether a twin request is served: a fault may be asked for.
    fn verdict(&self) -> Result<Verdict, Ended> {
        Ok(match self.front.faults.next_request() {
            None => Verdict::Serve { heard: true },
            Some(RequestFault::Cut) => return Err(Ended::Cut),
            Some(fault) => match fault.refusal() {
                Some(refusal) => Verdict::Refuse(refusal),
                None => Verdict::Serve { heard: false },
            },
        })
    }

    /// Queues something that is done already behind those that are not.
    fn push(&mut self, done: Done) {
        self.in_flight_bytes += done.bytes;
        self.in_flight.push_back(Box::pin(std::future::ready(Finished::Twin(done))));
    }

    /// Answers.
    pub(super) fn twin_done(&mut self, done: Done) -> Result<(), Ended> {
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(done.bytes);
        if let Some((at, delivery)) = done.settles {
            self.settle(at, delivery, accepted());
        }
        let key = done.key;
        let (rid, outcome) = match done.what {
            What::Taken => return Ok(()),
            What::Get(rid) => {
                count(&self.front.metrics.twin_reads);
                let twin = self.front.engine.device_twin(&key);
                (rid, twin.map(|body| (200, None, body)))
            }
            What::Reported(rid, outcome) => {
                if outcome.is_ok() {
                    count(&self.front.metrics.twin_updates);
                }
                // 200, where MQTT says 204 (azure-iot-sdk-c #1386).
                (rid, outcome.map(|version| (200, Some(version), Bytes::new())))
            }
            What::Subscribed(rid) => (rid, Ok((200, None, Bytes::new()))),
            What::Refused(rid, refusal) => (rid, Err(refusal)),
        };
        let (status, version, body) = outcome.unwrap_or_else(|refusal| self.refused(&key, refusal));
        self.say(&key, &Heard::Answer { rid, status, version, body });
        Ok(())
    }

    fn refused(&self, key: &TwinKey, mut refusal: Refusal) -> (u16, Option<u64>, Bytes) {
        self.front.metrics.refused(refusal.code);
        if refusal.tracking_id.is_empty() {
            refusal.tracking_id = tracking_id();
        }
        tracing::info!(
            device = %key,
            status = refusal.code.status,
            code = refusal.code.name,
            tracking_id = %refusal.tracking_id,
            reason = %refusal.message,
            "twin request refused"
        );
        (refusal.code.status, None, refusal.device_body(self.front.now()).into())
    }

    /// Says what became of a delivery, if its link is still there.
    pub(super) fn settle(&mut self, at: At, delivery: u32, state: Value) {
        if let Some(session) = self.sessions.get(&at.channel).filter(|session| !session.ending)
            && session.links.get(&at.handle).is_some_and(|link| link.serial == at.serial)
        {
            session.settle(delivery, state, &mut self.pipe.outbox);
        }
    }

    /// Sends to a device's twin link.
    pub(super) fn say(&mut self, key: &TwinKey, heard: &Heard) {
        let Some(message) = say_hub(heard) else { return };
        let Some(at) = self.devices.get(key).and_then(|device| device.twin_out) else {
            tracing::debug!(device = %key, "an answer dropped: there is no link for it");
            return;
        };
        self.send(at.channel, at.handle, message::write(&message));
        let session = self.sessions.get(&at.channel);
        let held = session.and_then(|s| s.links.get(&at.handle)).map_or(0, |link| link.held_bytes());
        if held > MAX_QUEUED_BYTES || (held > 0 && self.held_bytes() > MAX_HELD_BYTES) {
            let why = "the device gives its twin link no credit";
            self.end_link(at, Refusal::new(HubCode::DEVICE_MAXIMUM_QUEUE_SIZE_EXCEEDED, why));
        }
    }

    /// Bytes that all links hold for later.
    pub(super) fn held_bytes(&self) -> usize {
        self.sessions.values().flat_map(|session| session.links.values()).map(Link::held_bytes).sum()
    }
}
