//! `/health` and `/metrics`, for those who run the hub.

use hyper::Method;
use hyper::header::{ALLOW, AUTHORIZATION, HeaderValue};
use twin_core::auth::Permissions;
use twin_core::wire::{HubCode, Refusal};

use super::{Front, Peer, Request, Response, plain, refuse};

pub(super) const HEALTH: &str = "/health";
pub(super) const METRICS: &str = "/metrics";

/// 200 while the hub serves, 503 while it stops or its store has failed.
pub(super) fn health(front: &Front, request: &Request) -> Response {
    if !readable(request) {
        return not_readable();
    }
    let stopping = front.signal.borrow().stopping;
    let (status, word) = match front.engine.health() {
        _ if stopping => (503, "stopping"),
        // Why is in the log: anyone may ask here.
        Err(_) => (503, "store failed, reads only"),
        Ok(()) => (200, "ok"),
    };
    let version = env!("CARGO_PKG_VERSION");
    plain(status, "application/json", format!("{{\"status\":\"{word}\",\"version\":\"{version}\"}}\n"))
}

/// Prometheus text. From loopback without a token; from elsewhere only for policies with ServiceConnect, since the numbers
/// tell about the fleet.
pub(super) fn metrics(front: &Front, peer: &Peer, request: &Request) -> Response {
    if !readable(request) {
        return not_readable();
    }
    if !peer.address.ip().to_canonical().is_loopback() {
        let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let allowed = token
            .ok_or_else(|| {
                "from elsewhere than loopback, metrics need a token with ServiceConnect".to_owned()
            })
            .and_then(|token| front.judge().service(token, METRICS))
            .and_then(|rights| match rights.contain(Permissions::SERVICE_CONNECT) {
                true => Ok(()),
                false => Err("the token's policy lacks ServiceConnect".to_owned()),
            });
        if let Err(why) = allowed {
            return refuse(front, peer, Refusal::new(HubCode::IOT_HUB_UNAUTHORIZED, why));
        }
    }
    plain(200, "text/plain; version=0.0.4", front.metrics.render(&front.engine.figures()))
}

fn not_readable() -> Response {
    let mut response = plain(405, "text/plain", "GET or HEAD\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn readable(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}
