//! Where a hub listens, keeps its state and shows its CA certificate; and when it stops.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::fail::{Failure, Result};

/// Reads `ADDR:PORT`, `localhost:PORT` or `PORT`.
pub(crate) fn listen_address(text: &str) -> std::result::Result<SocketAddr, String> {
    let loopback =
        |port: &str| port.parse().ok().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    let read = text
        .parse()
        .ok()
        .or_else(|| loopback(text))
        .or_else(|| text.strip_prefix("localhost:").and_then(loopback));
    read.ok_or_else(|| "write an IP address and a port: 127.0.0.1:9443, 0.0.0.0:8883, [::1]:0".to_owned())
}

/// `$XDG_DATA_HOME/twin-hub` or `~/.local/share/twin-hub`.
pub(crate) fn default_data_dir() -> Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    // The base directory specification has relative paths ignored.
    let base = variable("XDG_DATA_HOME")
        .filter(|p| p.is_absolute())
        .or_else(|| variable("HOME").map(|home| home.join(".local/share")))
        .ok_or_else(|| Failure::misuse("no home directory is known: give --data DIR or --ephemeral"))?;
    Ok(base.join("twin-hub"))
}

/// A file with the hub's CA certificate, for clients to trust. That of an ephemeral hub goes with it.
pub(crate) struct CaFile {
    path: PathBuf,
    is_ours: bool,
}

impl CaFile {
    pub(crate) fn of(hub: &twin_hub::Hub) -> Result<CaFile> {
        if let Some(path) = hub.ca_file() {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            return Ok(CaFile { path, is_ours: false });
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|e| Failure::local(format!("no randomness: {e}")))?;
        let name = format!("twin-hub-ca-{:016x}.pem", u64::from_le_bytes(random));
        let path = std::env::temp_dir().join(name);
        let write = || std::fs::File::create_new(&path)?.write_all(hub.ca_pem().as_bytes());
        write().map_err(|e| Failure::local(format!("cannot write {}: {e}", path.display())))?;
        Ok(CaFile { path, is_ours: true })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        if self.is_ours {
            std::fs::remove_file(&self.path).ok();
        }
    }
}

/// Ends when the process is told to stop. The signals are caught from the call on, not from the first poll.
#[cfg(unix)]
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let catch = |kind| signal(kind).map_err(|e| Failure::local(format!("cannot catch signals: {e}")));
    let (mut interrupt, mut terminate) = (catch(SignalKind::interrupt())?, catch(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ends when the process is told to stop.
#[cfg(not(unix))]
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>> {
    Ok(async {
        tokio::signal::ctrl_c().await.ok();
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses() {
        for (text, want) in [
            ("127.0.0.1:9443", "127.0.0.1:9443"),
            ("9443", "127.0.0.1:9443"),
            ("localhost:0", "127.0.0.1:0"),
            ("[::1]:8883", "[::1]:8883"),
        ] {
            assert_eq!(listen_address(text).unwrap().to_string(), want);
        }
        for bad in ["", "hub.example:1", "127.0.0.1", "127.0.0.1:65536", ":443"] {
            assert!(listen_address(bad).is_err(), "{bad}");
        }
    }
}
