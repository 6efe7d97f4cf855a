//! Many registry operations in one request (REST reference: bulk registry operation, ExportImportDevice). Each item
//! stands for itself: one that fails changes nothing and does not stop the others.

use serde_json::{Value, json};
use twin_core::identity::Identity;
use twin_core::twin::patch::Rules;
use twin_core::twin::{ETag, TwinPatch, strict};
use twin_core::wire::rest::IfMatch;
use twin_core::wire::{HubCode, Refusal};

use super::{Done, Record, Step, refuse, registry, twins};

/// Most items in one request (IoT Hub quotas).
pub(crate) const MAX_ITEMS: usize = 100;

/// What to do with one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Create,
    CreateOrUpdate { if_match: bool },
    Update { if_match: bool },
    UpdateTwin { if_match: bool },
    Delete { if_match: bool },
}

/// One item, parsed; what could not be parsed fails when its turn comes.
#[derive(Debug)]
pub(crate) struct BulkItem {
    device_id: String,
    module_id: Option<String>,
    /// as spelled in the request
    operation: String,
    parsed: Result<Parsed, Refusal>,
}

#[derive(Debug)]
struct Parsed {
    mode: Mode,
    identity: Box<Identity>,
    etag: Option<ETag>,
    twin_etag: Option<ETag>,
    twin: TwinPatch,
}

/// What became of the items: nothing is said about those that went well.
#[derive(Debug)]
pub(crate) struct BulkResult {
    errors: Vec<Value>,
}

impl BulkResult {
    /// Whether every item went well.
    pub(crate) fn is_successful(&self) -> bool {
        self.errors.is_empty()
    }

    /// The body of the answer.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "isSuccessful": self.is_successful(), "errors": self.errors, "warnings": [] })
    }
}

impl BulkItem {
    /// Reads the body of a bulk request. `rules` are those of whole content: nulls are refused.
    pub(crate) fn parse_all(body: &[u8], rules: Rules) -> Result<Vec<BulkItem>, Refusal> {
        let Value::Array(items) =
            strict::value("The body", body).map_err(|e| refuse::malformed(e.to_string()))?
        else {
            return Err(refuse::malformed("The body is no JSON array of devices"));
        };
        if items.len() > MAX_ITEMS {
            return Err(Refusal::new(
                HubCode::TOO_MANY_DEVICES,
                format!("The request has {} items; at most {MAX_ITEMS} are allowed", items.len()),
            ));
        }
        if items.is_empty() {
            return Err(Refusal::new(HubCode::ARGUMENT_NULL, "The request has no items"));
        }
        let items: Vec<BulkItem> = items.into_iter().map(|item| BulkItem::parse(item, rules)).collect();
        let mut seen = std::collections::HashSet::new();
        for item in &items {
            if !seen.insert((&item.device_id, &item.module_id)) {
                return Err(Refusal::new(
                    HubCode::DEVICE_DEFINED_MULTIPLE_TIMES,
                    format!("The request names the device '{}' more than once", item.device_id),
                ));
            }
        }
        Ok(items)
    }

    fn parse(item: Value, rules: Rules) -> BulkItem {
        let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        let (device_id, module_id) = (text("id").unwrap_or_default(), text("moduleId"));
        let operation = text("importMode").unwrap_or_else(|| "createOrUpdate".into());
        let parsed = parse_mode(&operation).and_then(|mode| parse_item(item, mode, rules));
        BulkItem { device_id, module_id, operation, parsed }
    }
}

/// Any case: .NET's and Node's spellings differ.
fn parse_mode(text: &str) -> Result<Mode, Refusal> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "create" => Mode::Create,
        "createorupdate" => Mode::CreateOrUpdate { if_match: false },
        "createorupdateifmatchetag" => Mode::CreateOrUpdate { if_match: true },
        "update" => Mode::Update { if_match: false },
        "updateifmatchetag" => Mode::Update { if_match: true },
        "updatetwin" => Mode::UpdateTwin { if_match: false },
        "updatetwinifmatchetag" => Mode::UpdateTwin { if_match: true },
        "delete" => Mode::Delete { if_match: false },
        "deleteifmatchetag" => Mode::Delete { if_match: true },
        _ => return Err(refuse::invalid(format!("'{}' is no importMode", text.escape_debug()))),
    })
}

fn parse_item(item: Value, mode: Mode, rules: Rules) -> Result<Parsed, Refusal> {
    let Value::Object(mut members) = item else {
        return Err(refuse::malformed("An item of a bulk request is a JSON object"));
    };
    let etag = |value: Option<Value>| value.as_ref().and_then(Value::as_str).map(ETag::new);
    let (identity_etag, twin_etag) = (etag(members.remove("eTag")), etag(members.remove("twinETag")));
    members.remove("importMode");
    let mut twin = serde_json::Map::new();
    for name in ["tags", "properties"] {
        if let Some(value) = members.remove(name).filter(|v| !v.is_null()) {
            twin.insert(name.into(), value);
        }
    }
    let twin = TwinPatch::from_object(twin, rules).map_err(Refusal::from)?;
    if let Some(id) = members.remove("id") {
        members.insert("deviceId".into(), id);
    }
    let identity = Identity::from_json(Value::Object(members)).map_err(|e| refuse::invalid(e.message()))?;
    Ok(Parsed { mode, identity: Box::new(identity), etag: identity_etag, twin_etag, twin })
}

/// Does the items in order.
pub(super) fn run(at: &mut Step<'_>, items: Vec<BulkItem>) -> BulkResult {
    let mut errors = Vec::new();
    for item in items {
        let result = item.parsed.and_then(|parsed| run_one(at, parsed));
        if let Err(refusal) = result {
            let mut error = json!({
                "deviceId": item.device_id,
                "errorCode": refusal.code.name,
                "errorStatus": refusal.message,
                "operation": item.operation,
            });
            if let Some(module) = item.module_id {
                error["moduleId"] = module.into();
            }
            errors.push(error);
        }
    }
    BulkResult { errors }
}

fn run_one(at: &mut Step<'_>, item: Parsed) -> Result<(), Refusal> {
    let key = item.identity.key();
    let current = at.world.get(&key);
    let if_match = |only_if| twins::if_match(only_if, item.etag.as_ref());
    match (item.mode, current) {
        (Mode::Create, Some(_)) => Err(refuse::exists(&key)),
        (Mode::Create | Mode::CreateOrUpdate { .. }, None) => create(at, item).map(|_| ()),
        (Mode::CreateOrUpdate { if_match: only_if } | Mode::Update { if_match: only_if }, Some(record)) => {
            let if_match = if_match(only_if);
            // Everything that can be refused comes before the first change.
            registry::check_etag(&record.identity(), &if_match)?;
            if item.twin.tags.is_some() || item.twin.desired.is_some() {
                twins::replace(at, &key, &IfMatch::Any, &item.twin)?;
            }
            let record = at.world.get(&key).ok_or_else(|| refuse::not_found(&key))?;
            registry::update(at, &record, &if_match, *item.identity).map(|_| ())
        }
        (Mode::UpdateTwin { if_match: only_if }, Some(_)) => {
            let if_match = twins::if_match(only_if, item.twin_etag.as_ref());
            twins::replace(at, &key, &if_match, &item.twin).map(|_: Done| ())
        }
        (Mode::Delete { if_match: only_if }, Some(_)) => {
            registry::delete(at, &key, &if_match(only_if)).map(|_: Done| ())
        }
        (Mode::Update { .. } | Mode::UpdateTwin { .. } | Mode::Delete { .. }, None) => {
            Err(refuse::not_found(&key))
        }
    }
}

fn create(at: &mut Step<'_>, item: Parsed) -> Result<Record, Refusal> {
    let tags = item.twin.tags.as_ref().map(|t| t.as_object());
    registry::create(at, *item.identity, tags, item.twin.desired.as_ref())
}
