//! `hub-memory`: what an idle MQTT connection over TLS, subscribed to answers and desired changes, adds to the
//! hub's resident memory: the slope over batches, after a first one that warms up. Beside it an idle connection with one
//! subscription at Mosquitto, and what rustls and tokio alone take.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::figure::Figure;
use super::floor::Floor;
use super::hub::{HubProcess, device, room_for_files};
use super::peers::mosquitto::{self, Mosquitto};
use super::{Outcome, Scale, block_on, lean};

/// Connections by which to have measured, of as many as there will be in all.
const UNTIL: [f64; 6] = [0.02, 0.05, 0.1, 0.25, 0.5, 1.0];
/// Connecting at a time.
const AT_A_TIME: usize = 32;
/// Kilobytes.
const BUDGET: f64 = 15.0;

/// Whose memory it is.
enum Side {
    Hub(HubProcess),
    Mosquitto(Mosquitto),
    Floor(Floor),
}

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let count = scale.pick(20_000, 400).min(room_for_files());
    let data = tempfile::tempdir()?;
    let floor = idle(
        Side::Floor(Floor::start()?),
        "hub-memory/rustls",
        "TLS alone: rustls and a task of tokio's",
        count,
    )?;
    let name = "hub-memory/mosquitto";
    let mosquitto = match Mosquitto::start()? {
        Some(broker) => {
            idle(Side::Mosquitto(broker), name, "an idle connection over TLS at Mosquitto", count)?
        }
        None => Figure::cost(name, "", "kB", Vec::new()).missing(mosquitto::MISSING),
    };
    let hub = Side::Hub(HubProcess::start(data.path())?);
    let hub = idle(hub, "hub-memory", "an idle MQTT connection over TLS", count)?;
    Ok(vec![hub.budget(BUDGET).at_most(1.0, &mosquitto), mosquitto, floor])
}

fn idle(side: Side, name: &str, what: &str, count: usize) -> Outcome<Figure> {
    let curve = block_on(async {
        if let Side::Hub(hub) = &side {
            hub.create(count).await?;
        }
        let tls = lean::connector(side.ca_pem())?;
        let side = Arc::new(side);
        let (mut kept, mut curve) = (Vec::new(), Vec::new());
        for part in UNTIL {
            let (before, first) = (side.resident()?, kept.len());
            let until = (part * count as f64) as usize;
            let mut opening = JoinSet::new();
            for n in first..until {
                let (side, tls) = (side.clone(), tls.clone());
                opening.spawn(async move { side.connect(&tls, n).await });
                if opening.len() >= AT_A_TIME
                    && let Some(opened) = opening.join_next().await
                {
                    kept.push(opened??);
                }
            }
            while let Some(opened) = opening.join_next().await {
                kept.push(opened??);
            }
            if first > 0 {
                let kilobytes = (side.resident()? - before) / (until - first) as f64 / 1000.0;
                curve.push([until as f64, kilobytes]);
            }
        }
        Ok(curve)
    })?;
    let slopes = curve.iter().map(|[_, kilobytes]| *kilobytes).collect();
    Ok(Figure::cost(name, format!("{what} ({count} of them)"), "kB", slopes).curve(curve))
}

impl Side {
    fn ca_pem(&self) -> &str {
        match self {
            Side::Hub(hub) => &hub.ca_pem,
            Side::Mosquitto(broker) => &broker.ca_pem,
            Side::Floor(floor) => &floor.ca_pem,
        }
    }

    fn resident(&self) -> Outcome<f64> {
        match self {
            Side::Hub(hub) => hub.resident(),
            Side::Mosquitto(broker) => broker.resident(),
            Side::Floor(floor) => floor.resident(),
        }
    }

    async fn connect(&self, tls: &tokio_rustls::TlsConnector, n: usize) -> Outcome<lean::Stream> {
        match self {
            Side::Hub(hub) => lean::connect(hub, tls, n).await,
            Side::Mosquitto(broker) => {
                let mut stream = lean::connect_plainly(broker.address, tls, &device(n).to_string()).await?;
                lean::subscribed(&mut stream, &[format!("desired/{n}")]).await?;
                Ok(stream)
            }
            Side::Floor(floor) => {
                let mut stream = lean::dial(floor.address, tls).await?;
                lean::expect::<1>(&mut stream, |byte| byte == *b"!").await?;
                Ok(stream)
            }
        }
    }
}
