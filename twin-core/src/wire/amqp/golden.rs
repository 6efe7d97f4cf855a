//! The golden lines of `facts/amqp.txt`, read in both directions.

use bytes::Bytes;

use super::*;
use crate::auth::{Key, SasToken, Scope};
use crate::error::{Error, ErrorKind};
use crate::wire::{Channel, Heard, HubCode, Refusal, Rid, Said};
use crate::{Timestamp, TwinKey};

/// The hub knows this one as it stands.
fn known(key: &TwinKey) -> bool {
    key.device.as_str().starts_with("known")
}

fn words(e: Error) -> String {
    e.message().to_owned()
}

fn option(name: &str, value: Option<impl std::fmt::Display>) -> String {
    value.map(|v| format!(" {name}={v}")).unwrap_or_default()
}

/// `name=value name=value`; digits are numbers.
fn pairs(text: &str) -> Vec<(String, Scalar)> {
    let number = |text: &str| text.parse().map(Scalar::Long).unwrap_or_else(|_| Scalar::from(text));
    text.split(' ').filter_map(|p| p.split_once('=')).map(|(n, v)| (n.to_owned(), number(v))).collect()
}

/// The other way.
fn show<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p Scalar)>) -> String {
    pairs.into_iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join(" ")
}

/// A message with these annotations; `id` is its correlation id.
fn annotated(text: &str) -> Message {
    let mut message = Message { body: Body::Data(Bytes::from_static(b"x")), ..Message::default() };
    for (name, value) in pairs(text) {
        match (&*name, value) {
            ("id", Scalar::Long(id)) => message.correlation = Some(Correlation::Text(id.to_string())),
            (_, value) => message.annotations.push((name.into(), value)),
        }
    }
    message
}

fn show_annotations(message: &Message, with_id: bool) -> String {
    let id = message.correlation.as_ref().filter(|_| with_id).map(|id| Scalar::Text(id.to_rid().0));
    show(id.iter().map(|id| ("id", id)).chain(message.annotations.iter().map(|(n, v)| (&**n, v))))
}

fn show_error(error: &Error, with_id: bool) -> String {
    let dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let id = if with_id { dash(error.tracking_id().map(str::to_owned)) + " " } else { String::new() };
    format!(
        "{} {} {} {id}{}",
        error.kind().name(),
        dash(error.status().map(|s| s.to_string())),
        dash(error.code().map(|c| c.to_string())),
        error.message()
    )
}

/// One thing heard: what it means, and how we would say it.
fn hear_one(what: &str, text: &str) -> Result<(String, String), String> {
    Ok(match what {
        "address" => {
            let address = hear_address(text, &known).map_err(|e| {
                assert_eq!(e.kind(), ErrorKind::NotFound);
                words(e)
            })?;
            let shown = format!("{address:?}");
            let name = shown.split(['(', ' ']).next().unwrap();
            let rest = match &address {
                Address::Telemetry { partition: Some((group, partition)) } => format!(" {group} {partition}"),
                other => other.key().map(|key| format!(" {key}")).unwrap_or_default(),
            };
            (format!("{name}{rest}"), say_address(&address))
        }
        "audience" => {
            let key = Key::from_base64("MDEyMzQ1Njc4OWFiY2RlZg==").unwrap();
            let token = SasToken::sign("r", &key, None, "2099-01-01T00:00:00Z".parse().unwrap());
            let put = |name: &str| Message {
                properties: vec![
                    ("operation".into(), "put-token".into()),
                    ("type".into(), "servicebus.windows.net:sastoken".into()),
                    ("name".into(), name.into()),
                ],
                body: Body::Text(token.expose().to_owned()),
                ..Message::default()
            };
            let heard = hear_put_token(&put(text), &known).map_err(words)?;
            let meaning = match &heard.scope {
                Scope::Hub(host) => host.to_string(),
                Scope::Twin(host, key) => format!("{host} {key}"),
            };
            let said = say_put_token(Correlation::Ulong(1), &heard.scope, &heard.token);
            (meaning, said.property("name").unwrap().as_text().unwrap().to_owned())
        }
        "link" => {
            let pairs = pairs(text);
            let heard = hear_link_properties(pairs.iter().map(|(n, v)| (&**n, v.clone()))).map_err(words)?;
            let meaning = option("api", heard.api_version)
                + &option("client", heard.client_version.as_ref())
                + &option("channel", heard.channel.as_ref())
                + &option("model", heard.model_id.as_ref())
                + &option("chain", heard.auth_chain.as_ref());
            let said = say_link_properties(&heard);
            let said: Vec<_> = said.into_iter().map(|(n, v)| (n, Scalar::Text(v))).collect();
            (meaning.trim().to_owned(), show(said.iter().map(|(n, v)| (*n, v))))
        }
        "request" => {
            let mut message = annotated(text);
            let id = Correlation::Uuid(*b"0123456789abcdef");
            message.correlation = Some(id.clone());
            let said = hear(&message).map_err(words)?;
            let meaning = match &said {
                Said::GetTwin { .. } => "get".to_owned(),
                Said::Report { if_version, .. } => format!("report{}", option("if-version", *if_version)),
                Said::Subscribe(Channel::Desired) => "watch".to_owned(),
                Said::Unsubscribe(Channel::Desired) => "unwatch".to_owned(),
                other => format!("{other:?}"),
            };
            (meaning, show_annotations(&super::say(&said, id).unwrap(), false))
        }
        "deliver" => {
            let heard = hear_hub(&annotated(text)).map_err(words)?.ok_or_else(|| "none".to_owned())?;
            let meaning = match &heard {
                Heard::Answer { rid, status, version, .. } => {
                    format!("answer id={} status={status}{}", rid.0, option("version", *version))
                }
                Heard::Desired { version, .. } => format!("desired{}", option("version", *version)),
                other => format!("{other:?}"),
            };
            (meaning, show_annotations(&say_hub(&heard).unwrap(), true))
        }
        "token" => {
            let (code, description) = text.split_once(" status-description=").unwrap_or((text, ""));
            let mut properties = pairs(code);
            properties.push(("status-description".into(), description.into()));
            let properties = properties.into_iter().map(|(n, v)| (n.into(), v)).collect();
            let id = Correlation::Ulong(7);
            let message = Message { correlation: Some(id.clone()), properties, ..Message::default() };
            let (heard_id, heard) = hear_token_answer(&message).ok_or_else(|| "none".to_owned())?;
            assert_eq!(heard_id, id);
            let refusal = heard.as_ref().err().map(|e| {
                let code = e.code().and_then(HubCode::by_number).unwrap_or(HubCode::SERVER_ERROR);
                Refusal::new(code, e.message())
            });
            let said = say_token_answer(id, refusal.as_ref().map_or(Ok(()), Err));
            let meaning = heard.map_or_else(|e| show_error(&e, false), |()| "ok".to_owned());
            (meaning, show(said.properties.iter().map(|(n, v)| (&**n, v))))
        }
        "condition" => {
            let (condition, description) = text.split_once(' ').unwrap_or((text, ""));
            let error = hear_condition(condition, Some(description));
            let code = error.code().and_then(HubCode::by_number).unwrap_or(HubCode::NOT_IMPLEMENTED);
            let said_text = error.message().split(" (").next().unwrap();
            let mut refusal = Refusal::new(code, said_text);
            refusal.tracking_id = error.tracking_id().unwrap_or_default().to_owned();
            let now: Timestamp = "2022-06-01T22:27:50.2612586Z".parse().unwrap();
            let said = say_refusal(&refusal, now);
            (show_error(&error, true), format!("{} {}", said.condition, said.description))
        }
        other => panic!("{other} is no kind of fact"),
    })
}

#[test]
fn amqp_facts() {
    let lines = include_str!("../facts/amqp.txt").lines();
    let lines: Vec<_> = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(lines.len() > 80, "hardly any facts");
    for line in lines {
        let columns: Vec<_> = line.split('|').map(str::trim).collect();
        let [what, text, meaning, source] = columns[..] else { panic!("{line}") };
        assert!(!source.is_empty(), "a source is missing: {line}");
        match (what.chars().last(), hear_one(what.trim_end_matches(['?', '!']), text)) {
            (Some('!'), Err(why)) => assert!(why.contains(meaning), "{line}: {why}"),
            (Some('!'), Ok(heard)) => panic!("{line} was heard: {heard:?}"),
            (_, Err(why)) => panic!("{line} was not heard: {why}"),
            (last, Ok((heard, said))) => {
                assert_eq!(heard, meaning, "{line}");
                if last == Some('?') {
                    assert_ne!(said, text, "{line} is said so: take the '?' off");
                } else {
                    assert_eq!(said, text, "{line}");
                }
            }
        }
    }
}

#[test]
fn every_code_has_a_condition_that_means_the_same_to_clients() {
    let now: Timestamp = "2022-06-01T22:27:50Z".parse().unwrap();
    for code in HubCode::ALL {
        let said = say_refusal(&Refusal::new(*code, "m"), now);
        assert_ne!(kind_of(said.condition), ErrorKind::Protocol, "{code:?}: {}", said.condition);
        let heard = hear_condition(said.condition, Some(&said.description));
        assert_eq!((heard.code(), heard.status()), (Some(code.number), Some(code.status)), "{said:?}");
        if matches!(code.status, 401 | 404 | 412 | 413 | 429 | 503) {
            let http = crate::wire::status::kind_of(code.status);
            assert_eq!(heard.kind(), http, "{code:?}: {heard:?}");
        }
    }
    assert_eq!(kind_of("amqp:never-heard-of"), ErrorKind::Protocol);
}

#[test]
fn requests_without_correlation_id_cannot_be_answered() {
    let mut message = super::say(&Said::GetTwin { rid: Rid("1".into()) }, Correlation::Ulong(1)).unwrap();
    assert!(hear(&message).is_ok());
    message.correlation = None;
    assert!(hear(&message).unwrap_err().message().contains("correlation-id"));
}

#[test]
fn tokens_that_are_none() {
    let put = |operation: &str, kind: &str, body: &str| Message {
        properties: vec![
            ("operation".into(), operation.into()),
            ("type".into(), kind.into()),
            ("name".into(), "h/devices/d".into()),
        ],
        body: Body::Text(body.to_owned()),
        ..Message::default()
    };
    let sas = "servicebus.windows.net:sastoken";
    for (message, kind, why) in [
        (put("get-token", sas, ""), ErrorKind::InvalidArgument, "put-token"),
        (put("put-token", "jwt", ""), ErrorKind::NotSupported, "Entra"),
        (put("put-token", "x", ""), ErrorKind::InvalidArgument, sas),
        (Message::default(), ErrorKind::InvalidArgument, "operation"),
    ] {
        let error = hear_put_token(&message, &|_| false).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(why), "{error}");
    }
    let bad = put("put-token", sas, "SharedAccessSignature sr=h&sig=c2VjcmV0&se=x");
    let error = hear_put_token(&bad, &|_| false).unwrap_err();
    assert!(!format!("{error:?} {bad:?}").contains("c2VjcmV0"), "{error:?} {bad:?}");
}

#[test]
fn links_exist_in_their_directions_only() {
    let (d, m) = (TwinKey::device("d").unwrap(), TwinKey::module("d", "m").unwrap());
    let both = |address: Address| (address.allows(Direction::ToHub), address.allows(Direction::FromHub));
    assert_eq!(both(Address::Cbs), (true, true));
    assert_eq!(both(Address::Twin(d.clone())), (true, true));
    assert_eq!(both(Address::Methods(m.clone())), (true, true));
    assert_eq!(both(Address::Events(d.clone())), (true, false));
    assert_eq!(both(Address::Events(m)), (true, true));
    assert_eq!(both(Address::DeviceBound(d)), (false, true));
    assert_eq!(both(Address::ServiceSend), (true, false));
    assert_eq!(both(Address::Feedback), (false, true));
    assert_eq!(both(Address::Telemetry { partition: None }), (false, true));
}

#[test]
fn redirects_are_heard_as_said() {
    let redirect = Redirect {
        hostname: "e.servicebus.windows.net".into(),
        network_host: "e.servicebus.windows.net".into(),
        port: 5671,
        address: "amqps://e.servicebus.windows.net:5671/hub/ConsumerGroups/$Default/Partitions/0".into(),
    };
    assert_eq!(Redirect::hear(redirect.say()), Some(redirect.clone()));
    assert_eq!(Redirect::hear([("port", Scalar::Int(1))]), None);
    assert_eq!(kind_of(Redirect::CONDITION), ErrorKind::Unavailable);
}
