//! How a registry is made: trust, timeouts, retries, token lifetime.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use twin_core::auth::{Credential, SasToken, ServiceConnectionString};
use twin_core::{Error, HostName, Result};
use twin_transport::Options;
use twin_transport::http::HttpClient;

use crate::clock::{Clock, SystemClock};
use crate::registry::{Inner, Registry};
use crate::token::Tokens;

/// Lifetime of a token made from a key, as in the official SDKs.
const TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// Shortest lifetime that makes sense: the hub allows clocks to differ by 5 minutes.
const MIN_TOKEN_LIFETIME: Duration = Duration::from_secs(60);

/// When a failed request is made again: bounded in number and in time, exponential, with full jitter.
///
/// A wait that the hub asks for (`Retry-After`) is honoured, unless it would end after `give_up_after`: then the
/// error comes at once and says how long the hub asks to wait.
///
/// Made again are requests that met throttling (429) or unavailability (5xx), that found no connection, or that got no
/// answer, if making them twice cannot do more than making them once. A bulk request without an answer is not made
/// again. A guarded one (with an etag, a creation, a deletion) is; should it then meet a conflict, the error says that
/// its earlier attempt may have been what changed the thing.
///
/// ```
/// use std::time::Duration;
/// let mut retry = twin_service::Retry::default();
/// retry.max_attempts = 10;
/// retry.give_up_after = Duration::from_secs(600);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// Attempts in all, the first included; 1 never tries again. Default: 8.
    pub max_attempts: u32,
    /// Upper bound of the first wait; doubles with each attempt. Default: 500 ms.
    pub first_wait: Duration,
    /// Upper bound of every wait, except one that the hub asks for. Default: 30 s.
    pub max_wait: Duration,
    /// No attempt starts later than this after the first. Default: 2 minutes.
    pub give_up_after: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            max_attempts: 8,
            first_wait: Duration::from_millis(500),
            max_wait: Duration::from_secs(30),
            give_up_after: Duration::from_secs(120),
        }
    }
}

impl Retry {
    /// Every request is made once.
    pub fn none() -> Self {
        Retry { max_attempts: 1, ..Retry::default() }
    }
}

/// Makes a [`Registry`]. Created by [`Registry::builder`] and [`Registry::builder_with_token`].
///
/// ```
/// use twin_service::{Registry, Retry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> twin_service::Result<()> {
/// let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
/// let registry = Registry::builder(hub.connection_string())
///     .trust_pem(hub.ca_pem())
///     .retry(Retry::none())
///     .configure(|connection| connection.request_timeout = std::time::Duration::from_secs(10))
///     .build()?;
/// assert_eq!(registry.device_statistics().await?.total, 0);
/// # hub.close().await
/// # }
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct RegistryBuilder {
    who: Result<(HostName, Credential)>,
    connection: Options,
    retry: Retry,
    token_lifetime: Duration,
    clock: Arc<dyn Clock>,
}

impl RegistryBuilder {
    pub(crate) fn from_connection_string(text: &str) -> Self {
        Self::new(ServiceConnectionString::parse(text).map(|c| (c.host, c.credential)))
    }

    pub(crate) fn from_token(host: HostName, token: SasToken) -> Self {
        Self::new(Ok((host, Credential::Token(token))))
    }

    fn new(who: Result<(HostName, Credential)>) -> Self {
        RegistryBuilder {
            who,
            connection: Options::default(),
            retry: Retry::default(),
            token_lifetime: TOKEN_LIFETIME,
            clock: Arc::new(SystemClock),
        }
    }

    /// Trusts these CA certificates beside the system's; several may stand in one PEM text.
    pub fn trust_pem(mut self, pem: impl Into<String>) -> Self {
        self.connection.extra_ca_pem.push(pem.into());
        self
    }

    /// Replaces all connection options: trust, proxy, timeouts.
    pub fn connection(mut self, options: Options) -> Self {
        self.connection = options;
        self
    }

    /// Changes some connection options.
    pub fn configure(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.connection);
        self
    }

    /// When failed requests are made again. Default: [`Retry::default`].
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How long a token made from a key lives; it is renewed after 85 % of that. Default: 1 hour. At least 1 minute.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// Where time, waits and randomness come from. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Makes the registry; connects to nothing yet.
    ///
    /// Fails (`InvalidArgument`) on a connection string, certificate, proxy or option that cannot be used.
    pub fn build(self) -> Result<Registry> {
        let (host, credential) = self.who?;
        if self.token_lifetime < MIN_TOKEN_LIFETIME {
            return Err(Error::invalid(format!(
                "a token lifetime of {:?} is too short; at least {MIN_TOKEN_LIFETIME:?} is needed",
                self.token_lifetime
            )));
        }
        if self.retry.max_attempts == 0 {
            return Err(Error::invalid("retry.max_attempts is 0; 1 makes each request once"));
        }
        Ok(Registry::from_inner(Inner {
            http: HttpClient::new(&host, &self.connection)?,
            tokens: Tokens::new(&host, credential, self.token_lifetime)?,
            host,
            retry: self.retry,
            clock: self.clock,
        }))
    }
}

impl fmt::Debug for RegistryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryBuilder")
            .field("host", &self.who.as_ref().map(|(host, _)| host))
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
