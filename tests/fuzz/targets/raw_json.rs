//! Looking paths up in JSON text: any bytes are answered; in JSON it finds what a tree has, and walks all of it.
#![no_main]
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use twin_core::query::ast::Path;
use twin_core::query::raw::{self, RawDocument};
use twin_core::query::{Lookup, QueryValue};
use twin_core::twin::strict;

// A line with a path, then a document.
fuzz_target!(|bytes: &[u8]| {
    let (path, text) = bytes.split_at(bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len()));
    let path = Path(String::from_utf8_lossy(path).split('.').map(str::to_owned).collect());
    let found = raw::lookup(text, path.segments());
    let _ = raw::tour(text, &mut |step| match step {
        raw::Step::Down(name) => drop(raw::string(name)),
        raw::Step::Up(value) => drop(raw::value(value)),
    });
    let Ok(tree) = strict::value("", text) else { return };
    let wanted = tree.lookup(&path);
    assert_eq!(RawDocument(text).json(&path), tree.json(&path), "{path:?}");
    assert_eq!(worth(&found), worth(&wanted), "{path:?}");
    let mut way = Vec::new();
    let whole = raw::tour(text, &mut |step| match step {
        raw::Step::Down(name) => way.push(raw::string(name).map(|name| name.into_owned())),
        raw::Step::Up(value) => {
            // The first step goes to the document itself, which has no name.
            let path = Path(way[1..].iter().flatten().cloned().collect());
            assert_eq!(worth(&raw::value(value)), worth(&tree.lookup(&path)), "{path:?}");
            way.pop();
        }
    });
    assert!(whole.is_some(), "a document is toured whole");
});

/// What can be compared: values, and of composites only that they are some.
fn worth(value: &QueryValue<'_>) -> Option<Value> {
    match value {
        QueryValue::Undefined => None,
        QueryValue::Null => Some(Value::Null),
        QueryValue::Bool(b) => Some(Value::Bool(*b)),
        QueryValue::Number(n) => Some(Value::from(*n)),
        QueryValue::String(text) => Some(Value::String(text.clone().into_owned())),
        QueryValue::List(_) | QueryValue::Json(_) | QueryValue::Raw(_) => Some(Value::Array(Vec::new())),
    }
}
