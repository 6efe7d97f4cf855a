//! Vectors computed with Python's `hmac` and `hashlib`.

use super::*;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "YW5vdGhlciBrZXkgb2YgdGhpcnR5LXR3byBieXRlcyE=";
const D1: &str = "contoso.azure-devices.net/devices/d1";

/// `sr` as it stands in the token, `se`, signature with `KEY`, signature with `OTHER`.
const VECTORS: [(&str, u64, &str, &str); 6] = [
    (
        "contoso.azure-devices.net%2Fdevices%2Fd1",
        1_700_000_000,
        "w58e1zp5aIaE9CZBf+uj7UTXD29xtnsghFvzbHEReLE=",
        "EH+TNr7/Vk1HYeKA7mWrgwTV7cKEiFJ6el/6EmJcp/E=",
    ),
    (
        "contoso.azure-devices.net%2fdevices%2fd1",
        1_700_000_000,
        "qESiPBwnas7Ju3RQ8z+SPF98uXsQLRDP1WoVn3qZHts=",
        "ozaThV3PtT8zRDwSNoND+swzExIE7JNgzeUNzjQqFEs=",
    ),
    (
        "contoso.azure-devices.net",
        1_700_000_000,
        "WE7ZGaH41oPJWTtP9uzj+HCS5xI54HpDJcMN5KRb5PI=",
        "trIOp4S9rzj6sfsj729lsoDZ/muF2zkdXozuUpDcjbg=",
    ),
    (
        "localhost%3A9443%2Fdevices%2Fd1%2Fmodules%2Fm1",
        1_700_003_600,
        "KQ3CqU7NSEPaw93V4iGiqIRt5qhlS1tMY5lVIg2g0jw=",
        "sRCkndFY4Mg05CXBUToJZ0a4sFwHbxgR9I18woF98J4=",
    ),
    (
        "contoso.azure-devices.net/devices/d1",
        1_700_000_000,
        "/7xDVTlurrrZ2GC9eZ5gcXJWIO2XVldYPtwi78ccO2s=",
        "cZqA8DMggi5xwEXV0viLftnye8pz3ePY/Ts1gaJiTNg=",
    ),
    (
        "h%2Fdevices%2Fa%2525b",
        1,
        "h+C799xHKXPHhD7D/FUgpqAhurs3LJ8lKOBhcwJg4OI=",
        "E01Gg2VN20nSGEXU5CpNoZ4U/9FMUV+bERuFqQqVWDM=",
    ),
];

fn key(text: &str) -> Key {
    Key::from_base64(text).unwrap()
}

fn at(unix: u64) -> Timestamp {
    Timestamp::from_unix(Duration::from_secs(unix))
}

fn token(sr: &str, sig: &str, se: &str) -> SasToken {
    SasToken::parse(&format!("SharedAccessSignature sr={sr}&sig={}&se={se}", percent_encode(sig))).unwrap()
}

#[test]
fn vectors_are_verified_with_the_right_key_only() {
    for (sr, se, sig, other_sig) in VECTORS {
        let token = token(sr, sig, &se.to_string());
        assert!(token.is_signed_by([&key(KEY)]), "{sr}");
        assert!(token.is_signed_by([&key(OTHER), &key(KEY)]), "{sr}: either key");
        assert!(!token.is_signed_by([&key(OTHER)]), "{sr}");
        assert!(!token.is_signed_by([]), "{sr}");
        assert!(self::token(sr, other_sig, &se.to_string()).is_signed_by([&key(OTHER)]), "{sr}");
        assert_eq!(token.expiry(), at(se));
    }
}

#[test]
fn what_we_sign_is_what_python_signs() {
    for (sr, se, sig, _) in VECTORS {
        let resource = percent_decode(sr).unwrap();
        if percent_encode(&resource) != sr {
            continue;
        }
        for policy in [None, Some("iothubowner"), Some("a&b=c")] {
            let signed = SasToken::sign(&resource, &key(KEY), policy, at(se));
            let mut text = format!("SharedAccessSignature sr={sr}&sig={}&se={se}", percent_encode(sig));
            if let Some(policy) = policy {
                text += &format!("&skn={}", percent_encode(policy));
            }
            assert_eq!(signed.expose(), text);
            let parsed = SasToken::parse(&text).unwrap();
            assert_eq!(parsed, signed);
            assert_eq!((parsed.resource(), parsed.policy()), (&*resource, policy));
            assert!(parsed.is_signed_by([&key(KEY)]) && signed.is_signed_by([&key(KEY)]));
        }
    }
}

#[test]
fn fields_in_any_order_with_strangers_between() {
    let sig = percent_encode(VECTORS[0].2);
    let sr = VECTORS[0].0;
    for text in [
        format!("SharedAccessSignature sr={sr}&sig={sig}&skn=device&se=1700000000"),
        format!("SharedAccessSignature sr={sr}&sig={sig}&se=1700000000&skn=device"),
        format!("SharedAccessSignature se=1700000000&skn=device&sig={sig}&sr={sr}"),
        format!(" sharedaccesssignature  x=y&se=1700000000&&z&skn=device&sig={sig}&sr={sr}\r\n"),
        format!("SharedAccessSignature sr={sr}&sig={}&se=1700000000&skn=device", VECTORS[0].2),
    ] {
        let token = SasToken::parse(&text).unwrap();
        assert!(token.is_signed_by([&key(KEY)]), "{text}");
        assert_eq!(token.policy(), Some("device"));
        assert_eq!(token.host(), "contoso.azure-devices.net");
    }
}

#[test]
fn malformed_tokens_name_the_field() {
    let sig = percent_encode(VECTORS[0].2);
    for (text, names) in [
        (String::new(), "SharedAccessSignature"),
        ("Bearer x".to_owned(), "SharedAccessSignature"),
        ("SharedAccessSignature".to_owned(), "SharedAccessSignature"),
        (format!("SharedAccessSignature sig={sig}&se=1"), "'sr'"),
        (format!("SharedAccessSignature sr=&sig={sig}&se=1"), "'sr'"),
        (format!("SharedAccessSignature sr=%ff&sig={sig}&se=1"), "'sr'"),
        ("SharedAccessSignature sr=h&se=1".to_owned(), "'sig'"),
        ("SharedAccessSignature sr=h&sig=SECRET!&se=1".to_owned(), "'sig'"),
        (format!("SharedAccessSignature sr=h&sig={sig}"), "'se'"),
        (format!("SharedAccessSignature sr=h&sig={sig}&se=-1"), "'se'"),
        (format!("SharedAccessSignature sr=h&sig={sig}&se=tomorrow"), "'se'"),
        (format!("SharedAccessSignature sr=h&sig={sig}&se=1&se=2"), "'se' twice"),
        (format!("SharedAccessSignature sr=h&sig={sig}&se=1&skn=%ff"), "'skn'"),
        (format!("SharedAccessSignature sr=h&sig={sig}&se=1&x={}", "y".repeat(MAX_TOKEN_BYTES)), "bytes"),
    ] {
        let error = format!("{:?}", SasToken::parse(&text).unwrap_err());
        assert!(error.contains(names), "{error}");
        assert!(!error.contains(&sig) && !error.contains("SECRET"), "{error}");
    }
}

#[test]
fn an_expiry_beyond_all_clocks_is_the_last_second() {
    for se in ["253402300799", "253402300800", "18446744073709551616", &"9".repeat(300)] {
        let token = token("h", VECTORS[0].2, se);
        assert_eq!(token.expiry().to_string(), "9999-12-31T23:59:59Z");
        assert!(!token.is_expired(at(4_000_000_000)));
    }
}

#[test]
fn scopes_are_compared_by_whole_segments() {
    for (sr, resource, covers) in [
        ("h%2Fdevices%2Fa", "h/devices/a", true),
        ("h%2Fdevices%2Fa", "h/devices/a/modules/m", true),
        ("h%2Fdevices%2Fa", "h/devices/ab", false),
        ("h%2Fdevices%2Fab", "h/devices/a", false),
        ("h%2Fdevices%2Fa%2Fmodules%2Fm", "h/devices/a", false),
        ("h%2Fdevices%2Fa%2Fmodules%2Fm", "h/devices/a/modules/m", true),
        ("h%2Fdevices", "h/devices/a", true),
        ("h", "h/devices/a", true),
        ("h", "h", true),
        ("h%2Fdevices%2Fa", "h", false),
        ("H.Example", "h.example/devices/a", true),
        ("h%2Fdevices%2FA", "h/devices/a", false),
        ("h%2FDevices%2Fa", "h/devices/a", false),
        ("hh", "h", false),
        ("h%2F", "h", true),
        ("%2Fdevices", "h/devices", false),
        ("h%2F%2Fdevices", "h/devices", false),
        ("localhost%3A9443", "localhost:9443/devices/a", true),
        ("localhost:9443", "localhost:9443/devices/a", true),
        ("localhost%3A9443/devices/a", "localhost:9443/devices/a", true),
        ("localhost", "localhost:9443", false),
        // not encoded at all, as C's and Node's service client leave it
        ("h/devices/a", "h/devices/a", true),
        ("h/devices/a#b", "h/devices/a#b", true),
        ("h/devices/a%b", "h/devices/a%b", true),
        ("h/devices/a%41", "h/devices/a%41", true),
        // encoded once, as Node does
        ("h%2Fdevices%2Fa%23b", "h/devices/a#b", true),
        ("h%2Fdevices%2Fa%2523b", "h/devices/a%23b", true),
        // encoded by segment and again as a whole, as .NET does
        ("h%2fdevices%2fa%2523b", "h/devices/a#b", true),
        ("h%2fdevices%2fa%252523b", "h/devices/a%23b", true),
        ("h/devices/a%2523b", "h/devices/a%23b", true),
        // nobody encodes a letter or a hyphen: these are other ids
        ("h%2Fdevices%2Fa%252Db", "h/devices/a-b", false),
        ("h%2Fdevices%2Fa%2541", "h/devices/aA", false),
        ("h%2Fdevices%2Fa%25zz", "h/devices/a%zz", true),
        ("h%2Fdevices%2Fa%2525", "h/devices/a%25", true),
    ] {
        let token = token(sr, VECTORS[0].2, "1");
        assert_eq!(token.covers(resource), covers, "{sr} for {resource}");
    }
}

#[test]
fn our_tokens_cover_their_scope_whatever_the_id() {
    for id in ["d", "a%b", "a%25b", "a%2525b", "a#b", "a+b", "a=b", "a;b", "-:.+%_#*?!(),=@;$'"] {
        for host in ["h", "localhost:9443", "[::1]:443"] {
            let host = HostName::new(host).unwrap();
            let module = Scope::Twin(host.clone(), TwinKey::module(id, id).unwrap());
            let device = Scope::Twin(host.clone(), TwinKey::device(id).unwrap());
            for scope in [Scope::Hub(host), device, module.clone()] {
                let signed = SasToken::sign(&scope.resource(), &key(KEY), None, at(10));
                let heard = SasToken::parse(signed.expose()).unwrap();
                assert!(heard.verify(&scope.resource(), [&key(KEY)], at(0)).is_ok(), "{scope:?}");
                assert!(heard.covers(&module.resource()), "{scope:?}");
            }
        }
    }
}

#[test]
fn verify_says_what_failed() {
    let token = SasToken::sign(D1, &key(KEY), None, at(1_700_000_000));
    let keys = [key(OTHER), key(KEY)];
    for (resource, now, keys, why) in [
        (D1, 1_699_999_999, &keys[..], None),
        (D1, 1_700_000_300, &keys[..], None),
        (D1, 1_700_000_301, &keys[..], Some("expired at 2023-11-14T22:13:20Z")),
        ("contoso.azure-devices.net/devices/d2", 0, &keys[..], Some("does not cover")),
        (D1, 0, &keys[..1], Some("does not match")),
        (D1, 0, &[], Some("does not match")),
    ] {
        let result = token.verify(resource, keys, at(now));
        match why {
            None => assert!(result.is_ok(), "{now}: {result:?}"),
            Some(why) => {
                let error = result.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unauthorized);
                assert!(error.message().contains(why), "{error}");
            }
        }
    }
}

#[test]
fn every_changed_byte_breaks_the_signature() {
    let good = SasToken::sign(D1, &key(KEY), None, at(1_700_000_000));
    let text = good.expose();
    for i in "SharedAccessSignature ".len()..text.len() {
        let mut bytes = text.as_bytes().to_vec();
        bytes[i] = if bytes[i] == b'1' { b'2' } else { b'1' };
        let Ok(changed) = SasToken::parse(std::str::from_utf8(&bytes).unwrap()) else { continue };
        assert!(!changed.is_signed_by([&key(KEY)]), "byte {i}");
        assert_ne!(changed, good);
    }
}

#[test]
fn explanations_are_for_people() {
    let token = SasToken::sign(D1, &key(KEY), Some("device"), at(1_700_000_000));
    for (now, says) in [
        (1_699_996_400, "in 1 h 0 min"),
        (1_699_999_990, "in 10 s"),
        (1_700_000_100, "within the 300 s"),
        (1_700_003_661, "expired 1 h 1 min ago"),
        (1_700_300_000, "expired 3 d 11 h ago"),
    ] {
        let text = token.explain(at(now));
        assert!(text.contains(says), "{text}");
        assert!(text.contains(D1) && text.contains("\"device\""), "{text}");
        assert!(!text.contains(VECTORS[0].2) && !text.contains("sig="), "{text}");
    }
    let own = SasToken::sign("h", &key(KEY), None, at(0)).explain(at(0));
    assert!(own.contains("own key"), "{own}");
}
