//! What users would pick instead, started by the benchmark itself: on loopback ports or sockets of its own, with its
//! data in a temporary folder, and stopped with the benchmark, however that ends.
//!
//! | module | peer |
//! |---|---|
//! | [`mosquitto`] | Mosquitto, a broker of plain MQTT |
//! | [`postgres`] | PostgreSQL, by its own clients |
//! | [`sqlite`] | SQLite, by Python, which has it |

pub mod mosquitto;
pub mod postgres;
pub mod sqlite;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Outcome, hub};

/// Longest that a peer may take to answer after its start.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Between two looks whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Whom a peer runs as that refuses to run as root: `nobody`.
const NOBODY: u32 = 65534;

/// Runs a program until its own input ends, which it does when this process does; tells the program's id first.
const KEEP: &str =
    r#"signal=$1; shift; "$@" >&2 & pid=$!; echo $pid; read -r _; kill -s $signal $pid; wait $pid"#;

/// A peer's process.
#[derive(Debug)]
pub struct Kept {
    keeper: Child,
    input: Option<ChildStdin>,
    id: String,
}

impl Kept {
    /// Starts `program`, which `signal` will stop; in `folder`.
    fn start(folder: &Path, user: Option<u32>, signal: &str, program: &[&str]) -> Outcome<Kept> {
        let mut command = Command::new("sh");
        command.args(["-c", KEEP, "sh", signal]).args(program).current_dir(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let mut keeper = command.spawn()?;
        let input = keeper.stdin.take();
        let mut id = String::new();
        BufReader::new(keeper.stdout.take().ok_or("no stdout")?).read_line(&mut id)?;
        Ok(Kept { keeper, input, id: id.trim().to_owned() })
    }

    /// Its resident memory, in bytes; its children's is not in it.
    pub fn resident(&self) -> Outcome<f64> {
        hub::resident(&self.id)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.keeper.wait();
    }
}

/// Where a program is, in `PATH` or in the folders where Debian puts it.
fn find(program: &str, also: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(also.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whom to run as, if this process is root's and a peer refuses that.
fn not_root() -> Option<u32> {
    let root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    root.then_some(NOBODY)
}

/// Waits until `ready` says so.
fn wait_for(what: &str, mut ready: impl FnMut() -> bool) -> Outcome<()> {
    let started = Instant::now();
    while !ready() {
        if started.elapsed() > READY_WITHIN {
            return Err(format!("{what} did not start within {READY_WITHIN:?}").into());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
