//! Identities, modules, models and bulk requests.

use super::*;

#[test]
fn an_identity_is_made_complete_and_keys_are_made_when_none_are_given() {
    use twin_core::identity::{Authentication, Status};
    let mut bench = Bench::with(&["d", "e"]);
    let (d, e) = (bench.identity("d"), bench.identity("e"));
    let Some(Authentication::Sas { primary, secondary }) = &d.authentication else { panic!("{d:?}") };
    assert!(primary.expose_bytes().len() == 32 && primary != secondary);
    assert_ne!(d.authentication, e.authentication);
    assert_ne!(d.etag, e.etag);
    assert_ne!(d.generation_id, e.generation_id);
    assert!(d.generation_id.bytes().all(|b| b.is_ascii_digit()) && !d.generation_id.is_empty());
    // given keys stay, and an update without any keeps them
    let keys = json!({"symmetricKey": {"primaryKey": "MDEyMzQ1Njc4OWFiY2RlZg==", "secondaryKey": "YWFhYWFhYWFhYWFhYWFhYQ=="}});
    bench.create("f", json!({"authentication": keys})).unwrap();
    let before = bench.identity("f");
    bench.put("f", IfMatch::Any, json!({"status": "disabled", "statusReason": "broken"})).unwrap();
    let after = bench.identity("f");
    assert_eq!(after.authentication, before.authentication);
    assert_eq!((after.status, after.status_reason.as_deref()), (Status::Disabled, Some("broken")));
    assert!(after.status_updated_time > before.status_updated_time);
    assert_ne!(after.etag, before.etag);
    assert_eq!(after.generation_id, before.generation_id);
    let twin = bench.twin("f");
    assert_eq!(twin["status"], "disabled");
    assert_eq!(twin["deviceEtag"], after.etag.unwrap().as_str());
    assert_eq!(
        bench.versions("f"),
        ("AAAAAAAAAAE=".into(), 2, 1, 1),
        "identity and twin have their own etags"
    );
}

#[test]
fn whatever_makes_a_connection_invalid_revokes_it() {
    type Act = fn(&mut Bench);
    let table: [(Act, &[&str]); 6] = [
        (|b| drop(b.put("d", IfMatch::Any, json!({"statusReason": "x"})).unwrap()), &[]),
        (
            |b| drop(b.put("d", IfMatch::Any, json!({"status": "disabled"})).unwrap()),
            &["d is revoked", "d/m is revoked"],
        ),
        (
            |b| {
                let thumbprint =
                    json!({"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": "AB".repeat(20)}});
                drop(b.put("d", IfMatch::Any, json!({"authentication": thumbprint})).unwrap());
            },
            &["d is revoked"],
        ),
        (|b| drop(b.delete("d/m", IfMatch::Any).unwrap()), &["d/m is revoked"]),
        (|b| drop(b.delete("d", IfMatch::Absent).unwrap()), &["d is revoked", "d/m is revoked"]),
        (|b| drop(b.patch("d", IfMatch::Any, r#"{"tags":{}}"#).unwrap()), &[]),
    ];
    for (n, (act, want)) in table.into_iter().enumerate() {
        let mut bench = Bench::with(&["d", "d/m"]);
        act(&mut bench);
        assert_eq!(bench.notices, want, "row {n}");
    }
}

#[test]
fn modules_live_and_die_with_their_device() {
    let mut bench = Bench::with(&["d", "e"]);
    for n in 0..MAX_MODULES {
        bench.create(&format!("d/m{n}"), json!({"managedBy": "iotEdge"})).unwrap();
    }
    let refusal = bench.create("d/one-more", json!({})).unwrap_err();
    assert_eq!(refusal.code.number, 413003);
    bench.create("e/m0", json!({})).unwrap();
    bench.delete("d/m7", IfMatch::Any).unwrap();
    bench.create("d/one-more", json!({})).unwrap();
    assert_eq!(bench.twin("d/one-more")["moduleId"], "one-more");
    bench.delete("d", IfMatch::Any).unwrap();
    let left: Vec<String> = bench.records.keys().map(ToString::to_string).collect();
    assert_eq!(left, ["e", "e/m0"]);
    // created again it is another one
    bench.create("d", json!({})).unwrap();
    assert_eq!(bench.versions("d"), ("AAAAAAAAAAE=".into(), 2, 1, 1));
    assert!(bench.records[&key_of("d")].serial() > bench.records[&key_of("e/m0")].serial());
}

#[test]
fn edge_devices_are_scopes_and_leaves_have_parents() {
    let mut bench = Bench::default();
    bench.create("edge", json!({"capabilities": {"iotEdge": true}})).unwrap();
    let scope = bench.identity("edge").device_scope.unwrap();
    assert!(scope.starts_with("ms-azure-iot-edge://edge-"), "{scope}");
    bench.create("leaf", json!({"deviceScope": scope})).unwrap();
    assert_eq!(bench.identity("leaf").parent_scopes, std::slice::from_ref(&scope));
    bench.put("edge", IfMatch::Any, json!({"capabilities": {"iotEdge": true}})).unwrap();
    assert_eq!(bench.identity("edge").device_scope, Some(scope));
    assert_eq!(bench.twin("edge")["capabilities"], json!({"iotEdge": true}));
}

#[test]
fn a_model_is_remembered_and_moves_no_version() {
    let mut bench = Bench::with(&["d"]);
    assert_eq!(bench.twin("d")["modelId"], "");
    let announce = |id: &str| Command::Announce { key: key_of("d"), model_id: id.into() };
    bench.step(announce("dtmi:com:example:Pump;1")).unwrap();
    assert_eq!(bench.twin("d")["modelId"], "dtmi:com:example:Pump;1");
    assert_eq!(bench.versions("d"), ("AAAAAAAAAAE=".into(), 2, 1, 1));
}

/// import mode, item, then: expected error name or "" and what is there afterwards.
#[test]
fn bulk_items_stand_for_themselves() {
    let mut bench = Bench::with(&["old", "gone", "twin", "stale"]);
    let good_etag = bench.identity("old").etag.unwrap();
    let body = json!([
        {"id": "new", "importMode": "create", "tags": {"t": 1}, "properties": {"desired": {"x": 1}}},
        {"id": "old", "importMode": "Create"},
        {"id": "gone", "importMode": "DELETE"},
        {"id": "twin", "importMode": "updateTwin", "tags": {"t": 2}},
        {"id": "stale", "importMode": "updateIfMatchETag", "eTag": "\"bm8=\"", "status": "disabled"},
        {"id": "missing", "importMode": "update"},
        {"id": "missing2", "importMode": "delete"},
        {"id": "bad id", "importMode": "create"},
        {"id": "mode", "importMode": "replaceAll"},
        {"id": "old", "moduleId": "m", "importMode": "create"},
        {"id": "made", "status": "disabled"},
        {"id": "bad-tags", "importMode": "create", "tags": {"a.b": 1}},
        {"id": "big", "importMode": "create", "tags": {"a": "x".repeat(4096), "b": "x".repeat(4096), "c": "x"}},
    ]);
    let items = BulkItem::parse_all(body.to_string().as_bytes(), Rules::REPLACE).unwrap();
    let Done::Bulk(result) = bench.step(Command::Bulk(items)).unwrap() else { panic!() };
    let result = result.to_json();
    assert_eq!(result["isSuccessful"], false);
    assert_eq!(result["warnings"], json!([]));
    let errors: Vec<(&str, &str)> = result["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["deviceId"].as_str().unwrap(), e["errorCode"].as_str().unwrap()))
        .collect();
    assert_eq!(
        errors,
        [
            ("old", "DeviceAlreadyExists"),
            ("stale", "PreconditionFailed"),
            ("missing", "DeviceNotFound"),
            ("missing2", "DeviceNotFound"),
            ("bad id", "ArgumentInvalid"),
            ("mode", "ArgumentInvalid"),
            ("bad-tags", "ArgumentInvalid"),
            ("big", "DeviceModelMaxPropertiesExceeded"),
        ]
    );
    let left: Vec<String> = bench.records.keys().map(ToString::to_string).collect();
    assert_eq!(left, ["made", "new", "old", "old/m", "stale", "twin"]);
    assert_eq!(bench.twin("new")["tags"], json!({"t": 1}));
    assert_eq!(members(&bench.twin("new")["properties"]["desired"]), json!({"x": 1}));
    assert_eq!(bench.versions("new"), ("AAAAAAAAAAE=".into(), 2, 1, 1));
    assert_eq!(bench.twin("twin")["tags"], json!({"t": 2}));
    assert_eq!(bench.twin("made")["status"], "disabled");
    // all well: no errors, and an etag that matches
    let body = json!([{"id": "old", "importMode": "deleteIfMatchETag", "eTag": good_etag.as_str()}]);
    let items = BulkItem::parse_all(body.to_string().as_bytes(), Rules::REPLACE).unwrap();
    let Done::Bulk(result) = bench.step(Command::Bulk(items)).unwrap() else { panic!() };
    assert_eq!(result.to_json(), json!({"isSuccessful": true, "errors": [], "warnings": []}));
    assert!(!bench.records.contains_key(&key_of("old/m")));
}

#[test]
fn bulk_requests_that_cannot_be() {
    let many: Vec<Value> = (0..101).map(|n| json!({"id": format!("d{n}")})).collect();
    for (body, number) in [
        (json!(many).to_string(), 413002),
        ("[]".into(), 400005),
        ("{}".into(), 400006),
        ("nonsense".into(), 400006),
        (r#"[{"id":"a"},{"id":"a"}]"#.into(), 400011),
    ] {
        let refusal = BulkItem::parse_all(body.as_bytes(), Rules::REPLACE).unwrap_err();
        assert_eq!(refusal.code.number, number, "{body}");
    }
}
