//! How many devices there are.

use serde::Deserialize;
use twin_core::Result;
use twin_core::wire::rest::Call;

use crate::registry::Registry;

/// Counts of device identities (modules are not counted). An example is at [`Registry::device_statistics`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct DeviceStatistics {
    /// All devices.
    #[serde(rename = "totalDeviceCount")]
    pub total: u64,
    /// Devices that may connect.
    #[serde(rename = "enabledDeviceCount")]
    pub enabled: u64,
    /// Devices that may not connect.
    #[serde(rename = "disabledDeviceCount")]
    pub disabled: u64,
}

/// Counts of connections. An example is at [`Registry::service_statistics`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ServiceStatistics {
    /// Devices connected now.
    #[serde(rename = "connectedDeviceCount")]
    pub connected_devices: u64,
}

impl Registry {
    /// How many devices there are.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// use twin_service::{Identity, TwinKey};
    /// registry.create(&Identity::new(TwinKey::device("pump")?)).await?;
    /// let count = registry.device_statistics().await?;
    /// assert_eq!((count.total, count.enabled, count.disabled), (1, 1, 0));
    /// # hub.close().await
    /// # }
    /// ```
    pub async fn device_statistics(&self) -> Result<DeviceStatistics> {
        self.call_json(|| "get the device statistics".to_owned(), Call::DeviceStatistics).await
    }

    /// How many devices are connected.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// assert_eq!(registry.service_statistics().await?.connected_devices, 0);
    /// # hub.close().await
    /// # }
    /// ```
    pub async fn service_statistics(&self) -> Result<ServiceStatistics> {
        self.call_json(|| "get the service statistics".to_owned(), Call::ServiceStatistics).await
    }
}
