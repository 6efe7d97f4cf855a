//! A flood of large changes costs the hub the room it has for them, not their trees: changes are parsed when there is room
//! for what they become. In a process of its own, as memory is what it measures.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use twin_core::wire::rest::{Answer, Call};
use twin_hub::Hub;

/// Requests that arrive together. Parsed all at once they take a third of a gigabyte.
const REQUESTS: usize = 60;
/// Most that the hub may grow, in bytes: the 64 MB of changes that it holds at a time, twice for what allocators and
/// results take, and the rest of a hub.
const MOST: usize = 192 * 1024 * 1024;

/// A request about 100 devices, always the same, of half a megabyte.
fn body() -> Bytes {
    let values: Vec<Value> =
        (0..100).map(|n| json!({"a": n, "b": {"c": format!("value {n}"), "d": list(n)}})).collect();
    let tags: serde_json::Map<String, Value> =
        values.into_iter().enumerate().map(|(n, value)| (format!("tag{n}"), value)).collect();
    let items: Vec<Value> = (0..100)
        .map(|n| json!({"id": format!("device-{n}"), "importMode": "create", "tags": tags}))
        .collect();
    Value::Array(items).to_string().into()
}

fn list(n: usize) -> Value {
    json!([n, n + 1, [n]])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_bulk_requests_stays_within_its_room() {
    let hub = Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await.unwrap();
    let hub = std::sync::Arc::new(hub);
    let body = body();
    assert!(body.len() > 500_000, "{}", body.len());
    let before = peak();
    let (mut flood, mut created) = (JoinSet::new(), 0);
    for _ in 0..REQUESTS {
        let (hub, body) = (hub.clone(), body.clone());
        flood.spawn(async move { hub.call(Call::Bulk { body }).await });
    }
    while let Some(answer) = flood.join_next().await {
        // The first creates them; all others are told that they are there.
        match answer.unwrap() {
            Ok(Answer::Json { .. }) => created += 1,
            Ok(Answer::BulkFailure { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(created, 1);
    let grown = peak() - before;
    assert!(grown < MOST, "the hub grew by {} MB", grown >> 20);
    std::sync::Arc::into_inner(hub).unwrap().close().await.unwrap();
}

/// The most memory that this process ever had resident, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
