//! Requests kept in flight on many connections, as many as the other side takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Outcome, lean};

/// Longest wait for the answers that are on their way when a pass ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// The length of the first answer in these bytes, once it is whole; an error if it is a refusal.
pub type Answered = fn(&[u8]) -> Outcome<Option<usize>>;

/// A connection and what is asked on it, in turn.
pub struct Lane {
    /// The connection.
    pub stream: lean::Stream,
    /// What is asked, one after another, then again from the start.
    pub requests: Vec<Vec<u8>>,
    /// What an answer looks like.
    pub answered: Answered,
    /// Requests that may wait for their answers.
    pub in_flight: usize,
}

/// Answers per second, all lanes together, over `pass` after a fifth of it to warm up; gives the lanes back.
pub async fn saturate(lanes: Vec<Lane>, pass: Duration) -> Outcome<(f64, Vec<Lane>)> {
    saturate_and(lanes, pass, |_| Ok(())).await.map(|(rate, lanes, _)| (rate, lanes))
}

/// The same; calls `look` when measuring begins and when it ends, with the seconds since it began.
pub async fn saturate_and<T>(
    lanes: Vec<Lane>,
    pass: Duration,
    mut look: impl FnMut(f64) -> Outcome<T>,
) -> Outcome<(f64, Vec<Lane>, [T; 2])> {
    let shared = Arc::new(Shared::default());
    let mut at_work = JoinSet::new();
    for lane in lanes {
        at_work.spawn(lane.work(shared.clone()));
    }
    tokio::time::sleep(pass / 5).await;
    let (before, first, started) = (shared.done.load(Ordering::Relaxed), look(0.0)?, Instant::now());
    tokio::time::sleep(pass).await;
    let (after, seconds) = (shared.done.load(Ordering::Relaxed), started.elapsed().as_secs_f64());
    let last = look(seconds)?;
    shared.stop.store(true, Ordering::Relaxed);
    let mut lanes = Vec::new();
    while let Some(lane) = timeout(PATIENCE, at_work.join_next()).await.map_err(|_| "answers did not come")? {
        lanes.push(lane??);
    }
    Ok(((after - before) as f64 / seconds, lanes, [first, last]))
}

#[derive(Default)]
struct Shared {
    done: AtomicU64,
    stop: AtomicBool,
}

impl Lane {
    async fn work(mut self, shared: Arc<Shared>) -> Outcome<Lane> {
        let (mut inbox, mut outbox) = (Vec::new(), Vec::new());
        let (mut next, mut waiting, mut room) = (0, 0, self.in_flight);
        loop {
            if !shared.stop.load(Ordering::Relaxed) {
                outbox.clear();
                for _ in 0..room {
                    outbox.extend_from_slice(&self.requests[next]);
                    next = (next + 1) % self.requests.len();
                }
                self.stream.write_all(&outbox).await?;
                self.stream.flush().await?;
                waiting += room;
            }
            if waiting == 0 {
                return Ok(self);
            }
            if self.stream.read_buf(&mut inbox).await? == 0 {
                return Err("the other side closed a connection".into());
            }
            room = self.take(&mut inbox)?;
            waiting -= room;
            shared.done.fetch_add(room as u64, Ordering::Relaxed);
        }
    }

    /// Takes the answers that have arrived whole off the inbox; how many there were.
    fn take(&self, inbox: &mut Vec<u8>) -> Outcome<usize> {
        let (mut at, mut count) = (0, 0);
        while let Some(length) = (self.answered)(&inbox[at..])? {
            (at, count) = (at + length, count + 1);
        }
        inbox.drain(..at);
        Ok(count)
    }
}
