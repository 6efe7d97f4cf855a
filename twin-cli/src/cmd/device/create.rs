//! `twin device create ID`

use clap::{Args, ValueEnum};
use twin_service::{Authentication, Identity, Status};

use super::print;
use crate::context::{Context, Who};
use crate::fail::{Failure, Result};
use crate::out;

/// Creates a device, or with --module a module on it. The hub makes the keys.
#[derive(Args)]
pub(crate) struct Create {
    #[command(flatten)]
    who: Who,
    /// How it proves itself: keys, the thumbprint of a certificate, or a certificate from a CA that the hub trusts
    #[arg(long, value_enum, default_value = "sas")]
    auth: Auth,
    /// SHA-1 or SHA-256 thumbprint of the certificate, in hex; a second one is the secondary
    #[arg(long, value_name = "HEX")]
    thumbprint: Vec<String>,
    /// An IoT Edge device
    #[arg(long)]
    edge: bool,
    /// May not connect yet
    #[arg(long)]
    disabled: bool,
    /// Shows the keys
    #[arg(long)]
    show_keys: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Auth {
    Sas,
    X509,
    Ca,
}

impl Create {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        let mut identity = Identity::new(self.who.key()?);
        identity.authentication = self.authentication()?;
        identity.edge = self.edge;
        if self.disabled {
            identity.status = Status::Disabled;
        }
        let made = cx.registry()?.create(&identity).await?;
        print::identity(cx, &made, self.show_keys)?;
        if self.auth == Auth::Sas && !self.show_keys {
            let module = self.who.module.map(|m| format!(" --module '{m}'")).unwrap_or_default();
            out::talk(format!(
                "its connection string: twin device connection-string '{}'{module}",
                self.who.id
            ));
        }
        Ok(())
    }

    fn authentication(&self) -> Result<Option<Authentication>> {
        match (self.auth, &self.thumbprint[..]) {
            (Auth::Sas, []) => Ok(None),
            (Auth::Ca, []) => Ok(Some(Authentication::CertificateAuthority)),
            (Auth::X509, []) => Err(Failure::misuse("--auth x509 needs the certificate's --thumbprint")),
            (Auth::X509, [_, _, _, ..]) => Err(Failure::misuse("there are at most two thumbprints")),
            (Auth::X509, [primary, rest @ ..]) => Ok(Some(Authentication::SelfSigned {
                primary: Some(thumbprint(primary)?),
                secondary: rest.first().map(|t| thumbprint(t)).transpose()?,
            })),
            (_, [_, ..]) => Err(Failure::misuse("--thumbprint goes with --auth x509 alone")),
        }
    }
}

/// Upper-case hex without the colons that openssl prints.
fn thumbprint(text: &str) -> Result<String> {
    let hex: String = text.chars().filter(|c| *c != ':').collect::<String>().to_ascii_uppercase();
    match (hex.len(), hex.bytes().all(|b| b.is_ascii_hexdigit())) {
        (40 | 64, true) => Ok(hex),
        _ => Err(Failure::misuse(format!(
            "'{text}' is no thumbprint: 40 (SHA-1) or 64 (SHA-256) hex digits; \
             'openssl x509 -noout -fingerprint -sha256 -in FILE' prints one"
        ))),
    }
}
