//! The words of the language: keywords, functions, fields of a twin and of a device job, and what to say about words
//! from other languages.

use super::ast::{Function, Source};

/// Clause and operator keywords. A path segment spelled like one must be escaped: `tags.[[group]].name`
/// (observed: azure-docs #17106).
pub(crate) const RESERVED: &[&str] =
    &["SELECT", "FROM", "WHERE", "GROUP", "BY", "AS", "TOP", "AND", "OR", "NOT", "IN", "NIN"];

/// Words that are constants where an expression may stand.
pub(crate) const LITERALS: &[&str] = &["TRUE", "FALSE", "NULL", "UNDEFINED"];

/// Functions that take rows together.
pub(crate) const AGGREGATES: &[&str] = &["COUNT", "AVG", "SUM", "MIN", "MAX"];

/// Functions of conditions. `IS_DEFINED` is documented for twin queries; the other two are accepted by the service
/// (IoT Explorer, Azure CLI).
pub(crate) const FUNCTIONS: &[(&str, Function)] = &[
    ("IS_DEFINED", Function::IsDefined),
    ("STARTSWITH", Function::StartsWith),
    ("ARRAY_CONTAINS", Function::ArrayContains),
];

impl Function {
    /// As written in a query.
    pub fn name(self) -> &'static str {
        match self {
            Function::IsDefined => "IS_DEFINED",
            Function::StartsWith => "STARTSWITH",
            Function::ArrayContains => "ARRAY_CONTAINS",
        }
    }

    /// How many arguments it takes.
    pub(crate) fn arity(self) -> usize {
        match self {
            Function::IsDefined => 1,
            Function::StartsWith | Function::ArrayContains => 2,
        }
    }
}

/// Whether `word` is in a list of upper-case words.
pub(crate) fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Fields a twin has beside `tags` and `properties`: name in a query, name in the document (service OpenAPI,
/// definition Twin; `statusUpdatedTime` as IoT Explorer queries it).
pub(crate) const TWIN_FIELDS: &[(&str, &str)] = &[
    ("deviceId", "deviceId"),
    ("moduleId", "moduleId"),
    ("etag", "etag"),
    ("deviceEtag", "deviceEtag"),
    ("version", "version"),
    ("status", "status"),
    ("statusReason", "statusReason"),
    ("statusUpdateTime", "statusUpdateTime"),
    ("statusUpdatedTime", "statusUpdateTime"),
    ("connectionState", "connectionState"),
    ("lastActivityTime", "lastActivityTime"),
    ("cloudToDeviceMessageCount", "cloudToDeviceMessageCount"),
    ("authenticationType", "authenticationType"),
    ("x509Thumbprint", "x509Thumbprint"),
    ("modelId", "modelId"),
    ("capabilities", "capabilities"),
    ("deviceScope", "deviceScope"),
    ("parentScopes", "parentScopes"),
    ("configurations", "configurations"),
    ("tags", "tags"),
    ("properties", "properties"),
];

/// Fields of a device job: name in a query, name in the result (IoT Hub jobs guide; conditions and results spell the
/// times differently).
pub(crate) const JOB_FIELDS: &[(&str, &str)] = &[
    ("deviceId", "deviceId"),
    ("moduleId", "moduleId"),
    ("jobId", "jobId"),
    ("jobType", "jobType"),
    ("status", "status"),
    ("startTimeUtc", "startTimeUtc"),
    ("endTimeUtc", "endTimeUtc"),
    ("createdTimeUtc", "createdDateTimeUtc"),
    ("createdDateTimeUtc", "createdDateTimeUtc"),
    ("lastUpdatedTimeUtc", "lastUpdatedDateTimeUtc"),
    ("lastUpdatedDateTimeUtc", "lastUpdatedDateTimeUtc"),
    ("outcome", "outcome"),
];

/// Members with a fixed name under a field: field, name in the document.
pub(crate) const SUBFIELDS: &[(&str, &str)] = &[
    ("properties", "desired"),
    ("properties", "reported"),
    ("capabilities", "iotEdge"),
    ("x509Thumbprint", "primaryThumbprint"),
    ("x509Thumbprint", "secondaryThumbprint"),
];

/// The fields that rows of `source` have.
pub(crate) fn fields(source: Source) -> &'static [(&'static str, &'static str)] {
    match source {
        Source::Devices | Source::Modules => TWIN_FIELDS,
        Source::Jobs => JOB_FIELDS,
    }
}

impl Source {
    /// As written after `FROM`.
    pub fn name(self) -> &'static str {
        match self {
            Source::Devices => "devices",
            Source::Modules => "devices.modules",
            Source::Jobs => "devices.jobs",
        }
    }
}

/// What to say about a word of another query language.
pub(crate) fn foreign_word(word: &str) -> Option<&'static str> {
    const HINTS: &[(&[&str], &str)] = &[
        (&["ORDER", "ASC", "DESC"], "ORDER BY is not in the language: sort the rows after reading them"),
        (&["LIKE"], "LIKE is not in the language: use STARTSWITH(path, 'prefix')"),
        (
            &["JOIN", "INNER", "OUTER", "LEFT", "RIGHT", "CROSS", "ON"],
            "JOIN is not in the language: query devices and devices.modules one after the other",
        ),
        (&["BETWEEN"], "BETWEEN is not in the language: write path >= low AND path <= high"),
        (&["DISTINCT"], "DISTINCT is not in the language: use GROUP BY path"),
        (&["OFFSET", "SKIP"], "OFFSET is not in the language: follow the continuation token of each page"),
        (&["LIMIT", "FETCH"], "LIMIT is not in the language: write SELECT TOP n"),
        (&["HAVING"], "HAVING is not in the language: filter the groups after reading them"),
        (&["UNION", "INTERSECT", "EXCEPT", "WITH"], "a query has one SELECT"),
        (&["EXISTS"], "subqueries are not in the language: use IS_DEFINED(path) to test for a member"),
        (&["IS"], "IS is not in the language: use IS_DEFINED(path) or NOT IS_DEFINED(path)"),
        (&["CASE", "WHEN"], "CASE is not in the language"),
    ];
    HINTS.iter().find(|(words, _)| is_one_of(word, words)).map(|(_, hint)| *hint)
}

/// What to say about a function that device queries do not have.
pub(crate) fn foreign_function(name: &str) -> &'static str {
    const ROUTING: &[&str] = &[
        "AS_NUMBER",
        "IS_ARRAY",
        "IS_BOOL",
        "IS_NULL",
        "IS_NUMBER",
        "IS_OBJECT",
        "IS_PRIMITIVE",
        "IS_STRING",
        "ABS",
        "EXP",
        "POWER",
        "SQUARE",
        "CEILING",
        "FLOOR",
        "SIGN",
        "SQRT",
        "CONCAT",
        "LENGTH",
        "LOWER",
        "UPPER",
        "SUBSTRING",
        "INDEX_OF",
        "ENDS_WITH",
        "ENDSWITH",
    ];
    if is_one_of(name, &["STARTS_WITH"]) {
        "STARTS_WITH is for message routing: device queries spell it STARTSWITH"
    } else if is_one_of(name, &["CONTAINS"]) {
        "CONTAINS is not supported in device queries: use STARTSWITH(path, 'prefix') or ARRAY_CONTAINS(path, value)"
    } else if is_one_of(name, &["HAS_INTERFACE", "HAS_CAPABILITYMODEL"]) {
        "it belonged to a preview that ended: compare modelId instead"
    } else if is_one_of(name, AGGREGATES) {
        "aggregates stand in the SELECT list only"
    } else if is_one_of(name, ROUTING) {
        "this function is for message routing only; device queries have IS_DEFINED, STARTSWITH and ARRAY_CONTAINS"
    } else {
        "device queries have IS_DEFINED, STARTSWITH and ARRAY_CONTAINS"
    }
}
