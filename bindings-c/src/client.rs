//! Devices and modules: make, open, read, report, close.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::sync::Arc;

use serde_json::{Value, json};
use twin_core::Error;
use twin_device::{DeviceClient, DeviceTwin, ModuleClient, Reported, State};

use crate::boundary::{Failure, guard, needed};
use crate::desk::Desk;
use crate::error::twin_error;
use crate::handle::Table;
use crate::options::{self, twin_client_options};
use crate::result::twin_result;
use crate::runtime::{runtime, tidy_heap, wait};
use crate::string::{give, twin_str, twin_string};
use crate::watch::Watches;

/// A device or a module. Made by twin_client_new, ended by twin_client_close. A value that may be copied and used on any
/// thread; using it after it was closed is the result TWIN_CLOSED. {0} is no client.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct twin_client {
    /// The library's business.
    pub id: u64,
}

/// The state of a connection.
#[repr(u32)]
#[derive(Clone, Copy)]
pub enum twin_state {
    /// No connection; a callback's retry_in_ms tells whether another attempt follows.
    TWIN_STATE_DISCONNECTED = 1,
    /// One is being made.
    TWIN_STATE_CONNECTING = 2,
    /// Connected.
    TWIN_STATE_CONNECTED = 3,
    /// Closed by its owner, for good.
    TWIN_STATE_CLOSED = 4,
}

impl twin_state {
    pub(crate) fn of(state: &State) -> Self {
        match state {
            State::Disconnected { .. } => twin_state::TWIN_STATE_DISCONNECTED,
            State::Connecting => twin_state::TWIN_STATE_CONNECTING,
            State::Connected => twin_state::TWIN_STATE_CONNECTED,
            State::Closed => twin_state::TWIN_STATE_CLOSED,
        }
    }
}

/// A client of either kind.
#[derive(Clone)]
pub(crate) enum Either {
    Device(DeviceClient),
    Module(ModuleClient),
}

/// What a handle stands for.
pub(crate) struct Held {
    pub(crate) client: Either,
    pub(crate) desk: Arc<Desk>,
    pub(crate) watches: Watches,
}

pub(crate) static CLIENTS: Table<Held> = Table::new(0xc1, "client");

macro_rules! each {
    ($either:expr, $client:ident => $do:expr) => {
        match $either {
            $crate::client::Either::Device($client) => $do,
            $crate::client::Either::Module($client) => $do,
        }
    };
}
pub(crate) use each;

impl Either {
    pub(crate) async fn open(&self) -> Result<(), Error> {
        each!(self, client => client.open().await)
    }

    pub(crate) async fn twin(&self) -> Result<DeviceTwin, Error> {
        each!(self, client => client.twin().await)
    }

    pub(crate) async fn report(&self, patch: Value, if_version: Option<u64>) -> Result<Reported, Error> {
        each!(self, client => match if_version {
            None => client.report(patch).await,
            Some(version) => client.report_if_version(patch, version).await,
        })
    }

    async fn close(&self) -> Result<(), Error> {
        each!(self, client => client.close().await)
    }
}

/// The twin as the device receives it: {"desired":{...,"$version":n},"reported":{...,"$version":n}}.
pub(crate) fn twin_text(twin: &DeviceTwin) -> String {
    let section = |of: &twin_core::twin::DeviceSection| {
        let mut members = of.value.clone();
        members.insert("$version".into(), json!(of.version));
        members
    };
    json!({"desired": section(&twin.desired), "reported": section(&twin.reported)}).to_string()
}

/// Makes a client of a device or module. Connects to nothing yet: that begins with twin_client_open or any request.
///
/// options: in, not NULL.
/// out: out, not NULL.
/// error: out, may be NULL.
/// Results: TWIN_INVALID_ARGUMENT, whose message names the option and its rule; TWIN_NOT_SUPPORTED: a transport, flag or
/// option that this version does not have.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_new(
    options: *const twin_client_options,
    out: Option<&mut MaybeUninit<twin_client>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(out, "out")?;
        let options = options::copy(options)?;
        // Some of it wants a runtime around it.
        let _inside = runtime()?.enter();
        let (client, polled) = options::client(&options)?;
        tidy_heap();
        let held = Held { client, desk: Desk::new(polled)?, watches: Watches::default() };
        out.write(twin_client { id: CLIENTS.keep(held) });
        Ok(())
    })
}

/// Connects, and stays connected from now on, through lost connections and renewed tokens. Not needed before other
/// requests, which connect as well: it tells early whether the credential is good.
///
/// client: in.
/// timeout_ms: in, milliseconds; 0: the client's request timeout. After TWIN_TIMEOUT the client goes on trying.
/// error: out, may be NULL.
/// Results: TWIN_UNAUTHORIZED, TWIN_TLS and others that stay until somebody changes something; TWIN_TIMEOUT; TWIN_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_open(
    client: twin_client,
    timeout_ms: u32,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        CLIENTS.with(client.id, |held| {
            let client = held.client.clone();
            wait(timeout_ms, async move { Ok(client.open().await?) })
        })
    })
}

/// Reads the twin, as the device sees it.
///
/// client: in.
/// timeout_ms: in, milliseconds; 0: the client's request timeout.
/// twin: out, not NULL: {"desired":{...,"$version":n},"reported":{...,"$version":n}}; free with twin_string_free.
/// error: out, may be NULL.
/// Results: what the hub answered; TWIN_TIMEOUT; TWIN_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_get_twin(
    client: twin_client,
    timeout_ms: u32,
    twin: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(twin, "twin")?;
        let twin = CLIENTS.with(client.id, |held| {
            let client = held.client.clone();
            wait(timeout_ms, async move { Ok(client.twin().await?) })
        })?;
        give(Some(out), &twin_text(&twin))
    })
}

/// Merges a patch into the reported properties: its members are set, those that are null are removed, all others stay.
/// Reports take effect in the order in which they were made; one that gets no answer is sent again.
///
/// client: in.
/// patch: in, a JSON object.
/// timeout_ms: in, milliseconds; 0: the client's request timeout.
/// version: out, may be NULL: the new reported $version; 0 where the hub did not tell it.
/// error: out, may be NULL; its delivery tells whether the hub may have taken the report.
/// Results: TWIN_INVALID_ARGUMENT, TWIN_TOO_LARGE and kin before anything is sent, with the member and the rule; what the
/// hub answered; TWIN_TIMEOUT; TWIN_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_report(
    client: twin_client,
    patch: twin_str,
    timeout_ms: u32,
    version: Option<&mut MaybeUninit<u64>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || report(client, patch, None, timeout_ms, version))
}

/// twin_client_report, if the $version of the reported properties still is `if_version`. Never sent twice.
///
/// client, patch, timeout_ms, version, error: as for twin_client_report.
/// if_version: in, the $version that the program knows.
/// Results: as for twin_client_report, and TWIN_PRECONDITION_FAILED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_report_if_version(
    client: twin_client,
    patch: twin_str,
    if_version: u64,
    timeout_ms: u32,
    version: Option<&mut MaybeUninit<u64>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || report(client, patch, Some(if_version), timeout_ms, version))
}

fn report(
    client: twin_client,
    patch: twin_str,
    if_version: Option<u64>,
    timeout_ms: u32,
    out: Option<&mut MaybeUninit<u64>>,
) -> Result<(), Failure> {
    let reported = CLIENTS.with(client.id, |held| {
        let (client, patch) = (held.client.clone(), patch.json("the patch")?);
        wait(timeout_ms, async move { Ok(client.report(patch, if_version).await?) })
    })?;
    if let Some(out) = out {
        out.write(reported.version.unwrap_or(0));
    }
    Ok(())
}

/// Replaces the token that the device was given (sas_token, or SharedAccessSignature in the connection string).
///
/// client: in.
/// token: in, "SharedAccessSignature sr=...".
/// error: out, may be NULL.
/// Results: TWIN_INVALID_ARGUMENT if it is no token, or the device has a key or certificate; TWIN_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_update_sas(
    client: twin_client,
    token: twin_str,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        CLIENTS.with(client.id, |held| {
            let token = token.text("the token")?;
            let _inside = runtime()?.enter();
            Ok(each!(&held.client, client => client.update_sas(token))?)
        })
    })
}

/// The state of the connection now.
///
/// client: in.
/// state: out, not NULL: a twin_state.
/// error: out, may be NULL.
/// Results: TWIN_CLOSED once the handle is closed.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_state(
    client: twin_client,
    state: Option<&mut MaybeUninit<u32>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(state, "state")?;
        CLIENTS.with(client.id, |held| {
            out.write(twin_state::of(&each!(&held.client, client => client.state())) as u32);
            Ok(())
        })
    })
}

/// The descriptor of a client that was made with TWIN_FLAG_OWN_LOOP: readable (POLLIN) while callbacks wait. Do not read
/// from it or close it; it is closed some time after twin_client_close, so take it out of the loop before.
///
/// client: in.
/// descriptor: out, not NULL.
/// error: out, may be NULL.
/// Results: TWIN_INVALID_ARGUMENT without the flag; TWIN_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_fd(
    client: twin_client,
    descriptor: Option<&mut MaybeUninit<c_int>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(descriptor, "descriptor")?;
        CLIENTS.with(client.id, |held| {
            out.write(held.desk.descriptor()?);
            Ok(())
        })
    })
}

/// Makes the callbacks that wait, on this thread. Does not wait for any.
///
/// client: in.
/// made: out, may be NULL: how many.
/// error: out, may be NULL.
/// Results: TWIN_INVALID_ARGUMENT without TWIN_FLAG_OWN_LOOP; TWIN_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_poll(
    client: twin_client,
    made: Option<&mut MaybeUninit<u32>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let count = CLIENTS.get(client.id)?.desk.poll()?;
        if let Some(made) = made {
            made.write(count);
        }
        Ok(())
    })
}

/// Ends every request (TWIN_CLOSED), says goodbye to the hub, and ends the handle. When it has returned, no callback of this
/// client comes any more; called from a callback of the client, the ends of asynchronous requests come after that one has
/// returned. With TWIN_FLAG_OWN_LOOP they are made inside of this call.
///
/// client: in.
/// timeout_ms: in, milliseconds, how long the goodbye may take; 0: no limit of its own. The handle ends in any case.
/// error: out, may be NULL.
/// Results: TWIN_CLOSED if it was closed before; TWIN_TIMEOUT if the hub did not hear the goodbye.
#[unsafe(no_mangle)]
pub extern "C" fn twin_client_close(
    client: twin_client,
    timeout_ms: u32,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let held = CLIENTS.remove(client.id)?;
        held.watches.end();
        let client = held.client.clone();
        let said = wait(timeout_ms, async move { Ok(client.close().await?) });
        held.desk.close()?;
        said
    })
}
