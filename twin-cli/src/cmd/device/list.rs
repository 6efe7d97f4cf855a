//! `twin device list`

use clap::Args;
use twin_service::DeviceId;

use super::print;
use crate::context::Context;
use crate::fail::Result;
use crate::out;

/// Most devices that a hub lists.
const MAX: u32 = 1000;

/// Lists devices in no particular order, or the modules of one. To choose, or for more than 1000: twin query.
#[derive(Args)]
pub(crate) struct List {
    /// At most so many devices
    #[arg(long, value_name = "N", default_value_t = MAX, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX)))]
    max: u32,
    /// The modules of this device
    #[arg(long, value_name = "ID", conflicts_with = "max")]
    modules_of: Option<String>,
}

impl List {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        let registry = cx.registry()?;
        let found = match &self.modules_of {
            Some(device) => registry.list_modules(&DeviceId::new(device)?).await?,
            None => registry.list_devices(self.max).await?,
        };
        print::identities(cx, &found)?;
        if self.modules_of.is_none() && found.len() == self.max as usize {
            out::talk(format!(
                "there may be more than these {}: twin query 'SELECT * FROM devices' --all",
                self.max
            ));
        }
        Ok(())
    }
}
