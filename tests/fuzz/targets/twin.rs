//! Twins: patches, bodies, documents, notifications, identities and stored metadata. Any bytes are answered; what was
//! read keeps the rules and can be said again.
#![no_main]
use libfuzzer_sys::fuzz_target;
use twin_core::Timestamp;
use twin_core::identity::Identity;
use twin_core::twin::{
    DeviceTwin, Metadata, Patch, Rules, Section, SectionName, Twin, TwinPatch, merged, notification, strict,
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(patch) = Patch::parse(SectionName::Desired, bytes, Rules::PATCH) {
        let printed = serde_json::to_vec(patch.as_object()).expect("printed");
        let again = Patch::parse(SectionName::Desired, &printed, Rules::PATCH).expect("said again");
        assert_eq!(again, patch);
        sections(&patch);
    }
    for rules in [Rules::PATCH, Rules::REPLACE, Rules { arrays: false, nulls: true }] {
        if let Ok(patch) = TwinPatch::parse(bytes, rules) {
            let printed = patch.to_json().to_string();
            assert_eq!(TwinPatch::parse(printed.as_bytes(), rules).expect("said again"), patch);
        }
    }
    if let Ok(twin) = DeviceTwin::from_json(bytes) {
        let printed = twin.to_json().to_string();
        assert_eq!(DeviceTwin::from_json(printed.as_bytes()).expect("said again"), twin);
    }
    if let Ok((members, Some(version))) = notification::hear(bytes) {
        let heard = notification::hear(&notification::say(&members, version)).expect("said again");
        assert_eq!(heard, (members, Some(version)));
    }
    if let Ok(value) = strict::value("", bytes) {
        if let Ok(twin) = Twin::from_json(value.clone()) {
            assert_eq!(Twin::from_json(twin.to_json()).expect("said again").to_json(), twin.to_json());
        }
        if let Ok(identity) = Identity::from_json(value) {
            assert_eq!(Identity::from_json(identity.to_json()).expect("said again"), identity);
        }
    }
    stored(bytes);
});

fn sections(patch: &Patch) {
    let mut section = Section::new(SectionName::Desired, Timestamp::NEVER);
    if section.apply(patch, Timestamp::from_ticks(7)).is_ok() {
        assert_eq!(*section.value(), merged(&Default::default(), patch.as_object()));
        let mut bytes = Vec::new();
        section.metadata().encode(&mut bytes);
        assert_eq!(&Metadata::decode(&bytes, section.value()).expect("decoded"), section.metadata());
    }
}

/// Metadata of a value, from bytes that nobody wrote.
fn stored(bytes: &[u8]) {
    let value = serde_json::json!({"a": 1, "b": {"c": 2, "d": {}}, "e": [3]});
    let value = value.as_object().expect("an object");
    if let Ok(tree) = Metadata::decode(bytes, value) {
        let mut again = Vec::new();
        tree.encode(&mut again);
        assert_eq!(Metadata::decode(&again, value).expect("decoded"), tree);
    }
}
