//! Connection strings of devices, modules and backends.
//!
//! `Name=value` parts between semicolons; names in any case of letters, in any order; space around names, values
//! and the whole is ignored. Each error says which part is wrong and why. A value is never repeated in an error,
//! nor is an unknown name: a part that was torn apart may hold a piece of the key.

use zeroize::Zeroizing;

use super::parts::{Part, Parts};
use super::{Credential, Key, SasToken};
use crate::error::{Error, Result};
use crate::{DeviceId, HostName, ModuleId, TwinKey};

/// `HostName=…;DeviceId=…[;ModuleId=…];SharedAccessKey=…|SharedAccessSignature=…|x509=true[;GatewayHostName=…]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeviceConnectionString {
    /// The hub.
    pub host: HostName,
    /// The device or module.
    pub key: TwinKey,
    /// How it proves itself; [`Credential::Key`] with a policy if `SharedAccessKeyName` is there.
    pub credential: Credential,
    /// The gateway to connect to instead, if any; tokens and user names still name the hub.
    pub gateway: Option<HostName>,
}

/// `HostName=…;SharedAccessKeyName=…;SharedAccessKey=…` (or `SharedAccessSignature=…`)
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ServiceConnectionString {
    /// The hub.
    pub host: HostName,
    /// How the backend proves itself (`Key` with a policy, or `Token`).
    pub credential: Credential,
}

impl DeviceConnectionString {
    /// Parses; names of parts in any case of letters.
    ///
    /// ```
    /// use twin_core::auth::{Credential, DeviceConnectionString};
    /// let text = "HostName=localhost:9443;DeviceId=meter;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    /// let parsed = DeviceConnectionString::parse(text)?;
    /// assert_eq!(parsed.key.to_string(), "meter");
    /// assert_eq!(parsed.host.port(), Some(9443));
    /// assert!(matches!(parsed.credential, Credential::Key { policy: None, .. }));
    ///
    /// let error = DeviceConnectionString::parse("HostName=localhost;DeviceId=meter").unwrap_err();
    /// assert!(error.message().contains("SharedAccessKey"));
    /// # Ok::<(), twin_core::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        let parts = Parts::parse(text)?;
        let device = parts.get(Part::DeviceId).ok_or_else(|| {
            wrong(match parts.get(Part::SharedAccessKeyName) {
                Some(_) => "it has no DeviceId; it looks like a backend's, and a device needs its own",
                None => "it has no DeviceId",
            })
        })?;
        let device = DeviceId::new(device).map_err(|e| wrong(e.message()))?;
        let module =
            parts.get(Part::ModuleId).map(ModuleId::new).transpose().map_err(|e| wrong(e.message()))?;
        Ok(DeviceConnectionString {
            host: parts.host(Part::HostName)?.ok_or_else(|| wrong("it has no HostName"))?,
            key: TwinKey { device, module },
            credential: credential(&parts, "SharedAccessKey, SharedAccessSignature or x509=true")?,
            gateway: parts.host(Part::GatewayHostName)?,
        })
    }

    /// The text again: a secret.
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("HostName={};DeviceId={}", self.host, self.key.device));
        if let Some(module) = &self.key.module {
            push(&mut text, "ModuleId", module.as_str());
        }
        push_credential(&mut text, &self.credential);
        if let Some(gateway) = &self.gateway {
            push(&mut text, "GatewayHostName", &gateway.to_string());
        }
        text
    }

    /// One with a key of the device's or module's own, such as the registry gives out.
    pub fn with_key(host: HostName, key: TwinKey, secret: Key) -> Self {
        let credential = Credential::Key { key: secret, policy: None };
        DeviceConnectionString { host, key, credential, gateway: None }
    }
}

impl ServiceConnectionString {
    /// Parses; names of parts in any case of letters.
    pub fn parse(text: &str) -> Result<Self> {
        let parts = Parts::parse(text)?;
        for part in [Part::DeviceId, Part::ModuleId] {
            if parts.get(part).is_some() {
                return Err(wrong(format!(
                    "it has a {}; it is a device's, and a backend needs that of a policy such as iothubowner",
                    part.name()
                )));
            }
        }
        let credential =
            credential(&parts, "SharedAccessKeyName with SharedAccessKey, or SharedAccessSignature")?;
        match &credential {
            Credential::Key { policy: None, .. } => return Err(wrong("it has no SharedAccessKeyName")),
            Credential::Certificate => return Err(wrong("x509=true is for devices only")),
            _ => {}
        }
        if parts.get(Part::GatewayHostName).is_some() {
            return Err(wrong("GatewayHostName is for devices only"));
        }
        Ok(ServiceConnectionString {
            host: parts.host(Part::HostName)?.ok_or_else(|| wrong("it has no HostName"))?,
            credential,
        })
    }

    /// One with a policy's key, such as a hub gives out.
    pub fn with_key(host: HostName, policy: impl Into<String>, secret: Key) -> Self {
        let credential = Credential::Key { key: secret, policy: Some(policy.into()) };
        ServiceConnectionString { host, credential }
    }

    /// The text again: a secret.
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("HostName={}", self.host));
        push_credential(&mut text, &self.credential);
        text
    }
}

pub(super) fn wrong(why: impl std::fmt::Display) -> Error {
    Error::invalid(format!("the connection string is wrong: {why}"))
}

fn credential(parts: &Parts<'_>, choices: &str) -> Result<Credential> {
    let key = parts.get(Part::SharedAccessKey);
    let token = parts.get(Part::SharedAccessSignature);
    let certificate = parts.flag(Part::X509)?;
    if usize::from(key.is_some()) + usize::from(token.is_some()) + usize::from(certificate) > 1 {
        return Err(wrong(format!("it has more than one of {choices}")));
    }
    if let Some(key) = key {
        let key = Key::from_base64(key).map_err(|e| wrong(format!("SharedAccessKey: {}", e.message())))?;
        let policy = parts.get(Part::SharedAccessKeyName).map(str::to_owned);
        return Ok(Credential::Key { key, policy });
    }
    if let Some(token) = token {
        let token =
            SasToken::parse(token).map_err(|e| wrong(format!("SharedAccessSignature: {}", e.message())))?;
        return Ok(Credential::Token(token));
    }
    if certificate { Ok(Credential::Certificate) } else { Err(wrong(format!("it has no {choices}"))) }
}

fn push(text: &mut Zeroizing<String>, name: &str, value: &str) {
    // Reserving first keeps a growing string from leaving copies of the secret behind.
    let needed = name.len() + value.len() + 2;
    if text.capacity() - text.len() < needed {
        let mut bigger = Zeroizing::new(String::with_capacity((text.len() + needed) * 2));
        bigger.push_str(text);
        *text = bigger;
    }
    for piece in [";", name, "=", value] {
        text.push_str(piece);
    }
}

fn push_credential(text: &mut Zeroizing<String>, credential: &Credential) {
    match credential {
        Credential::Key { key, policy } => {
            if let Some(policy) = policy {
                push(text, Part::SharedAccessKeyName.name(), policy);
            }
            push(text, Part::SharedAccessKey.name(), &key.expose_base64());
        }
        Credential::Token(token) => push(text, Part::SharedAccessSignature.name(), token.expose()),
        Credential::Certificate => push(text, Part::X509.name(), "true"),
    }
}

#[cfg(test)]
#[path = "connection_string_tests.rs"]
mod tests;
