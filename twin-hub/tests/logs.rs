//! What the hub's log says, and what it never says. One test in a binary of its own: the subscriber is the process's.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use rumqttc::mqttbytes::v4::ConnectReturnCode as Code;
use support::{Mqtt, connect, hub, token};
use tracing_subscriber::fmt::MakeWriter;
use twin_core::auth::Key;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Log;
    fn make_writer(&'w self) -> Log {
        self.clone()
    }
}

#[tokio::test]
async fn refusals_are_explained_and_secrets_never_appear() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let world = hub().await;
    let key = world.device("d").await;
    let wrong = Key::from_bytes(&[9; 32]).unwrap();
    let mut passwords = Vec::new();
    for (password, says) in [
        (token("d", &wrong, 60), "sign"),
        (token("d", &key, -1000), "expired"),
        (token("other", &key, 60), "/devices/other"),
        ("open sesame".to_owned(), "SAS"),
        (world.policy_token("service"), "policy 'service'"),
    ] {
        let before = log.text().len();
        let mut device = Mqtt::new(world.tls().await);
        assert_eq!(device.connect(&connect("d", &password)).await.code, Code::NotAuthorized);
        let said = log.text().split_off(before);
        let line =
            said.lines().find(|l| l.contains("login refused")).unwrap_or_else(|| panic!("{says}: {said}"));
        assert!(line.contains("'d'") && line.contains(says), "{says}: {line}");
        passwords.push(password);
    }
    let mut device = Mqtt::new(world.tls().await);
    passwords.push(token("d", &key, 60));
    assert_eq!(device.connect(&connect("d", passwords.last().unwrap())).await.code, Code::Success);
    device.publish("nonsense", "").await;
    device.closes("nonsense").await;
    let authorization = world.policy_token("registryRead");
    let refused = world.call_with("GET", "/twins/d", &[("Authorization", &authorization)], "").await;
    assert_eq!(refused.status, 401);
    passwords.push(authorization);
    // The client sees the end before the hub has logged it.
    world.hub.close().await.unwrap();
    let text = log.text();
    for words in ["'nonsense'", "call refused", "ServiceConnect"] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let mut secrets: Vec<String> = vec![key.expose_base64().to_string(), wrong.expose_base64().to_string()];
    secrets.extend(
        passwords.iter().map(|p| p.split("sig=").last().unwrap().split('&').next().unwrap().to_owned()),
    );
    for secret in secrets {
        assert!(secret.len() > 10 && !text.contains(&secret), "the log tells {secret}");
    }
}
