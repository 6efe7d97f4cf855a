//! `/health` and `/metrics`, for those who run the hub.

use hyper::Method;
use hyper::header::AUTHORIZATION;
use twin_core::auth::Permissions;
use twin_core::wire::{HubCode, Refusal};

use super::{Front, Peer, Request, Response, plain, refuse};

pub(super) const HEALTH: &str = "/health";
pub(super) const METRICS: &str = "/metrics";

/// 200 while the hub serves, 503 while it stops.
pub(super) fn health(front: &Front, request: &Request) -> Response {
    if !readable(request) {
        return plain(405, "text/plain", "GET or HEAD\n");
    }
    let (status, word) = if front.signal.borrow().stopping { (503, "stopping") } else { (200, "ok") };
    let version = env!("CARGO_PKG_VERSION");
    plain(status, "application/json", format!("{{\"status\":\"{word}\",\"version\":\"{version}\"}}\n"))
}

/// Prometheus text. From loopback without a token; from elsewhere only for policies with ServiceConnect, since the numbers
/// tell about the fleet.
pub(super) fn metrics(front: &Front, peer: &Peer, request: &Request) -> Response {
    if !readable(request) {
        return plain(405, "text/plain", "GET or HEAD\n");
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
    plain(200, "text/plain; version=0.0.4", front.metrics.render(""))
}

fn readable(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}
