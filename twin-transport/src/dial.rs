//! From a name to a byte stream: addresses, TCP (through a proxy where one is set), TLS.
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use twin_core::{Error, ErrorKind, Result};

use crate::proxy::{self, ProxyServer};
use crate::{Proxy, tls};

/// How long one address gets before the next is tried beside it (RFC 8305 recommends 250 ms).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

/// A TLS connection to `host:port`. Has no time limit of its own: the caller sets one over everything.
pub(crate) async fn tls(
    host: &str,
    port: u16,
    config: Arc<ClientConfig>,
    proxy: &Proxy,
) -> Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_string()).map_err(|_| {
        Error::invalid(format!("'{host}' is no name or address that a certificate can be for"))
    })?;
    let tcp = match proxy::choose(proxy, host)? {
        None => tcp(host, port, "").await?,
        Some(proxy) => through(&proxy, host, port).await?,
    };
    TlsConnector::from(config).connect(name, tcp).await.map_err(|e| {
        tls::classify(&e, host).unwrap_or_else(|| match e.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Error::new(
                ErrorKind::Network,
                format!("{host}:{port} closed the connection during the TLS handshake"),
            ),
            _ => {
                Error::new(ErrorKind::Network, format!("the TLS handshake with {host}:{port} broke off: {e}"))
            }
        })
    })
}

async fn through(proxy: &ProxyServer, host: &str, port: u16) -> Result<TcpStream> {
    let mut stream = tcp(&proxy.host, proxy.port, "the proxy ").await?;
    proxy::connect(&mut stream, proxy, host, port).await?;
    Ok(stream)
}

/// A TCP connection without delay. `what` (`"the proxy "` or nothing) goes into messages.
async fn tcp(host: &str, port: u16, what: &str) -> Result<TcpStream> {
    let network = |message: String| Error::new(ErrorKind::Network, message);
    let found = tokio::net::lookup_host((host, port)).await.map_err(|e| {
        network(format!("the name of {what}'{host}' cannot be looked up: {e}")).with_source(e)
    })?;
    let addresses = interleave(found.collect());
    if addresses.is_empty() {
        return Err(network(format!("the name of {what}'{host}' has no address")));
    }
    let stream = race(&addresses).await.map_err(|(address, e)| {
        let problem = match e.kind() {
            io::ErrorKind::ConnectionRefused => "nothing listens there (connection refused)".to_string(),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                format!("no way leads there ({e})")
            }
            _ => e.to_string(),
        };
        let others = match addresses.len() {
            1 => String::new(),
            n => format!(", the last of {n} addresses"),
        };
        network(format!("cannot connect to {what}'{host}' at {address}{others}: {problem}")).with_source(e)
    })?;
    // A twin request is one small packet that waits for its answer: Nagle's algorithm only delays it.
    stream.set_nodelay(true).map_err(|e| network(format!("TCP_NODELAY cannot be set: {e}")))?;
    Ok(stream)
}

/// The families in turn, in the resolver's order within each, so that a broken family costs one step and not a timeout.
fn interleave(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = found.first().map(SocketAddr::is_ipv6) else { return found };
    let (same, other): (Vec<_>, Vec<_>) = found.into_iter().partition(|a| a.is_ipv6() == first);
    let (mut same, mut other) = (same.into_iter(), other.into_iter());
    let mut addresses = Vec::new();
    loop {
        let pair = [same.next(), other.next()];
        if pair == [None, None] || addresses.len() >= MAX_ADDRESSES {
            addresses.truncate(MAX_ADDRESSES);
            return addresses;
        }
        addresses.extend(pair.into_iter().flatten());
    }
}

/// The first connection that succeeds; the next attempt starts when one fails or is slow. The last failure otherwise.
async fn race(addresses: &[SocketAddr]) -> Result<TcpStream, (SocketAddr, io::Error)> {
    let attempt = |address: SocketAddr| async move {
        TcpStream::connect(address).await.map_err(|error| (address, error))
    };
    let mut waiting = addresses.iter().copied();
    let mut attempts = FuturesUnordered::new();
    attempts.extend(waiting.next().map(attempt));
    loop {
        tokio::select! {
            Some(ended) = attempts.next() => match (ended, waiting.next()) {
                (Ok(stream), _) => return Ok(stream),
                (Err(_), Some(next)) => attempts.push(attempt(next)),
                (Err(failure), None) if attempts.is_empty() => return Err(failure),
                (Err(_), None) => {}
            },
            () = sleep(NEXT_ADDRESS_AFTER), if waiting.len() > 0 => attempts.extend(waiting.next().map(attempt)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn refused() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    }

    #[test]
    fn families_take_turns() {
        let v4 = |n: u8| SocketAddr::from(([127, 0, 0, n], 1));
        let v6 = |n: u16| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, n], 1));
        assert_eq!(interleave(vec![v6(1), v6(2), v4(1), v4(2), v4(3)]), [v6(1), v4(1), v6(2), v4(2), v4(3)]);
        assert_eq!(interleave((0..40).map(v4).collect()).len(), MAX_ADDRESSES);
        assert!(interleave(Vec::new()).is_empty());
    }

    #[tokio::test]
    async fn a_dead_address_is_passed_over() {
        let dead = refused().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let live = listener.local_addr().unwrap();
        assert_eq!(race(&[dead, live]).await.unwrap().peer_addr().unwrap(), live);
    }

    #[tokio::test]
    async fn messages_tell_refusal_from_unknown_names() {
        let dead = refused().await;
        let error = tcp("127.0.0.1", dead.port(), "").await.unwrap_err();
        assert!(error.message().contains("nothing listens there"), "{error}");
        let error = tcp("no-such-host.invalid", 1, "the proxy ").await.unwrap_err();
        assert!(error.message().contains("the proxy 'no-such-host.invalid' cannot be looked up"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Network);
    }
}
