//! api-versions spoken and accepted (facts 3.1).
use crate::error::Result;

/// An api-version, e.g. `2021-04-12`; compares by date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {/* year, month, day, preview */}

impl ApiVersion {
    /// What our clients speak: 2021-04-12.
    pub const OURS: ApiVersion = ApiVersion {};
    /// Reads any well-formed date ≥ 2016-11-14, with an optional `-preview`.
    pub fn parse(text: &str) -> Result<ApiVersion> {
        todo!()
    }
    /// Arrays in twins: from 2019-10-01.
    pub fn allows_arrays(self) -> bool {
        todo!()
    }
}
