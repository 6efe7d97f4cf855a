//! Device and module identities as the registry keeps and prints them.
//!
//! Sources: IoT Hub developer guide, "Understand the identity registry"; the service's OpenAPI description; what the
//! Node, Python and .NET SDKs send. Read generously, printed exactly: the Node SDK sends a new device with its
//! own defaults (`"connectionState": "disconnected"`, `"cloudToDeviceMessageCount": "0"`, null times and key slots).

use std::fmt;

use serde_json::{Value, json};

use crate::auth::Key;
use crate::twin::Object;
use crate::{DeviceId, ETag, ModuleId, Timestamp, TwinKey, error::Error, error::Result};

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

/// How an identity proves itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Authentication {
    /// `sas`: either key
    Sas {
        /// `symmetricKey.primaryKey`
        primary: Key,
        /// `symmetricKey.secondaryKey`
        secondary: Key,
    },
    /// `selfSigned`: hex SHA-1 or SHA-256 thumbprints, upper-case without separators
    SelfSigned {
        /// `x509Thumbprint.primaryThumbprint`
        primary: Option<String>,
        /// `x509Thumbprint.secondaryThumbprint`
        secondary: Option<String>,
    },
    /// `certificateAuthority`
    CertificateAuthority,
    /// `none`
    None,
}

impl Authentication {
    /// `sas`, `selfSigned`, `certificateAuthority` or `none`: what `authentication.type` and the twin's
    /// `authenticationType` say.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Authentication::Sas { .. } => "sas",
            Authentication::SelfSigned { .. } => "selfSigned",
            Authentication::CertificateAuthority => "certificateAuthority",
            Authentication::None => "none",
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
    /// Members not named here, as received (at the top level; unknown ones inside `authentication` are dropped)
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

    /// Parses a request body or an answer; names the member that is wrong, never echoing a key.
    ///
    /// `authentication.type` may be missing: thumbprints then mean `selfSigned`, keys `sas` (as the Node SDK infers).
    /// Null or empty key slots mean that the hub makes keys; one key without the other is refused, as the .NET SDK
    /// does. A null anywhere counts as absent.
    pub fn from_json(value: Value) -> Result<Identity> {
        let Value::Object(members) = value else {
            return Err(wrong("identity", "an object"));
        };
        let mut from = Members { path: "", members };
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
        if let Some(authentication) = from.object("authentication", "authentication")? {
            identity.authentication = authentication_from(authentication)?;
        }
        if let Some(mut capabilities) = from.object("capabilities", "capabilities")? {
            identity.edge = capabilities.boolean("iotEdge")?;
            if !capabilities.members.is_empty() {
                from.members.insert("capabilities".into(), Value::Object(capabilities.members));
            }
        }
        identity.extra = from.members;
        Ok(identity)
    }

    /// As the REST interface prints it, keys included: handle the result as a secret.
    pub fn to_json(&self) -> Value {
        let mut body = self.extra.clone();
        let mut put = |name: &str, value: Value| body.insert(name.into(), value);
        put("deviceId", json!(self.device_id.as_str()));
        put("generationId", json!(self.generation_id));
        put("etag", json!(self.etag.as_ref().map(ETag::as_str)));
        put("connectionState", json!(if self.connected { "Connected" } else { "Disconnected" }));
        put("connectionStateUpdatedTime", json!(self.connection_state_updated_time));
        put("lastActivityTime", json!(self.last_activity_time));
        put("cloudToDeviceMessageCount", json!(self.cloud_to_device_message_count));
        put("authentication", authentication_to(self.authentication.as_ref()));
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

fn authentication_from(mut from: Members) -> Result<Option<Authentication>> {
    let kind = from.text("type")?;
    let thumbprints = thumbprints_from(&mut from)?;
    let given = matches!(&thumbprints, (Some(_), _) | (_, Some(_)));
    match kind.as_deref() {
        Some(kind) if kind.eq_ignore_ascii_case("sas") => keys_from(&mut from),
        None if !given => keys_from(&mut from),
        None => Ok(Some(Authentication::SelfSigned { primary: thumbprints.0, secondary: thumbprints.1 })),
        Some(kind) if kind.eq_ignore_ascii_case("selfSigned") => {
            Ok(Some(Authentication::SelfSigned { primary: thumbprints.0, secondary: thumbprints.1 }))
        }
        Some(kind) if kind.eq_ignore_ascii_case("certificateAuthority") => {
            Ok(Some(Authentication::CertificateAuthority))
        }
        Some(kind) if kind.eq_ignore_ascii_case("none") => Ok(Some(Authentication::None)),
        Some(_) => Err(wrong("authentication.type", "'sas', 'selfSigned', 'certificateAuthority' or 'none'")),
    }
}

fn keys_from(from: &mut Members) -> Result<Option<Authentication>> {
    const PATH: &str = "authentication.symmetricKey";
    let Some(mut keys) = from.object("symmetricKey", PATH)? else { return Ok(None) };
    let mut slot = |name: &str| -> Result<Option<Key>> {
        let text = keys.text(name)?.map(zeroize::Zeroizing::new).filter(|text| !text.trim().is_empty());
        text.map(|text| Key::from_base64(&text)).transpose().map_err(refused(&format!("{PATH}.{name}")))
    };
    match (slot("primaryKey")?, slot("secondaryKey")?) {
        (None, None) => Ok(None),
        (Some(primary), Some(secondary)) => Ok(Some(Authentication::Sas { primary, secondary })),
        _ => Err(wrong(PATH, "two keys, or none for the hub to make both")),
    }
}

fn thumbprints_from(from: &mut Members) -> Result<(Option<String>, Option<String>)> {
    const PATH: &str = "authentication.x509Thumbprint";
    let Some(mut both) = from.object("x509Thumbprint", PATH)? else { return Ok((None, None)) };
    let mut slot = |name: &str| -> Result<Option<String>> {
        let text = both.text(name)?.filter(|text| !text.trim().is_empty());
        text.map(|text| thumbprint(&text, &format!("{PATH}.{name}"))).transpose()
    };
    Ok((slot("primaryThumbprint")?, slot("secondaryThumbprint")?))
}

/// 40 (SHA-1) or 64 (SHA-256) hex digits; colons and spaces, which tools print between them, are taken out.
fn thumbprint(text: &str, path: &str) -> Result<String> {
    let hex: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    if matches!(hex.len(), 40 | 64) && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(hex.to_ascii_uppercase())
    } else {
        Err(wrong(path, "a thumbprint of 40 (SHA-1) or 64 (SHA-256) hex digits"))
    }
}

fn authentication_to(authentication: Option<&Authentication>) -> Value {
    let secret = |key: &Key| Value::String(key.expose_base64().to_string());
    let (keys, prints) = match authentication {
        Some(Authentication::Sas { primary, secondary }) => {
            ((secret(primary), secret(secondary)), (None, None))
        }
        Some(Authentication::SelfSigned { primary, secondary }) => {
            ((Value::Null, Value::Null), (primary.as_deref(), secondary.as_deref()))
        }
        _ => ((Value::Null, Value::Null), (None, None)),
    };
    json!({
        "symmetricKey": {"primaryKey": keys.0, "secondaryKey": keys.1},
        "x509Thumbprint": {"primaryThumbprint": prints.0, "secondaryThumbprint": prints.1},
        "type": authentication.map_or("sas", Authentication::type_name),
    })
}

/// Members still to be read, at a place that errors name.
struct Members {
    path: &'static str,
    members: Object,
}

impl Members {
    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn text(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(&self.at(name), "a string")),
        }
    }

    fn texts(&mut self, name: &str) -> Result<Vec<String>> {
        let strings = || wrong(name, "an array of strings");
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(all)) => {
                all.iter().map(|v| v.as_str().map(str::to_owned).ok_or_else(strings)).collect()
            }
            Some(_) => Err(strings()),
        }
    }

    fn time(&mut self, name: &str) -> Result<Timestamp> {
        match self.text(name)? {
            None => Ok(Timestamp::NEVER),
            Some(text) => text.parse().map_err(refused(name)),
        }
    }

    /// A number, or (Node) its text.
    fn count(&mut self, name: &str) -> Result<u32> {
        let number = match self.take(name) {
            None => Some(0),
            Some(Value::String(text)) => text.parse().ok(),
            Some(other) => other.as_u64().and_then(|n| u32::try_from(n).ok()),
        };
        number.ok_or_else(|| wrong(name, "a number from 0 on"))
    }

    fn boolean(&mut self, name: &str) -> Result<bool> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(wrong(&self.at(name), "true or false")),
        }
    }

    fn object(&mut self, name: &str, path: &'static str) -> Result<Option<Members>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Members { path, members })),
            Some(_) => Err(wrong(path, "an object")),
        }
    }
}

fn wrong(path: &str, wanted: &str) -> Error {
    Error::invalid(format!("identity: '{path}' must be {wanted}"))
        .with_code(400_004)
        .with_code_name("ArgumentInvalid")
}

fn refused(path: &str) -> impl Fn(Error) -> Error {
    move |e| {
        e.context(format_args!("identity: '{path}'")).with_code(400_004).with_code_name("ArgumentInvalid")
    }
}

#[cfg(test)]
mod tests;
