//! Telemetry and messages from the cloud, against scripted hubs that share none of the client's code: what it says over
//! MQTT and HTTPS, and how it takes refusals, lost connections and messages that come twice.

#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tests::mqtt_peer::{self, Packet};
use tests::{https_peer, mqtt_peer::Talk};
use twin_device::{
    Ack, Delivery, DeviceClient, ErrorKind, Message, ReceivePolicy, RetryPolicy, Settlement, Transport, When,
};

/// Longest a test may take: a hang is a failure.
const LIMIT: Duration = Duration::from_secs(30);

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, what).await.expect("it hangs")
}

fn quick() -> RetryPolicy {
    RetryPolicy::custom(|_, error| error.is_retryable().then_some(Duration::from_millis(5)))
}

fn mqtt(peer: &mqtt_peer::Peer) -> DeviceClient {
    let client = DeviceClient::from_connection_string(&peer.connection_string()).unwrap();
    client.ca_pem(&peer.ca_pem).retry(quick()).build().unwrap()
}

fn https(peer: &https_peer::Peer, when: When) -> DeviceClient {
    let client = DeviceClient::from_connection_string(&peer.connection_string()).unwrap();
    let client = client.ca_pem(&peer.ca_pem).retry(quick()).transport(Transport::Http);
    client.receive_policy(ReceivePolicy::new(when).unwrap()).build().unwrap()
}

fn telemetry() -> Message {
    let mut message = Message::new("21.5")
        .with_id("1")
        .with_correlation_id("2")
        .with_content_type("application/json")
        .with_content_encoding("utf-8")
        .with_property("a b", "c&d");
    message.component = Some("sensor".into());
    message
}

async fn published(hub: &mut Talk) -> (u16, String, Vec<u8>) {
    match hub.next().await {
        Some(Packet::Publish { topic, payload, qos: 1, id: Some(id) }) => (id, topic, payload),
        other => panic!("a PUBLISH of QoS 1 was to come, not {other:?}"),
    }
}

async fn puback(hub: &mut Talk, id: u16) {
    hub.write(&[0x40, 2, (id >> 8) as u8, id as u8]).await;
}

#[tokio::test]
async fn telemetry_over_mqtt_is_sent_until_it_is_acknowledged() {
    within(async {
        let peer = mqtt_peer::Peer::start().await;
        let client = mqtt(&peer);
        let first = tokio::spawn({
            let client = client.clone();
            async move { client.send(telemetry()).await }
        });
        let mut hub = peer.welcome().await;
        let bag = "%24.mid=1&%24.cid=2&%24.ct=application%2Fjson&%24.ce=utf-8&%24.sub=sensor&a%20b=c%26d";
        let topic = format!("devices/d/messages/events/{bag}");
        let (_, said, payload) = published(&mut hub).await;
        assert_eq!((said.as_str(), payload.as_slice()), (topic.as_str(), &b"21.5"[..]));
        // Lost before the hub acknowledged: the same again, and then what was sent meanwhile.
        drop(hub);
        let mut hub = peer.welcome().await;
        let (id, said, _) = published(&mut hub).await;
        assert_eq!(said, topic);
        let second = tokio::spawn({
            let client = client.clone();
            async move { client.send_batch(vec![Message::new("b"), Message::new("c")]).await }
        });
        let mut ids = vec![id];
        for body in ["b", "c"] {
            let (id, topic, payload) = published(&mut hub).await;
            assert_eq!((topic.as_str(), payload.as_slice()), ("devices/d/messages/events/", body.as_bytes()));
            ids.push(id);
        }
        // Each has its own packet id, and the order of acknowledgements does not matter.
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
        for id in ids.into_iter().rev() {
            puback(&mut hub, id).await;
        }
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();

        // Too large for any transport: refused without a word, and the connection stays.
        let error = client.send(Message::new(vec![b'x'; 256 * 1024 + 1])).await.unwrap_err();
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::TooLarge, Some(Delivery::NotSent)));
        let wide = Message::new("x").with_property("p", " ".repeat(30_000));
        let error = client.send(wide).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        let (closed, ()) = tokio::join!(client.close(), hub.goodbye());
        closed.unwrap();
    })
    .await;
}

#[tokio::test]
async fn messages_over_mqtt_are_acknowledged_when_they_are_completed() {
    within(async {
        let peer = mqtt_peer::Peer::start().await;
        let client = mqtt(&peer);
        let mut messages = client.messages();
        let mut hub = peer.welcome().await;
        let Some(Packet::Subscribe { id, filter, qos: 1 }) = hub.hear().await else { panic!() };
        assert_eq!(filter, "devices/d/messages/devicebound/#");
        hub.suback(id, 1).await;
        let topic = "devices/d/messages/devicebound/%24.mid=7&%24.to=%2Fdevices%2Fd%2Fmessages%2FdeviceBound\
                     &iothub-ack=full&prop=v%C3%A4lue";
        hub.publish_at_least_once(3, topic, "hello").await;
        hub.publish_at_least_once(4, "devices/d/messages/devicebound/", "again").await;
        let message = messages.next().await.unwrap();
        assert_eq!(message.message.body, "hello");
        assert_eq!(message.message.id.as_deref(), Some("7"));
        assert_eq!(message.message.ack, Some(Ack::Full));
        assert_eq!(message.message.property("prop"), Some("välue"));
        let second = messages.next().await.unwrap();

        // MQTT cannot reject; the message can still be completed, in any order.
        for refused in [message.reject().await, message.abandon().await] {
            let error = refused.unwrap_err();
            assert_eq!((error.kind(), error.delivery()), (ErrorKind::NotSupported, Some(Delivery::NotSent)));
        }
        second.complete().await.unwrap();
        assert_eq!(hub.next().await, Some(Packet::Puback(4)));
        message.complete().await.unwrap();
        assert_eq!(hub.next().await, Some(Packet::Puback(3)));
        message.complete().await.unwrap();

        // What was not completed comes again on the next connection, where the old one means nothing.
        hub.publish_at_least_once(5, "devices/d/messages/devicebound/", "lost").await;
        let lost = messages.next().await.unwrap();
        drop(hub);
        let mut hub = peer.welcome().await;
        let Some(Packet::Subscribe { id, .. }) = hub.hear().await else { panic!() };
        hub.suback(id, 1).await;
        hub.publish_at_least_once(5, "devices/d/messages/devicebound/", "lost").await;
        let again = messages.next().await.unwrap();
        assert_eq!(lost.complete().await.unwrap_err().kind(), ErrorKind::PreconditionFailed);
        client.settle(&again.lock_token, Settlement::Complete).await.unwrap();
        assert_eq!(hub.next().await, Some(Packet::Puback(5)));

        // Nobody wants them any more.
        drop(messages);
        let Some(Packet::Unsubscribe { filter, .. }) = hub.hear().await else { panic!() };
        assert_eq!(filter, "devices/d/messages/devicebound/#");
    })
    .await;
}

const EVENTS: &str = "POST /devices/d/messages/events?api-version=2021-04-12";
const RECEIVE: &str = "GET /devices/d/messages/devicebound?api-version=2021-04-12";

#[tokio::test]
async fn telemetry_over_https_one_by_one_and_in_batches() {
    within(async {
        let peer = https_peer::Peer::start().await;
        let client = https(&peer, When::Manual);
        // Nothing is said before there is something to say.
        client.open().await.unwrap();
        let hub = async {
            let mut hub = peer.accept().await;
            let asked = hub.asked().await;
            assert_eq!((asked.line.as_str(), asked.text()), (EVENTS, "21.5"));
            for (name, value) in [
                ("iothub-to", "/devices/d/messages/events"),
                ("iothub-messageid", "1"),
                ("iothub-correlationid", "2"),
                ("iothub-contenttype", "application/json"),
                ("iothub-contentencoding", "utf-8"),
                ("dt-subject", "sensor"),
                ("iothub-app-k", "v"),
            ] {
                assert_eq!(asked.header(name), Some(value), "{name}");
            }
            assert!(asked.header("user-agent").unwrap().starts_with("twin-device/"));
            let token = asked.header("authorization").unwrap();
            assert!(token.starts_with("SharedAccessSignature sr=localhost"), "{token}");
            // Refused for the moment: again on the same connection.
            hub.answer(503, "iothub-errorcode: ServiceUnavailable\r\n", "").await;
            assert_eq!(hub.asked().await, asked);
            hub.answer(204, "", "").await;

            let asked = hub.asked().await;
            assert_eq!(asked.line, EVENTS);
            assert_eq!(asked.header("content-type"), Some("application/vnd.microsoft.iothub.json"));
            let batch: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
            let expected = serde_json::json!([
                {"body": "Yg==", "base64Encoded": true},
                {"body": "Yw==", "base64Encoded": true, "properties": {"iothub-app-k": "v"}},
            ]);
            assert_eq!(batch, expected);
            hub.answer(204, "", "").await;
            hub.asked().await;
            hub.answer(413, "iothub-errorcode: MessageTooLarge\r\n", "").await;
            hub
        };
        let device = async {
            let mut message = telemetry();
            message.properties = vec![("k".into(), "v".into())];
            client.send(message).await.unwrap();
            let batch = vec![Message::new("b"), Message::new("c").with_property("k", "v")];
            client.send_batch(batch).await.unwrap();
            let error = client.send(Message::new("x")).await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::TooLarge, Some(413001)));
            assert_eq!(error.delivery(), Some(Delivery::Refused));
        };
        let (_hub, ()) = tokio::join!(hub, device);
        // What HTTP cannot say is refused before it is sent.
        let error = client.send(Message::new("x").with_property("k", "väl\nue")).await.unwrap_err();
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::InvalidArgument, Some(Delivery::NotSent)));
        for error in
            [client.twin().await.map(|_| ()), client.report(serde_json::json!({"a": 1})).await.map(|_| ())]
        {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotSupported);
            assert!(error.message().contains("MQTT and AMQP"), "{error}");
        }
        let mut desired = client.desired();
        assert_eq!(desired.next().await, None);
        assert_eq!(desired.error().unwrap().kind(), ErrorKind::NotSupported);
        client.close().await.unwrap();
    })
    .await;
}

/// Answers on every connection: what is asked for goes to `asked`, and comes back as it says.
async fn serve(
    peer: https_peer::Peer,
    answer: impl Fn(https_peer::Asked) -> (u16, &'static str, &'static str) + Clone + Send + Sync + 'static,
) {
    loop {
        let (mut hub, answer) = (peer.accept().await, answer.clone());
        tokio::spawn(async move {
            while let Ok(asked) = hub.try_asked().await {
                let (status, headers, body) = answer(asked);
                hub.answer(status, headers, body).await;
            }
        });
    }
}

#[tokio::test]
async fn messages_over_https_are_asked_for_and_settled() {
    within(async {
        let peer = https_peer::Peer::start().await;
        let client = https(&peer, When::Every(Duration::from_millis(100)));
        let waiting = Arc::new(Mutex::new(VecDeque::from([
            (
                200,
                "ETag: \"l-1\"\r\niothub-messageid: 7\r\niothub-app-k: v\r\niothub-ack: full\r\n\
                 iothub-sequencenumber: 3\r\niothub-enqueuedtime: 12/09/2019 12:00:00 PM\r\n\
                 iothub-deliverycount: 2\r\n",
                "hello",
            ),
            (200, "ETag: \"l-2\"\r\n", ""),
            (503, "iothub-errorcode: ServiceUnavailable\r\n", ""),
        ])));
        let (heard, mut settled) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(serve(peer, {
            let waiting = waiting.clone();
            move |asked| {
                if asked.line == RECEIVE {
                    return waiting.lock().unwrap().pop_front().unwrap_or((204, "", ""));
                }
                let lost = asked.line.contains("l-2");
                heard.send((asked.line.clone(), asked.header("if-match").map(str::to_owned))).unwrap();
                if lost { (412, "iothub-errorcode: DeviceMessageLockLost\r\n", "") } else { (204, "", "") }
            }
        }));
        let mut messages = client.messages();
        let first = messages.next().await.unwrap();
        assert_eq!((first.lock_token.as_str(), &first.message.body[..]), ("l-1", &b"hello"[..]));
        assert_eq!((first.sequence_number, first.delivery_count), (Some(3), Some(2)));
        assert_eq!(first.enqueued.unwrap().to_string(), "2019-12-09T12:00:00Z");
        assert_eq!(first.message.property("k"), Some("v"));
        let second = messages.next().await.unwrap();

        let path = "/devices/d/messages/devicebound/l-1";
        for (settlement, line) in [
            (Settlement::Complete, format!("DELETE {path}?api-version=2021-04-12")),
            (Settlement::Reject, format!("DELETE {path}?api-version=2021-04-12&reject")),
            (Settlement::Abandon, format!("POST {path}/abandon?api-version=2021-04-12")),
        ] {
            client.settle(&first.lock_token, settlement).await.unwrap();
            assert_eq!(settled.recv().await, Some((line, Some("l-1".to_owned()))));
        }
        assert_eq!(second.complete().await.unwrap_err().code(), Some(412002));

        // A hub that fails for a while does not end the stream; one that knows the device no more does.
        waiting.lock().unwrap().push_back((200, "ETag: \"l-3\"\r\n", "late"));
        assert_eq!(messages.next().await.unwrap().lock_token, "l-3");
        // It is asked twice: the token might have been outdated.
        waiting.lock().unwrap().extend([(401, "iothub-errorcode: IotHubUnauthorizedAccess\r\n", ""); 2]);
        assert!(messages.next().await.is_none());
        assert_eq!(messages.error().unwrap().kind(), ErrorKind::Unauthorized);
    })
    .await;
}

#[tokio::test]
async fn messages_over_https_by_hand() {
    within(async {
        let peer = https_peer::Peer::start().await;
        let client = https(&peer, When::Manual);
        let mut messages = client.messages();
        let hub = async {
            let mut hub = peer.accept().await;
            for (lock, drain) in [("a", false), ("b", true), ("c", true)] {
                assert_eq!(hub.asked().await.line, RECEIVE);
                hub.answer(200, &format!("ETag: \"{lock}\"\r\n"), if drain { "more" } else { "one" }).await;
            }
            assert_eq!(hub.asked().await.line, RECEIVE);
            hub.answer(204, "", "").await;
            hub.asked().await;
            hub.answer(404, "iothub-errorcode: DeviceNotFound\r\n", "").await;
        };
        let device = async {
            client.receive(false).await.unwrap();
            assert_eq!(messages.next().await.unwrap().lock_token, "a");
            client.receive(true).await.unwrap();
            assert_eq!(messages.next().await.unwrap().lock_token, "b");
            assert_eq!(messages.next().await.unwrap().lock_token, "c");
            assert_eq!(client.receive(true).await.unwrap_err().code(), Some(404001));
        };
        tokio::join!(hub, device);
    })
    .await;
}
