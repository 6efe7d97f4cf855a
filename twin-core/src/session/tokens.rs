//! The password: made when dialing, renewed before it ends.

use std::time::Duration;

use super::random::share;
use super::{Config, Now};
use crate::Timestamp;
use crate::auth::{Credential, SasToken, Scope};

/// A renewal that would interrupt requests in flight waits this long for their answers; new ones wait for it.
pub const RENEW_DRAIN: Duration = Duration::from_secs(5);
/// Renewals are spread over this share of the lifetime, before the latest time for them.
pub const RENEW_SPREAD: f64 = 0.1;
/// A wall clock that moved this much against the monotonic one has been set.
const CLOCK_JUMP: Duration = Duration::from_secs(60);

/// The credential, and what was made of it.
#[derive(Debug)]
pub(super) struct Tokens {
    credential: Credential,
    /// The credential was replaced since the last dial.
    replaced: bool,
    issued: Option<Issued>,
}

/// What the current link was dialed with.
#[derive(Debug)]
struct Issued {
    at: Now,
    /// Renew, or announce the end of a given token, at this reading.
    mono: Option<Duration>,
    /// And no later than when the wall clock reads this.
    wall: Timestamp,
    expiry: Timestamp,
    announced: bool,
}

impl Tokens {
    pub(super) fn new(credential: Credential) -> Self {
        Tokens { credential, replaced: false, issued: None }
    }

    pub(super) fn replace(&mut self, token: SasToken) {
        self.credential = Credential::Token(token);
        self.replaced = true;
        self.issued = None;
    }

    /// The password for a dial, or a renewal in place, right now.
    pub(super) fn issue(&mut self, config: &Config, now: Now, random: u64) -> Option<SasToken> {
        self.replaced = false;
        let asked = config.token_renew_share;
        // `clamp` keeps NaN.
        let margin = if asked.is_nan() { 0.01 } else { asked.clamp(0.01, 0.9) };
        let (token, lifetime, due) = match &self.credential {
            Credential::Key { key, policy } => {
                let lifetime = config.token_lifetime.max(Duration::from_secs(1));
                let resource = Scope::Twin(config.host.clone(), config.key.clone()).resource();
                let expiry = now.wall.plus(lifetime);
                let token = SasToken::sign(&resource, key, policy.as_deref(), expiry);
                let spread = RENEW_SPREAD.min((1.0 - margin) / 2.0) * share(random);
                (token, lifetime, 1.0 - margin - spread)
            }
            Credential::Token(token) => {
                let left = token.expiry().unix_seconds().saturating_sub(now.wall.unix_seconds());
                (token.clone(), Duration::from_secs(left), 1.0 - margin)
            }
            Credential::Certificate => {
                self.issued = None;
                return None;
            }
        };
        let after = lifetime.mul_f64(due);
        let announced = self.issued.as_ref().is_some_and(|i| i.announced && i.expiry == token.expiry());
        self.issued = Some(Issued {
            at: now,
            mono: now.mono.checked_add(after),
            wall: now.wall.plus(after),
            expiry: token.expiry(),
            announced,
        });
        Some(token)
    }

    fn is_given(&self) -> bool {
        matches!(self.credential, Credential::Token(_))
    }

    /// Whether the link should get a new password now.
    pub(super) fn renewal_due(&self, now: Now) -> bool {
        self.replaced || (!self.is_given() && self.issued.as_ref().is_some_and(|i| i.is_due(now)))
    }

    /// When that will be.
    pub(super) fn renewal(&self) -> Option<Duration> {
        self.issued.as_ref().filter(|_| !self.is_given()).and_then(|i| i.mono)
    }

    /// The end of a given token, once, when it is near.
    pub(super) fn announcement(&mut self, now: Now) -> Option<Timestamp> {
        let given = self.is_given();
        let issued = self.issued.as_mut().filter(|i| given && !i.announced && i.is_due(now))?;
        issued.announced = true;
        Some(issued.expiry)
    }

    /// When that will be.
    pub(super) fn announcement_at(&self) -> Option<Duration> {
        self.issued.as_ref().filter(|i| self.is_given() && !i.announced).and_then(|i| i.mono)
    }

    /// Whether a refused password may be the clock's fault, or yesterday's: a new one has a chance.
    pub(super) fn refusal_may_pass(&self, now: Now, was_up: bool) -> bool {
        let jumped = self.issued.as_ref().is_some_and(|i| i.clock_was_set(now));
        self.replaced || (matches!(self.credential, Credential::Key { .. }) && (was_up || jumped))
    }

    /// Why the hub may have refused the password, if this device's clock has to do with it.
    pub(super) fn explain_refusal(&self, now: Now) -> Option<String> {
        let issued = self.issued.as_ref()?;
        match &self.credential {
            Credential::Token(_) if issued.expiry <= now.wall => {
                Some(format!("the given token ended at {} by this device's clock", issued.expiry))
            }
            Credential::Key { .. } => {
                Some(format!("the token was made at {} by this device's clock", issued.at.wall))
            }
            _ => None,
        }
    }
}

impl Issued {
    fn is_due(&self, now: Now) -> bool {
        self.mono.is_some_and(|t| now.mono >= t) || now.wall >= self.wall
    }

    fn clock_was_set(&self, now: Now) -> bool {
        let expected = self.at.wall.plus(now.mono.saturating_sub(self.at.mono));
        expected.ticks().abs_diff(now.wall.ticks()) > CLOCK_JUMP.as_nanos() as u64 / 100
    }
}
