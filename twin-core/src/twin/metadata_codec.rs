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
use crate::query::raw;
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
        let stamps = from.stamps()?;
        let root = from.tree(value, &stamps)?;
        if from.0.is_empty() { Ok(root) } else { Err(damaged("bytes are left over")) }
    }

    /// Appends what [`Metadata::write_json`] prints of the tree that [`Metadata::decode`] gives for a section with this
    /// `value`, whose text has its members in the order of their names, as `serde_json` writes it. Builds no tree: a
    /// page of a thousand twins has tens of thousands of nodes. Errors as `decode`; `out` then ends somewhere within.
    pub fn print(bytes: &[u8], value: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut from = Reader(bytes);
        let stamps = from.stamps()?;
        // What a node starts with, printed once for each stamp.
        let mut starts: Vec<Vec<u8>> = vec![Vec::new(); stamps.len()];
        let mut outcome = Ok(());
        let toured = raw::tour(value, &mut |step| match step {
            raw::Step::Up(_) => out.push(b'}'),
            raw::Step::Down(name) => {
                if !name.is_empty() {
                    out.push(b',');
                    out.extend_from_slice(name);
                    out.push(b':');
                }
                match from.index(&stamps) {
                    Ok(index) => {
                        let start = &mut starts[index];
                        if start.is_empty() {
                            stamps[index].print(start);
                        }
                        out.extend_from_slice(start);
                    }
                    Err(error) => outcome = Err(error),
                }
            }
        });
        outcome?;
        match toured {
            Some(()) if from.0.is_empty() => Ok(()),
            _ => Err(damaged("it does not belong to its section")),
        }
    }

    fn walk(&self, each: &mut impl FnMut(Stamp)) {
        each(self.stamp);
        self.members.values().for_each(|member| member.walk(each));
    }
}

impl Stamp {
    /// The start of a node, up to its members.
    fn print(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"$lastUpdated\":\"");
        self.at.write(out);
        out.push(b'"');
        if let Some(version) = self.version {
            out.extend_from_slice(b",\"$lastUpdatedVersion\":");
            out.extend_from_slice(version.to_string().as_bytes());
        }
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

    fn stamps(&mut self) -> Result<Vec<Stamp>> {
        let most = self.0.len() as u64;
        let count = self.number()?;
        if count == 0 || count > most {
            return Err(damaged("the number of stamps cannot be"));
        }
        let mut stamps = Vec::with_capacity(count as usize);
        let mut ticks = 0u64;
        for _ in 0..count {
            let head = self.number()?;
            ticks = ticks.checked_add(head >> 1).ok_or_else(|| damaged("an instant is out of range"))?;
            let at = Timestamp::from_ticks(ticks);
            if at.ticks() != ticks {
                return Err(damaged("an instant is out of range"));
            }
            let version = if head & 1 == 1 { Some(self.number()?) } else { None };
            stamps.push(Stamp { at, version });
        }
        Ok(stamps)
    }

    /// Which stamp the next node has.
    fn index(&mut self, stamps: &[Stamp]) -> Result<usize> {
        let index = if stamps.len() > 1 { self.number()? } else { 0 };
        let index = usize::try_from(index).ok().filter(|index| *index < stamps.len());
        index.ok_or_else(|| damaged("a node has no stamp"))
    }

    fn tree(&mut self, value: &Object, stamps: &[Stamp]) -> Result<Metadata> {
        let mut node = Metadata::new(stamps[self.index(stamps)?]);
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
        check_print(&bytes, value);
    }

    /// What [`Metadata::print`] makes of them, next to what the tree prints.
    fn check_print(bytes: &[u8], value: &Object) {
        let text = serde_json::to_vec(value).unwrap();
        let mut printed = Vec::new();
        let outcome = Metadata::print(bytes, &text, &mut printed);
        match Metadata::decode(bytes, value) {
            Ok(tree) => {
                outcome.unwrap();
                let mut want = Vec::new();
                tree.write_json(&mut want);
                assert_eq!(String::from_utf8(printed).unwrap(), String::from_utf8(want).unwrap());
            }
            Err(_) => assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Storage),
        }
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
        check_print(&good, value);
        check_print(&good, json!({"a": 1, "b\"": {"ü": {"c": [{"d": 1}]}}}).as_object().unwrap());
        for cut in 0..good.len() {
            check_print(&good[..cut], value);
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
                check_print(&bad, value);
                assert_ne!(Metadata::decode(&bad, value).ok().as_ref(), Some(&tree));
            }
        }
    }
}
