//! REST calls heard at the hub: any method, target, headers and body are answered; a call that was heard is heard as the
//! same when a client says it.
#![no_main]
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use twin_core::wire::rest::{self, Call};

// Lines: method, target, three headers, then the body.
fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.splitn(6, |b| *b == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let mut text = || std::str::from_utf8(line()).unwrap_or_default();
    let (method, target) = (text(), text());
    let mut header = || Some(text()).filter(|text| !text.is_empty());
    let (if_match, continuation, count) = (header(), header(), header());
    let body = line();
    let header = |name: &str| match name {
        "if-match" => if_match,
        "x-ms-continuation" => continuation,
        "x-ms-max-item-count" => count,
        _ => None,
    };
    // Half the inputs get a target with an api-version, or most would end there.
    for target in [target.to_owned(), format!("{target}?api-version=2021-04-12")] {
        match rest::hear(method, &target, &header, Bytes::copy_from_slice(body)) {
            Ok((Call::NotYet(name), _)) => drop(rest::not_yet(name)),
            Ok((call, version)) => {
                let said = rest::say(&call, version);
                let header =
                    |name: &str| said.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
                let again = rest::hear(said.method, &said.target, &header, said.body.clone());
                assert_eq!(again.expect("said again"), (call, version));
            }
            Err(refusal) => assert!((400..600).contains(&refusal.code.status)),
        }
    }
});
