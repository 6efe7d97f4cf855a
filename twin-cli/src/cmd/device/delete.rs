//! `twin device delete ID`

use clap::Args;
use twin_service::{ETag, IfMatch};

use crate::context::{Context, Who};
use crate::fail::Result;
use crate::out;

/// Deletes a device with its modules, or with --module one of them. The twins go with them.
#[derive(Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    who: Who,
    /// Only if the identity still has this etag; without it, whatever its state
    #[arg(long, value_name = "E")]
    etag: Option<String>,
}

impl Delete {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        let (key, etag) = (self.who.key()?, self.etag.map(ETag::new));
        let if_match = etag.as_ref().map_or(IfMatch::Force, IfMatch::ETag);
        cx.registry()?.delete(&key, if_match).await?;
        out::talk(format!("deleted '{key}'"));
        Ok(())
    }
}
