//! Ports, TLS, one task per connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;
use twin_core::{Error, ErrorKind, Result};

use super::certificate::{AnyCertificate, PeerCertificate};
use super::metrics::{Door, count};
use super::patient::Patient;
use super::sniff::{ENOUGH, Protocol, sniff};
use super::{Front, Interrupt, Peer, amqp, http, mqtt};

/// A connection after TLS. Boxed: it is over a kilobyte large, and every future that it passes through holds room for it.
pub(super) type Stream = Box<TlsStream<Patient<TcpStream>>>;

/// Plaintext bytes that TLS may hold back for a slow peer.
const TLS_BUFFER_BYTES: usize = 16 * 1024;

/// How long accepting pauses when the system has no more file descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// The server's TLS: 1.2 and 1.3, ring, tickets, any client certificate or none.
pub(crate) fn tls_config(
    provider: Arc<rustls::crypto::CryptoProvider>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig> {
    let broken =
        |e: rustls::Error| Error::new(ErrorKind::Tls, format!("the server certificate: {e}")).with_source(e);
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(broken)?
        .with_client_cert_verifier(Arc::new(AnyCertificate(provider)))
        .with_single_cert(chain, key)
        .map_err(broken)?;
    // Tickets instead of a cache: reconnecting devices resume, and the hub remembers nothing about them.
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(broken)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// Binds all of `addresses` or none; the error names the one that cannot be had and the way out. One that need not be had
/// (`false`) is left out if the machine has no such address.
pub(crate) async fn bind(addresses: &[(SocketAddr, bool)]) -> Result<Vec<TcpListener>> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for (address, needed) in addresses {
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            Err(e) if !needed && no_such_address(&e) => {
                tracing::debug!(%address, "not listening there: this machine has no such address");
            }
            Err(e) => return Err(unbound(*address, e)),
        }
    }
    Ok(listeners)
}

/// Whether the machine lacks the address, or the whole family of addresses (EAFNOSUPPORT, which has no kind of its own).
fn no_such_address(e: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    e.kind() == io::ErrorKind::AddrNotAvailable || e.raw_os_error() == Some(EAFNOSUPPORT)
}

fn unbound(address: SocketAddr, e: io::Error) -> Error {
    let port = address.port();
    let way_out = match e.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "ports below 1024 want a privilege. Any of these helps: another port (--listen {}:8443); \
             `sudo setcap cap_net_bind_service=+ep` on the program; \
             `sudo sysctl net.ipv4.ip_unprivileged_port_start={port}`",
            address.ip()
        ),
        io::ErrorKind::AddrInUse => format!(
            "another program holds it, perhaps another hub (`ss -ltnp 'sport = :{port}'` tells); \
             stop that one, or listen elsewhere (--listen)"
        ),
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; listen on one that it has (--listen)".to_owned()
        }
        _ => "listen elsewhere (--listen)".to_owned(),
    };
    Error::new(ErrorKind::InvalidArgument, format!("cannot listen on {address}: {e}; {way_out}"))
        .with_source(e)
}

/// Accepts until the hub stops, then waits for the connections to finish, within bounds.
pub(crate) async fn run(front: Arc<Front>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopping(&front) => break,
            // Finished ones are taken out as they finish, so the set holds open connections only.
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((tcp, address)) => accept(&front, &mut connections, tcp, address),
                Err(e) => {
                    // Mostly: no file descriptors left. Connections that end free some.
                    tracing::warn!(error = %e, "cannot accept a connection");
                    tokio::time::sleep(BREATH).await;
                }
            },
        }
    }
    drop(listener);
    let patience = front.limits.close_time + Duration::from_secs(1);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(patience, all).await.is_err() {
        tracing::warn!(left = connections.len(), "closed connections that did not finish");
        connections.shutdown().await;
    }
}

async fn stopping(front: &Front) {
    // A closed channel cannot be: the front holds its sender.
    let _ = front.signal.subscribe().wait_for(|s| s.stopping).await.map(|_| ());
}

fn accept(front: &Arc<Front>, connections: &mut JoinSet<()>, tcp: TcpStream, address: SocketAddr) {
    let Ok(permit) = front.room.clone().try_acquire_owned() else {
        count(&front.metrics.connections_turned_away);
        tracing::warn!(peer = %address, most = front.limits.max_connections, "turned away: too many connections");
        return;
    };
    let front = front.clone();
    connections.spawn(async move {
        serve(front, tcp, address).await;
        drop(permit);
    });
}

/// One connection, from TCP to its end.
async fn serve(front: Arc<Front>, tcp: TcpStream, address: SocketAddr) {
    // Each stage is boxed: the task is as large as its largest stage otherwise, for as long as the device is connected.
    let arrival = Box::pin(async {
        let (stream, peer) = handshake(&front, tcp, address).await?;
        let (protocol, ahead, stream) = first_words(&front, stream, &peer).await?;
        Some((protocol, ahead, stream, peer))
    });
    let mut interrupt = Interrupt::new(&front);
    let arrived = tokio::select! {
        biased;
        _ = interrupt.wait() => None,
        arrived = arrival => arrived,
    };
    drop(interrupt);
    let Some((protocol, ahead, stream, peer)) = arrived else { return };
    match protocol {
        Protocol::Mqtt => Box::pin(mqtt::serve(front, stream, ahead, peer, Door::Mqtt)).await,
        Protocol::Http => Box::pin(http::serve(front, stream, ahead, peer)).await,
        Protocol::Amqp => Box::pin(amqp::serve(front, stream, ahead, peer, Door::Amqp)).await,
    }
}

async fn handshake(front: &Front, tcp: TcpStream, address: SocketAddr) -> Option<(Stream, Peer)> {
    // Small packets must not wait for acknowledgements of earlier ones.
    let _ = tcp.set_nodelay(true);
    let tcp = Patient::new(tcp, front.limits.stall_time);
    let handshake = async {
        let _permit = front.handshakes.acquire().await.map_err(io::Error::other)?;
        front.tls.accept_with(tcp, |tls| tls.set_buffer_limit(Some(TLS_BUFFER_BYTES))).await
    };
    let why = match tokio::time::timeout(front.limits.handshake_time, handshake).await {
        Ok(Ok(stream)) => {
            let certificate = stream.get_ref().1.peer_certificates().and_then(PeerCertificate::new);
            return Some((Box::new(stream), Peer { address, certificate }));
        }
        Ok(Err(e)) => e.to_string(),
        Err(_) => "it took too long".to_owned(),
    };
    count(&front.metrics.handshakes_failed);
    tracing::info!(peer = %address, reason = %why, "no TLS: does the client trust this hub's CA and the name it used?");
    None
}

/// Reads until the protocol is told.
async fn first_words(front: &Front, mut stream: Stream, peer: &Peer) -> Option<(Protocol, Bytes, Stream)> {
    let mut ahead = BytesMut::with_capacity(ENOUGH);
    let told = async {
        loop {
            match sniff(&ahead) {
                Ok(Some(protocol)) => return Ok(protocol),
                Err(byte) => return Err(format!("first byte {byte:#04x} is of no protocol that is served")),
                Ok(None) => {}
            }
            match stream.read_buf(&mut ahead).await {
                Ok(0) => return Err("closed without a word".to_owned()),
                Ok(_) => {}
                Err(e) => return Err(e.to_string()),
            }
        }
    };
    let why = match tokio::time::timeout(front.limits.first_words_time, told).await {
        Ok(Ok(protocol)) => return Some((protocol, ahead.freeze(), stream)),
        Ok(Err(why)) => why,
        Err(_) => "nothing said in time".to_owned(),
    };
    tracing::debug!(peer = %peer.address, why, "closed before its protocol was known");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_cannot_be_had_is_named_with_the_way_out() {
        let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = holder.local_addr().unwrap();
        let error =
            bind(&[("127.0.0.1:0".parse().unwrap(), true), (taken, false)]).await.unwrap_err().to_string();
        assert!(error.contains(&taken.to_string()) && error.contains("--listen"), "{error}");
        let error =
            unbound("127.0.0.1:443".parse().unwrap(), io::ErrorKind::PermissionDenied.into()).to_string();
        for word in ["127.0.0.1:443", "setcap", "ip_unprivileged_port_start=443", "--listen"] {
            assert!(error.contains(word), "{word}: {error}");
        }
        let elsewhere = "192.0.2.1:0".parse().unwrap();
        let error = bind(&[(elsewhere, true)]).await.unwrap_err().to_string();
        assert!(error.contains("192.0.2.1"), "{error}");
        assert!(bind(&[(elsewhere, false)]).await.unwrap().is_empty());
    }
}
