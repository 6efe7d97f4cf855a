//! Identities of devices and modules: create, get, list, update, delete.

use bytes::Bytes;
use serde_json::Value;
use twin_core::identity::Identity;
use twin_core::wire::rest::{self, Answer, Call};
use twin_core::{DeviceId, Error, Result, TwinKey};

use crate::call::no_document;
use crate::registry::Registry;
use crate::twins::{IfMatch, not_a};

/// Most devices that the hub lists (IoT Hub REST reference); queries find more.
const MAX_LISTED: u32 = 1000;

impl Registry {
    /// Creates a device or module with its twin, and returns the identity as the hub made it, keys included.
    ///
    /// `AlreadyExists` if there is one; `NotFound` if a module's device does not exist.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// use twin_service::{Authentication, ErrorKind, Identity, TwinKey};
    ///
    /// let pump = registry.create(&Identity::new(TwinKey::device("pump")?)).await?;
    /// assert!(matches!(pump.authentication, Some(Authentication::Sas { .. })));
    ///
    /// let valve = registry.create(&Identity::new(TwinKey::module("pump", "valve")?)).await?;
    /// assert_eq!(valve.key().to_string(), "pump/valve");
    ///
    /// let again = registry.create(&Identity::new(TwinKey::device("pump")?)).await.unwrap_err();
    /// assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    /// # hub.close().await
    /// # }
    /// ```
    pub async fn create(&self, identity: &Identity) -> Result<Identity> {
        let what = || format!("create '{}'", identity.key());
        self.put(what, identity, rest::IfMatch::Absent).await
    }

    /// The identity of a device or module. `NotFound` if there is none.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// use twin_service::{Identity, Status, TwinKey};
    /// let key = TwinKey::device("pump")?;
    /// registry.create(&Identity::new(key.clone())).await?;
    /// assert_eq!(registry.get(&key).await?.status, Status::Enabled);
    /// # hub.close().await
    /// # }
    /// ```
    pub async fn get(&self, key: &TwinKey) -> Result<Identity> {
        self.call_identity(|| format!("get the identity of '{key}'"), Call::GetIdentity(key.clone())).await
    }

    /// Writes an identity that exists: status, keys, capabilities. Returns it as it is then.
    ///
    /// `PreconditionFailed` if the etag is stale, `NotFound` if there is no such identity.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// use twin_service::{Identity, IfMatch, Status, TwinKey};
    /// let mut pump = registry.create(&Identity::new(TwinKey::device("pump")?)).await?;
    /// pump.status = Status::Disabled;
    /// pump.status_reason = Some("stolen".into());
    /// let pump = registry.update(&pump, IfMatch::ETag(pump.etag.as_ref().unwrap())).await?;
    /// assert_eq!(pump.status, Status::Disabled);
    /// # hub.close().await
    /// # }
    /// ```
    pub async fn update(&self, identity: &Identity, if_match: IfMatch<'_>) -> Result<Identity> {
        let what = || format!("update the identity of '{}'", identity.key());
        self.put(what, identity, if_match.say()).await
    }

    /// Deletes a device with its modules, or a module; their twins go with them.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// use twin_service::{ErrorKind, Identity, IfMatch, TwinKey};
    /// let key = TwinKey::device("pump")?;
    /// registry.create(&Identity::new(key.clone())).await?;
    /// registry.delete(&key, IfMatch::Force).await?;
    /// assert_eq!(registry.get(&key).await.unwrap_err().kind(), ErrorKind::NotFound);
    /// # hub.close().await
    /// # }
    /// ```
    pub async fn delete(&self, key: &TwinKey, if_match: IfMatch<'_>) -> Result<()> {
        let call = Call::DeleteIdentity { key: key.clone(), if_match: if_match.say() };
        self.call(|| format!("delete '{key}'"), call).await.map(drop)
    }

    /// Up to `max` devices (at most 1,000), in no particular order. For more, or for a choice, query.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// use twin_service::{Identity, TwinKey};
    /// registry.create(&Identity::new(TwinKey::device("pump")?)).await?;
    /// assert_eq!(registry.list_devices(10).await?.len(), 1);
    /// # hub.close().await
    /// # }
    /// ```
    pub async fn list_devices(&self, max: u32) -> Result<Vec<Identity>> {
        if !(1..=MAX_LISTED).contains(&max) {
            return Err(Error::invalid(format!("{max} devices cannot be listed; 1 to {MAX_LISTED} can")));
        }
        self.call_identities(|| "list devices".to_owned(), Call::ListDevices { top: Some(max) }).await
    }

    /// The modules of a device.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// use twin_service::{DeviceId, Identity, TwinKey};
    /// registry.create(&Identity::new(TwinKey::device("pump")?)).await?;
    /// registry.create(&Identity::new(TwinKey::module("pump", "valve")?)).await?;
    /// let modules = registry.list_modules(&DeviceId::new("pump")?).await?;
    /// assert_eq!(modules[0].key().to_string(), "pump/valve");
    /// # hub.close().await
    /// # }
    /// ```
    pub async fn list_modules(&self, device: &DeviceId) -> Result<Vec<Identity>> {
        let what = || format!("list the modules of '{device}'");
        self.call_identities(what, Call::ListModules(device.clone())).await
    }

    async fn put(
        &self,
        what: impl Fn() -> String,
        identity: &Identity,
        if_match: rest::IfMatch,
    ) -> Result<Identity> {
        let body = Bytes::from(identity.to_json().to_string());
        self.call_identity(what, Call::PutIdentity { key: identity.key(), if_match, body }).await
    }

    async fn call_identity(&self, what: impl Fn() -> String, call: Call) -> Result<Identity> {
        let document: Value = self.call_json(&what, call).await?;
        Identity::from_json(document).map_err(|e| not_a("identity", e).context(what()))
    }

    async fn call_identities(&self, what: impl Fn() -> String, call: Call) -> Result<Vec<Identity>> {
        let documents: Vec<Value> = match self.call(&what, call).await? {
            Answer::Json { body, .. } | Answer::Page { rows: body, .. } => crate::call::parse(&body),
            Answer::Nothing | Answer::BulkFailure { .. } => Err(no_document()),
        }
        .map_err(|e| e.context(what()))?;
        documents
            .into_iter()
            .map(|d| Identity::from_json(d).map_err(|e| not_a("list of identities", e).context(what())))
            .collect()
    }
}
