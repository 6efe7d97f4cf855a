//! The service REST interface: method, path, query, headers, body.
//!
//! Sources: OpenAPI "IotHub Gateway Service APIs" 2020-09-30; the Node (`registry.ts`, `query.ts`, `rest_api_client.ts`),
//! .NET (`QueryResult.cs`, `ExceptionHandlingHelper.cs`) and Python service SDKs; golden lines are in
//! `facts/rest.txt`.
//!
//! Choices where no document speaks:
//! - `If-Match` is heard with and without quotes and with `W/`; `*` too. Without it a write is unconditional.
//! - The last page of a query has no `x-ms-continuation` at all: an empty one makes the Node SDK ask for ever.
//! - `x-ms-item-type` is always there and spelled as .NET's enum (`Twin`, `Raw`), which parses it case-sensitively.
//! - A path is looked up first (404), then the method (405), then the api-version (400001), then the rest.

use bytes::Bytes;
use serde_json::{Value, json};

use super::routes::{self, Found, Operation};
use super::{ApiVersion, HubCode, Refusal, status};
use crate::address::{percent_decode, percent_encode};
use crate::{DeviceId, ETag, ModuleId, TwinKey};

const API_VERSION: &str = "api-version";
const TOP: &str = "top";
const CONTENT_TYPE: &str = "content-type";
const JSON: &str = "application/json; charset=utf-8";
const ETAG: &str = "etag";
const IF_MATCH: &str = "if-match";
const ALLOW: &str = "allow";
const RETRY_AFTER: &str = "retry-after";
const CONTINUATION: &str = "x-ms-continuation";
const MAX_ITEM_COUNT: &str = "x-ms-max-item-count";
const ITEM_TYPE: &str = "x-ms-item-type";
const ERROR_CODE: &str = "iothub-errorcode";

/// If-Match, as the type says it.
#[derive(Clone, Debug, PartialEq)]
pub enum IfMatch {
    /// No header: unconditional for twins, creation for identities.
    Absent,
    /// `*`: whatever is there.
    Any,
    /// An etag.
    ETag(ETag),
}

/// One call of the service API.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Call {
    /// `GET /twins/{id}[/modules/{mid}]`
    GetTwin(TwinKey),
    /// `PATCH /twins/{id}[/modules/{mid}]`
    PatchTwin {
        /// Whose.
        key: TwinKey,
        /// The twin's etag.
        if_match: IfMatch,
        /// JSON.
        body: Bytes,
    },
    /// `PUT /twins/{id}[/modules/{mid}]`
    ReplaceTwin {
        /// Whose.
        key: TwinKey,
        /// The twin's etag.
        if_match: IfMatch,
        /// JSON.
        body: Bytes,
    },
    /// `GET /devices/{id}[/modules/{mid}]`
    GetIdentity(TwinKey),
    /// `PUT /devices/{id}[/modules/{mid}]`: creates without If-Match, updates with it.
    PutIdentity {
        /// Whose.
        key: TwinKey,
        /// The identity's etag.
        if_match: IfMatch,
        /// JSON.
        body: Bytes,
    },
    /// `DELETE /devices/{id}[/modules/{mid}]`
    DeleteIdentity {
        /// Whose.
        key: TwinKey,
        /// The identity's etag.
        if_match: IfMatch,
    },
    /// `GET /devices?top=`
    ListDevices {
        /// Most to list.
        top: Option<u32>,
    },
    /// `GET /devices/{id}/modules`
    ListModules(DeviceId),
    /// `POST /devices`: up to 100 identities.
    Bulk {
        /// JSON array.
        body: Bytes,
    },
    /// `GET /statistics/devices`
    DeviceStatistics,
    /// `GET /statistics/service`
    ServiceStatistics,
    /// `POST /devices/query`
    Query {
        /// The query.
        text: String,
        /// Most rows in the page; the hub may choose fewer.
        page_size: Option<u32>,
        /// Where the page before ended; opaque.
        continuation: Option<String>,
    },
    /// A documented operation that this hub does not serve yet, by its method and path, e.g.
    /// `POST /twins/{id}/methods`: to be answered with [`not_yet`].
    NotYet(&'static str),
}

/// An HTTP request, free of any HTTP library.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// `GET` …
    pub method: &'static str,
    /// Path and query, percent-encoded.
    pub target: String,
    /// Lower-case name, value.
    pub headers: Vec<(&'static str, String)>,
    /// Empty if none.
    pub body: Bytes,
}

/// An HTTP answer, free of any HTTP library.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Lower-case name, value.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What a hub answers to a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// 200 with a JSON body.
    Json {
        /// The document.
        body: Bytes,
        /// The etag of the thing, if it has one.
        etag: Option<ETag>,
    },
    /// 204
    Nothing,
    /// 400 with what became of each item of a bulk request of which some failed. The .NET SDK reads the body, as after
    /// a success, by the code in the header (`HttpClientHelper.IsMappedToException`). A client hears
    /// [`Answer::Json`].
    BulkFailure {
        /// The result.
        body: Bytes,
    },
    /// A page of query results.
    Page {
        /// JSON array.
        rows: Bytes,
        /// Whether the rows are whole twins (`Twin`) or not (`Raw`).
        twins: bool,
        /// What the next request has to name; `None` on the last page.
        continuation: Option<String>,
    },
}

/// A client says a call. Authorisation and user agent are its own affair.
pub fn say(call: &Call, api_version: ApiVersion) -> Request {
    let mut headers = vec![("accept", "application/json".to_owned())];
    let (method, path, body, if_match) = match call {
        Call::GetTwin(key) => ("GET", path("twins", key), None, None),
        Call::PatchTwin { key, if_match, body } => ("PATCH", path("twins", key), Some(body), Some(if_match)),
        Call::ReplaceTwin { key, if_match, body } => ("PUT", path("twins", key), Some(body), Some(if_match)),
        Call::GetIdentity(key) => ("GET", path("devices", key), None, None),
        Call::PutIdentity { key, if_match, body } => {
            ("PUT", path("devices", key), Some(body), Some(if_match))
        }
        Call::DeleteIdentity { key, if_match } => ("DELETE", path("devices", key), None, Some(if_match)),
        Call::ListDevices { .. } => ("GET", "/devices".to_owned(), None, None),
        Call::ListModules(device) => {
            ("GET", format!("/devices/{}/modules", percent_encode(device.as_str())), None, None)
        }
        Call::Bulk { body } => ("POST", "/devices".to_owned(), Some(body), None),
        Call::DeviceStatistics => ("GET", "/statistics/devices".to_owned(), None, None),
        Call::ServiceStatistics => ("GET", "/statistics/service".to_owned(), None, None),
        Call::Query { text, page_size, continuation } => {
            if let Some(size) = page_size {
                headers.push((MAX_ITEM_COUNT, size.to_string()));
            }
            if let Some(token) = continuation {
                headers.push((CONTINUATION, token.clone()));
            }
            let body = Bytes::from(json!({ "query": text }).to_string());
            headers.push((CONTENT_TYPE, JSON.to_owned()));
            let target = format!("/devices/query?{API_VERSION}={api_version}");
            return Request { method: "POST", target, headers, body };
        }
        Call::NotYet(name) => {
            let (method, template) = routes::split(name);
            (method, template.replace('{', "%7B").replace('}', "%7D"), None, None)
        }
    };
    match if_match {
        None | Some(IfMatch::Absent) => {}
        // Both quoted, as the Node and .NET SDKs send them.
        Some(IfMatch::Any) => headers.push((IF_MATCH, "\"*\"".to_owned())),
        Some(IfMatch::ETag(etag)) => headers.push((IF_MATCH, quoted(etag))),
    }
    if body.is_some() {
        headers.push((CONTENT_TYPE, JSON.to_owned()));
    }
    let mut target = format!("{path}?{API_VERSION}={api_version}");
    if let Call::ListDevices { top: Some(top) } = call {
        target.push_str(&format!("&{TOP}={top}"));
    }
    Request { method, target, headers, body: body.cloned().unwrap_or_default() }
}

/// A hub hears a call. `header` looks a lower-case header name up.
pub fn hear<'h>(
    method: &str,
    target: &str,
    header: &dyn Fn(&str) -> Option<&'h str>,
    body: Bytes,
) -> Result<(Call, ApiVersion), Refusal> {
    let (path, query) = split_target(target);
    let (operation, name, ids) = match routes::find(method, path) {
        Found::Route { operation, name, ids } => (operation, name, ids),
        Found::OtherMethods(allowed) => {
            let text = format!("'{}' is not allowed on this path; allowed are: {allowed}", shown(method));
            return Err(Refusal::new(HubCode::GENERIC_METHOD_NOT_ALLOWED, text).allowing(allowed));
        }
        Found::Nothing => {
            let text = format!("IoT Hub has no path '{}'", shown(path));
            return Err(Refusal::new(HubCode::GENERIC_NOT_FOUND, text));
        }
        Found::Undecodable => return Err(invalid("an id in the path is not percent-encoded UTF-8")),
    };
    let api_version = api_version(query)?;
    let key = || hear_key(&ids);
    let if_match = || if_match(header(IF_MATCH));
    let call = match operation {
        Operation::GetTwin => Call::GetTwin(key()?),
        Operation::PatchTwin => Call::PatchTwin { key: key()?, if_match: if_match(), body: not_empty(body)? },
        Operation::ReplaceTwin => {
            Call::ReplaceTwin { key: key()?, if_match: if_match(), body: not_empty(body)? }
        }
        Operation::GetIdentity => Call::GetIdentity(key()?),
        Operation::PutIdentity => {
            Call::PutIdentity { key: key()?, if_match: if_match(), body: not_empty(body)? }
        }
        Operation::DeleteIdentity => Call::DeleteIdentity { key: key()?, if_match: if_match() },
        Operation::ListDevices => {
            Call::ListDevices { top: parameter(query, TOP).map(|t| count(TOP, &t)).transpose()? }
        }
        Operation::ListModules => Call::ListModules(key()?.device),
        Operation::Bulk => Call::Bulk { body: not_empty(body)? },
        Operation::DeviceStatistics => Call::DeviceStatistics,
        Operation::ServiceStatistics => Call::ServiceStatistics,
        Operation::Query => Call::Query {
            text: query_text(&body)?,
            page_size: header(MAX_ITEM_COUNT).map(|t| count(MAX_ITEM_COUNT, t)).transpose()?,
            continuation: header(CONTINUATION).filter(|token| !token.is_empty()).map(str::to_owned),
        },
        // The last four are the devices', which `https` hears.
        Operation::NotYet
        | Operation::SendTelemetry
        | Operation::Receive
        | Operation::Complete
        | Operation::Abandon => Call::NotYet(name),
    };
    Ok((call, api_version))
}

/// The refusal of a documented operation that is not served yet ([`Call::NotYet`]): 501.
pub fn not_yet(name: &str) -> Refusal {
    Refusal::new(HubCode::NOT_IMPLEMENTED, format!("this hub does not serve '{name}' yet"))
}

/// A hub says an answer.
pub fn say_answer(answer: &Result<Answer, Refusal>, now: crate::Timestamp) -> Response {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut headers = vec![header(CONTENT_TYPE, JSON)];
    let (status, body) = match answer {
        Ok(Answer::Nothing) => {
            headers.clear();
            (204, Bytes::new())
        }
        Ok(Answer::Json { body, etag }) => {
            if let Some(etag) = etag {
                headers.push(header(ETAG, &quoted(etag)));
            }
            (200, body.clone())
        }
        Ok(Answer::BulkFailure { body }) => {
            headers.push(header(ERROR_CODE, HubCode::BULK_REGISTRY_OPERATION_FAILURE.name));
            (400, body.clone())
        }
        Ok(Answer::Page { rows, twins, continuation }) => {
            headers.push(header(ITEM_TYPE, if *twins { "Twin" } else { "Raw" }));
            if let Some(token) = continuation.as_deref().filter(|token| !token.is_empty()) {
                headers.push(header(CONTINUATION, token));
            }
            (200, rows.clone())
        }
        Err(refusal) => {
            headers.push(header(ERROR_CODE, refusal.code.name));
            if let Some(seconds) = refusal.retry_after {
                headers.push(header(RETRY_AFTER, &seconds.to_string()));
            }
            if let Some(methods) = &refusal.allowed_methods {
                headers.push(header(ALLOW, methods));
            }
            (refusal.code.status, Bytes::from(refusal.rest_body(now)))
        }
    };
    Response { status, headers, body }
}

/// A client hears an answer to its call; errors carry all facts.
pub fn hear_answer(call: &Call, response: Response) -> crate::Result<Answer> {
    let header = |name: &str| {
        response.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    if !(200..300).contains(&response.status) && !tells_of_items(call, &response) {
        return Err(status::rest_error(
            response.status,
            header(ERROR_CODE),
            header(RETRY_AFTER),
            &response.body,
        ));
    }
    if let Call::Query { .. } = call {
        let twins = header(ITEM_TYPE).is_some_and(|kind| kind.eq_ignore_ascii_case("twin"));
        let continuation = header(CONTINUATION).filter(|token| !token.is_empty()).map(str::to_owned);
        return Ok(Answer::Page { twins, continuation, rows: response.body });
    }
    if response.status == 204 || response.body.is_empty() {
        return Ok(Answer::Nothing);
    }
    let etag = header(ETAG).filter(|etag| !etag.is_empty()).map(ETag::new);
    Ok(Answer::Json { etag, body: response.body })
}

/// A bulk request that was refused in part may be answered with 400 and a body that tells about each item (OpenAPI:
/// `BulkRegistryOperationResult`).
fn tells_of_items(call: &Call, response: &Response) -> bool {
    matches!(call, Call::Bulk { .. })
        && response.status == 400
        && serde_json::from_slice::<Value>(&response.body)
            .is_ok_and(|body| body.get("isSuccessful").is_some())
}

pub(super) fn path(root: &str, key: &TwinKey) -> String {
    let device = percent_encode(key.device.as_str());
    match &key.module {
        None => format!("/{root}/{device}"),
        Some(module) => format!("/{root}/{device}/modules/{}", percent_encode(module.as_str())),
    }
}

fn quoted(etag: &ETag) -> String {
    quoted_text(etag.as_str())
}

pub(super) fn quoted_text(text: &str) -> String {
    format!("\"{text}\"")
}

/// Path and query of a target, which may be absolute (RFC 9112 3.2.2).
pub(super) fn split_target(target: &str) -> (&str, &str) {
    let absolute = target.strip_prefix("https://").or_else(|| target.strip_prefix("http://"));
    let target = match absolute {
        Some(rest) => &rest[rest.find(['/', '?']).unwrap_or(rest.len())..],
        None => target,
    };
    let target = target.split('#').next().unwrap_or_default();
    target.split_once('?').unwrap_or((target, ""))
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
    Some(percent_decode(value).unwrap_or_else(|| value.to_owned()))
}

pub(super) fn api_version(query: &str) -> Result<ApiVersion, Refusal> {
    let text = parameter(query, API_VERSION).ok_or_else(|| {
        Refusal::new(
            HubCode::INVALID_PROTOCOL_VERSION,
            format!("the request has no '{API_VERSION}' parameter"),
        )
    })?;
    ApiVersion::parse(&text).map_err(|e| Refusal::new(HubCode::INVALID_PROTOCOL_VERSION, e.message()))
}

pub(super) fn hear_key(ids: &[Option<String>; 2]) -> Result<TwinKey, Refusal> {
    let device = DeviceId::new(ids[0].as_deref().unwrap_or_default()).map_err(|e| invalid(e.message()))?;
    let module = ids[1].as_deref().map(ModuleId::new).transpose().map_err(|e| invalid(e.message()))?;
    Ok(TwinKey { device, module })
}

fn if_match(header: Option<&str>) -> IfMatch {
    match header.map(str::trim) {
        None | Some("") => IfMatch::Absent,
        Some("*" | "\"*\"") => IfMatch::Any,
        Some(text) => IfMatch::ETag(ETag::new(text)),
    }
}

fn not_empty(body: Bytes) -> Result<Bytes, Refusal> {
    // The service's own text for a missing body or query.
    if body.is_empty() { Err(Refusal::new(HubCode::ARGUMENT_NULL, "BadRequest")) } else { Ok(body) }
}

fn count(name: &str, text: &str) -> Result<u32, Refusal> {
    match text.trim().parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(invalid(format!("'{name}' is not a whole number above zero"))),
    }
}

fn query_text(body: &Bytes) -> Result<String, Refusal> {
    let format = |text: String| Refusal::new(HubCode::IOT_HUB_FORMAT_ERROR, text);
    if body.is_empty() {
        return Err(Refusal::new(HubCode::ARGUMENT_NULL, "BadRequest"));
    }
    let value: Value =
        serde_json::from_slice(body).map_err(|e| format(format!("the body is not JSON: {e}")))?;
    match value.get("query") {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
        Some(Value::String(_)) | None | Some(Value::Null) => {
            Err(Refusal::new(HubCode::ARGUMENT_NULL, "BadRequest"))
        }
        Some(_) => Err(format("'query' is not a string".to_owned())),
    }
}

pub(super) fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::new(HubCode::ARGUMENT_INVALID, text)
}

fn shown(text: &str) -> String {
    text.chars().take(120).flat_map(char::escape_debug).collect()
}
