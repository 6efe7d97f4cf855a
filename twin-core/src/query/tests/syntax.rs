//! Text → canonical text: what is read, and how it prints.

use crate::query::Query;

#[test]
fn queries_print_canonically() {
    let table = [
        ("select*from devices", "SELECT * FROM devices"),
        ("SELECT\n\t*\r\nFROM\u{a0}devices", "SELECT * FROM devices"),
        ("SELECT TOP 10 DeviceId FROM devices", "SELECT TOP 10 deviceId AS DeviceId FROM devices"),
        (
            "select Count(), Max(tags.a) as m from devices",
            "SELECT COUNT() AS Count, MAX(tags.a) AS m FROM devices",
        ),
        (
            "SELECT tags.a as x FROM Devices.Modules WHERE DEVICES.MODULES.moduleid<>'m'",
            "SELECT tags.a AS x FROM devices.modules WHERE moduleId != 'm'",
        ),
        (
            "SELECT tags.a, count() as n FROM devices GROUP BY tags.a,status",
            "", // refused or not is another table's matter: `status` is grouped but not selected, which is fine
        ),
        (
            "SELECT * FROM devices WHERE ((tags.a)) = (((1))) and (tags.b=2 and tags.c=3) or (tags.d)",
            "SELECT * FROM devices WHERE tags.a = 1 AND (tags.b = 2 AND tags.c = 3) OR tags.d",
        ),
        (
            "SELECT * FROM devices WHERE not (tags.a or tags.b) and not(tags.c)=1",
            "SELECT * FROM devices WHERE NOT (tags.a OR tags.b) AND NOT tags.c = 1",
        ),
        (
            "SELECT * FROM devices WHERE 1-(2-3)=4 or (tags.a=1)=true or -(1)<- tags.b or 1.50E+2>0x1f",
            "SELECT * FROM devices WHERE 1 - (2 - 3) = 4 OR (tags.a = 1) = true OR -(1) < -tags.b OR 150 > 31",
        ),
        (
            r#"SELECT * FROM devices WHERE tags.[[a.b]].[[c]].[[select]].d_1.$e = "it's \"x\" \\ \u000a""#,
            r#"SELECT * FROM devices WHERE tags.[[a.b]].c.[[select]].d_1.$e = 'it\'s "x" \\ \u000a'"#,
        ),
        (
            "SELECT * FROM devices WHERE tags.a in [1,-2.5,'x',TRUE,Null,undefined,[ 'y' ],[]]",
            "SELECT * FROM devices WHERE tags.a IN [1, -2.5, 'x', true, null, undefined, ['y'], []]",
        ),
        ("SELECT * FROM devices WHERE 1 in [ ['y'] ]", "SELECT * FROM devices WHERE 1 IN [ ['y']]"),
        (
            "SELECT * FROM devices.jobs WHERE createdTimeUtc > '2016'",
            "SELECT * FROM devices.jobs WHERE createdDateTimeUtc > '2016'",
        ),
        (
            "SELECT statusUpdatedTime FROM devices",
            "SELECT statusUpdateTime AS statusUpdatedTime FROM devices",
        ),
    ];
    for (text, expected) in table {
        let query = Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        if !expected.is_empty() {
            assert_eq!(query.to_string(), expected, "{text}");
        }
        assert_eq!(Query::parse(&query.to_string()).as_ref(), Ok(&query), "{text}");
    }
}
