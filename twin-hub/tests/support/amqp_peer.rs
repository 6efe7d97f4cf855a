//! A peer that speaks AMQP in bytes of its own making: it shares no code with the hub.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Tls, World, soon, token};

pub const AMQP: &[u8] = b"AMQP\x00\x01\x00\x00";
pub const SASL: &[u8] = b"AMQP\x03\x01\x00\x00";

pub const OPEN: u8 = 0x10;
pub const BEGIN: u8 = 0x11;
pub const ATTACH: u8 = 0x12;
pub const FLOW: u8 = 0x13;
pub const TRANSFER: u8 = 0x14;
pub const DISPOSITION: u8 = 0x15;
pub const DETACH: u8 = 0x16;
pub const END: u8 = 0x17;
pub const CLOSE: u8 = 0x18;

pub const NULL: &[u8] = b"\x40";
pub const TRUE: &[u8] = b"\x41";
pub const FALSE: &[u8] = b"\x42";

fn sized(code: u8, bytes: &[u8]) -> Vec<u8> {
    [&[code][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

pub fn text(text: &str) -> Vec<u8> {
    sized(0xb1, text.as_bytes())
}

pub fn symbol(text: &str) -> Vec<u8> {
    sized(0xb3, text.as_bytes())
}

pub fn binary(bytes: &[u8]) -> Vec<u8> {
    sized(0xb0, bytes)
}

pub fn uint(n: u32) -> Vec<u8> {
    [&[0x70][..], &n.to_be_bytes()].concat()
}

fn compound(code: u8, items: &[Vec<u8>]) -> Vec<u8> {
    sized(code, &[&(items.len() as u32).to_be_bytes()[..], &items.concat()].concat())
}

pub fn map(items: &[Vec<u8>]) -> Vec<u8> {
    compound(0xd1, items)
}

/// A described list.
pub fn list(code: u8, fields: &[Vec<u8>]) -> Vec<u8> {
    [&[0, 0x53, code][..], &compound(0xd0, fields)].concat()
}

/// A message section.
pub fn section(code: u8, content: Vec<u8>) -> Vec<u8> {
    [&[0, 0x53, code][..], &content].concat()
}

pub fn frame_of(kind: u8, channel: u16, body: &[u8]) -> Vec<u8> {
    let size = (body.len() + 8) as u32;
    [&size.to_be_bytes()[..], &[2, kind], &channel.to_be_bytes(), body].concat()
}

pub fn frame(channel: u16, body: &[u8]) -> Vec<u8> {
    frame_of(0, channel, body)
}

pub fn open(max_frame: u32) -> Vec<u8> {
    frame(0, &list(OPEN, &[text("peer"), NULL.into(), uint(max_frame)]))
}

pub fn begin(channel: u16) -> Vec<u8> {
    frame(channel, &list(BEGIN, &[NULL.into(), uint(0), uint(1000), uint(1000)]))
}

/// `sends`: whether this peer sends on the link.
pub fn attach(channel: u16, handle: u32, sends: bool, address: &str) -> Vec<u8> {
    let (source, target) = (list(0x28, &[text(address)]), list(0x29, &[text(address)]));
    let role = if sends { FALSE } else { TRUE };
    let name = format!("{address}-{handle}-{sends}");
    let mut fields = vec![text(&name), uint(handle), role.into(), NULL.into(), NULL.into(), source, target];
    if sends {
        fields.extend([NULL.to_vec(), NULL.to_vec(), uint(0)]);
    }
    frame(channel, &list(ATTACH, &fields))
}

/// A link that this peer receives on, with `snd-settle-mode` and `rcv-settle-mode`.
pub fn receiver(channel: u16, handle: u32, address: &str, settles: [u8; 2]) -> Vec<u8> {
    let (source, target) = (list(0x28, &[text(address)]), list(0x29, &[]));
    let [sends, receives] = settles.map(|mode| vec![0x50, mode]);
    let fields = [text(address), uint(handle), TRUE.into(), sends, receives, source, target];
    frame(channel, &list(ATTACH, &fields))
}

/// What this peer says becomes of a delivery; `state` is an encoded outcome.
pub fn disposition(channel: u16, delivery: u32, settled: bool, state: &[u8]) -> Vec<u8> {
    let settled = if settled { TRUE } else { FALSE };
    let fields = [TRUE.into(), uint(delivery), NULL.into(), settled.into(), state.into()];
    frame(channel, &list(DISPOSITION, &fields))
}

/// A message from a service to a device.
pub fn to_device(to: &str, id: &str, ack: &str, body: &[u8]) -> Vec<u8> {
    [
        section(0x73, list(0x73, &[text(id), NULL.into(), text(to)])[3..].to_vec()),
        section(0x74, map(&["iothub-ack", ack, "colour", "red"].map(text))),
        section(0x75, binary(body)),
    ]
    .concat()
}

pub fn credit(channel: u16, handle: u32, credit: u32) -> Vec<u8> {
    let fields = [uint(0), uint(1000), uint(0), uint(1000), uint(handle), uint(0), uint(credit)];
    frame(channel, &list(FLOW, &fields))
}

/// Credit from a delivery on, and a window that nothing fills.
pub fn credit_from(channel: u16, handle: u32, delivery: u32, credit: u32) -> Vec<u8> {
    let window = uint(1 << 30);
    let fields = [uint(0), window, uint(0), uint(1000), uint(handle), uint(delivery), uint(credit)];
    frame(channel, &list(FLOW, &fields))
}

pub fn transfer(channel: u16, handle: u32, id: u32, settled: bool, message: &[u8]) -> Vec<u8> {
    let settled = if settled { TRUE } else { FALSE };
    let fields = [uint(handle), uint(id), binary(&id.to_be_bytes()), uint(0), settled.into()];
    frame(channel, &[&list(TRANSFER, &fields)[..], message].concat())
}

pub fn detach(channel: u16, handle: u32) -> Vec<u8> {
    frame(channel, &list(DETACH, &[uint(handle), TRUE.into()]))
}

/// A put-token message.
pub fn put_token(audience: &str, token: &str) -> Vec<u8> {
    let properties = ["operation", "put-token", "type", "servicebus.windows.net:sastoken", "name", audience];
    [
        section(0x73, list(0x73, &[text("id")])[3..].to_vec()),
        section(0x74, map(&properties.map(text))),
        section(0x77, text(token)),
    ]
    .concat()
}

/// A message on a twin link; `correlation` is an encoded value.
pub fn twin(operation: &str, resource: &str, correlation: &[u8], body: &[u8]) -> Vec<u8> {
    let mut annotations = vec![symbol("operation"), text(operation)];
    if !resource.is_empty() {
        annotations.extend([symbol("resource"), text(resource)]);
    }
    let nothing = || NULL.to_vec();
    let ids = [nothing(), nothing(), nothing(), nothing(), nothing(), correlation.to_vec()];
    [
        section(0x72, map(&annotations)),
        section(0x73, list(0x73, &ids)[3..].to_vec()),
        section(0x75, binary(body)),
    ]
    .concat()
}

/// A frame that came.
#[derive(Debug)]
pub struct Came {
    pub channel: u16,
    /// the performative's code; 0 for an empty frame
    pub code: u8,
    pub body: Vec<u8>,
}

impl Came {
    pub fn has(&self, part: impl AsRef<[u8]>) -> bool {
        let part = part.as_ref();
        self.body.windows(part.len()).any(|window| window == part)
    }

    /// Of a transfer in the hub's short form: whether more follows, and the bytes of its message.
    pub fn transfer(&self) -> (bool, &[u8]) {
        let [0, 0x53, TRANSFER, 0xc0, size, fields, ..] = self.body[..] else { panic!("{self:02x?}") };
        // `more` is the sixth field, and left out if it is not so.
        (fields == 6, &self.body[5 + usize::from(size)..])
    }
}

pub struct Peer {
    pub io: Tls,
}

impl Peer {
    /// TLS and nothing else.
    pub async fn new(world: &World) -> Peer {
        Peer { io: world.tls().await }
    }

    /// Up to and with one session.
    pub async fn begun(world: &World) -> Peer {
        let mut peer = Peer::new(world).await;
        peer.begin().await;
        peer
    }

    /// The same on what is there already.
    pub async fn begin(&mut self) {
        self.send(&[AMQP, &open(65536), &begin(0)].concat()).await;
        assert_eq!(self.header().await.unwrap(), AMQP);
        self.expect(OPEN).await;
        self.expect(BEGIN).await;
    }

    /// With links for tokens, on handles 0 and 1.
    pub async fn with_cbs(world: &World) -> Peer {
        let mut peer = Peer::begun(world).await;
        peer.cbs_links().await;
        peer
    }

    pub async fn cbs_links(&mut self) {
        self.send(&[attach(0, 0, true, "$cbs"), attach(0, 1, false, "$cbs"), credit(0, 1, 1000)].concat())
            .await;
        self.expect(ATTACH).await;
        self.expect(FLOW).await;
        self.expect(ATTACH).await;
    }

    /// Puts a token; whether the answer has this status code.
    pub async fn put(&mut self, delivery: u32, audience: &str, token: &str, status: i32) {
        self.send(&transfer(0, 0, delivery, true, &put_token(audience, token))).await;
        // More credit may come before.
        let answer = self.until(TRANSFER, "the answer to a token").await;
        assert!(answer.has("status-code"), "{answer:?}");
        assert!(answer.has([&[0x71][..], &status.to_be_bytes()].concat()), "{status}: {answer:?}");
    }

    /// Attaches both twin links of a device, on `handle` and the one after, and gives credit.
    pub async fn twin_links(&mut self, handle: u32, device: &str) {
        let address = format!("/devices/{device}/twin");
        let both = [attach(0, handle, true, &address), attach(0, handle + 1, false, &address)].concat();
        self.send(&[both, credit(0, handle + 1, 1000)].concat()).await;
        self.expect(ATTACH).await;
        self.expect(FLOW).await;
        self.expect(ATTACH).await;
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        // A hub that has closed already is seen by what it said.
        let _ = self.io.write_all(bytes).await;
        let _ = self.io.flush().await;
    }

    pub async fn header(&mut self) -> Option<[u8; 8]> {
        let mut header = [0; 8];
        soon("a protocol header", self.io.read_exact(&mut header)).await.ok().map(|_| header)
    }

    /// The next frame that is not empty; `None` is the end.
    pub async fn next(&mut self) -> Option<Came> {
        loop {
            let head = self.header().await?;
            let size = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
            let mut body = vec![0; size - 8];
            soon("a frame's body", self.io.read_exact(&mut body)).await.ok()?;
            if !body.is_empty() {
                let channel = u16::from_be_bytes([head[6], head[7]]);
                return Some(Came { channel, code: body[2], body });
            }
        }
    }

    pub async fn expect(&mut self, code: u8) -> Came {
        match self.next().await {
            Some(came) if came.code == code => came,
            other => panic!("{other:02x?} instead of {code:#x}"),
        }
    }

    /// The next frame with this code, whatever comes before.
    pub async fn until(&mut self, code: u8, what: &str) -> Came {
        loop {
            match self.next().await {
                Some(came) if came.code == code => return came,
                Some(_) => {}
                None => panic!("{what}: the end instead of {code:#x}"),
            }
        }
    }
}

/// A connection with a device on it, twin links on handles 2 and 3.
pub async fn device(world: &World, id: &str) -> Peer {
    let key = world.device(id).await;
    let mut peer = Peer::with_cbs(world).await;
    peer.put(0, &format!("localhost/devices/{id}"), &token(id, &key, 3600), 200).await;
    peer.twin_links(2, id).await;
    peer
}
