//! The owner: asks at random, and checks every promise against what it hears.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::hub::{Hub, apply};
use crate::error::Delivery;
use crate::session::random::Random;
use crate::session::{Answer, Command, DesiredChange, Event, State, Ticket};
use crate::twin::patch::Rules;
use crate::twin::{Patch, SectionName};
use crate::{Error, ErrorKind};

type Object = Map<String, Value>;

/// A report that was made, and how it ended.
#[derive(Debug)]
struct Made {
    ticket: u64,
    patch: Object,
    result: Option<Result<Answer, Error>>,
    /// The twin's life in which it was made.
    life: u32,
}

#[derive(Debug, Default)]
pub(super) struct Owner {
    tickets: u64,
    /// Requests that have not ended, and by when they must.
    pub(super) waiting: BTreeMap<u64, Duration>,
    reports: Vec<Made>,
    pub(super) watching: bool,
    /// A watch was asked for and has not ended.
    watch_asked: Option<u64>,
    known: Option<(Object, u64)>,
    pub(super) connected: bool,
    pub(super) closed: bool,
    reported_version: u64,
    /// Whether a version may go backwards without the twin being made anew.
    pub(super) reads_may_lag: bool,
    lives_seen: u32,
}

impl Owner {
    fn ticket(&mut self, now: Duration, bound: Duration) -> Ticket {
        self.tickets += 1;
        self.waiting.insert(self.tickets, now + bound);
        Ticket(self.tickets)
    }

    /// Asks for something.
    pub(super) fn ask(&mut self, now: Duration, bound: Duration, random: &mut Random, life: u32) -> Command {
        let choice = random.next() % 100;
        match choice {
            0..55 => {
                let ticket = self.ticket(now, bound);
                let if_version = (choice < 8).then_some(self.reported_version);
                let patch = random_patch(random, ticket.0);
                self.reports.push(Made { ticket: ticket.0, patch: patch.clone(), result: None, life });
                let patch = Patch::new(SectionName::Reported, patch, Rules::default()).unwrap();
                Command::Report { ticket, patch, if_version }
            }
            55..70 => Command::GetTwin { ticket: self.ticket(now, bound) },
            70..80 => self.watch(now, bound),
            80..84 => {
                (self.watching, self.known) = (false, None);
                Command::UnwatchDesired
            }
            84..92 => {
                let at = random.next() as usize % self.waiting.len().max(1);
                Command::Cancel(Ticket(self.waiting.keys().nth(at).copied().unwrap_or(0)))
            }
            _ => self.open(now, bound),
        }
    }

    pub(super) fn open(&mut self, now: Duration, bound: Duration) -> Command {
        Command::Open { ticket: self.ticket(now, bound) }
    }

    pub(super) fn watch(&mut self, now: Duration, bound: Duration) -> Command {
        let ticket = self.ticket(now, bound);
        self.watch_asked = Some(ticket.0);
        Command::WatchDesired { ticket }
    }

    pub(super) fn close(&mut self, now: Duration, bound: Duration) -> Command {
        Command::Close { ticket: self.ticket(now, bound) }
    }

    /// Hears something, and checks what can be checked at once.
    pub(super) fn hear(&mut self, now: Duration, event: Event, hub: &Hub) {
        assert!(!self.closed || matches!(event, Event::Done { .. }), "after closing: {event:?}");
        match event {
            Event::Done { ticket, result } => {
                let by = self.waiting.remove(&ticket.0);
                let by = by.unwrap_or_else(|| panic!("{ticket:?} ended twice or never began: {result:?}"));
                assert!(now <= by, "{ticket:?} ended at {now:?}, after {by:?}");
                if self.watch_asked == Some(ticket.0) {
                    self.watch_asked = None;
                }
                self.check_result(ticket.0, result);
            }
            Event::Desired(change) => self.check_change(change, hub),
            Event::State(state) => {
                self.connected = matches!(state, State::Connected);
                self.closed = matches!(state, State::Closed);
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    fn check_result(&mut self, ticket: u64, result: Result<Answer, Error>) {
        match &result {
            Ok(Answer::Watching) => self.watching = true,
            Ok(Answer::Reported { version: Some(version) }) => self.reported_version = *version,
            Ok(Answer::Twin(twin)) => self.reported_version = twin.reported.version,
            Ok(_) => {}
            // A refusal of a read need not say what it did: reading does nothing.
            Err(e) => {
                assert!(e.delivery().is_some() || e.kind() == ErrorKind::Protocol, "{e:?} says no delivery")
            }
        }
        if let Some(report) = self.reports.iter_mut().find(|r| r.ticket == ticket) {
            report.result = Some(result);
        }
    }

    fn check_change(&mut self, change: DesiredChange, hub: &Hub) {
        assert!(self.watching, "nobody watches: {change:?}");
        match change {
            DesiredChange::Whole { desired, version } => {
                if let Some((known, before)) = &self.known {
                    assert!(*known != desired || *before != version, "version {version} was delivered twice");
                    let forwards = version > *before || hub.recreated > self.lives_seen;
                    assert!(forwards || self.reads_may_lag, "from version {before} back to {version}");
                }
                self.lives_seen = hub.recreated;
                self.known = Some((desired, version));
            }
            DesiredChange::Patch { patch, version } => {
                let (known, before) = self.known.as_mut().expect("the first change is a whole section");
                assert_eq!(version, *before + 1, "patches follow each other");
                apply(known, &patch);
                *before = version;
            }
        }
    }

    /// Whether the owner knows what the hub has.
    pub(super) fn is_up_to_date(&self, hub: &Hub) -> bool {
        self.known
            .as_ref()
            .is_some_and(|(known, version)| *known == hub.desired && *version == hub.desired_version)
    }

    pub(super) fn known(&self) -> Option<&(Object, u64)> {
        self.known.as_ref()
    }

    /// After all has ended: the hub has what it acknowledged, in the order it was reported, and nothing refused.
    /// With `several` in flight, those that ended without the owner knowing how may have been applied again before others.
    pub(super) fn check_reports(&self, hub: &Hub, several: bool) {
        let mut ordered = true;
        let marks = hub.reported.get("mark").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut expected = Object::new();
        for report in &self.reports {
            let applied = marks.contains_key(&report.ticket.to_string());
            let result = report.result.as_ref().expect("every report ended");
            match result {
                Ok(_) => {
                    let kept = report.life == hub.recreated;
                    assert!(applied || !kept, "report {} was acknowledged and is not there", report.ticket);
                }
                Err(e) => match e.delivery() {
                    Some(Delivery::Unknown) => ordered &= !(several && applied),
                    delivery => {
                        assert!(!applied, "report {} is there although {delivery:?}: {e:?}", report.ticket)
                    }
                },
            }
            let refused = matches!(result, Err(e) if e.kind() == ErrorKind::Rejected);
            assert!(
                !refused || several || report.patch.contains_key("bad"),
                "refused for another's fault: {report:?}"
            );
            if applied {
                apply(&mut expected, &report.patch);
            }
        }
        if ordered {
            assert_eq!(hub.reported, expected, "the reports did not take effect in their order");
        }
    }
}

/// A patch of few names, so that reports disturb each other, with a mark of its own.
pub(super) fn random_patch(random: &mut Random, mark: u64) -> Object {
    let mut patch = random_members(random, mark, 2);
    if random.next().is_multiple_of(20) {
        patch.insert("bad".into(), json!(true));
    }
    patch.insert("mark".into(), json!({ mark.to_string(): 1 }));
    patch
}

/// One to three members, some null, some objects.
pub(super) fn random_members(random: &mut Random, value: u64, depth: u32) -> Object {
    let mut members = Object::new();
    for _ in 0..=random.next() % 3 {
        let name = ["a", "b", "c", "d"][random.next() as usize % 4];
        let member = match random.next() % 6 {
            0 => Value::Null,
            1 | 2 if depth > 0 => Value::Object(random_members(random, value, depth - 1)),
            3 => json!([value]),
            _ => json!(value),
        };
        members.insert(name.into(), member);
    }
    members
}
