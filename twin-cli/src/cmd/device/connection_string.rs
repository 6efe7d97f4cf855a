//! `twin device connection-string ID`

use clap::Args;
use serde_json::json;
use twin_service::{Authentication, Identity};

use crate::context::{Context, Who};
use crate::fail::{Failure, Result};
use crate::out;

/// Prints the connection string of a device or module: a secret.
#[derive(Args)]
pub(crate) struct ConnectionString {
    #[command(flatten)]
    who: Who,
    /// With the secondary key
    #[arg(long)]
    secondary: bool,
}

impl ConnectionString {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        let registry = cx.registry()?;
        let identity = registry.get(&self.who.key()?).await?;
        let text = connection_string(&registry.host().to_string(), &identity, self.secondary)?;
        if cx.is_json() { out::json(&json!({ "connectionString": text })) } else { out::line(text) }
    }
}

/// What the device connects with.
pub(crate) fn connection_string(host: &str, identity: &Identity, secondary_key: bool) -> Result<String> {
    let module = identity.module_id.as_ref().map(|m| format!(";ModuleId={m}")).unwrap_or_default();
    let proof = match &identity.authentication {
        Some(Authentication::Sas { primary, secondary }) => {
            let key = if secondary_key { secondary } else { primary };
            format!("SharedAccessKey={}", &*key.expose_base64())
        }
        Some(Authentication::SelfSigned { .. } | Authentication::CertificateAuthority) => {
            "x509=true".to_owned()
        }
        Some(Authentication::None) | None => {
            return Err(Failure::local(format!(
                "'{}' has no authentication of its own, so nothing can connect as it",
                identity.key()
            )));
        }
    };
    Ok(format!("HostName={host};DeviceId={}{module};{proof}", identity.device_id))
}
