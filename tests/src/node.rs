//! Running official Node.js packages, as published, against a hub.
//!
//! The packages have the ports 443, 5671 and 8883 built in. Where this user may bind them, the hub listens there, on a
//! loopback address of its own. Where not, it listens on a free port and a preloaded script sends connections to
//! those ports there instead; the packages stay untouched either way.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use twin_hub::Hub;

/// The folder `tests/node`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node")
}

/// Installs the packages that `folder`'s lock file names, once; later calls, also of other processes, find them there.
pub fn install(folder: &Path) {
    let lock = std::fs::File::create(folder.join(".install.lock")).expect("a lock file beside package.json");
    lock.lock().expect("the lock");
    let wanted = std::fs::read(folder.join("package-lock.json")).expect("package-lock.json");
    let stamp = folder.join("node_modules").join(".installed-from");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return;
    }
    let done = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(folder)
        .output()
        .expect("npm must be on the PATH (Node.js 18 or later)");
    assert!(done.status.success(), "npm ci failed:\n{}", String::from_utf8_lossy(&done.stderr));
    std::fs::write(stamp, wanted).expect("the stamp");
}

/// A hub that official packages reach by `address`, and the environment they need for it.
pub struct NodeHub {
    /// The hub; keep it alive.
    pub hub: Hub,
    environment: Vec<(String, String)>,
    direct: bool,
    _ca: tempfile::NamedTempFile,
}

impl NodeHub {
    /// Starts an ephemeral hub on loopback address 127.0.0.`last`.
    pub async fn start(last: u8) -> NodeHub {
        let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        let direct = [443, 5671, 8883].iter().all(|port| TcpListener::bind((ip, *port)).is_ok());
        let builder = Hub::builder().host_name(ip.to_string()).ephemeral();
        let builder = if direct {
            [443, 5671, 8883].iter().fold(builder, |builder, port| builder.listen(SocketAddr::new(ip, *port)))
        } else {
            builder.listen(SocketAddr::new(ip, 0))
        };
        let hub = builder.start().await.expect("the hub starts");
        let ca = tempfile::NamedTempFile::new().expect("a file for the CA");
        std::fs::write(ca.path(), hub.ca_pem()).expect("the CA");
        // Official clients add the ports themselves; the name they know is the bare one.
        let mut environment = vec![
            (
                "IOTHUB_CONNECTION_STRING".into(),
                hub.connection_string().replacen(hub.host_name(), &ip.to_string(), 1),
            ),
            ("NODE_EXTRA_CA_CERTS".into(), ca.path().display().to_string()),
        ];
        if !direct {
            let redirect = folder().join("redirect.js").display().to_string();
            environment.push(("NODE_OPTIONS".into(), format!("--require {redirect}")));
            environment.push(("REDIRECT_TO_PORT".into(), hub.addresses()[0].port().to_string()));
        }
        NodeHub { hub, environment, direct, _ca: ca }
    }

    /// What the hub is called in connection strings: official packages want it without a port, ours take the port.
    pub fn name(&self, official: bool) -> String {
        if official || self.direct {
            self.hub.addresses()[0].ip().to_string()
        } else {
            self.hub.host_name().to_owned()
        }
    }

    /// What a script on official packages needs in its environment, or one on ours.
    pub fn environment(&self, official: bool) -> Vec<(String, String)> {
        if official || self.direct {
            return self.environment.clone();
        }
        let trust = self.environment.iter().filter(|(name, _)| name == "NODE_EXTRA_CA_CERTS").cloned();
        trust.chain([("IOTHUB_CONNECTION_STRING".into(), self.hub.connection_string())]).collect()
    }

    /// Runs one file of scenarios (`node --test`) and panics with all its output unless every scenario passed.
    pub async fn run(&self, file: &Path) {
        let mut command = Command::new("node");
        command.arg("--test").arg("--test-reporter=spec").arg(file);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // A test run of Node's inside a test run of Node's would be skipped silently.
        command.env_remove("NODE_TEST_CONTEXT");
        let output: Output =
            tokio::task::spawn_blocking(move || command.output()).await.expect("joins").expect("node runs");
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{} failed:\n{text}", file.display());
        assert!(
            text.contains("pass ") && !text.contains("pass 0\n"),
            "{} ran nothing:\n{text}",
            file.display()
        );
    }
}
