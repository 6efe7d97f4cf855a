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
    let view = View::of(packed)?;
    let key = match view.module {
        Some(module) => TwinKey::module(view.device, module)?,
        None => TwinKey::device(view.device)?,
    };
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let mut identity = Identity::new(key);
    identity.status = view.status;
    identity.edge = view.edge;
    identity.generation_id = view.generation_id.to_owned();
    identity.etag = view.etag.map(ETag::new);
    identity.status_reason = owned(view.status_reason);
    identity.status_updated_time = view.status_updated_time;
    identity.managed_by = owned(view.managed_by);
    identity.device_scope = owned(view.device_scope);
    identity.parent_scopes = view.parent_scopes.iter().map(|scope| (*scope).to_owned()).collect();
    identity.authentication = match view.proof {
        Proof::Unsaid => None,
        Proof::None => Some(Authentication::None),
        Proof::Sas { primary, secondary } => Some(Authentication::Sas {
            primary: Key::from_bytes(primary)?,
            secondary: Key::from_bytes(secondary)?,
        }),
        Proof::SelfSigned { primary, secondary } => {
            Some(Authentication::SelfSigned { primary: owned(primary), secondary: owned(secondary) })
        }
        Proof::CertificateAuthority => Some(Authentication::CertificateAuthority),
    };
    identity.extra = match view.extra {
        b"" => Object::new(),
        json => serde_json::from_slice(json).map_err(|e| damaged().with_source(e))?,
    };
    Ok(identity)
}

/// A packed identity, read where it lies: what every row of every page and the index need of it costs no allocation.
pub(crate) struct View<'r> {
    pub(crate) status: Status,
    pub(crate) edge: bool,
    pub(crate) device: &'r str,
    pub(crate) module: Option<&'r str>,
    pub(crate) generation_id: &'r str,
    pub(crate) etag: Option<&'r str>,
    pub(crate) status_reason: Option<&'r str>,
    pub(crate) status_updated_time: Timestamp,
    managed_by: Option<&'r str>,
    pub(crate) device_scope: Option<&'r str>,
    pub(crate) parent_scopes: Vec<&'r str>,
    pub(crate) proof: Proof<'r>,
    /// JSON, or nothing
    extra: &'r [u8],
}

/// How a packed identity proves itself. Not `Debug`: it holds keys.
pub(crate) enum Proof<'r> {
    Unsaid,
    None,
    Sas { primary: &'r [u8], secondary: &'r [u8] },
    SelfSigned { primary: Option<&'r str>, secondary: Option<&'r str> },
    CertificateAuthority,
}

impl Proof<'_> {
    /// As [`Authentication::type_name`], with `none` for what was not said.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Proof::Unsaid | Proof::None => Authentication::None.type_name(),
            Proof::Sas { .. } => "sas",
            Proof::SelfSigned { .. } => {
                Authentication::SelfSigned { primary: None, secondary: None }.type_name()
            }
            Proof::CertificateAuthority => Authentication::CertificateAuthority.type_name(),
        }
    }
}

impl<'r> View<'r> {
    /// Reads what [`pack`] made; only the keys and what nobody knows are not looked into.
    pub(crate) fn of(packed: &'r [u8]) -> Result<View<'r>> {
        let mut from = Reader(packed);
        let flags = from.byte()?;
        Ok(View {
            status: if flags & DISABLED != 0 { Status::Disabled } else { Status::Enabled },
            edge: flags & EDGE != 0,
            device: from.text()?,
            module: from.optional()?,
            generation_id: from.text()?,
            etag: from.optional()?,
            status_reason: from.optional()?,
            status_updated_time: Timestamp::from_ticks(from.number()?),
            managed_by: from.optional()?,
            device_scope: from.optional()?,
            parent_scopes: (0..from.number()?).map(|_| from.text()).collect::<Result<_>>()?,
            proof: match from.byte()? {
                0 => Proof::Unsaid,
                1 => Proof::None,
                2 => Proof::Sas { primary: from.bytes()?, secondary: from.bytes()? },
                3 => Proof::SelfSigned { primary: from.optional()?, secondary: from.optional()? },
                4 => Proof::CertificateAuthority,
                _ => return Err(damaged()),
            },
            extra: from.bytes()?,
        })
    }
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
                assert!(View::of(&packed[..end]).is_err(), "cut at {end}");
            }
        }
    }
}
