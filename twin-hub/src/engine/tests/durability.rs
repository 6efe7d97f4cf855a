//! What survives crashes, stops, backups and a full disk.

use super::*;

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
