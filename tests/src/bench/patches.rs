//! `patches`: reported patches of 200 bytes that the hub acknowledged, each durable by then, from 200 devices over
//! MQTT and TLS with a few patches in flight each; and how many of them shared a sync of the disk. Beside it the price of
//! twins: the same messages, published with QoS 1 to Mosquitto, which keeps nothing.

use std::time::Duration;

use bytes::Bytes;
use twin_core::wire::{Rid, Said, mqtt};

use super::figure::Figure;
use super::hub::{HubProcess, device};
use super::load::{Lane, saturate, saturate_and};
use super::peers::mosquitto::{self, Mosquitto};
use super::{Outcome, Scale, block_on, lean};

const DEVICES: usize = 200;
const IN_FLIGHT: usize = 16;
const PATCH_BYTES: usize = 200;
const PASSES: usize = 5;
/// Per second.
const BUDGET: f64 = 20_000.0;
/// Of what Mosquitto acknowledges.
const PART: f64 = 0.5;

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let pass = Duration::from_millis(scale.pick(5000, 600));
    let data = tempfile::tempdir()?;
    let mut hub = HubProcess::start(data.path())?;
    let broker = Mosquitto::start()?;
    let figures = block_on(async {
        hub.create(DEVICES).await?;
        let mut ours = lanes(&hub).await?;
        let mut theirs = match &broker {
            Some(broker) => publishing(broker).await?,
            None => Vec::new(),
        };
        let (mut rates, mut syncs, mut shared, mut published) = (vec![], vec![], vec![], vec![]);
        for _ in 0..PASSES {
            let batches = |_| hub.metric("twin_hub_store_batches_total");
            let (rate, lanes, [before, after]) = saturate_and(ours, pass, batches).await?;
            ours = lanes;
            syncs.push((after - before) / pass.as_secs_f64());
            shared.push(rate * pass.as_secs_f64() / (after - before));
            rates.push(rate);
            if broker.is_some() {
                let (rate, lanes) = saturate(theirs, pass).await?;
                theirs = lanes;
                published.push(rate);
            }
        }
        let what =
            format!("durable patches of {PATCH_BYTES} B, {DEVICES} devices with {IN_FLIGHT} in flight");
        let peer = Figure::rate(
            "patches/mosquitto",
            "the same bytes published with QoS 1, kept by nobody",
            "per s",
            published,
        );
        Ok(vec![
            Figure::rate("patches", what, "per s", rates).budget(BUDGET).at_least(PART, &peer),
            Figure::cost("patches/syncs", "syncs of the disk for them", "per s", syncs),
            Figure::rate("patches/per-sync", "patches that shared a sync", "each", shared),
            if broker.is_some() { peer } else { peer.missing(mosquitto::MISSING) },
        ])
    })?;
    hub.stop()?;
    Ok(figures)
}

/// Devices that report, connected: of the first `DEVICES` of the hub's.
pub async fn lanes(hub: &HubProcess) -> Outcome<Vec<Lane>> {
    let tls = lean::connector(&hub.ca_pem)?;
    let mut lanes = Vec::new();
    for n in 0..DEVICES {
        let stream = lean::connect(hub, &tls, n).await?;
        lanes.push(Lane { stream, requests: vec![patch(n)?], answered: acknowledged, in_flight: IN_FLIGHT });
    }
    Ok(lanes)
}

async fn publishing(broker: &Mosquitto) -> Outcome<Vec<Lane>> {
    let tls = lean::connector(&broker.ca_pem)?;
    let mut lanes = Vec::new();
    for n in 0..DEVICES {
        let stream = lean::connect_plainly(broker.address, &tls, &device(n).to_string()).await?;
        let (topic, payload) = said(n)?;
        let packets = (1..=IN_FLIGHT as u16).map(|id| lean::publish_surely(&topic, &payload, id)).collect();
        lanes.push(Lane { stream, requests: packets, answered: lean::puback, in_flight: IN_FLIGHT });
    }
    Ok(lanes)
}

fn patch(n: usize) -> Outcome<Vec<u8>> {
    let (topic, payload) = said(n)?;
    Ok(lean::publish(&topic, &payload))
}

/// Topic and payload.
fn said(n: usize) -> Outcome<(String, Bytes)> {
    let filler = "x".repeat(PATCH_BYTES - r#"{"status":{"text":""}}"#.len());
    let patch = Bytes::from(format!(r#"{{"status":{{"text":"{filler}"}}}}"#));
    let said = Said::Report { rid: Rid("1".into()), patch, if_version: None };
    let publish = mqtt::say(&device(n), &said).ok_or("MQTT cannot say this")?;
    Ok((publish.topic, publish.payload))
}

fn acknowledged(inbox: &[u8]) -> Outcome<Option<usize>> {
    let Some(packet) = lean::first(inbox) else { return Ok(None) };
    if packet[0] != 0x30 || !packet.windows(5).any(|bytes| bytes == b"/204/") {
        return Err(format!("the hub refused: {}", String::from_utf8_lossy(packet)).into());
    }
    Ok(Some(packet.len()))
}
