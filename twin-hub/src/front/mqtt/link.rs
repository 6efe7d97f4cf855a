//! Packets over a byte stream.

use rumqttc::mqttbytes::v4::Packet;
use rumqttc::mqttbytes::{self, Error};

use super::super::buffered::Buffered;

/// Longest body of a message, in bytes (IoT Hub's limit for device-to-cloud messages).
pub(super) const MAX_PAYLOAD: usize = 256 * 1024;
/// Longest packet after login: a body, a topic as long as MQTT allows, their lengths and the packet id.
pub(super) const MAX_PACKET: usize = MAX_PAYLOAD + 65_535 + 4;
/// Longest packet before login, in bytes: user name, token, and a will of 64 KiB.
pub(super) const MAX_CONNECT: usize = 96 * 1024;

/// What a peer did that MQTT or this hub does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation(pub(super) String);

/// Packets over `S`.
pub(super) type Link<S> = Buffered<S>;

impl<S> Link<S> {
    /// The next packet that has arrived whole, if any; at most `longest` bytes after the fixed header.
    pub(super) fn next_packet(&mut self, longest: usize) -> Result<Option<Packet>, Violation> {
        if self.inbox.is_empty() {
            return Ok(None);
        }
        check_flags(self.inbox[0])?;
        match Packet::read(&mut self.inbox, longest) {
            Ok(packet) => {
                self.took_one();
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
    use bytes::{Bytes, BytesMut};
    use std::io;
    use tokio::io::AsyncWriteExt;
    use tokio::io::{AsyncRead, AsyncWrite};

    impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
        /// Waits for a whole packet; `Ok(None)` is the end of the stream.
        async fn read(&mut self) -> io::Result<Result<Option<Packet>, Violation>> {
            loop {
                match self.next_packet(MAX_CONNECT) {
                    Ok(None) => {}
                    other => return Ok(other),
                }
                if self.fill().await? == 0 {
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
            match (link(bytes).next_packet(MAX_CONNECT), bad) {
                (Ok(Some(_)), None) => {}
                (Err(Violation(why)), Some(says)) => assert!(why.contains(says), "{bytes:02x?}: {why}"),
                (found, _) => panic!("{bytes:02x?}: {found:?}"),
            }
        }
        for begun in [&b"\x10"[..], b"\x10\x80", b"\x30\x05\x00\x01a"] {
            assert_eq!(link(begun).next_packet(MAX_CONNECT), Ok(None), "{begun:02x?}");
        }
    }

    #[test]
    fn a_body_of_256_kib_is_taken_and_one_byte_more_is_not() {
        for (size, good) in [(MAX_PAYLOAD, true), (MAX_PAYLOAD + 1, false)] {
            let mut bytes = BytesMut::new();
            rumqttc::mqttbytes::v4::Publish::new("t", mqttbytes::QoS::AtMostOnce, vec![b' '; size])
                .write(&mut bytes)
                .unwrap();
            assert_eq!(link(&bytes).next_packet(MAX_PACKET).is_ok(), good, "{size}");
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
            while let Ok(Some(_)) = link.next_packet(MAX_CONNECT) {}
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
