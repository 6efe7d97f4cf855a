//! Node.js: the official packages and ours, in the same run against the same hub. The budgets of ours are parts of what
//! the official ones cost.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use twin_core::identity::{Authentication, Identity};
use twin_service::Registry;

use super::figure::{Figure, quantile};
use super::hub::{device, key};
use super::{Outcome, Scale, block_on};
use crate::addon;
use crate::node::{NodeHub, folder};
use crate::stage::{Side, prepare};

/// The packages, as far as both sides have them.
const PACKAGES: [&str; 6] = [
    "azure-iot-common",
    "azure-iot-device",
    "azure-iot-device-mqtt",
    "azure-iot-device-amqp",
    "azure-iot-device-http",
    "azure-iothub",
];
/// Devices that are connected at once.
const FLEET: usize = 100;
/// Twins on a page of the query.
const PAGE: usize = 1000;
/// Identities that one bulk request creates.
const BULK: usize = 100;

const KB: f64 = 1024.0;
const MB: f64 = 1024.0 * 1024.0;
/// `require` of all packages, over bare Node, in milliseconds.
const REQUIRE_MS: f64 = 20.0;
/// Memory after it, over bare Node, in megabytes.
const REQUIRE_MB: f64 = 6.0;
/// Size of the packages as installed, in megabytes.
const INSTALLED_MB: f64 = 15.0;
/// Memory of a connected client, in kilobytes.
const CLIENT_KB: f64 = 40.0;

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    prepare();
    block_on(async {
        let hub = NodeHub::start(37).await;
        let twins = scale.pick(100_000, 1_000);
        fill(&hub, twins).await?;
        let bench = Bench { hub: &hub, scale, twins, passes: scale.pick(3, 1) };
        let figures = tokio::task::block_in_place(|| bench.figures())?;
        hub.hub.close().await?;
        Ok(figures)
    })
}

async fn fill(hub: &NodeHub, count: usize) -> Outcome<()> {
    let registry = Registry::builder(hub.hub.connection_string()).trust_pem(hub.hub.ca_pem()).build()?;
    for first in (0..count).step_by(BULK) {
        let identities: Vec<Identity> = (first..count.min(first + BULK))
            .map(|n| {
                let mut identity = Identity::new(device(n));
                identity.authentication = Some(Authentication::Sas { primary: key(), secondary: key() });
                identity
            })
            .collect();
        registry.create_many(&identities).await?;
    }
    Ok(())
}

struct Bench<'h> {
    hub: &'h NodeHub,
    scale: Scale,
    twins: usize,
    passes: usize,
}

impl Bench<'_> {
    fn figures(&self) -> Outcome<Vec<Figure>> {
        let mut figures = self.requires()?;
        figures.extend(self.devices()?);
        figures.extend(self.backend()?);
        for side in [Side::Official, Side::Ours] {
            let name = format!("node/installed/{side:?}");
            let figure = Figure::cost(&name, "packages on disk", "MB", vec![installed(side)? / MB]);
            figures.push(if side == Side::Ours { figure.budget(INSTALLED_MB) } else { figure });
        }
        figures.iter_mut().for_each(|figure| figure.name = figure.name.to_lowercase());
        Ok(figures)
    }

    fn requires(&self) -> Outcome<Vec<Figure>> {
        let both =
            |name: &&str| [Side::Official, Side::Ours].iter().all(|s| s.packages().join(name).is_dir());
        let packages: Vec<&str> = PACKAGES.into_iter().filter(both).collect();
        let what = format!("{} packages, over bare Node", packages.len());
        let mut figures = Vec::new();
        for side in [Side::Official, Side::Ours] {
            let (mut ms, mut bytes) = (Vec::new(), Vec::new());
            for _ in 0..self.passes.max(3) {
                let bare = self.node(side, "require.js", &[])?;
                let full = self.node(side, "require.js", &packages)?;
                ms.push(number(&full, "ms")? - number(&bare, "ms")?);
                bytes.push((number(&full, "bytes")? - number(&bare, "bytes")?) / MB);
            }
            let time = Figure::cost(&format!("node/require/{side:?}"), &what, "ms", ms);
            let memory = Figure::cost(&format!("node/require-memory/{side:?}"), &what, "MB", bytes);
            match side {
                Side::Official => figures.extend([time, memory]),
                Side::Ours => figures.extend([time.budget(REQUIRE_MS), memory.budget(REQUIRE_MB)]),
            }
        }
        Ok(figures)
    }

    fn devices(&self) -> Outcome<Vec<Figure>> {
        let arguments = [FLEET, self.scale.pick(2000, 100), self.scale.pick(100, 5)].map(|n| n.to_string());
        self.compare(
            "devices.js",
            &arguments.each_ref().map(String::as_str),
            &[
                Measure {
                    field: "p50",
                    name: "report",
                    what: "one report after another, median",
                    unit: "ms",
                    factor: 1.0,
                    budget: Budget::Part(1.0 / 3.0),
                },
                Measure {
                    field: "perSecond",
                    name: "fleet",
                    what: "reports of 100 clients",
                    unit: "/s",
                    factor: 1.0,
                    budget: Budget::Times(3.0),
                },
                Measure {
                    field: "bytes",
                    name: "client-memory",
                    what: "memory of a connected client",
                    unit: "kB",
                    factor: 1.0 / KB,
                    budget: Budget::Absolute(CLIENT_KB),
                },
            ],
        )
    }

    fn backend(&self) -> Outcome<Vec<Figure>> {
        let arguments = [self.scale.pick(2000, 100), self.twins, PAGE].map(|n| n.to_string());
        self.compare(
            "backend.js",
            &arguments.each_ref().map(String::as_str),
            &[
                Measure {
                    field: "p50",
                    name: "get-twin",
                    what: "one twin after another, median",
                    unit: "ms",
                    factor: 1.0,
                    budget: Budget::Part(0.5),
                },
                Measure {
                    field: "seconds",
                    name: "query",
                    what: "all twins, page by page",
                    unit: "s",
                    factor: 1.0,
                    budget: Budget::Part(1.0 / 3.0),
                },
            ],
        )
    }

    /// Runs a script on both sides, in turn, and makes figures of what it measures.
    fn compare(&self, script: &str, arguments: &[&str], measures: &[Measure]) -> Outcome<Vec<Figure>> {
        let mut figures = Vec::new();
        let (mut official, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..self.passes {
            official.push(self.node(Side::Official, script, arguments)?);
            ours.push(self.node(Side::Ours, script, arguments)?);
        }
        for measure in measures {
            let passes = |of: &[Value]| -> Outcome<Vec<f64>> {
                of.iter().map(|one| Ok(number(one, measure.field)? * measure.factor)).collect()
            };
            let theirs = measure.figure(Side::Official, passes(&official)?);
            let budget = match measure.budget {
                Budget::Absolute(budget) => budget,
                Budget::Part(part) | Budget::Times(part) => quantile(&theirs.passes, 0.5) * part,
            };
            figures.extend([theirs, measure.figure(Side::Ours, passes(&ours)?).budget(budget)]);
        }
        Ok(figures)
    }

    fn node(&self, side: Side, script: &str, arguments: &[&str]) -> Outcome<Value> {
        let official = side == Side::Official;
        let mut command = Command::new("node");
        command.arg("--expose-gc").arg(folder().join("bench").join(script)).args(arguments);
        command.envs(self.hub.environment(official)).envs(side.environment()).env_remove("DEBUG");
        command.env("BENCH_HOST", self.hub.name(official)).env("BENCH_KEY", key().expose_base64().as_str());
        let output = command.output()?;
        if !output.status.success() {
            let talk = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{script} on {side:?}: {talk}").into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// What ours may cost, or has to reach.
enum Budget {
    Absolute(f64),
    /// Of the official cost.
    Part(f64),
    /// Of the official rate.
    Times(f64),
}

struct Measure {
    field: &'static str,
    name: &'static str,
    what: &'static str,
    unit: &'static str,
    factor: f64,
    budget: Budget,
}

impl Measure {
    fn figure(&self, side: Side, passes: Vec<f64>) -> Figure {
        let name = format!("node/{}/{side:?}", self.name);
        match self.budget {
            Budget::Times(_) => Figure::rate(&name, self.what, self.unit, passes),
            _ => Figure::cost(&name, self.what, self.unit, passes),
        }
    }
}

fn number(of: &Value, field: &str) -> Outcome<f64> {
    of[field].as_f64().ok_or_else(|| format!("no '{field}' in {of}").into())
}

/// Bytes of everything that is installed with the packages.
fn installed(side: Side) -> Outcome<f64> {
    /// Without addons: which profile's lies there, if one does, is chance.
    fn size(path: &Path) -> std::io::Result<u64> {
        let what = path.symlink_metadata()?;
        if !what.is_dir() {
            return Ok(if path.extension().is_some_and(|e| e == "node") { 0 } else { what.len() });
        }
        std::fs::read_dir(path)?.map(|entry| size(&entry?.path())).sum()
    }
    let addon = if side == Side::Ours { addon::binary().metadata()?.len() } else { 0 };
    Ok((size(&side.packages())? + addon) as f64)
}
