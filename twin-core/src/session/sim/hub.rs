//! A model of the hub, written from the documents and independent of the library's own twin laws.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::session::random::{Random, share};
use crate::wire::{Channel, Heard, Said};

type Object = Map<String, Value>;

/// How likely a request meets which misfortune.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub(super) throttle: f64,
    pub(super) fail_before: f64,
    pub(super) fail_after: f64,
    pub(super) ignore: f64,
    pub(super) refuse_subscription: f64,
    pub(super) lag: f64,
    pub(super) foreign_answer: f64,
    /// Bodies and versions that make no sense.
    pub(super) garble: f64,
}

#[derive(Debug)]
pub(super) struct Hub {
    pub(super) desired: Object,
    pub(super) desired_version: u64,
    pub(super) reported: Object,
    pub(super) reported_version: u64,
    /// What a read that lags behind sees.
    before: Option<(Object, u64)>,
    /// Subscriptions of the session, kept over links until forgotten.
    subscriptions: BTreeSet<Channel>,
    pub(super) faults: Faults,
    pub(super) recreated: u32,
    pub(super) reads: u64,
}

impl Hub {
    pub(super) fn new() -> Self {
        Hub {
            desired: Object::new(),
            desired_version: 1,
            reported: Object::new(),
            reported_version: 1,
            before: None,
            subscriptions: BTreeSet::new(),
            faults: Faults::default(),
            recreated: 0,
            reads: 0,
        }
    }

    pub(super) fn forget_session(&mut self) {
        self.subscriptions.clear();
    }

    /// The identity is deleted and made again, and with it the twin.
    pub(super) fn recreate(&mut self) {
        let (faults, recreated, reads) = (self.faults, self.recreated + 1, self.reads);
        *self = Hub { faults, recreated, reads, ..Hub::new() };
    }

    /// The backend changes desired properties; what a subscriber is told.
    pub(super) fn patch_desired(&mut self, patch: Object) -> Option<Heard> {
        self.before = Some((self.desired.clone(), self.desired_version));
        apply(&mut self.desired, &patch);
        self.notify(patch)
    }

    pub(super) fn replace_desired(&mut self, content: Object) -> Option<Heard> {
        self.before = Some((self.desired.clone(), self.desired_version));
        let mut told = content.clone();
        for name in self.desired.keys().filter(|n| !content.contains_key(*n)) {
            told.insert(name.clone(), Value::Null);
        }
        self.desired = content;
        self.notify(told)
    }

    fn notify(&mut self, mut told: Object) -> Option<Heard> {
        self.desired_version += 1;
        told.insert("$version".into(), self.desired_version.into());
        let version = Some(self.desired_version);
        let body = Bytes::from(Value::Object(told).to_string());
        self.subscriptions.contains(&Channel::Desired).then_some(Heard::Desired { version, body })
    }

    /// A device said something; what the hub says to it.
    pub(super) fn hear(&mut self, random: &mut Random, said: &Said) -> Vec<Heard> {
        let mut chance = |likely: f64| share(random.next()) < likely;
        let faults = self.faults;
        match said {
            Said::Subscribe(channel) => {
                let granted = !chance(faults.refuse_subscription);
                if granted {
                    self.subscriptions.insert(*channel);
                }
                vec![Heard::Subscribed { channel: *channel, granted }]
            }
            Said::Unsubscribe(channel) => {
                self.subscriptions.remove(channel);
                vec![Heard::Unsubscribed(*channel)]
            }
            Said::GetTwin { rid } | Said::Report { rid, .. } => {
                let answer = |status: u16, version: Option<u64>, body: String| Heard::Answer {
                    rid: rid.clone(),
                    status,
                    version,
                    body: body.into(),
                };
                // Without a subscription for answers nobody hears them.
                let audible = self.subscriptions.contains(&Channel::TwinAnswers);
                let mut answers = Vec::new();
                if chance(faults.foreign_answer) {
                    let rid = crate::wire::Rid("somebody-elses".into());
                    answers.push(Heard::Answer { rid, status: 204, version: Some(1), body: Bytes::new() });
                }
                if chance(faults.ignore) {
                } else if chance(faults.throttle) {
                    answers.push(answer(429, None, r#"{"errorCode":429001,"message":"slow"}"#.into()));
                } else if chance(faults.fail_before) {
                    answers.push(answer(500, None, String::new()));
                } else {
                    let lagging = chance(faults.lag);
                    let (status, version, mut body) = self.serve(said, lagging);
                    if chance(faults.garble) {
                        body.truncate(body.len() / 2);
                    }
                    let failed = chance(faults.fail_after);
                    answers.push(if failed {
                        answer(503, None, String::new())
                    } else {
                        answer(status, version, body)
                    });
                }
                if audible { answers } else { Vec::new() }
            }
            other => panic!("the session said {other:?}"),
        }
    }

    fn serve(&mut self, said: &Said, lagging: bool) -> (u16, Option<u64>, String) {
        let Said::Report { patch, if_version, .. } = said else {
            self.reads += 1;
            let fresh = (self.desired.clone(), self.desired_version);
            let (mut desired, version) = self.before.clone().filter(|_| lagging).unwrap_or(fresh);
            desired.insert("$version".into(), version.into());
            let mut reported = self.reported.clone();
            reported.insert("$version".into(), self.reported_version.into());
            return (200, None, json!({"desired": desired, "reported": reported}).to_string());
        };
        let patch: Object = serde_json::from_slice(patch).expect("the session says JSON objects");
        if patch.contains_key("bad") {
            return (400, None, String::new());
        }
        if if_version.is_some_and(|v| v != self.reported_version) {
            return (412, None, String::new());
        }
        apply(&mut self.reported, &patch);
        self.reported_version += 1;
        (204, Some(self.reported_version), String::new())
    }
}

/// RFC 7396, with its pseudo-code as the model.
pub(super) fn apply(target: &mut Object, patch: &Object) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.remove(name);
            }
            Value::Object(patch) => {
                let member = target.entry(name.clone()).or_insert_with(|| Value::Object(Object::new()));
                if !member.is_object() {
                    *member = Value::Object(Object::new());
                }
                apply(member.as_object_mut().expect("made one"), patch);
            }
            scalar => {
                target.insert(name.clone(), scalar.clone());
            }
        }
    }
}
