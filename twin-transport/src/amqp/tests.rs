//! The engine against bytes: silence, damage, limits, odd peers. What a whole hub does is tested with whole hubs.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use twin_core::wire::{Channel, Rid};

use super::frame::{self, Frame};
use super::value::Value;
use super::*;

const IDLE: Duration = Duration::from_secs(100);

/// A line with device `d` on it that shows a certificate, and the hub's end of it.
fn pair() -> (Line, DuplexStream) {
    let (ours, theirs) = duplex(1024 * 1024);
    let (host, key) = (HostName::new("h").unwrap(), TwinKey::device("d").unwrap());
    let talk = Talk::new(Peer::new(host.clone(), "c", IDLE), host.clone(), "c".into());
    let mut line = Line::new(Box::new(ours), host.clone(), talk, IDLE);
    line.talk.join(SLOT, Arc::new(Endpoint::new(host, key)), None).unwrap();
    (line, theirs)
}

fn bytes_of(frames: &[(u64, Vec<Value>, &[u8])]) -> BytesMut {
    let mut out = BytesMut::new();
    for (code, fields, payload) in frames {
        frame::write(&mut out, *code, fields.clone(), payload);
    }
    out
}

/// What a hub says until the twin links of the one device are there. `idle` in milliseconds.
fn welcome(max_frame: u32, idle: u32, window: u32, credit: u32) -> BytesMut {
    let mut out = BytesMut::from(&frame::HEADER[..]);
    let null = Value::Null;
    let (source, target) = (Value::described(frame::SOURCE, vec![]), Value::described(frame::TARGET, vec![]));
    let attach = |name: &str, handle, receiver| {
        let mut fields = vec![Value::text(name), Value::Uint(handle), Value::Bool(receiver)];
        fields.extend([null.clone(), null.clone(), source.clone(), target.clone()]);
        fields.extend([null.clone(), null.clone(), Value::Uint(0)]);
        (frame::ATTACH, fields, &b""[..])
    };
    let flow = [0, window, 0, 100].map(Value::Uint).into_iter().chain([7, 0, credit].map(Value::Uint));
    out.unsplit(bytes_of(&[
        (
            frame::OPEN,
            vec![Value::text("hub"), null.clone(), Value::Uint(max_frame), null.clone(), Value::Uint(idle)],
            b"",
        ),
        (frame::BEGIN, vec![Value::Ushort(0), Value::Uint(0), Value::Uint(window), Value::Uint(100)], b""),
        // Handles of the hub's own, and another order than asked for.
        attach("c-2-r", 9, false),
        attach("c-2-s", 7, true),
        (frame::FLOW, flow.collect(), b""),
    ]));
    out
}

/// Everything the client has said so far, as frames without their header.
async fn heard(hub: &mut DuplexStream, line: &mut Line) -> Vec<(u64, frame::Fields, Bytes)> {
    let mut all = BytesMut::new();
    loop {
        let waits = tokio::time::timeout(Duration::from_millis(1), line.next()).await.is_err();
        let read = tokio::time::timeout(Duration::from_millis(1), hub.read_buf(&mut all)).await;
        if waits && read.is_err() {
            break;
        }
    }
    let mut frames = Vec::new();
    if all.starts_with(&frame::HEADER) {
        let _ = all.split_to(8);
    }
    while let Some(frame) = frame::read(&mut all).unwrap() {
        if let Frame::Performative { code, fields, payload, .. } = frame {
            frames.push((code, fields, payload));
        }
    }
    assert!(all.is_empty());
    frames
}

async fn up(line: &mut Line, hub: &mut DuplexStream, welcome: &[u8]) {
    hub.write_all(welcome).await.unwrap();
    assert!(matches!(line.next().await.unwrap(), (SLOT, News::Up)));
}

#[tokio::test(start_paused = true)]
async fn everything_up_to_the_links_is_said_at_once() {
    let (mut line, mut hub) = pair();
    let said: Vec<u64> = heard(&mut hub, &mut line).await.into_iter().map(|(code, ..)| code).collect();
    assert_eq!(said, [frame::OPEN, frame::BEGIN, frame::ATTACH, frame::ATTACH, frame::FLOW]);
}

#[tokio::test(start_paused = true)]
async fn bytes_one_by_one_are_frames_as_well() {
    let (mut line, mut hub) = pair();
    for byte in &welcome(4096, 0, 10, 10)[..] {
        assert!(tokio::time::timeout(Duration::from_millis(1), line.next()).await.is_err() || *byte < 255);
        hub.write_all(&[*byte]).await.unwrap();
    }
    line.talk.say(SLOT, &Said::GetTwin { rid: Rid("1".into()) }).unwrap();
    let said = heard(&mut hub, &mut line).await;
    assert_eq!(said.last().unwrap().0, frame::TRANSFER);
}

#[tokio::test(start_paused = true)]
async fn a_hub_without_a_sign_of_life_is_left() {
    let (mut line, mut hub) = pair();
    up(&mut line, &mut hub, &welcome(4096, 0, 10, 10)).await;
    let begin = Instant::now();
    let error = line.next().await.unwrap_err();
    assert_eq!((error.kind(), begin.elapsed().as_secs()), (ErrorKind::Timeout, 130), "{error}");
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_go_out_as_often_as_the_hub_wants() {
    let (mut line, mut hub) = pair();
    up(&mut line, &mut hub, &welcome(4096, 20_000, 10, 10)).await;
    // Which takes a few milliseconds.
    heard(&mut hub, &mut line).await;
    let begin = Instant::now() - Duration::from_millis(500);
    let driver = tokio::spawn(async move { line.next().await });
    let mut beat = [0; 8];
    for round in 1..=3 {
        hub.read_exact(&mut beat).await.unwrap();
        assert_eq!(beat, [0, 0, 0, 8, 2, 0, 0, 0]);
        assert_eq!(begin.elapsed().as_secs(), round * 10);
    }
    driver.abort();
}

#[tokio::test(start_paused = true)]
async fn large_messages_keep_to_frame_size_window_and_credit() {
    let (mut line, mut hub) = pair();
    up(&mut line, &mut hub, &welcome(512, 0, 12, 2)).await;
    heard(&mut hub, &mut line).await;
    for n in 0..3 {
        let patch = Bytes::from(vec![b'x'; 3000]);
        line.talk.say(SLOT, &Said::Report { rid: Rid(n.to_string()), patch, if_version: None }).unwrap();
    }
    // One message takes seven frames, so the window of twelve holds five of the second; credit is for two.
    let flow = |next, window, credit| {
        let fields = [next, window, 0, 100, 7, 0, credit].map(Value::Uint);
        bytes_of(&[(frame::FLOW, fields.to_vec(), b"")])
    };
    let mut pieces = heard(&mut hub, &mut line).await;
    for (frames, next) in [(12, flow(12, 1, 2)), (13, flow(13, 100, 2)), (14, flow(14, 100, 3))] {
        assert_eq!(pieces.len(), frames);
        hub.write_all(&next).await.unwrap();
        pieces.extend(heard(&mut hub, &mut line).await);
    }
    assert_eq!(pieces.len(), 21);
    for (n, pieces) in pieces.chunks_mut(7).enumerate() {
        assert!(pieces.iter().all(|(code, _, payload)| *code == frame::TRANSFER && payload.len() < 512));
        // Deliveries are numbered without gaps, and `more` follows until the last.
        let ids: Vec<_> = pieces.iter_mut().filter_map(|(_, fields, _)| fields.number(1)).collect();
        assert_eq!(ids, [n as u32]);
        let more: Vec<_> = pieces.iter_mut().map(|(_, fields, _)| fields.take(5).is_true()).collect();
        assert_eq!(more, [true, true, true, true, true, true, false]);
        let whole: BytesMut = pieces.iter().flat_map(|(_, _, payload)| payload.iter().copied()).collect();
        assert_eq!(super::message::decode(whole.freeze()).unwrap().bytes().len(), 3000);
    }
    let too_large = Said::Report { rid: Rid("x".into()), patch: vec![0; 600_000].into(), if_version: None };
    assert_eq!(line.talk.say(SLOT, &too_large).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_gives_no_credit_is_left_in_the_end() {
    let (mut line, mut hub) = pair();
    up(&mut line, &mut hub, &welcome(4096, 0, 10, 0)).await;
    let get = Said::GetTwin { rid: Rid("1".into()) };
    let full = (0..10_000).find_map(|_| line.talk.say(SLOT, &get).err()).unwrap();
    assert_eq!(full.kind(), ErrorKind::Network, "{full}");
}

#[tokio::test(start_paused = true)]
async fn what_odd_peers_mean() {
    let open = bytes_of(&[(frame::OPEN, vec![Value::text("x")], b"")]);
    let close = |error: Vec<Value>| bytes_of(&[(frame::CLOSE, error, b"")]);
    let error = |condition: &str| {
        vec![Value::described(frame::ERROR, vec![Value::symbol(condition), Value::text("why")])]
    };
    let after_header = |frames: BytesMut| [&frame::HEADER[..], &open, &frames].concat();
    let transfer = |handle| bytes_of(&[(frame::TRANSFER, vec![Value::Uint(handle), Value::Uint(0)], b"x")]);
    let cases: [(&str, Vec<u8>, ErrorKind, &str); 10] = [
        ("a web server", b"HTTP/1.1 400 Bad Request\r\n".to_vec(), ErrorKind::Protocol, "is it a hub"),
        ("SASL", b"AMQP\x03\x01\x00\x00".to_vec(), ErrorKind::Protocol, "SASL"),
        ("half a header", b"AMQX".to_vec(), ErrorKind::Protocol, "is it a hub"),
        ("nothing", Vec::new(), ErrorKind::Network, "closed the connection"),
        ("goodbye", after_header(close(vec![])), ErrorKind::Network, "closed the connection"),
        ("busy", after_header(close(error("amqp:connection:forced"))), ErrorKind::Unavailable, "why"),
        ("no", after_header(close(error("amqp:unauthorized-access"))), ErrorKind::Unauthorized, "why"),
        ("no link", after_header(transfer(3)), ErrorKind::Protocol, "not attached"),
        ("huge", after_header(BytesMut::from(&[255; 8][..])), ErrorKind::Protocol, "larger than agreed"),
        ("junk", after_header(bytes_of(&[(0x99, vec![], b"")])), ErrorKind::Protocol, "does not know"),
    ];
    for (name, bytes, kind, words) in cases {
        let (mut line, mut hub) = pair();
        hub.write_all(&bytes).await.unwrap();
        hub.shutdown().await.unwrap();
        let error = line.next().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error:?}");
        assert!(error.message().contains(words), "{name}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_link_tells_why() {
    let (mut line, mut hub) = pair();
    let mut said = BytesMut::from(&welcome(4096, 0, 10, 0)[..]);
    let error = Value::described(frame::ERROR, vec![Value::symbol("amqp:not-found"), Value::text("none")]);
    said.unsplit(bytes_of(&[(frame::DETACH, vec![Value::Uint(9), Value::Bool(true), error], b"")]));
    hub.write_all(&said).await.unwrap();
    assert!(matches!(line.next().await.unwrap(), (SLOT, News::Up)));
    let (SLOT, News::Down(error)) = line.next().await.unwrap() else { panic!() };
    assert_eq!((error.kind(), error.status()), (ErrorKind::NotFound, Some(404)), "{error}");
    // Both links are given back.
    let detached =
        heard(&mut hub, &mut line).await.iter().filter(|(code, ..)| *code == frame::DETACH).count();
    assert_eq!(detached, 2);
}

#[tokio::test(start_paused = true)]
async fn credit_and_window_are_granted_again_for_ever() {
    let (mut line, mut hub) = pair();
    up(&mut line, &mut hub, &welcome(4096, 0, 10, 10)).await;
    let desired = twin_core::wire::Heard::Desired { version: Some(7), body: Bytes::from_static(b"{}") };
    let message = super::message::encode(&grammar::say_hub(&desired).unwrap());
    let mut credit: i64 = 0;
    for n in 0..10_000_u32 {
        for (code, mut fields, _) in heard_if(&mut hub, &mut line, credit == 0).await {
            if code == frame::FLOW && fields.number(4).is_some() {
                let (count, given) = (fields.number(5), fields.number(6).unwrap());
                credit = i64::from(count.unwrap_or(0)) + i64::from(given) - i64::from(n);
            }
        }
        assert!(credit > 0, "no credit after {n} messages");
        credit -= 1;
        // Every other one is unsettled.
        let fields = vec![
            Value::Uint(9),
            Value::Uint(n),
            Value::Binary(Bytes::new()),
            Value::Null,
            Value::Bool(n % 2 == 0),
        ];
        hub.write_all(&bytes_of(&[(frame::TRANSFER, fields, &message)])).await.unwrap();
        assert!(matches!(
            line.next().await.unwrap(),
            (SLOT, News::Heard(Heard::Desired { version: Some(7), .. }))
        ));
    }
}

async fn heard_if(hub: &mut DuplexStream, line: &mut Line, wanted: bool) -> Vec<(u64, frame::Fields, Bytes)> {
    if wanted { heard(hub, line).await } else { Vec::new() }
}

#[tokio::test(start_paused = true)]
async fn subscriptions_are_answered_in_their_own_words() {
    let (mut line, mut hub) = pair();
    up(&mut line, &mut hub, &welcome(4096, 0, 10, 10)).await;
    for said in [Said::Subscribe(Channel::TwinAnswers), Said::Subscribe(Channel::Desired)] {
        line.talk.say(SLOT, &said).unwrap();
    }
    let granted = |channel| Heard::Subscribed { channel, granted: true };
    let (SLOT, News::Heard(first)) = line.next().await.unwrap() else { panic!() };
    assert_eq!(first, granted(Channel::TwinAnswers));
    let (_, _, payload) = heard(&mut hub, &mut line).await.pop().unwrap();
    let id = super::message::decode(payload).unwrap().correlation.unwrap();
    let answer = Heard::Answer { rid: id.to_rid(), status: 200, version: None, body: Bytes::new() };
    let message = super::message::encode(&grammar::say_hub(&answer).unwrap());
    let fields = vec![Value::Uint(9), Value::Uint(0), Value::Binary(Bytes::new())];
    hub.write_all(&bytes_of(&[(frame::TRANSFER, fields, &message)])).await.unwrap();
    let (SLOT, News::Heard(second)) = line.next().await.unwrap() else { panic!() };
    assert_eq!(second, granted(Channel::Desired));
    assert_eq!(
        line.talk
            .say(SLOT, &Said::MethodAnswer { rid: Rid("1".into()), status: 1, body: Bytes::new() })
            .unwrap_err()
            .kind(),
        ErrorKind::NotSupported
    );
}

/// Well-formed frames with a few bytes changed, cut and doubled: an error or a word, never a panic, never a hang.
#[tokio::test(start_paused = true)]
async fn damaged_frames_do_no_harm() {
    let desired = twin_core::wire::Heard::Desired { version: Some(7), body: Bytes::from_static(b"{}") };
    let message = super::message::encode(&grammar::say_hub(&desired).unwrap());
    let detach = vec![Value::Uint(7), Value::Bool(true)];
    let transfer = vec![Value::Uint(9), Value::Uint(0), Value::Binary(Bytes::new()), Value::Null];
    let whole: Vec<BytesMut> = vec![
        bytes_of(&[(frame::TRANSFER, transfer, &message)]),
        bytes_of(&[(frame::FLOW, [0, 9, 0, 9, 7, 0, 9].map(Value::Uint).to_vec(), b"")]),
        bytes_of(&[(frame::DETACH, detach, b"")]),
        bytes_of(&[(frame::END, vec![], b"")]),
        BytesMut::from(&[0, 0, 0, 8, 2, 0, 0, 0][..]),
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let (mut words, mut errors) = (0, 0);
    for _ in 0..5_000 {
        let mut bytes = welcome(4096, 0, 10, 10).to_vec();
        for _ in 0..=random(4) {
            bytes.extend_from_slice(&whole[random(whole.len())]);
        }
        for _ in 0..random(4) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes.truncate(at + 1),
                _ => bytes.insert(at, random(256) as u8),
            }
        }
        let (mut line, mut hub) = pair();
        hub.write_all(&bytes).await.unwrap();
        hub.shutdown().await.unwrap();
        loop {
            match line.next().await {
                Ok(_) => words += 1,
                Err(_) => break errors += 1,
            }
        }
    }
    assert!(errors == 5_000 && words > 0, "{words} words");
}

#[tokio::test(start_paused = true)]
async fn goodbye_is_said_and_answered() {
    let (mut line, mut hub) = pair();
    up(&mut line, &mut hub, &welcome(4096, 0, 10, 10)).await;
    heard(&mut hub, &mut line).await;
    let begin = Instant::now();
    let closing = tokio::spawn(line.close());
    let mut said = BytesMut::new();
    hub.read_buf(&mut said).await.unwrap();
    let Some(Frame::Performative { code: frame::CLOSE, .. }) = frame::read(&mut said).unwrap() else {
        panic!()
    };
    hub.write_all(&bytes_of(&[(frame::CLOSE, vec![], b"")])).await.unwrap();
    closing.await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(1));
    // A hub that does not answer is left after two seconds.
    let (mut line, mut hub) = pair();
    up(&mut line, &mut hub, &welcome(4096, 0, 10, 10)).await;
    let begin = Instant::now();
    line.close().await;
    assert_eq!(begin.elapsed().as_secs(), 2);
}
