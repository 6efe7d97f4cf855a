//! Raw lookups on text that is not as it should be, and the walk over all members.

use serde_json::{Value as Json, json};

use crate::query::raw;

fn path(dotted: &str) -> Vec<String> {
    dotted.split('.').filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

#[test]
fn members_are_found_whatever_stands_around_them() {
    let text = br#" { "a" : [ {"b": "]}\""} , 1 ] , "e\u0062" : { "x\"y" : -1.5e3 , "d":{} } ,"eb2":true, "z":null } "#;
    let table = [
        ("a", Some(json!([{"b": "]}\""}, 1]))),
        ("eb", Some(json!({"x\"y": -1500.0, "d": {}}))),
        ("eb.x\"y", Some(json!(-1500.0))),
        ("eb.d", Some(json!({}))),
        ("eb.d.q", None),
        ("eb2", Some(json!(true))),
        ("z", Some(Json::Null)),
        ("z.z", None),
        ("a.b", None),
        ("e", None),
        ("e\\u0062", None),
        ("", Some(serde_json::from_slice(text).unwrap())),
    ];
    for (dotted, expected) in table {
        assert_eq!(raw::json(text, &path(dotted)), expected, "{dotted}");
    }
}

#[test]
fn damaged_text_is_undefined_not_a_panic() {
    let whole = br#"{"a":{"b":[1,"x\\\"",{"c":null}],"d":"e"},"f":-1.25}"#;
    for end in 0..whole.len() {
        for start in 0..=end {
            for dotted in ["", "a", "a.b", "a.d", "f", "q"] {
                let _ = raw::lookup(&whole[start..end], &path(dotted));
            }
            let _ = raw::tour(&whole[start..end], &mut |_| {});
        }
    }
    for text in
        ["{,}", "{\"a\"}", "]", "\"\\", "{\"a\":\"\\", "{\"a\":}}", "\"", "}{", "{\"a\":1]", "[}", "\u{0}"]
    {
        let _ = raw::lookup(text.as_bytes(), &path("a"));
        let _ = raw::tour(text.as_bytes(), &mut |_| {});
    }
}

#[test]
fn a_tour_goes_to_every_member_and_back() {
    let text = br#" {"a":{"b":1,"c":{}}, "d":[{"e":2}],"f\n":"x","g":null}"#;
    let mut seen = Vec::new();
    let whole = raw::tour(text, &mut |step| {
        seen.push(match step {
            raw::Step::Down(name) => format!("> {}", String::from_utf8_lossy(name)),
            raw::Step::Up(value) => format!("< {}", String::from_utf8_lossy(value)),
        })
    });
    let want = "> |> \"a\"|> \"b\"|< 1|> \"c\"|< {}|< {\"b\":1,\"c\":{}}|> \"d\"|< [{\"e\":2}]|> \"f\\n\"|< \"x\"|> \"g\"|< null";
    assert_eq!(seen[..seen.len() - 1].join("|"), want);
    assert_eq!((whole, seen.last()), (Some(()), Some(&format!("< {}", String::from_utf8_lossy(&text[1..])))));
    assert_eq!(raw::tour(&text[..20], &mut |_| {}), None);
}
