//! Refusals with the service's numbers and words.
//!
//! Numbers and names: IoT Hub "troubleshoot error codes", .NET SDK `ErrorCode.cs`.

use twin_core::TwinKey;
use twin_core::wire::{HubCode, Refusal};

/// No such device or module. Node tells a missing device by `DeviceNotFound` in the body.
pub(crate) fn not_found(key: &TwinKey) -> Refusal {
    match &key.module {
        None => Refusal::new(
            HubCode::DEVICE_NOT_FOUND,
            format!("The device '{}' is not registered with this hub.", key.device),
        ),
        Some(module) => Refusal::new(
            HubCode::MODULE_NOT_FOUND,
            format!("The module '{module}' on device '{}' is not registered with this hub.", key.device),
        ),
    }
}

/// Created twice.
pub(crate) fn exists(key: &TwinKey) -> Refusal {
    match &key.module {
        None => Refusal::new(
            HubCode::DEVICE_ALREADY_EXISTS,
            format!("A device with ID '{}' is already registered.", key.device),
        ),
        Some(module) => Refusal::new(
            HubCode::MODULE_ALREADY_EXISTS_ON_DEVICE,
            format!("A module with ID '{module}' is already registered on device '{}'.", key.device),
        ),
    }
}

/// The etag in If-Match is not the current one.
pub(crate) fn stale(what: &str, given: &str, current: &str) -> Refusal {
    Refusal::new(
        HubCode::PRECONDITION_FAILED,
        format!(
            "The etag '{given}' in the request does not match the {what}'s etag '{current}', as RFC 7232 asks; \
             read it again and repeat the change"
        ),
    )
}

/// The `$version` a device named is not the current one.
pub(crate) fn stale_version(given: u64, current: u64) -> Refusal {
    Refusal::new(
        HubCode::PRECONDITION_FAILED,
        format!("The reported properties are at $version {current}, not at {given}"),
    )
}

/// Too many modules.
pub(crate) fn too_many_modules(key: &TwinKey) -> Refusal {
    Refusal::new(
        HubCode::TOO_MANY_MODULES_ON_DEVICE,
        format!(
            "The device '{}' has {} modules already; no more are allowed",
            key.device,
            super::MAX_MODULES
        ),
    )
}

/// Something in the request cannot be.
pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(HubCode::ARGUMENT_INVALID, message)
}

/// The body does not deserialise.
pub(crate) fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(HubCode::IOT_HUB_FORMAT_ERROR, message)
}

/// The device may not connect.
pub(crate) fn disabled(key: &TwinKey) -> Refusal {
    Refusal::new(HubCode::IOT_HUB_UNAUTHORIZED, format!("The device '{}' is disabled", key.device))
}

/// The credentials were changed after they were checked.
pub(crate) fn changed_credentials(key: &TwinKey) -> Refusal {
    Refusal::new(
        HubCode::IOT_HUB_UNAUTHORIZED,
        format!("The credentials of '{key}' were changed while it connected"),
    )
}

/// The hub cannot do it now.
pub(crate) fn unavailable(message: impl Into<String>) -> Refusal {
    Refusal::new(HubCode::SERVICE_UNAVAILABLE, message)
}

/// The hub failed while doing it.
pub(crate) fn failed(message: impl Into<String>) -> Refusal {
    Refusal::new(HubCode::SERVER_ERROR, message)
}
