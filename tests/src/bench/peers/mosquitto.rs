//! Mosquitto with persistence off, over TLS with a certificate of the kind that the hub has.

use std::net::{SocketAddr, TcpListener, TcpStream};

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::{Kept, find, wait_for};
use crate::bench::Outcome;

/// What to do about its absence.
pub const MISSING: &str = "peer not found: install Debian's mosquitto";

/// A broker that serves.
#[derive(Debug)]
pub struct Mosquitto {
    kept: Kept,
    /// Where it listens, with TLS.
    pub address: SocketAddr,
    /// The certificate to trust.
    pub ca_pem: String,
    _folder: TempDir,
}

impl Mosquitto {
    /// Starts one; `None` if it is not installed.
    pub fn start() -> Outcome<Option<Mosquitto>> {
        let Some(program) = find("mosquitto", &["/usr/sbin", "/usr/local/sbin"]) else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        // Mosquitto takes no port 0.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let key = KeyPair::generate()?;
        let ca_pem = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.self_signed(&key)?.pem();
        let file = |name: &str, text: &str| -> Outcome<String> {
            let path = folder.path().join(name);
            std::fs::write(&path, text)?;
            Ok(path.display().to_string())
        };
        let (certificate, key) = (file("cert.pem", &ca_pem)?, file("key.pem", &key.serialize_pem())?);
        let settings = format!(
            "user root\nallow_anonymous true\npersistence false\nlog_dest none\nset_tcp_nodelay true\n\
             max_queued_messages 0\nmax_inflight_messages 0\nlistener {} {}\ncertfile {certificate}\nkeyfile {key}\n",
            address.port(),
            address.ip(),
        );
        let settings = file("mosquitto.conf", &settings)?;
        let program = program.display().to_string();
        let kept = Kept::start(folder.path(), None, "TERM", &[&program, "-c", &settings])?;
        wait_for("mosquitto", || TcpStream::connect(address).is_ok())?;
        Ok(Some(Mosquitto { kept, address, ca_pem, _folder: folder }))
    }

    /// Its resident memory, in bytes.
    pub fn resident(&self) -> Outcome<f64> {
        self.kept.resident()
    }
}
