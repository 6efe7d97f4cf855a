//! What is written to a twin: JSON, `@FILE`, `-` for stdin, or assignments.

use std::io::Read;

use serde_json::{Map, Value};
use twin_service::TwinChange;

use crate::fail::{Failure, Result};

/// Largest input that is read, in bytes; a twin has at most 72 KB.
const MAX_INPUT_BYTES: u64 = 1024 * 1024;

/// Reads what the user gave for a patch or a replacement.
pub(crate) fn change(given: &[String]) -> Result<TwinChange> {
    Ok(TwinChange::from_json(document(given)?)?)
}

fn document(given: &[String]) -> Result<Value> {
    match given {
        [] => Err(Failure::misuse(
            "nothing to write: give JSON, @FILE, - for stdin, or assignments such as tags.floor=3 desired.on=true",
        )),
        [one] if one == "-" => parse(&read("stdin", std::io::stdin().lock())?, "stdin"),
        [one] if one.starts_with('@') => {
            let name = &one[1..];
            let file = std::fs::File::open(name).map_err(|e| Failure::misuse(format!("{name}: {e}")))?;
            parse(&read(name, file)?, name)
        }
        [one] if one.trim_start().starts_with('{') => parse(one, "the JSON given"),
        assignments => assign(assignments),
    }
}

fn read(name: &str, from: impl Read) -> Result<String> {
    let mut text = String::new();
    from.take(MAX_INPUT_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|e| Failure::misuse(format!("{name}: {e}")))?;
    if text.len() as u64 > MAX_INPUT_BYTES {
        return Err(Failure::misuse(format!("{name} has more than {MAX_INPUT_BYTES} bytes")));
    }
    Ok(text)
}

fn parse(text: &str, name: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|e| Failure::misuse(format!("{name} is not JSON: {e}")))
}

/// `tags.a.b=1 desired.x=true`: a value that is JSON is taken as JSON, anything else as text; `null` removes.
fn assign(assignments: &[String]) -> Result<Value> {
    let mut root = Value::Object(Map::new());
    for text in assignments {
        let wrong = |why: &str| {
            Failure::misuse(format!("'{text}' {why}; write section.name=value, e.g. tags.floor=3"))
        };
        let (path, value) = text.split_once('=').ok_or_else(|| wrong("has no '='"))?;
        let mut names: Vec<&str> = path.split('.').collect();
        match names[0] {
            "tags" | "properties" => {}
            "desired" => names.insert(0, "properties"),
            "reported" => return Err(wrong("is for devices: a backend cannot write reported properties")),
            _ => return Err(wrong("starts with neither 'tags' nor 'desired'")),
        }
        if names.iter().any(|name| name.is_empty()) {
            return Err(wrong("has an empty name in its path"));
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        set(&mut root, &names, value).map_err(|_| wrong("contradicts an assignment before it"))?;
    }
    Ok(root)
}

/// Sets the member at `names`, making objects on the way; fails where something else stands in the way.
fn set(at: &mut Value, names: &[&str], value: Value) -> std::result::Result<(), ()> {
    let members = at.as_object_mut().ok_or(())?;
    match names {
        [] => Err(()),
        [last] => match members.insert((*last).to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(()),
        },
        [first, rest @ ..] => {
            set(members.entry(*first).or_insert_with(|| Value::Object(Map::new())), rest, value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn assignments_make_the_document() {
        for (given, want) in [
            (
                &["tags.a.b=1", "desired.x=true"][..],
                json!({"tags": {"a": {"b": 1}}, "properties": {"desired": {"x": true}}}),
            ),
            (&["tags.a=two words"], json!({"tags": {"a": "two words"}})),
            (&["tags.a=\"1\"", "tags.b=1"], json!({"tags": {"a": "1", "b": 1}})),
            (&["tags.a=null"], json!({"tags": {"a": null}})),
            (&["properties.desired.a={\"b\":[1]}"], json!({"properties": {"desired": {"a": {"b": [1]}}}})),
            (&["tags.a=x=y"], json!({"tags": {"a": "x=y"}})),
            (&["tags={}"], json!({"tags": {}})),
            (&[" {\"tags\":{}}"], json!({"tags": {}})),
        ] {
            let given: Vec<String> = given.iter().map(|s| (*s).to_owned()).collect();
            assert_eq!(document(&given).unwrap(), want, "{given:?}");
        }
    }

    #[test]
    fn wrong_input_is_misuse_that_names_it() {
        for (given, part) in [
            (&[][..], "nothing to write"),
            (&["tags.a"], "no '='"),
            (&["floor=3"], "neither 'tags' nor 'desired'"),
            (&["reported.a=3"], "for devices"),
            (&["tags..a=3"], "empty name"),
            (&["tags.a=1", "tags.a.b=2"], "contradicts"),
            (&["tags.a=1", "tags.a=2"], "contradicts"),
            (&["{\"tags\":"], "not JSON"),
            (&["@/does/not/exist"], "/does/not/exist"),
        ] {
            let given: Vec<String> = given.iter().map(|s| (*s).to_owned()).collect();
            let Failure::Misuse(message) = document(&given).unwrap_err() else { panic!("{given:?}") };
            assert!(message.contains(part), "{message}");
        }
    }
}
