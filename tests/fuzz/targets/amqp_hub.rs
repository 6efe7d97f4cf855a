//! AMQP from a stranger or from a device, as the hub hears it: any bytes are answered with whole frames and an end, and the
//! hub serves the next one.
#![no_main]
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{BufMut, Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use tokio::runtime::Runtime;
use twin_core::auth::{Key, SasToken};
use twin_core::wire::rest::Call;
use twin_core::{Timestamp, TwinKey};
use twin_hub::Hub;

const AMQP: &[u8] = b"AMQP\x00\x01\x00\x00";
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZg==";

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));
static HUB: LazyLock<Hub> = LazyLock::new(|| {
    RUNTIME.block_on(async {
        let hub = Hub::builder().listen(([127, 0, 0, 1], 0).into()).ephemeral().start().await.expect("a hub");
        let keys = json!({"type": "sas", "symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY}});
        let items = json!([{"id": "d", "importMode": "create", "authentication": keys}]);
        hub.call(Call::Bulk { body: items.to_string().into() }).await.expect("a device");
        hub
    })
});
static LOGGED_IN: LazyLock<Vec<u8>> = LazyLock::new(logged_in);

// The first byte says where the rest begins: at the first byte of all, after `open`, or on a device's twin links (handles 2
// and 3, with credit); and whether it is bytes as they are, or bodies of frames, each after its length.
fuzz_target!(|input: &[u8]| {
    LazyLock::force(&HUB);
    let Some((how, rest)) = input.split_first() else { return };
    let mut said = match how % 3 {
        0 => Vec::new(),
        1 => [AMQP, &frame(&list(0x10, &[text("c"), b"\x40".to_vec(), uint(512)]))].concat(),
        _ => LOGGED_IN.clone(),
    };
    let is_raw = how & 0x80 == 0;
    if is_raw {
        said.extend_from_slice(rest)
    } else {
        frames(rest, &mut said)
    }
    RUNTIME.block_on(async {
        let heard = HUB.hear_amqp(said.into()).await;
        whole(heard);
        let twin = Call::GetTwin(TwinKey::device("d").expect("an id"));
        HUB.call(twin).await.expect("it serves the next one");
    });
});

/// Fails unless it is headers and frames, none larger than agreed.
fn whole(heard: Bytes) {
    let mut rest = &heard[..];
    while !rest.is_empty() {
        let size = match rest {
            [b'A', b'M', b'Q', b'P', ..] => 8,
            [a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]) as usize,
            _ => panic!("half a frame: {rest:02x?}"),
        };
        assert!((8..=64 * 1024).contains(&size), "{rest:02x?}");
        rest = rest.get(size..).expect("a whole frame");
    }
}

fn logged_in() -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let end = Timestamp::from_unix(now + std::time::Duration::from_secs(86_400));
    let key = Key::from_base64(KEY).expect("a key");
    let token = SasToken::sign("localhost/devices/d", &key, None, end);
    let put =
        ["operation", "put-token", "type", "servicebus.windows.net:sastoken", "name", "localhost/devices/d"];
    let message = [
        &section(0x73, compound(0xd0, &[text("id")])),
        &section(0x74, compound(0xd1, &put.map(text)))[..],
        &section(0x77, text(token.expose())),
    ]
    .concat();
    let transfer = list(0x14, &[uint(0), uint(0), b"\xa0\x01t".to_vec(), uint(0), b"\x41".to_vec()]);
    let twin = "/devices/d/twin";
    let frames = [
        list(0x10, &[text("c"), b"\x40".to_vec(), uint(512)]),
        list(0x11, &[b"\x40".to_vec(), uint(0), uint(9999), uint(9999)]),
        attach(0, true, "$cbs"),
        attach(1, false, "$cbs"),
        flow(1),
        [transfer, message].concat(),
        attach(2, true, twin),
        attach(3, false, twin),
        flow(3),
    ];
    frames.iter().fold(AMQP.to_vec(), |said, body| [said, frame(body)].concat())
}

fn attach(handle: u32, sends: bool, address: &str) -> Vec<u8> {
    let (source, target) = (list(0x28, &[text(address)]), list(0x29, &[text(address)]));
    let (role, null) = (if sends { b"\x42" } else { b"\x41" }.to_vec(), b"\x40".to_vec());
    let name = format!("{handle}");
    let mut fields = vec![text(&name), uint(handle), role, null.clone(), null.clone(), source, target];
    fields.extend([null.clone(), null, uint(0)]);
    list(0x12, &fields)
}

fn flow(handle: u32) -> Vec<u8> {
    list(0x13, &[uint(0), uint(9999), uint(0), uint(9999), uint(handle), uint(0), uint(99)])
}

fn text(text: &str) -> Vec<u8> {
    sized(0xb1, text.as_bytes())
}

fn uint(n: u32) -> Vec<u8> {
    [&[0x70][..], &n.to_be_bytes()].concat()
}

fn sized(code: u8, bytes: &[u8]) -> Vec<u8> {
    [&[code][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

fn compound(code: u8, items: &[Vec<u8>]) -> Vec<u8> {
    sized(code, &[&(items.len() as u32).to_be_bytes()[..], &items.concat()].concat())
}

fn section(code: u8, content: Vec<u8>) -> Vec<u8> {
    [&[0, 0x53, code][..], &content].concat()
}

fn list(code: u8, fields: &[Vec<u8>]) -> Vec<u8> {
    section(code, compound(0xd0, fields))
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_u32(body.len() as u32 + 8);
    frame.put_slice(b"\x02\x00\x00\x00");
    frame.put_slice(body);
    frame.to_vec()
}

fn frames(mut rest: &[u8], said: &mut Vec<u8>) {
    while let Some((length, bytes)) = rest.split_first() {
        let (body, left) = bytes.split_at(usize::from(*length).min(bytes.len()));
        said.extend(frame(body));
        rest = left;
    }
}
