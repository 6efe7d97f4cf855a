//! The bytes that a hub keeps of `$metadata`.
//!
//! The tree has the shape of the section's value, so the bytes hold stamps alone, no names. Few distinct stamps occur in
//! one section, so each is written once:
//!
//! ```text
//! count                       number of distinct stamps, at least 1
//! count × stamp               in ascending order
//! one index per node          which stamp; root first, then members depth-first in the order of their names;
//!                             left out when count is 1
//!
//! stamp = (ticks since the stamp before) << 1 | has_version, then the version if it has one
//! ```
//!
//! Every number is a LEB128 varint of at most ten bytes. A section written by one patch costs about ten bytes, and each
//! node of an older one adds one or two.

use serde_json::Value;

use super::{Metadata, Object, Stamp};
use crate::error::{Error, ErrorKind, Result};
use crate::time::Timestamp;

impl Metadata {
    /// Appends the compact form. It can be read again together with the value it belongs to.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut stamps = Vec::new();
        self.walk(&mut |stamp| stamps.push(stamp));
        let nodes = stamps.clone();
        stamps.sort_unstable();
        stamps.dedup();
        put(out, stamps.len() as u64);
        let mut before = 0;
        for stamp in &stamps {
            put(out, (stamp.at.ticks() - before) << 1 | u64::from(stamp.version.is_some()));
            if let Some(version) = stamp.version {
                put(out, version);
            }
            before = stamp.at.ticks();
        }
        if stamps.len() > 1 {
            for node in nodes {
                let index = stamps.binary_search(&node).expect("every node's stamp was collected above");
                put(out, index as u64);
            }
        }
    }

    /// Reads what [`Metadata::encode`] wrote for a section with this `value`. Bytes that do not belong to it, or are
    /// no such bytes at all, are an error of kind [`ErrorKind::Storage`]; memory stays within a small multiple of the input.
    pub fn decode(bytes: &[u8], value: &Object) -> Result<Metadata> {
        let mut from = Reader(bytes);
        let count = from.number()?;
        if count == 0 || count > bytes.len() as u64 {
            return Err(damaged("the number of stamps cannot be"));
        }
        let mut stamps = Vec::with_capacity(count as usize);
        let mut ticks = 0u64;
        for _ in 0..count {
            let head = from.number()?;
            ticks = ticks.checked_add(head >> 1).ok_or_else(|| damaged("an instant is out of range"))?;
            let at = Timestamp::from_ticks(ticks);
            if at.ticks() != ticks {
                return Err(damaged("an instant is out of range"));
            }
            let version = if head & 1 == 1 { Some(from.number()?) } else { None };
            stamps.push(Stamp { at, version });
        }
        let root = from.tree(value, &stamps)?;
        if from.0.is_empty() { Ok(root) } else { Err(damaged("bytes are left over")) }
    }

    fn walk(&self, each: &mut impl FnMut(Stamp)) {
        each(self.stamp);
        self.members.values().for_each(|member| member.walk(each));
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Result<u64> {
        let mut number = 0u64;
        for (i, &byte) in self.0.iter().enumerate().take(10) {
            let part = u64::from(byte & 0x7F);
            if i == 9 && part > 1 {
                return Err(damaged("a number is out of range"));
            }
            number |= part << (7 * i);
            if byte & 0x80 == 0 {
                self.0 = &self.0[i + 1..];
                return Ok(number);
            }
        }
        Err(damaged("a number has no end"))
    }

    fn tree(&mut self, value: &Object, stamps: &[Stamp]) -> Result<Metadata> {
        let index = if stamps.len() > 1 { self.number()? } else { 0 };
        let stamp = usize::try_from(index).ok().and_then(|i| stamps.get(i));
        let mut node = Metadata::new(*stamp.ok_or_else(|| damaged("a node has no stamp"))?);
        for (name, member) in value {
            let inner = match member {
                Value::Object(inner) => self.tree(inner, stamps)?,
                _ => self.tree(&Object::new(), stamps)?,
            };
            node.members.insert(name.as_str().into(), inner);
        }
        Ok(node)
    }
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::Storage, format!("stored twin metadata is damaged: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stamp(ticks: u64, version: Option<u64>) -> Stamp {
        Stamp { at: Timestamp::from_ticks(ticks), version }
    }

    #[test]
    fn a_section_of_one_patch_costs_a_dozen_bytes() {
        let value = json!({"a": 1, "b": {"c": [1, 2], "d": {}}, "e": "x"});
        let value = value.as_object().unwrap();
        let tree = Metadata::of(value, stamp(637_897_192_702_612_586, Some(300)));
        let mut bytes = Vec::new();
        tree.encode(&mut bytes);
        assert!(bytes.len() <= 12, "{} bytes", bytes.len());
        assert_eq!(Metadata::decode(&bytes, value).unwrap(), tree);
    }

    #[test]
    fn extremes_survive() {
        let value = json!({"a": 1, "b": 2});
        let value = value.as_object().unwrap();
        let mut tree = Metadata::of(value, stamp(0, None));
        tree.members.get_mut("a").unwrap().stamp = stamp(u64::MAX, Some(u64::MAX));
        tree.members.get_mut("b").unwrap().stamp = stamp(0, Some(0));
        let mut bytes = Vec::new();
        tree.encode(&mut bytes);
        assert_eq!(Metadata::decode(&bytes, value).unwrap(), tree);
    }

    #[test]
    fn damage_is_an_error() {
        let value = json!({"a": 1, "b": {"c": 2}});
        let value = value.as_object().unwrap();
        let mut tree = Metadata::of(value, stamp(1000, Some(1)));
        tree.touch(json!({"a": 2}).as_object().unwrap(), stamp(2000, Some(2)));
        let mut good = Vec::new();
        tree.encode(&mut good);
        assert_eq!(Metadata::decode(&good, value).unwrap(), tree);
        for cut in 0..good.len() {
            assert!(Metadata::decode(&good[..cut], value).is_err(), "cut at {cut}");
        }
        assert!(Metadata::decode(&[&good[..], &[0]].concat(), value).is_err());
        assert!(Metadata::decode(&good, &Object::new()).is_err(), "another value's bytes");
        for hostile in
            [&[0][..], &[0xFF; 20], &[1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], &[200, 1]]
        {
            let error = Metadata::decode(hostile, value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Storage);
        }
        // Any byte flipped: an error or another tree, never a panic.
        for at in 0..good.len() {
            for flip in 1..=255u8 {
                let mut bad = good.clone();
                bad[at] ^= flip;
                assert_ne!(Metadata::decode(&bad, value).ok().as_ref(), Some(&tree));
            }
        }
    }
}
