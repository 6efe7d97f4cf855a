//! What a client can speak for.

use twin_core::{Error, Result, TwinKey};

/// What kind of identity a [`Client`](crate::Client) speaks for: [`Device`] or [`Module`].
pub trait Kind: sealed::Sealed + 'static {
    #[doc(hidden)]
    fn check(key: &TwinKey) -> Result<()>;
}

mod sealed {
    /// Keeps [`super::Kind`] to the two there are.
    pub trait Sealed {}
    impl Sealed for super::Device {}
    impl Sealed for super::Module {}
}

/// A device.
#[derive(Debug)]
pub enum Device {}

/// A module on a device.
#[derive(Debug)]
pub enum Module {}

impl Kind for Device {
    fn check(key: &TwinKey) -> Result<()> {
        match &key.module {
            None => Ok(()),
            Some(module) => Err(Error::invalid(format!(
                "the connection string is that of module '{module}', not of a device; use ModuleClient"
            ))),
        }
    }
}

impl Kind for Module {
    fn check(key: &TwinKey) -> Result<()> {
        match &key.module {
            Some(_) => Ok(()),
            None => Err(Error::invalid(
                "the connection string is a device's: it has no ModuleId; use DeviceClient",
            )),
        }
    }
}
