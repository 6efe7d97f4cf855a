//! `twin quickstart`: the story of a device twin, with a hub, a device and a backend on this machine.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;
use twin_device::{DesiredChange, DeviceClient, Subscription, Transport};
use twin_service::{Identity, IfMatch, Registry, Twin, TwinChange, TwinKey};

use super::device;
use super::show;
use crate::context::Context;
use crate::fail::{Failure, Result};
use crate::out;
use crate::style::{Paint, Style};

/// The device of the story.
const DEVICE: &str = "myDeviceId";
/// Others in the same plant, so that the queries have something to find and to leave out.
const NEIGHBOURS: [&str; 3] = ["press-1", "press-2", "press-3"];
const PAGE_SIZE: u32 = 2;
/// Longest time the device may take to hear of a change.
const HEAR_TIMEOUT: Duration = Duration::from_secs(30);

/// Starts a hub on a free loopback port and walks through device twins, over TLS: a device gets its twin and reports, a
/// backend tags and queries it and changes a desired property, the device hears of it.
#[derive(Args)]
pub(crate) struct Quickstart {
    /// How the device connects
    #[arg(long, value_enum, default_value = "mqtt")]
    transport: Choice,
}

#[derive(Clone, Copy, ValueEnum)]
enum Choice {
    /// MQTT over TLS
    Mqtt,
    /// MQTT over a secure WebSocket
    MqttWs,
    /// AMQP over TLS
    Amqp,
    /// AMQP over a secure WebSocket
    AmqpWs,
}

impl Choice {
    fn transport(self) -> Transport {
        match self {
            Choice::Mqtt => Transport::Mqtt,
            Choice::MqttWs => Transport::MqttWs,
            Choice::Amqp => Transport::Amqp,
            Choice::AmqpWs => Transport::AmqpWs,
        }
    }
}

impl Quickstart {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        let transport = self.transport.transport();
        let story = Story::new(cx.is_json());
        story.step("Start a hub on a free port, with a CA of its own; it keeps nothing")?;
        let free = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let hub = twin_hub::Hub::builder().listen(free).ephemeral().start().await?;
        story.say(format!("HostName={}", hub.host_name()))?;

        let told = tell(&story, &hub, transport).await;
        // Also after a failure: a hub that just vanished would leave its clients guessing.
        let closed = hub.close().await;
        let twin = told?;
        closed?;
        if cx.is_json() {
            return out::json(&json!({ "deviceId": DEVICE, "twin": twin.to_json() }));
        }
        ending()
    }
}

async fn tell(story: &Story, hub: &twin_hub::Hub, transport: Transport) -> Result<Twin> {
    let registry = Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    let key = TwinKey::device(DEVICE)?;

    story.step(format!("The backend creates the device '{DEVICE}', and three more in one request"))?;
    let identity = registry.create(&Identity::new(key.clone())).await?;
    create_neighbours(&registry).await?;
    story.say("created, with keys and an empty twin each")?;

    story.step(format!("The device connects ({}) and gets its twin", name(transport)))?;
    let text = device::connection_string::connection_string(hub.host_name(), &identity, false)?;
    let client =
        DeviceClient::from_connection_string(&text)?.transport(transport).ca_pem(hub.ca_pem()).open().await?;
    let twin = client.twin().await?;
    story.say(twin.to_json().to_string())?;
    let mut desired = client.desired();
    next(&mut desired).await?;

    story.step("The device reports how it is connected")?;
    let patch = json!({"connectivity": {"type": "cellular"}});
    let reported = client.report(&patch).await?;
    let version = reported.version.map(|v| format!("  ($version {v})")).unwrap_or_default();
    story.say(format!("reported {patch}{version}"))?;

    story.step("The backend tags where the device is, if nobody changed the twin meanwhile (etag)")?;
    let location = TwinChange::new().tags(json!({"location": {"region": "US", "plant": "Redmond43"}}));
    let twin = registry.twin(&key).await?;
    let twin = registry.update_twin(&key, &location, IfMatch::ETag(&twin.etag)).await?;
    story.say(format!("tags {}", json!(twin.tags)))?;
    for id in NEIGHBOURS {
        registry.update_twin(&TwinKey::device(id)?, &location, IfMatch::Force).await?;
    }

    story.step("The backend asks who is in Redmond43, page by page")?;
    let in_plant = "SELECT * FROM devices WHERE tags.location.plant = 'Redmond43'";
    query(story, &registry, in_plant).await?;
    story.step("… and who of them is on a cellular network")?;
    query(story, &registry, &format!("{in_plant} AND properties.reported.connectivity.type = 'cellular'"))
        .await?;

    story.step("The backend wants telemetry every 30 seconds; the device hears it at once, and says so")?;
    let change = TwinChange::new().desired(json!({"telemetry": {"intervalSeconds": 30}}));
    registry.update_twin(&key, &change, IfMatch::Force).await?;
    let (heard, version) = match next(&mut desired).await? {
        DesiredChange::Whole { desired, version } => (json!(desired), version),
        DesiredChange::Patch { patch, version } => (json!(patch), version),
    };
    story.say(format!("the device hears {heard}  ($version {version})"))?;
    client.report(json!({"telemetry": {"intervalSeconds": 30}})).await?;
    client.close().await?;

    story.step("In the end the twin is")?;
    let twin = registry.twin(&key).await?;
    story.twin(&twin)?;
    Ok(twin)
}

async fn create_neighbours(registry: &Registry) -> Result<()> {
    let keys = NEIGHBOURS.iter().map(TwinKey::device).collect::<twin_service::Result<Vec<_>>>()?;
    let identities: Vec<Identity> = keys.into_iter().map(Identity::new).collect();
    let done = registry.create_many(&identities).await?;
    match done.failures().next() {
        Some((_, error)) => Err(error.clone().into()),
        None => Ok(()),
    }
}

async fn query(story: &Story, registry: &Registry, text: &str) -> Result<()> {
    story.say(text)?;
    let mut pages = registry.query(text).page_size(PAGE_SIZE).pages();
    let mut number = 0;
    while let Some(page) = pages.next_page().await? {
        number += 1;
        let ids: Vec<String> = page.twins()?.iter().map(|twin| twin.device_id.to_string()).collect();
        let more = if pages.has_more() { ", more follow" } else { "" };
        story.say(format!(
            "page {number}: {}{more}",
            if ids.is_empty() { "nobody".into() } else { ids.join(", ") }
        ))?;
    }
    Ok(())
}

async fn next(desired: &mut Subscription<DesiredChange>) -> Result<DesiredChange> {
    match tokio::time::timeout(HEAR_TIMEOUT, desired.next()).await {
        Ok(Some(change)) => Ok(change),
        Ok(None) => Err(desired
            .error()
            .map_or_else(|| Failure::local("the device's connection ended"), Failure::from)),
        Err(_) => Err(Failure::local(format!("the device heard of no change within {HEAR_TIMEOUT:?}"))),
    }
}

fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::MqttWs => "MQTT over WebSocket, TLS",
        Transport::Amqp => "AMQP, TLS",
        Transport::AmqpWs => "AMQP over WebSocket, TLS",
        _ => "MQTT, TLS",
    }
}

fn ending() -> Result<()> {
    let paint = Paint::stdout();
    let head = |text: &str| paint.paint(Style::Bold, text);
    out::line("")?;
    out::line(paint.paint(Style::Green, "That was everything: a device twin from both sides."))?;
    out::line("")?;
    out::line(format!(
        "{}  twin hub                     # prints what other programs need to connect",
        head("A hub to stay")
    ))?;
    out::line("               twin device create lamp && twin device connection-string lamp")?;
    out::line("               twin patch lamp tags.floor=3 desired.on=true && twin get lamp")?;
    out::line(format!(
        "{}           link twin-device and twin-service; every item's documentation has an example that runs:",
        head("Rust")
    ))?;
    out::line("               cargo doc --open -p twin-device -p twin-service")?;
    out::line(format!(
        "{}        the official azure-iot-device and azure-iothub packages work with 'twin hub' as they are;",
        head("Node.js")
    ))?;
    out::line("               packages of our own, under their names, are growing in bindings-node/")?;
    out::line(format!(
        "{}              libtwin: bindings-c/install.sh PREFIX, then bindings-c/examples",
        head("C")
    ))
}

/// How the story is told: to people on stdout, or beside a program's JSON on stderr.
struct Story {
    is_json: bool,
    steps: std::cell::Cell<u32>,
}

impl Story {
    fn new(is_json: bool) -> Story {
        Story { is_json, steps: std::cell::Cell::new(0) }
    }

    fn step(&self, text: impl AsRef<str>) -> Result<()> {
        self.steps.set(self.steps.get() + 1);
        let text = format!("{}. {}", self.steps.get(), text.as_ref());
        if self.is_json {
            out::talk(text);
            return Ok(());
        }
        out::line(format!("\n{}", Paint::stdout().paint(Style::Bold, text)))
    }

    fn say(&self, text: impl AsRef<str>) -> Result<()> {
        let text = format!("   {}", text.as_ref());
        if self.is_json {
            out::talk(text);
            return Ok(());
        }
        out::line(text)
    }

    fn twin(&self, twin: &Twin) -> Result<()> {
        if self.is_json { Ok(()) } else { show::parts(twin) }
    }
}
