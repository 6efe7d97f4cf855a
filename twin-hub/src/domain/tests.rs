//! The domain through its one door, mostly as tables: what is said, what becomes of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use twin_core::twin::Rules;

use super::*;

/// A world in a map, a clock that moves one second per step, and randomness that counts.
#[derive(Default)]
struct Bench {
    records: BTreeMap<TwinKey, Record>,
    serial: u64,
    clock: u64,
    random: u64,
    /// notices of the last step, as text
    notices: Vec<String>,
}

impl World for Bench {
    fn get(&self, key: &TwinKey) -> Option<Record> {
        self.records.get(key).cloned()
    }
    fn modules(&mut self, device: &DeviceId) -> Vec<ModuleId> {
        self.records.keys().filter(|k| k.device == *device).filter_map(|k| k.module.clone()).collect()
    }
    fn put(&mut self, key: &TwinKey, record: Record) {
        self.records.insert(key.clone(), record);
    }
    fn remove(&mut self, key: &TwinKey) {
        self.records.remove(key);
    }
    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

impl Bench {
    fn with(keys: &[&str]) -> Bench {
        let mut bench = Bench::default();
        for key in keys {
            bench.create(key, json!({})).unwrap();
        }
        bench
    }

    fn step(&mut self, command: Command) -> Result<Done, Refusal> {
        self.clock += 1;
        let now = Timestamp::from_unix(std::time::Duration::from_secs(1_654_122_000 + self.clock));
        let mut counter = self.random;
        let mut random = |to: &mut [u8]| {
            for byte in to {
                counter += 1;
                *byte = counter as u8;
            }
        };
        let mut at = Step { now, world: self, random: &mut random, notices: Vec::new() };
        let done = step(&mut at, command);
        let notices = at.notices;
        self.random = counter;
        self.notices = notices
            .into_iter()
            .map(|(key, notice)| match notice {
                Notice::Desired { version, body } => {
                    let body: Value = serde_json::from_slice(&body).unwrap();
                    assert_eq!(body["$version"], version, "the version is in the body too");
                    format!("{key} hears {body}")
                }
                Notice::Revoked => format!("{key} is revoked"),
                Notice::TakenOver => unreachable!("the domain knows no connections"),
            })
            .collect();
        if done.is_err() {
            assert!(self.notices.is_empty(), "a refusal tells nobody");
        }
        done
    }

    fn put(&mut self, key: &str, if_match: IfMatch, mut body: Value) -> Result<Done, Refusal> {
        let key = key_of(key);
        body["deviceId"] = key.device.as_str().into();
        if let Some(module) = &key.module {
            body["moduleId"] = module.as_str().into();
        }
        let identity = Box::new(Identity::from_json(body).unwrap());
        self.step(Command::PutIdentity { key, if_match, identity })
    }

    fn create(&mut self, key: &str, body: Value) -> Result<Done, Refusal> {
        self.put(key, IfMatch::Absent, body)
    }

    fn delete(&mut self, key: &str, if_match: IfMatch) -> Result<Done, Refusal> {
        self.step(Command::DeleteIdentity { key: key_of(key), if_match })
    }

    fn patch(&mut self, key: &str, if_match: IfMatch, body: &str) -> Result<Done, Refusal> {
        let patch = TwinPatch::parse(body.as_bytes(), Rules::PATCH).unwrap();
        self.step(Command::PatchTwin { key: key_of(key), if_match, patch })
    }

    fn replace(&mut self, key: &str, if_match: IfMatch, body: &str) -> Result<Done, Refusal> {
        let content = TwinPatch::parse(body.as_bytes(), Rules::REPLACE).unwrap();
        self.step(Command::ReplaceTwin { key: key_of(key), if_match, content })
    }

    fn report(&mut self, key: &str, if_version: Option<u64>, body: &str) -> Result<u64, Refusal> {
        let patch =
            Patch::parse(twin_core::twin::SectionName::Reported, body.as_bytes(), Rules::PATCH).unwrap();
        match self.step(Command::Report { key: key_of(key), patch, if_version })? {
            Done::Reported(version) => Ok(version),
            other => panic!("{other:?}"),
        }
    }

    fn twin(&self, key: &str) -> Value {
        let key = key_of(key);
        serde_json::from_slice(&service_twin(&key, &self.records[&key], &Presence::default())).unwrap()
    }

    fn identity(&self, key: &str) -> Identity {
        self.records[&key_of(key)].identity()
    }

    /// etag, version, desired $version, reported $version
    fn versions(&self, key: &str) -> (String, u64, u64, u64) {
        let twin = self.twin(key);
        let number = |v: &Value| v.as_u64().unwrap();
        (
            twin["etag"].as_str().unwrap().to_owned(),
            number(&twin["version"]),
            number(&twin["properties"]["desired"]["$version"]),
            number(&twin["properties"]["reported"]["$version"]),
        )
    }
}

fn key_of(text: &str) -> TwinKey {
    match text.split_once('/') {
        Some((device, module)) => TwinKey::module(device, module).unwrap(),
        None => TwinKey::device(text).unwrap(),
    }
}

fn etag(counter: u64) -> IfMatch {
    IfMatch::ETag(twin_core::ETag::from_counter(counter))
}

/// The members of a section without `$` ones.
fn members(section: &Value) -> Value {
    let mut object = section.as_object().unwrap().clone();
    object.retain(|name, _| !name.starts_with('$'));
    Value::Object(object)
}

/// Sources: create event in the non-telemetry event schema docs (`AAAAAAAAAAE=`, version 2); six dumps of real twins
/// that satisfy `version = etag counter + reported.$version`.
#[test]
fn versions_and_etags_move_as_observed() {
    let mut bench = Bench::with(&["d"]);
    assert_eq!(bench.versions("d"), ("AAAAAAAAAAE=".into(), 2, 1, 1));
    type Act = fn(&mut Bench);
    let table: [(Act, &str, u64, u64, u64); 8] = [
        (|b| drop(b.patch("d", IfMatch::Absent, r#"{"tags":{"a":1}}"#).unwrap()), "AAAAAAAAAAI=", 3, 1, 1),
        (
            |b| drop(b.patch("d", IfMatch::Any, r#"{"properties":{"desired":{"x":1}}}"#).unwrap()),
            "AAAAAAAAAAM=",
            4,
            2,
            1,
        ),
        (|b| assert!(b.report("d", None, r#"{"y":1}"#).unwrap() > 1), "AAAAAAAAAAM=", 5, 2, 2),
        (|b| assert!(b.report("d", None, r#"{"y":1}"#).unwrap() > 1), "AAAAAAAAAAM=", 6, 2, 3),
        // a reported update does not invalidate the backend's etag
        (
            |b| drop(b.patch("d", etag(3), r#"{"tags":{"a":1},"properties":{"desired":{"x":1}}}"#).unwrap()),
            "AAAAAAAAAAQ=",
            7,
            3,
            3,
        ),
        (|b| drop(b.replace("d", IfMatch::Any, r#"{"tags":{}}"#).unwrap()), "AAAAAAAAAAU=", 8, 3, 3),
        (
            |b| drop(b.replace("d", IfMatch::Any, r#"{"properties":{"desired":{}}}"#).unwrap()),
            "AAAAAAAAAAY=",
            9,
            4,
            3,
        ),
        // SDKs that write whole twins back send an empty desired: nothing is named, nothing moves in it
        (
            |b| drop(b.patch("d", IfMatch::Any, r#"{"tags":{},"properties":{"desired":{}}}"#).unwrap()),
            "AAAAAAAAAAc=",
            10,
            4,
            3,
        ),
    ];
    for (n, (act, etag, version, desired, reported)) in table.into_iter().enumerate() {
        act(&mut bench);
        assert_eq!(bench.versions("d"), (etag.into(), version, desired, reported), "row {n}");
    }
}

/// What a PATCH or PUT does to the sections, and what the device hears. `None`: it hears nothing.
#[test]
fn changes_and_notifications() {
    // desired before, PUT?, body, desired after, heard
    let table: [(Value, bool, &str, Value, Option<Value>); 11] = [
        (
            json!({}),
            false,
            r#"{"properties":{"desired":{"a":{"b":1}}}}"#,
            json!({"a":{"b":1}}),
            Some(json!({"a":{"b":1}})),
        ),
        // the patch as sent, nulls included
        (
            json!({"a":1,"b":2}),
            false,
            r#"{"properties":{"desired":{"a":null}}}"#,
            json!({"b":2}),
            Some(json!({"a":null})),
        ),
        (
            json!({"a":1}),
            false,
            r#"{"properties":{"desired":{"a":1}}}"#,
            json!({"a":1}),
            Some(json!({"a":1})),
        ),
        // nested null under a missing parent leaves an empty object
        (
            json!({}),
            false,
            r#"{"properties":{"desired":{"p":{"q":null}}}}"#,
            json!({"p":{}}),
            Some(json!({"p":{"q":null}})),
        ),
        // tags alone are none of the device's business
        (json!({"a":1}), false, r#"{"tags":{"t":1}}"#, json!({"a":1}), None),
        (json!({"a":1}), false, r#"{"tags":null}"#, json!({"a":1}), None),
        // read-only members of whole twins are ignored
        (
            json!({"a":1}),
            false,
            r#"{"deviceId":"other","etag":"x","version":9,"properties":{"desired":{"b":2,"$version":7,"$metadata":{}},"reported":{"r":1}}}"#,
            json!({"a":1,"b":2}),
            Some(json!({"b":2})),
        ),
        // the whole section goes
        (
            json!({"a":1,"b":{"c":2}}),
            false,
            r#"{"properties":{"desired":null}}"#,
            json!({}),
            Some(json!({"a":null,"b":null})),
        ),
        // PUT: the new section, null for what vanished (observed: azure-iot-sdk-csharp #954)
        (
            json!({"a":1,"b":2}),
            true,
            r#"{"properties":{"desired":{"a":1,"c":100}}}"#,
            json!({"a":1,"c":100}),
            Some(json!({"a":1,"b":null,"c":100})),
        ),
        (json!({"a":1}), true, r#"{"tags":{"t":1}}"#, json!({"a":1}), None),
        (json!({"a":1}), true, r#"{}"#, json!({"a":1}), None),
    ];
    for (before, put, body, after, heard) in table {
        let mut bench = Bench::with(&["d"]);
        if before != json!({}) {
            let start = json!({"properties": {"desired": before}}).to_string();
            bench.replace("d", IfMatch::Any, &start).unwrap();
        }
        let version = bench.versions("d").2;
        match put {
            true => bench.replace("d", IfMatch::Any, body).unwrap(),
            false => bench.patch("d", IfMatch::Any, body).unwrap(),
        };
        assert_eq!(members(&bench.twin("d")["properties"]["desired"]), after, "{body}");
        assert_eq!(members(&bench.twin("d")["properties"]["reported"]), json!({}), "{body}");
        let heard = heard.map(|mut heard| {
            heard["$version"] = (version + 1).into();
            format!("d hears {heard}")
        });
        assert_eq!(bench.notices, Vec::from_iter(heard), "{body}");
    }
}

#[test]
fn tags_merge_in_a_patch_and_go_in_a_put() {
    let mut bench = Bench::with(&["d"]);
    bench.patch("d", IfMatch::Any, r#"{"tags":{"a":{"b":1,"c":2},"d":3}}"#).unwrap();
    bench.patch("d", IfMatch::Any, r#"{"tags":{"a":{"b":null},"e":[1]}}"#).unwrap();
    assert_eq!(bench.twin("d")["tags"], json!({"a":{"c":2},"d":3,"e":[1]}));
    bench.replace("d", IfMatch::Any, r#"{"tags":{"z":1}}"#).unwrap();
    assert_eq!(bench.twin("d")["tags"], json!({"z":1}));
    bench.replace("d", IfMatch::Any, r#"{"properties":{"desired":{"x":1}}}"#).unwrap();
    assert_eq!(bench.twin("d")["tags"], json!({"z":1}), "a section that is left out stays");
}

/// Whatever is refused changes nothing: status, number, part of the message.
#[test]
fn refusals() {
    type Act = fn(&mut Bench) -> Result<(), Refusal>;
    let big_tags = |n: usize| json!({"tags": {"a": "x".repeat(4000), "b": "x".repeat(n)}}).to_string();
    assert!(Bench::with(&["d"]).patch("d", IfMatch::Any, &big_tags(4000)).is_ok());
    let table: [(Act, u16, u32, &str); 17] = [
        (|b| b.report("x", None, "{}").map(drop), 404, 404001, "'x'"),
        (|b| b.report("d/x", None, "{}").map(drop), 404, 404010, "module 'x' on device 'd'"),
        (|b| b.report("d", Some(2), "{}").map(drop), 412, 412001, "$version 1"),
        (|b| b.patch("x", IfMatch::Any, "{}").map(drop), 404, 404001, "'x'"),
        (|b| b.patch("d", etag(2), "{}").map(drop), 412, 412001, "RFC 7232"),
        (|b| b.replace("d", etag(7), "{}").map(drop), 412, 412001, "AAAAAAAAAAE="),
        (|b| b.create("d", json!({})).map(drop), 409, 409001, "'d'"),
        (|b| b.create("d/m", json!({})).map(drop), 409, 409301, "'m'"),
        (|b| b.create("x/m", json!({})).map(drop), 404, 404001, "'x'"),
        (|b| b.put("x", IfMatch::Any, json!({})).map(drop), 404, 404001, "'x'"),
        (|b| b.put("d/x", IfMatch::Any, json!({})).map(drop), 404, 404010, "'x'"),
        (|b| b.put("d", etag(1), json!({})).map(drop), 412, 412001, "device's etag"),
        (|b| b.delete("x", IfMatch::Absent).map(drop), 404, 404001, "'x'"),
        (|b| b.delete("d", etag(1)).map(drop), 412, 412001, "device's etag"),
        (|b| b.delete("d/m", etag(1)).map(drop), 412, 412001, "module's etag"),
        (
            |b| {
                let identity = Box::new(Identity::new(key_of("e")));
                b.step(Command::PutIdentity { key: key_of("d"), if_match: IfMatch::Any, identity }).map(drop)
            },
            400,
            400004,
            "'d' and the body 'e'",
        ),
        (
            |b| {
                let text =
                    json!({"tags": {"a": "x".repeat(4000), "b": "x".repeat(4096), "c": "x".repeat(100)}});
                b.patch("d", IfMatch::Any, &text.to_string()).map(drop)
            },
            403,
            twin_core::twin::limits::check_growth(twin_core::twin::SectionName::Tags, 0, 9000)
                .unwrap_err()
                .code,
            "tags",
        ),
    ];
    for (n, (act, status, number, message)) in table.into_iter().enumerate() {
        let mut bench = Bench::with(&["d", "d/m"]);
        let before = bench.records.clone();
        let refusal = act(&mut bench).unwrap_err();
        assert_eq!((refusal.code.status, refusal.code.number), (status, number), "row {n}: {refusal:?}");
        assert!(
            refusal.message.to_lowercase().contains(&message.to_lowercase()),
            "row {n}: {}",
            refusal.message
        );
        assert_eq!(bench.records, before, "row {n}");
    }
}

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

/// Random writes: the versions keep their sum, go up by one, and a device that merges what it hears into what it had
/// holds exactly the desired properties.
#[test]
fn what_a_device_hears_leads_to_what_is_there() {
    let mut seed = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    fn object(random: &mut impl FnMut(u64) -> u64, depth: u64, nulls: bool) -> Value {
        let mut members = serde_json::Map::new();
        for _ in 0..random(4) {
            let value = match random(5) {
                0 if nulls => Value::Null,
                0 | 1 => random(3).into(),
                2 => json!([random(2)]),
                _ if depth < 3 => object(random, depth + 1, nulls),
                _ => "text".into(),
            };
            members.insert(format!("k{}", random(4)), value);
        }
        Value::Object(members)
    }
    let mut bench = Bench::with(&["d"]);
    let mut heard = twin_core::twin::Object::new();
    let mut version = 1;
    for _ in 0..2000 {
        match random(4) {
            0 => {
                let body = json!({"properties": {"desired": object(&mut random, 0, false)}, "tags": {}});
                bench.replace("d", IfMatch::Any, &body.to_string()).unwrap();
            }
            1 => drop(bench.report("d", None, &object(&mut random, 0, true).to_string()).unwrap()),
            _ => {
                let desired = if random(9) == 0 { Value::Null } else { object(&mut random, 0, true) };
                let body = json!({"properties": {"desired": desired}, "tags": object(&mut random, 0, true)});
                bench.patch("d", IfMatch::Any, &body.to_string()).unwrap();
            }
        }
        for notice in &bench.notices {
            let body = notice.strip_prefix("d hears ").unwrap();
            let (patch, told) = twin_core::twin::notification::hear(body.as_bytes()).unwrap();
            version += 1;
            assert_eq!(told, Some(version), "no version is skipped");
            twin_core::twin::merge(&mut heard, &patch);
        }
        let desired = bench.records[&key_of("d")].desired();
        assert_eq!((desired.value(), desired.version()), (&heard, version));
        let (etag, twin_version, _, reported) = bench.versions("d");
        let counter = twin_core::ETag::new(etag).counter().unwrap();
        assert_eq!(twin_version, counter + reported, "observed in six dumps of real twins");
    }
}

#[test]
fn the_views() {
    let mut bench = Bench::with(&["d", "d/m"]);
    assert_eq!(
        device_twin(&bench.records[&key_of("d")]),
        r#"{"desired":{"$version":1},"reported":{"$version":1}}"#
    );
    bench.patch("d", IfMatch::Any, r#"{"tags":{"t":1},"properties":{"desired":{"a":{"b":"é\""}}}}"#).unwrap();
    bench.report("d", None, r#"{"r":[1,{"x":null}]}"#.replace("null", "2").as_str()).unwrap();
    assert_eq!(
        device_twin(&bench.records[&key_of("d")]),
        r#"{"desired":{"a":{"b":"é\""},"$version":2},"reported":{"r":[1,{"x":2}],"$version":2}}"#
    );
    let twin = bench.twin("d");
    for name in [
        "deviceId",
        "etag",
        "deviceEtag",
        "status",
        "statusUpdateTime",
        "connectionState",
        "lastActivityTime",
        "cloudToDeviceMessageCount",
        "authenticationType",
        "x509Thumbprint",
        "modelId",
        "version",
        "capabilities",
    ] {
        assert!(!twin[name].is_null(), "{name}");
    }
    assert_eq!(twin["statusUpdateTime"], "0001-01-01T00:00:00Z");
    assert_eq!(twin["authenticationType"], "sas");
    let desired = &twin["properties"]["desired"];
    let at = "2022-06-01T22:20:03Z";
    assert_eq!(desired["$metadata"]["a"]["b"], json!({"$lastUpdated": at, "$lastUpdatedVersion": 2}));
    assert_eq!(
        twin["properties"]["reported"]["$metadata"]["r"],
        json!({"$lastUpdated": "2022-06-01T22:20:04Z"})
    );
    assert!(bench.twin("d/m").get("capabilities").is_none());
    // what our client reads is what was there
    let read = twin_core::Twin::from_json(twin).unwrap();
    assert_eq!(read.desired.version, 2);
}

/// Every path of a row is worth what it is worth in the document that the backend reads.
#[test]
fn a_row_agrees_with_the_document() {
    use twin_core::query::{Lookup, Path};
    let mut bench = Bench::with(&["d", "d/m"]);
    bench
        .patch(
            "d",
            IfMatch::Any,
            r#"{"tags":{"t":"x","n":{"m":1.5}},"properties":{"desired":{"a":{"b":true}}}}"#,
        )
        .unwrap();
    bench
        .report(
            "d",
            None,
            r#"{"$iothub":1,"list":["a"],"s":"q\"uote"}"#.replace("\"$iothub\":1,", "").as_str(),
        )
        .unwrap();
    bench.step(Command::Announce { key: key_of("d"), model_id: "dtmi:x;1".into() }).unwrap();
    for key in ["d", "d/m"] {
        let key = key_of(key);
        let record = &bench.records[&key];
        let presence = Presence { connected: true, ..Presence::default() };
        let row = Row::new(&key, record, presence);
        let document: Value = serde_json::from_slice(&service_twin(&key, record, &presence)).unwrap();
        for path in [
            "deviceId",
            "moduleId",
            "etag",
            "deviceEtag",
            "version",
            "status",
            "statusUpdateTime",
            "connectionState",
            "lastActivityTime",
            "cloudToDeviceMessageCount",
            "authenticationType",
            "x509Thumbprint",
            "x509Thumbprint.primaryThumbprint",
            "modelId",
            "capabilities",
            "capabilities.iotEdge",
            "deviceScope",
            "parentScopes",
            "configurations.c.status",
            "tags",
            "tags.t",
            "tags.n",
            "tags.n.m",
            "tags.x",
            "tags.t.x",
            "properties",
            "properties.desired",
            "properties.desired.a",
            "properties.desired.a.b",
            "properties.desired.$version",
            "properties.desired.$metadata.$lastUpdated",
            "properties.desired.$metadata.a.b.$lastUpdatedVersion",
            "properties.reported",
            "properties.reported.list",
            "properties.reported.s",
            "properties.reported.$version",
            "properties.reported.$metadata",
        ] {
            let path = Path(path.split('.').map(str::to_owned).collect());
            assert_eq!(row.json(&path), document.json(&path), "{path:?}");
            let (got, want) = (row.lookup(&path), document.lookup(&path));
            let same = format!("{got:?}") == format!("{want:?}");
            let both_trees = !got.is_primitive() && !want.is_primitive();
            assert!(same || both_trees, "{path:?}: {got:?} {want:?}");
        }
    }
}

#[test]
fn a_record_survives_storage_and_shows_no_keys() {
    let mut bench = Bench::with(&["d"]);
    bench.patch("d", IfMatch::Any, r#"{"tags":{"t":1},"properties":{"desired":{"a":{"b":1}}}}"#).unwrap();
    let record = &bench.records[&key_of("d")];
    let stored = record.bytes().clone();
    assert_eq!(Record::from_stored(stored.clone()).unwrap(), *record);
    for end in 0..stored.len() {
        assert!(Record::from_stored(stored[..end].into()).is_err(), "cut at {end}");
    }
    let twin_core::identity::Authentication::Sas { primary, .. } = record.identity().authentication.unwrap()
    else {
        panic!()
    };
    let shown = format!("{record:?} {:?}", Done::Record(record.clone()));
    assert!(!shown.contains(primary.expose_base64().as_str()));
}
