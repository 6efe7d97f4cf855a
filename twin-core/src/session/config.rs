//! How a session behaves.

use std::time::Duration;

use super::RetryPolicy;
use crate::auth::Credential;
use crate::{HostName, TwinKey};

/// How the session behaves. Make one with [`Config::new`], then change members.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The hub: what tokens are made for.
    pub host: HostName,
    /// The device or module.
    pub key: TwinKey,
    /// How it proves itself.
    pub credential: Credential,
    /// Lifetime of tokens made from a key. Default 1 h, as the official SDKs; at least 1 s.
    pub token_lifetime: Duration,
    /// How long before its end a token is renewed, or the end of a given one announced, as a share of its
    /// lifetime. Default 0.15 (.NET SDK's renewal buffer); kept within 0.01 to 0.9.
    pub token_renew_share: f64,
    /// Longest wait for one answer while connected; then the request is sent again, or fails. Default 30 s,
    /// at least 100 ms.
    pub answer_timeout: Duration,
    /// Longest a request may take in all, reconnections included. Default 240 s, as the Node SDK.
    pub request_timeout: Duration,
    /// When to connect again, and when to repeat a request that the hub refused for the moment.
    pub retry: RetryPolicy,
    /// Whether waiting reports without if-version merge into one message. Default true.
    pub merge_reports: bool,
    /// Most requests waiting at once; one more fails at once. Default 1024.
    pub max_pending: usize,
    /// Most report messages in flight at once. Default 1: with more, Azure's hub may apply them in any order
    /// (azure-docs #88848), a report that would have to be sent again fails if a later one was answered already, and
    /// two that both end with delivery unknown may have taken effect in either order.
    pub max_reports_in_flight: usize,
    /// Most telemetry messages and settlements in flight at once. Default 32.
    pub max_posts_in_flight: usize,
    /// Whether the transport carries twins; over HTTPS it does not, and requests for them are refused at once. Default
    /// true.
    pub twins: bool,
    /// Whether the driver can renew a token in place (AMQP). Default false.
    pub renew_in_place: bool,
}

impl Config {
    /// Defaults for one device or module.
    pub fn new(host: HostName, key: TwinKey, credential: Credential) -> Self {
        Config {
            host,
            key,
            credential,
            token_lifetime: Duration::from_secs(3600),
            token_renew_share: 0.15,
            answer_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(240),
            retry: RetryPolicy::default(),
            merge_reports: true,
            max_pending: 1024,
            max_reports_in_flight: 1,
            max_posts_in_flight: 32,
            twins: true,
            renew_in_place: false,
        }
    }
}
