//! A script that was written for the official Node.js packages does the same on ours: results, arguments of callbacks,
//! events and their order, names and messages of errors. `node/compare/allowed.json` lists what differs, and names the
//! row of a README that says why.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tests::addon;
use tests::compare::{Allowance, Line, differences, report};
use tests::node::folder;
use tests::stage::{Side, Stage, prepare};

/// Scripts of devices are played over both of these.
const OVER_TLS: [&str; 2] = ["Mqtt", "Amqp"];
/// And over one of these, in turn: they differ in their carrier alone.
const OVER_WEB_SOCKETS: [&str; 2] = ["MqttWs", "AmqpWs"];
/// Scripts about messages are played over these; those of `https` over the last one alone.
const WITH_MESSAGES: [&str; 3] = ["Mqtt", "Amqp", "Http"];
/// How many plays run at once, where none disturbs the hub.
const AT_ONCE: usize = 3;

/// To look at one script or one transport alone: COMPARE_ONLY=its_name, COMPARE_OVER=Amqp.
const LIMITS: [&str; 2] = ["COMPARE_ONLY", "COMPARE_OVER"];

/// Where differences are listed, each with its reason.
fn readmes() -> String {
    ["README.md", "packages/azure-iothub/README.md"]
        .map(|name| std::fs::read_to_string(addon::folder().join(name)).expect("a README"))
        .concat()
}

fn wanted(limit: &str, name: &str) -> bool {
    std::env::var(limit).map_or_else(|_| true, |only| only == name)
}

fn scripts(folder_name: &str) -> Vec<PathBuf> {
    let folder = folder().join("compare").join(folder_name);
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "js"))
        .filter(|path| wanted("COMPARE_ONLY", &path.file_stem().expect("a file").to_string_lossy()))
        .collect();
    found.sort();
    found
}

/// Plays a script on both sides.
fn both(stage: &Stage, script: &Path, transport: &str) -> (Vec<Line>, Vec<Line>) {
    let official = stage.play(script, Side::Official, transport);
    stage.clear();
    let ours = stage.play(script, Side::Ours, transport);
    stage.clear();
    (official, ours)
}

struct Played {
    name: String,
    transport: &'static str,
    said: (Vec<Line>, Vec<Line>),
}

async fn play(
    stage: &Arc<Stage>,
    folder_name: &str,
    transports: impl Fn(usize) -> Vec<&'static str>,
    at_once: usize,
) -> Vec<Played> {
    let tickets = Arc::new(tokio::sync::Semaphore::new(at_once));
    let mut plays = Vec::new();
    for (number, script) in scripts(folder_name).into_iter().enumerate() {
        for transport in transports(number).into_iter().filter(|name| wanted("COMPARE_OVER", name)) {
            let (stage, tickets, script) = (stage.clone(), tickets.clone(), script.clone());
            let name = format!("{folder_name}/{}", script.file_stem().expect("a file").to_string_lossy());
            plays.push(tokio::spawn(async move {
                let _ticket = tickets.acquire_owned().await.expect("never closed");
                let said = tokio::task::spawn_blocking(move || both(&stage, &script, transport));
                Played { name, transport, said: said.await.expect("the play ends") }
            }));
        }
    }
    let mut played = Vec::new();
    for play in plays {
        played.push(play.await.expect("the play ends"));
    }
    played
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_do_the_same_on_official_packages_and_on_ours() {
    tokio::task::spawn_blocking(prepare).await.expect("joins");
    let stage = Arc::new(Stage::set(36).await);
    let mut played = play(&stage, "service", |_| vec!["Mqtt"], AT_ONCE).await;
    let with_one_web_socket = |number| [&OVER_TLS[..], &[OVER_WEB_SOCKETS[number % 2]]].concat();
    played.extend(play(&stage, "device", with_one_web_socket, AT_ONCE).await);
    played.extend(play(&stage, "messages", |_| WITH_MESSAGES.to_vec(), AT_ONCE).await);
    played.extend(play(&stage, "https", |_| vec!["Http"], AT_ONCE).await);
    played.extend(play(&stage, "faults", |_| OVER_TLS.to_vec(), 1).await);

    let list = std::fs::read(folder().join("compare/allowed.json")).expect("allowed.json");
    let allowed: Vec<Allowance> = serde_json::from_slice(&list).expect("a list of allowances");
    let mut used = vec![0; allowed.len()];
    let mut found = Vec::new();
    for Played { name, transport, said: (official, ours) } in &played {
        if official.len() < 2 {
            found.push(format!("{name} says nothing"));
        }
        for difference in differences(name, official, ours, &allowed, &mut used) {
            found.push(format!("{transport}: {difference}"));
        }
    }
    let is_limited = LIMITS.iter().any(|limit| std::env::var(limit).is_ok());
    if is_limited {
        // What is listed for scripts that were not played cannot have been needed.
        used.fill(1);
    }
    if let Some(text) = report(&found, &allowed, &used, &readmes()) {
        panic!("{text}");
    }
    assert!(played.len() >= 200 || is_limited, "only {} plays", played.len());
}
