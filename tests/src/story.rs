//! What a device does, told to a hub of others that means well: a scripted one, which shares none of our code.

#![allow(clippy::unwrap_used, reason = "what is not as told is a failure")]

use serde_json::json;
use twin_device::{Delivery, DesiredChange, DeviceClient, ErrorKind};

/// Tells it all, and closes the client. Panics when something is not as it must be.
pub async fn story(client: &DeviceClient) {
    let mut desired = client.desired();
    let Some(DesiredChange::Whole { mut version, .. }) = desired.next().await else { panic!() };
    let large = "x".repeat(4000);
    let reported =
        client.report(json!({"connectivity": {"type": "cellular"}, "large": large})).await.unwrap();
    assert!(reported.version.unwrap() > 1);
    let twin = client.twin().await.unwrap();
    assert_eq!(twin.reported.value["connectivity"], json!({"type": "cellular"}));
    assert_eq!(twin.reported.value["large"], large.as_str());
    let last = version + 100;
    client.report(json!({"poke": 100})).await.unwrap();
    while version < last {
        version = match desired.next().await.unwrap() {
            DesiredChange::Patch { patch, version: at } => {
                assert_eq!((at, &patch["n"]), (version + 1, &json!(version)));
                at
            }
            DesiredChange::Whole { version: at, .. } => at,
        };
    }
    let stale = client.report_if_version(json!({"a": 1}), 1).await.unwrap_err();
    assert_eq!((stale.kind(), stale.delivery()), (ErrorKind::PreconditionFailed, Some(Delivery::Refused)));
    // More than the credit of one go.
    for n in 0..200 {
        client.report(json!({"n": n})).await.unwrap();
    }
    assert_eq!(client.twin().await.unwrap().reported.value["n"], 199);
    client.close().await.unwrap();
}
