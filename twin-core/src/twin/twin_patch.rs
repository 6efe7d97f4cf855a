//! What a service writes to a twin in one PATCH or PUT body.

use serde_json::{Value, json};

use super::limits::{SectionName, Violation};
use super::patch::{Rules, refuse};
use super::{ETag, Object, Patch, shape, strict};

/// What a service writes to a twin in one PATCH or PUT body.
///
/// Service SDKs send whole twins back, so read-only members are ignored wherever they stand: `etag` (kept for
/// information), `version`, identity fields, `properties.reported`, and `$metadata` and `$version` at the top of a section.
/// A section that the body does not name stays as it is, in a PUT too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TwinPatch {
    /// `tags`, if the body names it. `{"tags": null}` in a PATCH counts as absent (observed: azure-docs #32289).
    pub tags: Option<Patch>,
    /// `properties.desired`, if the body names it.
    pub desired: Option<Patch>,
    /// In a PATCH, `properties.desired: null` was sent: remove every member, and tell the device with nulls (the
    /// Node SDK's twin end-to-end tests rely on it).
    pub clear_desired: bool,
    /// The body's `etag`, for information (If-Match decides).
    pub etag: Option<ETag>,
}

impl TwinPatch {
    /// Parses a PATCH body ([`Rules::PATCH`]) or a PUT body ([`Rules::REPLACE`]).
    ///
    /// An empty body is 400005 ArgumentNull; one that is no JSON object or names a member twice 400006
    /// IotHubFormatError; anything wrong in a section, a null in a PUT among it, 400004 ArgumentInvalid.
    pub fn parse(json: &[u8], rules: Rules) -> Result<TwinPatch, Violation> {
        let body = strict::object("", json).map_err(|why| refuse("", why))?;
        Self::from_object(body, rules)
    }

    /// [`TwinPatch::parse`] of a body that was read already.
    pub fn from_object(mut body: Object, rules: Rules) -> Result<TwinPatch, Violation> {
        let mut patch = TwinPatch::default();
        if let Some(Value::String(etag)) = body.get("etag") {
            patch.etag = Some(ETag::new(etag));
        }
        match section(SectionName::Tags, body.remove("tags"), rules)? {
            Named::Content(tags) => patch.tags = Some(tags),
            Named::Null | Named::Absent => {}
        }
        let mut properties = match body.remove("properties") {
            None => return Ok(patch),
            Some(Value::Null) if rules.nulls => return Ok(patch),
            Some(Value::Null) => return Err(shape::null_in_replace("properties")),
            Some(Value::Object(properties)) => properties,
            Some(_) => return Err(not_an_object("properties")),
        };
        match section(SectionName::Desired, properties.remove("desired"), rules)? {
            Named::Content(desired) => patch.desired = Some(desired),
            Named::Null => patch.clear_desired = true,
            Named::Absent => {}
        }
        Ok(patch)
    }

    /// The body that says this patch.
    pub fn to_json(&self) -> Value {
        let mut body = Object::new();
        if let Some(tags) = &self.tags {
            body.insert("tags".into(), Value::Object(tags.as_object().clone()));
        }
        if let Some(desired) = &self.desired {
            body.insert("properties".into(), json!({"desired": desired.as_object()}));
        } else if self.clear_desired {
            body.insert("properties".into(), json!({"desired": null}));
        }
        if let Some(etag) = &self.etag {
            body.insert("etag".into(), Value::String(etag.as_str().into()));
        }
        Value::Object(body)
    }
}

enum Named {
    Absent,
    Null,
    Content(Patch),
}

fn section(name: SectionName, value: Option<Value>, rules: Rules) -> Result<Named, Violation> {
    match value {
        None => Ok(Named::Absent),
        Some(Value::Null) if rules.nulls => Ok(Named::Null),
        Some(Value::Null) => Err(shape::null_in_replace(name)),
        Some(Value::Object(mut content)) => {
            content.remove("$metadata");
            content.remove("$version");
            Patch::new(name, content, rules).map(Named::Content)
        }
        Some(_) => Err(not_an_object(name.path())),
    }
}

fn not_an_object(path: &str) -> Violation {
    Violation::invalid(
        path,
        format!("Provided json is not a valid 'tags' or 'properties' object: '{path}' must be an object."),
    )
}
