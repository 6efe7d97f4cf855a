//! Twins of devices and modules: get, update, replace.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use twin_core::twin::patch::Rules;
use twin_core::twin::{SectionName, TwinPatch, typed};
use twin_core::wire::rest::{self, Call};
use twin_core::{Delivery, ETag, Error, Result, Twin, TwinKey};

use crate::registry::Registry;

/// Under which condition something is written. There is no default: whoever overwrites blindly says so.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> twin_service::Result<()> {
/// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
/// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
/// # let key = twin_service::TwinKey::device("d")?;
/// # registry.create(&twin_service::Identity::new(key.clone())).await?;
/// use serde_json::json;
/// use twin_service::{ErrorKind, IfMatch, TwinChange};
///
/// // Count up, however many others do the same at the same time.
/// loop {
///     let twin = registry.twin(&key).await?;
///     let count = twin.tags.get("count").and_then(|n| n.as_i64()).unwrap_or(0);
///     let change = TwinChange::new().tags(json!({"count": count + 1}));
///     match registry.update_twin(&key, &change, IfMatch::ETag(&twin.etag)).await {
///         Err(error) if error.kind() == ErrorKind::PreconditionFailed => continue,
///         other => break other.map(drop)?,
///     }
/// }
/// # hub.close().await
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMatch<'a> {
    /// Only if the thing still has this etag; else the call ends in `PreconditionFailed`.
    ETag(&'a ETag),
    /// Whatever state the thing is in: may overwrite what somebody else just wrote.
    Force,
}

impl<'a> From<&'a ETag> for IfMatch<'a> {
    fn from(etag: &'a ETag) -> Self {
        IfMatch::ETag(etag)
    }
}

impl IfMatch<'_> {
    pub(crate) fn say(self) -> rest::IfMatch {
        match self {
            IfMatch::ETag(etag) => rest::IfMatch::ETag(etag.clone()),
            IfMatch::Force => rest::IfMatch::Any,
        }
    }
}

/// What a backend writes to a twin: tags, desired properties, or both. From JSON or from types of your own.
///
/// In an update it is a merge patch: members not named stay, `null` removes. In a replacement it is the new content.
/// It is checked against the twin rules (key characters, depth, string length, integer range) when it is used;
/// the error is `InvalidArgument` and names path and rule, and nothing has been sent.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> twin_service::Result<()> {
/// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
/// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
/// use serde_json::json;
/// use twin_service::{Identity, IfMatch, TwinChange, TwinKey};
///
/// #[derive(serde::Serialize)]
/// struct Settings {
///     interval_seconds: u32,
/// }
///
/// let key = TwinKey::device("meter")?;
/// registry.create(&Identity::new(key.clone())).await?;
/// let change = TwinChange::new().tags(json!({"floor": 3})).desired(Settings { interval_seconds: 60 });
/// let twin = registry.update_twin(&key, &change, IfMatch::Force).await?;
/// assert_eq!(twin.desired.value["interval_seconds"], 60);
/// # hub.close().await
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a change does nothing until it is given to `update_twin` or `replace_twin`"]
pub struct TwinChange {
    tags: Option<Result<Value>>,
    desired: Option<Result<Value>>,
}

impl TwinChange {
    /// Changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What to write to `tags`: anything that serialises as a JSON object.
    pub fn tags(mut self, tags: impl Serialize) -> Self {
        self.tags = Some(to_value("tags", tags));
        self
    }

    /// What to write to `properties.desired`: anything that serialises as a JSON object.
    pub fn desired(mut self, desired: impl Serialize) -> Self {
        self.desired = Some(to_value("properties.desired", desired));
        self
    }

    /// What changed between two values of your type, written to `properties.desired`: members that went, and `None`s
    /// that were `Some`, are removed.
    ///
    /// ```
    /// #[derive(Clone, serde::Serialize)]
    /// struct Settings {
    ///     interval_seconds: u32,
    ///     mode: Option<String>,
    /// }
    ///
    /// let old = Settings { interval_seconds: 60, mode: Some("eco".into()) };
    /// let new = Settings { mode: None, ..old.clone() };
    /// let change = twin_service::TwinChange::new().desired_changes(&old, &new);
    /// ```
    pub fn desired_changes<T: Serialize>(mut self, from: &T, to: &T) -> Self {
        let changes = typed::changes(SectionName::Desired, from, to);
        self.desired = Some(changes.map(|patch| Value::Object(patch.into_object())));
        self
    }

    /// From a document of the form `{"tags": {…}, "properties": {"desired": {…}}}`, either part optional.
    ///
    /// A whole twin is such a document: what a backend cannot write (etag, versions, metadata, reported properties,
    /// identity fields) is left out. Any other member is refused when the change is used, so that a patch which
    /// misses its section does not silently do nothing.
    ///
    /// ```
    /// use serde_json::json;
    /// let change = twin_service::TwinChange::from_json(json!({"tags": {"floor": 3}}))?;
    /// let error = twin_service::TwinChange::from_json(json!({"floor": 3})).unwrap_err();
    /// assert!(error.message().contains("floor"));
    /// # Ok::<(), twin_service::Error>(())
    /// ```
    pub fn from_json(document: Value) -> Result<Self> {
        let Value::Object(mut members) = document else {
            return Err(Error::invalid(
                "a twin change is a JSON object with 'tags' and 'properties.desired'",
            ));
        };
        let tags = members.remove("tags");
        let desired = match members.remove("properties") {
            None => None,
            Some(Value::Object(mut properties)) => {
                let desired = properties.remove("desired");
                properties.remove("reported");
                if let Some(name) = properties.keys().next() {
                    return Err(Error::invalid(format!(
                        "'properties.{name}' is no section of a twin; a backend writes 'properties.desired'"
                    )));
                }
                desired
            }
            Some(_) => return Err(Error::invalid("'properties' must be a JSON object")),
        };
        let stray = members.keys().find(|name| !READ_ONLY.contains(&name.as_str()));
        if let Some(name) = stray {
            return Err(Error::invalid(format!(
                "'{name}' is not something a backend writes; put it below 'tags' or 'properties.desired'"
            )));
        }
        Ok(TwinChange {
            tags: tags.map(Ok),
            desired: desired.map(|mut d| {
                if let Value::Object(members) = &mut d {
                    members.retain(|name, _| !name.starts_with('$'));
                }
                Ok(d)
            }),
        })
    }

    /// The body of the request, once it obeys the rules.
    fn body(&self, rules: Rules) -> Result<Bytes> {
        let mut body = serde_json::Map::new();
        if let Some(tags) = &self.tags {
            body.insert("tags".into(), object("tags", tags.clone()?)?);
        }
        if let Some(desired) = &self.desired {
            let desired = object("properties.desired", desired.clone()?)?;
            body.insert("properties".into(), json!({ "desired": desired }));
        }
        if body.is_empty() {
            return Err(Error::invalid("the change names neither tags nor desired properties"));
        }
        let body = Bytes::from(Value::Object(body).to_string());
        TwinPatch::parse(&body, rules).map_err(|v| Error::from(v).with_delivery(Delivery::NotSent))?;
        Ok(body)
    }
}

/// Root members of a twin document that only the hub writes (IoT Hub device-twins guide; they are ignored in bodies).
const READ_ONLY: &[&str] = &[
    "authenticationType",
    "capabilities",
    "cloudToDeviceMessageCount",
    "configurations",
    "connectionState",
    "deviceEtag",
    "deviceId",
    "deviceScope",
    "etag",
    "lastActivityTime",
    "modelId",
    "moduleId",
    "parentScopes",
    "status",
    "statusReason",
    "statusUpdateTime",
    "version",
    "x509Thumbprint",
];

fn to_value(section: &str, value: impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|e| Error::invalid(format!("{section} cannot be said in JSON: {e}")))
}

fn object(section: &str, value: Value) -> Result<Value> {
    if value.is_object() {
        Ok(value)
    } else {
        Err(Error::invalid(format!("{section} must be a JSON object")))
    }
}

impl Registry {
    /// The twin of a device or module, as it is now. `NotFound` if there is none.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// use twin_service::{ErrorKind, TwinKey};
    /// let error = registry.twin(&TwinKey::device("nobody")?).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::NotFound);
    /// assert_eq!(error.code(), Some(404001));
    /// # hub.close().await
    /// # }
    /// ```
    pub async fn twin(&self, key: &TwinKey) -> Result<Twin> {
        self.call_twin(|| format!("get the twin of '{key}'"), Call::GetTwin(key.clone())).await
    }

    /// Merges `change` into the twin and returns the twin as it is then.
    ///
    /// With an etag, the call ends in `PreconditionFailed` if the twin's tags or desired properties were written since
    /// (a device's reports do not change the etag). Every member named counts as changed, even when its value is the same:
    /// versions go up and the device hears of it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// # let key = twin_service::TwinKey::device("d")?;
    /// # registry.create(&twin_service::Identity::new(key.clone())).await?;
    /// use serde_json::json;
    /// use twin_service::{ErrorKind, IfMatch, TwinChange};
    ///
    /// let old = registry.twin(&key).await?;
    /// let change = TwinChange::new().tags(json!({"floor": 3}));
    /// registry.update_twin(&key, &change, IfMatch::ETag(&old.etag)).await?;
    /// // The same etag a second time is stale.
    /// let error = registry.update_twin(&key, &change, IfMatch::ETag(&old.etag)).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    /// # hub.close().await
    /// # }
    /// ```
    pub async fn update_twin(
        &self,
        key: &TwinKey,
        change: &TwinChange,
        if_match: IfMatch<'_>,
    ) -> Result<Twin> {
        let what = || format!("update the twin of '{key}'");
        let body = change.body(Rules::default()).map_err(|e| e.context(what()))?;
        let call = Call::PatchTwin { key: key.clone(), if_match: if_match.say(), body };
        self.call_twin(what, call).await
    }

    /// Replaces whole sections of the twin with those of `content`, and returns the twin as it is then.
    ///
    /// A section that `content` does not name is left out of the request; our hub then leaves it as it is, and
    /// Azure documents replacement per section. `null` is refused: leave the member out instead. To remove all tags,
    /// replace them with `{}`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// # let key = twin_service::TwinKey::device("d")?;
    /// # registry.create(&twin_service::Identity::new(key.clone())).await?;
    /// use serde_json::json;
    /// use twin_service::{IfMatch, TwinChange};
    ///
    /// registry.update_twin(&key, &TwinChange::new().tags(json!({"a": 1, "b": 2})), IfMatch::Force).await?;
    /// let twin = registry.replace_twin(&key, &TwinChange::new().tags(json!({"c": 3})), IfMatch::Force).await?;
    /// assert_eq!(json!(twin.tags), json!({"c": 3}));
    /// # hub.close().await
    /// # }
    /// ```
    pub async fn replace_twin(
        &self,
        key: &TwinKey,
        content: &TwinChange,
        if_match: IfMatch<'_>,
    ) -> Result<Twin> {
        let what = || format!("replace the twin of '{key}'");
        let body = content.body(Rules { nulls: false, ..Rules::default() }).map_err(|e| e.context(what()))?;
        let call = Call::ReplaceTwin { key: key.clone(), if_match: if_match.say(), body };
        self.call_twin(what, call).await
    }

    async fn call_twin(&self, what: impl Fn() -> String, call: Call) -> Result<Twin> {
        let document: Value = self.call_json(&what, call).await?;
        Twin::from_json(document).map_err(|e| not_a("twin", e).context(what()))
    }
}

/// A document parsed as JSON but is not what it should be: the hub's fault, not the caller's.
pub(crate) fn not_a(thing: &str, error: Error) -> Error {
    Error::new(twin_core::ErrorKind::Protocol, format!("the hub's answer is no {thing}: {}", error.message()))
        .with_delivery(Delivery::Unknown)
}
