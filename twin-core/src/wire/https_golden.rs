//! The golden lines of `facts/https.txt`, read in both directions.

use super::golden::{body, headers, lines, option, show_message};
use super::https::{self, Answer, Call};
use super::rest::Response;
use crate::Timestamp;

fn facts() -> impl Iterator<Item = [&'static str; 5]> {
    let line = |line: Vec<&'static str>| [line[0], line[1], line[2], line[3], line[4]];
    lines(include_str!("facts/https.txt"), 6).into_iter().map(line)
}

fn show_call(call: &Call) -> String {
    match call {
        Call::Send { key, message } => format!("send {key}{}", show_message(message)),
        Call::SendBatch { key, messages } => {
            let text = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap();
            let item = |m: &crate::Message| format!(" [{}{}]", text(&m.body), show_message(m));
            format!("batch {key}{}", messages.iter().map(item).collect::<String>())
        }
        Call::Receive { key, lock_timeout } => format!("receive {key}{}", option("lock", lock_timeout)),
        Call::Settle { key, lock_token, settlement } => format!("{settlement:?} {key} {lock_token}"),
    }
}

#[test]
fn requests() {
    for [what, request, given, content, meaning] in facts() {
        if !what.starts_with("request") {
            continue;
        }
        let (method, target) = request.split_once(' ').unwrap();
        let given = headers(given);
        let pairs: Vec<_> = given.iter().map(|(n, v)| (&**n, &**v)).collect();
        let heard = https::hear(method, target, &pairs, body(content)).expect(request);
        match (what.chars().last(), heard) {
            (Some('!'), Ok(heard)) => panic!("{request} was heard: {heard:?}"),
            (Some('!'), Err(refusal)) => {
                let shown = format!("{} {}", refusal.code.number, refusal.code.name);
                let text = meaning.strip_prefix(&shown).unwrap_or_else(|| panic!("{refusal:?}"));
                assert!(refusal.message.contains(text.trim()), "{request}: {refusal:?}");
            }
            (_, Err(refusal)) => panic!("{request} was refused: {refusal:?}"),
            (last, Ok((call, version))) => {
                assert_eq!(show_call(&call), meaning, "{request}");
                let said = https::say(&call, version);
                let same = format!("{} {}", said.method, said.target) == request
                    && said.headers == given
                    && said.body == body(content);
                assert_eq!(same, last != Some('?'), "{request}: {said:?}");
            }
        }
    }
}

#[test]
fn answers() {
    for [what, status, given, content, meaning] in facts() {
        if !what.starts_with("answer") {
            continue;
        }
        let response =
            Response { status: status.parse().unwrap(), headers: headers(given), body: body(content) };
        let heard = https::hear_answer(response.clone());
        let shown = match &heard {
            Ok(Answer::Nothing) => "nothing".to_owned(),
            Ok(Answer::Message(cloud)) => {
                format!("message {}", cloud.lock_token)
                    + &option("sequence", &cloud.sequence_number)
                    + &option("enqueued", &cloud.enqueued)
                    + &option("count", &cloud.delivery_count)
                    + &show_message(&cloud.message)
            }
            Err(error) => format!("{:?} {}", error.kind(), error.code().unwrap_or_default()),
        };
        assert_eq!(shown, meaning, "{status} {given}");
        if !what.ends_with(['?', '!']) {
            assert_eq!(https::say_answer(&Ok(heard.unwrap()), Timestamp::NEVER), response, "{given}");
        }
    }
}

#[test]
fn paths_of_others_are_left_to_others() {
    for (method, path) in [("GET", "/devices/d"), ("PUT", "/devices/d/messages/events"), ("GET", "/nothing")]
    {
        assert_eq!(https::hear(method, path, &[], Default::default()), None, "{path}");
    }
}
