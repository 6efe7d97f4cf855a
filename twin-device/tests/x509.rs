//! Devices that prove themselves with a certificate, against the real hub.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use twin_device::{ClientCertificate, DeviceClient, ErrorKind, RetryPolicy, Transport};
use twin_hub::Hub;
use twin_service::{Authentication, Identity, Registry, TwinKey};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, "factory");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn certificate(authority: &Authority, name: &str) -> ClientCertificate {
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, authority).unwrap();
    ClientCertificate::from_pem(leaf.pem(), key.serialize_pem()).unwrap()
}

#[tokio::test]
async fn a_certificate_lets_its_device_in_and_no_other() {
    tokio::time::timeout(Duration::from_secs(30), async {
        let hub = Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await.unwrap();
        let (factory, foreign) = (authority(), authority());
        hub.add_client_ca_pem(&factory.pem()).unwrap();
        let registry = Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build().unwrap();
        let mut identity = Identity::new(TwinKey::device("d").unwrap());
        identity.authentication = Some(Authentication::CertificateAuthority);
        registry.create(&identity).await.unwrap();
        let cs = format!("HostName={};DeviceId=d;x509=true", hub.host_name());

        for transport in [Transport::Mqtt, Transport::MqttWs, Transport::Amqp, Transport::AmqpWs] {
            for (certificate, good) in [
                (certificate(&factory, "d"), true),
                (certificate(&factory, "e"), false),
                (certificate(&foreign, "d"), false),
            ] {
                let opened = DeviceClient::from_connection_string(&cs)
                    .unwrap()
                    .ca_pem(hub.ca_pem())
                    .client_certificate(certificate)
                    .retry(RetryPolicy::None)
                    .transport(transport)
                    .open()
                    .await;
                match opened {
                    Ok(client) if good => drop(client.twin().await.unwrap()),
                    Err(error) if !good => assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}"),
                    other => panic!("{transport:?} {good}: {other:?}"),
                }
            }
        }
        let missing = DeviceClient::from_connection_string(&cs).unwrap().build().unwrap_err();
        assert!(missing.message().contains("client certificate"), "{missing}");
    })
    .await
    .expect("it hangs");
}

#[test]
fn a_key_of_another_certificate_is_found_out_early() {
    let authority = authority();
    let (leaf, key) = (authority.pem(), KeyPair::generate().unwrap().serialize_pem());
    let error = ClientCertificate::from_pem(leaf, key).unwrap_err();
    assert!(error.message().contains("do not belong together"), "{error}");
}
