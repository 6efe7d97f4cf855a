use super::*;

#[test]
fn kinds() {
    use ErrorKind::*;
    for (status, kind) in [
        (400, Rejected),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (405, NotSupported),
        (408, Timeout),
        (409, AlreadyExists),
        (412, PreconditionFailed),
        (413, TooLarge),
        (415, Rejected),
        (429, Throttled),
        (500, Unavailable),
        (501, NotSupported),
        (502, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
        (200, Protocol),
        (302, Protocol),
        (0, Protocol),
        (999, Protocol),
    ] {
        assert_eq!(kind_of(status), kind, "{status}");
    }
}

#[test]
fn nobody_knows_what_a_failing_server_did() {
    for (status, delivery) in [
        (400, Delivery::Refused),
        (429, Delivery::Refused),
        (500, Delivery::Unknown),
        (501, Delivery::Refused),
        (502, Delivery::Unknown),
        (503, Delivery::Refused),
        (504, Delivery::Unknown),
    ] {
        assert_eq!(device_error(status, b"").delivery(), Some(delivery), "{status}");
    }
}

#[test]
fn bodies_as_the_hub_prints_them() {
    let now: Timestamp = "2022-06-01T22:27:50.2612586Z".parse().unwrap();
    let refusal = Refusal {
        tracking_id: "0a".to_owned(),
        ..Refusal::new(HubCode::ARGUMENT_INVALID, "it says \"no\"").after(3)
    };
    assert_eq!(refusal.retry_after, Some(3));
    let rest: Value = serde_json::from_str(&refusal.rest_body(now)).unwrap();
    assert_eq!(
        rest,
        json!({
            "Message": "ErrorCode:ArgumentInvalid;it says \"no\"",
            "ExceptionMessage": "Tracking ID:0a-G:0-TimeStamp:06/01/2022 22:27:50",
        })
    );
    let device: Value = serde_json::from_str(&refusal.device_body(now)).unwrap();
    assert_eq!(
        device,
        json!({
            "errorCode": 400004,
            "trackingId": "0a",
            "message": "it says \"no\"",
            "timestampUtc": "2022-06-01T22:27:50.2612586Z",
        })
    );
}

#[test]
fn violations_keep_their_row() {
    let violation = Violation {
        status: 403,
        code: 403_100,
        code_name: "DeviceModelMaxPropertiesExceeded",
        path: "tags".to_owned(),
        message: "too big".to_owned(),
    };
    let refusal = Refusal::from(violation);
    assert_eq!(refusal.code, HubCode::DEVICE_MODEL_MAX_PROPERTIES_EXCEEDED);
    assert_eq!(Error::from(refusal).kind(), ErrorKind::TooLarge);
}

#[test]
fn a_hostile_body_gives_an_ordinary_error() {
    let nested = format!("{{\"Message\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let quoted =
        json!({ "Message": json!({ "message": json!({ "message": "deep" }).to_string() }).to_string() });
    for body in [
        &b""[..],
        b"null",
        b"[]",
        b"\"text\"",
        b"{\"errorCode\":-1}",
        b"{\"errorCode\":99999999999999999999}",
        b"{\"errorCode\":{}}",
        b"{\"Message\":7,\"trackingId\":null}",
        b"\xff\xfe",
        b"<html>",
        nested.as_bytes(),
        quoted.to_string().as_bytes(),
    ] {
        let error = rest_error(418, Some(""), Some("soon"), body);
        assert_eq!((error.kind(), error.status()), (ErrorKind::Rejected, Some(418)));
        assert!(!error.message().is_empty() && error.retry_after().is_none());
    }
    assert_eq!(
        rest_error(429, None, Some("99999999999"), b"").retry_after(),
        Some(Duration::from_secs(MAX_RETRY_AFTER_SECONDS))
    );
    assert_eq!(rest_error(404, Some("404103"), None, b"").code_name(), Some("DeviceNotOnline"));
}
