//! What the tests share. Tests see public APIs, binaries and scripts only.

pub mod addon;
pub mod bench;
pub mod c;
pub mod compare;
pub mod https_peer;
pub mod mqtt_peer;
pub mod node;
pub mod process;
pub mod random;
pub mod rhea;
pub mod stage;
pub mod story;

/// The README's programs compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
