//! `twin hub backup DIR`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::place;
use crate::context::Context;
use crate::fail::{Failure, Result};
use crate::out;

/// Copies a consistent state of a hub, running or not, into a new directory; a hub starts on it with --data.
#[derive(Args)]
pub(crate) struct Backup {
    /// Where the copy goes; must not exist yet, or be empty
    #[arg(value_name = "DIR")]
    target: PathBuf,
    /// The hub's data directory. Default: as for twin hub
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Backup {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        let data = self.data.map_or_else(place::default_data_dir, Ok)?;
        if !data.is_dir() {
            return Err(Failure::local(format!(
                "there is no hub in {}: give its directory with --data",
                data.display()
            )));
        }
        let target = std::path::absolute(&self.target)
            .map_err(|e| Failure::misuse(format!("{}: {e}", self.target.display())))?;
        out::talk(format!("copying {} …", data.display()));
        if !running(&data, &target).await? {
            resting(&data, &target).await?;
        }
        if cx.is_json() {
            return out::json(&json!({ "dataDir": data, "backup": target }));
        }
        out::talk(format!("{} is backed up to {}", data.display(), target.display()));
        Ok(())
    }
}

/// Asks the hub that runs on the directory; whether one does.
#[cfg(unix)]
async fn running(data: &Path, target: &Path) -> Result<bool> {
    use super::control::{Answer, Ask, ask};
    let answer = ask(data, &Ask::Backup { target: target.to_owned() })
        .await
        .map_err(|e| Failure::local(format!("the hub on {} stopped answering: {e}", data.display())))?;
    match answer {
        None => Ok(false),
        Some(Answer::Done) => Ok(true),
        Some(Answer::Failed { message }) => {
            Err(Failure::local(format!("the hub on {}: {message}", data.display())))
        }
    }
}

#[cfg(not(unix))]
async fn running(_: &Path, _: &Path) -> Result<bool> {
    Ok(false)
}

/// Starts the hub that rests in the directory, on a free port that nobody knows, for as long as the copy takes.
async fn resting(data: &Path, target: &Path) -> Result<()> {
    let nowhere = "127.0.0.1:0".parse().map_err(|e| Failure::local(format!("no address: {e}")))?;
    let hub = twin_hub::Hub::builder().data_dir(data).listen(nowhere).start().await?;
    let done = hub.backup(target).await;
    hub.close().await?;
    Ok(done?)
}
