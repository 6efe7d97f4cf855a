//! A typed builder that cannot be injected into: values are quoted, paths are escaped.
//!
//! ```text
//! QueryBuilder::devices().filter(field("tags.location.plant").eq("Redmond43").and(field("properties.reported.x").gt(60))).to_string()
//! ```

/// Builds query text.
#[derive(Clone, Debug)]
pub struct QueryBuilder {/* … */}

/// Starts a condition at a path: dotted segments; a segment that is not a plain identifier is escaped `[[…]]`.
pub fn field(path: &str) -> Field {
    todo!()
}

/// A path in a condition.
#[derive(Clone, Debug)]
pub struct Field {/* … */}
