//! Device and module identities as the registry keeps and prints them (facts 4.5).
use crate::auth::Key;
use crate::twin::Object;
use crate::{DeviceId, ETag, ModuleId, Timestamp, error::Result};
use serde_json::Value;

/// May the device connect?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Status {
    /// `enabled`
    #[default]
    Enabled,
    /// `disabled`
    Disabled,
}

/// How an identity proves itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Authentication {
    /// `sas`: either key
    Sas {
        /** primary key */
        primary: Key,
        /** secondary key */
        secondary: Key,
    },
    /// `selfSigned`: hex SHA-1 or SHA-256 thumbprints, upper-case
    SelfSigned {
        /** primary */
        primary: Option<String>,
        /** secondary */
        secondary: Option<String>,
    },
    /// `certificateAuthority`
    CertificateAuthority,
    /// `none`
    None,
}

/// A device or module identity. Debug shows no key.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// `deviceId`
    pub device_id: DeviceId,
    /// `moduleId`, for modules
    pub module_id: Option<ModuleId>,
    /// `generationId`
    pub generation_id: String,
    /// `etag` (the twin document calls it `deviceEtag`)
    pub etag: Option<ETag>,
    /// `status`
    pub status: Status,
    /// `statusReason`, at most 128 characters
    pub status_reason: Option<String>,
    /// `statusUpdatedTime`
    pub status_updated_time: Timestamp,
    /// `connectionState`
    pub connected: bool,
    /// `connectionStateUpdatedTime`
    pub connection_state_updated_time: Timestamp,
    /// `lastActivityTime`
    pub last_activity_time: Timestamp,
    /// `cloudToDeviceMessageCount`
    pub cloud_to_device_message_count: u32,
    /// `authentication`; `None` in a request means: the hub makes keys
    pub authentication: Option<Authentication>,
    /// `capabilities.iotEdge`
    pub edge: bool,
    /// `managedBy`, for modules
    pub managed_by: Option<String>,
    /// `deviceScope`
    pub device_scope: Option<String>,
    /// `parentScopes`
    pub parent_scopes: Vec<String>,
    /// Members not named here, as received
    pub extra: Object,
}

impl Identity {
    /// An enabled identity whose keys the hub shall make.
    pub fn new(key: crate::TwinKey) -> Self {
        todo!()
    }
    /// The key of this identity and its twin.
    pub fn key(&self) -> crate::TwinKey {
        crate::TwinKey { device: self.device_id.clone(), module: self.module_id.clone() }
    }
    /// Parses a request body or an answer; names the member that is wrong.
    pub fn from_json(value: Value) -> Result<Identity> {
        todo!()
    }
    /// As the REST interface prints it, keys included.
    pub fn to_json(&self) -> Value {
        todo!()
    }
}
