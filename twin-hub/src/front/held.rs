//! Messages that a connection was given out of a queue and has not settled yet: MQTT's and AMQP's alike.

use bytes::Bytes;
use tokio::sync::oneshot;
use twin_core::message::{CloudMessage, Settlement};
use twin_core::wire::Refusal;

use crate::engine::Engine;
use crate::mail::{Hold, Place};

/// A message that a connection holds. Dropped without being settled, it can be received again at once: a connection that
/// ends, however it does, keeps nothing from the next one.
pub(super) struct Held {
    engine: Engine,
    from: Place,
    lock_token: String,
    settled: bool,
}

/// A message that is being got out of a queue: none if none is available.
pub(super) type Fetch = oneshot::Receiver<Option<(Held, Box<CloudMessage>)>>;

/// Gets the next message of a queue. Whoever stops waiting has not got it.
pub(super) fn fetch(engine: &Engine, from: Place) -> Fetch {
    let (give, got) = oneshot::channel();
    let engine = engine.clone();
    // A task of its own: the message is locked by the time that the answer comes, and somebody has to take it then.
    tokio::spawn(async move {
        let found = match engine.receive(from.clone(), Hold::Connection).await {
            Ok(found) => found,
            Err(refusal) => {
                tracing::debug!(?from, code = refusal.code.name, reason = %refusal.message, "no message received");
                None
            }
        };
        let found = found.map(|cloud| {
            let lock_token = cloud.lock_token.clone();
            (Held { engine, from, lock_token, settled: false }, cloud)
        });
        // If nobody waits any more, it goes back as it is dropped.
        let _ = give.send(found);
    });
    got
}

impl Held {
    /// Says what becomes of it. Goes back if nobody waits for the end of this.
    pub(super) async fn settle(mut self, settlement: Settlement) -> Result<(), Refusal> {
        let outcome = self.engine.settle(self.from.clone(), self.lock_token.clone(), settlement).await;
        self.settled = true;
        outcome
    }

    /// The lock token as a delivery tag: the bytes of the GUID that .NET takes it for.
    pub(super) fn tag(&self) -> Bytes {
        let digits: Vec<u8> = self.lock_token.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| {
            let text = std::str::from_utf8(pair).unwrap_or_default();
            u8::from_str_radix(text, 16).unwrap_or_default()
        };
        digits.chunks(2).map(byte).collect::<Vec<u8>>().into()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Without a runtime the hub is gone, and locks with it.
        if !self.settled && tokio::runtime::Handle::try_current().is_ok() {
            self.engine.let_go(self.from.clone(), vec![std::mem::take(&mut self.lock_token)]);
        }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("from", &self.from).finish_non_exhaustive()
    }
}
