//! `hub-memory`: what an idle MQTT connection over TLS, subscribed to answers and desired changes, adds to the
//! hub's resident memory. The slope over batches, after a first one that warms up.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::figure::Figure;
use super::hub::{HubProcess, room_for_files};
use super::{Outcome, Scale, block_on, lean};

const BATCHES: usize = 5;
/// Connecting at a time.
const AT_A_TIME: usize = 32;

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let batch = scale.pick(1000, 60).min(room_for_files() / (BATCHES + 1));
    let data = tempfile::tempdir()?;
    let hub = Arc::new(HubProcess::start(data.path())?);
    let slopes = block_on(async {
        hub.create(batch * (BATCHES + 1)).await?;
        let tls = lean::connector(&hub.ca_pem)?;
        let (mut kept, mut slopes) = (Vec::new(), Vec::new());
        for at in 0..=BATCHES {
            let before = hub.resident()?;
            let mut opening = JoinSet::new();
            for n in at * batch..(at + 1) * batch {
                let (hub, tls) = (hub.clone(), tls.clone());
                opening.spawn(async move { lean::connect(&hub, &tls, n).await });
                if opening.len() >= AT_A_TIME
                    && let Some(opened) = opening.join_next().await
                {
                    kept.push(opened??);
                }
            }
            while let Some(opened) = opening.join_next().await {
                kept.push(opened??);
            }
            if at > 0 {
                slopes.push((hub.resident()? - before) / batch as f64 / 1000.0);
            }
        }
        Ok(slopes)
    })?;
    Arc::into_inner(hub).ok_or("the hub is in use")?.stop()?;
    let what = format!("an idle MQTT connection over TLS ({} of them)", batch * (BATCHES + 1));
    Ok(vec![Figure::cost("hub-memory", what, "kB", slopes).budget(30.0)])
}
