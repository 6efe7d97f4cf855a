//! The decisions listed in the module's documentation, one row each.

use serde_json::{Value as Json, json};

use super::fixture::rows;
use crate::query::{Expr, Query};

fn condition(text: &str) -> Expr {
    Query::parse_condition(text).unwrap_or_else(|error| panic!("{text}: {error}")).expr.unwrap()
}

const T: Option<bool> = Some(true);
const F: Option<bool> = Some(false);
/// undefined
const U: Option<bool> = None;

#[test]
fn conditions_are_true_false_or_undefined() {
    let twin = json!({
        "deviceId": "d", "version": 7, "capabilities": {"iotEdge": true}, "parentScopes": ["a", 5, null, true],
        "x509Thumbprint": {"primaryThumbprint": null},
        "tags": {
            "s": "b", "S": "upper", "n": 9, "z": 0, "t": true, "f": false, "numeric": "9", "empty": "", "o": {"s": "b"},
            "list": [1, "x"], "big": 9_007_199_254_740_993_u64, "é": "ü", "a b": 1, "count": 3, "2nd": 2,
        },
        "properties": {"desired": {"$version": 3}, "reported": {"$version": 3}},
    });
    let table: &[(&str, Option<bool>)] = &[
        // truth
        ("true", T),
        ("false", F),
        ("null", U),
        ("undefined", U),
        ("1", U),
        ("'true'", U),
        ("['a']", U),
        ("tags.t", T),
        ("tags.f", F),
        ("tags.n", U),
        ("tags.s", U),
        ("tags.o", U),
        ("tags.missing", U),
        ("NOT tags.t", F),
        ("NOT tags.f", T),
        ("NOT tags.n", U),
        ("NOT tags.missing", U),
        ("NOT NOT tags.t", T),
        ("tags.t AND tags.f", F),
        ("tags.missing AND tags.f", F),
        ("tags.f AND tags.missing", F),
        ("tags.missing AND tags.t", U),
        ("tags.t OR tags.missing", T),
        ("tags.missing OR tags.t", T),
        ("tags.missing OR tags.f", U),
        ("tags.n OR tags.f", U),
        ("tags.n AND tags.f", F),
        ("NOT (tags.missing = 1 AND tags.f)", T),
        ("NOT (tags.missing = 1 OR tags.f)", U),
        // precedence
        ("true OR false AND false", T),
        ("(true OR false) AND false", F),
        ("NOT false AND false", F),
        ("NOT tags.s = 'a'", T),
        ("NOT tags.s = 'b'", F),
        ("NOT true OR true", T),
        ("1 + 2 * 3 = 7", T),
        ("(1 + 2) * 3 = 9", T),
        ("10 - 2 - 3 = 5", T),
        ("-2 * -3 = 6", T),
        ("-(2) + 3 = 1", T),
        ("7 % 4 = 3", T),
        ("8 / 4 / 2 = 1", T),
        ("1 + 1 IN [2]", T),
        ("-tags.n = -9", T),
        // missing
        ("tags.missing = 'v'", U),
        ("tags.missing != 'v'", U),
        ("tags.missing <> 'v'", U),
        ("NOT tags.missing = 'v'", U),
        ("tags.missing < 1", U),
        ("tags.missing = undefined", U),
        ("tags.missing = tags.missing", U),
        ("tags.missing IN ['v']", U),
        ("tags.missing NIN ['v']", U),
        ("tags.s.deeper = 1", U),
        ("deviceId.x = 1", U),
        // types
        ("tags.n = 9", T),
        ("tags.n = 9.0", T),
        ("tags.n != 9", F),
        ("tags.n = '9'", U),
        ("tags.n != '9'", U),
        ("tags.numeric = 9", U),
        ("tags.t = 1", U),
        ("tags.t = true", T),
        ("tags.t != false", T),
        ("tags.s < 1", U),
        ("tags.big = 9007199254740992", T),
        ("tags.n = 0x9", T),
        ("tags.n = 0X9", T),
        ("tags.n >= 90e-1", T),
        ("tags.z = -0", T),
        // null
        ("x509Thumbprint.primaryThumbprint = null", T),
        ("x509Thumbprint.primaryThumbprint != null", F),
        ("X509THUMBPRINT.PRIMARYTHUMBPRINT = null", T),
        ("tags.n = null", F),
        ("tags.n != null", T),
        ("tags.missing = null", U),
        ("tags.missing != null", U),
        ("tags.o != null", U),
        ("null = null", T),
        ("null < 1", U),
        ("x509Thumbprint.primaryThumbprint = 'x'", F),
        // order
        ("tags.n > 8", T),
        ("tags.n > 9", F),
        ("tags.n >= 9", T),
        ("tags.n < 10", T),
        ("tags.n <= 8.9", F),
        ("tags.s > 'a'", T),
        ("tags.s < 'B'", F),
        ("tags.s = 'B'", F),
        ("tags.empty < 'a'", T),
        ("tags.t > false", U),
        ("'2016-09-02' > '2016-09-01'", T),
        ("tags.é = 'ü'", T),
        ("tags.é > 'z'", T),
        ("'\u{fffd}' < '\u{1f600}'", T),
        ("'a' < tags.s", T),
        ("9 = tags.n", T),
        ("tags.n = version + 2", T),
        // composites
        ("tags.o = tags.o", U),
        ("tags.list = tags.list", U),
        ("tags.list = [1, 'x']", U),
        ("tags.o != 1", U),
        ("tags.list < 1", U),
        // membership
        ("tags.s IN ['a', 'b']", T),
        ("tags.s IN ['a']", F),
        ("tags.s IN []", F),
        ("tags.s NIN []", T),
        ("tags.s NIN ['a', 'b']", F),
        ("tags.n IN ['9', 9]", T),
        ("tags.n IN ['9']", F),
        ("tags.n NIN ['9']", T),
        ("NOT tags.s IN ['a']", T),
        ("tags.o IN ['a']", U),
        ("tags.o NIN ['a']", U),
        ("tags.s IN tags.list", F),
        ("1 IN tags.list", T),
        ("'x' IN tags.list", T),
        ("'x' NIN tags.list", F),
        ("1 IN tags.o", U),
        ("null IN [null]", T),
        ("null IN ['a']", F),
        ("tags.n IN [-9, 9]", T),
        ("true IN [true]", T),
        // arithmetic
        ("tags.n / 0 = 1", U),
        ("tags.n % 0 = 1", U),
        ("tags.s + 'x' = 'bx'", U),
        ("tags.missing + 1 = 1", U),
        ("1e308 * 10 > 1", U),
        ("-tags.s = 1", U),
        // functions
        ("IS_DEFINED(tags.s)", T),
        ("is_defined(tags.missing)", F),
        ("NOT IS_DEFINED(tags.missing)", T),
        ("IS_DEFINED(tags)", T),
        ("IS_DEFINED(tags.o)", T),
        ("IS_DEFINED(x509Thumbprint.primaryThumbprint)", T),
        ("IS_DEFINED(x509Thumbprint.secondaryThumbprint)", F),
        ("IS_DEFINED(tags.s) = true", T),
        ("StartsWith(tags.S, 'up')", T),
        ("STARTSWITH(tags.S, 'UP')", F),
        ("STARTSWITH(tags.s, '')", T),
        ("STARTSWITH(tags.n, '9')", U),
        ("STARTSWITH(tags.missing, 'a')", U),
        ("STARTSWITH('abc', tags.empty)", T),
        ("NOT STARTSWITH(tags.missing, 'a')", U),
        ("ARRAY_CONTAINS(parentScopes, 'a')", T),
        ("ARRAY_CONTAINS(parentScopes, 'b')", F),
        ("ARRAY_CONTAINS(parentScopes, 5)", T),
        ("ARRAY_CONTAINS(parentScopes, '5')", F),
        ("ARRAY_CONTAINS(parentScopes, null)", T),
        ("ARRAY_CONTAINS(parentScopes, true)", T),
        ("ARRAY_CONTAINS(tags.s, 'b')", U),
        ("ARRAY_CONTAINS(tags.missing, 'b')", U),
        ("ARRAY_CONTAINS(parentScopes, tags.missing)", U),
        ("ARRAY_CONTAINS(['b'], tags.s)", T),
        // names
        ("DEVICEID = 'd'", T),
        ("devices.DeviceId = 'd'", T),
        ("Capabilities.IOTEDGE = true", T),
        ("TAGS.s = 'b'", T),
        ("tags.S = 'upper'", T),
        ("Properties.Desired.$version = properties.REPORTED.$version", T),
        ("tags.count = 3", T),
        ("tags.[[a b]] = 1", T),
        ("[[tags]].[[s]] = 'b'", T),
        ("tags.2nd = 2", T),
        (r"tags.s = '\u0062'", T),
        (r#""d" = deviceId"#, T),
        (r"'\ud83d\ude00' = '😀'", T),
        (r#"'\'\"\\' = "'\"\\""#, T),
    ];
    for (text, expected) in table {
        let expr = condition(text);
        let truth = match expr.eval(&twin) {
            crate::query::QueryValue::Bool(value) => Some(value),
            _ => None,
        };
        assert_eq!(truth, *expected, "{text}");
        assert_eq!(expr.is_true(&twin), *expected == T, "{text}");
    }
}

#[test]
fn rows_are_shaped_by_the_select_list() {
    let table: &[(&str, Json)] = &[
        ("SELECT TOP 2 * FROM devices", json!(["d1", "d2"])),
        ("SELECT TOP 0 * FROM devices", json!([])),
        ("select top 1 deviceid from devices", json!([{"deviceid": "d1"}])),
        ("SELECT deviceId, deviceId FROM devices WHERE deviceId = 'a6'", json!([{"deviceId": "a6"}])),
        (
            "SELECT devices.modules.moduleId AS [[my module]] FROM devices.modules WHERE deviceId = 'device1'",
            json!([{"my module": "camera"}]),
        ),
        (
            "SELECT tags, properties.reported.$version FROM devices WHERE deviceId = 'a6'",
            json!([{"tags": {"location": {"region": "US"}}, "$version": 1}]),
        ),
        (
            "SELECT statusUpdatedTime, tags.nothing FROM devices WHERE deviceId = 'd2'",
            json!([{"statusUpdatedTime": "2025-05-05T00:00:00Z"}]),
        ),
        // numbers come out as the document has them
        (
            "SELECT properties.reported.telemetryConfig.sendFrequencyInSecs AS s FROM devices WHERE STARTSWITH(deviceId, 'd')",
            json!([{"s": 60}, {"s": 59}, {}]),
        ),
        // aggregates
        ("SELECT COUNT() FROM devices", json!([{"COUNT": 6}])),
        ("SELECT count() FROM devices.modules", json!([{"count": 4}])),
        ("SELECT COUNT() AS n FROM devices WHERE deviceId = 'none'", json!([{"n": 0}])),
        ("SELECT status, COUNT() AS n FROM devices WHERE deviceId = 'none' GROUP BY status", json!([])),
        (
            "SELECT AVG(properties.reported.telemetryConfig.sendFrequencyInSecs) AS avg, SUM(properties.reported.telemetryConfig.sendFrequencyInSecs) AS sum, \
             MIN(properties.reported.telemetryConfig.sendFrequencyInSecs) AS min, MAX(properties.reported.telemetryConfig.sendFrequencyInSecs) AS max FROM devices",
            json!([{"avg": 1239.8333333333333, "sum": 3719.5, "min": 59, "max": 3600.5}]),
        ),
        (
            "SELECT AVG(tags.location.region) AS a, SUM(tags.nothing) AS s, MIN(tags.nothing) AS m, COUNT() AS n FROM devices",
            json!([{"n": 6}]),
        ),
        // groups
        (
            "SELECT status, connectionState, COUNT() AS n FROM devices GROUP BY status, connectionState",
            json!([
                {"status": "disabled", "connectionState": "Disconnected", "n": 1},
                {"status": "enabled", "connectionState": "Connected", "n": 3},
                {"status": "enabled", "connectionState": "Disconnected", "n": 2},
            ]),
        ),
        ("SELECT TOP 1 status FROM devices GROUP BY status", json!([{"status": "disabled"}])),
        ("SELECT COUNT() AS n FROM devices GROUP BY status", json!([{"n": 1}, {"n": 5}])),
        (
            "SELECT properties.reported.connectivity, COUNT() AS n FROM devices GROUP BY properties.reported.connectivity",
            json!([
                {"n": 2},
                {"connectivity": "wifi", "n": 1},
                {"connectivity": "wired", "n": 1},
                {"connectivity": {"type": "cellular"}, "n": 1},
                {"connectivity": {"type": "wifi"}, "n": 1},
            ]),
        ),
        (
            "SELECT properties.reported.telemetryConfig.sendFrequencyInSecs AS s FROM devices GROUP BY properties.reported.telemetryConfig.sendFrequencyInSecs",
            json!([{}, {"s": 59}, {"s": 60}, {"s": 3600.5}, {"s": "61"}]),
        ),
    ];
    for (text, expected) in table {
        assert_eq!(rows(text), *expected, "{text}");
    }
}

#[test]
fn equal_numbers_are_one_group() {
    let query = Query::parse("SELECT tags.n, COUNT() AS c FROM devices GROUP BY tags.n").unwrap();
    let mut grouping = crate::query::Grouping::new(&query);
    for n in [json!(1), json!(1.0), json!(0.0), json!(-0.0), json!(null), json!(true)] {
        grouping.feed(&json!({"tags": {"n": n}}));
    }
    let expected = json!([{"n": null, "c": 1}, {"n": true, "c": 1}, {"n": 0.0, "c": 2}, {"n": 1, "c": 2}]);
    assert_eq!(Json::Array(grouping.finish()), expected);
}

#[test]
fn a_group_can_be_fed_whole() {
    let text = "SELECT tags.k, COUNT() AS c, AVG(tags.n) AS a, MAX(tags.m) AS m FROM devices GROUP BY tags.k";
    let query = Query::parse(text).unwrap();
    let rows =
        [json!({"k": "x", "n": 1, "m": 5}), json!({"k": "x", "n": 4}), json!({"k": 1.0, "n": "no number"})];
    let mut fed = crate::query::Grouping::new(&query);
    let mut whole = fed.clone();
    rows.iter().for_each(|tags| fed.feed(&json!({ "tags": tags })));
    assert_eq!(whole.gathered().map(|path| path.segments()[1].as_str()).collect::<Vec<_>>(), ["n", "m"]);
    assert_eq!(whole.keys()[0].segments(), ["tags", "k"]);
    let numbers = |list: &[f64]| {
        let mut numbers = crate::query::Numbers::default();
        list.iter().for_each(|n| numbers.feed(*n));
        numbers
    };
    whole.feed_group(&json!({"tags": rows[0]}), 2, &[numbers(&[1.0, 4.0]), numbers(&[5.0])]);
    whole.feed_group(&json!({"tags": rows[2]}), 1, &[numbers(&[]), numbers(&[])]);
    assert_eq!(whole.finish(), fed.finish());
}
