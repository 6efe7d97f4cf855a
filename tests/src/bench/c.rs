//! `c`: libtwin as C programs have it: its size, what a connected client adds to an empty program, what a report takes next
//! to one from Rust in the same minute. The hub's disk is memory here, so that it does not drown the difference.
//!
//! Beside them: what the C SDK publishes of itself (azure-iot-sdk-c, `doc/c_sdk_resource_information.md`, version 1.2.12), and the
//! size of the TLS library that it needs and does not count, where this machine has one. Those programs send a message; ours
//! also speak AMQP and WebSocket and are a backend. They are no race, only a scale.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde_json::json;
use twin_device::DeviceClient;

use super::figure::{Figure, quantile};
use super::hub::HubProcess;
use super::{Outcome, Scale, block_on};
use crate::c::{build, compile, program};

const PASSES: usize = 5;
/// Clients beyond the first, for what one of them adds.
const FURTHER: usize = 40;

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let small = build("small");
    let mut figures = vec![
        Figure::cost(
            "c/size",
            "libtwin.so as installed, everything on, TLS inside",
            "MB",
            vec![size(&small)?],
        )
        .budget(4.0),
    ];
    if !scale.quick {
        let release = size(&build("release"))?;
        figures.push(Figure::cost("c/size-release", "libtwin.so built for speed", "MB", vec![release]));
    }
    figures.extend(measured(&small, scale)?);
    for (name, what, unit, published) in [
        ("c/c-sdk-size", "the C SDK's MQTT program without TLS, as published", "MB", 0.167_552),
        ("c/c-sdk-heap", "the C SDK's peak heap for one message, as published", "kB", 15.058),
    ] {
        figures.push(Figure::cost(name, what, unit, vec![published]));
    }
    if let Some(bytes) = openssl() {
        let what = "libssl and libcrypto of this machine, which the C SDK needs beside";
        figures.push(Figure::cost("c/openssl-size", what, "MB", vec![bytes as f64 / 1e6]));
    }
    Ok(figures)
}

/// MB of a library, stripped.
fn size(folder: &Path) -> Outcome<f64> {
    let stripped = tempfile::NamedTempFile::new()?;
    let status =
        Command::new("strip").arg("-o").arg(stripped.path()).arg(folder.join("libtwin.so")).status()?;
    if !status.success() {
        return Err("strip failed".into());
    }
    Ok(fs::metadata(stripped.path())?.len() as f64 / 1e6)
}

fn openssl() -> Option<u64> {
    ["/usr/lib", "/usr/lib64", "/lib"].iter().find_map(|top| {
        let mut folders = vec![PathBuf::from(top)];
        folders.extend(fs::read_dir(top).ok()?.flatten().map(|e| e.path()).filter(|p| p.is_dir()));
        folders.iter().find_map(|folder| {
            let length = |name: &str| fs::metadata(folder.join(name)).ok().map(|m| m.len());
            Some(length("libssl.so.3")? + length("libcrypto.so.3")?)
        })
    })
}

fn measured(library: &Path, scale: Scale) -> Outcome<Vec<Figure>> {
    let reports = scale.pick(2000, 100);
    let memory = Path::new("/dev/shm");
    let data = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let hub = HubProcess::start(data.path())?;
    let folder = tempfile::tempdir()?;
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, &hub.ca_pem)?;
    let empty = folder.path().join("empty");
    compile(&program("empty.c"), library, false, &["-O2", "-Wl,--as-needed"], &empty);
    let worker = folder.path().join("bench");
    compile(&program("bench.c"), library, false, &["-O2"], &worker);
    let mut nothing = Vec::new();
    for _ in 0..PASSES {
        nothing.push(String::from_utf8(Command::new(&empty).output()?.stdout)?.trim().parse()?);
    }
    let nothing = quantile(&nothing, 0.5);

    // One process for each pass of memory; the last of them goes on to report.
    let (mut first, mut further, mut last) = (Vec::new(), Vec::new(), None);
    block_on(async { hub.create(FURTHER + 2).await })?;
    for _ in 0..scale.pick(PASSES, 2) {
        let mut worker = Worker::start(&worker, &ca)?;
        let mut resident = Vec::new();
        for n in 0..=FURTHER {
            resident.push(worker.ask(&format!("open {}", hub.device_connection_string(n)?))?);
        }
        first.push(resident[0] - nothing);
        further.push((resident[FURTHER] - resident[0]) / FURTHER as f64);
        last = Some(worker);
    }
    let mut worker = last.ok_or("no pass")?;
    let (from_c, from_rust) = block_on(async {
        let device = DeviceClient::from_connection_string(&hub.device_connection_string(FURTHER + 1)?)?
            .ca_pem(hub.ca_pem.as_str())
            .open()
            .await?;
        let (mut from_c, mut from_rust) = (Vec::new(), Vec::new());
        for _ in 0..PASSES {
            from_c.push(worker.ask(&format!("report {reports}"))?);
            let started = Instant::now();
            for _ in 0..reports {
                device.report(json!({"connectivity": {"type": "cellular"}})).await?;
            }
            from_rust.push(started.elapsed().as_secs_f64() * 1e6 / f64::from(reports));
        }
        Ok((from_c, from_rust))
    })?;
    hub.stop()?;
    let ratios = from_c.iter().zip(&from_rust).map(|(c, rust)| c / rust).collect();
    Ok(vec![
        Figure::cost(
            "c/first",
            "a connected device client and its runtime, over an empty program",
            "kB",
            first,
        )
        .budget(4000.0),
        Figure::cost("c/further", "each further one", "kB", further).budget(30.0),
        Figure::cost("c/report", "a report's round trip from C, in Rust's", "times", ratios).budget(1.2),
        Figure::cost("c/report-c", "a report's round trip from C", "us", from_c),
        Figure::cost("c/report-rust", "the same from Rust", "us", from_rust),
    ])
}

/// `tests/c/bench.c` at work.
struct Worker {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    fn start(program: &Path, ca: &Path) -> Outcome<Worker> {
        let mut child = Command::new(program)
            .env("TWIN_CA_FILE", ca)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        Ok(Worker { child, orders, answers })
    }

    fn ask(&mut self, order: &str) -> Outcome<f64> {
        writeln!(self.orders.as_mut().ok_or("no stdin")?, "{order}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim().parse().map_err(|_| format!("the C program said '{}'", line.trim()))?)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It ends with its input.
        self.orders = None;
        let _ = self.child.wait();
    }
}
