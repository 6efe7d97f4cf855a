//! The service API and WebSockets in raw bytes: what is served, and what each thing that is not allowed gets.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde_json::{Value, json};
use support::{Mqtt, World, connect, hub, hub_with, soon, token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// A refusal has the forms that the Node, Python and .NET SDKs parse.
fn assert_refused(what: &str, answer: &support::Answer, status: u16, name: &str) {
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    assert_eq!(answer.header("iothub-errorcode"), Some(name), "{what}: {answer:?}");
    let body: Value = answer.json();
    let message = body["Message"].as_str().unwrap_or_else(|| panic!("{what}: {body}"));
    assert!(message.starts_with(&format!("ErrorCode:{name};")), "{what}: {message}");
    let tracking = body["ExceptionMessage"].as_str().unwrap_or_else(|| panic!("{what}: {body}"));
    assert!(tracking.starts_with("Tracking ID:"), "{what}: {tracking}");
}

#[tokio::test]
async fn who_may_do_what() {
    let world = hub().await;
    world.device("d").await;
    // A row a call: the policies that may make it.
    let calls: &[(&str, &str, &str, &[&str])] = &[
        ("GET", "/twins/d", "", &["iothubowner", "service"]),
        ("PATCH", "/twins/d", r#"{"tags":{"a":1}}"#, &["iothubowner", "service"]),
        ("PUT", "/twins/d", r#"{"tags":{"a":1}}"#, &["iothubowner", "service"]),
        ("POST", "/devices/query", r#"{"query":"SELECT * FROM devices"}"#, &["iothubowner", "service"]),
        ("GET", "/devices/d", "", &["iothubowner", "registryRead", "registryReadWrite"]),
        ("GET", "/devices", "", &["iothubowner", "registryRead", "registryReadWrite"]),
        ("GET", "/devices/d/modules", "", &["iothubowner", "registryRead", "registryReadWrite"]),
        ("GET", "/statistics/devices", "", &["iothubowner", "registryRead", "registryReadWrite"]),
        (
            "PUT",
            "/devices/d/modules/m",
            r#"{"deviceId":"d","moduleId":"m"}"#,
            &["iothubowner", "registryReadWrite"],
        ),
        ("DELETE", "/devices/d/modules/m", "", &["iothubowner", "registryReadWrite"]),
        ("POST", "/devices", r#"[{"id":"e","importMode":"create"}]"#, &["iothubowner", "registryReadWrite"]),
    ];
    for (method, path, body, allowed) in calls {
        for policy in ["service", "device", "registryRead", "registryReadWrite", "iothubowner"] {
            let authorization = world.policy_token(policy);
            let answer = world.call_with(method, path, &[("Authorization", &authorization)], body).await;
            let what = format!("{method} {path} as {policy}");
            if allowed.contains(&policy) {
                assert_ne!(answer.status, 401, "{what}: {answer:?}");
                assert!(answer.status < 500, "{what}: {answer:?}");
            } else {
                assert_refused(&what, &answer, 401, "IotHubUnauthorized");
            }
        }
    }
}

#[tokio::test]
async fn credentials_that_do_not_hold() {
    let world = hub().await;
    let key = world.device("d").await;
    let good = world.policy_token("service");
    let tampered = good.replace("sig=", "sig=A");
    let of_device = token("d", &key, 3600);
    for (what, authorization, says) in [
        ("a tampered signature", tampered.as_str(), "sign"),
        ("a device's token", &of_device, "policy"),
        ("an Entra token", "Bearer eyJhbGciOiJub25lIn0.e30.", "Entra"),
        ("basic authentication", "Basic dXNlcjpwYXNz", "SAS"),
        ("nothing in it", "", ""),
        ("a token without fields", "SharedAccessSignature", ""),
    ] {
        let answer = world.call_with("GET", "/twins/d", &[("Authorization", authorization)], "").await;
        assert_refused(what, &answer, 401, "IotHubUnauthorized");
        assert!(answer.body.contains(says), "{what}: {answer:?}");
        let secret = authorization.split("sig=").nth(1).unwrap_or("no signature");
        assert!(!answer.body.contains(secret), "{what}: {answer:?}");
    }
    let answer = world.call_with("GET", "/twins/d", &[], "").await;
    assert_refused("no header", &answer, 401, "IotHubUnauthorized");
    let twice = [("Authorization", good.as_str()), ("Authorization", good.as_str())];
    assert_refused("two", &world.call_with("GET", "/twins/d", &twice, "").await, 401, "IotHubUnauthorized");
}

#[tokio::test]
async fn a_refusal_is_heard_by_those_who_are_still_sending() {
    let world = hub().await;
    for (what, authorization, size, status) in [
        ("a stranger with a large body", "Bearer x".to_owned(), 4 * 1024 * 1024, 401),
        ("a friend with a large body", world.policy_token("iothubowner"), 4 * 1024 * 1024, 413),
        ("a stranger with a small body", "Bearer x".to_owned(), 1000, 401),
    ] {
        for _ in 0..5 {
            let headers = [("Authorization", authorization.as_str())];
            let answer = world.call_with("PATCH", "/twins/d", &headers, &" ".repeat(size)).await;
            assert_eq!(answer.status, status, "{what}: {answer:?}");
        }
    }
    // Asked whether to send, the hub says no.
    let asks = "PATCH /twins/d HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n";
    let answer = world.raw_http(asks).await;
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")), "{answer:?}");
}

#[tokio::test]
async fn calls_that_cannot_be_served() {
    let world = hub().await;
    world.device("d").await;
    let long = format!(r#"{{"tags":{{"a":"{}"}}}}"#, "x".repeat(4097));
    let huge = " ".repeat(1024 * 1024 + 1);
    for (method, target, body, status) in [
        ("GET", "/twins/nobody", "", 404),
        ("GET", "/twins/d?api-version=2099-13-99", "", 400),
        ("GET", "/twins/d?api-version=1999-01-01", "", 400),
        ("GET", "/twins/d?api-version=", "", 400),
        ("GET", "/nowhere", "", 404),
        ("DELETE", "/twins/d", "", 405),
        ("PATCH", "/twins/d", "{", 400),
        ("PATCH", "/twins/d", "[]", 400),
        ("PATCH", "/twins/d", r#"{"tags":{"a":1,"a":2}}"#, 400),
        ("PATCH", "/twins/d", r#"{"tags":{"$a":1}}"#, 400),
        ("PATCH", "/twins/d", long.as_str(), 400),
        ("PUT", "/twins/d", r#"{"tags":{"a":null}}"#, 400),
        ("POST", "/devices/query", r#"{"query":"SELECT"}"#, 400),
        ("POST", "/devices/query", r#"{"query":1}"#, 400),
        ("PUT", "/devices/d", r#"{"deviceId":"d"}"#, 409),
        ("PUT", "/devices/x", r#"{"deviceId":"y"}"#, 400),
        ("PATCH", "/twins/d", huge.as_str(), 413),
        ("POST", "/twins/d/methods", r#"{"methodName":"m"}"#, 501),
        ("GET", "/jobs/v2/query", "", 501),
        ("GET", "/configurations", "", 501),
    ] {
        let answer = world.call(method, target, body).await;
        let what = format!("{method} {target} {}", &body[..body.len().min(60)]);
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        assert!(answer.header("iothub-errorcode").is_some(), "{what}: {answer:?}");
        assert!(answer.json()["Message"].as_str().unwrap().starts_with("ErrorCode:"), "{what}: {answer:?}");
    }
    let answer = world.call("DELETE", "/twins/d", "").await;
    assert_eq!(answer.header("allow"), Some("GET, PATCH, PUT"), "{answer:?}");
    let stale =
        [("Authorization", world.policy_token("service")), ("If-Match", "\"AAAAAAAAAAk=\"".to_owned())];
    let stale: Vec<(&str, &str)> = stale.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let answer = world.call_with("PATCH", "/twins/d", &stale, r#"{"tags":{}}"#).await;
    assert_refused("a stale etag", &answer, 412, "PreconditionFailed");
}

#[tokio::test]
async fn bodies_that_are_too_much_are_refused_before_they_come() {
    let world = hub_with(|builder| {
        let mut limits = twin_hub::Limits::default();
        limits.max_request_bytes = 1000;
        limits.http_body_time = std::time::Duration::from_secs(3);
        builder.limits(limits)
    })
    .await;
    world.device("d").await;
    let authorization = world.policy_token("iothubowner");
    let head = |more: &str| {
        format!(
            "PATCH /twins/d?api-version=2021-04-12 HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n{more}\r\n"
        )
    };
    // Neither waits for bytes that it would throw away.
    for more in ["Content-Length: 99999999999\r\n", "Content-Length: 1048577\r\nExpect: 100-continue\r\n"] {
        let answer = world.raw_http(head(more)).await;
        assert_refused(more, &answer, 413, "MessageTooLarge");
        assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
    }
    // Who holds all the room for bodies without sending one keeps others waiting until it is given up, no longer.
    let mut greedy = world.tls().await;
    greedy.write_all(head("Content-Length: 1000\r\nExpect: 100-continue\r\n").as_bytes()).await.unwrap();
    let mut invited = [0; 21];
    soon("the invitation", greedy.read_exact(&mut invited)).await.unwrap();
    assert_eq!(&invited, b"HTTP/1.1 100 Continue");
    let answer = world.call("PATCH", "/twins/d", r#"{"tags":{"a":1}}"#).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut rest = Vec::new();
    soon("the end of the greedy one", greedy.read_to_end(&mut rest)).await.unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("HTTP/1.1 400"), "{rest:?}");
    assert_eq!(world.call("GET", "/twins/d", "").await.status, 200, "no body needs no room");
}

#[tokio::test]
async fn shapes_that_smuggle_and_heads_that_are_none() {
    let world = hub().await;
    world.device("d").await;
    let authorization = world.policy_token("iothubowner");
    let head = |line: &str, headers: &str| {
        format!("{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n{headers}\r\n")
    };
    let patch = "PATCH /twins/d?api-version=2021-04-12";
    let body = r#"{"tags":{"a":1}}"#;
    let chunked = "10\r\n{\"tags\":{\"a\":1}}\r\n0\r\n\r\n";
    for (what, request, status) in [
        ("chunked alone", head(patch, "Transfer-Encoding: chunked\r\n") + chunked, 200),
        ("a length", head(patch, "Content-Length: 16\r\n") + body, 200),
        (
            "length, then chunked",
            head(patch, "Content-Length: 16\r\nTransfer-Encoding: chunked\r\n") + chunked,
            400,
        ),
        (
            "chunked, then length",
            head(patch, "Transfer-Encoding: chunked\r\nContent-Length: 16\r\n") + chunked,
            400,
        ),
        ("two lengths", head(patch, "Content-Length: 16\r\nContent-Length: 5\r\n") + body, 400),
        ("the same length twice", head(patch, "Content-Length: 16\r\nContent-Length: 16\r\n") + body, 400),
        ("a list of lengths", head(patch, "Content-Length: 16, 16\r\n") + body, 400),
        ("a signed length", head(patch, "Content-Length: +16\r\n") + body, 400),
        ("a hexadecimal length", head(patch, "Content-Length: 0x10\r\n") + body, 400),
        ("another coding", head(patch, "Transfer-Encoding: gzip, chunked\r\n") + chunked, 400),
        ("a coding that is not last", head(patch, "Transfer-Encoding: chunked, identity\r\n") + chunked, 400),
        ("a chunk size that is none", head(patch, "Transfer-Encoding: chunked\r\n") + "zz\r\n", 400),
        ("a name with a space", head(patch, "Content-Length : 16\r\n") + body, 400),
        ("a folded header", head(patch, "X: a\r\n b\r\nContent-Length: 16\r\n") + body, 400),
        (
            "a line break in a value",
            head(patch, "X: a\rContent-Length: 1\r\nContent-Length: 16\r\n") + body,
            400,
        ),
        ("an unknown version", "GET / HTTP/7.3\r\n\r\n".into(), 400),
        // Closed without a word: no HTTP/1 answer would be understood.
        ("HTTP/2 without asking", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 0),
        ("no version", "GET /\r\n\r\n".into(), 400),
        ("a head of 100 KB", head("GET /health", &format!("X: {}\r\n", "x".repeat(100_000))), 431),
        ("a thousand headers", head("GET /health", &"X: y\r\n".repeat(1000)), 431),
        ("a target of 1 MB", head(&format!("GET /{}", "x".repeat(1_000_000)), ""), 414),
    ] {
        let answer = world.raw_http(request).await;
        // hyper answers an overlong target as an overlong head.
        let status = if status == 414 && answer.status == 431 { 431 } else { status };
        assert_eq!(answer.status, status, "{what}: {answer:?}");
    }
    // What was refused is not read on: the request hidden behind it never runs.
    let hidden = head("DELETE /devices/d?api-version=2021-04-12", "");
    let smuggled = head(patch, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + &hidden;
    let mut tls = world.tls().await;
    tls.write_all(smuggled.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let _ = soon("the close", tls.read_to_end(&mut all)).await;
    let all = String::from_utf8_lossy(&all);
    assert_eq!(all.matches("HTTP/1.1 ").count(), 1, "{all}");
    assert_eq!(world.call("GET", "/devices/d", "").await.status, 200);
}

#[tokio::test]
async fn connections_are_kept_and_pipelined_calls_answered_in_order() {
    let world = hub().await;
    world.device("d").await;
    let authorization = world.policy_token("iothubowner");
    let one = |path: &str| {
        format!(
            "GET {path}?api-version=2021-04-12 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n\r\n"
        )
    };
    let mut tls = world.tls().await;
    let requests = one("/twins/d") + &one("/twins/nobody") + &one("/devices/d");
    tls.write_all(requests.as_bytes()).await.unwrap();
    let mut seen = String::new();
    soon("three answers", async {
        while seen.matches("HTTP/1.1 ").count() < 3 || !seen.ends_with('}') {
            let mut buf = [0; 4096];
            let n = tls.read(&mut buf).await.unwrap();
            assert_ne!(n, 0, "{seen}");
            seen += &String::from_utf8_lossy(&buf[..n]);
        }
    })
    .await;
    let statuses: Vec<&str> =
        seen.match_indices("HTTP/1.1 ").map(|(i, m)| &seen[i + m.len()..i + m.len() + 3]).collect();
    assert_eq!(statuses, ["200", "404", "200"]);
    let head = world
        .raw_http(one("/twins/d").replace("GET", "HEAD").replace("Host", "Connection: close\r\nHost"))
        .await;
    assert_eq!(head.body, "");
}

#[tokio::test]
async fn health_and_metrics() {
    let world = hub().await;
    let _device = world.connected("d").await;
    let health = world.raw_http("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!((health.status, health.json()["status"].clone()), (200, json!("ok")));
    let metrics = world.raw_http("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain"));
    for line in
        ["twin_hub_connections{protocol=\"mqtt\"} 1", "twin_hub_devices 1", "twin_hub_devices_connected 1"]
    {
        assert!(metrics.body.lines().any(|l| l == line), "{line}: {}", metrics.body);
    }
    for path in ["/health", "/metrics"] {
        let answer =
            world.raw_http(format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
}

#[tokio::test]
async fn what_arrives_too_slowly_is_given_up() {
    let world = hub_with(|builder| {
        let mut limits = twin_hub::Limits::default();
        limits.http_idle_time = std::time::Duration::from_millis(300);
        limits.http_body_time = std::time::Duration::from_millis(300);
        builder.limits(limits)
    })
    .await;
    let authorization = world.policy_token("iothubowner");
    let mut half = world.tls().await;
    half.write_all(b"GET /health HT").await.unwrap();
    let mut rest = Vec::new();
    let _ = soon("half a head", half.read_to_end(&mut rest)).await;
    let answer = world
        .raw_http(format!(
            "PATCH /twins/d?api-version=2021-04-12 HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\nContent-Length: 100\r\n\r\n{{"
        ))
        .await;
    assert_refused("half a body", &answer, 400, "GenericBadRequest");
    let mut idle = world.tls().await;
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut all = Vec::new();
    let _ = soon("an idle connection", idle.read_to_end(&mut all)).await;
    assert!(String::from_utf8_lossy(&all).starts_with("HTTP/1.1 200"));
}

fn upgrade(protocols: Option<&str>, path: &str) -> hyper::http::Request<()> {
    let mut request = format!("wss://localhost{path}").into_client_request().unwrap();
    if let Some(protocols) = protocols {
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocols.parse().unwrap());
    }
    request
}

async fn websocket(
    world: &World,
    request: hyper::http::Request<()>,
) -> Result<(u16, tokio_tungstenite::WebSocketStream<support::Tls>, Option<String>), u16> {
    match soon("the upgrade", tokio_tungstenite::client_async(request, world.tls().await)).await {
        Ok((socket, response)) => {
            let protocol =
                response.headers().get("sec-websocket-protocol").map(|p| p.to_str().unwrap().to_owned());
            Ok((response.status().as_u16(), socket, protocol))
        }
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(e) => panic!("{e}"),
    }
}

#[tokio::test]
async fn upgrades() {
    let world = hub().await;
    for (protocols, path, status) in [
        (Some("mqtt"), "/$iothub/websocket", 101),
        (Some("mqtt"), "/$iothub/websocket?iothub-no-client-cert=true", 101),
        (Some("x, mqtt"), "/$iothub/websocket", 101),
        (Some("AMQPWSB10"), "/$iothub/websocket", 101),
        (Some("amqp"), "/$iothub/websocket", 101),
        (Some("AMQPWSB10, mqtt"), "/$iothub/websocket", 101),
        (Some("MQTT"), "/$iothub/websocket", 400),
        (Some("mqttv3.1"), "/$iothub/websocket", 400),
        (None, "/$iothub/websocket", 400),
        (Some("mqtt"), "/elsewhere", 401),
    ] {
        let found = websocket(&world, upgrade(protocols, path)).await;
        match found {
            Ok((found, _, protocol)) => {
                // The first that is spoken here, as it was spelled.
                let mut offered = protocols.unwrap_or_default().split(", ");
                let chosen = offered.find(|offer| *offer != "x");
                assert_eq!((found, protocol.as_deref()), (status, chosen), "{protocols:?} {path}");
            }
            Err(found) => assert_eq!(found, status, "{protocols:?} {path}"),
        }
    }
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (what, headers) in [
        ("no upgrade", "".to_owned()),
        ("no key", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n".to_owned()),
        (
            "version 8",
            format!("Connection: Upgrade\r\nUpgrade: websocket\r\n{key}Sec-WebSocket-Version: 8\r\n"),
        ),
        ("h2c", format!("Connection: Upgrade\r\nUpgrade: h2c\r\n{key}Sec-WebSocket-Version: 13\r\n")),
    ] {
        let request = format!(
            "GET /$iothub/websocket HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Protocol: mqtt\r\n{headers}\r\n"
        );
        assert_eq!(world.raw_http(request).await.status, 400, "{what}");
    }
}

#[tokio::test]
async fn mqtt_in_a_websocket_byte_by_byte() {
    use futures_util::{SinkExt, StreamExt};
    let world = hub().await;
    let key = world.device("d").await;
    let mut request = upgrade(Some("mqtt"), "/$iothub/websocket");
    // As the Node SDK offers; the hub does not take it up.
    request
        .headers_mut()
        .insert("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits".parse().unwrap());
    let (_, mut socket, _) = websocket(&world, request).await.unwrap();
    let mut bytes = bytes::BytesMut::new();
    connect("d", &token("d", &key, 60)).write(&mut bytes).unwrap();
    bytes.extend_from_slice(b"\xc0\x00");
    for byte in bytes {
        socket.send(Message::Binary(vec![byte].into())).await.unwrap();
    }
    let mut heard = Vec::new();
    soon("CONNACK and PINGRESP", async {
        while heard.len() < 6 {
            if let Message::Binary(bytes) = socket.next().await.unwrap().unwrap() {
                heard.extend_from_slice(&bytes);
            }
        }
    })
    .await;
    assert_eq!(heard, b"\x20\x02\x00\x00\xd0\x00");
    socket.send(Message::Ping("x".into())).await.unwrap();
    let pong = soon("a pong", socket.next()).await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong("x".into()));
    assert!(world.hub.metrics().contains("twin_hub_connections{protocol=\"mqtt-ws\"} 1\n"));
    socket.send(Message::text("hello")).await.unwrap();
    soon("the end after a text message", async { while let Some(Ok(_)) = socket.next().await {} }).await;
    world.is_alive("alive").await;
}

#[tokio::test]
async fn frames_that_are_none_end_their_connection_alone() {
    let world = hub().await;
    let upgrade = "GET /$iothub/websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
    for (what, frame) in [
        ("not masked", &b"\x82\x01a"[..]),
        ("a reserved opcode", b"\x83\x81\0\0\0\0a"),
        ("a reserved bit", b"\xc2\x81\0\0\0\0a"),
        ("a long ping", &[&b"\x89\xfe\x00\x7e\0\0\0\0"[..], &[0; 126]].concat()),
        ("a frame of 4 GB", b"\x82\xff\0\0\0\x01\0\0\0\0\0\0\0\0"),
        ("a continuation of nothing", b"\x80\x81\0\0\0\0a"),
    ] {
        let mut tls = world.tls().await;
        tls.write_all(upgrade.as_bytes()).await.unwrap();
        tls.write_all(frame).await.unwrap();
        let mut all = Vec::new();
        let _ = soon(what, tls.read_to_end(&mut all)).await;
        assert!(all.starts_with(b"HTTP/1.1 101"), "{what}");
    }
    // The client goes right after the upgrade, or before it is answered.
    for _ in 0..3 {
        let mut tls = world.tls().await;
        tls.write_all(upgrade.as_bytes()).await.unwrap();
        drop(tls);
    }
    let mut device = Mqtt::new(world.tls().await);
    device.send_raw(b"\xc0\x00").await;
    device.closes("no CONNECT").await;
    world.is_alive("alive").await;
}
