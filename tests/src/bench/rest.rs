//! A REST client of almost no weight: a TLS stream and HTTP/1.1 written by hand, so that what is measured is the hub.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::AsyncWriteExt;
use twin_core::auth::{Credential, SasToken, Scope, ServiceConnectionString};
use twin_core::wire::ApiVersion;
use twin_core::wire::rest::{Call, say};
use twin_core::{HostName, Timestamp};

use super::hub::HubProcess;
use super::{Outcome, lean};

/// Says calls as the hub's owner.
#[derive(Clone, Debug)]
pub struct Speaker {
    host: HostName,
    token: String,
}

impl Speaker {
    /// For one hub.
    pub fn new(hub: &HubProcess) -> Outcome<Speaker> {
        let string = ServiceConnectionString::parse(&hub.connection_string)?;
        let Credential::Key { key, policy } = string.credential else { return Err("no key".into()) };
        let expiry = SystemTime::now().duration_since(UNIX_EPOCH)? + Duration::from_secs(7200);
        let resource = Scope::Hub(hub.host()?).resource();
        let token = SasToken::sign(&resource, &key, policy.as_deref(), Timestamp::from_unix(expiry));
        Ok(Speaker { host: hub.host()?, token: token.expose().to_owned() })
    }

    /// The bytes of a request.
    pub fn say(&self, call: &Call) -> Vec<u8> {
        let request = say(call, ApiVersion::OURS);
        let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
        let _ = write!(head, "host: {}\r\nauthorization: {}\r\n", self.host, self.token);
        for (name, value) in &request.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "content-length: {}\r\n\r\n", request.body.len());
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&request.body);
        bytes
    }
}

/// The length of the first answer, once it is whole; an error if it is none of success.
pub fn answered(inbox: &[u8]) -> Outcome<Option<usize>> {
    let Some(head) = head(inbox) else { return Ok(None) };
    if !head.starts_with("HTTP/1.1 2") {
        return Err(format!("the hub refused: {}", String::from_utf8_lossy(inbox)).into());
    }
    let length = header(head, "content-length").map_or(Ok(0), str::parse::<usize>)?;
    let length = head.len() + 4 + length;
    Ok((inbox.len() >= length).then_some(length))
}

/// The first answer's head.
pub fn head(inbox: &[u8]) -> Option<&str> {
    let end = inbox.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    std::str::from_utf8(&inbox[..end]).ok()
}

/// A header of an answer.
pub fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Asks one thing and waits for the answer, which `inbox` then holds whole.
pub async fn ask(stream: &mut lean::Stream, request: &[u8], inbox: &mut Vec<u8>) -> Outcome<()> {
    inbox.clear();
    stream.write_all(request).await?;
    stream.flush().await?;
    while answered(inbox)?.is_none() {
        lean::more(stream, inbox).await?;
    }
    Ok(())
}
