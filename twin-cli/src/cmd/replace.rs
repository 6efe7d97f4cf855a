//! `twin replace ID …`

use clap::Args;
use twin_service::{ETag, IfMatch};

use super::show;
use crate::context::{Context, Who};
use crate::fail::Result;
use crate::input;

/// Replaces whole sections of a twin: what is not in the new tags or desired properties is gone.
///
/// Takes the same input as patch. A section that is not named is left as it is.
#[derive(Args)]
pub(crate) struct Replace {
    #[command(flatten)]
    who: Who,
    /// JSON, @FILE, - or assignments
    #[arg(value_name = "CONTENT", required = true)]
    content: Vec<String>,
    /// Only if the twin still has this etag; without it, whatever its state
    #[arg(long, value_name = "E")]
    etag: Option<String>,
}

impl Replace {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        let (key, content) = (self.who.key()?, input::change(&self.content)?);
        let etag = self.etag.map(ETag::new);
        let if_match = etag.as_ref().map_or(IfMatch::Force, IfMatch::ETag);
        let twin = cx.registry()?.replace_twin(&key, &content, if_match).await?;
        show::twin(cx, &twin)
    }
}
