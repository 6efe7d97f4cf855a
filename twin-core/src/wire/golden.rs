//! The golden lines of `facts/*.txt`, read in both directions.

use bytes::Bytes;

use super::mqtt::{self, Login};
use super::rest::{self, Answer, Call, IfMatch, Response};
use super::*;
use crate::error::Result;
use crate::{ErrorKind, Timestamp, TwinKey};

/// The columns of each line of facts.
pub(super) fn lines(text: &'static str, columns: usize) -> Vec<Vec<&'static str>> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let split = |line: &'static str| {
        let columns_of: Vec<_> = line.split(" | ").map(str::trim).collect();
        assert_eq!(columns_of.len(), columns, "{line}");
        assert!(!columns_of[columns - 1].is_empty(), "a source is missing: {line}");
        columns_of
    };
    let lines: Vec<_> = lines.map(split).collect();
    assert!(lines.len() > 20, "hardly any facts");
    lines
}

pub(super) fn option<T: std::fmt::Display>(name: &str, value: &Option<T>) -> String {
    value.as_ref().map(|v| format!(" {name}={v}")).unwrap_or_default()
}

/// The properties of a message: ours as `name=value`, the application's as `name:value`.
pub(super) fn show_message(message: &crate::Message) -> String {
    let own = message.properties.iter().map(|(name, value)| format!(" {name}:{value}"));
    option("id", &message.id)
        + &option("correlation", &message.correlation_id)
        + &option("user", &message.user_id)
        + &option("to", &message.to)
        + &option("type", &message.content_type)
        + &option("encoding", &message.content_encoding)
        + &option("expiry", &message.expiry)
        + &option("created", &message.created)
        + &option("ack", &message.ack)
        + &option("output", &message.output)
        + &option("component", &message.component)
        + &option("interface", &message.interface_id)
        + &own.collect::<String>()
}

fn key(text: &str) -> TwinKey {
    match text {
        "-" => TwinKey::device("unused").unwrap(),
        text => mqtt::hear_client_id(text).unwrap(),
    }
}

/// One thing heard: what it means, and how we would say it.
fn hear_mqtt(what: &str, key: &TwinKey, text: &str) -> Result<(String, String), String> {
    let body = Bytes::from_static(b"x");
    let none = || "none".to_owned();
    let words = |e: crate::Error| e.message().to_owned();
    Ok(match what {
        "filter" => {
            let channel = mqtt::hear_filter(key, text).ok_or_else(none)?;
            (format!("{channel:?}"), mqtt::say_filter(key, channel))
        }
        "publish" => {
            let said = mqtt::hear(key, text, body).map_err(words)?;
            let meaning = match &said {
                Said::GetTwin { rid } => format!("get rid={}", rid.0),
                Said::Report { rid, if_version, .. } => {
                    format!("report rid={}{}", rid.0, option("if-version", if_version))
                }
                Said::Telemetry { message, .. } => format!("telemetry{}", show_message(message)),
                Said::MethodAnswer { rid, status, .. } => {
                    format!("method-answer rid={} status={status}", rid.0)
                }
                other => format!("{other:?}"),
            };
            (meaning, mqtt::say(key, &said).unwrap().topic)
        }
        "deliver" => {
            let heard = mqtt::hear_hub(key, text, body).ok_or_else(none)?;
            let meaning = match &heard {
                Heard::Answer { rid, status, version, .. } => {
                    format!("answer rid={} status={status}{}", rid.0, option("version", version))
                }
                Heard::Desired { version, .. } => format!("desired{}", option("version", version)),
                Heard::CloudToDevice(cloud) => format!("message{}", show_message(&cloud.message)),
                other => format!("{other:?}"),
            };
            (meaning, mqtt::say_hub(key, &heard).unwrap().topic)
        }
        "login" => {
            let login = mqtt::hear_login(text).map_err(words)?;
            let Login { host, key, api_version, product_info, model_id } = &login;
            let optional =
                option("api", api_version) + &option("model", model_id) + &option("product", product_info);
            (format!("host={host} who={key}{optional}"), mqtt::say_login(&login))
        }
        "client-id" => {
            let key = mqtt::hear_client_id(text).map_err(words)?;
            (key.to_string(), mqtt::say_client_id(&key))
        }
        other => panic!("{other} is no kind of fact"),
    })
}

#[test]
fn mqtt_facts() {
    for line in lines(include_str!("facts/mqtt.txt"), 5) {
        let [what, who, text, meaning, _] = line[..] else { unreachable!() };
        let kind = what.trim_end_matches(['?', '!']);
        match (what.chars().last(), hear_mqtt(kind, &key(who), text)) {
            (Some('!'), Err(why)) => assert!(why.contains(meaning), "{line:?}: {why}"),
            (Some('!'), Ok(heard)) => panic!("{line:?} was heard: {heard:?}"),
            (_, Err(why)) => panic!("{line:?} was not heard: {why}"),
            (Some('?'), Ok((heard, said))) => {
                assert_eq!(heard, meaning, "{line:?}");
                assert_ne!(said, text, "{line:?} is said so: take the '?' off");
            }
            (_, Ok((heard, said))) => {
                assert_eq!(heard, meaning, "{line:?}");
                assert_eq!(said, text, "{line:?}");
            }
        }
    }
}

pub(super) fn headers(text: &str) -> Vec<(String, String)> {
    let pair = |text: &str| {
        let (name, value) = text.split_once(':').unwrap();
        (name.trim().to_owned(), value.trim().to_owned())
    };
    if text == "-" { Vec::new() } else { text.split(";;").map(pair).collect() }
}

pub(super) fn body(text: &str) -> Bytes {
    Bytes::from(if text == "-" { String::new() } else { text.to_owned() })
}

fn show_call(call: &Call) -> String {
    let matching = |m: &IfMatch| match m {
        IfMatch::Absent => String::new(),
        IfMatch::Any => " match=*".to_owned(),
        IfMatch::ETag(etag) => format!(" match={}", etag.as_str()),
    };
    match call {
        Call::GetTwin(key) => format!("GetTwin {key}"),
        Call::PatchTwin { key, if_match, .. } => format!("PatchTwin {key}{}", matching(if_match)),
        Call::ReplaceTwin { key, if_match, .. } => format!("ReplaceTwin {key}{}", matching(if_match)),
        Call::GetIdentity(key) => format!("GetIdentity {key}"),
        Call::PutIdentity { key, if_match, .. } => format!("PutIdentity {key}{}", matching(if_match)),
        Call::DeleteIdentity { key, if_match } => format!("DeleteIdentity {key}{}", matching(if_match)),
        Call::ListDevices { top } => format!("ListDevices{}", option("top", top)),
        Call::ListModules(device) => format!("ListModules {device}"),
        Call::Bulk { .. } => "Bulk".to_owned(),
        Call::DeviceStatistics => "DeviceStatistics".to_owned(),
        Call::ServiceStatistics => "ServiceStatistics".to_owned(),
        Call::Query { text, page_size, continuation } => format!(
            "Query size={} token={} {text}",
            page_size.map(|n| n.to_string()).unwrap_or_default(),
            continuation.as_deref().unwrap_or_default()
        ),
        Call::NotYet(name) => format!("NotYet {name}"),
    }
}

#[test]
fn rest_requests() {
    for line in lines(include_str!("facts/rest.txt"), 6) {
        let [what, request, given, content, meaning, _] = line[..] else { unreachable!() };
        if !what.starts_with("request") {
            continue;
        }
        let (method, target) = request.split_once(' ').unwrap();
        let given = headers(given);
        let header = |name: &str| given.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        match (what.chars().last(), rest::hear(method, target, &header, body(content))) {
            (Some('!'), Ok(heard)) => panic!("{line:?} was heard: {heard:?}"),
            (Some('!'), Err(refusal)) => {
                let shown = format!("{} {}", refusal.code.number, refusal.code.name);
                let text = meaning.strip_prefix(&shown).unwrap_or_else(|| panic!("{line:?}: {refusal:?}"));
                assert!(refusal.message.contains(text.trim()), "{line:?}: {refusal:?}");
            }
            (_, Err(refusal)) => panic!("{line:?} was refused: {refusal:?}"),
            (last, Ok((call, api_version))) => {
                assert_eq!(show_call(&call), meaning, "{line:?}");
                let mut said = rest::say(&call, api_version);
                said.headers.retain(|(name, _)| !matches!(*name, "accept" | "content-type"));
                let same_headers = said.headers.len() == given.len()
                    && said.headers.iter().zip(&given).all(|(a, b)| (a.0, &a.1) == (&*b.0, &b.1));
                let same = format!("{} {}", said.method, said.target) == request
                    && same_headers
                    && said.body == body(content);
                assert_eq!(same, last != Some('?'), "{line:?}: {said:?}");
            }
        }
    }
}

fn show_answer(answer: &crate::Result<Answer>) -> String {
    match answer {
        Ok(Answer::Nothing) => "nothing".to_owned(),
        Ok(Answer::BulkFailure { .. }) => "bulk-failure".to_owned(),
        Ok(Answer::Json { etag, .. }) => {
            format!("json etag={}", etag.as_ref().map(|e| e.as_str()).unwrap_or_default())
        }
        Ok(Answer::Page { twins, continuation, .. }) => {
            let kind = if *twins { "twins" } else { "rows" };
            format!("page {kind} token={}", continuation.as_deref().unwrap_or_default())
        }
        Err(e) => format!(
            "error {} {} {} {}{} {}",
            e.kind().name(),
            e.code().map_or("-".to_owned(), |c| c.to_string()),
            e.code_name().unwrap_or("-"),
            e.tracking_id().unwrap_or("-"),
            option("after", &e.retry_after().map(|wait| wait.as_secs())),
            e.message()
        ),
    }
}

#[test]
fn rest_answers() {
    let now: Timestamp = "2022-06-01T22:27:50.2612586Z".parse().unwrap();
    let query = Call::Query { text: "q".into(), page_size: None, continuation: None };
    let bulk = Call::Bulk { body: Bytes::new() };
    for line in lines(include_str!("facts/rest.txt"), 6) {
        let [what, asked, given, content, meaning, _] = line[..] else { unreachable!() };
        if !what.starts_with("answer") {
            continue;
        }
        let (status, call) = asked.split_once(' ').unwrap();
        let call = match call {
            "query" => &query,
            "bulk" => &bulk,
            _ => &Call::DeviceStatistics,
        };
        let response =
            Response { status: status.parse().unwrap(), headers: headers(given), body: body(content) };
        let heard = rest::hear_answer(call, response.clone());
        assert_eq!(show_answer(&heard), meaning, "{line:?}");
        if !what.ends_with('?') {
            let answer = heard.map_err(|e| Refusal {
                code: HubCode::by_number(e.code().unwrap()).unwrap(),
                message: e.message().to_owned(),
                tracking_id: e.tracking_id().unwrap().to_owned(),
                retry_after: e.retry_after().map(|wait| wait.as_secs() as u32),
                allowed_methods: None,
            });
            assert_eq!(rest::say_answer(&answer, now), response, "{line:?}");
        }
    }
}

#[test]
fn foreign_topics_are_forbidden_and_unknown_ones_invalid() {
    let key = TwinKey::device("d").unwrap();
    let kind = |topic| mqtt::hear(&key, topic, Bytes::new()).unwrap_err().kind();
    assert_eq!(kind("devices/other/messages/events/"), ErrorKind::Forbidden);
    assert_eq!(kind("devices/d/messages/nothing"), ErrorKind::InvalidArgument);
    assert_eq!(kind("$iothub/twin/GET/"), ErrorKind::InvalidArgument);
}
