//! The documented paths of the HTTP interfaces, and which of them this stack serves.
//!
//! Source: OpenAPI "IotHub Gateway Service APIs" 2020-09-30 (`service.json` of the Node service SDK) and, for device
//! paths, "IoT Hub device REST" as the Node SDK calls it (`http.ts`). Fixed segments compare exactly, as every SDK
//! writes them. Ids are percent-decoded once, after the path was cut at its slashes.

use crate::address::percent_decode;

/// What a served path does; which ids it carries is in its template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    GetTwin,
    PatchTwin,
    ReplaceTwin,
    GetIdentity,
    PutIdentity,
    DeleteIdentity,
    ListDevices,
    ListModules,
    Bulk,
    DeviceStatistics,
    ServiceStatistics,
    Query,
    SendTelemetry,
    Receive,
    Complete,
    Abandon,
    /// Documented, not served yet.
    NotYet,
}

use Operation::*;

/// A method and a template (`{x}` is one segment of any text), and what they do.
type Route = (&'static str, Operation);

const ROUTES: &[Route] = &[
    ("GET /twins/{id}", GetTwin),
    ("PATCH /twins/{id}", PatchTwin),
    ("PUT /twins/{id}", ReplaceTwin),
    ("GET /twins/{id}/modules/{mid}", GetTwin),
    ("PATCH /twins/{id}/modules/{mid}", PatchTwin),
    ("PUT /twins/{id}/modules/{mid}", ReplaceTwin),
    ("POST /devices/query", Query),
    ("GET /devices", ListDevices),
    ("POST /devices", Bulk),
    ("GET /devices/{id}", GetIdentity),
    ("PUT /devices/{id}", PutIdentity),
    ("DELETE /devices/{id}", DeleteIdentity),
    ("GET /devices/{id}/modules", ListModules),
    ("GET /devices/{id}/modules/{mid}", GetIdentity),
    ("PUT /devices/{id}/modules/{mid}", PutIdentity),
    ("DELETE /devices/{id}/modules/{mid}", DeleteIdentity),
    ("GET /statistics/devices", DeviceStatistics),
    ("GET /statistics/service", ServiceStatistics),
    ("POST /twins/{id}/methods", NotYet),
    ("POST /twins/{id}/modules/{mid}/methods", NotYet),
    ("POST /devices/{id}/applyConfigurationContent", NotYet),
    ("DELETE /devices/{id}/commands", NotYet),
    ("GET /configurations", NotYet),
    ("POST /configurations/testQueries", NotYet),
    ("GET /configurations/{id}", NotYet),
    ("PUT /configurations/{id}", NotYet),
    ("DELETE /configurations/{id}", NotYet),
    ("POST /jobs/create", NotYet),
    ("GET /jobs", NotYet),
    ("GET /jobs/v2/query", NotYet),
    ("GET /jobs/v2/{id}", NotYet),
    ("PUT /jobs/v2/{id}", NotYet),
    ("POST /jobs/v2/{id}/cancel", NotYet),
    ("GET /jobs/{id}", NotYet),
    ("DELETE /jobs/{id}", NotYet),
    ("GET /digitaltwins/{id}", NotYet),
    ("PATCH /digitaltwins/{id}", NotYet),
    ("POST /digitaltwins/{id}/commands/{command}", NotYet),
    ("POST /digitaltwins/{id}/components/{component}/commands/{command}", NotYet),
    ("GET /messages/serviceBound/feedback", NotYet),
    ("DELETE /messages/serviceBound/feedback/{lock}", NotYet),
    ("POST /messages/serviceBound/feedback/{lock}/abandon", NotYet),
    ("POST /devices/{id}/messages/events", SendTelemetry),
    ("POST /devices/{id}/modules/{mid}/messages/events", SendTelemetry),
    ("GET /devices/{id}/messages/devicebound", Receive),
    ("DELETE /devices/{id}/messages/devicebound/{lock}", Complete),
    ("POST /devices/{id}/messages/devicebound/{lock}/abandon", Abandon),
    ("POST /devices/{id}/files", NotYet),
    ("POST /devices/{id}/files/notifications", NotYet),
    ("POST /devices/{id}/files/notifications/{correlation}", NotYet),
];

/// What a request is for.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// A documented operation: its route and the ids in its path, at most two.
    Route { operation: Operation, name: &'static str, ids: [Option<String>; 2] },
    /// The path is documented for other methods; these.
    OtherMethods(String),
    /// No such path.
    Nothing,
    /// An id is not percent-encoded UTF-8.
    Undecodable,
}

pub(super) fn find(method: &str, path: &str) -> Found {
    let mut others = Vec::new();
    for (name, operation) in ROUTES {
        let (wanted, template) = split(name);
        if !matches(template, path) {
            continue;
        }
        if wanted != method {
            others.push(wanted);
            continue;
        }
        return match ids(template, path) {
            Some(ids) => Found::Route { operation: *operation, name, ids },
            None => Found::Undecodable,
        };
    }
    if others.is_empty() { Found::Nothing } else { Found::OtherMethods(others.join(", ")) }
}

/// Method and template of a route's name.
pub(super) fn split(name: &'static str) -> (&'static str, &'static str) {
    name.split_once(' ').unwrap_or(("GET", name))
}

/// The segments of a path; one slash at the end counts for nothing, as Node asks for `/devices/`.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).trim_end_matches('/').split('/')
}

fn matches(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (segments(template), segments(path));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(w), Some(g)) if w == g || (w.starts_with('{') && !g.is_empty()) => {}
            _ => return false,
        }
    }
}

fn ids(template: &str, path: &str) -> Option<[Option<String>; 2]> {
    let mut ids = [None, None];
    let captures = segments(template).zip(segments(path)).filter(|(w, _)| w.starts_with('{'));
    for (slot, (_, given)) in ids.iter_mut().zip(captures) {
        *slot = Some(percent_decode(given)?);
    }
    Some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_finds_itself() {
        for (name, operation) in ROUTES {
            let (method, template) = split(name);
            let found = find(method, template);
            assert!(
                matches!(&found, Found::Route { operation: o, name: n, .. } if o == operation && n == name),
                "{name}: {found:?}"
            );
        }
    }

    #[test]
    fn paths_that_are_none() {
        for path in [
            "",
            "/",
            "//",
            "/devicesx",
            "/twins",
            "/twins//",
            "/devices//modules",
            "/Twins/d",
            "/twins/d/x",
            "*",
        ] {
            assert_eq!(find("GET", path), Found::Nothing, "{path}");
        }
        assert_eq!(find("GET", "/twins/%ff"), Found::Undecodable);
        assert_eq!(find("POST", "/twins/d"), Found::OtherMethods("GET, PATCH, PUT".to_owned()));
        assert_eq!(find("get", "/statistics/devices"), Found::OtherMethods("GET".to_owned()));
    }

    #[test]
    fn a_device_may_be_called_query() {
        let found = find("GET", "/devices/query");
        assert!(matches!(found, Found::Route { operation: GetIdentity, .. }), "{found:?}");
    }
}
