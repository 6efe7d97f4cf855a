mod documented;
mod errors;
mod fixture;
mod laws;
mod raw;
mod semantics;
mod syntax;
