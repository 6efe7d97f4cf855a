//! What the peer of a connection has proven: tokens of many devices, a policy, a certificate.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;
use twin_core::TwinKey;
use twin_core::auth::sas::MAX_CLOCK_SKEW;
use twin_core::auth::{Permissions, SasToken, Scope};
use twin_core::identity::Identity;
use twin_core::wire::amqp::{Address, PlainUser};
use twin_core::wire::{HubCode, Refusal};

use super::super::metrics::count;
use super::super::{Front, Peer};

/// Most tokens of one connection. The .NET SDK puts at most 995 devices on one.
const MAX_CLAIMS: usize = 1000;

/// What gives the right to a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Claim {
    /// a link that needs none
    None,
    /// a token for this device or module
    Token(TwinKey),
    /// a policy's token for the whole hub
    Policy,
    /// the certificate of the TLS connection
    Certificate,
}

/// What opens a link, and the identity of its device or module.
pub(super) type Opens = (Claim, Option<Arc<Identity>>);

/// What whoever is refused is told.
const UNAUTHORIZED: &str = "Unauthorized: the token or certificate does not open this resource. Wrong key, expired, another \
                            resource's, or an identity that is unknown or disabled; the hub's log tells which";

fn unauthorized() -> Refusal {
    Refusal::new(HubCode::IOT_HUB_UNAUTHORIZED, UNAUTHORIZED)
}

/// The claims of one connection.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// the identity as it was judged, and the end
    tokens: HashMap<TwinKey, (Arc<Identity>, Instant)>,
    policy: Option<(Permissions, Instant)>,
    /// the earliest end of any
    next_end: Option<Instant>,
}

impl Claims {
    /// Judges a token; in place of an earlier one for the same if it holds.
    pub(super) fn put(
        &mut self,
        front: &Front,
        peer: &Peer,
        scope: &Scope,
        token: &SasToken,
    ) -> Result<(), Refusal> {
        let (Scope::Hub(host) | Scope::Twin(host, _)) = scope;
        let renews = match scope {
            Scope::Twin(_, key) => self.tokens.contains_key(key),
            Scope::Hub(_) => self.policy.is_some(),
        };
        if !renews && self.len() >= MAX_CLAIMS {
            let why = format!("A connection takes at most {MAX_CLAIMS} tokens");
            return Err(Refusal::new(HubCode::IOT_HUB_MAX_CBS_TOKEN_EXCEEDED, why));
        }
        let outcome = if front.names.know(host.host()) {
            self.judge(front, peer, scope, token)
        } else {
            Err(format!("it is for hub '{host}'; this hub is {}", front.names))
        };
        outcome.map_err(|why| {
            count(&front.metrics.logins_refused);
            tracing::warn!(peer = %peer.address, resource = %scope.resource(), reason = %why, "token refused");
            unauthorized()
        })?;
        self.reckon();
        Ok(())
    }

    fn judge(&mut self, front: &Front, peer: &Peer, scope: &Scope, token: &SasToken) -> Result<(), String> {
        match scope {
            Scope::Twin(_, key) => {
                let identity = |key: &TwinKey| front.engine.identity(key);
                let admission = front.judge().device(key, identity, token.expose(), peer)?;
                let until = admission.until.ok_or("a token that never ends")?;
                self.tokens.insert(key.clone(), (admission.identity, front.timer_for(until)));
            }
            Scope::Hub(_) => {
                let permissions = front.judge().service(token.expose(), "")?;
                let until = front.timer_for(token.expiry().plus(MAX_CLOCK_SKEW));
                self.policy = Some((permissions, until));
            }
        }
        Ok(())
    }

    /// Judges a login by SASL PLAIN.
    pub(super) fn login(
        &mut self,
        front: &Front,
        peer: &Peer,
        user: PlainUser,
        token: &SasToken,
    ) -> Result<(), String> {
        let (PlainUser::Twin { hub, .. } | PlainUser::Policy { hub, .. }) = &user;
        if !front.names.know(hub) && !front.names.know_label(hub) {
            return Err(format!("the user name is for hub '{hub}'; this hub is {}", front.names));
        }
        // The user name leaves the domain out; the token has the whole.
        let host = twin_core::HostName::new(token.host()).map_err(|e| e.to_string())?;
        let scope = match user {
            PlainUser::Twin { key, .. } => Scope::Twin(host, key),
            PlainUser::Policy { name, .. } if token.policy() == Some(&name) => Scope::Hub(host),
            PlainUser::Policy { name, .. } => return Err(format!("the token is not of policy '{name}'")),
        };
        self.judge(front, peer, &scope, token)?;
        self.reckon();
        Ok(())
    }

    /// What opens a link to `address`, and whose it is as judged; or the refusal.
    pub(super) fn open(&self, front: &Front, peer: &Peer, address: &Address) -> Result<Opens, Refusal> {
        let may = |permission| self.policy.is_some_and(|(has, _)| has.contain(permission));
        let Some(key) = address.key() else {
            return match address {
                Address::Cbs => Ok((Claim::None, None)),
                _ if may(Permissions::SERVICE_CONNECT) => Ok((Claim::Policy, None)),
                _ => Err(unauthorized()),
            };
        };
        if let Some((identity, _)) = self.tokens.get(key) {
            return Ok((Claim::Token(key.clone()), Some(identity.clone())));
        }
        if may(Permissions::DEVICE_CONNECT)
            && let Some(identity) = front.engine.identity(key)
        {
            return Ok((Claim::Policy, Some(identity)));
        }
        let why = match peer.certificate {
            Some(_) => match front.judge().device(key, |key| front.engine.identity(key), "", peer) {
                Ok(admission) => return Ok((Claim::Certificate, Some(admission.identity))),
                Err(why) => why,
            },
            None => "no token was put for it".to_owned(),
        };
        tracing::warn!(peer = %peer.address, device = %key, reason = %why, "link refused");
        Err(unauthorized())
    }

    /// Whether a claim that opened a link has not ended since.
    pub(super) fn hold(&self, claim: &Claim) -> bool {
        match claim {
            Claim::None | Claim::Certificate => true,
            Claim::Token(key) => self.tokens.contains_key(key),
            Claim::Policy => self.policy.is_some(),
        }
    }

    /// How many claims there are.
    pub(super) fn len(&self) -> usize {
        self.tokens.len() + usize::from(self.policy.is_some())
    }

    /// When the next claim ends.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.next_end
    }

    /// Takes out what has ended.
    pub(super) fn take_ended(&mut self, now: Instant) -> Vec<Claim> {
        let ended = self.tokens.iter().filter(|(_, (_, until))| *until <= now);
        let mut ended: Vec<Claim> = ended.map(|(key, _)| Claim::Token(key.clone())).collect();
        if self.policy.is_some_and(|(_, until)| until <= now) {
            ended.push(Claim::Policy);
        }
        ended.iter().for_each(|claim| self.forget(claim));
        ended
    }

    /// Forgets a claim.
    pub(super) fn forget(&mut self, claim: &Claim) {
        match claim {
            Claim::Token(key) => {
                self.tokens.remove(key);
            }
            Claim::Policy => self.policy = None,
            Claim::None | Claim::Certificate => {}
        }
        self.reckon();
    }

    fn reckon(&mut self) {
        let policy = self.policy.map(|(_, until)| until);
        self.next_end = self.tokens.values().map(|(_, until)| *until).chain(policy).min();
    }
}
