//! The C library: the header is current, the ABI is the one on record, and C programs live with a hub.

// Helpers of tests fail the test by panicking.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use twin_device::Transport;
use twin_hub::Hub;
use twin_service::{Identity, Registry, TwinKey};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn include() -> PathBuf {
    root().join("bindings-c/include")
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A folder with `libtwin.so`, built now.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "--quiet", "--package", "bindings-c", "--message-format=json"])
            .current_dir(root());
        // What cargo tells its tests would make build scripts run again, there and back.
        for (name, _) in
            std::env::vars().filter(|(n, _)| n.starts_with("CARGO_PKG") || n.starts_with("CARGO_MANIFEST"))
        {
            build.env_remove(name);
        }
        let messages = String::from_utf8(run(&mut build).stdout).unwrap();
        let made = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let mut files = made.flat_map(|m| m["filenames"].as_array().cloned().unwrap_or_default());
        let so = files
            .find(|f| f.as_str().is_some_and(|f| f.ends_with("libtwin.so")))
            .expect("libtwin.so is built");
        let folder = Path::new(so.as_str().unwrap()).parent().unwrap().to_owned();
        // Programs look for the soname.
        let soname = folder.join("libtwin.so.0");
        if fs::read_link(&soname).is_err() {
            std::os::unix::fs::symlink("libtwin.so", &soname).unwrap();
        }
        folder
    })
}

const STRICT: [&str; 6] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-D_POSIX_C_SOURCE=200809L"];

/// Compiles a program of `tests/c` or of the examples, as C99 or C++.
fn compile(source: &Path, cpp: bool, extra: &[&str]) -> PathBuf {
    let library = library();
    let name = source.file_stem().unwrap().to_string_lossy();
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "{name}{}{}",
        if cpp { "-cpp" } else { "" },
        extra.concat().replace(['=', ','], "")
    ));
    let mut cc = if cpp { Command::new("c++") } else { Command::new("cc") };
    if cpp {
        cc.args(["-x", "c++", "-std=c++11"]);
    } else {
        cc.arg("-std=c99");
    }
    cc.args(STRICT).args(extra).arg("-I").arg(include()).arg(source).args(["-x", "none", "-o"]).arg(&program);
    cc.arg("-L").arg(library).arg(format!("-Wl,-rpath,{}", library.display())).args(["-ltwin", "-lpthread"]);
    run(&mut cc);
    program
}

/// A hub with a device `lamp` and a module `lamp/switch`, and what programs need to know of it.
struct World {
    hub: Hub,
    lamp: String,
    switch: String,
    ca: PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> World {
        let hub = Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await.unwrap();
        let registry = Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build().unwrap();
        let host = hub.host_name().parse().unwrap();
        let mut strings = Vec::new();
        for key in [TwinKey::device("lamp").unwrap(), TwinKey::module("lamp", "switch").unwrap()] {
            let made = registry.create(&Identity::new(key)).await.unwrap();
            strings.push(made.connection_string(&host).unwrap().expose().to_string());
        }
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        fs::write(&ca, hub.ca_pem()).unwrap();
        let switch = strings.pop().unwrap();
        World { lamp: strings.pop().unwrap(), switch, ca, hub, _folder: folder }
    }

    /// Runs a program against the hub.
    async fn run(&self, program: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(arguments);
        self.finish(command).await
    }

    async fn finish(&self, mut command: Command) -> String {
        command
            .env("DEVICE_CONNECTION_STRING", &self.lamp)
            .env("MODULE_CONNECTION_STRING", &self.switch)
            .env("IOTHUB_CONNECTION_STRING", self.hub.connection_string())
            .env("TWIN_CA_FILE", &self.ca);
        let output = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

fn program(name: &str) -> PathBuf {
    root().join("tests/c").join(name)
}

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

#[tokio::test(flavor = "multi_thread")]
async fn a_device_opens_reads_reports_hears_and_closes() {
    let world = World::new().await;
    for cpp in [false, true] {
        let program = compile(&program("device.c"), cpp, &[]);
        for transport in ["1", "2", "3", "4"] {
            let said = world.run(&program, &[transport]).await;
            assert!(said.ends_with("all is well\n"), "{said}");
        }
    }
}

/// Programs that need no more than to be run and to say so at the end.
#[tokio::test(flavor = "multi_thread")]
async fn programs_of_all_kinds_end_well() {
    for (name, flavours) in
        [("wrong.c", &[false, true][..]), ("crowd.c", &[false]), ("service.c", &[false, true])]
    {
        for cpp in flavours {
            let world = World::new().await;
            let said = world.run(&compile(&program(name), *cpp, &[]), &[]).await;
            assert!(said.ends_with("all is well\n"), "{said}");
        }
    }
}

/// The C side has no undefined behaviour and no leak of its own.
#[tokio::test(flavor = "multi_thread")]
async fn sanitizers_find_nothing() {
    for name in ["wrong.c", "service.c", "device.c"] {
        let world = World::new().await;
        // Leaks: valgrind looks for them; LeakSanitizer wants to trace, which containers forbid.
        let program =
            compile(&program(name), false, &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
        let mut command = Command::new(program);
        command.env("ASAN_OPTIONS", "detect_leaks=0");
        let said = world.finish(command).await;
        assert!(said.ends_with("all is well\n"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn valgrind_finds_nothing() {
    if let Err(e) = Command::new("valgrind").arg("--version").output() {
        panic!(
            "this test runs C programs under valgrind, which does not start ({e}); install it (apt-get install valgrind)"
        );
    }
    for name in ["wrong.c", "service.c", "device.c"] {
        let world = World::new().await;
        let mut command = Command::new("valgrind");
        command.args([
            "--quiet",
            "--error-exitcode=9",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite",
        ]);
        command.arg("--show-leak-kinds=definite");
        if name != "wrong.c" {
            // ring's assembly writes and compares in ways that memcheck does not follow, wherever TLS is spoken.
            command.arg("--undef-value-errors=no");
        }
        command.arg(format!("--suppressions={}", program("valgrind.supp").display()));
        command.arg(compile(&program(name), false, &[]));
        if name == "wrong.c" {
            command.arg("without-fork");
        }
        let said = world.finish(command).await;
        assert!(said.ends_with("all is well\n"), "{said}");
    }
}

/// Connections are cut, and the hub is stopped and started on the same port, while the program runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_survives_cuts_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let builder =
        |port: u16| Hub::builder().listen(([127, 0, 0, 1], port).into()).data_dir(folder.path().join("hub"));
    let mut hub = builder(0).start().await.unwrap();
    let port = hub.addresses()[0].port();
    let registry = Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build().unwrap();
    let made = registry.create(&Identity::new(TwinKey::device("lamp").unwrap())).await.unwrap();
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, hub.ca_pem()).unwrap();
    let mut child = Command::new(compile(&program("survive.c"), false, &[]))
        .env(
            "DEVICE_CONNECTION_STRING",
            &*made.connection_string(&hub.host_name().parse().unwrap()).unwrap().expose(),
        )
        .env("TWIN_CA_FILE", &ca)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (says, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        std::io::BufRead::lines(stdout).map_while(Result::ok).for_each(|line| drop(says.send(line)));
    });
    let (mut connections, mut last) = (0, String::new());
    while let Some(line) = lines.recv().await {
        connections += usize::from(line == "connected");
        match connections {
            2 if line == "connected" => {
                hub.close().await.unwrap();
                hub = builder(port).start().await.unwrap();
            }
            1 | 3 | 4 if line == "connected" => hub.cut_connections(),
            _ => {}
        }
        last = line;
    }
    reader.join().unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(last, "all is well");
}

/// Layouts, numbers and symbols are those on record, so that programs built earlier go on working. A deliberate addition is
/// recorded by what the test has written to `tests/c/abi.txt`.
#[test]
fn the_abi_is_the_one_on_record() {
    let mut abi =
        String::from_utf8(run(&mut Command::new(compile(&program("abi.c"), false, &[]))).stdout).unwrap();
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

/// What is installed serves programs through pkg-config, shared and by soname; the examples are such programs.
#[tokio::test(flavor = "multi_thread")]
async fn the_examples_build_against_an_installation_and_run() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let mut install = Command::new(root().join("bindings-c/install.sh"));
    run(install.arg(folder.path()).env("LIBRARIES", library()));
    assert_eq!(fs::read_link(folder.path().join("lib/libtwin.so")).unwrap(), Path::new("libtwin.so.0"));
    let pkg_config = folder.path().join("lib/pkgconfig");
    let flags = run(Command::new("pkg-config")
        .args(["--cflags", "--libs", "twin"])
        .env("PKG_CONFIG_PATH", &pkg_config));
    let flags = String::from_utf8(flags.stdout).unwrap();
    for name in ["device", "module", "service", "own_loop"] {
        let built = folder.path().join(name);
        let mut cc = Command::new("cc");
        cc.arg("-std=c99")
            .args(STRICT)
            .arg(root().join(format!("bindings-c/examples/{name}.c")))
            .arg("-o")
            .arg(&built);
        run(cc.args(flags.split_whitespace()));
        let mut command = Command::new(&built);
        command.env("LD_LIBRARY_PATH", folder.path().join("lib")).stdin(std::process::Stdio::null());
        let said = world.finish(command).await;
        match name {
            "device" => {}
            "module" => assert!(said.contains("reported version"), "{said}"),
            "service" => assert_eq!(said, "found pump\n"),
            _ => assert!(said.contains("twin: TWIN_OK") && said.contains("reported: TWIN_OK"), "{said}"),
        }
    }
    // Statically, with what twin.pc says it takes.
    let libs = run(Command::new("pkg-config")
        .args(["--static", "--libs-only-l", "twin"])
        .env("PKG_CONFIG_PATH", &pkg_config));
    let libs = String::from_utf8(libs.stdout).unwrap().replace("-ltwin ", "");
    let built = folder.path().join("static");
    let mut cc = Command::new("cc");
    cc.args(["-std=c99", "-I"])
        .arg(include())
        .arg(root().join("bindings-c/examples/service.c"))
        .arg("-o")
        .arg(&built);
    cc.arg(folder.path().join("lib/libtwin.a")).args(libs.split_whitespace());
    run(&mut cc);
    assert_eq!(world.finish(Command::new(&built)).await, "found pump\n");
}

/// The numbers of transports are those of Rust's, as far as Rust has them.
#[test]
fn there_is_a_number_for_every_transport() {
    let header = fs::read_to_string(include().join("twin.h")).unwrap();
    for (transport, name) in [
        (Transport::Mqtt, "TWIN_TRANSPORT_MQTT = 1,"),
        (Transport::MqttWs, "TWIN_TRANSPORT_MQTT_WS = 2,"),
        (Transport::Amqp, "TWIN_TRANSPORT_AMQP = 3,"),
        (Transport::AmqpWs, "TWIN_TRANSPORT_AMQP_WS = 4,"),
    ] {
        assert!(header.contains(name), "{transport:?}");
    }
}
