//! Cloud-to-device messages on their way to devices, and telemetry over HTTPS: raw requests and packets.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, PubAck, Publish, Subscribe};
use support::{Answer, Mqtt, World, connect, hub, hub_with, soon, token};
use twin_core::TwinKey;
use twin_core::auth::Key;
use twin_core::message::{Ack, Message};

/// A device that calls over HTTPS.
struct Caller<'w> {
    world: &'w World,
    id: &'static str,
    key: Key,
}

impl<'w> Caller<'w> {
    async fn new(world: &'w World, id: &'static str) -> Self {
        Caller { world, id, key: world.device(id).await }
    }

    async fn call(&self, method: &str, tail: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let token = token(self.id, &self.key, 3600);
        let headers = [&[("Authorization", &*token)], headers].concat();
        let (tail, query) = tail.split_once('?').map_or((tail, ""), |(tail, query)| (tail, query));
        let path = format!("/devices/{}/messages/{tail}?api-version=2021-04-12&{query}", self.id);
        self.world.call_with(method, path.trim_end_matches('&'), &headers, body).await
    }

    /// Receives a message: its lock token and what was answered.
    async fn receive(&self) -> (String, Answer) {
        let answer = self.call("GET", "devicebound", &[], "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        (answer.header("etag").unwrap().trim_matches('"').to_owned(), answer)
    }
}

async fn send(world: &World, id: &str, message: Message) {
    world.hub.send(&TwinKey::device(id).unwrap(), message).await.unwrap();
}

fn numbered(n: usize) -> Message {
    Message::new(format!("message {n}")).with_id(n.to_string())
}

async fn waiting(world: &World, id: &str) -> u64 {
    let identity = world.call("GET", &format!("/devices/{id}"), "").await.json();
    let twin = world.call("GET", &format!("/twins/{id}"), "").await.json();
    assert_eq!(identity["cloudToDeviceMessageCount"], twin["cloudToDeviceMessageCount"]);
    identity["cloudToDeviceMessageCount"].as_u64().unwrap()
}

#[tokio::test]
async fn over_https_a_message_is_received_and_completed_rejected_or_abandoned() {
    let world = hub().await;
    let device = Caller::new(&world, "d").await;
    let nothing = device.call("GET", "devicebound", &[], "").await;
    assert_eq!((nothing.status, &*nothing.body), (204, ""));
    let mut first = numbered(1).with_property("color", "red").with_content_type("text/plain");
    first.ack = Some(Ack::Full);
    send(&world, "d", first).await;
    send(&world, "d", numbered(2)).await;
    assert_eq!(waiting(&world, "d").await, 2);
    let (abandoned, answer) = device.receive().await;
    assert_eq!(answer.body, "message 1");
    for (name, value) in [
        ("iothub-messageid", "1"),
        ("iothub-app-color", "red"),
        ("iothub-contenttype", "text/plain"),
        ("iothub-ack", "full"),
        ("iothub-sequencenumber", "1"),
        ("iothub-deliverycount", "0"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{answer:?}");
    }
    let (rejected, answer) = device.receive().await;
    assert_eq!(answer.body, "message 2");
    assert_eq!(device.call("GET", "devicebound", &[], "").await.status, 204, "both are locked");
    let answer = device.call("POST", &format!("devicebound/{abandoned}/abandon"), &[], "").await;
    assert_eq!(answer.status, 204);
    let (completed, answer) = device.receive().await;
    assert_eq!((&*answer.body, answer.header("iothub-deliverycount")), ("message 1", Some("1")));
    assert_eq!(device.call("DELETE", &format!("devicebound/{rejected}?reject"), &[], "").await.status, 204);
    assert_eq!(device.call("DELETE", &format!("devicebound/{completed}"), &[], "").await.status, 204);
    assert_eq!(waiting(&world, "d").await, 0);
    for lost in [&*completed, "no-token", "%00"] {
        let answer = device.call("DELETE", &format!("devicebound/{lost}"), &[], "").await;
        assert_eq!((answer.status, answer.header("iothub-errorcode")), (412, Some("DeviceMessageLockLost")));
    }
}

#[tokio::test]
async fn telemetry_over_https() {
    let world = hub().await;
    let device = Caller::new(&world, "d").await;
    let batch = &[("Content-Type", "application/vnd.microsoft.iothub.json")][..];
    let large = "x".repeat(256 * 1024);
    for (headers, body, status) in [
        (&[][..], "{}", 204),
        (&[("iothub-app-a", "b")], "", 204),
        (&[], &*large, 204),
        (&[("iothub-app-a", "b")], &*large, 413),
        (batch, r#"[{"body":"YQ=="},{"body":"Yg==","properties":{"iothub-app-n":"1"}}]"#, 204),
        (batch, r#"[{"body":"no base64!"}]"#, 400),
        (batch, "{}", 400),
    ] {
        let answer = device.call("POST", "events", headers, body).await;
        assert_eq!(answer.status, status, "{headers:?} {} bytes: {answer:?}", body.len());
    }
    let metrics = world.hub.metrics();
    assert!(metrics.contains("twin_hub_telemetry_messages_total 5"), "{metrics}");
    let active = world.call("GET", "/devices/d", "").await.json()["lastActivityTime"].clone();
    assert_ne!(active, "0001-01-01T00:00:00Z");
}

#[tokio::test]
async fn who_may_not_call_over_https_and_what_is_not_served() {
    let world = hub().await;
    let (device, other) = (Caller::new(&world, "d").await, Caller::new(&world, "e").await);
    send(&world, "d", numbered(1)).await;
    let path = "/devices/d/messages/devicebound";
    let as_device = world.policy_token("device");
    let as_service = world.policy_token("service");
    for (authorization, status) in [
        (Some(token("d", &other.key, 3600)), 401),
        (Some(token("e", &other.key, 3600)), 401),
        (Some(token("d", &device.key, -3600)), 401),
        (Some("SharedAccessSignature nonsense".to_owned()), 401),
        (Some(as_service), 401),
        (None, 401),
        (Some(as_device), 200),
    ] {
        let headers: Vec<(&str, &str)> =
            authorization.iter().map(|token| ("Authorization", &**token)).collect();
        let answer = world.call_with("GET", path, &headers, "").await;
        assert_eq!(answer.status, status, "{authorization:?}: {answer:?}");
    }
    // Devices have no twin over HTTPS.
    let token = token("d", &device.key, 3600);
    let answer = world.call_with("GET", "/twins/d", &[("Authorization", &token)], "").await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        world.hub.send(&TwinKey::device("x").unwrap(), numbered(1)).await.unwrap_err().code.number,
        404_001
    );
    let module = TwinKey::module("d", "m").unwrap();
    assert_eq!(world.hub.send(&module, numbered(1)).await.unwrap_err().code.status, 400);
}

/// Subscribes to cloud-to-device messages with a QoS.
async fn subscribe<S>(device: &mut Mqtt<S>, qos: QoS)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut subscribe = Subscribe::new("devices/d/messages/devicebound/#", qos);
    subscribe.pkid = 9;
    device.send(&Packet::Subscribe(subscribe)).await;
    assert!(matches!(device.next().await, Some(Packet::SubAck(_))));
}

async fn publication<S>(device: &mut Mqtt<S>) -> Publish
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    match device.next().await {
        Some(Packet::Publish(publish)) => publish,
        other => panic!("{other:?} instead of a message"),
    }
}

async fn none_wait(world: &World, id: &str) {
    let path = format!("/devices/{id}");
    soon("the queue to empty", async {
        while world.call("GET", &path, "").await.json()["cloudToDeviceMessageCount"] != 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn over_mqtt_what_waited_and_what_is_sent_later_arrives_until_it_is_acknowledged() {
    let world = hub().await;
    let key = world.device("d").await;
    let connected = async || {
        let mut device = Mqtt::new(world.tls().await);
        device.connect(&connect("d", &token("d", &key, 3600))).await;
        subscribe(&mut device, QoS::AtLeastOnce).await;
        device
    };
    send(&world, "d", numbered(1).with_property("a b", "c&d")).await;
    let mut device = connected().await;
    let first = publication(&mut device).await;
    assert_eq!(first.topic, "devices/d/messages/devicebound/%24.mid=1&a%20b=c%26d");
    assert_eq!((&first.payload[..], first.qos), (&b"message 1"[..], QoS::AtLeastOnce));
    send(&world, "d", numbered(2)).await;
    let second = publication(&mut device).await;
    assert_eq!(second.payload, "message 2");
    assert_ne!((first.pkid, second.pkid), (0, first.pkid));
    device.send(&Packet::PubAck(PubAck::new(second.pkid))).await;
    device.send(&Packet::PubAck(PubAck::new(4711))).await;
    device.is_alive().await;
    drop(device);
    // Only what was acknowledged is gone.
    let mut device = connected().await;
    let again = publication(&mut device).await;
    assert_eq!(again.payload, "message 1");
    device.send(&Packet::PubAck(PubAck::new(again.pkid))).await;
    none_wait(&world, "d").await;
}

#[tokio::test]
async fn over_mqtt_with_qos_0_a_message_arrives_at_most_once() {
    let world = hub().await;
    let mut device = world.connected("d").await;
    subscribe(&mut device, QoS::AtMostOnce).await;
    for n in 1..=20 {
        send(&world, "d", numbered(n)).await;
    }
    for n in 1..=20 {
        let message = publication(&mut device).await;
        assert_eq!((message.qos, message.pkid), (QoS::AtMostOnce, 0));
        assert_eq!(message.payload, format!("message {n}"));
    }
    assert_eq!(waiting(&world, "d").await, 0);
}

#[tokio::test]
async fn messages_survive_a_restart_and_end_with_their_device() {
    let folder = tempfile::tempdir().unwrap();
    let start = async || hub_with(|builder| builder.data_dir(folder.path())).await;
    let world = start().await;
    for id in ["d", "gone"] {
        world.device(id).await;
        for n in 0..50 {
            send(&world, id, numbered(n)).await;
        }
    }
    let full = world.hub.send(&TwinKey::device("d").unwrap(), numbered(50)).await.unwrap_err();
    assert_eq!(full.code.number, 403_004);
    world
        .call_with(
            "DELETE",
            "/devices/gone",
            &[("Authorization", &world.policy_token("iothubowner")), ("If-Match", "*")],
            "",
        )
        .await;
    world.hub.close().await.unwrap();
    let world = start().await;
    assert_eq!(waiting(&world, "d").await, 50);
    let key = {
        let identity = world.call("GET", "/devices/d", "").await.json();
        let key = identity["authentication"]["symmetricKey"]["primaryKey"].as_str().unwrap().to_owned();
        Key::from_base64(&key).unwrap()
    };
    let device = Caller { world: &world, id: "d", key };
    let (_, answer) = device.receive().await;
    assert_eq!(answer.body, "message 0");
    world.device("gone").await;
    assert_eq!(waiting(&world, "gone").await, 0);
}
