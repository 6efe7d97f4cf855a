//! Cloud-to-device messages over AMQP, in bytes that no library made: services send, devices receive and settle, services
//! hear of it.

mod support;

use support::amqp_peer::*;
use support::{World, hub, token};

const ACCEPTED: u8 = 0x24;
const REJECTED: u8 = 0x25;
const RELEASED: u8 = 0x26;
const MODIFIED: u8 = 0x27;
/// What goes into one frame.
const PIECE_BYTES: usize = 32 * 1024;
const UNSETTLED: [u8; 2] = [0, 0];

fn outcome(code: u8) -> Vec<u8> {
    list(code, &[])
}

/// A service with a link to send on (handle 2) and one for feedback (handle 3).
struct Service {
    peer: Peer,
    sent: u32,
}

impl Service {
    async fn new(world: &World) -> Service {
        let mut peer = Peer::with_cbs(world).await;
        peer.put(0, "localhost", &world.policy_token("service"), 200).await;
        peer.send(&[attach(0, 2, true, "/messages/devicebound"), feedback_link()].concat()).await;
        for code in [ATTACH, FLOW, ATTACH] {
            peer.expect(code).await;
        }
        Service { peer, sent: 0 }
    }

    /// Sends; what became of it.
    async fn send(&mut self, to: &str, id: &str, ack: &str, body: &[u8]) -> Came {
        self.sent += 1;
        let message = to_device(to, id, ack, body);
        let mut pieces = message.chunks(PIECE_BYTES).peekable();
        while let Some(piece) = pieces.next() {
            let more = if pieces.peek().is_some() { TRUE } else { FALSE };
            let fields = [uint(2), uint(self.sent), binary(b"t"), uint(0), FALSE.into(), more.into()];
            self.peer.send(&frame(0, &[&list(TRANSFER, &fields)[..], piece].concat())).await;
        }
        self.peer.until(DISPOSITION, "the outcome").await
    }

    async fn sends(&mut self, device: &str, id: &str) {
        let to = format!("/devices/{device}/messages/devicebound");
        let came = self.send(&to, id, "full", id.as_bytes()).await;
        assert!(came.has(outcome_short(ACCEPTED)), "{came:02x?}");
    }

    /// The next feedback must say this of a message.
    async fn hears(&mut self, id: &str, fate: &str, delivery: u32) {
        self.peer.send(&credit_from(0, 3, delivery, 1)).await;
        let came = self.peer.until(TRANSFER, "feedback").await;
        for part in [&format!("\"originalMessageId\":\"{id}\""), &format!("\"statusCode\":\"{fate}\"")] {
            assert!(came.has(part), "{id} {fate}: {}", String::from_utf8_lossy(&came.body));
        }
        assert!(came.has("application/vnd.microsoft.iothub.feedback.json"));
        self.peer.send(&disposition(0, delivery_of(&came), true, &outcome(ACCEPTED))).await;
    }
}

fn feedback_link() -> Vec<u8> {
    receiver(0, 3, "/messages/serviceBound/feedback", UNSETTLED)
}

/// An outcome as the hub writes it.
fn outcome_short(code: u8) -> [u8; 3] {
    [0, 0x53, code]
}

fn link_of(device: &str) -> String {
    format!("/devices/{device}/messages/devicebound")
}

/// A device with a link for its messages, on handle 2, and no credit yet.
async fn receiving(world: &World, id: &str, key: &twin_core::auth::Key, settles: [u8; 2]) -> Peer {
    let mut peer = Peer::with_cbs(world).await;
    peer.put(0, &format!("localhost/devices/{id}"), &token(id, key, 3600), 200).await;
    peer.send(&receiver(0, 2, &link_of(id), settles)).await;
    let attached = peer.expect(ATTACH).await;
    let [sends, receives] = settles.map(|mode| [0x50, mode]);
    assert!(attached.has([sends, receives].concat()), "{attached:02x?}");
    peer
}

/// The delivery id of a transfer in the hub's short form, if it fits into a byte.
fn delivery_of(came: &Came) -> u32 {
    let fields = &came.body[6..];
    let mut at = 0;
    let mut number = || {
        let (value, size) = match fields[at] {
            0x43 => (0, 1),
            0x52 => (fields[at + 1].into(), 2),
            other => panic!("{other:#x} is no small number"),
        };
        at += size;
        value
    };
    number(); // handle
    number()
}

/// The next message, which must be this one, delivered so often before: its delivery id.
async fn gets(peer: &mut Peer, id: &str, before: u8) -> u32 {
    let came = peer.until(TRANSFER, id).await;
    assert!(came.has(id) && came.has("colour") && came.has("x-opt-sequence-number"), "{id}: {came:02x?}");
    // The header's fifth field, and the tag: a GUID.
    let count: &[u8] = if before == 0 { &[0x43] } else { &[0x52, before] };
    assert!(came.has([&[0x40, 0x40, 0x40, 0x40], count].concat()), "{id} {before}: {came:02x?}");
    assert!(came.has([0xa0, 16]), "{came:02x?}");
    delivery_of(&came)
}

async fn waiting(world: &World, id: &str) -> u64 {
    world.call("GET", &format!("/devices/{id}"), "").await.json()["cloudToDeviceMessageCount"]
        .as_u64()
        .expect("a number")
}

#[tokio::test]
async fn messages_arrive_in_order_as_credit_allows_and_their_sender_hears_of_it() {
    let world = hub().await;
    let key = world.device("d").await;
    let mut service = Service::new(&world).await;
    service.sends("d", "m-1").await;
    let mut device = receiving(&world, "d", &key, UNSETTLED).await;
    // No credit, no message: the answer to the token is all that comes.
    device.put(1, "localhost/devices/d", &token("d", &key, 3600), 200).await;
    service.sends("d", "m-2").await;
    device.send(&credit(0, 2, 1)).await;
    let first = gets(&mut device, "m-1", 0).await;
    device.put(2, "localhost/devices/d", &token("d", &key, 3600), 200).await;
    device.send(&credit_from(0, 2, 1, 2)).await;
    let second = gets(&mut device, "m-2", 0).await;
    // One that comes while the device waits.
    service.sends("d", "m-3").await;
    let third = gets(&mut device, "m-3", 0).await;
    assert_eq!(waiting(&world, "d").await, 3);
    for (delivery, id, n) in [(first, "m-1", 0), (second, "m-2", 1), (third, "m-3", 2)] {
        device.send(&disposition(0, delivery, true, &outcome(ACCEPTED))).await;
        service.hears(id, "Success", n).await;
    }
    assert_eq!(waiting(&world, "d").await, 0);
}

#[tokio::test]
async fn outcomes() {
    let world = hub().await;
    let mut service = Service::new(&world).await;
    let undeliverable = list(MODIFIED, &[TRUE.into(), TRUE.into()]);
    let mut told = 0;
    for (n, (state, settled, again, fate)) in [
        (outcome(ACCEPTED), true, false, Some("Success")),
        (outcome(ACCEPTED), false, false, Some("Success")),
        (outcome(REJECTED), true, false, Some("Rejected")),
        (outcome(REJECTED), false, false, Some("Rejected")),
        (outcome(RELEASED), true, true, None),
        (outcome(RELEASED), false, true, None),
        (outcome(MODIFIED), true, true, None),
        (undeliverable, true, false, Some("Rejected")),
        (NULL.to_vec(), true, true, None),
        (b"\x00\xa3\x12amqp:accepted:list\x45".to_vec(), true, false, Some("Success")),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("d{n}");
        let key = world.device(&id).await;
        service.sends(&id, &id).await;
        let mut device = receiving(&world, &id, &key, [0, u8::from(!settled)]).await;
        device.send(&credit(0, 2, 2)).await;
        let delivery = gets(&mut device, &id, 0).await;
        // An outcome that is none yet says nothing.
        device.send(&disposition(0, delivery, false, &list(0x23, &[uint(0)]))).await;
        device.send(&disposition(0, delivery, settled, &state)).await;
        if !settled {
            let settles = device.expect(DISPOSITION).await;
            let code = state[2];
            assert!(settles.has(outcome_short(code)) && settles.has(TRUE), "{settles:02x?}");
        }
        if again {
            gets(&mut device, &id, 1).await;
        }
        if let Some(fate) = fate {
            service.hears(&id, fate, told).await;
            told += 1;
        }
        assert_eq!(waiting(&world, &id).await, u64::from(again), "{n}");
    }
}

#[tokio::test]
async fn what_is_not_settled_comes_again_however_its_link_ends() {
    let world = hub().await;
    let key = world.device("d").await;
    let mut service = Service::new(&world).await;
    service.sends("d", "m").await;
    let mut device = receiving(&world, "d", &key, UNSETTLED).await;
    device.send(&credit(0, 2, 5)).await;
    let first = gets(&mut device, "m", 0).await;
    device.send(&detach(0, 2)).await;
    device.expect(DETACH).await;
    // Too late: it belongs to nobody now.
    device.send(&disposition(0, first, true, &outcome(ACCEPTED))).await;
    device.send(&receiver(0, 3, &link_of("d"), UNSETTLED)).await;
    device.expect(ATTACH).await;
    device.send(&credit(0, 3, 5)).await;
    gets(&mut device, "m", 1).await;
    // Another link takes over on the same connection, then another connection.
    device.send(&attach(0, 4, false, &link_of("d"))).await;
    assert!(device.until(DETACH, "the earlier link").await.has("amqp:link:stolen"));
    device.send(&credit(0, 4, 5)).await;
    gets(&mut device, "m", 2).await;
    let mut other = receiving(&world, "d", &key, UNSETTLED).await;
    other.send(&credit(0, 2, 5)).await;
    gets(&mut other, "m", 3).await;
    assert!(device.until(DETACH, "the earlier connection").await.has("amqp:link:stolen"));
    // A connection that breaks, without a word.
    drop(other);
    let mut last = receiving(&world, "d", &key, UNSETTLED).await;
    last.send(&credit(0, 2, 5)).await;
    let delivery = gets(&mut last, "m", 4).await;
    last.send(&disposition(0, delivery, true, &outcome(ACCEPTED))).await;
    service.hears("m", "Success", 0).await;
}

#[tokio::test]
async fn a_link_that_wants_settled_messages_completes_them_by_sending() {
    let world = hub().await;
    let key = world.device("d").await;
    let mut service = Service::new(&world).await;
    service.sends("d", "m").await;
    let mut device = receiving(&world, "d", &key, [1, 0]).await;
    device.send(&credit(0, 2, 5)).await;
    assert!(device.until(TRANSFER, "m").await.has("colour"));
    service.hears("m", "Success", 0).await;
    assert_eq!(waiting(&world, "d").await, 0);
}

#[tokio::test]
async fn drained_credit_is_used_up() {
    let world = hub().await;
    let key = world.device("d").await;
    let mut service = Service::new(&world).await;
    service.sends("d", "m-1").await;
    let mut device = receiving(&world, "d", &key, UNSETTLED).await;
    let drain = |delivery: u32, credit: u32| {
        let window = [uint(0), uint(1000), uint(0), uint(1000)];
        let link = [uint(2), uint(delivery), uint(credit), NULL.into(), TRUE.into()];
        frame(0, &list(FLOW, &[&window[..], &link].concat()))
    };
    for (delivery, comes) in [(0, true), (5, false)] {
        device.send(&drain(delivery, 5)).await;
        if comes {
            gets(&mut device, "m-1", 0).await;
        }
        let flow = device.expect(FLOW).await;
        // Handle, delivery-count, link-credit.
        let used_up = [&[0x52, 2, 0x52][..], &[delivery as u8 + 5], &[0x43]].concat();
        assert!(flow.has(&used_up), "{flow:02x?}");
    }
    service.sends("d", "m-2").await;
    device.put(1, "localhost/devices/d", &token("d", &key, 3600), 200).await;
    device.send(&credit_from(0, 2, 10, 1)).await;
    gets(&mut device, "m-2", 0).await;
}

#[tokio::test]
async fn sends_that_are_refused() {
    const KIB: usize = 1024;
    let world = hub().await;
    world.device("d").await;
    let mut service = Service::new(&world).await;
    for (to, size, condition, code) in [
        ("/devices/nobody/messages/devicebound", 1, "amqp:not-found", 404001),
        ("", 1, "amqp:not-allowed", 400003),
        ("/devices/d/messages/events", 1, "amqp:not-allowed", 400003),
        ("/devices//messages/devicebound", 1, "amqp:not-allowed", 400003),
        ("/messages/devicebound", 1, "amqp:not-allowed", 400003),
        (&*"x".repeat(5000), 1, "amqp:not-allowed", 400003),
        ("/devices/d/messages/devicebound", 64 * KIB + 1, "amqp:link:message-size-exceeded", 413001),
    ] {
        let came = service.send(to, "m", "none", &vec![b' '; size]).await;
        assert!(came.has(outcome_short(REJECTED)) && came.has(condition), "{to}: {came:02x?}");
        assert!(came.has(format!("\"errorCode\":{code}")), "{to}: {came:02x?}");
    }
    // The link lives, and takes as many as a queue holds.
    for n in 0..50 {
        service.sends("d", &format!("m-{n}")).await;
    }
    let came = service.send("/devices/d/messages/devicebound", "m", "none", b"").await;
    assert!(came.has("amqp:resource-limit-exceeded") && came.has("\"errorCode\":403004"), "{came:02x?}");
    assert_eq!(waiting(&world, "d").await, 50);
    // A policy that may connect devices may not send to them.
    let mut peer = Peer::with_cbs(&world).await;
    peer.put(0, "localhost", &world.policy_token("device"), 200).await;
    for link in [attach(0, 2, true, "/messages/devicebound"), feedback_link()] {
        peer.send(&link).await;
        peer.expect(ATTACH).await;
        assert!(peer.expect(DETACH).await.has("amqp:unauthorized-access"));
    }
}

#[tokio::test]
async fn the_largest_message_goes_in_frames_of_the_smallest_size() {
    let world = hub().await;
    let key = world.device("d").await;
    let mut service = Service::new(&world).await;
    let body = vec![b'b'; 63 * 1024];
    let came = service.send("/devices/d/messages/devicebound", "m", "none", &body).await;
    assert!(came.has(outcome_short(ACCEPTED)), "{came:02x?}");
    let mut device = Peer::new(&world).await;
    device.send(&[AMQP, &open(512), &begin(0)].concat()).await;
    device.header().await.unwrap();
    device.expect(OPEN).await;
    device.expect(BEGIN).await;
    device.cbs_links().await;
    device.put(0, "localhost/devices/d", &token("d", &key, 3600), 200).await;
    device.send(&receiver(0, 2, &link_of("d"), UNSETTLED)).await;
    device.expect(ATTACH).await;
    device.send(&credit_from(0, 2, 0, 1)).await;
    let mut got = Vec::new();
    loop {
        let came = device.expect(TRANSFER).await;
        let (more, piece) = came.transfer();
        got.extend_from_slice(piece);
        if !more {
            break;
        }
    }
    assert!(got.ends_with(&body) && got.len() < body.len() + 300, "{}", got.len());
}

/// Connections that break at random moments, messages that are settled or not: what the hub has confirmed as completed never
/// comes again, and everything else does.
#[tokio::test]
async fn nothing_is_lost_and_nothing_completed_comes_again() {
    const STORIES: u64 = 6;
    const MESSAGES: usize = 12;
    // Fewer than the ten deliveries after which a message is given up, released ones included.
    const CUTS: usize = 4;
    let world = hub().await;
    let mut service = Service::new(&world).await;
    for story in 1..=STORIES {
        let mut state = story.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let id = format!("story-{story}");
        let key = world.device(&id).await;
        let names: Vec<String> = (0..MESSAGES).map(|n| format!("message-{n:02}")).collect();
        for name in &names {
            service.sends(&id, name).await;
        }
        let mut completed: Vec<&str> = Vec::new();
        let mut released: Vec<&str> = Vec::new();
        for round in 0..=CUTS {
            let left = MESSAGES - completed.len();
            let most = if round == CUTS { left } else { (random(left as u64 + 1)) as usize };
            let mut device = receiving(&world, &id, &key, [0, 1]).await;
            // One at a time, so that each is known by what was asked for.
            for n in 0..most as u32 {
                device.send(&credit_from(0, 2, n, 1)).await;
                let came = device.until(TRANSFER, "a message").await;
                let name = names.iter().find(|name| came.has(name)).expect("one that was sent");
                assert!(!completed.contains(&&**name), "{story}: {name} comes again");
                let delivery = delivery_of(&came);
                let choice = if round == CUTS { 0 } else { random(3) };
                if choice == 0 || (choice == 1 && released.contains(&&**name)) {
                    device.send(&disposition(0, delivery, false, &outcome(ACCEPTED))).await;
                    device.until(DISPOSITION, "the hub settles").await;
                    completed.push(name);
                } else if choice == 1 {
                    device.send(&disposition(0, delivery, false, &outcome(RELEASED))).await;
                    device.until(DISPOSITION, "the hub settles").await;
                    released.push(name);
                }
            }
        }
        completed.sort_unstable();
        assert_eq!(completed, names, "{story}");
        assert_eq!(waiting(&world, &id).await, 0);
    }
}
