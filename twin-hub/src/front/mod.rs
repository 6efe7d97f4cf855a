//! The front doors: protocol in, vocabulary out.
//!
//! | file | what is in it |
//! |---|---|
//! | `listener` | ports, TLS, limits on strangers, one task per connection |
//! | `sniff`, `patient` | telling protocols apart by first bytes; streams that replay, streams that give up |
//! | `buffered` | what has arrived of a packet or frame, and what waits to be sent |
//! | `auth` | who is this: SAS tokens, certificates, policies |
//! | `certificate` | client certificates |
//! | `mqtt` | devices, over TLS or WebSocket |
//! | `amqp` | devices, many of them on one connection, and services; over TLS or WebSocket |
//! | `held` | cloud-to-device messages that a connection was given and has not settled |
//! | `http` | the service API, WebSocket upgrades, metrics, health |
//! | `metrics`, `faults` | what was counted; what shall go wrong on purpose |

pub(crate) mod amqp;
pub(crate) mod auth;
mod buffered;
pub(crate) mod certificate;
pub(crate) mod faults;
mod held;
pub(crate) mod http;
pub(crate) mod listener;
pub(crate) mod metrics;
pub(crate) mod mqtt;
mod patient;
mod sniff;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use twin_core::{HostName, Timestamp};

use crate::config::Limits;
use crate::engine::{Clock, Engine};
use crate::policies::Policies;
use certificate::{DeviceCas, PeerCertificate};
use faults::Faults;
use metrics::Metrics;

/// What all connections share.
pub(crate) struct Front {
    pub(crate) engine: Engine,
    pub(crate) policies: Policies,
    pub(crate) names: HostNames,
    pub(crate) device_cas: DeviceCas,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) faults: Faults,
    pub(crate) signal: watch::Sender<Signal>,
    pub(crate) tls: TlsAcceptor,
    /// one permit per connection
    pub(crate) room: Arc<Semaphore>,
    /// one permit per byte of request bodies
    pub(crate) bodies: Semaphore,
    /// one permit per handshake
    pub(crate) handshakes: Semaphore,
}

impl Front {
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// When a timer for `expiry` rings. A token may live for centuries; a timer's range ends earlier.
    pub(crate) fn timer_for(&self, expiry: Timestamp) -> Instant {
        let left = expiry.ticks().saturating_sub(self.now().ticks());
        // Ticks are 100 ns.
        Instant::now() + Duration::from_nanos(left.saturating_mul(100)).min(LONGEST_STAY)
    }
}

/// A device with an endless token is asked to log in again after this long.
const LONGEST_STAY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What every connection watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signal {
    /// the hub is stopping: finish and go
    pub(crate) stopping: bool,
    /// how often all connections were cut on purpose
    pub(crate) cuts: u64,
}

/// Watches for what ends a connection from above.
#[derive(Debug)]
pub(crate) struct Interrupt {
    signal: watch::Receiver<Signal>,
    cuts: u64,
}

/// What ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// the hub stops
    Stopping,
    /// cut on purpose
    Cut,
}

impl Interrupt {
    /// Watches from now on; cuts made before do not count.
    pub(crate) fn new(front: &Front) -> Self {
        let signal = front.signal.subscribe();
        let cuts = signal.borrow().cuts;
        Interrupt { signal, cuts }
    }

    /// Waits for it.
    pub(crate) async fn wait(&mut self) -> Interrupted {
        let cuts = self.cuts;
        match self.signal.wait_for(|s| s.stopping || s.cuts > cuts).await {
            Ok(signal) if signal.cuts > cuts => Interrupted::Cut,
            _ => Interrupted::Stopping,
        }
    }
}

/// The names that a hub goes by, without ports.
#[derive(Debug)]
pub(crate) struct HostNames(Vec<HostName>);

impl HostNames {
    pub(crate) fn new(names: Vec<HostName>) -> Self {
        HostNames(names)
    }

    /// Whether `text` (a name, perhaps with a port) is one of them. Ports do not matter: clients put the one they
    /// connect to into names and tokens, and behind a forwarder that is not the hub's.
    pub(crate) fn know(&self, text: &str) -> bool {
        HostName::new(text)
            .is_ok_and(|given| self.0.iter().any(|name| name.host().eq_ignore_ascii_case(given.host())))
    }

    /// Whether `label` is what one of them begins with, before the first dot.
    pub(crate) fn know_label(&self, label: &str) -> bool {
        let first = |name: &HostName| name.host().split('.').next().map(str::to_owned);
        self.0.iter().filter_map(first).any(|first| first.eq_ignore_ascii_case(label))
    }
}

impl std::fmt::Display for HostNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// A fresh tracking id: 32 hexadecimal digits.
pub(crate) fn tracking_id() -> String {
    let mut bytes = [0u8; 16];
    // Without randomness the id is merely not unique.
    let _ = getrandom::fill(&mut bytes);
    format!("{:032X}", u128::from_be_bytes(bytes))
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) certificate: Option<PeerCertificate>,
}
