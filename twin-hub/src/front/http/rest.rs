//! One call of the service API: authenticate, hear, authorise, do, answer.

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::header::AUTHORIZATION;
use twin_core::auth::Permissions;
use twin_core::wire::rest::{self as wire, Call};
use twin_core::wire::{HubCode, Refusal};

use super::super::faults::RequestFault;
use super::super::metrics::count;
use super::{CutHere, Front, Peer, Request, Response, closing, refuse, render};

/// Longest body of a call, in bytes: a bulk of 100 identities, or a whole twin with its metadata as the .NET SDK sends it
/// back, fit several times.
const MAX_BODY: usize = 1024 * 1024;

pub(super) async fn call(front: &Front, peer: &Peer, request: Request) -> Result<Response, CutHere> {
    count(&front.metrics.service_calls);
    let fault = front.faults.next_request();
    if let Some(RequestFault::Cut) = fault {
        return Err(CutHere);
    }
    if let Some(refusal) = fault.and_then(RequestFault::refusal) {
        return Ok(refuse(front, peer, refusal));
    }
    // Authentication needs the head only: strangers' bodies are not read.
    let rights = match rights(front, &request) {
        Ok(rights) => rights,
        // The body stands unread on the connection, which therefore ends.
        Err(refusal) => return Ok(closing(refuse(front, peer, refusal))),
    };
    let (head, body) = request.into_parts();
    let body = match tokio::time::timeout(front.limits.http_body_time, Limited::new(body, MAX_BODY).collect())
        .await
    {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(e)) if e.is::<http_body_util::LengthLimitError>() => {
            let why = format!("the request's body is over {MAX_BODY} bytes");
            return Ok(closing(refuse(front, peer, Refusal::new(HubCode::MESSAGE_TOO_LARGE, why))));
        }
        Ok(Err(e)) => {
            let why = format!("the request's body cannot be read: {e}");
            return Ok(closing(refuse(front, peer, Refusal::new(HubCode::GENERIC_BAD_REQUEST, why))));
        }
        Err(_) => {
            let seconds = front.limits.http_body_time.as_secs();
            let why = format!("the request's body did not arrive within {seconds} s");
            return Ok(closing(refuse(front, peer, Refusal::new(HubCode::GENERIC_BAD_REQUEST, why))));
        }
    };
    let answer = done(front, rights, &head, body).await;
    if let Some(RequestFault::LoseAnswer) = fault {
        return Err(CutHere);
    }
    Ok(match answer {
        Ok(answer) => render(wire::say_answer(&Ok(answer), front.now())),
        Err(refusal) => refuse(front, peer, refusal),
    })
}

/// What the caller may do, by its token.
fn rights(front: &Front, request: &Request) -> Result<Permissions, Refusal> {
    let refused = |why: String| Refusal::new(HubCode::IOT_HUB_UNAUTHORIZED, why);
    let mut tokens = request.headers().get_all(AUTHORIZATION).iter();
    let token = match (tokens.next(), tokens.next()) {
        (Some(token), None) => {
            token.to_str().map_err(|_| refused("the Authorization header is not ASCII".into()))?
        }
        (None, _) => return Err(refused("the Authorization header is missing".into())),
        (Some(_), Some(_)) => return Err(refused("there is more than one Authorization header".into())),
    };
    front.judge().service(token, request.uri().path()).map_err(refused)
}

async fn done(
    front: &Front,
    rights: Permissions,
    head: &hyper::http::request::Parts,
    body: Bytes,
) -> Result<wire::Answer, Refusal> {
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let (call, api_version) = wire::hear(head.method.as_str(), target, &header, body)?;
    let (needed, name) = needs(&call);
    if !rights.contain(needed) {
        let why = format!("the token's policy lacks {name}");
        return Err(Refusal::new(HubCode::IOT_HUB_UNAUTHORIZED, why));
    }
    front.engine.call(call, api_version).await
}

/// The right that a call needs (IoT Hub, "Control access with shared access signatures": permissions).
fn needs(call: &Call) -> (Permissions, &'static str) {
    match call {
        Call::GetTwin(_) | Call::PatchTwin { .. } | Call::ReplaceTwin { .. } | Call::Query { .. } => {
            (Permissions::SERVICE_CONNECT, "ServiceConnect")
        }
        Call::GetIdentity(_)
        | Call::ListDevices { .. }
        | Call::ListModules(_)
        | Call::DeviceStatistics
        | Call::ServiceStatistics => (Permissions::REGISTRY_READ, "RegistryRead"),
        Call::PutIdentity { .. } | Call::DeleteIdentity { .. } | Call::Bulk { .. } => {
            (Permissions::REGISTRY_WRITE, "RegistryWrite")
        }
        // It is refused as not served yet, whoever asks.
        Call::NotYet(_) => (Permissions::NONE, ""),
        _ => (Permissions::ALL, "every right"),
    }
}
