//! The guard around every export, and what every export does with its arguments.

use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

use twin_core::{Error, ErrorKind};

use crate::error::{self, twin_error};
use crate::result::twin_result;
use crate::runtime;

/// Where an output goes: a pointer of C's, NULL or to room that need not be initialised. Exports spell it out, for cbindgen.
pub(crate) type Out<'a, T> = Option<&'a mut MaybeUninit<T>>;

/// Why a call fails.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) result: twin_result,
    pub(crate) error: Error,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { result: error.kind().into(), error }
    }
}

impl Failure {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Error::invalid(message).into()
    }

    pub(crate) fn closed(what: &str) -> Self {
        Error::new(ErrorKind::Closed, format!("the {what} was closed")).into()
    }

    pub(crate) fn of(result: twin_result, kind: ErrorKind, message: &str) -> Self {
        Failure { result, error: Error::new(kind, message) }
    }

    pub(crate) fn panic() -> Self {
        Self::of(
            twin_result::TWIN_PANIC,
            ErrorKind::Internal,
            "a fault in libtwin was caught; what it happened to is closed. Please report it",
        )
    }
}

/// The only way into the library. Turns what `body` says into a result, and the reason into an error handle where one
/// is wanted; stops panics; touches nothing in a child of a fork, where a lock may be held by a thread that is not there.
pub(crate) fn guard(error: Out<'_, twin_error>, body: impl FnOnce() -> Result<(), Failure>) -> twin_result {
    if runtime::is_forked() {
        return twin_result::TWIN_FORKED;
    }
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return twin_result::TWIN_OK,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::panic(),
    };
    let result = failure.result;
    if let (Some(slot), true) = (error, result != twin_result::TWIN_END) {
        slot.write(error::keep(failure));
    }
    result
}

/// An output that may not be NULL.
pub(crate) fn needed<'a, T>(out: Out<'a, T>, name: &str) -> Result<&'a mut MaybeUninit<T>, Failure> {
    out.ok_or_else(|| Failure::invalid(format!("{name} is NULL; it must point to room for the output")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_result_with_an_error() {
        let mut error = MaybeUninit::uninit();
        let result = guard(Some(&mut error), || panic!("on purpose"));
        assert_eq!(result, twin_result::TWIN_PANIC);
        // SAFETY: a failure writes the error.
        let error = unsafe { error.assume_init() };
        assert_ne!(error.id, 0);
        error::twin_error_free(error);
    }
}
