//! Properties of links.

use crate::error::Result;
use crate::wire::ApiVersion;

use super::Scalar;

const API_VERSION: &str = "com.microsoft:api-version";
const CLIENT_VERSION: &str = "com.microsoft:client-version";
const CHANNEL: &str = "com.microsoft:channel-correlation-id";
const MODEL_ID: &str = "com.microsoft:model-id";
const AUTH_CHAIN: &str = "com.microsoft:auth-chain";

/// What a client says of itself when it attaches a link. Never says what the link is for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkProperties {
    /// `com.microsoft:api-version`
    pub api_version: Option<ApiVersion>,
    /// `com.microsoft:client-version`: who made the client.
    pub client_version: Option<String>,
    /// `com.microsoft:channel-correlation-id`: the same on the two links of a pair; see [`say_channel_id`].
    pub channel: Option<String>,
    /// `com.microsoft:model-id`
    pub model_id: Option<String>,
    /// `com.microsoft:auth-chain`
    pub auth_chain: Option<String>,
}

/// What ties the two twin links of a client to each other; `id` is any unique text.
pub fn say_channel_id(id: &str) -> String {
    format!("twin:{id}")
}

/// The properties to attach a link with: names (symbols) and texts.
pub fn say_link_properties(properties: &LinkProperties) -> Vec<(&'static str, String)> {
    let version = properties.api_version.map(|v| v.to_string());
    [
        (API_VERSION, version.as_ref()),
        (CLIENT_VERSION, properties.client_version.as_ref()),
        (CHANNEL, properties.channel.as_ref()),
        (MODEL_ID, properties.model_id.as_ref()),
        (AUTH_CHAIN, properties.auth_chain.as_ref()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?.clone())))
    .collect()
}

/// Reads a link's properties; others are ignored.
///
/// # Errors
/// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when the api-version is none.
pub fn hear_link_properties<'p>(
    properties: impl IntoIterator<Item = (&'p str, Scalar)>,
) -> Result<LinkProperties> {
    let mut heard = LinkProperties::default();
    for (name, value) in properties {
        let Scalar::Text(text) = value else { continue };
        match name {
            API_VERSION => heard.api_version = Some(ApiVersion::parse(&text)?),
            CLIENT_VERSION => heard.client_version = Some(text),
            CHANNEL => heard.channel = Some(text),
            MODEL_ID => heard.model_id = Some(text),
            AUTH_CHAIN => heard.auth_chain = Some(text),
            _ => {}
        }
    }
    Ok(heard)
}
