//! The commands, one per file.

mod completions;
mod device;
mod get;
mod hub;
mod patch;
mod query;
mod quickstart;
mod replace;
mod sas;
mod show;
mod watch;

use clap::Subcommand;

use crate::context::Context;
use crate::fail::Result;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Tell the story of a device twin with a hub, a device and a backend of your own, all on this machine
    Quickstart(quickstart::Quickstart),
    /// Run a hub that official SDKs connect to
    Hub(hub::Hub),
    /// Identities: create, show, list, delete, connection-string, renew-key
    #[command(subcommand)]
    Device(device::Device),
    /// Show a twin
    Get(get::Get),
    /// Change parts of a twin
    Patch(patch::Patch),
    /// Replace whole sections of a twin
    Replace(replace::Replace),
    /// Show changes of a twin as they come
    Watch(watch::Watch),
    /// Find twins, or count them
    Query(query::Query),
    /// Make or explain SAS tokens
    #[command(subcommand)]
    Sas(sas::Sas),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

impl Command {
    pub(crate) async fn run(self, cx: Context) -> Result<()> {
        match self {
            Command::Quickstart(c) => c.run(&cx).await,
            Command::Hub(c) => c.run(&cx).await,
            Command::Device(c) => c.run(&cx).await,
            Command::Get(c) => c.run(&cx).await,
            Command::Patch(c) => c.run(&cx).await,
            Command::Replace(c) => c.run(&cx).await,
            Command::Watch(c) => c.run(&cx).await,
            Command::Query(c) => c.run(&cx).await,
            Command::Sas(c) => c.run(&cx).await,
            Command::Completions(c) => c.run(),
        }
    }
}
