//! One call of the service API or of a device: authenticate, hear, authorise, do, answer.

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, EXPECT};
use hyper::http::request::Parts;
use tokio::time::Instant;
use twin_core::TwinKey;
use twin_core::auth::Permissions;
use twin_core::wire::rest::{self as wire, Call};
use twin_core::wire::{HubCode, Refusal, https};

use super::super::faults::RequestFault;
use super::super::metrics::count;
use super::{CutHere, Front, Peer, Request, Response, body, closing, device, refuse, render};

pub(super) async fn call(front: &Front, peer: &Peer, request: Request) -> Result<Response, CutHere> {
    let fault = front.faults.next_request();
    if let Some(RequestFault::Cut) = fault {
        return Err(CutHere);
    }
    let (head, body) = request.into_parts();
    let caller = match fault.and_then(RequestFault::refusal) {
        Some(refusal) => Err(refusal),
        // Authentication needs the head only: strangers' bodies are not kept.
        None => Caller::judge(front, peer, &head),
    };
    let caller = match caller {
        Ok(caller) => caller,
        Err(refusal) => return Ok(refuse_early(front, peer, &head, body, refusal).await),
    };
    let asks_first = head.headers.contains_key(EXPECT);
    let body = match body::read(front, body, asks_first).await {
        Ok(body) => body,
        Err(refusal) => return Ok(closing(refuse(front, peer, refusal))),
    };
    let answer = done(front, caller, &head, body.bytes.clone()).await;
    if let Some(RequestFault::LoseAnswer) = fault {
        return Err(CutHere);
    }
    Ok(match answer {
        Ok(answer) => render(answer),
        Err(refusal) => refuse(front, peer, refusal),
    })
}

/// Refuses a request whose body was not read.
async fn refuse_early(
    front: &Front,
    peer: &Peer,
    head: &Parts,
    mut body: Incoming,
    refusal: Refusal,
) -> Response {
    let response = refuse(front, peer, refusal);
    // Who asks first whether to send is told by the answer; asking for the body would invite it.
    if head.headers.contains_key(EXPECT) {
        return closing(response);
    }
    let deadline = Instant::now() + front.limits.http_body_time;
    if body::discard(deadline, &mut body).await { response } else { closing(response) }
}

/// Who calls.
enum Caller {
    /// a service, and what it may do
    Service(Permissions),
    /// the device or module that the path names
    Device(TwinKey),
}

impl Caller {
    fn judge(front: &Front, peer: &Peer, head: &Parts) -> Result<Caller, Refusal> {
        let refused = |why: String| Refusal::new(HubCode::IOT_HUB_UNAUTHORIZED, why);
        let mut tokens = head.headers.get_all(AUTHORIZATION).iter();
        let token = match (tokens.next(), tokens.next()) {
            (Some(token), None) => {
                Some(token.to_str().map_err(|_| refused("the Authorization header is not ASCII".into()))?)
            }
            (None, _) => None,
            (Some(_), Some(_)) => return Err(refused("there is more than one Authorization header".into())),
        };
        if let Some(key) = https::hear_caller(head.method.as_str(), target(head)) {
            let key = key?;
            let identity = |key: &TwinKey| front.engine.identity(key);
            // Without a token its certificate has to say who it is.
            front.judge().device(&key, identity, token.unwrap_or_default(), peer).map_err(refused)?;
            return Ok(Caller::Device(key));
        }
        count(&front.metrics.service_calls);
        let token = token.ok_or_else(|| refused("the Authorization header is missing".into()))?;
        front.judge().service(token, head.uri.path()).map(Caller::Service).map_err(refused)
    }
}

fn target(head: &Parts) -> &str {
    head.uri.path_and_query().map_or("/", |target| target.as_str())
}

async fn done(front: &Front, caller: Caller, head: &Parts, body: Bytes) -> Result<wire::Response, Refusal> {
    let rights = match caller {
        Caller::Service(rights) => rights,
        Caller::Device(key) => return device::call(front, key, head, target(head), body).await,
    };
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let (call, api_version) = wire::hear(head.method.as_str(), target(head), &header, body)?;
    let (needed, name) = needs(&call);
    if !rights.contain(needed) {
        let why = format!("the token's policy lacks {name}");
        return Err(Refusal::new(HubCode::IOT_HUB_UNAUTHORIZED, why));
    }
    let answer = front.engine.call(call, api_version).await?;
    Ok(wire::say_answer(&Ok(answer), front.now()))
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
