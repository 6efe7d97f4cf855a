//! The C library: the header is current, the ABI is the one on record.

// Helpers of tests fail the test by panicking.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::c::{compile, include, library, program, root, run};
use twin_device::Transport;

#[test]
fn the_header_is_current() {
    let package = root().join("bindings-c");
    let config = cbindgen::Config::from_file(package.join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new().with_crate(&package).with_config(config).generate().unwrap();
    let mut fresh = Vec::new();
    bindings.write(&mut fresh);
    let fresh = String::from_utf8(fresh).unwrap();
    let path = include().join("twin.h");
    let committed = fs::read_to_string(&path).unwrap_or_default();
    if fresh != committed {
        fs::write(&path, fresh).unwrap();
        panic!(
            "bindings-c/include/twin.h was not what the source says; it is now: look at the difference and commit it"
        );
    }
}

/// Layouts, numbers and symbols are those on record, so that programs built earlier go on working. A deliberate addition is
/// recorded by what the test has written to `tests/c/abi.txt`.
#[test]
fn the_abi_is_the_one_on_record() {
    let mut abi = String::from_utf8(run(&mut Command::new(compiled("abi.c"))).stdout).unwrap();
    let so = library().join("libtwin.so");
    let symbols = run(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(&so)).stdout;
    let symbols = String::from_utf8(symbols).unwrap();
    for name in symbols.lines().filter_map(|line| line.split(' ').next()) {
        assert!(name.starts_with("twin_"), "{name} is visible, and none of ours");
        abi.push_str(name);
        abi.push('\n');
    }
    let dynamic = String::from_utf8(run(Command::new("readelf").arg("-d").arg(&so)).stdout).unwrap();
    assert!(dynamic.contains("Library soname: [libtwin.so.0]"), "{dynamic}");
    // Every number and member of the header is among them.
    let header = fs::read_to_string(include().join("twin.h")).unwrap();
    let numbers =
        header.lines().filter_map(|l| l.trim().strip_prefix("TWIN_")).filter_map(|l| l.split_once(" = "));
    for (name, number) in numbers {
        let line = format!("TWIN_{name} = {}", number.trim_end_matches(','));
        assert!(abi.lines().any(|l| l == line), "tests/c/abi_members.h lacks {line}");
    }
    let record = program("abi.txt");
    let recorded = fs::read_to_string(&record).unwrap_or_default();
    if abi != recorded {
        fs::write(&record, &abi).unwrap();
        panic!("the ABI was not the one in tests/c/abi.txt; it is now: commit it if only lines were added");
    }
}

/// Every exported function is in the header, and every export begins with the guard, but for those that cannot fail.
#[test]
fn every_export_is_guarded() {
    let cannot_fail = ["twin_result_name", "twin_result_is_retryable", "twin_version", "twin_string_free"];
    let header = fs::read_to_string(include().join("twin.h")).unwrap();
    let mut exports = 0;
    for entry in fs::read_dir(root().join("bindings-c/src")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for export in text.split("#[unsafe(no_mangle)]").skip(1) {
            exports += 1;
            let name = export.split("fn ").nth(1).unwrap().split('(').next().unwrap();
            assert!(header.contains(&format!("{name}(")), "{name} is not in twin.h");
            let body = export.split_once("{\n").unwrap().1.trim_start();
            assert!(
                body.starts_with("guard(") || cannot_fail.contains(&name),
                "{name} is not guarded: {body:.60}"
            );
        }
    }
    assert!(exports > 40, "{exports}");
}

/// The header says of every function what it gives and takes: each argument by its name, or whose description holds for it.
#[test]
fn every_function_is_described() {
    let header = fs::read_to_string(include().join("twin.h")).unwrap();
    let (mut comment, mut seen, mut wrong) = (String::new(), 0, Vec::new());
    let mut lines = header.lines();
    while let Some(line) = lines.next() {
        if let Some(text) = line.strip_prefix("//") {
            comment.push_str(text);
            comment.push('\n');
            continue;
        }
        if line.contains(" twin_") && line.contains('(') && !line.starts_with(['#', ' ', '/', 't', 's'])
            || line.starts_with("twin_result twin_")
        {
            let mut declaration = line.to_owned();
            while !declaration.ends_with(';') {
                declaration.push_str(lines.next().unwrap().trim());
            }
            seen += 1;
            let name = declaration.split('(').next().unwrap().rsplit([' ', '*']).next().unwrap().to_owned();
            let inherits = comment.contains("as for twin_") || comment.contains("; see twin_");
            let results =
                ["Results", "results", "Returns", "Whether", "lives as long", "does nothing", "again does"];
            if !inherits && !results.iter().any(|word| comment.contains(word)) {
                wrong.push(format!("{name}: no results"));
            }
            let arguments = declaration.split_once('(').unwrap().1.trim_end_matches(");");
            for argument in arguments.split(',').filter(|a| *a != "void") {
                let argument = argument.rsplit([' ', '*']).next().unwrap();
                let described =
                    [format!("{argument}:"), format!("{argument}, ")].iter().any(|d| comment.contains(d));
                if !described && !inherits {
                    wrong.push(format!("{name}: nothing about {argument}"));
                }
            }
        }
        comment.clear();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 50, "{seen}");
}

fn compiled(name: &str) -> PathBuf {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(Path::new(name).file_stem().unwrap());
    compile(&program(name), library(), false, &[], &to);
    to
}

/// The numbers of transports are those of Rust's.
#[test]
fn there_is_a_number_for_every_transport() {
    let header = fs::read_to_string(include().join("twin.h")).unwrap();
    for (transport, name) in [
        (Transport::Mqtt, "TWIN_TRANSPORT_MQTT = 1,"),
        (Transport::MqttWs, "TWIN_TRANSPORT_MQTT_WS = 2,"),
        (Transport::Amqp, "TWIN_TRANSPORT_AMQP = 3,"),
        (Transport::AmqpWs, "TWIN_TRANSPORT_AMQP_WS = 4,"),
        (Transport::Http, "TWIN_TRANSPORT_HTTP = 5,"),
    ] {
        assert!(header.contains(name), "{transport:?}");
    }
}
