//! What devices and backends read, and what queries look up.

use super::*;

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
