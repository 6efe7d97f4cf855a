//! An MQTT client of almost no weight: a TLS stream and a few bytes written by hand, so that what is measured is the hub.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use twin_core::wire::mqtt::{self, Login};
use twin_core::wire::{ApiVersion, Channel};

use super::Outcome;
use super::hub::{HubProcess, device};

/// Seconds between pings that nobody sends: longer than any benchmark.
const KEEP_ALIVE: u16 = 3600;

/// A connection.
pub type Stream = TlsStream<TcpStream>;

/// Trust in a certificate; each connection is made by a whole handshake.
pub fn connector(ca_pem: &str) -> Outcome<TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A TLS connection.
pub async fn dial(address: SocketAddr, tls: &TlsConnector) -> Outcome<Stream> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    Ok(tls.connect(ServerName::IpAddress(address.ip().into()), tcp).await?)
}

/// Connects to a broker that asks for no name, with no subscription.
pub async fn connect_plainly(address: SocketAddr, tls: &TlsConnector, client_id: &str) -> Outcome<Stream> {
    let mut stream = dial(address, tls).await?;
    let mut body = b"\0\x04MQTT\x04\x02".to_vec();
    body.extend(KEEP_ALIVE.to_be_bytes());
    string(&mut body, client_id);
    stream.write_all(&packet(0x10, &body)).await?;
    stream.flush().await?;
    expect::<4>(&mut stream, |answer| answer == [0x20, 2, 0, 0]).await?;
    Ok(stream)
}

/// Connects a device and subscribes it to answers and desired changes.
pub async fn connect(hub: &HubProcess, tls: &TlsConnector, n: usize) -> Outcome<Stream> {
    let mut stream = dial(hub.address, tls).await?;
    stream.write_all(&login(hub, n)?).await?;
    stream.flush().await?;
    expect::<4>(&mut stream, |answer| answer == [0x20, 2, 0, 0]).await?;
    let filters =
        [Channel::TwinAnswers, Channel::Desired].map(|channel| mqtt::say_filter(&device(n), channel));
    subscribed(&mut stream, &filters).await?;
    Ok(stream)
}

/// Subscribes with QoS 0, and waits until that is granted.
pub async fn subscribed(stream: &mut Stream, filters: &[String]) -> Outcome<()> {
    let mut body = vec![0, 1];
    for filter in filters {
        string(&mut body, filter);
        body.push(0);
    }
    stream.write_all(&packet(0x82, &body)).await?;
    stream.flush().await?;
    let mut answer = vec![0; 4 + filters.len()];
    stream.read_exact(&mut answer).await?;
    let granted = answer[0] == 0x90 && !answer[4..].contains(&0x80);
    if granted { Ok(()) } else { Err(format!("a subscription was refused: {answer:?}").into()) }
}

/// Reads what is there, or waits for something.
pub async fn more(stream: &mut Stream, inbox: &mut Vec<u8>) -> Outcome<()> {
    match stream.read_buf(inbox).await? {
        0 => Err("the other side closed a connection".into()),
        _ => Ok(()),
    }
}

/// A device's CONNECT.
pub fn login(hub: &HubProcess, n: usize) -> Outcome<Vec<u8>> {
    let key = device(n);
    let login = Login {
        host: hub.host()?.to_string(),
        key: key.clone(),
        api_version: Some(ApiVersion::OURS),
        product_info: None,
        model_id: None,
    };
    let mut body = b"\0\x04MQTT\x04\xc2".to_vec();
    body.extend(KEEP_ALIVE.to_be_bytes());
    for text in [&mqtt::say_client_id(&key), &mqtt::say_login(&login), hub.token(n)?.expose()] {
        string(&mut body, text);
    }
    Ok(packet(0x10, &body))
}

/// Reads an answer of a known length.
pub async fn expect<const N: usize>(stream: &mut Stream, good: impl Fn([u8; N]) -> bool) -> Outcome<()> {
    let mut answer = [0; N];
    stream.read_exact(&mut answer).await?;
    if good(answer) { Ok(()) } else { Err(format!("refused: {answer:?}").into()) }
}

/// A message with QoS 0.
pub fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(topic.len() + payload.len() + 2);
    string(&mut body, topic);
    body.extend_from_slice(payload);
    packet(0x30, &body)
}

/// A message with QoS 1.
pub fn publish_surely(topic: &str, payload: &[u8], id: u16) -> Vec<u8> {
    let mut body = Vec::with_capacity(topic.len() + payload.len() + 4);
    string(&mut body, topic);
    body.extend(id.to_be_bytes());
    body.extend_from_slice(payload);
    packet(0x32, &body)
}

/// The first packet, once it is whole.
pub fn first(bytes: &[u8]) -> Option<&[u8]> {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate().skip(1).take(4) {
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        if byte & 0x80 == 0 {
            return bytes.get(..at + 1 + length);
        }
    }
    None
}

/// The length of a PUBACK, which is the first packet once there is one.
pub fn puback(bytes: &[u8]) -> Outcome<Option<usize>> {
    match first(bytes) {
        Some(packet) if packet[0] == 0x40 => Ok(Some(packet.len())),
        Some(packet) => Err(format!("no PUBACK: {packet:?}").into()),
        None => Ok(None),
    }
}

fn string(to: &mut Vec<u8>, text: &str) {
    to.extend((text.len() as u16).to_be_bytes());
    to.extend_from_slice(text.as_bytes());
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let more = if length > 0x7f { 0x80 } else { 0 };
        bytes.push((length & 0x7f) as u8 | more);
        length >>= 7;
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}
