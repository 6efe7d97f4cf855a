//! Names as typed → canonical paths: takes the collection qualifier off, spells fields as the document does, refuses
//! what names nothing.

use std::ops::Range;

use super::ast::{Path, Source};
use super::vocabulary::{SUBFIELDS, fields, foreign_word};

/// A path as typed.
pub(crate) struct RawPath {
    /// never empty
    pub(crate) segments: Vec<RawSegment>,
    pub(crate) span: Range<usize>,
}

pub(crate) struct RawSegment {
    pub(crate) name: String,
    /// written `[[…]]`: never a qualifier
    pub(crate) escaped: bool,
}

impl RawSegment {
    fn is(&self, word: &str) -> bool {
        !self.escaped && self.name.eq_ignore_ascii_case(word)
    }
}

impl RawPath {
    /// The last segment as typed: the member's name in a row when there is no alias.
    pub(crate) fn last_name(&self) -> &str {
        self.segments.last().map_or("", |segment| segment.name.as_str())
    }

    /// The canonical path in rows of `source`, or why there is none.
    pub(crate) fn resolve(&self, source: Source) -> Result<Path, String> {
        let segments = self.unqualified(source)?;
        let head = segments[0].name.as_str();
        let field = fields(source).iter().find(|(name, _)| name.eq_ignore_ascii_case(head));
        let Some((_, field)) = field else { return Err(unknown_field(head, source)) };
        let mut path = vec![(*field).to_owned()];
        path.extend(segments[1..].iter().map(|segment| segment.name.clone()));
        if let Some(second) = path.get_mut(1) {
            let fixed = SUBFIELDS.iter().find(|(f, name)| f == field && name.eq_ignore_ascii_case(second));
            match fixed {
                Some((_, name)) => *second = (*name).to_owned(),
                None if *field == "properties" => {
                    return Err(format!(
                        "'properties.{second}' is not a section of a twin: expected properties.desired or properties.reported"
                    ));
                }
                None => {}
            }
        }
        Ok(Path(path))
    }

    /// The segments without `devices.`, `devices.modules.` or `devices.jobs.`
    fn unqualified(&self, source: Source) -> Result<&[RawSegment], String> {
        let segments = &self.segments[..];
        if !segments[0].is("devices") {
            return Ok(segments);
        }
        let qualifier = match segments.get(1) {
            Some(second) if second.is("modules") => Source::Modules,
            Some(second) if second.is("jobs") => Source::Jobs,
            _ => Source::Devices,
        };
        let rest = &segments[if qualifier == Source::Devices { 1 } else { 2 }..];
        if rest.is_empty() {
            return Err(format!(
                "'{}' names a collection: expected a field, like {0}.deviceId",
                qualifier.name()
            ));
        }
        // `devices.deviceId` is also written in queries FROM devices.modules (Azure CLI).
        if qualifier != Source::Devices && qualifier != source {
            return Err(format!(
                "'{}.{}' is not part of FROM {}: collections are not joined",
                qualifier.name(),
                rest[0].name,
                source.name()
            ));
        }
        Ok(rest)
    }
}

fn unknown_field(head: &str, source: Source) -> String {
    if let Some(hint) = foreign_word(head) {
        return format!("Unexpected input '{head}': {hint}");
    }
    match source {
        Source::Jobs => format!(
            "'{head}' is not a field of a device job: expected deviceId, jobId, jobType, status, startTimeUtc, \
             endTimeUtc, createdTimeUtc, lastUpdatedTimeUtc or outcome"
        ),
        _ => format!(
            "'{head}' is not a field of a twin: expected a full path, like tags.{head}, properties.desired.{head} or \
             properties.reported.{head} (a name with special characters is written [[name]])"
        ),
    }
}
