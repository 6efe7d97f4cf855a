//! A hub and clients that speak to it in raw bytes: what is sent here is exactly what goes over the wire.
#![allow(dead_code, unreachable_pub, reason = "every test file takes its part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

pub mod amqp_peer;
pub mod certificates;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode, Packet, Publish, Subscribe};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use twin_core::Timestamp;
use twin_core::auth::{Credential, Key, SasToken, ServiceConnectionString};
use twin_hub::{Hub, HubBuilder};

/// How long a test waits for what must happen at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Fails unless `future` ends soon.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

pub fn now() -> Timestamp {
    Timestamp::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
}

/// `seconds` from now; negative ones are past.
pub fn from_now(seconds: i64) -> Timestamp {
    Timestamp::from_unix(Duration::from_secs(now().unix_seconds().checked_add_signed(seconds).unwrap()))
}

/// An ephemeral hub on a free port.
pub async fn hub() -> World {
    hub_with(|builder| builder).await
}

/// The same, set up further.
pub async fn hub_with(set_up: impl FnOnce(HubBuilder) -> HubBuilder) -> World {
    let builder = Hub::builder().listen("127.0.0.1:0".parse().unwrap());
    World { hub: set_up(builder).start().await.expect("the hub starts") }
}

pub struct World {
    pub hub: Hub,
}

/// What a hub answered over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub type Tls = TlsStream<TcpStream>;

impl World {
    pub fn tls_config(&self) -> rustls::ClientConfig {
        self.tls_builder().with_no_client_auth()
    }

    fn tls_builder(&self) -> rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.hub.ca_pem().as_bytes()).unwrap()).unwrap();
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
    }

    pub async fn tcp(&self) -> TcpStream {
        let tcp = TcpStream::connect(self.hub.addresses()[0]).await.expect("TCP");
        tcp.set_nodelay(true).unwrap();
        tcp
    }

    pub async fn tls(&self) -> Tls {
        self.tls_as(self.tls_config()).await
    }

    /// TLS with a client certificate, both in PEM.
    pub async fn tls_showing(&self, certificate: &str, key: &str) -> Tls {
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        self.tls_as(self.tls_builder().with_client_auth_cert(chain, key).unwrap()).await
    }

    pub async fn tls_as(&self, config: rustls::ClientConfig) -> Tls {
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        soon("TLS", connector.connect(name, self.tcp().await)).await.expect("TLS")
    }

    /// The token of a policy.
    pub fn policy_token(&self, policy: &str) -> String {
        self.policy_token_until(policy, 3600)
    }

    /// One that ends so many seconds from now.
    pub fn policy_token_until(&self, policy: &str, seconds: i64) -> String {
        let text = self.hub.connection_string_of(policy).unwrap();
        let Credential::Key { key, .. } = ServiceConnectionString::parse(&text).unwrap().credential else {
            panic!("a policy has a key")
        };
        SasToken::sign("localhost", &key, Some(policy), from_now(seconds)).expose().to_owned()
    }

    /// Sends raw bytes, reads one answer (or what there is until the end).
    pub async fn raw_http(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut tls = self.tls().await;
        tls.write_all(request.as_ref()).await.expect("sent");
        soon("the HTTP answer", read_answer(&mut tls)).await
    }

    /// A call of the service API as `iothubowner`.
    pub async fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        self.call_with(method, path, &[("Authorization", &self.policy_token("iothubowner"))], body).await
    }

    pub async fn call_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let version = if path.contains('?') { "" } else { "?api-version=2021-04-12" };
        let mut head =
            format!("{method} {path}{version} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            head += &format!(
                "Content-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n",
                body.len()
            );
        }
        self.raw_http(format!("{head}\r\n{body}")).await
    }

    /// Creates a device; its primary key.
    pub async fn device(&self, id: &str) -> Key {
        let answer = self.call("PUT", &format!("/devices/{id}"), &format!(r#"{{"deviceId":"{id}"}}"#)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let key = answer.json()["authentication"]["symmetricKey"]["primaryKey"].as_str().unwrap().to_owned();
        Key::from_base64(&key).unwrap()
    }

    /// Creates a device and connects it, clean session.
    pub async fn connected(&self, id: &str) -> Mqtt<Tls> {
        let key = self.device(id).await;
        let mut mqtt = Mqtt::new(self.tls().await);
        assert_eq!(mqtt.connect(&connect(id, &token(id, &key, 3600))).await.code, ConnectReturnCode::Success);
        mqtt
    }

    /// Proves that the hub still serves: a fresh device connects and gets its twin.
    pub async fn is_alive(&self, id: &str) {
        let mut mqtt = self.connected(id).await;
        mqtt.subscribe("$iothub/twin/res/#").await;
        mqtt.publish("$iothub/twin/GET/?$rid=alive", "").await;
        assert!(mqtt.publication().await.0.starts_with("$iothub/twin/res/200/"));
        mqtt.send(&Packet::Disconnect).await;
    }
}

/// A device's token.
pub fn token(id: &str, key: &Key, seconds: i64) -> String {
    SasToken::sign(&format!("localhost/devices/{id}"), key, None, from_now(seconds)).expose().to_owned()
}

/// A CONNECT as SDKs say it, clean session.
pub fn connect(id: &str, password: &str) -> Connect {
    let mut connect = Connect::new(id);
    connect.keep_alive = 180;
    connect.set_login(format!("localhost/{id}/?api-version=2021-04-12"), password);
    connect
}

async fn read_answer(stream: &mut (impl AsyncRead + Unpin)) -> Answer {
    let mut bytes = Vec::new();
    let (mut head_end, mut length) = (None, None);
    loop {
        if let (Some(end), Some(length)) = (head_end, length)
            && bytes.len() >= end + 4 + length
        {
            break;
        }
        let mut buf = [0; 4096];
        match stream.read(&mut buf).await {
            Ok(0) | Err(_) => break,
            Ok(n) => bytes.extend_from_slice(&buf[..n]),
        }
        if head_end.is_none() {
            head_end = bytes.windows(4).position(|w| w == b"\r\n\r\n");
            length = head_end.and_then(|end| {
                let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
                head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse::<usize>().ok())
            });
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// An MQTT client that does nothing by itself.
pub struct Mqtt<S> {
    pub io: S,
    inbox: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Mqtt<S> {
    pub fn new(io: S) -> Self {
        Mqtt { io, inbox: BytesMut::new() }
    }

    pub async fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, usize::MAX).unwrap();
        self.send_raw(&bytes).await;
    }

    pub async fn send_raw(&mut self, bytes: &[u8]) {
        // A hub that has closed already is found out by reading.
        let _ = self.io.write_all(bytes).await;
        let _ = self.io.flush().await;
    }

    /// The next packet; `None` once the hub has closed.
    pub async fn next(&mut self) -> Option<Packet> {
        soon("a packet", async {
            loop {
                match Packet::read(&mut self.inbox, usize::MAX) {
                    Ok(packet) => return Some(packet),
                    Err(rumqttc::mqttbytes::Error::InsufficientBytes(_)) => {}
                    Err(e) => panic!("the hub sent what is no packet: {e}"),
                }
                match self.io.read_buf(&mut self.inbox).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
        })
        .await
    }

    /// Fails unless the hub closes, whatever it still says.
    pub async fn closes(&mut self, what: &str) {
        soon(what, async { while self.next().await.is_some() {} }).await;
    }

    pub async fn connect(&mut self, connect: &Connect) -> ConnAck {
        self.send(&Packet::Connect(connect.clone())).await;
        match self.next().await {
            Some(Packet::ConnAck(ack)) => ack,
            other => panic!("{other:?} instead of CONNACK"),
        }
    }

    pub async fn subscribe(&mut self, filter: &str) -> u8 {
        let mut subscribe = Subscribe::new(filter, QoS::AtLeastOnce);
        subscribe.pkid = 7;
        self.send(&Packet::Subscribe(subscribe)).await;
        match self.next().await {
            Some(Packet::SubAck(ack)) => {
                assert_eq!(ack.pkid, 7);
                match ack.return_codes[..] {
                    [rumqttc::mqttbytes::v4::SubscribeReasonCode::Success(qos)] => qos as u8,
                    [rumqttc::mqttbytes::v4::SubscribeReasonCode::Failure] => 0x80,
                    _ => panic!("{ack:?}"),
                }
            }
            other => panic!("{other:?} instead of SUBACK"),
        }
    }

    pub async fn publish(&mut self, topic: &str, body: impl AsRef<[u8]>) {
        let publish = Publish::new(topic, QoS::AtMostOnce, body.as_ref());
        self.send(&Packet::Publish(publish)).await;
    }

    /// The next publication: topic and body.
    pub async fn publication(&mut self) -> (String, Bytes) {
        match self.next().await {
            Some(Packet::Publish(publish)) => (publish.topic, publish.payload),
            other => panic!("{other:?} instead of a publication"),
        }
    }

    /// Fails unless a ping is answered.
    pub async fn is_alive(&mut self) {
        self.send(&Packet::PingReq).await;
        assert_eq!(self.next().await, Some(Packet::PingResp));
    }
}
