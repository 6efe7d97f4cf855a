//! Client certificates: asked for, never demanded, judged at login.
//!
//! The TLS handshake proves that the peer holds the certificate's key, nothing more. Whether the certificate speaks for
//! a device is decided when the device logs in: by thumbprint, or by a chain to a CA that the hub was told to trust
//! with the device's id as common name (IoT Hub, "Authenticate identities with X.509 certificates").

use std::fmt::Write;
use std::sync::{Arc, RwLock};

use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use twin_core::{Error, Result, Timestamp};

/// Takes any client certificate whose key the peer holds, and takes none.
#[derive(Debug)]
pub(super) struct AnyCertificate(pub(super) Arc<CryptoProvider>);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // No hints: self-signed devices have no issuer that could be named.
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The CAs that vouch for devices; more may be added while the hub runs.
#[derive(Debug)]
pub(crate) struct DeviceCas {
    provider: Arc<CryptoProvider>,
    trusted: RwLock<Trusted>,
}

#[derive(Debug)]
struct Trusted {
    roots: RootCertStore,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl DeviceCas {
    pub(crate) fn new(provider: Arc<CryptoProvider>) -> Self {
        DeviceCas {
            provider,
            trusted: RwLock::new(Trusted { roots: RootCertStore::empty(), verifier: None }),
        }
    }

    /// Trusts every certificate in `pem`.
    pub(crate) fn add(&self, pem: &str) -> Result<()> {
        let broken =
            |e: &dyn std::fmt::Display| Error::invalid(format!("the client CA's PEM cannot be used: {e}"));
        let mut trusted = self.trusted.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut roots = trusted.roots.clone();
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.map_err(|e| broken(&e))?).map_err(|e| broken(&e))?;
        }
        if roots.len() == before {
            return Err(broken(&"it has no certificate"));
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), self.provider.clone())
                .build()
                .map_err(|e| broken(&e))?;
        *trusted = Trusted { roots, verifier: Some(verifier) };
        Ok(())
    }

    /// Whether one of the CAs vouches for the certificate; the error says why not.
    fn vouch(&self, certificate: &PeerCertificate, now: Timestamp) -> Result<(), String> {
        let trusted = self.trusted.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let verifier =
            trusted.verifier.as_ref().ok_or("the hub was told of no CA that may vouch for devices")?;
        let Some((leaf, above)) = certificate.chain.split_first() else {
            return Err("no certificate".into());
        };
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.unix_seconds()));
        verifier.verify_client_cert(leaf, above, now).map(|_| ()).map_err(|e| e.to_string())
    }
}

/// The certificate that a peer proved to hold, with the chain it sent along.
#[derive(Clone, Debug)]
pub(crate) struct PeerCertificate {
    chain: Arc<[CertificateDer<'static>]>,
}

impl PeerCertificate {
    pub(crate) fn new(chain: &[CertificateDer<'_>]) -> Option<Self> {
        (!chain.is_empty())
            .then(|| PeerCertificate { chain: chain.iter().map(|c| c.clone().into_owned()).collect() })
    }

    /// Whether `wanted` (hex, any case) is the SHA-1 or SHA-256 thumbprint.
    pub(crate) fn has_thumbprint(&self, wanted: &str) -> bool {
        let leaf = &self.chain[0];
        let wanted = wanted.to_ascii_uppercase();
        match wanted.len() {
            40 => wanted == hex(&<sha1::Sha1 as sha1::Digest>::digest(leaf)),
            64 => wanted == hex(&<sha2::Sha256 as sha2::Digest>::digest(leaf)),
            _ => false,
        }
    }

    /// For logs: the SHA-256 thumbprint.
    pub(crate) fn thumbprint(&self) -> String {
        hex(&<sha2::Sha256 as sha2::Digest>::digest(&self.chain[0]))
    }

    /// Whether a trusted CA vouches for it and its common name is `name`; the error says why not.
    pub(crate) fn speaks_for(&self, name: &str, cas: &DeviceCas, now: Timestamp) -> Result<(), String> {
        cas.vouch(self, now)?;
        let (_, certificate) =
            x509_parser::parse_x509_certificate(&self.chain[0]).map_err(|e| e.to_string())?;
        let names: Vec<&str> =
            certificate.subject().iter_common_name().filter_map(|cn| cn.as_str().ok()).collect();
        match names[..] {
            [one] if one == name => Ok(()),
            _ => Err(format!("its common name is {names:?}, not '{name}'")),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair};

    /// A CA for devices and a certificate under it with this common name.
    pub(crate) fn ca_and_device(common_name: &str) -> (String, PeerCertificate) {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let issuer = Issuer::new(ca, ca_key);
        let mut leaf = CertificateParams::default();
        leaf.distinguished_name = rcgen::DistinguishedName::new();
        leaf.distinguished_name.push(DnType::CommonName, common_name);
        leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        (ca_pem, PeerCertificate::new(&[leaf.der().clone()]).unwrap())
    }

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn thumbprints_in_both_forms_and_any_case() {
        let certificate = PeerCertificate::new(&[CertificateDer::from(b"abc".to_vec())]).unwrap();
        for (thumbprint, right) in [
            ("A9993E364706816ABA3E25717850C26C9CD0D89D", true),
            ("a9993e364706816aba3e25717850c26c9cd0d89d", true),
            ("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", true),
            ("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AE", false),
            ("A9993E36", false),
            ("", false),
        ] {
            assert_eq!(certificate.has_thumbprint(thumbprint), right, "{thumbprint}");
        }
        assert!(PeerCertificate::new(&[]).is_none());
    }

    #[test]
    fn a_ca_vouches_for_the_common_name_only() {
        let (ca, device) = ca_and_device("d1");
        let (other_ca, _) = ca_and_device("d1");
        let cas = DeviceCas::new(Arc::new(rustls::crypto::ring::default_provider()));
        assert!(device.speaks_for("d1", &cas, now()).unwrap_err().contains("no CA"));
        cas.add(&other_ca).unwrap();
        assert!(device.speaks_for("d1", &cas, now()).is_err());
        cas.add(&ca).unwrap();
        device.speaks_for("d1", &cas, now()).unwrap();
        assert!(device.speaks_for("d2", &cas, now()).unwrap_err().contains("common name"));
        for bad in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"] {
            assert!(cas.add(bad).is_err(), "{bad}");
        }
        device.speaks_for("d1", &cas, now()).unwrap();
    }
}
