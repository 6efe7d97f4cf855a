//! Queries, row by row.

use std::mem::MaybeUninit;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Mutex;
use twin_core::ErrorKind;
use twin_service::Rows;

use crate::boundary::{Failure, guard, needed};
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

static QUERIES: Table<Mutex<Rows<Value>>> = Table::new(0x9e, "query");

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
            out.write(twin_query { id: QUERIES.keep(Mutex::new(query.rows())) });
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
        let row = QUERIES.with(query.id, |rows| {
            let rows = Arc::clone(rows);
            wait(timeout_ms, async move { Ok(rows.lock().await.next().await.transpose()?) })
        })?;
        match row {
            Some(row) => give(Some(out), &row.to_string()),
            None => Err(Failure::of(twin_result::TWIN_END, ErrorKind::NotFound, "there is no further row")),
        }
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
