//! `$metadata`: when, and by which section version, each node was last touched.
//!
//! Sources: IoT Hub developer guide, "Device twin metadata" (`$lastUpdated` on every object level as well as on leaves,
//! so that removals leave a trace); dumps of `az iot hub device-twin show` (`$lastUpdatedVersion` in desired);
//! azure-iotedge #1246 (an unchanged value is stamped too). An array is a leaf: no source shows what is inside.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Object;
use crate::time::Timestamp;

/// When a node was last touched, and by which version of its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// `$lastUpdated`
    pub at: Timestamp,
    /// `$lastUpdatedVersion`: desired has it, reported has not.
    pub version: Option<u64>,
}

/// A tree that mirrors a section's tree of objects: every object level and every leaf carries a stamp.
///
/// This is the working form; [`Metadata::encode`] gives the few bytes that a hub keeps per twin.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    pub(super) stamp: Stamp,
    pub(super) members: BTreeMap<Box<str>, Metadata>,
}

impl Metadata {
    /// A root (or leaf) with no members.
    pub fn new(stamp: Stamp) -> Self {
        Metadata { stamp, members: BTreeMap::new() }
    }

    /// The tree of a section whose whole content was written at once.
    pub fn of(content: &Object, stamp: Stamp) -> Self {
        let mut root = Metadata::new(stamp);
        root.touch(content, stamp);
        root
    }

    /// The stamp of this node.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The node of member `name`.
    pub fn get(&self, name: &str) -> Option<&Metadata> {
        self.members.get(name)
    }

    /// The members' nodes in the order of their names.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Metadata)> {
        self.members.iter().map(|(name, node)| (&**name, node))
    }

    /// Follows a merge of `patch`: stamps every node that the patch names and its ancestors, drops what it removes.
    pub fn touch(&mut self, patch: &Object, stamp: Stamp) {
        self.stamp = stamp;
        for (name, value) in patch {
            if value.is_null() {
                self.members.remove(name.as_str());
                continue;
            }
            let node = match self.members.get_mut(name.as_str()) {
                Some(node) => node,
                None => self.members.entry(name.as_str().into()).or_insert_with(|| Metadata::new(stamp)),
            };
            match value {
                Value::Object(inner) => node.touch(inner, stamp),
                _ => *node = Metadata::new(stamp),
            }
        }
    }

    /// As the wire prints it.
    pub fn to_json(&self) -> Object {
        let mut object = Object::new();
        object.insert("$lastUpdated".into(), Value::String(self.stamp.at.to_string()));
        if let Some(version) = self.stamp.version {
            object.insert("$lastUpdatedVersion".into(), version.into());
        }
        for (name, node) in &self.members {
            object.insert(name.to_string(), Value::Object(node.to_json()));
        }
        object
    }

    /// [`Metadata::to_json`] as text, appended.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        Printer { at: None, text: String::new() }.node(self, out);
    }
}

/// Most nodes share few instants, so the last one's text is kept.
struct Printer {
    at: Option<Timestamp>,
    text: String,
}

impl Printer {
    fn node(&mut self, node: &Metadata, out: &mut Vec<u8>) {
        if self.at != Some(node.stamp.at) {
            self.at = Some(node.stamp.at);
            self.text = node.stamp.at.to_string();
        }
        out.extend_from_slice(b"{\"$lastUpdated\":\"");
        out.extend_from_slice(self.text.as_bytes());
        out.push(b'"');
        if let Some(version) = node.stamp.version {
            out.extend_from_slice(b",\"$lastUpdatedVersion\":");
            out.extend_from_slice(version.to_string().as_bytes());
        }
        for (name, member) in &node.members {
            out.push(b',');
            super::section::write(name, out);
            out.push(b':');
            self.node(member, out);
        }
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stamp(n: u64) -> Stamp {
        Stamp { at: Timestamp::from_ticks(n), version: Some(n) }
    }

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    /// The tree as `{"": stamp, member: …}`, so that tables are readable.
    fn brief(node: &Metadata) -> Value {
        let mut all = Object::new();
        all.insert(String::new(), node.stamp.at.ticks().into());
        all.extend(node.members().map(|(name, node)| (name.to_owned(), brief(node))));
        Value::Object(all)
    }

    #[test]
    fn what_a_patch_names_is_stamped_with_its_ancestors() {
        let mut tree = Metadata::new(stamp(1));
        for (at, patch, want) in [
            (2, json!({"a": 1, "b": {"c": 2}}), json!({"":2,"a":{"":2},"b":{"":2,"c":{"":2}}})),
            // the same value again; b is not named
            (3, json!({"a": 1}), json!({"":3,"a":{"":3},"b":{"":2,"c":{"":2}}})),
            // deep: ancestors are stamped, siblings not
            (4, json!({"b": {"d": true}}), json!({"":4,"a":{"":3},"b":{"":4,"c":{"":2},"d":{"":4}}})),
            // removal leaves its trace on the parent
            (5, json!({"b": {"c": null}}), json!({"":5,"a":{"":3},"b":{"":5,"d":{"":4}}})),
            // an array is a leaf, whatever is in it; an object over a scalar has its children stamped
            (6, json!({"b": [{"x": 1}], "a": {"y": 1}}), json!({"":6,"a":{"":6,"y":{"":6}},"b":{"":6}})),
            (7, json!({"a": null, "z": null}), json!({"":7,"b":{"":6}})),
            (8, json!({}), json!({"":8,"b":{"":6}})),
            (9, json!({"p": {"q": null}}), json!({"":9,"b":{"":6},"p":{"":9}})),
        ] {
            tree.touch(&object(patch.clone()), stamp(at));
            assert_eq!(brief(&tree), want, "after {patch}");
        }
    }

    #[test]
    fn prints_as_the_service_does() {
        let at = "2022-06-01T22:27:50.2612586Z".parse().unwrap();
        let tree = Metadata::of(&object(json!({"a": {"b\"": 1}})), Stamp { at, version: Some(7) });
        let node = json!({"$lastUpdated": "2022-06-01T22:27:50.2612586Z", "$lastUpdatedVersion": 7});
        let mut want = node.clone();
        want["a"] = node.clone();
        want["a"]["b\""] = node;
        assert_eq!(Value::Object(tree.to_json()), want);
        let mut text = Vec::new();
        tree.write_json(&mut text);
        assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), want);

        let reported = Metadata::new(Stamp { at: Timestamp::NEVER, version: None });
        assert_eq!(Value::Object(reported.to_json()), json!({"$lastUpdated": "0001-01-01T00:00:00Z"}));
    }
}
