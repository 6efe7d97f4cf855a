//! `hear`: a backend changes desired properties over REST, a thousand changes a second; how long until the device hears
//! of it over MQTT. Beside it Mosquitto, from publishing to delivery, and what the disk takes for a sync.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use twin_core::wire::rest::{Call, IfMatch};

use super::figure::{Figure, cumulative, quantile};
use super::hub::{HubProcess, device};
use super::load::Answered;
use super::peers::mosquitto::{self, Mosquitto};
use super::{Outcome, Scale, block_on, lean, rest};

const DEVICES: usize = 200;
/// Connections that changes are sent on, each one after the other.
const BACKENDS: usize = 50;
const PER_SECOND: usize = 1000;
const PASSES: usize = 5;
/// Milliseconds over the disk's sync: median, 99th percentile.
const BUDGETS: [f64; 2] = [1.0, 5.0];
/// Longest wait for the last change of a pass.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let count = scale.pick(5000, 500);
    let data = tempfile::tempdir()?;
    let hub = Arc::new(HubProcess::start(data.path())?);
    let broker = Mosquitto::start()?;
    let (mut ours, mut theirs, mut disk) = (Times::default(), Times::default(), Times::default());
    block_on(async {
        hub.create(DEVICES).await?;
        let (mut hub_side, mut broker_side) = (at_hub(&hub).await?, None);
        if let Some(broker) = &broker {
            broker_side = Some(at_broker(broker).await?);
        }
        for _ in 0..PASSES {
            disk.push(tokio::task::block_in_place(|| syncs(data.path()))?);
            ours.push(hub_side.pass(count).await?);
            if let Some(side) = &mut broker_side {
                theirs.push(side.pass(count).await?);
            }
        }
        Ok(())
    })?;
    Arc::into_inner(hub).ok_or("the hub is in use")?.stop()?;
    let [disk, disk_p99] = disk.figures("hear/sync", "a sync of the disk after 4 kB");
    let [mut peer, mut peer_p99] =
        theirs.figures("hear/mosquitto", "from publishing to delivery at Mosquitto");
    let [p50, p99] = ours.figures("hear", "from a backend's change to the device");
    let p50 = p50.budget(BUDGETS[0] + disk.median());
    let p99 = p99.budget(BUDGETS[1] + disk_p99.median());
    if broker.is_none() {
        (peer, peer_p99) = (peer.missing(mosquitto::MISSING), peer_p99.missing(mosquitto::MISSING));
    }
    Ok(vec![p50, p99, peer, peer_p99, disk, disk_p99])
}

/// Milliseconds, by passes.
#[derive(Default)]
struct Times(Vec<Vec<f64>>);

impl Times {
    fn push(&mut self, pass: Vec<f64>) {
        self.0.push(pass);
    }

    fn figures(&self, name: &str, what: &str) -> [Figure; 2] {
        let at = |q| self.0.iter().map(|pass| quantile(pass, q)).collect();
        let all: Vec<f64> = self.0.iter().flatten().copied().collect();
        [
            Figure::cost(name, format!("{what}, median"), "ms", at(0.5)).curve(cumulative(&all)),
            Figure::cost(&format!("{name}-p99"), "the same, 99th percentile", "ms", at(0.99)),
        ]
    }
}

/// Milliseconds of each of some syncs of a file that grows.
fn syncs(folder: &Path) -> Outcome<Vec<f64>> {
    const SYNCS: usize = 100;
    let mut file = File::create(folder.join("probe"))?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&[0x55; 4096])?;
        let started = Instant::now();
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times)
}

/// Connections that say, connections that hear, and how.
struct Side {
    backends: Vec<lean::Stream>,
    devices: Vec<lean::Stream>,
    say: Arc<dyn Fn(usize) -> Vec<u8> + Send + Sync>,
    answered: Answered,
    next: usize,
}

async fn at_hub(hub: &HubProcess) -> Outcome<Side> {
    let (tls, speaker) = (lean::connector(&hub.ca_pem)?, rest::Speaker::new(hub)?);
    let (mut backends, mut devices) = (Vec::new(), Vec::new());
    for n in 0..DEVICES {
        devices.push(lean::connect(hub, &tls, n).await?);
    }
    for _ in 0..BACKENDS {
        backends.push(lean::dial(hub.address, &tls).await?);
    }
    let say = move |at: usize| {
        let body = Bytes::from(json!({"properties": {"desired": {"at": format!("<{at}>")}}}).to_string());
        speaker.say(&Call::PatchTwin { key: device(at % DEVICES), if_match: IfMatch::Absent, body })
    };
    Ok(Side { backends, devices, say: Arc::new(say), answered: rest::answered, next: 0 })
}

async fn at_broker(broker: &Mosquitto) -> Outcome<Side> {
    let tls = lean::connector(&broker.ca_pem)?;
    let (mut backends, mut devices) = (Vec::new(), Vec::new());
    for n in 0..DEVICES {
        let mut stream = lean::connect_plainly(broker.address, &tls, &device(n).to_string()).await?;
        lean::subscribed(&mut stream, &[format!("desired/{n}")]).await?;
        devices.push(stream);
    }
    for n in 0..BACKENDS {
        backends.push(lean::connect_plainly(broker.address, &tls, &format!("backend-{n}")).await?);
    }
    let say = |at: usize| {
        let body = json!({"properties": {"desired": {"at": format!("<{at}>")}}}).to_string();
        lean::publish_surely(&format!("desired/{}", at % DEVICES), body.as_bytes(), 1)
    };
    Ok(Side { backends, devices, say: Arc::new(say), answered: lean::puback, next: 0 })
}

impl Side {
    /// Milliseconds that each of `count` changes took to be heard.
    async fn pass(&mut self, count: usize) -> Outcome<Vec<f64>> {
        let first = self.next;
        self.next += count.next_multiple_of(DEVICES);
        let began = Instant::now() + Duration::from_millis(20);
        let clock = Arc::new(Clock { began, first, said: (0..count).map(|_| AtomicU64::new(0)).collect() });
        let mut hearing = JoinSet::new();
        for (n, stream) in std::mem::take(&mut self.devices).into_iter().enumerate() {
            hearing.spawn(hear(stream, n, clock.clone()));
        }
        let mut saying = JoinSet::new();
        for (lane, stream) in std::mem::take(&mut self.backends).into_iter().enumerate() {
            saying.spawn(say(stream, lane, self.say.clone(), self.answered, clock.clone()));
        }
        while let Some(done) = saying.join_next().await {
            self.backends.push(done??);
        }
        let (mut times, mut devices) = (Vec::with_capacity(count), Vec::new());
        while let Some(done) = tokio::time::timeout(PATIENCE, hearing.join_next()).await? {
            let (n, stream, heard) = done??;
            devices.push((n, stream));
            times.extend(heard);
        }
        devices.sort_by_key(|(n, _)| *n);
        self.devices = devices.into_iter().map(|(_, stream)| stream).collect();
        Ok(times)
    }
}

/// When which change was said, in nanoseconds since the beginning.
struct Clock {
    began: Instant,
    first: usize,
    said: Vec<AtomicU64>,
}

impl Clock {
    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}

/// Says every [`BACKENDS`]th change when it is due. One that has to wait for the one before is late from when it was due;
/// one that only its timer is late for is not.
async fn say(
    mut stream: lean::Stream,
    lane: usize,
    bytes: Arc<dyn Fn(usize) -> Vec<u8> + Send + Sync>,
    answered: Answered,
    clock: Arc<Clock>,
) -> Outcome<lean::Stream> {
    let mut inbox = Vec::new();
    for at in (lane..clock.said.len()).step_by(BACKENDS) {
        let request = bytes(clock.first + at);
        let due = Duration::from_secs_f64(at as f64 / PER_SECOND as f64);
        let late = Instant::now() > clock.began + due;
        tokio::time::sleep_until((clock.began + due).into()).await;
        let from = if late { due.as_nanos() as u64 } else { clock.now() };
        clock.said[at].store(from, Ordering::Relaxed);
        stream.write_all(&request).await?;
        stream.flush().await?;
        inbox.clear();
        while answered(&inbox)?.is_none() {
            lean::more(&mut stream, &mut inbox).await?;
        }
    }
    Ok(stream)
}

/// Hears every change of one device; milliseconds each took.
async fn hear(
    mut stream: lean::Stream,
    n: usize,
    clock: Arc<Clock>,
) -> Outcome<(usize, lean::Stream, Vec<f64>)> {
    let mut inbox = Vec::new();
    let mut times = Vec::new();
    for _ in (n..clock.said.len()).step_by(DEVICES) {
        let length = loop {
            match lean::first(&inbox) {
                Some(packet) => break packet.len(),
                None => lean::more(&mut stream, &mut inbox).await?,
            }
        };
        let now = clock.now();
        let text = String::from_utf8_lossy(&inbox[..length]);
        let at = text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(at, _)| at.parse());
        let at: usize = at.ok_or_else(|| format!("not a change: {text}"))??;
        let said = clock.said[at - clock.first].load(Ordering::Relaxed);
        times.push(now.saturating_sub(said) as f64 / 1e6);
        inbox.drain(..length);
    }
    Ok((n, stream, times))
}
