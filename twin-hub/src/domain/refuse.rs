//! Refusals with the service's numbers and words.
//!
//! Numbers and names: IoT Hub "troubleshoot error codes", .NET SDK `ErrorCode.cs`.

use twin_core::TwinKey;
use twin_core::twin::Violation;
use twin_core::wire::{HubCode, Refusal};

/// No such device or module. Node tells a missing device by `DeviceNotFound` in the body.
pub(crate) fn not_found(key: &TwinKey) -> Refusal {
    match &key.module {
        None => Refusal::new(
            codes::DEVICE_NOT_FOUND,
            format!("The device '{}' is not registered with this hub.", key.device),
        ),
        Some(module) => Refusal::new(
            codes::MODULE_NOT_FOUND,
            format!("The module '{module}' on device '{}' is not registered with this hub.", key.device),
        ),
    }
}

/// Created twice.
pub(crate) fn exists(key: &TwinKey) -> Refusal {
    match &key.module {
        None => Refusal::new(
            codes::DEVICE_ALREADY_EXISTS,
            format!("A device with ID '{}' is already registered.", key.device),
        ),
        Some(module) => Refusal::new(
            codes::MODULE_ALREADY_EXISTS_ON_DEVICE,
            format!("A module with ID '{module}' is already registered on device '{}'.", key.device),
        ),
    }
}

/// The etag in If-Match is not the current one.
pub(crate) fn stale(what: &str, given: &str, current: &str) -> Refusal {
    Refusal::new(
        codes::PRECONDITION_FAILED,
        format!(
            "The etag '{given}' in the request does not match the {what}'s etag '{current}', as RFC 7232 asks; \
             read it again and repeat the change"
        ),
    )
}

/// The `$version` a device named is not the current one.
pub(crate) fn stale_version(given: u64, current: u64) -> Refusal {
    Refusal::new(
        codes::PRECONDITION_FAILED,
        format!("The reported properties are at $version {current}, not at {given}"),
    )
}

/// Too many modules.
pub(crate) fn too_many_modules(key: &TwinKey) -> Refusal {
    Refusal::new(
        codes::TOO_MANY_MODULES_ON_DEVICE,
        format!(
            "The device '{}' has {} modules already; no more are allowed",
            key.device,
            super::MAX_MODULES
        ),
    )
}

/// Something in the request cannot be.
pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(codes::ARGUMENT_INVALID, message)
}

/// The body does not deserialise.
pub(crate) fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(codes::IOT_HUB_FORMAT_ERROR, message)
}

/// A rule of twins was broken.
pub(crate) fn violation(v: Violation) -> Refusal {
    Refusal::new(HubCode { status: v.status, number: v.code, name: v.code_name }, v.message)
}

/// The device may not connect.
pub(crate) fn disabled(key: &TwinKey) -> Refusal {
    Refusal::new(codes::IOT_HUB_UNAUTHORIZED, format!("The device '{}' is disabled", key.device))
}

/// The hub cannot do it now.
pub(crate) fn unavailable(message: impl Into<String>) -> Refusal {
    Refusal::new(codes::SERVICE_UNAVAILABLE, message)
}

/// The hub failed while doing it.
pub(crate) fn failed(message: impl Into<String>) -> Refusal {
    Refusal::new(codes::SERVER_ERROR, message)
}

/// The call is not served.
pub(crate) fn not_implemented(message: impl Into<String>) -> Refusal {
    Refusal::new(codes::NOT_IMPLEMENTED, message)
}

/// Rows of the service's error table.
pub(crate) use twin_core::wire::HubCode as codes;
