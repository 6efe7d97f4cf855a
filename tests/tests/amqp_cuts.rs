//! A client's conversation with the hub over AMQP, cut after every frame of it, whoever said it: nothing is lost.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tests::rhea::certificate;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use twin_core::TwinKey;
use twin_core::wire::rest::{Answer, Call, IfMatch};
use twin_device::{AmqpPool, DesiredChange, DeviceClient, Options, RetryPolicy, Transport};
use twin_hub::Hub;

/// Longest a story may take: a hang is a failure.
const LIMIT: Duration = Duration::from_secs(30);
/// More frames than a story has.
const MOST_FRAMES: usize = 200;
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZg==";

/// Between client and hub: reads both, and cuts one connection after so many frames.
struct Proxy {
    port: u16,
    ca_pem: String,
    /// Frames until the cut; 0 is never.
    left: AtomicUsize,
    was_cut: AtomicBool,
}

impl Proxy {
    async fn start(hub: &Hub) -> Arc<Proxy> {
        let files = tempfile::tempdir().unwrap();
        let (key, cert, ca_pem) = certificate(files.path(), "127.0.0.1");
        let provider = || Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(cert).unwrap()],
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(hub.ca_pem().as_bytes()).unwrap()).unwrap();
        let client = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (acceptor, connector) =
            (TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy =
            Arc::new(Proxy { port, ca_pem, left: AtomicUsize::new(0), was_cut: AtomicBool::new(false) });
        let (at, shared) = (hub.addresses()[0], proxy.clone());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (acceptor, connector, proxy) = (acceptor.clone(), connector.clone(), shared.clone());
                tokio::spawn(async move {
                    let far = TcpStream::connect(at).await?;
                    near.set_nodelay(true)?;
                    far.set_nodelay(true)?;
                    let near = acceptor.accept(near).await?;
                    let far = connector.connect(ServerName::try_from("localhost").unwrap(), far).await?;
                    let ((near_in, near_out), (far_in, far_out)) =
                        (tokio::io::split(near), tokio::io::split(far));
                    // Either end is the end of both.
                    tokio::select! {
                        end = proxy.pass(near_in, far_out) => end,
                        end = proxy.pass(far_in, near_out) => end,
                    }
                });
            }
        });
        proxy
    }

    /// Passes frames on, until one is the last.
    async fn pass(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> std::io::Result<()> {
        loop {
            let mut frame = vec![0; 8];
            from.read_exact(&mut frame).await?;
            if !frame.starts_with(b"AMQP") {
                frame.resize(u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize, 0);
                from.read_exact(&mut frame[8..]).await?;
            }
            to.write_all(&frame).await?;
            to.flush().await?;
            let left =
                self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            if left == Ok(1) {
                self.was_cut.store(true, Ordering::Relaxed);
                return Ok(());
            }
        }
    }
}

async fn desire(hub: &Hub, key: &TwinKey, n: u64) {
    let body = json!({"properties": {"desired": {"n": n}}}).to_string().into();
    hub.call(Call::PatchTwin { key: key.clone(), if_match: IfMatch::Absent, body }).await.unwrap();
}

/// Reports and hears, before and after; whatever is cut meanwhile.
async fn story(hub: &Hub, key: &TwinKey, client: &DeviceClient) {
    let mut desired = client.desired();
    let mut version = 0;
    for n in 1..=3 {
        client.report(json!({ "n": n })).await.unwrap();
        desire(hub, key, n).await;
        // In order, and each change once, or a whole twin in place of some.
        while version < n + 1 {
            version = match desired.next().await.unwrap() {
                DesiredChange::Patch { patch, version: at } => {
                    assert_eq!((at, &patch["n"]), (version + 1, &json!(at - 1)));
                    at
                }
                DesiredChange::Whole { version: at, desired: value } => {
                    assert!(at > version, "{at} after {version}");
                    assert_eq!(value.get("n").and_then(Value::as_u64).unwrap_or(0), at - 1);
                    at
                }
            };
        }
        assert_eq!(client.twin().await.unwrap().reported.value["n"], n);
    }
    client.close().await.unwrap();
    let Ok(Answer::Json { body, .. }) = hub.call(Call::GetTwin(key.clone())).await else { panic!() };
    let twin: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(twin["properties"]["reported"]["n"], 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_after_every_frame_nothing_is_lost() {
    let hub = Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await.unwrap();
    let proxy = Proxy::start(&hub).await;
    let host: twin_core::HostName = format!("localhost:{}", proxy.port).parse().unwrap();
    for pooled in [false, true] {
        let name = |frames| format!("pooled-{pooled}-{frames}");
        let keys = json!({"type": "sas", "symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY}});
        let devices: Vec<Value> = (1..MOST_FRAMES)
            .map(|n| json!({"id": name(n), "importMode": "create", "authentication": keys}))
            .collect();
        for devices in devices.chunks(100) {
            hub.call(Call::Bulk { body: Value::from(devices).to_string().into() }).await.unwrap();
        }
        let mut frames = 1;
        loop {
            assert!(frames < MOST_FRAMES);
            proxy.was_cut.store(false, Ordering::Relaxed);
            proxy.left.store(frames, Ordering::Relaxed);
            let key = TwinKey::device(name(frames)).unwrap();
            let text = format!("HostName={host};DeviceId={};SharedAccessKey={KEY}", name(frames));
            let retry =
                RetryPolicy::custom(|_, error| error.is_retryable().then_some(Duration::from_millis(1)));
            let builder = DeviceClient::from_connection_string(&text).unwrap().retry(retry);
            let mut options = Options::default();
            options.extra_ca_pem.push(proxy.ca_pem.clone());
            let builder = match pooled {
                false => builder.transport(Transport::Amqp).options(options),
                true => builder.pool(&AmqpPool::new(host.clone(), Transport::Amqp, options).unwrap()),
            };
            let client = builder.build().unwrap();
            let told = tokio::time::timeout(LIMIT, story(&hub, &key, &client)).await;
            told.unwrap_or_else(|_| panic!("it hangs after frame {frames}"));
            if !proxy.was_cut.load(Ordering::Relaxed) {
                break;
            }
            frames += 1;
        }
        // The conversation was cut at every frame, up to the goodbye.
        assert!(frames > 30, "{frames}");
    }
    hub.close().await.unwrap();
}
