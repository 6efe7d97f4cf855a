use super::*;
use crate::auth::Key;

const KEY_1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const KEY_2: &str = "/////////////////////w==";
const SHA_1: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

fn parse(authentication: Value) -> Result<Option<Authentication>> {
    Identity::from_json(json!({"deviceId": "d", "authentication": authentication})).map(|i| i.authentication)
}

fn keys() -> Authentication {
    Authentication::Sas {
        primary: Key::from_base64(KEY_1).unwrap(),
        secondary: Key::from_base64(KEY_2).unwrap(),
    }
}

fn prints(primary: Option<&str>, secondary: Option<&str>) -> Authentication {
    Authentication::SelfSigned { primary: primary.map(Into::into), secondary: secondary.map(Into::into) }
}

#[test]
fn what_sdks_send_is_understood() {
    let lower = SHA_1.to_lowercase();
    let colons: Vec<&str> = (0..20).map(|i| &lower[2 * i..2 * i + 2]).collect();
    let sha_256 = "ab".repeat(32);
    for (sent, want) in [
        // Node: registry.create({deviceId})
        (json!({"type": "sas", "symmetricKey": {"primaryKey": "", "secondaryKey": ""}}), None),
        // Node: new Device()
        (json!({"symmetricKey": {"primaryKey": null, "secondaryKey": null}}), None),
        (json!(null), None),
        (json!({}), None),
        (json!({"type": "sas"}), None),
        (json!({"symmetricKey": null, "x509Thumbprint": null, "type": "sas"}), None),
        (json!({"symmetricKey": {"primaryKey": KEY_1, "secondaryKey": KEY_2}}), Some(keys())),
        // .NET and Python: everything spelled out
        (
            json!({"type": "sas", "symmetricKey": {"primaryKey": KEY_1, "secondaryKey": KEY_2},
                "x509Thumbprint": {"primaryThumbprint": null, "secondaryThumbprint": null}}),
            Some(keys()),
        ),
        (json!({"type": "Sas", "symmetricKey": {"primaryKey": KEY_1, "secondaryKey": KEY_2}}), Some(keys())),
        // Node infers by thumbprints first
        (
            json!({"symmetricKey": {"primaryKey": null}, "x509Thumbprint": {"primaryThumbprint": colons.join(":")}}),
            Some(prints(Some(SHA_1), None)),
        ),
        (
            json!({"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": SHA_1, "secondaryThumbprint": sha_256}}),
            Some(prints(Some(SHA_1), Some(&"AB".repeat(32)))),
        ),
        (
            json!({"type": "certificateAuthority", "symmetricKey": {"primaryKey": null, "secondaryKey": null}}),
            Some(Authentication::CertificateAuthority),
        ),
        (json!({"type": "none"}), Some(Authentication::None)),
    ] {
        assert_eq!(parse(sent.clone()).unwrap(), want, "{sent}");
    }
}

#[test]
fn node_defaults_are_accepted() {
    let identity = Identity::from_json(json!({
        "deviceId": "d", "generationId": null, "etag": null, "connectionState": "disconnected", "status": "enabled",
        "statusReason": null, "connectionStateUpdatedTime": null, "statusUpdatedTime": null, "lastActivityTime": null,
        "cloudToDeviceMessageCount": "0", "capabilities": {},
        "authentication": {"symmetricKey": {"primaryKey": null, "secondaryKey": null}}}))
    .unwrap();
    assert_eq!(identity, Identity::new(TwinKey::device("d").unwrap()));
}

#[test]
fn identities_round_trip() {
    let device = json!({
        "deviceId": "d", "generationId": "637", "etag": "NzQxMTYyNTA3", "status": "disabled", "statusReason": "stolen",
        "statusUpdatedTime": "2022-06-01T22:27:50.2612586Z", "connectionState": "Connected",
        "connectionStateUpdatedTime": "2022-06-01T22:27:50Z", "lastActivityTime": "0001-01-01T00:00:00Z",
        "cloudToDeviceMessageCount": 3, "capabilities": {"iotEdge": true, "later": 1}, "deviceScope": "ms-azure-iot-edge://d-1",
        "parentScopes": ["ms-azure-iot-edge://p-2"], "newMember": {"x": [null]},
        "authentication": {"type": "sas", "later": {"x": 1},
            "symmetricKey": {"primaryKey": KEY_1, "secondaryKey": KEY_2, "rotated": "yesterday"},
            "x509Thumbprint": {"primaryThumbprint": null, "secondaryThumbprint": null, "issuer": [1]}}});
    let module = json!({
        "deviceId": "d", "moduleId": "m", "managedBy": "iotEdge", "generationId": "637", "etag": "MQ==",
        "connectionState": "Disconnected", "connectionStateUpdatedTime": "0001-01-01T00:00:00Z",
        "lastActivityTime": "0001-01-01T00:00:00Z", "cloudToDeviceMessageCount": 0,
        "authentication": {"type": "selfSigned", "symmetricKey": {"primaryKey": null, "secondaryKey": null},
            "x509Thumbprint": {"primaryThumbprint": SHA_1, "secondaryThumbprint": null}}});
    for document in [device, module] {
        let identity = Identity::from_json(document.clone()).unwrap();
        assert_eq!(identity.to_json(), document);
    }
    let made = Identity::new(TwinKey::module("d", "m").unwrap());
    assert_eq!(Identity::from_json(made.to_json()).unwrap(), made);
}

#[test]
fn keys_that_do_not_count_are_not_kept() {
    for kind in ["none", "certificateAuthority", "selfSigned"] {
        let document = json!({"deviceId": "d", "authentication": {"type": kind,
            "symmetricKey": {"primaryKey": KEY_1, "secondaryKey": KEY_2}}});
        let identity = Identity::from_json(document).unwrap();
        assert!(identity.extra.is_empty(), "{kind}");
        assert!(!identity.to_json().to_string().contains(KEY_1), "{kind}");
    }
}

#[test]
fn wrong_members_are_named() {
    let long = "x".repeat(129);
    for (document, names) in [
        (json!([]), "'identity' must be an object"),
        (json!({}), "'deviceId'"),
        (json!({"deviceId": 1}), "'deviceId' must be a string"),
        (json!({"deviceId": "a b"}), "'deviceId': the device id contains ' '"),
        (json!({"deviceId": "d", "moduleId": "a/b"}), "'moduleId'"),
        (json!({"deviceId": "d", "status": "on"}), "'status' must be 'enabled' or 'disabled'"),
        (json!({"deviceId": "d", "statusReason": long}), "'statusReason'"),
        (json!({"deviceId": "d", "lastActivityTime": "now"}), "'lastActivityTime'"),
        (json!({"deviceId": "d", "cloudToDeviceMessageCount": -1}), "'cloudToDeviceMessageCount'"),
        (json!({"deviceId": "d", "parentScopes": [1]}), "'parentScopes'"),
        (json!({"deviceId": "d", "capabilities": {"iotEdge": "yes"}}), "'capabilities.iotEdge'"),
        (json!({"deviceId": "d", "authentication": "sas"}), "'authentication' must be an object"),
        (json!({"deviceId": "d", "authentication": {"type": "magic"}}), "'authentication.type'"),
    ] {
        let error = Identity::from_json(document).unwrap_err();
        assert!(error.message().contains(names), "{error}");
        assert_eq!(error.code(), Some(400_004));
    }
    for (authentication, names) in [
        (json!({"symmetricKey": {"primaryKey": KEY_1}}), "'authentication.symmetricKey' must be two keys"),
        (
            json!({"symmetricKey": {"primaryKey": "!", "secondaryKey": KEY_2}}),
            "'authentication.symmetricKey.primaryKey'",
        ),
        (json!({"symmetricKey": 1}), "'authentication.symmetricKey' must be an object"),
        (
            json!({"x509Thumbprint": {"primaryThumbprint": "ABC"}}),
            "'authentication.x509Thumbprint.primaryThumbprint'",
        ),
        (json!({"x509Thumbprint": {"secondaryThumbprint": "é".repeat(20)}}), "secondaryThumbprint'"),
    ] {
        let error = parse(authentication).unwrap_err();
        assert!(error.message().contains(names), "{error}");
    }
}

#[test]
fn no_secret_is_printed() {
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ=";
    let document = json!({"deviceId": "d", "primaryKey": secret, "other": {"key": secret},
        "authentication": {"symmetricKey": {"primaryKey": secret, "secondaryKey": secret}}});
    let identity = Identity::from_json(document).unwrap();
    for shown in [format!("{identity:?}"), format!("{identity:#?}"), format!("{:?}", identity.authentication)]
    {
        assert!(!shown.contains("c2VjcmV0") && !shown.contains("secret-secret"), "{shown}");
    }
    let broken = format!("{secret}!!");
    for document in [
        json!({"deviceId": "d", "authentication": {"symmetricKey": {"primaryKey": broken, "secondaryKey": broken}}}),
        json!({"deviceId": "d", "authentication": {"symmetricKey": secret}}),
        json!({"deviceId": "d", "authentication": secret}),
        json!({"deviceId": "d", "authentication": {"type": secret}}),
    ] {
        let error = Identity::from_json(document).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("c2VjcmV0"), "{error:?}");
    }
}
