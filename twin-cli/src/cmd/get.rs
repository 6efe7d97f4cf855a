//! `twin get ID`

use clap::Args;

use super::show;
use crate::context::{Context, Who};
use crate::fail::Result;

/// Shows a twin as the hub has it now.
#[derive(Args)]
pub(crate) struct Get {
    #[command(flatten)]
    who: Who,
}

impl Get {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        let twin = cx.registry()?.twin(&self.who.key()?).await?;
        show::twin(cx, &twin)
    }
}
