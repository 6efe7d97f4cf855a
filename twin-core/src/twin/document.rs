//! The twin documents: what the backend reads, what the device reads.
use super::{ETag, Object};
use crate::{DeviceId, ModuleId, Timestamp, error::Result};
use serde_json::Value;

/// One of `properties.desired` / `properties.reported` in a document: members, `$version`, `$metadata` split apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties {
    /// Members, without `$` ones.
    pub value: Object,
    /// `$version`
    pub version: u64,
    /// `$metadata` as received, empty in a device's view.
    pub metadata: Object,
}

/// A section in the device's view.
pub type DeviceSection = Properties;

/// The twin as the device reads it (facts 1.7): `{"desired":{…,"$version":n},"reported":{…,"$version":m}}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceTwin {
    /// What the backend wants.
    pub desired: DeviceSection,
    /// What the device said.
    pub reported: DeviceSection,
}

impl DeviceTwin {
    /// Parses the hub's GET answer.
    pub fn from_json(json: &[u8]) -> Result<DeviceTwin> {
        todo!()
    }
    /// The hub's GET answer.
    pub fn to_json(&self) -> Value {
        todo!()
    }
}

/// The twin as the backend reads it (facts 1.1). Members a hub sends that are not named here survive in `extra`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Twin {
    /// `deviceId`
    pub device_id: DeviceId,
    /// `moduleId`, for module twins
    pub module_id: Option<ModuleId>,
    /// `etag` of the twin
    pub etag: ETag,
    /// `version`
    pub version: u64,
    /// `tags`
    pub tags: Object,
    /// `properties.desired`
    pub desired: Properties,
    /// `properties.reported`
    pub reported: Properties,
    /// `deviceEtag`, `status`, `statusReason`, `statusUpdateTime`, `connectionState`, `lastActivityTime`,
    /// `cloudToDeviceMessageCount`, `authenticationType`, `x509Thumbprint`, `modelId`, `capabilities`, `deviceScope`,
    /// `parentScopes`, `configurations`, …: as received, with typed accessors below.
    pub extra: Object,
}

impl Twin {
    /// Parses the service's document.
    pub fn from_json(value: Value) -> Result<Twin> {
        todo!()
    }
    /// The service's document again.
    pub fn to_json(&self) -> Value {
        todo!()
    }
    /// `status`: `enabled` or `disabled`
    pub fn status(&self) -> Option<&str> {
        self.extra.get("status")?.as_str()
    }
    /// `connectionState`: `Connected` or `Disconnected`
    pub fn connection_state(&self) -> Option<&str> {
        self.extra.get("connectionState")?.as_str()
    }
    /// `lastActivityTime`
    pub fn last_activity_time(&self) -> Option<Timestamp> {
        self.extra.get("lastActivityTime")?.as_str()?.parse().ok()
    }
}
