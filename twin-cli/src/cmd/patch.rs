//! `twin patch ID …`

use clap::Args;
use twin_service::{ETag, IfMatch};

use super::show;
use crate::context::{Context, Who};
use crate::fail::Result;
use crate::input;

/// Changes parts of a twin; what is not named stays, null removes.
///
/// Takes JSON such as '{"tags":{"floor":3}}', @FILE, - for stdin, or assignments that no shell needs quotes for:
/// tags.floor=3 desired.fan.speed=2 tags.old=null. An assigned value that is JSON counts as JSON, anything else as text.
#[derive(Args)]
pub(crate) struct Patch {
    #[command(flatten)]
    who: Who,
    /// JSON, @FILE, - or assignments
    #[arg(value_name = "CHANGE", required = true)]
    change: Vec<String>,
    /// Only if the twin still has this etag; without it, whatever its state
    #[arg(long, value_name = "E")]
    etag: Option<String>,
}

impl Patch {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        let (key, change) = (self.who.key()?, input::change(&self.change)?);
        let etag = self.etag.map(ETag::new);
        let if_match = etag.as_ref().map_or(IfMatch::Force, IfMatch::ETag);
        let twin = cx.registry()?.update_twin(&key, &change, if_match).await?;
        show::twin(cx, &twin)
    }
}
