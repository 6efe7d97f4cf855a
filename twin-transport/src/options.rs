//! Every knob of a connection, with its default.
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use twin_core::{Error, Result};

use crate::{proxy, tls};

/// Longest MQTT keep-alive that IoT Hub honours: its server closes at 1.5 times the client's value and caps that
/// at 1767 s ("Communicate with IoT Hub using MQTT": maximum keep-alive 29.45 min, so 1177 s on the client).
pub const MAX_KEEP_ALIVE: Duration = Duration::from_secs(1177);

/// A client certificate chain with its private key, checked to belong together. Cheap to clone; `Debug` shows
/// nothing of it.
///
/// ```
/// # // Made for this example; yours come from files.
/// # let key = rcgen::KeyPair::generate().unwrap();
/// # let certificate = rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap();
/// # let (chain_pem, key_pem) = (certificate.pem(), key.serialize_pem());
/// use twin_transport::{ClientCertificate, Options};
///
/// let mut options = Options::default();
/// options.client_certificate = Some(ClientCertificate::from_pem(chain_pem, key_pem)?);
/// # Ok::<(), twin_core::Error>(())
/// ```
#[derive(Clone)]
pub struct ClientCertificate(pub(crate) Arc<rustls::sign::CertifiedKey>);

impl ClientCertificate {
    /// From PEM text: the certificate chain (leaf first) and the private key (PKCS#8, PKCS#1 or SEC1).
    ///
    /// # Errors
    /// [`InvalidArgument`](twin_core::ErrorKind::InvalidArgument) that says which of the two cannot be read, or that
    /// they do not belong together; never what is in them.
    pub fn from_pem(chain_pem: impl AsRef<str>, key_pem: impl AsRef<str>) -> Result<Self> {
        tls::certified_key(chain_pem.as_ref(), key_pem.as_ref()).map(|key| ClientCertificate(Arc::new(key)))
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate(…)")
    }
}

/// Which HTTP proxy to connect through.
///
/// ```
/// use twin_transport::{Options, Proxy};
///
/// let mut options = Options::default();
/// options.proxy = Proxy::Url("http://me:secret@proxy.example:3128".into());
/// options.validate()?;
/// assert!(!format!("{options:?}").contains("secret"));
/// # Ok::<(), twin_core::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// What `HTTPS_PROXY` / `ALL_PROXY` / `NO_PROXY` (either case) say; none to `localhost` and loopback addresses.
    #[default]
    Environment,
    /// None, whatever the environment says.
    None,
    /// `http://[user:password@]host:port`
    Url(String),
}

impl fmt::Debug for Proxy {
    /// Shows no user and no password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Proxy::Environment => f.write_str("Environment"),
            Proxy::None => f.write_str("None"),
            Proxy::Url(url) => write!(f, "Url({:?})", proxy::without_secrets(url)),
        }
    }
}

/// How connections are made. All transports share it.
///
/// ```
/// use std::time::Duration;
/// use twin_transport::Options;
///
/// let mut options = Options::default();
/// options.keep_alive = Duration::from_secs(60);
/// options.validate()?;
/// # Ok::<(), twin_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Certificates to trust beside the system's, in PEM; several may stand in one text. Default: none.
    pub extra_ca_pem: Vec<String>,
    /// Whether the system's certificates are trusted; `SSL_CERT_FILE` and `SSL_CERT_DIR` take their place where set.
    /// Default: true.
    pub system_trust: bool,
    /// DANGER: accept any server certificate: no protection against anybody on the way. Default: false.
    pub danger_accept_any_certificate: bool,
    /// What a device with X.509 authentication shows. Default: none.
    pub client_certificate: Option<ClientCertificate>,
    /// Default: [`Proxy::Environment`].
    pub proxy: Proxy,
    /// From dialing to the end of the handshakes (TLS, WebSocket, MQTT or AMQP). Default: 30 s.
    pub connect_timeout: Duration,
    /// MQTT keep-alive, in whole seconds; over AMQP the longest silence that the hub is asked to keep. Default: 180 s, as
    /// the Node SDK. 1 s to [`MAX_KEEP_ALIVE`].
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

impl Options {
    /// Checks every value, without touching files or the network. Whoever makes a connection calls it first.
    ///
    /// # Errors
    /// [`InvalidArgument`](twin_core::ErrorKind::InvalidArgument) that names the option and its rule.
    pub fn validate(&self) -> Result<()> {
        for (name, value) in
            [("connect_timeout", self.connect_timeout), ("request_timeout", self.request_timeout)]
        {
            if value.is_zero() {
                return Err(Error::invalid(format!("option {name} is zero; it must be longer")));
            }
        }
        if self.keep_alive < Duration::from_secs(1)
            || self.keep_alive > MAX_KEEP_ALIVE
            || self.keep_alive.subsec_nanos() != 0
        {
            return Err(Error::invalid(format!(
                "option keep_alive is {:?}; MQTT takes whole seconds, and IoT Hub at most {} of them",
                self.keep_alive,
                MAX_KEEP_ALIVE.as_secs()
            )));
        }
        if let Proxy::Url(url) = &self.proxy {
            proxy::parse(url).map_err(|e| e.context("option proxy"))?;
        }
        for (index, pem) in self.extra_ca_pem.iter().enumerate() {
            tls::certificates(pem).map_err(|e| e.context(format_args!("option extra_ca_pem[{index}]")))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_values_are_named() {
        type Spoil = fn(&mut Options);
        let cases: [(&str, Spoil); 7] = [
            ("connect_timeout", |o| o.connect_timeout = Duration::ZERO),
            ("request_timeout", |o| o.request_timeout = Duration::ZERO),
            ("keep_alive", |o| o.keep_alive = Duration::ZERO),
            ("1177", |o| o.keep_alive = Duration::from_secs(1178)),
            ("whole seconds", |o| o.keep_alive = Duration::from_millis(1500)),
            ("option proxy", |o| o.proxy = Proxy::Url("socks5://h:1".into())),
            ("extra_ca_pem[0]", |o| o.extra_ca_pem = vec!["no certificate".into()]),
        ];
        for (name, spoil) in cases {
            let mut options = Options::default();
            spoil(&mut options);
            let message = options.validate().unwrap_err().to_string();
            assert!(message.contains(name), "{name}: {message}");
        }
        assert!(Options::default().validate().is_ok());
        assert!(Options { keep_alive: MAX_KEEP_ALIVE, ..Options::default() }.validate().is_ok());
    }

    #[test]
    fn debug_shows_no_proxy_password() {
        let options =
            Options { proxy: Proxy::Url("http://me:s3cret@proxy:8080".into()), ..Options::default() };
        let shown = format!("{options:?}");
        assert!(
            !shown.contains("s3cret") && !shown.contains("me:") && shown.contains("proxy:8080"),
            "{shown}"
        );
    }
}
