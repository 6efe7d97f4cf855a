//! What TLS alone costs: a process that takes connections with rustls, says one byte on each and keeps it, as lean as
//! tokio allows. It ends when its input does.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::hub::resident;
use super::{Outcome, block_on};

/// The role's name.
pub const ROLE: &str = "floor";

/// The process.
#[derive(Debug)]
pub struct Floor {
    child: Child,
    input: Option<ChildStdin>,
    /// Where it listens.
    pub address: SocketAddr,
    /// The certificate to trust.
    pub ca_pem: String,
}

impl Floor {
    /// Starts one.
    pub fn start() -> Outcome<Floor> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg(ROLE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line)?;
        let text = |name: &str| ready[name].as_str().ok_or("the floor is not ready");
        Ok(Floor { child, input, address: text("address")?.parse()?, ca_pem: text("ca")?.to_owned() })
    }

    /// Its resident memory, in bytes.
    pub fn resident(&self) -> Outcome<f64> {
        resident(&self.child.id().to_string())
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

/// The process's side.
pub fn serve() -> Outcome<()> {
    block_on(async {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.self_signed(&key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into()?)?;
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", json!({"address": listener.local_addr()?, "ca": certificate.pem()}));
        let (to, ended) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            std::io::stdin().lines().for_each(drop);
            let _ = to.send(());
        });
        tokio::select! {
            _ = ended => Ok(()),
            failed = accept(&listener, &acceptor) => failed,
        }
    })
}

async fn accept(listener: &TcpListener, acceptor: &TlsAcceptor) -> Outcome<()> {
    loop {
        let (tcp, _) = listener.accept().await?;
        tokio::spawn(keep(tcp, acceptor.clone()));
    }
}

async fn keep(tcp: TcpStream, acceptor: TlsAcceptor) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    // Boxed: a handshake is larger than what it makes.
    let mut stream = Box::pin(acceptor.accept(tcp)).await?;
    stream.write_all(b"!").await?;
    stream.flush().await?;
    let mut byte = [0];
    while stream.read(&mut byte).await? > 0 {}
    Ok(())
}
