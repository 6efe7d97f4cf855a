//! Tables of what becomes of one message; random stories of many, with restarts.

use std::collections::{BTreeMap, HashMap};

use super::*;
use twin_core::message::Ack;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(Duration::from_secs(1_700_000_000 + seconds))
}

fn owner(serial: u64) -> Owner {
    Owner { serial, key: TwinKey::device(format!("d{serial}")).unwrap(), generation: format!("g{serial}") }
}

fn message(id: &str, ack: Option<Ack>) -> Message {
    let mut message = Message::new("body").with_id(id).with_property("a", " b ");
    message.ack = ack;
    message
}

/// Sends and confirms.
fn sent(mail: &mut Mail, seconds: u64, message: Message) {
    mail.send(at(seconds), owner(1), message).unwrap();
    mail.confirm(at(seconds));
}

fn receive(mail: &mut Mail, seconds: u64, random: u8) -> Option<CloudMessage> {
    mail.receive(at(seconds), Some(&owner(1)), Hold::Seconds(None), [random; 16])
}

fn settle(mail: &mut Mail, seconds: u64, token: &str, settlement: Settlement) -> Result<(), Refusal> {
    let done = mail.settle(at(seconds), Some(&owner(1)), token, settlement);
    mail.confirm(at(seconds));
    done
}

/// The status codes that wait as feedback.
fn feedback(mail: &mut Mail, seconds: u64) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(cloud) = mail.receive(at(seconds), None, Hold::Connection, [found.len() as u8; 16]) {
        assert_eq!(cloud.message.content_type.as_deref(), Some(twin_core::wire::amqp::FEEDBACK_CONTENT_TYPE));
        let records: serde_json::Value = serde_json::from_slice(&cloud.message.body).unwrap();
        let record = &records[0];
        assert_eq!((&record["deviceId"], &record["deviceGenerationId"]), (&"d1".into(), &"g1".into()));
        let said = |name: &str| record[name].as_str().unwrap().to_owned();
        found.push(format!("{} {}", said("originalMessageId"), said("statusCode")));
    }
    found
}

#[test]
fn a_message_is_received_once_until_its_lock_ends() {
    let mut mail = Mail::default();
    mail.send(at(0), owner(1), message("m", None)).unwrap();
    assert_eq!(receive(&mut mail, 0, 1), None, "not durable yet");
    let owner = Some(owner(1).key);
    assert_eq!(mail.confirm(at(0)), [State { owner, waiting: 1, available: true }]);
    let first = receive(&mut mail, 0, 1).unwrap();
    assert_eq!(first.lock_token, "01010101-0101-0101-0101-010101010101");
    assert_eq!(
        (first.sequence_number, first.delivery_count, first.enqueued),
        (Some(1), Some(0), Some(at(0)))
    );
    assert_eq!(first.message, message("m", None));
    assert_eq!(receive(&mut mail, 59, 2), None);
    let second = receive(&mut mail, 60, 2).unwrap();
    assert_eq!(second.delivery_count, Some(1));
    let lost = settle(&mut mail, 61, &first.lock_token, Settlement::Complete).unwrap_err();
    assert_eq!(lost.code, HubCode::DEVICE_MESSAGE_LOCK_LOST);
    settle(&mut mail, 61, &second.lock_token, Settlement::Abandon).unwrap();
    let third = receive(&mut mail, 61, 3).unwrap();
    settle(&mut mail, 62, &third.lock_token, Settlement::Complete).unwrap();
    assert!(settle(&mut mail, 62, &third.lock_token, Settlement::Complete).is_err());
    assert_eq!(receive(&mut mail, 1000, 4), None);
}

#[test]
fn senders_are_told_what_they_asked_for() {
    use Settlement::{Complete, Reject};
    for (ack, settlement, told) in [
        (None, Some(Complete), None),
        (Some(Ack::None), Some(Reject), None),
        (Some(Ack::Positive), Some(Complete), Some("m Success")),
        (Some(Ack::Positive), Some(Reject), None),
        (Some(Ack::Negative), Some(Complete), None),
        (Some(Ack::Negative), Some(Reject), Some("m Rejected")),
        (Some(Ack::Negative), None, Some("m Expired")),
        (Some(Ack::Full), Some(Complete), Some("m Success")),
        (Some(Ack::Full), None, Some("m Expired")),
    ] {
        let mut mail = Mail::default();
        sent(&mut mail, 0, message("m", ack));
        let seconds = match settlement {
            Some(settlement) => {
                let token = receive(&mut mail, 0, 1).unwrap().lock_token;
                settle(&mut mail, 0, &token, settlement).unwrap();
                0
            }
            None => {
                mail.sweep(at(3600));
                mail.confirm(at(3600));
                3600
            }
        };
        let told: Vec<String> = told.map(str::to_owned).into_iter().collect();
        assert_eq!(feedback(&mut mail, seconds), told, "{ack:?} {settlement:?}");
    }
}

#[test]
fn the_tenth_delivery_is_the_last() {
    let mut mail = Mail::default();
    sent(&mut mail, 0, message("m", Some(Ack::Full)));
    for n in 0..10 {
        let cloud = receive(&mut mail, u64::from(n) * 60, n).unwrap();
        assert_eq!(cloud.delivery_count, Some(n.into()));
    }
    assert_eq!(receive(&mut mail, 600, 10), None);
    mail.confirm(at(600));
    assert_eq!(feedback(&mut mail, 600), ["m DeliveryCountExceeded"]);
}

#[test]
fn what_is_refused() {
    let days = |n: u64| Some(at(n * 24 * 60 * 60));
    let large = |bytes: usize| Message::new(vec![b' '; bytes]);
    let expiring = |expiry| {
        let mut message = message("m", None);
        message.expiry = expiry;
        message
    };
    for (message, code) in [
        (large(64 * 1024), None),
        (large(64 * 1024 + 1), Some(HubCode::MESSAGE_TOO_LARGE)),
        (large(64 * 1024 - 3).with_property("ab", "cd"), Some(HubCode::MESSAGE_TOO_LARGE)),
        (expiring(days(2)), None),
        (expiring(days(3)), Some(HubCode::INVALID_MESSAGE_EXPIRY_TIME)),
        (expiring(Some(Timestamp::NEVER)), None),
    ] {
        let refused = Mail::default().send(at(0), owner(1), message).err().map(|refusal| refusal.code);
        assert_eq!(refused, code);
    }
    let mut mail = Mail::default();
    for _ in 0..MAX_WAITING {
        sent(&mut mail, 0, message("m", None));
    }
    let full = mail.send(at(0), owner(1), message("m", None)).unwrap_err();
    assert_eq!(full.code, HubCode::DEVICE_MAXIMUM_QUEUE_DEPTH_EXCEEDED);
    // Other devices have queues of their own, and what has expired makes room.
    mail.send(at(0), owner(2), message("m", None)).unwrap();
    mail.send(at(3600), owner(1), message("m", None)).unwrap();
}

#[test]
fn locks_are_as_long_as_was_asked_within_bounds() {
    for (hold, seconds) in [
        (Hold::Seconds(None), 60),
        (Hold::Seconds(Some(0)), 5),
        (Hold::Seconds(Some(7)), 7),
        (Hold::Seconds(Some(3600)), 300),
        (Hold::Connection, 48 * 60 * 60),
    ] {
        let mut mail = Mail::default();
        let mut long = message("m", None);
        long.expiry = Some(at(48 * 60 * 60));
        sent(&mut mail, 0, long);
        let from = Some(&owner(1));
        let lock = mail.receive(at(0), from, hold, [0; 16]).unwrap().lock_token;
        let held = |mail: &Mail, seconds| mail.queues[&1].locked(at(seconds), &lock).is_some();
        assert_eq!((held(&mail, seconds - 1), held(&mail, seconds)), (true, false), "{hold:?}");
    }
}

#[test]
fn feedback_is_bounded_and_the_oldest_makes_room() {
    let mut mail = Mail::default();
    for n in 0..MAX_FEEDBACK + 5 {
        sent(&mut mail, 0, message(&n.to_string(), Some(Ack::Full)));
        let token = receive(&mut mail, 0, 0).unwrap().lock_token;
        settle(&mut mail, 0, &token, Settlement::Complete).unwrap();
    }
    let told = feedback(&mut mail, 0);
    assert_eq!((told.len(), &*told[0]), (MAX_FEEDBACK, "5 Success"));
}

/// Random sends, receipts, settlements, losses of locks, deletions and restarts: nothing that is neither settled nor dead
/// is lost, nothing that is comes again, what is available comes in order, and the disk knows what memory knows.
#[test]
fn stories() {
    const STORIES: u64 = 100;
    const STEPS: usize = 200;
    for seed in 1..=STORIES {
        let mut story = Story::new(seed);
        for _ in 0..STEPS {
            story.step();
        }
    }
}

struct Story {
    state: u64,
    mail: Mail,
    now: u64,
    disk: BTreeMap<(u64, u64), Vec<u8>>,
    /// by id: the owner, and the time at which it expires
    alive: BTreeMap<u64, (u64, u64)>,
    /// the same of those whose last delivery goes on
    spent: BTreeMap<u64, (u64, u64)>,
    /// by owner: lock tokens with the id and the time at which the lock ends
    locks: HashMap<u64, Vec<(String, u64, u64)>>,
    sent: u64,
}

impl Story {
    fn new(seed: u64) -> Self {
        Story {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            mail: Mail::default(),
            now: 0,
            disk: BTreeMap::new(),
            alive: BTreeMap::new(),
            spent: BTreeMap::new(),
            locks: HashMap::new(),
            sent: 0,
        }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % below
    }

    fn step(&mut self) {
        let serial = 1 + self.random(3);
        match self.random(12) {
            0..=3 => self.send(serial),
            4..=7 => self.receive(serial),
            8 | 9 => self.settle(serial),
            10 => self.now += self.random(900),
            _ if self.random(4) == 0 => self.restart(),
            _ if self.random(8) == 0 => self.delete(serial),
            _ => self.mail.sweep(at(self.now)),
        }
        self.store();
    }

    fn send(&mut self, serial: u64) {
        let mut message = message(&self.sent.to_string(), Some(Ack::Full));
        let lives = 1 + self.random(5000);
        message.expiry = Some(at(self.now + lives));
        let now = self.now;
        let waiting = self.alive.values().filter(|(owner, dies)| *owner == serial && *dies > now).count();
        match self.mail.send(at(now), owner(serial), message) {
            Ok(()) => drop(self.alive.insert(self.sent, (serial, now + lives))),
            // What is locked stays past its end.
            Err(_) => assert!(waiting + self.locks.get(&serial).map_or(0, Vec::len) >= MAX_WAITING),
        }
        self.sent += 1;
    }

    fn receive(&mut self, serial: u64) {
        let (now, random) = (self.now, self.random(u64::MAX));
        let held: Vec<u64> = self.locks.entry(serial).or_default().iter().map(|lock| lock.1).collect();
        let mut tag = [0; 16];
        tag[..8].copy_from_slice(&random.to_le_bytes());
        let got = self.mail.receive(at(now), Some(&owner(serial)), Hold::Seconds(None), tag);
        self.locks.entry(serial).or_default().retain(|lock| lock.2 > now);
        let locked: Vec<u64> = self.locks[&serial].iter().map(|lock| lock.1).collect();
        let next = self
            .alive
            .iter()
            .find(|(id, (owner, dies))| *owner == serial && *dies > now && !locked.contains(id))
            .map(|(id, _)| *id);
        match got {
            Some(cloud) => {
                let id: u64 = cloud.message.id.as_deref().unwrap().parse().unwrap();
                // One before it may have been delivered too often.
                assert!(next.is_some_and(|next| next <= id) && !locked.contains(&id), "{id} after {next:?}");
                assert!(self.alive.contains_key(&id), "{id} comes again");
                if cloud.delivery_count == Some(9) {
                    self.spent.extend(self.alive.remove_entry(&id));
                }
                self.locks.entry(serial).or_default().push((cloud.lock_token, id, now + 60));
            }
            None => assert_eq!(next, None, "held before: {held:?}"),
        }
    }

    fn settle(&mut self, serial: u64) {
        let locks = self.locks.entry(serial).or_default();
        let Some((token, id, until)) = locks.pop() else { return };
        let settlement = [Settlement::Complete, Settlement::Reject, Settlement::Abandon][(id % 3) as usize];
        let done = self.mail.settle(at(self.now), Some(&owner(serial)), &token, settlement);
        assert_eq!(done.is_ok(), until > self.now, "{id}: {done:?}");
        if done.is_ok() && settlement != Settlement::Abandon {
            self.alive.remove(&id);
        }
        if done.is_ok() {
            self.spent.remove(&id);
        }
    }

    fn delete(&mut self, serial: u64) {
        self.mail.forget(serial);
        self.alive.retain(|_, (owner, _)| *owner != serial);
        self.spent.retain(|_, (owner, _)| *owner != serial);
        self.locks.remove(&serial);
    }

    fn store(&mut self) {
        for change in self.mail.take_changes() {
            match change.stored {
                Some(stored) => drop(self.disk.insert((change.owner, change.sequence), stored)),
                None => drop(self.disk.remove(&(change.owner, change.sequence))),
            }
        }
        self.mail.confirm(at(self.now));
    }

    /// Locks are gone, and what was delivered without being abandoned counts for less.
    fn restart(&mut self) {
        self.store();
        let mut again = Mail::default();
        for ((serial, _), stored) in &self.disk {
            let owner = (*serial != FEEDBACK).then(|| owner(*serial));
            again.restore(owner, stored).unwrap();
        }
        let ids = |mail: &Mail| -> Vec<(u64, u64)> {
            let entries = |(serial, queue): (&u64, &Queue)| {
                let serial = *serial;
                queue.entries().map(move |entry| (serial, entry.sequence)).collect::<Vec<_>>()
            };
            let mut ids: Vec<_> = mail.queues.iter().flat_map(entries).collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(ids(&self.mail), ids(&again));
        self.mail = again;
        self.mail.confirm(at(self.now));
        self.locks.clear();
        // The last delivery was not counted on disk: it comes once more, unless its lock had ended.
        for (id, spent) in std::mem::take(&mut self.spent) {
            let is_id = |entry: &Entry| entry.message.id.as_deref() == Some(&id.to_string());
            if self.mail.queues.get(&spent.0).is_some_and(|queue| queue.entries().any(is_id)) {
                self.alive.insert(id, spent);
            }
        }
    }
}
