//! Request heads as they came.
//!
//! hyper takes `Transfer-Encoding` over `Content-Length` when a request has both, and hides the latter. That is allowed,
//! but such a request was made to be read differently by someone in between, so this hub refuses it (RFC 9112, 6.1).
//! To see both, the bytes of each head are noted on their way to hyper.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::HeaderMap;
use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::MAX_HEAD;

/// Ends a head.
const END: &[u8] = b"\r\n\r\n";

/// The bytes that came since the last request was taken, as far as they can belong to a head.
#[derive(Debug, Default)]
pub(super) struct Head(Vec<u8>);

/// What a request's framing deserves.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Fine,
    /// its own head was not seen alone (requests were pipelined): answer, then trust the connection no more
    CloseAfter,
    Refuse(&'static str),
}

impl Head {
    /// What came so far; the next request starts afresh.
    pub(super) fn take(&mut self) -> Head {
        Head(std::mem::take(&mut self.0))
    }

    fn note(&mut self, bytes: &[u8]) {
        if self.0.len() < MAX_HEAD && !contains(&self.0, END) {
            self.0.extend_from_slice(&bytes[..bytes.len().min(MAX_HEAD)]);
        }
    }

    /// Judges the request that hyper made of this head.
    pub(super) fn verdict(&self, headers: &HeaderMap) -> Verdict {
        // hyper makes one of two equal lengths, so they are counted here.
        let lower = self.0.to_ascii_lowercase();
        let head = position(&lower, END).map(|end| &lower[..end]);
        let lengths = head.map_or(0, |head| occurrences(head, b"\ncontent-length"));
        if lengths > 1 || headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
            return Verdict::Refuse("more than one Content-Length");
        }
        if !headers.contains_key(TRANSFER_ENCODING) {
            return Verdict::Fine;
        }
        let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
        if codings.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"chunked")) {
            return Verdict::Refuse("a Transfer-Encoding other than 'chunked'");
        }
        match head {
            Some(head) if occurrences(head, b"\ntransfer-encoding") > 0 => match lengths {
                0 => Verdict::Fine,
                _ => Verdict::Refuse("both Content-Length and Transfer-Encoding"),
            },
            _ => Verdict::CloseAfter,
        }
    }
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn occurrences(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).filter(|window| *window == wanted).count()
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    position(bytes, wanted).is_some()
}

/// A stream whose reads are noted.
#[derive(Debug)]
pub(super) struct Tap<S> {
    pub(super) inner: S,
    head: Arc<Mutex<Head>>,
}

impl<S> Tap<S> {
    pub(super) fn new(inner: S) -> (Self, Arc<Mutex<Head>>) {
        let head = Arc::new(Mutex::new(Head::default()));
        (Tap { inner, head: head.clone() }, head)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let outcome = Pin::new(&mut this.inner).poll_read(cx, buf);
        let read = &buf.filled()[before..];
        if !read.is_empty() {
            this.head.lock().unwrap_or_else(PoisonError::into_inner).note(read);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn verdicts() {
        let chunked = &[(TRANSFER_ENCODING, "chunked")][..];
        type Headers<'h> = &'h [(hyper::header::HeaderName, &'h str)];
        let cases: &[(&str, Headers<'static>, Verdict)] = &[
            ("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", &[(CONTENT_LENGTH, "2")], Verdict::Fine),
            (
                "POST / HTTP/1.1\r\nContent-Length: 2\r\nCONTENT-LENGTH: 2\r\n\r\n",
                &[(CONTENT_LENGTH, "2")],
                Verdict::Refuse("more than one Content-Length"),
            ),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n", chunked, Verdict::Fine),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\ncontent-LENGTH : 2\r\n\r\n",
                chunked,
                Verdict::Refuse("both Content-Length and Transfer-Encoding"),
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
                chunked,
                Verdict::Refuse("both Content-Length and Transfer-Encoding"),
            ),
            // Content-Length in the body is no header.
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n\ncontent-length",
                chunked,
                Verdict::Fine,
            ),
            ("", chunked, Verdict::CloseAfter),
            ("\r\n0\r\n\r\nPOST /", chunked, Verdict::CloseAfter),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                &[(TRANSFER_ENCODING, "gzip, chunked")],
                Verdict::Refuse("a Transfer-Encoding other than 'chunked'"),
            ),
        ];
        for (head, headers, verdict) in cases {
            let mut map = HeaderMap::new();
            for (name, value) in *headers {
                map.append(name, HeaderValue::from_static(value));
            }
            let mut noted = Head::default();
            for byte in head.as_bytes() {
                noted.note(&[*byte]);
            }
            assert_eq!(&noted.take().verdict(&map), verdict, "{head}");
        }
    }
}
