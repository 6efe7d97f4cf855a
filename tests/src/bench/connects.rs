//! `connects`: devices that come: TLS, CONNECT, subscriptions, first twin; per second, 32 at a time, each by a whole
//! handshake, leaving at once. Beside it handshakes alone, answered by one byte of rustls', and TLS and CONNECT at
//! Mosquitto.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::figure::Figure;
use super::floor::Floor;
use super::hub::{HubProcess, device};
use super::peers::mosquitto::{self, Mosquitto};
use super::{Outcome, Scale, block_on, lean, reads};

const DEVICES: usize = 2000;
const AT_A_TIME: usize = 32;
const PASSES: usize = 5;
/// Of the handshakes that rustls alone does.
const PART: f64 = 0.8;

/// Who is connected to.
enum Side {
    Hub(HubProcess),
    Mosquitto(Mosquitto),
    Floor(Floor),
}

/// Runs it.
pub fn run(scale: Scale) -> Outcome<Vec<Figure>> {
    let pass = Duration::from_millis(scale.pick(2000, 200));
    let data = tempfile::tempdir()?;
    let hub = HubProcess::start(data.path())?;
    let mut sides = vec![Side::Hub(hub), Side::Floor(Floor::start()?)];
    sides.extend(Mosquitto::start()?.map(Side::Mosquitto));
    let rates = block_on(async {
        let mut targets = Vec::new();
        for side in sides {
            if let Side::Hub(hub) = &side {
                hub.create(DEVICES).await?;
            }
            let tls = lean::connector(side.ca_pem())?;
            targets.push((Arc::new(side), tls));
        }
        let mut rates = vec![Vec::new(); 3];
        for pass_at in 0..=PASSES {
            for ((side, tls), rates) in targets.iter().zip(&mut rates) {
                let rate = connects(side, tls, pass).await?;
                // The first one warms up.
                if pass_at > 0 {
                    rates.push(rate);
                }
            }
        }
        Ok(rates)
    })?;
    let [hub, floor, mosquitto]: [Vec<f64>; 3] = rates.try_into().map_err(|_| "three sides")?;
    let floor = Figure::rate("connects/rustls", "whole TLS handshakes alone", "per s", floor);
    let broker = Figure::rate("connects/mosquitto", "TLS and CONNECT at Mosquitto", "per s", mosquitto);
    let hub = Figure::rate("connects", "TLS, CONNECT, subscriptions and first twin", "per s", hub);
    let broker = if broker.passes.is_empty() { broker.missing(mosquitto::MISSING) } else { broker };
    Ok(vec![hub.at_least(PART, &floor), floor, broker])
}

async fn connects(side: &Arc<Side>, tls: &TlsConnector, pass: Duration) -> Outcome<f64> {
    let (done, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut at_work = JoinSet::new();
    let started = Instant::now();
    for lane in 0..AT_A_TIME {
        let (side, tls, done, stop) = (side.clone(), tls.clone(), done.clone(), stop.clone());
        at_work.spawn(async move {
            let mut n = lane;
            while !stop.load(Ordering::Relaxed) {
                side.connect(&tls, n).await?;
                done.fetch_add(1, Ordering::Relaxed);
                n = (n + AT_A_TIME) % DEVICES;
            }
            Outcome::Ok(())
        });
    }
    tokio::time::sleep(pass).await;
    let rate = done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = at_work.join_next().await {
        ended??;
    }
    Ok(rate)
}

impl Side {
    fn ca_pem(&self) -> &str {
        match self {
            Side::Hub(hub) => &hub.ca_pem,
            Side::Mosquitto(broker) => &broker.ca_pem,
            Side::Floor(floor) => &floor.ca_pem,
        }
    }

    async fn connect(&self, tls: &TlsConnector, n: usize) -> Outcome<()> {
        match self {
            Side::Hub(hub) => {
                let mut stream = lean::connect(hub, tls, n).await?;
                stream.write_all(&reads::get(n)?).await?;
                stream.flush().await?;
                let mut inbox = Vec::new();
                while reads::got(&inbox)?.is_none() {
                    lean::more(&mut stream, &mut inbox).await?;
                }
            }
            Side::Mosquitto(broker) => {
                lean::connect_plainly(broker.address, tls, &device(n).to_string()).await?;
            }
            Side::Floor(floor) => {
                let mut stream = lean::dial(floor.address, tls).await?;
                lean::expect::<1>(&mut stream, |byte| byte == *b"!").await?;
            }
        }
        Ok(())
    }
}
