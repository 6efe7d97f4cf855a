//! A script that was written for the official Node.js packages does the same on ours: results, arguments of callbacks,
//! events and their order, names and messages of errors. `node/compare/allowed.json` lists what differs, and why.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tests::compare::{Allowance, Line, differences, report};
use tests::node::folder;
use tests::stage::{Side, Stage, prepare};

/// Scripts of devices are played over each.
const TRANSPORTS: [&str; 2] = ["Mqtt", "MqttWs"];
/// How many plays run at once, where none disturbs the hub.
const AT_ONCE: usize = 3;

fn scripts(folder_name: &str) -> Vec<PathBuf> {
    let folder = folder().join("compare").join(folder_name);
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "js"))
        // To look at one script alone: COMPARE_ONLY=its_name.
        .filter(|path| {
            std::env::var("COMPARE_ONLY")
                .map_or_else(|_| true, |only| path.file_stem() == Some(only.as_ref()))
        })
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
    transports: &[&'static str],
    at_once: usize,
) -> Vec<Played> {
    let tickets = Arc::new(tokio::sync::Semaphore::new(at_once));
    let mut plays = Vec::new();
    for script in scripts(folder_name) {
        for transport in transports {
            let (stage, tickets, script, transport) =
                (stage.clone(), tickets.clone(), script.clone(), *transport);
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
    let mut played = play(&stage, "service", &["Mqtt"], AT_ONCE).await;
    played.extend(play(&stage, "device", &TRANSPORTS, AT_ONCE).await);
    played.extend(play(&stage, "faults", &TRANSPORTS, 1).await);

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
    if std::env::var("COMPARE_ONLY").is_ok() {
        // What is listed for scripts that were not played cannot have been needed.
        used.fill(1);
    }
    if let Some(text) = report(&found, &allowed, &used) {
        panic!("{text}");
    }
    assert!(played.len() >= 60 || std::env::var("COMPARE_ONLY").is_ok(), "only {} plays", played.len());
}
