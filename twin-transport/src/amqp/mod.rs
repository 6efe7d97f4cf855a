//! AMQP 1.0 to a hub, over TLS or over a WebSocket, speaking twin-core's vocabulary.
//!
//! [`Connector`] makes connections of one device, each a [`Connection`] that its owner drives, as in
//! [`mqtt`](crate::mqtt). A [`Pool`] carries many devices over few connections; each of them has a
//! [`PooledConnection`] that looks the same.
//!
//! The protocol engine is our own and small (`value`, `frame`, `message`, `peer`: bytes in, bytes out): a
//! device's client needs two links for tokens and two for its twin, no tasks and no channels. `talk` knows what hubs do
//! with them.
//!
//! Choices where IoT Hub leaves one:
//! - No SASL layer, as the Node SDK: the connection begins with AMQP's own header, and tokens follow by CBS.
//! - A device with a certificate puts no token. Its twin links are attached while connecting, because only then does the
//!   hub look at who it is.
//! - Tokens are renewed on the open connection.
//! - Everything up to the first link is said at once, without waiting for the hub's answers, as AMQP allows.
//! - Telemetry is sent unsettled, and done when the hub accepts it. A message from the cloud is settled when its owner
//!   says so (accepted, rejected or released), as it leaves: the hub is not asked to confirm, and delivers again what it
//!   did not hear of.
//! - [`Options::keep_alive`] is the longest silence that the hub is asked to keep.

mod frame;
mod line;
mod mail;
mod message;
mod peer;
mod pool;
mod settle;
mod talk;
mod value;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::time::{Instant, timeout_at};
use twin_core::auth::SasToken;
use twin_core::wire::{Heard, Said, amqp as grammar, mqtt};
use twin_core::{Error, ErrorKind, HostName, Result, TwinKey};

use line::Line;
use peer::Peer;
use talk::{News, Slot, Talk};

pub use pool::{MAX_DEVICES_PER_CONNECTION, Pool, PooledConnection};

use crate::mqtt::Io;
use crate::{Carrier, Endpoint, Options, Proxy, dial, tls, ws};

/// Makes connections of one device. Cheap to clone.
#[derive(Clone)]
pub struct Connector(Arc<Dialer>);

/// Where to go, and how.
struct Dialer {
    endpoint: Arc<Endpoint>,
    tls: Arc<ClientConfig>,
    proxy: Proxy,
    connect_timeout: Duration,
    idle: Duration,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("endpoint", &self.0.endpoint).finish_non_exhaustive()
    }
}

impl Connector {
    /// Checks the options and reads the trust store (shared with everybody who has the same trust options).
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) that names the option.
    pub fn new(endpoint: Endpoint, options: &Options) -> Result<Connector> {
        Ok(Connector(Arc::new(Dialer::new(endpoint, options)?)))
    }

    /// Dials, shakes hands and gives the hub `token` (`None`: the client certificate does, and the twin links are
    /// attached to see whether it is let in), all within the connect timeout.
    ///
    /// # Errors
    /// [`Network`](ErrorKind::Network), [`Timeout`](ErrorKind::Timeout) and [`Unavailable`](ErrorKind::Unavailable)
    /// pass; [`Tls`](ErrorKind::Tls), [`Unauthorized`](ErrorKind::Unauthorized), [`NotFound`](ErrorKind::NotFound)
    /// stay until somebody changes something; [`Protocol`](ErrorKind::Protocol): the other side is no hub.
    pub async fn connect(&self, token: Option<&SasToken>) -> Result<Connection> {
        let deadline = Instant::now() + self.0.connect_timeout;
        let mut line = timeout_at(deadline, self.0.dial()).await.map_err(|_| self.0.late("reaching"))??;
        line.talk.join(SLOT, self.0.endpoint.clone(), token)?;
        let joining = async {
            loop {
                match line.next().await? {
                    (_, News::Up) => return Ok(()),
                    (_, News::Down(error)) => return Err(error),
                    (_, News::Heard(_)) => {}
                }
            }
        };
        timeout_at(deadline, joining).await.map_err(|_| self.0.late("logging in at"))??;
        Ok(Connection { line })
    }
}

/// The one device of a connection of its own.
const SLOT: Slot = Slot(0);

impl Dialer {
    fn new(endpoint: Endpoint, options: &Options) -> Result<Dialer> {
        options.validate()?;
        Ok(Dialer {
            endpoint: Arc::new(endpoint),
            tls: tls::client_config(options)?,
            proxy: options.proxy.clone(),
            connect_timeout: options.connect_timeout,
            idle: options.keep_alive,
        })
    }

    fn port(&self) -> u16 {
        self.endpoint.port(grammar::PORT)
    }

    fn late(&self, doing: &str) -> Error {
        let (host, port, limit) = (self.endpoint.host(), self.port(), self.connect_timeout);
        Error::new(ErrorKind::Timeout, format!("{doing} '{host}' on port {port} took longer than {limit:?}"))
    }

    /// A connection without anybody on it. Nothing has been said yet; the first poll does.
    async fn dial(&self) -> Result<Line> {
        let host = self.endpoint.host();
        let stream = dial::tls(host.host(), self.port(), self.tls.clone(), &self.proxy).await?;
        let io: Box<dyn Io> = match self.endpoint.carrier {
            Carrier::Tls => Box::new(stream),
            Carrier::WebSocket => {
                Box::new(ws::upgrade(stream, host, mqtt::WEBSOCKET_PATH, grammar::WEBSOCKET_PROTOCOL).await?)
            }
        };
        let mut random = [0; 8];
        self.tls
            .crypto_provider()
            .secure_random
            .fill(&mut random)
            .map_err(|_| Error::new(ErrorKind::Internal, "the system gives no random numbers"))?;
        let name = format!("twin-{:016x}", u64::from_be_bytes(random));
        let peer = Peer::new(host.clone(), &name, self.idle);
        Ok(Line::new(io, host.clone(), Talk::new(peer, host.clone(), name), self.idle))
    }
}

/// What a device makes of these bytes from a hub, `piece` of them at a time: how many things it heard, and how it ended.
/// Without network; for fuzzing.
#[doc(hidden)]
pub fn hear(said: &[u8], piece: usize) -> (usize, Result<()>) {
    let listen = |heard: &mut usize| {
        let endpoint = Endpoint::new(HostName::new("h")?, TwinKey::device("d")?);
        let host = endpoint.hub.clone();
        let mut talk = Talk::new(Peer::new(host.clone(), "c", Duration::from_secs(60)), host, "c".into());
        talk.join(SLOT, Arc::new(endpoint), None)?;
        talk.say(SLOT, &Said::Subscribe(twin_core::wire::Channel::Desired))?;
        let mut inbox = bytes::BytesMut::new();
        for piece in said.chunks(piece.max(1)) {
            inbox.extend_from_slice(piece);
            while let Some((_, news)) = talk.next(&mut inbox)? {
                *heard += 1;
                if let News::Up = news {
                    talk.say(SLOT, &Said::GetTwin { rid: twin_core::wire::Rid("1".into()) })?;
                }
            }
            // What is said goes out.
            talk.peer.outbox.clear();
        }
        Ok(())
    };
    let mut heard = 0;
    let ended = listen(&mut heard);
    (heard, ended)
}

/// One live AMQP connection of one device. It does nothing unless [`Connection::next`] is polled; it ends when dropped,
/// without a word, or by [`Connection::close`].
pub struct Connection {
    line: Line,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// Puts something into the outbox; [`Connection::next`] sends it.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge) if IoT Hub cannot take it, [`Network`](ErrorKind::Network) if the hub stopped
    /// reading. The connection is of no more use then.
    pub fn say(&mut self, said: &Said) -> Result<()> {
        self.line.talk.say(SLOT, said)
    }

    /// Gives the hub a new token; [`Connection::next`] sends it. A refusal ends the connection.
    ///
    /// # Errors
    /// As [`Connection::say`].
    pub fn renew(&mut self, token: &SasToken) -> Result<()> {
        self.line.talk.renew(SLOT, token)
    }

    /// Sends what waits, keeps the connection alive, and returns the next thing the hub says. Cancel-safe.
    ///
    /// # Errors
    /// [`Network`](ErrorKind::Network) when the connection is gone, [`Timeout`](ErrorKind::Timeout) when the hub gave no
    /// sign of life, what the hub's error condition means when it ended the connection or a link. The connection is of
    /// no more use then.
    pub async fn next(&mut self) -> Result<Heard> {
        loop {
            match self.line.next().await? {
                (_, News::Heard(heard)) => return Ok(heard),
                (_, News::Down(error)) => return Err(error),
                (_, News::Up) => {}
            }
        }
    }

    /// Says goodbye, within two seconds. What waits in the outbox is sent first.
    pub async fn close(self) {
        self.line.close().await;
    }
}

#[cfg(test)]
mod tests;
