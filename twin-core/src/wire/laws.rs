//! The laws: what is said is heard as it was meant, and any text at all is answered. Over a seeded generator.

use bytes::Bytes;

use super::https;
use super::mqtt::{self, Login};
use super::rest::{self, Answer, Call, IfMatch};
use super::*;
use crate::message::{Ack, Settlement};
use crate::{CloudMessage, ETag, Error, Message, Timestamp, TwinKey};

const ROUNDS: usize = 3000;

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(super) fn text(&mut self, alphabet: &str, least: usize, most: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let length = least + self.below(most - least + 1);
        (0..length).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }

    pub(super) fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.below(2) == 0 { None } else { Some(make(self)) }
    }

    pub(super) fn id(&mut self) -> String {
        self.text("aZ09-:.+%_#*?!(),=@;$'24", 1, 12)
    }

    pub(super) fn key(&mut self) -> TwinKey {
        let device = self.id();
        match self.maybe(Self::id) {
            None => TwinKey::device(device).unwrap(),
            Some(module) => TwinKey::module(device, module).unwrap(),
        }
    }

    pub(super) fn rid(&mut self) -> Rid {
        Rid(self.text("ab01-%2F/=?$ rid;ü.", 0, 12))
    }

    pub(super) fn number(&mut self) -> u64 {
        let bits = self.below(64);
        self.next() >> bits
    }

    pub(super) fn body(&mut self) -> Bytes {
        self.text("{}\":1a ", 1, 9).into()
    }

    pub(super) fn if_match(&mut self) -> IfMatch {
        match self.below(3) {
            0 => IfMatch::Absent,
            1 => IfMatch::Any,
            _ => IfMatch::ETag(ETag::new(self.text("AZaz09+/=", 1, 12))),
        }
    }

    /// Any message. Instants are whole milliseconds, and names of properties lower-case tokens: all that every protocol
    /// holds.
    pub(super) fn message(&mut self) -> Message {
        let some = |r: &mut Random| r.maybe(|r| r.text("aZ0-$.&=/%+# ü?", 1, 9).trim().to_owned());
        let some = |r: &mut Random| some(r).filter(|text| !text.is_empty());
        let instant =
            |r: &mut Random| r.maybe(|r| Timestamp::from_unix_millis(r.below(1 << 41) as i64).unwrap());
        let id = |r: &mut Random| match r.below(4) {
            0 => Some("0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0".to_owned()),
            _ => some(r),
        };
        Message {
            properties: (0..self.below(4))
                .map(|_| (self.text("ab-._~0", 1, 6), self.text("aZ0-$.&=/%+# ü?", 0, 9).trim().to_owned()))
                .collect(),
            body: self.body(),
            id: id(self),
            correlation_id: id(self),
            user_id: some(self),
            to: some(self),
            content_type: some(self),
            content_encoding: some(self),
            expiry: instant(self),
            created: instant(self),
            ack: self.maybe(|r| r.pick(&[Ack::None, Ack::Positive, Ack::Negative, Ack::Full])),
            component: some(self),
            interface_id: some(self),
            output: some(self),
        }
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

#[test]
fn what_a_device_says_is_heard_by_the_hub() {
    let mut r = Random(1);
    for _ in 0..ROUNDS {
        let key = r.key();
        let said = match r.below(4) {
            0 => Said::GetTwin { rid: r.rid() },
            1 => Said::Report { rid: r.rid(), patch: r.body(), if_version: r.maybe(Random::number) },
            2 => Said::Telemetry { tag: 0, message: Box::new(r.message()) },
            _ => Said::MethodAnswer { rid: r.rid(), status: r.next() as i32, body: r.body() },
        };
        let publish = mqtt::say(&key, &said).unwrap();
        assert_eq!(mqtt::hear(&key, &publish.topic, publish.payload).unwrap(), said, "{}", publish.topic);
        assert!(!publish.topic.contains(['#', '+']), "{}: no name of a topic", publish.topic);
    }
}

#[test]
fn what_a_hub_says_is_heard_by_the_device() {
    let mut r = Random(2);
    for _ in 0..ROUNDS {
        let key = r.key();
        let heard = match r.below(3) {
            0 => Heard::CloudToDevice(Box::new(CloudMessage::new(r.message(), ""))),
            1 => Heard::Answer {
                rid: r.rid(),
                status: r.next() as u16,
                version: r.maybe(Random::number),
                body: r.body(),
            },
            _ => Heard::Desired { version: r.maybe(Random::number), body: r.body() },
        };
        let publish = mqtt::say_hub(&key, &heard).unwrap();
        assert_eq!(mqtt::hear_hub(&key, &publish.topic, publish.payload).unwrap(), heard);
    }
}

#[test]
fn packets_of_their_own_have_no_topic() {
    let key = TwinKey::device("d").unwrap();
    let channel = Channel::Desired;
    for said in [Said::Subscribe(channel), Said::Unsubscribe(channel)] {
        assert_eq!(mqtt::say(&key, &said), None);
    }
    for heard in [Heard::Subscribed { channel, granted: true }, Heard::Unsubscribed(channel)] {
        assert_eq!(mqtt::say_hub(&key, &heard), None);
    }
    for bad in ["a&b", "a#", "+", "\0"] {
        let rid = || Rid(bad.to_owned());
        assert_eq!(mqtt::say(&key, &Said::GetTwin { rid: rid() }), None, "{bad:?}");
        let answer = Heard::Answer { rid: rid(), status: 200, version: None, body: Bytes::new() };
        assert_eq!(mqtt::say_hub(&key, &answer), None, "{bad:?}");
    }
}

#[test]
fn filters_and_logins_are_heard_as_said() {
    let mut r = Random(3);
    for _ in 0..ROUNDS {
        let key = r.key();
        use Channel::*;
        let channels = [TwinAnswers, Desired, CloudToDevice, Methods, Inputs];
        let channel = r.pick(if key.module.is_some() { &channels } else { &channels[..4] });
        assert_eq!(mqtt::hear_filter(&key, &mqtt::say_filter(&key, channel)), Some(channel), "{key}");

        assert_eq!(mqtt::hear_client_id(&mqtt::say_client_id(&key)).unwrap(), key);

        let login = Login {
            host: r.text("ab.:-9", 1, 9),
            key,
            api_version: r.maybe(|_| ApiVersion::OURS),
            product_info: r.maybe(|r| r.text("a/?&=% (ü;)+", 0, 9)),
            model_id: r.maybe(|r| r.text("dtmi:;?/&=1", 0, 9)),
        };
        let text = mqtt::say_login(&login);
        assert_eq!(mqtt::hear_login(&text).unwrap(), login, "{text}");
    }
}

fn call(r: &mut Random) -> Call {
    let key = r.key();
    match r.below(13) {
        0 => Call::GetTwin(key),
        1 => Call::PatchTwin { key, if_match: r.if_match(), body: r.body() },
        2 => Call::ReplaceTwin { key, if_match: r.if_match(), body: r.body() },
        3 => Call::GetIdentity(key),
        4 => Call::PutIdentity { key, if_match: r.if_match(), body: r.body() },
        5 => Call::DeleteIdentity { key, if_match: r.if_match() },
        6 => Call::ListDevices { top: r.maybe(|r| 1 + r.below(1000) as u32) },
        7 => Call::ListModules(key.device),
        8 => Call::Bulk { body: r.body() },
        9 => Call::DeviceStatistics,
        10 => Call::ServiceStatistics,
        11 => Call::NotYet(r.pick(&["POST /twins/{id}/methods", "GET /jobs", "GET /jobs/v2/{id}"])),
        _ => Call::Query {
            text: format!("S{}", r.text("ELCT *'\"\\\n\u{1}ü=", 0, 20)),
            page_size: r.maybe(|r| 1 + r.below(10_000) as u32),
            continuation: r.maybe(|r| r.text("AZaz09+/=-_", 1, 20)),
        },
    }
}

#[test]
fn calls_are_heard_as_said() {
    let mut r = Random(4);
    for _ in 0..ROUNDS {
        let call = call(&mut r);
        let version = r.pick(&[ApiVersion::OURS, ApiVersion::OLDEST]);
        let said = rest::say(&call, version);
        let header = |name: &str| said.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
        let heard = rest::hear(said.method, &said.target, &header, said.body.clone());
        assert_eq!(heard, Ok((call, version)), "{} {}", said.method, said.target);
    }
}

#[test]
fn answers_are_heard_as_said() {
    let mut r = Random(5);
    let now = Timestamp::NEVER;
    for _ in 0..ROUNDS {
        let query = Call::Query { text: "q".into(), page_size: None, continuation: None };
        let (asked, answer) = match r.below(3) {
            0 => (Call::DeviceStatistics, Answer::Nothing),
            1 => {
                let etag = r.maybe(|r| ETag::new(r.text("AZaz09+/=", 1, 12)));
                (Call::DeviceStatistics, Answer::Json { body: r.body(), etag })
            }
            _ => {
                let continuation = r.maybe(|r| r.text("AZaz09+/=-_", 1, 20));
                (query, Answer::Page { rows: r.body(), twins: r.below(2) == 0, continuation })
            }
        };
        let response = rest::say_answer(&Ok(answer.clone()), now);
        assert_eq!(rest::hear_answer(&asked, response).unwrap(), answer);
    }
    // A failure in part is for the client what a success is: the result of each item.
    let body = Bytes::from_static(b"{\"isSuccessful\":false}");
    let response = rest::say_answer(&Ok(Answer::BulkFailure { body: body.clone() }), now);
    assert_eq!(response.status, 400);
    let heard = rest::hear_answer(&Call::Bulk { body: Bytes::new() }, response).unwrap();
    assert_eq!(heard, Answer::Json { body, etag: None });
}

fn device_call(r: &mut Random) -> https::Call {
    let key = r.key();
    let plain = |message| Message { to: None, ..message };
    match r.below(4) {
        0 => https::Call::Send { key, message: Box::new(r.message()) },
        1 => {
            let mut messages: Vec<_> = (0..1 + r.below(3)).map(|_| plain(r.message())).collect();
            // JSON has one place for a name.
            for message in &mut messages {
                message.properties.sort();
                message.properties.dedup_by(|a, b| a.0 == b.0);
            }
            https::Call::SendBatch { key, messages }
        }
        2 => https::Call::Receive {
            key: TwinKey { module: None, ..key },
            lock_timeout: r.maybe(|r| r.below(300) as u32),
        },
        _ => https::Call::Settle {
            key: TwinKey { module: None, ..key },
            lock_token: r.text("aZ09-/%", 1, 12),
            settlement: r.pick(&[Settlement::Complete, Settlement::Reject, Settlement::Abandon]),
        },
    }
}

#[test]
fn device_calls_and_their_answers_are_heard_as_said() {
    let mut r = Random(8);
    for _ in 0..ROUNDS {
        let call = device_call(&mut r);
        let said = https::say(&call, ApiVersion::OURS);
        let headers: Vec<_> = said.headers.iter().map(|(n, v)| (&**n, &**v)).collect();
        let heard = https::hear(said.method, &said.target, &headers, said.body.clone());
        assert_eq!(heard, Some(Ok((call, ApiVersion::OURS))), "{} {}", said.method, said.target);

        let mut cloud = CloudMessage::new(r.message(), r.text("aZ09-", 1, 12));
        cloud.sequence_number = r.maybe(Random::number);
        cloud.delivery_count = r.maybe(|r| r.below(10) as u32);
        cloud.enqueued = r.maybe(|r| Timestamp::from_unix_millis(r.below(1 << 41) as i64).unwrap());
        let answer = https::Answer::Message(Box::new(cloud));
        let response = https::say_answer(&Ok(answer.clone()), Timestamp::NEVER);
        assert_eq!(https::hear_answer(response).unwrap(), answer);
    }
    let nothing = https::say_answer(&Ok(https::Answer::Nothing), Timestamp::NEVER);
    assert_eq!(https::hear_answer(nothing).unwrap(), https::Answer::Nothing);
}

/// Everything an error knows, but for the wait, which devices are not told.
fn facts(e: &Error) -> String {
    format!("{e:?} {:?} {:?}", e.message(), e.delivery())
}

#[test]
fn refusals_are_heard_as_said_on_every_protocol() {
    let mut r = Random(6);
    let now = "2024-02-29T23:59:59.1Z".parse::<Timestamp>().unwrap();
    for _ in 0..ROUNDS {
        let refusal = Refusal {
            code: r.pick(HubCode::ALL),
            message: format!("x{}x", r.text("a ;:\"\\{}ü'-", 0, 30)),
            tracking_id: r.text("0123456789abcdef", 1, 32),
            retry_after: r.maybe(|r| r.below(100) as u32),
            allowed_methods: None,
        };
        let meant = Error::from(refusal.clone());
        let device = status::device_error(refusal.code.status, refusal.device_body(now).as_bytes());
        assert_eq!(facts(&device), facts(&meant));
        let response = rest::say_answer(&Err(refusal.clone()), now);
        let service = rest::hear_answer(&Call::DeviceStatistics, response).unwrap_err();
        assert_eq!(facts(&service), facts(&meant));
        assert_eq!(service.retry_after(), meant.retry_after());
        assert_eq!(meant.retry_after().map(|w| w.as_secs() as u32), refusal.retry_after);
    }
}

/// Texts near the facts: golden lines with pieces cut, doubled, swapped and broken.
fn near_facts(r: &mut Random, rounds: usize, mut visit: impl FnMut(&TwinKey, &str)) {
    let lines: Vec<&str> = include_str!("facts/mqtt.txt")
        .lines()
        .chain(include_str!("facts/rest.txt").lines())
        .flat_map(|line| line.split(" | "))
        .collect();
    let key = TwinKey::module("d", "m").unwrap();
    for _ in 0..rounds {
        let mut bytes = r.pick(&lines).as_bytes().to_vec();
        for _ in 0..r.below(4) {
            let at = r.below(bytes.len() + 1);
            match r.below(4) {
                0 => bytes.insert(at, r.pick(b"/?&=%$#+;\"{}:,\0\xff 0")),
                1 => bytes.truncate(at),
                2 => bytes.extend_from_slice(r.pick(&lines).as_bytes()),
                _ => {
                    let at = at.min(bytes.len().saturating_sub(1));
                    bytes.drain(at..(at + r.below(3)).min(bytes.len()));
                }
            }
        }
        visit(&key, &String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn any_text_is_answered() {
    let mut r = Random(7);
    near_facts(&mut r, 20_000, |key, text| {
        let body = Bytes::copy_from_slice(text.as_bytes());
        if let Ok(said) = mqtt::hear(key, text, body.clone()) {
            // What was heard leniently is said strictly and means the same.
            if let Some(publish) = mqtt::say(key, &said) {
                let payload =
                    if matches!(said, Said::GetTwin { .. }) { body.clone() } else { publish.payload };
                assert_eq!(mqtt::hear(key, &publish.topic, payload).unwrap(), said, "{text}");
            }
        }
        if let Some(heard) = mqtt::hear_hub(key, text, body.clone())
            && let Some(publish) = mqtt::say_hub(key, &heard)
        {
            assert_eq!(mqtt::hear_hub(key, &publish.topic, publish.payload), Some(heard), "{text}");
        }
        let _ = mqtt::hear_filter(key, text);
        let _ = mqtt::hear_client_id(text);
        if let Ok(login) = mqtt::hear_login(text) {
            assert_eq!(mqtt::hear_login(&mqtt::say_login(&login)).unwrap(), login, "{text}");
        }
        let (method, target) = text.split_once(' ').unwrap_or(("GET", text));
        if let Ok((call, version)) = rest::hear(method, target, &|_| Some("x"), body.clone()) {
            let _ = rest::say(&call, version);
        }
        if let Some(Ok((call, version))) =
            https::hear(method, target, &[("content-type", text)], body.clone())
        {
            let _ = https::say(&call, version);
        }
        let batch = [("Content-Type", "application/vnd.microsoft.iothub.json")];
        let events = "/devices/d/messages/events?api-version=2021-04-12";
        assert!(https::hear("POST", events, &batch, body.clone()).is_some());
        let _ = status::rest_error(404, Some(text), Some(text), &body);
        let _ = status::device_error(400, &body);
        let _ = ApiVersion::parse(text);
    });
}

#[test]
fn long_texts_are_shown_short() {
    let key = TwinKey::device("d").unwrap();
    let long = "x".repeat(1_000_000);
    let topic = mqtt::hear(&key, &format!("devices/{long}"), Bytes::new()).unwrap_err();
    let path = rest::hear("GET", &format!("/{long}"), &|_| None, Bytes::new()).unwrap_err();
    let body = status::device_error(400, long.as_bytes());
    for text in [topic.to_string(), path.message, body.to_string()] {
        assert!(text.len() < 2000, "{} bytes", text.len());
    }
}
