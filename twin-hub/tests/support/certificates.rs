//! Certificates that devices show.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use sha2::Digest;

pub struct Certificate {
    pub pem: String,
    pub key: String,
    pub der: Vec<u8>,
}

pub fn self_signed(name: &str) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let certificate = params(name).self_signed(&key).unwrap();
    Certificate { pem: certificate.pem(), key: key.serialize_pem(), der: certificate.der().to_vec() }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

pub struct Ca {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub fn new() -> Ca {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ca { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    pub fn sign(&self, name: &str) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let certificate = params(name).signed_by(&key, &self.issuer).unwrap();
        Certificate { pem: certificate.pem(), key: key.serialize_pem(), der: certificate.der().to_vec() }
    }
}

impl Certificate {
    /// The thumbprint that identities have.
    pub fn sha1(&self) -> String {
        hex(&<sha1::Sha1 as sha1::Digest>::digest(&self.der))
    }

    /// The longer one.
    pub fn sha256(&self) -> String {
        hex(&sha2::Sha256::digest(&self.der)).to_uppercase()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
