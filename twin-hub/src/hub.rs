//! Starting and stopping a hub.
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use twin_core::Result;

/// How a hub starts. Defaults: host name `localhost`, loopback 8883, 5671 and 443, ephemeral.
#[derive(Clone, Debug, Default)]
pub struct HubBuilder {/* host_names, listen, data_dir, … */}

impl HubBuilder {
    /// A name that clients use for this hub (in the certificate and in tokens' `sr`). Default `localhost`; the
    /// loopback addresses and every listening address are always accepted beside it.
    pub fn host_name(self, name: impl Into<String>) -> Self {
        todo!()
    }
    /// An address to listen on; may be given several times. `127.0.0.1:0` picks a free port.
    pub fn listen(self, address: SocketAddr) -> Self {
        todo!()
    }
    /// Keeps everything in `dir` (made if missing, private to the user).
    pub fn data_dir(self, dir: impl Into<PathBuf>) -> Self {
        todo!()
    }
    /// Keeps everything in memory only: nothing survives, acknowledged is not durable.
    pub fn ephemeral(self) -> Self {
        todo!()
    }
    /// Starts; every port is bound or the error names the one that is not and the way out.
    pub async fn start(self) -> Result<Hub> {
        todo!()
    }
}

/// A running hub. Dropping it stops it without waiting; [`Hub::close`] waits.
#[derive(Debug)]
pub struct Hub {/* … */}

impl Hub {
    /// A builder with the defaults.
    pub fn builder() -> HubBuilder {
        HubBuilder::default()
    }
    /// What goes into `HostName=`: the name, with the port unless clients find the hub on the default ports.
    pub fn host_name(&self) -> &str {
        todo!()
    }
    /// Where it listens, after port 0 was resolved.
    pub fn addresses(&self) -> &[SocketAddr] {
        todo!()
    }
    /// The connection string of the `iothubowner` policy: a secret.
    pub fn connection_string(&self) -> String {
        todo!()
    }
    /// The connection string of a built-in policy (`service`, `device`, `registryRead`, `registryReadWrite`).
    pub fn connection_string_of(&self, policy: &str) -> Result<String> {
        todo!()
    }
    /// The CA certificate that clients must trust, in PEM.
    pub fn ca_pem(&self) -> &str {
        todo!()
    }
    /// The file with [`Hub::ca_pem`], when there is a data directory (an ephemeral hub keeps none).
    pub fn ca_file(&self) -> Option<&Path> {
        todo!()
    }
    /// Stops taking connections, says goodbye to clients, flushes, and waits for all of it.
    pub async fn close(self) -> Result<()> {
        todo!()
    }
}
