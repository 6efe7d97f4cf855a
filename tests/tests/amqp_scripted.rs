//! The device client over AMQP against a scripted hub on rhea, which shares none of its code.

#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;
use tests::rhea::RheaHub;
use tests::story::story;
use twin_device::{
    AmqpPool, Builder, Delivery, DesiredChange, Device, DeviceClient, ErrorKind, Message, Options,
    RetryPolicy, Transport,
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

#[tokio::test]
async fn telemetry_goes_there_and_messages_come_back() {
    within(async {
        for (n, port) in ["good", "ws", "slow"].into_iter().enumerate() {
            let client = client(port, &format!("mail-{n}")).build().unwrap();
            let mut messages = client.messages();
            // Asked for the twin, too: links of all kinds beside each other.
            client.twin().await.unwrap();
            client.receive(true).await.unwrap_err();
            let id = "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0";
            let large = "x".repeat(3000);
            let mut telemetry = Message::new(large.clone())
                .with_id(id)
                .with_correlation_id("not a uuid")
                .with_content_type("application/json")
                .with_content_encoding("utf-8")
                .with_property("k", "välue");
            telemetry.expiry = Some("2030-01-02T03:04:05Z".parse().unwrap());
            client.send(telemetry).await.unwrap();
            let message = messages.next().await.unwrap();
            assert_eq!(message.message.body, large.as_bytes());
            assert_eq!(message.message.id.as_deref(), Some(id));
            assert_eq!(message.message.correlation_id.as_deref(), Some("not a uuid"));
            assert_eq!(message.message.content_type.as_deref(), Some("application/json"));
            assert_eq!(message.message.content_encoding.as_deref(), Some("utf-8"));
            assert_eq!(message.message.to.as_deref(), Some(&*format!("/devices/mail-{n}/messages/events")));
            assert_eq!(message.message.expiry.unwrap().to_string(), "2030-01-02T03:04:05Z");
            assert_eq!(message.message.property("k"), Some("välue"));
            assert_eq!((message.sequence_number, message.delivery_count), (Some(1), Some(0)));
            assert_eq!(message.enqueued.unwrap().to_string(), "2019-12-09T12:00:00Z");

            // Given back, it comes again; then each outcome is heard as it was meant.
            message.abandon().await.unwrap();
            let again = messages.next().await.unwrap();
            assert_eq!(again.message.id.as_deref(), Some(id));
            assert_eq!(again.delivery_count, Some(1));
            assert_eq!(message.complete().await.unwrap_err().kind(), ErrorKind::PreconditionFailed);
            again.complete().await.unwrap();
            let outcome = messages.next().await.unwrap();
            assert_eq!(outcome.message.property("outcome"), Some("accepted"));
            client.send(Message::new("y").with_property("k", "v")).await.unwrap();
            messages.next().await.unwrap().reject().await.unwrap();
            assert_eq!(messages.next().await.unwrap().message.property("outcome"), Some("rejected"));
            client.close().await.unwrap();
            assert!(messages.next().await.is_none());
        }
    })
    .await;
}

#[tokio::test]
async fn telemetry_that_the_hub_does_not_take_at_once() {
    within(async {
        let client = client("good", "moody").build().unwrap();
        let tell = |what: &str| client.send(Message::new("x").with_property("do", what));
        // Given back, cut off, its link closed: again, until it is taken.
        for what in ["release", "hang up", "close", "nothing"] {
            tell(what).await.unwrap_or_else(|e| panic!("{what}: {e:?}"));
        }
        let error = tell("reject").await.unwrap_err();
        assert_eq!((error.code(), error.delivery()), (Some(400004), Some(Delivery::Refused)), "{error:?}");
        // Many at once, more than the credit of one go, and in the end all of them.
        client.send_batch((0..300).map(|n| Message::new(n.to_string())).collect()).await.unwrap();

        let refused = self::client("good", "no-messages").build().unwrap();
        let mut messages = refused.messages();
        assert!(messages.next().await.is_none());
        assert_eq!(messages.error().unwrap().kind(), ErrorKind::NotSupported);
        refused.send(Message::new("x")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_gateway_is_dialed_by_one_device_or_by_many() {
    within(async {
        let here = hub().connection_string("good", "x");
        let gateway = &here["HostName=".len()..here.find(';').unwrap()];
        let cs = |device: &str, gateway: &str| {
            format!(
                "HostName=hub.example;DeviceId={device};{gateway}SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZg=="
            )
        };
        let with = |device: &str, gateway: &str| {
            DeviceClient::from_connection_string(&cs(device, gateway)).unwrap().ca_pem(hub().ca_pem())
        };
        let named = format!("GatewayHostName={gateway};");
        let client = with("behind", &named).transport(Transport::Amqp).open().await.unwrap();
        client.report(json!({"n": 1})).await.unwrap();
        client.close().await.unwrap();
        let mut options = Options::default();
        options.extra_ca_pem.push(hub().ca_pem().into());
        let host = || "hub.example".parse().unwrap();
        let pool = |transport| {
            AmqpPool::through_gateway(host(), gateway.parse().unwrap(), transport, options.clone(), 10)
        };
        let shared = pool(Transport::Amqp).unwrap();
        // Those that name it, and those that leave it to the pool.
        for (device, gateway) in [("behind-1", &*named), ("behind-2", "")] {
            let client = with(device, gateway).pool(&shared).open().await.unwrap();
            client.report(json!({"n": 2})).await.unwrap();
            assert_eq!(client.twin().await.unwrap().reported.value["n"], 2);
        }
        let direct = AmqpPool::new(host(), Transport::Amqp, options.clone()).unwrap();
        for (pool, gateway) in [(&shared, "GatewayHostName=elsewhere;"), (&direct, &*named)] {
            let error = with("lost", gateway).pool(pool).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        }
        assert_eq!(pool(Transport::Mqtt).unwrap_err().kind(), ErrorKind::InvalidArgument);
    })
    .await;
}
