//! The engine: what the front doors talk to. Reads come straight from memory; writes go through one writer that
//! steps the domain, makes a batch durable with one sync, installs the change in memory and index, then answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use twin_core::identity::Identity;
use twin_core::wire::{ApiVersion, Channel, Refusal, rest};
use twin_core::{Result, Timestamp, TwinKey};

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
pub(crate) struct Engine {/* Arc<Inner> */}

/// What a connected device is told.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    /// desired properties changed; the body is shared between connections
    Desired { version: u64, body: Bytes },
    /// disconnect: another connection of the same identity took over
    TakenOver,
    /// disconnect: the identity was deleted, disabled or its keys changed
    Revoked,
}

/// A connection of a device or module. Dropping it marks the device disconnected (unless another took over).
pub(crate) struct Attachment {
    /// the channels a kept session (clean session 0) had subscribed to; empty for a clean one
    pub(crate) subscriptions: Vec<Channel>,
    /// whether a kept session was found
    pub(crate) session_present: bool,
    /* engine, key, serial */
}

impl Engine {
    /// Opens or creates the store, recovers, verifies, builds the index.
    pub(crate) fn open(config: EngineConfig) -> Result<Engine> {
        todo!()
    }

    /// The identity, for authentication. Never waits for a disk.
    pub(crate) fn identity(&self, key: &TwinKey) -> Option<Arc<Identity>> {
        todo!()
    }

    /// The device's view of its twin, as the GET answer's body. Never waits for a disk.
    pub(crate) fn device_twin(&self, key: &TwinKey) -> Result<Bytes, Refusal> {
        todo!()
    }

    /// Merges a reported patch; the new `$version`, once durable.
    pub(crate) async fn report(
        &self,
        key: &TwinKey,
        patch: Bytes,
        if_version: Option<u64>,
        api: ApiVersion,
    ) -> Result<u64, Refusal> {
        todo!()
    }

    /// Any call of the service API (already authorised); writes answer once durable.
    pub(crate) async fn call(&self, call: rest::Call, api: ApiVersion) -> Result<rest::Answer, Refusal> {
        todo!()
    }

    /// A device connected: takes over from an earlier connection (which hears [`Notice::TakenOver`]), finds its kept
    /// session or (clean) forgets it. Notices come through `notices`, which is bounded: when it is full, the
    /// connection is dropped rather than waited for — a device that cannot read re-GETs after reconnecting.
    pub(crate) async fn attach(
        &self,
        key: &TwinKey,
        clean_session: bool,
        model_id: Option<String>,
        notices: mpsc::Sender<Notice>,
    ) -> Result<Attachment, Refusal> {
        todo!()
    }

    /// Waits until everything acknowledged is on disk, then stops the writer.
    pub(crate) async fn shutdown(&self) {
        todo!()
    }

    /// Copies a consistent state into `target` while running.
    pub(crate) async fn backup(&self, target: PathBuf) -> Result<()> {
        todo!()
    }
}

impl Attachment {
    /// Subscribes to a channel; durable for kept sessions before it returns. From here on notices flow.
    pub(crate) async fn subscribe(&self, channel: Channel) -> Result<(), Refusal> {
        todo!()
    }
    /// Unsubscribes.
    pub(crate) async fn unsubscribe(&self, channel: Channel) -> Result<(), Refusal> {
        todo!()
    }
    /// The device said something: moves lastActivityTime.
    pub(crate) fn touch(&self) {
        todo!()
    }
    /// A D2C message was accepted: counted in the metrics.
    pub(crate) fn count_telemetry(&self, bytes: usize) {
        todo!()
    }
}
