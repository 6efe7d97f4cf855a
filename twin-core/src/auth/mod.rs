//! Who is asking: connection strings, SAS tokens, credentials, policies.
pub mod connection_string;
pub mod credential;
pub mod key;
mod parts;
pub mod policy;
pub mod sas;

pub use connection_string::{DeviceConnectionString, ServiceConnectionString};
pub use credential::Credential;
pub use key::Key;
pub use policy::Permissions;
pub use sas::{SasToken, Scope};

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod secrets;
