use serde_json::{Value, json};

use super::*;
use crate::twin::limits::{MAX_INTEGER, MIN_INTEGER};
use crate::twin::{ETag, TwinPatch};

const ALL: [SectionName; 3] = [SectionName::Tags, SectionName::Desired, SectionName::Reported];
const OLD: Rules = Rules { arrays: false, nulls: true };

/// `levels` objects inside each other, then `leaf`.
fn nested(levels: usize, leaf: Value) -> Value {
    (0..levels).fold(leaf, |inner, _| json!({"l": inner}))
}

#[test]
fn what_the_rules_allow() {
    for value in [
        json!({}),
        json!({"a": null, "b": {"c": null}}),
        json!({"k": "x".repeat(4096), "é": true}),
        json!({"k".repeat(1024): 1}),
        json!({"min": MIN_INTEGER, "max": MAX_INTEGER, "f": 1.5, "big": 1e300, "whole": 9007199254740993.0}),
        json!({"a-b_c:d/e": 1, "日本": "x\n", "@": "\u{0}"}),
        json!({"arr": [1, "x", [true, {"y": {}}], []]}),
        // the developer guide's tags.one.two.….ten.property: ten levels below the section
        nested(11, json!(1)),
        nested(10, json!([])),
    ] {
        for section in ALL {
            let object = value.as_object().unwrap().clone();
            let built = Patch::new(section, object.clone(), Rules::PATCH).unwrap();
            let parsed = Patch::parse(section, value.to_string().as_bytes(), Rules::PATCH).unwrap();
            assert_eq!((built.as_object(), &parsed), (&object, &built));
        }
    }
}

#[test]
fn what_the_rules_refuse() {
    let names = "Property or Tag name has invalid characters.";
    let long = "x".repeat(4097);
    for (value, rules, path, message) in [
        (json!({"$version": 4}), Rules::PATCH, "$version", names),
        (json!({"a": {"$b": 1}}), Rules::PATCH, "a.$b", names),
        (
            json!({"a.b": 1}),
            Rules::PATCH,
            "a.b",
            "Must not contain Control Characters, '.', '$', '#', or ' '.",
        ),
        (json!({"a#": 1}), Rules::PATCH, "a#", names),
        (json!({"a b": null}), Rules::PATCH, "a b", names),
        (json!({"a\u{1f}": 1}), Rules::PATCH, "a\u{1f}", names),
        (json!({"a\u{85}": 1}), Rules::PATCH, "a\u{85}", names),
        (json!({"": 1}), Rules::PATCH, "", "name cannot be empty"),
        (json!({"a": [{"b.c": 1}]}), Rules::PATCH, "a[0].b.c", names),
        (json!({"a": {"b": long}}), Rules::PATCH, "a.b", "value should be maximum 4096 bytes."),
        (json!({"a": [1, long]}), Rules::PATCH, "a[1]", "maximum 4096 bytes"),
        (json!({"a": "é".repeat(2049)}), Rules::PATCH, "a", "4098 bytes"),
        (json!({"a": MAX_INTEGER + 1}), Rules::PATCH, "a", "between -4503599627370496 and 4503599627370495"),
        (json!({"a": {"b": MIN_INTEGER - 1}}), Rules::PATCH, "a.b", "Integer value"),
        (json!({"a": u64::MAX}), Rules::PATCH, "a", "Integer value"),
        (json!({"a": [null]}), Rules::PATCH, "a[0]", "null inside an array"),
        (json!({"a": [{"b": null}]}), Rules::PATCH, "a[0].b", "null inside an array"),
        (json!({"a": [[1]]}), OLD, "a", "arrays are not supported."),
        (
            json!({"a": {"b": null}}),
            Rules::REPLACE,
            "a.b",
            "Value of Property or Tag cannot be null. Error in Property/Tag",
        ),
        (nested(12, json!(1)), Rules::PATCH, "l.l.l.l.l.l.l.l.l.l.l", "at most 10 levels"),
        (nested(11, json!({})), Rules::PATCH, "l.l.l.l.l.l.l.l.l.l.l", "at most 10 levels"),
        (nested(11, json!([])), Rules::PATCH, "l.l.l.l.l.l.l.l.l.l.l", "at most 10 levels"),
    ] {
        for section in ALL {
            let path = format!("{section}.{path}");
            for violation in [
                Patch::new(section, value.as_object().unwrap().clone(), rules).unwrap_err(),
                Patch::parse(section, value.to_string().as_bytes(), rules).unwrap_err(),
            ] {
                assert_eq!((violation.status, violation.code), (400, 400_004), "{violation}");
                assert_eq!((violation.code_name, &violation.path), ("ArgumentInvalid", &path));
                assert!(
                    violation.message.contains(message) && violation.message.contains(&path),
                    "{violation}"
                );
            }
        }
    }
}

#[test]
fn a_name_of_a_megabyte_does_not_fill_the_message() {
    let violation =
        Patch::new(SectionName::Tags, [("k".repeat(1 << 20), json!(1))].into_iter().collect(), Rules::PATCH)
            .unwrap_err();
    assert!(violation.message.contains("maximum 1024 bytes") && violation.message.len() < 400, "{violation}");
}

#[test]
fn what_is_no_json_object() {
    for (body, code, name, path, message) in [
        (&b""[..], 400_005, "ArgumentNull", "properties.reported", "empty"),
        (b" ", 400_005, "ArgumentNull", "properties.reported", "empty"),
        (b"null", 400_005, "ArgumentNull", "properties.reported", "empty"),
        (b"{", 400_006, "IotHubFormatError", "properties.reported", "not valid JSON"),
        (b"[]", 400_006, "IotHubFormatError", "properties.reported", "not an object"),
        (b"\"{}\"", 400_006, "IotHubFormatError", "properties.reported", "not an object"),
        (b"{\"a\":\"\xff\"}", 400_006, "IotHubFormatError", "properties.reported", "not valid JSON"),
        (b"{\"a\":1,\"a\":1}", 400_006, "IotHubFormatError", "properties.reported.a", "twice"),
        (b"{\"a\":99999999999999999999}", 400_004, "ArgumentInvalid", "properties.reported.a", "Integer"),
    ] {
        let v = Patch::parse(SectionName::Reported, body, Rules::PATCH).unwrap_err();
        assert_eq!((v.status, v.code, v.code_name, &*v.path), (400, code, name, path));
        assert!(v.message.contains(message), "{v}");
    }
    for open in ["[", "{\"a\":"] {
        let hostile = format!("{{\"x\":{}", open.repeat(100_000));
        let v = Patch::parse(SectionName::Reported, hostile.as_bytes(), Rules::PATCH).unwrap_err();
        assert_eq!((v.code, v.message.contains("at most 10 levels")), (400_004, true), "{v}");
    }
}

/// Body, rules, then tags, desired, clear_desired.
#[test]
fn bodies_of_services() {
    let some = |value: Value| Some(Patch(value.as_object().unwrap().clone()));
    for (body, rules, tags, desired, clear) in [
        (json!({}), Rules::PATCH, None, None, false),
        (json!({"tags": {"a": null}}), Rules::PATCH, some(json!({"a": null})), None, false),
        (json!({"tags": {}}), Rules::REPLACE, some(json!({})), None, false),
        // azure-docs #32289: not a clear
        (json!({"tags": null}), Rules::PATCH, None, None, false),
        (json!({"properties": null}), Rules::PATCH, None, None, false),
        (json!({"properties": {}}), Rules::REPLACE, None, None, false),
        (json!({"properties": {"desired": null}}), Rules::PATCH, None, None, true),
        (json!({"properties": {"desired": {"x": 1}}}), Rules::REPLACE, None, some(json!({"x": 1})), false),
        // .NET sends the whole twin it has read
        (
            json!({"deviceId": "d", "etag": "\"AAAAAAAAAAE=\"", "version": 2, "status": "enabled", "tags": {"t": 1},
                "properties": {
                    "desired": {"x": 1, "$metadata": {"$lastUpdated": "2020-01-01T00:00:00Z"}, "$version": 4},
                    "reported": {"$version": 9, "bad key": null}}}),
            Rules::REPLACE,
            some(json!({"t": 1})),
            some(json!({"x": 1})),
            false,
        ),
    ] {
        let parsed = TwinPatch::parse(body.to_string().as_bytes(), rules).unwrap();
        assert_eq!((&parsed.tags, &parsed.desired, parsed.clear_desired), (&tags, &desired, clear), "{body}");
        let again = TwinPatch::parse(parsed.to_json().to_string().as_bytes(), rules).unwrap();
        assert_eq!(again, parsed);
    }
    let etag = TwinPatch::parse(br#"{"etag":"\"AAAAAAAAAAE=\""}"#, Rules::PATCH).unwrap().etag;
    assert_eq!(etag, Some(ETag::from_counter(1)));
}

#[test]
fn bodies_of_services_refused() {
    let null = "Value of Property or Tag cannot be null. Error in Property/Tag";
    for (body, rules, code, path, message) in [
        ("", Rules::PATCH, 400_005, "", "empty"),
        ("[]", Rules::PATCH, 400_006, "", "not an object"),
        ("{", Rules::REPLACE, 400_006, "", "not valid JSON"),
        (r#"{"tags":{},"tags":{}}"#, Rules::PATCH, 400_006, "tags", "twice"),
        (r#"{"tags":5}"#, Rules::PATCH, 400_004, "tags", "'tags' must be an object"),
        (
            r#"{"properties":[]}"#,
            Rules::PATCH,
            400_004,
            "properties",
            "not a valid 'tags' or 'properties' object",
        ),
        (
            r#"{"properties":{"desired":"x"}}"#,
            Rules::PATCH,
            400_004,
            "properties.desired",
            "must be an object",
        ),
        (r#"{"tags":null}"#, Rules::REPLACE, 400_004, "tags", null),
        (r#"{"properties":{"desired":null}}"#, Rules::REPLACE, 400_004, "properties.desired", null),
        (r#"{"tags":{"a":{"b":null}}}"#, Rules::REPLACE, 400_004, "tags.a.b", null),
        (r#"{"tags":{"$x":1}}"#, Rules::PATCH, 400_004, "tags.$x", "invalid characters"),
        (
            r#"{"properties":{"desired":{"a":{"$version":1}}}}"#,
            Rules::PATCH,
            400_004,
            "properties.desired.a.$version",
            "'$'",
        ),
    ] {
        let v = TwinPatch::parse(body.as_bytes(), rules).unwrap_err();
        assert_eq!((v.code, &*v.path), (code, path), "{body}: {v}");
        assert!(v.message.contains(message), "{body}: {v}");
    }
}
