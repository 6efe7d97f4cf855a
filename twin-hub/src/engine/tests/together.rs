//! Many writers and readers at once, and faults on demand.

use super::*;

/// Many writers and readers at once: versions never go back, reads see acknowledged writes, counts add up.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_and_writers_together() {
    let dir = tempfile::tempdir().unwrap();
    let engine = on_disk(dir.path());
    for n in 0..8 {
        create(&engine, &format!("d{n}")).await;
    }
    let mut tasks = Vec::new();
    for w in 0..16 {
        let engine = engine.clone();
        tasks.push(tokio::spawn(async move {
            let name = format!("d{}", w % 8);
            for n in 0..25 {
                let version = report(&engine, &name, json!({format!("w{w}"): n})).await.unwrap();
                let seen = twin(&engine, &name).await.unwrap();
                let reported = &seen["properties"]["reported"];
                assert_eq!(reported[format!("w{w}")], n, "a read sees an acknowledged write");
                assert!(reported["$version"].as_u64().unwrap() >= version);
                let text = format!("SELECT deviceId FROM devices WHERE properties.reported.w{w} = {n}");
                let (rows, _, _) = page(&engine, &text, 10, None).await.unwrap();
                assert_eq!(ids(&rows), [name.as_str()], "a query sees an acknowledged write");
            }
        }));
    }
    for _ in 0..4 {
        let engine = engine.clone();
        tasks.push(tokio::spawn(async move {
            let mut last = 0;
            for _ in 0..200 {
                let twin: Value = serde_json::from_slice(&engine.device_twin(&key("d0")).unwrap()).unwrap();
                let version = twin["reported"]["$version"].as_u64().unwrap();
                assert!(version >= last);
                last = version;
                tokio::task::yield_now().await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for n in 0..8 {
        assert_eq!(twin(&engine, &format!("d{n}")).await.unwrap()["properties"]["reported"]["$version"], 51);
    }
    let figures = engine.figures();
    assert_eq!(figures.writes, 8 + 16 * 25);
    assert!(figures.batches < figures.writes, "changes share syncs: {figures:?}");
}

#[tokio::test]
async fn faults_hit_as_often_as_asked() {
    let engine = ephemeral();
    create(&engine, "d").await;
    let refusal = refuse::unavailable("on purpose");
    let fault = |operation, times| Fault {
        operation,
        times,
        delay: Duration::from_millis(1),
        refusal: Some(refusal.clone()),
    };
    engine.faults().inject(fault(Operation::Report, 2));
    for want in [503, 503] {
        assert_eq!(report(&engine, "d", json!({})).await.unwrap_err().code.status, want);
    }
    assert_eq!(report(&engine, "d", json!({})).await, Ok(2));
    engine.faults().inject(fault(Operation::GetTwin, 1));
    assert!(engine.device_twin(&key("d")).is_err());
    assert!(engine.device_twin(&key("d")).is_ok());
    engine.faults().inject(fault(Operation::Any, 100));
    assert!(twin(&engine, "d").await.is_err());
    engine.faults().clear();
    assert!(twin(&engine, "d").await.is_ok());
}
