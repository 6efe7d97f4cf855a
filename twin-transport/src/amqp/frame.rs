//! Frames (part 2 of the standard): what is said and heard between two peers.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::value::{Malformed, Value};

/// What both peers begin with: AMQP 1.0.0 without a security layer, which TLS and tokens are for. The Node SDK begins
/// like this as well.
pub(super) const HEADER: [u8; 8] = *b"AMQP\x00\x01\x00\x00";
/// Largest frame taken, in bytes; larger messages come in several.
pub(super) const MAX_FRAME: u32 = 64 * 1024;
/// What no peer may refuse, in bytes.
pub(super) const MIN_MAX_FRAME: u32 = 512;

pub(super) const OPEN: u64 = 0x10;
pub(super) const BEGIN: u64 = 0x11;
pub(super) const ATTACH: u64 = 0x12;
pub(super) const FLOW: u64 = 0x13;
pub(super) const TRANSFER: u64 = 0x14;
pub(super) const DISPOSITION: u64 = 0x15;
pub(super) const DETACH: u64 = 0x16;
pub(super) const END: u64 = 0x17;
pub(super) const CLOSE: u64 = 0x18;
pub(super) const ERROR: u64 = 0x1d;
pub(super) const ACCEPTED: u64 = 0x24;
pub(super) const SOURCE: u64 = 0x28;
pub(super) const TARGET: u64 = 0x29;

/// Size, data offset, type and channel of a frame, in bytes.
const FRAME_HEADER: usize = 8;

/// One frame as heard.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    /// Nothing but a sign of life.
    Empty,
    /// What is said, and what follows it (of a transfer: a piece of a message).
    Performative { code: u64, fields: Fields, payload: Bytes },
}

/// The fields of a performative. Trailing ones may be missing, which is as good as null.
#[derive(Debug, PartialEq)]
pub(super) struct Fields(Vec<Value>);

impl Fields {
    pub(super) fn new(list: Vec<Value>) -> Fields {
        Fields(list)
    }

    /// Takes a field.
    pub(super) fn take(&mut self, index: usize) -> Value {
        self.0.get_mut(index).map_or(Value::Null, |field| std::mem::replace(field, Value::Null))
    }

    pub(super) fn number(&mut self, index: usize) -> Option<u32> {
        self.take(index).as_u32()
    }

    /// The list of a described field, e.g. of an error.
    pub(super) fn described(&mut self, index: usize, code: u64) -> Option<Fields> {
        match self.take(index) {
            Value::Described(found, value) if found == code => match *value {
                Value::List(list) => Some(Fields(list)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Appends a frame on the one channel that we use.
pub(super) fn write(out: &mut BytesMut, code: u64, fields: Vec<Value>, payload: &[u8]) {
    let start = out.len();
    out.put_slice(&[0, 0, 0, 0, 2, 0, 0, 0]);
    Value::described(code, fields).write(out);
    out.put_slice(payload);
    let size = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// Appends an empty frame.
pub(super) fn write_empty(out: &mut BytesMut) {
    out.put_slice(&[0, 0, 0, 8, 2, 0, 0, 0]);
}

/// Takes one frame off the front, if it is complete.
pub(super) fn read(inbox: &mut BytesMut) -> Result<Option<Frame>, Malformed> {
    let Some(header) = inbox.get(..FRAME_HEADER) else { return Ok(None) };
    let size = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
    let (offset, kind) = (usize::from(header[4]) * 4, header[5]);
    if size > MAX_FRAME {
        return Err(Malformed("a frame is larger than agreed"));
    }
    if offset < FRAME_HEADER || offset > size as usize {
        return Err(Malformed("a frame's data offset is wrong"));
    }
    if inbox.len() < size as usize {
        return Ok(None);
    }
    let mut body = inbox.split_to(size as usize).freeze();
    if kind != 0 {
        return Err(Malformed("a frame is not of AMQP's type"));
    }
    body.advance(offset);
    if body.is_empty() {
        return Ok(Some(Frame::Empty));
    }
    let (code, fields) = match Value::read(&mut body)? {
        Value::Described(code, value) => match *value {
            Value::List(fields) => (code, Fields(fields)),
            _ => return Err(Malformed("a frame holds no list")),
        },
        _ => return Err(Malformed("a frame holds nothing described")),
    };
    // A small body must not keep the whole inbox alive.
    let payload = if body.is_empty() { Bytes::new() } else { Bytes::copy_from_slice(&body) };
    Ok(Some(Frame::Performative { code, fields, payload }))
}
