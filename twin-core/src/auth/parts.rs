//! The parts of a connection string: names, duplicates, empties.

use super::connection_string::wrong;
use crate::HostName;
use crate::error::Result;

/// Longest connection string that is read, in bytes; real ones have a few hundred.
const MAX_BYTES: usize = 32 * 1024;

macro_rules! parts {
    ($($part:ident $name:literal)*) => {
        /// The parts that connection strings have.
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub(super) enum Part { $($part,)* }

        impl Part {
            const ALL: &'static [Part] = &[$(Part::$part,)*];

            pub(super) const fn name(self) -> &'static str {
                match self { $(Part::$part => $name,)* }
            }
        }
    };
}

parts! {
    HostName "HostName"
    DeviceId "DeviceId"
    ModuleId "ModuleId"
    SharedAccessKeyName "SharedAccessKeyName"
    SharedAccessKey "SharedAccessKey"
    SharedAccessSignature "SharedAccessSignature"
    X509 "x509"
    GatewayHostName "GatewayHostName"
}

/// .NET writes `X509Cert` for `x509`.
const X509_ALIAS: &str = "X509Cert";

/// A connection string taken apart.
pub(super) struct Parts<'t>([Option<&'t str>; Part::ALL.len()]);

impl<'t> Parts<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        if text.len() > MAX_BYTES {
            return Err(wrong(format!("it has {} bytes; at most {MAX_BYTES} are read", text.len())));
        }
        let mut found = [None; Part::ALL.len()];
        // A semicolon at the end ends the last part.
        for (i, piece) in text.strip_suffix(';').unwrap_or(text).split(';').enumerate() {
            let n = i + 1;
            if piece.trim().is_empty() {
                return Err(wrong(format!("part {n} is empty (two semicolons in a row?)")));
            }
            let (name, value) = piece.split_once('=').ok_or_else(|| {
                wrong(format!("part {n} has no '='; parts look like Name=value, with ';' between them"))
            })?;
            let (name, value) = (name.trim(), value.trim());
            let part = Self::find(name).ok_or_else(|| wrong(unknown(n, name)))?;
            if value.is_empty() {
                return Err(wrong(format!("{} is empty", part.name())));
            }
            if found[part as usize].replace(value).is_some() {
                return Err(wrong(format!("it has {} twice", part.name())));
            }
        }
        Ok(Parts(found))
    }

    fn find(name: &str) -> Option<Part> {
        if name.eq_ignore_ascii_case(X509_ALIAS) {
            return Some(Part::X509);
        }
        Part::ALL.iter().copied().find(|part| part.name().eq_ignore_ascii_case(name))
    }

    pub(super) fn get(&self, part: Part) -> Option<&'t str> {
        self.0[part as usize]
    }

    /// A host name; the error does not repeat the value, because with a forgotten semicolon it holds the key.
    pub(super) fn host(&self, part: Part) -> Result<Option<HostName>> {
        let Some(value) = self.get(part) else { return Ok(None) };
        let name = part.name();
        HostName::new(value).map(Some).map_err(|_| {
            wrong(if value.contains("://") {
                format!("{name} has a scheme; give the DNS name or address alone")
            } else if value.contains('=') {
                format!("{name} contains '='; is a ';' missing after it?")
            } else {
                format!("{name} is not a DNS name or address, with ':port' if need be")
            })
        })
    }

    pub(super) fn flag(&self, part: Part) -> Result<bool> {
        match self.get(part) {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(wrong(format!("{} is neither true nor false", part.name()))),
        }
    }
}

fn unknown(n: usize, name: &str) -> String {
    let near = Part::ALL.iter().map(|part| (distance(name, part.name()), part.name())).min();
    let hint = match near {
        Some((0..=3, near)) => format!("did you mean {near}?"),
        _ => {
            let known: Vec<_> = Part::ALL.iter().map(|part| part.name()).collect();
            format!("known names are {}", known.join(", "))
        }
    };
    format!("part {n} has an unknown name; {hint}")
}

/// Edits between two names, ignoring case; only the start of a long `a` is looked at.
fn distance(a: &str, b: &str) -> usize {
    let lower = |text: &str| -> Vec<char> { text.chars().take(40).map(|c| c.to_ascii_lowercase()).collect() };
    let (a, b) = (lower(a), lower(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let edit = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], edit);
        }
    }
    row[b.len()]
}
