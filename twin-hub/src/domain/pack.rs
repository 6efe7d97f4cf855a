//! The packed form of an identity: keys as raw bytes, texts with their lengths, about 100 bytes in all.
//!
//! What is volatile (connection state, activity) is not in here, see [`Presence`](super::Presence).

use twin_core::auth::Key;
use twin_core::identity::{Authentication, Identity, Status};
use twin_core::twin::Object;
use twin_core::{ETag, Error, Result, Timestamp, TwinKey};

use crate::store::failed;

const DISABLED: u8 = 1;
const EDGE: u8 = 2;

/// Packs an identity.
pub(crate) fn pack(identity: &Identity) -> Vec<u8> {
    let mut to = Vec::with_capacity(160);
    let disabled = if identity.status == Status::Disabled { DISABLED } else { 0 };
    to.push(disabled | if identity.edge { EDGE } else { 0 });
    text(&mut to, identity.device_id.as_str());
    optional(&mut to, identity.module_id.as_ref().map(|m| m.as_str()));
    text(&mut to, &identity.generation_id);
    optional(&mut to, identity.etag.as_ref().map(ETag::as_str));
    optional(&mut to, identity.status_reason.as_deref());
    number(&mut to, identity.status_updated_time.ticks());
    optional(&mut to, identity.managed_by.as_deref());
    optional(&mut to, identity.device_scope.as_deref());
    number(&mut to, identity.parent_scopes.len() as u64);
    for scope in &identity.parent_scopes {
        text(&mut to, scope);
    }
    match &identity.authentication {
        None => to.push(0),
        Some(Authentication::None) => to.push(1),
        Some(Authentication::Sas { primary, secondary }) => {
            to.push(2);
            bytes(&mut to, primary.expose_bytes());
            bytes(&mut to, secondary.expose_bytes());
        }
        Some(Authentication::SelfSigned { primary, secondary }) => {
            to.push(3);
            optional(&mut to, primary.as_deref());
            optional(&mut to, secondary.as_deref());
        }
        Some(Authentication::CertificateAuthority) => to.push(4),
    }
    match identity.extra.is_empty() {
        true => bytes(&mut to, b""),
        false => bytes(&mut to, &super::record::json(&identity.extra)),
    }
    to
}

/// Unpacks an identity; volatile fields come out as "never".
pub(crate) fn unpack(packed: &[u8]) -> Result<Identity> {
    let mut from = Reader(packed);
    let flags = from.byte()?;
    let device = from.text()?;
    let key = match from.optional()? {
        Some(module) => TwinKey::module(device, module)?,
        None => TwinKey::device(device)?,
    };
    let mut identity = Identity::new(key);
    identity.status = if flags & DISABLED != 0 { Status::Disabled } else { Status::Enabled };
    identity.edge = flags & EDGE != 0;
    identity.generation_id = from.text()?.to_owned();
    identity.etag = from.optional()?.map(ETag::new);
    identity.status_reason = from.optional()?.map(str::to_owned);
    identity.status_updated_time = Timestamp::from_ticks(from.number()?);
    identity.managed_by = from.optional()?.map(str::to_owned);
    identity.device_scope = from.optional()?.map(str::to_owned);
    for _ in 0..from.number()? {
        identity.parent_scopes.push(from.text()?.to_owned());
    }
    identity.authentication = match from.byte()? {
        0 => None,
        1 => Some(Authentication::None),
        2 => Some(Authentication::Sas {
            primary: Key::from_bytes(from.bytes()?)?,
            secondary: Key::from_bytes(from.bytes()?)?,
        }),
        3 => Some(Authentication::SelfSigned {
            primary: from.optional()?.map(str::to_owned),
            secondary: from.optional()?.map(str::to_owned),
        }),
        4 => Some(Authentication::CertificateAuthority),
        _ => return Err(damaged()),
    };
    identity.extra = match from.bytes()? {
        b"" => Object::new(),
        json => serde_json::from_slice(json).map_err(|e| damaged().with_source(e))?,
    };
    Ok(identity)
}

/// The status alone.
pub(crate) fn status(packed: &[u8]) -> Status {
    match packed.first() {
        Some(flags) if flags & DISABLED != 0 => Status::Disabled,
        _ => Status::Enabled,
    }
}

fn damaged() -> Error {
    failed("a stored identity cannot be read; restore the data directory from a backup")
}

fn number(to: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        to.push(n as u8 | 0x80);
        n >>= 7;
    }
    to.push(n as u8);
}

fn bytes(to: &mut Vec<u8>, from: &[u8]) {
    number(to, from.len() as u64);
    to.extend_from_slice(from);
}

fn text(to: &mut Vec<u8>, from: &str) {
    bytes(to, from.as_bytes());
}

/// Absent is 0, present is the length plus one.
fn optional(to: &mut Vec<u8>, from: Option<&str>) {
    match from {
        None => number(to, 0),
        Some(from) => {
            number(to, from.len() as u64 + 1);
            to.extend_from_slice(from.as_bytes());
        }
    }
}

struct Reader<'r>(&'r [u8]);

impl<'r> Reader<'r> {
    fn take(&mut self, n: u64) -> Result<&'r [u8]> {
        let n = usize::try_from(n).map_err(|_| damaged())?;
        let (taken, rest) = self.0.split_at_checked(n).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }
    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }
    fn number(&mut self) -> Result<u64> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(damaged())
    }
    fn bytes(&mut self) -> Result<&'r [u8]> {
        let n = self.number()?;
        self.take(n)
    }
    fn text(&mut self) -> Result<&'r str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| damaged())
    }
    fn optional(&mut self) -> Result<Option<&'r str>> {
        match self.number()? {
            0 => Ok(None),
            n => std::str::from_utf8(self.take(n - 1)?).map(Some).map_err(|_| damaged()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_unpacks_and_any_cut_is_an_error() {
        let key = |n: u8| Key::from_bytes(&[n; 32]).unwrap();
        let authentications = [
            None,
            Some(Authentication::None),
            Some(Authentication::Sas { primary: key(1), secondary: key(2) }),
            Some(Authentication::SelfSigned { primary: Some("AB".repeat(20)), secondary: None }),
            Some(Authentication::CertificateAuthority),
        ];
        for authentication in authentications {
            let mut identity = Identity::new(TwinKey::module("d1", "$edgeAgent").unwrap());
            identity.generation_id = "637".into();
            identity.etag = Some(ETag::new("NzQx"));
            identity.status = Status::Disabled;
            identity.status_reason = Some(String::new());
            identity.status_updated_time = "2022-06-01T22:27:50.2612586Z".parse().unwrap();
            identity.edge = true;
            identity.managed_by = Some("iotEdge".into());
            identity.device_scope = Some("ms-azure-iot-edge://d1-1".into());
            identity.parent_scopes = vec!["a".into(), "b".repeat(300)];
            identity.authentication = authentication;
            identity.extra.insert("new".into(), serde_json::json!({"x": [1]}));
            let packed = pack(&identity);
            assert_eq!(unpack(&packed).unwrap(), identity);
            for end in 0..packed.len() {
                assert!(unpack(&packed[..end]).is_err(), "cut at {end}");
            }
        }
    }
}
