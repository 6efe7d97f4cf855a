//! Sections as your own serde types, and patches that hold only what changed.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use twin_core::twin::{DeviceTwin, SectionName, TypedTwin, typed};
//!
//! #[derive(Deserialize)]
//! #[serde(rename_all = "camelCase")]
//! struct Desired {
//!     telemetry_interval: u32,
//! }
//!
//! #[derive(Clone, Default, Serialize, Deserialize)]
//! #[serde(default)]
//! struct Reported {
//!     firmware: String,
//!     error: Option<String>,
//! }
//!
//! let json = br#"{"desired":{"telemetryInterval":30,"$version":4},"reported":{"firmware":"1.0","error":"hot","$version":9}}"#;
//! let twin: TypedTwin<Desired, Reported> = TypedTwin::read(&DeviceTwin::from_json(json)?)?;
//! assert_eq!((twin.desired.value.telemetry_interval, twin.desired.version), (30, 4));
//!
//! let now = Reported { error: None, ..twin.reported.value.clone() };
//! let patch = typed::changes(SectionName::Reported, &twin.reported.value, &now)?;
//! assert_eq!(serde_json::to_string(patch.as_object()).unwrap(), r#"{"error":null}"#);
//! # Ok::<(), twin_core::Error>(())
//! ```

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{DeviceTwin, Object, Patch, Properties, Rules, SectionName, Twin, diff};
use crate::error::{Error, ErrorKind, Result};

/// A section's content as `T`, with its `$version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Typed<T> {
    /// The members.
    pub value: T,
    /// `$version`
    pub version: u64,
}

/// Both property sections as types of yours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypedTwin<Desired, Reported> {
    /// What the backend wants.
    pub desired: Typed<Desired>,
    /// What the device said.
    pub reported: Typed<Reported>,
}

impl<T: DeserializeOwned> Typed<T> {
    /// Reads a section; an error of kind [`ErrorKind::Rejected`] names it and what does not fit.
    ///
    /// Members of the section that `T` does not know are left alone, now and in [`changes`].
    pub fn read(section: SectionName, properties: &Properties) -> Result<Typed<T>> {
        let value = read(section, &properties.value)?;
        Ok(Typed { value, version: properties.version })
    }
}

impl<D: DeserializeOwned, R: DeserializeOwned> TypedTwin<D, R> {
    /// Reads a device's view.
    pub fn read(twin: &DeviceTwin) -> Result<Self> {
        Self::sections(&twin.desired, &twin.reported)
    }

    /// Reads a backend's view.
    pub fn read_service(twin: &Twin) -> Result<Self> {
        Self::sections(&twin.desired, &twin.reported)
    }

    fn sections(desired: &Properties, reported: &Properties) -> Result<Self> {
        Ok(TypedTwin {
            desired: Typed::read(SectionName::Desired, desired)?,
            reported: Typed::read(SectionName::Reported, reported)?,
        })
    }
}

/// Reads a section's members, of tags for example, as `T`; an error of kind [`ErrorKind::Rejected`] names the section.
pub fn read<T: DeserializeOwned>(section: SectionName, members: &Object) -> Result<T> {
    T::deserialize(Value::Object(members.clone()))
        .map_err(|e| Error::new(ErrorKind::Rejected, format!("{section} does not fit its type: {e}")))
}

/// The patch that holds only what changed between two values: removed members and `None`s that were `Some` become null.
/// Empty when nothing changed.
///
/// Errors are of kind [`ErrorKind::InvalidArgument`]: `T` must serialize to an object that keeps the twin's rules.
pub fn changes<T: Serialize>(section: SectionName, from: &T, to: &T) -> Result<Patch> {
    let patch = diff(&object(section, from)?, &object(section, to)?);
    Ok(Patch::new(section, patch, Rules::PATCH)?)
}

/// The patch that sets every member of `value`; `None`s become null, so they remove.
///
/// Errors as for [`changes`].
pub fn whole<T: Serialize>(section: SectionName, value: &T) -> Result<Patch> {
    Ok(Patch::new(section, object(section, value)?, Rules::PATCH)?)
}

fn object<T: Serialize>(section: SectionName, value: &T) -> Result<Object> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Error::invalid(format!("{section} must serialize to an object, a struct or map"))),
        Err(e) => Err(Error::invalid(format!("{section} cannot be serialized: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
    struct State {
        count: i64,
        note: Option<String>,
        #[serde(default)]
        parts: BTreeMap<String, Part>,
    }

    #[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
    struct Part {
        on: bool,
        load: f64,
    }

    fn state(value: Value) -> State {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_patch_holds_only_what_changed() {
        for (from, to, want) in [
            (json!({"count": 1}), json!({"count": 1}), json!({})),
            (json!({"count": 1}), json!({"count": 2}), json!({"count": 2})),
            (json!({"count": 1, "note": "x"}), json!({"count": 1}), json!({"note": null})),
            (
                json!({"count": 1, "parts": {"a": {"on": true, "load": 0.5}, "b": {"on": true, "load": 1.0}}}),
                json!({"count": 1, "parts": {"a": {"on": false, "load": 0.5}}}),
                json!({"parts": {"a": {"on": false}, "b": null}}),
            ),
        ] {
            let patch = changes(SectionName::Reported, &state(from), &state(to)).unwrap();
            assert_eq!(Value::Object(patch.into_object()), want);
        }
    }

    #[test]
    fn what_cannot_be_a_section_is_refused() {
        let bad_name = BTreeMap::from([("a.b", 1)]);
        let error = whole(SectionName::Reported, &bad_name).unwrap_err();
        assert!(error.message().contains("properties.reported.a.b"), "{error}");
        assert!(whole(SectionName::Reported, &5).unwrap_err().message().contains("object"));
        let misfit =
            Properties { value: json!({"count": "many"}).as_object().unwrap().clone(), ..Default::default() };
        let error = Typed::<State>::read(SectionName::Desired, &misfit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rejected);
        assert!(error.message().starts_with("properties.desired"), "{error}");
    }
}
