//! What CONNECT carries: client id and user name.

use crate::TwinKey;
use crate::address::{percent_decode, percent_encode};
use crate::error::{Error, Result};
use crate::wire::ApiVersion;

const API_VERSION: &str = "api-version";
const PRODUCT_INFO: &str = "DeviceClientType";
const MODEL_ID: &str = "model-id";

/// What a device puts into CONNECT's user name.
#[derive(Clone, Debug, PartialEq)]
pub struct Login {
    /// The hub's name, with the port if the connection string had one; never a gateway's.
    pub host: String,
    /// Who connects.
    pub key: TwinKey,
    /// `api-version`; `None` when missing: IoT Hub lets such a device connect.
    pub api_version: Option<ApiVersion>,
    /// `DeviceClientType`, decoded.
    pub product_info: Option<String>,
    /// `model-id`, decoded.
    pub model_id: Option<String>,
}

/// CONNECT's user name: `{host}/{device}[/{module}]/?api-version=…[&model-id=…][&DeviceClientType=…]`.
pub fn say_login(login: &Login) -> String {
    let mut text = format!("{}/{}/", login.host, login.key);
    let mut separator = "?";
    let mut parameter = |name: &str, value: &str| {
        for piece in [separator, name, "=", value] {
            text.push_str(piece);
        }
        separator = "&";
    };
    if let Some(version) = login.api_version {
        parameter(API_VERSION, &version.to_string());
    }
    if let Some(model) = &login.model_id {
        parameter(MODEL_ID, &percent_encode(model));
    }
    if let Some(product) = &login.product_info {
        parameter(PRODUCT_INFO, &percent_encode(product));
    }
    if separator == "?" {
        // Marks the end of an id that begins with a '?' itself.
        text.push('?');
    }
    text
}

/// Reads CONNECT's user name; also the form without `?` (IoT Edge's hub takes it), without parameters, and with
/// parameters that mean nothing to us, such as `auth-chain`.
pub fn hear_login(username: &str) -> Result<Login> {
    let wrong = |why: &str| {
        Error::invalid(format!(
            "the user name {why}; it has to be {{host}}/{{device}}[/{{module}}]/?{API_VERSION}={}",
            ApiVersion::OURS
        ))
    };
    let (host, rest) = username.split_once('/').ok_or_else(|| wrong("has no '/'"))?;
    if host.is_empty() {
        return Err(wrong("names no host"));
    }
    let (device, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let (module, parameters) = split_module(rest);
    let key = match module {
        Some(module) => TwinKey::module(device, module),
        None => TwinKey::device(device),
    };
    let mut login = Login {
        host: host.to_owned(),
        key: key.map_err(|e| wrong(&format!("is wrong ({})", e.message())))?,
        api_version: None,
        product_info: None,
        model_id: None,
    };
    for pair in parameters.split('&') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = percent_decode(value).unwrap_or_else(|| value.to_owned());
        match name {
            API_VERSION => login.api_version = Some(ApiVersion::parse(&value)?),
            PRODUCT_INFO => login.product_info = Some(value),
            MODEL_ID => login.model_id = Some(value),
            _ => {}
        }
    }
    Ok(login)
}

/// Parts a module from the parameters after it. An id may begin with `?`: it is one if another `?` follows it.
fn split_module(rest: &str) -> (Option<&str>, &str) {
    let names = [API_VERSION, PRODUCT_INFO, MODEL_ID];
    let begins_with_parameters = names
        .iter()
        .any(|name| unmarked(rest).strip_prefix(name).is_some_and(|value| value.starts_with('=')));
    let (module, tail) = rest.split_once('/').unwrap_or((rest, ""));
    let is_module =
        !begins_with_parameters && !module.is_empty() && (!rest.starts_with('?') || tail.starts_with('?'));
    if is_module { (Some(module), unmarked(tail)) } else { (None, unmarked(rest)) }
}

fn unmarked(parameters: &str) -> &str {
    parameters.strip_prefix('?').unwrap_or(parameters)
}

/// CONNECT's client id: `device` or `device/module`.
pub fn say_client_id(key: &TwinKey) -> String {
    key.to_string()
}

/// Reads CONNECT's client id.
pub fn hear_client_id(text: &str) -> Result<TwinKey> {
    let key = match text.split_once('/') {
        Some((device, module)) => TwinKey::module(device, module),
        None => TwinKey::device(text),
    };
    key.map_err(|e| e.context("the client id has to be {device} or {device}/{module}"))
}
