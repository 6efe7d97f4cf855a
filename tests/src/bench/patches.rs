//! `patches`: reported patches of 200 bytes that the hub acknowledged, each durable by then, from 200 devices over
//! MQTT and TLS with a few patches in flight each; and how many of them shared a sync of the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use twin_core::wire::{Rid, Said, mqtt};

use super::figure::Figure;
use super::hub::{HubProcess, device};
use super::{Outcome, Scale, block_on, lean};

const DEVICES: usize = 200;
const IN_FLIGHT: usize = 16;
const PATCH_BYTES: usize = 200;
const PASSES: usize = 5;
/// The issue says "tens of thousands".
const BUDGET: f64 = 20_000.0;

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let pass = Duration::from_millis(scale.pick(5000, 600));
    let data = tempfile::tempdir()?;
    let mut hub = HubProcess::start(data.path())?;
    block_on(async {
        hub.create(DEVICES).await?;
        let tls = lean::connector(&hub)?;
        let shared = Arc::new(Shared::default());
        let mut at_work = JoinSet::new();
        for n in 0..DEVICES {
            let stream = lean::connect(&hub, &tls, n).await?;
            at_work.spawn(reporting(stream, n, shared.clone()));
        }
        tokio::time::sleep(pass / 4).await;
        let (mut rates, mut syncs) = (Vec::new(), Vec::new());
        for _ in 0..PASSES {
            let before = (shared.done.load(Ordering::Relaxed), hub.metric("twin_hub_store_batches_total")?);
            let started = Instant::now();
            tokio::time::sleep(pass).await;
            let seconds = started.elapsed().as_secs_f64();
            let after = (shared.done.load(Ordering::Relaxed), hub.metric("twin_hub_store_batches_total")?);
            rates.push((after.0 - before.0) as f64 / seconds);
            syncs.push((after.1 - before.1) / seconds);
        }
        shared.stop.store(true, Ordering::Relaxed);
        while let Some(done) = at_work.join_next().await {
            done??;
        }
        let what =
            format!("durable patches of {PATCH_BYTES} B, {DEVICES} devices with {IN_FLIGHT} in flight");
        Ok(vec![
            Figure::rate("patches", what, "per s", rates).budget(BUDGET),
            Figure::cost("patches/syncs", "syncs of the disk for them", "per s", syncs),
        ])
    })
    .and_then(|figures| hub.stop().map(|()| figures))
}

#[derive(Default)]
struct Shared {
    done: AtomicU64,
    stop: AtomicBool,
}

/// Keeps some patches in flight until told to stop.
async fn reporting(mut stream: lean::Stream, n: usize, shared: Arc<Shared>) -> Outcome<()> {
    let packet = patch(n)?;
    let mut inbox = Vec::new();
    for _ in 0..IN_FLIGHT {
        stream.write_all(&packet).await?;
    }
    let mut in_flight = IN_FLIGHT;
    while in_flight > 0 {
        if stream.read_buf(&mut inbox).await? == 0 {
            return Err("the hub closed a connection".into());
        }
        let answered = answers(&mut inbox)?;
        shared.done.fetch_add(answered as u64, Ordering::Relaxed);
        in_flight -= answered;
        if !shared.stop.load(Ordering::Relaxed) {
            stream.write_all(&packet.repeat(answered)).await?;
            in_flight += answered;
        }
    }
    Ok(())
}

fn patch(n: usize) -> Outcome<Vec<u8>> {
    let filler = "x".repeat(PATCH_BYTES - r#"{"status":{"text":""}}"#.len());
    let patch = Bytes::from(format!(r#"{{"status":{{"text":"{filler}"}}}}"#));
    let said = Said::Report { rid: Rid("1".into()), patch, if_version: None };
    let publish = mqtt::say(&device(n), &said).ok_or("MQTT cannot say this")?;
    Ok(lean::publish(&publish.topic, &publish.payload))
}

/// Takes the answers that have arrived whole off the inbox; how many there were.
fn answers(inbox: &mut Vec<u8>) -> Outcome<usize> {
    let (mut at, mut count) = (0, 0);
    while let Some((first, length)) = lean::header(&inbox[at..]) {
        let Some(packet) = inbox.get(at..at + length) else { break };
        if first != 0x30 || !packet.windows(5).any(|bytes| bytes == b"/204/") {
            return Err(format!("the hub refused: {}", String::from_utf8_lossy(packet)).into());
        }
        (at, count) = (at + length, count + 1);
    }
    inbox.drain(..at);
    Ok(count)
}
