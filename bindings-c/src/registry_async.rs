//! A backend's requests with a callback at the end.

use std::ffi::c_void;
use std::mem::MaybeUninit;

use crate::boundary::{Failure, guard};
use crate::desk::{Gift, twin_done_fn};
use crate::error::twin_error;
use crate::registry::{REGISTRIES, Request, change, etag, identity, key, twin_registry};
use crate::result::twin_result;
use crate::string::twin_str;
use twin_service::Identity;

fn begin(
    registry: twin_registry,
    timeout_ms: u32,
    done: twin_done_fn,
    userdata: *mut c_void,
    request: impl FnOnce() -> Result<Request, Failure>,
) -> Result<(), Failure> {
    REGISTRIES.with(registry.id, |held| {
        let (registry, request) = (held.registry.clone(), request()?);
        held.desk.begin(timeout_ms, done, userdata, async move {
            Ok(Gift { json: request.send(registry).await?, version: 0 })
        })
    })
}

/// twin_registry_create in the background; `done` gets the identity as JSON, keys included: a secret.
///
/// done, userdata, error and results: as for twin_client_open_async.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_create_async(
    registry: twin_registry,
    device_id: twin_str,
    module_id: twin_str,
    timeout_ms: u32,
    done: twin_done_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        begin(registry, timeout_ms, done, userdata, || {
            Ok(Request::Create(Box::new(Identity::new(key(device_id, module_id)?))))
        })
    })
}

/// twin_registry_create_from in the background; `done` gets the identity as JSON, keys included: a secret.
///
/// done, userdata, error and results: as for twin_client_open_async.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_create_from_async(
    registry: twin_registry,
    document: twin_str,
    timeout_ms: u32,
    done: twin_done_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || begin(registry, timeout_ms, done, userdata, || Ok(Request::Create(identity(document)?))))
}

/// twin_registry_get in the background; `done` gets the identity as JSON, keys included: a secret.
///
/// done, userdata, error and results: as for twin_client_open_async.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_get_async(
    registry: twin_registry,
    device_id: twin_str,
    module_id: twin_str,
    timeout_ms: u32,
    done: twin_done_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        begin(registry, timeout_ms, done, userdata, || Ok(Request::Get(key(device_id, module_id)?)))
    })
}

/// twin_registry_update in the background; `done` gets the identity as JSON, keys included: a secret.
///
/// done, userdata, error and results: as for twin_client_open_async.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_update_async(
    registry: twin_registry,
    document: twin_str,
    etag: twin_str,
    timeout_ms: u32,
    done: twin_done_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        begin(registry, timeout_ms, done, userdata, || {
            Ok(Request::Update(identity(document)?, self::etag(etag)?))
        })
    })
}

/// twin_registry_delete in the background; `done` gets no JSON.
///
/// done, userdata, error and results: as for twin_client_open_async.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_delete_async(
    registry: twin_registry,
    device_id: twin_str,
    module_id: twin_str,
    etag: twin_str,
    timeout_ms: u32,
    done: twin_done_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        begin(registry, timeout_ms, done, userdata, || {
            Ok(Request::Delete(key(device_id, module_id)?, self::etag(etag)?))
        })
    })
}

/// twin_registry_get_twin in the background; `done` gets the twin as JSON.
///
/// done, userdata, error and results: as for twin_client_open_async.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_get_twin_async(
    registry: twin_registry,
    device_id: twin_str,
    module_id: twin_str,
    timeout_ms: u32,
    done: twin_done_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        begin(registry, timeout_ms, done, userdata, || Ok(Request::Twin(key(device_id, module_id)?)))
    })
}

/// twin_registry_update_twin in the background; `done` gets the twin as JSON.
///
/// done, userdata, error and results: as for twin_client_open_async.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_update_twin_async(
    registry: twin_registry,
    device_id: twin_str,
    module_id: twin_str,
    change: twin_str,
    etag: twin_str,
    timeout_ms: u32,
    done: twin_done_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        begin(registry, timeout_ms, done, userdata, || {
            Ok(Request::UpdateTwin(key(device_id, module_id)?, self::change(change)?, self::etag(etag)?))
        })
    })
}

/// twin_registry_replace_twin in the background; `done` gets the twin as JSON.
///
/// done, userdata, error and results: as for twin_client_open_async.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_replace_twin_async(
    registry: twin_registry,
    device_id: twin_str,
    module_id: twin_str,
    change: twin_str,
    etag: twin_str,
    timeout_ms: u32,
    done: twin_done_fn,
    userdata: *mut c_void,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        begin(registry, timeout_ms, done, userdata, || {
            Ok(Request::ReplaceTwin(key(device_id, module_id)?, self::change(change)?, self::etag(etag)?))
        })
    })
}
