//! Topics, user names, REST requests and answers: any text is answered, and what was heard can be said again.
#![no_main]
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use twin_core::TwinKey;
use twin_core::wire::{Said, mqtt, rest, status};

fuzz_target!(|bytes: &[u8]| {
    // The first line is a topic, user name or request line; then headers, then a body.
    let mut parts = bytes.splitn(3, |b| *b == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (Ok(line), Ok(header)) = (std::str::from_utf8(part()), std::str::from_utf8(part())) else { return };
    let body = Bytes::copy_from_slice(part());
    for key in [TwinKey::device("d"), TwinKey::module("d", "m"), TwinKey::module("a#b", "%2F")] {
        topics(&key.expect("a key"), line, &body);
    }
    let _ = mqtt::hear_client_id(line);
    if let Ok(login) = mqtt::hear_login(line) {
        assert_eq!(mqtt::hear_login(&mqtt::say_login(&login)).expect("said again"), login);
    }
    let (method, target) = line.split_once(' ').unwrap_or(("GET", line));
    if let Ok((call, version)) = rest::hear(method, target, &|_| Some(header), body.clone()) {
        let _ = rest::say(&call, version);
        let headers = [("etag", header), ("x-ms-continuation", header), ("retry-after", header)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for status in [200, 204, 400, 429] {
            let response = rest::Response { status, headers: headers.to_vec(), body: body.clone() };
            let _ = rest::hear_answer(&call, response);
        }
    }
    let _ = status::rest_error(404, Some(header), Some(line), &body);
    let _ = status::device_error(400, &body);
});

fn topics(key: &TwinKey, line: &str, body: &Bytes) {
    let _ = mqtt::hear_filter(key, line);
    if let Ok(said) = mqtt::hear(key, line, body.clone())
        && let Some(publish) = mqtt::say(key, &said)
    {
        let again = mqtt::hear(key, &publish.topic, publish.payload).expect("said again");
        assert!(again == said || matches!(said, Said::GetTwin { .. }));
    }
    if let Some(heard) = mqtt::hear_hub(key, line, body.clone())
        && let Some(publish) = mqtt::say_hub(key, &heard)
    {
        assert_eq!(mqtt::hear_hub(key, &publish.topic, publish.payload), Some(heard));
    }
}
