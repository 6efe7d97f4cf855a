//! User names of SASL PLAIN; the password is a token ("Communicate with your IoT hub by using the AMQP Protocol").

use crate::TwinKey;
use crate::error::{Error, Result};

const DEVICE: &str = "@sas.";
const POLICY: &str = "root.";

/// Who logs in by SASL PLAIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlainUser {
    /// `{device}[/{module}]@sas.{hub}`
    Twin {
        /// who
        key: TwinKey,
        /// the hub's name, without its domain
        hub: String,
    },
    /// `{policy}@sas.root.{hub}`
    Policy {
        /// the policy
        name: String,
        /// the hub's name, without its domain
        hub: String,
    },
}

/// The user name as text.
pub fn say_plain_user(user: &PlainUser) -> String {
    match user {
        PlainUser::Twin { key, hub } => format!("{key}{DEVICE}{hub}"),
        PlainUser::Policy { name, hub } => format!("{name}{DEVICE}{POLICY}{hub}"),
    }
}

/// Reads a user name.
///
/// # Errors
/// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when it has none of the two forms.
pub fn hear_plain_user(text: &str) -> Result<PlainUser> {
    let wrong = || Error::invalid("the user name is neither {device}@sas.{hub} nor {policy}@sas.root.{hub}");
    // Ids may hold an '@' of their own, hub names none.
    let (user, hub) = text.rsplit_once(DEVICE).ok_or_else(wrong)?;
    if user.is_empty() || hub.is_empty() {
        return Err(wrong());
    }
    if let Some(hub) = hub.strip_prefix(POLICY) {
        return Ok(PlainUser::Policy { name: user.to_owned(), hub: hub.to_owned() });
    }
    let key = match user.split_once('/') {
        None => TwinKey::device(user)?,
        Some((device, module)) => TwinKey::module(device, module)?,
    };
    Ok(PlainUser::Twin { key, hub: hub.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_heard_as_they_are_said() {
        let twin = |key, hub: &str| PlainUser::Twin { key, hub: hub.into() };
        for (text, user) in [
            ("d@sas.hub", twin(TwinKey::device("d").unwrap(), "hub")),
            ("d/m@sas.hub", twin(TwinKey::module("d", "m").unwrap(), "hub")),
            ("a@sas.b@sas.hub", twin(TwinKey::device("a@sas.b").unwrap(), "hub")),
            ("service@sas.root.hub", PlainUser::Policy { name: "service".into(), hub: "hub".into() }),
        ] {
            assert_eq!(hear_plain_user(text).unwrap(), user);
            assert_eq!(say_plain_user(&user), text);
        }
        for wrong in ["", "d", "d@hub", "@sas.hub", "d@sas.", "a/b/c@sas.hub", "ä@sas.hub"] {
            assert!(hear_plain_user(wrong).is_err(), "{wrong}");
        }
    }
}
