//! A device over HTTPS: telemetry, and cloud-to-device messages that are asked for. There are no twins over HTTPS.
//!
//! HTTPS has no connection that lasts, so [`Connector::connect`] says nothing to the hub; the first request tells whether
//! the device is let in. A [`Connection`] makes one request for each thing that is said, over kept-alive connections, and
//! asks for messages by a [`ReceivePolicy`] while somebody is subscribed to them.

use std::collections::VecDeque;
use std::fmt;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};
use twin_core::auth::SasToken;
use twin_core::receive::{ReceivePolicy, Schedule};
use twin_core::session::Now;
use twin_core::wire::https::{self as grammar, Answer, Call};
use twin_core::wire::{ApiVersion, Channel, Heard, Said};
use twin_core::{Error, ErrorKind, Result, Timestamp};

use crate::http::HttpClient;
use crate::{Endpoint, Options};

/// Makes connections of one device. Cheap to clone; clones share the HTTPS connections.
#[derive(Clone)]
pub struct Connector(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    client: HttpClient,
    policy: ReceivePolicy,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("endpoint", &self.0.endpoint).finish_non_exhaustive()
    }
}

impl Connector {
    /// Checks the options and reads the trust store. `policy` says when messages are asked for.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) that names the option.
    pub fn new(endpoint: Endpoint, options: &Options, policy: ReceivePolicy) -> Result<Connector> {
        options.validate()?;
        let client = HttpClient::new(endpoint.host(), options)?;
        Ok(Connector(Arc::new(Inner { endpoint, client, policy })))
    }

    /// Ready at once: requests carry `token` (`None`: the client certificate speaks for the device).
    pub fn connect(&self, token: Option<&SasToken>) -> Connection {
        Connection {
            desk: self.0.clone(),
            token: token.cloned(),
            epoch: Instant::now(),
            flights: Vec::new(),
            schedule: None,
            news: VecDeque::new(),
        }
    }
}

type Flight = Pin<Box<dyn Future<Output = Landed> + Send>>;

/// How a request ended.
enum Landed {
    /// Telemetry or a settlement.
    Sent { tag: u64, result: Result<Answer> },
    /// A request for messages: by hand, with a tag, or because it was time.
    Received { tag: Option<u64>, drain: bool, result: Result<Answer> },
}

/// A device's requests, driven by their owner. It does nothing unless [`Connection::next`] is polled; dropping it gives up
/// the requests on their way.
pub struct Connection {
    desk: Arc<Inner>,
    token: Option<SasToken>,
    epoch: Instant,
    /// Requests on their way; as many as were said and not told, and one for messages.
    flights: Vec<Flight>,
    /// While somebody is subscribed to messages.
    schedule: Option<Schedule>,
    news: VecDeque<Heard>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("endpoint", &self.desk.endpoint).finish_non_exhaustive()
    }
}

impl Connection {
    /// Makes a request of it; [`Connection::next`] sends it.
    ///
    /// # Errors
    /// [`NotSupported`](ErrorKind::NotSupported) for twins and methods.
    pub fn say(&mut self, said: &Said) -> Result<()> {
        let key = self.desk.endpoint.key.clone();
        match said {
            Said::Subscribe(Channel::CloudToDevice) => {
                self.schedule = Some(Schedule::new(self.desk.policy.when.clone(), self.now()));
                self.news.push_back(Heard::Subscribed { channel: Channel::CloudToDevice, granted: true });
            }
            Said::Unsubscribe(Channel::CloudToDevice) => {
                self.schedule = None;
                self.news.push_back(Heard::Unsubscribed(Channel::CloudToDevice));
            }
            Said::Telemetry { tag, message } => self.send(*tag, Call::Send { key, message: message.clone() }),
            Said::Batch { tag, messages } => {
                self.send(*tag, Call::SendBatch { key, messages: messages.clone() });
            }
            Said::Settle { tag, lock_token, settlement } => {
                let (lock_token, settlement) = (lock_token.clone(), *settlement);
                self.send(*tag, Call::Settle { key, lock_token, settlement });
            }
            Said::Receive { tag, drain } => self.receive(Some(*tag), *drain),
            _ => {
                return Err(Error::new(
                    ErrorKind::NotSupported,
                    "IoT Hub has no twins and methods over HTTPS; MQTT and AMQP carry them",
                ));
            }
        }
        Ok(())
    }

    /// Later requests carry this token.
    pub fn renew(&mut self, token: &SasToken) {
        self.token = Some(token.clone());
    }

    /// Sends what waits, asks for messages when it is time, and returns the next thing there is to tell. Cancel-safe.
    ///
    /// # Errors
    /// What the hub answered to a request for messages that was made because it was time, if trying again will not help
    /// ([`Unauthorized`](ErrorKind::Unauthorized) and kin). Everything else is told by [`Heard::Done`], and a network that
    /// is away for a while by nothing.
    pub async fn next(&mut self) -> Result<Heard> {
        loop {
            if let Some(heard) = self.news.pop_front() {
                return Ok(heard);
            }
            let now = self.now();
            if self.schedule.as_mut().is_some_and(|schedule| schedule.take(now)) {
                self.receive(None, self.desk.policy.drain);
            }
            let due = self.schedule.as_ref().and_then(Schedule::next).map(|at| self.epoch + at);
            tokio::select! {
                landed = land(&mut self.flights) => self.landed(landed)?,
                () = until(due) => {}
            }
        }
    }

    fn landed(&mut self, landed: Landed) -> Result<()> {
        let (tag, drain, result) = match landed {
            Landed::Sent { tag, result } => {
                self.news.push_back(Heard::Done { tag, refusal: result.err() });
                return Ok(());
            }
            Landed::Received { tag, drain, result } => (tag, drain, result),
        };
        let result = match result {
            Ok(Answer::Message(message)) => {
                self.news.push_back(Heard::CloudToDevice(message));
                if drain && (tag.is_some() || self.schedule.is_some()) {
                    self.receive(tag, drain);
                    return Ok(());
                }
                Ok(())
            }
            Ok(Answer::Nothing) => Ok(()),
            Err(error) => Err(error),
        };
        match (tag, result) {
            (Some(tag), result) => self.news.push_back(Heard::Done { tag, refusal: result.err() }),
            (None, Err(error)) if !error.is_retryable() && self.schedule.is_some() => return Err(error),
            (None, result) => {
                if let Err(error) = result {
                    tracing::debug!(device = %self.desk.endpoint.key, %error, "no messages this time");
                }
                let now = self.now();
                if let Some(schedule) = &mut self.schedule {
                    schedule.ended(now);
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, tag: u64, call: Call) {
        let (desk, token) = (self.desk.clone(), self.token.clone());
        self.flights.push(Box::pin(async move {
            Landed::Sent { tag, result: desk.ask(&call, token.as_ref()).await }
        }));
    }

    fn receive(&mut self, tag: Option<u64>, drain: bool) {
        let (desk, token) = (self.desk.clone(), self.token.clone());
        self.flights.push(Box::pin(async move {
            let call = Call::Receive { key: desk.endpoint.key.clone(), lock_timeout: None };
            Landed::Received { tag, drain, result: desk.ask(&call, token.as_ref()).await }
        }));
    }

    fn now(&self) -> Now {
        // Before 1970 is as good as 1970: a device without a clock.
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Now { mono: self.epoch.elapsed(), wall: Timestamp::from_unix(wall) }
    }
}

impl Inner {
    async fn ask(&self, call: &Call, token: Option<&SasToken>) -> Result<Answer> {
        let request = grammar::say(call, ApiVersion::OURS);
        let mut headers = request.headers;
        if let Some(token) = token {
            headers.push(("authorization".to_owned(), token.expose().to_owned()));
        }
        if let Some(product) = &self.endpoint.product_info {
            headers.push(("user-agent".to_owned(), product.clone()));
        }
        let answer = self.client.send_spelled(request.method, &request.target, &headers, request.body).await;
        // What was received and cannot be settled any more comes again when its lock ends.
        grammar::hear_answer(answer?)
    }
}

/// The first request that ended; never, if there is none.
async fn land(flights: &mut Vec<Flight>) -> Landed {
    poll_fn(|cx| {
        for at in 0..flights.len() {
            if let Poll::Ready(landed) = flights[at].as_mut().poll(cx) {
                drop(flights.remove(at));
                return Poll::Ready(landed);
            }
        }
        Poll::Pending
    })
    .await
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
