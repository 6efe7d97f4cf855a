//! Where in a document something is: a list on the stack, so that no path is built until someone asks.

use std::fmt;

/// Characters of one member name that a printed path shows at most; names themselves may be hostile megabytes.
const SHOWN_CHARS: usize = 64;

/// A place in a document, as its parent and the last step.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// The top, printed as `label` (which may be empty).
    pub(crate) fn root(label: &'a str) -> Self {
        Path { parent: None, step: Step::Name(label) }
    }

    /// The member `name` of this object.
    pub(crate) fn member(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Name(name) }
    }

    /// Element `index` of this array.
    pub(crate) fn element(&'a self, index: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for Path<'_> {
    /// `properties.desired.a.b[3].c`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let top = match self.parent {
            Some(parent) => {
                parent.fmt(f)?;
                parent.parent.is_none() && matches!(parent.step, Step::Name(""))
            }
            None => true,
        };
        match self.step {
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Name(name) => {
                if !top {
                    f.write_str(".")?;
                }
                match name.char_indices().nth(SHOWN_CHARS) {
                    Some((cut, _)) => write!(f, "{}…", &name[..cut]),
                    None => f.write_str(name),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_people_write_it() {
        let root = Path::root("tags");
        let (a, long) = (root.member("a"), "x".repeat(100));
        let b = a.element(3);
        assert_eq!(b.member("c").to_string(), "tags.a[3].c");
        assert_eq!(a.member(&long).to_string(), format!("tags.a.{}…", &long[..64]));
        assert_eq!(Path::root("").member("tags").to_string(), "tags");
    }
}
