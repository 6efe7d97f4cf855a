//! Query pages, also while twins change between them and over restarts.

use super::*;

#[tokio::test]
async fn query_pages() {
    let engine = ephemeral();
    for n in 0..25 {
        create(&engine, &format!("d{n:02}")).await;
        let plant = if n % 2 == 0 { "even" } else { "odd" };
        patch(&engine, &format!("d{n:02}"), json!({"tags": {"plant": plant, "n": n}})).await.unwrap();
    }
    create(&engine, "d03/m").await;
    // query, page size, rows, twins
    for (text, size, rows, is_twins) in [
        ("SELECT * FROM devices", 10, 25, true),
        ("SELECT * FROM devices", 25, 25, true),
        ("SELECT * FROM devices WHERE tags.plant = 'odd'", 5, 12, true),
        ("SELECT deviceId, tags.n FROM devices WHERE tags.n >= 20", 100, 5, false),
        ("SELECT TOP 7 * FROM devices", 3, 7, true),
        ("SELECT TOP 7 * FROM devices", 7, 7, true),
        ("SELECT COUNT() AS n FROM devices", 10, 1, false),
        ("SELECT tags.n AS n, COUNT() AS c FROM devices GROUP BY tags.n", 4, 25, false),
        ("SELECT TOP 6 tags.n AS n, COUNT() AS c FROM devices GROUP BY tags.n", 4, 6, false),
        ("SELECT * FROM devices.modules", 10, 1, true),
        ("SELECT * FROM devices.jobs", 10, 0, false),
        ("SELECT * FROM devices WHERE deviceId = 'nobody'", 10, 0, true),
    ] {
        let found = all(&engine, text, size).await;
        assert_eq!(found.len(), rows, "{text}");
        let distinct: BTreeSet<String> = found.iter().map(Value::to_string).collect();
        assert_eq!(distinct.len(), rows, "{text}");
        assert_eq!(page(&engine, text, size, None).await.unwrap().1, is_twins, "{text}");
    }
    let counted = all(&engine, "SELECT COUNT() AS n FROM devices WHERE tags.plant = 'even'", 10).await;
    assert_eq!(counted, [json!({"n": 13})]);
    // the same page again, with the token kept
    let (_, _, token) = page(&engine, "SELECT * FROM devices", 10, None).await.unwrap();
    let again = page(&engine, "SELECT * FROM devices", 10, token.clone()).await.unwrap();
    assert_eq!(page(&engine, "SELECT * FROM devices", 10, token.clone()).await.unwrap(), again);
    for (text, size, token, want) in [
        ("SELECT * FROM devices WHERE tags.n = 1", 10, token.clone(), "another query"),
        ("SELECT * FROM devices", 11, token, "pages of 10"),
        ("SELECT * FROM devices", 10, Some("rubbish".into()), "not one of this hub"),
        ("SELECT * FROM devices", 0, None, "page size"),
        ("SELECT * FROM devices ORDER BY x", 10, None, "Line 1:"),
        (" ", 10, None, "empty"),
    ] {
        let refusal = page(&engine, text, size, token).await.unwrap_err();
        assert_eq!(refusal.code.status, 400, "{text}");
        assert!(refusal.message.contains(want), "{text}: {}", refusal.message);
    }
}

#[tokio::test]
async fn a_page_ends_early_when_it_grows_too_large() {
    let engine = ephemeral();
    let text = "x".repeat(4000);
    for n in 0..300 {
        let name = format!("d{n}");
        create(&engine, &name).await;
        let desired: BTreeMap<String, &str> = (0..8).map(|m| (format!("m{m}"), text.as_str())).collect();
        patch(&engine, &name, json!({"properties": {"desired": desired}})).await.unwrap();
    }
    let (rows, _, token) = page(&engine, "SELECT * FROM devices", 10_000, None).await.unwrap();
    assert!(rows.len() < 300 && !rows.is_empty(), "{}", rows.len());
    let (rest, _, token) = page(&engine, "SELECT * FROM devices", 10_000, token).await.unwrap();
    assert_eq!(rows.len() + rest.len(), 300);
    assert!(token.is_none());
}

/// Pages while twins are created, deleted and changed between them, and over restarts: no twin twice, none missed
/// that was there and matched all the while.
#[tokio::test]
async fn pages_are_stable_under_concurrent_writes_and_restarts() {
    for seed in 1..=8u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let dir = tempfile::tempdir().unwrap();
        let mut engine = on_disk(dir.path());
        let mut living: BTreeSet<String> = BTreeSet::new();
        let mut next = 0;
        for _ in 0..40 {
            let name = format!("d{next}");
            next += 1;
            create(&engine, &name).await;
            living.insert(name);
        }
        let mut always = living.clone();
        let text = "SELECT deviceId FROM devices WHERE tags.gone != true OR NOT IS_DEFINED(tags.gone)";
        let size = 1 + random.below(7) as u32;
        let (mut seen, mut token) = (Vec::new(), None);
        loop {
            let (rows, _, more) = page(&engine, text, size, token).await.unwrap();
            seen.extend(ids(&rows).iter().map(|id| (*id).to_owned()));
            let Some(more) = more else { break };
            token = Some(more);
            for _ in 0..random.below(4) {
                let any = living.iter().nth(random.below(living.len() as u64) as usize).unwrap().clone();
                match random.below(4) {
                    0 => {
                        create(&engine, &format!("d{next}")).await;
                        living.insert(format!("d{next}"));
                        next += 1;
                    }
                    1 => {
                        delete(&engine, &any).await;
                        living.remove(&any);
                        always.remove(&any);
                    }
                    2 => {
                        patch(&engine, &any, json!({"tags": {"gone": true}})).await.unwrap();
                        always.remove(&any);
                    }
                    _ => drop(report(&engine, &any, json!({"n": next})).await.unwrap()),
                }
            }
            if random.below(6) == 0 {
                match random.below(2) {
                    0 => crash(engine).await,
                    _ => engine.shutdown().await.unwrap(),
                }
                engine = on_disk(dir.path());
            }
        }
        let distinct: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!(distinct.len(), seen.len(), "seed {seed}: twice");
        let missed: Vec<&String> = always.difference(&distinct).collect();
        assert!(missed.is_empty(), "seed {seed}: missed {missed:?}");
    }
}
