//! `core`: what `twin-core` takes for its pieces of work, in nanoseconds and allocations, next to the least that each
//! could take: `serde_json` over the same bytes, one HMAC-SHA256, a copy. Allocations are counted by valgrind, so that
//! counting costs the other benchmarks nothing.

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::IgnoredAny;
use serde_json::Value;
use twin_core::auth::{SasToken, Scope};
use twin_core::query::Query;
use twin_core::query::raw::RawDocument;
use twin_core::twin::{Patch, Rules, Section, SectionName};
use twin_core::wire::{Rid, Said, mqtt};
use twin_core::{HostName, Timestamp};

use super::figure::{Figure, quantile};
use super::hub::{device, key};
use super::{Outcome, Scale, twins};

/// The role in which this program does one piece of work so many times, for valgrind to watch.
pub const ROLE: &str = "core-work";

const PASSES: usize = 5;
/// Times that valgrind watches.
const WATCHED: usize = 200;
/// Of the floor.
const PART: f64 = 2.0;
const VALGRIND: &str = "not counted: install Debian's valgrind";

/// Work, what it is, its floor, what that is.
const WORK: [[&str; 4]; 8] = [
    ["patch", "a patch of 500 B parsed and checked", "serde-patch", "serde_json parses it"],
    ["merge", "the same and merged into a section, with its metadata", "serde-patch", "serde_json parses it"],
    ["sas-sign", "a token signed", "hmac", "one HMAC-SHA256"],
    ["sas-verify", "a token parsed and verified", "hmac", "one HMAC-SHA256"],
    [
        "query-parse",
        "a query of two comparisons parsed",
        "serde-query",
        "serde_json parses the request's body",
    ],
    ["query-eval", "the same over a document's text", "serde-skip", "serde_json skips over the document"],
    ["topic-say", "topic and payload of a report said", "copy", "both copied"],
    ["topic-hear", "topic and payload of a report heard", "copy", "both copied"],
];

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let pass = Duration::from_millis(scale.pick(300, 20));
    let mut figures = Vec::new();
    let watched = if scale.quick { &WORK[..1] } else { &WORK[..] };
    for [name, what, floor, floor_what] in WORK {
        let floor = Figure::cost(&format!("core/{name}/floor"), floor_what, "ns", times(floor, pass)?);
        let figure = Figure::cost(&format!("core/{name}"), what, "ns", times(name, pass)?);
        figures.extend([figure.at_most(PART, &floor), floor]);
    }
    for [name, _, floor, _] in watched {
        let counted = |name: &str, figure: &str| -> Outcome<Figure> {
            let figure = Figure::cost(figure, "allocations of it", "each", vec![]);
            Ok(match allocations(name)? {
                Some(each) => Figure { passes: vec![each], ..figure },
                None => figure.missing(VALGRIND),
            })
        };
        let floor = counted(floor, &format!("core/{name}/allocations/floor"))?;
        figures.extend([counted(name, &format!("core/{name}/allocations"))?.at_most(PART, &floor), floor]);
    }
    Ok(figures)
}

/// Does a piece of work so many times.
pub fn serve(name: Option<&str>, times: Option<&str>) -> Outcome<()> {
    let mut work = work(name.ok_or("which?")?)?;
    (0..times.ok_or("how often?")?.parse::<usize>()?).for_each(|_| work());
    Ok(())
}

/// Nanoseconds, by passes.
fn times(name: &str, pass: Duration) -> Outcome<Vec<f64>> {
    /// Between looks at the clock.
    const LOOP: u32 = 100;
    let mut work = work(name)?;
    let mut times = Vec::new();
    for at in 0..=PASSES {
        let mut loops = Vec::new();
        let started = Instant::now();
        while started.elapsed() < pass {
            let begun = Instant::now();
            (0..LOOP).for_each(|_| work());
            loops.push(begun.elapsed().as_secs_f64() * 1e9 / f64::from(LOOP));
        }
        // The first one warms up.
        if at > 0 {
            times.push(quantile(&loops, 0.5));
        }
    }
    Ok(times)
}

/// Allocations each time; `None` without valgrind.
fn allocations(name: &str) -> Outcome<Option<f64>> {
    let (Some(none), Some(many)) = (watch(name, 0)?, watch(name, WATCHED)?) else { return Ok(None) };
    Ok(Some((many - none) / WATCHED as f64))
}

fn watch(name: &str, times: usize) -> Outcome<Option<f64>> {
    let mut command = Command::new("valgrind");
    command.arg("--undef-value-errors=no").arg(std::env::current_exe()?).args([
        ROLE,
        name,
        &times.to_string(),
    ]);
    let Ok(output) = command.output() else { return Ok(None) };
    let talk = String::from_utf8_lossy(&output.stderr);
    let count = talk.split_once("total heap usage: ").and_then(|(_, rest)| rest.split_once(" allocs"));
    let (count, _) = count.ok_or_else(|| format!("valgrind counted nothing: {talk}"))?;
    Ok(Some(count.replace(',', "").parse()?))
}

type Work = Box<dyn FnMut()>;

fn work(name: &str) -> Outcome<Work> {
    const QUERY: &str = "SELECT * FROM devices WHERE tags.location.plant = 'Redmond43' \
                         AND properties.reported.connectivity.type = 'cellular'";
    let patch = twins::reported(7).to_string().into_bytes();
    let document = twins::whole(113).to_string().into_bytes();
    let (host, key, expiry) =
        (HostName::new("hub.example")?, key(), Timestamp::from_unix(Duration::from_secs(2_000_000_000)));
    let resource = Scope::Twin(host, device(7)).resource();
    let said = Said::Report { rid: Rid("17".into()), patch: Bytes::from(patch.clone()), if_version: None };
    let publish = mqtt::say(&device(7), &said).ok_or("MQTT cannot say this")?;
    let parsed = move |bytes: &[u8]| Patch::parse(SectionName::Reported, bytes, Rules::PATCH);
    Ok(match name {
        "patch" => Box::new(move || drop(black_box(parsed(black_box(&patch))))),
        "merge" => {
            let mut section = Section::new(SectionName::Reported, expiry);
            Box::new(move || {
                if let Ok(patch) = parsed(black_box(&patch)) {
                    let _ = black_box(section.apply(&patch, expiry));
                }
            })
        }
        "serde-patch" => {
            Box::new(move || drop(black_box(serde_json::from_slice::<Value>(black_box(&patch)))))
        }
        "sas-sign" => {
            Box::new(move || drop(black_box(SasToken::sign(black_box(&resource), &key, None, expiry))))
        }
        "sas-verify" => {
            let text = SasToken::sign(&resource, &key, None, expiry).expose().to_owned();
            let now = Timestamp::from_unix(Duration::from_secs(1_900_000_000));
            Box::new(move || {
                let token = SasToken::parse(black_box(&text));
                let _ = black_box(token.and_then(|token| token.verify(&resource, [&key], now)));
            })
        }
        "hmac" => {
            let keyed = Hmac::<sha2::Sha256>::new_from_slice(key.expose_bytes())?;
            Box::new(move || {
                let mut mac = keyed.clone();
                mac.update(black_box(resource.as_bytes()));
                mac.update(b"\n2000000000");
                black_box(mac.finalize());
            })
        }
        "query-parse" => Box::new(move || drop(black_box(Query::parse(black_box(QUERY))))),
        "serde-query" => {
            let body = serde_json::json!({"query": QUERY}).to_string();
            Box::new(move || drop(black_box(serde_json::from_str::<Value>(black_box(&body)))))
        }
        "query-eval" => {
            let condition = Query::parse(QUERY)?.condition.ok_or("a condition")?;
            Box::new(move || {
                black_box(condition.is_true(&RawDocument(black_box(&document))));
            })
        }
        "serde-skip" => Box::new(move || {
            let _ = black_box(serde_json::from_slice::<IgnoredAny>(black_box(&document)));
        }),
        "topic-say" => {
            let key = device(7);
            Box::new(move || drop(black_box(mqtt::say(&key, black_box(&said)))))
        }
        "topic-hear" => {
            let key = device(7);
            Box::new(move || {
                drop(black_box(mqtt::hear(&key, black_box(&publish.topic), publish.payload.clone())))
            })
        }
        "copy" => Box::new(move || {
            black_box((publish.topic.clone(), Bytes::copy_from_slice(black_box(&publish.payload))));
        }),
        other => return Err(format!("no work called '{other}'").into()),
    })
}
