//! An MQTT client of almost no weight: a TLS stream and a few bytes written by hand, so that what is measured is the hub.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use twin_core::TwinKey;
use twin_core::wire::mqtt::{self, Login};
use twin_core::wire::{ApiVersion, Channel};

use super::Outcome;
use super::hub::{HubProcess, device};

/// Seconds between pings that nobody sends: longer than any benchmark.
const KEEP_ALIVE: u16 = 3600;

/// A connection.
pub type Stream = TlsStream<TcpStream>;

/// Trust in a hub.
pub fn connector(hub: &HubProcess) -> Outcome<TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(hub.ca_pem.as_bytes()) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Connects a device and subscribes it to answers and desired changes.
pub async fn connect(hub: &HubProcess, tls: &TlsConnector, n: usize) -> Outcome<Stream> {
    let tcp = TcpStream::connect(hub.address).await?;
    tcp.set_nodelay(true)?;
    let mut stream = tls.connect(ServerName::IpAddress(hub.address.ip().into()), tcp).await?;
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
    stream.write_all(&packet(0x10, &body)).await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    if answer != [0x20, 2, 0, 0] {
        return Err(format!("the hub refused a device: {answer:?}").into());
    }
    stream.write_all(&subscribe(&key)).await?;
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).await?;
    if answer[0] != 0x90 || answer[4..].contains(&0x80) {
        return Err(format!("the hub refused a subscription: {answer:?}").into());
    }
    Ok(stream)
}

fn subscribe(key: &TwinKey) -> Vec<u8> {
    let mut body = vec![0, 1];
    for channel in [Channel::TwinAnswers, Channel::Desired] {
        string(&mut body, &mqtt::say_filter(key, channel));
        body.push(0);
    }
    packet(0x82, &body)
}

/// A message with QoS 0.
pub fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(topic.len() + payload.len() + 2);
    string(&mut body, topic);
    body.extend_from_slice(payload);
    packet(0x30, &body)
}

/// The first packet's first byte and length in all, once its header is there.
pub fn header(bytes: &[u8]) -> Option<(u8, usize)> {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate().skip(1).take(4) {
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        if byte & 0x80 == 0 {
            return Some((bytes[0], at + 1 + length));
        }
    }
    None
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
