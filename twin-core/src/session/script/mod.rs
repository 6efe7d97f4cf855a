//! Table-driven tests: a script of what goes in, each step followed by exactly what comes out.
//!
//! `> step` goes in; the lines after it are everything that comes out, in order. Request ids are written `#1`, `#2`, …
//! in the order of their making. `> wait 5s` lets time pass, with a timeout at each `wake_at`. `idle 30s` as
//! the last line of a step also checks the next `wake_at`. `#` begins a comment line.

mod desired;
mod link;
mod messages;
mod reports;
mod requests;
mod tokens;

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::*;
use crate::auth::{Credential, Key, SasToken};
use crate::message::Settlement;
use crate::twin::patch::Rules;
use crate::twin::{Patch, SectionName};
use crate::wire::{Channel, Heard, Rid, Said};
use crate::{CloudMessage, Error, ErrorKind, HostName, Message, Timestamp, TwinKey};

/// Retries after exactly 1 s, 2 s, 3 s …, so that scripts can be exact; 10 times that when throttled.
fn config() -> Config {
    let host = HostName::new("hub.example").unwrap();
    let mut config = Config::new(host, TwinKey::device("d1").unwrap(), Credential::Certificate);
    config.retry = RetryPolicy::custom(|attempt, error| {
        let unit = if error.kind() == ErrorKind::Throttled { 10 } else { 1 };
        error.is_retryable().then(|| Duration::from_secs(unit * u64::from(attempt + 1)))
    });
    config
}

fn key() -> Credential {
    Credential::Key { key: Key::from_bytes(&[7; 32]).unwrap(), policy: None }
}

/// A given token that ends this many seconds after the scripts begin.
fn token(seconds: u64) -> SasToken {
    let key = Key::from_bytes(&[7; 32]).unwrap();
    SasToken::sign("hub.example/devices/d1", &key, None, start().plus(Duration::from_secs(seconds)))
}

fn start() -> Timestamp {
    Timestamp::from_unix(Duration::from_secs(1_700_000_000))
}

/// Runs scripts, each with its own session.
fn run(config: &Config, scripts: &[(&str, &str)]) {
    for (name, script) in scripts {
        let mut bench = Bench::new(config.clone());
        let mut steps: Vec<(&str, Vec<&str>)> = Vec::new();
        for line in script.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            match line.strip_prefix("> ") {
                Some(step) => steps.push((step, Vec::new())),
                None => steps.last_mut().expect("a script begins with a step").1.push(line),
            }
        }
        for (at, (step, expected)) in steps.into_iter().enumerate() {
            let mut heard = bench.step(step);
            if expected.last().is_some_and(|line| line.starts_with("idle ")) {
                heard.push(bench.idle());
            }
            assert_eq!(heard, expected, "\n'{name}', step {}: > {step}", at + 1);
        }
    }
}

struct Bench {
    session: Session,
    mono: Duration,
    wall_ahead: i64,
    prefix: Option<String>,
}

impl Bench {
    fn new(config: Config) -> Self {
        Bench { session: Session::new(config, 1), mono: Duration::ZERO, wall_ahead: 0, prefix: None }
    }

    fn now(&self) -> Now {
        let wall = start().plus(self.mono);
        let shift = Duration::from_secs(self.wall_ahead.unsigned_abs());
        let wall = if self.wall_ahead >= 0 {
            wall.plus(shift)
        } else {
            Timestamp::from_ticks(wall.ticks() - shift.as_nanos() as u64 / 100)
        };
        Now { mono: self.mono, wall }
    }

    fn step(&mut self, step: &str) -> Vec<String> {
        let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
        let words: Vec<&str> = rest.split(' ').collect();
        let json = rest.find('{').map(|at| &rest[at..]);
        let number = |at: usize| words[at].trim_start_matches('v').parse::<u64>().unwrap();
        let ticket = || Ticket(number(0));
        let now = self.now();
        let command = match verb {
            "open" => Command::Open { ticket: ticket() },
            "get" => Command::GetTwin { ticket: ticket() },
            "watch" => Command::WatchDesired { ticket: ticket() },
            "unwatch" => Command::UnwatchDesired,
            "cancel" => Command::Cancel(ticket()),
            "close" => Command::Close { ticket: ticket() },
            "mail" => Command::WatchMessages { ticket: ticket() },
            "unmail" => Command::UnwatchMessages,
            "send" => Command::Send { ticket: ticket(), message: Box::new(message(words[1])) },
            "batch" => Command::SendBatch {
                ticket: ticket(),
                messages: words[1..].iter().map(|text| message(text)).collect(),
            },
            "receive" => Command::Receive { ticket: ticket(), drain: words[1] == "all" },
            "complete" | "reject" | "abandon" => {
                let settlement = match verb {
                    "complete" => Settlement::Complete,
                    "reject" => Settlement::Reject,
                    _ => Settlement::Abandon,
                };
                Command::Settle { ticket: ticket(), lock_token: words[1].to_owned(), settlement }
            }
            "token" => Command::UpdateToken(token(number(0))),
            "report" => {
                let if_version = words[1].starts_with('v').then(|| number(1));
                Command::Report { ticket: ticket(), patch: patch(json.unwrap()), if_version }
            }
            _ => return self.other_step(verb, &words, json),
        };
        self.session.handle_command(now, command);
        self.outputs()
    }

    fn other_step(&mut self, verb: &str, words: &[&str], json: Option<&str>) -> Vec<String> {
        let now = self.now();
        let body = Bytes::from(json.unwrap_or_default().to_owned());
        let version = words.iter().find_map(|w| w.strip_prefix('v')?.parse::<u64>().ok());
        let channel = || match words[0] {
            "answers" => Channel::TwinAnswers,
            "messages" => Channel::CloudToDevice,
            _ => Channel::Desired,
        };
        match verb {
            "up" => self.session.handle_link(now, Link::Up { session_present: words[0] == "present" }),
            "down" => {
                let kind = ErrorKind::ALL.iter().find(|k| k.name() == words[0]).unwrap();
                self.session.handle_link(now, Link::Down(Error::new(*kind, "told by the script")));
            }
            "granted" => {
                self.session.handle_heard(now, Heard::Subscribed { channel: channel(), granted: true });
            }
            "refused" => {
                self.session.handle_heard(now, Heard::Subscribed { channel: channel(), granted: false });
            }
            "answer" => {
                let rid = Rid(words[0].replace('#', self.prefix.as_deref().unwrap_or("none-")));
                let status = words[1].parse().unwrap();
                self.session.handle_heard(now, Heard::Answer { rid, status, version, body });
            }
            "taken" => {
                let kind =
                    words.get(1).map(|word| ErrorKind::ALL.iter().find(|k| k.name() == *word).unwrap());
                let refusal = kind.map(|kind| Error::new(*kind, "told by the script"));
                self.session.handle_heard(now, Heard::Done { tag: words[0].parse().unwrap(), refusal });
            }
            "message" => {
                let cloud = CloudMessage::new(message(words[1]), words[0]);
                self.session.handle_heard(now, Heard::CloudToDevice(Box::new(cloud)));
            }
            "desired" => self.session.handle_heard(now, Heard::Desired { version, body }),
            "wait" => return self.wait(seconds(words[0])),
            "clock" => self.wall_ahead += words[0].parse::<i64>().unwrap(),
            _ => panic!("no such step: {verb}"),
        }
        self.outputs()
    }

    fn wait(&mut self, time: Duration) -> Vec<String> {
        let (mut lines, until) = (Vec::new(), self.mono + time);
        while let Output::Idle { wake_at: Some(at) } = self.session.poll() {
            if at > until {
                break;
            }
            assert!(
                at > self.mono,
                "the session wants to be woken at {at:?}, which is not after {:?}",
                self.mono
            );
            self.mono = at;
            self.session.handle_timeout(self.now());
            lines.extend(self.outputs());
        }
        self.mono = until;
        self.session.handle_timeout(self.now());
        lines.extend(self.outputs());
        lines
    }

    fn outputs(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.session.poll() {
                Output::Idle { .. } => return lines,
                output => lines.push(self.print(output)),
            }
        }
    }

    fn idle(&mut self) -> String {
        match self.session.poll() {
            Output::Idle { wake_at: Some(at) } => format!("idle {}s", (at - self.mono).as_secs_f64()),
            Output::Idle { wake_at: None } => "idle for ever".into(),
            output => panic!("{output:?} after idle"),
        }
    }

    fn rid(&mut self, rid: &Rid) -> String {
        let (prefix, number) = rid.0.split_once('-').unwrap();
        self.prefix = Some(format!("{prefix}-"));
        format!("#{number}")
    }

    fn print(&mut self, output: Output) -> String {
        match output {
            Output::Dial { token: Some(token) } => {
                format!("dial until {}", token.expiry().unix_seconds() - start().unix_seconds())
            }
            Output::Dial { token: None } => "dial".into(),
            Output::Renew { token } => {
                format!("renew until {}", token.expiry().unix_seconds() - start().unix_seconds())
            }
            Output::Disconnect => "disconnect".into(),
            Output::Say(Said::Subscribe(channel)) => format!("subscribe {}", name(channel)),
            Output::Say(Said::Unsubscribe(channel)) => format!("unsubscribe {}", name(channel)),
            Output::Say(Said::GetTwin { rid }) => format!("get {}", self.rid(&rid)),
            Output::Say(Said::Report { rid, patch, if_version }) => {
                let rid = self.rid(&rid);
                let version = if_version.map(|v| format!(" v{v}")).unwrap_or_default();
                format!("report {rid}{version} {}", String::from_utf8_lossy(&patch))
            }
            Output::Say(Said::Telemetry { tag, message }) => format!("send {tag} {}", text(&message)),
            Output::Say(Said::Batch { tag, messages }) => {
                format!("batch {tag} {}", messages.iter().map(text).collect::<Vec<_>>().join(" "))
            }
            Output::Say(Said::Receive { tag, drain }) => {
                format!("receive {tag} {}", if drain { "all" } else { "one" })
            }
            Output::Say(Said::Settle { tag, lock_token, settlement }) => {
                format!("{} {tag} {lock_token}", format!("{settlement:?}").to_lowercase())
            }
            Output::Event(event) => print_event(event),
            output => panic!("unexpected {output:?}"),
        }
    }
}

fn print_event(event: Event) -> String {
    match event {
        Event::Done { ticket, result } => format!("done {} {}", ticket.0, print_result(&result)),
        Event::Desired(DesiredChange::Whole { desired, version }) => {
            format!("whole v{version} {}", Value::Object(desired))
        }
        Event::Desired(DesiredChange::Patch { patch, version }) => {
            format!("patch v{version} {}", Value::Object(patch))
        }
        Event::State(State::Disconnected { reason, retry_in }) => {
            let reason = reason.map_or("no reason", |e| e.kind().name());
            let retry = retry_in.map_or("stopped".into(), |d| format!("retry in {}s", d.as_secs_f64()));
            format!("disconnected {reason} {retry}")
        }
        Event::State(state) => format!("{state:?}").to_lowercase(),
        Event::Message(cloud) => format!("message {} {}", cloud.lock_token, text(&cloud.message)),
        Event::TokenExpiring { at } => {
            format!("token expiring at {}", at.unix_seconds() - start().unix_seconds())
        }
    }
}

fn print_result(result: &Result<Answer, Error>) -> String {
    match result {
        Ok(Answer::Twin(twin)) => format!(
            "twin v{} {} v{}",
            twin.desired.version,
            Value::Object(twin.desired.value.clone()),
            twin.reported.version
        ),
        Ok(Answer::Reported { version: Some(version) }) => format!("reported v{version}"),
        Ok(answer) => format!("{answer:?}").split(' ').next().unwrap().to_lowercase(),
        Err(e) => match e.delivery() {
            Some(delivery) => format!("{} {delivery:?}", e.kind().name()),
            None => e.kind().name().into(),
        },
    }
}

fn name(channel: Channel) -> &'static str {
    match channel {
        Channel::TwinAnswers => "answers",
        Channel::CloudToDevice => "messages",
        _ => "desired",
    }
}

/// `text*1000` is that text a thousand times.
fn message(text: &str) -> Message {
    let (text, times) = text.split_once('*').unwrap_or((text, "1"));
    Message::new(text.repeat(times.parse().unwrap()))
}

fn text(message: &Message) -> String {
    String::from_utf8_lossy(&message.body[..message.body.len().min(20)]).into_owned()
}

fn patch(json: &str) -> Patch {
    Patch::parse(SectionName::Reported, json.as_bytes(), Rules::default()).unwrap()
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(text.strip_suffix('s').unwrap().parse().unwrap())
}
