//! Versions, changes, notifications and refusals.

use super::*;

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
