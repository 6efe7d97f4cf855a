//! The one task of a client: moves words between the session, the link and the handles. Decides nothing.

use std::collections::HashMap;
use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};
use twin_core::auth::SasToken;
use twin_core::message::Settlement;
use twin_core::session::{self, Command, Event, Now, Output, Session, State, Ticket};
use twin_core::wire::{Heard, Said};
use twin_core::{CloudMessage, Error, ErrorKind, Result, Timestamp, TwinKey};
use twin_transport::device::{Connection, Connector};

use crate::fan::Fan;
use crate::mailbox::Mailbox;
use crate::shared::{Letter, Reply, Shared};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The connection, or what is on the way to it or from it. Boxed, so that a client without one is small.
enum Link {
    Down,
    Dialing(Boxed<Result<(Connection, bool)>>),
    Up(Connection),
    Leaving(Boxed<()>),
}

/// What the link did.
enum Happened {
    Dialed(Result<(Connection, bool)>),
    Said(Result<Heard>),
    Left,
}

impl Link {
    /// Cancel-safe.
    async fn next(&mut self) -> Happened {
        match self {
            Link::Down => pending().await,
            Link::Dialing(dial) => Happened::Dialed(dial.await),
            Link::Up(connection) => Happened::Said(connection.next().await),
            Link::Leaving(leave) => {
                leave.await;
                Happened::Left
            }
        }
    }
}

pub(crate) struct Driver {
    key: TwinKey,
    shared: Arc<Shared>,
    session: Session,
    connector: Connector,
    link: Link,
    epoch: Instant,
    replies: HashMap<Ticket, Reply>,
    fan: Fan,
    mail: Mailbox,
    /// The session was asked to watch desired properties, by this ticket if it has not ended yet.
    watching: bool,
    watch: Option<Ticket>,
    /// The session will not connect again by itself.
    stopped: bool,
    closing: bool,
    closed: bool,
}

impl Driver {
    pub(crate) fn new(key: TwinKey, shared: Arc<Shared>, session: Session, connector: Connector) -> Driver {
        Driver {
            key,
            shared,
            session,
            connector,
            link: Link::Down,
            epoch: Instant::now(),
            replies: HashMap::new(),
            fan: Fan::default(),
            mail: Mailbox::default(),
            watching: false,
            watch: None,
            stopped: true,
            closing: false,
            closed: false,
        }
    }

    /// Runs until the client is closed.
    pub(crate) async fn run(mut self) {
        let mut alarm = pin!(sleep_until(self.epoch));
        while let Some(wake_at) = self.carry_out() {
            self.shared.set_idle(self.replies.is_empty() && matches!(self.link, Link::Up(_)));
            // One that rings too early does no harm, and moving it for each request costs more than the ring.
            if let Some(at) = wake_at
                && (alarm.is_elapsed() || at < alarm.deadline())
            {
                alarm.as_mut().reset(at);
            }
            tokio::select! {
                () = self.shared.rung() => self.read_letters(),
                happened = self.link.next() => self.relay(happened),
                () = alarm.as_mut(), if wake_at.is_some() => self.session.handle_timeout(now(self.epoch)),
            }
        }
    }

    /// Does what the session says until it has nothing to say. Returns when to wake it, or `None` at the end.
    fn carry_out(&mut self) -> Option<Option<Instant>> {
        loop {
            match self.session.poll() {
                Output::Dial { token } => {
                    let connector = self.connector.clone();
                    self.link =
                        Link::Dialing(Box::pin(async move { connector.connect(token.as_ref()).await }));
                }
                Output::Say(said) => self.say(&said),
                Output::Disconnect => self.leave(),
                Output::Event(Event::Done { ticket, result }) => self.done(ticket, result),
                Output::Event(Event::Desired(change)) => self.fan.tell(&change, &self.session),
                Output::Event(Event::Message(message)) => self.mail(*message),
                Output::Event(Event::State(state)) => self.state(state),
                Output::Event(Event::TokenExpiring { at }) => self.shared.tell_expiry(at),
                Output::Idle { wake_at } => {
                    self.fan.caught_up();
                    let over = self.closed && matches!(self.link, Link::Down);
                    return (!over).then(|| wake_at.map(|at| self.epoch + at));
                }
                Output::Renew { token } => self.renew(&token),
                other => tracing::error!(device = %self.key, ?other, "the session said something unexpected"),
            }
        }
    }

    fn say(&mut self, said: &Said) {
        if let Link::Up(connection) = &mut self.link
            && let Err(error) = connection.say(said)
        {
            self.lost(error);
        }
    }

    fn renew(&mut self, token: &SasToken) {
        if let Link::Up(connection) = &mut self.link
            && let Err(error) = connection.renew(token)
        {
            self.lost(error);
        }
    }

    fn leave(&mut self) {
        match std::mem::replace(&mut self.link, Link::Down) {
            Link::Up(connection) => self.link = Link::Leaving(Box::pin(connection.close())),
            Link::Leaving(leaving) => self.link = Link::Leaving(leaving),
            Link::Down | Link::Dialing(_) => {
                self.lost(Error::new(ErrorKind::Cancelled, "connecting was given up"));
            }
        }
    }

    fn lost(&mut self, error: Error) {
        self.link = Link::Down;
        self.session.handle_link(now(self.epoch), session::Link::Down(error));
    }

    fn relay(&mut self, happened: Happened) {
        match happened {
            Happened::Said(Ok(heard)) => self.session.handle_heard(now(self.epoch), heard),
            Happened::Dialed(Ok((connection, session_present))) => {
                self.link = Link::Up(connection);
                self.session.handle_link(now(self.epoch), session::Link::Up { session_present });
            }
            Happened::Said(Err(error)) | Happened::Dialed(Err(error)) => self.lost(error),
            Happened::Left => {
                self.lost(Error::new(ErrorKind::Cancelled, "the connection was closed on request"))
            }
        }
    }

    fn state(&mut self, state: State) {
        match &state {
            State::Disconnected { reason, retry_in } => {
                tracing::info!(device = %self.key, ?reason, ?retry_in, "disconnected");
                self.stopped = retry_in.is_none();
                if self.stopped && self.mail.watching {
                    // Nobody would ever hear a message again: whoever waits learns why.
                    self.mail.end(reason.as_ref());
                    self.session.handle_command(now(self.epoch), Command::UnwatchMessages);
                }
            }
            State::Connecting => self.stopped = false,
            State::Connected => tracing::info!(device = %self.key, "connected"),
            State::Closed => {
                tracing::info!(device = %self.key, "closed");
                self.closed = true;
            }
        }
        self.shared.set_state(state);
    }

    fn done(&mut self, ticket: Ticket, result: Result<session::Answer>) {
        if self.watch == Some(ticket) {
            self.watch = None;
            match result {
                // A device that starts without network may wait for days: ask again as long as the session tries.
                Err(error) if error.kind() == ErrorKind::Timeout && !self.stopped => self.begin_watch(),
                Err(error) => {
                    self.watching = false;
                    self.fan.end(Some(&error));
                }
                Ok(_) => {}
            }
        } else if self.mail.watch == Some(ticket) {
            self.mail.watch = None;
            match result {
                Err(error) if error.kind() == ErrorKind::Timeout && !self.stopped => self.begin_mail(),
                Err(error) => self.mail.end(Some(&error)),
                Ok(_) => {}
            }
        } else if let Some(reply) = self.replies.remove(&ticket) {
            if self.replies.is_empty() {
                self.replies = HashMap::new();
            }
            // Whoever does not wait any more has said so or will.
            let _ = reply.send(result);
        }
    }

    fn begin_watch(&mut self) {
        let ticket = self.shared.ticket();
        (self.watching, self.watch) = (true, Some(ticket));
        self.session.handle_command(now(self.epoch), Command::WatchDesired { ticket });
    }

    fn begin_mail(&mut self) {
        let ticket = self.shared.ticket();
        (self.mail.watching, self.mail.watch) = (true, Some(ticket));
        self.session.handle_command(now(self.epoch), Command::WatchMessages { ticket });
    }

    fn mail(&mut self, message: CloudMessage) {
        if let Some(message) = self.mail.tell(message, &self.shared) {
            // Where the transport cannot give it back, it is not acknowledged, and comes again.
            let (ticket, lock_token) = (self.shared.ticket(), message.lock_token);
            let settle = Command::Settle { ticket, lock_token, settlement: Settlement::Abandon };
            self.session.handle_command(now(self.epoch), settle);
        }
    }

    fn read_letters(&mut self) {
        let (letters, abandoned) = self.shared.take_letters();
        for letter in letters {
            let command = match letter {
                Letter::Ask(ticket, command, reply) => {
                    self.replies.insert(ticket, reply);
                    *command
                }
                Letter::Cancel(ticket) => Command::Cancel(ticket),
                Letter::UpdateToken(token) => Command::UpdateToken(*token),
                Letter::Mail(outlet) => {
                    self.mail.add(&outlet);
                    if self.mail.watch.is_none() {
                        self.begin_mail();
                    }
                    continue;
                }
                Letter::Watch(outlet) => {
                    self.fan.add(&outlet, &self.session);
                    // Also when watching already: every request makes a session that gave up try again.
                    if self.watch.is_none() {
                        self.begin_watch();
                    }
                    continue;
                }
            };
            self.session.handle_command(now(self.epoch), command);
        }
        if !self.fan.is_wanted() && self.watching {
            (self.watching, self.watch) = (false, None);
            self.session.handle_command(now(self.epoch), Command::UnwatchDesired);
        }
        if !self.mail.is_wanted() && self.mail.watching {
            (self.mail.watching, self.mail.watch) = (false, None);
            self.session.handle_command(now(self.epoch), Command::UnwatchMessages);
        }
        if abandoned && !self.closing {
            self.closing = true;
            let ticket = self.shared.ticket();
            self.session.handle_command(now(self.epoch), Command::Close { ticket });
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.end();
        self.fan.end(None);
        self.mail.end(None);
    }
}

fn now(epoch: Instant) -> Now {
    // Before 1970 is as good as 1970: a device without a clock.
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Now { mono: epoch.elapsed(), wall: Timestamp::from_unix(wall) }
}
