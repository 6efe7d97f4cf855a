//! A scripted AMQP hub on rhea, in a process of its own: shares no code with ours.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::node;

/// A key and a certificate for `localhost` and `ip` in `folder`: their files, and the certificate's text.
pub fn certificate(folder: &Path, ip: &str) -> (PathBuf, PathBuf, String) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".into(), ip.into()]);
    let pem = params.and_then(|p| p.self_signed(&key)).expect("a certificate").pem();
    let (key_file, cert_file) = (folder.join("key.pem"), folder.join("cert.pem"));
    std::fs::write(&key_file, key.serialize_pem()).expect("the key");
    std::fs::write(&cert_file, &pem).expect("the certificate");
    (key_file, cert_file, pem)
}

/// See the module. Ends when dropped.
pub struct RheaHub {
    child: Child,
    ports: Value,
    ca_pem: String,
}

impl RheaHub {
    /// Installs rhea if need be, and starts the hub on free ports.
    pub fn start() -> RheaHub {
        let folder = node::folder().join("rhea");
        node::install(&folder);
        let files = tempfile::tempdir().expect("a folder");
        let (key_file, cert_file, ca_pem) = certificate(files.path(), "127.0.0.1");
        let mut child = Command::new("node")
            .arg(folder.join("hub.js"))
            .args([&key_file, &cert_file])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node must be on the PATH");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("its ports");
        let ports = serde_json::from_str(&line).expect("JSON");
        RheaHub { child, ports, ca_pem }
    }

    /// What to trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The connection string of a device, by the port of this name (see `hub.js`).
    pub fn connection_string(&self, port: &str, device: &str) -> String {
        format!(
            "HostName=127.0.0.1:{};DeviceId={device};SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZg==",
            self.ports[port]
        )
    }
}

impl Drop for RheaHub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
