//! `twin device show ID`

use clap::Args;

use super::print;
use crate::context::{Context, Who};
use crate::fail::Result;

/// Shows an identity. Its twin: twin get.
#[derive(Args)]
pub(crate) struct Show {
    #[command(flatten)]
    who: Who,
    /// Shows the keys
    #[arg(long)]
    show_keys: bool,
}

impl Show {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        let identity = cx.registry()?.get(&self.who.key()?).await?;
        print::identity(cx, &identity, self.show_keys)
    }
}
