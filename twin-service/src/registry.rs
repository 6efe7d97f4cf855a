//! The handle: one hub's service side.

use std::fmt;
use std::sync::Arc;

use twin_core::auth::SasToken;
use twin_core::{HostName, Result};
use twin_transport::http::HttpClient;

use crate::clock::Clock;
use crate::options::{RegistryBuilder, Retry};
use crate::token::Tokens;

/// A hub's service side: identities, twins, queries. Cheap to clone; clones share connections and token.
///
/// Needs a tokio runtime where it is used. Requests that fail are made again as [`Retry`] says.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> twin_service::Result<()> {
/// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
/// use twin_service::{Identity, Registry, TwinKey};
///
/// let registry = Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
/// let key = TwinKey::device("pump-7")?;
/// registry.create(&Identity::new(key.clone())).await?;
/// assert_eq!(registry.twin(&key).await?.version, 2);
/// # hub.close().await
/// # }
/// ```
#[derive(Clone)]
pub struct Registry(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) http: HttpClient,
    pub(crate) tokens: Tokens,
    pub(crate) host: HostName,
    pub(crate) retry: Retry,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Registry {
    /// From a service connection string
    /// (`HostName=…;SharedAccessKeyName=…;SharedAccessKey=…` or `HostName=…;SharedAccessSignature=…`), with the defaults.
    ///
    /// Connects to nothing yet. The error names the part of the string that is wrong, never the key.
    ///
    /// ```
    /// let text = "HostName=contoso.azure-devices.net;SharedAccessKeyName=service;SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAA==";
    /// let registry = twin_service::Registry::from_connection_string(text)?;
    /// assert_eq!(registry.host().host(), "contoso.azure-devices.net");
    /// # Ok::<(), twin_service::Error>(())
    /// ```
    pub fn from_connection_string(text: impl AsRef<str>) -> Result<Registry> {
        Self::builder(text).build()
    }

    /// Like [`Registry::from_connection_string`], with a choice of options.
    pub fn builder(connection_string: impl AsRef<str>) -> RegistryBuilder {
        RegistryBuilder::from_connection_string(connection_string.as_ref())
    }

    /// With a token that someone else made. Replace it before it expires with [`Registry::set_token`].
    ///
    /// ```
    /// use twin_service::{HostName, Key, Registry, SasToken, Timestamp};
    ///
    /// let key = Key::from_base64("AAAAAAAAAAAAAAAAAAAAAA==")?;
    /// let expiry: Timestamp = "2035-01-01T00:00:00Z".parse()?;
    /// let token = SasToken::sign("contoso.azure-devices.net", &key, Some("service"), expiry);
    /// let registry = Registry::builder_with_token(HostName::new("contoso.azure-devices.net")?, token).build()?;
    /// # Ok::<(), twin_service::Error>(())
    /// ```
    pub fn builder_with_token(host: HostName, token: SasToken) -> RegistryBuilder {
        RegistryBuilder::from_token(host, token)
    }

    /// Replaces a given token, for this registry and its clones. `InvalidArgument` if the registry makes its own.
    ///
    /// ```
    /// # use twin_service::{HostName, Key, Registry, SasToken};
    /// # let key = Key::from_base64("AAAAAAAAAAAAAAAAAAAAAA==")?;
    /// # let token = |year| SasToken::sign("h.example", &key, Some("service"), format!("{year}-01-01T00:00:00Z").parse().unwrap());
    /// let registry = Registry::builder_with_token(HostName::new("h.example")?, token(2035)).build()?;
    /// registry.set_token(token(2036))?;
    /// # Ok::<(), twin_service::Error>(())
    /// ```
    pub fn set_token(&self, token: SasToken) -> Result<()> {
        self.0.tokens.replace(token)
    }

    /// The hub.
    pub fn host(&self) -> &HostName {
        &self.0.host
    }

    pub(crate) fn from_inner(inner: Inner) -> Registry {
        Registry(Arc::new(inner))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("host", &self.0.host).field("tokens", &self.0.tokens).finish()
    }
}
