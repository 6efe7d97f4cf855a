//! Every function of `twin.h` is called with every kind of nonsense in every place: a result with a message, never a crash.
//!
//! The table is the header itself: its prototypes are read, and a C program is written that calls each of them. From two
//! bases, nothing at all (NULLs, zeros, empty handles) and everything plausible, one argument at a time takes each value that
//! its type may take wrongly.

// Helpers of tests fail the test by panicking.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use tests::c::{compile, include, library, run};

struct Function {
    result: String,
    name: String,
    /// Type and name of each argument.
    arguments: Vec<(String, String)>,
}

/// The functions that a header declares, static ones left out.
fn functions(header: &str) -> Vec<Function> {
    let mut code = String::new();
    let (mut comment, mut inline) = (false, false);
    for line in header.lines() {
        comment |= line.starts_with("/*");
        inline |= line.starts_with("static inline");
        if !comment && !inline && !line.trim_start().starts_with(['#', '/']) && line != "extern \"C\" {" {
            code.push_str(line);
            code.push(' ');
        }
        comment &= !line.contains("*/");
        inline &= line != "}";
    }
    let mut found = Vec::new();
    for piece in code.split(';') {
        let piece = piece.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some((head, arguments)) = piece.split_once('(') else { continue };
        if piece.starts_with("typedef") || piece.contains('{') {
            continue;
        }
        let (result, name) = split(head);
        let arguments =
            arguments.trim_end_matches(')').split(',').filter(|a| *a != "void").map(split).collect();
        found.push(Function { result, name, arguments });
    }
    found
}

/// "const char *name" as type and name.
fn split(declaration: &str) -> (String, String) {
    let declaration = declaration.trim();
    let at = declaration.rfind([' ', '*']).expect("a type and a name") + 1;
    (declaration[..at].trim().to_owned(), declaration[at..].to_owned())
}

/// The C expressions that an argument takes: first nothing, last something plausible.
fn values(kind: &str, name: &str, outputs: &mut BTreeMap<String, String>) -> Vec<String> {
    let own = |list: &[&str]| list.iter().map(|v| (*v).to_string()).collect();
    match kind {
        "twin_client" | "twin_registry" | "twin_query" | "twin_pool" | "twin_error" => {
            let short = &kind["twin_".len()..];
            ["no", "made_up", "ended", "foreign", "live"].iter().map(|how| format!("{how}_{short}")).collect()
        }
        "twin_str" => own(&["none", "liar", "endless", "empty", "garbage", "nested", "word", "object"]),
        "uint32_t" if name == "timeout_ms" => own(&["1"]),
        "uint32_t" | "uint64_t" => own(&["0", "0xffffffffu", "1"]),
        "size_t" => own(&["0", "1", "sizeof(twin_error_info)"]),
        "void *" => own(&["NULL", "&somewhere"]),
        "twin_done_fn" => own(&["NULL", "on_done"]),
        "twin_desired_fn" => own(&["NULL", "on_desired"]),
        "twin_state_fn" => own(&["NULL", "on_state"]),
        "twin_expiring_fn" => own(&["NULL", "on_expiring"]),
        "twin_message_fn" => own(&["NULL", "on_message"]),
        "const twin_client_options *" => own(&["NULL", "&zero_client", "&wild_client", "&client_options"]),
        "const twin_registry_options *" => own(&["NULL", "&zero_registry", "&registry_options"]),
        "twin_string *" if name == "string" => own(&["NULL", "&nothing"]),
        _ => {
            let of = kind.strip_suffix('*').unwrap_or_else(|| panic!("no values for {kind} {name}")).trim();
            let slot = format!("out_{of}");
            outputs.insert(slot.clone(), of.to_owned());
            vec!["NULL".into(), format!("&{slot}")]
        }
    }
}

/// The calls of one function.
fn calls(function: &Function, outputs: &mut BTreeMap<String, String>) -> String {
    let all: Vec<Vec<String>> =
        function.arguments.iter().map(|(kind, name)| values(kind, name, outputs)).collect();
    let base = |plausible: bool| -> Vec<&String> {
        let pick = |values: &'_ Vec<String>| if plausible { values.len() - 1 } else { 0 };
        all.iter().map(|values| &values[pick(values)]).collect()
    };
    let mut tuples: Vec<Vec<&String>> = vec![base(false), base(true)];
    for plausible in [false, true] {
        for (place, values) in all.iter().enumerate() {
            for value in values {
                let mut tuple = base(plausible);
                tuple[place] = value;
                tuples.push(tuple);
            }
        }
    }
    tuples.sort();
    tuples.dedup();
    let mut text = format!("static void call_{}(void) {{\n", function.name);
    for tuple in tuples {
        let list = tuple.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(", ");
        let line = if function.result == "twin_result" {
            let asked = tuple.last().is_some_and(|last| *last == "&out_twin_error");
            format!("CALL({asked}, \"{}({list})\", {}({list}))", function.name, function.name)
        } else {
            format!("(void){}({list})", function.name)
        };
        let _ = writeln!(text, "    before(); {line};");
    }
    text.push_str("}\n\n");
    text
}

/// The program.
fn program(functions: &[Function]) -> String {
    let mut outputs = BTreeMap::from([("out_twin_error".to_owned(), "twin_error".to_owned())]);
    let bodies: String = functions.iter().map(|function| calls(function, &mut outputs)).collect();
    let mut text =
        String::from("/* Written by c_every_function.rs from twin.h. */\n#include \"nonsense.h\"\n\n");
    for (slot, kind) in &outputs {
        let _ = writeln!(text, "static {kind} {slot};");
    }
    text.push_str("\nstatic void spoil(void) {\n");
    for slot in outputs.keys() {
        let _ = writeln!(text, "    memset(&{slot}, SPOILT, sizeof {slot});");
    }
    text.push_str("}\n\nstatic bool is_spoilt(void) {\n    return true");
    for slot in outputs.keys() {
        let _ = write!(text, " &&\n           all_spoilt(&{slot}, sizeof {slot})");
    }
    text.push_str(";\n}\n\n/* What a call has given. */\nstatic void end_outputs(void) {\n");
    for (slot, kind) in &outputs {
        let end = match kind.as_str() {
            "twin_string" => format!("twin_string_free(&{slot})"),
            "twin_client" => format!("twin_client_close({slot}, 1, NULL)"),
            "twin_registry" | "twin_query" | "twin_pool" => format!("{kind}_close({slot}, NULL)"),
            _ => continue,
        };
        let _ = writeln!(text, "    if (!all_spoilt(&{slot}, sizeof {slot})) {end};");
    }
    text.push_str("}\n\n#include \"nonsense_calls.h\"\n\n");
    text.push_str(&bodies);
    text.push_str("int main(void) {\n    begin();\n");
    for function in functions {
        let _ = writeln!(text, "    call_{}();", function.name);
    }
    text.push_str("    printf(\"%d calls\\nall is well\\n\", count);\n    return 0;\n}\n");
    text
}

#[test]
fn every_function_takes_every_nonsense() {
    let functions = functions(&fs::read_to_string(include().join("twin.h")).unwrap());
    // As many as the library exports.
    let symbols = run(Command::new("nm")
        .args(["-D", "--defined-only", "--format=posix"])
        .arg(library().join("libtwin.so")));
    let exported = String::from_utf8(symbols.stdout).unwrap();
    let names: Vec<&str> = exported.lines().filter_map(|line| line.split(' ').next()).collect();
    for name in &names {
        assert!(functions.iter().any(|f| f.name == *name), "{name} was not read from twin.h");
    }
    assert_eq!(functions.len(), names.len());

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let ca = folder.join("nonsense-ca.pem");
    let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&ca, authority.cert.pem()).unwrap();
    let source = folder.join("nonsense.c");
    fs::write(&source, program(&functions)).unwrap();
    for (extra, name) in [
        (&[][..], "nonsense"),
        (&["-fsanitize=address,undefined", "-fno-sanitize-recover=all"][..], "nonsense-sanitized"),
    ] {
        let to = folder.join(name);
        compile(&source, library(), false, extra, &to);
        let output = run(Command::new(&to).env("ASAN_OPTIONS", "detect_leaks=0").env("TWIN_CA_FILE", &ca));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.ends_with("all is well\n"), "{said}");
        let calls: usize = said.split(' ').next().unwrap().parse().unwrap();
        assert!(calls > 20 * functions.len(), "{calls} calls");
    }
}
