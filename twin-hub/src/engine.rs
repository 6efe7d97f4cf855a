//! The engine: what the front doors talk to. Reads come straight from memory; writes go through one writer that
//! steps the domain, makes a batch durable with one sync, installs the change in memory and index, then answers.
//!
//! | file | what is in it |
//! |---|---|
//! | [`Engine`] | the handle: open, read, write, call, attach, back up, stop |
//! | `attachment` | a device's connection, from attaching to dropping |
//! | `writer` | the one thread that changes anything |
//! | `overlay` | what a batch has changed before it is durable |
//! | `mail` | cloud-to-device messages: sending, receiving, settling, and their part of the writer's work |
//! | `memory` | key → handle → record, read without waiting |
//! | `sessions` | who is connected and listens to what |
//! | `query` | pages of query results |
//! | `indexes` | which twins a query has to look at |
//! | `token` | continuation tokens |
//! | `recovery` | from disk to memory at start |
//! | `keys` | where things are in the store |
//! | `faults` | misbehaving on demand, for tests |
//!
//! What a kill may cost: nothing that was acknowledged. `lastActivityTime` and `connectionStateUpdatedTime` are
//! written once a minute and at an orderly stop, so a kill forgets at most a minute of them; a kept MQTT session is
//! durable from its first subscription on.
//!
//! What it costs, and where the time goes: `docs/performance.md`, "The engine".

mod attachment;
mod faults;
mod indexes;
mod keys;
mod mail;
mod memory;
mod metrics;
mod overlay;
mod query;
mod recovery;
mod sessions;
mod token;
mod writer;

use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use twin_core::identity::Identity;
use twin_core::twin::{Patch, Rules, SectionName, TwinPatch};
use twin_core::wire::{ApiVersion, Refusal, rest};
use twin_core::{ETag, Error, ErrorKind, Result, Timestamp, TwinKey};

pub(crate) use self::attachment::{Attachment, KeptSession};
pub(crate) use self::faults::{Fault, Faults, Operation};
pub(crate) use self::metrics::Figures;
pub(crate) use crate::domain::Notice;

use self::indexes::Indexes;
use self::memory::{Handle, Memory, Slot};
use self::metrics::Metrics;
use self::sessions::Sessions;
use self::writer::{Held, Work, Writer};
use crate::domain::{self, BulkItem, Command, Done, Presence, Record, refuse};
use crate::store::{Store, embedded::Embedded, memory::MemoryStore};

/// Room for work that waits for the writer, in bytes of memory; more waits with its caller, and is not parsed yet.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// What a piece of work takes of that room beside its body, in bytes.
const WORK_BYTES: usize = 1024;
/// What a byte of a body takes of that room: JSON trees are about ten times as large as their text (measured).
const BYTES_PER_BODY_BYTE: usize = 10;
/// Queries answered at the same time; more wait.
const QUERIES_AT_A_TIME: usize = 8;
/// Most identities that one listing gives (REST reference).
const MAX_LISTED: u32 = 1000;

/// Reads the wall clock; tests pass their own.
pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How an engine is opened.
pub(crate) struct EngineConfig {
    /// where the store lives; `None` is ephemeral
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) clock: Clock,
    /// longest the writer waits to gather more changes into one sync; default zero (whatever arrived meanwhile)
    pub(crate) gather: Duration,
}

/// A cheap handle on the engine.
#[derive(Clone)]
pub(crate) struct Engine(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    clock: Clock,
    faults: Faults,
    queue: mpsc::Sender<Work>,
    /// the writer, if changes are made on the spot
    in_place: Option<Arc<Held>>,
    room: Arc<Semaphore>,
    queries: Semaphore,
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
}

/// What callers and writer share.
struct Shared {
    memory: Memory,
    indexes: Indexes,
    sessions: Sessions,
    /// counts up when feedback on cloud-to-device messages can be received
    feedback: watch::Sender<u64>,
    metrics: Metrics,
    /// set once, when the store failed
    broken: OnceLock<String>,
}

impl Shared {
    fn broken(&self) -> Option<Refusal> {
        self.broken.get().map(|why| {
            refuse::unavailable(format!("The hub's store failed and the hub answers reads only: {why}"))
        })
    }

    fn break_down(&self, why: &str) {
        let _ = self.broken.set(why.to_owned());
    }

    fn find(&self, key: &TwinKey) -> Result<(Handle, &Slot, Arc<TwinKey>, Record), Refusal> {
        let found = self.memory.find(key).and_then(|handle| {
            let slot = self.memory.slot(handle)?;
            let (key, record) = slot.live()?;
            Some((handle, slot, key, record))
        });
        found.ok_or_else(|| refuse::not_found(key))
    }
}

impl Engine {
    /// Opens or creates the store, recovers, verifies, builds the index. Blocks for as long as that takes.
    pub(crate) fn open(config: EngineConfig) -> Result<Engine> {
        let store: Box<dyn Store> = match &config.data_dir {
            Some(dir) => Box::new(Embedded::open(dir)?),
            None => Box::new(MemoryStore::default()),
        };
        Self::with_store(config, store)
    }

    fn with_store(config: EngineConfig, store: Box<dyn Store>) -> Result<Engine> {
        let memory = Memory::default();
        let next_serial = recovery::recover(store.as_ref(), &memory)?;
        let mail = recovery::mail(store.as_ref(), &memory)?;
        let indexes = recovery::index(&memory);
        let shared = Arc::new(Shared {
            memory,
            indexes,
            sessions: Sessions::default(),
            feedback: watch::Sender::new(0),
            metrics: Metrics::default(),
            broken: OnceLock::new(),
        });
        let (queue, work) = mpsc::channel();
        let in_place = !store.waits();
        let mut writer = Writer {
            shared: shared.clone(),
            store,
            clock: config.clock.clone(),
            gather: config.gather,
            next_serial,
            mail,
            presence_due: Instant::now() + writer::PRESENCE_EVERY,
        };
        writer.deliver_mail((config.clock)());
        let writer = Arc::new(Held::new(Some(writer)));
        let held = writer.clone();
        let thread = std::thread::Builder::new()
            .name("twin-hub-writer".into())
            .spawn(move || writer::run(&held, &work))
            .map_err(|e| {
                Error::new(ErrorKind::Internal, "the writer thread cannot be started").with_source(e)
            })?;
        Ok(Engine(Arc::new(Inner {
            shared,
            clock: config.clock,
            faults: Faults::default(),
            queue,
            in_place: in_place.then_some(writer),
            room: Arc::new(Semaphore::new(QUEUE_BYTES)),
            queries: Semaphore::new(QUERIES_AT_A_TIME),
            writer: Mutex::new(Some(thread)),
        })))
    }

    /// The identity, for authentication. Never waits for a disk.
    pub(crate) fn identity(&self, key: &TwinKey) -> Option<Arc<Identity>> {
        let (_, slot, _, record) = self.0.shared.find(key).ok()?;
        Some(Arc::new(with_presence(record.identity(), &slot.presence())))
    }

    /// The device's view of its twin, as the GET answer's body. Never waits for a disk.
    pub(crate) fn device_twin(&self, key: &TwinKey) -> Result<Bytes, Refusal> {
        self.0.faults.suffer_now(Operation::GetTwin)?;
        let (_, _, _, record) = self.0.shared.find(key)?;
        Ok(domain::device_twin(&record))
    }

    /// Merges a reported patch; the new `$version`, once durable.
    pub(crate) async fn report(
        &self,
        key: &TwinKey,
        patch: Bytes,
        if_version: Option<u64>,
        api: ApiVersion,
    ) -> Result<u64, Refusal> {
        self.0.faults.suffer(Operation::Report).await?;
        let rules = Rules { arrays: api.allows_arrays(), nulls: true };
        let command = || {
            let patch = Patch::parse(SectionName::Reported, &patch, rules)?;
            Ok(Command::Report { key: key.clone(), patch, if_version })
        };
        match self.write(patch.len(), command).await? {
            Done::Reported(version) => Ok(version),
            other => unreachable!("a report ends with a version, not with {other:?}"),
        }
    }

    /// Any call of the service API (already authorised); writes answer once durable.
    pub(crate) async fn call(&self, call: rest::Call, api: ApiVersion) -> Result<rest::Answer, Refusal> {
        use rest::Call;
        self.0.faults.suffer(Operation::Call).await?;
        let whole = Rules { arrays: api.allows_arrays(), nulls: false };
        match call {
            Call::GetTwin(key) => {
                let (_, slot, key, record) = self.0.shared.find(&key)?;
                Ok(twin_answer(&key, &record, &slot.presence()))
            }
            Call::PatchTwin { key, if_match, body } => {
                let command = || {
                    let patch = TwinPatch::parse(&body, Rules { nulls: true, ..whole })?;
                    Ok(Command::PatchTwin { key: key.clone(), if_match, patch })
                };
                let done = self.write(body.len(), command).await?;
                Ok(self.twin_written(&key, done))
            }
            Call::ReplaceTwin { key, if_match, body } => {
                let command = || {
                    let content = TwinPatch::parse(&body, whole)?;
                    Ok(Command::ReplaceTwin { key: key.clone(), if_match, content })
                };
                let done = self.write(body.len(), command).await?;
                Ok(self.twin_written(&key, done))
            }
            Call::GetIdentity(key) => {
                let (_, slot, _, record) = self.0.shared.find(&key)?;
                Ok(identity_answer(&record, &slot.presence()))
            }
            Call::PutIdentity { key, if_match, body } => {
                let command = || {
                    let identity = Box::new(parse_identity(&body)?);
                    Ok(Command::PutIdentity { key: key.clone(), if_match, identity })
                };
                match self.write(body.len(), command).await? {
                    Done::Record(record) => Ok(identity_answer(&record, &self.presence(&key))),
                    other => unreachable!("a PUT ends with a record, not with {other:?}"),
                }
            }
            Call::DeleteIdentity { key, if_match } => {
                self.write(0, || Ok(Command::DeleteIdentity { key, if_match })).await?;
                Ok(rest::Answer::Nothing)
            }
            Call::ListDevices { top } => Ok(self.list_devices(top)?),
            Call::ListModules(device) => {
                let of = TwinKey::from(device);
                self.0.shared.find(&of)?;
                let handles =
                    self.0.shared.memory.modules(of.device.as_str()).into_iter().map(|(_, handle)| handle);
                Ok(self.identities(handles))
            }
            Call::Bulk { body } => {
                let command = || BulkItem::parse_all(&body, whole).map(Command::Bulk);
                match self.write(body.len(), command).await? {
                    Done::Bulk(result) => Ok(bulk_answer(&result)),
                    other => unreachable!("a bulk request ends with its result, not with {other:?}"),
                }
            }
            Call::DeviceStatistics => {
                let figures = self.figures();
                Ok(json_answer(&serde_json::json!({
                    "totalDeviceCount": figures.devices,
                    "enabledDeviceCount": figures.devices - figures.disabled_devices,
                    "disabledDeviceCount": figures.disabled_devices,
                })))
            }
            Call::ServiceStatistics => {
                let connected = self.0.shared.sessions.connected_devices();
                Ok(json_answer(&serde_json::json!({ "connectedDeviceCount": connected })))
            }
            Call::Query { text, page_size, continuation } => self.query(text, page_size, continuation).await,
            Call::NotYet(what) => Err(rest::not_yet(what)),
            _ => Err(rest::not_yet("this call")),
        }
    }

    /// Waits until everything acknowledged is on disk, then stops the writer. Changes after this are refused.
    pub(crate) async fn shutdown(&self) -> Result<()> {
        let (answer, closed) = oneshot::channel();
        if self.0.queue.send(Work::Stop { answer }).is_err() {
            return Ok(()); // stopped before
        }
        let result = closed.await.unwrap_or(Ok(()));
        let thread = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        result
    }

    /// Copies a consistent state into `target`, an empty or new directory, while running. The result opens as a data
    /// directory. Only what the engine keeps is in it: whoever keeps more beside it copies that too.
    pub(crate) async fn backup(&self, target: PathBuf) -> Result<()> {
        let stopped = || Error::new(ErrorKind::Closed, "the hub is stopping");
        let (answer, frozen) = oneshot::channel();
        self.0.queue.send(Work::Backup { target, answer }).map_err(|_| stopped())?;
        let copy = frozen.await.map_err(|_| stopped())??;
        let copied = tokio::task::spawn_blocking(copy).await;
        copied.map_err(|e| Error::new(ErrorKind::Internal, "the copy ended early").with_source(e))?
    }

    /// `Err` says why the hub is not well: the store failed, and only reads are answered.
    pub(crate) fn health(&self) -> Result<(), String> {
        self.0.shared.broken.get().map_or(Ok(()), |why| Err(why.clone()))
    }

    /// What is counted, for metrics and statistics.
    pub(crate) fn figures(&self) -> Figures {
        let connected = self.0.shared.sessions.connected_devices();
        Figures {
            queued_bytes: QUEUE_BYTES - self.0.room.available_permits(),
            queries: QUERIES_AT_A_TIME - self.0.queries.available_permits(),
            ..self.0.shared.metrics.figures(self.0.shared.memory.counts(), connected)
        }
    }

    /// Faults that tests inject.
    pub(crate) fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// The time, as the engine sees it.
    pub(crate) fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    /// Has the writer do something. `command` parses a body of so many bytes; not before there is room for what it makes of it.
    async fn write(
        &self,
        body_bytes: usize,
        command: impl FnOnce() -> Result<Command, Refusal>,
    ) -> Result<Done, Refusal> {
        let work = |answer, _room| Ok(Work::Command { command: command()?, answer, _room });
        self.enqueue(body_bytes, work).await
    }

    async fn enqueue(
        &self,
        body_bytes: usize,
        work: impl FnOnce(oneshot::Sender<Result<Done, Refusal>>, OwnedSemaphorePermit) -> Result<Work, Refusal>,
    ) -> Result<Done, Refusal> {
        if let Some(broken) = self.0.shared.broken() {
            return Err(broken);
        }
        let stopped = || refuse::unavailable("The hub is stopping");
        let take = (body_bytes * BYTES_PER_BODY_BYTE + WORK_BYTES).min(QUEUE_BYTES) as u32;
        let room = self.0.room.clone().acquire_many_owned(take).await.map_err(|_| stopped())?;
        let (answer, done) = oneshot::channel();
        let work = work(answer, room)?;
        match &self.0.in_place {
            Some(writer) => writer::write_now(writer, work),
            None => self.0.queue.send(work).map_err(|_| stopped())?,
        }
        done.await.map_err(|_| stopped())?
    }

    async fn query(
        &self,
        text: String,
        page_size: Option<u32>,
        continuation: Option<String>,
    ) -> Result<rest::Answer, Refusal> {
        let _turn = self.0.queries.acquire().await.map_err(|_| refuse::unavailable("The hub is stopping"))?;
        let shared = self.0.shared.clone();
        let page = move || query::page(&shared, &text, page_size, continuation.as_deref());
        match tokio::task::spawn_blocking(page).await {
            Ok(answer) => answer,
            Err(_) => Err(refuse::failed("The query ended early")),
        }
    }

    fn twin_written(&self, key: &TwinKey, done: Done) -> rest::Answer {
        match done {
            Done::Record(record) => twin_answer(key, &record, &self.presence(key)),
            other => unreachable!("a twin update ends with a record, not with {other:?}"),
        }
    }

    fn presence(&self, key: &TwinKey) -> Presence {
        self.0.shared.find(key).map(|(_, slot, _, _)| slot.presence()).unwrap_or_default()
    }

    fn list_devices(&self, top: Option<u32>) -> Result<rest::Answer, Refusal> {
        let top = match top {
            Some(0) => return Err(refuse::invalid("top is 0; 1 to 1000 are allowed")),
            other => other.unwrap_or(MAX_LISTED).min(MAX_LISTED),
        };
        let memory = &self.0.shared.memory;
        let is_device = |handle: &Handle| {
            memory.slot(*handle).and_then(Slot::live).is_some_and(|(k, _)| k.module.is_none())
        };
        Ok(self.identities((0..memory.end()).filter(is_device).take(top as usize)))
    }

    fn identities(&self, handles: impl Iterator<Item = Handle>) -> rest::Answer {
        let identities = handles.filter_map(|handle| {
            let slot = self.0.shared.memory.slot(handle)?;
            let (_, record) = slot.live()?;
            Some(with_presence(record.identity(), &slot.presence()).to_json())
        });
        json_answer(&serde_json::Value::Array(identities.collect()))
    }
}

fn parse_identity(body: &[u8]) -> Result<Identity, Refusal> {
    let value =
        twin_core::twin::strict::value("The body", body).map_err(|e| refuse::malformed(e.to_string()))?;
    Identity::from_json(value).map_err(|e| refuse::invalid(e.message()))
}

fn with_presence(mut identity: Identity, presence: &Presence) -> Identity {
    identity.connected = presence.connected;
    identity.connection_state_updated_time = presence.changed;
    identity.last_activity_time = presence.active;
    identity.cloud_to_device_message_count = presence.waiting.into();
    identity
}

fn twin_answer(key: &TwinKey, record: &Record, presence: &Presence) -> rest::Answer {
    let body = domain::service_twin(key, record, presence).into();
    rest::Answer::Json { body, etag: Some(record.etag()) }
}

fn identity_answer(record: &Record, presence: &Presence) -> rest::Answer {
    let identity = with_presence(record.identity(), presence);
    let etag: Option<ETag> = identity.etag.clone();
    rest::Answer::Json { body: identity.to_json().to_string().into(), etag }
}

fn bulk_answer(result: &domain::BulkResult) -> rest::Answer {
    let body = result.to_json().to_string().into();
    match result.is_successful() {
        true => rest::Answer::Json { body, etag: None },
        false => rest::Answer::BulkFailure { body },
    }
}

fn json_answer(value: &serde_json::Value) -> rest::Answer {
    rest::Answer::Json { body: value.to_string().into(), etag: None }
}

#[cfg(test)]
mod tests;
