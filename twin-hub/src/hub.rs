//! Starting and stopping a hub.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use twin_core::wire::rest::{Answer, Call};
use twin_core::wire::{ApiVersion, Refusal};
use twin_core::{Error, ErrorKind, Message, Result, TwinKey};

use crate::config::{HubBuilder, LOOPBACK, advertised};
use crate::engine::{Engine, EngineConfig, Fault, Operation};
use crate::front::certificate::DeviceCas;
use crate::front::faults::{Faults, LoginFault, RequestFault};
use crate::front::metrics::Metrics;
use crate::front::{Front, HostNames, Signal, listener};
use crate::pki::{self, Pki};
use crate::policies::Policies;
use crate::private_file;

/// The store's folder inside the data directory.
const STORE: &str = "store";
/// The policies' file inside the data directory: secrets.
const POLICIES: &str = "policies.json";

/// A running hub. Dropping it stops it without waiting; [`Hub::close`] waits.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> twin_core::Result<()> {
/// use twin_hub::Hub;
///
/// let hub = Hub::builder().listen(([127, 0, 0, 1], 0).into()).ephemeral().start().await?;
/// println!("clients trust {}", hub.ca_pem());
/// assert!(hub.connection_string().starts_with("HostName=localhost:"));
/// hub.close().await
/// # }
/// ```
pub struct Hub {
    front: Arc<Front>,
    host_name: String,
    addresses: Vec<SocketAddr>,
    ca_pem: String,
    ca_file: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    listeners: Vec<JoinHandle<()>>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("host_name", &self.host_name)
            .field("addresses", &self.addresses)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

impl Hub {
    /// A builder with the defaults.
    pub fn builder() -> HubBuilder {
        HubBuilder::default()
    }

    pub(crate) async fn start(builder: HubBuilder) -> Result<Hub> {
        let names = builder.names()?;
        // Ports first: they fail most often, and nothing has been touched yet.
        let listeners = listener::bind(&builder.addresses()).await?;
        let addresses =
            listeners.iter().map(TcpListener::local_addr).collect::<std::io::Result<Vec<_>>>().map_err(
                |e| Error::new(ErrorKind::Network, format!("a listening port has no address: {e}")),
            )?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let device_cas = DeviceCas::new(provider.clone());
        for pem in &builder.client_cas {
            device_cas.add(pem)?;
        }
        // The store is opened before the other files: its lock keeps a second hub away from them.
        let engine = open_engine(&builder).await?;
        let opened = (|| {
            let policies = open_policies(builder.data_dir.as_deref())?;
            let ips: Vec<_> = LOOPBACK.into_iter().chain(addresses.iter().map(SocketAddr::ip)).collect();
            let pki = Pki::open(builder.data_dir.as_deref(), &names, &ips, SystemTime::now())?;
            let tls = listener::tls_config(provider, pki.chain, pki.key)?;
            Ok((policies, TlsAcceptor::from(Arc::new(tls)), pki.ca_pem, pki.ca_file))
        })();
        let (policies, tls, ca_pem, ca_file) = match opened {
            Ok(opened) => opened,
            Err(e) => {
                // Nothing was changed, so there is nothing to lose.
                let _ = engine.shutdown().await;
                return Err(e);
            }
        };
        let host_name = advertised(&names[0], &addresses);
        let front = Arc::new(Front {
            engine,
            policies,
            names: HostNames::new(names),
            device_cas,
            room: Arc::new(Semaphore::new(builder.limits.max_connections)),
            bodies: Semaphore::new(builder.limits.max_request_bytes.min(Semaphore::MAX_PERMITS)),
            handshakes: Semaphore::new(builder.limits.max_handshakes),
            limits: builder.limits,
            clock: builder.clock,
            metrics: Metrics::default(),
            faults: Faults::default(),
            signal: watch::Sender::new(Signal::default()),
            tls,
        });
        for address in &addresses {
            tracing::info!(%address, host_name, "listening: MQTT, AMQP, WebSocket, HTTPS");
        }
        let listeners = listeners
            .into_iter()
            .map(|listener| tokio::spawn(listener::run(front.clone(), listener)))
            .collect();
        Ok(Hub { front, host_name, addresses, ca_pem, ca_file, data_dir: builder.data_dir, listeners })
    }

    /// What goes into `HostName=`: the name, with the port unless clients find the hub on the default ports.
    pub fn host_name(&self) -> &str {
        &self.host_name
    }

    /// Where it listens, after port 0 was resolved.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The data directory; `None` for an ephemeral hub.
    pub fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// The connection string of the `iothubowner` policy: a secret.
    pub fn connection_string(&self) -> String {
        self.connection_string_of("iothubowner").unwrap_or_default()
    }

    /// The connection string of a built-in policy (`iothubowner`, `service`, `device`, `registryRead`,
    /// `registryReadWrite`): a secret.
    pub fn connection_string_of(&self, policy: &str) -> Result<String> {
        self.front.policies.connection_string(&self.host_name, policy)
    }

    /// The CA certificate that clients must trust, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The file with [`Hub::ca_pem`], when there is a data directory (an ephemeral hub keeps none: write
    /// [`Hub::ca_pem`] where clients shall find it).
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// Trusts further CA certificates (PEM) to vouch for devices, until the hub stops.
    pub fn add_client_ca_pem(&self, pem: &str) -> Result<()> {
        self.front.device_cas.add(pem)
    }

    /// What `/metrics` tells, as Prometheus text.
    pub fn metrics(&self) -> String {
        self.front.metrics.render(&self.front.engine.figures())
    }

    /// A service call without network, TLS and token: what the rest of the hub costs. For benchmarks.
    #[doc(hidden)]
    pub async fn call(&self, call: Call) -> std::result::Result<Answer, Refusal> {
        self.front.engine.call(call, ApiVersion::OURS).await
    }

    /// A device's report without network, TLS and token. For benchmarks.
    #[doc(hidden)]
    pub async fn report(&self, key: &TwinKey, patch: Bytes) -> std::result::Result<u64, Refusal> {
        self.front.engine.report(key, patch, None, ApiVersion::OURS).await
    }

    /// Puts a cloud-to-device message into a device's queue, as a backend does over AMQP. It is durable when this returns.
    /// Refused for devices that are not there, with 403004 when 50 messages wait, with 413001 beyond 64 KB.
    pub async fn send(&self, device: &TwinKey, message: Message) -> std::result::Result<(), Refusal> {
        self.front.engine.send(device.clone(), message).await
    }

    /// What a peer hears over AMQP that says these bytes and then nothing more; without network and TLS. For fuzzing.
    #[doc(hidden)]
    pub async fn hear_amqp(&self, said: Bytes) -> Bytes {
        crate::front::amqp::hear(self.front.clone(), said).await
    }

    /// Copies a consistent state into `target`, an empty or new directory, while the hub runs. A hub starts on it
    /// ([`HubBuilder::data_dir`]): with the same policies, keys and CA, unless this one is ephemeral and has none to copy.
    pub async fn backup(&self, target: impl Into<PathBuf>) -> Result<()> {
        let target = target.into();
        private_file::make_empty_dir(&target)?;
        if let Some(dir) = &self.data_dir {
            for name in [POLICIES].iter().chain(&pki::FILES) {
                if let Some(text) = private_file::read(&dir.join(name))? {
                    private_file::write(&target.join(name), &text)?;
                }
            }
        }
        self.front.engine.backup(target.join(STORE)).await
    }

    /// Cuts every connection, without a goodbye. For tests of clients.
    pub fn cut_connections(&self) {
        self.front.signal.send_modify(|signal| signal.cuts += 1);
    }

    /// Refuses the next `count` device logins. For tests of clients.
    pub fn refuse_logins(&self, count: u32, how: LoginFault) {
        self.front.faults.set_logins(count, how);
    }

    /// Lets the next `count` requests go wrong: twin requests of devices and service calls alike. For tests of clients.
    pub fn fail_requests(&self, count: u32, how: RequestFault) {
        self.front.faults.set_requests(count, how);
    }

    /// Lets the next `count` requests, logins included, wait for `delay` before they are served (reading a twin by a
    /// device excepted, which never waits). For tests of clients.
    pub fn delay_requests(&self, count: u32, delay: Duration) {
        self.front.engine.faults().inject(Fault {
            operation: Operation::Any,
            times: count,
            delay,
            refusal: None,
        });
    }

    /// Lets nothing more go wrong on purpose.
    pub fn clear_faults(&self) {
        self.front.faults.clear();
        self.front.engine.faults().clear();
    }

    /// Stops taking connections, lets clients have their answers, flushes, and waits for all of it.
    pub async fn close(mut self) -> Result<()> {
        self.front.signal.send_modify(|signal| signal.stopping = true);
        for listener in std::mem::take(&mut self.listeners) {
            if let Err(e) = listener.await {
                tracing::error!(error = %e, "a listener ended badly");
            }
        }
        let flushed = self.front.engine.shutdown().await;
        tracing::info!("stopped");
        flushed
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Connections end with their listener's task.
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

async fn open_engine(builder: &HubBuilder) -> Result<Engine> {
    let data_dir = match &builder.data_dir {
        Some(dir) => {
            private_file::make_dir(dir)?;
            Some(dir.join(STORE))
        }
        None => None,
    };
    let config = EngineConfig { data_dir, clock: builder.clock.clone(), gather: Duration::ZERO };
    // Recovery reads the whole store: not on a thread that serves.
    tokio::task::spawn_blocking(move || Engine::open(config))
        .await
        .map_err(|e| Error::new(ErrorKind::Internal, format!("opening the store ended badly: {e}")))?
}

fn open_policies(dir: Option<&Path>) -> Result<Policies> {
    let Some(path) = dir.map(|dir| dir.join(POLICIES)) else { return Policies::generate() };
    match private_file::read(&path)? {
        Some(text) => Policies::from_text(&text).map_err(|e| e.context(path.display())),
        None => {
            let policies = Policies::generate()?;
            private_file::write(&path, &policies.to_text())?;
            Ok(policies)
        }
    }
}
