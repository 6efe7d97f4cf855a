use super::*;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SAS: &str = "SharedAccessSignature sr=h%2Fdevices%2Fd&sig=U0VDUkVUU0lHTkFUVVJFU0VDUkVU&se=1700000000";

fn device(text: &str) -> Result<DeviceConnectionString> {
    DeviceConnectionString::parse(text)
}

#[test]
fn devices() {
    for (text, host, key, kind, gateway) in [
        (format!("HostName=h;DeviceId=d;SharedAccessKey={KEY}"), "h", "d", "key", None),
        (
            format!("HostName=h:9443;DeviceId=d;ModuleId=m;SharedAccessKey={KEY}"),
            "h:9443",
            "d/m",
            "key",
            None,
        ),
        (format!(" \n sharedaccesskey = {KEY} ; DEVICEID = d ; hostname = h ;\r\n"), "h", "d", "key", None),
        (format!("HostName=h;DeviceId=d;SharedAccessSignature={SAS}"), "h", "d", "token", None),
        ("HostName=h;DeviceId=d;x509=true".to_owned(), "h", "d", "certificate", None),
        ("HostName=h;DeviceId=d;X509Cert=True".to_owned(), "h", "d", "certificate", None),
        (format!("HostName=h;DeviceId=d;x509=false;SharedAccessKey={KEY}"), "h", "d", "key", None),
        (
            format!("HostName=h;DeviceId=d;SharedAccessKeyName=device;SharedAccessKey={KEY}"),
            "h",
            "d",
            "key of device",
            None,
        ),
        (
            format!("HostName=h;DeviceId=d;SharedAccessKey={KEY};GatewayHostName=gate"),
            "h",
            "d",
            "key",
            Some("gate"),
        ),
        (
            format!("HostName=h;DeviceId=-:.+%_#*?!(),=@$';SharedAccessKey={KEY}"),
            "h",
            "-:.+%_#*?!(),=@$'",
            "key",
            None,
        ),
    ] {
        let parsed = device(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let credential = match &parsed.credential {
            Credential::Key { key, policy } => {
                assert_eq!(*key.expose_base64(), KEY);
                policy.as_ref().map_or("key".to_owned(), |p| format!("key of {p}"))
            }
            Credential::Token(token) => {
                assert_eq!(token.expose(), SAS);
                "token".to_owned()
            }
            Credential::Certificate => "certificate".to_owned(),
        };
        let found_gateway = parsed.gateway.as_ref().map(ToString::to_string);
        assert_eq!((&*parsed.host.to_string(), &*parsed.key.to_string()), (host, key), "{text}");
        assert_eq!((&*credential, found_gateway.as_deref()), (kind, gateway), "{text}");
        assert_eq!(device(&parsed.expose()).unwrap(), parsed, "said again and heard again");
    }
}

#[test]
fn services() {
    for text in [
        format!("HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey={KEY}"),
        format!("HostName=h;SharedAccessSignature={SAS}"),
    ] {
        let parsed = ServiceConnectionString::parse(&text).unwrap();
        assert_eq!(*parsed.expose(), text);
    }
    let host = HostName::new("h").unwrap();
    let made = ServiceConnectionString::with_key(host, "service", Key::from_base64(KEY).unwrap());
    assert_eq!(*made.expose(), format!("HostName=h;SharedAccessKeyName=service;SharedAccessKey={KEY}"));
}

#[test]
fn wrong_ones_say_which_part_and_why_and_never_the_key() {
    let device = |text: &str| DeviceConnectionString::parse(text).unwrap_err();
    let service = |text: &str| ServiceConnectionString::parse(text).unwrap_err();
    for (error, says) in [
        (device(""), "empty"),
        (device(" \n"), "empty"),
        (device(&format!("DeviceId=d;SharedAccessKey={KEY}")), "no HostName"),
        (device(&format!("HostName=h;SharedAccessKey={KEY}")), "no DeviceId"),
        (device(&format!("HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey={KEY}")), "backend's"),
        (device("HostName=h;DeviceId=d"), "no SharedAccessKey, SharedAccessSignature or x509=true"),
        (device(&format!("HostName=;DeviceId=d;SharedAccessKey={KEY}")), "HostName is empty"),
        (device(&format!("HostName=h;;DeviceId=d;SharedAccessKey={KEY}")), "part 2 is empty"),
        (device(&format!("HostName=h;DeviceId=d;DEVICEID=d;SharedAccessKey={KEY}")), "DeviceId twice"),
        (device(&format!("HostName=h;DeviceId=d;SharedAccessKey:{KEY}")), "part 3 has an unknown name"),
        (device(&format!("HostName=h;DeviceId=d;{KEY}")), "part 3 has an unknown name"),
        (device(&format!("HostName=h;DeviceId=d;{}", KEY.trim_end_matches('='))), "part 3 has no '='"),
        (device(&format!("HostName=h;DeviceID_=d;SharedAccessKey={KEY}")), "did you mean DeviceId?"),
        (device(&format!("Endpoint=sb://h;SharedAccessKey={KEY}")), "known names are"),
        (device(&format!("HostName=h,SharedAccessKey={KEY}")), "no DeviceId"),
        (device(&format!("HostName=h,SharedAccessKey={KEY};DeviceId=d;x509=true")), "HostName contains '='"),
        (device(&format!("HostName=h {KEY};DeviceId=d;x509=true")), "HostName contains '='"),
        (device(&format!("HostName=https://h;DeviceId=d;SharedAccessKey={KEY}")), "HostName has a scheme"),
        (device(&format!("HostName=h:port;DeviceId=d;SharedAccessKey={KEY}")), "HostName is not a DNS name"),
        (device(&format!("HostName=h;DeviceId=a/b;SharedAccessKey={KEY}")), "device id contains '/'"),
        (device(&format!("HostName=h;DeviceId=d;ModuleId=é;SharedAccessKey={KEY}")), "module id contains"),
        (
            device(&format!("HostName=h;DeviceId=d;SharedAccessKey={KEY}x")),
            "SharedAccessKey: the key is not base64",
        ),
        (device("HostName=h;DeviceId=d;SharedAccessKey=U0VDUkVU"), "SharedAccessKey: the key has 6 bytes"),
        (device(&format!("HostName=h;DeviceId=d;SharedAccessSignature={KEY}")), "SharedAccessSignature: "),
        (device(&format!("HostName=h;DeviceId=d;x509=true;SharedAccessKey={KEY}")), "more than one of"),
        (
            device(&format!("HostName=h;DeviceId=d;SharedAccessSignature={SAS};SharedAccessKey={KEY}")),
            "more than one of",
        ),
        (device("HostName=h;DeviceId=d;x509=yes"), "x509 is neither true nor false"),
        (
            device(&format!("HostName=h;DeviceId=d;SharedAccessKey={KEY};GatewayHostName=a b")),
            "GatewayHostName",
        ),
        (device(&format!("HostName=h;DeviceId=d;SharedAccessKey={}", "A".repeat(40_000))), "at most 32768"),
        (service(&format!("HostName=h;SharedAccessKey={KEY}")), "no SharedAccessKeyName"),
        (
            service(&format!("HostName=h;DeviceId=d;SharedAccessKey={KEY}")),
            "it has a DeviceId; it is a device's",
        ),
        (service("HostName=h;SharedAccessKeyName=x"), "no SharedAccessKeyName with SharedAccessKey"),
        (service("HostName=h;x509=true"), "for devices only"),
        (
            service(&format!("HostName=h;SharedAccessKeyName=x;SharedAccessKey={KEY};GatewayHostName=g")),
            "for devices only",
        ),
    ] {
        let text = format!("{error:?} {error}");
        assert!(text.contains(says), "{text} should say: {says}");
        for secret in [&KEY[..20], "U0VDUkVU", "AAAAAA"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn any_text_is_answered() {
    let mut seed = 7u64;
    let pieces = [
        "HostName",
        "=",
        ";",
        "h",
        "DeviceId",
        "SharedAccessKey",
        KEY,
        " ",
        "é",
        "x509",
        "true",
        "\n",
        "SharedAccessSignature",
        SAS,
        "\0",
        "ModuleId",
    ];
    for _ in 0..2_000 {
        let mut text = String::new();
        for _ in 0..12 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text += pieces[(seed >> 33) as usize % pieces.len()];
        }
        if let Ok(parsed) = device(&text) {
            assert_eq!(device(&parsed.expose()).unwrap(), parsed);
        }
        let _ = ServiceConnectionString::parse(&text);
    }
}
