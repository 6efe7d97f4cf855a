//! `device-memory`: what a connected device client adds to the resident memory of its process: over TLS, its twin read
//! once, listening to desired changes, then idle; the slope over batches, after a first one that warms up. Then all of
//! them report, one patch after another each. Beside it the official Node.js SDK's clients, on the same hub.

use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use twin_device::DeviceClient;

use super::figure::Figure;
use super::hub::{HubProcess, key, resident, room_for_files};
use super::{Outcome, Scale, block_on};
use crate::node::folder;
use crate::stage::{Side, prepare};

const BATCHES: usize = 5;
/// Connecting at a time.
const AT_A_TIME: usize = 32;
const PASSES: usize = 3;
/// Kilobytes.
const MEMORY: f64 = 20.0;
/// Of the official SDK's updates.
const FASTER: f64 = 5.0;

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let batch = scale.pick(10_000, 240).min(room_for_files()) / (BATCHES + 1);
    let count = batch * (BATCHES + 1);
    let data = tempfile::tempdir()?;
    let hub = HubProcess::start(data.path())?;
    let (slopes, rates) = block_on(async {
        hub.create(count).await?;
        let (mut kept, mut slopes) = (Vec::new(), [Vec::new(), Vec::new()]);
        for at in 0..=BATCHES {
            let before = [resident("self")?, hub.resident()?];
            for first in (at * batch..(at + 1) * batch).step_by(AT_A_TIME) {
                let last = (first + AT_A_TIME).min((at + 1) * batch);
                kept.extend(open(&hub, first..last).await?);
            }
            let after = [resident("self")?, hub.resident()?];
            for (slopes, (after, before)) in
                slopes.iter_mut().zip(after.into_iter().zip(before)).filter(|_| at > 0)
            {
                slopes.push((after - before) / batch as f64 / 1000.0);
            }
        }
        let mut rates = Vec::new();
        for _ in 0..PASSES {
            rates.push(updates(&kept, scale.pick(10, 3)).await?);
        }
        Ok((slopes, rates))
    })?;
    let [official_memory, official_rate] = official(&hub, scale)?;
    let [device, hub_side] = slopes;
    hub.stop()?;
    let what = format!("a connected device client over TLS ({count} of them)");
    Ok(vec![
        Figure::cost("device-memory", what, "kB", device).budget(MEMORY).at_most(1.0, &official_memory),
        official_memory,
        Figure::cost("device-memory/hub", "the same connection at the hub", "kB", hub_side),
        Figure::rate("device-memory/updates", format!("updates of {count} clients"), "per s", rates)
            .at_least(FASTER, &official_rate),
        official_rate,
    ])
}

type Kept = (DeviceClient, twin_device::Subscription<twin_device::DesiredChange>);

async fn open(hub: &HubProcess, which: std::ops::Range<usize>) -> Outcome<Vec<Kept>> {
    let mut opening = JoinSet::new();
    for n in which {
        let builder = DeviceClient::from_connection_string(&hub.device_connection_string(n)?)?
            .ca_pem(hub.ca_pem.as_str());
        opening.spawn(async move {
            let client = builder.build()?;
            client.open().await?;
            client.twin().await?;
            let mut desired = client.desired();
            desired.next().await;
            Ok::<Kept, twin_device::Error>((client, desired))
        });
    }
    let mut kept = Vec::new();
    while let Some(opened) = opening.join_next().await {
        kept.push(opened??);
    }
    Ok(kept)
}

/// Updates per second when each client makes so many.
async fn updates(clients: &[Kept], each: usize) -> Outcome<f64> {
    let started = Instant::now();
    let mut at_work = JoinSet::new();
    for (client, _) in clients {
        let client = client.clone();
        at_work.spawn(async move {
            for n in 0..each {
                client.report(json!({"n": n})).await?;
            }
            Ok::<_, twin_device::Error>(())
        });
    }
    while let Some(done) = at_work.join_next().await {
        done??;
    }
    Ok((clients.len() * each) as f64 / started.elapsed().as_secs_f64())
}

/// Memory of a client and updates per second of the official SDK: of fewer clients, since they open one by one.
fn official(hub: &HubProcess, scale: Scale) -> Outcome<[Figure; 2]> {
    prepare();
    let count = scale.pick(1000, 20);
    let ca = tempfile::NamedTempFile::new()?;
    std::fs::write(ca.path(), &hub.ca_pem)?;
    let mut command = Command::new("node");
    let arguments = [count, 1, scale.pick(20, 3)].map(|n: usize| n.to_string());
    command.arg("--expose-gc").arg(folder().join("bench/devices.js")).args(arguments);
    command.envs(Side::Official.environment()).env_remove("DEBUG").env("NODE_EXTRA_CA_CERTS", ca.path());
    command.env("BENCH_HOST", hub.host()?.to_string()).env("BENCH_KEY", key().expose_base64().as_str());
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("the official SDK: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let told: Value = serde_json::from_slice(&output.stdout)?;
    let number = |name: &str| told[name].as_f64().ok_or("the script told less");
    let (memory, rate) = (number("bytes")? / 1000.0, number("perSecond")?);
    let what = format!("a client of the official Node.js SDK ({count} of them)");
    Ok([
        Figure::cost("device-memory/official", what, "kB", vec![memory]),
        Figure::rate("device-memory/updates/official", format!("updates of {count}"), "per s", vec![rate]),
    ])
}
