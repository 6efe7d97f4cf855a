//! A whole hub, without its network: any REST calls and reports are answered; twins keep their sizes and versions in
//! order; and a query gives, page by page, what its condition says of the twins one by one.
#![no_main]
use std::collections::BTreeSet;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use twin_core::TwinKey;
use twin_core::query::{Query, Selection, Source};
use twin_core::wire::rest::{self, Answer, Call};
use twin_hub::Hub;

const DEVICES: [&str; 4] = ["a", "b", "c", "d"];

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));
static HUB: LazyLock<Hub> = LazyLock::new(|| {
    let hub = Hub::builder().listen(([127, 0, 0, 1], 0).into()).ephemeral().start();
    RUNTIME.block_on(hub).expect("a hub")
});

// Lines: `R` and a report, `T` and a twin patch, `P` and a twin, each after a device's letter; `Q` and a query;
// `C` and a continuation token; `B` and a bulk request; or a method and target, with the next line as body.
fuzz_target!(|text: &str| {
    LazyLock::force(&HUB);
    RUNTIME.block_on(story(text));
});

async fn story(text: &str) {
    begin().await;
    let mut lines = text.split('\n');
    while let Some(line) = lines.next() {
        let at = line.char_indices().nth(1).map_or(line.len(), |(at, _)| at);
        let (what, rest) = line.split_at(at);
        match what {
            "Q" => query(rest).await,
            "C" => drop(HUB.call(page("SELECT * FROM devices", Some(rest.to_owned()))).await),
            "B" => drop(HUB.call(Call::Bulk { body: rest.to_owned().into() }).await),
            "R" | "T" | "P" => write(what, rest).await,
            _ => {
                let (method, target) = line.split_once(' ').unwrap_or((line, ""));
                let body = lines.next().unwrap_or_default().to_owned().into();
                // Creating devices without end would slow the rest down.
                if let Ok((call, _)) = rest::hear(method, target, &|_| None, body)
                    && !matches!(call, Call::PutIdentity { .. } | Call::DeleteIdentity { .. })
                {
                    drop(HUB.call(call).await);
                }
            }
        }
    }
}

/// Leaves nothing of the story before.
async fn begin() {
    let Ok(Answer::Json { body, .. }) = HUB.call(Call::ListDevices { top: None }).await else { return };
    let known: Vec<Value> = serde_json::from_slice(&body).expect("JSON");
    let gone = known.iter().map(|device| json!({"id": device["deviceId"], "importMode": "delete"}));
    let new = DEVICES.iter().map(|id| json!({"id": id, "importMode": "create"}));
    for items in gone.collect::<Vec<_>>().chunks(100).chain([&new.collect::<Vec<_>>()[..]]) {
        HUB.call(Call::Bulk { body: Value::from(items).to_string().into() }).await.expect("a fresh start");
    }
}

async fn write(what: &str, rest: &str) {
    let at = rest.char_indices().nth(1).map_or(rest.len(), |(at, _)| at);
    let (device, body) = rest.split_at(at);
    let id = DEVICES[usize::from(device.bytes().next().unwrap_or_default()) % DEVICES.len()];
    let (key, body) = (TwinKey::device(id).expect("an id"), body.to_owned().into());
    let before = twin(&key).await;
    let (if_match, call_key) = (rest::IfMatch::Absent, key.clone());
    let done = match what {
        "R" => HUB.report(&key, body).await.is_ok(),
        "T" => HUB.call(Call::PatchTwin { key: call_key, if_match, body }).await.is_ok(),
        _ => HUB.call(Call::ReplaceTwin { key: call_key, if_match, body }).await.is_ok(),
    };
    let version = |twin: &Value| twin["version"].as_u64().expect("a version");
    let after = twin(&key).await;
    match done {
        true => assert!(version(&after) >= version(&before), "{after}"),
        false => assert_eq!(before, after),
    }
}

async fn twin(key: &TwinKey) -> Value {
    match HUB.call(Call::GetTwin(key.clone())).await {
        Ok(Answer::Json { body, .. }) => serde_json::from_slice(&body).expect("JSON"),
        // A bulk request may have deleted it.
        _ => json!({"version": 0}),
    }
}

fn page(text: &str, continuation: Option<String>) -> Call {
    Call::Query { text: text.to_owned(), page_size: Some(2), continuation }
}

async fn query(text: &str) {
    let Ok(query) = Query::parse(text) else { return };
    if query.select != Selection::All || query.source != Source::Devices || query.top.is_some() {
        return drop(HUB.call(page(text, None)).await);
    }
    let (mut found, mut continuation) = (BTreeSet::new(), None);
    loop {
        let Ok(Answer::Page { rows, continuation: next, .. }) = HUB.call(page(text, continuation)).await
        else {
            return;
        };
        let rows: Vec<Value> = serde_json::from_slice(&rows).expect("JSON");
        for row in rows {
            assert!(found.insert(row["deviceId"].to_string()), "twice: {row}");
        }
        match next {
            None => break,
            next => continuation = next,
        }
    }
    for id in DEVICES {
        let twin = twin(&TwinKey::device(id).expect("an id")).await;
        if twin["version"] != 0 {
            let wanted = query.condition.as_ref().is_none_or(|condition| condition.is_true(&twin));
            assert_eq!(found.contains(&twin["deviceId"].to_string()), wanted, "{query} of {twin}");
        }
    }
}
