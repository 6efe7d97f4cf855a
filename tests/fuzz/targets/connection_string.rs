//! Connection strings of devices and services, host names and ids: any text is answered, and what was read can be said
//! again.
#![no_main]
use libfuzzer_sys::fuzz_target;
use twin_core::auth::{DeviceConnectionString, ServiceConnectionString};
use twin_core::{HostName, TwinKey};

fuzz_target!(|text: &str| {
    if let Ok(host) = HostName::new(text) {
        assert_eq!(HostName::new(host.to_string()).expect("said again"), host);
    }
    if let Some((device, module)) = text.split_once('/')
        && let Ok(key) = TwinKey::module(device, module)
    {
        assert_eq!(key.to_string(), text);
    }
    match DeviceConnectionString::parse(text) {
        Ok(device) => {
            assert_eq!(DeviceConnectionString::parse(&device.expose()).expect("said again"), device)
        }
        Err(e) => silent(text, &e.to_string()),
    }
    match ServiceConnectionString::parse(text) {
        Ok(service) => {
            assert_eq!(ServiceConnectionString::parse(&service.expose()).expect("said again"), service)
        }
        Err(e) => silent(text, &e.to_string()),
    }
});

/// An error never repeats a key, however wrong the text around it is.
fn silent(text: &str, error: &str) {
    const KEY: &str = "MTIzNDU2Nzg5MDEyMzQ1Ng==";
    assert!(!(text.contains(KEY) && error.contains(KEY)), "{error}");
}
