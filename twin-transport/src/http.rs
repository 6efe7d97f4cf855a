//! One REST request after another, over a pool of kept-alive HTTPS connections.
use crate::Options;
use twin_core::wire::rest;
use twin_core::{HostName, Result};

/// Sends REST requests to one hub. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpClient {/* … */}

impl HttpClient {
    /// For `host` (port 443 unless it names one).
    pub fn new(host: &HostName, options: &Options) -> Result<Self> {
        todo!()
    }
    /// Sends and waits for the whole answer. Errors are of kind network, TLS or timeout, with their delivery.
    pub async fn send(&self, request: rest::Request) -> Result<rest::Response> {
        todo!()
    }
}
