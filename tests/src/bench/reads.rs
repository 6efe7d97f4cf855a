//! `reads`: twins of about 1 kB read per second, by devices over MQTT and by a backend over REST, each on kept TLS
//! connections. Beside it the same documents by primary key from PostgreSQL, through `pgbench` on a socket without TLS.

use std::time::Duration;

use serde_json::json;
use twin_core::wire::rest::Call;
use twin_core::wire::{Rid, Said, mqtt};

use super::figure::Figure;
use super::hub::{HubProcess, device};
use super::load::{Lane, saturate};
use super::peers::postgres::{self, Postgres};
use super::{Outcome, Scale, block_on, lean, rest, twins};

/// Devices that read, over MQTT; each may have some reads in flight.
const DEVICES: usize = 200;
const IN_FLIGHT: usize = 16;
/// Connections of the backend and of PostgreSQL's clients, with one read at a time each.
const BACKENDS: usize = 64;
/// Twins that one connection of the backend's reads in turn.
const TWINS_EACH: usize = 16;
const PASSES: usize = 5;
/// Per second.
const BUDGETS: [f64; 2] = [40_000.0, 25_000.0];

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let (count, seconds) = (scale.pick(10_000, 1_500), scale.pick(3, 2));
    let pass = if scale.quick { Duration::from_millis(300) } else { Duration::from_secs(seconds) };
    let data = tempfile::tempdir()?;
    let mut hub = HubProcess::start(data.path())?;
    hub.ask(&json!({"ask": "fill", "from": 0, "count": count}))?;
    let database = Postgres::start()?;
    if let Some(database) = &database {
        twins::copy(database, twins::rows(count)?.path())?;
        database.sql("VACUUM ANALYZE twins")?;
    }
    let script = format!("\\set id random(0, {})\nSELECT doc FROM twins WHERE id = :id;\n", count - 1);
    let mut rates = [vec![], vec![], vec![]];
    block_on(async {
        let (mut devices, mut backends) = (devices(&hub, 0).await?, backends(&hub, count).await?);
        let mut rate;
        for _ in 0..PASSES {
            (rate, devices) = saturate(devices, pass).await?;
            rates[0].push(rate);
            (rate, backends) = saturate(backends, pass).await?;
            rates[1].push(rate);
            if let Some(database) = &database {
                rates[2].push(tokio::task::block_in_place(|| database.rate(&script, BACKENDS, seconds))?);
            }
        }
        Ok(())
    })?;
    hub.stop()?;
    let [mqtt, rest, selects] = rates;
    let what = format!("the same documents by primary key, {BACKENDS} clients of pgbench, prepared, no TLS");
    let peer = Figure::rate("reads/postgres", what, "per s", selects);
    let figure = |name: &str, what: String, passes, budget| {
        Figure::rate(name, what, "per s", passes).budget(budget).at_least(1.0, &peer)
    };
    let what = format!("twins of 1 kB over MQTT, {DEVICES} devices with {IN_FLIGHT} in flight");
    let mqtt = figure("reads/mqtt", what, mqtt, BUDGETS[0]);
    let rest = figure("reads/rest", format!("over REST, {BACKENDS} connections"), rest, BUDGETS[1]);
    Ok(vec![mqtt, rest, if database.is_some() { peer } else { peer.missing(postgres::MISSING) }])
}

/// Devices that read their twins, connected: from `first` on.
pub async fn devices(hub: &HubProcess, first: usize) -> Outcome<Vec<Lane>> {
    let tls = lean::connector(&hub.ca_pem)?;
    let mut lanes = Vec::new();
    for n in first..first + DEVICES {
        let stream = lean::connect(hub, &tls, n).await?;
        lanes.push(Lane { stream, requests: vec![get(n)?], answered: got, in_flight: IN_FLIGHT });
    }
    Ok(lanes)
}

/// Connections of a backend that read twins of the first `count`.
pub async fn backends(hub: &HubProcess, count: usize) -> Outcome<Vec<Lane>> {
    let (tls, speaker) = (lean::connector(&hub.ca_pem)?, rest::Speaker::new(hub)?);
    let mut lanes = Vec::new();
    for lane in 0..BACKENDS {
        let stream = lean::dial(hub.address, &tls).await?;
        // Far apart from each other.
        let which = (0..TWINS_EACH).map(|at| (lane + at * BACKENDS) * 7919 % count);
        let requests = which.map(|n| speaker.say(&Call::GetTwin(device(n)))).collect();
        lanes.push(Lane { stream, requests, answered: rest::answered, in_flight: 1 });
    }
    Ok(lanes)
}

/// A device asks for its twin.
pub fn get(n: usize) -> Outcome<Vec<u8>> {
    let said = Said::GetTwin { rid: Rid("1".into()) };
    let publish = mqtt::say(&device(n), &said).ok_or("MQTT cannot say this")?;
    Ok(lean::publish(&publish.topic, &publish.payload))
}

/// The length of the answer.
pub fn got(inbox: &[u8]) -> Outcome<Option<usize>> {
    let Some(packet) = lean::first(inbox) else { return Ok(None) };
    if packet[0] != 0x30 || !packet.windows(5).any(|bytes| bytes == b"/200/") {
        return Err(format!("the hub refused: {}", String::from_utf8_lossy(packet)).into());
    }
    Ok(Some(packet.len()))
}
