//! api-versions: spoken by our clients, accepted by our hub.
//!
//! The official SDKs send different ones for the same interface (Node, .NET and Java services 2021-04-12, Python
//! devices 2019-10-01, C and .NET devices 2020-09-30), so any well-formed date counts, from the first version with
//! device twins on. What differs is decided by date.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::time::Timestamp;

/// An api-version, e.g. `2021-04-12` or `2020-05-31-preview`; compares by date, a preview before its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    year: u16,
    month: u8,
    day: u8,
    released: bool,
}

const PREVIEW: &str = "-preview";

impl ApiVersion {
    /// What our clients speak: 2021-04-12, as the Node SDK (`endpoint.ts`).
    pub const OURS: ApiVersion = ApiVersion { year: 2021, month: 4, day: 12, released: true };
    /// The oldest accepted: the first general release with device twins.
    pub const OLDEST: ApiVersion = ApiVersion { year: 2016, month: 11, day: 14, released: true };
    /// From here on twins may hold arrays (Azure IoT Explorer #305).
    const ARRAYS: ApiVersion = ApiVersion { year: 2019, month: 10, day: 1, released: false };

    /// Reads a date that exists, not before [`ApiVersion::OLDEST`], with an optional `-preview`.
    pub fn parse(text: &str) -> Result<ApiVersion> {
        let version = Self::read(text).ok_or_else(|| {
            Error::invalid(format!(
                "'{}' is not an api-version; one looks like {} or 2020-05-31-preview",
                text.chars().take(40).collect::<String>().escape_debug(),
                Self::OURS
            ))
        })?;
        if version < Self::OLDEST {
            return Err(Error::invalid(format!(
                "api-version {version} is too old; the oldest supported is {}",
                Self::OLDEST
            )));
        }
        Ok(version)
    }

    /// Whether twins may hold arrays.
    pub fn allows_arrays(self) -> bool {
        self >= Self::ARRAYS
    }

    fn read(text: &str) -> Option<ApiVersion> {
        let (date, released) =
            match text.len().checked_sub(PREVIEW.len()).and_then(|at| text.split_at_checked(at)) {
                Some((date, tail)) if tail.eq_ignore_ascii_case(PREVIEW) => (date, false),
                _ => (text, true),
            };
        // Only a date that exists makes a timestamp.
        if date.len() != 10 || format!("{date}T00:00:00Z").parse::<Timestamp>().is_err() {
            return None;
        }
        Some(ApiVersion {
            year: date[..4].parse().ok()?,
            month: date[5..7].parse().ok()?,
            day: date[8..].parse().ok()?,
            released,
        })
    }
}

impl FromStr for ApiVersion {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let preview = if self.released { "" } else { PREVIEW };
        write!(f, "{:04}-{:02}-{:02}{preview}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_sdks_send() {
        for (text, arrays) in [
            ("2016-11-14", false),
            ("2018-06-30", false),
            ("2019-10-01", true),
            ("2020-05-31-preview", true),
            ("2020-09-30", true),
            ("2021-04-12", true),
            ("2099-12-31", true),
        ] {
            let version = ApiVersion::parse(text).unwrap();
            assert_eq!(version.to_string(), text);
            assert_eq!(version.allows_arrays(), arrays, "{text}");
        }
        assert_eq!(ApiVersion::parse("2021-04-12").unwrap(), ApiVersion::OURS);
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "2021",
            "2021-4-12",
            "2021-04-31",
            "2021-04-12 ",
            "2016-11-13",
            "2016-11-14-preview",
            "0000-00-00",
            "2021-04-12-beta",
            "-preview",
            "2021-04-12-preview-preview",
            "2021‑04‑12",
            "äöü",
        ] {
            assert!(ApiVersion::parse(text).is_err(), "{text}");
        }
    }
}
