//! The service REST interface: method, path, query, headers, body (facts 2.4, 3.6, node-sdk 2.6).
use super::{ApiVersion, Refusal};
use crate::{DeviceId, ETag, TwinKey};
use bytes::Bytes;

/// If-Match, as the type says it.
#[derive(Clone, Debug, PartialEq)]
pub enum IfMatch {
    /// no header: unconditional (our decision, facts 8)
    Absent,
    /// `*`
    Any,
    /// an etag
    ETag(ETag),
}

/// One call of the service API.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Call {
    GetTwin(TwinKey),
    PatchTwin {
        key: TwinKey,
        if_match: IfMatch,
        body: Bytes,
    },
    ReplaceTwin {
        key: TwinKey,
        if_match: IfMatch,
        body: Bytes,
    },
    GetIdentity(TwinKey),
    PutIdentity {
        key: TwinKey,
        if_match: IfMatch,
        body: Bytes,
    },
    DeleteIdentity {
        key: TwinKey,
        if_match: IfMatch,
    },
    ListDevices {
        top: Option<u32>,
    },
    ListModules(DeviceId),
    Bulk {
        body: Bytes,
    },
    DeviceStatistics,
    ServiceStatistics,
    Query {
        text: String,
        page_size: Option<u32>,
        continuation: Option<String>,
    },
    /// A path of the documented API that this hub does not serve yet; what it is.
    NotYet(&'static str),
}

/// An HTTP request, free of any HTTP library.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// `GET` …
    pub method: &'static str,
    /// path and query, percent-encoded
    pub target: String,
    /// name, value
    pub headers: Vec<(&'static str, String)>,
    /// empty if none
    pub body: Bytes,
}

/// An HTTP answer, free of any HTTP library.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// the status
    pub status: u16,
    /// lower-case name, value
    pub headers: Vec<(String, String)>,
    /// the body
    pub body: Bytes,
}

/// What a hub answers to a call.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Answer {
    /// 200 with a JSON body and an etag, if the thing has one
    Json { body: Bytes, etag: Option<ETag> },
    /// 204
    Nothing,
    /// a page of query results; `twins` tells `Twin` from `Raw`
    Page { rows: Bytes, twins: bool, continuation: Option<String> },
}

/// A client says a call.
pub fn say(call: &Call, api_version: ApiVersion) -> Request {
    todo!()
}
/// A hub hears a call. `header` looks a lower-case header name up.
pub fn hear<'h>(
    method: &str,
    target: &str,
    header: &dyn Fn(&str) -> Option<&'h str>,
    body: Bytes,
) -> Result<(Call, ApiVersion), Refusal> {
    todo!()
}
/// A hub says an answer.
pub fn say_answer(answer: &Result<Answer, Refusal>, now: crate::Timestamp) -> Response {
    todo!()
}
/// A client hears an answer; errors carry all facts.
pub fn hear_answer(call: &Call, response: Response) -> crate::Result<Answer> {
    todo!()
}
