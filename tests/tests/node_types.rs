//! A TypeScript program that compiles against the official packages' typings compiles against ours (`node/types`), strictly.

use std::process::Command;

use tests::node::{folder, install};

fn compiles(project: &str) {
    let types = folder().join("types");
    install(&types);
    let output = Command::new("node")
        .args(["node_modules/typescript/bin/tsc", "--project", project])
        .current_dir(&types)
        .output()
        .expect("node runs");
    assert!(output.status.success(), "{project}:\n{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn programs_compile_against_the_official_typings() {
    install(&folder().join("official"));
    compiles("tsconfig.official.json");
}

#[test]
fn the_same_programs_and_some_more_compile_against_ours() {
    compiles("tsconfig.json");
}
