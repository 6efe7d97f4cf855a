//! Every documented limit of twins, with its citation and its counting.

/// A section of a twin that limits are counted over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectionName {
    /// `tags`
    Tags,
    /// `properties.desired`
    Desired,
    /// `properties.reported`
    Reported,
}

/// What broke which rule where. `message` has the service's wording where known.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// 400 or 403
    pub status: u16,
    /// e.g. 400004
    pub code: u32,
    /// e.g. `ArgumentInvalid`
    pub code_name: &'static str,
    /// Dotted path of the offending member, section first (`properties.desired.a.b`)
    pub path: String,
    /// names the section, the path and the rule
    pub message: String,
}

impl SectionName {
    /// Largest size, by the documented counting ([`size`]).
    pub const fn max_bytes(self) -> usize {
        match self {
            SectionName::Tags => 8 * 1024,
            SectionName::Desired | SectionName::Reported => 32 * 1024,
        }
    }
    /// `tags`, `properties.desired`, `properties.reported`
    pub const fn path(self) -> &'static str {
        match self {
            SectionName::Tags => "tags",
            SectionName::Desired => "properties.desired",
            SectionName::Reported => "properties.reported",
        }
    }
}

/// The documented size of a section (facts 1.5): keys and strings UTF-8 without C0/C1, number 8, boolean 4; our
/// choice for the undocumented: array = sum of its elements, null = 0.
pub fn size(object: &super::Object) -> usize {
    todo!()
}

/// Checks growth: refuses only when the section is over its limit *and* larger than before.
pub fn check_growth(section: SectionName, before: usize, after: usize) -> Result<(), Violation> {
    todo!()
}
