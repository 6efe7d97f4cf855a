//! Request bodies: read within bounds, or thrown away within bounds.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;
use twin_core::wire::{HubCode, Refusal};

use super::Front;

/// Longest body of a call, in bytes: a bulk of 100 identities, or a whole twin with its metadata as the .NET SDK sends it
/// back, fit several times.
const MAX_BODY: usize = 1024 * 1024;
/// Bytes of a body that are thrown away before a refusal. A peer that is still sending when the connection closes may
/// never see the answer, so what it sends is taken if that is cheap.
const MAX_DISCARDED: usize = 8 * 1024 * 1024;

/// A body, and the room it takes for as long as it is held.
pub(super) struct Body<'f> {
    pub(super) bytes: Bytes,
    _room: SemaphorePermit<'f>,
}

/// A body, or the refusal it deserves; the connection is not fit for another request after one. `asks`: the peer
/// waits to be told whether to send.
pub(super) async fn read(front: &Front, mut body: Incoming, asks: bool) -> Result<Body<'_>, Refusal> {
    let deadline = Instant::now() + front.limits.http_body_time;
    let size = body.size_hint();
    if size.lower() > MAX_BODY as u64 {
        if !asks && size.lower() <= MAX_DISCARDED as u64 {
            discard(deadline, &mut body).await;
        }
        return Err(too_large());
    }
    let bytes = size.upper().map_or(MAX_BODY, |upper| upper as usize).min(front.limits.max_request_bytes);
    let room = tokio::time::timeout_at(deadline, front.bodies.acquire_many(bytes as u32)).await;
    let Ok(Ok(_room)) = room else {
        let why = "The hub holds as many requests as it can; try again";
        return Err(Refusal::new(HubCode::SERVICE_UNAVAILABLE, why).after(1));
    };
    let bytes = read_all(front, body).await?;
    Ok(Body { bytes, _room })
}

fn too_large() -> Refusal {
    Refusal::new(HubCode::MESSAGE_TOO_LARGE, format!("the request's body is over {MAX_BODY} bytes"))
}

async fn read_all(front: &Front, mut body: Incoming) -> Result<Bytes, Refusal> {
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
            return Err(too_large());
        }
        // Nearly every body is one frame: that one is shared, not copied.
        if whole.is_empty() && body.is_end_stream() {
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
