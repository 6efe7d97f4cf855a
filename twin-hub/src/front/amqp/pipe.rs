//! Frames over a byte stream.

use bytes::{Buf, Bytes};

use super::super::buffered::Buffered;
use super::frame::{AMQP, HEADER_BYTES, Performative, SASL, write_frame};
use super::value::{Malformed, Read};

/// Longest frame taken, in bytes; told to the peer when the connection opens.
pub(super) const MAX_FRAME: usize = 64 * 1024;
/// Length of a protocol header, in bytes.
pub(super) const PROTOCOL_BYTES: usize = 8;

/// A frame of a connection.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    /// nothing: says that the peer lives
    Empty,
    Performative {
        channel: u16,
        performative: Performative,
        payload: Bytes,
    },
}

/// Frames over `S`.
pub(super) type Pipe<S> = Buffered<S>;

impl<S> Pipe<S> {
    /// The protocol header, once it is there.
    pub(super) fn next_protocol(&mut self) -> Option<[u8; PROTOCOL_BYTES]> {
        let mut header = [0; PROTOCOL_BYTES];
        (self.inbox.len() >= PROTOCOL_BYTES).then(|| {
            self.inbox.copy_to_slice(&mut header);
            header
        })
    }

    /// The next frame of a connection that has arrived whole, if any.
    pub(super) fn next_frame(&mut self) -> Read<Option<Frame>> {
        let Some((kind, channel, mut body)) = self.next_raw()? else { return Ok(None) };
        if kind != AMQP {
            return Malformed::new(format!("a frame of type {kind}"));
        }
        if body.is_empty() {
            return Ok(Some(Frame::Empty));
        }
        let performative = Performative::read(&mut body)?;
        Ok(Some(Frame::Performative { channel, performative, payload: body }))
    }

    /// The body of the next SASL frame.
    pub(super) fn next_sasl(&mut self) -> Read<Option<Bytes>> {
        match self.next_raw()? {
            None => Ok(None),
            Some((SASL, _, body)) => Ok(Some(body)),
            Some((kind, ..)) => Malformed::new(format!("a frame of type {kind} while SASL goes on")),
        }
    }

    fn next_raw(&mut self) -> Read<Option<(u8, u16, Bytes)>> {
        let Some(header) = self.inbox.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let [a, b, c, d, offset, kind, high, low] = *header;
        let size = u32::from_be_bytes([a, b, c, d]) as usize;
        let offset = usize::from(offset) * 4;
        if size > MAX_FRAME {
            return Malformed::new(format!("a frame of {size} bytes; at most {MAX_FRAME} are taken"));
        }
        if size < HEADER_BYTES || offset < HEADER_BYTES || offset > size {
            return Malformed::new(format!("a frame of {size} bytes whose body begins at {offset}"));
        }
        if self.inbox.len() < size {
            return Ok(None);
        }
        let frame = self.inbox.split_to(size).freeze();
        self.took_one();
        Ok(Some((kind, u16::from_be_bytes([high, low]), frame.slice(offset..))))
    }

    /// Queues an empty frame.
    pub(super) fn beat(&mut self) {
        write_frame(&mut self.outbox, AMQP, 0, |_| {});
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    fn pipe(bytes: &[u8]) -> Pipe<tokio::io::Empty> {
        Pipe::new(tokio::io::empty(), Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn frames_that_break_the_rules_are_refused_and_incomplete_ones_waited_for() {
        for (bytes, says) in [
            (&b"\x00\x01\x00\x01\x02\x00\x00\x00"[..], "at most"),
            (b"\xff\xff\xff\xff\x02\x00\x00\x00", "at most"),
            (b"\x00\x00\x00\x07\x02\x00\x00\x00", "body begins"),
            (b"\x00\x00\x00\x08\x01\x00\x00\x00", "body begins"),
            (b"\x00\x00\x00\x08\x03\x00\x00\x00", "body begins"),
            (b"\x00\x00\x00\x08\x02\x01\x00\x00", "type 1"),
            (b"\x00\x00\x00\x09\x02\x00\x00\x00\x40", "not a described list"),
        ] {
            let why = pipe(bytes).next_frame().unwrap_err().0;
            assert!(why.contains(says), "{bytes:02x?}: {why}");
        }
        for begun in [&b""[..], b"\x00", b"\x00\x00\x00\x09\x02\x00\x00\x00"] {
            assert_eq!(pipe(begun).next_frame(), Ok(None));
        }
    }

    #[tokio::test]
    async fn byte_by_byte_and_many_at_once() {
        let (near, mut far) = tokio::io::duplex(1024);
        let mut pipe = Pipe::new(near, Bytes::from_static(b"AMQP"));
        let mut sent = b"\x00\x01\x00\x00".to_vec();
        sent.extend_from_slice(&b"\x00\x00\x00\x08\x02\x00\x00\x00".repeat(3));
        for byte in sent {
            far.write_all(&[byte]).await.unwrap();
            assert_eq!(pipe.fill().await.unwrap(), 1);
        }
        assert_eq!(pipe.next_protocol(), Some(*b"AMQP\x00\x01\x00\x00"));
        for _ in 0..3 {
            assert_eq!(pipe.next_frame(), Ok(Some(Frame::Empty)));
        }
        assert_eq!((pipe.next_frame(), pipe.inbox.capacity()), (Ok(None), 0));
        assert!(pipe.incomplete_since.is_none());
    }
}
