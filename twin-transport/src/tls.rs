//! Trust and client certificates as a rustls configuration; TLS errors as a person understands them.
use std::collections::VecDeque;
use std::env;
use std::error::Error as StdError;
use std::ffi::OsString;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use twin_core::{Error, ErrorKind, Result};

use crate::Options;

/// Trust stores kept for sharing at once, in stores: one each for every different set of trust options in use.
const MAX_SHARED_STORES: usize = 32;

/// Sessions kept for resumption by a configuration with a client certificate, which talks to one hub.
const RESUMABLE_SESSIONS_PER_DEVICE: usize = 8;

/// A rustls configuration (ring, no global provider) for `options`.
///
/// Callers with equal trust options share one configuration (with a client certificate: one trust store) for as long
/// as somebody holds it, so a thousand devices in one process pay for the system's certificates once.
pub(crate) fn client_config(options: &Options) -> Result<Arc<ClientConfig>> {
    let trust = Trust::of(options);
    let (verifier, plain) = shared(&trust)?;
    match &options.client_certificate {
        None => Ok(plain),
        Some(certificate) => {
            let mut config = builder(verifier)
                .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certificate.0.clone())));
            config.resumption = Resumption::in_memory_sessions(RESUMABLE_SESSIONS_PER_DEVICE);
            Ok(Arc::new(config))
        }
    }
}

/// What decides whom we trust. `SSL_CERT_FILE` and `SSL_CERT_DIR` belong to it because they replace the system's store.
#[derive(Clone, PartialEq)]
struct Trust {
    extra_ca_pem: Vec<String>,
    system: bool,
    anybody: bool,
    environment: [Option<OsString>; 2],
}

impl Trust {
    fn of(options: &Options) -> Trust {
        Trust {
            extra_ca_pem: options.extra_ca_pem.clone(),
            system: options.system_trust,
            anybody: options.danger_accept_any_certificate,
            environment: [env::var_os("SSL_CERT_FILE"), env::var_os("SSL_CERT_DIR")],
        }
    }

    fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>> {
        if self.anybody {
            return Ok(Arc::new(Anybody(provider())));
        }
        let roots = Arc::new(self.roots()?);
        WebPkiServerVerifier::builder_with_provider(roots, provider())
            .build()
            .map(|v| v as Arc<dyn ServerCertVerifier>)
            .map_err(|e| Error::new(ErrorKind::Tls, format!("the trust store is unusable: {e}")))
    }

    fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for (index, pem) in self.extra_ca_pem.iter().enumerate() {
            for certificate in
                certificates(pem).map_err(|e| e.context(format_args!("option extra_ca_pem[{index}]")))?
            {
                roots.add(certificate).map_err(|e| {
                    Error::invalid(format!("option extra_ca_pem[{index}] holds no usable certificate: {e}"))
                })?;
            }
        }
        if self.system {
            self.add_system(&mut roots)?;
        }
        if roots.is_empty() {
            return Err(Error::invalid(
                "no certificate is trusted: system trust is off or empty, and no other was given; \
                 give the hub's CA certificate (--ca-file, SSL_CERT_FILE, option extra_ca_pem)",
            ));
        }
        Ok(roots)
    }

    fn add_system(&self, roots: &mut RootCertStore) -> Result<()> {
        let found = rustls_native_certs::load_native_certs();
        if let (Some(problem), true) =
            (found.errors.first(), found.certs.is_empty() && self.environment.iter().any(Option::is_some))
        {
            return Err(Error::invalid(format!(
                "the certificates that SSL_CERT_FILE or SSL_CERT_DIR name: {problem}"
            )));
        }
        for problem in &found.errors {
            tracing::warn!(%problem, "a certificate of the system's trust store is left out");
        }
        roots.add_parsable_certificates(found.certs);
        Ok(())
    }
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())).clone()
}

fn builder(
    verifier: Arc<dyn ServerCertVerifier>,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring offers TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
}

type Shared = (Trust, Weak<dyn ServerCertVerifier>, Weak<ClientConfig>);

/// The verifier for `trust` and the configuration without a client certificate, made or found. The configuration is
/// remade when only devices with certificates hold the verifier.
fn shared(trust: &Trust) -> Result<(Arc<dyn ServerCertVerifier>, Arc<ClientConfig>)> {
    static STORES: Mutex<VecDeque<Shared>> = Mutex::new(VecDeque::new());
    // Held while the trust store is read, on purpose: a storm of starting devices reads it once.
    let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
    stores.retain(|(_, verifier, _)| verifier.strong_count() > 0);
    let found = stores.iter().position(|(t, ..)| t == trust).and_then(|i| stores.remove(i));
    let (verifier, config) = match found.map(|(_, v, c)| (v.upgrade(), c.upgrade())) {
        Some((Some(verifier), config)) => (verifier, config),
        _ => (trust.verifier()?, None),
    };
    let config = config.unwrap_or_else(|| Arc::new(builder(verifier.clone()).with_no_client_auth()));
    if stores.len() >= MAX_SHARED_STORES {
        stores.pop_front();
    }
    stores.push_back((trust.clone(), Arc::downgrade(&verifier), Arc::downgrade(&config)));
    Ok((verifier, config))
}

/// The certificates of a PEM text; at least one.
pub(crate) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| Error::invalid(format!("no readable PEM: {e}")))?;
    if certificates.is_empty() {
        return Err(Error::invalid("no '-----BEGIN CERTIFICATE-----' in the text"));
    }
    Ok(certificates)
}

/// A chain and its key; the error names which of them is wrong and shows nothing of either.
pub(crate) fn certified_key(chain_pem: &str, key_pem: &str) -> Result<CertifiedKey> {
    let chain = certificates(chain_pem).map_err(|e| e.context("the client certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|_| {
        Error::invalid(
            "the client certificate's private key: no readable PEM of kind PRIVATE KEY (PKCS#8), RSA PRIVATE KEY \
             (PKCS#1) or EC PRIVATE KEY (SEC1); encrypted keys must be decrypted first",
        )
    })?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|e| match e {
        rustls::Error::InconsistentKeys(_) => {
            Error::invalid("the client certificate and the private key do not belong together")
        }
        rustls::Error::InvalidCertificate(_) => {
            Error::invalid("the client certificate is not readable X.509")
        }
        _ => Error::invalid("the client certificate's private key is damaged or of an unknown kind"),
    })
}

/// Accepts every certificate; still checks that the server holds its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// If a TLS error hides anywhere in `error`'s chain of causes: what it means, for a connection to `host`.
pub(crate) fn classify(error: &(dyn StdError + 'static), host: &str) -> Option<Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(explain(tls, host));
        }
        // `io::Error` hands out the source of its inner error, not the inner error itself.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as _),
            None => error.source(),
        };
    }
    None
}

fn explain(error: &rustls::Error, host: &str) -> Error {
    use CertificateError as C;
    let tls = |message: String| Error::new(ErrorKind::Tls, message).with_source(error.clone());
    match error {
        rustls::Error::InvalidCertificate(problem) => match problem {
            C::UnknownIssuer | C::BadSignature => tls(format!(
                "the certificate of '{host}' is not signed by anybody trusted here; to trust the hub's CA, give its \
                 certificate (--ca-file, SSL_CERT_FILE, option extra_ca_pem)"
            )),
            C::Expired | C::ExpiredContext { .. } => tls(format!(
                "the certificate of '{host}' has expired; renew it, or check this machine's clock"
            )),
            C::NotValidYet | C::NotValidYetContext { .. } => {
                tls(format!("the certificate of '{host}' is not valid yet; check this machine's clock"))
            }
            C::NotValidForName | C::NotValidForNameContext { .. } => tls(format!(
                "the certificate that the server showed is not for '{host}'{}; connect by one of its names, or have \
                 the server's certificate name '{host}' (twin hub --host-name)",
                presented(problem)
            )),
            C::Revoked => tls(format!("the certificate of '{host}' was revoked")),
            other => tls(format!(
                "the certificate of '{host}' cannot be used: {other}; if it is the hub's own self-signed one, give \
                 the CA that signed it instead (--ca-file, SSL_CERT_FILE, option extra_ca_pem)"
            )),
        },
        rustls::Error::AlertReceived(
            alert @ (AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::NoCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied),
        ) => Error::new(
            ErrorKind::Unauthorized,
            format!("'{host}' refused the client certificate, or the lack of one (TLS alert {alert:?})"),
        )
        .with_source(error.clone()),
        rustls::Error::InvalidMessage(_) => tls(format!(
            "'{host}' does not speak TLS on this port (or something between changes the bytes): {error}"
        )),
        other => tls(format!("the TLS connection to '{host}' failed: {other}")),
    }
}

fn presented(problem: &CertificateError) -> String {
    match problem {
        CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
            format!(" but for {}", presented.join(", "))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_pem_says_which() {
        let cases = [
            ("", "", "the client certificate"),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "", "the client certificate"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "s3cret",
                "private key: no readable PEM",
            ),
        ];
        for (chain, key, part) in cases {
            let message = certified_key(chain, key).unwrap_err().to_string();
            assert!(message.contains(part) && !message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn nobody_trusted_is_an_error() {
        let options = Options { system_trust: false, ..Options::default() };
        assert!(client_config(&options).unwrap_err().message().contains("no certificate is trusted"));
    }

    #[test]
    fn equal_trust_is_shared_and_forgotten() {
        let danger =
            Options { danger_accept_any_certificate: true, system_trust: false, ..Options::default() };
        let (a, b) = (client_config(&danger).unwrap(), client_config(&danger).unwrap());
        assert!(Arc::ptr_eq(&a, &b));
        let weak = Arc::downgrade(&a);
        drop((a, b));
        assert!(weak.upgrade().is_none());
    }

    #[test]
    fn a_tls_error_is_found_under_io_errors() {
        let inner = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let outer = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, inner));
        let error = classify(&outer, "h").unwrap();
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(error.message().contains("--ca-file"));
        assert!(classify(&io::Error::other("else"), "h").is_none());
    }
}
