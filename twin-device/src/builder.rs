//! Everything that can be chosen before connecting.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use twin_core::auth::{Credential, DeviceConnectionString};
use twin_core::receive::ReceivePolicy;
use twin_core::session::{Config, RetryPolicy, Session};
use twin_core::{Error, ErrorKind, HostName, Result, TwinKey};
use twin_transport::device::Connector;
use twin_transport::{Carrier, ClientCertificate, Endpoint, Options};

use crate::client::Client;
use crate::kind::Kind;
use crate::pool::AmqpPool;

/// What an HTTPS request is given beyond its own time limit before it counts as unanswered.
const HTTPS_GRACE: Duration = Duration::from_secs(5);

/// How the device's words travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// MQTT over TLS, port 8883.
    #[default]
    Mqtt,
    /// MQTT over a secure WebSocket, port 443: for networks that let only HTTPS out.
    MqttWs,
    /// AMQP 1.0 over TLS, port 5671. Tokens are renewed without a reconnection.
    Amqp,
    /// AMQP 1.0 over a secure WebSocket, port 443.
    AmqpWs,
    /// HTTPS, port 443: telemetry and messages from the cloud, which are asked for by a [`ReceivePolicy`]. IoT Hub has no
    /// twins over HTTPS: requests for them fail with [`NotSupported`](ErrorKind::NotSupported).
    Http,
}

impl Transport {
    pub(crate) fn carrier(self) -> Carrier {
        match self {
            Transport::Mqtt | Transport::Amqp | Transport::Http => Carrier::Tls,
            Transport::MqttWs | Transport::AmqpWs => Carrier::WebSocket,
        }
    }

    pub(crate) fn is_amqp(self) -> bool {
        matches!(self, Transport::Amqp | Transport::AmqpWs)
    }
}

/// Everything that can be chosen before connecting. Made by [`Client::from_connection_string`] or [`Client::builder`],
/// ended by [`build`](Builder::build) or [`open`](Builder::open).
///
/// ```
/// use std::time::Duration;
/// use twin_device::{DeviceClient, Options, RetryPolicy, Transport};
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> twin_device::Result<()> {
/// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
/// let mut options = Options::default();
/// options.keep_alive = Duration::from_secs(60);
///
/// let client = DeviceClient::from_connection_string(&connection_string)?
///     .options(options)
///     .ca_pem(hub.ca_pem())
///     .transport(Transport::MqttWs)
///     .retry(RetryPolicy::default())
///     .token_lifetime(Duration::from_secs(1800))
///     .request_timeout(Duration::from_secs(60))
///     .answer_timeout(Duration::from_secs(10))
///     .merge_reports(true)
///     .product_info("lamp/2.1")
///     .model_id("dtmi:example:lamp;1")
///     .build()?;
/// client.open().await?;
/// # Ok(())
/// # }
/// ```
pub struct Builder<K> {
    endpoint: Endpoint,
    transport: Transport,
    pool: Option<AmqpPool>,
    config: Config,
    options: Options,
    user_product_info: Option<String>,
    receive: ReceivePolicy,
    kind: PhantomData<fn() -> K>,
}

impl<K> fmt::Debug for Builder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("endpoint", &self.endpoint)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl<K: Kind> Builder<K> {
    pub(crate) fn new(host: HostName, key: TwinKey, credential: Credential) -> Self {
        Builder {
            endpoint: Endpoint::new(host.clone(), key.clone()),
            transport: Transport::default(),
            pool: None,
            config: Config::new(host, key, credential),
            options: Options::default(),
            user_product_info: None,
            receive: ReceivePolicy::default(),
            kind: PhantomData,
        }
    }

    pub(crate) fn parse(connection_string: &str) -> Result<Self> {
        let DeviceConnectionString { host, key, credential, gateway, .. } =
            DeviceConnectionString::parse(connection_string)?;
        K::check(&key)?;
        let mut builder = Builder::new(host, key, credential);
        builder.endpoint.gateway = gateway;
        Ok(builder)
    }

    /// How the device's words travel. Default: [`Transport::Mqtt`]. An explicit port in the host name counts for all.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Shares the connections of `pool` with its other devices. The pool decides about transport and [`Options`]; what
    /// this builder says of them does not count. A gateway must be the pool's
    /// ([`AmqpPool::through_gateway`]). Not for devices with X.509.
    pub fn pool(mut self, pool: &AmqpPool) -> Self {
        self.pool = Some(pool.clone());
        self
    }

    /// Timeouts, trust, proxy, keep-alive: replaces all of them, so call it before [`ca_pem`](Builder::ca_pem) and
    /// [`client_certificate`](Builder::client_certificate).
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Trusts the certificates in `pem`, beside the system's: a local hub's CA, say.
    pub fn ca_pem(mut self, pem: impl Into<String>) -> Self {
        self.options.extra_ca_pem.push(pem.into());
        self
    }

    /// What a device with X.509 authentication shows.
    pub fn client_certificate(mut self, certificate: ClientCertificate) -> Self {
        self.options.client_certificate = Some(certificate);
        self
    }

    /// Connects to this gateway; the device still belongs to the hub of its connection string.
    pub fn gateway(mut self, gateway: HostName) -> Self {
        self.endpoint.gateway = Some(gateway);
        self
    }

    /// When to connect again. Default: exponential with jitter, without end ([`RetryPolicy::default`]).
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.config.retry = policy;
        self
    }

    /// Lifetime of the tokens made from a key. They are renewed when 85 % of it have passed, which over MQTT means a
    /// short reconnection, and nothing of the kind over AMQP. Default: 1 h.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.token_lifetime = lifetime;
        self
    }

    /// The share of a token's lifetime that is left when it is renewed, or when the end of a given one is announced; kept
    /// within 0.01 to 0.9. Default: 0.15.
    pub fn token_renew_share(mut self, share: f64) -> Self {
        self.config.token_renew_share = share;
        self
    }

    /// Longest a request may take in all, reconnections included. Default: 240 s.
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.config.request_timeout = limit;
        self
    }

    /// Longest wait for one answer while connected; then the request is made again, or fails. Default: 30 s.
    pub fn answer_timeout(mut self, limit: Duration) -> Self {
        self.config.answer_timeout = limit;
        self
    }

    /// Whether reports that wait are merged into one message, which leaves the same twin in fewer messages and fewer
    /// `$version`s. Default: true.
    pub fn merge_reports(mut self, merge: bool) -> Self {
        self.config.merge_reports = merge;
        self
    }

    /// When messages from the cloud are asked for over [`Transport::Http`]; the other transports are told of them. Default:
    /// every second, all that wait.
    pub fn receive_policy(mut self, policy: ReceivePolicy) -> Self {
        self.receive = policy;
        self
    }

    /// Who made the device, for the hub's statistics: appended to this library's name and version.
    pub fn product_info(mut self, text: impl Into<String>) -> Self {
        self.user_product_info = Some(text.into());
        self
    }

    /// The DTDL model that the device announces when it connects. Default: none.
    pub fn model_id(mut self, id: impl Into<String>) -> Self {
        self.endpoint.model_id = Some(id.into());
        self
    }

    /// Checks everything and makes the client, without connecting: that begins with the first request.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) that names the option and its rule.
    pub fn build(mut self) -> Result<Client<K>> {
        if matches!(self.config.credential, Credential::Certificate)
            && self.options.client_certificate.is_none()
        {
            return Err(Error::invalid(
                "the connection string says x509=true, which wants a client certificate (Builder::client_certificate)",
            ));
        }
        for (what, value, least) in [
            ("token_lifetime", self.config.token_lifetime, Duration::from_secs(1)),
            ("request_timeout", self.config.request_timeout, Duration::from_millis(1)),
            ("answer_timeout", self.config.answer_timeout, Duration::from_millis(1)),
        ] {
            if value < least {
                return Err(Error::invalid(format!("{what} is {value:?}; it must be at least {least:?}")));
            }
        }
        self.endpoint.product_info = Some(product_info(self.user_product_info.as_deref()));
        self.endpoint.carrier = self.transport.carrier();
        let connector = match &self.pool {
            Some(_) if matches!(self.config.credential, Credential::Certificate) => {
                return Err(Error::invalid("a device with X.509 cannot share the connection of a pool"));
            }
            Some(pool) => Connector::pooled(self.endpoint, &pool.0)?,
            None if self.transport == Transport::Http => {
                Connector::https(self.endpoint, &self.options, self.receive)?
            }
            None if self.transport.is_amqp() => Connector::amqp(self.endpoint, &self.options)?,
            None => Connector::mqtt(self.endpoint, &self.options)?,
        };
        self.config.renew_in_place = connector.renews_in_place();
        if !connector.carries_twins() {
            self.config.twins = false;
            // Several requests at once could overtake each other, and each has its own time limit.
            self.config.max_posts_in_flight = 1;
            self.config.answer_timeout =
                self.config.answer_timeout.max(self.options.request_timeout + HTTPS_GRACE);
        }
        let seed = getrandom::u64().map_err(|e| {
            Error::new(ErrorKind::Internal, format!("the system gives no random numbers: {e}"))
        })?;
        let takes_tokens = matches!(self.config.credential, Credential::Token(_));
        let key = self.config.key.clone();
        Ok(Client::new(key, takes_tokens, Session::new(self.config, seed), connector))
    }

    /// [`build`](Builder::build), then [`Client::open`].
    ///
    /// # Errors
    /// Those of both.
    pub async fn open(self) -> Result<Client<K>> {
        let client = self.build()?;
        client.open().await?;
        Ok(client)
    }
}

fn product_info(users: Option<&str>) -> String {
    let ours = format!(
        "twin-device/{} ({}; {})",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    match users {
        Some(users) if !users.is_empty() => format!("{ours} {users}"),
        _ => ours,
    }
}
