//! Continuation tokens: where a page ended, bound to the query and the page size they came from.
//!
//! Opaque to clients, and stateless: a token works after a restart, and on any hub with the same data. A checksum
//! refuses what was cut or typed; a token gives nobody anything that the query alone would not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use twin_core::wire::Refusal;

use crate::domain::refuse;

const LAYOUT: u8 = 1;
const BYTES: usize = 1 + 8 + 4 + 8 + 8 + 4;

/// Where the next page starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// the next page starts behind this serial
    pub(super) serial: u64,
    /// rows given so far, for `TOP` and for aggregates
    pub(super) rows: u64,
}

/// The token for `position`.
pub(super) fn say(query: &str, page_size: u32, position: Position) -> String {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.push(LAYOUT);
    bytes.extend_from_slice(&hash(query).to_le_bytes());
    bytes.extend_from_slice(&page_size.to_le_bytes());
    bytes.extend_from_slice(&position.serial.to_le_bytes());
    bytes.extend_from_slice(&position.rows.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The page size and position in a token of this query; the refusal says what is wrong with it. The service asks for
/// the same query *and* the same page size (observed: Industrial-IoT PR 522); without a page size the token's counts.
pub(super) fn hear(token: &str, query: &str, page_size: Option<u32>) -> Result<(u32, Position), Refusal> {
    let garbled = || refuse::invalid("The continuation token is not one of this hub, or was cut");
    let bytes = URL_SAFE_NO_PAD.decode(token.trim()).map_err(|_| garbled())?;
    if bytes.len() != BYTES || bytes[0] != LAYOUT {
        return Err(garbled());
    }
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let short = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    if short(BYTES - 4) != crc32fast::hash(&bytes[..BYTES - 4]) {
        return Err(garbled());
    }
    if number(1) != hash(query) {
        return Err(refuse::invalid(
            "The continuation token belongs to another query; send it with the query it came from",
        ));
    }
    let its_size = short(9);
    if page_size.is_some_and(|size| size != its_size) {
        return Err(refuse::invalid(format!(
            "The continuation token belongs to pages of {its_size}; send it with the same page size"
        )));
    }
    Ok((its_size, Position { serial: number(13), rows: number(21) }))
}

/// FNV-1a: the same on every build, as tokens outlive them.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_where_it_was_and_fits_its_query_only() {
        let position = Position { serial: 77, rows: u64::MAX };
        let token = say("SELECT * FROM devices", 100, position);
        for size in [None, Some(100)] {
            assert_eq!(hear(&token, "SELECT * FROM devices", size), Ok((100, position)));
        }
        for (token, query, size, want) in [
            (token.as_str(), "SELECT * FROM devices.modules", None, "another query"),
            (token.as_str(), "SELECT * FROM devices", Some(99), "pages of 100"),
            (&token[1..], "SELECT * FROM devices", None, "not one of this hub"),
            ("", "SELECT * FROM devices", None, "not one of this hub"),
            ("%%%", "SELECT * FROM devices", None, "not one of this hub"),
            (&token.replace(&token[20..21], "~"), "SELECT * FROM devices", None, "not one of this hub"),
        ] {
            let refusal = hear(token, query, size).unwrap_err();
            assert!(refusal.message.contains(want), "{token}: {}", refusal.message);
            assert_eq!(refusal.code.status, 400);
        }
    }
}
