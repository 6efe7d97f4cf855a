//! Before anyone has logged in: TLS, client certificates, silence, crowds.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::Duration;

use rumqttc::mqttbytes::v4::ConnectReturnCode as Code;
use support::certificates::{Ca, Certificate, self_signed};
use support::{Mqtt, World, connect, hub, hub_with, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use twin_hub::Limits;

fn impatient(set: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    set(&mut limits);
    limits
}

#[tokio::test]
async fn half_a_handshake_and_silence_are_given_up() {
    let limits = impatient(|l| {
        l.handshake_time = Duration::from_millis(300);
        l.first_words_time = Duration::from_millis(300);
    });
    let world = hub_with(|builder| builder.limits(limits)).await;
    let client_hello_begun = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for said in [&b""[..], b"\x16", client_hello_begun] {
        let mut tcp = world.tcp().await;
        tcp.write_all(said).await.unwrap();
        let mut rest = Vec::new();
        let _ = soon("half a handshake", tcp.read_to_end(&mut rest)).await;
    }
    for said in [&b""[..], b"A", b"AMQ", b"\x10", b"\x10\x27\x00\x04MQTT"] {
        let mut tls = world.tls().await;
        tls.write_all(said).await.unwrap();
        let mut rest = Vec::new();
        let _ = soon("silence after TLS", tls.read_to_end(&mut rest)).await;
        assert!(rest.is_empty(), "{said:?}: {rest:?}");
    }
}

#[tokio::test]
async fn what_is_no_tls_is_turned_away() {
    let world = hub().await;
    for said in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",
        &[0xff; 4096],
        &[0; 4096],
    ] {
        let mut tcp = world.tcp().await;
        tcp.write_all(said).await.unwrap();
        let mut rest = Vec::new();
        let _ = soon("no TLS", tcp.read_to_end(&mut rest)).await;
    }
    assert!(world.hub.metrics().contains("twin_hub_handshakes_failed_total 4\n"), "{}", world.hub.metrics());
    world.is_alive("alive").await;
}

#[tokio::test]
async fn tls_1_2_and_1_3_and_a_name_that_is_not_the_hubs() {
    let world = hub().await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        use rustls::pki_types::pem::PemObject;
        let ca = rustls::pki_types::CertificateDer::from_pem_slice(world.hub.ca_pem().as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
        for (name, good) in [("localhost", true), ("127.0.0.1", true), ("::1", true), ("elsewhere", false)] {
            let name_of = rustls::pki_types::ServerName::try_from(name).unwrap();
            let connected = connector.connect(name_of, world.tcp().await).await;
            assert_eq!(connected.is_ok(), good, "{name}");
            if let Ok(mut tls) = connected {
                assert_eq!(tls.get_ref().1.protocol_version().unwrap(), version.version);
                tls.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
                let mut all = Vec::new();
                soon("an answer", tls.read_to_end(&mut all)).await.unwrap();
                assert!(all.starts_with(b"HTTP/1.1 200"));
            }
        }
    }
}

#[tokio::test]
async fn a_full_hub_turns_newcomers_away_and_recovers() {
    let limits = impatient(|l| l.max_connections = 2);
    let world = hub_with(|builder| builder.limits(limits)).await;
    let first = world.tls().await;
    let _second = world.tls().await;
    let mut third = world.tcp().await;
    let mut rest = Vec::new();
    let _ = soon("the turning away", third.read_to_end(&mut rest)).await;
    assert!(world.hub.metrics().contains("twin_hub_connections_turned_away_total 1\n"));
    drop(first);
    soon("room", async {
        loop {
            let mut tcp = world.tcp().await;
            tcp.write_all(b"\x16").await.unwrap();
            let mut byte = [0];
            // A hub with room waits for more; a full one closes.
            if tokio::time::timeout(Duration::from_millis(200), tcp.read(&mut byte)).await.is_err() {
                break;
            }
        }
    })
    .await;
}

async fn create(world: &World, path: &str, authentication: &str) {
    let answer = world.call("PUT", path, authentication).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn devices_that_show_certificates() {
    let ca = Ca::new();
    let late_ca = Ca::new();
    let world = hub_with(|builder| builder.client_ca_pem(ca.pem.clone())).await;
    let own = self_signed("whatever");
    let other = self_signed("whatever");
    let (sha1, sha256) = (own.sha1(), own.sha256());
    for (id, thumbprints) in [
        ("by-sha1", format!(r#"{{"primaryThumbprint":"{sha1}","secondaryThumbprint":null}}"#)),
        (
            "by-sha256",
            format!(r#"{{"primaryThumbprint":"{}","secondaryThumbprint":"{sha256}"}}"#, "AB".repeat(32)),
        ),
    ] {
        let body = format!(
            r#"{{"deviceId":"{id}","authentication":{{"type":"selfSigned","x509Thumbprint":{thumbprints}}}}}"#
        );
        create(&world, &format!("/devices/{id}"), &body).await;
    }
    for id in ["by-ca", "by-ca-too"] {
        let body = format!(r#"{{"deviceId":"{id}","authentication":{{"type":"certificateAuthority"}}}}"#);
        create(&world, &format!("/devices/{id}"), &body).await;
    }
    let module = r#"{"deviceId":"by-ca","moduleId":"m","authentication":{"type":"certificateAuthority"}}"#;
    create(&world, "/devices/by-ca/modules/m", module).await;
    world.device("by-key").await;
    let cases = [
        ("by-sha1", &own, true),
        ("by-sha256", &own, true),
        ("by-sha1", &other, false),
        ("by-key", &own, false),
        ("by-ca", &ca.sign("by-ca"), true),
        ("by-ca", &ca.sign("by-ca-too"), false),
        ("by-ca/m", &ca.sign("by-ca/m"), true),
        ("by-ca/m", &ca.sign("by-ca"), false),
        ("by-ca", &self_signed("by-ca"), false),
        ("by-ca", &late_ca.sign("by-ca"), false),
    ];
    for (id, certificate, good) in cases {
        let expected = if good { Code::Success } else { Code::NotAuthorized };
        assert_eq!(login(&world, id, certificate).await, expected, "{id}");
    }
    world.hub.add_client_ca_pem(&late_ca.pem).unwrap();
    assert_eq!(login(&world, "by-ca", &late_ca.sign("by-ca")).await, Code::Success);
    assert_eq!(login(&world, "by-ca", &ca.sign("by-ca")).await, Code::Success);
    assert!(world.hub.add_client_ca_pem("nonsense").is_err());
    // A certificate does no harm where a token is used.
    let key = world.device("both").await;
    let mut device = Mqtt::new(world.tls_showing(&own.pem, &own.key).await);
    assert_eq!(device.connect(&connect("both", &support::token("both", &key, 60))).await.code, Code::Success);
}

async fn login(world: &World, id: &str, certificate: &Certificate) -> Code {
    let mut device = Mqtt::new(world.tls_showing(&certificate.pem, &certificate.key).await);
    device.connect(&connect(id, "")).await.code
}
