//! Devices over MQTT, in raw packets: what is served, and what each thing that is not allowed gets.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    Connect, ConnectReturnCode as Code, LastWill, Packet, PubAck, Publish, SubAck, Subscribe,
};
use serde_json::{Value, json};
use support::{Mqtt, connect, hub, hub_with, soon, token};
use twin_core::auth::Key;
use twin_hub::{LoginFault, RequestFault};

#[tokio::test]
async fn get_report_and_hear() {
    let world = hub().await;
    let mut device = world.connected("d").await;
    assert_eq!(device.subscribe("$iothub/twin/res/#").await, 1);
    assert_eq!(device.subscribe("$iothub/twin/PATCH/properties/desired/#").await, 1);
    device.publish("$iothub/twin/GET/?$rid=1", " ").await;
    let (topic, body) = device.publication().await;
    assert_eq!(topic, "$iothub/twin/res/200/?$rid=1");
    let twin: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(twin, json!({ "desired": { "$version": 1 }, "reported": { "$version": 1 } }));
    device.publish("$iothub/twin/PATCH/properties/reported/?$rid=2", r#"{"a":{"b":1}}"#).await;
    assert_eq!(device.publication().await, ("$iothub/twin/res/204/?$rid=2&$version=2".into(), "".into()));
    let patched = world.call("PATCH", "/twins/d", r#"{"properties":{"desired":{"c":null,"d":2}}}"#).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    assert_eq!(patched.json()["properties"]["reported"]["a"], json!({ "b": 1 }));
    let (topic, body) = device.publication().await;
    assert_eq!(topic, "$iothub/twin/PATCH/properties/desired/?$version=2");
    let change: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(change, json!({ "c": null, "d": 2, "$version": 2 }));
}

#[tokio::test]
async fn many_in_flight_are_answered_in_order_and_a_get_sees_what_was_reported_before_it() {
    let world = hub().await;
    let mut device = world.connected("d").await;
    device.subscribe("$iothub/twin/res/#").await;
    const REPORTS: usize = 500;
    let mut sent = bytes::BytesMut::new();
    let mut add = |topic: String, body: String| {
        Publish::new(topic, QoS::AtMostOnce, body).write(&mut sent).unwrap();
    };
    for i in 0..REPORTS {
        add(format!("$iothub/twin/PATCH/properties/reported/?$rid=r{i}"), format!(r#"{{"n":{i}}}"#));
        add(format!("$iothub/twin/GET/?$rid=g{i}"), String::new());
    }
    device.send_raw(&sent).await;
    for i in 0..REPORTS {
        let (topic, _) = device.publication().await;
        assert_eq!(topic, format!("$iothub/twin/res/204/?$rid=r{i}&$version={}", i + 2));
        let (topic, body) = device.publication().await;
        assert_eq!(topic, format!("$iothub/twin/res/200/?$rid=g{i}"));
        let twin: Value = serde_json::from_slice(&body).unwrap();
        assert!(twin["reported"]["n"].as_u64().unwrap() >= i as u64, "{twin}");
    }
}

#[tokio::test]
async fn what_was_said_before_goodbye_is_done() {
    let world = hub().await;
    let mut device = world.connected("d").await;
    let mut sent = bytes::BytesMut::new();
    for i in 1..=50 {
        let topic = format!("$iothub/twin/PATCH/properties/reported/?$rid={i}");
        Publish::new(topic, QoS::AtMostOnce, format!(r#"{{"n":{i}}}"#)).write(&mut sent).unwrap();
    }
    Packet::Disconnect.write(&mut sent, usize::MAX).unwrap();
    device.send_raw(&sent).await;
    device.closes("the goodbye").await;
    assert_eq!(world.call("GET", "/twins/d", "").await.json()["properties"]["reported"]["n"], 50);
}

#[tokio::test]
async fn refused_requests_have_a_status_and_a_body_that_says_why() {
    let world = hub().await;
    let mut device = world.connected("d").await;
    device.subscribe("$iothub/twin/res/#").await;
    let deep = format!("{}1{}", r#"{"a":"#.repeat(12), "}".repeat(12));
    let report = "$iothub/twin/PATCH/properties/reported/?$rid=x";
    let cases: Vec<(String, Vec<u8>, u16)> = vec![
        (report.into(), b"not json".to_vec(), 400),
        (report.into(), b"[1]".to_vec(), 400),
        (report.into(), b"".to_vec(), 400),
        (report.into(), b"\xff\xfe".to_vec(), 400),
        (report.into(), br#"{"$version":3}"#.to_vec(), 400),
        (report.into(), br#"{"a":1,"a":2}"#.to_vec(), 400),
        (report.into(), deep.into_bytes(), 400),
        (report.into(), format!(r#"{{"a":"{}"}}"#, "x".repeat(4097)).into_bytes(), 400),
        (format!("{report}&$version=9"), b"{}".to_vec(), 412),
    ];
    for (topic, body, status) in cases {
        device.publish(&topic, &body).await;
        let (topic, answer) = device.publication().await;
        assert_eq!(topic, format!("$iothub/twin/res/{status}/?$rid=x"), "{}", String::from_utf8_lossy(&body));
        let answer: Value = serde_json::from_slice(&answer).expect("an error has a JSON body");
        assert_eq!(answer["errorCode"].as_u64().unwrap() / 1000, u64::from(status), "{answer}");
        assert!(!answer["message"].as_str().unwrap().is_empty(), "{answer}");
        assert!(!answer["trackingId"].as_str().unwrap().is_empty(), "{answer}");
    }
    device.publish("$iothub/twin/GET/?$rid=y", "").await;
    let (_, body) = device.publication().await;
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["reported"], json!({ "$version": 1 }));
}

#[tokio::test]
async fn without_an_api_version_it_connects_and_twin_requests_are_refused() {
    let world = hub().await;
    let key = world.device("d").await;
    let mut login = connect("d", &token("d", &key, 60));
    login.login.as_mut().unwrap().username = "localhost/d/".into();
    let mut device = Mqtt::new(world.tls().await);
    assert_eq!(device.connect(&login).await.code, Code::Success);
    device.subscribe("$iothub/twin/res/#").await;
    device.publish("$iothub/twin/GET/?$rid=1", "").await;
    let (topic, body) = device.publication().await;
    assert_eq!(topic, "$iothub/twin/res/400/?$rid=1");
    assert!(String::from_utf8_lossy(&body).contains("API version"));
}

#[tokio::test]
async fn answers_that_nobody_listens_for_are_dropped_and_the_work_is_done() {
    let world = hub().await;
    let mut device = world.connected("d").await;
    let topic = "$iothub/twin/PATCH/properties/reported/?$rid=1";
    let mut report = Publish::new(topic, QoS::AtLeastOnce, r#"{"a":1}"#);
    report.pkid = 5;
    device.send(&Packet::Publish(report)).await;
    // Acknowledged once it is done.
    assert_eq!(device.next().await, Some(Packet::PubAck(PubAck::new(5))));
    device.subscribe("$iothub/twin/res/#").await;
    device.publish("$iothub/twin/GET/?$rid=2", "").await;
    let (topic, body) = device.publication().await;
    assert_eq!(topic, "$iothub/twin/res/200/?$rid=2");
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["reported"]["a"], 1);
}

#[tokio::test]
async fn logins() {
    let world = hub().await;
    let key = world.device("d").await;
    world.device("other").await;
    world.call("PUT", "/devices/d/modules/m", r#"{"deviceId":"d","moduleId":"m"}"#).await;
    let off = world.device("off").await;
    let answer = world
        .call_with(
            "PUT",
            "/devices/off",
            &[("Authorization", &world.policy_token("registryReadWrite")), ("If-Match", "\"*\"")],
            r#"{"deviceId":"off","status":"disabled"}"#,
        )
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let good = token("d", &key, 60);
    let with = |change: &dyn Fn(&mut Connect)| {
        let mut login = connect("d", &good);
        change(&mut login);
        login
    };
    let user = |name: &str| {
        let name = name.to_owned();
        with(&|c: &mut Connect| c.login.as_mut().unwrap().username = name.clone())
    };
    let wrong_key = Key::from_bytes(&[1; 32]).unwrap();
    let cases = [
        ("the right token", connect("d", &good), Code::Success),
        ("a wrong key", connect("d", &token("d", &wrong_key, 60)), Code::NotAuthorized),
        ("expired", connect("d", &token("d", &key, -301)), Code::NotAuthorized),
        ("expired within the skew", connect("d", &token("d", &key, -200)), Code::Success),
        ("another device's token", connect("d", &token("other", &key, 60)), Code::NotAuthorized),
        ("no such device", connect("nobody", &token("nobody", &key, 60)), Code::NotAuthorized),
        ("a disabled device", connect("off", &token("off", &off, 60)), Code::NotAuthorized),
        ("a module with its device's token", connect("d/m", &good), Code::NotAuthorized),
        ("the policy of devices", connect("d", &world.policy_token("device")), Code::Success),
        ("a policy of services", connect("d", &world.policy_token("service")), Code::NotAuthorized),
        ("no token and no certificate", connect("d", ""), Code::NotAuthorized),
        ("garbage for a token", connect("d", "let me in"), Code::NotAuthorized),
        ("an empty client id", with(&|c| c.client_id = String::new()), Code::BadClientId),
        ("another client id", with(&|c| c.client_id = "other".into()), Code::BadClientId),
        ("an impossible client id", with(&|c| c.client_id = "a b".into()), Code::BadClientId),
        ("no user name", with(&|c| c.login = None), Code::BadUserNamePassword),
        ("a user name of another kind", user("admin"), Code::BadUserNamePassword),
        ("another hub's name", user("elsewhere/d/?api-version=2021-04-12"), Code::NotAuthorized),
        ("any port", user("localhost:1/d/?api-version=2021-04-12"), Code::Success),
        ("an address", user("127.0.0.1/d/?api-version=2021-04-12"), Code::Success),
        (
            "a will",
            with(&|c| c.last_will = Some(LastWill::new("x", "y", QoS::ExactlyOnce, true))),
            Code::Success,
        ),
    ];
    for (what, login, code) in cases {
        let mut device = Mqtt::new(world.tls().await);
        let ack = device.connect(&login).await;
        assert_eq!(ack.code, code, "{what}");
        if code != Code::Success {
            device.closes(what).await;
        }
    }
    world.is_alive("alive").await;
}

#[tokio::test]
async fn what_is_no_connect_of_mqtt_3_1_1() {
    let world = hub().await;
    // With the code of CONNACK, or None for a close without a word.
    for (what, bytes, connack) in [
        ("MQTT 3.1", &b"\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x00"[..], Some(1)),
        ("MQTT 5", b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00", Some(1)),
        ("level 6", b"\x10\x0c\x00\x04MQTT\x06\x02\x00\x3c\x00\x00", Some(1)),
        ("another protocol", b"\x10\x0c\x00\x04MOTT\x04\x02\x00\x3c\x00\x00", None),
        ("the reserved flag", b"\x10\x0c\x00\x04MQTT\x04\x03\x00\x3c\x00\x00", None),
        ("a password without a name", b"\x10\x0f\x00\x04MQTT\x04\x42\x00\x3c\x00\x00\x00\x01x", None),
        ("a name that overruns", b"\x10\x0c\x00\x04MQTT\x04\x82\x00\x3c\x00\xff", None),
        ("an overlong length", b"\x10\xff\xff\xff\xff\xff", None),
        ("a CONNECT of 200 MB", b"\x10\x80\x80\x80\x64\x00\x04MQTT\x04\x02", None),
        ("CONNECT with flags", b"\x11\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", None),
        ("SUBSCRIBE first", b"\x82\x06\x00\x01\x00\x01a\x00", None),
        ("PINGREQ first", b"\xc0\x00", None),
        ("zeros", b"\x00\x00\x00\x00", None),
        ("TLS in TLS", b"\x16\x03\x01\x00\x05hello", None),
    ] {
        let mut peer = Mqtt::new(world.tls().await);
        peer.send_raw(bytes).await;
        match (peer.next().await, connack) {
            (Some(Packet::ConnAck(ack)), Some(code)) => {
                assert_eq!((ack.code as u8, ack.session_present), (code, false), "{what}");
                peer.closes(what).await;
            }
            (None, None) => {}
            (found, _) => panic!("{what}: {found:?}"),
        }
    }
    world.is_alive("alive").await;
}

#[tokio::test]
async fn what_a_connected_device_may_not_do_ends_its_connection_alone() {
    let world = hub().await;
    world.device("other").await;
    let mut bystander = world.connected("bystander").await;
    let publish = |topic: &str, qos: QoS| {
        let mut publish = Publish::new(topic, qos, "{}");
        publish.pkid = 1;
        let mut bytes = bytes::BytesMut::new();
        publish.write(&mut bytes).unwrap();
        bytes.to_vec()
    };
    let mut connect_again = bytes::BytesMut::new();
    connect("d1", "").write(&mut connect_again).unwrap();
    let mut big = b"\x30".to_vec();
    big.extend_from_slice(b"\x80\x80\x80\x01"); // 2 MiB are announced
    for (i, (what, bytes)) in [
        ("a second CONNECT", connect_again.to_vec()),
        ("QoS 2", publish("devices/d1/messages/events/", QoS::ExactlyOnce)),
        ("an unknown topic", publish("hello", QoS::AtMostOnce)),
        ("an empty topic", publish("", QoS::AtMostOnce)),
        ("another device's topic", publish("devices/other/messages/events/", QoS::AtLeastOnce)),
        (
            "a topic of the hub's",
            publish("$iothub/twin/PATCH/properties/desired/?$version=1", QoS::AtMostOnce),
        ),
        ("a topic of 65535 bytes", publish(&"x".repeat(65_535), QoS::AtMostOnce)),
        ("a wildcard in a topic", publish("devices/+/messages/events/", QoS::AtMostOnce)),
        ("a topic that is not UTF-8", b"\x30\x04\x00\x02\xff\xfe".to_vec()),
        ("a packet over the limit", big),
        ("SUBSCRIBE without filters", b"\x82\x02\x00\x01".to_vec()),
        ("CONNACK from a client", b"\x20\x02\x00\x00".to_vec()),
        ("SUBACK from a client", b"\x90\x03\x00\x01\x00".to_vec()),
        ("packet type 15", b"\xf0\x00".to_vec()),
    ]
    .into_iter()
    .enumerate()
    {
        let mut device = world.connected(&format!("d{}", i + 1)).await;
        device.send_raw(&bytes).await;
        device.closes(what).await;
        bystander.is_alive().await;
    }
    world.is_alive("alive").await;
}

#[tokio::test]
async fn subscriptions() {
    let world = hub().await;
    let mut device = world.connected("d").await;
    for (filter, granted) in [
        ("$iothub/twin/res/#", 1),
        ("$iothub/twin/PATCH/properties/desired/#", 1),
        ("devices/d/messages/devicebound/#", 1),
        ("$iothub/methods/POST/#", 1),
        ("devices/other/messages/devicebound/#", 0x80),
        ("#", 0x80),
        ("hello", 0x80),
    ] {
        assert_eq!(device.subscribe(filter).await, granted, "{filter}");
    }
    // Many at once, each judged for itself, in order.
    let filter = |path: &str, qos| rumqttc::mqttbytes::v4::SubscribeFilter::new(path.to_owned(), qos);
    let mut many = Subscribe::new_many([
        filter("$iothub/twin/res/#", QoS::AtMostOnce),
        filter("no", QoS::AtMostOnce),
        filter("$iothub/methods/POST/#", QoS::ExactlyOnce),
    ]);
    many.pkid = 9;
    device.send(&Packet::Subscribe(many)).await;
    use rumqttc::mqttbytes::v4::SubscribeReasonCode::{Failure, Success};
    let expected = vec![Success(QoS::AtMostOnce), Failure, Success(QoS::AtLeastOnce)];
    assert_eq!(device.next().await, Some(Packet::SubAck(SubAck::new(9, expected))));
    // Unsubscribed means unheard.
    let mut unsubscribe = rumqttc::mqttbytes::v4::Unsubscribe::new("$iothub/twin/PATCH/properties/desired/#");
    unsubscribe.pkid = 10;
    device.send(&Packet::Unsubscribe(unsubscribe)).await;
    assert!(matches!(device.next().await, Some(Packet::UnsubAck(ack)) if ack.pkid == 10));
    world.call("PATCH", "/twins/d", r#"{"properties":{"desired":{"a":1}}}"#).await;
    device.is_alive().await;
}

#[tokio::test]
async fn telemetry_is_acknowledged_and_counted_wills_too() {
    let world = hub().await;
    let key = world.device("d").await;
    let mut login = connect("d", &token("d", &key, 60));
    login.last_will = Some(LastWill::new("devices/d/messages/events/", "gone!", QoS::AtLeastOnce, false));
    let mut device = Mqtt::new(world.tls().await);
    assert_eq!(device.connect(&login).await.code, Code::Success);
    for pkid in [3, 3, 65_535] {
        let mut publish = Publish::new("devices/d/messages/events/%24.ct=a&b=c", QoS::AtLeastOnce, "hello");
        publish.pkid = pkid;
        device.send(&Packet::Publish(publish)).await;
        assert_eq!(device.next().await, Some(Packet::PubAck(PubAck::new(pkid))));
    }
    let metrics = world.hub.metrics();
    assert!(metrics.contains("twin_hub_telemetry_messages_total 3\n"), "{metrics}");
    assert!(metrics.contains("twin_hub_telemetry_bytes_total 15\n"), "{metrics}");
    assert!(metrics.contains("twin_hub_connections{protocol=\"mqtt\"} 1\n"), "{metrics}");
    world.hub.cut_connections();
    device.closes("the cut").await;
    while !world.hub.metrics().contains("twin_hub_telemetry_messages_total 4\n") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn sessions_are_kept_for_those_who_want_them() {
    let world = hub().await;
    let key = world.device("d").await;
    let mut kept = connect("d", &token("d", &key, 60));
    kept.clean_session = false;
    let clean = connect("d", &token("d", &key, 60));
    let desired = "$iothub/twin/PATCH/properties/desired/#";
    let change = |n: u32| format!(r#"{{"properties":{{"desired":{{"n":{n}}}}}}}"#);
    for (login, session_present, hears) in
        [(&kept, false, true), (&kept, true, true), (&clean, false, false), (&kept, false, false)]
    {
        let mut device = Mqtt::new(world.tls().await);
        let ack = device.connect(login).await;
        assert_eq!((ack.code, ack.session_present), (Code::Success, session_present));
        if hears && !session_present {
            device.subscribe(desired).await;
        }
        world.call("PATCH", "/twins/d", &change(1)).await;
        if hears {
            assert!(device.publication().await.0.starts_with("$iothub/twin/PATCH/properties/desired/"));
        }
        device.is_alive().await;
        device.send(&Packet::Disconnect).await;
        device.closes("the goodbye").await;
    }
}

#[tokio::test]
async fn a_second_connection_takes_over_and_a_revoked_identity_is_cut() {
    let world = hub().await;
    let key = world.device("d").await;
    let login = connect("d", &token("d", &key, 60));
    let mut first = Mqtt::new(world.tls().await);
    first.connect(&login).await;
    let mut second = Mqtt::new(world.tls().await);
    assert_eq!(second.connect(&login).await.code, Code::Success);
    first.closes("the takeover").await;
    second.is_alive().await;
    assert_eq!(world.call("GET", "/devices/d", "").await.json()["connectionState"], "Connected");
    assert_eq!(world.call("DELETE", "/devices/d", "").await.status, 204);
    second.closes("the end of a deleted device").await;
    let mut third = Mqtt::new(world.tls().await);
    assert_eq!(third.connect(&login).await.code, Code::NotAuthorized);
}

#[tokio::test]
async fn the_end_of_a_token_is_the_end_of_the_connection() {
    let world = hub().await;
    let key = world.device("d").await;
    let mut device = Mqtt::new(world.tls().await);
    // Valid for one more second, the skew of five minutes included.
    let ack = device.connect(&connect("d", &token("d", &key, -299))).await;
    assert_eq!(ack.code, Code::Success);
    device.is_alive().await;
    device.closes("the token's end").await;
}

#[tokio::test]
async fn silence_ends_after_one_and_a_half_keep_alives_and_pings_prolong() {
    let world = hub().await;
    let key = world.device("d").await;
    let mut login = connect("d", &token("d", &key, 60));
    login.keep_alive = 1;
    let mut device = Mqtt::new(world.tls().await);
    device.connect(&login).await;
    let begun = std::time::Instant::now();
    device.is_alive().await;
    device.closes("the silence").await;
    assert!(begun.elapsed().as_millis() >= 1_500, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn half_a_packet_is_waited_for_within_bounds() {
    let world = hub_with(|builder| {
        let mut limits = twin_hub::Limits::default();
        limits.packet_time = std::time::Duration::from_millis(300);
        builder.limits(limits)
    })
    .await;
    let mut device = world.connected("d").await;
    device.send_raw(b"\x30\x20\x00\x05hel").await;
    device.closes("half a packet").await;
    world.is_alive("alive").await;
}

#[tokio::test]
async fn a_device_that_does_not_read_is_let_go_and_others_are_not_disturbed() {
    let world = hub_with(|builder| {
        let mut limits = twin_hub::Limits::default();
        limits.stall_time = std::time::Duration::from_millis(500);
        builder.limits(limits)
    })
    .await;
    let mut bystander = world.connected("bystander").await;
    bystander.subscribe("$iothub/twin/res/#").await;
    let mut slow = world.connected("slow").await;
    slow.subscribe("$iothub/twin/res/#").await;
    let filler = format!(r#"{{"a":"{0}","b":"{0}","c":"{0}","d":"{0}"}}"#, "x".repeat(4000));
    slow.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", filler).await;
    slow.publication().await;
    let mut gets = bytes::BytesMut::new();
    for i in 0..2_000 {
        Publish::new(format!("$iothub/twin/GET/?$rid={i}"), QoS::AtMostOnce, "").write(&mut gets).unwrap();
    }
    // Writes until the hub has cut it off; never reads.
    soon("the hub lets go", async {
        loop {
            use tokio::io::AsyncWriteExt;
            bystander.publish("$iothub/twin/GET/?$rid=b", "").await;
            bystander.publication().await;
            let write = slow.io.write_all(&gets);
            if let Ok(Err(_)) = tokio::time::timeout(std::time::Duration::from_millis(50), write).await {
                break;
            }
            if world.call("GET", "/devices/slow", "").await.json()["connectionState"] == "Disconnected" {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_tests_ask_to_go_wrong_goes_wrong_that_often() {
    let world = hub().await;
    let key = world.device("d").await;
    let login = connect("d", &token("d", &key, 60));
    for (fault, code) in [
        (LoginFault::Unavailable, Some(Code::ServiceUnavailable)),
        (LoginFault::NotAuthorized, Some(Code::NotAuthorized)),
        (LoginFault::Silence, None),
    ] {
        world.hub.refuse_logins(1, fault);
        let mut device = Mqtt::new(world.tls().await);
        match code {
            Some(code) => assert_eq!(device.connect(&login).await.code, code),
            None => device.send(&Packet::Connect(login.clone())).await,
        }
        device.closes("the fault").await;
    }
    let mut device = Mqtt::new(world.tls().await);
    assert_eq!(device.connect(&login).await.code, Code::Success);
    device.subscribe("$iothub/twin/res/#").await;
    for (fault, status) in [
        (RequestFault::Throttle { retry_after: 1 }, "429"),
        (RequestFault::ServerError, "500"),
        (RequestFault::Unavailable, "503"),
    ] {
        world.hub.fail_requests(1, fault);
        device.publish("$iothub/twin/GET/?$rid=1", "").await;
        assert_eq!(device.publication().await.0, format!("$iothub/twin/res/{status}/?$rid=1"));
    }
    world.hub.fail_requests(1, RequestFault::LoseAnswer);
    device.publish("$iothub/twin/PATCH/properties/reported/?$rid=lost", r#"{"a":1}"#).await;
    device.publish("$iothub/twin/GET/?$rid=kept", "").await;
    let (topic, body) = device.publication().await;
    assert_eq!(topic, "$iothub/twin/res/200/?$rid=kept");
    assert!(String::from_utf8_lossy(&body).contains(r#""a":1"#));
    world.hub.fail_requests(1, RequestFault::Cut);
    device.publish("$iothub/twin/GET/?$rid=1", "").await;
    device.closes("the cut").await;
}
