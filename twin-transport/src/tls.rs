//! Trust and client certificates as a rustls configuration.
use crate::Options;
use std::sync::Arc;
use twin_core::Result;

/// A rustls configuration (ring, no global provider) for `options`. Build it once and share it: it holds the trust store.
pub(crate) fn client_config(options: &Options) -> Result<Arc<rustls::ClientConfig>> {
    todo!()
}
