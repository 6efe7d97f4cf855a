//! Every documented limit of twins, with its citation and its counting.
//!
//! Source, unless said otherwise: the IoT Hub developer guide, "Understand and use device twins", section "Device
//! twin size" and "Format of device and module twins", and "IoT Hub quotas and throttling".

use std::fmt;

use serde_json::Value;

use super::Object;
use crate::error::{Error, ErrorKind};

/// Largest size of `tags`, in bytes as [`size`] counts them.
pub const MAX_TAGS_BYTES: usize = 8 * 1024;
/// Largest size of `properties.desired` and of `properties.reported`, in bytes as [`size`] counts them.
pub const MAX_PROPERTIES_BYTES: usize = 32 * 1024;
/// Longest member name, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 1024;
/// Longest string value, in bytes of UTF-8.
pub const MAX_STRING_BYTES: usize = 4096;
/// Smallest integer: −2^52.
pub const MIN_INTEGER: i64 = -4_503_599_627_370_496;
/// Largest integer: 2^52 − 1.
pub const MAX_INTEGER: i64 = 4_503_599_627_370_495;
/// Levels of objects (and arrays) below a section: `tags.one.….ten.property` is legal, an eleventh level is not.
/// That an array counts as a level is what edgeHub's tests show.
pub const MAX_DEPTH: usize = 10;

/// A section of a twin that limits are counted over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectionName {
    /// `tags`
    Tags,
    /// `properties.desired`
    Desired,
    /// `properties.reported`
    Reported,
}

impl SectionName {
    /// Largest size, by the documented counting ([`size`]).
    pub const fn max_bytes(self) -> usize {
        match self {
            SectionName::Tags => MAX_TAGS_BYTES,
            SectionName::Desired | SectionName::Reported => MAX_PROPERTIES_BYTES,
        }
    }

    /// `tags`, `properties.desired`, `properties.reported`
    pub const fn path(self) -> &'static str {
        match self {
            SectionName::Tags => "tags",
            SectionName::Desired => "properties.desired",
            SectionName::Reported => "properties.reported",
        }
    }

    /// As the service's size message spells it (azure-iotedge #1694).
    const fn title(self) -> &'static str {
        match self {
            SectionName::Tags => "Tags",
            SectionName::Desired => "Properties.Desired",
            SectionName::Reported => "Properties.Reported",
        }
    }
}

impl fmt::Display for SectionName {
    /// [`SectionName::path`]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

/// What broke which rule where. `message` has the service's wording where known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// 400 or 403
    pub status: u16,
    /// e.g. 400004
    pub code: u32,
    /// e.g. `ArgumentInvalid`
    pub code_name: &'static str,
    /// Dotted path of the offending member, section first (`properties.desired.a.b`); empty for a whole body.
    pub path: String,
    /// names the section, the path and the rule
    pub message: String,
}

impl Violation {
    /// 400004 ArgumentInvalid: a member breaks a rule.
    pub(crate) fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Violation {
            status: 400,
            code: 400_004,
            code_name: "ArgumentInvalid",
            path: path.into(),
            message: message.into(),
        }
    }

    /// 400005 ArgumentNull: there is no body.
    pub(crate) fn empty(path: impl Into<String>, message: impl Into<String>) -> Self {
        Violation { code: 400_005, code_name: "ArgumentNull", ..Self::invalid(path, message) }
    }

    /// 400006 IotHubFormatError: the body does not deserialise.
    pub(crate) fn format(path: impl Into<String>, message: impl Into<String>) -> Self {
        Violation { code: 400_006, code_name: "IotHubFormatError", ..Self::invalid(path, message) }
    }

    /// 403100 DeviceModelMaxPropertiesExceeded ("Understand and resolve Azure IoT Hub error codes").
    fn too_large(section: SectionName, after: usize) -> Self {
        Violation {
            status: 403,
            code: 403_100,
            code_name: "DeviceModelMaxPropertiesExceeded",
            path: section.path().into(),
            message: format!(
                "'{}' size should be less than {} bytes. It would have {after} bytes.",
                section.title(),
                section.max_bytes(),
            ),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Violation {}

impl From<Violation> for Error {
    /// The caller's mistake: [`ErrorKind::TooLarge`] for sizes, else [`ErrorKind::InvalidArgument`], with the code.
    fn from(v: Violation) -> Error {
        let kind = if v.status == 403 { ErrorKind::TooLarge } else { ErrorKind::InvalidArgument };
        Error::new(kind, v.message).with_code(v.code).with_code_name(v.code_name)
    }
}

/// The documented size of a section: for each member its name plus its value; names and strings count their UTF-8
/// bytes without C0 and C1 control characters, a number 8, a boolean 4, an object the sum of its members.
///
/// Our choice for the undocumented: an array is the sum of its elements, a null is 0.
pub fn size(object: &Object) -> usize {
    object.iter().map(|(name, value)| text_size(name) + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text_size(text),
        Value::Array(elements) => elements.iter().map(value_size).sum(),
        Value::Object(members) => size(members),
    }
}

fn text_size(text: &str) -> usize {
    // Controls are one byte (C0) or two, 0xC2 0x80..=0x9F (C1); text without either, the usual kind, is its length.
    if text.bytes().all(|b| b >= 0x20 && b != 0xC2) {
        return text.len();
    }
    text.chars().filter(|c| !is_control(*c)).map(char::len_utf8).sum()
}

/// Whether `c` is in C0 (U+0000..U+001F) or C1 (U+0080..U+009F).
pub(crate) fn is_control(c: char) -> bool {
    matches!(c, '\0'..='\u{1F}' | '\u{80}'..='\u{9F}')
}

/// Checks growth: refuses only when the section is over its limit *and* larger than before, so that an oversize
/// section may shrink.
pub fn check_growth(section: SectionName, before: usize, after: usize) -> Result<(), Violation> {
    if after > section.max_bytes() && after > before {
        return Err(Violation::too_large(section, after));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_count_as_documented() {
        for (value, want) in [
            (json!({}), 0),
            (json!({"a": 1}), 9),
            (json!({"a": true, "b": false}), 10),
            (json!({"key": "value"}), 8),
            (json!({"é": "日本"}), 8),
            (json!({"k": "a\u{0}\u{1f}\u{80}\u{9f}b"}), 3),
            (json!({"k": "\u{a0}\u{7f}"}), 4),
            (json!({"a": {"b": {"c": "d"}}}), 4),
            (json!({"a": [1, "xy", true, {"b": 2}]}), 24),
            (json!({"a": null}), 1),
        ] {
            assert_eq!(size(value.as_object().unwrap()), want, "{value}");
        }
    }

    #[test]
    fn growth_is_refused_only_over_the_limit() {
        for (section, before, after, ok) in [
            (SectionName::Tags, 0, 8192, true),
            (SectionName::Tags, 0, 8193, false),
            (SectionName::Tags, 9000, 8999, true),
            (SectionName::Tags, 9000, 9000, true),
            (SectionName::Tags, 9000, 9001, false),
            (SectionName::Desired, 0, 32768, true),
            (SectionName::Desired, 0, 32769, false),
            (SectionName::Reported, 32768, 32769, false),
        ] {
            let got = check_growth(section, before, after);
            assert_eq!(got.is_ok(), ok, "{section} {before} -> {after}");
            if let Err(v) = got {
                assert_eq!((v.status, v.code, &*v.path), (403, 403_100, section.path()));
                assert!(v.message.contains("size should be less than"), "{v}");
                assert_eq!(Error::from(v).kind(), ErrorKind::TooLarge);
            }
        }
    }
}
