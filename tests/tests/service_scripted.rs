//! The service client against a scripted HTTPS peer that has none of our code: what it sends, and what it makes of
//! every kind of answer and of none.

// Helpers of tests fail the test by panicking.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use twin_service::{
    Clock, Delivery, ETag, ErrorKind, Identity, IfMatch, Registry, Retry, Timestamp, TwinChange, TwinKey,
};

/// 32 zero bytes.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// What the peer does with one request, once it has read it.
#[derive(Clone)]
enum Act {
    /// Writes these bytes and keeps the connection.
    Say(String),
    /// Writes these bytes and closes.
    SayAndClose(String),
    /// Closes without a byte.
    Cut,
    /// Never answers.
    Hang,
}

#[derive(Clone, Debug)]
struct Asked {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

struct Peer {
    port: u16,
    ca_pem: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Peer {
    async fn start(script: impl IntoIterator<Item = Act>) -> Peer {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
                .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let peer = Peer { port, ca_pem: made.cert.pem(), asked: asked.clone() };
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, script, asked) = (acceptor.clone(), script.clone(), asked.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(tcp).await {
                        serve(stream, script, asked).await;
                    }
                });
            }
        });
        peer
    }

    fn connection_string(&self) -> String {
        format!("HostName=localhost:{};SharedAccessKeyName=service;SharedAccessKey={KEY}", self.port)
    }

    fn registry(&self, clock: &TestClock) -> Registry {
        Registry::builder(self.connection_string())
            .configure(|o| {
                o.extra_ca_pem.push(self.ca_pem.clone());
                o.system_trust = false;
                o.proxy = twin_service::Proxy::None;
            })
            .clock(clock.clone())
            .build()
            .unwrap()
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin,
    script: Arc<Mutex<VecDeque<Act>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
) {
    while let Some(request) = read_request(&mut stream).await {
        asked.lock().unwrap().push(request);
        let act = script.lock().unwrap().pop_front().expect("a request that the script does not know");
        match act {
            Act::Say(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Act::SayAndClose(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                stream.shutdown().await.ok();
                return;
            }
            Act::Cut => return,
            Act::Hang => std::future::pending().await,
        }
    }
}

async fn read_request(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<(String, String)> = lines
        .map(|l| l.split_once(':').unwrap())
        .map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(n, _)| n == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
    while bytes.len() < head_end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[head_end + 4..head_end + 4 + length].to_vec()).unwrap();
    Some(Asked { line, headers, body })
}

/// Never waits; remembers how long it would have. Its wall clock moves by hand.
#[derive(Clone, Default)]
struct TestClock(Arc<Mutex<(u64, Vec<Duration>)>>);

impl TestClock {
    fn waits(&self) -> Vec<Duration> {
        self.0.lock().unwrap().1.clone()
    }

    fn advance(&self, seconds: u64) {
        self.0.lock().unwrap().0 += seconds;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(Duration::from_secs(1_700_000_000 + self.0.lock().unwrap().0))
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.lock().unwrap().1.push(time);
        Box::pin(std::future::ready(()))
    }

    fn jitter(&self) -> f64 {
        0.5
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("HTTP/1.1 {status} Words\r\nContent-Type: application/json; charset=utf-8\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

fn say(status: u16, headers: &[(&str, &str)], body: &str) -> Act {
    Act::Say(answer(status, headers, body))
}

fn form_a(name: &str) -> String {
    json!({
        "Message": format!("ErrorCode:{name};E2E refusal"),
        "ExceptionMessage": "Tracking ID:0123456789abcdef-G:1-TimeStamp:11/25/2026 03:00:00"
    })
    .to_string()
}

fn twin_json(id: &str) -> String {
    json!({
        "deviceId": id, "etag": "AAAAAAAAAAE=", "deviceEtag": "NzQxMTYyNTA3", "status": "enabled",
        "statusUpdateTime": "0001-01-01T00:00:00Z", "connectionState": "Disconnected",
        "lastActivityTime": "0001-01-01T00:00:00Z", "cloudToDeviceMessageCount": 0,
        "authenticationType": "sas", "x509Thumbprint": {"primaryThumbprint": null, "secondaryThumbprint": null},
        "modelId": "", "version": 2, "tags": {}, "properties": {
            "desired": {"$metadata": {"$lastUpdated": "2026-11-25T03:00:00Z"}, "$version": 1},
            "reported": {"$metadata": {"$lastUpdated": "2026-11-25T03:00:00Z"}, "$version": 1}
        }, "capabilities": {"iotEdge": false}
    })
    .to_string()
}

fn key() -> TwinKey {
    TwinKey::device("d 1".replace(' ', "#")).unwrap()
}

async fn get_twin(script: Vec<Act>) -> (twin_service::Result<twin_service::Twin>, Vec<Asked>, Vec<Duration>) {
    let (peer, clock) = (Peer::start(script).await, TestClock::default());
    let result = peer.registry(&clock).twin(&key()).await;
    (result, peer.asked(), clock.waits())
}

#[tokio::test]
async fn a_request_says_what_the_hub_expects() {
    let peer = Peer::start([say(200, &[], &twin_json("d#1"))]).await;
    let change = TwinChange::new().tags(json!({"a": 1}));
    let etag = ETag::new("AAAAAAAAAAE=");
    let registry = peer.registry(&TestClock::default());
    registry.update_twin(&key(), &change, IfMatch::ETag(&etag)).await.unwrap();
    let asked = &peer.asked()[0];
    assert_eq!(asked.line, "PATCH /twins/d%231?api-version=2021-04-12 HTTP/1.1");
    assert_eq!(asked.header("if-match"), Some("\"AAAAAAAAAAE=\""));
    assert_eq!(asked.header("host"), Some(format!("localhost:{}", peer.port).as_str()));
    assert!(asked.header("content-type").unwrap().starts_with("application/json"));
    assert_eq!(asked.header("content-length").unwrap().parse::<usize>().unwrap(), asked.body.len());
    assert!(asked.header("user-agent").unwrap().starts_with("twin-service/"));
    let token = asked.header("authorization").unwrap();
    assert!(token.starts_with("SharedAccessSignature sr=localhost"), "{token}");
    assert!(token.contains("&se=1700003600") && token.contains("&skn=service"), "{token}");
    assert_eq!(serde_json::from_str::<Value>(&asked.body).unwrap(), json!({"tags": {"a": 1}}));
}

#[tokio::test]
async fn passing_trouble_is_waited_out() {
    let ok = say(200, &[], &twin_json("d#1"));
    let throttled = |after: &[(&str, &str)]| say(429, after, &form_a("ThrottlingException"));
    for (what, trouble, wait) in [
        ("429 with retry-after", throttled(&[("Retry-After", "7")]), Duration::from_millis(7_250)),
        ("429 without", throttled(&[]), Duration::from_millis(250)),
        ("503", say(503, &[], &form_a("ServiceUnavailable")), Duration::from_millis(250)),
        ("500 with a page of HTML", say(500, &[], "<html>oops</html>"), Duration::from_millis(250)),
        ("504 empty", say(504, &[], ""), Duration::from_millis(250)),
        ("cut", Act::Cut, Duration::from_millis(250)),
        ("half a head", Act::SayAndClose("HTTP/1.1 200 O".into()), Duration::from_millis(250)),
        (
            "half a body",
            Act::SayAndClose("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"deviceId\":".into()),
            Duration::from_millis(250),
        ),
    ] {
        let (result, asked, waits) = get_twin(vec![trouble, ok.clone()]).await;
        assert_eq!(result.unwrap_or_else(|e| panic!("{what}: {e:?}")).device_id.as_str(), "d#1");
        assert_eq!((asked.len(), waits), (2, vec![wait]), "{what}");
        assert_eq!(asked[0].header("authorization"), asked[1].header("authorization"), "{what}");
    }
}

#[tokio::test]
async fn lasting_trouble_ends_in_an_error_with_all_facts() {
    let unavailable = say(503, &[("iothub-errorcode", "ServiceUnavailable")], &form_a("ServiceUnavailable"));
    let (result, asked, waits) = get_twin(vec![unavailable; 8]).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.status(), asked.len()), (ErrorKind::Unavailable, Some(503), 8));
    assert!(error.message().contains("get the twin of 'd#1'"), "{error}");
    assert!(error.message().contains("after 8 attempts"), "{error}");
    assert!(error.tracking_id().is_some_and(|id| id.contains("0123456789abcdef")), "{error}");
    let halves: Vec<u128> = waits.iter().map(Duration::as_millis).collect();
    assert_eq!(halves, [250, 500, 1000, 2000, 4000, 8000, 15000]);

    // A wait longer than our patience is not begun.
    let (result, asked, waits) = get_twin(vec![say(429, &[("Retry-After", "3600")], "")]).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind(), asked.len(), waits.len()), (ErrorKind::Throttled, 1, 0));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
}

#[tokio::test]
async fn refusals_are_told_apart_and_not_repeated() {
    let form_b = json!({
        "Message": json!({"errorCode": 404103, "trackingId": "b0b", "message": "offline", "info": {},
            "timestampUtc": "2026-11-25T03:00:00Z"}).to_string(),
        "ExceptionMessage": ""
    })
    .to_string();
    for (status, header, body, kind, code, tracking) in [
        (
            404,
            "DeviceNotFound",
            form_a("DeviceNotFound"),
            ErrorKind::NotFound,
            Some(404001),
            "0123456789abcdef",
        ),
        (404, "DeviceNotOnline", form_b, ErrorKind::NotFound, Some(404103), "b0b"),
        (
            401,
            "IotHubUnauthorizedAccess",
            form_a("IotHubUnauthorizedAccess"),
            ErrorKind::Unauthorized,
            Some(401002),
            "0123",
        ),
        (
            412,
            "PreconditionFailed",
            form_a("PreconditionFailed"),
            ErrorKind::PreconditionFailed,
            Some(412001),
            "0123",
        ),
        (400, "ArgumentInvalid", form_a("ArgumentInvalid"), ErrorKind::Rejected, Some(400004), "0123"),
        (
            403,
            "IotHubQuotaExceeded",
            form_a("IotHubQuotaExceeded"),
            ErrorKind::Forbidden,
            Some(403002),
            "0123",
        ),
        (403, "", "<html>proxy says no</html>".into(), ErrorKind::Forbidden, None, ""),
        (409, "", String::new(), ErrorKind::AlreadyExists, None, ""),
    ] {
        let headers = if header.is_empty() { vec![] } else { vec![("iothub-errorcode", header)] };
        let (result, asked, waits) = get_twin(vec![say(status, &headers, &body)]).await;
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Some(status)), "{error}");
        assert_eq!((asked.len(), waits.len()), (1, 0), "{error}");
        assert_eq!(error.delivery(), Some(Delivery::Refused), "{error}");
        if code.is_some() {
            assert_eq!(error.code(), code, "{error}");
        }
        assert!(error.tracking_id().unwrap_or_default().contains(tracking), "{error}");
    }
}

#[tokio::test]
async fn answers_that_are_none_are_errors_and_leak_nothing() {
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ=";
    let elsewhere =
        format!("{}Location: https://localhost:1/x\r\n\r\n", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n");
    let huge = "HTTP/1.1 200 OK\r\nContent-Length: 70000000000\r\n\r\n".to_owned();
    for (what, act, kind) in [
        ("garbage", say(200, &[], "]]"), ErrorKind::Protocol),
        ("empty", say(200, &[], ""), ErrorKind::Protocol),
        ("another document", say(200, &[], &json!({"primaryKey": secret}).to_string()), ErrorKind::Protocol),
        ("an array", say(200, &[], &json!([secret]).to_string()), ErrorKind::Protocol),
        (
            "invalid UTF-8",
            Act::Say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{\u{7f}".into()),
            ErrorKind::Protocol,
        ),
        ("a redirect", Act::Say(elsewhere), ErrorKind::Protocol),
        ("not HTTP", Act::SayAndClose("SSH-2.0-OpenSSH_9.2\r\n".into()), ErrorKind::Protocol),
        ("an absurd length", Act::Say(huge), ErrorKind::TooLarge),
    ] {
        let (result, asked, waits) = get_twin(vec![act]).await;
        let error = result.expect_err(what);
        assert_eq!((error.kind(), asked.len(), waits.len()), (kind, 1, 0), "{what}: {error:?}");
        let all = format!("{error} {error:?}");
        assert!(!all.contains(secret) && !all.contains(KEY) && !all.contains("sig="), "{what}: {all}");
    }
}

#[tokio::test]
async fn a_conflict_after_an_unanswered_attempt_says_so() {
    let etag = ETag::new("AAAAAAAAAAE=");
    let change = TwinChange::new().tags(json!({"a": 1}));
    let identity = Identity::new(key());
    for (status, name, what) in [
        (412, "PreconditionFailed", "patch"),
        (409, "DeviceAlreadyExists", "create"),
        (404, "DeviceNotFound", "delete"),
    ] {
        let peer = Peer::start([Act::Cut, say(status, &[("iothub-errorcode", name)], &form_a(name))]).await;
        let registry = peer.registry(&TestClock::default());
        let error = match what {
            "patch" => registry.update_twin(&key(), &change, IfMatch::ETag(&etag)).await.map(drop),
            "create" => registry.create(&identity).await.map(drop),
            _ => registry.delete(&key(), IfMatch::Force).await,
        }
        .unwrap_err();
        assert_eq!((error.status(), error.delivery()), (Some(status), Some(Delivery::Unknown)), "{error}");
        assert!(error.message().contains("an earlier attempt got no answer"), "{error}");
        assert_eq!(peer.asked().len(), 2);
    }
}

#[tokio::test]
async fn bulk_is_not_repeated_blindly_and_reports_each_item() {
    let identities: Vec<Identity> =
        ["a", "b"].iter().map(|id| Identity::new(TwinKey::device(id).unwrap())).collect();
    let peer = Peer::start([
        Act::Cut,
        say(429, &[], ""),
        say(
            400,
            &[],
            &json!({"isSuccessful": false, "warnings": [], "errors": [
                {"deviceId": "b", "errorCode": "DeviceAlreadyExists", "errorStatus": "exists", "operation": "create"}
            ]})
            .to_string(),
        ),
    ])
    .await;
    let registry = peer.registry(&TestClock::default());
    let error = registry.create_many(&identities).await.unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Network, Some(Delivery::Unknown)));
    assert_eq!(peer.asked().len(), 1);

    let done = registry.create_many(&identities).await.unwrap();
    assert!(done.items[0].result.is_ok());
    let (key, error) = done.failures().next().unwrap();
    assert_eq!(
        (key.to_string().as_str(), error.kind(), error.code()),
        ("b", ErrorKind::AlreadyExists, Some(409001))
    );
    let body: Value = serde_json::from_str(&peer.asked()[2].body).unwrap();
    assert_eq!((&body[0]["id"], &body[1]["importMode"]), (&json!("a"), &json!("create")));

    let many: Vec<Identity> =
        (0..101).map(|n| Identity::new(TwinKey::device(format!("d{n}")).unwrap())).collect();
    let error = registry.create_many(&many).await.unwrap_err();
    assert_eq!((error.kind(), peer.asked().len()), (ErrorKind::InvalidArgument, 3));
}

fn page(ids: &[&str], continuation: Option<&str>) -> Act {
    let rows: Vec<Value> = ids.iter().map(|id| serde_json::from_str(&twin_json(id)).unwrap()).collect();
    let mut headers = vec![("x-ms-item-type", "Twin")];
    headers.extend(continuation.map(|token| ("x-ms-continuation", token)));
    say(200, &headers, &Value::Array(rows).to_string())
}

#[tokio::test]
async fn pages_follow_the_continuation_and_resume() {
    let peer = Peer::start([
        page(&["a", "b"], Some("t1")),
        page(&[], Some("t2")),
        page(&["c"], None),
        page(&["c"], Some("")),
    ])
    .await;
    let registry = peer.registry(&TestClock::default());
    let mut pages = registry.query("SELECT * FROM devices").page_size(2).pages();
    let mut seen = Vec::new();
    assert!(pages.has_more() && pages.continuation().is_none());
    while let Some(page) = pages.next_page().await.unwrap() {
        assert!(page.has_twins());
        seen.extend(page.twins().unwrap().into_iter().map(|t| t.device_id.to_string()));
        assert_eq!(pages.has_more(), pages.continuation().is_some());
    }
    assert_eq!(seen, ["a", "b", "c"]);
    assert!(pages.next_page().await.unwrap().is_none());

    // An empty continuation header ends the result, too.
    let mut rest = registry.query("SELECT * FROM devices").page_size(2).resume_from("t2").twins();
    assert_eq!(rest.next().await.unwrap().unwrap().device_id.as_str(), "c");
    assert!(rest.next().await.is_none());

    let sent: Vec<_> = peer
        .asked()
        .iter()
        .map(|a| {
            assert_eq!(a.line, "POST /devices/query?api-version=2021-04-12 HTTP/1.1");
            assert_eq!(a.body, json!({"query": "SELECT * FROM devices"}).to_string());
            assert_eq!(a.header("x-ms-max-item-count"), Some("2"));
            a.header("x-ms-continuation").map(str::to_owned)
        })
        .collect();
    assert_eq!(sent, [None, Some("t1".into()), Some("t2".into()), Some("t2".into())]);
}

#[tokio::test]
async fn a_result_that_would_never_end_is_an_error() {
    let peer = Peer::start([page(&["a"], Some("t")), page(&[], Some("t"))]).await;
    let mut twins = peer.registry(&TestClock::default()).query("SELECT * FROM devices").twins();
    assert!(twins.next().await.unwrap().is_ok());
    assert_eq!(twins.next().await.unwrap().unwrap_err().kind(), ErrorKind::Protocol);
    assert!(twins.next().await.is_none());
}

#[tokio::test]
async fn a_row_that_does_not_fit_costs_only_itself() {
    let rows = json!([{"n": 1}, {"n": "two"}, {"n": 3}]).to_string();
    let peer = Peer::start([say(200, &[("x-ms-item-type", "Raw")], &rows)]).await;
    let mut rows = peer
        .registry(&TestClock::default())
        .query("SELECT n FROM devices")
        .rows_as::<std::collections::HashMap<String, u8>>();
    assert_eq!(rows.next().await.unwrap().unwrap()["n"], 1);
    let error = rows.next().await.unwrap().unwrap_err();
    assert!(error.message().contains("row 2"), "{error}");
    assert_eq!(rows.next().await.unwrap().unwrap()["n"], 3);
    assert!(rows.next().await.is_none());
}

#[tokio::test]
async fn a_token_is_made_once_and_renewed_before_it_expires() {
    let peer = Peer::start(vec![say(200, &[], &twin_json("d#1")); 4]).await;
    let clock = TestClock::default();
    let registry = peer.registry(&clock);
    for seconds in [0, 3_000, 100, 3_061] {
        clock.advance(seconds);
        registry.twin(&key()).await.unwrap();
    }
    let tokens: Vec<_> = peer.asked().iter().map(|a| a.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(tokens[0], tokens[1]);
    assert_ne!(tokens[1], tokens[2], "renewed after 51 of 60 minutes");
    assert_ne!(tokens[2], tokens[3]);
    assert!(!format!("{registry:?}").contains(KEY));
}

#[tokio::test]
async fn a_peer_that_cannot_be_reached_or_trusted_heard_nothing() {
    let peer = Peer::start([]).await;
    let clock = TestClock::default();
    let build = |text: String| {
        Registry::builder(text)
            .configure(|o| o.proxy = twin_service::Proxy::None)
            .clock(clock.clone())
            .retry(Retry::none())
            .build()
            .unwrap()
    };
    let error = build(peer.connection_string()).twin(&key()).await.unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Tls, Some(Delivery::NotSent)), "{error:?}");
    assert!(error.message().contains("--ca-file"), "{error}");

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let nobody = format!("HostName=localhost:{free};SharedAccessKeyName=service;SharedAccessKey={KEY}");
    let error = build(nobody).twin(&key()).await.unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Network, Some(Delivery::NotSent)), "{error:?}");
    assert!(peer.asked().is_empty());
}

#[tokio::test]
async fn no_answer_in_time_is_a_timeout_of_unknown_effect() {
    let peer = Peer::start([Act::Hang]).await;
    let registry = Registry::builder(peer.connection_string())
        .configure(|o| {
            o.extra_ca_pem.push(peer.ca_pem.clone());
            o.system_trust = false;
            o.proxy = twin_service::Proxy::None;
            o.request_timeout = Duration::from_millis(300);
        })
        .retry(Retry::none())
        .build()
        .unwrap();
    let error = registry.twin(&key()).await.unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Timeout, Some(Delivery::Unknown)), "{error:?}");
}

#[tokio::test]
async fn a_bad_change_is_refused_before_anything_is_sent() {
    let peer = Peer::start([]).await;
    let registry = peer.registry(&TestClock::default());
    for (change, part) in [
        (TwinChange::new(), "neither tags nor desired"),
        (TwinChange::new().tags(json!(1)), "tags must be a JSON object"),
        (TwinChange::new().tags(json!({"a.b": 1})), "a.b"),
        (TwinChange::new().desired(json!({"$x": 1})), "$x"),
        (TwinChange::new().desired(json!({"big": "x".repeat(4097)})), "big"),
    ] {
        let error = registry.update_twin(&key(), &change, IfMatch::Force).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.message().contains(part), "{error}");
    }
    let error = registry
        .replace_twin(&key(), &TwinChange::new().tags(json!({"gone": null})), IfMatch::Force)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert!(peer.asked().is_empty());
}

/// A proxy that answers CONNECT with `answer`, and passes bytes on if that is 200; gives the port and the heads it saw.
async fn proxy(answer: &'static str) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    if client.read_buf(&mut head).await.unwrap() == 0 {
                        return;
                    }
                }
                let head = String::from_utf8(head).unwrap();
                let target = head.split(' ').nth(1).unwrap().to_owned();
                seen.lock().unwrap().push(head);
                client.write_all(answer.as_bytes()).await.unwrap();
                if answer.contains(" 200 ") {
                    let mut hub = tokio::net::TcpStream::connect(target).await.unwrap();
                    tokio::io::copy_bidirectional(&mut client, &mut hub).await.ok();
                }
            });
        }
    });
    (port, heads)
}

#[tokio::test]
async fn proxies_are_passed_through_or_told_about() {
    let peer = Peer::start([say(200, &[], &twin_json("d#1"))]).await;
    let through = |port: u16| {
        Registry::builder(peer.connection_string())
            .configure(|o| {
                o.extra_ca_pem.push(peer.ca_pem.clone());
                o.system_trust = false;
                o.proxy = twin_service::Proxy::Url(format!("http://user:pass%40word@127.0.0.1:{port}"));
            })
            .retry(Retry::none())
            .build()
            .unwrap()
    };
    let (port, heads) = proxy("HTTP/1.1 200 Connected\r\n\r\n").await;
    through(port).twin(&key()).await.unwrap();
    let head = heads.lock().unwrap()[0].to_ascii_lowercase();
    assert!(head.starts_with(&format!("connect localhost:{} http/1.1", peer.port)), "{head}");
    assert!(head.contains("proxy-authorization: basic dxnlcjpwyxnzqhdvcmq="), "{head}");
    assert!(!head.contains("sharedaccesssignature"), "the token is for the hub alone: {head}");

    let (port, _) = proxy("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").await;
    let error = through(port).twin(&key()).await.unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Network, Some(Delivery::NotSent)), "{error:?}");
    assert!(error.message().contains("proxy"), "{error}");
    assert!(!format!("{error} {error:?}").contains("pass"), "{error:?}");
}
