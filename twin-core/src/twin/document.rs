//! Sections in documents, and the twin as its device reads it.

use serde_json::Value;

use super::{Object, strict};
use crate::error::{Error, ErrorKind, Result};
use crate::time::Timestamp;

/// One of `properties.desired` / `properties.reported` in a document: members, `$version`, `$metadata` split apart.
///
/// An unknown `$` member stays in `value`, so that it survives a round trip.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties {
    /// Members, without `$version` and `$metadata`.
    pub value: Object,
    /// `$version`; 0 if the document has none (a hub's first is 1).
    pub version: u64,
    /// `$metadata` as received, empty in a device's view.
    pub metadata: Object,
}

/// A section in the device's view.
pub type DeviceSection = Properties;

impl Properties {
    /// Splits a section's object apart. `path` names it in errors, e.g. `properties.desired`.
    pub fn from_json(path: &str, value: Value) -> Result<Properties> {
        let Value::Object(mut value) = value else {
            return Err(unreadable(path, "an object", &value));
        };
        let version = match value.remove("$version") {
            None | Some(Value::Null) => 0,
            Some(version) => version.as_u64().ok_or_else(|| {
                unreadable(&format!("{path}.$version"), "a number from 0 on, without fraction", &version)
            })?,
        };
        let metadata = match value.remove("$metadata") {
            None | Some(Value::Null) => Object::new(),
            Some(Value::Object(metadata)) => metadata,
            Some(other) => return Err(unreadable(&format!("{path}.$metadata"), "an object", &other)),
        };
        Ok(Properties { value, version, metadata })
    }

    /// The section's object again; `$version` and `$metadata` only if there are any.
    pub fn to_json(&self) -> Value {
        let mut object = self.value.clone();
        if self.version > 0 {
            object.insert("$version".into(), self.version.into());
        }
        if !self.metadata.is_empty() {
            object.insert("$metadata".into(), Value::Object(self.metadata.clone()));
        }
        Value::Object(object)
    }

    /// When the member at `path` (or the section, for an empty path) was last touched, if the metadata tell.
    pub fn last_updated(&self, path: &[&str]) -> Option<Timestamp> {
        self.node(path)?.get("$lastUpdated")?.as_str()?.parse().ok()
    }

    /// The section version that last touched the member at `path`; reported sections have none.
    pub fn last_updated_version(&self, path: &[&str]) -> Option<u64> {
        self.node(path)?.get("$lastUpdatedVersion")?.as_u64()
    }

    fn node(&self, path: &[&str]) -> Option<&Object> {
        path.iter().try_fold(&self.metadata, |node, name| node.get(*name)?.as_object())
    }
}

/// The twin as the device reads it: `{"desired":{…,"$version":n},"reported":{…,"$version":m}}`, without identity,
/// tags and metadata (source: "Communicate with an IoT hub using the MQTT protocol", retrieving a device twin).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceTwin {
    /// What the backend wants.
    pub desired: DeviceSection,
    /// What the device said.
    pub reported: DeviceSection,
}

impl DeviceTwin {
    /// Parses the hub's GET answer; a section that is missing is empty. Errors are of kind [`ErrorKind::Protocol`].
    pub fn from_json(json: &[u8]) -> Result<DeviceTwin> {
        let mut body = strict::object("", json)
            .map_err(|why| Error::new(ErrorKind::Protocol, format!("the hub's twin: {why}")))?;
        let mut section = |name: &str| match body.remove(name) {
            None | Some(Value::Null) => Ok(Properties::default()),
            Some(value) => Properties::from_json(name, value),
        };
        Ok(DeviceTwin { desired: section("desired")?, reported: section("reported")? })
    }

    /// The hub's GET answer.
    pub fn to_json(&self) -> Value {
        let mut body = Object::new();
        body.insert("desired".into(), self.desired.to_json());
        body.insert("reported".into(), self.reported.to_json());
        Value::Object(body)
    }
}

/// A document's member is not what it must be. Shows the kind of what was found, never its content.
pub(super) fn unreadable(path: &str, wanted: &str, found: &Value) -> Error {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    Error::new(ErrorKind::Protocol, format!("twin document: '{path}' must be {wanted}, not {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn device_documents_round_trip() {
        // "Communicate with an IoT hub using the MQTT protocol", the GET answer's example
        let text = br#"{"desired":{"telemetrySendFrequency":"5m","$version":12},
            "reported":{"telemetrySendFrequency":"5m","batteryLevel":55,"$version":123}}"#;
        let twin = DeviceTwin::from_json(text).unwrap();
        assert_eq!((twin.desired.version, twin.reported.version), (12, 123));
        assert_eq!(twin.reported.value.get("batteryLevel"), Some(&json!(55)));
        assert_eq!(twin.to_json(), serde_json::from_slice::<Value>(text).unwrap());
        assert_eq!(DeviceTwin::from_json(b"{}").unwrap(), DeviceTwin::default());
        for (bad, names) in [
            (&b""[..], "empty"),
            (b"[]", "not an object"),
            (b"{\"desired\":[]}", "'desired' must be an object, not an array"),
            (b"{\"reported\":{\"$version\":\"7\"}}", "'reported.$version'"),
            (b"{\"reported\":{\"$version\":1.5}}", "not a number"),
        ] {
            let error = DeviceTwin::from_json(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
            assert!(error.message().contains(names), "{error}");
        }
    }

    #[test]
    fn metadata_is_found_by_path() {
        let section = Properties::from_json(
            "properties.desired",
            json!({"a": {"b": 1}, "$version": 3, "$new": 1, "$metadata": {
                "$lastUpdated": "2020-01-01T00:00:00Z",
                "a": {"b": {"$lastUpdated": "2019-01-01T00:00:00Z", "$lastUpdatedVersion": 2}}}}),
        )
        .unwrap();
        assert_eq!(section.last_updated(&[]).unwrap().to_string(), "2020-01-01T00:00:00Z");
        assert_eq!(section.last_updated(&["a", "b"]).unwrap().to_string(), "2019-01-01T00:00:00Z");
        assert_eq!(section.last_updated_version(&["a", "b"]), Some(2));
        assert_eq!(section.last_updated(&["a", "c"]), None);
        assert_eq!(section.value.get("$new"), Some(&json!(1)));
    }
}
