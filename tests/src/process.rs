//! The `twin` binary as a process: started, killed, started again.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Once};

use serde_json::Value;

/// `target/debug` or `target/release`, whichever this test runs from.
pub fn profile_folder() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|exe| {
            exe.ancestors().find(|p| p.ends_with("debug") || p.ends_with("release")).map(Path::to_owned)
        })
        .expect("tests run from target/debug or target/release")
}

/// The `twin` binary of this build profile. Built if `cargo test` was asked for this crate alone.
pub fn twin_binary() -> PathBuf {
    static BUILD: Once = Once::new();
    let profile_folder = profile_folder();
    BUILD.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "twin-cli", "--bin", "twin"]);
        if profile_folder.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo runs").success(), "twin builds");
    });
    profile_folder.join("twin")
}

/// A hub in a process of its own, so that it can be killed at any moment.
pub struct HubProcess {
    child: Child,
    ready: Value,
    talk: Arc<Mutex<String>>,
}

impl HubProcess {
    /// Starts `twin hub --json` on `listen` with its state in `data`, and waits until it says that it is ready.
    pub fn start(data: &Path, listen: SocketAddr) -> HubProcess {
        let mut child = Command::new(twin_binary())
            .args([
                "hub",
                "--json",
                "--host-name",
                &listen.ip().to_string(),
                "--listen",
                &listen.to_string(),
                "--data",
            ])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("twin starts");
        let talk = Arc::new(Mutex::new(String::new()));
        let mut stderr = child.stderr.take().expect("piped");
        let heard = talk.clone();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = stderr.read(&mut chunk) {
                heard.lock().expect("no panic").push_str(&String::from_utf8_lossy(&chunk[..n]));
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("stdout");
        let ready = serde_json::from_str(&line).unwrap_or_else(|e| {
            let status = child.wait();
            panic!(
                "the hub did not become ready ({status:?}, {e}): {line:?}\n{}",
                talk.lock().expect("no panic")
            )
        });
        HubProcess { child, ready, talk }
    }

    /// The `iothubowner` connection string.
    pub fn connection_string(&self) -> &str {
        self.ready["connectionString"].as_str().expect("connectionString")
    }

    /// Where it listens, port 0 resolved.
    pub fn listen(&self) -> SocketAddr {
        self.ready["listen"][0].as_str().expect("listen").parse().expect("an address with a port")
    }

    /// The CA to trust, in PEM.
    pub fn ca_pem(&self) -> String {
        std::fs::read_to_string(self.ready["caFile"].as_str().expect("caFile")).expect("the CA")
    }

    /// Everything it said on stderr so far.
    pub fn talk(&self) -> String {
        self.talk.lock().expect("no panic").clone()
    }

    /// SIGKILL: no goodbye, no flush.
    pub fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it ended");
    }

    /// SIGTERM, and its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().expect("kill runs").success());
        self.child.wait().expect("it ended").code()
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
