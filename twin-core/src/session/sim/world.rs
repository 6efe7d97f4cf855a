//! Clock, link and driver of one story.

use std::collections::BTreeMap;
use std::time::Duration;

use super::hub::{Faults, Hub};
use super::owner::{Owner, random_members};
use crate::auth::{Credential, Key, SasToken};
use crate::session::random::{Random, share};
use crate::session::{Command, Config, Event, MAX_HELD, Now, Output, Session};
use crate::wire::{Heard, Said};
use crate::{ErrorKind, HostName, Timestamp, TwinKey};

/// Misfortune lasts this long; then all goes well.
const TROUBLE: Duration = Duration::from_secs(600);
/// In good times everything must have settled after this long: the longest pauses are 5 min.
const SETTLED: Duration = Duration::from_secs(1200);
/// Timeouts in a row that change nothing, not even the time: more is a loop.
const MAX_SPINS: u32 = 8;

/// What goes wrong in a story.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Manner {
    Good,
    Cutting,
    Losing,
    Refusing,
    Forgetting,
    Renewing,
    Everything,
}

/// What is going to happen.
#[derive(Debug)]
pub(super) enum Next {
    Ask,
    Backend,
    Cut,
    Forget,
    Recreate,
    Dialed { link: u32 },
    Closed { link: u32 },
    ToHub { link: u32, said: Said },
    ToDevice { link: u32, heard: Heard },
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) manner: Manner,
    pub(super) random: Random,
    pub(super) now: Duration,
    pub(super) session: Session,
    pub(super) request_timeout: Duration,
    pub(super) several_in_flight: bool,
    pub(super) hub: Hub,
    pub(super) owner: Owner,
    pub(super) agenda: BTreeMap<(Duration, u64), Next>,
    pub(super) entries: u64,
    /// The link that is dialed or up, by number; and whether it is up.
    pub(super) link: Option<(u32, bool)>,
    pub(super) links: u32,
    /// The session said that it leaves the link.
    pub(super) leaving: bool,
    pub(super) token: Option<SasToken>,
    /// When the last message of each direction arrives: the next one can't be earlier.
    pub(super) arrivals: [Duration; 2],
    pub(super) trouble: bool,
    pub(super) heard: u64,
    pub(super) corrupt: bool,
}

impl World {
    pub(super) fn new(manner: Manner, seed: u64) -> Self {
        let mut random = Random::new(seed.wrapping_mul(0x1_0001).wrapping_add(manner as u64));
        let host = HostName::new("hub.example").unwrap();
        let certificate = manner != Manner::Renewing && manner != Manner::Everything;
        let credential = if certificate {
            Credential::Certificate
        } else {
            Credential::Key { key: Key::from_bytes(&[7; 32]).unwrap(), policy: None }
        };
        let mut config = Config::new(host, TwinKey::device("d1").unwrap(), credential);
        config.token_lifetime = Duration::from_secs(90);
        if random.next().is_multiple_of(3) {
            config.request_timeout = Duration::from_secs(40);
        }
        if random.next().is_multiple_of(3) {
            config.max_reports_in_flight = 1 + random.next() as usize % 4;
            config.merge_reports = random.next().is_multiple_of(2);
        }
        let mut world = World {
            manner,
            now: Duration::ZERO,
            request_timeout: config.request_timeout,
            several_in_flight: config.max_reports_in_flight > 1,
            session: Session::new(config, random.next()),
            hub: Hub::new(),
            owner: Owner::default(),
            agenda: BTreeMap::new(),
            entries: 0,
            link: None,
            links: 0,
            leaving: false,
            token: None,
            arrivals: [Duration::ZERO; 2],
            trouble: true,
            heard: 0,
            corrupt: false,
            random,
        };
        world.hub.faults = world.hub_faults();
        world.owner.reads_may_lag = world.hub.faults.lag > 0.0;
        world.plan_story();
        world
    }

    pub(super) fn corrupt_reports(&mut self) {
        self.corrupt = true;
    }

    fn hub_faults(&self) -> Faults {
        match self.manner {
            Manner::Refusing => Faults {
                throttle: 0.1,
                fail_before: 0.1,
                fail_after: 0.1,
                refuse_subscription: 0.05,
                foreign_answer: 0.1,
                ..Faults::default()
            },
            Manner::Everything => Faults {
                throttle: 0.05,
                fail_before: 0.05,
                fail_after: 0.05,
                ignore: 0.05,
                refuse_subscription: 0.02,
                lag: 0.1,
                foreign_answer: 0.1,
                garble: 0.05,
            },
            Manner::Losing => Faults { ignore: 0.1, lag: 0.1, garble: 0.1, ..Faults::default() },
            _ => Faults::default(),
        }
    }

    fn plan_story(&mut self) {
        let any = self.manner == Manner::Everything;
        self.plan(35, || Next::Ask);
        self.plan(15, || Next::Backend);
        if any || self.manner == Manner::Cutting {
            self.plan(12, || Next::Cut);
        }
        if any || self.manner == Manner::Forgetting {
            self.plan(4, || Next::Forget);
            self.plan(3, || Next::Recreate);
        }
    }

    fn plan(&mut self, times: u32, next: fn() -> Next) {
        for _ in 0..times {
            let at = TROUBLE.mul_f64(share(self.random.next()));
            self.enter(at, next());
        }
    }

    pub(super) fn enter(&mut self, at: Duration, next: Next) {
        self.entries += 1;
        self.agenda.insert((at, self.entries), next);
    }

    /// Runs the story and checks its end.
    pub(super) fn run(mut self) {
        self.live_until(TROUBLE);
        self.trouble = false;
        self.hub.faults = Faults::default();
        self.owner.reads_may_lag = false;
        // A lost notification shows when the next one comes.
        let (now, bound) = (self.now, self.request_timeout);
        let watch = self.owner.watch(now, bound);
        self.command(watch);
        self.live_until(TROUBLE + SETTLED / 2);
        self.backend();
        let open = self.owner.open(self.now, bound);
        self.command(open);
        let watch = self.owner.watch(self.now, bound);
        self.command(watch);
        self.live_until(TROUBLE + SETTLED);
        assert!(self.owner.connected && self.owner.watching, "not connected and watching again");
        let (hub, known) = (&self.hub, self.owner.known());
        assert!(self.owner.is_up_to_date(hub), "the owner knows {known:?}, the hub has {hub:?}");
        assert!(self.owner.waiting.is_empty(), "still waiting: {:?}", self.owner.waiting);
        self.owner.check_reports(&self.hub, self.several_in_flight);
        self.check_thrift();
        let close = self.owner.close(self.now, Duration::from_secs(20));
        self.command(close);
        self.live_until(TROUBLE + SETTLED + Duration::from_secs(20));
        assert!(self.owner.closed && self.owner.waiting.is_empty(), "not closed");
    }

    /// No storms: requests are in proportion to what happened.
    fn check_thrift(&self) {
        let counters = self.session.counters();
        let causes = 60 + u64::from(self.links) * 4 + self.heard * 2;
        assert!(counters.requests <= causes, "{} requests for {causes} causes", counters.requests);
        assert!(counters.dials <= 400, "{} dials", counters.dials);
    }

    fn live_until(&mut self, end: Duration) {
        let mut spins = 0;
        loop {
            let wake_at = self.drive();
            let next = self.agenda.keys().next().map(|k| k.0);
            let at = match (wake_at, next) {
                (Some(a), Some(b)) => a.min(b),
                (a, b) => a.or(b).unwrap_or(end),
            };
            if at >= end {
                self.now = end;
                return;
            }
            spins = if at > self.now { 0 } else { spins + 1 };
            assert!(spins < 1000, "nothing but timeouts and messages at {at:?}");
            self.now = at.max(self.now);
            if next.is_some_and(|t| t <= self.now) {
                let (_, next) = self.agenda.pop_first().unwrap();
                self.happen(next);
            } else {
                assert!(spins < MAX_SPINS, "woken at {at:?} for nothing");
                self.session.handle_timeout(self.clock());
            }
        }
    }

    pub(super) fn clock(&self) -> Now {
        Now { mono: self.now, wall: Timestamp::from_unix(Duration::from_secs(1_700_000_000) + self.now) }
    }

    /// Does what the session says; returns when it wants to be woken.
    fn drive(&mut self) -> Option<Duration> {
        loop {
            match self.session.poll() {
                Output::Dial { token } => {
                    assert!(self.link.is_none() || self.leaving, "dialing while there is a link");
                    self.leaving = false;
                    self.links += 1;
                    (self.token, self.link) = (token, Some((self.links, false)));
                    self.arrivals = [self.now; 2];
                    let (link, at) = (self.links, self.now + self.delay());
                    self.enter(at, Next::Dialed { link });
                }
                Output::Disconnect => {
                    self.leaving = true;
                    if let Some((link, _)) = self.link {
                        let at = self.now + self.delay();
                        self.enter(at, Next::Closed { link });
                    }
                }
                Output::Say(said) => self.say_to_hub(said),
                Output::Event(event) => self.event(event),
                Output::Idle { wake_at } => {
                    assert!(self.session.held() <= MAX_HELD && self.session.pending() <= 1024);
                    return wake_at;
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.owner.hear(self.now, event, &self.hub);
    }

    fn command(&mut self, command: Command) {
        self.session.handle_command(self.clock(), command);
        self.drive();
    }

    fn happen(&mut self, next: Next) {
        match next {
            Next::Ask => {
                let life = self.hub.recreated;
                let command = self.owner.ask(self.now, self.request_timeout, &mut self.random, life);
                self.command(command);
            }
            Next::Backend => self.backend(),
            Next::Cut => self.cut(),
            Next::Forget => {
                self.hub.forget_session();
                self.cut();
            }
            Next::Recreate => {
                self.hub.recreate();
                self.cut();
            }
            Next::Dialed { link } => self.dialed(link),
            Next::Closed { link } => {
                if self.link.is_some_and(|(l, _)| l == link) {
                    self.down(ErrorKind::Network);
                }
            }
            Next::ToHub { link, said } => {
                if self.is_up(link) {
                    let expired = self.token.as_ref().is_some_and(|t| t.expiry() < self.clock().wall);
                    assert!(!expired, "the token ended on an open link");
                    for heard in self.hub.hear(&mut self.random, &said) {
                        self.tell_device(heard);
                    }
                    if self.corrupt && self.hub.reported_version > 3 {
                        self.hub.reported.clear();
                    }
                }
            }
            Next::ToDevice { link, heard } => {
                if self.is_up(link) {
                    self.heard += 1;
                    self.session.handle_heard(self.clock(), heard);
                }
            }
        }
    }

    fn backend(&mut self) {
        let value = self.hub.desired_version;
        let members = random_members(&mut self.random, value, 2);
        let told = if self.random.next().is_multiple_of(4) {
            let mut content = members;
            content.retain(|_, v| !v.is_null() && !v.is_object());
            self.hub.replace_desired(content)
        } else {
            self.hub.patch_desired(members)
        };
        if let Some(heard) = told {
            self.tell_device(heard);
        }
    }
}
