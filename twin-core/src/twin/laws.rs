//! Laws that hold for every object, tried on thousands of seeded random ones.

use serde_json::{Value, json};

use super::diff::replacement;
use super::limits::size;
use super::{
    Metadata, Object, Patch, Rules, Section, SectionName, Stamp, diff, merge, merged, notification, strict,
};
use crate::time::Timestamp;

const ROUNDS: u64 = 4000;

/// A tiny generator (xorshift64*), so that a failing seed can be run again.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }

    /// Few names and values, so that objects meet often.
    fn object(&mut self, depth: u64, nulls: bool) -> Object {
        let members = self.below(4);
        (0..members)
            .map(|_| (["a", "b", "c", "é"][self.below(4) as usize].to_owned(), self.value(depth, nulls)))
            .collect()
    }

    fn value(&mut self, depth: u64, nulls: bool) -> Value {
        match self.below(8) {
            0 | 1 if nulls => Value::Null,
            0 => json!(self.below(2)),
            1 => json!(["x", "y\u{1}"][self.below(2) as usize]),
            2 => json!(self.below(2) == 0),
            3 => json!([self.below(2), {"k": 1}]),
            _ if depth > 0 => Value::Object(self.object(depth - 1, nulls)),
            _ => json!({}),
        }
    }
}

fn patch(object: Object) -> Patch {
    Patch::new(SectionName::Desired, object, Rules::PATCH).unwrap()
}

#[test]
fn a_composed_patch_does_what_both_do() {
    let mut composed = 0;
    for seed in 0..ROUNDS {
        let mut dice = Dice::new(seed);
        let (first, later) = (dice.object(3, true), dice.object(3, true));
        match patch(first.clone()).then(patch(later.clone())) {
            Ok(both) => {
                composed += 1;
                for _ in 0..8 {
                    let target = dice.object(3, false);
                    let want = merged(&merged(&target, &first), &later);
                    assert_eq!(merged(&target, both.as_object()), want, "seed {seed}: {first:?} {later:?}");
                }
                // The result is a patch that keeps the rules, too.
                assert_eq!(patch(both.as_object().clone()), both);
            }
            Err(back) => {
                assert_eq!((back.0.into_object(), back.1.into_object()), (first, later), "seed {seed}")
            }
        }
    }
    assert!(composed > ROUNDS / 2, "{composed}");
}

#[test]
fn patches_that_stay_two_cannot_be_one() {
    // Whatever is at `a` before, both in turn leave exactly {"b":1} there; no single patch does for both targets.
    for first in [json!({"a": null}), json!({"a": 1}), json!({"a": [1]}), json!({"a": "x"})] {
        let (first, later) =
            (first.as_object().unwrap().clone(), json!({"a": {"b": 1}}).as_object().unwrap().clone());
        assert!(patch(first.clone()).then(patch(later.clone())).is_err());
        let target = json!({"a": {"old": 1}});
        let both = merged(&merged(target.as_object().unwrap(), &first), &later);
        assert_eq!(Value::Object(both), json!({"a": {"b": 1}}));
    }
    for (first, later, want) in [
        (json!({"a": 1}), json!({"a": 2, "b": null}), json!({"a": 2, "b": null})),
        (json!({"a": {"x": 1}}), json!({"a": {"x": null, "y": 2}}), json!({"a": {"x": null, "y": 2}})),
        (json!({"a": {"x": 1}}), json!({"a": null}), json!({"a": null})),
        (json!({}), json!({"a": {"x": null}}), json!({"a": {"x": null}})),
    ] {
        let both = patch(first.as_object().unwrap().clone()).then(patch(later.as_object().unwrap().clone()));
        assert_eq!(Value::Object(both.unwrap().into_object()), want);
    }
}

#[test]
fn differences_and_replacements_lead_there() {
    for seed in 0..ROUNDS {
        let mut dice = Dice::new(seed);
        let (from, to) = (dice.object(3, false), dice.object(3, false));
        assert_eq!(merged(&from, &diff(&from, &to)), to, "seed {seed}");
        assert!(diff(&to, &to).is_empty());
        assert_eq!(merged(&from, &replacement(&from, &to)), to, "seed {seed}");
    }
}

#[test]
fn a_merge_is_idempotent_and_grows_no_more_than_its_patch() {
    for seed in 0..ROUNDS {
        let mut dice = Dice::new(seed);
        let (target, change) = (dice.object(3, false), dice.object(3, true));
        let once = merged(&target, &change);
        assert_eq!(merged(&once, &change), once, "seed {seed}");
        assert!(size(&once) <= size(&target) + size(&change), "seed {seed}");
        let text = serde_json::to_vec(&once).unwrap();
        assert_eq!(strict::object("", &text).unwrap(), once, "seed {seed}");
    }
}

/// The metadata tree has exactly the shape of the value.
fn mirrors(value: &Object, metadata: &Metadata) -> bool {
    value.len() == metadata.members().count()
        && value.iter().zip(metadata.members()).all(|((name, value), (node_name, node))| {
            name == node_name
                && match value {
                    Value::Object(inner) => mirrors(inner, node),
                    _ => node.members().next().is_none(),
                }
        })
}

#[test]
fn a_sections_life_keeps_metadata_and_device_in_step() {
    for seed in 0..ROUNDS / 10 {
        let mut dice = Dice::new(seed);
        let mut section = Section::new(SectionName::Desired, Timestamp::from_ticks(100));
        let mut device = section.value().clone();
        for step in 1..20 {
            let now = Timestamp::from_ticks(100 + dice.below(1000));
            let heard = match dice.below(8) {
                0 => section.clear(now),
                1 => section.replace(&patch(dice.object(3, false)), now).unwrap(),
                _ => {
                    let change = patch(dice.object(3, true));
                    section.apply(&change, now).unwrap();
                    change.into_object()
                }
            };
            let stamp = Stamp { at: now, version: Some(step + 1) };
            assert_eq!((section.version(), section.metadata().stamp()), (step + 1, stamp), "seed {seed}");
            assert!(mirrors(section.value(), section.metadata()), "seed {seed}: {section:?}");

            let (heard, version) = notification::hear(&notification::say(&heard, section.version())).unwrap();
            merge(&mut device, &heard);
            assert_eq!((&device, version), (section.value(), Some(section.version())), "seed {seed}");

            let mut bytes = Vec::new();
            section.metadata().encode(&mut bytes);
            let metadata = Metadata::decode(&bytes, section.value()).unwrap();
            let stored = Section::from_parts(section.name(), device.clone(), metadata, section.version());
            assert_eq!(stored, section, "seed {seed}");

            let mut text = Vec::new();
            section.write_service_view(&mut text);
            assert_eq!(strict::object("", &text).unwrap(), section.service_view(), "seed {seed}");
        }
    }
}

#[test]
fn any_bytes_decode_to_a_tree_or_an_error() {
    let value = json!({"a": 1, "b": {"c": 2}, "d": [3]});
    for seed in 0..ROUNDS * 5 {
        let mut dice = Dice::new(seed);
        let bytes: Vec<u8> =
            (0..dice.below(24)).map(|_| dice.below(256) as u8 & [0xFF, 3][dice.below(2) as usize]).collect();
        if let Ok(tree) = Metadata::decode(&bytes, value.as_object().unwrap()) {
            assert!(mirrors(value.as_object().unwrap(), &tree));
        }
    }
}

#[test]
fn json_objects_keep_their_members_sorted_and_their_numbers_plain() {
    // Features of serde_json unify over the whole build: one dependency could change order and numbers everywhere.
    let text = r#"{"b":1,"a":12345678901234567890123}"#;
    let object: Object = serde_json::from_str(text).unwrap();
    assert_eq!(object.keys().collect::<Vec<_>>(), ["a", "b"], "preserve_order is on");
    assert!(object["a"].is_f64(), "arbitrary_precision is on");
}
