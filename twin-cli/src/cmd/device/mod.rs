//! `twin device …`: identities of devices and modules.

pub(crate) mod connection_string;
mod create;
mod delete;
mod list;
mod print;
mod renew_key;
mod show;

use clap::Subcommand;

use crate::context::Context;
use crate::fail::Result;

/// Identities of devices and modules.
#[derive(Subcommand)]
pub(crate) enum Device {
    /// Create a device, or with --module a module on it
    Create(create::Create),
    /// Show an identity
    Show(show::Show),
    /// List devices, or the modules of one
    List(list::List),
    /// Delete a device with its modules, or with --module one of them
    Delete(delete::Delete),
    /// Print the connection string of a device or module: a secret
    ConnectionString(connection_string::ConnectionString),
    /// Replace keys by new ones
    RenewKey(renew_key::RenewKey),
}

impl Device {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Device::Create(c) => c.run(cx).await,
            Device::Show(c) => c.run(cx).await,
            Device::List(c) => c.run(cx).await,
            Device::Delete(c) => c.run(cx).await,
            Device::ConnectionString(c) => c.run(cx).await,
            Device::RenewKey(c) => c.run(cx).await,
        }
    }
}
