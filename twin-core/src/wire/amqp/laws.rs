//! What is said is heard as it was meant, and anything at all is answered. Over a seeded generator.

use bytes::Bytes;

use super::*;
use crate::auth::{Key, SasToken, Scope};
use crate::wire::laws::Random;
use crate::wire::{Channel, Heard, Said};
use crate::{CloudMessage, HostName, Timestamp, TwinKey};

const ROUNDS: usize = 3000;

fn correlation(r: &mut Random) -> Correlation {
    match r.below(4) {
        0 => Correlation::Text(r.text("\0ubtn01af-é", 0, 8)),
        1 => Correlation::Uuid(std::array::from_fn(|_| r.next() as u8)),
        2 => Correlation::Ulong(r.number()),
        _ => Correlation::Binary((0..r.below(20)).map(|_| r.next() as u8).collect()),
    }
}

fn address(r: &mut Random) -> Address {
    let key = r.key();
    match r.below(9) {
        0 => Address::Cbs,
        1 => Address::Twin(key),
        2 => Address::Methods(key),
        3 => Address::Events(key),
        4 => Address::DeviceBound(key),
        5 => Address::ServiceSend,
        6 => Address::Feedback,
        7 => Address::FileNotifications,
        _ => Address::Telemetry { partition: r.maybe(|r| (r.text("$aD%/é", 1, 9), r.text("0123", 1, 2))) },
    }
}

#[test]
fn correlation_ids_come_back_in_their_type() {
    let mut r = Random(11);
    for _ in 0..ROUNDS {
        let id = correlation(&mut r);
        assert_eq!(Correlation::from_rid(&id.to_rid()), id);
    }
    for text in ["", "\0", "\0x", "\0u1", "\0uzz", "\0n", "\0n-1", "\0bzz", "\0b1é"] {
        // Whatever it is, it is something.
        let _ = Correlation::from_rid(&crate::wire::Rid(text.to_owned()));
    }
}

#[test]
fn addresses_are_heard_as_said() {
    let mut r = Random(12);
    for _ in 0..ROUNDS {
        let address = address(&mut r);
        let text = say_address(&address);
        assert_eq!(hear_address(&text, &|_| false).unwrap(), address, "{text}");
        let absolute = format!("amqps://h:5671/{}", text.trim_start_matches('/'));
        assert_eq!(hear_address(&absolute, &|_| false).unwrap(), address, "{absolute}");
    }
}

#[test]
fn ids_as_they_are_are_heard_by_whoever_knows_them() {
    let mut r = Random(13);
    for _ in 0..ROUNDS {
        let key = r.key();
        let text = match &key.module {
            None => format!("devices/{}/twin", key.device),
            Some(module) => format!("devices/{}/modules/{module}/twin", key.device),
        };
        assert_eq!(hear_address(&text, &|k| *k == key).unwrap(), Address::Twin(key), "{text}");
    }
}

#[test]
fn tokens_are_heard_as_said() {
    let mut r = Random(14);
    let secret = Key::from_base64("MDEyMzQ1Njc4OWFiY2RlZg==").unwrap();
    for _ in 0..300 {
        let (host, key) = (HostName::new("h:1").unwrap(), r.key());
        let scope = if r.below(4) == 0 { Scope::Hub(host) } else { Scope::Twin(host, key) };
        let token = SasToken::sign(&scope.resource(), &secret, None, "2099-01-01T00:00:00Z".parse().unwrap());
        let id = correlation(&mut r);
        let message = say_put_token(id.clone(), &scope, &token);
        assert_eq!(message.id, Some(id));
        let known = |key: &TwinKey| matches!(&scope, Scope::Twin(_, k) if k == key);
        let heard = hear_put_token(&message, &known).unwrap();
        assert_eq!((heard.scope, heard.token.expose()), (scope.clone(), token.expose()));
    }
}

#[test]
fn what_a_device_says_is_heard_by_the_hub() {
    let mut r = Random(15);
    for _ in 0..ROUNDS {
        let id = correlation(&mut r);
        let rid = id.to_rid();
        // A version is a `long` on the wire.
        let version = r.maybe(|r| r.number() >> 1);
        let said = match r.below(4) {
            0 => Said::GetTwin { rid },
            1 => Said::Report { rid, patch: r.body(), if_version: version },
            2 => Said::Subscribe(Channel::Desired),
            _ => Said::Unsubscribe(Channel::Desired),
        };
        let message = say(&said, id.clone()).unwrap();
        assert_eq!(message.correlation, Some(id));
        assert_eq!(hear(&message).unwrap(), said);
    }
    assert_eq!(say(&Said::Subscribe(Channel::TwinAnswers), Correlation::Ulong(1)), None);
}

#[test]
fn what_a_hub_says_is_heard_by_the_device() {
    let mut r = Random(16);
    for _ in 0..ROUNDS {
        let version = r.maybe(|r| r.number() >> 1);
        let heard = match r.below(2) {
            0 => Heard::Answer {
                rid: correlation(&mut r).to_rid(),
                status: r.next() as u16,
                version,
                body: r.body(),
            },
            _ => Heard::Desired { version, body: r.body() },
        };
        assert_eq!(hear_hub(&say_hub(&heard).unwrap()).unwrap(), Some(heard));
    }
    let channel = Channel::Desired;
    assert_eq!(say_hub(&Heard::Subscribed { channel, granted: true }), None);
}

#[test]
fn anything_at_all_is_answered() {
    let mut r = Random(17);
    let names = ["operation", "resource", "version", "status", "type", "name", "status-code", "x"];
    let values =
        ["GET", "PATCH", "PUT", "/properties/reported", "put-token", "h/devices/d", "jwt", "é%f", ""];
    let alphabet = "/devicsmoultwn$b%2FéamqpsEv:\0# ";
    for _ in 0..ROUNDS {
        let text = r.text(alphabet, 0, 40);
        if let Ok(address) = hear_address(&text, &|_| false) {
            assert_eq!(hear_address(&say_address(&address), &|_| false).unwrap(), address, "{text}");
        }
        let pairs = |r: &mut Random| -> Vec<_> {
            let value = |r: &mut Random| match r.below(3) {
                0 => Scalar::Int(r.next() as i32),
                1 => Scalar::Long(r.next() as i64),
                _ => Scalar::from(r.pick(&values)),
            };
            (0..r.below(4)).map(|_| (r.pick(&names).into(), value(r))).collect()
        };
        let message = Message {
            correlation: r.maybe(correlation),
            annotations: pairs(&mut r),
            properties: pairs(&mut r),
            body: if r.below(2) == 0 { Body::Data(r.body()) } else { Body::Text(text.clone()) },
            ..Message::default()
        };
        if let Ok(said) = hear(&message) {
            assert!(say(&said, Correlation::Ulong(1)).is_some());
        }
        let _ = (hear_hub(&message), hear_put_token(&message, &|_| true), hear_token_answer(&message));
        let error = hear_condition(&text, Some(&r.text(alphabet, 0, 10)));
        assert!(!error.message().is_empty());
        let _: Bytes = message.bytes();
    }
}

#[test]
fn messages_are_heard_as_said() {
    let mut r = Random(18);
    for _ in 0..ROUNDS {
        let cargo = r.message();
        assert_eq!(hear_message(&say_message(&cargo)), cargo);

        let mut cloud = CloudMessage::new(cargo.clone(), r.text("09af-", 1, 9));
        cloud.sequence_number = r.maybe(|r| r.below(1 << 40) as u64);
        cloud.enqueued = Timestamp::from_unix_millis(r.below(1 << 41) as i64);
        cloud.delivery_count = r.maybe(|r| r.below(9) as u32);
        assert_eq!(hear_cloud_message(&say_cloud_message(&cloud), cloud.lock_token.clone()), cloud);

        // Only what says no place of its own names the link.
        let key = r.key();
        let to = cargo.to.clone().unwrap_or_else(|| say_address(&Address::Events(key.clone())));
        assert_eq!(hear_message(&say_telemetry(&key, &cargo)).to, Some(to));
    }
}

#[test]
fn what_the_node_sdk_makes_of_a_message() {
    // amqp_message.ts: UUIDs as such, `iothub-ack` an application property, `dt-subject` and the interface annotations.
    let id = "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0";
    let mut cargo = crate::Message::new("x").with_id(id).with_correlation_id("c").with_property("k", "v");
    (cargo.ack, cargo.component) = (Some(crate::message::Ack::Full), Some("s".into()));
    let said = say_telemetry(&crate::TwinKey::device("a b".replace(' ', "#")).unwrap(), &cargo);
    assert_eq!(
        said.id,
        Some(Correlation::Uuid(0x0f1e_2d3c_4b5a_4978_8796_a5b4_c3d2_e1f0_u128.to_be_bytes()))
    );
    assert_eq!(said.correlation, Some(Correlation::Text("c".into())));
    assert_eq!(said.property("iothub-ack"), Some(&"full".into()));
    assert_eq!(said.property("k"), Some(&"v".into()));
    assert_eq!(said.annotation("dt-subject"), Some(&"s".into()));
    assert_eq!(said.to.as_deref(), Some("/devices/a%23b/messages/events"));
    // rhea hands a UUID on as 16 bytes; services send numbers among the properties.
    let bytes = Correlation::Binary(Bytes::copy_from_slice(&[0xab; 16]));
    let message =
        Message { id: Some(bytes), properties: vec![("n".into(), Scalar::Int(-7))], ..Message::default() };
    let heard = hear_message(&message);
    assert_eq!(heard.id.as_deref(), Some("abababab-abab-abab-abab-abababababab"));
    assert_eq!(heard.property("n"), Some("-7"));
}
