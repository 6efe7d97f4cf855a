//! PostgreSQL on a socket in its own folder, with memory for the data and everything else as it comes; asked by `psql`
//! and `pgbench`, which come with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{Kept, find, not_root, wait_for};
use crate::bench::Outcome;

/// What to do about its absence.
pub const MISSING: &str = "peer not found: install Debian's postgresql-15";

/// Beside its defaults.
const SETTINGS: [&str; 7] = [
    "listen_addresses=",
    "shared_buffers=1GB",
    "work_mem=64MB",
    "maintenance_work_mem=512MB",
    "max_wal_size=4GB",
    "max_connections=300",
    "jit=off",
];
const USER: &str = "bench";

/// A server that serves.
#[derive(Debug)]
pub struct Postgres {
    kept: Option<Kept>,
    programs: PathBuf,
    folder: TempDir,
}

impl Postgres {
    /// Starts one; `None` if it is not installed.
    pub fn start() -> Outcome<Option<Postgres>> {
        let Some(programs) = programs() else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        if let Some(user) = not_root() {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(user))?;
        }
        let mut server = Postgres { kept: None, programs, folder };
        let data = server.data().display().to_string();
        let arguments =
            ["-D", &data, "-U", USER, "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"];
        let mut initdb = server.command("initdb", &arguments);
        if let Some(user) = not_root() {
            std::os::unix::process::CommandExt::uid(&mut initdb, user);
        }
        done(initdb)?;
        server.serve()?;
        Ok(Some(server))
    }

    fn serve(&mut self) -> Outcome<()> {
        let program = self.programs.join("postgres").display().to_string();
        let (data, folder) = (self.data().display().to_string(), self.folder.path().display().to_string());
        let mut arguments = vec![program.as_str(), "-D", &data, "-k", &folder];
        arguments.extend(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        self.kept = Some(Kept::start(self.folder.path(), not_root(), "INT", &arguments)?);
        wait_for("postgres", || {
            let arguments = ["-h", &folder, "-U", USER, "-q"];
            self.command("pg_isready", &arguments).status().is_ok_and(|status| status.success())
        })
    }

    /// Stops it in good order and starts it again.
    pub fn restart(&mut self) -> Outcome<()> {
        self.kept = None;
        self.serve()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Does what a text of SQL says; the last statement's rows, without decoration.
    pub fn sql(&self, text: &str) -> Outcome<String> {
        let folder = self.folder.path().display().to_string();
        let arguments = [
            "-h",
            &folder,
            "-U",
            USER,
            "-d",
            "postgres",
            "-v",
            "ON_ERROR_STOP=1",
            "-q",
            "-A",
            "-t",
            "-c",
            text,
        ];
        done(self.command("psql", &arguments))
    }

    /// Copies rows of `COPY`'s text format from a file of this process into a table.
    pub fn copy(&self, table: &str, file: &Path) -> Outcome<()> {
        let folder = self.folder.path().display().to_string();
        let text = format!("COPY {table} FROM STDIN");
        let arguments =
            ["-h", &folder, "-U", USER, "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-q", "-c", &text];
        let mut command = self.command("psql", &arguments);
        command.stdin(std::fs::File::open(file)?);
        done(command).map(|_| ())
    }

    /// Transactions per second of a script of pgbench's, prepared, by so many clients at once.
    pub fn rate(&self, script: &str, clients: usize, seconds: u64) -> Outcome<f64> {
        self.tps(script, &["-c", &clients.to_string(), "-T", &seconds.to_string()])
    }

    /// The same, of at most so many a second.
    pub fn limited_rate(&self, script: &str, clients: usize, seconds: u64, most: usize) -> Outcome<f64> {
        let (clients, seconds, most) = (clients.to_string(), seconds.to_string(), most.to_string());
        self.tps(script, &["-c", &clients, "-T", &seconds, "-R", &most])
    }

    fn tps(&self, script: &str, arguments: &[&str]) -> Outcome<f64> {
        let output = self.pgbench(script, arguments)?;
        // Told only if anything was done at all.
        let Some(line) = output.lines().find_map(|line| line.strip_prefix("tps = ")) else { return Ok(0.0) };
        Ok(line.split(' ').next().unwrap_or_default().parse()?)
    }

    /// Milliseconds of each of so many runs of a script, prepared, one after another on one connection.
    pub fn times(&self, script: &str, count: usize) -> Outcome<Vec<f64>> {
        let logs = tempfile::tempdir()?;
        let prefix = logs.path().join("log").display().to_string();
        self.pgbench(script, &["-c", "1", "-t", &count.to_string(), "-l", "--log-prefix", &prefix])?;
        let mut times = Vec::new();
        for entry in std::fs::read_dir(logs.path())? {
            for line in std::fs::read_to_string(entry?.path())?.lines() {
                times.push(line.split(' ').nth(2).ok_or("a log without times")?.parse::<f64>()? / 1000.0);
            }
        }
        Ok(times)
    }

    fn pgbench(&self, script: &str, arguments: &[&str]) -> Outcome<String> {
        let scripts = tempfile::tempdir()?;
        let file = scripts.path().join("script.sql");
        std::fs::write(&file, script)?;
        let (file, folder) = (file.display().to_string(), self.folder.path().display().to_string());
        let mut all = vec!["-h", &folder, "-U", USER, "-n", "-M", "prepared", "-f", &file];
        all.extend_from_slice(arguments);
        all.push("postgres");
        done(self.command("pgbench", &all))
    }
}

/// What a program printed, if it ended well.
fn done(mut command: Command) -> Outcome<String> {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?.wait_with_output()?;
    if !output.status.success() {
        let talk = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {talk}", command.get_program().display()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The folder of all its programs: the newest that is installed.
fn programs() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.extend(find("postgres", &[]).and_then(|file| file.parent().map(Path::to_owned)));
    folders
        .into_iter()
        .rev()
        .find(|f| ["initdb", "postgres", "psql", "pgbench"].iter().all(|p| f.join(p).is_file()))
}
