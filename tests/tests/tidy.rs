//! The house rules, read off the files. ARCHITECTURE.md lists these tests by name, and one of them reads ARCHITECTURE.md.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Library crates: what users link.
const LIBRARIES: [&str; 5] = ["twin-core", "twin-transport", "twin-device", "twin-service", "twin-hub"];

/// Crates that C and JavaScript call into: the only ones with unsafe glue.
const BINDINGS: [&str; 2] = ["bindings-c", "bindings-node"];

/// Longest source file, in lines; tests beside the code included.
const MAX_FILE_LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace around this crate").to_owned()
}

/// Every file below `folder` whose name ends in `.ending`, with its text.
fn files(folder: &Path, ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !matches!(name.as_str(), "target" | "node_modules" | ".git") {
                folders.push(path);
            } else if name.ends_with(&format!(".{ending}")) {
                let text =
                    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

/// The lines of library code: no tests (by file name or below `#[cfg(test)]`), no comments.
fn code_lines(crates: &[&str]) -> Vec<(PathBuf, usize, String)> {
    let mut lines = Vec::new();
    for (path, text) in crates.iter().flat_map(|name| files(&root().join(name).join("src"), "rs")) {
        let shown = path.to_string_lossy();
        if shown.ends_with("tests.rs")
            || shown.contains("/tests/")
            || shown.contains("/sim/")
            || shown.contains("/laws")
        {
            continue;
        }
        for (i, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("#[cfg(test)]") {
                break;
            }
            let line = line.trim_start();
            if !line.starts_with("//") {
                lines.push((path.clone(), i + 1, line.to_owned()));
            }
        }
    }
    assert!(lines.len() > 100, "the scan found hardly any code");
    lines
}

fn assert_none(what: &str, offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{what}:\n{}", offenders.join("\n"));
}

fn metadata() -> Value {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps"])
        .current_dir(root())
        .output()
        .expect("cargo metadata");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("JSON")
}

/// The normal dependencies of each workspace crate.
fn dependencies(name: &str) -> BTreeSet<String> {
    let metadata = metadata();
    let package = metadata["packages"].as_array().expect("packages").iter().find(|p| p["name"] == name);
    package.unwrap_or_else(|| panic!("no crate {name}"))["dependencies"]
        .as_array()
        .expect("dependencies")
        .iter()
        .filter(|d| d["kind"].is_null())
        .map(|d| d["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn only_wire_spells_iot_hub() {
    let words = [
        "$iothub",
        "/twins/",
        "api-version",
        "iothub-errorcode",
        "x-ms-",
        "/messages/events",
        "devicebound",
        "com.microsoft:",
        "SharedAccessSignature sr=",
    ];
    let offenders = code_lines(&LIBRARIES)
        .into_iter()
        .filter(|(path, _, _)| {
            let path = path.to_string_lossy();
            // The token's own spelling lives with the token.
            !path.contains("twin-core/src/wire/") && !path.ends_with("twin-core/src/auth/sas.rs")
        })
        .filter(|(_, _, line)| words.iter().any(|word| line.contains(word)))
        .map(|(path, n, line)| format!("{}:{n}: {line}", path.display()))
        .collect();
    assert_none("IoT Hub is spelled outside twin-core/src/wire", offenders);
}

#[test]
fn the_arrows_hold() {
    let ours: BTreeSet<String> = metadata()["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .filter_map(|p| p["name"].as_str())
        .map(str::to_owned)
        .collect();
    for (name, allowed) in [
        ("twin-core", &[][..]),
        ("twin-transport", &["twin-core"][..]),
        ("twin-device", &["twin-core", "twin-transport"][..]),
        ("twin-service", &["twin-core", "twin-transport"][..]),
        ("twin-hub", &["twin-core"][..]),
        ("twin-cli", &["twin-core", "twin-device", "twin-service", "twin-hub"][..]),
        ("bindings-node", &["twin-device", "twin-service"][..]),
        ("bindings-c", &["twin-core", "twin-device", "twin-service"][..]),
    ] {
        let found: BTreeSet<String> = dependencies(name).intersection(&ours).cloned().collect();
        let allowed: BTreeSet<String> = allowed.iter().map(|s| (*s).to_owned()).collect();
        assert!(
            found.is_subset(&allowed),
            "{name} depends on {:?}",
            found.difference(&allowed).collect::<Vec<_>>()
        );
    }
}

#[test]
fn twin_core_is_pure() {
    let impure = [
        "SystemTime::now",
        "Instant::now",
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "std::env::",
        "std::thread",
        "std::process",
        "getrandom",
        "tokio",
        "async fn",
        "println!",
        "eprintln!",
    ];
    let offenders = code_lines(&["twin-core"])
        .into_iter()
        .filter(|(_, _, line)| impure.iter().any(|word| line.contains(word)))
        .map(|(path, n, line)| format!("{}:{n}: {line}", path.display()))
        .collect();
    assert_none("twin-core touches the world", offenders);
    for name in dependencies("twin-core") {
        let known = [
            "base64",
            "bytes",
            "hmac",
            "percent-encoding",
            "serde",
            "serde_json",
            "sha2",
            "subtle",
            "zeroize",
        ];
        assert!(known.contains(&name.as_str()), "twin-core depends on {name}: is it pure? Then list it here");
    }
}

#[test]
fn wires_are_named_only_at_the_ends() {
    let wires = [
        "rustls",
        "tokio-rustls",
        "tokio-tungstenite",
        "hyper",
        "hyper-util",
        "reqwest",
        "rumqttc",
        "rustls-native-certs",
    ];
    for name in ["twin-core", "twin-device", "twin-service", "twin-cli", "bindings-node", "bindings-c"] {
        let named: Vec<String> =
            dependencies(name).into_iter().filter(|d| wires.contains(&d.as_str())).collect();
        assert!(
            named.is_empty(),
            "{name} names {named:?}; sockets, TLS, MQTT and HTTP belong to twin-transport and twin-hub"
        );
    }
}

#[test]
fn no_signature_leaks_a_foreign_type() {
    let foreign = [
        "rustls::",
        "reqwest::",
        "hyper::",
        "rumqttc::",
        "fjall::",
        "roaring::",
        "tungstenite::",
        "tokio::sync",
        "rcgen::",
    ];
    let offenders = code_lines(&LIBRARIES)
        .into_iter()
        .filter(|(_, _, line)| {
            line.starts_with("pub fn ")
                || line.starts_with("pub async fn ")
                || line.starts_with("pub const fn ")
        })
        .filter(|(_, _, line)| foreign.iter().any(|word| line.contains(word)))
        .map(|(path, n, line)| format!("{}:{n}: {line}", path.display()))
        .collect();
    assert_none("a public signature names a third party's type", offenders);
}

#[test]
fn unsafe_is_forbidden() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    for (path, text) in files(&root(), "toml").into_iter().filter(|(path, _)| path.ends_with("Cargo.toml")) {
        let inherits = text.contains("[lints]\nworkspace = true");
        // The bindings' lints are their own, since their glue is unsafe.
        let binding = BINDINGS.iter().any(|name| path == root().join(name).join("Cargo.toml"));
        assert!(
            inherits || binding || text.contains("[workspace]"),
            "{} does not take the workspace's lints",
            path.display()
        );
    }
    // There each use says why it is sound; what macros generate is not in these files.
    for (path, text) in BINDINGS.iter().flat_map(|name| files(&root().join(name).join("src"), "rs")) {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (i, line) in lines.iter().enumerate().filter(|(_, line)| uses_unsafe(line)) {
            // Right above it, perhaps above the rest of its statement or of its comment.
            let before =
                lines[..i].iter().rev().take_while(|l| !l.is_empty() && !l.ends_with([';', '{', '}']));
            let explained = before.copied().any(|l| l.contains("SAFETY") || l.contains("# Safety"));
            assert!(explained, "{}:{}: no SAFETY line above: {line}", path.display(), i + 1);
        }
    }
}

/// Whether a line of code does, implements or promises something unsafe; an attribute or the type of a C function does not.
fn uses_unsafe(line: &str) -> bool {
    !line.starts_with("//")
        && ["unsafe {", "unsafe impl", "unsafe fn", "unsafe trait"].iter().any(|w| line.contains(w))
}

#[test]
fn files_stay_readable() {
    let offenders = LIBRARIES
        .iter()
        .chain(&["twin-cli", "bindings-c"])
        .flat_map(|name| files(&root().join(name).join("src"), "rs"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_FILE_LINES)
        .map(|(path, lines)| format!("{}: {lines} lines, at most {MAX_FILE_LINES}", path.display()))
        .collect();
    assert_none("a file wants splitting", offenders);
}

#[test]
fn tests_do_not_sleep_or_hide() {
    // Spelled in two halves, so that this file passes its own test.
    let banned = [
        ["thread::", "sleep("],
        ["time::", "sleep("],
        ["#[", "ignore"],
        ["to", "do!("],
        ["unimplemen", "ted!("],
    ];
    let offenders = files(&root(), "rs")
        .into_iter()
        .flat_map(|(path, text)| {
            let shown = path.to_string_lossy();
            // What tests stand on may: a benchmark measures for a while, and a process that ends can only be asked.
            let is_test = shown.contains("/tests/") && !shown.contains("/tests/src/");
            text.lines()
                .enumerate()
                .filter(|(_, line)| {
                    banned
                        .iter()
                        .enumerate()
                        .any(|(k, halves)| (is_test || k >= 2) && line.contains(&halves.concat()))
                })
                .map(|(i, line)| format!("{}:{}: {}", path.display(), i + 1, line.trim()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_none("a test sleeps or is switched off, or code is unfinished", offenders);
}

#[test]
fn json_keeps_its_defaults() {
    // `preserve_order` and `arbitrary_precision` of serde_json unify over the whole graph: one dependency that switched
    // them on would change key order and number type everywhere.
    let value: Value = serde_json::from_str(r#"{"b":1,"a":1.0}"#).expect("JSON");
    assert_eq!(value.to_string(), r#"{"a":1.0,"b":1}"#);
}

#[test]
fn the_architecture_page_is_true() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let sources: String = files(&root(), "rs").into_iter().map(|(_, text)| text).collect();
    let mut invariants = 0;
    for line in page.lines().filter(|line| line.starts_with("| I")) {
        invariants += 1;
        let test = line.rsplit('|').nth(1).expect("a last column").trim().trim_matches('`');
        assert!(
            sources.contains(&format!("fn {test}(")),
            "ARCHITECTURE.md names a test that does not exist: {test}"
        );
    }
    assert!(invariants >= 8, "ARCHITECTURE.md lists {invariants} invariants");
    for package in metadata()["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        assert!(page.contains(&format!("`{name}`")), "ARCHITECTURE.md does not name the crate {name}");
    }
    // Every path between backticks exists, on this page and on the page of decisions.
    let decisions = std::fs::read_to_string(root().join("docs/decisions.md")).expect("docs/decisions.md");
    for place in [&page, &decisions].into_iter().flat_map(|text| text.split('`').skip(1).step_by(2)) {
        if place.starts_with("twin-") && place.contains('/') {
            assert!(root().join(place).exists(), "a page names {place}, which does not exist");
        }
    }
}
