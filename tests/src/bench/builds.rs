//! `builds`: how large the binaries are, and how long Cargo takes for them: from nothing, in a folder of its own, and
//! again after a change in the innermost crate.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use super::figure::Figure;
use super::{Outcome, Scale};

const MB: f64 = 1024.0 * 1024.0;
const BINARIES: [[&str; 3]; 4] = [
    ["twin", "twin", "the command, hub included"],
    ["libtwin", "libtwin.so", "both clients for C"],
    ["libtwin-static", "libtwin.a", "the same, with everything in it"],
    ["addon", "libtwin_node.so", "the addon for Node.js"],
];
const MISSING: &str = "not built: a run without --quick builds it";

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    let temporary = tempfile::tempdir()?;
    let target = if scale.quick { root().join("target") } else { temporary.path().to_owned() };
    if !scale.quick {
        let cold = build(&target)?;
        // As if it had been edited.
        let touched = std::fs::File::options().append(true).open(root().join("twin-core/src/lib.rs"))?;
        touched.set_modified(SystemTime::now())?;
        let again = build(&target)?;
        figures.push(Figure::cost("builds/cold", "cargo build --release, sources at hand", "s", vec![cold]));
        figures.push(Figure::cost("builds/again", "the same after a change in twin-core", "s", vec![again]));
    }
    for [name, file, what] in BINARIES {
        let figure = Figure::cost(&format!("builds/{name}"), what, "MB", vec![]);
        figures.push(match target.join("release").join(file).metadata() {
            Ok(file) => Figure { passes: vec![file.len() as f64 / MB], ..figure },
            Err(_) => figure.missing(MISSING),
        });
    }
    Ok(figures)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// Seconds that it takes.
fn build(target: &Path) -> Outcome<f64> {
    let started = Instant::now();
    let mut command = Command::new("cargo");
    command.args([
        "build",
        "--release",
        "--locked",
        "-p",
        "twin-cli",
        "-p",
        "bindings-c",
        "-p",
        "bindings-node",
    ]);
    command.current_dir(root()).env("CARGO_TARGET_DIR", target).stdout(Stdio::null()).stderr(Stdio::null());
    if !command.status()?.success() {
        return Err("cargo build failed".into());
    }
    Ok(started.elapsed().as_secs_f64())
}
