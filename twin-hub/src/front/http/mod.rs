//! HTTP/1.1: the service API, devices' messages, WebSocket upgrades, metrics, health.
//!
//! | file | what is in it |
//! |---|---|
//! | `body` | request bodies, within bounds |
//! | `device` | a device's call: telemetry, cloud-to-device messages |
//! | `rest` | one call: authenticate, hear, authorise, do, answer |
//! | `pages` | `/health` and `/metrics` |
//! | `tap` | request heads as they came, to refuse what smuggles |
//! | `websocket` | the upgrade, and a WebSocket as a byte stream |
//!
//! What this hub does where documents leave a choice is in the crate's documentation.

mod body;
mod device;
mod pages;
mod rest;
mod tap;
mod websocket;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use twin_core::wire::{HubCode, Refusal, mqtt, rest as wire};

use super::listener::Stream;
use super::metrics::Door;
use super::sniff::Replay;
use super::{Front, Interrupt, Interrupted, Peer};
use tap::{Head, Tap};

/// Longest head of a request, in bytes; hyper answers 431 beyond.
const MAX_HEAD: usize = 32 * 1024;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;

/// What an HTTP connection becomes after an upgrade.
pub(super) type Upgraded = Replay<Stream>;

type Response = hyper::Response<Full<Bytes>>;
type Request = hyper::Request<Incoming>;

/// One connection's state, shared by its requests, which come one after another.
struct Connection {
    front: Arc<Front>,
    peer: Peer,
    head: Arc<Mutex<Head>>,
    /// set by the request that asked to go on as a WebSocket
    upgrade: Mutex<Option<(OnUpgrade, websocket::Inside)>>,
}

/// Serves one HTTP connection, and what it upgrades to.
pub(super) async fn serve(front: Arc<Front>, stream: Stream, ahead: Bytes, peer: Peer) {
    let (tap, head) = Tap::new(Replay::new(ahead, stream));
    let connection = Arc::new(Connection { front, peer, head, upgrade: Mutex::new(None) });
    connection.front.metrics.opened(Door::Http);
    Box::pin(requests(&connection, tap)).await;
    connection.front.metrics.closed(Door::Http);
    let upgrade = connection.upgrade.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(upgrade) = upgrade {
        let (front, peer) = (connection.front.clone(), connection.peer.clone());
        drop(connection);
        Box::pin(websocket::serve(front, upgrade, peer)).await;
    }
}

async fn requests(connection: &Arc<Connection>, tap: Tap<Upgraded>) {
    let limits = &connection.front.limits;
    let service = {
        let connection = connection.clone();
        service_fn(move |request| {
            let connection = connection.clone();
            async move { answer(&connection, request).await }
        })
    };
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.http_idle_time)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS);
    let mut serving = std::pin::pin!(http.serve_connection(TokioIo::new(tap), service).with_upgrades());
    let mut interrupt = Interrupt::new(&connection.front);
    let outcome = tokio::select! {
        biased;
        interrupted = interrupt.wait() => match interrupted {
            Interrupted::Cut => return,
            Interrupted::Stopping => {
                serving.as_mut().graceful_shutdown();
                tokio::time::timeout(limits.close_time, serving).await.unwrap_or(Ok(()))
            }
        },
        outcome = serving.as_mut() => outcome,
    };
    if let Err(e) = outcome {
        tracing::debug!(peer = %connection.peer.address, error = %e, "HTTP connection ended");
    }
}

/// The connection is to be cut instead of answered.
#[derive(Debug)]
struct CutHere;

impl std::fmt::Display for CutHere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut on purpose")
    }
}

impl std::error::Error for CutHere {}

/// Answers one request.
async fn answer(connection: &Connection, request: Request) -> Result<Response, CutHere> {
    let head = connection.head.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut close = false;
    let response = match head.verdict(request.headers()) {
        tap::Verdict::Fine => route(connection, request).await?,
        tap::Verdict::CloseAfter => {
            close = true;
            route(connection, request).await?
        }
        tap::Verdict::Refuse(why) => {
            close = true;
            let refusal = Refusal::new(HubCode::GENERIC_BAD_REQUEST, why);
            refuse(&connection.front, &connection.peer, refusal)
        }
    };
    Ok(if close { closing(response) } else { response })
}

async fn route(connection: &Connection, request: Request) -> Result<Response, CutHere> {
    let Connection { front, peer, .. } = connection;
    match request.uri().path() {
        pages::HEALTH => Ok(pages::health(front, &request)),
        pages::METRICS => Ok(pages::metrics(front, peer, &request)),
        mqtt::WEBSOCKET_PATH => Ok(match websocket::upgrade(request) {
            Ok((response, upgrade)) => {
                *connection.upgrade.lock().unwrap_or_else(PoisonError::into_inner) = Some(upgrade);
                response
            }
            Err(refusal) => refuse(front, peer, refusal),
        }),
        _ => rest::call(front, peer, request).await,
    }
}

fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The answer that a refusal means.
fn refuse(front: &Front, peer: &Peer, mut refusal: Refusal) -> Response {
    front.metrics.refused(refusal.code);
    if refusal.tracking_id.is_empty() {
        refusal.tracking_id = super::tracking_id();
    }
    tracing::info!(
        peer = %peer.address,
        status = refusal.code.status,
        code = refusal.code.name,
        tracking_id = %refusal.tracking_id,
        reason = %refusal.message,
        "call refused"
    );
    render(wire::say_answer(&Err(refusal), front.now()))
}

/// From the wire's own answer to hyper's.
fn render(answer: wire::Response) -> Response {
    let mut response = hyper::Response::new(Full::new(answer.body));
    *response.status_mut() =
        hyper::StatusCode::from_u16(answer.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in answer.headers {
        // A header that cannot be said (a continuation token with a line break, say) is left out, not guessed at.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}

/// A plain answer of our own.
fn plain(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    render(wire::Response { status, headers, body: body.into() })
}
