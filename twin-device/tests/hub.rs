//! The device client against the real hub: every transport, X.509, a proxy, modules, renewal, taking over.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use twin_device::{
    AmqpPool, Builder, DesiredChange, Device, DeviceClient, ErrorKind, ModuleClient, Options, Proxy,
    RetryPolicy, State, Transport,
};
use twin_hub::{Hub, LoginFault, RequestFault};
use twin_service::{Identity, IfMatch, Registry, TwinChange, TwinKey};

const LIMIT: Duration = Duration::from_secs(60);

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, what).await.expect("it hangs")
}

/// Every transport keeps the same promises.
const TRANSPORTS: [Transport; 4] = [Transport::Mqtt, Transport::MqttWs, Transport::Amqp, Transport::AmqpWs];

/// A transport, alone or on a connection for several devices.
#[derive(Clone, Copy, Debug)]
enum Way {
    Own(Transport),
    Pooled(Transport),
}

const WAYS: [Way; 6] = [
    Way::Own(Transport::Mqtt),
    Way::Own(Transport::MqttWs),
    Way::Own(Transport::Amqp),
    Way::Own(Transport::AmqpWs),
    Way::Pooled(Transport::Amqp),
    Way::Pooled(Transport::AmqpWs),
];

impl Way {
    fn client(self, hub: &Hub, connection_string: &str) -> Builder<Device> {
        let client = DeviceClient::from_connection_string(connection_string).unwrap().ca_pem(hub.ca_pem());
        match self {
            Way::Own(transport) => client.transport(transport),
            Way::Pooled(transport) => client.pool(&pool(hub, transport)),
        }
    }
}

fn pool(hub: &Hub, transport: Transport) -> AmqpPool {
    let mut options = Options::default();
    options.extra_ca_pem.push(hub.ca_pem().into());
    AmqpPool::new(hub.host_name().parse().unwrap(), transport, options).unwrap()
}

async fn hub() -> (Hub, Registry) {
    let hub = Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await.unwrap();
    let registry = Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build().unwrap();
    (hub, registry)
}

/// The connection string of an identity made for it.
async fn identity(hub: &Hub, registry: &Registry, key: &TwinKey) -> String {
    let made = registry.create(&Identity::new(key.clone())).await.unwrap();
    let Some(twin_service::Authentication::Sas { primary, .. }) = made.authentication else { panic!() };
    let module = key.module.as_ref().map(|m| format!(";ModuleId={m}")).unwrap_or_default();
    format!(
        "HostName={};DeviceId={}{module};SharedAccessKey={}",
        hub.host_name(),
        key.device,
        *primary.expose_base64()
    )
}

async fn set_desired(registry: &Registry, key: &TwinKey, desired: serde_json::Value) {
    registry.update_twin(key, &TwinChange::new().desired(desired), IfMatch::Force).await.unwrap();
}

#[tokio::test]
async fn every_transport_tells_the_story() {
    within(async {
        let (hub, registry) = hub().await;
        for (n, way) in WAYS.into_iter().enumerate() {
            // Every character that an id in a connection string may have, some of them with a meaning of their own somewhere.
            let key = TwinKey::device(format!("d{n}-:.+%_#*?!(),=@$'%23")).unwrap();
            let cs = identity(&hub, &registry, &key).await;
            let client = way.client(&hub, &cs).open().await.unwrap_or_else(|e| panic!("{way:?}: {e:?}"));
            let mut desired = client.desired();
            assert!(matches!(desired.next().await, Some(DesiredChange::Whole { version: 1, .. })));
            let reported = client.report(json!({"connectivity": {"type": "cellular"}})).await.unwrap();
            assert_eq!(reported.version, Some(2));
            let twin = registry.twin(&key).await.unwrap();
            assert_eq!(twin.reported.value["connectivity"]["type"], "cellular");
            set_desired(&registry, &key, json!({"interval": 5})).await;
            let Some(DesiredChange::Patch { patch, version: 2 }) = desired.next().await else { panic!() };
            assert_eq!(patch["interval"], 5);
            // Everything a twin may hold, there and back.
            let large = "x".repeat(4000);
            client.report(json!({"a": large, "b": large, "c": large, "d": large, "e": large})).await.unwrap();
            assert_eq!(client.twin().await.unwrap().reported.value["e"], large.as_str());
            let stale = client.report_if_version(json!({"a": null}), 1).await.unwrap_err();
            assert_eq!(stale.kind(), ErrorKind::PreconditionFailed);
            client.close().await.unwrap();
        }
        hub.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn modules_have_twins_of_their_own() {
    within(async {
        let (hub, registry) = hub().await;
        registry.create(&Identity::new(TwinKey::device("d").unwrap())).await.unwrap();
        for transport in TRANSPORTS {
            let key = TwinKey::module("d", format!("$m#{transport:?}")).unwrap();
            let cs = identity(&hub, &registry, &key).await;
            assert!(DeviceClient::from_connection_string(&cs).is_err());
            let client = ModuleClient::from_connection_string(&cs).unwrap();
            let client = client.ca_pem(hub.ca_pem()).transport(transport).open().await.unwrap();
            client.report(json!({"of": "module"})).await.unwrap();
            assert_eq!(registry.twin(&key).await.unwrap().reported.value["of"], "module");
            let device = registry.twin(&TwinKey::device("d").unwrap()).await.unwrap();
            assert!(device.reported.value.is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn wrong_keys_are_told_and_not_retried() {
    within(async {
        let (hub, registry) = hub().await;
        let cs = identity(&hub, &registry, &TwinKey::device("d").unwrap()).await;
        let other = identity(&hub, &registry, &TwinKey::device("e").unwrap()).await;
        let wrong = format!(
            "{}{}",
            &cs[..cs.find("SharedAccessKey=").unwrap()],
            &other[other.find("SharedAccessKey=").unwrap()..]
        );
        for way in WAYS {
            let client = way.client(&hub, &wrong).build().unwrap();
            let error = client.open().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
            assert!(matches!(client.state(), State::Disconnected { retry_in: None, .. }));
            let mut desired = client.desired();
            assert_eq!(desired.next().await, None);
            assert_eq!(desired.error().unwrap().kind(), ErrorKind::Unauthorized);
        }
    })
    .await;
}

#[tokio::test]
async fn tokens_made_from_a_key_are_renewed_without_losing_a_change() {
    within(async {
        for way in [Way::Own(Transport::Mqtt), Way::Own(Transport::Amqp), Way::Pooled(Transport::Amqp)] {
            let (hub, registry) = hub().await;
            let key = TwinKey::device("d").unwrap();
            let cs = identity(&hub, &registry, &key).await;
            let client = way
                .client(&hub, &cs)
                // Renewed about every 0.8 s.
                .token_lifetime(Duration::from_secs(1))
                .build()
                .unwrap();
            let mut desired = client.desired();
            let Some(DesiredChange::Whole { mut version, .. }) = desired.next().await else { panic!() };
            let mut states = client.states();
            let changes = 40;
            let writer = async {
                // Spread over several renewals.
                let mut pace = tokio::time::interval(Duration::from_millis(50));
                for n in 0..changes {
                    pace.tick().await;
                    set_desired(&registry, &key, json!({"n": n})).await;
                }
            };
            let reader = async {
                while version < 1 + changes {
                    match desired.next().await.unwrap() {
                        DesiredChange::Whole { version: at, .. } => {
                            assert!(at > version);
                            version = at;
                        }
                        DesiredChange::Patch { version: at, .. } => {
                            assert_eq!(at, version + 1);
                            version = at;
                        }
                    }
                }
            };
            tokio::join!(writer, reader);
            client.close().await.unwrap();
            while let Some(state) = states.next().await {
                assert!(!matches!(state, State::Disconnected { .. }), "{way:?}: {state:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn cut_connections_are_made_again_and_nothing_is_lost() {
    within(async {
        for way in WAYS {
            let (hub, registry) = hub().await;
            let key = TwinKey::device("d").unwrap();
            let cs = identity(&hub, &registry, &key).await;
            let client = way
                .client(&hub, &cs)
                .retry(RetryPolicy::custom(|_, _| Some(Duration::from_millis(5))))
                .build()
                .unwrap();
            let mut desired = client.desired();
            let Some(DesiredChange::Whole { mut version, .. }) = desired.next().await else { panic!() };
            for round in 0..10 {
                hub.cut_connections();
                set_desired(&registry, &key, json!({"round": round})).await;
                client.report(json!({"round": round})).await.unwrap();
                while version < round + 2 {
                    version = match desired.next().await.unwrap() {
                        DesiredChange::Whole { version, .. } | DesiredChange::Patch { version, .. } => {
                            version
                        }
                    };
                }
            }
            assert_eq!(registry.twin(&key).await.unwrap().reported.value["round"], 9);
        }
    })
    .await;
}

/// Hundreds of devices on one connection, each with its own promises.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_devices_share_one_connection() {
    const DEVICES: usize = 300;
    within(async {
        let (hub, registry) = hub().await;
        let pool = pool(&hub, Transport::Amqp);
        let mut fleet = tokio::task::JoinSet::new();
        for n in 0..DEVICES {
            let key = TwinKey::device(format!("d{n}")).unwrap();
            let cs = identity(&hub, &registry, &key).await;
            let client = DeviceClient::from_connection_string(&cs)
                .unwrap()
                .pool(&pool)
                .retry(RetryPolicy::custom(|_, _| Some(Duration::from_millis(50))))
                .build()
                .unwrap();
            fleet.spawn(async move {
                let mut desired = client.desired();
                assert!(matches!(desired.next().await, Some(DesiredChange::Whole { version: 1, .. })));
                client.report(json!({"n": n})).await.unwrap();
                (key, client, desired)
            });
        }
        let mut fleet = fleet.join_all().await;
        assert_eq!(pool.connections().await, 1);
        for round in 1..=2_u64 {
            // All of them lose their connection at once, and find a common one again.
            if round == 2 {
                hub.cut_connections();
            }
            for (key, client, desired) in &mut fleet {
                set_desired(&registry, key, json!({"round": round})).await;
                let (DesiredChange::Patch { version, .. } | DesiredChange::Whole { version, .. }) =
                    desired.next().await.unwrap();
                assert_eq!(version, 1 + round, "{key}");
                client.report(json!({"round": round})).await.unwrap();
            }
            assert_eq!(pool.connections().await, 1);
        }
        for (key, client, _) in &fleet {
            assert_eq!(registry.twin(key).await.unwrap().reported.value["round"], 2);
            client.close().await.unwrap();
        }
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while pool.connections().await > 0 {
            pace.tick().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_survives_a_hub_in_trouble() {
    const DEVICES: usize = 18;
    const REPORTS: i64 = 40;
    within(async {
        let (hub, registry) = hub().await;
        let shared = pool(&hub, Transport::Amqp);
        let mut fleet = Vec::new();
        for n in 0..DEVICES {
            let key = TwinKey::device(format!("d{n}")).unwrap();
            let way = WAYS[n % WAYS.len()];
            let client = way.client(&hub, &identity(&hub, &registry, &key).await);
            let client = match way {
                Way::Pooled(Transport::Amqp) => client.pool(&shared),
                _ => client,
            };
            let client = client
                .answer_timeout(Duration::from_millis(300))
                .retry(RetryPolicy::custom(|_, error| {
                    error.is_retryable().then_some(Duration::from_millis(5))
                }))
                .build()
                .unwrap();
            fleet.push((key, client));
        }
        let mut running = tokio::task::JoinSet::new();
        for (key, client) in fleet.clone() {
            running.spawn(async move {
                // Several at a time, in order: a later one never loses to an earlier one.
                let mut waiting = tokio::task::JoinSet::new();
                for n in 1..=REPORTS {
                    let client = client.clone();
                    let mut report = Box::pin(async move { client.report(json!({"n": n})).await });
                    // Polled once here, so that reports are made in this order.
                    match futures_util::poll!(report.as_mut()) {
                        std::task::Poll::Ready(ended) => drop(ended.unwrap()),
                        std::task::Poll::Pending => drop(waiting.spawn(report)),
                    }
                    if waiting.len() >= 4 {
                        waiting.join_next().await.unwrap().unwrap().unwrap();
                    }
                }
                while let Some(ended) = waiting.join_next().await {
                    ended.unwrap().unwrap();
                }
                key
            });
        }
        let faults = [
            RequestFault::LoseAnswer,
            RequestFault::Cut,
            RequestFault::ServerError,
            RequestFault::Unavailable,
        ];
        let mut trouble = tokio::time::interval(Duration::from_millis(20));
        let mut round = 0;
        let mut done = Vec::new();
        while done.len() < DEVICES {
            tokio::select! {
                Some(ended) = running.join_next() => done.push(ended.unwrap()),
                _ = trouble.tick() => {
                    round += 1;
                    match round % 3 {
                        0 => hub.cut_connections(),
                        1 => hub.fail_requests(2, faults[round % faults.len()]),
                        _ => hub.refuse_logins(1, LoginFault::Unavailable),
                    }
                }
            }
        }
        hub.clear_faults();
        for (key, client) in &fleet {
            assert_eq!(client.twin().await.unwrap().reported.value["n"], REPORTS, "{key}");
        }
    })
    .await;
}

/// A proxy that tunnels and counts.
async fn proxy() -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://me:p%40ss@127.0.0.1:{}", listener.local_addr().unwrap().port());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let target = head.split_whitespace().nth(1).unwrap().to_string();
        let mut hub = TcpStream::connect(target).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 Go\r\n\r\n").await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut hub).await });
        head
    });
    (url, served)
}

#[tokio::test]
async fn proxies_are_gone_through() {
    within(async {
        let (hub, registry) = hub().await;
        let cs = identity(&hub, &registry, &TwinKey::device("d").unwrap()).await;
        for transport in TRANSPORTS {
            let (url, served) = proxy().await;
            let mut options = Options::default();
            options.proxy = Proxy::Url(url);
            let client = DeviceClient::from_connection_string(&cs)
                .unwrap()
                .options(options)
                .ca_pem(hub.ca_pem())
                .transport(transport)
                .open()
                .await
                .unwrap();
            client.twin().await.unwrap();
            let head = served.await.unwrap();
            assert!(head.contains("Proxy-Authorization: Basic bWU6cEBzcw=="), "{head}");
        }
    })
    .await;
}
