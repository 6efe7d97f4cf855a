//! C programs live with a hub: alone, under sanitizers, under valgrind, through cuts and restarts.

// Helpers of tests fail the test by panicking.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rcgen::{
    CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use tests::c::{self, STRICT, include, library, program, root, run};
use tests::mqtt_peer::Peer;
use twin_hub::{Hub, LoginFault, RequestFault};
use twin_service::{Authentication, Identity, Registry, TwinKey};

/// Compiles a program of `tests/c`, once for each flavour: one that runs cannot be written.
fn compile(name: &str, cpp: bool, extra: &[&str]) -> PathBuf {
    static DONE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let source = program(name);
    let file = format!(
        "{}{}{}",
        source.file_stem().unwrap().to_string_lossy(),
        if cpp { "-cpp" } else { "" },
        extra.concat().replace(['=', ','], "")
    );
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if !done.contains(&to) {
        c::compile(&source, library(), cpp, extra, &to);
        done.insert(to.clone());
    }
    to
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

    async fn finish(&self, command: Command) -> String {
        self.finish_with(command, None).await
    }

    /// Likewise, with another value of a variable.
    async fn finish_with(&self, mut command: Command, variable: Option<(&str, &str)>) -> String {
        command
            .env("DEVICE_CONNECTION_STRING", &self.lamp)
            .env("MODULE_CONNECTION_STRING", &self.switch)
            .env("IOTHUB_CONNECTION_STRING", self.hub.connection_string())
            .env("HOST_NAME", self.hub.host_name())
            .env("TWIN_CA_FILE", &self.ca)
            .envs(variable);
        let output = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Runs a program in a world of its own; it must say at its end that all is well.
async fn ends_well(command: Command) {
    let said = World::new().await.finish(command).await;
    assert!(said.ends_with("all is well\n"), "{said}");
}

const TRANSPORTS: [&str; 4] = ["1", "2", "3", "4"];

#[tokio::test(flavor = "multi_thread")]
async fn a_device_lives_on_every_transport() {
    let world = World::new().await;
    for cpp in [false, true] {
        let program = compile("device.c", cpp, &[]);
        for transport in TRANSPORTS {
            let said = world.run(&program, &[transport]).await;
            assert!(said.ends_with("all is well\n"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_is_told_on_every_transport() {
    let world = World::new().await;
    let program = compile("story.c", false, &[]);
    for transport in TRANSPORTS {
        let said = world.run(&program, &[transport, &format!("story-{transport}")]).await;
        assert!(said.ends_with("all is well\n"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_programs_do_wrong_is_a_result() {
    for cpp in [false, true] {
        ends_well(Command::new(compile("wrong.c", cpp, &[]))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_has_its_day() {
    for cpp in [false, true] {
        ends_well(Command::new(compile("service.c", cpp, &[]))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_share_a_handle_and_a_callback_closes_it() {
    ends_well(Command::new(compile("crowd.c", false, &[]))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_keep_order_under_load() {
    ends_well(Command::new(compile("load.c", false, &[]))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_share_a_connection() {
    ends_well(Command::new(compile("pool.c", false, &[]))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_signals_and_want_are_survived() {
    ends_well(Command::new(compile("process.c", false, &["-ldl"]))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_come_and_go_and_memory_stays() {
    ends_well(Command::new(compile("churn.c", false, &[]))).await;
}

/// Every way in which a request can fail arrives with its facts.
#[tokio::test(flavor = "multi_thread")]
async fn failures_arrive_with_their_facts() {
    let world = World::new().await;
    let program = compile("errors.c", false, &[]);
    let nobody = "HostName=localhost:1;DeviceId=d;SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAA==";
    let reader = world.hub.connection_string_of("registryRead").unwrap();
    let service = world.hub.connection_string_of("service").unwrap();
    let stranger = world.lamp.replace("DeviceId=lamp", "DeviceId=nobody");
    let (device, backend) = ("DEVICE_CONNECTION_STRING", "IOTHUB_CONNECTION_STRING");
    type Prepare = fn(&Hub);
    /// What is done to the hub, another value of a variable, what the program is asked for, and what it says.
    type Case<'a> = (Prepare, Option<(&'a str, &'a str)>, &'a [&'a str], &'a str);
    let quiet: Prepare = |_| {};
    let cases: [Case<'_>; 15] = [
        (
            |hub| hub.refuse_logins(1, LoginFault::Unavailable),
            None,
            &["open"],
            "TWIN_UNAVAILABLE status 0 delivery 1 retryable",
        ),
        (
            |hub| hub.refuse_logins(1, LoginFault::NotAuthorized),
            None,
            &["open"],
            "TWIN_UNAUTHORIZED status 0 delivery 1",
        ),
        (quiet, Some((device, &stranger)), &["open"], "TWIN_UNAUTHORIZED status 0 delivery 1"),
        (quiet, None, &["trust"], "TWIN_TLS status 0 delivery 1"),
        (quiet, Some((device, nobody)), &["open"], "TWIN_NETWORK status 0 delivery 1 retryable"),
        (quiet, Some((device, nobody)), &["crowd"], "TWIN_BUSY status 0 delivery 0 retryable"),
        (quiet, None, &["big"], "TWIN_TOO_LARGE status 403 delivery 3"),
        (
            |hub| hub.fail_requests(1, RequestFault::Throttle { retry_after: 2 }),
            None,
            &["report"],
            "TWIN_THROTTLED status 429 delivery 3 retryable",
        ),
        (
            |hub| hub.fail_requests(1, RequestFault::ServerError),
            None,
            &["twin"],
            "TWIN_UNAVAILABLE status 500 delivery 3 retryable",
        ),
        (
            |hub| hub.fail_requests(1, RequestFault::Unavailable),
            None,
            &["report"],
            "TWIN_UNAVAILABLE status 503 delivery 2 retryable",
        ),
        (
            |hub| hub.fail_requests(1, RequestFault::LoseAnswer),
            None,
            &["lost"],
            "TWIN_TIMEOUT status 0 delivery 2 retryable",
        ),
        (quiet, None, &["create", "lamp"], "TWIN_ALREADY_EXISTS status 409 delivery 3"),
        (quiet, Some((backend, &reader)), &["create", "pump"], "TWIN_UNAUTHORIZED status 401 delivery 3"),
        (quiet, None, &["query", "SELECT nonsense"], "TWIN_REJECTED status 400 delivery 3"),
        (quiet, Some((backend, &service)), &["create", "pump"], "TWIN_UNAUTHORIZED status 401 delivery 3"),
    ];
    let mut wrong = Vec::new();
    for (prepare, variable, arguments, want) in cases {
        prepare(&world.hub);
        let mut command = Command::new(&program);
        command.args(arguments);
        let said = world.finish_with(command, variable).await;
        if said.trim() != want {
            wrong.push(format!("{arguments:?}: {} instead of {want}", said.trim()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A hub that speaks nonsense is told as such.
#[tokio::test(flavor = "multi_thread")]
async fn nonsense_from_the_other_side_is_a_result() {
    let world = World::new().await;
    let peer = Peer::start().await;
    let ca = tempfile::NamedTempFile::new().unwrap();
    fs::write(&ca, &peer.ca_pem).unwrap();
    let mut command = Command::new(compile("errors.c", false, &[]));
    command.arg("open");
    let mut program = tokio::task::spawn_blocking({
        let (string, ca) = (peer.connection_string(), ca.path().to_owned());
        move || run(command.env("DEVICE_CONNECTION_STRING", string).env("TWIN_CA_FILE", ca)).stdout
    });
    let mut talk = peer.accept().await;
    talk.connect().await;
    talk.write(b"\xf0\x03\x01\x02\x03").await;
    let said = String::from_utf8((&mut program).await.unwrap()).unwrap();
    assert_eq!(said.trim(), "TWIN_PROTOCOL status 0 delivery 1 retryable");
    drop(world);
}

/// The C side has no undefined behaviour and no leak of its own.
#[tokio::test(flavor = "multi_thread")]
async fn sanitizers_find_nothing() {
    for name in ["wrong.c", "service.c", "device.c"] {
        // Leaks: valgrind looks for them; LeakSanitizer wants to trace, which containers forbid.
        let extra = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
        let mut command = Command::new(compile(name, false, &extra));
        command.env("ASAN_OPTIONS", "detect_leaks=0");
        ends_well(command).await;
    }
}

/// What programs share with each other and with callbacks. ThreadSanitizer sees the program's memory and its POSIX locks, and
/// not what happens inside of the library: neither the library's own memory nor its own locks. So the programs lock whatever a
/// callback touches, as they would have to do anyway.
#[tokio::test(flavor = "multi_thread")]
async fn thread_sanitizer_finds_nothing() {
    for name in ["crowd.c", "load.c"] {
        let mut command = Command::new(compile(name, false, &["-fsanitize=thread"]));
        // The library's threads live until the process ends.
        command.env("TSAN_OPTIONS", "ignore_noninstrumented_modules=1 report_thread_leaks=0 halt_on_error=1");
        ends_well(command).await;
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
        command.arg(compile(name, false, &[]));
        if name == "wrong.c" {
            command.arg("without-fork");
        }
        ends_well(command).await;
    }
}

/// A certificate of the hub's client CA for a device, and one of nobody's; their files as variables.
fn certificates(hub: &Hub, folder: &Path) -> Vec<(&'static str, PathBuf)> {
    let authority = || {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "factory");
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (factory, foreign) = (authority(), authority());
    hub.add_client_ca_pem(&factory.pem()).unwrap();
    let mut files = Vec::new();
    for (issuer, certificate, key) in
        [(&factory, "CERTIFICATE_FILE", "KEY_FILE"), (&foreign, "OTHER_CERTIFICATE_FILE", "OTHER_KEY_FILE")]
    {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.distinguished_name.push(DnType::CommonName, "sensor");
        let pair = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&pair, issuer).unwrap();
        for (name, text) in [(certificate, leaf.pem()), (key, pair.serialize_pem())] {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            files.push((name, path));
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_renewed_tokens_let_devices_in() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let registry =
        Registry::builder(world.hub.connection_string()).trust_pem(world.hub.ca_pem()).build().unwrap();
    let mut sensor = Identity::new(TwinKey::device("sensor").unwrap());
    sensor.authentication = Some(Authentication::CertificateAuthority);
    registry.create(&sensor).await.unwrap();
    let mut command = Command::new(compile("credentials.c", false, &[]));
    command.envs(certificates(&world.hub, folder.path()));
    let said = world.finish(command).await;
    assert!(said.ends_with("all is well\n"), "{said}");
}

/// Connections are cut, and the hub is stopped and started on the same port, while the program runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_survives_cuts_and_a_restart_on_every_transport() {
    let program = compile("survive.c", false, &[]);
    for transport in TRANSPORTS {
        survives(&program, transport).await;
    }
}

async fn survives(program: &Path, transport: &str) {
    let folder = tempfile::tempdir().unwrap();
    let builder =
        |port: u16| Hub::builder().listen(([127, 0, 0, 1], port).into()).data_dir(folder.path().join("hub"));
    let mut hub = builder(0).start().await.unwrap();
    let port = hub.addresses()[0].port();
    let registry = Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build().unwrap();
    let made = registry.create(&Identity::new(TwinKey::device("lamp").unwrap())).await.unwrap();
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, hub.ca_pem()).unwrap();
    let mut child = Command::new(program)
        .arg(transport)
        .env(
            "DEVICE_CONNECTION_STRING",
            &*made.connection_string(&hub.host_name().parse().unwrap()).unwrap().expose(),
        )
        .env("TWIN_CA_FILE", &ca)
        .stdout(Stdio::piped())
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

/// What is installed serves programs through pkg-config, shared and by soname; the examples are such programs, as C, as C++,
/// and with their Makefile. (`tests/c/cmake` tries their CMakeLists.txt; not every machine has CMake.)
#[tokio::test(flavor = "multi_thread")]
async fn the_examples_build_against_an_installation_and_run() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let mut install = Command::new(root().join("bindings-c/install.sh"));
    run(install.arg(folder.path()).env("LIBRARIES", library()));
    assert_eq!(fs::read_link(folder.path().join("lib/libtwin.so")).unwrap(), Path::new("libtwin.so.0"));
    let pkg_config = folder.path().join("lib/pkgconfig");
    // A copy, so that nothing is built among the sources.
    let examples = folder.path().join("examples");
    fs::create_dir(&examples).unwrap();
    for entry in fs::read_dir(root().join("bindings-c/examples")).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), examples.join(entry.file_name())).unwrap();
    }
    run(Command::new("make")
        .arg("-C")
        .arg(&examples)
        .env("PKG_CONFIG_PATH", &pkg_config)
        .env("CFLAGS", "-Werror"));
    let flags = run(Command::new("pkg-config")
        .args(["--cflags", "--libs", "twin"])
        .env("PKG_CONFIG_PATH", &pkg_config));
    let flags = String::from_utf8(flags.stdout).unwrap();
    for name in ["device", "module", "service", "own_loop"] {
        let cpp = folder.path().join(format!("{name}-cpp"));
        let mut compiler = Command::new("c++");
        compiler.args(["-x", "c++", "-std=c++11"]).args(STRICT).arg(examples.join(format!("{name}.c")));
        run(compiler.args(["-x", "none", "-o"]).arg(&cpp).args(flags.split_whitespace()));
        for built in [examples.join(name), cpp] {
            let mut command = Command::new(&built);
            command.env("LD_LIBRARY_PATH", folder.path().join("lib")).stdin(Stdio::null());
            let said = world.finish(command).await;
            match name {
                "device" => {}
                "module" => assert!(said.contains("reported version"), "{said}"),
                "service" => assert_eq!(said, "found pump\n"),
                _ => assert!(said.contains("twin: TWIN_OK") && said.contains("reported: TWIN_OK"), "{said}"),
            }
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
