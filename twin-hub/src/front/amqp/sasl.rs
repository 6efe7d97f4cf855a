//! The beginning of a connection: protocol headers and SASL (AMQP 1.0, 2.2 and 5.3).
//!
//! The official Node SDK opens without SASL, Java with ANONYMOUS, C with MSSBCBS; who uses PLAIN logs in with it.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use twin_core::auth::SasToken;
use twin_core::wire::amqp::{SASL_CBS, hear_plain_user};

use super::super::metrics::count;
use super::super::{Front, Peer};
use super::claims::Claims;
use super::frame::{Fields, SASL, write_frame};
use super::pipe::{PROTOCOL_BYTES, Pipe};
use super::value::{Malformed, Value};

type Header = [u8; PROTOCOL_BYTES];
const AMQP_HEADER: Header = *b"AMQP\x00\x01\x00\x00";
const SASL_HEADER: Header = *b"AMQP\x03\x01\x00\x00";

const PLAIN: &str = "PLAIN";
const ANONYMOUS: &str = "ANONYMOUS";
const EXTERNAL: &str = "EXTERNAL";

const MECHANISMS: u64 = 0x40;
const INIT: u64 = 0x41;
const OUTCOME: u64 = 0x44;

/// Codes of SASL outcomes.
const OK: u8 = 0;
const NOT_AUTHENTICATED: u8 = 1;

/// Why a connection did not come to AMQP.
pub(super) type Failed = String;

/// Gets the peer to the point where it opens; what it proved by SASL goes to `claims`.
pub(super) async fn negotiate<S>(
    front: &Front,
    pipe: &mut Pipe<S>,
    peer: &Peer,
    claims: &mut Claims,
) -> Result<(), Failed>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut header = protocol(pipe).await?;
    if header == SASL_HEADER {
        pipe.outbox.extend_from_slice(&SASL_HEADER);
        authenticate(front, pipe, peer, claims).await?;
        header = protocol(pipe).await?;
    }
    // Whatever was wanted, this is what is had; a peer that wants another closes.
    pipe.outbox.extend_from_slice(&AMQP_HEADER);
    if header == AMQP_HEADER {
        Ok(())
    } else {
        Err(format!("protocol header {:?}", header.escape_ascii().to_string()))
    }
}

async fn protocol<S: AsyncRead + AsyncWrite + Unpin>(pipe: &mut Pipe<S>) -> Result<Header, Failed> {
    loop {
        if let Some(header) = pipe.next_protocol() {
            return Ok(header);
        }
        more(pipe).await?;
    }
}

async fn more<S: AsyncRead + AsyncWrite + Unpin>(pipe: &mut Pipe<S>) -> Result<(), Failed> {
    pipe.drain().await.map_err(|e| e.to_string())?;
    match pipe.fill().await {
        Ok(0) => Err("closed by the peer".into()),
        Ok(_) => Ok(()),
        Err(e) => Err(e.to_string()),
    }
}

fn say<S>(pipe: &mut Pipe<S>, code: u64, fields: Vec<Value>) {
    write_frame(&mut pipe.outbox, SASL, 0, |to| Value::described(code, fields).write(to));
}

async fn authenticate<S>(
    front: &Front,
    pipe: &mut Pipe<S>,
    peer: &Peer,
    claims: &mut Claims,
) -> Result<(), Failed>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // EXTERNAL means the certificate, so it is offered only to who has shown one: some clients take it before all others.
    let external = peer.certificate.is_some().then_some(EXTERNAL);
    let offered = external.into_iter().chain([SASL_CBS, ANONYMOUS, PLAIN]).map(Value::symbol).collect();
    say(pipe, MECHANISMS, vec![Value::Array(offered)]);
    let init = loop {
        match pipe.next_sasl().map_err(|e| e.0)? {
            Some(frame) => break frame,
            None => more(pipe).await?,
        }
    };
    let (mechanism, response) = hear_init(init).map_err(|e| e.0)?;
    let outcome = match mechanism.as_str() {
        ANONYMOUS | SASL_CBS => Ok(()),
        EXTERNAL if peer.certificate.is_some() => Ok(()),
        PLAIN => plain(front, peer, claims, &response),
        other => Err(format!("there is no mechanism '{}'", other.chars().take(40).collect::<String>())),
    };
    let code = if outcome.is_ok() { OK } else { NOT_AUTHENTICATED };
    say(pipe, OUTCOME, vec![Value::Ubyte(code)]);
    if let Err(why) = outcome {
        count(&front.metrics.logins_refused);
        tracing::warn!(peer = %peer.address, mechanism, reason = %why, "login refused");
        return Err("SASL failed".into());
    }
    Ok(())
}

/// The mechanism and its first response.
fn hear_init(mut frame: Bytes) -> Result<(String, Bytes), Malformed> {
    let (code, mut fields) = Fields::of(Value::read(&mut frame)?)?;
    if code != INIT {
        return Malformed::new(format!("SASL frame {code:#x} where sasl-init belongs"));
    }
    let mechanism = fields.text("mechanism")?.unwrap_or_default();
    Ok((mechanism, fields.binary("initial-response")?.unwrap_or_default()))
}

/// `[identity] NUL user NUL password` (RFC 4616).
fn plain(front: &Front, peer: &Peer, claims: &mut Claims, response: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(response).map_err(|_| "the response is no text")?;
    let mut parts = text.split('\0').skip(1);
    let (Some(user), Some(password), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err("the response is not an identity, a user and a password".into());
    };
    let user = hear_plain_user(user).map_err(|e| e.to_string())?;
    let token = SasToken::parse(password).map_err(|e| format!("the password is no SAS token: {e}"))?;
    match front.faults.next_login() {
        None => claims.login(front, peer, user, &token),
        Some(fault) => Err(format!("{fault:?}, on purpose")),
    }
}
