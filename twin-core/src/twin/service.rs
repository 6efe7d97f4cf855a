//! The twin as the backend reads it.

use serde_json::{Value, json};

use super::document::unreadable;
use super::{ETag, Object, Properties};
use crate::error::{Error, ErrorKind, Result};
use crate::time::Timestamp;
use crate::{DeviceId, ModuleId, TwinKey};

/// The twin as the backend reads it. Members a hub sends that are not named here survive in `extra`.
///
/// Only `deviceId` must be there: rows of a query may lack the rest.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Twin {
    /// `deviceId`
    pub device_id: DeviceId,
    /// `moduleId`, for module twins
    pub module_id: Option<ModuleId>,
    /// `etag` of the twin; empty if the document has none
    pub etag: ETag,
    /// `version`: counts every change of tags, desired and reported; 0 if the document has none
    pub version: u64,
    /// `tags`
    pub tags: Object,
    /// `properties.desired`
    pub desired: Properties,
    /// `properties.reported`
    pub reported: Properties,
    /// `deviceEtag`, `status`, `statusReason`, `statusUpdateTime`, `connectionState`, `lastActivityTime`,
    /// `cloudToDeviceMessageCount`, `authenticationType`, `x509Thumbprint`, `modelId`, `capabilities`, `deviceScope`,
    /// `parentScopes`, `configurations`, …: as received, with typed accessors below. Unknown members of
    /// `properties` are in here as `properties`.
    pub extra: Object,
    /// What the document named though it was empty, so that it is printed again.
    named: Named,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Named {
    etag: bool,
    version: bool,
    tags: bool,
    properties: bool,
    desired: bool,
    reported: bool,
}

/// The two thumbprints of a certificate, upper-case hex, as the document gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thumbprints {
    /// `primaryThumbprint`
    pub primary: Option<String>,
    /// `secondaryThumbprint`
    pub secondary: Option<String>,
}

impl Twin {
    /// A twin with nothing in it yet; it prints every member of [`Twin`] but `moduleId` and `extra`.
    pub fn new(key: TwinKey) -> Self {
        let all =
            Named { etag: true, version: true, tags: true, properties: true, desired: true, reported: true };
        Twin { named: all, ..Self::bare(key.device, key.module) }
    }

    fn bare(device_id: DeviceId, module_id: Option<ModuleId>) -> Self {
        Twin {
            device_id,
            module_id,
            etag: ETag::new(""),
            version: 0,
            tags: Object::new(),
            desired: Properties::default(),
            reported: Properties::default(),
            extra: Object::new(),
            named: Named {
                etag: false,
                version: false,
                tags: false,
                properties: false,
                desired: false,
                reported: false,
            },
        }
    }

    /// Parses the service's document. Needs `deviceId` alone; the error, of kind [`ErrorKind::Protocol`], names the
    /// member that is wrong.
    ///
    /// A null among the members named in [`Twin`] counts as absent.
    pub fn from_json(value: Value) -> Result<Twin> {
        let Value::Object(mut rest) = value else {
            return Err(unreadable("", "an object", &value));
        };
        let mut take = |name: &str| rest.remove(name).filter(|value| !value.is_null());
        let device_id = match take("deviceId") {
            Some(Value::String(id)) => DeviceId::new(id).map_err(bad_id)?,
            other => return Err(unreadable("deviceId", "a string", &other.unwrap_or_default())),
        };
        let module_id = match take("moduleId") {
            None => None,
            Some(Value::String(id)) if id.is_empty() => None,
            Some(Value::String(id)) => Some(ModuleId::new(id).map_err(bad_id)?),
            Some(other) => return Err(unreadable("moduleId", "a string", &other)),
        };
        let mut twin = Twin::bare(device_id, module_id);
        match take("etag") {
            None => {}
            Some(Value::String(etag)) => (twin.etag, twin.named.etag) = (ETag::new(etag), true),
            Some(other) => return Err(unreadable("etag", "a string", &other)),
        }
        if let Some(version) = take("version") {
            twin.version = version
                .as_u64()
                .ok_or_else(|| unreadable("version", "a number from 0 on, without fraction", &version))?;
            twin.named.version = true;
        }
        match take("tags") {
            None => {}
            Some(Value::Object(tags)) => (twin.tags, twin.named.tags) = (tags, true),
            Some(other) => return Err(unreadable("tags", "an object", &other)),
        }
        if let Some(properties) = take("properties") {
            let unknown = twin.read_properties(properties)?;
            if !unknown.is_empty() {
                rest.insert("properties".into(), Value::Object(unknown));
            }
        }
        twin.extra = rest;
        Ok(twin)
    }

    /// Takes the sections; gives back what else is in `properties`.
    fn read_properties(&mut self, properties: Value) -> Result<Object> {
        let Value::Object(mut properties) = properties else {
            return Err(unreadable("properties", "an object", &properties));
        };
        self.named.properties = true;
        if let Some(desired) = properties.remove("desired").filter(|v| !v.is_null()) {
            self.desired = Properties::from_json("properties.desired", desired)?;
            self.named.desired = true;
        }
        if let Some(reported) = properties.remove("reported").filter(|v| !v.is_null()) {
            self.reported = Properties::from_json("properties.reported", reported)?;
            self.named.reported = true;
        }
        Ok(properties)
    }

    /// The service's document again: members that were read or have content.
    pub fn to_json(&self) -> Value {
        let mut document = self.extra.clone();
        document.insert("deviceId".into(), json!(self.device_id.as_str()));
        if let Some(module) = &self.module_id {
            document.insert("moduleId".into(), json!(module.as_str()));
        }
        if self.named.etag || !self.etag.as_str().is_empty() {
            document.insert("etag".into(), json!(self.etag.as_str()));
        }
        if self.named.version || self.version > 0 {
            document.insert("version".into(), json!(self.version));
        }
        if self.named.tags || !self.tags.is_empty() {
            document.insert("tags".into(), Value::Object(self.tags.clone()));
        }
        let mut properties = match document.remove("properties") {
            Some(Value::Object(unknown)) => unknown,
            _ => Object::new(),
        };
        for (name, section, named) in [
            ("desired", &self.desired, self.named.desired),
            ("reported", &self.reported, self.named.reported),
        ] {
            if named || *section != Properties::default() {
                properties.insert(name.into(), section.to_json());
            }
        }
        if self.named.properties || !properties.is_empty() {
            document.insert("properties".into(), Value::Object(properties));
        }
        Value::Object(document)
    }

    /// The key of this twin.
    pub fn key(&self) -> TwinKey {
        TwinKey { device: self.device_id.clone(), module: self.module_id.clone() }
    }

    /// `deviceEtag`: the etag of the identity
    pub fn device_etag(&self) -> Option<ETag> {
        self.text("deviceEtag").map(ETag::new)
    }

    /// `status`: `enabled` or `disabled`
    pub fn status(&self) -> Option<&str> {
        self.text("status")
    }

    /// `statusReason`
    pub fn status_reason(&self) -> Option<&str> {
        self.text("statusReason")
    }

    /// `statusUpdateTime` (the identity spells it `statusUpdatedTime`); [`Timestamp::NEVER`] if it never changed
    pub fn status_update_time(&self) -> Option<Timestamp> {
        self.time("statusUpdateTime")
    }

    /// `connectionState`: `Connected` or `Disconnected`
    pub fn connection_state(&self) -> Option<&str> {
        self.text("connectionState")
    }

    /// `lastActivityTime`
    pub fn last_activity_time(&self) -> Option<Timestamp> {
        self.time("lastActivityTime")
    }

    /// `cloudToDeviceMessageCount`
    pub fn cloud_to_device_message_count(&self) -> Option<u64> {
        self.extra.get("cloudToDeviceMessageCount")?.as_u64()
    }

    /// `authenticationType`: `sas`, `selfSigned`, `certificateAuthority` or `none`
    pub fn authentication_type(&self) -> Option<&str> {
        self.text("authenticationType")
    }

    /// `x509Thumbprint`
    pub fn x509_thumbprint(&self) -> Option<Thumbprints> {
        let both = self.extra.get("x509Thumbprint")?.as_object()?;
        let one = |name: &str| both.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Thumbprints { primary: one("primaryThumbprint"), secondary: one("secondaryThumbprint") })
    }

    /// `modelId`; `None` when the device announced no DTDL model
    pub fn model_id(&self) -> Option<&str> {
        self.text("modelId").filter(|id| !id.is_empty())
    }

    /// `capabilities.iotEdge`: whether the device is an IoT Edge device
    pub fn is_edge(&self) -> Option<bool> {
        self.extra.get("capabilities")?.get("iotEdge")?.as_bool()
    }

    /// `deviceScope`
    pub fn device_scope(&self) -> Option<&str> {
        self.text("deviceScope")
    }

    /// `parentScopes`; empty if there are none
    pub fn parent_scopes(&self) -> Vec<&str> {
        let scopes = self.extra.get("parentScopes").and_then(Value::as_array);
        scopes.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// `configurations`: the state of automatic configurations, by their id
    pub fn configurations(&self) -> Option<&Object> {
        self.extra.get("configurations")?.as_object()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.extra.get(name)?.as_str()
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        self.text(name)?.parse().ok()
    }
}

fn bad_id(e: Error) -> Error {
    Error::new(ErrorKind::Protocol, format!("twin document: {}", e.message()))
}

impl serde::Serialize for Twin {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        self.to_json().serialize(to)
    }
}

impl<'de> serde::Deserialize<'de> for Twin {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        Twin::from_json(Value::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Value {
        json!({
            "deviceId": "mxchip", "etag": "AAAAAAAAAAc=", "deviceEtag": "NzQxMTYyNTA3", "status": "enabled",
            "statusReason": "provisioned", "statusUpdateTime": "0001-01-01T00:00:00Z", "connectionState": "connected",
            "lastActivityTime": "2022-06-01T22:27:50.2612586Z", "cloudToDeviceMessageCount": 0,
            "authenticationType": "selfSigned",
            "x509Thumbprint": {"primaryThumbprint": "AA", "secondaryThumbprint": null}, "modelId": "", "version": 2,
            "capabilities": {"iotEdge": false}, "deviceScope": "ms-azure-iot-edge://e-1", "parentScopes": ["p"],
            "configurations": {"c": {"status": "Applied"}},
            "tags": {"$etag": "123", "deploymentLocation": {"building": "43", "floor": "1"}},
            "properties": {
                "desired": {"telemetryConfig": {"sendFrequency": "5m"}, "$metadata": {"$lastUpdated": "x"}, "$version": 1},
                "reported": {"batteryLevel": 55, "big": 4503599627370495i64, "f": 1e300, "$metadata": {}, "$version": 4},
                "component": {"x": 1}},
            "newMember": {"deep": [1, {"a": null}], "n": 0.1}})
    }

    #[test]
    fn documents_survive_a_round_trip() {
        let mut want = full();
        // an empty `$metadata` has nothing to say and is not printed again
        want["properties"]["reported"].as_object_mut().unwrap().remove("$metadata");
        for document in [
            want,
            json!({"deviceId": "d"}),
            json!({"deviceId": "d", "moduleId": "m", "etag": "", "version": 0, "tags": {}, "properties": {}}),
            json!({"deviceId": "d", "properties": {"desired": {}, "other": 1}}),
            json!({"deviceId": "d", "properties": {"reported": {"$unknown": 5, "$version": 1}}}),
        ] {
            let twin = Twin::from_json(document.clone()).unwrap();
            assert_eq!(twin.to_json(), document);
            let again: Twin = serde_json::from_str(&serde_json::to_string(&twin).unwrap()).unwrap();
            assert_eq!(again, twin);
        }
    }

    #[test]
    fn named_members_have_types() {
        let twin = Twin::from_json(full()).unwrap();
        assert_eq!(twin.key().to_string(), "mxchip");
        assert_eq!((twin.etag.counter(), twin.version), (Some(7), 2));
        assert_eq!(twin.device_etag(), Some(ETag::from_decimal(741_162_507)));
        assert_eq!((twin.status(), twin.status_reason()), (Some("enabled"), Some("provisioned")));
        assert_eq!(twin.status_update_time(), Some(Timestamp::NEVER));
        assert_eq!(twin.connection_state(), Some("connected"));
        assert_eq!(twin.last_activity_time().unwrap().to_string(), "2022-06-01T22:27:50.2612586Z");
        assert_eq!(twin.cloud_to_device_message_count(), Some(0));
        assert_eq!(twin.authentication_type(), Some("selfSigned"));
        assert_eq!(twin.x509_thumbprint(), Some(Thumbprints { primary: Some("AA".into()), secondary: None }));
        assert_eq!((twin.model_id(), twin.is_edge()), (None, Some(false)));
        assert_eq!((twin.device_scope(), twin.parent_scopes()), (Some("ms-azure-iot-edge://e-1"), vec!["p"]));
        assert_eq!(twin.configurations().unwrap().len(), 1);
        assert_eq!((twin.desired.version, twin.reported.version), (1, 4));
    }

    #[test]
    fn a_new_twin_prints_its_frame() {
        let twin = Twin::new(TwinKey::module("d", "m").unwrap());
        assert_eq!(
            twin.to_json(),
            json!({"deviceId": "d", "moduleId": "m", "etag": "", "version": 0, "tags": {},
                "properties": {"desired": {}, "reported": {}}})
        );
    }

    #[test]
    fn wrong_members_are_named() {
        for (document, names) in [
            (json!([]), "an array"),
            (json!({}), "'deviceId'"),
            (json!({"deviceId": 5}), "'deviceId' must be a string, not a number"),
            (json!({"deviceId": "a b"}), "device id"),
            (json!({"deviceId": "d", "moduleId": 1}), "'moduleId'"),
            (json!({"deviceId": "d", "etag": 1}), "'etag'"),
            (json!({"deviceId": "d", "version": -1}), "'version'"),
            (json!({"deviceId": "d", "tags": []}), "'tags'"),
            (json!({"deviceId": "d", "properties": 1}), "'properties'"),
            (json!({"deviceId": "d", "properties": {"desired": 1}}), "'properties.desired'"),
            (
                json!({"deviceId": "d", "properties": {"reported": {"$metadata": 1}}}),
                "'properties.reported.$metadata'",
            ),
        ] {
            let error = Twin::from_json(document).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
            assert!(error.message().contains(names), "{error}");
        }
    }
}
