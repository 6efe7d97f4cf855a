//! Benchmarks: what the stack costs, next to its budgets.
//!
//! `cargo run --release -p tests --bin bench [-- [--quick] [--twins N] [--json FILE] [--markdown FILE] [--plots FOLDER] [NAME…]]` prints a table; names are those of
//! the figures. `--quick` does the same with a hundredth of the work, in seconds; `--twins` takes so many where it is a million otherwise. Each benchmark runs in a process of
//! its own and its hub in another, so that neither measures what an earlier one left behind. A figure is the median
//! of several passes, shown with the smallest and the largest. Numbers never make it fail.
//!
//! | module | figures |
//! |---|---|
//! | [`amqp`] | `amqp`: updates next to MQTT, shared connections |
//! | [`c`] | `c`: libtwin's size, memory and round trip |
//! | [`devices`] | `device-memory` |
//! | [`connections`] | `hub-memory` |
//! | [`twins`] | `twins-memory`, next to PostgreSQL and SQLite |
//! | [`queries`] | `queries`, the same |
//! | [`patches`] | `patches` |
//! | [`reads`] | `reads`: twins by MQTT and REST, next to PostgreSQL |
//! | [`hear`] | `hear`: from a backend's change to the device, next to Mosquitto |
//! | [`connects`] | `connects`, next to handshakes alone and Mosquitto |
//! | [`node`] | `node`: official Node.js packages and ours |
//! | [`hub`] | the hub's process, and what it is asked |
//! | [`peers`] | what users would pick instead, started and stopped by the benchmark |
//! | [`load`] | requests kept in flight on many connections |
//! | [`core`] | `core`: pieces of work next to their floors |
//! | [`size`] | `size`: cost against the number of twins |
//! | [`builds`] | `builds`: sizes of binaries, times of builds |
//! | [`plot`] | pictures of figures |
//! | [`floor`] | a process of TLS and nothing else |
//! | [`rest`] | a REST client of almost no weight |
//! | [`lean`] | an MQTT client of almost no weight |
//! | [`figure`] | figures and their table |

pub mod amqp;
pub mod builds;
pub mod c;
pub mod connections;
pub mod connects;
pub mod core;
pub mod devices;
pub mod figure;
pub mod floor;
pub mod hear;
pub mod hub;
pub mod lean;
pub mod load;
pub mod node;
pub mod patches;
pub mod peers;
pub mod plot;
pub mod queries;
pub mod reads;
pub mod rest;
pub mod size;
pub mod twins;

use std::error::Error;
use std::process::{Command, ExitCode, Stdio};

use figure::Figure;

/// What can go wrong is told, not handled.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// A hundredth, in seconds.
    pub quick: bool,
    /// Twins of the benchmarks that have a million of them otherwise.
    pub twins: Option<usize>,
}

impl Scale {
    /// One of two.
    pub fn pick<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// A benchmark: the figures it gives, and what gives them.
struct Benchmark {
    figures: &'static [&'static str],
    run: fn(Scale) -> Outcome<Vec<Figure>>,
}

const BENCHMARKS: &[Benchmark] = &[
    Benchmark { figures: &["device-memory"], run: devices::run },
    Benchmark { figures: &["hub-memory"], run: connections::run },
    Benchmark { figures: &["twins-memory", "queries"], run: twins::run },
    Benchmark { figures: &["patches"], run: patches::run },
    Benchmark { figures: &["reads"], run: reads::run },
    Benchmark { figures: &["hear"], run: hear::run },
    Benchmark { figures: &["connects"], run: connects::run },
    Benchmark { figures: &["core"], run: core::run },
    Benchmark { figures: &["size"], run: size::run },
    Benchmark { figures: &["builds"], run: builds::run },
    Benchmark { figures: &["amqp"], run: amqp::run },
    Benchmark { figures: &["node"], run: node::run },
    Benchmark { figures: &["c"], run: c::run },
];

/// The command line.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some(hub::ROLE) => hub::serve(arguments.get(1).map(String::as_str)),
        Some(core::ROLE) => {
            core::serve(arguments.get(1).map(String::as_str), arguments.get(2).map(String::as_str))
        }
        Some(floor::ROLE) => floor::serve(),
        Some(CHILD) => child(&arguments[1..]),
        _ => all(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bench: {e}");
            ExitCode::FAILURE
        }
    }
}

/// The role in which this program runs one benchmark and prints its figures as JSON.
const CHILD: &str = "one";

fn child(arguments: &[String]) -> Outcome<()> {
    let at: usize = arguments.first().ok_or("which?")?.parse()?;
    let twins = arguments.get(1).and_then(|twins| twins.parse().ok());
    let scale = Scale { quick: arguments.iter().any(|a| a == "--quick"), twins };
    let figures = (BENCHMARKS.get(at).ok_or("no such benchmark")?.run)(scale)?;
    println!("{}", serde_json::Value::Array(figures.iter().map(Figure::to_json).collect()));
    Ok(())
}

fn all(arguments: &[String]) -> Outcome<()> {
    allow_files();
    let (mut quick, mut twins, mut names) = (false, None, Vec::new());
    let (mut file, mut markdown, mut plots) = (None, None, None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--twins" => twins = Some(rest.next().ok_or("--twins wants a number")?),
            "--json" => file = Some(rest.next().ok_or("--json wants a file")?),
            "--markdown" => markdown = Some(rest.next().ok_or("--markdown wants a file")?),
            "--plots" => plots = Some(rest.next().ok_or("--plots wants a folder")?),
            name if known(name) => names.push(name),
            other => return Err(format!("'{other}' is none of {}", known_names().join(", ")).into()),
        }
    }
    if cfg!(debug_assertions) {
        eprintln!("bench: this is a debug build; its numbers say little");
    }
    let mut figures = Vec::new();
    for (at, benchmark) in BENCHMARKS.iter().enumerate() {
        if names.is_empty() || names.iter().any(|name| benchmark.figures.contains(name)) {
            eprintln!("bench: {} …", benchmark.figures.join(", "));
            figures.extend(in_a_child(at, quick, twins)?);
        }
    }
    print!("{}", figure::table(&figures));
    if let Some(file) = markdown {
        std::fs::write(file, figure::markdown(&figures))?;
    }
    if let Some(folder) = plots {
        plot::draw(&figures, folder.as_ref())?;
    }
    if let Some(file) = file {
        let json = serde_json::json!({
            "quick": quick,
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "figures": figures.iter().map(Figure::to_json).collect::<Vec<_>>(),
        });
        std::fs::write(file, format!("{json:#}\n"))?;
    }
    Ok(())
}

/// Files that a process may have open: as many as twenty thousand connections take, if the system lets us.
fn allow_files() {
    const FILES: &str = "--nofile=65536:65536";
    if hub::room_for_files() < 65_000 {
        let mut command = Command::new("prlimit");
        command.args(["--pid", &std::process::id().to_string(), FILES]);
        let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

fn in_a_child(at: usize, quick: bool, twins: Option<&String>) -> Outcome<Vec<Figure>> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args([CHILD, &at.to_string()])
        .args(twins)
        .args(quick.then_some("--quick"))
        .stderr(Stdio::inherit());
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{} did not end well", BENCHMARKS[at].figures.join(", ")).into());
    }
    let figures: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout)?;
    figures.iter().map(Figure::from_json).collect()
}

fn known(name: &str) -> bool {
    known_names().contains(&name)
}

fn known_names() -> Vec<&'static str> {
    BENCHMARKS.iter().flat_map(|benchmark| benchmark.figures).copied().collect()
}

/// A runtime, and what it runs.
pub(crate) fn block_on<T>(future: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}
