//! The frame around every stored value: checksum and sequence number.
//!
//! `crc32 (4 bytes) | sequence (8 bytes) | value`, integers little-endian; the checksum covers key, sequence and
//! value, so a value that ended up under another key is noticed too.

use std::sync::Arc;

use twin_core::Result;

use super::failed;

/// Bytes in front of the value.
pub(crate) const FRAME_BYTES: usize = 12;

/// Puts a frame around `value`.
pub(crate) fn seal(key: &[u8], sequence: u64, value: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(FRAME_BYTES + value.len());
    framed.extend_from_slice(&[0; 4]);
    framed.extend_from_slice(&sequence.to_le_bytes());
    framed.extend_from_slice(value);
    let sum = checksum(key, &framed[4..]);
    framed[..4].copy_from_slice(&sum.to_le_bytes());
    framed
}

/// Takes the frame off, after checking it; the error names the record.
pub(crate) fn open(key: &[u8], framed: &[u8]) -> Result<(u64, Arc<[u8]>)> {
    let damaged = |what: &str| {
        failed(format!(
            "the record '{}' is damaged ({what}); restore the data directory from a backup",
            key.escape_ascii()
        ))
    };
    if framed.len() < FRAME_BYTES {
        return Err(damaged("it is shorter than its frame"));
    }
    let (sum, rest) = framed.split_at(4);
    if checksum(key, rest).to_le_bytes() != sum {
        return Err(damaged("its checksum does not match"));
    }
    let (sequence, value) = rest.split_at(8);
    let sequence = u64::from_le_bytes(sequence.try_into().expect("split at 8"));
    Ok((sequence, value.into()))
}

fn checksum(key: &[u8], rest: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(rest);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_and_any_flipped_bit_is_noticed() {
        let framed = seal(b"key", 77, b"value");
        assert_eq!(open(b"key", &framed).unwrap(), (77, Arc::from(&b"value"[..])));
        for bit in 0..framed.len() * 8 {
            let mut bad = framed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open(b"key", &bad).is_err(), "bit {bit}");
        }
        assert!(open(b"other", &framed).unwrap_err().to_string().contains("other"));
        assert!(open(b"key", &framed[..5]).is_err());
    }
}
