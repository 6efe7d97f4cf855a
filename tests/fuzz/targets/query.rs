//! Queries: any text is answered, with an error that points into it; a query prints as text that reads back as itself;
//! it decides alike over a tree and over its text, and never panics.
#![no_main]
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use twin_core::query::ast::MAX_QUERY_CHARACTERS;
use twin_core::query::raw::RawDocument;
use twin_core::query::{Grouping, Query, QueryError};

static TWIN: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "deviceId": "meter-1", "version": 3, "status": "enabled", "connectionState": "Connected",
        "tags": {"location": {"region": "US", "plant": "Redmond43"}, "floor": 9, "a b": "é\n\"", "list": [1, "a", null]},
        "properties": {
            "desired": {"on": true, "off": null, "limit": -1.5e300, "$version": 4},
            "reported": {"connectivity": {"type": "cellular"}, "big": 9007199254740993u64, "$version": 5},
        },
    })
});
static TEXT: LazyLock<String> = LazyLock::new(|| TWIN.to_string());

fuzz_target!(|text: &str| {
    if let Ok(condition) = Query::parse_condition(text) {
        let printed = condition.to_string();
        again(&printed, &condition, Query::parse_condition(&printed));
    }
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(e) => return drop(e.to_string()),
    };
    let printed = query.to_string();
    again(&printed, &query, Query::parse(&printed));
    let raw = RawDocument(TEXT.as_bytes());
    if let Some(condition) = &query.condition {
        assert_eq!(condition.is_true(&*TWIN), condition.is_true(&raw), "{printed}");
    }
    if query.is_aggregate() {
        let (mut trees, mut texts) = (Grouping::new(&query), Grouping::new(&query));
        for _ in 0..2 {
            trees.feed(&*TWIN);
            texts.feed(&raw);
        }
        assert_eq!(trees.finish(), texts.finish(), "{printed}");
    } else {
        assert_eq!(query.project(&*TWIN), query.project(&raw), "{printed}");
    }
});

/// What is printed reads back as the same. Escapes make a text longer, and texts have a longest length.
fn again<T: PartialEq + std::fmt::Debug>(printed: &str, first: &T, heard: Result<T, QueryError>) {
    match heard {
        Ok(heard) => assert_eq!(&heard, first, "{printed}"),
        Err(e) => assert!(printed.chars().count() > MAX_QUERY_CHARACTERS, "{printed}: {e}"),
    }
}
