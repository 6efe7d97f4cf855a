//! A small hub: six device twins and four module twins, and the whole of running a query over them.

use serde_json::{Value as Json, json};

use crate::query::{Grouping, Query, Selection, Source};

/// Device twins d1 … d6, as a service prints them.
pub(super) fn devices() -> Vec<Json> {
    vec![
        json!({
            "deviceId": "d1", "etag": "AAAAAAAAAAE=", "deviceEtag": "MQ==", "version": 8,
            "status": "enabled", "statusUpdateTime": "0001-01-01T00:00:00Z", "connectionState": "Connected",
            "lastActivityTime": "2026-01-01T00:00:00Z", "cloudToDeviceMessageCount": 2, "authenticationType": "sas",
            "x509Thumbprint": {"primaryThumbprint": null, "secondaryThumbprint": null}, "modelId": "",
            "capabilities": {"iotEdge": false}, "parentScopes": ["scope-1"],
            "configurations": {"chiller-v1": {"status": "Applied"}},
            "tags": {"location": {"region": "US", "plant": "Redmond43"}, "group": {"name": "some_value"}},
            "properties": {
                "desired": {"AppKey": "k", "$metadata": {"$lastUpdated": "2026-02-01T00:00:00Z"}, "$version": 4},
                "reported": {
                    "connectivity": {"type": "cellular"},
                    "telemetryConfig": {"sendFrequencyInSecs": 60, "status": "Success"},
                    "chillerWaterSettings": {"status": "pending", "temperature": 80},
                    "$metadata": {"$lastUpdated": "2026-02-01T00:00:00Z", "DevAddr": {"$lastUpdated": "2025-01-01T00:00:00Z"}},
                    "$version": 7
                }
            }
        }),
        json!({
            "deviceId": "d2", "version": 2, "status": "enabled", "statusUpdateTime": "2025-05-05T00:00:00Z",
            "connectionState": "Disconnected", "lastActivityTime": "2026-01-02T00:00:00Z",
            "cloudToDeviceMessageCount": 0, "authenticationType": "selfSigned", "modelId": "dtmi:com:example:T;1",
            "capabilities": {"iotEdge": true}, "deviceScope": "ms-azure-iot-edge://d2-1",
            "configurations": {"chiller-v1": {"status": "Targeted"}},
            "tags": {"location": {"region": "US", "plant": "Redmond43"}},
            "properties": {
                "desired": {"$metadata": {"$lastUpdated": "2024-01-01T00:00:00Z"}, "$version": 1},
                "reported": {
                    "connectivity": {"type": "wifi"}, "telemetryConfig": {"sendFrequencyInSecs": 59, "status": "Success"},
                    "chillerWaterSettings": {"status": "success", "temperature": 75},
                    "$metadata": {"DevAddr": {"$lastUpdated": "2026-03-01T00:00:00Z"}}, "$version": 3
                }
            }
        }),
        json!({
            "deviceId": "d3", "version": 2, "status": "disabled", "connectionState": "Disconnected",
            "lastActivityTime": "0001-01-01T00:00:00Z", "parentScopes": ["scope-1", "scope-2"],
            "tags": {"location": {"region": "EU", "plant": "Dresden1"}},
            "properties": {
                "desired": {"AppSKey": "s", "$version": 1},
                "reported": {"connectivity": "wired", "telemetryConfig": {"status": "Error"}, "$version": 1}
            }
        }),
        json!({
            "deviceId": "test4", "version": 2, "status": "enabled", "connectionState": "Disconnected",
            "lastActivityTime": "2026-01-04T00:00:00Z", "tags": {},
            "properties": {"desired": {"$version": 1}, "reported": {"connectivity": "wifi", "$version": 1}}
        }),
        json!({
            "deviceId": "test5", "version": 2, "status": "enabled", "connectionState": "Connected",
            "capabilities": {"iotEdge": true}, "tags": {"location": {"region": "us"}},
            "properties": {
                "desired": {"$version": 1},
                "reported": {"telemetryConfig": {"sendFrequencyInSecs": 3600.5, "status": "Success"}, "$version": 1}
            }
        }),
        json!({
            "deviceId": "a6", "version": 2, "status": "enabled", "connectionState": "Connected",
            "tags": {"location": {"region": "US"}},
            "properties": {
                "desired": {"$version": 1},
                "reported": {"telemetryConfig": {"sendFrequencyInSecs": "61"}, "$version": 1}
            }
        }),
    ]
}

/// Module twins, named `device/module`: d1/$edgeAgent, d1/camera, d2/$edgeAgent, device1/camera.
pub(super) fn modules() -> Vec<Json> {
    vec![
        json!({
            "deviceId": "d1", "moduleId": "$edgeAgent", "version": 2,
            "configurations": {"dep": {"status": "Applied"}, "fake-deployment": {"status": "Targeted"}},
            "tags": {},
            "properties": {
                "desired": {"$version": 5},
                "reported": {"lastDesiredVersion": 5, "lastDesiredStatus": {"code": 200}, "$version": 9}
            }
        }),
        json!({
            "deviceId": "d1", "moduleId": "camera", "version": 2, "tags": {"NotSeenSince": "2026-01-01"},
            "properties": {
                "desired": {"$version": 1},
                "reported": {"status": "scanning", "State": "Active", "__type__": "Publisher", "$version": 1}
            }
        }),
        json!({
            "deviceId": "d2", "moduleId": "$edgeAgent", "version": 2,
            "configurations": {"dep": {"status": "Applied"}}, "tags": {},
            "properties": {
                "desired": {"$version": 5},
                "reported": {"lastDesiredVersion": 5, "lastDesiredStatus": {"code": 400}, "$version": 2}
            }
        }),
        json!({
            "deviceId": "device1", "moduleId": "camera", "version": 2, "tags": {},
            "properties": {
                "desired": {"$version": 1},
                "reported": {"status": "scanning", "__type__": "Publisher", "$version": 1}
            }
        }),
    ]
}

/// Runs a query as a hub does; whole twins come back as their names (`d1`, `d1/camera`).
pub(super) fn run(query: &Query) -> Vec<Json> {
    let twins = match query.source {
        Source::Devices => devices(),
        Source::Modules => modules(),
        Source::Jobs => Vec::new(),
    };
    let passing = twins.iter().filter(|twin| query.condition.as_ref().is_none_or(|c| c.is_true(*twin)));
    let top = query.top.map_or(usize::MAX, |top| usize::try_from(top).unwrap());
    if query.is_aggregate() {
        let mut grouping = Grouping::new(query);
        passing.for_each(|twin| grouping.feed(twin));
        return grouping.finish();
    }
    let row = |twin: &Json| match query.select {
        Selection::All => match twin.get("moduleId") {
            Some(module) => {
                json!(format!("{}/{}", twin["deviceId"].as_str().unwrap(), module.as_str().unwrap()))
            }
            None => twin["deviceId"].clone(),
        },
        Selection::Items(_) => query.project(twin),
    };
    passing.take(top).map(row).collect()
}

/// Runs query text.
pub(super) fn rows(text: &str) -> Json {
    Json::Array(run(&Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))))
}
