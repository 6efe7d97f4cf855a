//! The hub's shared access policies: the five built-in ones, each with two random keys.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use twin_core::auth::{Key, Permissions};
use twin_core::{Error, ErrorKind, Result};

/// A policy's two keys; either signs.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) primary: Key,
    pub(crate) secondary: Key,
    pub(crate) permissions: Permissions,
}

/// All policies, by name.
#[derive(Clone, Debug)]
pub(crate) struct Policies(BTreeMap<String, Policy>);

impl Policies {
    /// The built-in policies with fresh random keys.
    pub(crate) fn generate() -> Result<Policies> {
        let mut policies = BTreeMap::new();
        for name in Permissions::BUILT_IN {
            let permissions = Permissions::built_in(name).unwrap_or(Permissions::NONE);
            policies.insert(
                name.to_owned(),
                Policy { primary: random_key()?, secondary: random_key()?, permissions },
            );
        }
        Ok(Policies(policies))
    }

    /// Reads what [`Policies::to_text`] wrote; a built-in policy that is missing gets fresh keys.
    pub(crate) fn from_text(text: &str) -> Result<Policies> {
        let broken = |what: &str| Error::new(ErrorKind::Storage, format!("the policies file {what}"));
        let value: Value = serde_json::from_str(text).map_err(|e| broken(&format!("is not JSON: {e}")))?;
        let mut policies = Self::generate()?;
        for (name, entry) in value.as_object().ok_or_else(|| broken("is no JSON object"))? {
            let permissions = Permissions::built_in(name)
                .ok_or_else(|| broken(&format!("names '{name}', which is no policy")))?;
            let key = |member: &str| {
                let text = entry[member]
                    .as_str()
                    .ok_or_else(|| broken(&format!("has no {member} for policy '{name}'")))?;
                Key::from_base64(text).map_err(|e| e.context(format!("{member} of policy '{name}'")))
            };
            let policy = Policy { primary: key("primaryKey")?, secondary: key("secondaryKey")?, permissions };
            policies.0.insert(name.clone(), policy);
        }
        Ok(policies)
    }

    /// For the policies file: a secret.
    pub(crate) fn to_text(&self) -> zeroize::Zeroizing<String> {
        let members: serde_json::Map<String, Value> = self
            .0
            .iter()
            .map(|(name, policy)| {
                let (primary, secondary) = (policy.primary.expose_base64(), policy.secondary.expose_base64());
                (name.clone(), json!({ "primaryKey": *primary, "secondaryKey": *secondary }))
            })
            .collect();
        zeroize::Zeroizing::new(format!("{:#}\n", Value::Object(members)))
    }

    /// The policy of that name; names are case-sensitive.
    pub(crate) fn get(&self, name: &str) -> Option<&Policy> {
        self.0.get(name)
    }

    /// `HostName=…;SharedAccessKeyName=…;SharedAccessKey=…`: a secret.
    pub(crate) fn connection_string(&self, host: &str, name: &str) -> Result<String> {
        let policy = self.get(name).ok_or_else(|| {
            Error::invalid(format!(
                "there is no policy '{name}'; there are {}",
                Permissions::BUILT_IN.join(", ")
            ))
        })?;
        let key = policy.primary.expose_base64();
        Ok(format!("HostName={host};SharedAccessKeyName={name};SharedAccessKey={}", *key))
    }
}

/// Bytes of a fresh key, as IoT Hub's own have.
const KEY_BYTES: usize = 32;

fn random_key() -> Result<Key> {
    let mut bytes = zeroize::Zeroizing::new([0u8; KEY_BYTES]);
    getrandom::fill(&mut *bytes)
        .map_err(|e| Error::new(ErrorKind::Internal, format!("no randomness from the system: {e}")))?;
    Key::from_bytes(&*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let policies = Policies::generate().unwrap();
        let text = policies.to_text();
        let again = Policies::from_text(&text).unwrap();
        for name in Permissions::BUILT_IN {
            assert_eq!(
                policies.connection_string("h", name).unwrap(),
                again.connection_string("h", name).unwrap()
            );
        }
        let owner = policies.connection_string("localhost:9443", "iothubowner").unwrap();
        assert!(
            owner.starts_with("HostName=localhost:9443;SharedAccessKeyName=iothubowner;SharedAccessKey=")
        );
        assert!(!format!("{policies:?}").contains(owner.rsplit('=').nth(1).unwrap()));
    }

    #[test]
    fn a_broken_file_is_named_not_echoed() {
        for (text, says) in [
            ("{", "not JSON"),
            ("[]", "no JSON object"),
            (r#"{"nobody":{}}"#, "'nobody'"),
            (r#"{"service":{}}"#, "no primaryKey for policy 'service'"),
            (r#"{"service":{"primaryKey":"Hush!","secondaryKey":""}}"#, "primaryKey of policy 'service'"),
        ] {
            let message = Policies::from_text(text).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
            assert!(!message.contains("Hush"), "{message}");
        }
        assert!(Policies::generate().unwrap().connection_string("h", "none").is_err());
    }
}
