//! Text in and out: UTF-8 with a length.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::ptr;

use twin_core::{Error, ErrorKind};

use crate::boundary::Failure;

/// Text that somebody else owns: UTF-8 bytes and how many. {NULL, 0} is no text. As an input it must stay valid during the
/// call, as a callback's argument it is until the callback returns. It need not end in NUL; what the library hands out does.
/// twin_s("text") makes one of a C string.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct twin_str {
    /// The first byte; NULL: no text.
    pub data: *const c_char,
    /// How many bytes, a closing NUL not counted. One that lies makes the library read what is not there.
    pub len: usize,
}

/// Text that the caller owns: freed by twin_string_free. Ends in NUL, which `len` does not count.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct twin_string {
    /// The first byte.
    pub data: *mut c_char,
    /// How many bytes, without the closing NUL.
    pub len: usize,
}

impl twin_str {
    /// No text.
    pub(crate) const NONE: twin_str = twin_str { data: ptr::null(), len: 0 };

    /// The bytes, if there are any; a length of what is not there, or longer than memory, is an error that names `what`.
    pub(crate) fn bytes<'a>(self, what: &str) -> Result<Option<&'a [u8]>, Failure> {
        if self.data.is_null() {
            return match self.len {
                0 => Ok(None),
                len => Err(Failure::invalid(format!("{what} is NULL, with a length of {len}"))),
            };
        }
        if self.len > isize::MAX as usize {
            return Err(Failure::invalid(format!("{what} has an impossible length of {}", self.len)));
        }
        // SAFETY: the caller promises `len` readable bytes at `data` for the time of the call, which is all that 'a is
        // used for: no caller of this keeps the text.
        Ok(Some(unsafe { std::slice::from_raw_parts(self.data.cast::<u8>(), self.len) }))
    }

    /// The text, if there is one; not UTF-8 is an error that names `what`.
    pub(crate) fn optional<'a>(self, what: &str) -> Result<Option<&'a str>, Failure> {
        let Some(bytes) = self.bytes(what)? else { return Ok(None) };
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(e) => Err(Failure::invalid(format!("{what} is not UTF-8, at byte {}", e.valid_up_to()))),
        }
    }

    /// The text, which must be there.
    pub(crate) fn text<'a>(self, what: &str) -> Result<&'a str, Failure> {
        self.optional(what)?.ok_or_else(|| Failure::invalid(format!("{what} is missing (NULL)")))
    }

    /// The JSON value that the text is.
    pub(crate) fn json(self, what: &str) -> Result<serde_json::Value, Failure> {
        serde_json::from_str(self.text(what)?)
            .map_err(|e| Failure::invalid(format!("{what} is not JSON: {e}")))
    }
}

/// Room for a text that the caller will own.
pub(crate) fn own(text: &str) -> Result<twin_string, Failure> {
    // SAFETY: malloc takes any size.
    let data = unsafe { libc::malloc(text.len() + 1) }.cast::<u8>();
    if data.is_null() {
        return Err(Error::new(ErrorKind::Internal, "out of memory").into());
    }
    // SAFETY: there are `len + 1` fresh bytes at `data`.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr(), data, text.len());
        data.add(text.len()).write(0);
    }
    Ok(twin_string { data: data.cast(), len: text.len() })
}

/// Frees a text that the library gave, and makes it {NULL, 0}, so that freeing the same variable again does nothing.
///
/// string: in/out, may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn twin_string_free(string: Option<&mut twin_string>) {
    let Some(string) = string else { return };
    // SAFETY: it came from malloc in `own`, or is NULL, which free takes; the caller holds the only copy.
    unsafe { libc::free(string.data.cast()) };
    *string = twin_string { data: ptr::null_mut(), len: 0 };
}

/// Writes a text to an output.
pub(crate) fn give(out: Option<&mut MaybeUninit<twin_string>>, text: &str) -> Result<(), Failure> {
    let out = crate::boundary::needed(out, "the output string")?;
    out.write(own(text)?);
    Ok(())
}
