//! The hub's AMQP, faced with bytes that no library made.

mod support;

use support::amqp_peer::*;
use support::{hub, soon, token};
use tokio::io::AsyncReadExt;

async fn is_alive(peer: &mut Peer, delivery: u32) {
    peer.send(&transfer(0, 2, delivery, true, &twin("GET", "", &text("alive"), b" "))).await;
    let answer = peer.expect(TRANSFER).await;
    assert!(answer.has("alive") && answer.has("\"desired\""), "{answer:?}");
}

#[tokio::test]
async fn devices_on_one_connection_have_their_own_tokens_twins_and_answers() {
    let world = hub().await;
    let (one, two) = (world.device("one").await, world.device("two").await);
    let mut peer = Peer::with_cbs(&world).await;
    peer.put(0, "localhost/devices/one", &token("one", &one, 3600), 200).await;
    peer.put(1, "localhost%2Fdevices%2Ftwo", &token("two", &two, 3600), 200).await;
    peer.twin_links(2, "one").await;
    peer.twin_links(4, "two").await;
    // A correlation id is echoed in the type it came in: a uuid, a ulong, binary, a string.
    let uuid = [&[0x98][..], &[7; 16]].concat();
    for (delivery, handle, id, echoed) in [
        (2, 2, uuid.clone(), uuid),
        (3, 4, b"\x80\0\0\0\0\0\0\x03\x09".to_vec(), b"\x80\0\0\0\0\0\0\x03\x09".to_vec()),
        (4, 4, b"\xa0\x03abc".to_vec(), b"\xa0\x03abc".to_vec()),
        (5, 2, text("a-string"), b"\xa1\x08a-string".to_vec()),
    ] {
        peer.send(&transfer(0, handle, delivery, true, &twin("GET", "", &id, b" "))).await;
        let answer = peer.expect(TRANSFER).await;
        assert!(
            answer.has(&echoed) && answer.has([&b"status"[..], b"\x71\0\0\0\xc8"].concat()),
            "{answer:02x?}"
        );
    }
    let patch = twin("PATCH", "/properties/reported", &text("p"), br#"{"a":1}"#);
    peer.send(&transfer(0, 2, 6, false, &patch)).await;
    peer.until(DISPOSITION, "the patch is settled").await;
    assert!(peer.expect(TRANSFER).await.has("version"));
    let subscribe = twin("PUT", "/notifications/twin/properties/desired", &text("s"), b" ");
    peer.send(&transfer(0, 4, 7, true, &subscribe)).await;
    peer.expect(TRANSFER).await;
    let change = r#"{"properties":{"desired":{"led":true}}}"#;
    for id in ["one", "two"] {
        assert_eq!(world.call("PATCH", &format!("/twins/{id}"), change).await.status, 200);
    }
    // Only the one that asked hears.
    let heard = peer.expect(TRANSFER).await;
    assert!(heard.has("/properties/desired") && heard.has("led"), "{heard:?}");
    let answer = world.call("GET", "/twins/one", "").await;
    assert_eq!(answer.json()["properties"]["reported"]["a"], 1);
    assert_eq!(answer.json()["connectionState"], "Connected");
    // Links go, and come again under the same handle.
    peer.send(&[detach(0, 2), detach(0, 3)].concat()).await;
    peer.expect(DETACH).await;
    peer.expect(DETACH).await;
    peer.twin_links(2, "one").await;
    is_alive(&mut peer, 8).await;
}

#[tokio::test]
async fn a_link_without_a_right_to_it_is_refused_and_the_connection_stays() {
    let world = hub().await;
    let key = world.device("other").await;
    let mut peer = device(&world, "mine").await;
    peer.put(1, "localhost/devices/other", &token("mine", &key, 3600), 401).await;
    peer.put(2, "localhost/devices/other", &token("other", &key, -4000), 401).await;
    peer.put(3, "localhost/devices/nobody", &token("nobody", &key, 3600), 401).await;
    peer.put(4, "elsewhere/devices/other", &token("other", &key, 3600), 401).await;
    peer.put(5, "localhost/things/other", &token("other", &key, 3600), 400).await;
    for (handle, sends, address, condition) in [
        (10, true, "/devices/other/twin", "amqp:unauthorized-access"),
        (11, false, "/devices/nobody/twin", "amqp:unauthorized-access"),
        (12, true, "/messages/devicebound", "amqp:unauthorized-access"),
        (13, true, "/devices/mine/cupboard", "amqp:not-found"),
        (14, true, "", "amqp:not-found"),
        (15, false, "/devices/mine/messages/events", "amqp:not-found"),
    ] {
        peer.send(&attach(0, handle, sends, address)).await;
        peer.expect(ATTACH).await;
        let detached = peer.expect(DETACH).await;
        assert!(detached.has(condition) && detached.has("errorCode"), "{address}: {detached:?}");
        peer.send(&detach(0, handle)).await;
    }
    is_alive(&mut peer, 6).await;
}

#[tokio::test]
async fn services() {
    let world = hub().await;
    let mut peer = Peer::with_cbs(&world).await;
    peer.put(0, "localhost", &world.policy_token("service"), 200).await;
    peer.send(&attach(0, 2, false, "/messages/serviceBound/feedback")).await;
    peer.expect(ATTACH).await;
    peer.send(&attach(0, 3, true, "/messages/devicebound")).await;
    peer.expect(ATTACH).await;
    peer.expect(FLOW).await;
    // The policy may not connect as a device.
    world.device("d").await;
    peer.send(&attach(0, 4, true, "/devices/d/twin")).await;
    peer.expect(ATTACH).await;
    assert!(peer.expect(DETACH).await.has("amqp:unauthorized-access"));
}

#[tokio::test]
async fn what_breaks_a_rule_ends_what_it_broke_and_nothing_else() {
    let world = hub().await;
    let mut bystander = device(&world, "bystander").await;
    let second = |body: &[u8]| frame(0, body);
    let first_transfer = |more: &[u8], payload: &[u8]| {
        let fields = [uint(0), uint(1), binary(b"t"), uint(0), TRUE.into(), more.into()];
        frame(0, &[&list(TRANSFER, &fields)[..], payload].concat())
    };
    let large: Vec<u8> = (0..7).flat_map(|_| first_transfer(TRUE, &[0; 60_000])).collect();
    let strangers: Vec<u8> = (2..20).flat_map(|handle| attach(0, handle, true, "$cbs")).collect();
    let sessions: Vec<u8> = (1..40).flat_map(begin).collect();
    for (what, bytes, code, condition) in [
        ("a second open", open(512), CLOSE, "amqp:illegal-state"),
        ("a second begin", begin(0), CLOSE, "amqp:illegal-state"),
        ("a channel above the largest", begin(5000), CLOSE, "framing-error"),
        ("a handle above the largest", attach(0, 1 << 20, true, "$cbs"), CLOSE, "framing-error"),
        ("a channel without a session", attach(9, 2, true, "$cbs"), CLOSE, "amqp:illegal-state"),
        ("an unknown performative", second(&list(0x19, &[])), CLOSE, "amqp:decode-error"),
        ("no performative", second(b"\x40"), CLOSE, "amqp:decode-error"),
        ("a list that overruns", second(b"\x00\x53\x14\xd0\xff\xff\xff\xff"), CLOSE, "amqp:decode-error"),
        ("nesting", second(&[0; 500]), CLOSE, "amqp:decode-error"),
        ("a frame of a gigabyte", b"\x40\x00\x00\x00\x02\x00\x00\x00".to_vec(), CLOSE, "amqp:decode-error"),
        ("a frame of 7 bytes", b"\x00\x00\x00\x07\x02\x00\x00\x00".to_vec(), CLOSE, "amqp:decode-error"),
        ("a SASL frame", frame_of(1, 0, &list(0x41, &[])), CLOSE, "amqp:decode-error"),
        ("links without end", strangers, CLOSE, "amqp:resource-limit-exceeded"),
        ("sessions without end", sessions, CLOSE, "amqp:resource-limit-exceeded"),
        ("a transfer without attach", transfer(0, 7, 1, true, b""), END, "unattached-handle"),
        ("a flow without attach", credit(0, 7, 1), END, "unattached-handle"),
        ("a detach without attach", detach(0, 7), END, "unattached-handle"),
        ("a handle in use", attach(0, 0, true, "$cbs"), END, "handle-in-use"),
        ("a transfer to a sender", transfer(0, 1, 1, true, b""), DETACH, "amqp:not-allowed"),
        ("a message that is none", transfer(0, 0, 1, true, b"\x40"), DETACH, "amqp:decode-error"),
        ("a message without end", large, DETACH, "message-size-exceeded"),
    ] {
        let mut peer = Peer::with_cbs(&world).await;
        peer.send(&bytes).await;
        let came = peer.until(code, what).await;
        assert!(came.has(condition), "{what}: {came:?}");
        if code == CLOSE {
            let mut rest = Vec::new();
            let _ = soon(what, peer.io.read_to_end(&mut rest)).await;
        }
        is_alive(&mut bystander, 100).await;
    }
}

#[tokio::test]
async fn beginnings() {
    let world = hub().await;
    let key = world.device("d").await;
    let init = |mechanism: &str, response: &str| {
        frame_of(1, 0, &list(0x41, &[symbol(mechanism), binary(response.as_bytes())]))
    };
    let plain = |user: &str, token: &str| init("PLAIN", &format!("\0{user}\0{token}"));
    let good = token("d", &key, 3600);
    let policy = world.policy_token("device");
    for (what, init, outcome) in [
        ("ANONYMOUS", init("ANONYMOUS", ""), 0),
        ("MSSBCBS", init("MSSBCBS", ""), 0),
        ("EXTERNAL without a certificate", init("EXTERNAL", ""), 1),
        ("an unknown mechanism", init("SCRAM-SHA-1", ""), 1),
        ("PLAIN", plain("d@sas.localhost", &good), 0),
        ("PLAIN of a policy", plain("device@sas.root.localhost", &policy), 0),
        ("PLAIN of another policy", plain("service@sas.root.localhost", &policy), 1),
        ("PLAIN of another device", plain("e@sas.localhost", &good), 1),
        ("PLAIN for another hub", plain("d@sas.elsewhere", &good), 1),
        ("PLAIN that expired", plain("d@sas.localhost", &token("d", &key, -4000)), 1),
        ("PLAIN without a password", init("PLAIN", "\0d@sas.localhost"), 1),
    ] {
        let mut peer = Peer::new(&world).await;
        peer.send(SASL).await;
        assert_eq!(peer.header().await.unwrap(), SASL);
        assert!(peer.expect(0x40).await.has("MSSBCBS"));
        peer.send(&init).await;
        let came = peer.expect(0x44).await;
        assert!(came.has([0x50, outcome]), "{what}: {came:02x?}");
        if outcome == 0 {
            peer.send(&[AMQP, &open(512)].concat()).await;
            assert_eq!(peer.header().await.unwrap(), AMQP, "{what}");
            peer.expect(OPEN).await;
        }
        if what.starts_with("PLAIN") && outcome == 0 {
            // No token is needed any more.
            peer.send(&begin(0)).await;
            peer.expect(BEGIN).await;
            peer.twin_links(2, "d").await;
            is_alive(&mut peer, 0).await;
        }
    }
    for (what, bytes, condition) in [
        ("another version", b"AMQP\x00\x02\x00\x00".to_vec(), None),
        ("TLS inside", b"AMQP\x02\x01\x00\x00".to_vec(), None),
        ("begin first", [AMQP, &begin(0)].concat(), Some("amqp:illegal-state")),
        ("tiny frames", [AMQP, &open(100)].concat(), Some("frame-size-too-small")),
    ] {
        let mut peer = Peer::new(&world).await;
        peer.send(&bytes).await;
        assert_eq!(peer.header().await.unwrap(), AMQP, "{what}");
        match condition {
            Some(condition) => assert!(peer.until(CLOSE, what).await.has(condition), "{what}"),
            None => assert!(peer.next().await.is_none(), "{what}"),
        }
    }
}

#[tokio::test]
async fn frames_of_one_byte_and_frames_that_must_be_split() {
    let world = hub().await;
    let key = world.device("d").await;
    let mut peer = Peer::new(&world).await;
    for byte in [AMQP, &open(512), &begin(0), &attach(0, 0, true, "$cbs")].concat() {
        peer.send(&[byte]).await;
    }
    peer.header().await.unwrap();
    for code in [OPEN, BEGIN, ATTACH, FLOW] {
        peer.expect(code).await;
    }
    peer.send(&[attach(0, 1, false, "$cbs"), credit(0, 1, 100)].concat()).await;
    peer.expect(ATTACH).await;
    peer.put(0, "localhost/devices/d", &token("d", &key, 3600), 200).await;
    peer.twin_links(2, "d").await;
    let patch = format!(r#"{{"properties":{{"desired":{{"a":"{}"}}}}}}"#, "x".repeat(2000));
    assert_eq!(world.call("PATCH", "/twins/d", &patch).await.status, 200);
    peer.send(&transfer(0, 2, 1, true, &twin("GET", "", &text("g"), b" "))).await;
    let mut whole = Vec::new();
    while whole.len() < 2000 {
        let came = peer.expect(TRANSFER).await;
        assert!(came.body.len() + 8 <= 512, "{}", came.body.len());
        whole.extend(came.body);
    }
}

#[tokio::test]
async fn a_second_connection_takes_the_device_over_and_new_keys_or_an_end_of_the_token_end_it() {
    let world = hub().await;
    let mut first = device(&world, "d").await;
    let key =
        world.call("GET", "/devices/d", "").await.json()["authentication"]["symmetricKey"]["primaryKey"]
            .as_str()
            .map(|key| twin_core::auth::Key::from_base64(key).unwrap())
            .unwrap();
    let mut second = Peer::with_cbs(&world).await;
    second.put(0, "localhost/devices/d", &token("d", &key, 3600), 200).await;
    second.twin_links(2, "d").await;
    for _ in 0..2 {
        let detached = first.expect(DETACH).await;
        assert!(detached.has("amqp:link:stolen") && detached.has("400027"), "{detached:?}");
    }
    is_alive(&mut second, 1).await;
    assert_eq!(world.call("PUT", "/devices/d", r#"{"deviceId":"d"}"#).await.status, 409);
    let owner = world.policy_token("iothubowner");
    let headers = [("Authorization", owner.as_str()), ("If-Match", "*")];
    let deleted = world.call_with("DELETE", "/devices/d", &headers, "").await;
    assert_eq!(deleted.status, 204);
    for _ in 0..2 {
        assert!(second.expect(DETACH).await.has("amqp:unauthorized-access"));
    }
    // Five minutes of skew are granted after the end; this one ends a second from now.
    let key = world.device("short").await;
    let mut peer = Peer::with_cbs(&world).await;
    peer.put(0, "localhost/devices/short", &token("short", &key, -298), 200).await;
    peer.twin_links(2, "short").await;
    for _ in 0..2 {
        assert!(peer.expect(DETACH).await.has("amqp:unauthorized-access"));
    }
    assert_eq!(world.call("GET", "/devices/short", "").await.json()["connectionState"], "Disconnected");
}

#[tokio::test]
async fn a_link_without_credit_is_waited_for_up_to_a_bound() {
    let world = hub().await;
    let key = world.device("d").await;
    let mut peer = Peer::with_cbs(&world).await;
    peer.put(0, "localhost/devices/d", &token("d", &key, 3600), 200).await;
    let address = "/devices/d/twin";
    peer.send(&[attach(0, 2, true, address), attach(0, 3, false, address)].concat()).await;
    for code in [ATTACH, FLOW, ATTACH] {
        peer.expect(code).await;
    }
    let values: Vec<String> = (0..7).map(|n| format!(r#""k{n}":"{}""#, "x".repeat(4000))).collect();
    let patch = format!(r#"{{"properties":{{"desired":{{{}}}}}}}"#, values.join(","));
    assert_eq!(world.call("PATCH", "/twins/d", &patch).await.status, 200);
    let get = |id| transfer(0, 2, id, true, &twin("GET", "", &text("g"), b" "));
    // What waits goes out when there is credit.
    for id in 1..=20 {
        peer.send(&get(id)).await;
    }
    peer.send(&credit(0, 3, 20)).await;
    for _ in 0..20 {
        peer.expect(TRANSFER).await;
    }
    for id in 21..=70 {
        peer.send(&get(id)).await;
    }
    assert!(peer.until(DETACH, "a queue without end").await.has("amqp:resource-limit-exceeded"));
    world.is_alive("alive").await;
}
