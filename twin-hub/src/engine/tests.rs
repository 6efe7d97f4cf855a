//! The engine through its public door, in memory and on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use tokio::sync::mpsc as channel;
use twin_core::wire::Channel;
use twin_core::wire::rest::{Answer, Call, IfMatch};

use super::*;
use crate::store::{Batch, Job, Visit};

mod durability;
mod indexed;
mod pages;
mod sessions;
mod together;
mod twins;

const API: ApiVersion = ApiVersion::OURS;

fn config(dir: Option<&Path>) -> EngineConfig {
    let clock: Clock = Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_unix(since)
    });
    EngineConfig { data_dir: dir.map(Path::to_owned), clock, gather: Duration::ZERO }
}

fn ephemeral() -> Engine {
    Engine::open(config(None)).unwrap()
}

fn on_disk(dir: &Path) -> Engine {
    Engine::open(config(Some(dir))).unwrap()
}

/// Ends an engine as a kill would: nothing is flushed, nothing is said.
async fn crash(engine: Engine) {
    let (answer, done) = oneshot::channel();
    engine.0.queue.send(Work::Crash { answer }).unwrap();
    done.await.unwrap();
}

fn key(text: &str) -> TwinKey {
    match text.split_once('/') {
        Some((device, module)) => TwinKey::module(device, module).unwrap(),
        None => TwinKey::device(text).unwrap(),
    }
}

async fn create(engine: &Engine, name: &str) {
    let key = key(name);
    let mut body = json!({"deviceId": key.device.as_str()});
    if let Some(module) = &key.module {
        body["moduleId"] = module.as_str().into();
    }
    let call = Call::PutIdentity { key, if_match: IfMatch::Absent, body: body.to_string().into() };
    engine.call(call, API).await.unwrap();
}

async fn patch(engine: &Engine, name: &str, body: Value) -> Result<Value, Refusal> {
    let body = body.to_string().into();
    json_of(engine.call(Call::PatchTwin { key: key(name), if_match: IfMatch::Absent, body }, API).await)
}

async fn delete(engine: &Engine, name: &str) {
    engine.call(Call::DeleteIdentity { key: key(name), if_match: IfMatch::Absent }, API).await.unwrap();
}

async fn report(engine: &Engine, name: &str, body: Value) -> Result<u64, Refusal> {
    engine.report(&key(name), body.to_string().into(), None, API).await
}

async fn twin(engine: &Engine, name: &str) -> Result<Value, Refusal> {
    json_of(engine.call(Call::GetTwin(key(name)), API).await)
}

fn json_of(answer: Result<Answer, Refusal>) -> Result<Value, Refusal> {
    match answer? {
        Answer::Json { body, .. } => Ok(serde_json::from_slice(&body).unwrap()),
        other => panic!("{other:?}"),
    }
}

/// rows, whether they are twins, continuation
type PageOf = (Vec<Value>, bool, Option<String>);

async fn page(engine: &Engine, text: &str, size: u32, token: Option<String>) -> Result<PageOf, Refusal> {
    let call = Call::Query { text: text.into(), page_size: Some(size), continuation: token };
    match engine.call(call, API).await? {
        Answer::Page { rows, twins, continuation } => {
            Ok((serde_json::from_slice(&rows).unwrap(), twins, continuation))
        }
        other => panic!("{other:?}"),
    }
}

/// All rows, page by page.
async fn all(engine: &Engine, text: &str, size: u32) -> Vec<Value> {
    let (mut rows, mut token) = (Vec::new(), None);
    loop {
        let (page, _, next) = page(engine, text, size, token).await.unwrap();
        assert!(page.len() <= size as usize);
        assert!(next.is_none() || page.len() == size as usize, "only the last page is short");
        rows.extend(page);
        match next {
            Some(next) => token = Some(next),
            None => return rows,
        }
    }
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["deviceId"].as_str().unwrap()).collect()
}

/// xorshift: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// The identity, as authentication sees it.
fn judged(engine: &Engine, name: &str) -> Arc<Identity> {
    engine.identity(&key(name)).unwrap()
}

async fn attach(engine: &Engine, name: &str, clean: bool) -> (Attachment, channel::Receiver<Notice>) {
    let (notices, hears) = channel::channel(4);
    (engine.attach(&judged(engine, name), clean, None, notices).await.unwrap(), hears)
}
