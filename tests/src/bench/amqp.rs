//! `amqp`: the device client over AMQP. How long a reported update takes, one after another, next to MQTT on the same hub;
//! twins read one after another; what devices cost that share a connection, at both ends, and what one costs the hub that
//! has a connection to itself.

use std::process::Command;
use std::time::Instant;

use serde_json::json;
use tokio::task::JoinSet;
use twin_device::{AmqpPool, Builder, Device, DeviceClient, Options, Transport};

use super::figure::{Figure, quantile};
use super::hub::{HubProcess, device, key, resident};
use super::{Outcome, Scale, block_on};
use crate::node::{folder, install};
use crate::stage::Side;

const PASSES: usize = 5;
/// What an update may cost, in parts of MQTT's.
const PART_OF_MQTT: f64 = 1.5;
/// Likewise of the official Node.js client's.
const PART_OF_NODE: f64 = 1.0 / 20.0;
/// Twins read one after another, per second.
const GETS_PER_S: f64 = 8000.0;
/// Devices on one connection.
const SHARING: usize = 500;
/// Budget of the hub's memory for a connection of its own, in kilobytes.
const ALONE_KB: f64 = 40.0;
/// Budget of the hub's memory for one more device on a connection, in kilobytes.
const SHARED_HUB_KB: f64 = 10.0;
/// Budget of a client's memory for one more device on a connection, in kilobytes.
const SHARED_KB: f64 = 8.0;
/// Batches that devices come in, after the first.
const BATCHES: usize = 4;
/// Connecting at a time.
const AT_A_TIME: usize = 25;

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let requests = scale.pick(2000, 50);
    install(&folder().join("official"));
    let data = tempfile::tempdir()?;
    let hub = HubProcess::start(data.path())?;
    let figures = block_on(async {
        hub.create(SHARING).await?;
        let mut figures = speed(&hub, requests, scale.pick(100, 5)).await?;
        figures.extend(sharing(&hub).await?);
        figures.push(alone(&hub, scale.pick(SHARING, 50)).await?);
        Ok(figures)
    })?;
    hub.stop()?;
    Ok(figures)
}

/// Requests one after another, on every transport in turns, so that all have the same neighbours.
async fn speed(hub: &HubProcess, requests: usize, official_reports: usize) -> Outcome<Vec<Figure>> {
    let transports = [Transport::Mqtt, Transport::Amqp, Transport::AmqpWs];
    let mut measured = vec![(Vec::new(), Vec::new()); transports.len()];
    let mut node = Vec::new();
    for pass in 0..=PASSES {
        for (n, transport) in transports.into_iter().enumerate() {
            let (update, gets) = one_after_another(hub, n, transport, requests).await?;
            // The first one warms up.
            if pass > 0 {
                measured[n].0.push(update);
                measured[n].1.push(gets);
            }
        }
        if pass > 0 {
            node.push(official(hub, official_reports)?);
        }
    }
    let node =
        Figure::cost("amqp/update-node", "the same by the official Node.js client over AMQP", "us", node);
    let mut figures = Vec::new();
    for (transport, (updates, gets)) in transports.into_iter().zip(measured) {
        let name = format!("{transport:?}").to_lowercase();
        let what = "a reported update, p50";
        let update = Figure::cost(&format!("amqp/update-{name}"), what, "us", updates.clone());
        let gets = Figure::rate(&format!("amqp/gets-{name}"), "twins read one after another", "per s", gets);
        if transport == Transport::Mqtt {
            figures.extend([update, gets]);
            continue;
        }
        let beside_node = Figure::cost(&format!("amqp/update-{name}-to-node"), what, "us", updates);
        let update = update.at_most(PART_OF_MQTT, &figures[0]);
        figures.extend([update, beside_node.at_most(PART_OF_NODE, &node), gets.budget(GETS_PER_S)]);
    }
    figures.push(node);
    Ok(figures)
}

/// The median of the official client's times, in microseconds.
fn official(hub: &HubProcess, reports: usize) -> Outcome<f64> {
    let ca = tempfile::NamedTempFile::new()?;
    std::fs::write(ca.path(), &hub.ca_pem)?;
    // It has its port built in.
    let redirect = folder().join("redirect.js");
    let output = Command::new("node")
        .arg("--require")
        .arg(redirect)
        .arg(folder().join("bench").join("amqp.js"))
        .arg(reports.to_string())
        .envs(Side::Official.environment())
        .env("REDIRECT_TO_PORT", hub.address.port().to_string())
        .env("NODE_EXTRA_CA_CERTS", ca.path())
        .env("BENCH_HOST", hub.host()?.host())
        .env("BENCH_DEVICE", device(SHARING - 1).to_string())
        .env("BENCH_KEY", key().expose_base64().as_str())
        .env_remove("DEBUG")
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    answer["p50"].as_f64().ok_or_else(|| "no median".into())
}

/// The middle of the updates' times in microseconds, and reads per second.
async fn one_after_another(
    hub: &HubProcess,
    n: usize,
    transport: Transport,
    requests: usize,
) -> Outcome<(f64, f64)> {
    let client = DeviceClient::from_connection_string(&hub.device_connection_string(n)?)?
        .ca_pem(hub.ca_pem.as_str())
        .transport(transport)
        .open()
        .await?;
    let mut times = Vec::new();
    for n in 0..requests {
        let begin = Instant::now();
        client.report(json!({"n": n})).await?;
        times.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    let begin = Instant::now();
    for _ in 0..requests {
        client.twin().await?;
    }
    let gets = requests as f64 / begin.elapsed().as_secs_f64();
    client.close().await?;
    Ok((quantile(&times, 0.5), gets))
}

/// Devices on one connection.
async fn sharing(hub: &HubProcess) -> Outcome<Vec<Figure>> {
    let pool = AmqpPool::with_devices_per_connection(hub.host()?, Transport::Amqp, trusting(hub), SHARING)?;
    let [device, at_hub] = slopes(hub, SHARING, |device| device.pool(&pool)).await?;
    let what = format!("one of {SHARING} devices on {} connection", pool.connections().await);
    Ok(vec![
        Figure::cost("amqp/shared", what, "kB", device).budget(SHARED_KB),
        Figure::cost("amqp/shared-hub", "the same device at the hub", "kB", at_hub).budget(SHARED_HUB_KB),
    ])
}

/// Devices with a connection each.
async fn alone(hub: &HubProcess, count: usize) -> Outcome<Figure> {
    let [_, at_hub] =
        slopes(hub, count, |device| device.ca_pem(hub.ca_pem.as_str()).transport(Transport::Amqp)).await?;
    let what = format!("an idle AMQP connection over TLS ({count} of them), at the hub");
    Ok(Figure::cost("amqp/alone-hub", what, "kB", at_hub).budget(ALONE_KB))
}

fn trusting(hub: &HubProcess) -> Options {
    let mut options = Options::default();
    options.extra_ca_pem.push(hub.ca_pem.clone());
    options
}

/// What a device that listens for desired changes adds to this process and to the hub's, in kilobytes: the slope over
/// batches, after a first one that warms up.
async fn slopes(
    hub: &HubProcess,
    count: usize,
    connected: impl Fn(Builder<Device>) -> Builder<Device>,
) -> Outcome<[Vec<f64>; 2]> {
    let batch = count / (BATCHES + 1);
    let (mut kept, mut here, mut at_hub) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..=BATCHES {
        let before = [resident("self")?, hub.resident()?];
        for first in (at * batch..(at + 1) * batch).step_by(AT_A_TIME) {
            let mut opening = JoinSet::new();
            for n in first..(first + AT_A_TIME).min((at + 1) * batch) {
                let client =
                    connected(DeviceClient::from_connection_string(&hub.device_connection_string(n)?)?);
                opening.spawn(async move {
                    let client = client.open().await?;
                    let mut desired = client.desired();
                    desired.next().await;
                    Ok::<_, twin_device::Error>((client, desired))
                });
            }
            while let Some(opened) = opening.join_next().await {
                kept.push(opened??);
            }
        }
        if at > 0 {
            here.push((resident("self")? - before[0]) / batch as f64 / 1000.0);
            at_hub.push((hub.resident()? - before[1]) / batch as f64 / 1000.0);
        }
    }
    for (client, _) in kept {
        client.close().await?;
    }
    Ok([here, at_hub])
}
