//! The one Tokio runtime of the process, started by the first connection.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

/// Threads that drive connections. Twins are small: two are enough to keep a slow handshake from delaying others.
const WORKERS: usize = 2;

/// Started when first used, and never stopped: it is shared by all isolates, which end at different times.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("twin")
            .enable_all()
            .build()
            .expect("the system has threads")
    })
}
