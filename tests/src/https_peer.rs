//! A scripted HTTPS peer that shares no code with the stack: HTTP/1.1 over TLS, written down by hand. A test plays the hub
//! with it, one request at a time.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::mqtt_peer::Authority;

/// Largest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// Somebody listening where a device expects its hub.
pub struct Peer {
    listener: TcpListener,
    tls: TlsAcceptor,
    /// The CA to trust.
    pub ca_pem: String,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Method and target.
    pub line: String,
    /// Lower-case name, value.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }
}

/// One connection.
pub struct Talk {
    stream: TlsStream<TcpStream>,
    read: Vec<u8>,
}

impl Peer {
    /// Listens on a free port of 127.0.0.1 as `localhost`.
    pub async fn start() -> Peer {
        let authority = Authority::new();
        let tls = authority.server("localhost", |_| {});
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Peer { listener, tls, ca_pem: authority.pem() }
    }

    /// The connection string of device `d`, with a key of 32 zero bytes.
    pub fn connection_string(&self) -> String {
        let port = self.listener.local_addr().expect("an address").port();
        let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        format!("HostName=localhost:{port};DeviceId=d;SharedAccessKey={key}")
    }

    /// The next connection, after TLS.
    pub async fn accept(&self) -> Talk {
        let (stream, _) = self.listener.accept().await.expect("a connection");
        Talk { stream: self.tls.accept(stream).await.expect("a TLS handshake"), read: Vec::new() }
    }
}

impl Talk {
    /// The next request.
    pub async fn asked(&mut self) -> Asked {
        self.try_asked().await.expect("a request")
    }

    /// The next request, unless the client went.
    pub async fn try_asked(&mut self) -> io::Result<Asked> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            assert!(self.read.len() < MAX_HEAD, "a request without end");
            self.more().await?;
        };
        let head = String::from_utf8(self.read.drain(..end + 4).collect()).expect("a head of ASCII");
        let mut lines = head.trim_end().split("\r\n");
        let line = lines.next().unwrap_or_default();
        let line = line.strip_suffix(" HTTP/1.1").expect("HTTP/1.1").to_owned();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(": ").or_else(|| line.split_once(':')).expect("a header"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut asked = Asked { line, headers, body: Vec::new() };
        assert_eq!(asked.header("transfer-encoding"), None, "a body that is at hand has a length");
        let length = asked.header("content-length").map_or(0, |text| text.parse().expect("a length"));
        while self.read.len() < length {
            self.more().await?;
        }
        asked.body = self.read.drain(..length).collect();
        Ok(asked)
    }

    async fn more(&mut self) -> io::Result<()> {
        let mut piece = [0; 4096];
        let n = self.stream.read(&mut piece).await?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read.extend_from_slice(&piece[..n]);
        Ok(())
    }

    /// An answer: status, headers with their line ends, body.
    pub async fn answer(&mut self, status: u16, headers: &str, body: &str) {
        let length =
            if status == 204 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let text = format!("HTTP/1.1 {status} x\r\n{headers}{length}\r\n{body}");
        self.stream.write_all(text.as_bytes()).await.expect("the client listens");
        self.stream.flush().await.expect("the client listens");
    }
}
