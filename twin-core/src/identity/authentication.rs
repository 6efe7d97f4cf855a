//! How an identity proves itself: the `authentication` member.

use serde_json::{Value, json};

use super::members::{Members, refused, wrong};
use crate::auth::Key;
use crate::error::Result;
use crate::twin::Object;

/// How an identity proves itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Authentication {
    /// `sas`: either key
    Sas {
        /// `symmetricKey.primaryKey`
        primary: Key,
        /// `symmetricKey.secondaryKey`
        secondary: Key,
    },
    /// `selfSigned`: hex SHA-1 or SHA-256 thumbprints, upper-case without separators
    SelfSigned {
        /// `x509Thumbprint.primaryThumbprint`
        primary: Option<String>,
        /// `x509Thumbprint.secondaryThumbprint`
        secondary: Option<String>,
    },
    /// `certificateAuthority`
    CertificateAuthority,
    /// `none`
    None,
}

impl Authentication {
    /// `sas`, `selfSigned`, `certificateAuthority` or `none`: what `authentication.type` and the twin's
    /// `authenticationType` say.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Authentication::Sas { .. } => "sas",
            Authentication::SelfSigned { .. } => "selfSigned",
            Authentication::CertificateAuthority => "certificateAuthority",
            Authentication::None => "none",
        }
    }
}

/// Reads `authentication` and leaves what it does not know; `None` asks the hub to make keys.
pub(super) fn read(from: &mut Members) -> Result<Option<Authentication>> {
    let kind = from.text("type")?;
    let thumbprints = thumbprints_from(from)?;
    let given = matches!(&thumbprints, (Some(_), _) | (_, Some(_)));
    // Whatever becomes of them: keys are never among what is not known.
    let keys = keys_from(from);
    match kind.as_deref() {
        Some(kind) if kind.eq_ignore_ascii_case("sas") => keys,
        None if !given => keys,
        None => Ok(Some(Authentication::SelfSigned { primary: thumbprints.0, secondary: thumbprints.1 })),
        Some(kind) if kind.eq_ignore_ascii_case("selfSigned") => {
            Ok(Some(Authentication::SelfSigned { primary: thumbprints.0, secondary: thumbprints.1 }))
        }
        Some(kind) if kind.eq_ignore_ascii_case("certificateAuthority") => {
            Ok(Some(Authentication::CertificateAuthority))
        }
        Some(kind) if kind.eq_ignore_ascii_case("none") => Ok(Some(Authentication::None)),
        Some(_) => Err(wrong("authentication.type", "'sas', 'selfSigned', 'certificateAuthority' or 'none'")),
    }
}

fn keys_from(from: &mut Members) -> Result<Option<Authentication>> {
    const PATH: &str = "authentication.symmetricKey";
    let Some(mut keys) = from.object("symmetricKey", PATH)? else { return Ok(None) };
    let mut slot = |name: &str| -> Result<Option<Key>> {
        let text = keys.text(name)?.map(zeroize::Zeroizing::new).filter(|text| !text.trim().is_empty());
        text.map(|text| Key::from_base64(&text)).transpose().map_err(refused(&format!("{PATH}.{name}")))
    };
    let slots = (slot("primaryKey"), slot("secondaryKey"));
    from.put_back("symmetricKey", keys);
    match (slots.0?, slots.1?) {
        (None, None) => Ok(None),
        (Some(primary), Some(secondary)) => Ok(Some(Authentication::Sas { primary, secondary })),
        _ => Err(wrong(PATH, "two keys, or none for the hub to make both")),
    }
}

fn thumbprints_from(from: &mut Members) -> Result<(Option<String>, Option<String>)> {
    const PATH: &str = "authentication.x509Thumbprint";
    let Some(mut both) = from.object("x509Thumbprint", PATH)? else { return Ok((None, None)) };
    let mut slot = |name: &str| -> Result<Option<String>> {
        let text = both.text(name)?.filter(|text| !text.trim().is_empty());
        text.map(|text| thumbprint(&text, &format!("{PATH}.{name}"))).transpose()
    };
    let slots = (slot("primaryThumbprint")?, slot("secondaryThumbprint")?);
    from.put_back("x509Thumbprint", both);
    Ok(slots)
}

/// 40 (SHA-1) or 64 (SHA-256) hex digits; colons and spaces, which tools print between them, are taken out.
fn thumbprint(text: &str, path: &str) -> Result<String> {
    let hex: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    if matches!(hex.len(), 40 | 64) && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(hex.to_ascii_uppercase())
    } else {
        Err(wrong(path, "a thumbprint of 40 (SHA-1) or 64 (SHA-256) hex digits"))
    }
}

/// Prints `authentication`, keys included, with the members that were not known.
pub(super) fn print(authentication: Option<&Authentication>, unknown: Option<Value>) -> Value {
    let secret = |key: &Key| Value::String(key.expose_base64().to_string());
    let (keys, prints) = match authentication {
        Some(Authentication::Sas { primary, secondary }) => {
            ((secret(primary), secret(secondary)), (None, None))
        }
        Some(Authentication::SelfSigned { primary, secondary }) => {
            ((Value::Null, Value::Null), (primary.as_deref(), secondary.as_deref()))
        }
        _ => ((Value::Null, Value::Null), (None, None)),
    };
    let mut printed = json!({
        "symmetricKey": {"primaryKey": keys.0, "secondaryKey": keys.1},
        "x509Thumbprint": {"primaryThumbprint": prints.0, "secondaryThumbprint": prints.1},
        "type": authentication.map_or("sas", Authentication::type_name),
    });
    if let (Value::Object(printed), Some(Value::Object(unknown))) = (&mut printed, unknown) {
        add(printed, unknown);
    }
    printed
}

/// Adds members that are not there, on every level.
fn add(to: &mut Object, members: Object) {
    for (name, value) in members {
        match (to.get_mut(&name), value) {
            (Some(Value::Object(inner)), Value::Object(members)) => add(inner, members),
            (Some(_), _) => {}
            (None, value) => _ = to.insert(name, value),
        }
    }
}
