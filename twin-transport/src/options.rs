//! Every knob of a connection, with its default.
use std::time::Duration;
use twin_core::Result;

/// A client certificate chain with its private key. `Debug` shows no key.
#[derive(Clone)]
pub struct ClientCertificate {
    pub(crate) chain_pem: String,
    pub(crate) key_pem: zeroize::Zeroizing<String>,
}

impl ClientCertificate {
    /// From PEM text: the certificate chain (leaf first) and the private key (PKCS#8, PKCS#1 or SEC1).
    pub fn from_pem(chain_pem: impl Into<String>, key_pem: impl Into<String>) -> Result<Self> {
        todo!()
    }
}

impl std::fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientCertificate(…)")
    }
}

/// Which HTTP proxy to connect through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// What `HTTPS_PROXY` / `ALL_PROXY` / `NO_PROXY` (either case) say.
    #[default]
    Environment,
    /// None, whatever the environment says.
    None,
    /// `http://[user:password@]host:port`
    Url(String),
}

/// How connections are made. All transports share it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Certificates to trust beside the system's, in PEM; several may stand in one text. Default: none.
    pub extra_ca_pem: Vec<String>,
    /// Whether the system's certificates are trusted. Default: true.
    pub system_trust: bool,
    /// DANGER: accept any server certificate. Default: false.
    pub danger_accept_any_certificate: bool,
    /// What a device with X.509 authentication shows. Default: none.
    pub client_certificate: Option<ClientCertificate>,
    /// Default: [`Proxy::Environment`].
    pub proxy: Proxy,
    /// From dialing to the end of the TLS (and WebSocket) handshake. Default: 30 s.
    pub connect_timeout: Duration,
    /// MQTT keep-alive. Default: 180 s, as the Node SDK. At most 1177 s (facts 3.1).
    pub keep_alive: Duration,
    /// How long one HTTP request may take in all. Default: 60 s.
    pub request_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            extra_ca_pem: Vec::new(),
            system_trust: true,
            danger_accept_any_certificate: false,
            client_certificate: None,
            proxy: Proxy::default(),
            connect_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(180),
            request_timeout: Duration::from_secs(60),
        }
    }
}
