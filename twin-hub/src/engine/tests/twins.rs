//! Twins, identities, lists, statistics and bulk requests through the engine.

use super::*;

#[tokio::test]
async fn a_twin_from_creation_to_deletion() {
    let engine = ephemeral();
    create(&engine, "d").await;
    let version = report(&engine, "d", json!({"connectivity": {"type": "cellular"}})).await.unwrap();
    assert_eq!(version, 2);
    let patched = patch(&engine, "d", json!({"tags": {"plant": "Redmond43"}})).await.unwrap();
    assert_eq!(patched["version"], 4);
    assert_eq!(twin(&engine, "d").await.unwrap(), patched);
    assert_eq!(
        engine.device_twin(&key("d")).unwrap(),
        r#"{"desired":{"$version":1},"reported":{"connectivity":{"type":"cellular"},"$version":2}}"#
    );
    let stale = engine.report(&key("d"), "{}".into(), Some(1), API).await.unwrap_err();
    assert_eq!(stale.code.status, 412);
    let identity = engine.identity(&key("d")).unwrap();
    assert_eq!(identity.etag.as_ref().unwrap().as_str(), patched["deviceEtag"]);
    delete(&engine, "d").await;
    assert!(engine.identity(&key("d")).is_none());
    assert_eq!(engine.device_twin(&key("d")).unwrap_err().code.number, 404001);
    assert_eq!(twin(&engine, "d").await.unwrap_err().code.number, 404001);
    engine.shutdown().await.unwrap();
    assert_eq!(patch(&engine, "d", json!({})).await.unwrap_err().code.status, 503);
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn lists_statistics_and_what_is_not_served() {
    let engine = ephemeral();
    for name in ["b", "a", "a/m2", "a/m1", "c"] {
        create(&engine, name).await;
    }
    let body = json!({"deviceId": "c", "status": "disabled"}).to_string().into();
    engine.call(Call::PutIdentity { key: key("c"), if_match: IfMatch::Any, body }, API).await.unwrap();
    let list = json_of(engine.call(Call::ListDevices { top: None }, API).await).unwrap();
    assert_eq!(ids(list.as_array().unwrap()), ["b", "a", "c"]);
    let list = json_of(engine.call(Call::ListDevices { top: Some(2) }, API).await).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2);
    let list = json_of(engine.call(Call::ListModules(key("a").device), API).await).unwrap();
    let modules: Vec<&Value> = list.as_array().unwrap().iter().map(|m| &m["moduleId"]).collect();
    assert_eq!(modules, ["m1", "m2"]);
    let refusal = engine.call(Call::ListModules(key("x").device), API).await.unwrap_err();
    assert_eq!(refusal.code.number, 404001);
    let (notices, _hears) = channel::channel(1);
    let _attached = engine.attach(&judged(&engine, "a"), true, None, notices.clone()).await.unwrap();
    let _module = engine.attach(&judged(&engine, "a/m1"), true, None, notices).await.unwrap();
    let statistics = json_of(engine.call(Call::DeviceStatistics, API).await).unwrap();
    assert_eq!(statistics, json!({"totalDeviceCount": 3, "enabledDeviceCount": 2, "disabledDeviceCount": 1}));
    let statistics = json_of(engine.call(Call::ServiceStatistics, API).await).unwrap();
    assert_eq!(statistics, json!({"connectedDeviceCount": 1}));
    let refusal = engine.call(Call::NotYet("jobs"), API).await.unwrap_err();
    assert_eq!(refusal.code.status, 501);
    assert!(refusal.message.contains("jobs"));
}

#[tokio::test]
async fn bulk_tells_what_failed() {
    let engine = ephemeral();
    create(&engine, "old").await;
    let body = json!([{"id": "new", "importMode": "create"}, {"id": "old", "importMode": "create"}]);
    let answer = engine.call(Call::Bulk { body: body.to_string().into() }, API).await.unwrap();
    let Answer::BulkFailure { body } = answer else { panic!("{answer:?}") };
    let result: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(result["errors"][0]["errorCode"], "DeviceAlreadyExists");
    assert_eq!(result["errors"].as_array().unwrap().len(), 1);
    assert!(engine.identity(&key("new")).is_some());
    let body = json!([{"id": "new", "importMode": "delete"}]).to_string().into();
    let result = json_of(engine.call(Call::Bulk { body }, API).await).unwrap();
    assert_eq!(result["isSuccessful"], true);
}

#[tokio::test]
async fn a_model_announced_is_in_the_twin() {
    let engine = ephemeral();
    create(&engine, "d").await;
    let (notices, _hears) = channel::channel(1);
    let model = Some("dtmi:com:example:Pump;1".to_owned());
    let attached = engine.attach(&judged(&engine, "d"), true, model, notices.clone()).await.unwrap();
    assert_eq!(twin(&engine, "d").await.unwrap()["modelId"], "dtmi:com:example:Pump;1");
    drop(attached);
    let too_long = Some("x".repeat(129));
    assert_eq!(
        engine.attach(&judged(&engine, "d"), true, too_long, notices).await.err().unwrap().code.status,
        400
    );
}

#[tokio::test]
async fn the_queues_are_told() {
    let engine = ephemeral();
    let queues = || (engine.figures().queued_bytes, engine.figures().queries);
    assert_eq!(queues(), (0, 0));
    let room = engine.0.room.acquire_many(5000).await.unwrap();
    let query = engine.0.queries.acquire().await.unwrap();
    assert_eq!(queues(), (5000, 1));
    drop((room, query));
    assert_eq!(queues(), (0, 0));
}
