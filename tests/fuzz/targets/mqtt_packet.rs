//! The MQTT packet codec as hub and client drive it: bytes in pieces of any size are answered; what is read whole does
//! not depend on the pieces, and buffers hold no more than was given or a packet may have.
#![no_main]
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use rumqttc::mqttbytes::{self, v4::Packet};

const MAX_PACKET: usize = 1024;

// The lengths of up to four pieces, then the bytes.
fuzz_target!(|input: &[u8]| {
    let (pieces, bytes) = input.split_at(input.len().min(4));
    let whole = read(bytes, [bytes.len()].into_iter());
    let split = read(bytes, pieces.iter().map(|n| usize::from(*n).max(1)));
    assert_eq!(whole, split);
    for packet in whole.0.iter() {
        let mut said = BytesMut::new();
        if packet.write(&mut said, MAX_PACKET * 2).is_ok() {
            let again = Packet::read(&mut said, MAX_PACKET * 2);
            assert!(again.is_ok() && said.is_empty(), "{packet:?}: {again:?}");
        }
    }
});

/// The packets, and whether they ended in an error.
fn read(bytes: &[u8], mut pieces: impl Iterator<Item = usize>) -> (Vec<Packet>, bool) {
    let (mut inbox, mut packets, mut rest) = (BytesMut::new(), Vec::new(), bytes);
    while !rest.is_empty() {
        let (piece, left) = rest.split_at(pieces.next().unwrap_or(rest.len()).min(rest.len()));
        inbox.extend_from_slice(piece);
        rest = left;
        loop {
            match Packet::read(&mut inbox, MAX_PACKET) {
                Ok(packet) => packets.push(packet),
                Err(mqttbytes::Error::InsufficientBytes(_)) => break,
                Err(_) => return (packets, true),
            }
        }
        assert!(inbox.capacity() <= 4 * bytes.len().max(MAX_PACKET) + 64, "{}", inbox.capacity());
    }
    (packets, false)
}
