//! JSON merge patch as the hub does it (RFC 7396): applying, and making one patch of two.

use serde_json::Value;

use super::Object;

/// Applies `patch` to `target`: null removes, objects recurse, all else (arrays too) replaces.
///
/// As RFC 7396 says, a nested null under a missing parent leaves an empty object there (`{"p":{"q":null}}` stores
/// `"p": {}`), and an object replaces a scalar wholly.
pub fn merge(target: &mut Object, patch: &Object) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.remove(name);
            }
            Value::Object(inner) => {
                let member = match target.get_mut(name) {
                    Some(member) => member,
                    None => target.entry(name.clone()).or_insert(Value::Null),
                };
                if !member.is_object() {
                    *member = Value::Object(Object::new());
                }
                if let Value::Object(member) = member {
                    merge(member, inner);
                }
            }
            value => match target.get_mut(name) {
                Some(member) => member.clone_from(value),
                None => {
                    target.insert(name.clone(), value.clone());
                }
            },
        }
    }
}

/// [`merge`] into a copy.
pub fn merged(target: &Object, patch: &Object) -> Object {
    let mut result = target.clone();
    merge(&mut result, patch);
    result
}

/// Whether one merge patch can do what `first` and then `later` do, for every target.
///
/// Not where `first` surely leaves no object and `later` puts one: that replaces, and a merge patch can replace by
/// anything but an object.
pub(crate) fn composes(first: &Object, later: &Object) -> bool {
    later.iter().all(|(name, value)| match (first.get(name), value) {
        (Some(Value::Object(first)), Value::Object(later)) => composes(first, later),
        (Some(_), Value::Object(_)) => false,
        _ => true,
    })
}

/// Makes `first` do what both do in turn; needs [`composes`]. Nulls stay: they are still to be said.
pub(crate) fn compose(first: &mut Object, later: &Object) {
    for (name, value) in later {
        match (first.get_mut(name), value) {
            (Some(Value::Object(first)), Value::Object(later)) => compose(first, later),
            (Some(member), value) => member.clone_from(value),
            (None, value) => {
                first.insert(name.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merges_as_rfc_7396_and_the_hub_do() {
        for (target, patch, want) in [
            // RFC 7396, appendix A, those between objects.
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
            // .NET end-to-end test Twin_ServiceDoesNotCreateNullPropertyInCollection
            (json!({}), json!({"p1":{"p2":null}}), json!({"p1":{}})),
            // a service bug of old, azure-iot-sdk-node #683: a sibling must stay
            (json!({"k1":{"k2":1,"k3":2}}), json!({"k1":{"k3":null}}), json!({"k1":{"k2":1}})),
            (json!({"a":1}), json!({"a":{"b":2,"c":null}}), json!({"a":{"b":2}})),
            (json!({"a":{"b":2}}), json!({"a":7}), json!({"a":7})),
        ] {
            let (target, patch) = (target.as_object().unwrap(), patch.as_object().unwrap());
            assert_eq!(&merged(target, patch), want.as_object().unwrap(), "{target:?} {patch:?}");
        }
    }
}
