//! Device and module identities as the registry keeps and prints them.
//!
//! Sources: IoT Hub developer guide, "Understand the identity registry"; the service's OpenAPI description; what the
//! Node, Python and .NET SDKs send. Read generously, printed exactly: the Node SDK sends a new device with its
//! own defaults (`"connectionState": "disconnected"`, `"cloudToDeviceMessageCount": "0"`, null times and key slots).

mod authentication;
mod members;

use std::fmt;

use serde_json::{Value, json};

pub use authentication::Authentication;
use members::{Members, refused, wrong};

use crate::auth::{Credential, DeviceConnectionString};
use crate::twin::Object;
use crate::{DeviceId, ETag, HostName, ModuleId, Timestamp, TwinKey, error::Result};

/// Longest `statusReason`, in characters.
pub const MAX_STATUS_REASON_CHARS: usize = 128;

/// May the device connect?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Status {
    /// `enabled`
    #[default]
    Enabled,
    /// `disabled`
    Disabled,
}

impl Status {
    /// `enabled` or `disabled`
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Enabled => "enabled",
            Status::Disabled => "disabled",
        }
    }
}

/// A device or module identity. `Debug` shows no key.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// `deviceId`
    pub device_id: DeviceId,
    /// `moduleId`, for modules
    pub module_id: Option<ModuleId>,
    /// `generationId`; tells a device from an earlier one of the same id
    pub generation_id: String,
    /// `etag` (the twin document calls it `deviceEtag`)
    pub etag: Option<ETag>,
    /// `status`; modules have none and count as enabled
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
    /// Members not named here, as received; unknown ones inside `capabilities` and `authentication` under those names
    pub extra: Object,
}

impl Identity {
    /// An enabled identity whose keys the hub shall make.
    pub fn new(key: TwinKey) -> Self {
        Identity {
            device_id: key.device,
            module_id: key.module,
            generation_id: String::new(),
            etag: None,
            status: Status::Enabled,
            status_reason: None,
            status_updated_time: Timestamp::NEVER,
            connected: false,
            connection_state_updated_time: Timestamp::NEVER,
            last_activity_time: Timestamp::NEVER,
            cloud_to_device_message_count: 0,
            authentication: None,
            edge: false,
            managed_by: None,
            device_scope: None,
            parent_scopes: Vec::new(),
            extra: Object::new(),
        }
    }

    /// The key of this identity and its twin.
    pub fn key(&self) -> TwinKey {
        TwinKey { device: self.device_id.clone(), module: self.module_id.clone() }
    }

    /// What a device or module connects with: its primary key, or `x509=true`. `None` when there is nothing to connect
    /// with: no keys yet, or no authentication. The connection string's `expose` gives the text.
    ///
    /// ```
    /// use twin_core::identity::{Authentication, Identity};
    /// use twin_core::{HostName, TwinKey};
    /// let mut identity = Identity::new(TwinKey::device("meter")?);
    /// let host = HostName::new("localhost")?;
    /// assert!(identity.connection_string(&host).is_none());
    /// identity.authentication = Some(Authentication::CertificateAuthority);
    /// let connection_string = identity.connection_string(&host).expect("a certificate is enough");
    /// assert_eq!(*connection_string.expose(), "HostName=localhost;DeviceId=meter;x509=true");
    /// # Ok::<(), twin_core::Error>(())
    /// ```
    pub fn connection_string(&self, host: &HostName) -> Option<DeviceConnectionString> {
        let credential = match self.authentication.as_ref()? {
            Authentication::Sas { primary, .. } => Credential::Key { key: primary.clone(), policy: None },
            Authentication::SelfSigned { .. } | Authentication::CertificateAuthority => {
                Credential::Certificate
            }
            Authentication::None => return None,
        };
        Some(DeviceConnectionString { host: host.clone(), key: self.key(), credential, gateway: None })
    }

    /// Parses a request body or an answer; names the member that is wrong, never echoing a key.
    ///
    /// `authentication.type` may be missing: thumbprints then mean `selfSigned`, keys `sas` (as the Node SDK infers).
    /// Null or empty key slots mean that the hub makes keys; one key without the other is refused, as the .NET SDK
    /// does. A null anywhere counts as absent.
    pub fn from_json(value: Value) -> Result<Identity> {
        let Value::Object(members) = value else {
            return Err(wrong("identity", "an object"));
        };
        let mut from = Members::root(members);
        let device = DeviceId::new(from.text("deviceId")?.ok_or_else(|| wrong("deviceId", "there"))?)
            .map_err(refused("deviceId"))?;
        let module = from.text("moduleId")?.filter(|id| !id.is_empty());
        let module = module.map(ModuleId::new).transpose().map_err(refused("moduleId"))?;
        let mut identity = Identity::new(TwinKey { device, module });
        identity.generation_id = from.text("generationId")?.unwrap_or_default();
        identity.etag = from.text("etag")?.filter(|etag| !etag.is_empty()).map(ETag::new);
        identity.status = match from.text("status")? {
            None => Status::Enabled,
            Some(text) if text.eq_ignore_ascii_case("enabled") => Status::Enabled,
            Some(text) if text.eq_ignore_ascii_case("disabled") => Status::Disabled,
            Some(_) => return Err(wrong("status", "'enabled' or 'disabled'")),
        };
        identity.status_reason = from.text("statusReason")?;
        if identity.status_reason.as_ref().is_some_and(|r| r.chars().count() > MAX_STATUS_REASON_CHARS) {
            return Err(wrong("statusReason", "at most 128 characters long"));
        }
        identity.status_updated_time = from.time("statusUpdatedTime")?;
        identity.connected =
            from.text("connectionState")?.is_some_and(|state| state.eq_ignore_ascii_case("connected"));
        identity.connection_state_updated_time = from.time("connectionStateUpdatedTime")?;
        identity.last_activity_time = from.time("lastActivityTime")?;
        identity.cloud_to_device_message_count = from.count("cloudToDeviceMessageCount")?;
        identity.managed_by = from.text("managedBy")?;
        identity.device_scope = from.text("deviceScope")?;
        identity.parent_scopes = from.texts("parentScopes")?;
        if let Some(mut authentication) = from.object("authentication", "authentication")? {
            identity.authentication = authentication::read(&mut authentication)?;
            from.put_back("authentication", authentication);
        }
        if let Some(mut capabilities) = from.object("capabilities", "capabilities")? {
            identity.edge = capabilities.boolean("iotEdge")?;
            from.put_back("capabilities", capabilities);
        }
        identity.extra = from.rest();
        Ok(identity)
    }

    /// As the REST interface prints it, keys included: handle the result as a secret.
    pub fn to_json(&self) -> Value {
        let mut body = self.extra.clone();
        let authentication =
            authentication::print(self.authentication.as_ref(), body.remove("authentication"));
        let mut put = |name: &str, value: Value| body.insert(name.into(), value);
        put("deviceId", json!(self.device_id.as_str()));
        put("generationId", json!(self.generation_id));
        put("etag", json!(self.etag.as_ref().map(ETag::as_str)));
        put("connectionState", json!(if self.connected { "Connected" } else { "Disconnected" }));
        put("connectionStateUpdatedTime", json!(self.connection_state_updated_time));
        put("lastActivityTime", json!(self.last_activity_time));
        put("cloudToDeviceMessageCount", json!(self.cloud_to_device_message_count));
        put("authentication", authentication);
        if let Some(module) = &self.module_id {
            put("moduleId", json!(module.as_str()));
            put("managedBy", json!(self.managed_by));
            return Value::Object(body);
        }
        put("status", json!(self.status.as_str()));
        put("statusReason", json!(self.status_reason));
        put("statusUpdatedTime", json!(self.status_updated_time));
        if let Some(scope) = &self.device_scope {
            put("deviceScope", json!(scope));
        }
        if !self.parent_scopes.is_empty() {
            put("parentScopes", json!(self.parent_scopes));
        }
        let capabilities = body.entry("capabilities").or_insert_with(|| Value::Object(Object::new()));
        if let Value::Object(capabilities) = capabilities {
            capabilities.insert("iotEdge".into(), json!(self.edge));
        }
        Value::Object(body)
    }
}

impl fmt::Debug for Identity {
    /// Everything but keys; of unknown members only the names, since who knows what is in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("key", &format_args!("{}", self.key()))
            .field("generation_id", &self.generation_id)
            .field("etag", &self.etag)
            .field("status", &self.status)
            .field("status_reason", &self.status_reason)
            .field("connected", &self.connected)
            .field("last_activity_time", &self.last_activity_time)
            .field("authentication", &self.authentication)
            .field("edge", &self.edge)
            .field("managed_by", &self.managed_by)
            .field("device_scope", &self.device_scope)
            .field("parent_scopes", &self.parent_scopes)
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
