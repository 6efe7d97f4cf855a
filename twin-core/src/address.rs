//! Names: hubs, devices, modules; their legal characters; percent-encoding, once.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

use crate::error::{Error, Result};

/// Longest device or module id, in characters (all of them ASCII).
pub const MAX_ID_CHARS: usize = 128;

/// Characters of an id beyond ASCII letters and digits (facts 1.1, 4.4: the .NET SDK's `^[A-Za-z0-9\-:.+%_#*?!(),=@;$']{1,128}$`).
const ID_PUNCTUATION: &[u8] = b"-:.+%_#*?!(),=@;$'";

/// Everything but RFC 3986's unreserved characters.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes one component of a path, query or token; upper-case hex, space as `%20`.
pub fn percent_encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, COMPONENT).to_string()
}

/// Undoes [`percent_encode`], in either case; `None` if the result is not UTF-8. A stray `%` stays.
pub fn percent_decode(text: &str) -> Option<String> {
    percent_encoding::percent_decode_str(text).decode_utf8().ok().map(|t| t.into_owned())
}

fn check_id(what: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(format!("the {what} is empty")));
    }
    if let Some(bad) = text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || c.is_ascii() && ID_PUNCTUATION.contains(&(*c as u8))))
    {
        return Err(Error::invalid(format!(
            "the {what} contains {bad:?}; allowed are ASCII letters, digits and - : . + % _ # * ? ! ( ) , = @ ; $ '"
        )));
    }
    if text.len() > MAX_ID_CHARS {
        return Err(Error::invalid(format!(
            "the {what} has {} characters; at most {MAX_ID_CHARS} are allowed",
            text.len()
        )));
    }
    Ok(())
}

macro_rules! id {
    ($name:ident, $what:literal, $doc:literal) => {
        #[doc = $doc]
        ///
        /// 1 to 128 ASCII letters, digits and `- : . + % _ # * ? ! ( ) , = @ ; $ '`; case-sensitive.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks the characters and the length.
            pub fn new(text: impl AsRef<str>) -> Result<Self> {
                check_id($what, text.as_ref())?;
                Ok($name(text.as_ref().into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(DeviceId, "device id", "The id of a device.");
id!(ModuleId, "module id", "The id of a module on a device.");

/// Names one twin: a device's, or one of its modules'. The identity and the twin share this key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TwinKey {
    /// The device.
    pub device: DeviceId,
    /// The module on that device, for a module twin.
    pub module: Option<ModuleId>,
}

impl TwinKey {
    /// A device's key.
    pub fn device(id: impl AsRef<str>) -> Result<Self> {
        Ok(TwinKey { device: DeviceId::new(id)?, module: None })
    }

    /// A module's key.
    pub fn module(device: impl AsRef<str>, module: impl AsRef<str>) -> Result<Self> {
        Ok(TwinKey { device: DeviceId::new(device)?, module: Some(ModuleId::new(module)?) })
    }
}

impl From<DeviceId> for TwinKey {
    fn from(device: DeviceId) -> Self {
        TwinKey { device, module: None }
    }
}

impl fmt::Display for TwinKey {
    /// `device` or `device/module`: for people and logs, and the MQTT client id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            Some(module) => write!(f, "{}/{module}", self.device),
            None => write!(f, "{}", self.device),
        }
    }
}

/// A hub's host name, with the port if one was given: `contoso.azure-devices.net`, `localhost:9443`, `[::1]:9443`.
///
/// With an explicit port our clients use that one port for every transport.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HostName {
    host: Box<str>,
    port: Option<u16>,
}

impl HostName {
    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
    pub fn new(text: impl AsRef<str>) -> Result<Self> {
        let text = text.as_ref();
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (v6, after) = rest
                    .split_once(']')
                    .ok_or_else(|| Error::invalid(format!("host name '{text}' has '[' without ']'")))?;
                if v6.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err(Error::invalid(format!(
                        "host name '{text}' has no IPv6 address between its brackets"
                    )));
                }
                match after {
                    "" => (v6, None),
                    _ => (
                        v6,
                        Some(after.strip_prefix(':').ok_or_else(|| {
                            Error::invalid(format!(
                                "host name '{text}' has something other than ':port' after ']'"
                            ))
                        })?),
                    ),
                }
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = match port {
            None => None,
            Some(p) => match p.parse::<u16>() {
                Ok(n) if n > 0 && p.bytes().all(|c| c.is_ascii_digit()) => Some(n),
                _ => {
                    return Err(Error::invalid(format!(
                        "host name '{text}' has '{p}' for a port; 1 to 65535 are ports"
                    )));
                }
            },
        };
        if host.is_empty() {
            return Err(Error::invalid("the host name is empty"));
        }
        if let Some(bad) =
            host.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | '_' | ':'))
        {
            return Err(Error::invalid(format!(
                "host name '{text}' contains {bad:?}; give a DNS name or address, no scheme, no path"
            )));
        }
        if host.len() > 253 {
            return Err(Error::invalid(format!(
                "the host name has {} characters; DNS allows 253",
                host.len()
            )));
        }
        Ok(HostName { host: host.into(), port })
    }

    /// The name alone, without port and brackets: what DNS and the TLS certificate know.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, if one was given.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

impl FromStr for HostName {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        for good in ["a", "Dev-1:.+%_#*?!(),=@;$'", &"x".repeat(128)] {
            assert_eq!(DeviceId::new(good).unwrap().as_str(), good);
        }
        for (bad, rule) in
            [("", "empty"), ("a b", "' '"), ("a/b", "'/'"), ("é", "'é'"), (&"x".repeat(129), "129")]
        {
            let message = DeviceId::new(bad).unwrap_err().to_string();
            assert!(message.contains(rule), "{message}");
        }
    }

    #[test]
    fn host_names() {
        for (text, host, port) in [
            ("h.azure-devices.net", "h.azure-devices.net", None),
            ("localhost:9443", "localhost", Some(9443)),
            ("[::1]:443", "::1", Some(443)),
            ("[::1]", "::1", None),
        ] {
            let name = HostName::new(text).unwrap();
            assert_eq!((name.host(), name.port()), (host, port));
            assert_eq!(name.to_string(), text);
        }
        for bad in
            ["", "https://h", "h:0", "h:65536", "h:+1", "h:", "[::1", "[::1]x", "[zz]:1", "h/x", "a:b:c"]
        {
            assert!(HostName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn percent() {
        assert_eq!(percent_encode("a/b c'é~"), "a%2Fb%20c%27%C3%A9~");
        assert_eq!(percent_decode("a%2fb%2Fc").as_deref(), Some("a/b/c"));
        assert_eq!(percent_decode("%ff"), None);
    }
}
