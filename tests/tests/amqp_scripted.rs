//! The device client over AMQP against a scripted hub on rhea, which shares none of its code.

#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;
use tests::rhea::RheaHub;
use tests::story::story;
use twin_device::{
    AmqpPool, Builder, Delivery, DesiredChange, Device, DeviceClient, ErrorKind, Options, RetryPolicy,
    Transport,
};

/// Longest a test may take: a hang is a failure.
const LIMIT: Duration = Duration::from_secs(60);

fn hub() -> &'static RheaHub {
    static HUB: OnceLock<RheaHub> = OnceLock::new();
    HUB.get_or_init(RheaHub::start)
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, what).await.expect("it hangs")
}

/// A device of this name on the port of this name.
fn client(port: &str, device: &str) -> Builder<Device> {
    let transport = if port == "ws" { Transport::AmqpWs } else { Transport::Amqp };
    DeviceClient::from_connection_string(&hub().connection_string(port, device))
        .unwrap()
        .ca_pem(hub().ca_pem())
        .transport(transport)
        .answer_timeout(Duration::from_secs(1))
        .retry(RetryPolicy::custom(|_, error| error.is_retryable().then_some(Duration::from_millis(5))))
}

#[tokio::test]
async fn the_story_on_every_carrier() {
    within(async {
        for port in ["good", "ws"] {
            story(&client(port, &format!("story-{port}")).open().await.unwrap()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn frames_that_come_byte_for_byte() {
    within(async { story(&client("slow", "slowly").open().await.unwrap()).await }).await;
}

#[tokio::test]
async fn cut_at_every_step_it_still_ends_well() {
    within(async {
        let client = client("cut", "cut").build().unwrap();
        let mut desired = client.desired();
        let Some(DesiredChange::Whole { mut version, .. }) = desired.next().await else { panic!() };
        // Each connection lives a little longer than the one before.
        for n in 1..=30 {
            client.report(json!({"n": n, "poke": 1})).await.unwrap();
            while version < n + 1 {
                version = match desired.next().await.unwrap() {
                    DesiredChange::Patch { version: at, .. } => {
                        assert_eq!(at, version + 1);
                        at
                    }
                    DesiredChange::Whole { version: at, .. } => {
                        assert!(at > version);
                        at
                    }
                };
            }
        }
        assert_eq!(client.twin().await.unwrap().reported.value["n"], 30);
    })
    .await;
}

#[tokio::test]
async fn trouble_that_passes_is_lived_through() {
    within(async {
        for device in [
            "wrong-correlation",
            "no-status",
            "busy",
            "silent",
            "silent-cbs",
            "detaches",
            "throttled-link",
            "closes",
            "hangs-up",
        ] {
            let mut options = Options::default();
            options.connect_timeout = Duration::from_secs(1);
            let client = client("good", device).options(options).ca_pem(hub().ca_pem()).build().unwrap();
            let reported = client.report(json!({"n": 1})).await;
            let reported = reported.unwrap_or_else(|e| panic!("{device}: {e:?}"));
            assert!(reported.version.is_some(), "{device}");
            let twin = client.twin().await.unwrap_or_else(|e| panic!("{device}: {e:?}"));
            assert_eq!(twin.reported.value["n"], 1, "{device}");
            client.close().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn refusals_are_told() {
    within(async {
        let error = client("good", "refused").open().await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Unauthorized, Some(401)), "{error:?}");
        assert!(error.message().contains("refused the token of 'refused'"), "{error}");
        assert!(!format!("{error:?}").contains("sig="), "{error:?}");

        let open = client("good", "refused-links").open().await.unwrap();
        let error = open.twin().await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, Some(404001)), "{error:?}");

        let open = client("good", "refuses-reports").open().await.unwrap();
        let error = open.report(json!({"n": 1})).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Rejected, Some(400006)), "{error:?}");
        assert_eq!(error.delivery(), Some(Delivery::Refused));

        let error = client("good", "no-json").open().await.unwrap().twin().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn tokens_are_renewed_on_the_open_connection() {
    within(async {
        let client = client("good", "renews").token_lifetime(Duration::from_secs(1)).build().unwrap();
        client.open().await.unwrap();
        let mut states = client.states();
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        for n in 0..50 {
            pace.tick().await;
            client.report(json!({"n": n})).await.unwrap();
        }
        let tokens = client.twin().await.unwrap().reported.value["tokens"].as_u64().unwrap();
        assert!(tokens >= 3, "{tokens}");
        client.close().await.unwrap();
        let mut seen = Vec::new();
        while let Some(state) = states.next().await {
            seen.push(format!("{state:?}"));
        }
        assert!(!seen.iter().any(|state| state.contains("Disconnected")), "{seen:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_devices_share_a_connection() {
    const DEVICES: usize = 60;
    within(async {
        let mut options = Options::default();
        options.extra_ca_pem.push(hub().ca_pem().into());
        let cs = hub().connection_string("good", "x");
        let host = cs["HostName=".len()..cs.find(';').unwrap()].parse().unwrap();
        let pool = AmqpPool::with_devices_per_connection(host, Transport::Amqp, options, 25).unwrap();
        let mut running = tokio::task::JoinSet::new();
        for n in 0..DEVICES {
            let client = client("good", &format!("shared-{n}")).pool(&pool).build().unwrap();
            running.spawn(async move {
                client.report(json!({"n": n})).await.unwrap();
                assert_eq!(client.twin().await.unwrap().reported.value["n"], n);
                client
            });
        }
        let mut clients = Vec::new();
        while let Some(client) = running.join_next().await {
            clients.push(client.unwrap());
        }
        assert_eq!(pool.connections().await, 3);
        // One that is refused, or detached, does not disturb the others.
        let refused = client("good", "refused").pool(&pool).open().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unauthorized);
        for client in &clients {
            client.twin().await.unwrap();
        }
        for client in &clients {
            client.close().await.unwrap();
        }
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while pool.connections().await > 0 {
            pace.tick().await;
        }
    })
    .await;
}
