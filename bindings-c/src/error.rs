//! `twin_error`: what happened, beyond the result's number.

use std::ffi::CString;
use std::mem;
use std::mem::MaybeUninit;

use twin_core::{Delivery, Error};

use crate::boundary::{Failure, guard, needed};
use crate::handle::Table;
use crate::result::twin_result;
use crate::string::twin_str;

/// Everything known about a failure. Made by a failing call whose `error` is not NULL; read by twin_error_get; freed by
/// twin_error_free, or by the library after the callback that it was given to. {0} is no error.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct twin_error {
    /// The library's business.
    pub id: u64,
}

/// Whether the hub may have acted on a request that failed.
#[repr(u32)]
pub enum twin_delivery {
    /// Nothing is known: no request was involved.
    TWIN_DELIVERY_NONE = 0,
    /// The request never left: nothing can have happened.
    TWIN_DELIVERY_NOT_SENT = 1,
    /// The request left and no answer came: it may have happened.
    TWIN_DELIVERY_UNKNOWN = 2,
    /// The hub answered with a refusal: it did not happen.
    TWIN_DELIVERY_REFUSED = 3,
}

/// What twin_error_get tells. The texts belong to the error and live until it is freed.
#[repr(C)]
pub struct twin_error_info {
    /// What the failing call returned.
    pub result: u32,
    /// The status that the hub answered with (an HTTP status on every transport); 0: none.
    pub status: u32,
    /// The hub's numeric error code, for example 404001; 0: none.
    pub code: u32,
    /// A twin_delivery.
    pub delivery: u32,
    /// How long the hub asks to wait, in milliseconds; 0: it does not ask.
    pub retry_after_ms: u64,
    /// Whether the same call, made again later, may succeed.
    pub retryable: bool,
    /// For people; names the thing, the place and the rule. Never a secret.
    pub message: twin_str,
    /// The hub's symbolic error code, for example "DeviceNotFound"; {NULL, 0}: none.
    pub code_name: twin_str,
    /// The hub's tracking id, to quote when asking its operator; {NULL, 0}: none.
    pub tracking_id: twin_str,
}

struct Kept {
    result: twin_result,
    error: Error,
    message: CString,
    code_name: Option<CString>,
    tracking_id: Option<CString>,
}

static ERRORS: Table<Kept> = Table::new(0xe1, "error");

/// Makes a handle of a failure.
pub(crate) fn keep(failure: Failure) -> twin_error {
    let Failure { result, error } = failure;
    let kept = Kept {
        result,
        message: c_text(error.message()),
        code_name: error.code_name().map(c_text),
        tracking_id: error.tracking_id().map(c_text),
        error,
    };
    twin_error { id: ERRORS.keep(kept) }
}

/// Text that C can print; a NUL inside becomes a space.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

/// A view of text that is kept elsewhere.
pub(crate) fn lend(text: &CString) -> twin_str {
    twin_str { data: text.as_ptr(), len: text.as_bytes().len() }
}

/// Tells what an error is about.
///
/// error: in; one that has not been freed.
/// info_size: in; sizeof(twin_error_info): what of it the program knows. More than the library knows is left as it is.
/// info: out, not NULL.
/// Results: TWIN_OK; TWIN_CLOSED: it was freed; TWIN_INVALID_ARGUMENT: {0}, no error, a NULL or a size too small.
#[unsafe(no_mangle)]
pub extern "C" fn twin_error_get(
    error: twin_error,
    info_size: usize,
    info: Option<&mut MaybeUninit<twin_error_info>>,
) -> twin_result {
    guard(None, || {
        let info = needed(info, "info")?;
        if info_size < mem::size_of::<twin_error_info>() {
            return Err(Failure::invalid("info_size is smaller than any twin_error_info"));
        }
        let kept = ERRORS.get(error.id)?;
        let delivery = match kept.error.delivery() {
            Some(Delivery::NotSent) => twin_delivery::TWIN_DELIVERY_NOT_SENT,
            Some(Delivery::Unknown) => twin_delivery::TWIN_DELIVERY_UNKNOWN,
            Some(Delivery::Refused) => twin_delivery::TWIN_DELIVERY_REFUSED,
            _ => twin_delivery::TWIN_DELIVERY_NONE,
        };
        let wait = kept.error.retry_after().unwrap_or_default();
        info.write(twin_error_info {
            result: kept.result as u32,
            status: kept.error.status().map_or(0, u32::from),
            code: kept.error.code().unwrap_or(0),
            delivery: delivery as u32,
            retry_after_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            retryable: crate::result::twin_result_is_retryable(kept.result as u32),
            message: lend(&kept.message),
            code_name: kept.code_name.as_ref().map_or(twin_str::NONE, lend),
            tracking_id: kept.tracking_id.as_ref().map_or(twin_str::NONE, lend),
        });
        Ok(())
    })
}

/// Frees an error, and with it the texts that twin_error_get told. Freeing {0}, or twice, does nothing.
///
/// error: in.
#[unsafe(no_mangle)]
pub extern "C" fn twin_error_free(error: twin_error) {
    guard(None, || {
        // Nothing to tell: there is nobody to free an error about freeing an error.
        drop(ERRORS.remove(error.id));
        Ok(())
    });
}
