//! The link of one story: delays, losses, doubles, changes of order, cuts.

use std::time::Duration;

use super::world::{Manner, Next, World};
use crate::session::Link;
use crate::session::random::share;
use crate::wire::{Heard, Said};
use crate::{Error, ErrorKind};

impl World {
    pub(super) fn chance(&mut self, likely: f64) -> bool {
        self.trouble && share(self.random.next()) < likely
    }

    pub(super) fn delay(&mut self) -> Duration {
        let most = if self.chance(0.02) { 40.0 } else { 0.2 };
        Duration::from_secs_f64(0.001 + most * share(self.random.next()))
    }

    pub(super) fn loses(&self) -> f64 {
        if matches!(self.manner, Manner::Losing | Manner::Everything) { 0.08 } else { 0.0 }
    }

    pub(super) fn say_to_hub(&mut self, said: Said) {
        let Some((link, true)) = self.link else { return };
        self.arrivals[0] = self.arrivals[0].max(self.now + self.delay());
        self.enter(self.arrivals[0], Next::ToHub { link, said });
    }

    pub(super) fn tell_device(&mut self, heard: Heard) {
        let (Some((link, true)), false) = (self.link, self.chance(self.loses())) else { return };
        let heard = self.garble(heard);
        let mut at = self.arrivals[1].max(self.now + self.delay());
        if self.chance(self.loses()) {
            at = self.now + self.delay();
        }
        self.arrivals[1] = self.arrivals[1].max(at);
        if self.chance(self.loses()) {
            let again = at + self.delay();
            self.enter(again, Next::ToDevice { link, heard: heard.clone() });
        }
        self.enter(at, Next::ToDevice { link, heard });
    }

    /// Sometimes a notification makes no sense.
    fn garble(&mut self, heard: Heard) -> Heard {
        let Heard::Desired { version, body } = &heard else { return heard };
        if !self.chance(self.hub.faults.garble) {
            return heard;
        }
        match self.random.next() % 4 {
            0 => Heard::Desired { version: Some(u64::MAX), body: body.clone() },
            1 => Heard::Desired { version: None, body: body.slice(..body.len() / 2) },
            2 => Heard::Desired { version: *version, body: body.slice(..body.len() / 2) },
            _ => Heard::Desired { version: Some(1000 + self.random.next() % 20), body: "{}".into() },
        }
    }

    pub(super) fn is_up(&self, link: u32) -> bool {
        self.link == Some((link, true))
    }

    pub(super) fn dialed(&mut self, link: u32) {
        if self.link != Some((link, false)) {
            return;
        }
        let fails = if matches!(self.manner, Manner::Good | Manner::Renewing) { 0.0 } else { 0.2 };
        if self.chance(fails) {
            let kinds =
                [ErrorKind::Network, ErrorKind::Unavailable, ErrorKind::Throttled, ErrorKind::Timeout];
            let kind = kinds[self.random.next() as usize % kinds.len()];
            let kind = if self.chance(0.1) { ErrorKind::Unauthorized } else { kind };
            return self.down(kind);
        }
        self.link = Some((link, true));
        let session_present = self.random.next().is_multiple_of(2);
        self.session.handle_link(self.clock(), Link::Up { session_present });
    }

    /// The link breaks: what is on its way to the hub may still arrive, but no answer comes back.
    pub(super) fn cut(&mut self) {
        let Some((link, up)) = self.link else { return };
        let mut arrives = up;
        let is_sent = |next: &Next| matches!(next, Next::ToHub { link: l, .. } if *l == link);
        let keys: Vec<_> =
            self.agenda.iter().filter(|(_, next)| is_sent(next)).map(|(key, _)| *key).collect();
        let sent: Vec<_> = keys.iter().filter_map(|key| self.agenda.remove(key)).collect();
        for next in sent {
            arrives &= share(self.random.next()) < 0.7;
            if let (true, Next::ToHub { said, .. }) = (arrives, next) {
                self.hub.hear(&mut self.random, &said);
            }
        }
        self.down(ErrorKind::Network);
    }

    pub(super) fn down(&mut self, kind: ErrorKind) {
        (self.link, self.leaving) = (None, false);
        self.session.handle_link(self.clock(), Link::Down(Error::new(kind, "by the story")));
    }
}
