//! The patches that lead from one object to another.

use serde_json::Value;

use super::Object;

/// The smallest merge patch from one object to another: `merged(from, &diff(from, to)) == to`, for objects without
/// null members. Empty when equal.
///
/// Null members of `to` (no twin has them, a serde type with an `Option` may) count as absent.
pub fn diff(from: &Object, to: &Object) -> Object {
    let mut patch = Object::new();
    for (name, value) in to.iter().filter(|(_, value)| !value.is_null()) {
        match (from.get(name), value) {
            (Some(old), new) if old == new => {}
            (Some(Value::Object(old)), Value::Object(new)) => {
                let inner = diff(old, new);
                if !inner.is_empty() {
                    patch.insert(name.clone(), Value::Object(inner));
                }
            }
            (_, Value::Object(new)) => {
                patch.insert(name.clone(), Value::Object(diff(&Object::new(), new)));
            }
            (_, new) => {
                patch.insert(name.clone(), new.clone());
            }
        }
    }
    for (name, old) in from {
        if !old.is_null() && to.get(name).is_none_or(Value::is_null) {
            patch.insert(name.clone(), Value::Null);
        }
    }
    patch
}

/// The whole of `to`, with null for every member of `from` that vanished, nested ones too: what a device hears after a
/// replacement. `merged(from, &replacement(from, to)) == to`.
pub(crate) fn replacement(from: &Object, to: &Object) -> Object {
    let mut whole = Object::new();
    for (name, value) in to {
        let value = match (from.get(name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => Value::Object(replacement(old, new)),
            (_, new) => new.clone(),
        };
        whole.insert(name.clone(), value);
    }
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        whole.insert(name.clone(), Value::Null);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_smallest() {
        for (from, to, want) in [
            (json!({}), json!({}), json!({})),
            (json!({"a":1}), json!({"a":1}), json!({})),
            (json!({"a":1}), json!({}), json!({"a":null})),
            (json!({}), json!({"a":{}}), json!({"a":{}})),
            (json!({"a":1}), json!({"a":{"b":1}}), json!({"a":{"b":1}})),
            (json!({"a":{"b":1}}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"a":{"b":1,"c":2},"d":3}), json!({"a":{"b":1,"c":4},"d":3}), json!({"a":{"c":4}})),
            (json!({"a":{"b":1}}), json!({"a":{}}), json!({"a":{"b":null}})),
            (json!({"a":{"b":1}}), json!({"a":{"b":null}}), json!({"a":{"b":null}})),
            (json!({}), json!({"a":null,"b":{"c":null}}), json!({"b":{}})),
            (json!({"a":null}), json!({}), json!({})),
        ] {
            let got = diff(from.as_object().unwrap(), to.as_object().unwrap());
            assert_eq!(Value::Object(got), want, "{from} -> {to}");
        }
    }

    #[test]
    fn replacements_tell_what_vanished() {
        for (from, to, want) in [
            // the hub team's answer in azure-iot-sdk-csharp #954
            (json!({"a":1,"b":2}), json!({"a":1,"c":100}), json!({"a":1,"b":null,"c":100})),
            (json!({"a":{"x":1,"y":2}}), json!({"a":{"y":2}}), json!({"a":{"x":null,"y":2}})),
            (json!({"a":{"x":1}}), json!({"a":2}), json!({"a":2})),
            (json!({"a":2}), json!({"a":{"x":1}}), json!({"a":{"x":1}})),
            (json!({"a":1}), json!({}), json!({"a":null})),
        ] {
            let got = replacement(from.as_object().unwrap(), to.as_object().unwrap());
            assert_eq!(Value::Object(got), want, "{from} -> {to}");
        }
    }
}
