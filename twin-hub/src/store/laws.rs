//! What any store must do, whatever it is made of. An engine's tests call [`check`].

use std::collections::BTreeMap;

use super::embedded::Embedded;
use super::{Batch, Store};

/// Everything in a store.
pub(crate) fn all(store: &dyn Store) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut last: Option<Vec<u8>> = None;
    store
        .scan(b"", &mut |key, value| {
            assert!(last.as_deref() < Some(key), "a scan goes up in order of key bytes, each key once");
            last = Some(key.to_vec());
            found.insert(key.to_vec(), value.to_vec());
            Ok(())
        })
        .unwrap();
    found
}

fn batch(changes: &[(&str, Option<&str>)]) -> Batch {
    let mut batch = Batch::default();
    for (key, value) in changes {
        match value {
            Some(value) => batch.put(key.as_bytes().to_vec(), value.as_bytes()),
            None => batch.delete(key.as_bytes().to_vec()),
        }
    }
    batch
}

/// Runs every law against fresh stores from `make`; the second value is kept alive as long as the store.
pub(crate) fn check<K>(make: impl Fn() -> (Box<dyn Store>, K)) {
    a_batch_is_seen_whole_and_later_changes_win(&make);
    a_prefix_scan_sees_its_prefix_only(&make);
    an_error_ends_a_scan(&make);
    it_behaves_like_a_sorted_map(&make);
    a_copy_holds_the_state_of_its_moment(&make);
}

fn a_batch_is_seen_whole_and_later_changes_win<K>(make: &impl Fn() -> (Box<dyn Store>, K)) {
    let (mut store, _keep) = make();
    assert_eq!(store.get(b"a").unwrap(), None);
    store.apply(&Batch::default()).unwrap();
    store.apply(&batch(&[("a", Some("1")), ("b", Some("2")), ("a", Some("3")), ("c", None)])).unwrap();
    assert_eq!(store.get(b"a").unwrap().as_deref(), Some(&b"3"[..]));
    assert_eq!(store.get(b"b").unwrap().as_deref(), Some(&b"2"[..]));
    store.apply(&batch(&[("a", Some("4")), ("a", None), ("b", None), ("b", Some(""))])).unwrap();
    assert_eq!(store.get(b"a").unwrap(), None);
    assert_eq!(store.get(b"b").unwrap().as_deref(), Some(&b""[..]));
    store.close().unwrap();
}

fn a_prefix_scan_sees_its_prefix_only<K>(make: &impl Fn() -> (Box<dyn Store>, K)) {
    let (mut store, _keep) = make();
    store.apply(&batch(&["a", "ta", "tb", "tb\u{0}m", "u"].map(|k| (k, Some(k))))).unwrap();
    let mut keys = Vec::new();
    store
        .scan(b"t", &mut |key, value| {
            assert_eq!(key, &*value);
            keys.push(String::from_utf8(key.to_vec()).unwrap());
            Ok(())
        })
        .unwrap();
    assert_eq!(keys, ["ta", "tb", "tb\u{0}m"]);
}

fn an_error_ends_a_scan<K>(make: &impl Fn() -> (Box<dyn Store>, K)) {
    let (mut store, _keep) = make();
    store.apply(&batch(&[("a", Some("1")), ("b", Some("2"))])).unwrap();
    let mut calls = 0;
    let result = store.scan(b"", &mut |_, _| {
        calls += 1;
        Err(super::failed("enough"))
    });
    assert!(result.unwrap_err().to_string().contains("enough"));
    assert_eq!(calls, 1);
}

/// Pseudo-random batches against a `BTreeMap`.
fn it_behaves_like_a_sorted_map<K>(make: &impl Fn() -> (Box<dyn Store>, K)) {
    let (mut store, _keep) = make();
    let mut model = BTreeMap::new();
    let mut seed = 0x2545_F491_4F6C_DD1Du64;
    let mut random = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    for round in 0..60 {
        let mut changes = Batch::default();
        for _ in 0..random(60) {
            let key = format!("k{}", random(50)).into_bytes();
            if random(4) == 0 {
                changes.delete(key.clone());
                model.remove(&key);
            } else {
                let value = vec![round as u8; random(300) as usize];
                changes.put(key.clone(), value.clone());
                model.insert(key, value);
            }
        }
        store.apply(&changes).unwrap();
    }
    assert_eq!(all(store.as_ref()), model);
    for (key, value) in &model {
        assert_eq!(store.get(key).unwrap().as_deref(), Some(&value[..]));
    }
}

fn a_copy_holds_the_state_of_its_moment<K>(make: &impl Fn() -> (Box<dyn Store>, K)) {
    let (mut store, _keep) = make();
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("copy");
    let names: Vec<String> = (0..3000).map(|n| format!("k{n:05}")).collect();
    let puts: Vec<(&str, Option<&str>)> = names.iter().map(|n| (n.as_str(), Some("before"))).collect();
    store.apply(&batch(&puts)).unwrap();
    let want = all(store.as_ref());
    let job = store.copy_to(&target).unwrap();
    store.apply(&batch(&[("k00000", Some("after")), ("k00001", None), ("new", Some("x"))])).unwrap();
    job().unwrap();
    let copy = Embedded::open(&target).unwrap();
    assert_eq!(all(&copy), want);
    drop(copy);
    let refused = store.copy_to(&target).and_then(|job| job()).unwrap_err().to_string();
    assert!(refused.contains("not empty"), "{refused}");
    store.close().unwrap();
}
