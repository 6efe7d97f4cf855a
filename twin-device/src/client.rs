//! The handles that an application holds.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Serialize, de::DeserializeOwned};
use tokio::runtime;
use twin_core::auth::{Credential, SasToken};
use twin_core::session::{Answer, Command, DesiredChange, Session, State, Ticket};
use twin_core::twin::{DeviceTwin, Patch, SectionName, TypedTwin, typed};
use twin_core::{DeviceId, Error, ErrorKind, HostName, ModuleId, Result, Timestamp, TwinKey};
use twin_transport::device::Connector;

use crate::builder::Builder;
use crate::driver::Driver;
use crate::kind::{Device, Kind, Module};
use crate::request::Request;
use crate::shared::{Letter, Shared, closed};
use crate::subscription::{Outlet, Subscription};

/// A device's connection to its hub; see [`Client`].
pub type DeviceClient = Client<Device>;

/// A module's connection to its hub; see [`Client`].
pub type ModuleClient = Client<Module>;

/// A connection of a device or module to its hub, used as [`DeviceClient`] or [`ModuleClient`].
///
/// A cheap handle: clones share one connection and one task. Requests may be made at any time, connected or not; each
/// makes the client connect and stay connected. Dropping a request's future gives the request up. Dropping the last
/// handle closes the connection with a goodbye, and ends the task and every [`Subscription`]. A program that ends right
/// afterwards should [`close`](Client::close) instead, which waits for the goodbye.
///
/// Needs a Tokio runtime with time and I/O: the one in which the first request is made runs the client's task.
pub struct Client<K> {
    pub(crate) owner: Arc<Owner>,
    kind: PhantomData<fn() -> K>,
}

/// What all handles hold together: the last to go tells the task.
pub(crate) struct Owner {
    key: TwinKey,
    takes_tokens: bool,
    /// whether several messages can travel in one request
    pub(crate) batches: bool,
    pub(crate) shared: Arc<Shared>,
    /// until a first request starts it
    driver: Mutex<Option<Driver>>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

/// The end of a successful report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reported {
    /// The `$version` of the reported properties that the report led to, if the hub told it (over MQTT it does). Reports
    /// that were merged into one message share one.
    pub version: Option<u64>,
}

impl Client<Device> {
    /// A client for the device that `host` knows as `device`, to be built further.
    ///
    /// ```
    /// use twin_device::{Credential, DeviceClient, DeviceId, HostName, Key};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// let host: HostName = hub.host_name().parse()?;
    /// # let parsed = twin_device::DeviceConnectionString::parse(&connection_string)?;
    /// # let twin_device::Credential::Key { key, .. } = parsed.credential else { unreachable!() };
    /// # let key_text = key.expose_base64();
    /// let key = Key::from_base64(&key_text)?;
    /// let client = DeviceClient::builder(host, DeviceId::new("lamp")?, Credential::Key { key, policy: None })
    ///     .ca_pem(hub.ca_pem())
    ///     .open()
    ///     .await?;
    /// assert_eq!(client.key().to_string(), "lamp");
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(host: HostName, device: DeviceId, credential: Credential) -> Builder<Device> {
        Builder::new(host, device.into(), credential)
    }
}

impl Client<Module> {
    /// A client for a module on a device, to be built further.
    ///
    /// ```
    /// use twin_device::{Credential, DeviceId, ModuleClient, ModuleId, TwinKey};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, registry, __connection_string) = hub_with_lamp().await?;
    /// # let key = TwinKey::module("lamp", "switch")?;
    /// # let made = registry.create(&twin_service::Identity::new(key)).await?;
    /// # let Some(twin_service::Authentication::Sas { primary: key, .. }) = made.authentication else { unreachable!() };
    /// let (host, device, module) = (hub.host_name().parse()?, DeviceId::new("lamp")?, ModuleId::new("switch")?);
    /// let client = ModuleClient::builder(host, device, module, Credential::Key { key, policy: None })
    ///     .ca_pem(hub.ca_pem())
    ///     .open()
    ///     .await?;
    /// assert_eq!(client.key().to_string(), "lamp/switch");
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(
        host: HostName,
        device: DeviceId,
        module: ModuleId,
        credential: Credential,
    ) -> Builder<Module> {
        Builder::new(host, TwinKey { device, module: Some(module) }, credential)
    }
}

impl<K: Kind> Client<K> {
    pub(crate) fn new(key: TwinKey, takes_tokens: bool, session: Session, connector: Connector) -> Self {
        let shared = Shared::new();
        let batches = connector.takes_batches();
        let driver = Driver::new(key.clone(), shared.clone(), session, connector);
        let owner = Owner { key, takes_tokens, batches, shared, driver: Mutex::new(Some(driver)) };
        Client { owner: Arc::new(owner), kind: PhantomData }
    }

    /// Reads a connection string:
    /// `HostName=…;DeviceId=…[;ModuleId=…];SharedAccessKey=…|SharedAccessSignature=…|x509=true[;GatewayHostName=…]`.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) that names the part that is wrong or missing; a module's string for
    /// a device, or a device's for a module.
    ///
    /// ```
    /// use twin_device::DeviceClient;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// let error = DeviceClient::from_connection_string("HostName=h;SharedAccessKey=AAAA").unwrap_err();
    /// assert!(error.message().contains("DeviceId"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_connection_string(text: &str) -> Result<Builder<K>> {
        Builder::parse(text)
    }

    /// Who this client speaks for.
    ///
    /// ```
    /// use twin_device::DeviceClient;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// assert_eq!(client.key().device.as_str(), "lamp");
    /// # Ok(())
    /// # }
    /// ```
    pub fn key(&self) -> &TwinKey {
        &self.owner.key
    }

    /// Connects, and stays connected from now on; resolves when the hub has let the device in.
    ///
    /// Not needed before other requests, which connect as well: it tells early whether the credential is good.
    ///
    /// # Errors
    /// [`Unauthorized`](ErrorKind::Unauthorized), [`Tls`](ErrorKind::Tls) and others that stay until somebody changes
    /// something; [`Timeout`](ErrorKind::Timeout) when the network did not get better in time, in which case the client
    /// goes on trying.
    ///
    /// ```
    /// use twin_device::{DeviceClient, State};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).build()?;
    /// client.open().await?;
    /// assert!(matches!(client.state(), State::Connected));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open(&self) -> Result<()> {
        match self.ask(|ticket| Command::Open { ticket }).await? {
            Answer::Opened => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Ends every request, says goodbye to the hub and ends the client for good. Closing twice is no error.
    ///
    /// # Errors
    /// None that matter; [`Closed`](ErrorKind::Closed) if the runtime that ran the client is gone.
    ///
    /// ```
    /// use twin_device::{DeviceClient, ErrorKind};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// client.close().await?;
    /// assert_eq!(client.twin().await.unwrap_err().kind(), ErrorKind::Closed);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close(&self) -> Result<()> {
        if self.owner.shared.is_ended() {
            return Ok(());
        }
        match self.ask(|ticket| Command::Close { ticket }).await {
            Ok(Answer::Closed) => Ok(()),
            Ok(other) => Err(unexpected(&other)),
            // Another handle was quicker.
            Err(error) if error.kind() == ErrorKind::Closed && self.owner.shared.is_ended() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads the twin, as the device sees it.
    ///
    /// # Errors
    /// What the hub answered, or [`Timeout`](ErrorKind::Timeout) after the request timeout.
    ///
    /// ```
    /// use twin_device::DeviceClient;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// let twin = client.twin().await?;
    /// assert_eq!((twin.desired.version, twin.reported.version), (1, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn twin(&self) -> Result<DeviceTwin> {
        match self.ask(|ticket| Command::GetTwin { ticket }).await? {
            Answer::Twin(twin) => Ok(twin),
            other => Err(unexpected(&other)),
        }
    }

    /// Reads the twin as types of yours.
    ///
    /// # Errors
    /// Those of [`twin`](Client::twin), and [`Rejected`](ErrorKind::Rejected) that names the section that does not fit.
    ///
    /// ```
    /// use twin_device::DeviceClient;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// #[derive(serde::Deserialize)]
    /// struct Desired {
    ///     #[serde(default)]
    ///     brightness: u8,
    /// }
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Reported {
    ///     lit: Option<bool>,
    /// }
    ///
    /// client.report(serde_json::json!({"lit": true})).await?;
    /// let twin = client.typed_twin::<Desired, Reported>().await?;
    /// assert_eq!((twin.desired.value.brightness, twin.reported.value.lit), (0, Some(true)));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn typed_twin<D: DeserializeOwned, R: DeserializeOwned>(&self) -> Result<TypedTwin<D, R>> {
        TypedTwin::read(&self.twin().await?)
    }

    /// Merges `patch`, anything that serializes to a JSON object, into the reported properties: members that it has are
    /// set, those that are null (or `None`) are removed, all others stay.
    ///
    /// Reports take effect in the order in which they were made. One that gets no answer is sent again: it sets the same
    /// members to the same values.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) and kin that name the member and the rule, before anything is
    /// sent; what the hub answered; [`Timeout`](ErrorKind::Timeout). [`Error::delivery`] tells whether the hub may
    /// have taken it.
    ///
    /// ```
    /// use serde_json::json;
    /// use twin_device::DeviceClient;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// let reported = client.report(json!({"connectivity": {"type": "cellular"}})).await?;
    /// assert_eq!(reported.version, Some(2));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn report(&self, patch: impl Serialize) -> Result<Reported> {
        self.send_report(typed::whole(SectionName::Reported, &patch)?, None).await
    }

    /// [`report`](Client::report), if the `$version` of the reported properties still is `version`. Never sent twice.
    ///
    /// # Errors
    /// As for [`report`](Client::report), and [`PreconditionFailed`](ErrorKind::PreconditionFailed).
    ///
    /// ```
    /// use serde_json::json;
    /// use twin_device::{DeviceClient, ErrorKind};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// let version = client.twin().await?.reported.version;
    /// client.report_if_version(json!({"lit": true}), version).await?;
    /// let late = client.report_if_version(json!({"lit": false}), version).await.unwrap_err();
    /// assert_eq!(late.kind(), ErrorKind::PreconditionFailed);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn report_if_version(&self, patch: impl Serialize, version: u64) -> Result<Reported> {
        self.send_report(typed::whole(SectionName::Reported, &patch)?, Some(version)).await
    }

    /// Reports only what changed between two values of your type: the one that the hub has and the one it shall have.
    /// `None` if nothing did, in which case nothing is sent.
    ///
    /// # Errors
    /// As for [`report`](Client::report).
    ///
    /// ```
    /// use twin_device::DeviceClient;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// #[derive(Clone, Default, serde::Serialize)]
    /// struct Reported {
    ///     lit: bool,
    ///     fault: Option<String>,
    /// }
    ///
    /// let before = Reported::default();
    /// let after = Reported { lit: true, ..before.clone() };
    /// // Sends {"lit":true} and nothing else.
    /// assert!(client.report_changes(&before, &after).await?.is_some());
    /// assert!(client.report_changes(&after, &after).await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn report_changes<R: Serialize>(&self, before: &R, after: &R) -> Result<Option<Reported>> {
        let patch = typed::changes(SectionName::Reported, before, after)?;
        if patch.is_empty() {
            return Ok(None);
        }
        self.send_report(patch, None).await.map(Some)
    }

    async fn send_report(&self, patch: Patch, if_version: Option<u64>) -> Result<Reported> {
        match self.ask(|ticket| Command::Report { ticket, patch, if_version }).await? {
            Answer::Reported { version } => Ok(Reported { version }),
            other => Err(unexpected(&other)),
        }
    }

    /// The desired properties from now on: first the whole section, then every change in order, once per `$version`.
    ///
    /// A [`DesiredChange::Whole`] comes again whenever steps are missing: after a time without connection in which
    /// something changed, and when this stream's reader was so slow that more than 32 changes waited. No step is ever
    /// left out silently.
    ///
    /// Any number of streams may be open. A stream outlives lost connections, and waits while the client does not try to
    /// connect ([`states`](Client::states) tells). It ends when the client ends, or at the start, when the credential or the
    /// subscription is refused before anything was heard: then [`Subscription::error`] says why.
    ///
    /// ```
    /// use twin_device::{DesiredChange, DeviceClient};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// # use twin_service::{IfMatch, TwinChange};
    /// let mut changes = client.desired();
    /// let Some(DesiredChange::Whole { version: 1, .. }) = changes.next().await else { panic!() };
    /// # let lamp = client.key().clone();
    /// # let change = TwinChange::new().desired(serde_json::json!({"brightness": 80}));
    /// # registry.update_twin(&lamp, &change, IfMatch::Force).await?;
    /// // The backend sets brightness to 80.
    /// let Some(DesiredChange::Patch { patch, version: 2 }) = changes.next().await else { panic!() };
    /// assert_eq!(patch["brightness"], 80);
    /// # Ok(())
    /// # }
    /// ```
    pub fn desired(&self) -> Subscription<DesiredChange> {
        let outlet = Outlet::new();
        if let Err(error) = self.post(Letter::Watch(outlet.clone())) {
            outlet.end(Some(error));
        }
        Subscription::new(outlet, self.owner.shared.clone())
    }

    /// The state of the connection: first as it is, then as it changes. A slow reader sees the latest only.
    ///
    /// ```
    /// use twin_device::{DeviceClient, State};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// let mut states = client.states();
    /// assert!(matches!(states.next().await, Some(State::Connected)));
    /// drop(client);
    /// while let Some(state) = states.next().await {
    ///     println!("{state:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn states(&self) -> Subscription<State> {
        Subscription::new(self.owner.shared.watch_states(), self.owner.shared.clone())
    }

    /// The state of the connection now.
    ///
    /// ```
    /// use twin_device::{DeviceClient, State};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// assert!(matches!(client.state(), State::Connected));
    /// # Ok(())
    /// # }
    /// ```
    pub fn state(&self) -> State {
        self.owner.shared.state()
    }

    /// Replaces the given token that the device connects with. Over MQTT that means a short reconnection.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if `token` is none, or the device does not connect with a given
    /// token: tokens made from a key are renewed without help.
    ///
    /// ```
    /// use twin_device::{DeviceClient, SasToken};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let parsed = twin_device::DeviceConnectionString::parse(&connection_string)?;
    /// # let twin_device::Credential::Key { key, .. } = parsed.credential else { unreachable!() };
    /// # let resource = format!("{}/devices/lamp", hub.host_name());
    /// # let token = |end: &str| SasToken::sign(&resource, &key, None, end.parse().unwrap()).expose().to_string();
    /// # let (first, second) = (token("2098-01-01T00:00:00Z"), token("2099-01-01T00:00:00Z"));
    /// let connection_string = format!("HostName={};DeviceId=lamp;SharedAccessSignature={first}", hub.host_name());
    /// let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// client.update_sas(&second)?;
    /// client.twin().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn update_sas(&self, token: &str) -> Result<()> {
        if !self.owner.takes_tokens {
            return Err(Error::invalid(
                "the device does not connect with a given token (SharedAccessSignature), so there is none to replace",
            ));
        }
        self.post(Letter::UpdateToken(Box::new(SasToken::parse(token)?)))
    }

    /// When a given token ends soon: time for [`update_sas`](Client::update_sas). Told once per token, when 85 % of its
    /// time have passed. Nothing ever comes for a device with a key or certificate.
    ///
    /// ```
    /// use twin_device::DeviceClient;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// let mut expiring = client.token_expiring();
    /// # client.close().await?;
    /// while let Some(at) = expiring.next().await {
    ///     println!("the token ends at {at}");
    ///     // client.update_sas(&ask_somebody_for_a_token())?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn token_expiring(&self) -> Subscription<Timestamp> {
        Subscription::new(self.owner.shared.watch_expiries(), self.owner.shared.clone())
    }

    pub(crate) fn post(&self, letter: Letter) -> Result<()> {
        self.start()?;
        self.owner.shared.post(letter)
    }

    pub(crate) async fn ask(&self, command: impl FnOnce(Ticket) -> Command) -> Result<Answer> {
        self.request(command)?.await
    }

    pub(crate) fn request(&self, command: impl FnOnce(Ticket) -> Command) -> Result<Request> {
        self.start()?;
        Request::post(&self.owner.shared, command)
    }

    /// Starts the task, if it is not running.
    fn start(&self) -> Result<()> {
        let mut driver = self.owner.driver.lock().unwrap_or_else(PoisonError::into_inner);
        if driver.is_some() {
            let runtime = runtime::Handle::try_current().map_err(|_| {
                Error::invalid("a client must be used within a Tokio runtime: there is none on this thread")
            })?;
            let (shared, driver) = (self.owner.shared.clone(), driver.take().ok_or_else(closed)?);
            runtime.spawn(async move { shared.seat.work(Box::pin(driver.run())).await });
        }
        Ok(())
    }
}

impl<K> Clone for Client<K> {
    fn clone(&self) -> Self {
        Client { owner: self.owner.clone(), kind: PhantomData }
    }
}

impl<K> fmt::Debug for Client<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("key", &self.owner.key).finish_non_exhaustive()
    }
}

pub(crate) fn unexpected(answer: &Answer) -> Error {
    // Only the kind of the answer: it may hold the twin.
    let kind = match answer {
        Answer::Opened => "Opened",
        Answer::Twin(_) => "Twin",
        Answer::Reported { .. } => "Reported",
        Answer::Watching => "Watching",
        Answer::Taken => "Taken",
        Answer::Closed => "Closed",
        _ => "something else",
    };
    Error::new(ErrorKind::Internal, format!("the session answered {kind} to another question"))
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
