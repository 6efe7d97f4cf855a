//! `amqp`: the device client over AMQP. How long a reported update takes, one after another, next to MQTT on the same hub;
//! twins read one after another; what devices cost that share a connection, at both ends, and what one costs the hub that
//! has a connection to itself.

use std::time::Instant;

use serde_json::json;
use tokio::task::JoinSet;
use twin_device::{AmqpPool, Builder, Device, DeviceClient, Options, Transport};

use super::figure::{Figure, quantile};
use super::hub::{HubProcess, resident};
use super::{Outcome, Scale, block_on};

const PASSES: usize = 5;
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
    let data = tempfile::tempdir()?;
    let hub = HubProcess::start(data.path())?;
    let figures = block_on(async {
        hub.create(SHARING).await?;
        let mut figures = Vec::new();
        let mut mqtt = f64::INFINITY;
        for (n, transport) in [Transport::Mqtt, Transport::Amqp, Transport::AmqpWs].into_iter().enumerate() {
            let client = DeviceClient::from_connection_string(&hub.device_connection_string(n)?)?
                .ca_pem(hub.ca_pem.as_str())
                .transport(transport)
                .open()
                .await?;
            let (updates, gets) = one_after_another(&client, requests).await?;
            client.close().await?;
            let name = format!("{transport:?}").to_lowercase();
            let figure =
                Figure::cost(&format!("amqp/update-{name}"), "a reported update, p50", "us", updates);
            let gets =
                Figure::rate(&format!("amqp/gets-{name}"), "twins read one after another", "per s", gets);
            if transport == Transport::Mqtt {
                mqtt = figure.median();
                figures.extend([figure, gets]);
            } else {
                figures.extend([figure.budget(1.5 * mqtt), gets.budget(8000.0)]);
            }
        }
        figures.extend(sharing(&hub).await?);
        figures.push(alone(&hub, scale.pick(SHARING, 50)).await?);
        Ok(figures)
    })?;
    hub.stop()?;
    Ok(figures)
}

/// The middle of the updates' times in microseconds, and reads per second; of each pass.
async fn one_after_another(client: &DeviceClient, requests: usize) -> Outcome<(Vec<f64>, Vec<f64>)> {
    let (mut updates, mut gets) = (Vec::new(), Vec::new());
    for pass in 0..=PASSES {
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
        // The first one warms up.
        if pass > 0 {
            updates.push(quantile(&times, 0.5));
            gets.push(requests as f64 / begin.elapsed().as_secs_f64());
        }
    }
    Ok((updates, gets))
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
