//! Who connects where.

use twin_core::{HostName, TwinKey};

/// The port of secure WebSockets.
const WEBSOCKET_PORT: u16 = 443;

/// What carries the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Carrier {
    /// TLS, on the protocol's own port: 8883 for MQTT, 5671 for AMQP.
    #[default]
    Tls,
    /// A secure WebSocket, port 443.
    WebSocket,
}

/// Which device connects to which hub.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Endpoint {
    /// The hub. An explicit port counts for every carrier.
    pub hub: HostName,
    /// The gateway to connect to instead; user names and tokens still name the hub. Default: none.
    pub gateway: Option<HostName>,
    /// The device or module.
    pub key: TwinKey,
    /// What carries the packets. Default: TLS.
    pub carrier: Carrier,
    /// Who made the client: MQTT's `DeviceClientType`, AMQP's client version. Default: none.
    pub product_info: Option<String>,
    /// The model that the device announces. Default: none.
    pub model_id: Option<String>,
}

impl Endpoint {
    /// `key` at `hub`, everything else as by default.
    pub fn new(hub: HostName, key: TwinKey) -> Self {
        Endpoint { hub, gateway: None, key, carrier: Carrier::default(), product_info: None, model_id: None }
    }

    /// The name to dial and to find in the certificate.
    pub(crate) fn host(&self) -> &HostName {
        self.gateway.as_ref().unwrap_or(&self.hub)
    }

    /// The port to dial; `tls` is the protocol's own.
    pub(crate) fn port(&self, tls: u16) -> u16 {
        self.host().port().unwrap_or(match self.carrier {
            Carrier::Tls => tls,
            Carrier::WebSocket => WEBSOCKET_PORT,
        })
    }
}
