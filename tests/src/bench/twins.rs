//! `twins-memory`: what twins of about 1 kB, with their index, add to the hub's resident memory, told for a million of
//! them; after loading, and after a restart. Beside it what they take in PostgreSQL with its indexes, and how long that
//! takes to load. [`queries`] goes on with the same twins.
//!
//! A twin has 32 leaves over tags, desired and reported: places and models that many share, numbers, times, and ids
//! that no two have.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::figure::Figure;
use super::hub::HubProcess;
use super::peers::postgres::{self, Postgres};
use super::peers::sqlite::{self, Sqlite};
use super::queries::{self, Asked};
use super::{Outcome, Scale};

/// Plants, and kinds of connection: of a million twins 8,850 are in one plant, a third of them cellular.
const PLANTS: usize = 113;
/// Of a million: gigabytes, twins per second, seconds.
const MEMORY: f64 = 2.0;
const BULK: f64 = 100_000.0;
const RESTART: f64 = 15.0;

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let count = scale.twins.unwrap_or(scale.pick(1_000_000, 10_000));
    let data = tempfile::tempdir()?;
    let mut hub = HubProcess::start(data.path())?;
    let empty = hub.resident()?;
    let rates = hub.ask(&json!({"ask": "fill", "from": 0, "count": count}))?;
    let rate = |name: &str| vec![rates[name].as_f64().unwrap_or_default()];
    let gigabytes = |resident: f64| (resident - empty) / count as f64 / 1000.0;
    let loaded = gigabytes(hub.resident()?);
    let (postgres, mut sqlite, peers) = peers(count)?;
    let [table, copied, _] = &peers;
    let what = format!("1,000,000 twins and their index ({count} of them)");
    let mut figures = vec![
        Figure::cost("twins-memory", what, "GB", vec![loaded]).budget(MEMORY).at_most(1.0, table),
        Figure::rate(
            "twins-memory/create",
            "twins created by the hundred, no network",
            "per s",
            rate("created"),
        )
        .budget(BULK)
        .at_least(1.0, copied),
        Figure::rate("twins-memory/report", "durable first reports, no network", "per s", rate("reported")),
    ];
    let mut asked = Asked { hub: &mut hub, postgres: postgres.as_ref(), sqlite: sqlite.as_mut(), count };
    let answers = queries::run(&mut asked, scale)?;
    hub.stop()?;
    let started = Instant::now();
    let hub = HubProcess::start(data.path())?;
    let recovery = started.elapsed().as_secs_f64() / count as f64 * 1e6;
    let again = gigabytes(hub.resident()?);
    hub.stop()?;
    figures.push(
        Figure::cost("twins-memory/restart", "the same after a restart", "GB", vec![again]).budget(MEMORY),
    );
    let what = "starting with 1,000,000 twins, until it answers";
    figures.push(Figure::cost("twins-memory/recovery", what, "s", vec![recovery]).budget(RESTART));
    figures.extend(peers.clone());
    figures.extend(answers);
    Ok(figures)
}

/// PostgreSQL and SQLite with the same twins; PostgreSQL's gigabytes, rate with indexes, and SQLite's rate.
fn peers(count: usize) -> Outcome<(Option<Postgres>, Option<Sqlite>, [Figure; 3])> {
    let rows = rows(count)?;
    let million = count as f64 / 1e6;
    let mut table = Figure::cost("twins-memory/postgres", "table and indexes in PostgreSQL", "GB", vec![]);
    let mut copied = Figure::rate("twins-memory/create/postgres", "COPY, then its indexes", "per s", vec![]);
    let mut inserted =
        Figure::rate("twins-memory/create/sqlite", "one transaction, then indexes", "per s", vec![]);
    let postgres = Postgres::start()?;
    if let Some(database) = &postgres {
        let started = Instant::now();
        copy(database, rows.path())?;
        for index in queries::POSTGRES_INDEXES {
            database.sql(index)?;
        }
        copied.passes.push(count as f64 / started.elapsed().as_secs_f64());
        let bytes: f64 = database.sql("SELECT pg_total_relation_size('twins')")?.trim().parse()?;
        table.passes.push(bytes / 1e9 / million);
        database.sql("VACUUM ANALYZE twins")?;
    }
    let mut sqlite = Sqlite::start()?;
    if let Some(database) = &mut sqlite {
        let took = database.load(rows.path(), &queries::SQLITE_INDEXES)?;
        let seconds = ["load", "index"].iter().filter_map(|part| took[part].as_f64()).sum::<f64>();
        inserted.passes.push(count as f64 / seconds);
    }
    if postgres.is_none() {
        (table, copied) = (table.missing(postgres::MISSING), copied.missing(postgres::MISSING));
    }
    if sqlite.is_none() {
        inserted = inserted.missing(sqlite::MISSING);
    }
    Ok((postgres, sqlite, [table, copied, inserted]))
}

/// Whole twin `n`.
pub fn whole(n: usize) -> Value {
    let mut twin = created(n);
    twin["deviceId"] = super::hub::device(n).to_string().into();
    twin["properties"]["reported"] = reported(n);
    twin
}

/// The first `count` twins in a file: a number, a tab, JSON.
pub fn rows(count: usize) -> Outcome<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    let mut rows = std::io::BufWriter::new(&mut file);
    for n in 0..count {
        writeln!(rows, "{n}\t{}", whole(n))?;
    }
    rows.flush()?;
    drop(rows);
    Ok(file)
}

/// Makes a table `twins (id, doc)` of them.
pub fn copy(database: &Postgres, rows: &Path) -> Outcome<()> {
    database.sql("CREATE TABLE twins (id int PRIMARY KEY, doc jsonb NOT NULL)")?;
    database.copy("twins", rows)
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
    let mut reported = json!({
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
    });
    if n.is_multiple_of(100) {
        reported["fault"] = json!({"code": mixed % 40});
    }
    reported
}

/// A number that looks like chance.
fn mix(n: usize) -> usize {
    let mut z = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (z ^ (z >> 32)) as usize
}
