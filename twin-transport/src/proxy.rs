//! HTTP proxies: which one to take, and CONNECT through it.
use std::env;

use twin_core::{Error, Result};

use crate::Proxy;

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
    if either("NO_PROXY").is_some_and(|list| is_excepted(&list, host)) {
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let cases: [(&[(&str, &str)], &str, Option<&str>); 11] = [
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
            (&[("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", "::1,127.0.0.1")], "::1", None),
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
