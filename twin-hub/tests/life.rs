//! A hub's life: starting, stopping, starting again.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{ConnectReturnCode as Code, Packet, Publish};
use support::{Mqtt, World, connect, hub, soon, token};
use twin_core::ErrorKind;
use twin_hub::Hub;

async fn start(dir: &std::path::Path) -> World {
    let builder = Hub::builder().listen("127.0.0.1:0".parse().unwrap()).data_dir(dir);
    World { hub: builder.start().await.expect("the hub starts") }
}

#[tokio::test]
async fn a_hub_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("made/here");
    let first = start(&data).await;
    let key = first.device("d").await;
    let mut login = connect("d", &token("d", &key, 60));
    login.clean_session = false;
    let mut device = Mqtt::new(first.tls().await);
    assert!(!device.connect(&login).await.session_present);
    device.subscribe("$iothub/twin/PATCH/properties/desired/#").await;
    let (ca, strings) = (first.hub.ca_pem().to_owned(), secrets(&first.hub));
    assert_eq!(std::fs::read_to_string(first.hub.ca_file().unwrap()).unwrap(), ca);
    first.hub.close().await.unwrap();
    device.closes("the hub's end").await;
    let second = start(&data).await;
    assert_eq!(second.hub.ca_pem(), ca);
    assert_eq!(secrets(&second.hub), strings);
    let mut device = Mqtt::new(second.tls().await);
    assert!(device.connect(&login).await.session_present);
    second.call("PATCH", "/twins/d", r#"{"properties":{"desired":{"a":1}}}"#).await;
    assert!(device.publication().await.0.starts_with("$iothub/twin/PATCH/properties/desired/"));
    #[cfg(unix)]
    for entry in std::fs::read_dir(&data).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
        }
    }
}

/// The keys of all policies, without the host name, whose port changes.
fn secrets(hub: &Hub) -> Vec<String> {
    ["iothubowner", "service", "device", "registryRead", "registryReadWrite"]
        .iter()
        .map(|policy| hub.connection_string_of(policy).unwrap().split_once(';').unwrap().1.to_owned())
        .collect()
}

#[tokio::test]
async fn a_data_directory_has_one_hub_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(dir.path()).await;
    let second = Hub::builder().listen("127.0.0.1:0".parse().unwrap()).data_dir(dir.path()).start().await;
    let error = second.expect_err("a second hub");
    assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
    first.is_alive("alive").await;
    first.hub.close().await.unwrap();
    start(dir.path()).await.hub.close().await.unwrap();
}

#[tokio::test]
async fn a_port_that_is_taken_stops_the_start_and_touches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let first = hub().await;
    let taken = first.hub.addresses()[0];
    let free = "127.0.0.1:0".parse().unwrap();
    let error = Hub::builder().listen(free).listen(taken).data_dir(&data).start().await.expect_err("taken");
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
    assert!(error.to_string().contains("--listen"), "{error}");
    assert!(!data.exists());
    for name in ["", "a b", "https://x", "x:1"] {
        assert!(Hub::builder().listen(free).host_name(name).start().await.is_err(), "{name}");
    }
    assert!(Hub::builder().listen(free).client_ca_pem("no PEM").start().await.is_err());
}

#[tokio::test]
async fn names_and_strings() {
    let free = "127.0.0.1:0".parse().unwrap();
    let hub =
        Hub::builder().listen(free).listen(free).host_name("fake.azure-devices.net").start().await.unwrap();
    let port = hub.addresses()[0].port();
    assert_eq!(hub.addresses().len(), 2);
    assert_eq!(hub.host_name(), format!("fake.azure-devices.net:{port}"));
    assert!(
        hub.connection_string()
            .starts_with(&format!("HostName=fake.azure-devices.net:{port};SharedAccessKeyName=iothubowner;"))
    );
    assert!(hub.connection_string_of("nobody").is_err());
    assert_eq!((hub.ca_file(), hub.data_dir()), (None, None));
    let key = hub.connection_string().rsplit_once("SharedAccessKey=").unwrap().1.to_owned();
    assert!(!format!("{hub:?}").contains(&key));
    let world = World { hub };
    world.is_alive("alive").await;
    let key = world.device("gateway").await;
    // A device behind `GatewayHostName` keeps the hub's name in its user name and token.
    let resource = "fake.azure-devices.net/devices/gateway";
    let password = twin_core::auth::SasToken::sign(resource, &key, None, support::from_now(60));
    let mut login = connect("gateway", password.expose());
    login.login.as_mut().unwrap().username = "fake.azure-devices.net/gateway/?api-version=2021-04-12".into();
    let mut device = Mqtt::new(world.tls().await);
    assert_eq!(device.connect(&login).await.code, Code::Success);
}

#[tokio::test]
async fn closing_answers_what_was_asked_and_ends_every_connection() {
    let world = hub().await;
    let mut device = world.connected("d").await;
    device.subscribe("$iothub/twin/res/#").await;
    let mut idle_http = world.tls().await;
    let _half_open = world.tcp().await;
    const REPORTS: usize = 100;
    let mut sent = bytes::BytesMut::new();
    for i in 0..REPORTS {
        let topic = format!("$iothub/twin/PATCH/properties/reported/?$rid={i}");
        Publish::new(topic, QoS::AtMostOnce, format!(r#"{{"n":{i}}}"#)).write(&mut sent).unwrap();
    }
    device.send_raw(&sent).await;
    assert!(matches!(device.next().await, Some(Packet::Publish(_))), "the first answer");
    let address = world.hub.addresses()[0];
    soon("the close", world.hub.close()).await.unwrap();
    let mut answers = 1;
    while let Some(packet) = device.next().await {
        assert!(matches!(packet, Packet::Publish(_)), "{packet:?}");
        answers += 1;
    }
    // All that the hub had taken are answered; what still lay in the socket was not taken.
    assert!(answers > 1 && answers <= REPORTS, "{answers}");
    use tokio::io::AsyncReadExt;
    let _ = soon("the end of HTTP", idle_http.read_to_end(&mut Vec::new())).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the port is free again");
}

#[tokio::test]
async fn dropping_a_hub_ends_its_connections() {
    let world = hub().await;
    let mut device = world.connected("d").await;
    drop(world);
    device.closes("the drop").await;
}
