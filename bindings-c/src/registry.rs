//! Backends: identities and twins.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::sync::Arc;

use twin_core::{ETag, Error, HostName, TwinKey};
use twin_service::{Identity, IfMatch, Registry, TwinChange};

use crate::boundary::{Failure, guard, needed};
use crate::desk::Desk;
use crate::error::twin_error;
use crate::handle::Table;
use crate::options::{self, twin_registry_options};
use crate::result::twin_result;
use crate::runtime::{runtime, tidy_heap, wait};
use crate::string::{give, twin_str, twin_string};

/// A hub's service side. Made by twin_registry_new, ended by twin_registry_close; used like a twin_client.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct twin_registry {
    /// The library's business.
    pub id: u64,
}

/// What a handle stands for.
pub(crate) struct Held {
    pub(crate) registry: Registry,
    pub(crate) desk: Arc<Desk>,
}

pub(crate) static REGISTRIES: Table<Held> = Table::new(0x4e, "registry");

/// A request of a backend, with everything it needs copied.
pub(crate) enum Request {
    Create(Box<Identity>),
    Get(TwinKey),
    Update(Box<Identity>, Option<ETag>),
    Delete(TwinKey, Option<ETag>),
    Twin(TwinKey),
    UpdateTwin(TwinKey, TwinChange, Option<ETag>),
    ReplaceTwin(TwinKey, TwinChange, Option<ETag>),
}

impl Request {
    /// Makes the request; gives the document that the hub answered.
    pub(crate) async fn send(self, registry: Registry) -> Result<Option<String>, Error> {
        let document = match &self {
            Request::Create(identity) => registry.create(identity).await?.to_json(),
            Request::Get(key) => registry.get(key).await?.to_json(),
            Request::Update(identity, etag) => registry.update(identity, guarded(etag)).await?.to_json(),
            Request::Delete(key, etag) => {
                registry.delete(key, guarded(etag)).await?;
                return Ok(None);
            }
            Request::Twin(key) => registry.twin(key).await?.to_json(),
            Request::UpdateTwin(key, change, etag) => {
                registry.update_twin(key, change, guarded(etag)).await?.to_json()
            }
            Request::ReplaceTwin(key, change, etag) => {
                registry.replace_twin(key, change, guarded(etag)).await?.to_json()
            }
        };
        Ok(Some(document.to_string()))
    }
}

fn guarded(etag: &Option<ETag>) -> IfMatch<'_> {
    etag.as_ref().map_or(IfMatch::Force, IfMatch::ETag)
}

pub(crate) fn key(device_id: twin_str, module_id: twin_str) -> Result<TwinKey, Failure> {
    let device = device_id.text("device_id")?;
    Ok(match module_id.optional("module_id")? {
        None => TwinKey::device(device)?,
        Some(module) => TwinKey::module(device, module)?,
    })
}

pub(crate) fn etag(text: twin_str) -> Result<Option<ETag>, Failure> {
    Ok(text.optional("etag")?.map(ETag::new))
}

pub(crate) fn change(text: twin_str) -> Result<TwinChange, Failure> {
    Ok(TwinChange::from_json(text.json("the change")?)?)
}

pub(crate) fn identity(text: twin_str) -> Result<Box<Identity>, Failure> {
    Ok(Box::new(Identity::from_json(text.json("the identity")?)?))
}

/// A blocking request whose answer may be left aside.
fn ask(
    registry: twin_registry,
    timeout_ms: u32,
    out: Option<&mut MaybeUninit<twin_string>>,
    request: impl FnOnce() -> Result<Request, Failure>,
) -> Result<(), Failure> {
    let document = REGISTRIES.with(registry.id, |held| {
        let (registry, request) = (held.registry.clone(), request()?);
        wait(timeout_ms, async move { Ok(request.send(registry).await?) })
    })?;
    match (out, document) {
        (Some(out), Some(document)) => give(Some(out), &document),
        _ => Ok(()),
    }
}

/// Makes a registry. Connects to nothing yet.
///
/// options: in, not NULL.
/// out: out, not NULL.
/// error: out, may be NULL.
/// Results: TWIN_INVALID_ARGUMENT, whose message names the option and its rule; TWIN_NOT_SUPPORTED.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_new(
    options: *const twin_registry_options,
    out: Option<&mut MaybeUninit<twin_registry>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(out, "out")?;
        let options = options::copy(options)?;
        let _inside = runtime()?.enter();
        let (registry, polled) = options::registry(&options)?;
        tidy_heap();
        out.write(twin_registry { id: REGISTRIES.keep(Held { registry, desk: Desk::new(polled)? }) });
        Ok(())
    })
}

/// Creates a device or module with its twin; the hub makes its keys.
///
/// registry: in.
/// device_id: in.
/// module_id: in; no text: a device.
/// timeout_ms: in, milliseconds; 0: the registry's own limits. So everywhere here.
/// identity: out, may be NULL: the identity as JSON, keys included: a secret. Free with twin_string_free.
/// error: out, may be NULL.
/// Results: TWIN_ALREADY_EXISTS; TWIN_NOT_FOUND if a module's device is not there; what the hub answered.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_create(
    registry: twin_registry,
    device_id: twin_str,
    module_id: twin_str,
    timeout_ms: u32,
    identity: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        ask(registry, timeout_ms, identity, || {
            Ok(Request::Create(Box::new(Identity::new(key(device_id, module_id)?))))
        })
    })
}

/// Creates what an identity document says: keys of its own, thumbprints, disabled, edge.
///
/// document: in, JSON as IoT Hub's REST interface has it: {"deviceId":"...","authentication":{...}}.
/// Other arguments and results: as for twin_registry_create.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_create_from(
    registry: twin_registry,
    document: twin_str,
    timeout_ms: u32,
    identity: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || ask(registry, timeout_ms, identity, || Ok(Request::Create(self::identity(document)?))))
}

/// Reads an identity.
///
/// Arguments: as for twin_registry_create. Results: TWIN_NOT_FOUND; what the hub answered.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_get(
    registry: twin_registry,
    device_id: twin_str,
    module_id: twin_str,
    timeout_ms: u32,
    identity: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || ask(registry, timeout_ms, identity, || Ok(Request::Get(key(device_id, module_id)?))))
}

/// Writes an identity that exists: status, keys, capabilities.
///
/// document: in, JSON, as twin_registry_get gave it and changed.
/// etag: in: only if this is the current one; no text: in any case.
/// Other arguments: as for twin_registry_create. Results: TWIN_PRECONDITION_FAILED; TWIN_NOT_FOUND; what the hub answered.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_update(
    registry: twin_registry,
    document: twin_str,
    etag: twin_str,
    timeout_ms: u32,
    identity: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        ask(registry, timeout_ms, identity, || {
            Ok(Request::Update(self::identity(document)?, self::etag(etag)?))
        })
    })
}

/// Deletes a device with its modules, or a module; their twins go with them.
///
/// etag: in: only if this is the identity's current one; no text: in any case.
/// Other arguments: as for twin_registry_create. Results: TWIN_NOT_FOUND; TWIN_PRECONDITION_FAILED; what the hub answered.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_delete(
    registry: twin_registry,
    device_id: twin_str,
    module_id: twin_str,
    etag: twin_str,
    timeout_ms: u32,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        ask(registry, timeout_ms, None, || Ok(Request::Delete(key(device_id, module_id)?, self::etag(etag)?)))
    })
}

/// Reads a twin, as the backend sees it: tags, desired and reported properties, metadata, etag.
///
/// twin: out, may be NULL: JSON; free with twin_string_free.
/// Other arguments: as for twin_registry_create. Results: TWIN_NOT_FOUND; what the hub answered.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_get_twin(
    registry: twin_registry,
    device_id: twin_str,
    module_id: twin_str,
    timeout_ms: u32,
    twin: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || ask(registry, timeout_ms, twin, || Ok(Request::Twin(key(device_id, module_id)?))))
}

/// Merges a patch into a twin; null removes a member.
///
/// change: in, JSON: {"tags":{...},"properties":{"desired":{...}}}, either of the two or both.
/// etag: in: only if this is the twin's current one; no text: in any case.
/// twin: out, may be NULL: the twin as it is then, JSON; free with twin_string_free.
/// Other arguments: as for twin_registry_create.
/// Results: TWIN_INVALID_ARGUMENT, TWIN_TOO_LARGE and kin before anything is sent; TWIN_PRECONDITION_FAILED; TWIN_NOT_FOUND.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_update_twin(
    registry: twin_registry,
    device_id: twin_str,
    module_id: twin_str,
    change: twin_str,
    etag: twin_str,
    timeout_ms: u32,
    twin: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        ask(registry, timeout_ms, twin, || {
            Ok(Request::UpdateTwin(key(device_id, module_id)?, self::change(change)?, self::etag(etag)?))
        })
    })
}

/// Replaces tags and desired properties as a whole: what `change` does not have goes.
///
/// Arguments and results: as for twin_registry_update_twin; no nulls.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_replace_twin(
    registry: twin_registry,
    device_id: twin_str,
    module_id: twin_str,
    change: twin_str,
    etag: twin_str,
    timeout_ms: u32,
    twin: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        ask(registry, timeout_ms, twin, || {
            Ok(Request::ReplaceTwin(key(device_id, module_id)?, self::change(change)?, self::etag(etag)?))
        })
    })
}

/// The connection string with which the device or module of an identity connects.
///
/// host_name: in, the hub's.
/// document: in, the identity as JSON.
/// connection_string: out, not NULL: a secret. Free with twin_string_free.
/// error: out, may be NULL.
/// Results: TWIN_INVALID_ARGUMENT; TWIN_NOT_FOUND: the identity has nothing to connect with.
#[unsafe(no_mangle)]
pub extern "C" fn twin_identity_connection_string(
    host_name: twin_str,
    document: twin_str,
    connection_string: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(connection_string, "connection_string")?;
        let host = HostName::new(host_name.text("host_name")?)?;
        let found = identity(document)?.connection_string(&host).ok_or_else(|| {
            Error::new(
                twin_core::ErrorKind::NotFound,
                "the identity has no key and no certificate to connect with",
            )
        })?;
        give(Some(out), &found.expose())
    })
}

/// The descriptor of a registry that was made with TWIN_FLAG_OWN_LOOP; see twin_client_fd.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_fd(
    registry: twin_registry,
    descriptor: Option<&mut MaybeUninit<c_int>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(descriptor, "descriptor")?;
        out.write(REGISTRIES.get(registry.id)?.desk.descriptor()?);
        Ok(())
    })
}

/// Makes the callbacks that wait, on this thread; see twin_client_poll.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_poll(
    registry: twin_registry,
    made: Option<&mut MaybeUninit<u32>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let count = REGISTRIES.get(registry.id)?.desk.poll()?;
        if let Some(made) = made {
            made.write(count);
        }
        Ok(())
    })
}

/// Ends a registry: asynchronous requests end with TWIN_CLOSED, and as for twin_client_close no callback comes afterwards. Its
/// queries live on until they are closed.
///
/// registry: in.
/// error: out, may be NULL.
/// Results: TWIN_CLOSED if it was closed before.
#[unsafe(no_mangle)]
pub extern "C" fn twin_registry_close(
    registry: twin_registry,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || REGISTRIES.remove(registry.id)?.desk.close())
}
