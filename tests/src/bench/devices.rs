//! `device-memory`: what a connected device client adds to the resident memory of its process: over TLS, its twin read
//! once, listening to desired changes, then idle. The slope over batches, after a first one that warms up.

use twin_device::DeviceClient;

use super::figure::Figure;
use super::hub::{HubProcess, resident, room_for_files};
use super::{Outcome, Scale, block_on};

const BATCHES: usize = 5;
/// Connecting at a time.
const AT_A_TIME: usize = 32;

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let batch = scale.pick(400, 40).min(room_for_files() / (BATCHES + 1));
    let data = tempfile::tempdir()?;
    let hub = HubProcess::start(data.path())?;
    let slopes = block_on(async {
        hub.create(batch * (BATCHES + 1)).await?;
        let (mut kept, mut slopes) = (Vec::new(), [Vec::new(), Vec::new()]);
        for at in 0..=BATCHES {
            let before = [resident("self")?, hub.resident()?];
            for first in (at * batch..(at + 1) * batch).step_by(AT_A_TIME) {
                let last = (first + AT_A_TIME).min((at + 1) * batch);
                kept.extend(open(&hub, first..last).await?);
            }
            let after = [resident("self")?, hub.resident()?];
            for (slopes, (after, before)) in
                slopes.iter_mut().zip(after.into_iter().zip(before)).filter(|_| at > 0)
            {
                slopes.push((after - before) / batch as f64 / 1000.0);
            }
        }
        Ok(slopes)
    })?;
    let [device, hub_side] = slopes;
    hub.stop()?;
    let what = format!("a connected device client over TLS ({} of them)", batch * (BATCHES + 1));
    Ok(vec![
        Figure::cost("device-memory", what, "kB", device).budget(30.0),
        Figure::cost("device-memory/hub", "the same connection at the hub", "kB", hub_side),
    ])
}

type Kept = (DeviceClient, twin_device::Subscription<twin_device::DesiredChange>);

async fn open(hub: &HubProcess, which: std::ops::Range<usize>) -> Outcome<Vec<Kept>> {
    let mut opening = tokio::task::JoinSet::new();
    for n in which {
        let builder = DeviceClient::from_connection_string(&hub.device_connection_string(n)?)?
            .ca_pem(hub.ca_pem.as_str());
        opening.spawn(async move {
            let client = builder.build()?;
            client.open().await?;
            client.twin().await?;
            let mut desired = client.desired();
            desired.next().await;
            Ok::<Kept, twin_device::Error>((client, desired))
        });
    }
    let mut kept = Vec::new();
    while let Some(opened) = opening.join_next().await {
        kept.push(opened??);
    }
    Ok(kept)
}
