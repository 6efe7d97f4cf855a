//! `twins-memory`: what twins of about 1 kB, with their index, add to the hub's resident memory, told for a million of
//! them; after loading, and after a restart. `queries`: the first page, of 100 twins, of two queries over all of them:
//! through REST on a kept connection, and without a network.
//!
//! A twin has 32 leaves over tags, desired and reported: places and models that many share, numbers, times, and ids
//! that no two have.

use std::time::Instant;

use serde_json::{Value, json};
use twin_service::Registry;

use super::figure::{Figure, quantile};
use super::hub::HubProcess;
use super::{Outcome, Scale, block_on};

const QUERIES: [(&str, &str); 2] = [
    ("plant", "SELECT * FROM devices WHERE tags.location.plant = 'Redmond43'"),
    (
        "plant-cellular",
        "SELECT * FROM devices WHERE tags.location.plant = 'Redmond43' \
         AND properties.reported.connectivity.type = 'cellular'",
    ),
];
/// Plants, and kinds of connection: of a million twins 8,850 are in one plant, a third of them cellular.
const PLANTS: usize = 113;
const PASSES: usize = 5;

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let count = scale.pick(1_000_000, 10_000);
    let data = tempfile::tempdir()?;
    let mut hub = HubProcess::start(data.path())?;
    let empty = hub.resident()?;
    let rates = hub.ask(&json!({"ask": "fill", "count": count}))?;
    let rate = |name: &str| vec![rates[name].as_f64().unwrap_or_default()];
    let gigabytes = |resident: f64| (resident - empty) / count as f64 / 1000.0;
    let loaded = gigabytes(hub.resident()?);
    let mut figures = vec![
        Figure::cost(
            "twins-memory",
            format!("1,000,000 twins and their index ({count} of them)"),
            "GB",
            vec![loaded],
        )
        .budget(3.0),
        Figure::rate(
            "twins-memory/create",
            "twins created by the hundred, without a network",
            "per s",
            rate("created"),
        ),
        Figure::rate(
            "twins-memory/report",
            "durable first reports without a network",
            "per s",
            rate("reported"),
        ),
    ];
    figures.extend(queries(&mut hub, scale)?);
    hub.stop()?;
    let started = Instant::now();
    let hub = HubProcess::start(data.path())?;
    let recovery = started.elapsed().as_secs_f64() / count as f64 * 1e6;
    let again = gigabytes(hub.resident()?);
    hub.stop()?;
    figures.insert(
        1,
        Figure::cost("twins-memory/restart", "the same after a restart", "GB", vec![again]).budget(3.0),
    );
    figures.push(Figure::cost("twins-memory/recovery", "starting with 1,000,000 twins", "s", vec![recovery]));
    Ok(figures)
}

fn queries(hub: &mut HubProcess, scale: Scale) -> Outcome<Vec<Figure>> {
    let times = scale.pick(200, 50);
    let registry = hub.registry()?;
    let mut figures = Vec::new();
    for (name, text) in QUERIES {
        let (mut middle, mut slow, mut alone) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..PASSES {
            let took = block_on(pages(&registry, text, times))?;
            middle.push(quantile(&took, 0.5));
            slow.push(quantile(&took, 0.99));
            let took = hub.ask(&json!({"ask": "query", "text": text, "times": times}))?;
            let took: Vec<f64> = took.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
            alone.push(quantile(&took, 0.5));
        }
        let figure = |part: &str, what: &str, passes| {
            Figure::cost(&format!("queries/{name}{part}"), what, "ms", passes).budget(2.0)
        };
        figures.push(figure("", "first page of 100 through REST, median", middle));
        figures.push(figure("-p99", "the same, 99th percentile", slow));
        figures.push(figure("-hub", "the same without a network, median", alone));
    }
    Ok(figures)
}

/// Milliseconds that the first page takes, each time.
async fn pages(registry: &Registry, text: &str, times: usize) -> Outcome<Vec<f64>> {
    let mut took = Vec::with_capacity(times);
    // The first makes the connection.
    for at in 0..=times {
        let started = Instant::now();
        let page = registry.query(text).page_size(100).pages().next_page().await?;
        if page.is_none_or(|page| page.is_empty()) {
            return Err("the query found nothing".into());
        }
        if at > 0 {
            took.push(started.elapsed().as_secs_f64() * 1000.0);
        }
    }
    Ok(took)
}

/// What twin `n` is created with: tags and desired properties.
pub fn created(n: usize) -> Value {
    let mixed = mix(n);
    json!({
        "tags": {
            "location": {
                "region": (["US", "EU", "APAC", "LATAM"][n % 4]),
                "plant": if n.is_multiple_of(PLANTS) { "Redmond43".to_owned() } else { format!("Plant{}", n % PLANTS) },
                "building": n % 40,
                "floor": n % 9,
            },
            "customer": format!("customer-{:04}", mixed % 5000),
            "model": format!("contoso-{}", mixed % 30),
            "channel": (["stable", "beta", "canary"][mixed % 3]),
            "installed": format!("20{:02}-{:02}-{:02}T08:00:00Z", 15 + n % 10, 1 + n % 12, 1 + n % 28),
            "serial": format!("SN{mixed:016x}"),
        },
        "properties": {"desired": {
            "telemetry": {"interval": 30 + n % 5 * 30, "enabled": n.is_multiple_of(2), "level": "info"},
            "thresholds": {"temperature": 70 + n % 20, "humidity": 0.4 + (n % 10) as f64 / 100.0},
            "firmware": {"version": format!("1.{}.{}", n % 5, n % 11), "url": "https://example.com/firmware/meter.bin"},
            "mode": (["auto", "manual"][n % 2]),
        }},
    })
}

/// What twin `n` reports.
pub fn reported(n: usize) -> Value {
    let mixed = mix(n);
    json!({
        "connectivity": {
            "type": (["cellular", "wifi", "ethernet"][n / PLANTS % 3]),
            "signal": -40 - (mixed % 60) as i64,
            "operator": format!("operator-{}", mixed % 12),
        },
        "battery": {"level": (mixed % 10_000) as f64 / 10_000.0, "charging": mixed.is_multiple_of(2)},
        "temperature": 15.0 + (mixed % 400) as f64 / 10.0,
        "humidity": 0.2 + (mixed % 50) as f64 / 100.0,
        "firmware": {"version": format!("1.{}.{}", n % 5, n % 11), "updated": "2026-03-01T04:05:06Z"},
        "mac": format!("{:02x}:{:02x}:{:02x}:{:02x}", mixed & 0xff, mixed >> 8 & 0xff, mixed >> 16 & 0xff, mixed >> 24 & 0xff),
        "uptime": mixed % 10_000_000,
        "mode": (["auto", "manual"][n % 2]),
        "log": format!("boot {mixed:08x} ok, last error none"),
    })
}

/// A number that looks like chance.
fn mix(n: usize) -> usize {
    let mut z = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (z ^ (z >> 32)) as usize
}
