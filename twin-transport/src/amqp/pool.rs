//! Many devices over few connections.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use twin_core::auth::SasToken;
use twin_core::wire::{Heard, Said};
use twin_core::{Error, ErrorKind, HostName, Result, TwinKey};

use super::Dialer;
use super::line::Line;
use super::talk::{News, Slot};
use crate::{Carrier, Endpoint, Options};

/// Most devices of one connection, and the default. The .NET SDK takes no more than 995 (IoT Hub's own limit is not
/// documented).
pub const MAX_DEVICES_PER_CONNECTION: usize = 995;
/// Most words that wait for the connection's task, in all.
const MAX_WISHES: usize = 64 * 1024;
/// Most words that wait for one device. One that does not listen is cut off, so that it does not hold up the others.
const MAX_LETTERS: usize = 1024;

/// Carries devices of one hub over few connections: each takes up to `devices_per_connection` of them, a further one is
/// made when they are full, and one that nobody uses any more is closed. Cheap to clone: all clones are one pool.
///
/// Devices on one connection share its fate: when it is lost, each of them connects again by its own rules.
/// Certificates belong to a connection, so devices with X.509 cannot share one.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    dialer: Dialer,
    most: usize,
    lines: tokio::sync::Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    live: Vec<Arc<Desk>>,
    /// The last attempt to make one failed, and when it ended.
    failed: Option<(Instant, Error)>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("hub", &self.0.dialer.endpoint.hub).finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool of connections to `hub` (through `gateway`, if there is one). Connects to nothing yet.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) that names the option; `devices_per_connection` is 1 to
    /// [`MAX_DEVICES_PER_CONNECTION`].
    pub fn new(
        hub: HostName,
        gateway: Option<HostName>,
        carrier: Carrier,
        devices_per_connection: usize,
        options: &Options,
    ) -> Result<Pool> {
        if !(1..=MAX_DEVICES_PER_CONNECTION).contains(&devices_per_connection) {
            return Err(Error::invalid(format!(
                "devices_per_connection is {devices_per_connection}; it can be 1 to {MAX_DEVICES_PER_CONNECTION}"
            )));
        }
        if options.client_certificate.is_some() {
            return Err(Error::invalid(
                "a client certificate speaks for one device; devices with X.509 cannot share a connection",
            ));
        }
        // Only where the connection leads is of interest here; each device says who it is.
        let mut endpoint = Endpoint::new(hub, TwinKey::device("pool")?);
        (endpoint.gateway, endpoint.carrier) = (gateway, carrier);
        let dialer = Dialer::new(endpoint, options)?;
        Ok(Pool(Arc::new(Inner { dialer, most: devices_per_connection, lines: Default::default() })))
    }

    /// The hub.
    pub fn hub(&self) -> &HostName {
        &self.0.dialer.endpoint.hub
    }

    /// Where it connects instead of to the hub, if somewhere.
    pub fn gateway(&self) -> Option<&HostName> {
        self.0.dialer.endpoint.gateway.as_ref()
    }

    /// How many connections there are now.
    pub async fn connections(&self) -> usize {
        let mut lines = self.0.lines.lock().await;
        lines.live.retain(|desk| !desk.has_ended());
        lines.live.len()
    }

    /// Brings a device onto a connection with room, or onto a new one, within the connect timeout. Of `endpoint` only
    /// who the device is counts.
    ///
    /// # Errors
    /// As [`Connector::connect`](super::Connector::connect).
    pub async fn connect(&self, endpoint: &Arc<Endpoint>, token: &SasToken) -> Result<PooledConnection> {
        let dialer = &self.0.dialer;
        let begin = Instant::now();
        let deadline = begin + dialer.connect_timeout;
        let seat = timeout_at(deadline, self.seat(begin)).await.map_err(|_| dialer.late("reaching"))??;
        seat.desk.wish(Wish::Join(seat.slot, endpoint.clone(), token.clone(), seat.letters.clone()))?;
        let up = async {
            match seat.letter().await? {
                Letter::Up => Ok(()),
                Letter::Heard(_) => {
                    Err(Error::new(ErrorKind::Internal, "an answer came before the device was let in"))
                }
            }
        };
        timeout_at(deadline, up).await.map_err(|_| dialer.late("logging in at"))??;
        Ok(seat)
    }

    /// Room for one more. Whoever finds none makes a connection; the others wait for it, and share its failure.
    async fn seat(&self, begin: Instant) -> Result<PooledConnection> {
        let mut lines = self.0.lines.lock().await;
        lines.live.retain(|desk| !desk.has_ended());
        let found = lines.live.iter().find_map(|desk| PooledConnection::reserve(desk, self.0.most));
        if let Some(seat) = found {
            return Ok(seat);
        }
        if let Some((_, error)) = lines.failed.as_ref().filter(|(at, _)| *at > begin) {
            return Err(error.clone());
        }
        match self.0.dialer.dial().await {
            Ok(line) => {
                let desk = Arc::new(Desk::default());
                let seat = PooledConnection::reserve(&desk, self.0.most);
                lines.live.push(desk.clone());
                lines.failed = None;
                tokio::spawn(run(line, desk));
                seat.ok_or_else(|| Error::new(ErrorKind::Internal, "a new connection has no room"))
            }
            Err(error) => {
                lines.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }
}

/// What a device wants from its connection.
enum Wish {
    Join(Slot, Arc<Endpoint>, SasToken, Arc<Letters>),
    Say(Slot, Said),
    Renew(Slot, SasToken),
    Leave(Slot),
}

/// Where a connection's devices put their wishes.
#[derive(Default)]
struct Desk {
    inner: Mutex<DeskInner>,
    bell: Notify,
}

#[derive(Default)]
struct DeskInner {
    wishes: VecDeque<Wish>,
    /// Seats taken.
    devices: usize,
    last_slot: u64,
    ended: bool,
}

/// Nothing behind these locks can be left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    fn has_ended(&self) -> bool {
        lock(&self.inner).ended
    }

    fn wish(&self, wish: Wish) -> Result<()> {
        let mut inner = lock(&self.inner);
        if inner.wishes.len() >= MAX_WISHES && !matches!(wish, Wish::Leave(_)) {
            return Err(Error::new(ErrorKind::Network, "the shared connection is stuck"));
        }
        if inner.ended {
            // Whoever is on it hears why from its letters.
            return match wish {
                Wish::Join(..) => Err(Error::new(ErrorKind::Network, "the shared connection was lost")),
                _ => Ok(()),
            };
        }
        inner.wishes.push_back(wish);
        drop(inner);
        self.bell.notify_one();
        Ok(())
    }

    /// The wishes; ends the desk if nobody sits there any more.
    fn take(&self) -> (VecDeque<Wish>, bool) {
        let mut inner = lock(&self.inner);
        let wishes = std::mem::take(&mut inner.wishes);
        inner.ended |= inner.devices == 0;
        (wishes, inner.ended)
    }

    /// Nobody can sit down any more.
    fn end(&self) -> VecDeque<Wish> {
        let mut inner = lock(&self.inner);
        inner.ended = true;
        std::mem::take(&mut inner.wishes)
    }
}

/// What a connection has for one device.
enum Letter {
    Up,
    Heard(Heard),
}

#[derive(Default)]
struct Letters(Mutex<LettersInner>);

#[derive(Default)]
struct LettersInner {
    waiting: VecDeque<Letter>,
    waker: Option<Waker>,
    ended: Option<Error>,
}

impl Letters {
    /// `false`: the device does not listen.
    fn put(&self, letter: Letter) -> bool {
        let mut inner = lock(&self.0);
        let room = inner.waiting.len() < MAX_LETTERS;
        if room {
            inner.waiting.push_back(letter);
        }
        let waker = inner.waker.take();
        drop(inner);
        waker.into_iter().for_each(Waker::wake);
        room
    }

    fn end(&self, error: &Error) {
        let mut inner = lock(&self.0);
        inner.ended.get_or_insert_with(|| error.clone());
        let waker = inner.waker.take();
        drop(inner);
        waker.into_iter().for_each(Waker::wake);
    }
}

/// The task of one connection.
async fn run(mut line: Line, desk: Arc<Desk>) {
    let mut devices: HashMap<Slot, Arc<Letters>> = HashMap::new();
    let error = loop {
        let ended = tokio::select! {
            () = desk.bell.notified() => {
                let (wishes, over) = desk.take();
                wishes.into_iter().for_each(|wish| grant(&mut line, &mut devices, wish));
                if over {
                    return line.close().await;
                }
                Ok(())
            }
            news = line.next() => news.map(|(slot, news)| tell(&mut line, &mut devices, slot, news)),
        };
        if let Err(error) = ended {
            break error;
        }
    };
    for wish in desk.end() {
        if let Wish::Join(slot, _, _, letters) = wish {
            devices.insert(slot, letters);
        }
    }
    devices.values().for_each(|letters| letters.end(&error));
}

fn grant(line: &mut Line, devices: &mut HashMap<Slot, Arc<Letters>>, wish: Wish) {
    let (slot, result) = match wish {
        Wish::Join(slot, who, token, letters) => {
            devices.insert(slot, letters);
            (slot, line.talk.join(slot, who, Some(&token)))
        }
        Wish::Say(slot, said) => (slot, line.talk.say(slot, &said)),
        Wish::Renew(slot, token) => (slot, line.talk.renew(slot, &token)),
        Wish::Leave(slot) => {
            devices.remove(&slot);
            line.talk.leave(slot);
            return;
        }
    };
    if let Err(error) = result {
        line.talk.leave(slot);
        devices.remove(&slot).into_iter().for_each(|letters| letters.end(&error));
    }
}

fn tell(line: &mut Line, devices: &mut HashMap<Slot, Arc<Letters>>, slot: Slot, news: News) {
    let Some(letters) = devices.get(&slot) else { return };
    let letter = match news {
        News::Up => Ok(Letter::Up),
        News::Heard(heard) => Ok(Letter::Heard(heard)),
        News::Down(error) => Err(error),
    };
    let deaf =
        || Error::new(ErrorKind::Network, "the device did not listen, and was cut off the shared connection");
    let error = match letter.map(|letter| letters.put(letter)) {
        Ok(true) => return,
        Ok(false) => deaf(),
        Err(error) => error,
    };
    letters.end(&error);
    devices.remove(&slot);
    line.talk.leave(slot);
}

/// One device's seat on a shared connection. The connection has a task of its own; the device leaves it when this is
/// dropped or closed.
pub struct PooledConnection {
    desk: Arc<Desk>,
    slot: Slot,
    letters: Arc<Letters>,
}

impl fmt::Debug for PooledConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledConnection").field("slot", &self.slot).finish_non_exhaustive()
    }
}

impl PooledConnection {
    fn reserve(desk: &Arc<Desk>, most: usize) -> Option<PooledConnection> {
        let mut inner = lock(&desk.inner);
        if inner.ended || inner.devices >= most {
            return None;
        }
        inner.devices += 1;
        inner.last_slot += 1;
        let slot = Slot(inner.last_slot);
        Some(PooledConnection { desk: desk.clone(), slot, letters: Arc::default() })
    }

    /// Says something, soon.
    ///
    /// # Errors
    /// [`Network`](ErrorKind::Network) if the connection is stuck. Any other is told by [`PooledConnection::next`].
    pub fn say(&mut self, said: &Said) -> Result<()> {
        self.desk.wish(Wish::Say(self.slot, said.clone()))
    }

    /// Gives the hub a new token. A refusal ends the device's part of the connection.
    ///
    /// # Errors
    /// As [`PooledConnection::say`].
    pub fn renew(&mut self, token: &SasToken) -> Result<()> {
        self.desk.wish(Wish::Renew(self.slot, token.clone()))
    }

    /// The next thing the hub says to this device. Cancel-safe.
    ///
    /// # Errors
    /// As [`Connection::next`](super::Connection::next).
    pub async fn next(&mut self) -> Result<Heard> {
        loop {
            if let Letter::Heard(heard) = self.letter().await? {
                return Ok(heard);
            }
        }
    }

    async fn letter(&self) -> Result<Letter> {
        poll_fn(|cx| {
            let mut inner = lock(&self.letters.0);
            if let Some(letter) = inner.waiting.pop_front() {
                return Poll::Ready(Ok(letter));
            }
            if inner.waiting.capacity() > 0 {
                inner.waiting = VecDeque::new();
            }
            match &inner.ended {
                Some(error) => Poll::Ready(Err(error.clone())),
                None => {
                    inner.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Leaves the connection; the last one closes it.
    pub async fn close(self) {}
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        lock(&self.desk.inner).devices -= 1;
        // Only a full desk refuses, and it never refuses this.
        let _ = self.desk.wish(Wish::Leave(self.slot));
    }
}
