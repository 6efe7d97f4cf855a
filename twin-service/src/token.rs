//! The token that goes into every request: made from a key once in a while, or given.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use twin_core::auth::{Credential, Key, SasToken, Scope};
use twin_core::{Error, ErrorKind, HostName, Result, Timestamp};

/// A made token is renewed when this part of its life is over (the .NET SDK's default of 15 % left).
const RENEW_AT_PERCENT: u32 = 85;

pub(crate) struct Tokens(Kind);

enum Kind {
    /// Makes tokens from a policy's key.
    Made {
        resource: String,
        key: Key,
        policy: Option<String>,
        lifetime: Duration,
        current: Mutex<Option<Made>>,
    },
    /// Uses what the owner gave last.
    Given(Mutex<SasToken>),
}

struct Made {
    token: SasToken,
    from: Timestamp,
    renew_at: Timestamp,
}

impl Tokens {
    pub(crate) fn new(host: &HostName, credential: Credential, lifetime: Duration) -> Result<Self> {
        match credential {
            Credential::Key { key, policy } => {
                let resource = Scope::Hub(host.clone()).resource();
                Ok(Tokens(Kind::Made { resource, key, policy, lifetime, current: Mutex::new(None) }))
            }
            Credential::Token(token) => Ok(Tokens(Kind::Given(Mutex::new(token)))),
            _ => Err(Error::invalid(
                "a backend proves itself with SharedAccessKeyName and SharedAccessKey, or a SharedAccessSignature",
            )),
        }
    }

    /// The token to use now.
    pub(crate) fn current(&self, now: Timestamp) -> SasToken {
        match &self.0 {
            Kind::Given(token) => token.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Kind::Made { resource, key, policy, lifetime, current } => {
                let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
                match &*current {
                    // A clock that was set back must not keep a token that looks valid for ever.
                    Some(made) if made.from <= now && now < made.renew_at => made.token.clone(),
                    _ => {
                        let token = SasToken::sign(resource, key, policy.as_deref(), now.plus(*lifetime));
                        let renew_at = now.plus(*lifetime * RENEW_AT_PERCENT / 100);
                        *current = Some(Made { token: token.clone(), from: now, renew_at });
                        token
                    }
                }
            }
        }
    }

    /// Replaces a given token.
    pub(crate) fn replace(&self, new: SasToken) -> Result<()> {
        match &self.0 {
            Kind::Given(token) => {
                *token.lock().unwrap_or_else(PoisonError::into_inner) = new;
                Ok(())
            }
            Kind::Made { .. } => Err(Error::invalid(
                "this registry makes its tokens from a key; there is no given token to replace",
            )),
        }
    }

    /// Says more about a 401, where more is known here.
    pub(crate) fn explain(&self, error: Error, now: Timestamp) -> Error {
        match &self.0 {
            Kind::Given(token) if error.kind() == ErrorKind::Unauthorized => {
                let expiry = token.lock().unwrap_or_else(PoisonError::into_inner).expiry();
                if expiry < now {
                    error.context(format!("the given token expired at {expiry}; give a new one (set_token)"))
                } else {
                    error
                }
            }
            _ => error,
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::Made { .. } => "Tokens(from a key)",
            Kind::Given(_) => "Tokens(given)",
        })
    }
}
