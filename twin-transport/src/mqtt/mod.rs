//! MQTT 3.1.1 to a hub, over TLS or over a WebSocket, speaking twin-core's vocabulary.
//!
//! [`Connector`] knows where to go and how; [`Connection`] is one live connection that its owner drives. Neither is a
//! task: whoever owns the device's session polls [`Connection::next`] beside its other work, and may drop that
//! future at any time without losing anything.
//!
//! Connections ask for a kept session (clean session 0), as every official SDK does: the hub then holds
//! cloud-to-device messages back while the device is away ("Communicate with IoT Hub using MQTT"). The device's
//! session machine subscribes anew all the same, so that nothing depends on what the hub remembers.
//!
//! Telemetry goes with QoS 1; the hub's PUBACK says that it has it. A cloud-to-device message is completed by our PUBACK,
//! which is sent when its owner says so; MQTT cannot reject or abandon one. What was not acknowledged when a connection
//! ends comes again on the next.
//!
//! ```
//! use twin_core::TwinKey;
//! use twin_core::auth::SasToken;
//! use twin_core::wire::{Channel, Heard, Said};
//! use twin_transport::Options;
//! use twin_transport::mqtt::{Connector, Endpoint};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> twin_core::Result<()> {
//! # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
//! # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
//! # let made = registry.create(&twin_service::Identity::new(TwinKey::device("lamp")?)).await?;
//! # let Some(twin_service::Authentication::Sas { primary: key, .. }) = made.authentication else { unreachable!() };
//! let mut options = Options::default();
//! options.extra_ca_pem.push(hub.ca_pem().into());
//! let connector = Connector::new(Endpoint::new(hub.host_name().parse()?, TwinKey::device("lamp")?), &options)?;
//!
//! let resource = format!("{}/devices/lamp", hub.host_name());
//! let token = SasToken::sign(&resource, &key, None, "2099-01-01T00:00:00Z".parse()?);
//! let (mut connection, _session_present) = connector.connect(Some(&token)).await?;
//! connection.say(&Said::Subscribe(Channel::TwinAnswers))?;
//! assert_eq!(connection.next().await?, Heard::Subscribed { channel: Channel::TwinAnswers, granted: true });
//! connection.close().await;
//! # hub.close().await
//! # }
//! ```

mod connection;
mod keep_alive;
mod post;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{Connect, ConnectReturnCode, Login, Packet};
use rustls::ClientConfig;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};
use twin_core::auth::SasToken;
use twin_core::wire::{ApiVersion, mqtt as grammar};
use twin_core::{Error, ErrorKind, HostName, Result};
use zeroize::Zeroize;

pub use connection::Connection;
pub(crate) use connection::{Io, lost};

pub use crate::endpoint::{Carrier, Endpoint};
use crate::{Options, Proxy, dial, tls, ws};

/// Makes connections of one device. Cheap to clone.
#[derive(Clone)]
pub struct Connector(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    tls: Arc<ClientConfig>,
    proxy: Proxy,
    connect_timeout: Duration,
    keep_alive: Duration,
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
        options.validate()?;
        Ok(Connector(Arc::new(Inner {
            endpoint,
            tls: tls::client_config(options)?,
            proxy: options.proxy.clone(),
            connect_timeout: options.connect_timeout,
            keep_alive: options.keep_alive,
        })))
    }

    /// Dials, shakes hands and logs in with `token` (`None`: the client certificate does), all within the connect
    /// timeout. Also says whether the hub remembers a session of this device.
    ///
    /// # Errors
    /// [`Network`](ErrorKind::Network), [`Timeout`](ErrorKind::Timeout) and [`Unavailable`](ErrorKind::Unavailable)
    /// pass; [`Tls`](ErrorKind::Tls), [`Unauthorized`](ErrorKind::Unauthorized) stay until somebody changes
    /// something; [`Protocol`](ErrorKind::Protocol): the other side is no hub.
    pub async fn connect(&self, token: Option<&SasToken>) -> Result<(Connection, bool)> {
        let deadline = Instant::now() + self.0.connect_timeout;
        let (host, port) = (self.host(), self.port());
        let late = |doing: &str| {
            let limit = self.0.connect_timeout;
            Error::new(
                ErrorKind::Timeout,
                format!("{doing} '{host}' on port {port} took longer than {limit:?}"),
            )
        };
        let io = timeout_at(deadline, self.open()).await.map_err(|_| late("reaching"))??;
        timeout_at(deadline, self.log_in(io, token)).await.map_err(|_| late("logging in at"))?
    }

    fn host(&self) -> &HostName {
        self.0.endpoint.host()
    }

    fn port(&self) -> u16 {
        self.0.endpoint.port(grammar::PORT)
    }

    async fn open(&self) -> Result<Box<dyn Io>> {
        let host = self.host();
        let stream = dial::tls(host.host(), self.port(), self.0.tls.clone(), &self.0.proxy).await?;
        Ok(match self.0.endpoint.carrier {
            Carrier::Tls => Box::new(stream),
            Carrier::WebSocket => Box::new(
                ws::upgrade(stream, host, grammar::WEBSOCKET_PATH, grammar::WEBSOCKET_PROTOCOL).await?,
            ),
        })
    }

    async fn log_in(&self, mut io: Box<dyn Io>, token: Option<&SasToken>) -> Result<(Connection, bool)> {
        let host = self.host();
        let mut bytes = self.connect_packet(token)?;
        let sent = async {
            io.write_all(&bytes).await?;
            io.flush().await
        };
        let sent = sent.await;
        bytes.zeroize();
        let mut connection =
            Connection::new(io, host.clone(), self.0.endpoint.key.clone(), self.0.keep_alive);
        if let Err(e) = sent {
            return Err(reason(connection, connection::lost(&e, host)).await);
        }
        match connection.next_packet().await? {
            Packet::ConnAck(answer) => match refusal(answer.code, host) {
                None => Ok((connection, answer.session_present)),
                Some(error) => Err(error),
            },
            _ => {
                Err(Error::new(ErrorKind::Protocol, format!("'{host}' did not answer CONNECT with CONNACK")))
            }
        }
    }

    fn connect_packet(&self, token: Option<&SasToken>) -> Result<BytesMut> {
        let endpoint = &self.0.endpoint;
        let username = grammar::say_login(&grammar::Login {
            host: endpoint.hub.to_string(),
            key: endpoint.key.clone(),
            api_version: Some(ApiVersion::OURS),
            product_info: endpoint.product_info.clone(),
            model_id: endpoint.model_id.clone(),
        });
        let password = token.map(|t| t.expose().to_string()).unwrap_or_default();
        for (what, text) in
            [("user name (product info and model id are in it)", &username), ("token", &password)]
        {
            if text.len() > usize::from(u16::MAX) {
                return Err(Error::invalid(format!("the {what} is over MQTT's 65,535 bytes")));
            }
        }
        let mut bytes = BytesMut::new();
        let mut connect = Connect {
            protocol: rumqttc::mqttbytes::Protocol::V4,
            keep_alive: self.0.keep_alive.as_secs().try_into().unwrap_or(u16::MAX),
            client_id: grammar::say_client_id(&endpoint.key),
            clean_session: false,
            last_will: None,
            login: Some(Login { username, password }),
        };
        let written = connect.write(&mut bytes);
        if let Some(login) = &mut connect.login {
            login.password.zeroize();
        }
        written.map_err(|e| Error::new(ErrorKind::Internal, format!("CONNECT cannot be written: {e}")))?;
        Ok(bytes)
    }
}

/// Why a connection broke while we were writing: a hub that refuses a client certificate says so in a TLS alert, which
/// comes after the handshake (TLS 1.3) and is found only by reading. The kernel may have thrown it away together with the
/// connection; then this looks like any lost connection, and the next attempt tells.
async fn reason(mut connection: Connection, error: Error) -> Error {
    match connection.next_packet().await {
        Err(alert) if matches!(alert.kind(), ErrorKind::Unauthorized | ErrorKind::Tls) => alert,
        _ => error,
    }
}

/// What a CONNACK code means (MQTT 3.1.1 table 3.1; IoT Hub uses 5 for every failed authentication, 3 when it is
/// overloaded).
fn refusal(code: ConnectReturnCode, host: &HostName) -> Option<Error> {
    use ConnectReturnCode as C;
    let (kind, number, why) = match code {
        C::Success => return None,
        C::RefusedProtocolVersion => (ErrorKind::Protocol, 1, "it does not speak MQTT 3.1.1"),
        C::BadClientId => (ErrorKind::Unauthorized, 2, "it knows no such device id, or does not let it in"),
        C::ServiceUnavailable => (ErrorKind::Unavailable, 3, "it cannot serve now"),
        C::BadUserNamePassword => (ErrorKind::Unauthorized, 4, "user name or token are wrong"),
        C::NotAuthorized => (
            ErrorKind::Unauthorized,
            5,
            "unknown or disabled device, wrong key or certificate, or expired token (is this machine's clock right?)",
        ),
    };
    Some(Error::new(kind, format!("'{host}' refused the connection: {why} (CONNACK {number})")))
}
