//! Answers heard by clients, over REST and by devices: any status, headers and body end in an answer or a bounded error;
//! what a hub says is heard as it was meant.
#![no_main]
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use twin_core::TwinKey;
use twin_core::wire::rest::{self, Answer, Call, Response};
use twin_core::wire::{HubCode, Refusal, status};
use twin_core::{ETag, Timestamp};

// Lines: status and five headers, then the body.
fuzz_target!(|bytes: &[u8]| {
    const NAMES: [&str; 5] =
        ["etag", "retry-after", "x-ms-continuation", "x-ms-item-type", "iothub-errorcode"];
    let mut lines = bytes.splitn(7, |b| *b == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let code: u16 = std::str::from_utf8(line()).ok().and_then(|text| text.parse().ok()).unwrap_or(400);
    let headers: Vec<_> =
        NAMES.map(|name| (name.to_owned(), String::from_utf8_lossy(line()).into_owned())).into();
    let body = line();
    let key = TwinKey::device("d").expect("an id");
    let query = Call::Query { text: "SELECT * FROM devices".into(), page_size: None, continuation: None };
    let response = Response { status: code, headers, body: Bytes::copy_from_slice(body) };
    for call in [Call::GetTwin(key), query, Call::Bulk { body: Bytes::new() }] {
        match rest::hear_answer(&call, response.clone()) {
            Ok(answer @ (Answer::Page { .. } | Answer::Json { .. })) => again(&call, answer),
            Ok(Answer::Nothing) => {}
            Ok(Answer::BulkFailure { .. }) => panic!("only hubs say this"),
            Err(e) => assert!(e.message().chars().count() <= 2000 && e.status() == Some(code)),
        }
    }
    let device = status::device_error(code, body);
    assert!(device.message().chars().count() <= 2000, "{device}");
    if let Ok(text) = std::str::from_utf8(body) {
        let row = HubCode::ALL[usize::from(code) % HubCode::ALL.len()];
        let said = Refusal::new(row, text).device_body(Timestamp::NEVER);
        assert_eq!(status::device_error(row.status, said.as_bytes()).code(), Some(row.number));
        let said = Refusal::new(row, text).rest_body(Timestamp::NEVER);
        let heard = status::rest_error(row.status, None, None, said.as_bytes());
        assert_eq!(heard.code_name(), Some(row.name), "{said}");
    }
});

fn again(call: &Call, answer: Answer) {
    // Quotes inside an etag cannot be said; no hub has them.
    if matches!(&answer, Answer::Json { etag: Some(e), .. } if ETag::new(e.as_str()) != *e) {
        return;
    }
    let said = rest::say_answer(&Ok(answer.clone()), Timestamp::NEVER);
    let heard = rest::hear_answer(call, said).expect("said again");
    match (&heard, &answer) {
        (Answer::Nothing, Answer::Json { body, .. }) => assert!(body.is_empty()),
        _ => assert_eq!(heard, answer),
    }
}
