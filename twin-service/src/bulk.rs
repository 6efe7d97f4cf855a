//! Up to 100 identities in one request, with a result for each.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use twin_core::identity::Identity;
use twin_core::wire::HubCode;
use twin_core::wire::rest::Call;
use twin_core::wire::status::kind_of;
use twin_core::{Delivery, Error, ErrorKind, Result, TwinKey};

use crate::registry::Registry;

/// Most identities in one bulk request (IoT Hub quotas). More is an error: no request is split in silence, because
/// its parts could fail apart.
pub const MAX_BULK_ITEMS: usize = 100;

/// Under which condition a bulk request writes. There is no default: whoever overwrites blindly says so. Examples are at
/// [`Registry::update_many`] and [`Registry::delete_many`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkIfMatch {
    /// Each identity only if the hub's still has the same etag; each must have one.
    ETags,
    /// Whatever state the identities are in.
    Force,
}

/// What became of each identity of a bulk request. An example is at [`Registry::create_many`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BulkResult {
    /// One for each identity given, in that order.
    pub items: Vec<BulkItem>,
    /// What the hub remarks, as text.
    pub warnings: Vec<String>,
}

/// What became of one identity of a bulk request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BulkItem {
    /// Which one.
    pub key: TwinKey,
    /// `Ok`, or why the hub did not do it.
    pub result: Result<()>,
}

impl BulkResult {
    /// Whether all of it was done.
    pub fn is_ok(&self) -> bool {
        self.items.iter().all(|item| item.result.is_ok())
    }

    /// The identities that it was not done for, and why.
    pub fn failures(&self) -> impl Iterator<Item = (&TwinKey, &Error)> {
        self.items.iter().filter_map(|item| Some((&item.key, item.result.as_ref().err()?)))
    }
}

impl Registry {
    /// Creates up to [`MAX_BULK_ITEMS`] identities.
    ///
    /// `Ok` says that the hub looked at them; [`BulkResult`] says what became of each. A bulk request without an
    /// answer is not made again: the error then has [`Delivery::Unknown`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// use twin_service::{Identity, TwinKey};
    /// let new = |id: &str| TwinKey::device(id).map(Identity::new);
    /// registry.create(&new("b")?).await?;
    /// let done = registry.create_many(&[new("a")?, new("b")?]).await?;
    /// let failed: Vec<_> = done.failures().map(|(key, error)| (key.to_string(), error.code())).collect();
    /// assert_eq!(failed, [("b".to_owned(), Some(409001))]);
    /// # hub.close().await
    /// # }
    /// ```
    pub async fn create_many(&self, identities: &[Identity]) -> Result<BulkResult> {
        self.bulk("create", identities, Mode::Create).await
    }

    /// Writes up to [`MAX_BULK_ITEMS`] identities that exist; see [`Registry::create_many`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// use twin_service::{BulkIfMatch, Identity, Status, TwinKey};
    /// let mut pump = registry.create(&Identity::new(TwinKey::device("pump")?)).await?;
    /// pump.status = Status::Disabled;
    /// assert!(registry.update_many(&[pump], BulkIfMatch::Force).await?.is_ok());
    /// # hub.close().await
    /// # }
    /// ```
    pub async fn update_many(&self, identities: &[Identity], if_match: BulkIfMatch) -> Result<BulkResult> {
        let mode = match if_match {
            BulkIfMatch::ETags => Mode::UpdateIfMatch,
            BulkIfMatch::Force => Mode::Update,
        };
        self.bulk("update", identities, mode).await
    }

    /// Deletes up to [`MAX_BULK_ITEMS`] identities; see [`Registry::create_many`] and [`Registry::update_many`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// use twin_service::{BulkIfMatch, Identity, TwinKey};
    /// let pump = registry.create(&Identity::new(TwinKey::device("pump")?)).await?;
    /// assert!(registry.delete_many(&[pump], BulkIfMatch::ETags).await?.is_ok());
    /// # hub.close().await
    /// # }
    /// ```
    pub async fn delete_many(&self, identities: &[Identity], if_match: BulkIfMatch) -> Result<BulkResult> {
        let mode = match if_match {
            BulkIfMatch::ETags => Mode::DeleteIfMatch,
            BulkIfMatch::Force => Mode::Delete,
        };
        self.bulk("delete", identities, mode).await
    }

    async fn bulk(&self, verb: &str, identities: &[Identity], mode: Mode) -> Result<BulkResult> {
        let what = || format!("{verb} {} identities", identities.len());
        let body = request(identities, mode).map_err(|e| e.context(what()))?;
        let answer: Answer = self.call_json(what, Call::Bulk { body }).await?;
        Ok(assign(identities, answer))
    }
}

/// `importMode` (IoT Hub REST reference, ExportImportDevice).
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Create,
    Update,
    UpdateIfMatch,
    Delete,
    DeleteIfMatch,
}

impl Mode {
    fn say(self) -> &'static str {
        match self {
            Mode::Create => "create",
            Mode::Update => "update",
            Mode::UpdateIfMatch => "updateIfMatchETag",
            Mode::Delete => "delete",
            Mode::DeleteIfMatch => "deleteIfMatchETag",
        }
    }
}

fn request(identities: &[Identity], mode: Mode) -> Result<Bytes> {
    if identities.is_empty() {
        return Err(Error::invalid("no identity is given"));
    }
    if identities.len() > MAX_BULK_ITEMS {
        return Err(Error::invalid(format!(
            "a bulk request has at most {MAX_BULK_ITEMS}; split it into several"
        )));
    }
    let guarded = matches!(mode, Mode::UpdateIfMatch | Mode::DeleteIfMatch);
    let item = |identity: &Identity| {
        if guarded && identity.etag.is_none() {
            return Err(Error::invalid(format!("'{}' has no etag to compare", identity.key())));
        }
        Ok(item(identity, mode))
    };
    let items = identities.iter().map(item).collect::<Result<Vec<Value>>>()?;
    Ok(Bytes::from(Value::Array(items).to_string()))
}

/// An identity as a bulk request spells it: `id` for `deviceId`, `eTag` for `etag`.
fn item(identity: &Identity, mode: Mode) -> Value {
    let full = identity.to_json();
    let mut item = json!({ "id": identity.device_id.as_str(), "importMode": mode.say() });
    let mut copy = |from: &str, to: &str| {
        if let Some(value) = full.get(from).filter(|v| !v.is_null()) {
            item[to] = value.clone();
        }
    };
    copy("moduleId", "moduleId");
    copy("etag", "eTag");
    if !matches!(mode, Mode::Delete | Mode::DeleteIfMatch) {
        for name in [
            "status",
            "statusReason",
            "authentication",
            "capabilities",
            "deviceScope",
            "parentScopes",
            "managedBy",
        ] {
            copy(name, name);
        }
    }
    item
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    is_successful: bool,
    #[serde(default)]
    errors: Vec<ItemError>,
    #[serde(default)]
    warnings: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemError {
    #[serde(default)]
    device_id: String,
    module_id: Option<String>,
    /// a number or a name, depending on the service's version
    #[serde(default)]
    error_code: Value,
    #[serde(default)]
    error_status: Value,
}

impl ItemError {
    fn is_about(&self, key: &TwinKey) -> bool {
        let module = self.module_id.as_deref().filter(|m| !m.is_empty());
        self.device_id == key.device.as_str() && module == key.module.as_ref().map(|m| m.as_str())
    }

    fn to_error(&self, key: &TwinKey) -> Error {
        let number = self.error_code.as_u64().and_then(|n| u32::try_from(n).ok());
        let name = self.error_code.as_str();
        let row = number.and_then(HubCode::by_number).or_else(|| HubCode::by_name(name?));
        let text = self.error_status.as_str().unwrap_or("the hub says no more");
        let kind = row.map_or(ErrorKind::Rejected, |row| kind_of(row.status));
        let mut error = Error::new(kind, format!("'{key}': {text}")).with_delivery(Delivery::Refused);
        if let Some(row) = row {
            error = error.with_status(row.status);
        }
        if let Some(code) = number.or(row.map(|row| row.number)) {
            error = error.with_code(code);
        }
        match name.or(row.map(|row| row.name)) {
            Some(name) => error.with_code_name(name),
            None => error,
        }
    }
}

/// Gives each identity its error. One that the hub does not mention was done, unless the hub says that the request
/// failed and mentions none: then none was.
fn assign(identities: &[Identity], answer: Answer) -> BulkResult {
    let result = |key: &TwinKey| match answer.errors.iter().find(|e| e.is_about(key)) {
        Some(error) => Err(error.to_error(key)),
        None if !answer.is_successful && answer.errors.is_empty() => Err(Error::new(
            ErrorKind::Rejected,
            format!("'{key}': the hub refused the whole request and says no more"),
        )
        .with_delivery(Delivery::Refused)),
        None => Ok(()),
    };
    let items = identities.iter().map(|i| BulkItem { result: result(&i.key()), key: i.key() }).collect();
    let text = |w: &Value| w.get("warningStatus").or(w.get("message")).unwrap_or(w).to_string();
    BulkResult { items, warnings: answer.warnings.iter().map(text).collect() }
}
