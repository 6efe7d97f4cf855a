//! `twin sas make`, `twin sas explain`

use std::io::Read;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use serde_json::json;
use twin_core::auth::{Credential, Key, SasToken, Scope, ServiceConnectionString};
use twin_core::{Timestamp, TwinKey};

use crate::context::{self, Context};
use crate::fail::{Failure, Result};
use crate::out;

/// SAS tokens.
#[derive(Subcommand)]
pub(crate) enum Sas {
    /// Make a token from the key of a connection string
    Make(Make),
    /// Say what a token is for, until when, and whether the key of a connection string made it
    Explain(Explain),
}

/// Makes a token and prints it: a secret.
///
/// From a backend's connection string: for the hub, or with --device for a device. From a device's: for that device.
#[derive(Args)]
pub(crate) struct Make {
    /// For this device alone
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// For this module on the device
    #[arg(long, value_name = "M", requires = "device")]
    module: Option<String>,
    /// How long it is good for, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=10 * 365 * 24 * 3600))]
    ttl: u64,
}

/// Explains a token without repeating its signature.
#[derive(Args)]
pub(crate) struct Explain {
    /// The token, or - for stdin
    #[arg(value_name = "TOKEN")]
    token: String,
}

impl Sas {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Sas::Make(make) => make.run(cx),
            Sas::Explain(explain) => explain.run(cx),
        }
    }
}

impl Make {
    fn run(self, cx: &Context) -> Result<()> {
        let (scope, key, policy) = self.source(cx)?;
        let expiry = now().plus(Duration::from_secs(self.ttl));
        let token = SasToken::sign(&scope.resource(), &key, policy.as_deref(), expiry);
        if !cx.is_json() {
            return out::line(token.expose());
        }
        out::json(&json!({
            "token": token.expose(),
            "resource": token.resource(),
            "policy": token.policy(),
            "expiry": token.expiry().to_string(),
        }))
    }

    /// What the token is for, and what signs it.
    fn source(&self, cx: &Context) -> Result<(Scope, Key, Option<String>)> {
        let (host, credential, own) = match cx.device_string()? {
            Some(device) => (device.host, device.credential, Some(device.key)),
            None => {
                let ServiceConnectionString { host, credential, .. } = cx.service()?;
                (host, credential, None)
            }
        };
        let Credential::Key { key, policy } = credential else {
            return Err(Failure::misuse("a token is made from a key, and the connection string has none"));
        };
        let wanted = match &self.device {
            Some(device) => Some(context::key(device, self.module.as_deref())?),
            None => own.clone(),
        };
        if let (Some(own), Some(wanted)) = (&own, &wanted) {
            check_own(own, wanted)?;
        }
        let scope = wanted.map_or_else(|| Scope::Hub(host.clone()), |key| Scope::Twin(host.clone(), key));
        Ok((scope, key, policy))
    }
}

fn check_own(own: &TwinKey, wanted: &TwinKey) -> Result<()> {
    if own == wanted {
        return Ok(());
    }
    Err(Failure::misuse(format!(
        "the key in the connection string is that of '{own}', which cannot sign for '{wanted}'"
    )))
}

impl Explain {
    fn run(self, cx: &Context) -> Result<()> {
        let text = if self.token == "-" { stdin()? } else { self.token };
        let token = SasToken::parse(text.trim())?;
        let signed = key(cx)?.map(|key| token.is_signed_by([&key]));
        if cx.is_json() {
            return out::json(&json!({
                "resource": token.resource(),
                "policy": token.policy(),
                "expiry": token.expiry().to_string(),
                "expired": token.expiry() < now(),
                "signedByKey": signed,
            }));
        }
        out::line(token.explain(now()).trim_end())?;
        out::line(match signed {
            Some(true) => "signed with     the key of the connection string",
            Some(false) => "signed with     NOT the key of the connection string",
            None => {
                "signed with     not checked; give the --connection-string whose key should have signed it"
            }
        })
    }
}

/// Longest token that is read, in bytes.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

fn stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_TOKEN_BYTES)
        .read_to_string(&mut text)
        .map_err(|e| Failure::misuse(format!("stdin: {e}")))?;
    Ok(text)
}

/// The key of whichever connection string is given, if any.
fn key(cx: &Context) -> Result<Option<Key>> {
    let credential = match cx.device_string()? {
        Some(device) => Some(device.credential),
        None if cx.service_string().is_ok() => Some(cx.service()?.credential),
        None => None,
    };
    Ok(match credential {
        Some(Credential::Key { key, .. }) => Some(key),
        _ => None,
    })
}

fn now() -> Timestamp {
    Timestamp::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
