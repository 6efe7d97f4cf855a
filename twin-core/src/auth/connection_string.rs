//! Connection strings of devices, modules and services (facts 4.4). An error names the part, never the key.
use super::Credential;
use crate::error::Result;
use crate::{HostName, TwinKey};

/// `HostName=…;DeviceId=…[;ModuleId=…];SharedAccessKey=…|SharedAccessSignature=…|x509=true[;GatewayHostName=…]`
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceConnectionString {
    /// The hub.
    pub host: HostName,
    /// The device or module.
    pub key: TwinKey,
    /// How it proves itself.
    pub credential: Credential,
    /// The gateway to connect to instead, if any.
    pub gateway: Option<HostName>,
}

/// `HostName=…;SharedAccessKeyName=…;SharedAccessKey=…` (or `SharedAccessSignature=…`)
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceConnectionString {
    /// The hub.
    pub host: HostName,
    /// How the backend proves itself (`Key` with a policy, or `Token`).
    pub credential: Credential,
}

impl DeviceConnectionString {
    /// Parses; keys are case-insensitive.
    pub fn parse(text: &str) -> Result<Self> {
        todo!()
    }
    /// The text again: a secret.
    pub fn expose(&self) -> zeroize::Zeroizing<String> {
        todo!()
    }
}
impl ServiceConnectionString {
    /// Parses; keys are case-insensitive.
    pub fn parse(text: &str) -> Result<Self> {
        todo!()
    }
    /// The text again: a secret.
    pub fn expose(&self) -> zeroize::Zeroizing<String> {
        todo!()
    }
}
