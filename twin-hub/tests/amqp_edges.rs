//! The hub's AMQP at its edges: who shows what, who is slow or silent, how much is too much, and where it is cut.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::Duration;

use support::amqp_peer::*;
use support::certificates::{Ca, Certificate, self_signed};
use support::{Tls, World, hub, hub_with, soon, token};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;
use twin_core::TwinKey;
use twin_core::wire::rest::Call;

fn get(handle: u32, delivery: u32) -> Vec<u8> {
    transfer(0, handle, delivery, true, &twin("GET", "", &text("get"), b" "))
}

async fn is_alive(peer: &mut Peer, delivery: u32) {
    peer.send(&get(2, delivery)).await;
    let answer = peer.expect(TRANSFER).await;
    assert!(answer.has("\"desired\""), "{answer:?}");
}

/// How many AMQP connections the hub counts.
fn connections(world: &World) -> String {
    let metrics = world.hub.metrics();
    let line = metrics
        .lines()
        .find(|line| line.contains("connections") && line.contains("\"amqp\"") && !line.contains("total"));
    line.and_then(|line| line.rsplit(' ').next()).unwrap_or_else(|| panic!("{metrics}")).to_owned()
}

/// TLS that shows a certificate.
async fn showing(world: &World, certificate: &Certificate) -> Peer {
    let io: Tls = world.tls_showing(&certificate.pem, &certificate.key).await;
    Peer { io }
}

#[tokio::test]
async fn a_certificate_opens_links_without_a_token() {
    let ca = Ca::new();
    let world = hub_with(|builder| builder.client_ca_pem(ca.pem.clone())).await;
    let own = self_signed("whatever");
    for (id, authentication) in [
        (
            "by-print",
            format!(r#"{{"type":"selfSigned","x509Thumbprint":{{"primaryThumbprint":"{}"}}}}"#, own.sha1()),
        ),
        ("by-ca", r#"{"type":"certificateAuthority"}"#.to_owned()),
    ] {
        let body = format!(r#"{{"deviceId":"{id}","authentication":{authentication}}}"#);
        assert_eq!(world.call("PUT", &format!("/devices/{id}"), &body).await.status, 200);
    }
    world.device("by-key").await;
    let signed = ca.sign("by-ca");
    for (id, certificate) in [("by-print", &own), ("by-ca", &signed)] {
        for sasl in [true, false] {
            let mut peer = showing(&world, certificate).await;
            if sasl {
                peer.send(SASL).await;
                assert_eq!(peer.header().await.unwrap(), SASL);
                assert!(peer.expect(0x40).await.has("EXTERNAL"));
                peer.send(&frame_of(1, 0, &list(0x41, &[symbol("EXTERNAL")]))).await;
                assert!(peer.expect(0x44).await.has([0x50, 0]), "{id}");
            }
            peer.begin().await;
            peer.twin_links(2, id).await;
            is_alive(&mut peer, 0).await;
            // It opens nobody else's.
            for other in ["by-print", "by-ca", "by-key"].iter().filter(|other| **other != id) {
                peer.send(&attach(0, 7, true, &format!("/devices/{other}/twin"))).await;
                peer.expect(ATTACH).await;
                assert!(peer.expect(DETACH).await.has("amqp:unauthorized-access"), "{id} {other}");
                peer.send(&detach(0, 7)).await;
            }
            is_alive(&mut peer, 1).await;
        }
    }
    // One that nobody knows, and a device's whose keys are the only way in.
    for id in ["by-print", "by-ca", "by-key"] {
        let mut peer = showing(&world, &self_signed(id)).await;
        peer.begin().await;
        peer.send(&attach(0, 2, true, &format!("/devices/{id}/twin"))).await;
        peer.expect(ATTACH).await;
        assert!(peer.expect(DETACH).await.has("amqp:unauthorized-access"), "{id}");
    }
}

#[tokio::test]
async fn a_device_that_is_slow_to_let_in_holds_up_nobody_else() {
    let world = hub().await;
    let mut peer = device(&world, "quick").await;
    let ids = ["never", "soon", "gone"];
    for (n, id) in ids.iter().enumerate() {
        let key = world.device(id).await;
        peer.put(1 + n as u32, &format!("localhost/devices/{id}"), &token(id, &key, 3600), 200).await;
    }
    let pair = |handle, id: &str| {
        let address = format!("/devices/{id}/twin");
        [attach(0, handle, true, &address), attach(0, handle + 1, false, &address), credit(0, handle + 1, 9)]
            .concat()
    };
    world.hub.delay_requests(1, Duration::from_secs(3600));
    peer.send(&pair(10, "never")).await;
    is_alive(&mut peer, 4).await;
    // Both attaches were waiting; the credit that came before the answer counts.
    world.hub.delay_requests(1, Duration::from_millis(20));
    peer.send(&pair(12, "soon")).await;
    for code in [ATTACH, FLOW, ATTACH] {
        peer.expect(code).await;
    }
    peer.send(&get(12, 5)).await;
    assert!(peer.expect(TRANSFER).await.has("\"desired\""));
    // Whoever leaves before being let in has been let in and left.
    world.hub.delay_requests(1, Duration::from_millis(20));
    peer.send(&[attach(0, 14, true, "/devices/gone/twin"), detach(0, 14)].concat()).await;
    for code in [ATTACH, FLOW, DETACH] {
        peer.expect(code).await;
    }
    assert_eq!(world.call("GET", "/devices/gone", "").await.json()["connectionState"], "Disconnected");
    // The handles are taken, the links are not there yet.
    for (bytes, condition) in
        [(attach(0, 10, true, "$cbs"), "handle-in-use"), (get(10, 6), "unattached-handle")]
    {
        let mut peer = Peer::with_cbs(&world).await;
        let key = world.device(condition).await;
        peer.put(0, &format!("localhost/devices/{condition}"), &token(condition, &key, 3600), 200).await;
        world.hub.delay_requests(1, Duration::from_secs(3600));
        peer.send(&[pair(10, condition), bytes].concat()).await;
        assert!(peer.expect(END).await.has(condition));
    }
    // A session that goes takes along what was on its way in.
    peer.send(&frame(0, &list(END, &[]))).await;
    peer.expect(END).await;
    peer.send(&[begin(0), attach(0, 0, true, "$cbs"), attach(0, 1, false, "$cbs"), credit(0, 1, 9)].concat())
        .await;
    for code in [BEGIN, ATTACH, FLOW, ATTACH] {
        peer.expect(code).await;
    }
    peer.twin_links(2, "quick").await;
    is_alive(&mut peer, 0).await;
}

/// Frames until the hub closes, by the clock: when they came, and their codes.
async fn listen(peer: &mut Peer, from: Instant, until: Duration) -> Vec<(u64, u8)> {
    let mut came = Vec::new();
    let mut head = [0; 8];
    loop {
        match tokio::time::timeout_at(from + until, peer.io.read_exact(&mut head)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return came,
        }
        let mut body = vec![0; u32::from_be_bytes(head[..4].try_into().unwrap()) as usize - 8];
        peer.io.read_exact(&mut body).await.unwrap();
        came.push((from.elapsed().as_secs(), body.get(2).copied().unwrap_or(0)));
    }
}

#[tokio::test]
async fn signs_of_life_come_in_time_and_silence_is_ended() {
    let world = hub().await;
    let mut peer = Peer::new(&world).await;
    let open = |idle: u32| {
        let nothing = || NULL.to_vec();
        frame(0, &list(OPEN, &[text("peer"), nothing(), uint(65536), nothing(), uint(idle)]))
    };
    peer.send(&[AMQP, &open(60_000), &begin(0)].concat()).await;
    peer.header().await.unwrap();
    // 120 s: half of what the hub waits for.
    assert!(peer.expect(OPEN).await.has([&[0x70][..], &120_000_u32.to_be_bytes()].concat()));
    peer.expect(BEGIN).await;
    // From here on time flies.
    tokio::time::pause();
    let from = Instant::now();
    let came = listen(&mut peer, from, Duration::from_secs(1000)).await;
    let (mut beats, mut last) = (Vec::new(), Vec::new());
    for (at, code) in &came {
        if *code == 0 { beats.push(*at) } else { last.push((*at, *code)) }
    }
    // Half as long as the peer waits.
    assert!(beats.windows(2).all(|pair| pair[1] - pair[0] <= 31) && beats.len() >= 7, "{came:?}");
    assert!(matches!(last[..], [(239..=242, CLOSE)]), "{came:?}");
    // Empty frames are signs of life.
    tokio::time::resume();
    let mut peer = Peer::begun(&world).await;
    tokio::time::pause();
    for _ in 0..10 {
        tokio::time::advance(Duration::from_secs(200)).await;
        peer.send(&frame(0, b"")).await;
        peer.send(&attach(0, 0, true, "$cbs")).await;
        peer.expect(ATTACH).await;
        peer.expect(FLOW).await;
        peer.send(&detach(0, 0)).await;
        peer.expect(DETACH).await;
    }
    // Faster than the hub can be is told so.
    tokio::time::resume();
    let mut peer = Peer::new(&world).await;
    peer.send(&[AMQP, &open(199)].concat()).await;
    peer.header().await.unwrap();
    assert!(peer.until(CLOSE, "too fast").await.has("idle-time-out"));
}

#[tokio::test]
async fn tokens_are_renewed_in_place_and_policies_end_as_devices_do() {
    let world = hub().await;
    let key = world.device("d").await;
    let mut peer = Peer::with_cbs(&world).await;
    // This one ends in two seconds (five minutes of skew are granted), its successor in an hour.
    peer.put(0, "localhost/devices/d", &token("d", &key, -298), 200).await;
    peer.twin_links(2, "d").await;
    peer.put(1, "localhost/devices/d", &token("d", &key, 3600), 200).await;
    let owner = world.policy_token_until("device", -298);
    let mut all = Peer::with_cbs(&world).await;
    all.put(0, "localhost", &owner, 200).await;
    world.device("e").await;
    all.twin_links(2, "e").await;
    is_alive(&mut all, 1).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(10)).await;
    tokio::time::resume();
    is_alive(&mut peer, 2).await;
    for _ in 0..2 {
        assert!(all.expect(DETACH).await.has("amqp:unauthorized-access"));
    }
    // The connection stays; with a new token so does the device.
    all.send(&[detach(0, 2), detach(0, 3)].concat()).await;
    all.put(2, "localhost", &world.policy_token("device"), 200).await;
    all.twin_links(2, "e").await;
    is_alive(&mut all, 3).await;
}

#[tokio::test]
async fn a_connection_takes_a_thousand_tokens() {
    const MOST: u32 = 1000;
    let world = hub().await;
    let ids: Vec<u32> = (0..=MOST).collect();
    for ids in ids.chunks(100) {
        let items = ids.iter().map(|n| serde_json::json!({"id": format!("d{n}"), "importMode": "create", "authentication": {"type": "sas", "symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY}}}));
        let body = serde_json::Value::from(items.collect::<Vec<_>>()).to_string().into();
        world.hub.call(Call::Bulk { body }).await.unwrap();
    }
    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let key = twin_core::auth::Key::from_base64(KEY).unwrap();
    let put = |n: u32| {
        let id = format!("d{n}");
        (format!("localhost/devices/{id}"), token(&id, &key, 3600))
    };
    let mut peer = Peer::with_cbs(&world).await;
    peer.send(&credit_from(0, 1, 0, 2 * MOST)).await;
    for n in 0..MOST {
        let (audience, token) = put(n);
        peer.put(n, &audience, &token, 200).await;
    }
    let (audience, one_more) = put(MOST);
    peer.put(MOST, &audience, &one_more, 403).await;
    peer.put(MOST + 1, "localhost", &world.policy_token("device"), 403).await;
    // Neither opens anything, nor keeps those that are there from being renewed.
    peer.send(&attach(0, 9, true, &format!("/devices/d{MOST}/twin"))).await;
    peer.expect(ATTACH).await;
    assert!(peer.expect(DETACH).await.has("amqp:unauthorized-access"));
    let (audience, again) = put(7);
    peer.put(MOST + 2, &audience, &again, 200).await;
    peer.twin_links(2, "d7").await;
    peer.send(&credit_from(0, 3, 0, 9)).await;
    is_alive(&mut peer, MOST + 3).await;
}

#[tokio::test]
async fn credit_is_drained_and_told_when_asked() {
    let world = hub().await;
    let mut peer = device(&world, "d").await;
    let flow = |handle: Option<u32>, count: u32, credit: u32, drain: &[u8], echo: &[u8]| {
        let mut fields = vec![uint(0), uint(1000), uint(0), uint(1000)];
        if let Some(handle) = handle {
            let nothing = NULL.to_vec();
            fields.extend([uint(handle), uint(count), uint(credit), nothing, drain.to_vec(), echo.to_vec()]);
        } else {
            fields.extend([NULL.into(), NULL.into(), NULL.into(), NULL.into(), NULL.into(), echo.to_vec()]);
        }
        frame(0, &list(FLOW, &fields))
    };
    // How the hub writes a small number.
    let small = |n: u8| if n == 0 { vec![0x43] } else { vec![0x52, n] };
    let state = |handle, count, credit| [small(handle), small(count), small(credit)].concat();
    peer.send(&flow(Some(3), 0, 9, FALSE, TRUE)).await;
    let told = peer.expect(FLOW).await;
    assert!(told.has(state(3, 0, 9)), "{told:02x?}");
    peer.send(&flow(Some(3), 0, 9, TRUE, FALSE)).await;
    let told = peer.expect(FLOW).await;
    assert!(told.has(state(3, 9, 0)), "{told:02x?}");
    // Nothing comes without credit, and what waited comes with it.
    peer.send(&[get(2, 1), flow(None, 0, 0, FALSE, TRUE)].concat()).await;
    peer.expect(FLOW).await;
    peer.send(&flow(Some(3), 9, 1, FALSE, FALSE)).await;
    peer.expect(TRANSFER).await;
    // Credit that is taken back is gone.
    peer.send(&[flow(Some(3), 10, 5, FALSE, FALSE), flow(Some(3), 10, 0, FALSE, FALSE), get(2, 2)].concat())
        .await;
    peer.send(&flow(None, 0, 0, FALSE, TRUE)).await;
    peer.expect(FLOW).await;
    peer.send(&flow(Some(3), 10, 1, FALSE, FALSE)).await;
    peer.expect(TRANSFER).await;
    // The link to the hub has credit of the hub's making, whatever the peer says of it.
    peer.send(&flow(Some(2), 2, 4_000_000_000, FALSE, TRUE)).await;
    peer.expect(FLOW).await;
    // A detach that is no farewell is answered as one that is not.
    peer.send(&frame(0, &list(DETACH, &[uint(2), FALSE.into()]))).await;
    peer.expect(DETACH).await;
    peer.send(&attach(0, 2, true, "/devices/d/twin")).await;
    peer.expect(ATTACH).await;
    peer.expect(FLOW).await;
    peer.send(&[flow(Some(3), 11, 9, FALSE, FALSE), get(2, 3)].concat()).await;
    peer.expect(TRANSFER).await;
}

/// One message in frames of at most `room` bytes of payload.
fn in_pieces(handle: u32, id: u32, settled: bool, message: &[u8], room: usize) -> Vec<u8> {
    let settled = if settled { TRUE } else { FALSE };
    let count = message.len().div_ceil(room).max(1);
    let piece = |n: usize| {
        let more = if n + 1 < count { TRUE } else { FALSE };
        let fields =
            [uint(handle), uint(id), binary(&id.to_be_bytes()), uint(0), settled.into(), more.into()];
        let part = &message[n * room..message.len().min((n + 1) * room)];
        frame(0, &[&list(TRANSFER, &fields)[..], part].concat())
    };
    (0..count).flat_map(piece).collect()
}

#[tokio::test]
async fn sizes_around_every_limit() {
    const BODY: usize = 256 * 1024;
    const FRAME: usize = 64 * 1024;
    let world = hub().await;
    let mut peer = device(&world, "d").await;
    let events = "/devices/d/messages/events";
    peer.send(&attach(0, 4, true, events)).await;
    peer.expect(ATTACH).await;
    peer.expect(FLOW).await;
    let sizes = [0, 1, 255, 256, FRAME - 100, FRAME - 1, FRAME, FRAME + 1, BODY - 1, BODY];
    for (n, size) in sizes.into_iter().enumerate() {
        for room in [400, 60_000] {
            let message = section(0x75, binary(&vec![b'x'; size]));
            peer.send(&in_pieces(4, 1, false, &message, room)).await;
            let settled = peer.until(DISPOSITION, "a message of a size that is allowed").await;
            assert!(settled.has([0x53, 0x24]), "{n}: {size} in {room}: {settled:02x?}");
        }
    }
    let metrics = world.hub.metrics();
    let counted = metrics
        .lines()
        .find(|line| line.contains("telemetry") && line.contains("bytes") && !line.starts_with('#'));
    let sum: usize = sizes.iter().sum::<usize>() * 2;
    assert!(counted.is_some_and(|line| line.ends_with(&format!(" {sum}"))), "{counted:?} {sum}");
    for size in [BODY + 1, 400 * 1024] {
        let message = section(0x75, binary(&vec![b'x'; size]));
        peer.send(&in_pieces(4, 1, false, &message, 60_000)).await;
        assert!(peer.until(DETACH, "too large").await.has("message-size-exceeded"), "{size}");
        peer.send(&[detach(0, 4), attach(0, 4, true, events)].concat()).await;
        peer.until(ATTACH, "again").await;
        peer.expect(FLOW).await;
    }
    is_alive(&mut peer, 100).await;
    // A frame of the largest size is taken; one byte more is not.
    for (extra, good) in [(0, true), (1, false)] {
        let head = transfer(0, 4, 1, true, &section(0x75, binary(b""))).len();
        let body = vec![b'x'; FRAME - head + extra];
        let bytes = transfer(0, 4, 1, true, &section(0x75, binary(&body)));
        assert_eq!(bytes.len(), FRAME + extra);
        peer.send(&bytes).await;
        match good {
            true => is_alive(&mut peer, 101).await,
            false => assert!(peer.until(CLOSE, "a large frame").await.has("amqp:decode-error")),
        }
    }
}

#[tokio::test]
async fn answers_of_every_size_arrive_whole_in_the_smallest_frames() {
    let world = hub().await;
    let key = world.device("d").await;
    let mut peer = Peer::new(&world).await;
    peer.send(&[AMQP, &open(512), &begin(0)].concat()).await;
    peer.header().await.unwrap();
    peer.expect(OPEN).await;
    peer.expect(BEGIN).await;
    peer.cbs_links().await;
    peer.put(0, "localhost/devices/d", &token("d", &key, 3600), 200).await;
    peer.twin_links(2, "d").await;
    let twin_key = TwinKey::device("d").unwrap();
    for size in (0..600).chain([3000, 4096]) {
        let value = "x".repeat(size);
        let patch = serde_json::json!({ "a": value }).to_string();
        world.hub.report(&twin_key, patch.into()).await.unwrap();
        peer.send(&[get(2, 1), credit_from(0, 3, size as u32, 10_000)].concat()).await;
        let mut whole = Vec::new();
        loop {
            let came = peer.until(TRANSFER, "the answer").await;
            assert!(came.body.len() + 8 <= 512);
            let (more, payload) = came.transfer();
            whole.extend_from_slice(payload);
            if !more {
                break;
            }
        }
        // The body is the last section: a constructor, a length, the bytes.
        let at = whole.windows(2).position(|w| w == b"{\"").unwrap();
        let body: serde_json::Value = serde_json::from_slice(&whole[at..]).unwrap();
        assert_eq!(body["reported"]["a"], value, "{size}");
    }
}

#[tokio::test]
async fn messages_of_the_wrong_make_are_refused_by_what_they_are() {
    let world = hub().await;
    let mut peer = device(&world, "d").await;
    let reported = "/properties/reported";
    let status = |code: i32| [&b"\x71"[..], &code.to_be_bytes()].concat();
    for (n, (operation, resource, body, code)) in [
        ("PATCH", reported, &b"no json"[..], 400),
        ("PATCH", reported, b"[1]", 400),
        ("PATCH", reported, b"", 400),
        ("PATCH", reported, b"\xff\xfe", 400),
        ("PATCH", reported, br#"{"a":{"$b":1}}"#, 400),
        ("PATCH", "/properties/desired", br#"{"a":1}"#, 400),
        ("PATCH", "", br#"{"a":1}"#, 400),
        ("PUT", "/somewhere", b" ", 400),
        ("DELETE", "", b" ", 400),
        ("POST", reported, b"{}", 400),
        ("", "", b" ", 400),
    ]
    .into_iter()
    .enumerate()
    {
        let message = twin(operation, resource, &text("wrong"), body);
        peer.send(&transfer(0, 2, n as u32 + 1, true, &message)).await;
        let answer = peer.expect(TRANSFER).await;
        assert!(answer.has(status(code)) && answer.has("errorCode"), "{operation} {resource}: {answer:?}");
    }
    // Without a correlation id there is nobody to answer: passed over.
    peer.send(&transfer(0, 2, 30, true, &twin("PATCH", reported, NULL, b"no json"))).await;
    is_alive(&mut peer, 31).await;
    // A value instead of data is taken if it is text or bytes.
    for body in [text(r#"{"v":1}"#), binary(br#"{"v":1}"#)] {
        let message = twin("PATCH", reported, &text("v"), b"");
        let cut = message.len() - section(0x75, binary(b"")).len();
        let message = [&message[..cut], &section(0x77, body)].concat();
        peer.send(&transfer(0, 2, 32, true, &message)).await;
        assert!(peer.expect(TRANSFER).await.has(status(200)));
    }
    // What is no message at all ends the link, not the connection.
    let message = |sections: &[Vec<u8>]| sections.concat();
    let (data, ids) = (section(0x75, binary(b" ")), section(0x73, list(0x73, &[])[3..].to_vec()));
    for bad in [
        message(&[section(0x72, text("no map")), data.clone()]),
        message(&[section(0x73, map(&[])), data.clone()]),
        message(&[section(0x75, text("no bytes"))]),
        message(&[data.clone(), ids.clone()]),
        message(&[ids.clone(), ids, data.clone()]),
        message(&[section(0x79, binary(b""))]),
        message(&[section(0x72, map(&[symbol("operation"), text("GET")]))]),
        message(&[b"\x00\xa3\x0bamqp:what:*\x40".to_vec()]),
        b"\x00".to_vec(),
        data[..data.len() - 1].to_vec(),
    ] {
        peer.send(&transfer(0, 2, 40, true, &bad)).await;
        assert!(peer.expect(DETACH).await.has("amqp:decode-error"), "{bad:02x?}");
        peer.send(&[detach(0, 2), attach(0, 2, true, "/devices/d/twin")].concat()).await;
        peer.expect(ATTACH).await;
        peer.expect(FLOW).await;
    }
    is_alive(&mut peer, 50).await;
    // Tokens of the wrong make.
    let put = |properties: &[&str], body: Vec<u8>| {
        let id = section(0x73, list(0x73, &[text("id")])[3..].to_vec());
        let properties: Vec<Vec<u8>> = properties.iter().map(|t| text(t)).collect();
        [id, section(0x74, map(&properties)), section(0x77, body)].concat()
    };
    let (op, kind, name) = (
        ["operation", "put-token"],
        ["type", "servicebus.windows.net:sastoken"],
        ["name", "localhost/devices/d"],
    );
    for (properties, body, code) in [
        ([&op[..], &kind, &name].concat(), text("no token"), 400),
        ([&op[..], &kind, &name].concat(), text("SharedAccessSignature sr=x&sig=eA%3d%3d&se=1"), 401),
        ([&op[..], &kind, &name].concat(), uint(7), 400),
        ([&op[..], &kind].concat(), text("t"), 400),
        ([&op[..], &["type", "jwt"], &name].concat(), text("e30.e30."), 501),
        ([&op[..], &name].concat(), text("t"), 400),
        ([&kind[..], &name].concat(), text("t"), 400),
        (vec![], text("t"), 400),
    ] {
        peer.send(&transfer(0, 0, 60, true, &put(&properties, body))).await;
        let answer = peer.expect(TRANSFER).await;
        assert!(answer.has(status(code)), "{properties:?} {code}: {answer:?}");
    }
    is_alive(&mut peer, 61).await;
}

#[tokio::test]
async fn cut_at_every_frame_and_in_every_frame() {
    let world = hub().await;
    let mut bystander = device(&world, "bystander").await;
    let key = world.device("d").await;
    let token = token("d", &key, 3600);
    let address = "/devices/d/twin";
    let subscribe = twin("PUT", "/notifications/twin/properties/desired", &text("s"), b" ");
    let report = twin("PATCH", "/properties/reported", &text("p"), br#"{"a":1}"#);
    let conversation = [
        AMQP.to_vec(),
        open(65536),
        begin(0),
        attach(0, 0, true, "$cbs"),
        attach(0, 1, false, "$cbs"),
        credit(0, 1, 10),
        transfer(0, 0, 0, true, &put_token("localhost/devices/d", &token)),
        attach(0, 2, true, address),
        attach(0, 3, false, address),
        credit(0, 3, 10),
        transfer(0, 2, 1, true, &subscribe),
        get(2, 2),
        transfer(0, 2, 3, false, &report),
        in_pieces(2, 4, true, &report, 20),
        detach(0, 2),
        frame(0, &list(END, &[])),
        frame(0, &list(CLOSE, &[])),
    ];
    for n in 0..conversation.len() {
        for half in [0, 1, conversation[n].len() / 2, conversation[n].len() - 1] {
            let mut peer = Peer::new(&world).await;
            peer.send(&[&conversation[..n].concat(), &conversation[n][..half]].concat()).await;
            // Every other one goes without TLS's goodbye.
            if n % 2 == 0 {
                let (tcp, _) = peer.io.into_inner();
                drop(tcp);
            }
        }
        is_alive(&mut bystander, 1 + n as u32).await;
    }
    // All of it, and the end of it is the hub's.
    let mut peer = Peer::new(&world).await;
    peer.send(&conversation.concat()).await;
    let mut rest = Vec::new();
    let _ = soon("the end", peer.io.read_to_end(&mut rest)).await;
    drop(peer);
    soon("the hub to notice", async {
        while connections(&world) != "1"
            || world.call("GET", "/devices/d", "").await.json()["connectionState"] != "Disconnected"
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    is_alive(&mut bystander, 100).await;
}

#[tokio::test]
async fn a_policy_carries_a_session_for_every_device_of_a_pool() {
    // As the .NET SDK pools devices: one connection, one token, and a session for each.
    const DEVICES: u16 = 40;
    let world = hub().await;
    let mut peer = Peer::with_cbs(&world).await;
    peer.put(0, "localhost", &world.policy_token("device"), 200).await;
    for channel in 1..=DEVICES {
        let address = format!("/devices/d{channel}/twin");
        world.device(&format!("d{channel}")).await;
        peer.send(&begin(channel)).await;
        peer.expect(BEGIN).await;
        peer.send(&[attach(channel, 0, true, &address), attach(channel, 1, false, &address)].concat()).await;
        for code in [ATTACH, FLOW, ATTACH] {
            assert_eq!(peer.expect(code).await.channel, channel);
        }
        peer.send(&credit(channel, 1, 10)).await;
    }
    let report =
        |n: u16| twin("PATCH", "/properties/reported", &text("p"), format!(r#"{{"n":{n}}}"#).as_bytes());
    for channel in 1..=DEVICES {
        peer.send(&transfer(channel, 0, 0, true, &report(channel))).await;
        assert_eq!(peer.expect(TRANSFER).await.channel, channel);
    }
    // One session that ends takes its own device along.
    peer.send(&frame(7, &list(END, &[]))).await;
    assert_eq!(peer.expect(END).await.channel, 7);
    for n in [6, 7, 8] {
        let twin = world.call("GET", &format!("/twins/d{n}"), "").await.json();
        assert_eq!(twin["properties"]["reported"]["n"], n);
        assert_eq!(twin["connectionState"] == "Connected", n != 7, "{twin}");
    }
}
