//! A scripted MQTT 3.1.1 peer that shares no code with the stack: bytes over TLS, written down by hand from the standard.
//! A test plays the hub with it, one step at a time, and can stop, lie or break off at any of them.

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A throw-away certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, "test authority");
        let key = KeyPair::generate().expect("a key");
        Authority { issuer: CertifiedIssuer::self_signed(params, key).expect("a CA certificate") }
    }

    /// The certificate that clients must trust.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A server's TLS, with a certificate for `name`; `spoil` changes it before it is signed.
    pub fn server(&self, name: &str, spoil: impl FnOnce(&mut CertificateParams)) -> TlsAcceptor {
        self.tls(name, spoil, rustls::server::WebPkiClientVerifier::no_client_auth())
    }

    /// A server's TLS that demands client certificates of this authority.
    pub fn demanding_server(&self, name: &str) -> TlsAcceptor {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a CA certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .expect("a verifier");
        self.tls(name, |_| {}, verifier)
    }

    fn tls(
        &self,
        name: &str,
        spoil: impl FnOnce(&mut CertificateParams),
        clients: Arc<dyn rustls::server::danger::ClientCertVerifier>,
    ) -> TlsAcceptor {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        spoil(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a server certificate");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Somebody listening where a device expects its hub.
pub struct Peer {
    listener: TcpListener,
    tls: TlsAcceptor,
    /// The CA to trust.
    pub ca_pem: String,
}

impl Peer {
    /// Listens on a free port of 127.0.0.1 as `localhost`.
    pub async fn start() -> Peer {
        let authority = Authority::new();
        Peer::with(authority.server("localhost", |_| {}), authority.pem()).await
    }

    /// Listens with a certificate of one's own.
    pub async fn with(tls: TlsAcceptor, ca_pem: String) -> Peer {
        Peer { listener: TcpListener::bind("127.0.0.1:0").await.expect("a port"), tls, ca_pem }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.listener.local_addr().expect("an address").port()
    }

    /// The connection string of device `d`, with a key of 32 zero bytes.
    pub fn connection_string(&self) -> String {
        let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        format!("HostName=localhost:{};DeviceId=d;SharedAccessKey={key}", self.port())
    }

    /// The next connection, before TLS.
    pub async fn accept_tcp(&self) -> TcpStream {
        let (stream, _) = self.listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        stream
    }

    /// The next connection, after TLS.
    pub async fn accept(&self) -> Talk {
        self.try_accept().await.expect("a TLS handshake")
    }

    /// The next connection, if the client likes our certificate.
    pub async fn try_accept(&self) -> io::Result<Talk> {
        let stream = self.accept_tcp().await;
        Ok(Talk { stream: self.tls.accept(stream).await? })
    }

    /// The next connection, let in.
    pub async fn welcome(&self) -> Talk {
        let mut talk = self.accept().await;
        talk.connect().await;
        talk.connack(0, false).await;
        talk
    }
}

/// What a packet says, as far as a hub cares.
#[derive(Clone, Debug, PartialEq)]
pub enum Packet {
    /// CONNECT.
    Connect(Connect),
    /// SUBSCRIBE of one filter.
    Subscribe {
        /// packet id
        id: u16,
        /// the filter
        filter: String,
        /// asked for
        qos: u8,
    },
    /// UNSUBSCRIBE of one filter.
    Unsubscribe {
        /// packet id
        id: u16,
        /// the filter
        filter: String,
    },
    /// PUBLISH.
    Publish {
        /// the topic
        topic: String,
        /// the body
        payload: Vec<u8>,
        /// 0 or 1
        qos: u8,
        /// packet id, for QoS 1
        id: Option<u16>,
    },
    /// PUBACK of this packet id.
    Puback(u16),
    /// PINGREQ.
    Ping,
    /// DISCONNECT.
    Disconnect,
}

/// CONNECT's content.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Connect {
    pub clean_session: bool,
    pub keep_alive: u16,
    pub client_id: String,
    pub username: Option<String>,
    pub password: Option<String>,
}

/// A twin request that a device published.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// GET.
    Get {
        /// request id
        rid: String,
    },
    /// PATCH of reported properties.
    Report {
        /// request id
        rid: String,
        /// if-version
        version: Option<u64>,
        /// the patch
        body: String,
    },
}

/// One connection.
pub struct Talk {
    stream: TlsStream<TcpStream>,
}

impl Talk {
    /// Writes bytes as they are.
    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the client listens");
        self.stream.flush().await.expect("the client listens");
    }

    /// Writes bytes one by one, each in a TLS record of its own.
    pub async fn dribble(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write(&[*byte]).await;
        }
    }

    /// The next packet; `None` when the client closed the connection properly (close_notify).
    pub async fn hear(&mut self) -> Option<Packet> {
        let first = match self.stream.read_u8().await {
            Ok(first) => first,
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return None,
            Err(e) => panic!("the client broke off: {e}"),
        };
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = self.stream.read_u8().await.expect("a length");
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.expect("a whole packet");
        Some(read(first, &body))
    }

    /// The next packet, which must be CONNECT.
    pub async fn connect(&mut self) -> Connect {
        match self.hear().await {
            Some(Packet::Connect(connect)) => connect,
            other => panic!("CONNECT was to come, not {other:?}"),
        }
    }

    /// CONNACK.
    pub async fn connack(&mut self, code: u8, session_present: bool) {
        self.write(&[0x20, 2, u8::from(session_present), code]).await;
    }

    /// SUBACK.
    pub async fn suback(&mut self, id: u16, code: u8) {
        self.write(&[0x90, 3, (id >> 8) as u8, id as u8, code]).await;
    }

    /// PUBLISH, QoS 0.
    pub async fn publish(&mut self, topic: &str, payload: &str) {
        self.write(&publish(topic, payload.as_bytes(), None)).await;
    }

    /// PUBLISH, QoS 1.
    pub async fn publish_at_least_once(&mut self, id: u16, topic: &str, payload: &str) {
        self.write(&publish(topic, payload.as_bytes(), Some(id))).await;
    }

    /// The next packet that is neither a subscription (granted) nor a ping (answered).
    pub async fn next(&mut self) -> Option<Packet> {
        loop {
            match self.hear().await {
                Some(Packet::Subscribe { id, .. }) => self.suback(id, 0).await,
                Some(Packet::Unsubscribe { id, .. }) => {
                    self.write(&[0xb0, 2, (id >> 8) as u8, id as u8]).await
                }
                Some(Packet::Ping) => self.write(&[0xd0, 0]).await,
                other => return other,
            }
        }
    }

    /// The next twin request; subscriptions are granted and pings answered meanwhile.
    pub async fn asked(&mut self) -> Asked {
        match self.next().await {
            Some(Packet::Publish { topic, payload, .. }) => asked(&topic, &payload),
            other => panic!("a twin request was to come, not {other:?}"),
        }
    }

    /// The next twin request, which must be GET: its request id.
    pub async fn asked_get(&mut self) -> String {
        match self.asked().await {
            Asked::Get { rid } => rid,
            other => panic!("GET was to come, not {other:?}"),
        }
    }

    /// The answer to a GET: a twin with these versions and one member each.
    pub async fn answer_get(&mut self, rid: &str, desired: u64, reported: u64) {
        let twin = format!(
            r#"{{"desired":{{"at":{desired},"$version":{desired}}},"reported":{{"at":{reported},"$version":{reported}}}}}"#
        );
        self.publish(&format!("$iothub/twin/res/200/?$rid={rid}"), &twin).await;
    }

    /// A desired notification: `at` becomes `version`.
    pub async fn notify(&mut self, version: u64) {
        let topic = format!("$iothub/twin/PATCH/properties/desired/?$version={version}");
        self.publish(&topic, &format!(r#"{{"at":{version},"$version":{version}}}"#)).await;
    }

    /// Waits for the client's DISCONNECT and its closing of the connection.
    pub async fn goodbye(mut self) {
        assert_eq!(self.next().await, Some(Packet::Disconnect));
        assert_eq!(self.hear().await, None);
    }

    /// Waits until the client closes the connection, whatever it says before.
    pub async fn until_closed(mut self) {
        let mut rest = [0; 1024];
        while let Ok(1..) = self.stream.read(&mut rest).await {}
    }
}

fn asked(topic: &str, payload: &[u8]) -> Asked {
    let argument = |name: &str| {
        let (_, arguments) = topic.split_once('?')?;
        arguments.split('&').find_map(|a| a.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    };
    let rid = argument("$rid").expect("a request id");
    if topic.starts_with("$iothub/twin/GET/?") {
        Asked::Get { rid }
    } else if topic.starts_with("$iothub/twin/PATCH/properties/reported/?") {
        let version = argument("$version").map(|v| v.parse().expect("a version"));
        Asked::Report { rid, version, body: String::from_utf8(payload.to_vec()).expect("UTF-8") }
    } else {
        panic!("no twin request: {topic}")
    }
}

/// The bytes of a PUBLISH; QoS 1 with a packet id.
pub fn publish(topic: &str, payload: &[u8], id: Option<u16>) -> Vec<u8> {
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend(topic.as_bytes());
    body.extend(id.iter().flat_map(|id| id.to_be_bytes()));
    body.extend(payload);
    let mut packet = vec![if id.is_some() { 0x32 } else { 0x30 }];
    let mut length = body.len();
    loop {
        let more = length > 0x7f;
        packet.push((length & 0x7f) as u8 | if more { 0x80 } else { 0 });
        length >>= 7;
        if !more {
            break;
        }
    }
    packet.extend(body);
    packet
}

/// A packet's body, read from the front.
struct Body<'a>(&'a [u8]);

impl Body<'_> {
    fn u8(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().expect("another byte");
        self.0 = rest;
        *first
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    fn text(&mut self) -> String {
        let length = usize::from(self.u16());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8(text.to_vec()).expect("UTF-8")
    }
}

fn read(first: u8, body: &[u8]) -> Packet {
    let mut body = Body(body);
    let packet = match (first >> 4, first & 0xf) {
        (1, 0) => {
            assert_eq!((body.text().as_str(), body.u8()), ("MQTT", 4));
            let (flags, keep_alive, client_id) = (body.u8(), body.u16(), body.text());
            assert_eq!(flags & 0b0011_1101, 0, "a will or reserved bits");
            let username = (flags & 0x80 != 0).then(|| body.text());
            let password = (flags & 0x40 != 0).then(|| body.text());
            Packet::Connect(Connect {
                clean_session: flags & 2 != 0,
                keep_alive,
                client_id,
                username,
                password,
            })
        }
        (3, flags) => {
            assert_eq!(flags & 0b1001, 0, "DUP and RETAIN are for nobody here");
            let (qos, topic) = (flags >> 1, body.text());
            let id = (qos > 0).then(|| body.u16());
            let payload = std::mem::take(&mut body.0).to_vec();
            Packet::Publish { topic, payload, qos, id }
        }
        (4, 0) => Packet::Puback(body.u16()),
        (8, 2) => Packet::Subscribe { id: body.u16(), filter: body.text(), qos: body.u8() },
        (10, 2) => Packet::Unsubscribe { id: body.u16(), filter: body.text() },
        (12, 0) => Packet::Ping,
        (14, 0) => Packet::Disconnect,
        other => panic!("no packet for a client to send: {other:?}"),
    };
    assert!(body.0.is_empty(), "bytes behind {packet:?}");
    packet
}
