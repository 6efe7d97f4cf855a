//! Tokens on an open connection: claims-based security.

use crate::auth::{SasToken, Scope};
use crate::error::{Error, ErrorKind, Result};
use crate::wire::{Refusal, status};
use crate::{HostName, TwinKey, address};

use super::address::read_key;
use super::{Body, Correlation, Message, Scalar};

const OPERATION: &str = "operation";
const PUT_TOKEN: &str = "put-token";
const TYPE: &str = "type";
const SAS: &str = "servicebus.windows.net:sastoken";
const JWT: &str = "jwt";
const NAME: &str = "name";
const STATUS_CODE: &str = "status-code";
const STATUS_DESCRIPTION: &str = "status-description";
/// Where the Node SDK wants its answers; hubs answer on the link, whatever it is called.
const REPLY_TO: &str = "cbs";

/// Longest audience read, in bytes: a host name and two encoded ids.
const MAX_AUDIENCE_BYTES: usize = 2048;

/// A token for a resource, as it reaches the hub.
#[derive(Clone, Debug)]
pub struct PutToken {
    /// What it is to open: a device or module, or the whole hub (services). The token still has to cover it.
    pub scope: Scope,
    /// The token.
    pub token: SasToken,
}

/// The message that puts a token. The audience stands there as in the token's `sr`, as the Node SDK has it.
pub fn say_put_token(id: Correlation, scope: &Scope, token: &SasToken) -> Message {
    let property = |name: &'static str, value: &str| (name.into(), Scalar::from(value));
    Message {
        id: Some(id),
        to: Some(super::CBS.to_owned()),
        reply_to: Some(REPLY_TO.to_owned()),
        properties: vec![
            property(OPERATION, PUT_TOKEN),
            property(TYPE, SAS),
            property(NAME, &address::percent_encode(&scope.resource())),
        ],
        body: Body::Text(token.expose().to_owned()),
        ..Message::default()
    }
}

/// Reads a message on `$cbs` at the hub. `known` as for [`hear_address`](super::hear_address).
///
/// # Errors
/// [`InvalidArgument`](ErrorKind::InvalidArgument): status 400; [`Unauthorized`](ErrorKind::Unauthorized): 401;
/// [`NotSupported`](ErrorKind::NotSupported): 501 (a token of Entra).
pub fn hear_put_token(message: &Message, known: &dyn Fn(&TwinKey) -> bool) -> Result<PutToken> {
    let text = |name: &str| message.property(name).and_then(Scalar::as_text);
    if text(OPERATION) != Some(PUT_TOKEN) {
        return Err(Error::invalid(format!("the application property '{OPERATION}' is not '{PUT_TOKEN}'")));
    }
    match text(TYPE) {
        Some(SAS) => {}
        Some(JWT) => {
            return Err(Error::new(ErrorKind::NotSupported, "this hub takes no tokens of Entra, only SAS"));
        }
        _ => return Err(Error::invalid(format!("the application property '{TYPE}' is not '{SAS}'"))),
    }
    let audience =
        text(NAME).ok_or_else(|| Error::invalid(format!("the application property '{NAME}' is missing")))?;
    let scope = read_audience(audience, known).ok_or_else(|| {
        Error::invalid(format!(
            "the application property '{NAME}' is neither a host name nor {{host}}/devices/{{device}}[/modules/{{module}}]"
        ))
    })?;
    let bytes = message.bytes();
    let token = std::str::from_utf8(&bytes).map_err(|_| Error::invalid("the token is no text"))?;
    Ok(PutToken { scope, token: SasToken::parse(token)? })
}

/// `[amqps://]host[/devices/{d}[/modules/{m}]]`, encoded as a whole or not.
fn read_audience(text: &str, known: &dyn Fn(&TwinKey) -> bool) -> Option<Scope> {
    if text.len() > MAX_AUDIENCE_BYTES {
        return None;
    }
    // Encoded as a whole it has no slash.
    let whole = if text.contains('/') { text.to_owned() } else { address::percent_decode(text)? };
    let rest = ["amqps://", "amqp://"].iter().find_map(|scheme| {
        let (found, rest) = whole.split_at_checked(scheme.len())?;
        found.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let rest = rest.unwrap_or(&whole).trim_end_matches('/');
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = HostName::new(address::percent_decode(host)?).ok()?;
    if path.is_empty() {
        return Some(Scope::Hub(host));
    }
    let segments: Vec<&str> = path.split('/').take(8).collect();
    let (word, ids) = segments.split_first()?;
    let (key, rest) = read_key(ids, known)?;
    (word.eq_ignore_ascii_case("devices") && rest.is_empty()).then_some(Scope::Twin(host, key))
}

/// The hub's answer: 200, or the refusal's status.
pub fn say_token_answer(id: Correlation, result: Result<(), &Refusal>) -> Message {
    let (status, description) = match result {
        Ok(()) => (200, "OK".to_owned()),
        Err(refusal) => (refusal.code.status, format!("ErrorCode:{};{}", refusal.code.name, refusal.message)),
    };
    Message {
        correlation: Some(id),
        properties: vec![
            (STATUS_CODE.into(), Scalar::Int(status.into())),
            (STATUS_DESCRIPTION.into(), Scalar::Text(description)),
        ],
        ..Message::default()
    }
}

/// Reads the hub's answer: whose it is, and what it says. `None` if it answers nothing. The official SDKs test for 200;
/// 202 is what other services of Azure say.
pub fn hear_token_answer(message: &Message) -> Option<(Correlation, Result<()>)> {
    let id = message.correlation.clone()?;
    let status = message.property(STATUS_CODE).and_then(Scalar::as_u64).and_then(|s| s.try_into().ok());
    let description = message.property(STATUS_DESCRIPTION).and_then(Scalar::as_text).unwrap_or_default();
    let result = match status {
        Some(200 | 202) => Ok(()),
        Some(status) => Err(status::device_error(status, description.as_bytes())),
        None => Err(Error::new(ErrorKind::Protocol, "the hub's answer to the token carries no status-code")),
    };
    Some((id, result))
}
