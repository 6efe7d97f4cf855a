//! The device's session machine: whatever its owner asks, the hub says, the link does and the clock reads, it does not
//! panic or spin, and every request ends exactly once, at the latest when it is closed.
#![no_main]
use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use twin_core::auth::{Credential, Key, SasToken};
use twin_core::session::{Command, Config, Event, Link, Now, Output, Session, Ticket};
use twin_core::twin::{Patch, Rules, SectionName};
use twin_core::wire::{Channel, Heard, Rid, Said};
use twin_core::{Error, ErrorKind, HostName, Timestamp, TwinKey};

/// Outputs in a row without anything fed: more is a loop.
const MAX_OUTPUTS: u32 = 10_000;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    let Ok(mut world) = World::new(&mut input) else { return };
    while !input.is_empty() && world.step(&mut input).is_ok() {}
    world.close();
});

struct World {
    session: Session,
    now: Now,
    tickets: u64,
    /// how often each request ended
    ended: HashMap<u64, u32>,
    rids: Vec<Rid>,
    /// links that the session waits to hear of
    dialing: bool,
    up: bool,
    wake_at: Option<Duration>,
}

impl World {
    fn new(input: &mut Unstructured<'_>) -> Result<World> {
        let mut config = Config::new(
            HostName::new("hub").expect("a name"),
            TwinKey::device("d").expect("an id"),
            match input.int_in_range(0..=2)? {
                0 => Credential::Certificate,
                1 => Credential::Token(token(input.arbitrary()?)),
                _ => Credential::Key { key: key(), policy: None },
            },
        );
        config.token_lifetime = Duration::from_secs(input.arbitrary::<u16>()?.into());
        config.token_renew_share = input.arbitrary()?;
        config.max_pending = input.arbitrary::<u8>()?.into();
        config.max_reports_in_flight = input.int_in_range(0..=4)?;
        config.merge_reports = input.arbitrary()?;
        config.renew_in_place = input.arbitrary()?;
        Ok(World {
            session: Session::new(config, input.arbitrary()?),
            now: Now { mono: Duration::ZERO, wall: Timestamp::from_unix(Duration::from_secs(1 << 30)) },
            tickets: 0,
            ended: HashMap::new(),
            rids: vec![Rid("nobody's".into())],
            dialing: false,
            up: false,
            wake_at: None,
        })
    }

    fn step(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let now = self.now;
        match input.int_in_range(0..=11)? {
            0 => self.ask(|ticket| Command::Open { ticket }),
            1 => self.ask(|ticket| Command::GetTwin { ticket }),
            2 | 3 => {
                let patch = json(input)?;
                let if_version = input.arbitrary()?;
                let Ok(patch) = Patch::parse(SectionName::Reported, &patch, Rules::PATCH) else {
                    return Ok(());
                };
                self.ask(|ticket| Command::Report { ticket, patch, if_version });
            }
            4 => self.ask(|ticket| Command::WatchDesired { ticket }),
            5 => {
                let one = Ticket(input.int_in_range(0..=self.tickets)?);
                let command = match input.int_in_range(0..=2)? {
                    0 => Command::UnwatchDesired,
                    1 => Command::UpdateToken(token(input.arbitrary()?)),
                    _ => Command::Cancel(one),
                };
                self.session.handle_command(now, command);
            }
            6 | 7 if self.dialing || self.up => {
                let kind = *input.choose(ErrorKind::ALL)?;
                let comes_up = self.dialing && input.arbitrary()?;
                (self.dialing, self.up) = (false, comes_up);
                let down = Link::Down(Error::new(kind, "it went"));
                let link = if comes_up { Link::Up { session_present: input.arbitrary()? } } else { down };
                self.session.handle_link(now, link);
            }
            8 | 9 if self.up => {
                let heard = self.heard(input)?;
                self.session.handle_heard(now, heard);
            }
            10 if self.wake_at.is_some() => {
                self.pass(self.wake_at.expect("just seen").saturating_sub(now.mono));
                self.session.handle_timeout(self.now);
            }
            _ => {
                self.pass(Duration::from_millis(input.arbitrary::<u32>()?.into()));
                if input.arbitrary()? {
                    self.now.wall =
                        Timestamp::from_unix(Duration::from_secs(input.arbitrary::<u32>()?.into()));
                }
                self.session.handle_timeout(self.now);
            }
        }
        self.drain();
        Ok(())
    }

    fn ask(&mut self, command: impl FnOnce(Ticket) -> Command) {
        self.tickets += 1;
        self.ended.insert(self.tickets, 0);
        self.session.handle_command(self.now, command(Ticket(self.tickets)));
    }

    fn heard(&self, input: &mut Unstructured<'_>) -> Result<Heard> {
        Ok(match input.int_in_range(0..=4)? {
            0 => Heard::Subscribed {
                channel: *input.choose(&[Channel::TwinAnswers, Channel::Desired, Channel::Methods])?,
                granted: input.ratio(3, 4)?,
            },
            1 => Heard::Unsubscribed(Channel::Desired),
            2 => Heard::Desired { version: input.arbitrary()?, body: json(input)?.into() },
            _ => Heard::Answer {
                rid: input.choose(&self.rids[self.rids.len().saturating_sub(4)..])?.clone(),
                status: *input.choose(&[200, 204, 400, 401, 404, 412, 429, 500, 0, 999])?,
                version: input.arbitrary()?,
                body: json(input)?.into(),
            },
        })
    }

    fn pass(&mut self, time: Duration) {
        self.now.mono += time;
        self.now.wall = self.now.wall.plus(time);
    }

    fn drain(&mut self) {
        for _ in 0..MAX_OUTPUTS {
            match self.session.poll() {
                Output::Idle { wake_at } => return self.wake_at = wake_at,
                Output::Dial { .. } => (self.dialing, self.up) = (true, false),
                // Answered by a later `Link::Down`.
                Output::Disconnect => (self.dialing, self.up) = (false, true),
                Output::Say(Said::GetTwin { rid } | Said::Report { rid, .. }) => self.rids.push(rid),
                Output::Event(Event::Done { ticket, .. }) => {
                    *self.ended.get_mut(&ticket.0).expect("it was asked") += 1;
                }
                _ => {}
            }
        }
        panic!("it never stops talking");
    }

    fn close(mut self) {
        self.ask(|ticket| Command::Close { ticket });
        self.drain();
        if self.dialing || self.up {
            self.session.handle_link(self.now, Link::Down(Error::new(ErrorKind::Network, "closed")));
            self.drain();
        }
        assert_eq!(self.session.pending(), 0);
        self.ask(|ticket| Command::GetTwin { ticket });
        self.drain();
        assert!(self.ended.values().all(|times| *times == 1), "{:?}", self.ended);
        assert_eq!(self.wake_at, None, "a closed session wants nothing");
    }
}

/// A body: some of what hubs say, or any bytes.
fn json(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let (a, b): (u8, u8) = input.arbitrary()?;
    Ok(match input.int_in_range(0..=4)? {
        0 => format!(r#"{{"a":{a},"$version":{b}}}"#).into(),
        1 => format!(r#"{{"desired":{{"a":{a},"$version":{b}}},"reported":{{"$version":{a}}}}}"#).into(),
        2 => format!(r#"{{"a{}":{b},"b":null}}"#, a % 4).into(),
        3 => Vec::new(),
        _ => Bytes::copy_from_slice(input.bytes(usize::from(a).min(input.len()))?).into(),
    })
}

fn key() -> Key {
    Key::from_bytes(&[7; 32]).expect("32 bytes are a key")
}

fn token(expiry: u32) -> SasToken {
    SasToken::sign("hub/devices/d", &key(), None, Timestamp::from_unix(Duration::from_secs(expiry.into())))
}
