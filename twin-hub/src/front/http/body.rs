//! Request bodies: read within bounds, or thrown away within bounds.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;
use twin_core::wire::{HubCode, Refusal};

use super::Front;

/// Longest body of a call, in bytes: a bulk of 100 identities, or a whole twin with its metadata as the .NET SDK sends it
/// back, fit several times.
const MAX_BODY: usize = 1024 * 1024;
/// Bytes of a body that are thrown away before a refusal. A peer that is still sending when the connection closes may
/// never see the answer, so what it sends is taken if that is cheap.
const MAX_DISCARDED: usize = 8 * 1024 * 1024;

/// A body, or the refusal it deserves; the connection is not fit for another request after one.
pub(super) async fn read(front: &Front, mut body: Incoming) -> Result<Bytes, Refusal> {
    let deadline = Instant::now() + front.limits.http_body_time;
    let bad = |why: String| Refusal::new(HubCode::GENERIC_BAD_REQUEST, why);
    let mut whole = BytesMut::new();
    loop {
        let frame = match tokio::time::timeout_at(deadline, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(e))) => return Err(bad(format!("the request's body cannot be read: {e}"))),
            Ok(None) => return Ok(whole.freeze()),
            Err(_) => {
                let seconds = front.limits.http_body_time.as_secs_f32();
                return Err(bad(format!("the request's body did not arrive within {seconds} s")));
            }
        };
        let Some(data) = frame.data_ref() else { continue };
        if whole.len() + data.len() > MAX_BODY {
            drop(whole);
            discard(deadline, &mut body).await;
            let why = format!("the request's body is over {MAX_BODY} bytes");
            return Err(Refusal::new(HubCode::MESSAGE_TOO_LARGE, why));
        }
        // Nearly every body is one frame: that one is shared, not copied.
        if whole.is_empty() && hyper::body::Body::is_end_stream(&body) {
            return Ok(data.clone());
        }
        whole.extend_from_slice(data);
    }
}

/// Takes what the peer still sends and keeps nothing, within bounds. Whether all of it came.
pub(super) async fn discard(deadline: Instant, body: &mut Incoming) -> bool {
    let mut taken = 0;
    while taken < MAX_DISCARDED {
        match tokio::time::timeout_at(deadline, body.frame()).await {
            Ok(Some(Ok(frame))) => taken += frame.data_ref().map_or(0, Bytes::len),
            Ok(None) => return true,
            Ok(Some(Err(_))) | Err(_) => return false,
        }
    }
    false
}
