//! The engine through its public door, in memory and on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use tokio::sync::mpsc as channel;
use twin_core::wire::Channel;
use twin_core::wire::rest::{Answer, Call, IfMatch};

use super::*;
use crate::store::{Batch, Job, Visit};

mod indexed;

const API: ApiVersion = ApiVersion::OURS;

fn config(dir: Option<&Path>) -> EngineConfig {
    let clock: Clock = Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_unix(since)
    });
    EngineConfig { data_dir: dir.map(Path::to_owned), clock, gather: Duration::ZERO }
}

fn ephemeral() -> Engine {
    Engine::open(config(None)).unwrap()
}

fn on_disk(dir: &Path) -> Engine {
    Engine::open(config(Some(dir))).unwrap()
}

/// Ends an engine as a kill would: nothing is flushed, nothing is said.
async fn crash(engine: Engine) {
    let (answer, done) = oneshot::channel();
    engine.0.queue.send(Work::Crash { answer }).unwrap();
    done.await.unwrap();
}

fn key(text: &str) -> TwinKey {
    match text.split_once('/') {
        Some((device, module)) => TwinKey::module(device, module).unwrap(),
        None => TwinKey::device(text).unwrap(),
    }
}

async fn create(engine: &Engine, name: &str) {
    let key = key(name);
    let mut body = json!({"deviceId": key.device.as_str()});
    if let Some(module) = &key.module {
        body["moduleId"] = module.as_str().into();
    }
    let call = Call::PutIdentity { key, if_match: IfMatch::Absent, body: body.to_string().into() };
    engine.call(call, API).await.unwrap();
}

async fn patch(engine: &Engine, name: &str, body: Value) -> Result<Value, Refusal> {
    let body = body.to_string().into();
    json_of(engine.call(Call::PatchTwin { key: key(name), if_match: IfMatch::Absent, body }, API).await)
}

async fn delete(engine: &Engine, name: &str) {
    engine.call(Call::DeleteIdentity { key: key(name), if_match: IfMatch::Absent }, API).await.unwrap();
}

async fn report(engine: &Engine, name: &str, body: Value) -> Result<u64, Refusal> {
    engine.report(&key(name), body.to_string().into(), None, API).await
}

async fn twin(engine: &Engine, name: &str) -> Result<Value, Refusal> {
    json_of(engine.call(Call::GetTwin(key(name)), API).await)
}

fn json_of(answer: Result<Answer, Refusal>) -> Result<Value, Refusal> {
    match answer? {
        Answer::Json { body, .. } => Ok(serde_json::from_slice(&body).unwrap()),
        other => panic!("{other:?}"),
    }
}

/// rows, whether they are twins, continuation
type PageOf = (Vec<Value>, bool, Option<String>);

async fn page(engine: &Engine, text: &str, size: u32, token: Option<String>) -> Result<PageOf, Refusal> {
    let call = Call::Query { text: text.into(), page_size: Some(size), continuation: token };
    match engine.call(call, API).await? {
        Answer::Page { rows, twins, continuation } => {
            Ok((serde_json::from_slice(&rows).unwrap(), twins, continuation))
        }
        other => panic!("{other:?}"),
    }
}

/// All rows, page by page.
async fn all(engine: &Engine, text: &str, size: u32) -> Vec<Value> {
    let (mut rows, mut token) = (Vec::new(), None);
    loop {
        let (page, _, next) = page(engine, text, size, token).await.unwrap();
        assert!(page.len() <= size as usize);
        assert!(next.is_none() || page.len() == size as usize, "only the last page is short");
        rows.extend(page);
        match next {
            Some(next) => token = Some(next),
            None => return rows,
        }
    }
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["deviceId"].as_str().unwrap()).collect()
}

/// xorshift: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

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
    let _attached = engine.attach(&key("a"), true, None, notices.clone()).await.unwrap();
    let _module = engine.attach(&key("a/m1"), true, None, notices).await.unwrap();
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

async fn attach(engine: &Engine, name: &str, clean: bool) -> (Attachment, channel::Receiver<Notice>) {
    let (notices, hears) = channel::channel(4);
    (engine.attach(&key(name), clean, None, notices).await.unwrap(), hears)
}

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
        let refusal = engine.attach(&key(name), true, None, notices.clone()).await.err().unwrap();
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

#[tokio::test]
async fn a_model_announced_is_in_the_twin() {
    let engine = ephemeral();
    create(&engine, "d").await;
    let (notices, _hears) = channel::channel(1);
    let model = Some("dtmi:com:example:Pump;1".to_owned());
    let attached = engine.attach(&key("d"), true, model, notices.clone()).await.unwrap();
    assert_eq!(twin(&engine, "d").await.unwrap()["modelId"], "dtmi:com:example:Pump;1");
    drop(attached);
    let too_long = Some("x".repeat(129));
    assert_eq!(engine.attach(&key("d"), true, too_long, notices).await.err().unwrap().code.status, 400);
}

/// Writes until the engine is killed in the middle; everything acknowledged must be there, nothing half.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_in_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..4 {
        let engine = on_disk(dir.path());
        for (name, n) in &acknowledged {
            let twin = twin(&engine, name).await.unwrap();
            let found = twin["properties"]["reported"]["n"].as_u64().unwrap_or(0);
            assert!(found >= *n, "round {round}: {name} has {found}, acknowledged was {n}");
            assert_eq!(twin["properties"]["reported"]["also"].as_u64().unwrap_or(0), found, "half a patch");
        }
        let mut writers = Vec::new();
        for w in 0..16 {
            let engine = engine.clone();
            writers.push(tokio::spawn(async move {
                let name = format!("r{round}-w{w}");
                create(&engine, &name).await;
                let mut done = 0;
                while report(&engine, &name, json!({"n": done + 1, "also": done + 1})).await.is_ok() {
                    done += 1;
                }
                (name, done)
            }));
        }
        while engine.figures().writes < 400 {
            tokio::task::yield_now().await;
        }
        crash(engine).await;
        for writer in writers {
            let (name, done) = writer.await.unwrap();
            acknowledged.insert(name, done);
        }
    }
    assert!(acknowledged.values().sum::<u64>() > 100);
}

#[tokio::test]
async fn an_orderly_stop_keeps_presence_and_order() {
    let dir = tempfile::tempdir().unwrap();
    let engine = on_disk(dir.path());
    for name in ["z", "a", "m", "a/x"] {
        create(&engine, name).await;
    }
    drop(attach(&engine, "z", true).await);
    delete(&engine, "a").await;
    create(&engine, "a").await;
    let before = twin(&engine, "z").await.unwrap();
    let rows = all(&engine, "SELECT * FROM devices", 2).await;
    assert_eq!(ids(&rows), ["z", "m", "a"]);
    engine.shutdown().await.unwrap();
    let engine = on_disk(dir.path());
    assert_eq!(twin(&engine, "z").await.unwrap(), before);
    assert_ne!(before["lastActivityTime"], "0001-01-01T00:00:00Z");
    assert_eq!(all(&engine, "SELECT * FROM devices", 2).await, rows);
    assert!(all(&engine, "SELECT * FROM devices.modules", 2).await.is_empty());
}

#[tokio::test]
async fn query_pages() {
    let engine = ephemeral();
    for n in 0..25 {
        create(&engine, &format!("d{n:02}")).await;
        let plant = if n % 2 == 0 { "even" } else { "odd" };
        patch(&engine, &format!("d{n:02}"), json!({"tags": {"plant": plant, "n": n}})).await.unwrap();
    }
    create(&engine, "d03/m").await;
    // query, page size, rows, twins
    for (text, size, rows, is_twins) in [
        ("SELECT * FROM devices", 10, 25, true),
        ("SELECT * FROM devices", 25, 25, true),
        ("SELECT * FROM devices WHERE tags.plant = 'odd'", 5, 12, true),
        ("SELECT deviceId, tags.n FROM devices WHERE tags.n >= 20", 100, 5, false),
        ("SELECT TOP 7 * FROM devices", 3, 7, true),
        ("SELECT TOP 7 * FROM devices", 7, 7, true),
        ("SELECT COUNT() AS n FROM devices", 10, 1, false),
        ("SELECT tags.n AS n, COUNT() AS c FROM devices GROUP BY tags.n", 4, 25, false),
        ("SELECT TOP 6 tags.n AS n, COUNT() AS c FROM devices GROUP BY tags.n", 4, 6, false),
        ("SELECT * FROM devices.modules", 10, 1, true),
        ("SELECT * FROM devices.jobs", 10, 0, false),
        ("SELECT * FROM devices WHERE deviceId = 'nobody'", 10, 0, true),
    ] {
        let found = all(&engine, text, size).await;
        assert_eq!(found.len(), rows, "{text}");
        let distinct: BTreeSet<String> = found.iter().map(Value::to_string).collect();
        assert_eq!(distinct.len(), rows, "{text}");
        assert_eq!(page(&engine, text, size, None).await.unwrap().1, is_twins, "{text}");
    }
    let counted = all(&engine, "SELECT COUNT() AS n FROM devices WHERE tags.plant = 'even'", 10).await;
    assert_eq!(counted, [json!({"n": 13})]);
    // the same page again, with the token kept
    let (_, _, token) = page(&engine, "SELECT * FROM devices", 10, None).await.unwrap();
    let again = page(&engine, "SELECT * FROM devices", 10, token.clone()).await.unwrap();
    assert_eq!(page(&engine, "SELECT * FROM devices", 10, token.clone()).await.unwrap(), again);
    for (text, size, token, want) in [
        ("SELECT * FROM devices WHERE tags.n = 1", 10, token.clone(), "another query"),
        ("SELECT * FROM devices", 11, token, "pages of 10"),
        ("SELECT * FROM devices", 10, Some("rubbish".into()), "not one of this hub"),
        ("SELECT * FROM devices", 0, None, "page size"),
        ("SELECT * FROM devices ORDER BY x", 10, None, "Line 1:"),
        (" ", 10, None, "empty"),
    ] {
        let refusal = page(&engine, text, size, token).await.unwrap_err();
        assert_eq!(refusal.code.status, 400, "{text}");
        assert!(refusal.message.contains(want), "{text}: {}", refusal.message);
    }
}

#[tokio::test]
async fn a_page_ends_early_when_it_grows_too_large() {
    let engine = ephemeral();
    let text = "x".repeat(4000);
    for n in 0..300 {
        let name = format!("d{n}");
        create(&engine, &name).await;
        let desired: BTreeMap<String, &str> = (0..8).map(|m| (format!("m{m}"), text.as_str())).collect();
        patch(&engine, &name, json!({"properties": {"desired": desired}})).await.unwrap();
    }
    let (rows, _, token) = page(&engine, "SELECT * FROM devices", 10_000, None).await.unwrap();
    assert!(rows.len() < 300 && !rows.is_empty(), "{}", rows.len());
    let (rest, _, token) = page(&engine, "SELECT * FROM devices", 10_000, token).await.unwrap();
    assert_eq!(rows.len() + rest.len(), 300);
    assert!(token.is_none());
}

/// Pages while twins are created, deleted and changed between them, and over restarts: no twin twice, none missed
/// that was there and matched all the while.
#[tokio::test]
async fn pages_are_stable_under_concurrent_writes_and_restarts() {
    for seed in 1..=8u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let dir = tempfile::tempdir().unwrap();
        let mut engine = on_disk(dir.path());
        let mut living: BTreeSet<String> = BTreeSet::new();
        let mut next = 0;
        for _ in 0..40 {
            let name = format!("d{next}");
            next += 1;
            create(&engine, &name).await;
            living.insert(name);
        }
        let mut always = living.clone();
        let text = "SELECT deviceId FROM devices WHERE tags.gone != true OR NOT IS_DEFINED(tags.gone)";
        let size = 1 + random.below(7) as u32;
        let (mut seen, mut token) = (Vec::new(), None);
        loop {
            let (rows, _, more) = page(&engine, text, size, token).await.unwrap();
            seen.extend(ids(&rows).iter().map(|id| (*id).to_owned()));
            let Some(more) = more else { break };
            token = Some(more);
            for _ in 0..random.below(4) {
                let any = living.iter().nth(random.below(living.len() as u64) as usize).unwrap().clone();
                match random.below(4) {
                    0 => {
                        create(&engine, &format!("d{next}")).await;
                        living.insert(format!("d{next}"));
                        next += 1;
                    }
                    1 => {
                        delete(&engine, &any).await;
                        living.remove(&any);
                        always.remove(&any);
                    }
                    2 => {
                        patch(&engine, &any, json!({"tags": {"gone": true}})).await.unwrap();
                        always.remove(&any);
                    }
                    _ => drop(report(&engine, &any, json!({"n": next})).await.unwrap()),
                }
            }
            if random.below(6) == 0 {
                match random.below(2) {
                    0 => crash(engine).await,
                    _ => engine.shutdown().await.unwrap(),
                }
                engine = on_disk(dir.path());
            }
        }
        let distinct: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!(distinct.len(), seen.len(), "seed {seed}: twice");
        let missed: Vec<&String> = always.difference(&distinct).collect();
        assert!(missed.is_empty(), "seed {seed}: missed {missed:?}");
    }
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_is_consistent_while_writes_go_on() {
    let home = tempfile::tempdir().unwrap();
    let engine = on_disk(&home.path().join("data"));
    create(&engine, "d").await;
    patch(&engine, "d", json!({"tags": {"a": 1}})).await.unwrap();
    let writer = {
        let engine = engine.clone();
        tokio::spawn(async move {
            let mut n = 0;
            while report(&engine, "d", json!({"n": n, "also": n})).await.is_ok() {
                n += 1;
            }
        })
    };
    let target = home.path().join("backup");
    engine.backup(target.clone()).await.unwrap();
    let error = engine.backup(target.clone()).await.unwrap_err().to_string();
    assert!(error.contains("not empty") && error.contains("backup"), "{error}");
    engine.shutdown().await.unwrap();
    writer.await.unwrap();
    let restored = on_disk(&target);
    let twin = twin(&restored, "d").await.unwrap();
    assert_eq!(twin["tags"], json!({"a": 1}));
    assert_eq!(twin["properties"]["reported"]["n"], twin["properties"]["reported"]["also"]);
    // an ephemeral hub can be kept too
    let ephemeral = ephemeral();
    create(&ephemeral, "e").await;
    ephemeral.backup(home.path().join("kept")).await.unwrap();
    assert!(on_disk(&home.path().join("kept")).identity(&key("e")).is_some());
}

#[tokio::test]
async fn one_hub_per_directory() {
    let dir = tempfile::tempdir().unwrap();
    let engine = on_disk(dir.path());
    let error = Engine::open(config(Some(dir.path()))).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(error.to_string().contains("in use by process"), "{error}");
    engine.shutdown().await.unwrap();
    on_disk(dir.path());
}

/// A store that fails when told to.
struct Failing(MemoryStore, Arc<std::sync::atomic::AtomicBool>);

impl Store for Failing {
    fn get(&self, key: &[u8]) -> Result<Option<Arc<[u8]>>> {
        self.0.get(key)
    }
    fn scan(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        self.0.scan(prefix, visit)
    }
    fn apply(&mut self, batch: &Batch) -> Result<()> {
        if self.1.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(crate::store::failed("no space left on device"));
        }
        self.0.apply(batch)
    }
    fn copy_to(&self, target: &Path) -> Result<Job> {
        self.0.copy_to(target)
    }
    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_changes_nothing_and_leaves_reads_alone() {
    let full = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let store = Box::new(Failing(MemoryStore::default(), full.clone()));
    let engine = Engine::with_store(config(None), store).unwrap();
    create(&engine, "d").await;
    let (device, mut hears) = attach(&engine, "d", true).await;
    device.subscribe(Channel::Desired).await.unwrap();
    let before = twin(&engine, "d").await.unwrap();
    assert_eq!(engine.health(), Ok(()));
    full.store(true, std::sync::atomic::Ordering::Relaxed);
    let refusal = patch(&engine, "d", json!({"properties": {"desired": {"a": 1}}})).await.unwrap_err();
    assert_eq!(refusal.code.status, 500);
    assert!(refusal.message.contains("no space left"), "{}", refusal.message);
    assert_eq!(twin(&engine, "d").await.unwrap(), before);
    assert!(hears.try_recv().is_err(), "nobody is told of what did not happen");
    let refusal = report(&engine, "d", json!({})).await.unwrap_err();
    assert_eq!(refusal.code.status, 503);
    assert!(refusal.message.contains("reads only"), "{}", refusal.message);
    assert!(engine.health().unwrap_err().contains("no space left"));
    assert!(engine.device_twin(&key("d")).is_ok());
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
