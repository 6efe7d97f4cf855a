//! Many devices over few connections.

use std::fmt;

use twin_core::{Error, HostName, Result};
use twin_transport::{Options, amqp};

use crate::builder::Transport;

/// Carries many devices of one hub over few AMQP connections (multiplexing): for gateways and simulators, where a
/// connection per device costs too much. Each device still is a [`Client`](crate::Client) of its own, with its own token,
/// requests, subscriptions and retries; it is given the pool with [`Builder::pool`](crate::Builder::pool).
///
/// A connection takes [`AmqpPool::DEFAULT_DEVICES_PER_CONNECTION`] devices unless said otherwise; a further one is made
/// when all are full, and one that nobody uses any more is closed. When a connection is lost, each of its devices connects
/// again by its own rules, on a new one. Cheap to clone: all clones are one pool.
///
/// ```
/// use twin_device::{AmqpPool, DeviceClient, Options, Transport};
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> twin_device::Result<()> {
/// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
/// # let host = hub.host_name().parse()?;
/// let mut options = Options::default();
/// options.extra_ca_pem.push(hub.ca_pem().into());
/// let pool = AmqpPool::new(host, Transport::Amqp, options)?;
///
/// let lamp = DeviceClient::from_connection_string(&connection_string)?.pool(&pool).open().await?;
/// let twin = lamp.twin().await?;
/// # assert_eq!(pool.connections().await, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AmqpPool(pub(crate) amqp::Pool);

impl fmt::Debug for AmqpPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AmqpPool {
    /// Devices of one connection, unless said otherwise.
    pub const DEFAULT_DEVICES_PER_CONNECTION: usize = 500;

    /// A pool of connections to `hub`, over [`Transport::Amqp`] or [`Transport::AmqpWs`]. Connects to nothing yet.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for MQTT, which has no way for it, and that names the option
    /// that is wrong.
    pub fn new(hub: HostName, transport: Transport, options: Options) -> Result<AmqpPool> {
        Self::with_devices_per_connection(hub, transport, options, Self::DEFAULT_DEVICES_PER_CONNECTION)
    }

    /// Likewise, with another number of devices on each connection: 1 to 995, the most that the .NET SDK allows.
    ///
    /// # Errors
    /// As [`AmqpPool::new`].
    pub fn with_devices_per_connection(
        hub: HostName,
        transport: Transport,
        options: Options,
        devices: usize,
    ) -> Result<AmqpPool> {
        if !transport.is_amqp() {
            return Err(only_amqp());
        }
        amqp::Pool::new(hub, None, transport.carrier(), devices, &options).map(AmqpPool)
    }

    /// Likewise, connecting to a gateway; the devices still belong to `hub`. Their own word on a gateway must be the same,
    /// or none.
    ///
    /// # Errors
    /// As [`AmqpPool::new`].
    pub fn through_gateway(
        hub: HostName,
        gateway: HostName,
        transport: Transport,
        options: Options,
        devices: usize,
    ) -> Result<AmqpPool> {
        if !transport.is_amqp() {
            return Err(only_amqp());
        }
        amqp::Pool::new(hub, Some(gateway), transport.carrier(), devices, &options).map(AmqpPool)
    }

    /// How many connections there are now.
    pub async fn connections(&self) -> usize {
        self.0.connections().await
    }
}

fn only_amqp() -> Error {
    Error::invalid("devices share connections over AMQP alone; MQTT has no way for it")
}
