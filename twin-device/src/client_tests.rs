//! Handles without a hub: what they are, what they refuse, what they do not show.

use super::*;

/// Applications spawn these, and hold handles across threads.
#[test]
fn handles_streams_and_futures_can_cross_threads() {
    fn send<T: Send>(_: T) {}
    fn sync<T: Send + Sync + Unpin>() {}
    sync::<DeviceClient>();
    sync::<ModuleClient>();
    sync::<Subscription<DesiredChange>>();
    sync::<Builder<Device>>();
    fn futures(client: &DeviceClient) {
        send(client.open());
        send(client.close());
        send(client.twin());
        send(client.typed_twin::<DesiredChangeSet, DesiredChangeSet>());
        send(client.report(1));
        send(client.report_if_version(1, 1));
        send(client.report_changes(&1, &2));
        send(client.desired().next());
    }
    type DesiredChangeSet = std::collections::BTreeMap<String, i64>;
    let _ = futures;
}

const CONNECTION_STRING: &str =
    "HostName=h;DeviceId=d;SharedAccessKey=c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=";

#[test]
fn debug_shows_no_secret() {
    let builder = DeviceClient::from_connection_string(CONNECTION_STRING).unwrap();
    let shown = format!("{builder:?}");
    let client = builder.ca_pem(CA).build().unwrap();
    let shown = format!("{shown} {client:?} {:?}", client.states());
    assert!(!shown.contains("c2Vj") && !shown.contains("secret") && shown.contains("\"d\""), "{shown}");
}

#[test]
fn misuse_is_told_before_anything_happens() {
    let base = || DeviceClient::from_connection_string(CONNECTION_STRING).unwrap();
    let mut endless = twin_transport::Options::default();
    endless.keep_alive = std::time::Duration::from_secs(100_000);
    for (builder, part) in [
        (base().options(endless), "keep_alive"),
        (base().ca_pem("no PEM"), "extra_ca_pem[0]"),
        (base().token_lifetime(std::time::Duration::ZERO), "token_lifetime"),
        (base().request_timeout(std::time::Duration::ZERO), "request_timeout"),
        (base().answer_timeout(std::time::Duration::ZERO), "answer_timeout"),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.message().contains(part), "{error}");
    }
    for (text, part) in [
        ("HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAA==", "ModuleClient"),
        ("HostName=h;DeviceId=d", "SharedAccessKey"),
    ] {
        let error = DeviceClient::from_connection_string(text).unwrap_err();
        assert!(error.message().contains(part), "{error}");
    }
    assert!(
        ModuleClient::from_connection_string(CONNECTION_STRING)
            .unwrap_err()
            .message()
            .contains("DeviceClient")
    );
    // Without a runtime nothing can run; that is an error, no panic.
    let client = base().ca_pem(CA).build().unwrap();
    assert!(client.desired().error().unwrap().message().contains("Tokio runtime"));
    assert!(client.update_sas("x").unwrap_err().message().contains("SharedAccessSignature"));
}

#[tokio::test]
async fn nonsense_is_refused_before_it_is_sent() {
    let client = DeviceClient::from_connection_string(CONNECTION_STRING).unwrap().ca_pem(CA).build().unwrap();
    for (patch, part) in [
        (serde_json::json!(7), "object"),
        (serde_json::json!([1]), "object"),
        (serde_json::json!({"a.b": 1}), "a.b"),
        (serde_json::json!({"$version": 1}), "$version"),
        (serde_json::json!({"a": [null]}), "null"),
    ] {
        let error = client.report(&patch).await.unwrap_err();
        assert!(error.message().contains(part), "{patch}: {error}");
    }
    // No connection was tried for them.
    assert!(matches!(client.state(), State::Disconnected { reason: None, .. }));
}

const CA: &str = include_str!("../tests/example/ca.pem");
