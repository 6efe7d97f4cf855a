//! The one Tokio runtime of the process, started by the first connection.

use std::future::pending;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle};

/// Started when first used, and never stopped: it is shared by all isolates, which end at different times.
///
/// One thread drives all connections. A second one would make throughput no better, as JavaScript is what limits it, and
/// each report slower: the two would hand tasks to each other, and a hand-over between threads costs more than the work.
pub(crate) fn runtime() -> &'static Handle {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("the system has descriptors");
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("twin".into())
            .spawn(move || runtime.block_on(pending::<()>()))
            .expect("the system has threads");
        handle
    })
}
