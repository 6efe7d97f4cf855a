//! The hub's own certificates: a local CA that clients are told to trust, and a server certificate under it.
//!
//! Made on the first start and kept; the server certificate is made anew when it lacks a name or address that the hub
//! goes by now, or is near its end. The CA stays, so clients need no new file.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use twin_core::{Error, ErrorKind, HostName, Result};
use x509_parser::extensions::GeneralName;

use crate::private_file;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the CA lives.
const CA_LIFE: Duration = Duration::from_secs(3650 * 24 * 60 * 60);
/// How long a server certificate lives: some clients refuse more than 398 days.
const SERVER_LIFE: Duration = Duration::from_secs(397 * 24 * 60 * 60);
/// A start with less life left than this makes a new server certificate.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The hub's certificates and the server's key.
pub(crate) struct Pki {
    /// the CA certificate, which clients must trust
    pub(crate) ca_pem: String,
    /// where [`Pki::ca_pem`] is, if anywhere
    pub(crate) ca_file: Option<PathBuf>,
    /// the server certificate, then the CA
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// the server certificate's key
    pub(crate) key: PrivateKeyDer<'static>,
}

/// What serving needs, as PEM.
struct Texts {
    ca: String,
    server: String,
    server_key: String,
}

impl Pki {
    /// Loads what `dir` has, makes what is missing; `None` keeps everything in memory.
    pub(crate) fn open(
        dir: Option<&Path>,
        names: &[HostName],
        addresses: &[IpAddr],
        now: SystemTime,
    ) -> Result<Pki> {
        let sans = sans(names, addresses)?;
        let texts = match dir {
            None => Texts::make(&sans, now)?,
            Some(dir) => Texts::load_or_make(dir, &sans, now)?,
        };
        let der = |pem: &str, what: &str| {
            CertificateDer::from_pem_slice(pem.as_bytes())
                .map_err(|e| Error::new(ErrorKind::Storage, format!("the {what} certificate is no PEM: {e}")))
        };
        let key = PrivateKeyDer::from_pem_slice(texts.server_key.as_bytes())
            .map_err(|e| Error::new(ErrorKind::Storage, format!("the server's key is no PEM: {e}")))?;
        Ok(Pki {
            chain: vec![der(&texts.server, "server")?, der(&texts.ca, "CA")?],
            key,
            ca_file: dir.map(|dir| dir.join(CA)),
            ca_pem: texts.ca,
        })
    }
}

const CA: &str = "ca.pem";
const CA_KEY: &str = "ca-key.pem";
const SERVER: &str = "server.pem";
const SERVER_KEY: &str = "server-key.pem";
/// All of these, for copying.
pub(crate) const FILES: [&str; 4] = [CA, CA_KEY, SERVER, SERVER_KEY];

impl Texts {
    fn make(sans: &[SanType], now: SystemTime) -> Result<Texts> {
        let (ca, ca_key) = make_ca(now)?;
        let (server, server_key) = make_server(&ca, &ca_key, sans, now)?;
        Ok(Texts { ca, server, server_key })
    }

    fn load_or_make(dir: &Path, sans: &[SanType], now: SystemTime) -> Result<Texts> {
        let read = |name: &str| private_file::read(&dir.join(name));
        let (ca, ca_key) = match (read(CA)?, read(CA_KEY)?) {
            (Some(ca), Some(key)) => (ca, key),
            (None, None) => {
                let (ca, key) = make_ca(now)?;
                private_file::write(&dir.join(CA_KEY), &key)?;
                private_file::write(&dir.join(CA), &ca)?;
                (ca, key)
            }
            // The key is written first: without the certificate nothing trusts it yet.
            (None, Some(_)) => {
                let (ca, key) = make_ca(now)?;
                private_file::write(&dir.join(CA_KEY), &key)?;
                private_file::write(&dir.join(CA), &ca)?;
                (ca, key)
            }
            (Some(_), None) => {
                return Err(Error::new(
                    ErrorKind::Storage,
                    format!(
                        "{} is missing, so the hub cannot sign with the CA that clients trust; put it back, or remove \
                         {CA} as well to make a new CA",
                        dir.join(CA_KEY).display()
                    ),
                ));
            }
        };
        if let (Some(server), Some(server_key)) = (read(SERVER)?, read(SERVER_KEY)?)
            && serves(&server, sans, now)
            && belongs(&server, &server_key)
        {
            return Ok(Texts { ca, server, server_key });
        }
        let (server, server_key) = make_server(&ca, &ca_key, sans, now)?;
        private_file::write(&dir.join(SERVER_KEY), &server_key)?;
        private_file::write(&dir.join(SERVER), &server)?;
        tracing::info!(file = %dir.join(SERVER).display(), "made a server certificate");
        Ok(Texts { ca, server, server_key })
    }
}

fn made(what: &str) -> impl Fn(rcgen::Error) -> Error {
    let what = what.to_owned();
    move |e| Error::new(ErrorKind::Internal, format!("making the {what}: {e}")).with_source(e)
}

fn make_ca(now: SystemTime) -> Result<(String, String)> {
    let key = KeyPair::generate().map_err(made("CA key"))?;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "twin-hub local CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = (now - DAY).into();
    params.not_after = (now + CA_LIFE).into();
    let certificate = params.self_signed(&key).map_err(made("CA certificate"))?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn make_server(ca: &str, ca_key: &str, sans: &[SanType], now: SystemTime) -> Result<(String, String)> {
    let damaged = |e: rcgen::Error| {
        Error::new(ErrorKind::Storage, format!("the CA of the data directory cannot be used: {e}"))
            .with_source(e)
    };
    let issuer =
        Issuer::from_ca_cert_pem(ca, KeyPair::from_pem(ca_key).map_err(damaged)?).map_err(damaged)?;
    let key = KeyPair::generate().map_err(made("server key"))?;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "twin-hub");
    params.subject_alt_names = sans.to_vec();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = (now - DAY).into();
    params.not_after = (now + SERVER_LIFE).into();
    let certificate = params.signed_by(&key, &issuer).map_err(made("server certificate"))?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// What the certificate must name.
fn sans(names: &[HostName], addresses: &[IpAddr]) -> Result<Vec<SanType>> {
    let mut sans = Vec::new();
    for name in names {
        let san = match name.host().parse::<IpAddr>() {
            Ok(ip) => SanType::IpAddress(ip),
            Err(_) => SanType::DnsName(name.host().to_ascii_lowercase().try_into().map_err(|e| {
                Error::invalid(format!("host name '{name}' cannot stand in a certificate: {e}"))
            })?),
        };
        sans.push(san);
    }
    sans.extend(addresses.iter().filter(|ip| !ip.is_unspecified()).map(|ip| SanType::IpAddress(*ip)));
    let mut unique = Vec::with_capacity(sans.len());
    for san in sans {
        if !unique.contains(&san) {
            unique.push(san);
        }
    }
    Ok(unique)
}

/// Whether the certificate names all of `sans` and lives long enough.
fn serves(pem: &str, sans: &[SanType], now: SystemTime) -> bool {
    let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return false };
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&der) else { return false };
    let until = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let named: Vec<SanType> = match certificate.subject_alternative_name() {
        Ok(Some(extension)) => extension.value.general_names.iter().filter_map(san).collect(),
        _ => return false,
    };
    sans.iter().all(|san| named.contains(san)) && until > (now + RENEW_BEFORE).as_secs()
}

fn san(name: &GeneralName<'_>) -> Option<SanType> {
    match name {
        GeneralName::DNSName(name) => Some(SanType::DnsName((*name).try_into().ok()?)),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(SanType::IpAddress(IpAddr::from(v4))),
            Err(_) => Some(SanType::IpAddress(IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?))),
        },
        _ => None,
    }
}

/// Whether key and certificate are a pair: a crash between writing the two must not stop the hub for ever.
fn belongs(certificate: &str, key: &str) -> bool {
    let Ok(der) = CertificateDer::from_pem_slice(certificate.as_bytes()) else { return false };
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&der) else { return false };
    KeyPair::from_pem(key)
        .is_ok_and(|key| key.public_key_raw() == certificate.public_key().subject_public_key.data.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<HostName> {
        texts.iter().map(|t| HostName::new(t).unwrap()).collect()
    }

    fn open(dir: Option<&Path>, hosts: &[&str], now: SystemTime) -> Pki {
        Pki::open(dir, &names(hosts), &crate::config::LOOPBACK, now).unwrap()
    }

    #[test]
    fn a_second_start_keeps_both_certificates() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let first = open(Some(dir.path()), &["localhost"], now);
        let second = open(Some(dir.path()), &["LocalHost"], now + DAY);
        assert_eq!(first.chain, second.chain);
        assert_eq!(second.ca_file.as_deref(), Some(dir.path().join("ca.pem").as_path()));
        assert_eq!(std::fs::read_to_string(dir.path().join("ca.pem")).unwrap(), first.ca_pem);
    }

    #[test]
    fn a_new_name_an_end_near_or_a_lost_key_makes_a_new_server_certificate_under_the_same_ca() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let mut last = open(Some(dir.path()), &["localhost"], now);
        for (what, hosts, then) in [
            ("a new name", &["localhost", "fake.azure-devices.net"][..], now),
            ("near its end", &["localhost"][..], now + SERVER_LIFE - DAY),
            ("key gone", &["localhost"][..], now + SERVER_LIFE - DAY),
        ] {
            if what == "key gone" {
                std::fs::write(dir.path().join(SERVER_KEY), "nonsense").unwrap();
            }
            let next = open(Some(dir.path()), hosts, then);
            assert_ne!(last.chain[0], next.chain[0], "{what}");
            assert_eq!(last.chain[1], next.chain[1], "{what}");
            last = next;
        }
    }

    #[test]
    fn a_ca_without_its_key_is_an_error_that_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        open(Some(dir.path()), &["localhost"], SystemTime::now());
        std::fs::remove_file(dir.path().join(CA_KEY)).unwrap();
        let error =
            Pki::open(Some(dir.path()), &names(&["other"]), &[], SystemTime::now()).err().expect("an error");
        assert!(error.to_string().contains("ca-key.pem is missing"), "{error}");
    }

    #[test]
    fn ephemeral_hubs_write_nothing_and_share_nothing() {
        let (a, b) =
            (open(None, &["localhost"], SystemTime::now()), open(None, &["localhost"], SystemTime::now()));
        assert_ne!(a.ca_pem, b.ca_pem);
        assert!(a.ca_file.is_none());
    }
}
