//! `size`: what a patch and a read cost when the hub has a thousand twins and when it has a million, and all between.

use std::time::Duration;

use serde_json::json;

use super::figure::{Figure, quantile};
use super::hub::HubProcess;
use super::load::saturate;
use super::{Outcome, Scale, block_on, patches, reads};

const PASSES: usize = 3;
/// Those who read are others than those who report: a device connects but once at a time.
const READERS_FROM: usize = 200;
/// Of the cost at the smallest size.
const FLAT: f64 = 1.3;
const WHAT: [[&str; 2]; 3] = [
    ["size/patches", "a durable patch over MQTT"],
    ["size/reads-mqtt", "a twin read over MQTT"],
    ["size/reads-rest", "a twin read over REST"],
];

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let sizes = scale.pick([1_000, 10_000, 100_000, 1_000_000], [400, 700, 1_000, 2_000]);
    let sizes = sizes.into_iter().filter(|size| scale.twins.is_none_or(|most| *size <= most));
    let pass = Duration::from_millis(scale.pick(2000, 200));
    let data = tempfile::tempdir()?;
    let mut hub = HubProcess::start(data.path())?;
    // Microseconds that the hub spends between two of them, by size.
    let mut costs: [Vec<[f64; 2]>; 3] = Default::default();
    let mut filled = 0;
    for size in sizes {
        hub.ask(&json!({"ask": "fill", "from": filled, "count": size}))?;
        filled = size;
        let rates = block_on(async {
            let mut rates: [Vec<f64>; 3] = Default::default();
            let mut lanes = [
                patches::lanes(&hub).await?,
                reads::devices(&hub, READERS_FROM).await?,
                reads::backends(&hub, size).await?,
            ];
            for at in 0..=PASSES {
                for (lanes, rates) in lanes.iter_mut().zip(&mut rates) {
                    let (rate, again) = saturate(std::mem::take(lanes), pass).await?;
                    *lanes = again;
                    // The first one warms up.
                    if at > 0 {
                        rates.push(rate);
                    }
                }
            }
            Ok(rates)
        })?;
        for (costs, rates) in costs.iter_mut().zip(rates) {
            costs.push([size as f64, 1e6 / quantile(&rates, 0.5)]);
        }
    }
    hub.stop()?;
    Ok(WHAT.iter().zip(costs).map(|([name, what], costs)| figure(name, what, costs)).collect())
}

fn figure(name: &str, what: &str, costs: Vec<[f64; 2]>) -> Figure {
    let [first, last] = [costs.first(), costs.last()].map(|cost| cost.copied().unwrap_or_default());
    let what = format!("{what} at {} twins over the same at {} ({:.1} us)", last[0], first[0], first[1]);
    Figure::cost(name, what, "times", vec![last[1] / first[1]]).budget(FLAT).curve(costs)
}
