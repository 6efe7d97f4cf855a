//! `twin_result`: the permanent numbers of [`ErrorKind`], and a block of C's own.

use std::ffi::c_char;

use twin_core::ErrorKind;

macro_rules! results {
    ($($name:ident)*) => {
        /// Every result, for the tables below and the tests.
        pub(crate) const ALL: &[(twin_result, &std::ffi::CStr)] = &[$((
            twin_result::$name,
            match std::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => panic!("a name without NUL"),
            },
        ),)*];
    };
}

/// How a call ended. The numbers are permanent; new ones may be added.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum twin_result {
    /// It worked; outputs are written.
    TWIN_OK = 0,
    /// The caller gave something that cannot be: a bad id, connection string, patch, query, option, pointer or handle.
    TWIN_INVALID_ARGUMENT = 1,
    /// The handle was closed by its owner; the call came too late.
    TWIN_CLOSED = 2,
    /// The caller gave up on the request before it ended.
    TWIN_CANCELLED = 3,
    /// The other side refused the credential: wrong key, expired token, unknown or disabled device.
    TWIN_UNAUTHORIZED = 4,
    /// The credential is good but may not do this, or a quota forbids it.
    TWIN_FORBIDDEN = 5,
    /// The device, module, job, path or JSON value does not exist.
    TWIN_NOT_FOUND = 6,
    /// What was to be created exists already.
    TWIN_ALREADY_EXISTS = 7,
    /// The etag or version that the caller named is not the current one.
    TWIN_PRECONDITION_FAILED = 8,
    /// The hub understood the request and refused its content (HTTP 400 and kin).
    TWIN_REJECTED = 9,
    /// A message, twin section or document is over its size limit.
    TWIN_TOO_LARGE = 10,
    /// The hub asks to slow down (HTTP 429).
    TWIN_THROTTLED = 11,
    /// The hub cannot serve now (HTTP 5xx, server unavailable).
    TWIN_UNAVAILABLE = 12,
    /// No answer within the time allowed.
    TWIN_TIMEOUT = 13,
    /// The connection could not be made or was lost.
    TWIN_NETWORK = 14,
    /// The TLS handshake failed: untrusted, expired or wrongly named certificate.
    TWIN_TLS = 15,
    /// The other side said something that its protocol does not allow.
    TWIN_PROTOCOL = 16,
    /// The operation, transport or option does not exist here.
    TWIN_NOT_SUPPORTED = 17,
    /// The hub's disk failed: full, locked by another process, damaged.
    TWIN_STORAGE = 18,
    /// A fault in this library; please report it.
    TWIN_INTERNAL = 19,
    /// A fault in this library, caught in time; the handle is closed. Please report it.
    TWIN_PANIC = 1000,
    /// The process forked after the library had started; the child must not use it (see the top of this file).
    TWIN_FORKED = 1001,
    /// There is no further row. Comes without an error handle.
    TWIN_END = 1002,
    /// As many asynchronous requests as one handle may have wait already.
    TWIN_BUSY = 1003,
}

results! {
    TWIN_OK TWIN_INVALID_ARGUMENT TWIN_CLOSED TWIN_CANCELLED TWIN_UNAUTHORIZED TWIN_FORBIDDEN TWIN_NOT_FOUND
    TWIN_ALREADY_EXISTS TWIN_PRECONDITION_FAILED TWIN_REJECTED TWIN_TOO_LARGE TWIN_THROTTLED TWIN_UNAVAILABLE
    TWIN_TIMEOUT TWIN_NETWORK TWIN_TLS TWIN_PROTOCOL TWIN_NOT_SUPPORTED TWIN_STORAGE TWIN_INTERNAL TWIN_PANIC
    TWIN_FORKED TWIN_END TWIN_BUSY
}

impl From<ErrorKind> for twin_result {
    fn from(kind: ErrorKind) -> Self {
        let found = ALL.iter().find(|(result, _)| *result as u32 == kind.number());
        found.map_or(twin_result::TWIN_INTERNAL, |(result, _)| *result)
    }
}

/// The name of a result, for logs: "TWIN_TIMEOUT".
///
/// result: any number; an unknown one gives "TWIN_UNKNOWN".
/// Returns text that ends in NUL and lives as long as the program; never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn twin_result_name(result: u32) -> *const c_char {
    let found = ALL.iter().find(|(known, _)| *known as u32 == result);
    found.map_or(c"TWIN_UNKNOWN", |(_, name)| name).as_ptr()
}

/// Whether the same call, made again later, may succeed.
///
/// result: any number; an unknown one may not.
#[unsafe(no_mangle)]
pub extern "C" fn twin_result_is_retryable(result: u32) -> bool {
    result == twin_result::TWIN_BUSY as u32
        || ErrorKind::ALL.iter().any(|kind| kind.number() == result && kind.is_retryable())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_number_and_name() {
        for kind in ErrorKind::ALL {
            let result = twin_result::from(*kind);
            assert_eq!(result as u32, kind.number());
            let name = format!("{result:?}").replace("TWIN", "").replace('_', "").to_lowercase();
            assert_eq!(name, kind.name().to_lowercase());
        }
        for (result, name) in ALL {
            assert_eq!(name.to_str().unwrap(), format!("{result:?}"));
        }
    }
}
