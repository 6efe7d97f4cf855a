//! The domain through its one door, mostly as tables: what is said, what becomes of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use twin_core::twin::Rules;

use super::*;

mod changes;
mod registry;
mod views;

/// A world in a map, a clock that moves one second per step, and randomness that counts.
#[derive(Default)]
struct Bench {
    records: BTreeMap<TwinKey, Record>,
    serial: u64,
    clock: u64,
    random: u64,
    /// notices of the last step, as text
    notices: Vec<String>,
}

impl World for Bench {
    fn get(&self, key: &TwinKey) -> Option<Record> {
        self.records.get(key).cloned()
    }
    fn modules(&mut self, device: &DeviceId) -> Vec<ModuleId> {
        self.records.keys().filter(|k| k.device == *device).filter_map(|k| k.module.clone()).collect()
    }
    fn put(&mut self, key: &TwinKey, record: Record) {
        self.records.insert(key.clone(), record);
    }
    fn remove(&mut self, key: &TwinKey) {
        self.records.remove(key);
    }
    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

impl Bench {
    fn with(keys: &[&str]) -> Bench {
        let mut bench = Bench::default();
        for key in keys {
            bench.create(key, json!({})).unwrap();
        }
        bench
    }

    fn step(&mut self, command: Command) -> Result<Done, Refusal> {
        self.clock += 1;
        let now = Timestamp::from_unix(std::time::Duration::from_secs(1_654_122_000 + self.clock));
        let mut counter = self.random;
        let mut random = |to: &mut [u8]| {
            for byte in to {
                counter += 1;
                *byte = counter as u8;
            }
        };
        let mut at = Step { now, world: self, random: &mut random, notices: Vec::new() };
        let done = step(&mut at, command);
        let notices = at.notices;
        self.random = counter;
        self.notices = notices
            .into_iter()
            .map(|(key, notice)| match notice {
                Notice::Desired { version, body } => {
                    let body: Value = serde_json::from_slice(&body).unwrap();
                    assert_eq!(body["$version"], version, "the version is in the body too");
                    format!("{key} hears {body}")
                }
                Notice::Revoked => format!("{key} is revoked"),
                Notice::TakenOver | Notice::Mail => unreachable!("the domain knows no connections"),
            })
            .collect();
        if done.is_err() {
            assert!(self.notices.is_empty(), "a refusal tells nobody");
        }
        done
    }

    fn put(&mut self, key: &str, if_match: IfMatch, mut body: Value) -> Result<Done, Refusal> {
        let key = key_of(key);
        body["deviceId"] = key.device.as_str().into();
        if let Some(module) = &key.module {
            body["moduleId"] = module.as_str().into();
        }
        let identity = Box::new(Identity::from_json(body).unwrap());
        self.step(Command::PutIdentity { key, if_match, identity })
    }

    fn create(&mut self, key: &str, body: Value) -> Result<Done, Refusal> {
        self.put(key, IfMatch::Absent, body)
    }

    fn delete(&mut self, key: &str, if_match: IfMatch) -> Result<Done, Refusal> {
        self.step(Command::DeleteIdentity { key: key_of(key), if_match })
    }

    fn patch(&mut self, key: &str, if_match: IfMatch, body: &str) -> Result<Done, Refusal> {
        let patch = TwinPatch::parse(body.as_bytes(), Rules::PATCH).unwrap();
        self.step(Command::PatchTwin { key: key_of(key), if_match, patch })
    }

    fn replace(&mut self, key: &str, if_match: IfMatch, body: &str) -> Result<Done, Refusal> {
        let content = TwinPatch::parse(body.as_bytes(), Rules::REPLACE).unwrap();
        self.step(Command::ReplaceTwin { key: key_of(key), if_match, content })
    }

    fn report(&mut self, key: &str, if_version: Option<u64>, body: &str) -> Result<u64, Refusal> {
        let patch =
            Patch::parse(twin_core::twin::SectionName::Reported, body.as_bytes(), Rules::PATCH).unwrap();
        match self.step(Command::Report { key: key_of(key), patch, if_version })? {
            Done::Reported(version) => Ok(version),
            other => panic!("{other:?}"),
        }
    }

    fn twin(&self, key: &str) -> Value {
        let key = key_of(key);
        serde_json::from_slice(&service_twin(&key, &self.records[&key], &Presence::default())).unwrap()
    }

    fn identity(&self, key: &str) -> Identity {
        self.records[&key_of(key)].identity()
    }

    /// etag, version, desired $version, reported $version
    fn versions(&self, key: &str) -> (String, u64, u64, u64) {
        let twin = self.twin(key);
        let number = |v: &Value| v.as_u64().unwrap();
        (
            twin["etag"].as_str().unwrap().to_owned(),
            number(&twin["version"]),
            number(&twin["properties"]["desired"]["$version"]),
            number(&twin["properties"]["reported"]["$version"]),
        )
    }
}

fn key_of(text: &str) -> TwinKey {
    match text.split_once('/') {
        Some((device, module)) => TwinKey::module(device, module).unwrap(),
        None => TwinKey::device(text).unwrap(),
    }
}

fn etag(counter: u64) -> IfMatch {
    IfMatch::ETag(twin_core::ETag::from_counter(counter))
}

/// The members of a section without `$` ones.
fn members(section: &Value) -> Value {
    let mut object = section.as_object().unwrap().clone();
    object.retain(|name, _| !name.starts_with('$'));
    Value::Object(object)
}
