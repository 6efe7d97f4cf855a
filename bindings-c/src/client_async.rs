//! A device's or module's requests with a callback at the end.

use std::ffi::c_void;
use std::mem::MaybeUninit;

use crate::boundary::guard;
use crate::client::{CLIENTS, twin_client, twin_text};
use crate::desk::{Gift, twin_done_fn};
use crate::error::twin_error;
use crate::result::twin_result;
use crate::string::twin_str;

/// twin_client_open in the background.
///
/// client: in.
/// timeout_ms: in, milliseconds; 0: the client's request timeout.
/// done: in, not NULL: called once, unless this call fails.
/// userdata: in, may be NULL: handed to `done`.
/// error: out, may be NULL: why the request was not accepted.
/// Results: TWIN_OK: accepted; TWIN_BUSY: 1024 requests wait already; TWIN_INVALID_ARGUMENT; TWIN_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_open_async(
    client: twin_client,
    timeout_ms: u32,
    done: twin_done_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        CLIENTS.with(client.id, |held| {
            let client = held.client.clone();
            held.desk.begin(timeout_ms, done, userdata, async move {
                client.open().await?;
                Ok(Gift::default())
            })
        })
    })
}

/// twin_client_get_twin in the background; `done` gets the twin as JSON.
///
/// Arguments and results: as for twin_client_open_async.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_get_twin_async(
    client: twin_client,
    timeout_ms: u32,
    done: twin_done_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        CLIENTS.with(client.id, |held| {
            let client = held.client.clone();
            held.desk.begin(timeout_ms, done, userdata, async move {
                Ok(Gift { json: Some(twin_text(&client.twin().await?)), version: 0 })
            })
        })
    })
}

/// twin_client_report in the background; `done` gets the version.
///
/// patch: in, a JSON object; copied.
/// Other arguments and results: as for twin_client_open_async.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_report_async(
    client: twin_client,
    patch: twin_str,
    timeout_ms: u32,
    done: twin_done_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        CLIENTS.with(client.id, |held| {
            let (client, patch) = (held.client.clone(), patch.json("the patch")?);
            held.desk.begin(timeout_ms, done, userdata, async move {
                let reported = client.report(patch, None).await?;
                Ok(Gift { json: None, version: reported.version.unwrap_or(0) })
            })
        })
    })
}
