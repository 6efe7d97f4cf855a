//! A device's connection, whatever its protocol.

use std::sync::Arc;

use twin_core::auth::SasToken;
use twin_core::receive::ReceivePolicy;
use twin_core::wire::{Heard, Said};
use twin_core::{Error, Result};

use crate::{Endpoint, Options, amqp, https, mqtt};

/// Makes connections of one device. Cheap to clone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Connector {
    /// MQTT 3.1.1.
    Mqtt(mqtt::Connector),
    /// AMQP 1.0.
    Amqp(amqp::Connector),
    /// HTTPS.
    Https(https::Connector),
    /// AMQP 1.0 over a connection shared with other devices.
    Pooled {
        /// The connections.
        pool: amqp::Pool,
        /// Who the device is.
        endpoint: Arc<Endpoint>,
    },
}

impl Connector {
    /// See [`mqtt::Connector::new`].
    ///
    /// # Errors
    /// As there.
    pub fn mqtt(endpoint: Endpoint, options: &Options) -> Result<Connector> {
        mqtt::Connector::new(endpoint, options).map(Connector::Mqtt)
    }

    /// See [`amqp::Connector::new`].
    ///
    /// # Errors
    /// As there.
    pub fn amqp(endpoint: Endpoint, options: &Options) -> Result<Connector> {
        amqp::Connector::new(endpoint, options).map(Connector::Amqp)
    }

    /// See [`https::Connector::new`].
    ///
    /// # Errors
    /// As there.
    pub fn https(endpoint: Endpoint, options: &Options, policy: ReceivePolicy) -> Result<Connector> {
        https::Connector::new(endpoint, options, policy).map(Connector::Https)
    }

    /// Whether twins travel by it.
    pub fn carries_twins(&self) -> bool {
        !matches!(self, Connector::Https(_))
    }

    /// Whether several messages travel in one request.
    pub fn takes_batches(&self) -> bool {
        matches!(self, Connector::Https(_))
    }

    /// See [`amqp::Pool`].
    ///
    /// # Errors
    /// [`InvalidArgument`](twin_core::ErrorKind::InvalidArgument) if the device belongs to another hub than the pool's
    /// connections.
    pub fn pooled(endpoint: Endpoint, pool: &amqp::Pool) -> Result<Connector> {
        if endpoint.hub != *pool.hub() {
            return Err(Error::invalid(format!(
                "the device is one of '{}', and the pool connects to '{}'",
                endpoint.hub,
                pool.hub()
            )));
        }
        if let Some(gateway) = endpoint.gateway.as_ref().filter(|gateway| Some(*gateway) != pool.gateway()) {
            let leads = pool.gateway().unwrap_or(pool.hub());
            return Err(Error::invalid(format!(
                "the device is to connect through gateway '{gateway}', and the pool connects to '{leads}'"
            )));
        }
        Ok(Connector::Pooled { pool: pool.clone(), endpoint: Arc::new(endpoint) })
    }

    /// Whether [`Connection::renew`] works.
    pub fn renews_in_place(&self) -> bool {
        !matches!(self, Connector::Mqtt(_))
    }

    /// Connects, and says whether the hub remembers a session of this device (MQTT alone does).
    ///
    /// # Errors
    /// As [`mqtt::Connector::connect`] and [`amqp::Connector::connect`].
    pub async fn connect(&self, token: Option<&SasToken>) -> Result<(Connection, bool)> {
        match self {
            Connector::Mqtt(connector) => {
                let (connection, present) = connector.connect(token).await?;
                Ok((Connection::Mqtt(Box::new(connection)), present))
            }
            Connector::Amqp(connector) => {
                Ok((Connection::Amqp(Box::new(connector.connect(token).await?)), false))
            }
            Connector::Https(connector) => Ok((Connection::Https(Box::new(connector.connect(token))), false)),
            Connector::Pooled { pool, endpoint } => {
                let token = token
                    .ok_or_else(|| Error::invalid("a device with a certificate cannot share a connection"))?;
                Ok((Connection::Pooled(pool.connect(endpoint, token).await?), false))
            }
        }
    }
}

/// One live connection of one device, driven by its owner.
#[derive(Debug)]
#[non_exhaustive]
pub enum Connection {
    /// MQTT 3.1.1.
    Mqtt(Box<mqtt::Connection>),
    /// AMQP 1.0.
    Amqp(Box<amqp::Connection>),
    /// HTTPS.
    Https(Box<https::Connection>),
    /// AMQP 1.0 over a shared connection.
    Pooled(amqp::PooledConnection),
}

impl Connection {
    /// Says something, as soon as [`Connection::next`] is polled.
    ///
    /// # Errors
    /// As [`mqtt::Connection::say`] and [`amqp::Connection::say`]; the connection is of no more use then.
    pub fn say(&mut self, said: &Said) -> Result<()> {
        match self {
            Connection::Mqtt(connection) => connection.say(said),
            Connection::Amqp(connection) => connection.say(said),
            Connection::Https(connection) => connection.say(said),
            Connection::Pooled(connection) => connection.say(said),
        }
    }

    /// Gives the hub a new token on the open connection.
    ///
    /// # Errors
    /// [`NotSupported`](twin_core::ErrorKind::NotSupported) over MQTT, which has no way; else as [`Connection::say`].
    pub fn renew(&mut self, token: &SasToken) -> Result<()> {
        match self {
            Connection::Mqtt(_) => Err(Error::new(
                twin_core::ErrorKind::NotSupported,
                "MQTT cannot renew a token on an open connection",
            )),
            Connection::Amqp(connection) => connection.renew(token),
            Connection::Https(connection) => {
                connection.renew(token);
                Ok(())
            }
            Connection::Pooled(connection) => connection.renew(token),
        }
    }

    /// The next thing the hub says. Cancel-safe.
    ///
    /// # Errors
    /// As [`mqtt::Connection::next`] and [`amqp::Connection::next`]; the connection is of no more use then.
    pub async fn next(&mut self) -> Result<Heard> {
        match self {
            Connection::Mqtt(connection) => connection.next().await,
            Connection::Amqp(connection) => connection.next().await,
            Connection::Https(connection) => connection.next().await,
            Connection::Pooled(connection) => connection.next().await,
        }
    }

    /// Says goodbye, within two seconds.
    pub async fn close(self) {
        match self {
            Connection::Mqtt(connection) => connection.close().await,
            Connection::Amqp(connection) => connection.close().await,
            Connection::Https(_) => {}
            Connection::Pooled(connection) => connection.close().await,
        }
    }
}
