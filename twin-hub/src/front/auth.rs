//! Who is this: SAS tokens, certificates, policies (IoT Hub, "Control access with shared access signatures").
//!
//! - A token is checked against its `sr` exactly as received, by whole segments; its host must be one of this hub's
//!   names, with or without a port.
//! - Without `skn` one of the identity's own two keys must have signed; with `skn` one of the policy's.
//! - Five minutes of clock skew are allowed, at login and at the end alike: a device stays connected until five minutes
//!   after `se`. (What the live service grants at the end is not documented.)
//! - Every refusal to a device is CONNACK 5 and tells nothing more; the reason is in the hub's log.

use std::sync::Arc;

use twin_core::auth::{Permissions, SasToken, sas::MAX_CLOCK_SKEW};
use twin_core::identity::{Authentication, Identity, Status};
use twin_core::{Timestamp, TwinKey};

use super::certificate::DeviceCas;
use super::{Front, HostNames, Peer};
use crate::policies::Policies;

/// Why someone was not let in: for the log, never for the peer unless it proved who it is.
pub(crate) type Reason = String;

/// Who was let in.
#[derive(Debug)]
pub(crate) struct Admission {
    /// the identity as it was judged; attaching refuses if its credentials have changed since
    pub(crate) identity: Arc<Identity>,
    /// when it must leave again, if ever
    pub(crate) until: Option<Timestamp>,
}

/// What judging needs to know.
pub(crate) struct Judge<'f> {
    pub(crate) names: &'f HostNames,
    pub(crate) policies: &'f Policies,
    pub(crate) device_cas: &'f DeviceCas,
    pub(crate) now: Timestamp,
}

impl Front {
    pub(crate) fn judge(&self) -> Judge<'_> {
        Judge { names: &self.names, policies: &self.policies, device_cas: &self.device_cas, now: self.now() }
    }
}

impl Judge<'_> {
    /// Lets a device or module in, or says why not.
    ///
    /// `identity` looks identities up; `token` is the password, empty for certificates.
    pub(crate) fn device(
        &self,
        key: &TwinKey,
        identity: impl Fn(&TwinKey) -> Option<Arc<Identity>>,
        token: &str,
        peer: &Peer,
    ) -> Result<Admission, Reason> {
        let found = identity(key).ok_or_else(|| format!("'{key}' does not exist"))?;
        let device = match key.module {
            None => Some(found.clone()),
            Some(_) => identity(&TwinKey::from(key.device.clone())),
        };
        match device {
            Some(device) if device.status == Status::Disabled => {
                return Err(format!("device '{}' is disabled", key.device));
            }
            Some(_) => {}
            None => return Err(format!("device '{}' does not exist", key.device)),
        }
        if token.is_empty() {
            self.certificate(key, &found, peer)?;
            return Ok(Admission { identity: found, until: None });
        }
        let token = SasToken::parse(token).map_err(|e| format!("the password is no SAS token: {e}"))?;
        let resource = self.resource(&token, &path(key))?;
        match token.policy() {
            Some(name) => {
                let policy = self.policies.get(name).ok_or_else(|| format!("there is no policy '{name}'"))?;
                if !policy.permissions.contain(Permissions::DEVICE_CONNECT) {
                    return Err(format!("policy '{name}' may not connect as a device"));
                }
                self.verify(&token, &resource, [&policy.primary, &policy.secondary])?;
            }
            None => match &found.authentication {
                Some(Authentication::Sas { primary, secondary }) => {
                    self.verify(&token, &resource, [primary, secondary])?;
                }
                _ => {
                    return Err(format!(
                        "'{key}' has no keys: it must show its certificate instead of a token"
                    ));
                }
            },
        }
        Ok(Admission { identity: found, until: Some(token.expiry().plus(MAX_CLOCK_SKEW)) })
    }

    /// Judges the token of a service call on `path` (without the query); answers what its policy may.
    pub(crate) fn service(&self, token: &str, path: &str) -> Result<Permissions, Reason> {
        if token.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("Bearer ")) {
            return Err(
                "this hub knows no Microsoft Entra ID: use a connection string with a shared access key"
                    .into(),
            );
        }
        let token =
            SasToken::parse(token).map_err(|e| format!("the Authorization header is no SAS token: {e}"))?;
        let resource = self.resource(&token, path)?;
        let name = token
            .policy()
            .ok_or("the token names no policy (skn): a device's token cannot call the service API")?;
        let policy = self.policies.get(name).ok_or_else(|| format!("there is no policy '{name}'"))?;
        self.verify(&token, &resource, [&policy.primary, &policy.secondary])?;
        Ok(policy.permissions)
    }

    /// The resource that the token must cover: its own spelling of this hub's name, then `path`.
    fn resource(&self, token: &SasToken, path: &str) -> Result<String, Reason> {
        let host = token.resource().split('/').next().unwrap_or_default();
        if !self.names.know(host) {
            return Err(format!("the token is for hub '{host}'; this hub is {}", self.names));
        }
        Ok(format!("{host}{path}"))
    }

    fn verify<'k>(
        &self,
        token: &SasToken,
        resource: &str,
        keys: impl IntoIterator<Item = &'k twin_core::auth::Key>,
    ) -> Result<(), Reason> {
        token.verify(resource, keys, self.now).map_err(|e| e.to_string())
    }

    fn certificate(&self, key: &TwinKey, identity: &Identity, peer: &Peer) -> Result<(), Reason> {
        let Some(certificate) = &peer.certificate else {
            return Err("neither a password nor a client certificate was given".into());
        };
        match &identity.authentication {
            Some(Authentication::SelfSigned { primary, secondary }) => [primary, secondary]
                .into_iter()
                .flatten()
                .any(|wanted| certificate.has_thumbprint(wanted))
                .then_some(())
                .ok_or_else(|| {
                    format!("the certificate's thumbprint {} is not '{key}'s", certificate.thumbprint())
                }),
            Some(Authentication::CertificateAuthority) => certificate
                .speaks_for(&key.to_string(), self.device_cas, self.now)
                .map_err(|why| format!("the certificate does not speak for '{key}': {why}")),
            _ => Err(format!("'{key}' does not authenticate by certificate")),
        }
    }
}

/// The path of a device or module inside a token's resource.
fn path(key: &TwinKey) -> String {
    match &key.module {
        None => format!("/devices/{}", key.device),
        Some(module) => format!("/devices/{}/modules/{module}", key.device),
    }
}

#[cfg(test)]
mod tests {
    use super::super::certificate::tests::ca_and_device;
    use super::*;
    use std::collections::HashMap;
    use twin_core::HostName;
    use twin_core::auth::{Key, ServiceConnectionString};

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn key_of(name: &str) -> Key {
        Key::from_bytes(format!("{name:-<32}").as_bytes()).unwrap()
    }

    fn sas_of(name: &str) -> Authentication {
        Authentication::Sas { primary: key_of(name), secondary: key_of(&format!("{name}2")) }
    }

    struct World {
        names: HostNames,
        policies: Policies,
        device_cas: DeviceCas,
        identities: HashMap<TwinKey, Arc<Identity>>,
        peer: Peer,
    }

    impl World {
        fn new() -> World {
            let mut identities = HashMap::new();
            let mut add = |key: TwinKey, authentication: Authentication, status: Status| {
                let mut identity = Identity::new(key.clone());
                identity.authentication = Some(authentication);
                identity.status = status;
                identities.insert(key, Arc::new(identity));
            };
            let (ca, certificate) = ca_and_device("by-ca");
            let device = |id: &str| TwinKey::device(id).unwrap();
            add(device("d1"), sas_of("d1"), Status::Enabled);
            add(TwinKey::module("d1", "m").unwrap(), sas_of("m"), Status::Enabled);
            add(device("d10"), sas_of("d10"), Status::Enabled);
            add(device("off"), sas_of("off"), Status::Disabled);
            add(TwinKey::module("off", "m").unwrap(), sas_of("m"), Status::Enabled);
            add(device("by-ca"), Authentication::CertificateAuthority, Status::Enabled);
            add(device("other-ca"), Authentication::CertificateAuthority, Status::Enabled);
            let thumbprint = Some(certificate.thumbprint().to_lowercase());
            let by_thumbprint = Authentication::SelfSigned { primary: None, secondary: thumbprint };
            add(device("by-thumbprint"), by_thumbprint, Status::Enabled);
            let wrong = Authentication::SelfSigned { primary: Some("AB".repeat(20)), secondary: None };
            add(device("wrong-thumbprint"), wrong, Status::Enabled);
            let device_cas = DeviceCas::new(Arc::new(rustls::crypto::ring::default_provider()));
            device_cas.add(&ca).unwrap();
            World {
                names: HostNames::new(vec![
                    HostName::new("localhost").unwrap(),
                    HostName::new("Fake.net").unwrap(),
                ]),
                policies: Policies::generate().unwrap(),
                device_cas,
                identities,
                peer: Peer { address: "127.0.0.1:1".parse().unwrap(), certificate: Some(certificate) },
            }
        }

        fn judge(&self) -> Judge<'_> {
            Judge { names: &self.names, policies: &self.policies, device_cas: &self.device_cas, now: now() }
        }

        fn device(&self, who: &str, token: &str) -> Result<Admission, Reason> {
            let key = match who.split_once('/') {
                None => TwinKey::device(who).unwrap(),
                Some((device, module)) => TwinKey::module(device, module).unwrap(),
            };
            self.judge().device(&key, |k| self.identities.get(k).cloned(), token, &self.peer)
        }

        fn policy_token(&self, policy: &str, resource: &str) -> String {
            let text = self.policies.connection_string("localhost", policy).unwrap();
            let twin_core::auth::Credential::Key { key, .. } =
                ServiceConnectionString::parse(&text).unwrap().credential
            else {
                panic!("a key")
            };
            token(resource, &key, Some(policy), 3600)
        }
    }

    fn token(resource: &str, key: &Key, policy: Option<&str>, life: i64) -> String {
        let at = now().unix_seconds().checked_add_signed(life).unwrap();
        let expiry = Timestamp::from_unix(std::time::Duration::from_secs(at));
        SasToken::sign(resource, key, policy, expiry).expose().to_owned()
    }

    #[test]
    fn devices() {
        let world = World::new();
        let own = |resource: &str, key: &str| token(resource, &key_of(key), None, 60);
        let cases: Vec<(&str, String, Result<(), &str>)> = vec![
            ("d1", own("localhost/devices/d1", "d1"), Ok(())),
            ("d1", own("localhost/devices/d1", "d12"), Ok(())), // the secondary key
            ("d1", own("LOCALHOST:9443/devices/d1", "d1"), Ok(())),
            ("d1", own("fake.net/devices/d1", "d1"), Ok(())),
            ("d1", own("elsewhere/devices/d1", "d1"), Err("for hub 'elsewhere'")),
            ("d1", own("localhost/devices/d10", "d1"), Err("d10")),
            ("d10", own("localhost/devices/d1", "d10"), Err("d1")), // a prefix, but not of segments
            ("d1", own("localhost/devices/d1", "x"), Err("sign")),
            ("d1", token("localhost/devices/d1", &key_of("d1"), None, -299), Ok(())),
            ("d1", token("localhost/devices/d1", &key_of("d1"), None, -301), Err("expired")),
            ("d1", "garbage".into(), Err("no SAS token")),
            ("nobody", own("localhost/devices/nobody", "d1"), Err("does not exist")),
            ("off", own("localhost/devices/off", "off"), Err("disabled")),
            ("off/m", own("localhost/devices/off/modules/m", "m"), Err("disabled")),
            ("d1/m", own("localhost/devices/d1/modules/m", "m"), Ok(())),
            ("d1/m", own("localhost/devices/d1", "m"), Ok(())),
            ("d1/m", own("localhost/devices/d1/modules/m", "d1"), Err("sign")),
            ("d1/none", own("localhost/devices/d1/modules/none", "m"), Err("does not exist")),
            ("d1", world.policy_token("device", "localhost/devices/d1"), Ok(())),
            ("d1/m", world.policy_token("device", "localhost/devices"), Ok(())),
            ("d1", world.policy_token("iothubowner", "localhost"), Ok(())),
            ("d1", world.policy_token("service", "localhost/devices/d1"), Err("may not connect as a device")),
            ("d1", token("localhost/devices/d1", &key_of("d1"), Some("nope"), 60), Err("no policy 'nope'")),
            ("d1", token("localhost/devices/d1", &key_of("d1"), Some("device"), 60), Err("sign")),
            ("by-ca", String::new(), Ok(())),
            ("by-ca", own("localhost/devices/by-ca", "d1"), Err("must show its certificate")),
            ("other-ca", String::new(), Err("common name")),
            ("by-thumbprint", String::new(), Ok(())),
            ("wrong-thumbprint", String::new(), Err("thumbprint")),
            ("d1", String::new(), Err("does not authenticate by certificate")),
        ];
        for (i, (who, token, expected)) in cases.into_iter().enumerate() {
            let found = world.device(who, &token);
            match (&found, expected) {
                (Ok(admission), Ok(())) => {
                    assert_eq!(admission.until.is_none(), token.is_empty(), "case {i}: {who}")
                }
                (Err(why), Err(says)) => assert!(why.contains(says), "case {i}: {who}: {why}"),
                _ => panic!("case {i}: {who}: {found:?}, expected {expected:?}"),
            }
            if let Err(why) = found {
                assert!(
                    token.len() < 20 || !why.contains(token.split("sig=").nth(1).unwrap_or(&token)),
                    "{why}"
                );
            }
        }
    }

    #[test]
    fn a_certificate_is_needed_where_there_is_no_password() {
        let mut world = World::new();
        world.peer.certificate = None;
        assert!(world.device("by-ca", "").unwrap_err().contains("neither"));
    }

    #[test]
    fn services() {
        let world = World::new();
        let path = "/twins/d1";
        for (token, expected) in [
            (world.policy_token("iothubowner", "localhost"), Ok(Permissions::ALL)),
            (world.policy_token("service", "localhost:443"), Ok(Permissions::SERVICE_CONNECT)),
            (world.policy_token("service", "localhost/twins"), Ok(Permissions::SERVICE_CONNECT)),
            (world.policy_token("service", "localhost/devices"), Err("devices")),
            (world.policy_token("service", "elsewhere"), Err("for hub 'elsewhere'")),
            (token("localhost", &key_of("d1"), None, 60), Err("no policy")),
            (token("localhost", &key_of("d1"), Some("service"), 60), Err("sign")),
            ("Bearer eyJ0".into(), Err("Entra")),
            ("bearer eyJ0".into(), Err("Entra")),
            ("Basic dXNlcg==".into(), Err("no SAS token")),
            ("é".into(), Err("no SAS token")),
        ] {
            let found = world.judge().service(&token, path);
            match (&found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(*found, expected),
                (Err(why), Err(says)) => assert!(why.contains(says), "{why}"),
                _ => panic!("{found:?}, expected {expected:?}"),
            }
        }
    }
}
