//! Connection strings of devices and services: any text is answered, and what was read can be said again.
#![no_main]
use libfuzzer_sys::fuzz_target;
use twin_core::HostName;

fuzz_target!(|text: &str| {
    if let Ok(host) = HostName::new(text) {
        assert_eq!(HostName::new(host.to_string()).expect("said again"), host);
    }
});
