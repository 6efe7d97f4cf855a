//! Queries through the index give what the documents say.

use twin_core::query::{Aggregate, Grouping, Lookup, Query, Selection};

use super::*;

const CONDITIONS: &[&str] = &[
    "tags.plant = 'p1'",
    "tags.plant != 'p1'",
    "NOT tags.plant = 'p1'",
    "tags.plant IN ['p1', 'p2', 3]",
    "tags.n >= 2 AND tags.n < 4",
    "IS_DEFINED(tags.n)",
    "NOT IS_DEFINED(tags.n)",
    "IS_DEFINED(tags) AND IS_DEFINED(properties.desired) AND IS_DEFINED(properties)",
    "properties.reported.temperature > 1 OR properties.desired.target = 3",
    "properties.reported.connectivity.type = 'cellular' AND NOT STARTSWITH(tags.plant, 'p2')",
    "properties.desired.$version > 1",
    "properties.reported.$version = 1",
    "properties.reported.$metadata.$lastUpdated > '2020'",
    "version >= 3 AND etag != 'AAAAAAAAAAE='",
    "deviceId > 'd1' AND STARTSWITH(deviceId, 'd')",
    "deviceId IN ['d0', 'd3', 'nobody']",
    "moduleId = 'm'",
    "NOT IS_DEFINED(moduleId)",
    "status = 'disabled'",
    "statusReason = 'broken'",
    "statusUpdatedTime >= '0001-01-01'",
    "connectionState = 'Connected'",
    "connectionState != 'Connected' AND tags.n = 1",
    "lastActivityTime > '2020'",
    "cloudToDeviceMessageCount = 0",
    "authenticationType = 'sas' AND x509Thumbprint.primaryThumbprint = null",
    "x509Thumbprint.primaryThumbprint != null",
    "modelId = ''",
    "deviceEtag != ''",
    "capabilities.iotEdge = true",
    "ARRAY_CONTAINS(parentScopes, 'scope')",
    "IS_DEFINED(deviceScope)",
    "tags.n = properties.reported.temperature",
    "tags.n + 1 = 3",
];

/// Paths whose projection is compared with the document's member.
const PROJECTED: &[&str] = &[
    "deviceId",
    "moduleId",
    "etag",
    "version",
    "modelId",
    "status",
    "statusReason",
    "connectionState",
    "lastActivityTime",
    "capabilities",
    "x509Thumbprint.primaryThumbprint",
    "tags",
    "tags.n",
    "properties",
    "properties.desired",
    "properties.reported.connectivity",
    "properties.reported.$metadata",
    "properties.desired.$version",
    "properties.desired.$metadata.$lastUpdated",
];

fn path_of(text: &str) -> twin_core::query::Path {
    let mut selected = Query::parse(&format!("SELECT {text} FROM devices")).unwrap();
    match &mut selected.select {
        Selection::Items(items) => match items.remove(0).value {
            Aggregate::Path(path) => path,
            other => panic!("{other:?}"),
        },
        Selection::All => panic!("{text}"),
    }
}

/// Each path under its own text as alias.
fn projection(source: &str, condition: &str) -> String {
    let items: Vec<String> = PROJECTED.iter().map(|path| format!("{path} AS [[{path}]]")).collect();
    format!("SELECT {} FROM {source} WHERE {condition}", items.join(", "))
}

#[tokio::test]
async fn queries_through_the_index_give_what_the_documents_say() {
    let engine = ephemeral();
    let mut random = Random(42);
    let mut attached = Vec::new();
    for round in 0..200 {
        let name = format!("d{}", random.below(8));
        let module = format!("{name}/m");
        let exists = twin(&engine, &name).await.is_ok();
        if !exists {
            let mut body =
                json!({"deviceId": name, "status": if round % 5 == 0 { "disabled" } else { "enabled" }});
            body["capabilities"] = json!({"iotEdge": round % 3 == 0});
            if round % 5 == 0 {
                body["statusReason"] = "broken".into();
            }
            let call = Call::PutIdentity {
                key: key(&name),
                if_match: IfMatch::Absent,
                body: body.to_string().into(),
            };
            engine.call(call, API).await.unwrap();
            create(&engine, &module).await;
        }
        let target = if random.below(4) == 0 { &module } else { &name };
        let n = random.below(5);
        match random.below(7) {
            0 => drop(
                patch(&engine, target, json!({"tags": {"plant": format!("p{n}"), "n": n}})).await.unwrap(),
            ),
            1 => drop(
                patch(&engine, target, json!({"tags": {"plant": null, "n": n.to_string()}})).await.unwrap(),
            ),
            2 => {
                drop(patch(&engine, target, json!({"properties": {"desired": {"target": n}}})).await.unwrap())
            }
            3 | 4 => {
                let reported = json!({"temperature": n, "connectivity": {"type": if n > 2 { "cellular" } else { "wifi" }}});
                report(&engine, target, reported).await.unwrap();
            }
            5 => {
                let status = if n > 2 { "disabled" } else { "enabled" };
                let body = json!({"deviceId": name, "status": status, "capabilities": {"iotEdge": n.is_multiple_of(2)}});
                let call = Call::PutIdentity {
                    key: key(&name),
                    if_match: IfMatch::Any,
                    body: body.to_string().into(),
                };
                engine.call(call, API).await.unwrap();
            }
            _ if random.below(3) == 0 => delete(&engine, &name).await,
            // A disabled device cannot connect.
            _ if twin(&engine, &name).await.unwrap()["status"] == "enabled" => {
                attached.push(attach(&engine, target, true).await);
            }
            _ => {}
        }
        if attached.len() > 3 {
            attached.remove(0);
        }
        if round % 10 == 9 {
            check(&engine).await;
        }
    }
}

/// Select lists and keys whose groups are compared with those of the documents.
const GROUPED: &[(&str, &str)] = &[
    ("COUNT() AS c, AVG(tags.n) AS a, MIN(properties.reported.temperature) AS b", ""),
    ("tags.plant, COUNT() AS c", "GROUP BY tags.plant"),
    ("tags.n, COUNT() AS c, SUM(properties.reported.temperature) AS s", "GROUP BY tags.n"),
    ("tags.n, status, MAX(version) AS v, COUNT() AS c", "GROUP BY status, tags.n"),
    ("connectionState, COUNT() AS c", "GROUP BY connectionState"),
    ("tags, COUNT() AS c", "GROUP BY tags"),
];

async fn check_groups(engine: &Engine, documents: &[Value], condition: &str) {
    for (select, by) in GROUPED {
        let text = format!("SELECT {select} FROM devices WHERE {condition} {by}");
        let query = Query::parse(&text).unwrap();
        let mut grouping = Grouping::new(&query);
        let condition = query.condition.as_ref().unwrap();
        documents.iter().filter(|document| condition.is_true(*document)).for_each(|d| grouping.feed(d));
        assert_eq!(all(engine, &text, 1000).await, grouping.finish(), "{text}");
    }
}

async fn check(engine: &Engine) {
    let paths: Vec<_> = PROJECTED.iter().map(|text| (*text, path_of(text))).collect();
    for source in ["devices", "devices.modules"] {
        let documents = all(engine, &format!("SELECT * FROM {source}"), 1000).await;
        for condition in CONDITIONS {
            let text = format!("SELECT * FROM {source} WHERE {condition}");
            let query = Query::parse(&text).unwrap().condition.unwrap();
            let expected: Vec<&Value> =
                documents.iter().filter(|document| query.is_true(*document)).collect();
            let found = all(engine, &text, 1000).await;
            assert_eq!(
                ids(&found),
                expected.iter().map(|d| d["deviceId"].as_str().unwrap()).collect::<Vec<_>>(),
                "{text}"
            );
            for (row, document) in
                all(engine, &projection(source, condition), 1000).await.iter().zip(&expected)
            {
                for (text, path) in &paths {
                    assert_eq!(
                        row.get(*text).cloned(),
                        document.json(path),
                        "{text} of {}",
                        document["deviceId"]
                    );
                }
            }
            let count =
                all(engine, &format!("SELECT COUNT() AS n FROM {source} WHERE {condition}"), 1000).await;
            assert_eq!(count, [json!({"n": expected.len()})], "{text}");
            if source == "devices" {
                check_groups(engine, &documents, condition).await;
            }
        }
    }
}
