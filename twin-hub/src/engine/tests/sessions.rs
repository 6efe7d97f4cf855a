//! Connections: notices, takeovers, revocation, kept sessions.

use super::*;

#[tokio::test]
async fn devices_hear_what_they_subscribed_to_and_when_they_must_go() {
    let engine = ephemeral();
    for name in ["d", "d/m", "e"] {
        create(&engine, name).await;
    }
    let (device, mut hears) = attach(&engine, "d", true).await;
    let (module, mut module_hears) = attach(&engine, "d/m", true).await;
    patch(&engine, "d", json!({"properties": {"desired": {"a": 1}}})).await.unwrap();
    assert!(hears.try_recv().is_err(), "not subscribed yet");
    device.subscribe(Channel::Desired).await.unwrap();
    module.subscribe(Channel::Desired).await.unwrap();
    patch(&engine, "d", json!({"properties": {"desired": {"a": null}}})).await.unwrap();
    match hears.try_recv().unwrap() {
        Notice::Desired { version, body } => {
            assert_eq!((version, &body[..]), (3, &br#"{"a":null,"$version":3}"#[..]));
        }
        other => panic!("{other:?}"),
    }
    assert!(module_hears.try_recv().is_err());
    device.unsubscribe(Channel::Desired).await.unwrap();
    patch(&engine, "d", json!({"properties": {"desired": {"a": 2}}})).await.unwrap();
    assert!(hears.try_recv().is_err());
    // a second connection takes over
    let (second, mut second_hears) = attach(&engine, "d", true).await;
    assert!(matches!(hears.recv().await, Some(Notice::TakenOver)));
    assert!(hears.recv().await.is_none());
    assert!(device.subscribe(Channel::Desired).await.is_err());
    drop(device);
    assert_eq!(
        twin(&engine, "d").await.unwrap()["connectionState"],
        "Connected",
        "the second one is still there"
    );
    // disabled
    let body = json!({"deviceId": "d", "status": "disabled"}).to_string().into();
    engine.call(Call::PutIdentity { key: key("d"), if_match: IfMatch::Any, body }, API).await.unwrap();
    assert!(matches!(second_hears.recv().await, Some(Notice::Revoked)));
    assert!(matches!(module_hears.recv().await, Some(Notice::Revoked)));
    let (notices, _) = channel::channel(1);
    for name in ["d", "d/m"] {
        let refusal = engine.attach(&judged(&engine, name), true, None, notices.clone()).await.err().unwrap();
        assert_eq!(refusal.code.number, 401003, "{name}");
    }
    drop(second);
    let seen = twin(&engine, "d").await.unwrap();
    assert_eq!(seen["connectionState"], "Disconnected");
    assert_ne!(seen["lastActivityTime"], "0001-01-01T00:00:00Z");
    // deleted
    let (_third, mut third_hears) = attach(&engine, "e", false).await;
    delete(&engine, "e").await;
    assert!(matches!(third_hears.recv().await, Some(Notice::Revoked)));
    create(&engine, "e").await;
    let (fourth, _) = attach(&engine, "e", false).await;
    assert!(!fourth.session_present, "another device under the same name has no session");
}

#[tokio::test]
async fn who_changed_between_the_check_and_the_connection_is_refused() {
    let engine = ephemeral();
    create(&engine, "d").await;
    create(&engine, "d/m").await;
    let put = async |name: &str, keys: &str, reason: &str| {
        let key = key(name);
        let keys =
            twin_core::auth::Key::from_bytes(keys.repeat(32).as_bytes()).unwrap().expose_base64().to_string();
        let mut body = json!({"deviceId": "d", "statusReason": reason, "authentication": {
            "type": "sas", "symmetricKey": {"primaryKey": keys, "secondaryKey": keys}}});
        if let Some(module) = &key.module {
            body["moduleId"] = module.as_str().into();
        }
        let call = Call::PutIdentity { key, if_match: IfMatch::Any, body: body.to_string().into() };
        engine.call(call, API).await.unwrap();
    };
    let (notices, _) = channel::channel(1);
    for name in ["d", "d/m"] {
        put(name, "a", "").await;
        let before = judged(&engine, name);
        put(name, "a", "the keys are the same").await;
        engine.attach(&before, true, None, notices.clone()).await.unwrap();
        put(name, "b", "").await;
        let refusal = engine.attach(&before, true, None, notices.clone()).await.err().unwrap();
        assert_eq!(refusal.code.number, 401003, "{name}: {}", refusal.message);
        assert_eq!(twin(&engine, name).await.unwrap()["connectionState"], "Disconnected");
    }
    // another device under the same name, with the same keys
    put("d", "a", "").await;
    let before = judged(&engine, "d");
    delete(&engine, "d").await;
    create(&engine, "d").await;
    put("d", "a", "").await;
    assert!(engine.attach(&before, true, None, notices).await.is_err());
}

#[tokio::test]
async fn a_connection_that_does_not_read_is_ended_and_nobody_waits() {
    let engine = ephemeral();
    create(&engine, "d").await;
    let (slow, mut hears) = attach(&engine, "d", true).await;
    slow.subscribe(Channel::Desired).await.unwrap();
    for n in 0..6 {
        patch(&engine, "d", json!({"properties": {"desired": {"n": n}}})).await.unwrap();
    }
    let mut heard = 0;
    while let Some(notice) = hears.recv().await {
        assert!(matches!(notice, Notice::Desired { .. }));
        heard += 1;
    }
    assert_eq!(heard, 4, "what fitted, then the end");
    assert_eq!(twin(&engine, "d").await.unwrap()["connectionState"], "Disconnected");
}

#[tokio::test]
async fn kept_sessions_survive_connections_and_crashes() {
    let dir = tempfile::tempdir().unwrap();
    let engine = on_disk(dir.path());
    create(&engine, "d").await;
    let (first, _) = attach(&engine, "d", false).await;
    assert!(!first.session_present && first.subscriptions.is_empty());
    first.subscribe(Channel::TwinAnswers).await.unwrap();
    first.subscribe(Channel::Desired).await.unwrap();
    first.subscribe(Channel::Methods).await.unwrap();
    first.unsubscribe(Channel::Methods).await.unwrap();
    drop(first);
    crash(engine).await;
    let engine = on_disk(dir.path());
    let (second, mut hears) = attach(&engine, "d", false).await;
    assert!(second.session_present);
    assert_eq!(second.subscriptions, [Channel::TwinAnswers, Channel::Desired]);
    patch(&engine, "d", json!({"properties": {"desired": {"a": 1}}})).await.unwrap();
    assert!(matches!(hears.try_recv(), Ok(Notice::Desired { version: 2, .. })));
    let (third, _) = attach(&engine, "d", true).await;
    assert!(!third.session_present && third.subscriptions.is_empty());
    drop((second, third));
    crash(engine).await;
    let engine = on_disk(dir.path());
    let (fourth, _) = attach(&engine, "d", false).await;
    assert!(!fourth.session_present, "a clean connection forgot the session");
}
