//! Packets over a byte stream.
//!
//! Reading goes through one scratch buffer per thread; a connection owns bytes only while a packet is incomplete or
//! output waits. So an idle connection costs its TLS state and little else.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use rumqttc::mqttbytes::v4::Packet;
use rumqttc::mqttbytes::{self, Error};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Longest body of a message, in bytes (IoT Hub's limit for device-to-cloud messages).
pub(super) const MAX_PAYLOAD: usize = 256 * 1024;
/// Longest packet after login: a body, a topic as long as MQTT allows, their lengths and the packet id.
pub(super) const MAX_PACKET: usize = MAX_PAYLOAD + 65_535 + 4;
/// Longest packet before login, in bytes: user name, token, and a will of 64 KiB.
pub(super) const MAX_CONNECT: usize = 96 * 1024;

/// How long a peer that was told goodbye may take to go.
const LINGER: Duration = Duration::from_secs(1);

/// Bytes read at a time.
const SCRATCH_BYTES: usize = 16 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into());
}

/// What a peer did that MQTT or this hub does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation(pub(super) String);

/// Packets over `S`.
#[derive(Debug)]
pub(super) struct Link<S> {
    io: S,
    inbox: BytesMut,
    outbox: BytesMut,
    /// something was written that may still sit in a buffer below
    unflushed: bool,
    /// longest packet taken, in bytes after the fixed header
    pub(super) max_packet: usize,
    /// since when the packet at the head of the inbox has been incomplete
    pub(super) incomplete_since: Option<Instant>,
}

impl<S> Link<S> {
    pub(super) fn new(io: S, ahead: Bytes) -> Self {
        Link {
            io,
            incomplete_since: (!ahead.is_empty()).then(Instant::now),
            inbox: BytesMut::from(ahead),
            outbox: BytesMut::new(),
            unflushed: false,
            max_packet: MAX_CONNECT,
        }
    }

    /// The next packet that has arrived whole, if any.
    pub(super) fn next_packet(&mut self) -> Result<Option<Packet>, Violation> {
        if self.inbox.is_empty() {
            return Ok(None);
        }
        check_flags(self.inbox[0])?;
        match Packet::read(&mut self.inbox, self.max_packet) {
            Ok(packet) => {
                self.incomplete_since = match self.inbox.is_empty() {
                    // Dropped, not cleared: an idle connection keeps no buffer.
                    true => {
                        self.inbox = BytesMut::new();
                        None
                    }
                    false => Some(Instant::now()),
                };
                check_packet(&packet)?;
                Ok(Some(packet))
            }
            Err(Error::InsufficientBytes(_)) => Ok(None),
            Err(e) => Err(Violation(e.to_string())),
        }
    }

    /// What has arrived of the next packet.
    pub(super) fn arrived(&self) -> &[u8] {
        &self.inbox
    }

    /// Queues a packet.
    pub(super) fn send(&mut self, packet: &Packet) {
        if let Err(e) = packet.write(&mut self.outbox, usize::MAX) {
            // The hub's own packets are small and well-formed: this is a fault of ours, and no reason to stop.
            tracing::error!(error = %e, "could not encode a packet");
        }
    }

    /// Bytes that wait to be sent.
    pub(super) fn unsent(&self) -> usize {
        self.outbox.len()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Reads what is there; 0 is the end of the stream.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buf = ReadBuf::new(scratch);
            match Pin::new(&mut self.io).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) => {
                    let read = buf.filled();
                    if !read.is_empty() && self.incomplete_since.is_none() {
                        self.incomplete_since = Some(Instant::now());
                    }
                    self.inbox.extend_from_slice(read);
                    Poll::Ready(Ok(read.len()))
                }
                Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
                Poll::Pending => Poll::Pending,
            }
        })
    }

    /// Sends what waits, down to the socket.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbox.is_empty() {
            match Pin::new(&mut self.io).poll_write(cx, &self.outbox) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => {
                    self.outbox.advance(n);
                    self.unflushed = true;
                }
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.outbox = BytesMut::new();
        if self.unflushed {
            match Pin::new(&mut self.io).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what waits.
    pub(super) async fn drain(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_drain(cx)).await
    }

    /// Sends what waits, says that nothing more comes, and waits a little for the peer to go: if its bytes lay unread
    /// when the socket closes, the system would tell it of an error instead of what was sent last.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.drain().await?;
        std::future::poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await?;
        let gone = std::future::poll_fn(|cx| {
            loop {
                self.inbox = BytesMut::new();
                match self.poll_fill(cx) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        let _ = tokio::time::timeout(LINGER, gone).await;
        Ok(())
    }
}

/// The flags that MQTT 3.1.1 fixes for each packet type (table 2.2), which the codec does not look at.
fn check_flags(byte: u8) -> Result<(), Violation> {
    let (kind, flags) = (byte >> 4, byte & 0x0f);
    let right = match kind {
        3 => true,
        6 | 8 | 10 => flags == 0b0010,
        _ => flags == 0,
    };
    right.then_some(()).ok_or_else(|| Violation(format!("packet type {kind} with flags {flags:#06b}")))
}

/// What MQTT 3.1.1 demands of a client's packets and the codec does not look at.
fn check_packet(packet: &Packet) -> Result<(), Violation> {
    let wrong = match packet {
        Packet::Subscribe(s) if s.pkid == 0 => "SUBSCRIBE with packet id 0",
        Packet::Unsubscribe(u) if u.pkid == 0 => "UNSUBSCRIBE with packet id 0",
        Packet::Unsubscribe(u) if u.topics.is_empty() => "UNSUBSCRIBE without a topic",
        Packet::Publish(p) if p.payload.len() > MAX_PAYLOAD => "a message body over 256 KiB",
        Packet::Publish(p) if p.qos == mqttbytes::QoS::ExactlyOnce => "a message with QoS 2",
        _ => return Ok(()),
    };
    Err(Violation(wrong.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
        /// Waits for a whole packet; `Ok(None)` is the end of the stream.
        async fn read(&mut self) -> io::Result<Result<Option<Packet>, Violation>> {
            loop {
                match self.next_packet() {
                    Ok(None) => {}
                    other => return Ok(other),
                }
                if std::future::poll_fn(|cx| self.poll_fill(cx)).await? == 0 {
                    return Ok(Ok(None));
                }
            }
        }
    }

    fn link(bytes: &[u8]) -> Link<tokio::io::Empty> {
        Link::new(tokio::io::empty(), Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn bad_packets_are_violations_and_incomplete_ones_are_waited_for() {
        for (bytes, bad) in [
            (&b"\xc0\x00"[..], None),     // PINGREQ
            (b"\xc1\x00", Some("flags")), // with a flag
            (b"\x00\x00", Some("packet type: 0")),
            (b"\xf0\x00", Some("packet type: 15")),
            (b"\x82\x05\x00\x01\x00\x00\x00", None),
            (b"\x80\x05\x00\x01\x00\x00\x00", Some("flags")), // SUBSCRIBE must have 0010
            (b"\x82\x05\x00\x00\x00\x00\x00", Some("packet id 0")),
            (b"\x82\x02\x00\x01", Some("atleast one filter")),
            (b"\x82\x05\x00\x01\x00\x00\x03", Some("QoS")),
            (b"\x82\x05\x00\x01\x00\xff\x00", Some("boundary")),
            (b"\xa2\x02\x00\x01", Some("without a topic")),
            (b"\xa2\x01\x00", Some("Malformed")),
            (b"\x40\x00", Some("Payload required")), // PUBACK without an id
            (b"\x34\x05\x00\x01a\x00\x01", Some("QoS 2")),
            (b"\x36\x05\x00\x01a\x00\x01", Some("QoS")), // QoS 3
            (b"\x32\x05\x00\x01a\x00\x00", Some("id Zero")),
            (b"\x30\x03\x00\x01\xff", Some("UTF-8")),
            (b"\x30\xff\xff\xff\xff\x01", Some("remaining length")),
            (b"\x30\xff\xff\xff\x7f", Some("size limit")),
        ] {
            match (link(bytes).next_packet(), bad) {
                (Ok(Some(_)), None) => {}
                (Err(Violation(why)), Some(says)) => assert!(why.contains(says), "{bytes:02x?}: {why}"),
                (found, _) => panic!("{bytes:02x?}: {found:?}"),
            }
        }
        for begun in [&b"\x10"[..], b"\x10\x80", b"\x30\x05\x00\x01a"] {
            assert_eq!(link(begun).next_packet(), Ok(None), "{begun:02x?}");
        }
    }

    #[test]
    fn a_body_of_256_kib_is_taken_and_one_byte_more_is_not() {
        for (size, good) in [(MAX_PAYLOAD, true), (MAX_PAYLOAD + 1, false)] {
            let mut bytes = BytesMut::new();
            rumqttc::mqttbytes::v4::Publish::new("t", mqttbytes::QoS::AtMostOnce, vec![b' '; size])
                .write(&mut bytes)
                .unwrap();
            let mut link = link(&bytes);
            link.max_packet = MAX_PACKET;
            assert_eq!(link.next_packet().is_ok(), good, "{size}");
        }
    }

    /// Valid packets of every kind a client sends, mutated at random: each reads, waits or is a violation; none panics.
    #[test]
    fn mutated_packets_never_panic() {
        const ROUNDS: usize = 60_000;
        let seeds: [&[u8]; 9] = [
            b"\x10\x1b\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01d\x00\x05h/d/?\x00\x05token",
            b"\x10\x18\x00\x04MQTT\x04\x2e\x00\x3c\x00\x01d\x00\x04will\x00\x03abc",
            b"\x30\x0a\x00\x05topic{} ",
            b"\x3a\x0b\x00\x05topic\x00\x09{}",
            b"\x82\x10\x00\x01\x00\x04a/b#\x01\x00\x03c/d\x02",
            b"\xa2\x0c\x00\x01\x00\x03a/b\x00\x03c/d",
            b"\x40\x02\x00\x01",
            b"\x62\x02\x00\x01",
            b"\xc0\x00\xe0\x00",
        ];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        for _ in 0..ROUNDS {
            let mut bytes = seeds[random(seeds.len())].to_vec();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes[at] = random(256) as u8,
                    1 => bytes[at] ^= 1 << random(8),
                    2 => bytes.insert(at, random(256) as u8),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            let mut link = link(&bytes);
            while let Ok(Some(_)) = link.next_packet() {}
        }
    }

    #[tokio::test]
    async fn byte_by_byte_and_many_at_once() {
        let (near, mut far) = tokio::io::duplex(1024);
        let mut link = Link::new(near, Bytes::from_static(b"\xc0"));
        far.write_all(b"\x00\xc0\x00\xc0\x00").await.unwrap();
        for _ in 0..3 {
            assert_eq!(link.read().await.unwrap(), Ok(Some(Packet::PingReq)));
        }
        assert_eq!(link.inbox.capacity(), 0);
        assert!(link.incomplete_since.is_none());
        link.send(&Packet::PingResp);
        link.close().await.unwrap();
        assert_eq!((link.outbox.capacity(), link.unsent()), (0, 0));
        drop(far);
        assert_eq!(link.read().await.unwrap(), Ok(None));
    }
}
