//! HTTP proxies: which one to take, and CONNECT through it.
use std::env;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use twin_core::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

use crate::Proxy;

/// Largest head of a proxy's answer that is read, in bytes.
const MAX_ANSWER_HEAD: usize = 8 * 1024;

/// The port of a proxy whose URL names none (the scheme's).
const DEFAULT_PORT: u16 = 80;

/// A proxy to connect through.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ProxyServer {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// decoded user and password
    pub(crate) login: Option<(String, String)>,
}

/// Reads `http://[user:password@]host[:port][/]`; the scheme may be left out. The error shows no login.
pub(crate) fn parse(url: &str) -> Result<ProxyServer> {
    let wrong = |rule: &str| {
        Error::invalid(format!(
            "the proxy '{}': {rule}; use http://[user:password@]host:port",
            without_secrets(url)
        ))
    };
    let rest = match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        Some((scheme, _)) => return Err(wrong(&format!("scheme '{scheme}' is not supported"))),
        None => url,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (login, place) = match authority.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, authority),
    };
    let login = match login {
        None => None,
        Some(text) => {
            let (user, password) = text.split_once(':').unwrap_or((text, ""));
            let decode = |part| {
                twin_core::address::percent_decode(part)
                    .ok_or_else(|| wrong("its user or password is not UTF-8"))
            };
            Some((decode(user)?, decode(password)?))
        }
    };
    let name = twin_core::HostName::new(place).map_err(|e| wrong(e.message()))?;
    Ok(ProxyServer { host: name.host().into(), port: name.port().unwrap_or(DEFAULT_PORT), login })
}

/// The URL with its login taken out, fit to be shown.
pub(crate) fn without_secrets(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    match rest.rsplit_once('@') {
        Some((_, place)) => format!("{scheme}…@{place}"),
        None => format!("{scheme}{rest}"),
    }
}

/// The proxy to take to `host`, if any.
pub(crate) fn choose(proxy: &Proxy, host: &str) -> Result<Option<ProxyServer>> {
    match proxy {
        Proxy::None => Ok(None),
        Proxy::Url(url) => parse(url).map(Some),
        Proxy::Environment => from_environment(host, &|name| env::var(name).ok()),
    }
}

fn from_environment(host: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<ProxyServer>> {
    let either = |upper: &str| {
        [upper.to_ascii_lowercase(), upper.to_string()]
            .iter()
            .find_map(|name| variable(name).filter(|v| !v.trim().is_empty()))
    };
    if is_loopback(host) || either("NO_PROXY").is_some_and(|list| is_excepted(&list, host)) {
        return Ok(None);
    }
    for name in ["HTTPS_PROXY", "ALL_PROXY"] {
        if let Some(url) = either(name) {
            return parse(url.trim())
                .map(Some)
                .map_err(|e| e.context(format_args!("environment variable {name}")));
        }
    }
    Ok(None)
}

/// Whether `host` is this machine, where no proxy leads: a local hub is found whatever the environment says about proxies.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback())
}

/// Whether `NO_PROXY` (`a.example, .example, *`; a name covers its subdomains; ports are ignored) excepts `host`.
fn is_excepted(list: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    list.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
        let name = match twin_core::HostName::new(entry.trim_start_matches("*.").trim_start_matches('.')) {
            Ok(name) => name.host().to_string(),
            // Also what HostName does not take: a bare IPv6 address.
            Err(_) => entry.clone(),
        };
        entry == "*" || (!name.is_empty() && (host == name || host.ends_with(&format!(".{name}"))))
    })
}

/// Asks the proxy at the other end of `stream` for a tunnel to `host:port`.
pub(crate) async fn connect(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    proxy: &ProxyServer,
    host: &str,
    port: u16,
) -> Result<()> {
    let (me, bracketed) = (
        format!("the proxy '{}:{}'", proxy.host, proxy.port),
        if host.contains(':') { format!("[{host}]") } else { host.to_string() },
    );
    let lost = |e: std::io::Error| {
        Error::new(ErrorKind::Network, format!("{me} broke the connection off: {e}")).with_source(e)
    };
    let mut request =
        Zeroizing::new(format!("CONNECT {bracketed}:{port} HTTP/1.1\r\nHost: {bracketed}:{port}\r\n"));
    if let Some((user, password)) = &proxy.login {
        let login = Zeroizing::new(format!("{user}:{password}"));
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&Zeroizing::new(STANDARD.encode(login.as_bytes())));
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.map_err(lost)?;
    let mut head = Vec::new();
    // One byte at a time, so that nothing behind the head is swallowed; it is one short answer per connection.
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_ANSWER_HEAD {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("{me} answered with more than {MAX_ANSWER_HEAD} bytes"),
            ));
        }
        head.push(stream.read_u8().await.map_err(lost)?);
    }
    let line = String::from_utf8_lossy(&head);
    let line = line.lines().next().unwrap_or_default();
    match line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|s| s.parse::<u16>().ok()) {
        Some(200..=299) => Ok(()),
        Some(status) => {
            let (kind, advice) = match status {
                407 => {
                    (ErrorKind::Unauthorized, "it wants a user and password (http://user:password@host:port)")
                }
                403 => (ErrorKind::Forbidden, "it does not let us go there"),
                500..=599 => (ErrorKind::Unavailable, "it cannot reach the hub"),
                _ => (ErrorKind::Protocol, "it does not take CONNECT"),
            };
            Err(Error::new(kind, format!("{me} refused a tunnel to {host}:{port}: {advice}"))
                .with_status(status))
        }
        None => Err(Error::new(ErrorKind::Protocol, format!("{me} does not answer in HTTP"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tunnels() {
        let proxy = parse("http://u:p%40ss@p:1").unwrap();
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\nx: y\r\n\r\n", None),
            ("HTTP/1.0 200\r\n\r\n", None),
            ("HTTP/1.1 407 Auth\r\n\r\n", Some(ErrorKind::Unauthorized)),
            ("HTTP/1.1 403 No\r\n\r\n", Some(ErrorKind::Forbidden)),
            ("HTTP/1.1 502 Bad\r\n\r\n", Some(ErrorKind::Unavailable)),
            ("HTTP/1.1 400 Bad\r\n\r\n", Some(ErrorKind::Protocol)),
            ("SSH-2.0-x\r\n\r\n", Some(ErrorKind::Protocol)),
            ("HTTP/1.1 200 OK\r\n", Some(ErrorKind::Network)),
            (&"x".repeat(MAX_ANSWER_HEAD + 1), Some(ErrorKind::Protocol)),
        ] {
            let (mut ours, mut theirs) = tokio::io::duplex(64 * 1024);
            theirs.write_all(answer.as_bytes()).await.unwrap();
            let asked = tokio::spawn(async move {
                let mut request = [0; 512];
                let n = theirs.read(&mut request).await.unwrap();
                String::from_utf8(request[..n].to_vec()).unwrap()
            });
            let result = connect(&mut ours, &proxy, "::1", 8883).await;
            assert_eq!(result.err().map(|e| e.kind()), expected, "{answer}");
            assert_eq!(
                asked.await.unwrap(),
                "CONNECT [::1]:8883 HTTP/1.1\r\nHost: [::1]:8883\r\nProxy-Authorization: Basic dTpwQHNz\r\n\r\n"
            );
        }
    }

    #[test]
    fn urls() {
        for (url, host, port, login) in [
            ("http://p:3128", "p", 3128, None),
            ("http://p", "p", 80, None),
            ("p:8080", "p", 8080, None),
            ("HTTP://u:p%40ss@p:1/", "p", 1, Some(("u", "p@ss"))),
            ("http://u@[::1]:1", "::1", 1, Some(("u", ""))),
        ] {
            let proxy = parse(url).unwrap();
            assert_eq!((proxy.host.as_str(), proxy.port), (host, port), "{url}");
            assert_eq!(proxy.login.as_ref().map(|(u, p)| (u.as_str(), p.as_str())), login, "{url}");
        }
        for bad in
            ["https://p:1", "socks5://u:s3cret@p:1", "http://u:s3cret@", "http://u:s3cret@p:0", "", "http://"]
        {
            let message = parse(bad).err().unwrap().to_string();
            assert!(!message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn environment() {
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, Option<&'a str>);
        let cases: [Case<'_>; 13] = [
            (&[], "h", None),
            (&[("HTTPS_PROXY", "http://a:1")], "h", Some("a")),
            (&[("https_proxy", "http://b:1"), ("HTTPS_PROXY", "http://a:1")], "h", Some("b")),
            (&[("ALL_PROXY", "http://c:1")], "h", Some("c")),
            (&[("HTTPS_PROXY", ""), ("ALL_PROXY", "http://c:1")], "h", Some("c")),
            (&[("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", "*")], "h", None),
            (
                &[("HTTPS_PROXY", "http://a:1"), ("no_proxy", "localhost, .net")],
                "hub.azure-devices.NET",
                None,
            ),
            (&[("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", "hub.net:443")], "hub.net", None),
            (&[("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", "ub.net")], "hub.net", Some("a")),
            (&[("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", "fe80::1,10.0.0.1")], "fe80::1", None),
            (&[("HTTPS_PROXY", "http://a:1")], "localhost", None),
            (&[("HTTPS_PROXY", "http://a:1")], "127.0.0.2", None),
            (&[("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", ",")], "hub.net", Some("a")),
        ];
        for (variables, host, expected) in cases {
            let look_up =
                |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_string());
            let proxy = from_environment(host, &look_up).unwrap();
            assert_eq!(proxy.as_ref().map(|p| p.host.as_str()), expected, "{variables:?}");
        }
        assert!(from_environment("h", &|n| (n == "https_proxy").then(|| "ftp://p".into())).is_err());
    }
}
