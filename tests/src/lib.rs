//! What the tests share. Tests see public APIs, binaries and scripts only.

pub mod node;
pub mod process;
pub mod random;
