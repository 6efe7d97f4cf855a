//! Acknowledged means durable: a hub killed with SIGKILL at any moment, under load, loses nothing that it acknowledged and
//! has nothing half applied; devices that were connected catch up by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};
use tests::process::HubProcess;
use tests::random::Random;
use tokio::task::JoinHandle;
use twin_device::{DesiredChange, DeviceClient, Object, merge};
use twin_service::{Identity, IfMatch, Registry, Retry, TwinChange, TwinKey};

const ROUNDS: u64 = 12;
const WRITERS: usize = 4;

/// How many acknowledgements a round sees before the hub is killed: a random moment in terms of work done.
const ROUND_ACKS: std::ops::Range<u64> = 20..300;

fn registry(hub: &HubProcess) -> Registry {
    // No retries: an error must not hide a second attempt.
    Registry::builder(hub.connection_string())
        .trust_pem(hub.ca_pem())
        .retry(Retry::none())
        .build()
        .expect("a registry")
}

async fn create(registry: &Registry, hub: &HubProcess, id: &str) -> (TwinKey, DeviceClient) {
    let key = TwinKey::device(id).expect("an id");
    let identity = registry.create(&Identity::new(key.clone())).await.expect("created");
    let text = identity.connection_string(registry.host()).expect("it has keys").expose();
    let client =
        DeviceClient::from_connection_string(&text).expect("a connection string").ca_pem(hub.ca_pem());
    (key, client.open().await.expect("open"))
}

/// Writes tags and desired properties in one patch, number after number.
struct Writer {
    key: TwinKey,
    sent: u64,
    acknowledged: u64,
}

impl Writer {
    /// Until the hub goes away.
    async fn write(mut self, registry: Registry, acks: Arc<AtomicU64>) -> Writer {
        loop {
            let n = self.sent + 1;
            self.sent = n;
            let change =
                TwinChange::new().tags(json!({ "n": n })).desired(json!({ "n": n, "again": { "n": n } }));
            match registry.update_twin(&self.key, &change, IfMatch::Force).await {
                Ok(_) => self.acknowledged = n,
                Err(_) => return self,
            }
            acks.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// After a restart: everything acknowledged is there, the one in doubt is there whole or not at all.
    async fn check(&mut self, registry: &Registry) {
        let twin = registry.twin(&self.key).await.expect("the twin");
        let n = twin.desired.value.get("n").and_then(Value::as_u64).unwrap_or(0);
        assert!(n >= self.acknowledged, "{}: {} was acknowledged, {n} is there", self.key, self.acknowledged);
        assert!(n <= self.sent, "{}: {n} is there, only {} was sent", self.key, self.sent);
        if n > 0 {
            assert_eq!(twin.desired.value["again"]["n"], n, "{}: half a patch", self.key);
            assert_eq!(twin.tags["n"], n, "{}: half a patch", self.key);
        }
        assert_eq!(
            twin.desired.version,
            n + 1,
            "{}: a patch was applied twice or its version lost",
            self.key
        );
        (self.sent, self.acknowledged) = (n, n);
    }
}

/// Rebuilds the desired properties from what a device hears.
async fn watch(client: DeviceClient, until: u64) -> (Object, u64) {
    let (mut desired, mut at) = (Object::new(), 0);
    let mut changes = client.desired();
    while at < until {
        match changes.next().await.expect("the stream goes on") {
            DesiredChange::Whole { desired: whole, version } => {
                assert!(version > at, "version {version} after {at}");
                (desired, at) = (whole, version);
            }
            DesiredChange::Patch { patch, version } => {
                assert_eq!(version, at + 1, "a step was skipped");
                merge(&mut desired, &patch);
                at = version;
            }
        }
    }
    (desired, at)
}

/// Reports number after number through kills and restarts; answers the last one.
async fn report(client: DeviceClient, acknowledged: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> u64 {
    let mut n = 0;
    while !stop.load(Ordering::SeqCst) {
        n += 1;
        client
            .report(json!({ "n": n, "again": { "n": n } }))
            .await
            .unwrap_or_else(|e| panic!("report {n}: {e:?}"));
        acknowledged.store(n, Ordering::SeqCst);
    }
    n
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_hub_loses_nothing_acknowledged() {
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_160_901);
    println!("SEED={seed}");
    let mut random = Random(seed);
    let data = tempfile::tempdir().expect("a folder");
    let mut hub = HubProcess::start(data.path(), "127.0.0.41:0".parse().expect("an address"));
    let listen = hub.listen();

    let mut writers = Vec::new();
    let mut watched = Vec::new();
    for i in 0..WRITERS {
        let (key, client) = create(&registry(&hub), &hub, &format!("writer-{i}")).await;
        writers.push(Writer { key, sent: 0, acknowledged: 0 });
        watched.push(client);
    }
    let (reporter_key, reporter) = create(&registry(&hub), &hub, "reporter").await;
    let reported = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let reporting = tokio::spawn(report(reporter, reported.clone(), stop.clone()));

    for round in 0..ROUNDS {
        let acks = Arc::new(AtomicU64::new(0));
        let running: Vec<JoinHandle<Writer>> = writers
            .drain(..)
            .map(|writer| tokio::spawn(writer.write(registry(&hub), acks.clone())))
            .collect();
        let target = ROUND_ACKS.start + random.below(ROUND_ACKS.end - ROUND_ACKS.start);
        while acks.load(Ordering::SeqCst) < target {
            tokio::task::yield_now().await;
        }
        hub.kill();
        for writer in running {
            writers.push(writer.await.expect("the writer ends"));
        }
        let acknowledged = reported.load(Ordering::SeqCst);
        hub = HubProcess::start(data.path(), listen);
        let registry = registry(&hub);
        for writer in &mut writers {
            writer.check(&registry).await;
        }
        let twin = registry.twin(&reporter_key).await.expect("the twin");
        let n = twin.reported.value.get("n").and_then(Value::as_u64).unwrap_or(0);
        assert!(n >= acknowledged, "round {round}: report {acknowledged} was acknowledged, {n} is there");
        if n > 0 {
            assert_eq!(twin.reported.value["again"]["n"], n, "round {round}: half a report");
        }
    }

    stop.store(true, Ordering::SeqCst);
    let last = reporting.await.expect("the reporter ends");
    let registry = registry(&hub);
    assert_eq!(registry.twin(&reporter_key).await.expect("the twin").reported.value["n"], last);
    for (writer, client) in writers.iter().zip(watched) {
        let twin = registry.twin(&writer.key).await.expect("the twin");
        let (desired, version) = watch(client, twin.desired.version).await;
        assert_eq!((desired, version), (twin.desired.value, twin.desired.version), "what the device heard");
    }
    assert_eq!(hub.terminate(), Some(0), "SIGTERM is a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_restarts_with_a_hundred_thousand_twins() {
    const TWINS: usize = 100_000;
    let data = tempfile::tempdir().expect("a folder");
    let address = "127.0.0.42:0".parse().expect("an address");
    let hub = HubProcess::start(data.path(), address);
    let filler = registry(&hub);
    let batches: Vec<Vec<usize>> =
        (0..TWINS).collect::<Vec<_>>().chunks(100).map(<[usize]>::to_vec).collect();
    let (first, second) = batches.split_at(batches.len() / 2);
    let fill = |batches: Vec<Vec<usize>>| {
        let registry = filler.clone();
        tokio::spawn(async move {
            for batch in batches {
                let identities: Vec<Identity> = batch
                    .iter()
                    .map(|i| Identity::new(TwinKey::device(format!("device-{i}")).expect("an id")))
                    .collect();
                let result = registry.create_many(&identities).await.expect("created");
                assert_eq!(result.failures().count(), 0);
            }
        })
    };
    let (first, second) = (fill(first.to_vec()), fill(second.to_vec()));
    first.await.expect("filled");
    second.await.expect("filled");
    let key = TwinKey::device("device-77777").expect("an id");
    let change = TwinChange::new().tags(json!({"marked": true}));
    let before = filler.update_twin(&key, &change, IfMatch::Force).await.expect("marked");
    hub.kill();

    let hub = HubProcess::start(data.path(), address);
    let registry = registry(&hub);
    assert_eq!(registry.device_statistics().await.expect("statistics").total, TWINS as u64);
    assert_eq!(registry.twin(&key).await.expect("the twin").to_json(), before.to_json());
    let mut found = registry.query("SELECT * FROM devices WHERE tags.marked = true").twins();
    assert_eq!(found.next().await.expect("one").expect("a twin").device_id.as_str(), "device-77777");
    assert!(found.next().await.is_none());
    assert_eq!(hub.terminate(), Some(0));
}
