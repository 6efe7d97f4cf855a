//! Queries, row by row.

use std::ffi::c_void;
use std::future::Future;
use std::mem::MaybeUninit;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Mutex;
use twin_core::ErrorKind;
use twin_service::Rows;

use crate::boundary::{Failure, guard, needed};
use crate::desk::{Desk, Gift, twin_done_fn};
use crate::error::twin_error;
use crate::handle::Table;
use crate::registry::{REGISTRIES, twin_registry};
use crate::result::twin_result;
use crate::runtime::wait;
use crate::string::{give, twin_str, twin_string};

/// The rows of a query. Made by twin_registry_query, ended by twin_query_close.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct twin_query {
    /// The library's business.
    pub id: u64,
}

struct Held {
    rows: Arc<Mutex<Rows<Value>>>,
    /// the registry's: callbacks come where its own do
    desk: Arc<Desk>,
}

impl Held {
    /// The next row as text; none: there is no further one.
    fn next(&self) -> impl Future<Output = Result<Option<String>, Failure>> + Send + use<> {
        let rows = self.rows.clone();
        async move { Ok(rows.lock().await.next().await.transpose()?.map(|row| row.to_string())) }
    }
}

static QUERIES: Table<Held> = Table::new(0x9e, "query");

/// No error: it comes without an error handle.
fn end() -> Failure {
    Failure::of(twin_result::TWIN_END, ErrorKind::NotFound, "there is no further row")
}

/// Begins a query. Nothing is asked of the hub yet.
///
/// registry: in.
/// text: in, "SELECT * FROM devices WHERE tags.plant = 'Redmond43'".
/// page_size: in, rows that one request brings, 1 to 10,000; 0: as the hub likes.
/// out: out, not NULL.
/// error: out, may be NULL.
/// Results: TWIN_INVALID_ARGUMENT; TWIN_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_query(
    registry: twin_registry,
    text: twin_str,
    page_size: u32,
    out: Option<&mut MaybeUninit<twin_query>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(out, "out")?;
        REGISTRIES.with(registry.id, |held| {
            let query = held.registry.query(text.text("the query")?);
            let query = if page_size == 0 { query } else { query.page_size(page_size) };
            let query = Held { rows: Arc::new(Mutex::new(query.rows())), desk: held.desk.clone() };
            out.write(twin_query { id: QUERIES.keep(query) });
            Ok(())
        })
    })
}

/// The next row. Fetches a page when the one before is used up. Several threads may share a query: each row comes once.
///
/// query: in.
/// timeout_ms: in, milliseconds; 0: the registry's own limits. After TWIN_TIMEOUT the same row may be asked for again.
/// row: out, not NULL: JSON, a twin or what the query selects; free with twin_string_free.
/// error: out, may be NULL; not written for TWIN_END.
/// Results: TWIN_END: there is no further row; TWIN_REJECTED and kin: what the hub answered, after which nothing follows.
#[unsafe(no_mangle)]
pub extern "C" fn twin_query_next(
    query: twin_query,
    timeout_ms: u32,
    row: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(row, "row")?;
        let row = QUERIES.with(query.id, |held| wait(timeout_ms, held.next()))?;
        give(Some(out), &row.ok_or_else(end)?)
    })
}

/// twin_query_next in the background, as one of the registry's requests; `done` gets the row as JSON, or TWIN_END.
///
/// query: in. One that is closed meanwhile still gets its row.
/// timeout_ms, done, userdata, error and results: as for twin_client_open_async; TWIN_CLOSED once the registry is closed, too.
#[unsafe(no_mangle)]
pub extern "C" fn twin_query_next_async(
    query: twin_query,
    timeout_ms: u32,
    done: twin_done_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        QUERIES.with(query.id, |held| {
            let next = held.next();
            held.desk.begin(timeout_ms, done, userdata, async move {
                Ok(Gift { json: Some(next.await?.ok_or_else(end)?), version: 0 })
            })
        })
    })
}

/// Ends a query.
///
/// query: in.
/// error: out, may be NULL.
/// Results: TWIN_CLOSED if it was closed before.
#[unsafe(no_mangle)]
pub extern "C" fn twin_query_close(
    query: twin_query,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || QUERIES.remove(query.id).map(drop))
}
