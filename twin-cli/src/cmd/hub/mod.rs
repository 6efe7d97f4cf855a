//! `twin hub`: runs a hub until it is told to stop.

mod backup;
#[cfg(unix)]
mod control;
mod place;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::context::Context;
use crate::fail::{Failure, Result};
use crate::log::{self, LogFormat};
use crate::out;
use place::CaFile;

/// Runs a hub that official SDKs connect to, until SIGINT or SIGTERM.
///
/// Every port takes MQTT, MQTT over WebSocket and REST over TLS. The default ports are where official SDKs look: 8883,
/// 5671 and 443 on the loopback addresses.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Hub {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    run: Run,
}

#[derive(Subcommand)]
enum Action {
    /// Copy the state of a hub, running or not, into a new directory
    Backup(backup::Backup),
}

#[derive(Args)]
struct Run {
    /// A name clients use; several times if need be. All go into the certificate, the first into connection strings.
    /// Default: localhost
    #[arg(long, value_name = "NAME")]
    host_name: Vec<twin_core::HostName>,
    /// Where to listen, instead of the default ports; several times if need be. Port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", value_parser = place::listen_address)]
    listen: Vec<SocketAddr>,
    /// Keeps everything here. Default: $XDG_DATA_HOME/twin-hub or ~/.local/share/twin-hub
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    data: Option<PathBuf>,
    /// Keeps nothing: all is gone when the hub stops
    #[arg(long)]
    ephemeral: bool,
    /// PEM file of CA certificates whose device certificates are accepted (for devices with --auth ca)
    #[arg(long, value_name = "FILE")]
    client_ca: Option<PathBuf>,
    /// Prints one line of JSON when ready (the same as -o json)
    #[arg(long)]
    json: bool,
    /// How logs look, on stderr
    #[arg(long, value_enum, default_value = "plain")]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or module=level
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: String,
}

impl Hub {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        match self.action {
            Some(Action::Backup(backup)) => backup.run(cx).await,
            None => self.run.run(cx).await,
        }
    }
}

impl Run {
    async fn run(self, cx: &Context) -> Result<()> {
        log::start(self.log_format, &self.log_level)?;
        let stop = place::stop_signal()?;
        let data = match (&self.data, self.ephemeral) {
            (_, true) => None,
            (Some(dir), false) => Some(dir.clone()),
            (None, false) => Some(place::default_data_dir()?),
        };
        // A port that is taken is no misuse, whatever kind of error the library makes of it.
        let hub = self.builder(data.clone())?.start().await.map_err(|e| Failure::local(e.to_string()))?;
        let ca = CaFile::of(&hub)?;
        self.ready(cx, &hub, &ca, data.as_deref())?;
        let hub = match &data {
            Some(dir) => serve_until(hub, dir, stop).await,
            None => {
                stop.await;
                hub
            }
        };
        out::talk("stopping; once more to stop at once");
        tokio::select! {
            closed = hub.close() => Ok(closed?),
            () = place::stop_signal()? => Err(Failure::local("stopped at once; what was acknowledged is safe")),
        }
    }

    fn builder(&self, data: Option<PathBuf>) -> Result<twin_hub::HubBuilder> {
        let mut builder = twin_hub::Hub::builder();
        for name in &self.host_name {
            builder = builder.host_name(name.to_string());
        }
        for address in &self.listen {
            builder = builder.listen(*address);
        }
        if let Some(file) = &self.client_ca {
            let pem = std::fs::read_to_string(file)
                .map_err(|e| Failure::misuse(format!("--client-ca {}: {e}", file.display())))?;
            builder = builder.client_ca_pem(pem);
        }
        Ok(match data {
            Some(dir) => builder.data_dir(dir),
            None => builder.ephemeral(),
        })
    }

    /// Says how to connect: for programs in one line of JSON, for people as lines for the shell.
    fn ready(
        &self,
        cx: &Context,
        hub: &twin_hub::Hub,
        ca: &CaFile,
        data: Option<&std::path::Path>,
    ) -> Result<()> {
        let listen: Vec<String> = hub.addresses().iter().map(ToString::to_string).collect();
        if self.json || cx.is_json() {
            let line = json!({
                "hostName": hub.host_name(),
                "listen": listen,
                "connectionString": hub.connection_string(),
                "caFile": ca.path(),
                "dataDir": data,
            });
            return out::line(line.to_string());
        }
        out::talk(format!("the hub '{}' is ready on {}", hub.host_name(), listen.join(", ")));
        out::talk(match data {
            Some(dir) => format!("it keeps its state in {}", dir.display()),
            None => "it keeps nothing: all is gone when it stops".to_owned(),
        });
        out::talk("to use it from another shell (Ctrl-C stops it):\n");
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        out::line(format!("export IOTHUB_CONNECTION_STRING={}", quoted(&hub.connection_string())))?;
        let file = quoted(&ca.path().to_string_lossy());
        out::line(format!("export SSL_CERT_FILE={file} NODE_EXTRA_CA_CERTS={file}"))
    }
}

#[cfg(unix)]
async fn serve_until(
    hub: twin_hub::Hub,
    dir: &std::path::Path,
    stop: impl Future<Output = ()>,
) -> twin_hub::Hub {
    tokio::select! {
        () = control::serve(&hub, dir) => {}
        () = stop => {}
    }
    hub
}

#[cfg(not(unix))]
async fn serve_until(
    hub: twin_hub::Hub,
    _: &std::path::Path,
    stop: impl Future<Output = ()>,
) -> twin_hub::Hub {
    stop.await;
    hub
}
