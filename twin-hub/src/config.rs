//! How a hub starts: names, addresses, where it keeps things, limits.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use twin_core::{HostName, Result, Timestamp};

use crate::engine::Clock;
use crate::hub::Hub;

/// The ports where official SDKs look: MQTT, AMQP, HTTPS (and WebSockets).
pub(crate) const DEFAULT_PORTS: [u16; 3] = [8883, 5671, 443];

/// What one hub lets its clients take. Every field has a default; change those you mean to.
///
/// ```
/// let mut limits = twin_hub::Limits::default();
/// limits.max_connections = 500;
/// let builder = twin_hub::Hub::builder().limits(limits);
/// # let _ = builder;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at a time, of all protocols; one more is closed at once. Default 100 000.
    pub max_connections: usize,
    /// TLS handshakes at a time; further ones wait. Default 256.
    pub max_handshakes: usize,
    /// From accepted to TLS done, waiting included. Default 15 s.
    pub handshake_time: Duration,
    /// From TLS done to the first packet or request line complete. Default 15 s.
    pub first_words_time: Duration,
    /// From the first byte of an MQTT packet to its last. Default 30 s.
    pub packet_time: Duration,
    /// How long a peer may take nothing of what it is sent. Default 30 s.
    pub stall_time: Duration,
    /// How long a kept-alive HTTP connection may be idle, and how long a request's head may take. Default 60 s.
    pub http_idle_time: Duration,
    /// How long an HTTP request's body may take. Default 30 s.
    pub http_body_time: Duration,
    /// Bytes of HTTP request bodies held at a time, of all callers; what is over that waits, for as long as a body may
    /// take, and is then refused with 503. A body of unknown length counts as the longest. Default 64 MiB.
    pub max_request_bytes: usize,
    /// Bytes that may wait to be sent to one MQTT client; one more and it is disconnected. Default 1 MiB.
    pub max_unsent_bytes: usize,
    /// Longest MQTT keep-alive granted, and what 0 (none) means; the hub waits one and a half times as long.
    /// Default 1177 s, as IoT Hub's documentation has it.
    pub max_keep_alive: Duration,
    /// How long [`Hub::close`] waits for clients to take their last answers. Default 5 s.
    pub close_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_connections: 100_000,
            max_handshakes: 256,
            handshake_time: Duration::from_secs(15),
            first_words_time: Duration::from_secs(15),
            packet_time: Duration::from_secs(30),
            stall_time: Duration::from_secs(30),
            http_idle_time: Duration::from_secs(60),
            http_body_time: Duration::from_secs(30),
            max_request_bytes: 64 * 1024 * 1024,
            max_unsent_bytes: 1024 * 1024,
            max_keep_alive: Duration::from_secs(1177),
            close_time: Duration::from_secs(5),
        }
    }
}

/// How a hub starts. Defaults: host name `localhost`, loopback 8883, 5671 and 443, ephemeral.
#[derive(Clone)]
pub struct HubBuilder {
    pub(crate) host_names: Vec<String>,
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) client_cas: Vec<String>,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
}

impl Default for HubBuilder {
    fn default() -> Self {
        HubBuilder {
            host_names: Vec::new(),
            listen: Vec::new(),
            data_dir: None,
            client_cas: Vec::new(),
            limits: Limits::default(),
            clock: Arc::new(system_time),
        }
    }
}

fn system_time() -> Timestamp {
    Timestamp::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

impl fmt::Debug for HubBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubBuilder")
            .field("host_names", &self.host_names)
            .field("listen", &self.listen)
            .field("data_dir", &self.data_dir)
            .field("client_cas", &self.client_cas.len())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl HubBuilder {
    /// A name or address that clients use for this hub (in the certificate and in tokens' `sr`); may be given
    /// several times, and the first goes into connection strings. Default `localhost`; the loopback addresses and
    /// every listening address are always accepted beside it. A hub that listens on a wildcard address
    /// (`0.0.0.0`) must be told here what others call it.
    pub fn host_name(mut self, name: impl Into<String>) -> Self {
        self.host_names.push(name.into());
        self
    }

    /// An address to listen on; may be given several times. `127.0.0.1:0` picks a free port. Every address takes
    /// every protocol.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen.push(address);
        self
    }

    /// Keeps everything in `dir` (made if missing, private to the user).
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(dir.into());
        self
    }

    /// Keeps everything in memory only: nothing survives, acknowledged is not durable.
    pub fn ephemeral(mut self) -> Self {
        self.data_dir = None;
        self
    }

    /// Trusts these CA certificates (PEM, one or more) to vouch for devices whose authentication is
    /// `certificateAuthority`; may be given several times.
    pub fn client_ca_pem(mut self, pem: impl Into<String>) -> Self {
        self.client_cas.push(pem.into());
        self
    }

    /// What clients may take.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Tells the time instead of the system's clock: token expiry, timestamps in twins. For tests.
    pub fn clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Starts; every port is bound or the error names the one that is not and the way out. Call it inside a tokio
    /// runtime with time and I/O.
    pub async fn start(self) -> Result<Hub> {
        Hub::start(self).await
    }

    /// Where to listen: what was asked for, or loopback where official SDKs look. `true`: it must be had. The IPv6
    /// loopback is a default that machines may lack; where they have it, `localhost` often means it first.
    pub(crate) fn addresses(&self) -> Vec<(SocketAddr, bool)> {
        if !self.listen.is_empty() {
            return self.listen.iter().map(|address| (*address, true)).collect();
        }
        let on =
            |ip: IpAddr| DEFAULT_PORTS.iter().map(move |port| (SocketAddr::new(ip, *port), ip.is_ipv4()));
        LOOPBACK.into_iter().flat_map(on).collect()
    }

    /// Every name this hub goes by, checked; the first goes into connection strings.
    pub(crate) fn names(&self) -> Result<Vec<HostName>> {
        let always = ["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        let addresses = self.listen.iter().map(SocketAddr::ip).filter(|ip| !ip.is_unspecified());
        let mut names: Vec<HostName> = Vec::new();
        for text in self.host_names.iter().cloned().chain(always).chain(addresses.map(bracketed)) {
            let name = HostName::new(match text.parse::<IpAddr>() {
                Ok(ip) => bracketed(ip),
                Err(_) => text,
            })?;
            if name.port().is_some() {
                return Err(twin_core::Error::invalid(format!(
                    "host name '{name}' has a port; ports are given as listening addresses"
                )));
            }
            if !names.iter().any(|known| known.host().eq_ignore_ascii_case(name.host())) {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// As a host name spells an address.
fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// What `HostName=` says: the name alone if clients find every protocol on its default port, else with the port.
pub(crate) fn advertised(name: &HostName, bound: &[SocketAddr]) -> String {
    let on_defaults = [DEFAULT_PORTS[0], DEFAULT_PORTS[2]]
        .iter()
        .all(|port| bound.iter().any(|address| address.port() == *port));
    match bound.first() {
        Some(first) if !on_defaults => format!("{name}:{}", first.port()),
        _ => name.to_string(),
    }
}

/// The loopback addresses, which every certificate names.
pub(crate) const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_deduplicated() {
        let b = HubBuilder::default()
            .host_name("Fake.azure-devices.net")
            .host_name("::1")
            .listen("10.0.0.7:8883".parse().unwrap());
        let names: Vec<String> = b.names().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["Fake.azure-devices.net", "[::1]", "localhost", "127.0.0.1", "10.0.0.7"]);
        for bad in ["h:1", "https://h", "a b", ""] {
            assert!(HubBuilder::default().host_name(bad).names().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_port_is_told_when_it_is_not_where_sdks_look() {
        let name = HostName::new("localhost").unwrap();
        let at = |ports: &[u16]| -> Vec<SocketAddr> {
            ports.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port))).collect()
        };
        assert_eq!(advertised(&name, &at(&[8883, 5671, 443])), "localhost");
        assert_eq!(advertised(&name, &at(&[9443])), "localhost:9443");
        assert_eq!(advertised(&name, &at(&[8883])), "localhost:8883");
        assert_eq!(advertised(&HostName::new("[::1]").unwrap(), &at(&[9443])), "[::1]:9443");
    }
}
