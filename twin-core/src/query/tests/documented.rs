//! The queries that Microsoft's documents, tools and samples ship, with the rows each gives over the fixture.

use serde_json::{Value as Json, json};

use super::fixture::rows;
use crate::query::{Condition, Query, Source};

const D: &str = "SELECT * FROM devices WHERE ";

#[test]
fn documented_queries_give_their_rows() {
    let all_devices = json!(["d1", "d2", "d3", "test4", "test5", "a6"]);
    let edge_metric = "select deviceId from devices.modules where moduleId='$edgeAgent' and configurations.[[dep]].status = 'Applied'";
    let reported = "and properties.desired.$version = properties.reported.lastDesiredVersion and properties.reported.lastDesiredStatus.code";
    let table: Vec<(u32, String, Json)> = vec![
        (1, "SELECT * FROM devices".into(), all_devices.clone()),
        (2, "SELECT COUNT() as totalNumberOfDevices FROM devices".into(), json!([{"totalNumberOfDevices": 6}])),
        (3, "select count() AS numberOfDevices from devices".into(), json!([{"numberOfDevices": 6}])),
        (4, format!("{D}tags.location.region = 'US'"), json!(["d1", "d2", "a6"])),
        (
            5,
            format!("{D}tags.location.region = 'US' AND properties.reported.telemetryConfig.sendFrequencyInSecs >= 60"),
            json!(["d1"]),
        ),
        (6, format!("{D}properties.reported.connectivity IN ['wired','wifi']"), json!(["d3", "test4"])),
        (7, format!("{D}is_defined(properties.reported.connectivity)"), json!(["d1", "d2", "d3", "test4"])),
        (
            8,
            "SELECT properties.reported.telemetryConfig.status AS status, COUNT() AS numberOfDevices FROM devices \
             GROUP BY properties.reported.telemetryConfig.status"
                .into(),
            json!([
                {"numberOfDevices": 2},
                {"status": "Error", "numberOfDevices": 1},
                {"status": "Success", "numberOfDevices": 3},
            ]),
        ),
        (
            9,
            "SELECT DeviceId, LastActivityTime FROM devices WHERE status = 'enabled' AND connectionState = 'Disconnected'"
                .into(),
            json!([
                {"DeviceId": "d2", "LastActivityTime": "2026-01-02T00:00:00Z"},
                {"DeviceId": "test4", "LastActivityTime": "2026-01-04T00:00:00Z"},
            ]),
        ),
        (
            10,
            "SELECT LastActivityTime FROM devices WHERE status = 'enabled'".into(),
            json!([
                {"LastActivityTime": "2026-01-01T00:00:00Z"},
                {"LastActivityTime": "2026-01-02T00:00:00Z"},
                {"LastActivityTime": "2026-01-04T00:00:00Z"},
                {},
                {},
            ]),
        ),
        (11, "SELECT * FROM devices.modules".into(), json!(["d1/$edgeAgent", "d1/camera", "d2/$edgeAgent", "device1/camera"])),
        (
            12,
            "SELECT * FROM devices.modules WHERE properties.reported.status = 'scanning'".into(),
            json!(["d1/camera", "device1/camera"]),
        ),
        (
            13,
            "SELECT * FROM devices.modules WHERE properties.reported.status = 'scanning' AND deviceId IN ['device1','device2']"
                .into(),
            json!(["device1/camera"]),
        ),
        (
            14,
            "select * from devices.modules where devices.deviceId = 'd1'".into(),
            json!(["d1/$edgeAgent", "d1/camera"]),
        ),
        (
            15,
            "SELECT * FROM devices.modules WHERE devices.modules.moduleId = '$edgeAgent' AND deviceId in ['d2']".into(),
            json!(["d2/$edgeAgent"]),
        ),
        (
            16,
            "select properties.reported.State from devices.modules where devices.modules.moduleId = 'camera' and devices.deviceId = 'd1'"
                .into(),
            json!([{"State": "Active"}]),
        ),
        (17, edge_metric.into(), json!([{"deviceId": "d1"}, {"deviceId": "d2"}])),
        (18, format!("{edge_metric} {reported} = 200"), json!([{"deviceId": "d1"}])),
        (19, format!("{edge_metric} {reported} != 200"), json!([{"deviceId": "d2"}])),
        (
            20,
            "select deviceId from devices.modules where moduleId='$edgeAgent' and configurations.[[fake-deployment]].status != 'Applied'"
                .into(),
            json!([{"deviceId": "d1"}]),
        ),
        (
            21,
            "SELECT deviceId FROM devices WHERE properties.reported.chillerWaterSettings.status='pending'".into(),
            json!([{"deviceId": "d1"}]),
        ),
        (
            22,
            "SELECT deviceId FROM devices WHERE properties.reported.chillerWaterSettings.temperature > 75".into(),
            json!([{"deviceId": "d1"}]),
        ),
        (
            23,
            "SELECT deviceId FROM devices WHERE configurations.[[chiller-v1]].status='Applied'".into(),
            json!([{"deviceId": "d1"}]),
        ),
        (24, "select * from devices where capabilities.iotEdge = true".into(), json!(["d2", "test5"])),
        (
            25,
            format!("{D}(NOT IS_DEFINED(capabilities.iotEdge) OR capabilities.iotEdge=true)"),
            json!(["d2", "d3", "test4", "test5", "a6"]),
        ),
        (
            26,
            "select deviceId from devices where array_contains(parentScopes, 'scope-1')".into(),
            json!([{"deviceId": "d1"}, {"deviceId": "d3"}]),
        ),
        (
            27,
            "SELECT deviceId, deviceScope FROM devices WHERE status='enabled' AND connectionState='Disconnected'".into(),
            json!([{"deviceId": "d2", "deviceScope": "ms-azure-iot-edge://d2-1"}, {"deviceId": "test4"}]),
        ),
        (
            28,
            "SELECT deviceId as DeviceId, status as Status, lastActivityTime as LastActivityTime, statusUpdatedTime as \
             StatusUpdatedTime, authenticationType as AuthenticationType, cloudToDeviceMessageCount as \
             CloudToDeviceMessageCount, connectionState as ConnectionState, capabilities.iotEdge as IotEdge, modelId as \
             ModelId FROM devices where deviceId = 'd2'"
                .into(),
            json!([{
                "DeviceId": "d2", "Status": "enabled", "LastActivityTime": "2026-01-02T00:00:00Z",
                "StatusUpdatedTime": "2025-05-05T00:00:00Z", "AuthenticationType": "selfSigned",
                "CloudToDeviceMessageCount": 0, "ConnectionState": "Disconnected", "IotEdge": true,
                "ModelId": "dtmi:com:example:T;1",
            }]),
        ),
        (29, format!("{D}STARTSWITH(devices.deviceId, 'test')"), json!(["test4", "test5"])),
        (
            30,
            "select deviceId from devices where not startswith(deviceId,'a') and not startswith(deviceId,'test')".into(),
            json!([{"deviceId": "d1"}, {"deviceId": "d2"}, {"deviceId": "d3"}]),
        ),
        (31, format!("{D}tags.[[group]].name = 'some_value'"), json!(["d1"])),
        (
            32,
            "SELECT * FROM devices where properties.desired.$metadata.$lastUpdated >= '2026-01-15' OR \
             properties.reported.$metadata.DevAddr.$lastUpdated >= '2026-01-15'"
                .into(),
            json!(["d1", "d2"]),
        ),
        (
            33,
            format!("{D}is_defined(properties.desired.AppKey) OR is_defined(properties.desired.AppSKey)"),
            json!(["d1", "d3"]),
        ),
        (
            34,
            "SELECT * FROM devices.modules WHERE properties.reported.__type__ = 'Publisher' AND NOT IS_DEFINED(tags.NotSeenSince)"
                .into(),
            json!(["device1/camera"]),
        ),
        (35, format!("{D}tags.location.plant = 'Redmond43'"), json!(["d1", "d2"])),
        (
            36,
            format!("{D}tags.location.plant = 'Redmond43' AND properties.reported.connectivity.type = 'cellular'"),
            json!(["d1"]),
        ),
        // The fixture has no jobs: what matters is that these are read and that rows are jobs, not twins.
        (37, "SELECT * FROM devices.jobs WHERE devices.jobs.deviceId = 'myDeviceId'".into(), json!([])),
        (
            38,
            "SELECT * FROM devices.jobs WHERE devices.jobs.deviceId='myDeviceId' AND devices.jobs.jobType='scheduleTwinUpdate' \
             AND devices.jobs.status='completed' AND devices.jobs.createdTimeUtc > '2016-09-01'"
                .into(),
            json!([]),
        ),
        (39, "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'myJobId'".into(), json!([])),
    ];
    for (number, text, expected) in table {
        assert_eq!(rows(&text), expected, "query {number}: {text}");
    }
}

#[test]
fn job_conditions_read_the_fields_of_job_rows() {
    let job = json!({
        "deviceId": "myDeviceId", "jobId": "myJobId", "jobType": "scheduleUpdateTwin", "status": "completed",
        "startTimeUtc": "2016-09-29T18:18:52Z", "endTimeUtc": "2016-09-29T18:20:52Z",
        "createdDateTimeUtc": "2016-09-29T18:18:56Z", "lastUpdatedDateTimeUtc": "2016-09-29T18:18:57Z",
        "outcome": {"deviceMethodResponse": {"status": 200, "payload": "x"}},
    });
    let table = [
        ("devices.jobs.deviceId = 'myDeviceId' AND devices.jobs.jobId = 'myJobId'", true),
        ("devices.jobs.createdTimeUtc > '2016-09-01' AND lastUpdatedTimeUtc > '2016-09-29'", true),
        ("devices.jobs.createdDateTimeUtc > '2016-10-01'", false),
        ("devices.jobs.jobType = 'scheduleUpdateTwin' AND devices.jobs.status='completed'", true),
        ("outcome.deviceMethodResponse.status = 200", true),
    ];
    for (condition, expected) in table {
        let query = Query::parse(&format!("SELECT * FROM devices.jobs WHERE {condition}")).unwrap();
        assert_eq!(query.condition.unwrap().is_true(&job), expected, "{condition}");
    }
}

#[test]
fn enrollments_are_refused_with_their_service_named() {
    let error = Query::parse("SELECT * FROM enrollments").unwrap_err();
    assert_eq!((error.line, error.column), (1, 15));
    assert!(error.message.contains("Device Provisioning Service"), "{error}");
}

#[test]
fn documented_conditions_are_read() {
    let devices = Source::Devices;
    let table = [
        ("deviceId = 'MyDevice1'", devices, Some("deviceId = 'MyDevice1'")),
        ("deviceId IN ['a','b']", devices, Some("deviceId IN ['a', 'b']")),
        ("*", devices, None),
        ("IS_DEFINED(DeviceId)", devices, Some("IS_DEFINED(deviceId)")),
        (
            "tags.building=9 and tags.environment='test'",
            devices,
            Some("tags.building = 9 AND tags.environment = 'test'"),
        ),
        (
            "properties.reported.chillerProperties.model='4000x'",
            devices,
            Some("properties.reported.chillerProperties.model = '4000x'"),
        ),
        ("from devices.modules where moduleId='m'", Source::Modules, Some("moduleId = 'm'")),
        ("FROM devices.modules WHERE *", Source::Modules, None),
        ("from devices.modules", Source::Modules, None),
        ("from devices where status='enabled'", devices, Some("status = 'enabled'")),
    ];
    for (text, source, expr) in table {
        let condition = Query::parse_condition(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(condition.source, source, "{text}");
        assert_eq!(condition.expr.as_ref().map(ToString::to_string).as_deref(), expr, "{text}");
        let again: Condition = Query::parse_condition(&condition.to_string()).unwrap();
        assert_eq!(again, condition, "{text}");
    }
}
