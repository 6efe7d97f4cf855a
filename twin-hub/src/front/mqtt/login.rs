//! CONNECT and CONNACK.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode, Packet};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::Instant;
use twin_core::TwinKey;
use twin_core::wire::{ApiVersion, Said, mqtt};

use super::super::faults::LoginFault;
use super::super::metrics::count;
use super::super::{Front, Peer};
use super::link::{Link, MAX_CONNECT};
use crate::engine::{Attachment, Notice};

/// Notices that may wait for one connection. They are moved on as they come, so this is a burst from one batch of the
/// engine; memory is taken only as far as it is used.
const MAX_NOTICES: usize = 1024;

/// Who was let in, and on what terms.
pub(super) struct Admitted {
    pub(super) key: Arc<TwinKey>,
    pub(super) attachment: Attachment,
    pub(super) notices: mpsc::Receiver<Notice>,
    pub(super) api_version: Option<ApiVersion>,
    /// how long silence is borne
    pub(super) silence: Duration,
    /// when the credential ends
    pub(super) until: Option<Instant>,
    /// bytes of the will, if one was given
    pub(super) will: Option<usize>,
}

/// A refused login: CONNACK's code, and why, for the log.
struct Refused(ConnectReturnCode, String);

/// Reads CONNECT, judges it, answers. `None`: the connection is over.
pub(super) async fn login<S>(front: &Front, link: &mut Link<S>, peer: &Peer) -> Option<Admitted>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let heard = tokio::time::timeout(front.limits.first_words_time, hear(link)).await;
    let refused = match heard {
        Err(_) => return gone(peer, "no CONNECT in time"),
        Ok(Err(why)) => return gone(peer, &why),
        Ok(Ok(Err(refused))) => refused,
        Ok(Ok(Ok(connect))) => match fault(front) {
            Some(None) => return gone(peer, "silent on purpose"),
            Some(Some(refused)) => refused,
            None => match admit(front, connect, peer).await {
                Ok((admitted, session_present)) => {
                    link.send(&Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, session_present)));
                    tracing::debug!(peer = %peer.address, device = %admitted.key, session_present, "connected");
                    return Some(admitted);
                }
                Err(refused) => refused,
            },
        },
    };
    count(&front.metrics.logins_refused);
    tracing::warn!(peer = %peer.address, connack = refused.0 as u8, reason = %refused.1, "login refused");
    link.send(&Packet::ConnAck(ConnAck::new(refused.0, false)));
    let _ = tokio::time::timeout(front.limits.first_words_time, link.close()).await;
    None
}

fn gone<T>(peer: &Peer, why: &str) -> Option<T> {
    tracing::debug!(peer = %peer.address, why, "closed before login");
    None
}

/// The fault that was asked for: `Some(None)` is silence.
fn fault(front: &Front) -> Option<Option<Refused>> {
    let refused = |code| Some(Some(Refused(code, "on purpose".into())));
    match front.faults.next_login()? {
        LoginFault::Unavailable => refused(ConnectReturnCode::ServiceUnavailable),
        LoginFault::NotAuthorized => refused(ConnectReturnCode::NotAuthorized),
        LoginFault::Silence => Some(None),
    }
}

/// Reads CONNECT. The outer error closes without an answer, as MQTT demands for anything that is no CONNECT.
async fn hear<S>(link: &mut Link<S>) -> Result<Result<Connect, Refused>, String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match protocol(link.arrived()) {
            // The reserved flag, or a password without a user name.
            Some(Opening { name: Name::Mqtt, level: 4, flags })
                if flags & 1 != 0 || flags & 0b1100_0000 == 0b0100_0000 =>
            {
                return Err(format!("CONNECT with flags {flags:#010b}"));
            }
            Some(Opening { name: Name::Mqtt, level: 4, .. }) | None => {}
            Some(Opening { name: Name::Mqtt | Name::Mqisdp, level, .. }) => {
                let why = format!("MQTT protocol level {level}; this hub speaks 3.1.1, which is level 4");
                return Ok(Err(Refused(ConnectReturnCode::RefusedProtocolVersion, why)));
            }
            Some(Opening { name: Name::Other, .. }) => return Err("CONNECT of another protocol".into()),
        }
        match link.next_packet(MAX_CONNECT) {
            Ok(Some(Packet::Connect(connect))) => return Ok(Ok(connect)),
            Ok(Some(other)) => return Err(format!("first packet is no CONNECT: {other:?}")),
            Ok(None) => {}
            Err(violation) => return Err(violation.0),
        }
        match link.fill().await {
            Ok(0) => return Err("closed by the peer".into()),
            Ok(_) => {}
            Err(e) => return Err(e.to_string()),
        }
    }
}

#[derive(Debug, PartialEq)]
enum Name {
    Mqtt,
    /// MQTT 3.1
    Mqisdp,
    Other,
}

#[derive(Debug, PartialEq)]
struct Opening {
    name: Name,
    level: u8,
    flags: u8,
}

/// What stands at the head of CONNECT; `None` if it has not arrived yet or is no CONNECT. The codec reads a CONNECT of
/// MQTT 5 as if it were one of 3.1.1, so this is looked at first.
fn protocol(arrived: &[u8]) -> Option<Opening> {
    let (&0x10, rest) = arrived.split_first()? else { return None };
    let length_bytes = 1 + rest.iter().take(3).take_while(|byte| **byte & 0x80 != 0).count();
    let rest = rest.get(length_bytes..)?;
    let name_bytes = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
    if name_bytes > 6 {
        return Some(Opening { name: Name::Other, level: 0, flags: 0 });
    }
    let name = match rest.get(2..2 + name_bytes)? {
        b"MQTT" => Name::Mqtt,
        b"MQIsdp" => Name::Mqisdp,
        _ => Name::Other,
    };
    Some(Opening { name, level: *rest.get(2 + name_bytes)?, flags: *rest.get(3 + name_bytes)? })
}

/// Judges a CONNECT and attaches the device.
async fn admit(front: &Front, connect: Connect, peer: &Peer) -> Result<(Admitted, bool), Refused> {
    let (username, password) = connect.login.map(|l| (l.username, l.password)).unwrap_or_default();
    let password = zeroize::Zeroizing::new(password);
    let login = mqtt::hear_login(&username)
        .map_err(|e| Refused(ConnectReturnCode::BadUserNamePassword, format!("user name: {e}")))?;
    let device = &login.key;
    let client = mqtt::hear_client_id(&connect.client_id)
        .map_err(|e| Refused(ConnectReturnCode::BadClientId, format!("client id: {e}")))?;
    if client != login.key {
        let why = format!("client id is '{client}', user name is for '{device}'");
        return Err(Refused(ConnectReturnCode::BadClientId, why));
    }
    let denied = |why: String| Refused(ConnectReturnCode::NotAuthorized, format!("'{device}': {why}"));
    if !front.names.know(&login.host) {
        let why = format!("user name is for hub '{}'; this hub is {}", login.host, front.names);
        return Err(denied(why));
    }
    let admission =
        front.judge().device(device, |key| front.engine.identity(key), &password, peer).map_err(denied)?;
    let until = admission.until.map(|expiry| front.timer_for(expiry));
    let (sender, notices) = mpsc::channel(MAX_NOTICES);
    let attachment = front
        .engine
        .attach(&admission.identity, connect.clean_session, login.model_id, sender)
        .await
        .map_err(|refusal| match refusal.code.status {
            500.. => {
                Refused(ConnectReturnCode::ServiceUnavailable, format!("'{device}': {}", refusal.message))
            }
            _ => denied(refusal.message),
        })?;
    let session_present = attachment.session_present && !connect.clean_session;
    let will = connect.last_will.and_then(|will| {
        let size = will.message.len();
        matches!(mqtt::hear(&login.key, &will.topic, will.message), Ok(Said::Telemetry { .. }))
            .then_some(size)
    });
    let admitted = Admitted {
        key: Arc::new(login.key),
        attachment,
        notices,
        api_version: login.api_version,
        silence: silence(connect.keep_alive, front.limits.max_keep_alive),
        until,
        will,
    };
    Ok((admitted, session_present))
}

/// How long a client that asked for this keep-alive (in seconds) may be silent.
fn silence(keep_alive: u16, max: Duration) -> Duration {
    let asked = match keep_alive {
        0 => max,
        n => Duration::from_secs(n.into()).min(max),
    };
    asked.mul_f64(1.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings() {
        let seen = |name, level, flags| Some(Opening { name, level, flags });
        for (arrived, expected) in [
            (&b"\x10\x27\x00\x04MQTT\x04\xc0"[..], seen(Name::Mqtt, 4, 0xc0)),
            (b"\x10\xa7\x01\x00\x04MQTT\x05\x02", seen(Name::Mqtt, 5, 2)),
            (b"\x10\x27\x00\x06MQIsdp\x03\x02", seen(Name::Mqisdp, 3, 2)),
            (b"\x10\x27\x00\x04MQTX\x04\x02", seen(Name::Other, 4, 2)),
            (b"\x10\x27\x80\x04", seen(Name::Other, 0, 0)),
            (b"\x10\x27\x00\x04MQTT\x04", None),
            (b"\x10", None),
            (b"", None),
            (b"\xc0\x00", None),
        ] {
            assert_eq!(protocol(arrived), expected, "{arrived:02x?}");
        }
    }

    #[test]
    fn silence_is_one_and_a_half_keep_alives() {
        let max = Duration::from_secs(1177);
        for (keep_alive, silence_ms) in [(2, 3_000), (180, 270_000), (0, 1_765_500), (65_535, 1_765_500)] {
            assert_eq!(silence(keep_alive, max), Duration::from_millis(silence_ms), "{keep_alive}");
        }
    }
}
