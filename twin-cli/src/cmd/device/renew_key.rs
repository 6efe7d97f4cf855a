//! `twin device renew-key ID`

use clap::{Args, ValueEnum};
use twin_service::{Authentication, IfMatch, Key};

use super::print;
use crate::context::{Context, Who};
use crate::fail::{Failure, Result};
use crate::out;

/// Bytes of a new key.
const KEY_BYTES: usize = 32;

/// Replaces keys by new ones. Whoever uses an old one must get the new: twin device connection-string.
#[derive(Args)]
pub(crate) struct RenewKey {
    #[command(flatten)]
    who: Who,
    /// Which key is renewed; swap exchanges primary and secondary and makes none
    #[arg(long, value_enum, default_value = "primary")]
    which: Which,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Which {
    Primary,
    Secondary,
    Both,
    Swap,
}

impl RenewKey {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        let registry = cx.registry()?;
        let mut identity = registry.get(&self.who.key()?).await?;
        let Some(Authentication::Sas { primary, secondary }) = &mut identity.authentication else {
            return Err(Failure::local(format!(
                "'{}' has no keys: it proves itself otherwise",
                identity.key()
            )));
        };
        match self.which {
            Which::Primary => *primary = new_key()?,
            Which::Secondary => *secondary = new_key()?,
            Which::Both => (*primary, *secondary) = (new_key()?, new_key()?),
            Which::Swap => std::mem::swap(primary, secondary),
        }
        let etag = identity.etag.clone();
        let if_match = etag.as_ref().map_or(IfMatch::Force, IfMatch::ETag);
        let identity = registry.update(&identity, if_match).await?;
        print::identity(cx, &identity, false)?;
        out::talk("keys renewed; connections with an old key end");
        Ok(())
    }
}

fn new_key() -> Result<Key> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|e| Failure::local(format!("no randomness for a key: {e}")))?;
    Ok(Key::from_bytes(&bytes)?)
}
