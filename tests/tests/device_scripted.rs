//! The device client against a scripted hub that shares none of its code: what it says, and how it takes lies, silence and
//! broken connections.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use serde_json::json;
use tests::mqtt_peer::{Asked, Authority, Packet, Peer, Talk};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use twin_device::{
    Builder, Delivery, DesiredChange, Device, DeviceClient, ErrorKind, Object, Options, RetryPolicy, State,
};

/// Longest a test may take: a hang is a failure.
const LIMIT: Duration = Duration::from_secs(30);

fn client(peer: &Peer) -> Builder<Device> {
    DeviceClient::from_connection_string(&peer.connection_string())
        .unwrap()
        .ca_pem(&peer.ca_pem)
        .retry(RetryPolicy::custom(|_, _| Some(Duration::from_millis(5))))
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, what).await.expect("it hangs")
}

fn object(value: serde_json::Value) -> Object {
    value.as_object().unwrap().clone()
}

fn whole(version: u64) -> DesiredChange {
    DesiredChange::Whole { desired: object(json!({"at": version})), version }
}

fn patch(version: u64) -> DesiredChange {
    DesiredChange::Patch { patch: object(json!({"at": version})), version }
}

#[tokio::test]
async fn the_whole_story() {
    within(async {
        let peer = Peer::start().await;
        let client = client(&peer).model_id("dtmi:a;1").build().unwrap();
        let (opened, mut hub) = tokio::join!(client.open(), async {
            let mut hub = peer.accept().await;
            let login = hub.connect().await;
            assert_eq!((login.client_id.as_str(), login.keep_alive, login.clean_session), ("d", 180, false));
            let host = format!("localhost:{}", peer.port());
            let username = login.username.unwrap();
            assert!(username.starts_with(&format!("{host}/d/?api-version=2021-04-12&")), "{username}");
            assert!(username.contains("model-id=dtmi"), "{username}");
            assert!(username.contains("DeviceClientType=twin-device%2F"), "{username}");
            let password = login.password.unwrap();
            assert!(password.starts_with("SharedAccessSignature sr=localhost"), "{password}");
            assert!(password.contains("%2Fdevices%2Fd&") && !password.contains("skn="), "{password}");
            hub.connack(0, false).await;
            hub
        });
        opened.unwrap();

        let (twin, ()) = tokio::join!(client.twin(), async {
            let rid = hub.asked_get().await;
            hub.answer_get(&rid, 4, 9).await;
        });
        let twin = twin.unwrap();
        assert_eq!((twin.desired.version, twin.reported.version), (4, 9));
        assert_eq!(twin.reported.value, object(json!({"at": 9})));

        let (reported, ()) = tokio::join!(
            client.report(json!({"connectivity": {"type": "cellular"}, "gone": null})),
            async {
                let Asked::Report { rid, version: None, body } = hub.asked().await else { panic!() };
                assert_eq!(body, r#"{"connectivity":{"type":"cellular"},"gone":null}"#);
                hub.publish(&format!("$iothub/twin/res/204/?$rid={rid}&$version=10"), "").await;
            }
        );
        assert_eq!(reported.unwrap().version, Some(10));

        let (stale, ()) = tokio::join!(client.report_if_version(json!({"a": 1}), 3), async {
            let Asked::Report { rid, version: Some(3), .. } = hub.asked().await else { panic!() };
            let body = r#"{"errorCode":412001,"trackingId":"T","message":"stale","timestampUtc":"2026-01-01T00:00:00Z"}"#;
            hub.publish(&format!("$iothub/twin/res/412/?$rid={rid}"), body).await;
        });
        let stale = stale.unwrap_err();
        assert_eq!(stale.kind(), ErrorKind::PreconditionFailed);
        assert_eq!((stale.status(), stale.code(), stale.tracking_id()), (Some(412), Some(412001), Some("T")));
        assert_eq!(stale.delivery(), Some(Delivery::Refused));

        let mut desired = client.desired();
        let (first, ()) = tokio::join!(desired.next(), async {
            let rid = hub.asked_get().await;
            hub.answer_get(&rid, 4, 10).await;
        });
        assert_eq!(first, Some(whole(4)));
        hub.notify(5).await;
        assert_eq!(desired.next().await, Some(patch(5)));
        // At least once: acknowledged, and the same version is not told twice.
        let topic = "$iothub/twin/PATCH/properties/desired/?$version=6";
        for id in [7, 8] {
            hub.publish_at_least_once(id, topic, r#"{"at":6,"$version":6}"#).await;
            assert_eq!(hub.next().await, Some(Packet::Puback(id)));
        }
        hub.notify(7).await;
        assert_eq!((desired.next().await, desired.next().await), (Some(patch(6)), Some(patch(7))));

        let (closed, ()) = tokio::join!(client.close(), hub.goodbye());
        closed.unwrap();
        assert_eq!(desired.next().await, None);
        assert_eq!(client.twin().await.unwrap_err().kind(), ErrorKind::Closed);
        client.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_gateway_is_dialed_and_the_hub_is_named() {
    within(async {
        let peer = Peer::start().await;
        let cs = format!(
            "HostName=hub.example;DeviceId=d;GatewayHostName=localhost:{};SharedAccessKey={}=",
            peer.port(),
            "A".repeat(43)
        );
        let client = DeviceClient::from_connection_string(&cs).unwrap().ca_pem(&peer.ca_pem).build().unwrap();
        let (opened, login) = tokio::join!(client.open(), async {
            let mut hub = peer.accept().await;
            let login = hub.connect().await;
            hub.connack(0, false).await;
            login
        });
        opened.unwrap();
        assert!(login.username.unwrap().starts_with("hub.example/d/?"));
        assert!(login.password.unwrap().contains("sr=hub.example%2Fdevices%2Fd&"));
    })
    .await;
}

#[tokio::test]
async fn lies_are_not_believed() {
    within(async {
        let peer = Peer::start().await;
        let client = client(&peer).build().unwrap();
        let mut hub = tokio::join!(client.open(), peer.welcome()).1;
        // Wrong request ids, topics that are none, and answers said twice or late: none of them answers the question.
        let lies = |rid: &str| {
            [
                "$iothub/twin/res/200/?$rid=somebody-else".to_string(),
                "$iothub/twin/res/200/?$rid=".to_string(),
                "$iothub/twin/res/200/".to_string(),
                format!("$iothub/twin/res/abc/?$rid={rid}"),
                format!("$iothub/twin/res/?$rid={rid}"),
                format!("$iothub/twin/res/99999/?$rid={rid}"),
                "$iothub/".to_string(),
                "devices/d/messages/devicebound/".to_string(),
                "".to_string(),
                "\u{1}#+".to_string(),
            ]
        };
        let mut late: Option<String> = None;
        for round in 1..=3 {
            let (twin, ()) = tokio::join!(client.twin(), async {
                let rid = hub.asked_get().await;
                for topic in lies(&rid) {
                    hub.publish(&topic, r#"{"desired":{"$version":666},"reported":{"$version":666}}"#).await;
                }
                if let Some(late) = &late {
                    hub.answer_get(late, 666, 666).await;
                }
                hub.answer_get(&rid, round, round).await;
                hub.answer_get(&rid, 666, 666).await;
                late = Some(rid);
            });
            assert_eq!(twin.unwrap().desired.version, round);
        }
    })
    .await;
}

#[tokio::test]
async fn answers_without_sense_end_the_request() {
    within(async {
        let peer = Peer::start().await;
        let client = client(&peer).retry(RetryPolicy::None).build().unwrap();
        let mut hub = tokio::join!(client.open(), peer.welcome()).1;
        let nothing = (None, None);
        for (status, body, kind, facts) in [
            (200, "", ErrorKind::Protocol, nothing),
            (200, "{", ErrorKind::Protocol, nothing),
            (200, "[]", ErrorKind::Protocol, nothing),
            (200, r#"{"desired":7}"#, ErrorKind::Protocol, nothing),
            (404, "", ErrorKind::NotFound, (Some(404), None)),
            (400, "no JSON", ErrorKind::Rejected, (Some(400), None)),
            (403, r#"{"errorCode":403002}"#, ErrorKind::Forbidden, (Some(403), Some(403002))),
            (429, r#"{"errorCode":"x"}"#, ErrorKind::Throttled, (Some(429), None)),
            (503, "\u{0}", ErrorKind::Unavailable, (Some(503), None)),
        ] {
            let (twin, ()) = tokio::join!(client.twin(), async {
                let rid = hub.asked_get().await;
                hub.publish(&format!("$iothub/twin/res/{status}/?$rid={rid}"), body).await;
            });
            let error = twin.unwrap_err();
            assert_eq!(
                (error.kind(), (error.status(), error.code())),
                (kind, facts),
                "{status} {body}: {error:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_missing_answer_is_asked_for_again_and_in_the_end_tells_its_delivery() {
    within(async {
        let peer = Peer::start().await;
        let client = client(&peer).answer_timeout(Duration::from_millis(100)).build().unwrap();
        let mut hub = tokio::join!(client.open(), peer.welcome()).1;
        let (twin, ()) = tokio::join!(client.twin(), async {
            let first = hub.asked_get().await;
            let second = hub.asked_get().await;
            assert_ne!(first, second);
            hub.answer_get(&second, 2, 2).await;
        });
        assert_eq!(twin.unwrap().desired.version, 2);

        let (reported, _asked) = tokio::join!(client.report_if_version(json!({"a": 1}), 2), hub.asked());
        let error = reported.unwrap_err();
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::Timeout, Some(Delivery::Unknown)),
            "{error:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_request_that_never_leaves_ends_too() {
    within(async {
        let peer = Peer::start().await;
        let port = peer.port();
        let cs = peer.connection_string();
        drop(peer);
        let client = DeviceClient::from_connection_string(&cs)
            .unwrap()
            .options({
                let mut options = Options::default();
                options.danger_accept_any_certificate = true;
                options
            })
            .request_timeout(Duration::from_millis(200))
            .build()
            .unwrap();
        let error = client.report(json!({"a": 1})).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::Timeout, Some(Delivery::NotSent)),
            "{error:?}"
        );
        assert!(error.message().contains("nothing listens there"), "{error}");
        assert!(error.message().contains(&port.to_string()), "{error}");
    })
    .await;
}

/// Where a scripted hub breaks off.
#[derive(Clone, Copy, Debug)]
enum Cut {
    BeforeTls,
    HalfHandshake,
    AfterTls,
    AfterConnect,
    HalfConnack,
    AfterConnack,
    AfterSubscribe,
    AfterSuback,
    AfterGet,
    HalfAnswer,
}

impl Cut {
    const ALL: [Cut; 10] = [
        Cut::BeforeTls,
        Cut::HalfHandshake,
        Cut::AfterTls,
        Cut::AfterConnect,
        Cut::HalfConnack,
        Cut::AfterConnack,
        Cut::AfterSubscribe,
        Cut::AfterSuback,
        Cut::AfterGet,
        Cut::HalfAnswer,
    ];

    /// Plays the hub up to the cut, then drops the connection.
    async fn play(self, peer: &Peer) {
        if let Cut::BeforeTls | Cut::HalfHandshake = self {
            let mut stream = peer.accept_tcp().await;
            if let Cut::HalfHandshake = self {
                // The beginning of a server's first record: a handshake record of 100 bytes, of which one comes.
                stream.write_all(&[22, 3, 3, 0, 100, 2]).await.unwrap();
            }
            return;
        }
        let mut hub = peer.accept().await;
        if let Cut::AfterTls = self {
            return;
        }
        hub.connect().await;
        match self {
            Cut::AfterConnect => return,
            Cut::HalfConnack => return hub.write(&[0x20, 2, 0]).await,
            _ => hub.connack(0, true).await,
        }
        if let Cut::AfterConnack = self {
            return;
        }
        let Some(Packet::Subscribe { id, filter, .. }) = hub.hear().await else { panic!() };
        assert_eq!(filter, "$iothub/twin/res/#");
        if let Cut::AfterSubscribe = self {
            return;
        }
        hub.suback(id, 0).await;
        if let Cut::AfterSuback = self {
            return;
        }
        let rid = hub.asked_get().await;
        if let Cut::HalfAnswer = self {
            let topic = format!("$iothub/twin/res/200/?$rid={rid}");
            let answer = tests::mqtt_peer::publish(&topic, br#"{"desired":{"$version":1}}"#, None);
            hub.write(&answer[..answer.len() - 5]).await;
        }
    }
}

#[tokio::test]
async fn a_cut_at_any_step_is_survived() {
    for cut in Cut::ALL {
        within(async {
            let peer = Peer::start().await;
            let client = client(&peer).build().unwrap();
            let (twin, ()) = tokio::join!(client.twin(), async {
                // Twice, so that a second failure in a row is survived as well.
                cut.play(&peer).await;
                cut.play(&peer).await;
                let mut hub = peer.welcome().await;
                let rid = hub.asked_get().await;
                hub.answer_get(&rid, 3, 3).await;
                hub.until_closed_or_idle().await;
            });
            assert_eq!(twin.unwrap().desired.version, 3, "{cut:?}");
        })
        .await;
    }
}

/// Keeps a connection open for a moment of the test's own making: until the test's other half is done with it.
trait Idle {
    async fn until_closed_or_idle(self);
}

impl Idle for Talk {
    async fn until_closed_or_idle(mut self) {
        // The answer is written and flushed; whatever the client does with it needs nothing more from us.
        self.write(&[0xd0, 0]).await;
    }
}

#[tokio::test]
async fn refusals_of_connect_are_told_by_kind() {
    for (code, kind) in [
        (1, ErrorKind::Protocol),
        (2, ErrorKind::Unauthorized),
        (3, ErrorKind::Unavailable),
        (4, ErrorKind::Unauthorized),
        (5, ErrorKind::Unauthorized),
        (6, ErrorKind::Protocol),
        (255, ErrorKind::Protocol),
    ] {
        within(async {
            let peer = Peer::start().await;
            let client = client(&peer).retry(RetryPolicy::None).build().unwrap();
            let (opened, ()) = tokio::join!(client.open(), async {
                let mut hub = peer.accept().await;
                hub.connect().await;
                hub.connack(code, false).await;
                hub.until_closed().await;
            });
            let error = opened.unwrap_err();
            assert_eq!(
                (error.kind(), error.delivery()),
                (kind, Some(Delivery::NotSent)),
                "{code}: {error:?}"
            );
            let State::Disconnected { reason: Some(reason), retry_in: None } = client.state() else {
                panic!("{:?}", client.state())
            };
            assert_eq!(reason.kind(), kind);
            // Asked again, it tries again.
            let (opened, _hub) = tokio::join!(client.open(), peer.welcome());
            opened.unwrap();
        })
        .await;
    }
}

#[tokio::test]
async fn words_that_mqtt_does_not_have_end_the_connection() {
    let big = {
        // A PUBLISH that claims 268,435,455 bytes.
        vec![0x30, 0xff, 0xff, 0xff, 0x7f]
    };
    let cases: [(&str, Vec<u8>); 11] = [
        ("packet type 0", vec![0x00, 0x00]),
        ("packet type 15", vec![0xf0, 0x00]),
        ("endless length", vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ("too big", big),
        ("QoS 3", vec![0x36, 5, 0, 1, b'a', 0, 1]),
        ("QoS 2", vec![0x34, 5, 0, 1, b'a', 0, 1]),
        ("topic beyond the packet", vec![0x30, 3, 0, 9, b'a']),
        ("topic that is no UTF-8", vec![0x30, 3, 0, 1, 0xff]),
        ("second CONNACK", vec![0x20, 2, 0, 0]),
        ("a client's packet", vec![0x82, 6, 0, 1, 0, 1, b'a', 0]),
        ("SUBACK code 3", vec![0x90, 3, 0, 1, 3]),
    ];
    for (what, bytes) in cases {
        within(async {
            let peer = Peer::start().await;
            let client = client(&peer).build().unwrap();
            let (opened, mut hub) = tokio::join!(client.open(), peer.welcome());
            opened.unwrap();
            let mut states = client.states();
            assert!(matches!(states.next().await, Some(State::Connected)));
            hub.write(&bytes).await;
            hub.until_closed().await;
            let again = peer.welcome();
            let (twin, ()) = tokio::join!(client.twin(), async {
                let mut hub = again.await;
                let rid = hub.asked_get().await;
                hub.answer_get(&rid, 1, 1).await;
                hub.until_closed_or_idle().await;
            });
            assert_eq!(twin.unwrap().desired.version, 1, "{what}");
        })
        .await;
    }
}

#[tokio::test]
async fn refused_subscriptions_are_told() {
    within(async {
        let peer = Peer::start().await;
        let client = client(&peer).build().unwrap();
        let mut hub = tokio::join!(client.open(), peer.welcome()).1;
        let mut desired = client.desired();
        let (change, ()) = tokio::join!(desired.next(), async {
            for _ in 0..2 {
                let Some(Packet::Subscribe { id, filter, qos: 0 }) = hub.hear().await else { panic!() };
                let code = if filter.contains("desired") { 0x80 } else { 0 };
                hub.suback(id, code).await;
            }
        });
        assert_eq!(change, None);
        assert_eq!(desired.error().unwrap().kind(), ErrorKind::Unavailable);
    })
    .await;
}

#[tokio::test]
async fn a_hub_that_falls_silent_is_left() {
    within(async {
        let peer = Peer::start().await;
        let mut options = Options::default();
        options.extra_ca_pem = vec![peer.ca_pem.clone()];
        options.keep_alive = Duration::from_secs(1);
        let client = client(&peer).options(options).build().unwrap();
        let mut hub = tokio::join!(client.open(), peer.welcome()).1;
        // An answered ping keeps the connection, an unanswered one ends it.
        assert_eq!(hub.hear().await, Some(Packet::Ping));
        hub.write(&[0xd0, 0]).await;
        assert_eq!(hub.hear().await, Some(Packet::Ping));
        let ((), _hub) = tokio::join!(hub.until_closed(), peer.welcome());
    })
    .await;
}

#[tokio::test]
async fn bytes_may_come_one_by_one() {
    within(async {
        let peer = Peer::start().await;
        let client = client(&peer).build().unwrap();
        let (twin, ()) = tokio::join!(client.twin(), async {
            let mut hub = peer.accept().await;
            hub.connect().await;
            hub.dribble(&[0x20, 2, 0, 0]).await;
            let rid = hub.asked_get().await;
            let topic = format!("$iothub/twin/res/200/?$rid={rid}");
            let twin = br#"{"desired":{"$version":1},"reported":{"$version":1}}"#;
            hub.dribble(&tests::mqtt_peer::publish(&topic, twin, None)).await;
            hub.until_closed_or_idle().await;
        });
        assert_eq!(twin.unwrap().reported.version, 1);
    })
    .await;
}

#[tokio::test]
async fn certificates_that_prove_nothing_are_refused() {
    let foreign = Authority::new();
    for (what, name, trust_it, spoil) in [
        ("not signed by anybody trusted", "localhost", false, false),
        ("is not for 'localhost' but for", "elsewhere", true, false),
        ("has expired", "localhost", true, true),
    ] {
        within(async {
            let authority = Authority::new();
            let tls = authority.server(name, |params| {
                if spoil {
                    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
                    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
                }
            });
            let trusted = if trust_it { authority.pem() } else { foreign.pem() };
            let peer = Peer::with(tls, trusted).await;
            let client = client(&peer).retry(RetryPolicy::default()).build().unwrap();
            // No retry: a certificate does not get better by itself.
            let (opened, accepted) = tokio::join!(client.open(), peer.try_accept());
            let error = opened.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Tls, "{error:?}");
            assert!(error.message().contains(what), "{error}");
            assert!(accepted.is_err());
        })
        .await;
    }
}

#[tokio::test]
async fn a_missing_client_certificate_is_told() {
    let authority = Authority::new();
    for _ in 0..20 {
        within(async {
            let peer = Peer::with(authority.demanding_server("localhost"), authority.pem()).await;
            // The refusal is a TLS alert that crosses what the client says after the handshake, and the kernel may throw
            // it away with the rest of the connection. So the client may need a second try, but not many.
            let policy =
                |_, error: &twin_device::Error| error.is_retryable().then_some(Duration::from_millis(1));
            let client = client(&peer).retry(RetryPolicy::custom(policy)).build().unwrap();
            let error = tokio::select! {
                opened = client.open() => opened.unwrap_err(),
                never = async { loop { assert!(peer.try_accept().await.is_err()) } } => never,
            };
            assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
            assert!(error.message().contains("client certificate"), "{error}");
        })
        .await;
    }
}

#[tokio::test]
async fn handshakes_that_hang_end_in_time() {
    within(async {
        let peer = Peer::start().await;
        let mut options = Options::default();
        options.extra_ca_pem = vec![peer.ca_pem.clone()];
        options.connect_timeout = Duration::from_millis(200);
        let client = client(&peer).options(options).retry(RetryPolicy::None).build().unwrap();
        let (opened, _silent) = tokio::join!(client.open(), peer.accept_tcp());
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        assert!(error.message().contains("reaching"), "{error}");
        let (opened, _silent) = tokio::join!(client.open(), peer.accept());
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        assert!(error.message().contains("logging in"), "{error}");
        // Dropped while dialing, the connection goes too.
        let mut stream = tokio::select! {
            _ = client.open() => panic!("nobody let it in"),
            stream = peer.accept_tcp() => stream,
        };
        drop(client);
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn missed_changes_come_as_a_whole_and_a_slow_reader_loses_none() {
    within(async {
        let peer = Peer::start().await;
        let client = client(&peer).build().unwrap();
        let mut desired = client.desired();
        let (first, hub) = tokio::join!(desired.next(), async {
            let mut hub = peer.welcome().await;
            let rid = hub.asked_get().await;
            hub.answer_get(&rid, 1, 1).await;
            hub
        });
        assert_eq!(first, Some(whole(1)));
        drop(hub);
        // While the device was away, the section went on to 5. It subscribes anew, whatever the hub remembers.
        let mut hub = peer.accept().await;
        hub.connect().await;
        hub.connack(0, true).await;
        let mut filters = Vec::new();
        while filters.len() < 2 {
            let Some(Packet::Subscribe { id, filter, .. }) = hub.hear().await else { panic!() };
            hub.suback(id, 0).await;
            filters.push(filter);
        }
        filters.sort();
        assert_eq!(filters, ["$iothub/twin/PATCH/properties/desired/#", "$iothub/twin/res/#"]);
        let rid = hub.asked_get().await;
        // Notifications that cross the GET are at or below its version, or follow it.
        hub.notify(5).await;
        hub.notify(6).await;
        hub.answer_get(&rid, 5, 1).await;
        assert_eq!((desired.next().await, desired.next().await), (Some(whole(5)), Some(patch(6))));

        // A second reader starts with the whole, and nobody reads while 100 changes come.
        let mut second = client.desired();
        assert_eq!(second.next().await, Some(whole(6)));
        for version in 7..=106 {
            hub.notify(version).await;
        }
        // Whatever was said before is heard once a request made later is answered.
        let (twin, ()) = tokio::join!(client.twin(), async {
            let rid = hub.asked_get().await;
            hub.answer_get(&rid, 106, 1).await;
        });
        assert_eq!(twin.unwrap().desired.version, 106);
        for stream in [&mut desired, &mut second] {
            let (mut at, mut steps) = (6, 0);
            while at < 106 {
                match stream.next().await.unwrap() {
                    DesiredChange::Whole { desired, version } => {
                        assert!(version > at && desired == object(json!({"at": version})));
                        at = version;
                    }
                    DesiredChange::Patch { version, .. } => {
                        assert_eq!(version, at + 1);
                        at = version;
                    }
                }
                steps += 1;
            }
            assert!(steps <= 33, "{steps} steps were kept");
        }
        // A gap leads to a read.
        hub.notify(110).await;
        let rid = hub.asked_get().await;
        hub.answer_get(&rid, 110, 1).await;
        assert_eq!(desired.next().await, Some(whole(110)));

        // When nobody listens any more the hub hears of it.
        drop((desired, second));
        let Some(Packet::Unsubscribe { filter, .. }) = hub.hear().await else { panic!() };
        assert_eq!(filter, "$iothub/twin/PATCH/properties/desired/#");
    })
    .await;
}

#[tokio::test]
async fn dropped_futures_and_handles_end_what_they_stand_for() {
    within(async {
        let peer = Peer::start().await;
        let client = client(&peer).build().unwrap();
        let mut hub = tokio::join!(client.open(), peer.welcome()).1;
        {
            let twin = client.twin();
            tokio::pin!(twin);
            tokio::select! {
                _ = &mut twin => panic!("nobody answered"),
                _ = hub.asked_get() => {}
            }
        }
        let other = client.clone();
        let mut states = client.states();
        assert!(matches!(states.next().await, Some(State::Connected)));
        drop(client);
        let (reported, ()) = tokio::join!(other.report(json!({"a": 1})), async {
            let Asked::Report { rid, .. } = hub.asked().await else { panic!() };
            hub.publish(&format!("$iothub/twin/res/204/?$rid={rid}&$version=2"), "").await;
        });
        reported.unwrap();
        drop(other);
        hub.goodbye().await;
        loop {
            match states.next().await {
                Some(State::Closed) => {}
                None => break,
                Some(other) => panic!("{other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_token_is_used_at_once() {
    within(async {
        let peer = Peer::start().await;
        let token = |sig: &str| {
            let host = format!("localhost%3A{}", peer.port());
            format!("SharedAccessSignature sr={host}%2Fdevices%2Fd&sig={sig}&se=4102444800")
        };
        let old = token("b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2w%3D");
        let new = token("bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmU%3D");
        let cs = format!("HostName=localhost:{};DeviceId=d;SharedAccessSignature={old}", peer.port());
        let client = DeviceClient::from_connection_string(&cs).unwrap().ca_pem(&peer.ca_pem).build().unwrap();
        let (opened, hub) = tokio::join!(client.open(), async {
            let mut hub = peer.accept().await;
            assert_eq!(hub.connect().await.password.as_deref(), Some(old.as_str()));
            hub.connack(0, false).await;
            hub
        });
        opened.unwrap();
        assert_eq!(client.update_sas("no token").unwrap_err().kind(), ErrorKind::InvalidArgument);
        client.update_sas(&new).unwrap();
        hub.goodbye().await;
        let mut hub = peer.accept().await;
        assert_eq!(hub.connect().await.password.as_deref(), Some(new.as_str()));
        hub.connack(0, false).await;
    })
    .await;
}
