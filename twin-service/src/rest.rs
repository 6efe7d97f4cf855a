//! The service API as requests and answers, for what this crate has no method for.

use std::fmt;

use bytes::Bytes;
use twin_core::{HostName, Result};
use twin_transport::http::HttpClient;

use crate::ConnectionOptions;

/// One answer of the hub, whatever its status.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct RestAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, and values, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Bytes,
}

impl fmt::Debug for RestAnswer {
    /// Not the body: it can hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Sends requests that the caller spelled, authorization included, to one hub, each exactly once. Cheap to clone; clones
/// share the connections.
///
/// This is what bindings and new features stand on; [`Registry`](crate::Registry) is what applications want. Needs a
/// tokio runtime where it is used.
///
/// ```
/// use twin_service::{ConnectionOptions, RestClient, SasToken};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> twin_service::Result<()> {
/// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
/// let mut options = ConnectionOptions::default();
/// options.extra_ca_pem.push(hub.ca_pem().into());
/// let client = RestClient::new(&hub.host_name().parse()?, &options)?;
/// let answer = client.send("GET", "/twins/lamp?api-version=2021-04-12", &[], "").await?;
/// assert_eq!(answer.status, 401);
/// # hub.close().await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RestClient(HttpClient);

impl RestClient {
    /// For `host` (port 443 unless it names one). Connects to nothing yet.
    ///
    /// # Errors
    /// `InvalidArgument` on certificates, a proxy or options that cannot be used.
    pub fn new(host: &HostName, options: &ConnectionOptions) -> Result<RestClient> {
        options.validate()?;
        HttpClient::new(host, options).map(RestClient)
    }

    /// The hub.
    pub fn host(&self) -> &HostName {
        self.0.host()
    }

    /// Sends one request and reads the whole answer; never tries again. `target` is path and query, percent-encoded.
    ///
    /// # Errors
    /// None for a status: that is an answer. Network, TLS, timeout and protocol failures, with their
    /// [`delivery`](crate::Error::delivery); `InvalidArgument` for what cannot be said in HTTP.
    pub async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: impl Into<Bytes>,
    ) -> Result<RestAnswer> {
        let answer = self.0.send_spelled(method, target, headers, body.into()).await?;
        Ok(RestAnswer { status: answer.status, headers: answer.headers, body: answer.body })
    }
}
