//! One REST request after another, over a pool of kept-alive HTTPS connections.
//!
//! Redirects are never followed: a token must not travel to another host. An answer is read whole, up to
//! [`MAX_RESPONSE_BYTES`]. Errors tell whether the request can have reached the hub: nothing that failed
//! while connecting did ([`Delivery::NotSent`]); everything later is [`Delivery::Unknown`].

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use twin_core::wire::rest;
use twin_core::{Delivery, Error, ErrorKind, HostName, Result};

use crate::proxy::{self, ProxyServer};
use crate::{Options, tls};

/// Largest answer that is read, in bytes: 1,000 twins of 64 KB each, far more than a page ordinarily has.
pub const MAX_RESPONSE_BYTES: usize = 64 * 1024 * 1024;
/// Most memory taken for an answer before it is there, in bytes.
const MAX_PROMISED_BYTES: usize = 1024 * 1024;
/// Most idle connections kept per hub.
const MAX_IDLE_CONNECTIONS: usize = 16;
/// How long an idle connection is kept. Shorter than the hub's own limit, so that a request rarely meets a
/// connection that the other end is just closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);
/// How deep a chain of error sources is followed.
const MAX_SOURCES: usize = 16;

/// Sends REST requests to one hub. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    host: HostName,
    /// `https://host:port/`
    base: reqwest::Url,
    request_timeout: Duration,
}

impl HttpClient {
    /// For `host` (port 443 unless it names one). Opens nothing yet.
    ///
    /// Fails on certificates, proxies or options that cannot be used.
    pub fn new(host: &HostName, options: &Options) -> Result<Self> {
        let tls = std::sync::Arc::unwrap_or_clone(tls::client_config(options)?);
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .https_only(true)
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(options.connect_timeout)
            .timeout(options.request_timeout)
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE_TIMEOUT);
        // Which proxy is chosen by the same rules as for MQTT, not by the HTTP library's own reading of the environment.
        let builder = match proxy::choose(&options.proxy, host.host())? {
            None => builder.no_proxy(),
            Some(server) => builder.no_proxy().proxy(translate_proxy(server)?),
        };
        let client = builder.build().map_err(|e| {
            Error::new(ErrorKind::InvalidArgument, format!("no HTTPS client for {host}: {}", innermost(&e)))
        })?;
        let base = base(host)?;
        Ok(HttpClient { client, host: host.clone(), base, request_timeout: options.request_timeout })
    }

    /// The hub that requests go to.
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// Sends and waits for the whole answer, whatever its status. Dropping the future abandons the request.
    ///
    /// Errors are of kind network, TLS, timeout, protocol or too large, with their delivery; `InvalidArgument` if
    /// the target cannot be said in a URL (the id `..`, say).
    pub async fn send(&self, request: rest::Request) -> Result<rest::Response> {
        let request = self.translate(request)?;
        let answer = self.client.execute(request).await.map_err(|e| self.classify(e))?;
        self.read(answer).await
    }

    /// [`send`](HttpClient::send), for a request that a caller spelled: method, target (path and query, encoded), headers,
    /// body.
    ///
    /// Also fails with `InvalidArgument` on a method, header name or value that HTTP does not know.
    pub async fn send_spelled(
        &self,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) -> Result<rest::Response> {
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = self.build(method, target, headers, body)?;
        let answer = self.client.execute(request).await.map_err(|e| self.classify(e))?;
        self.read(answer).await
    }

    fn translate(&self, request: rest::Request) -> Result<reqwest::Request> {
        let headers = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
        self.build(request.method, &request.target, headers, request.body)
    }

    fn build<'h>(
        &self,
        method: &str,
        target: &str,
        headers: impl Iterator<Item = (&'h str, &'h str)>,
        body: Bytes,
    ) -> Result<reqwest::Request> {
        let unsaid = |what: &str| {
            Error::invalid(format!("{what} cannot be sent over HTTP")).with_delivery(Delivery::NotSent)
        };
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let mut url = self.base.clone();
        url.set_path(path);
        url.set_query(query);
        // A URL resolves `.` and `..` silently, also when percent-encoded: the request would reach something else.
        if url.path() != path || url.query() != query {
            return Err(unsaid(&format!("the target '{target}' (is an id '.' or '..'?)")));
        }
        let method = method.parse().map_err(|_| unsaid(&format!("the method '{method}'")))?;
        let mut out = reqwest::Request::new(method, url);
        for (name, value) in headers {
            let mut value = reqwest::header::HeaderValue::from_str(value)
                .map_err(|_| unsaid(&format!("the value of header '{name}'")))?;
            value.set_sensitive(name.eq_ignore_ascii_case("authorization"));
            let name = reqwest::header::HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| unsaid(&format!("header name '{name}'")))?;
            out.headers_mut().append(name, value);
        }
        if !body.is_empty() {
            *out.body_mut() = Some(body.into());
        }
        Ok(out)
    }

    async fn read(&self, mut answer: reqwest::Response) -> Result<rest::Response> {
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let too_large = || {
            Error::new(
                ErrorKind::TooLarge,
                format!(
                    "{} answers with more than {MAX_RESPONSE_BYTES} bytes; ask for smaller pages",
                    self.host
                ),
            )
            .with_status(status)
            .with_delivery(Delivery::Unknown)
        };
        let announced = answer.content_length().unwrap_or(0);
        if announced > MAX_RESPONSE_BYTES as u64 {
            return Err(too_large());
        }
        // In one piece where its size is told, but not on a promise alone: a small answer must not cost a large buffer.
        let mut body = BytesMut::with_capacity((announced as usize).min(MAX_PROMISED_BYTES));
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.classify(e))? {
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(rest::Response { status, headers, body: Bytes::from(body) })
    }

    /// What a failure of the HTTP library means, and whether the request can have been heard.
    fn classify(&self, error: reqwest::Error) -> Error {
        let host = &self.host;
        let connecting = error.is_connect();
        let delivery = if connecting || error.is_builder() { Delivery::NotSent } else { Delivery::Unknown };
        // The library's messages repeat the URL, which says nothing that the caller's context does not.
        let error = error.without_url();
        if let Some(fault) = tls::classify(&error, host.host()) {
            return fault.with_delivery(delivery);
        }
        let (kind, message) = if error.is_timeout() && connecting {
            (ErrorKind::Timeout, format!("no connection to {host} within the connect timeout"))
        } else if error.is_timeout() {
            (ErrorKind::Timeout, format!("{host} did not answer within {:?}", self.request_timeout))
        } else if connecting {
            (ErrorKind::Network, format!("no connection to {host}: {}", innermost(&error)))
        } else if is_malformed(&error) {
            (
                ErrorKind::Protocol,
                format!("{host} answered with something that is not HTTP: {}", innermost(&error)),
            )
        } else {
            (ErrorKind::Network, format!("the connection to {host} was lost: {}", innermost(&error)))
        };
        Error::new(kind, message).with_delivery(delivery).with_source(error)
    }
}

fn base(host: &HostName) -> Result<reqwest::Url> {
    reqwest::Url::parse(&format!("https://{host}/"))
        .map_err(|_| Error::invalid(format!("'{host}' is no host that a URL can name")))
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpClient({})", self.host)
    }
}

/// The error and its causes, outermost first; also those that `io::Error` hides behind `get_ref`.
fn causes<'e>(error: &'e (dyn std::error::Error + 'static)) -> Vec<&'e (dyn std::error::Error + 'static)> {
    let mut all = Vec::new();
    let mut next = Some(error);
    while let Some(e) = next {
        all.push(e);
        if all.len() == MAX_SOURCES {
            break;
        }
        let wrapped = e.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        next = wrapped.map(|w| w as &(dyn std::error::Error + 'static)).or_else(|| e.source());
    }
    all
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).last().map(|e| e.to_string()).unwrap_or_default()
}

fn is_malformed(error: &reqwest::Error) -> bool {
    // hyper's own errors tell a parse failure apart only in words.
    causes(error).iter().any(|e| {
        let text = e.to_string();
        text.contains("invalid HTTP")
            || text.contains("message head is too large")
            || text.contains("URI too long")
    })
}

fn translate_proxy(server: ProxyServer) -> Result<reqwest::Proxy> {
    let host = if server.host.contains(':') { format!("[{}]", server.host) } else { server.host };
    let proxy = reqwest::Proxy::all(format!("http://{host}:{}", server.port))
        .map_err(|_| Error::invalid(format!("'{host}:{}' is no address of a proxy", server.port)))?;
    Ok(match server.login {
        Some((user, password)) => proxy.basic_auth(&user, &password),
        None => proxy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_a_url_would_change_is_refused_before_anything_is_sent() {
        let client = HttpClient {
            client: reqwest::Client::builder().tls_backend_preconfigured(no_trust()).build().unwrap(),
            host: HostName::new("h.example:8443").unwrap(),
            base: base(&HostName::new("h.example:8443").unwrap()).unwrap(),
            request_timeout: Duration::from_secs(1),
        };
        let request = |target: &str| rest::Request {
            method: "GET",
            target: target.to_owned(),
            headers: vec![],
            body: Bytes::new(),
        };
        let good = client.translate(request("/twins/a%2Fb%23c?api-version=2021-04-12")).unwrap();
        assert_eq!(good.url().as_str(), "https://h.example:8443/twins/a%2Fb%23c?api-version=2021-04-12");
        for bad in ["/twins/..?v=1", "/twins/%2e%2E?v=1", "/twins/.", "/twins/a b", "@evil.example/x", "/x#y"]
        {
            let error = client.translate(request(bad)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{bad}");
            assert_eq!(error.delivery(), Some(Delivery::NotSent), "{bad}");
        }
    }

    fn no_trust() -> rustls::ClientConfig {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth()
    }
}
