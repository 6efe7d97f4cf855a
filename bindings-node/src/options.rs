//! How connections are made, as JavaScript says it.

use std::time::Duration;

use napi_derive::napi;
use twin_device::{ClientCertificate, Options, Proxy, Result};

/// How connections are made; what is left out is as by default.
#[napi(object)]
#[derive(Default)]
pub struct ConnectionOptions {
    /// Certificates to trust beside the system's, in PEM.
    pub extra_ca: Option<Vec<String>>,
    /// Whether the system's certificates are trusted.
    pub system_trust: Option<bool>,
    /// Accept any server certificate.
    pub accept_any_certificate: Option<bool>,
    /// The client certificate's chain, in PEM.
    pub cert: Option<String>,
    /// The client certificate's private key, in PEM, not encrypted.
    pub key: Option<String>,
    /// `http://[user:password@]host:port`; an empty one: none, whatever the environment says.
    pub proxy: Option<String>,
    /// MQTT keep-alive, in seconds.
    pub keep_alive: Option<u32>,
    /// How long connecting may take, in milliseconds.
    pub connect_timeout: Option<u32>,
    /// How long a REST request may take, in milliseconds.
    pub request_timeout: Option<u32>,
}

impl ConnectionOptions {
    pub(crate) fn translate(self) -> Result<Options> {
        let mut options = Options::default();
        options.extra_ca_pem = self.extra_ca.unwrap_or_default();
        options.system_trust = self.system_trust.unwrap_or(true);
        options.danger_accept_any_certificate = self.accept_any_certificate.unwrap_or(false);
        if let (Some(cert), Some(key)) = (self.cert, self.key) {
            options.client_certificate = Some(ClientCertificate::from_pem(cert, key)?);
        }
        match self.proxy {
            None => {}
            Some(url) if url.is_empty() => options.proxy = Proxy::None,
            Some(url) => options.proxy = Proxy::Url(url),
        }
        if let Some(seconds) = self.keep_alive {
            options.keep_alive = Duration::from_secs(seconds.into());
        }
        if let Some(ms) = self.connect_timeout {
            options.connect_timeout = Duration::from_millis(ms.into());
        }
        if let Some(ms) = self.request_timeout {
            options.request_timeout = Duration::from_millis(ms.into());
        }
        Ok(options)
    }
}
