//! A C program's telemetry and the messages it takes, against scripted hubs that share none of the library's code.

// Helpers of tests fail the test by panicking.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::Duration;

use tests::c::{compile, library, program};
use tests::mqtt_peer::{Packet, Talk};
use tests::{https_peer, mqtt_peer};

/// Longest a test may take: a hang is a failure.
const LIMIT: Duration = Duration::from_secs(60);

/// Starts `messages.c`.
fn start(connection_string: &str, ca_pem: &str, ca: &Path, arguments: &[&str]) -> Child {
    static COMPILED: Once = Once::new();
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("messages");
    COMPILED.call_once(|| compile(&program("messages.c"), library(), false, &[], &to));
    fs::write(ca, ca_pem).unwrap();
    Command::new(&to)
        .args(arguments)
        .env("DEVICE_CONNECTION_STRING", connection_string)
        .env("TWIN_CA_FILE", ca)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Its input ends; it must end well.
async fn ends_well(child: Child) {
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "all is well\n");
}

async fn published(hub: &mut Talk) -> (String, Vec<u8>) {
    match hub.next().await {
        Some(Packet::Publish { topic, payload, qos: 1, id: Some(id) }) => {
            hub.write(&[0x40, 2, (id >> 8) as u8, id as u8]).await;
            (topic, payload)
        }
        other => panic!("a PUBLISH of QoS 1 was to come, not {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_mqtt_both_ways() {
    let talk = async {
        let peer = mqtt_peer::Peer::start().await;
        let ca = tempfile::NamedTempFile::new().unwrap();
        let child = start(&peer.connection_string(), &peer.ca_pem, ca.path(), &["1", "listen"]);
        let mut hub = peer.welcome().await;
        let bag = "%24.mid=1&%24.ct=application%2Fjson&%24.ce=utf-8&alert=no";
        assert_eq!(published(&mut hub).await, (format!("devices/d/messages/events/{bag}"), b"21.5".to_vec()));
        assert_eq!(published(&mut hub).await, ("devices/d/messages/events/".into(), b"a\0b".to_vec()));
        let Some(Packet::Subscribe { id, filter, qos: 1 }) = hub.hear().await else { panic!() };
        assert_eq!(filter, "devices/d/messages/devicebound/#");
        hub.suback(id, 1).await;
        let topic = "devices/d/messages/devicebound/%24.mid=7&prop=v%C3%A4lue";
        hub.publish_at_least_once(3, topic, "he\0lo").await;
        assert_eq!(hub.next().await, Some(Packet::Puback(3)));
        tokio::join!(ends_well(child), hub.goodbye());
    };
    tokio::time::timeout(LIMIT, talk).await.expect("it hangs");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_https_telemetry_goes_and_twins_do_not() {
    let talk = async {
        let peer = https_peer::Peer::start().await;
        let ca = tempfile::NamedTempFile::new().unwrap();
        let child = start(&peer.connection_string(), &peer.ca_pem, ca.path(), &["5"]);
        let mut hub = peer.accept().await;
        for body in ["21.5", "a\0b"] {
            let asked = hub.asked().await;
            assert!(asked.line.starts_with("POST /devices/d/messages/events?"), "{}", asked.line);
            assert_eq!(asked.text(), body);
            hub.answer(204, "", "").await;
        }
        ends_well(child).await;
    };
    tokio::time::timeout(LIMIT, talk).await.expect("it hangs");
}
