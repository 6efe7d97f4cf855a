//! What every command may need: the global options, and a registry made from them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use twin_core::auth::{DeviceConnectionString, ServiceConnectionString};
use twin_service::{ConnectionOptions, ModuleId, Registry, Retry, TwinKey};

use crate::fail::{Failure, Result};
use crate::out::Format;

const SERVICE_VARIABLE: &str = "IOTHUB_CONNECTION_STRING";
const DEVICE_VARIABLE: &str = "IOTHUB_DEVICE_CONNECTION_STRING";

/// Most times that one request is made.
const MAX_ATTEMPTS: u32 = 4;
/// No request is made again later than this after its first attempt.
const PATIENCE: Duration = Duration::from_secs(15);

/// Options that every command takes.
#[derive(Args)]
pub(crate) struct Global {
    /// Table for people, or JSON with stable keys for programs
    #[arg(short, long, global = true, value_enum, default_value = "table", help_heading = "Global options")]
    pub(crate) output: Format,
    /// Connection string of a backend (else $IOTHUB_CONNECTION_STRING) or, where a device acts, of a device
    /// (else $IOTHUB_DEVICE_CONNECTION_STRING)
    #[arg(long, global = true, value_name = "TEXT", hide_env_values = true, help_heading = "Global options")]
    pub(crate) connection_string: Option<String>,
    /// PEM file of CA certificates to trust beside the system's (SSL_CERT_FILE replaces the system's)
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// Names a device's twin, or one of its modules'.
#[derive(Args)]
pub(crate) struct Who {
    /// The device
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// A module on the device
    #[arg(long, value_name = "M")]
    pub(crate) module: Option<String>,
}

impl Who {
    pub(crate) fn key(&self) -> Result<TwinKey> {
        key(&self.id, self.module.as_deref())
    }
}

pub(crate) fn key(device: &str, module: Option<&str>) -> Result<TwinKey> {
    let mut key = TwinKey::device(device)?;
    key.module = module.map(ModuleId::new).transpose()?;
    Ok(key)
}

/// The global options, and what is made from them.
pub(crate) struct Context {
    global: Global,
}

impl Context {
    pub(crate) fn new(global: Global) -> Context {
        Context { global }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.global.output == Format::Json
    }

    /// The backend's connection string.
    pub(crate) fn service_string(&self) -> Result<String> {
        self.global.connection_string.clone().or_else(|| variable(SERVICE_VARIABLE)).ok_or_else(|| {
            Failure::misuse(format!(
                "no hub is named: give --connection-string, or set {SERVICE_VARIABLE} ('twin hub' prints one)"
            ))
        })
    }

    /// A device's connection string, if one is given: by option (when it names a device) or by variable (when no backend's
    /// is given in any way).
    pub(crate) fn device_string(&self) -> Result<Option<DeviceConnectionString>> {
        let text = match &self.global.connection_string {
            Some(text) if names_a_device(text) => Some(text.clone()),
            Some(_) => None,
            None if variable(SERVICE_VARIABLE).is_some() => None,
            None => variable(DEVICE_VARIABLE),
        };
        Ok(text.map(|text| DeviceConnectionString::parse(&text)).transpose()?)
    }

    /// The backend's connection string, parsed.
    pub(crate) fn service(&self) -> Result<ServiceConnectionString> {
        let text = self.service_string()?;
        if names_a_device(&text) {
            return Err(Failure::misuse(
                "this needs a backend's connection string (with SharedAccessKeyName); the one given is a device's",
            ));
        }
        Ok(ServiceConnectionString::parse(&text)?)
    }

    /// Trust and the like, as the options say.
    pub(crate) fn connection(&self) -> Result<ConnectionOptions> {
        let mut options = ConnectionOptions::default();
        if let Some(file) = &self.global.ca_file {
            let pem = std::fs::read_to_string(file)
                .map_err(|e| Failure::misuse(format!("--ca-file {}: {e}", file.display())))?;
            options.extra_ca_pem.push(pem);
        }
        Ok(options)
    }

    /// The backend's client.
    pub(crate) fn registry(&self) -> Result<Registry> {
        self.service()?;
        // Somebody waits in front of a terminal, or a script that can try again itself.
        let mut retry = Retry::default();
        retry.max_attempts = MAX_ATTEMPTS;
        retry.give_up_after = PATIENCE;
        Ok(Registry::builder(self.service_string()?).connection(self.connection()?).retry(retry).build()?)
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.trim().is_empty())
}

fn names_a_device(connection_string: &str) -> bool {
    connection_string.split(';').any(|part| {
        part.split_once('=').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("DeviceId"))
    })
}
