//! What is refused, where, and with which help.

use crate::query::Query;
use crate::query::ast::{MAX_EXPRESSION_HEIGHT, MAX_QUERY_CHARACTERS};

/// query, line, column, what the message must contain
const TABLE: &[(&str, usize, usize, &str)] = &[
    ("", 1, 1, "Unexpected end of the query: expected SELECT"),
    ("   ", 1, 4, "expected SELECT"),
    ("SELEC * FROM devices", 1, 1, "Unexpected input 'SELEC': expected SELECT"),
    ("SELECT FROM devices", 1, 8, "Unexpected input 'FROM': expected '*', a path or an aggregate"),
    ("SELECT * devices", 1, 10, "expected FROM"),
    ("SELECT *, deviceId FROM devices", 1, 9, "'*' stands alone"),
    ("SELECT deviceId id FROM devices", 1, 17, "Unexpected input 'id': expected AS, ',' or FROM"),
    ("SELECT * FROM c", 1, 15, "Unexpected input 'c': expected devices, devices.modules or devices.jobs"),
    ("SELECT * FROM devices d", 1, 23, "Unexpected input 'd'"),
    ("SELECT * FROM devices.foo", 1, 23, "expected devices, devices.modules or devices.jobs"),
    ("SELECT * FROM modules", 1, 15, "with the prefix"),
    ("SELECT * FROM devices;", 1, 22, "no ';'"),
    ("SELECT * FROM devices WHERE", 1, 28, "Unexpected end of the query: expected a path"),
    ("SELECT * FROM devices WHERE tags.a = ", 1, 38, "Unexpected end of the query"),
    ("SELECT * FROM devices WHERE SELECT", 1, 29, "Unexpected input 'SELECT': expected a path"),
    ("SELECT * FROM devices WHERE tags.a = 'x' ORDER BY deviceId", 1, 42, "ORDER BY is not in the language"),
    ("SELECT * FROM devices WHERE deviceId LIKE 'a%'", 1, 38, "use STARTSWITH(path, 'prefix')"),
    ("SELECT * FROM devices JOIN devices.modules", 1, 23, "JOIN is not in the language"),
    ("SELECT * FROM devices WHERE tags.a BETWEEN 1 AND 2", 1, 36, "path >= low AND path <= high"),
    ("SELECT DISTINCT tags.a FROM devices", 1, 8, "DISTINCT is not in the language"),
    ("SELECT * FROM devices OFFSET 10", 1, 23, "OFFSET is not in the language"),
    ("SELECT * FROM devices LIMIT 10", 1, 23, "SELECT TOP n"),
    ("SELECT * FROM devices GROUP BY tags.a HAVING COUNT() > 1", 1, 39, "HAVING is not in the language"),
    ("SELECT * FROM devices WHERE tags.a IS NULL", 1, 36, "IS_DEFINED(path)"),
    ("SELECT * FROM devices WHERE EXISTS(SELECT 1)", 1, 29, "Unexpected function 'EXISTS'"),
    (
        "SELECT * FROM devices WHERE tags.a IN ('x', 'y')",
        1,
        39,
        "a list stands in brackets, like IN ['a', 'b']",
    ),
    ("SELECT * FROM devices WHERE tags.a IN 'x'", 1, 39, "a list stands in brackets, like IN ['a', 'b']"),
    ("SELECT * FROM devices WHERE tags.a NIN 1", 1, 40, "a list stands in brackets, like NIN ['a', 'b']"),
    ("SELECT * FROM devices WHERE tags.a IN null", 1, 39, "a list stands in brackets"),
    ("SELECT * FROM devices WHERE tags.a IN IS_DEFINED(tags.b)", 1, 39, "a list stands in brackets"),
    ("SELECT * FROM devices WHERE tags.a NOT IN ['x']", 1, 36, "write NIN"),
    ("SELECT * FROM devices WHERE tags.a IN [tags.b]", 1, 40, "lists hold constants only"),
    ("SELECT * FROM devices WHERE tags.a IN ['x'", 1, 43, "expected ',' or ']'"),
    ("SELECT * FROM devices WHERE STARTS_WITH(deviceId, 'a')", 1, 29, "device queries spell it STARTSWITH"),
    (
        "SELECT * FROM devices WHERE CONTAINS(deviceId, 'a')",
        1,
        29,
        "CONTAINS is not supported in device queries",
    ),
    ("SELECT * FROM devices WHERE IS_STRING(tags.a)", 1, 29, "for message routing only"),
    ("SELECT * FROM devices WHERE COUNT() > 1", 1, 29, "in the SELECT list only"),
    ("SELECT * FROM devices WHERE frobnicate(tags.a)", 1, 29, "Unexpected function 'frobnicate'"),
    ("SELECT LOWER(tags.a) FROM devices", 1, 8, "Unexpected call of 'LOWER'"),
    ("SELECT * FROM devices WHERE IS_DEFINED('x')", 1, 29, "IS_DEFINED takes a path"),
    ("SELECT * FROM devices WHERE IS_DEFINED()", 1, 29, "takes 1 argument(s), found 0"),
    ("SELECT * FROM devices WHERE STARTSWITH(deviceId)", 1, 29, "takes 2 argument(s), found 1"),
    ("SELECT COUNT(*) FROM devices", 1, 14, "COUNT() takes nothing"),
    ("SELECT AVG() FROM devices", 1, 12, "expected a path"),
    ("SELECT * FROM devices WHERE myProp = 1", 1, 29, "expected a full path, like tags.myProp"),
    ("SELECT myProp FROM devices", 1, 8, "'myProp' is not a field of a twin"),
    ("SELECT * FROM devices WHERE c.tags.a = 1", 1, 29, "'c' is not a field of a twin"),
    (
        "SELECT * FROM devices WHERE properties.foo = 1",
        1,
        29,
        "expected properties.desired or properties.reported",
    ),
    ("SELECT * FROM devices WHERE devices = 1", 1, 29, "'devices' names a collection"),
    ("SELECT * FROM devices WHERE devices.modules.moduleId = 'm'", 1, 29, "collections are not joined"),
    (
        "SELECT * FROM devices WHERE devices.jobs.jobId = 'm'",
        1,
        29,
        "'devices.jobs.jobId' is not part of FROM devices",
    ),
    ("SELECT * FROM devices WHERE tags.group.name = 1", 1, 34, "'group' is a keyword, write [[group]]"),
    ("SELECT * FROM devices WHERE tags. = 1", 1, 35, "expected a name after '.'"),
    ("SELECT * FROM devices WHERE tags.my-tag = 1", 1, 37, "[[name]]"),
    ("SELECT * FROM devices WHERE tags.my#tag = 1", 1, 36, "Unexpected character at input '#'"),
    ("SELECT * FROM devices WHERE (tags.a = 1", 1, 40, "expected an operator or ')'"),
    ("SELECT * FROM devices WHERE tags.a = 1)", 1, 39, "Unexpected input ')'"),
    ("SELECT * FROM devices WHERE 1 < tags.a < 5", 1, 40, "comparisons do not chain"),
    ("SELECT * FROM devices WHERE tags.a == 1", 1, 36, "'==': write ="),
    ("SELECT * FROM devices WHERE tags.a = 1 && tags.b = 2", 1, 40, "write AND"),
    ("SELECT * FROM devices WHERE !tags.a", 1, 29, "write NOT"),
    ("SELECT * FROM devices WHERE tags.a = 'x", 1, 38, "never ends: expected '"),
    ("SELECT * FROM devices WHERE tags.a = 'it''s'", 1, 42, r"written \'"),
    (r"SELECT * FROM devices WHERE tags.a = 'a\n'", 1, 40, "Unknown escape"),
    (r"SELECT * FROM devices WHERE tags.a = '\u12'", 1, 39, "four hexadecimal digits"),
    (r"SELECT * FROM devices WHERE tags.a = '\ud800'", 1, 39, "surrogate"),
    (r"SELECT * FROM devices WHERE tags.a = '\ud800\u0041'", 1, 39, "surrogate"),
    ("SELECT * FROM devices WHERE tags.a = 12ab", 1, 38, "Unexpected input 'ab' in the number"),
    ("SELECT * FROM devices WHERE tags.a = 0x", 1, 40, "hexadecimal"),
    ("SELECT * FROM devices WHERE tags.a = 1e999", 1, 38, "too large"),
    ("SELECT * FROM devices WHERE tags.[[a = 1", 1, 34, "never ends: expected ]]"),
    ("SELECT * FROM devices WHERE tags.a = \u{2018}x\u{2019}", 1, 38, "straight quotes"),
    ("SELECT * FROM devices WHERE tags.ä = 1 AND 'ü' = @", 1, 50, "Unexpected character at input '@'"),
    ("SELECT *\nFROM devices\r\n  WHERE tags.a ! 1", 3, 16, "write NOT"),
    ("SELECT TOP x * FROM devices", 1, 12, "a whole number of rows"),
    ("SELECT TOP 1.5 * FROM devices", 1, 12, "a whole number of rows"),
    ("SELECT TOP -1 * FROM devices", 1, 12, "a whole number of rows"),
    ("SELECT deviceId AS FROM devices", 1, 20, "expected a name after AS"),
    ("SELECT tags.a.x, tags.b.x FROM devices", 1, 18, "Two columns are named 'x'"),
    ("SELECT * FROM devices GROUP BY tags.a", 1, 8, "SELECT * cannot be grouped"),
    ("SELECT tags.b, COUNT() FROM devices GROUP BY tags.a", 1, 8, "'tags.b' stands beside aggregates"),
    ("SELECT deviceId, COUNT() FROM devices", 1, 8, "'deviceId' stands beside aggregates"),
    ("SELECT tags.a, COUNT() FROM devices GROUP tags.a", 1, 43, "expected BY"),
    (
        "SELECT tags.a, COUNT() FROM devices.modules GROUP BY tags.a",
        1,
        45,
        "GROUP BY works with FROM devices only",
    ),
    ("SELECT tags.a FROM devices GROUP BY tags.a WHERE tags.a = 1", 1, 44, "in the order WHERE, GROUP BY"),
    ("SELECT jobId FROM devices.jobs", 1, 8, "write SELECT *"),
    ("SELECT COUNT() FROM devices.jobs", 1, 8, "write SELECT *"),
    ("SELECT * FROM devices.jobs WHERE tags.a = 1", 1, 34, "'tags' is not a field of a device job"),
    ("SELECT * FROM devices.jobs GROUP BY jobId", 1, 28, "GROUP BY works with FROM devices only"),
    ("SELECT * FROM devices WHERE (SELECT 1)", 1, 30, "subqueries are not in the language"),
    ("SELECT * FROM enrollmentGroups", 1, 15, "Device Provisioning Service"),
];

#[test]
fn errors_name_the_place_and_the_way_out() {
    for (text, line, column, message) in TABLE {
        let error = Query::parse(text).expect_err(text);
        assert_eq!((error.line, error.column), (*line, *column), "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
        assert!(error.to_string().starts_with(&format!("Line {line}:{column} ")), "{error}");
        assert!(text.is_char_boundary(error.offset), "{text}: {error}");
    }
}

#[test]
fn bare_conditions_are_conditions() {
    for (text, column, message) in [
        ("SELECT * FROM devices", 1, "a condition alone"),
        ("WHERE tags.a = 1", 1, "a condition alone"),
        ("from devices.jobs where jobId = 'a'", 6, "not jobs"),
        ("* AND tags.a = 1", 3, "Unexpected input 'AND'"),
        ("", 1, "Unexpected end"),
    ] {
        let error = Query::parse_condition(text).expect_err(text);
        assert_eq!((error.line, error.column), (1, column), "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
}

#[test]
fn a_query_may_have_8192_characters_and_no_more() {
    let prefix = "SELECT * FROM devices WHERE tags.a = '";
    // Characters, not bytes.
    let fits = format!("{prefix}{}'", "ä".repeat(MAX_QUERY_CHARACTERS - prefix.len() - 1));
    assert!(Query::parse(&fits).is_ok());
    let error = Query::parse(&format!("{fits} ")).unwrap_err();
    assert_eq!(error.column, MAX_QUERY_CHARACTERS + 1);
    assert!(error.message.contains("8192"), "{error}");
}

#[test]
fn nesting_is_bounded_and_chains_are_not() {
    let deep = |open: &str, close: &str, levels: usize| {
        format!("SELECT * FROM devices WHERE {}tags.a{}", open.repeat(levels), close.repeat(levels))
    };
    for (open, close) in [("(", ")"), ("NOT ", ""), ("- ", ""), ("1+(", ")"), ("tags.b AND (tags.c OR ", ")")]
    {
        let levels = 8000 / (open.len() + close.len());
        let error = Query::parse(&deep(open, close, levels.min(1000))).err();
        // Not every shape is that long, but none may overflow the stack.
        if levels > MAX_EXPRESSION_HEIGHT {
            assert!(error.is_some_and(|error| error.message.contains("levels deep")), "{open}");
        }
        assert!(Query::parse(&deep(open, close, MAX_EXPRESSION_HEIGHT / 3)).is_ok(), "{open}");
    }
    let arrays = format!("SELECT * FROM devices WHERE tags.a IN {}1{}", "[ ".repeat(2000), "]".repeat(2000));
    assert!(Query::parse(&arrays).unwrap_err().message.contains("levels deep"));
    let sum = format!("SELECT * FROM devices WHERE 0 < {}1", "1+".repeat(4000));
    assert!(Query::parse(&sum).unwrap_err().message.contains("levels deep"));
    let or = format!("SELECT * FROM devices WHERE {}tags.a", "tags.a OR ".repeat(800));
    assert!(Query::parse(&or).is_ok());
}

#[test]
fn an_error_becomes_a_callers_mistake() {
    let error: crate::Error = Query::parse("SELECT").unwrap_err().into();
    assert_eq!(error.kind(), crate::ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("Line 1:7"), "{error}");
}
