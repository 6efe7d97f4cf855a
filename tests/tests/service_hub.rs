//! The service client against our hub: what a backend relies on from day to day, and on bad days.

// Helpers of tests fail the test by panicking.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use twin_hub::{Hub, HubBuilder, RequestFault};
use twin_service::{
    BulkIfMatch, Clock, Delivery, Error, ErrorKind, Identity, IfMatch, Registry, SasToken,
    ServiceConnectionString, SystemClock, Timestamp, TwinChange, TwinKey,
};

fn anywhere() -> HubBuilder {
    Hub::builder().listen("127.0.0.1:0".parse().unwrap())
}

fn registry_for(hub: &Hub, connection_string: &str) -> Registry {
    Registry::builder(connection_string).trust_pem(hub.ca_pem()).clock(Hasty).build().unwrap()
}

async fn start() -> (Hub, Registry) {
    let hub = anywhere().ephemeral().start().await.unwrap();
    let registry = registry_for(&hub, &hub.connection_string());
    (hub, registry)
}

fn key(id: &str) -> TwinKey {
    TwinKey::device(id).unwrap()
}

fn identities(ids: std::ops::Range<u32>) -> Vec<Identity> {
    ids.map(|n| Identity::new(key(&format!("d{n:04}")))).collect()
}

/// The real time, but waits are short: a test need not sit out what the hub asks for.
struct Hasty;

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        SystemClock.sleep(time.min(Duration::from_millis(20)))
    }
}

#[tokio::test]
async fn every_page_of_a_long_result_comes_once() {
    let (hub, registry) = start().await;
    for from in [0, 100, 200] {
        assert!(registry.create_many(&identities(from..from + 100)).await.unwrap().is_ok());
    }
    let mut seen = BTreeSet::new();
    let mut pages = registry.query("SELECT * FROM devices").page_size(7).pages();
    let mut count = 0;
    while let Some(page) = pages.next_page().await.unwrap() {
        count += 1;
        assert!(page.len() <= 7);
        for twin in page.twins().unwrap() {
            assert!(seen.insert(twin.device_id.to_string()), "{} twice", twin.device_id);
        }
        // Whoever pages along elsewhere does not disturb this.
        let mut other = registry.query("SELECT deviceId FROM devices").page_size(1).rows();
        assert!(other.next().await.unwrap().is_ok());
    }
    assert_eq!((seen.len(), count), (300, 43));
    assert_eq!(registry.list_devices(1000).await.unwrap().len(), 300);

    let some = registry.list_devices(50).await.unwrap();
    assert!(registry.delete_many(&some, BulkIfMatch::ETags).await.unwrap().is_ok());
    let again = registry.delete_many(&some, BulkIfMatch::Force).await.unwrap();
    assert!(again.failures().all(|(_, e)| e.kind() == ErrorKind::NotFound && e.code() == Some(404001)));
    assert_eq!(again.failures().count(), 50);
    assert_eq!(registry.device_statistics().await.unwrap().total, 250);
    hub.close().await.unwrap();
}

#[tokio::test]
async fn etags_keep_writers_from_overwriting_each_other() {
    let (hub, registry) = start().await;
    let key = key("counter");
    registry.create(&Identity::new(key.clone())).await.unwrap();
    let count_up = |registry: Registry, key: TwinKey| async move {
        for _ in 0..5 {
            loop {
                let twin = registry.twin(&key).await?;
                let n = twin.tags.get("n").and_then(|n| n.as_u64()).unwrap_or(0);
                let change = TwinChange::new().tags(json!({"n": n + 1}));
                match registry.update_twin(&key, &change, IfMatch::ETag(&twin.etag)).await {
                    Ok(_) => break,
                    Err(e) if e.kind() == ErrorKind::PreconditionFailed => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok::<(), Error>(())
    };
    let writers: Vec<_> = (0..8).map(|_| tokio::spawn(count_up(registry.clone(), key.clone()))).collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(registry.twin(&key).await.unwrap().tags["n"], 40);
    hub.close().await.unwrap();
}

#[tokio::test]
async fn throttling_and_lost_connections_are_waited_out() {
    let (hub, registry) = start().await;
    registry.create(&Identity::new(key("d"))).await.unwrap();
    for fault in [
        RequestFault::Throttle { retry_after: 1 },
        RequestFault::ServerError,
        RequestFault::Unavailable,
        RequestFault::Cut,
        RequestFault::LoseAnswer,
    ] {
        hub.fail_requests(2, fault);
        registry.twin(&key("d")).await.unwrap_or_else(|e| panic!("{fault:?}: {e}"));
    }
    hub.cut_connections();
    let twin = registry.twin(&key("d")).await.unwrap();

    // Done, but the answer was lost: the attempt after it meets what it did itself, and the error says so.
    hub.fail_requests(1, RequestFault::LoseAnswer);
    let change = TwinChange::new().tags(json!({"a": 1}));
    let error = registry.update_twin(&key("d"), &change, IfMatch::ETag(&twin.etag)).await.unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::PreconditionFailed, Some(Delivery::Unknown)));
    assert!(error.message().contains("an earlier attempt got no answer"), "{error}");
    assert_eq!(registry.twin(&key("d")).await.unwrap().tags["a"], 1);

    // A request that is given up leaves the registry as it was.
    hub.delay_requests(1, Duration::from_secs(60));
    let given_up = tokio::time::timeout(Duration::from_millis(100), registry.twin(&key("d"))).await;
    assert!(given_up.is_err());
    hub.clear_faults();
    registry.twin(&key("d")).await.unwrap();
    hub.close().await.unwrap();
}

#[tokio::test]
async fn a_hub_that_restarts_is_found_again() {
    let home = tempfile::tempdir().unwrap();
    let hub = anywhere().data_dir(home.path().join("hub")).start().await.unwrap();
    let address = hub.addresses()[0];
    let registry = registry_for(&hub, &hub.connection_string());
    registry.create(&Identity::new(key("d"))).await.unwrap();
    hub.close().await.unwrap();
    let error = Registry::builder(registry_string(address.port()))
        .retry(twin_service::Retry::none())
        .build()
        .unwrap()
        .twin(&key("d"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");

    let hub = Hub::builder().listen(address).data_dir(home.path().join("hub")).start().await.unwrap();
    assert_eq!(registry.twin(&key("d")).await.unwrap().version, 2);
    hub.close().await.unwrap();
}

fn registry_string(port: u16) -> String {
    format!(
        "HostName=localhost:{port};SharedAccessKeyName=service;SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAAAAAAA="
    )
}

#[tokio::test]
async fn policies_and_given_tokens() {
    let (hub, owner) = start().await;
    owner.create(&Identity::new(key("d"))).await.unwrap();
    let service = registry_for(&hub, &hub.connection_string_of("service").unwrap());
    service.twin(&key("d")).await.unwrap();
    for (policy, error) in [
        ("service", service.create(&Identity::new(key("e"))).await.map(drop)),
        (
            "registryRead",
            registry_for(&hub, &hub.connection_string_of("registryRead").unwrap())
                .twin(&key("d"))
                .await
                .map(drop),
        ),
        (
            "wrong key",
            registry_for(&hub, &registry_string(hub.addresses()[0].port())).twin(&key("d")).await.map(drop),
        ),
    ] {
        let error = error.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Unauthorized | ErrorKind::Forbidden),
            "{policy}: {error:?}"
        );
        assert!(error.tracking_id().is_some(), "{policy}: {error}");
    }

    let text = hub.connection_string();
    let ServiceConnectionString { host, credential, .. } = ServiceConnectionString::parse(&text).unwrap();
    let twin_core::auth::Credential::Key { key: secret, policy } = credential else { panic!("a key") };
    let now = Timestamp::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).unwrap());
    let token = |from_now: i64| {
        let at = now.unix_seconds().checked_add_signed(from_now).unwrap();
        SasToken::sign(
            &host.to_string(),
            &secret,
            policy.as_deref(),
            Timestamp::from_unix(Duration::from_secs(at)),
        )
    };
    let given =
        Registry::builder_with_token(host.clone(), token(-3600)).trust_pem(hub.ca_pem()).build().unwrap();
    let error = given.twin(&key("d")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.message().contains("the given token expired at"), "{error}");
    given.set_token(token(3600)).unwrap();
    given.twin(&key("d")).await.unwrap();
    assert_eq!(owner.set_token(token(3600)).unwrap_err().kind(), ErrorKind::InvalidArgument);
    hub.close().await.unwrap();
}

#[tokio::test]
async fn ids_of_every_legal_character_reach_their_twin() {
    let (hub, registry) = start().await;
    for id in ["a-:.+%_#*?!(),=@;$'b", "%2F", "...", "x?y#z", "a%20b"] {
        let device = registry.create(&Identity::new(key(id))).await.unwrap();
        assert_eq!(device.device_id.as_str(), id);
        let module = TwinKey::module(id, id).unwrap();
        registry.create(&Identity::new(module.clone())).await.unwrap();
        let twin = registry.twin(&module).await.unwrap();
        assert_eq!((twin.device_id.as_str(), twin.module_id.unwrap().as_str()), (id, id));
        let quoted = id.replace('\'', "\\'");
        let mut found = registry.query(format!("SELECT * FROM devices WHERE deviceId = '{quoted}'")).twins();
        assert_eq!(found.next().await.unwrap().unwrap().device_id.as_str(), id);
        registry.delete(&key(id), IfMatch::Force).await.unwrap();
    }
    // A URL cannot say these; nothing else must be reached instead.
    for id in [".", ".."] {
        let error = registry.twin(&key(id)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
    hub.close().await.unwrap();
}
