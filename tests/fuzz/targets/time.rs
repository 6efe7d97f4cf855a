//! Instants and api-versions: any text is answered; what is printed reads back as the same instant.
#![no_main]
use libfuzzer_sys::fuzz_target;
use twin_core::Timestamp;
use twin_core::wire::ApiVersion;

fuzz_target!(|text: &str| {
    if let Ok(at) = text.parse::<Timestamp>() {
        assert_eq!(at.to_string().parse::<Timestamp>().expect("said again"), at);
        let later = at.plus(std::time::Duration::from_secs(1 << 40));
        assert_eq!(later.to_string().parse::<Timestamp>().expect("said again"), later);
    }
    if let Some(bytes) = text.as_bytes().first_chunk() {
        let at = Timestamp::from_ticks(u64::from_le_bytes(*bytes));
        assert_eq!(at.to_string().parse::<Timestamp>().expect("said again"), at);
    }
    if let Ok(version) = ApiVersion::parse(text) {
        assert_eq!(ApiVersion::parse(&version.to_string()).expect("said again"), version);
    }
});
