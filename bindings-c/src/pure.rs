//! Functions without a network: merge and diff, tokens, connection strings, queries.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::time::Duration;

use serde_json::{Value, json};
use twin_core::auth::{Credential, DeviceConnectionString, Key, SasToken, ServiceConnectionString};
use twin_core::query::{Constant, Query};
use twin_core::twin::{Object, diff, merge};
use twin_core::{Error, Timestamp};
use twin_service::{QueryBuilder, field};

use crate::boundary::{Failure, guard, needed};
use crate::error::twin_error;
use crate::result::twin_result;
use crate::string::{give, twin_str, twin_string};

/// The library's version, "0.1.0"; lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn twin_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

fn object(text: twin_str, what: &str) -> Result<Object, Failure> {
    match text.json(what)? {
        Value::Object(object) => Ok(object),
        _ => Err(Failure::invalid(format!("{what} must be a JSON object"))),
    }
}

/// Applies a merge patch (RFC 7396) as the hub does.
///
/// target, patch: in, JSON objects; null in the patch removes.
/// merged: out, not NULL; free with twin_string_free.
/// error: out, may be NULL.
/// Results: TWIN_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn twin_merge(
    target: twin_str,
    patch: twin_str,
    merged: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(merged, "merged")?;
        let mut target = object(target, "the target")?;
        merge(&mut target, &object(patch, "the patch")?);
        give(Some(out), &Value::Object(target).to_string())
    })
}

/// The merge patch that leads from one object to another.
///
/// before, after: in, JSON objects.
/// patch: out, not NULL; free with twin_string_free.
/// error: out, may be NULL.
/// Results: TWIN_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn twin_diff(
    before: twin_str,
    after: twin_str,
    patch: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(patch, "patch")?;
        let patch = diff(&object(before, "before")?, &object(after, "after")?);
        give(Some(out), &Value::Object(patch).to_string())
    })
}

/// Signs a shared access signature.
///
/// resource: in, not encoded: "host", "host/devices/d" or "host/devices/d/modules/m".
/// key: in, base64.
/// policy: in, the shared access policy that the key belongs to; no text: a device's or module's own key.
/// expires_at: in, seconds since 1970-01-01 UTC.
/// token: out, not NULL: a secret. Free with twin_string_free.
/// error: out, may be NULL.
/// Results: TWIN_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn twin_sas_make(
    resource: twin_str,
    key: twin_str,
    policy: twin_str,
    expires_at: u64,
    token: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(token, "token")?;
        let key = Key::from_base64(key.text("the key")?)?;
        let expiry = Timestamp::from_unix(Duration::from_secs(expires_at));
        let token =
            SasToken::sign(resource.text("the resource")?, &key, policy.optional("the policy")?, expiry);
        give(Some(out), token.expose())
    })
}

/// Checks a shared access signature: that it covers the resource, is not expired (clocks may differ by 300 s), and was
/// signed with the key.
///
/// token: in, "SharedAccessSignature sr=...".
/// resource: in, as for twin_sas_make.
/// key: in, base64.
/// now: in, seconds since 1970-01-01 UTC.
/// error: out, may be NULL: which of the three failed.
/// Results: TWIN_OK: it is good; TWIN_UNAUTHORIZED: it is not; TWIN_INVALID_ARGUMENT: it is no token.
#[unsafe(no_mangle)]
pub extern "C" fn twin_sas_check(
    token: twin_str,
    resource: twin_str,
    key: twin_str,
    now: u64,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let token = SasToken::parse(token.text("the token")?)?;
        let key = Key::from_base64(key.text("the key")?)?;
        let now = Timestamp::from_unix(Duration::from_secs(now));
        Ok(token.verify(resource.text("the resource")?, [&key], now)?)
    })
}

/// Reads a connection string, of a device, a module or a backend.
///
/// text: in.
/// parts: out, not NULL: JSON without the secrets: {"hostName":"...","deviceId":"...","moduleId":"...","policy":"...",
/// "gatewayHostName":"...","credential":"key"|"token"|"certificate"}, members that are not there left out. Free with twin_string_free.
/// error: out, may be NULL.
/// Results: TWIN_INVALID_ARGUMENT, whose message names the part and never repeats its value.
#[unsafe(no_mangle)]
pub extern "C" fn twin_connection_string_parse(
    text: twin_str,
    parts: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(parts, "parts")?;
        let text = text.text("the connection string")?;
        let mut parts = Object::new();
        let mut put = |name: &str, value: Option<String>| {
            parts.extend(value.map(|value| (name.to_owned(), json!(value))));
        };
        let credential = match ServiceConnectionString::parse(text) {
            Ok(service) => {
                put("hostName", Some(service.host.to_string()));
                service.credential
            }
            Err(_) => {
                let device = DeviceConnectionString::parse(text)?;
                put("hostName", Some(device.host.to_string()));
                put("deviceId", Some(device.key.device.to_string()));
                put("moduleId", device.key.module.map(|m| m.to_string()));
                put("gatewayHostName", device.gateway.map(|g| g.to_string()));
                device.credential
            }
        };
        let (name, policy) = match credential {
            Credential::Key { policy, .. } => ("key", policy),
            Credential::Token(token) => ("token", token.policy().map(str::to_owned)),
            // A kind of credential that comes later has neither key nor token.
            _ => ("certificate", None),
        };
        put("credential", Some(name.to_owned()));
        put("policy", policy);
        give(Some(out), &Value::Object(parts).to_string())
    })
}

/// Reads a query as the hub would, and writes it in the usual spelling.
///
/// text: in.
/// normal: out, may be NULL; free with twin_string_free.
/// error: out, may be NULL: what is wrong, and where.
/// Results: TWIN_INVALID_ARGUMENT or TWIN_REJECTED: it is no query.
#[unsafe(no_mangle)]
pub extern "C" fn twin_query_parse(
    text: twin_str,
    normal: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let query = Query::parse(text.text("the query")?).map_err(Error::from)?;
        match normal {
            Some(out) => give(Some(out), &query.to_string()),
            None => Ok(()),
        }
    })
}

/// Builds a query into which nothing can be injected: values become constants, paths become names.
///
/// source: in, "devices" or "devices.modules".
/// conditions: in, a JSON array of [path, operator, value], all of which must hold:
/// [["tags.plant","=","Redmond43"],["properties.reported.on","is_defined"]]. Operators: = != < <= > >= in nin is_defined; `in` and
/// `nin` take an array. No text: every twin.
/// text: out, not NULL; free with twin_string_free.
/// error: out, may be NULL.
/// Results: TWIN_INVALID_ARGUMENT, whose message names the condition.
#[unsafe(no_mangle)]
pub extern "C" fn twin_query_build(
    source: twin_str,
    conditions: twin_str,
    text: Option<&mut MaybeUninit<twin_string>>,
    error: Option<&mut MaybeUninit<twin_error>>,
) -> twin_result {
    guard(error, || {
        let out = needed(text, "text")?;
        let mut query = match source.text("the source")? {
            "devices" => QueryBuilder::devices(),
            "devices.modules" => QueryBuilder::modules(),
            other => {
                return Err(Failure::invalid(format!("'{other}' is neither devices nor devices.modules")));
            }
        };
        let conditions = match conditions.optional("the conditions")? {
            None => Vec::new(),
            Some(_) => match conditions.json("the conditions")? {
                Value::Array(conditions) => conditions,
                _ => return Err(Failure::invalid("the conditions must be a JSON array")),
            },
        };
        for (i, condition) in conditions.iter().enumerate() {
            query = filter(query, condition)
                .map_err(|why| Failure::invalid(format!("condition {} {why}", i + 1)))?;
        }
        let query = query.build().map_err(Error::from)?;
        give(Some(out), &query.to_string())
    })
}

fn filter(query: QueryBuilder, condition: &Value) -> Result<QueryBuilder, String> {
    let parts = condition.as_array().map(Vec::as_slice).unwrap_or_default();
    let [Value::String(path), Value::String(operator), rest @ ..] = parts else {
        return Err("must be [path, operator, value]".into());
    };
    let path = field(path);
    let value = || match rest {
        [value] => constant(value),
        _ => Err(format!("must have one value after '{operator}'")),
    };
    let values = || match rest {
        [Value::Array(values)] => values.iter().map(constant).collect::<Result<Vec<_>, _>>(),
        _ => Err(format!("must have an array after '{operator}'")),
    };
    Ok(query.filter(match operator.as_str() {
        "=" => path.eq(value()?),
        "!=" => path.ne(value()?),
        "<" => path.lt(value()?),
        "<=" => path.le(value()?),
        ">" => path.gt(value()?),
        ">=" => path.ge(value()?),
        "in" => path.is_in(values()?),
        "nin" => path.not_in(values()?),
        "is_defined" if rest.is_empty() => path.is_defined(),
        other => return Err(format!("has an unknown operator '{other}'")),
    }))
}

fn constant(value: &Value) -> Result<Constant, String> {
    match value {
        Value::Null => Ok(Constant::Null),
        Value::Bool(flag) => Ok((*flag).into()),
        Value::String(text) => Ok(text.as_str().into()),
        Value::Number(number) => {
            number.as_f64().map(Into::into).ok_or_else(|| "has an impossible number".into())
        }
        _ => Err("compares with an array or object, which is never true".into()),
    }
}
