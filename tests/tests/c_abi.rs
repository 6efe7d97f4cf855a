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
        for transport in ["1", "2"] {
            let said = world.run(&program, &[transport]).await;
            assert!(said.ends_with("all is well\n"), "{said}");
        }
    }
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
