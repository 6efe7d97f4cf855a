//! `queries`: over all twins, by the hub through REST and without a network, by PostgreSQL through `pgbench`, by SQLite
//! in its own process; idle, and while five thousand patches a second arrive (at PostgreSQL: as many as it takes of
//! them). A first page is of 100 twins.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use twin_core::wire::rest::Call;
use twin_core::wire::{Rid, Said, mqtt};

use super::figure::{Figure, cumulative, quantile};
use super::hub::{HubProcess, device};
use super::peers::postgres::{self, Postgres};
use super::peers::sqlite::{self, Sqlite};
use super::{Outcome, Scale, block_on, lean, rest};

/// One query, in three languages.
struct Query {
    name: &'static str,
    what: &'static str,
    hub: &'static str,
    postgres: &'static str,
    sqlite: &'static str,
    /// Milliseconds.
    budget: Option<f64>,
    /// How much less often it is run than others.
    seldom: usize,
    /// All of its results, page by page.
    all: bool,
}

const fn first_page(
    name: &'static str,
    what: &'static str,
    hub: &'static str,
    postgres: &'static str,
    sqlite: &'static str,
) -> Query {
    Query { name, what, hub, postgres, sqlite, budget: None, seldom: 1, all: false }
}

impl Query {
    const fn within(self, milliseconds: f64) -> Query {
        Query { budget: Some(milliseconds), ..self }
    }

    const fn seldom(self, times: usize) -> Query {
        Query { seldom: times, ..self }
    }
}

const QUERIES: [Query; 8] = [
    first_page(
        "plant",
        "first page of a plant's",
        "SELECT * FROM devices WHERE tags.location.plant = 'Redmond43'",
        "SELECT doc FROM twins WHERE doc#>>'{tags,location,plant}' = 'Redmond43' LIMIT 100",
        "SELECT doc FROM twins WHERE doc->>'$.tags.location.plant' = 'Redmond43' LIMIT 100",
    )
    .within(1.0),
    first_page(
        "plant-cellular",
        "first page of its cellular ones",
        "SELECT * FROM devices WHERE tags.location.plant = 'Redmond43' AND properties.reported.connectivity.type = 'cellular'",
        "SELECT doc FROM twins WHERE doc#>>'{tags,location,plant}' = 'Redmond43' AND doc @> '{\"properties\": {\"reported\": {\"connectivity\": {\"type\": \"cellular\"}}}}' LIMIT 100",
        "SELECT doc FROM twins WHERE doc->>'$.tags.location.plant' = 'Redmond43' AND doc->>'$.properties.reported.connectivity.type' = 'cellular' LIMIT 100",
    )
    .within(1.0),
    first_page(
        "range",
        "first page of a numeric range with 1 % of all",
        "SELECT * FROM devices WHERE properties.reported.temperature >= 54 AND properties.reported.temperature < 54.4",
        "SELECT doc FROM twins WHERE (doc#>'{properties,reported,temperature}')::float8 >= 54 AND (doc#>'{properties,reported,temperature}')::float8 < 54.4 LIMIT 100",
        "SELECT doc FROM twins WHERE doc->>'$.properties.reported.temperature' >= 54 AND doc->>'$.properties.reported.temperature' < 54.4 LIMIT 100",
    )
    .within(10.0),
    first_page(
        "in",
        "first page of three customers'",
        "SELECT * FROM devices WHERE tags.customer IN ['customer-0007', 'customer-0700', 'customer-4007']",
        "SELECT doc FROM twins WHERE doc#>>'{tags,customer}' IN ('customer-0007', 'customer-0700', 'customer-4007') LIMIT 100",
        "SELECT doc FROM twins WHERE doc->>'$.tags.customer' IN ('customer-0007', 'customer-0700', 'customer-4007') LIMIT 100",
    ),
    first_page(
        "defined",
        "first page of those with a member that 1 % have",
        "SELECT * FROM devices WHERE IS_DEFINED(properties.reported.fault)",
        "SELECT doc FROM twins WHERE doc#>'{properties,reported,fault}' IS NOT NULL LIMIT 100",
        "SELECT doc FROM twins WHERE doc->'$.properties.reported.fault' IS NOT NULL LIMIT 100",
    ),
    first_page(
        "not",
        "first page of two thirds of all",
        "SELECT * FROM devices WHERE NOT tags.channel = 'stable'",
        "SELECT doc FROM twins WHERE NOT doc#>>'{tags,channel}' = 'stable' LIMIT 100",
        "SELECT doc FROM twins WHERE NOT doc->>'$.tags.channel' = 'stable' LIMIT 100",
    ),
    first_page(
        "group",
        "how many of each of 30 models",
        "SELECT tags.model, COUNT() AS n FROM devices GROUP BY tags.model",
        "SELECT doc#>>'{tags,model}', count(*) FROM twins GROUP BY 1",
        "SELECT doc->>'$.tags.model', count(*) FROM twins GROUP BY 1",
    )
    .within(200.0)
    .seldom(20),
    Query {
        all: true,
        ..first_page(
            "paging",
            "10 % of all, the hub's by pages of 1000, the others' by one statement",
            "SELECT * FROM devices WHERE tags.location.building IN [1, 2, 3, 4]",
            "SELECT doc FROM twins WHERE (doc#>'{tags,location,building}')::int IN (1, 2, 3, 4)",
            "SELECT doc FROM twins WHERE doc->>'$.tags.location.building' IN (1, 2, 3, 4)",
        )
        .seldom(100)
    },
];

/// Whatever serves the queries best.
pub const POSTGRES_INDEXES: [&str; 8] = [
    "CREATE INDEX ON twins USING gin (doc jsonb_path_ops)",
    "CREATE INDEX ON twins ((doc#>>'{tags,location,plant}'))",
    "CREATE INDEX ON twins (((doc#>'{properties,reported,temperature}')::float8))",
    "CREATE INDEX ON twins ((doc#>>'{tags,customer}'))",
    "CREATE INDEX ON twins ((doc#>'{properties,reported,fault}'))",
    "CREATE INDEX ON twins ((doc#>>'{tags,channel}'))",
    "CREATE INDEX ON twins ((doc#>>'{tags,model}'))",
    "CREATE INDEX ON twins (((doc#>'{tags,location,building}')::int))",
];
/// The same.
pub const SQLITE_INDEXES: [&str; 7] = [
    "CREATE INDEX plant ON twins (doc->>'$.tags.location.plant')",
    "CREATE INDEX temperature ON twins (doc->>'$.properties.reported.temperature')",
    "CREATE INDEX customer ON twins (doc->>'$.tags.customer')",
    "CREATE INDEX fault ON twins (id) WHERE doc->'$.properties.reported.fault' IS NOT NULL",
    "CREATE INDEX channel ON twins (doc->>'$.tags.channel')",
    "CREATE INDEX model ON twins (doc->>'$.tags.model')",
    "CREATE INDEX building ON twins (doc->>'$.tags.location.building')",
];

const PASSES: usize = 3;
const FIRST_PAGE: u32 = 100;
const NEXT_PAGES: u32 = 1000;
/// Patches that arrive, per second, on so many connections.
const PATCHES: usize = 5000;
const DEVICES: usize = 100;
/// How much longer the slowest of a hundred may take while patches arrive.
const WHILE_PATCHED: f64 = 3.0;
/// How much faster than the peers.
const FASTER: f64 = 5.0;

/// Those who are asked.
pub struct Asked<'a> {
    /// The hub.
    pub hub: &'a mut HubProcess,
    /// PostgreSQL with the same twins, if there is one.
    pub postgres: Option<&'a Postgres>,
    /// SQLite with the same twins, if there is one.
    pub sqlite: Option<&'a mut Sqlite>,
    /// How many twins there are.
    pub count: usize,
}

/// Milliseconds of every run, by passes.
type Passes = Vec<Vec<f64>>;

/// Runs them.
pub fn run(asked: &mut Asked<'_>, scale: Scale) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut idle = Vec::new();
    for query in &QUERIES {
        let times = (scale.pick(300, 40) / query.seldom).max(2);
        let (mut rest, mut alone, mut postgres, mut sqlite) = (vec![], vec![], vec![], vec![]);
        for _ in 0..PASSES {
            rest.push(asked.rest(query, times)?);
            if !query.all {
                let took = asked.hub.ask(&json!({"ask": "query", "text": query.hub, "times": times}))?;
                alone.push(serde_json::from_value(took)?);
            }
            if let Some(database) = asked.postgres {
                postgres.push(database.times(&format!("{};\n", query.postgres), times)?);
            }
            if let Some(database) = &mut asked.sqlite {
                sqlite.push(database.times(query.sqlite, times)?);
            }
        }
        let name = |side: &str| format!("queries/{}{side}", query.name);
        let postgres = peer(&name("/postgres"), "by PostgreSQL", &postgres, postgres::MISSING);
        let sqlite = peer(&name("/sqlite"), "by SQLite, without a network", &sqlite, sqlite::MISSING);
        let mut figure = median(&name(""), &format!("{}, through REST", query.what), &rest)
            .at_most(1.0 / FASTER, &postgres);
        figure.budget = query.budget;
        figures.push(figure);
        figures.push(postgres);
        if !query.all {
            figures.push(median(&name("/hub"), "without a network", &alone).at_most(1.0 / FASTER, &sqlite));
        }
        figures.push(sqlite);
        idle.push(rest);
    }
    figures.extend(while_patched(asked, scale, &idle)?);
    Ok(figures)
}

fn median(name: &str, what: &str, passes: &Passes) -> Figure {
    let all: Vec<f64> = passes.iter().flatten().copied().collect();
    Figure::cost(name, what, "ms", passes.iter().map(|pass| quantile(pass, 0.5)).collect())
        .curve(cumulative(&all))
}

fn peer(name: &str, what: &str, passes: &Passes, missing: &str) -> Figure {
    let figure = median(name, what, passes);
    if passes.is_empty() { figure.missing(missing) } else { figure }
}

impl Asked<'_> {
    /// Milliseconds that a query takes through REST, each time.
    fn rest(&self, query: &Query, times: usize) -> Outcome<Vec<f64>> {
        block_on(async {
            let speaker = rest::Speaker::new(self.hub)?;
            let mut stream = lean::dial(self.hub.address, &lean::connector(&self.hub.ca_pem)?).await?;
            let (mut took, mut inbox) = (Vec::with_capacity(times), Vec::new());
            // The first warms up.
            for at in 0..=times {
                let started = Instant::now();
                let mut continuation = None;
                loop {
                    let size = if query.all { NEXT_PAGES } else { FIRST_PAGE };
                    let call = Call::Query { text: query.hub.into(), page_size: Some(size), continuation };
                    rest::ask(&mut stream, &speaker.say(&call), &mut inbox).await?;
                    continuation = rest::head(&inbox)
                        .and_then(|head| rest::header(head, "x-ms-continuation").map(str::to_owned));
                    if !query.all || continuation.is_none() {
                        break;
                    }
                }
                if inbox.ends_with(b"[]") {
                    return Err(format!("nothing found by {}", query.hub).into());
                }
                if at > 0 {
                    took.push(started.elapsed().as_secs_f64() * 1000.0);
                }
            }
            Ok(took)
        })
    }
}

/// The slowest of a hundred of each query while patches arrive, next to idle.
fn while_patched(asked: &mut Asked<'_>, scale: Scale, idle: &[Passes]) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    let patching = Patching::start(asked.hub)?;
    for (query, idle) in QUERIES.iter().zip(idle).filter(|(query, _)| !query.all) {
        let times = (scale.pick(300, 40) / query.seldom).max(2);
        let slow = |passes: &Passes| passes.iter().map(|pass| quantile(pass, 0.99)).collect::<Vec<f64>>();
        let loaded: Passes = (0..PASSES).map(|_| asked.rest(query, times)).collect::<Outcome<_>>()?;
        let name = format!("queries/{}-p99", query.name);
        let calm = Figure::cost(&name, "through REST, 99th percentile", "ms", slow(idle));
        let loaded = Figure::cost(&format!("{name}/patched"), "while patches arrive", "ms", slow(&loaded));
        figures.extend([loaded.at_most(WHILE_PATCHED, &calm), calm]);
    }
    let rate = Figure::rate(
        "queries/patches",
        "patches that arrived meanwhile over MQTT",
        "per s",
        vec![patching.stop()?],
    );
    figures.push(rate);
    if let Some(database) = asked.postgres {
        figures.extend(postgres_while_updated(database, scale, asked.count)?);
    }
    Ok(figures)
}

fn postgres_while_updated(database: &Postgres, scale: Scale, count: usize) -> Outcome<Vec<Figure>> {
    let script = format!(
        "\\set id random(0, {})\n\\set t random(0, 400)\nUPDATE twins SET doc = jsonb_set(doc, \
         '{{properties,reported,temperature}}', to_jsonb(15 + :t / 10.0)) WHERE id = :id;\n",
        count - 1
    );
    let seconds = scale.pick(20, 2);
    std::thread::scope(|scope| {
        let updates = scope.spawn(|| database.limited_rate(&script, 8, seconds, PATCHES));
        let mut figures = Vec::new();
        for query in QUERIES.iter().filter(|query| !query.all) {
            let times = (scale.pick(100, 20) / query.seldom).max(2);
            let took = database.times(&format!("{};\n", query.postgres), times)?;
            let name = format!("queries/{}-p99/postgres", query.name);
            let slow = vec![quantile(&took, 0.99)];
            figures.push(Figure::cost(&name, "by PostgreSQL while updates arrive", "ms", slow));
        }
        let rate = updates.join().map_err(|_| "pgbench was not run")??;
        let what = format!("updates that PostgreSQL took of {PATCHES} a second");
        figures.push(Figure::rate("queries/patches/postgres", what, "per s", vec![rate]));
        Outcome::Ok(figures)
    })
}

/// Devices that report, so many patches a second, until stopped.
struct Patching {
    runtime: tokio::runtime::Runtime,
    at_work: JoinSet<Outcome<()>>,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    started: Instant,
}

impl Patching {
    fn start(hub: &HubProcess) -> Outcome<Patching> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut at_work = JoinSet::new();
        runtime.block_on(async {
            let tls = lean::connector(&hub.ca_pem)?;
            for n in 0..DEVICES {
                let stream = lean::connect(hub, &tls, n).await?;
                at_work.spawn(report(stream, n, stop.clone(), done.clone()));
            }
            Outcome::Ok(())
        })?;
        Ok(Patching { runtime, at_work, stop, done, started: Instant::now() })
    }

    /// How many a second there were.
    fn stop(mut self) -> Outcome<f64> {
        let rate = self.done.load(Ordering::Relaxed) as f64 / self.started.elapsed().as_secs_f64();
        self.stop.store(true, Ordering::Relaxed);
        self.runtime.block_on(async {
            while let Some(done) = self.at_work.join_next().await {
                done??;
            }
            Ok(rate)
        })
    }
}

async fn report(
    mut stream: lean::Stream,
    n: usize,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
) -> Outcome<()> {
    let mut due = tokio::time::interval(Duration::from_secs_f64(DEVICES as f64 / PATCHES as f64));
    let mut inbox = Vec::new();
    let mut at = n;
    while !stop.load(Ordering::Relaxed) {
        due.tick().await;
        at += 1;
        let patch = json!({"temperature": 15.0 + (at % 400) as f64 / 10.0, "uptime": at});
        let said =
            Said::Report { rid: Rid("1".into()), patch: Bytes::from(patch.to_string()), if_version: None };
        let publish = mqtt::say(&device(n), &said).ok_or("MQTT cannot say this")?;
        stream.write_all(&lean::publish(&publish.topic, &publish.payload)).await?;
        stream.flush().await?;
        let length = loop {
            match lean::first(&inbox) {
                Some(packet) => break packet.len(),
                None => lean::more(&mut stream, &mut inbox).await?,
            }
        };
        inbox.drain(..length);
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
