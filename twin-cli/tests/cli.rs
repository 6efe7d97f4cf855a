//! The `twin` binary as a user meets it: exit codes, stdout for data, stderr for talk, JSON keys, error texts, and no
//! secret where none was asked for. Every test runs a hub of its own, by the same binary, on a free port.

// Helpers of tests fail the test by panicking.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

struct Hub {
    process: Child,
    ready: Value,
}

impl Hub {
    fn start(arguments: &[&str]) -> Hub {
        let mut process =
            twin(&[&["hub", "--listen", "127.0.0.1:0", "--json", "--log-level", "warn"], arguments].concat())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Hub { process, ready: serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}")) }
    }

    fn ephemeral() -> Hub {
        Hub::start(&["--ephemeral"])
    }

    fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.ready))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = twin(arguments);
        command.env("IOTHUB_CONNECTION_STRING", self.text("connectionString"));
        command.env("SSL_CERT_FILE", self.text("caFile"));
        command
    }

    /// Runs to the end; panics unless the exit code is as expected.
    fn run(&self, code: i32, arguments: &[&str]) -> Ran {
        ran(code, arguments, self.command(arguments).output().unwrap())
    }

    /// Runs to the end successfully; the JSON on stdout.
    fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(0, &[arguments, &["-o", "json"]].concat());
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {}", ran.out))
    }

    #[cfg(unix)]
    fn stop(&mut self) -> std::process::ExitStatus {
        let done = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(done.success());
        self.process.wait().unwrap()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        if self.ready["dataDir"].is_null()
            && let Some(file) = self.ready["caFile"].as_str()
        {
            std::fs::remove_file(file).ok();
        }
    }
}

struct Ran {
    out: String,
    err: String,
}

fn ran(code: i32, arguments: &[&str], output: Output) -> Ran {
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\nstdout: {out}\nstderr: {err}");
    Ran { out, err }
}

fn twin(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_twin"));
    command.args(arguments).stdin(Stdio::null());
    for name in [
        "IOTHUB_CONNECTION_STRING",
        "IOTHUB_DEVICE_CONNECTION_STRING",
        "SSL_CERT_FILE",
        "HTTPS_PROXY",
        "https_proxy",
    ] {
        command.env_remove(name);
    }
    command
}

/// Without a hub.
fn alone(code: i32, arguments: &[&str]) -> Ran {
    ran(code, arguments, twin(arguments).output().unwrap())
}

fn scratch(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    std::fs::remove_dir_all(&dir).ok();
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

#[test]
fn misuse_is_exit_code_2_and_says_how_it_is_meant() {
    let service =
        "HostName=localhost:1;SharedAccessKeyName=service;SharedAccessKey=c2VjcmV0LXNlY3JldC1zZWNyZXQ=";
    let device = "HostName=localhost:1;DeviceId=d;SharedAccessKey=c2VjcmV0LXNlY3JldC1zZWNyZXQ=";
    for (arguments, part) in [
        (&["get", "d"][..], "IOTHUB_CONNECTION_STRING"),
        (&["get", "d", "--connection-string", "nonsense"], "connection string is wrong"),
        (&["get", "d", "--connection-string", "HostName=h;SharedAccessKeyName=x"], "SharedAccessKey"),
        (&["hub", "--host-name", "https://h"], "https://h"),
        (&["get", "d", "--connection-string", device], "device's"),
        (&["get", "a b", "--connection-string", service], "' '"),
        (&["get"], "ID"),
        (&["fly"], "fly"),
        (&["patch", "d", "--connection-string", service], "CHANGE"),
        (&["patch", "d", "floor=3", "--connection-string", service], "neither 'tags' nor 'desired'"),
        (&["patch", "d", "{\"floor\":3}", "--connection-string", service], "floor"),
        (&["patch", "d", "tags.$x=3", "--connection-string", service], "$x"),
        (&["patch", "d", "@/no/such/file", "--connection-string", service], "/no/such/file"),
        (&["replace", "d", "tags.a=null", "--connection-string", service], "null"),
        (&["query", "SELECT", "--page-size", "0", "--connection-string", service], "0"),
        (&["watch", "--connection-string", service], "ID"),
        (&["watch", "other", "--connection-string", device], "'d'"),
        (&["device", "create", "d", "--auth", "x509", "--connection-string", service], "--thumbprint"),
        (
            &[
                "device",
                "create",
                "d",
                "--auth",
                "x509",
                "--thumbprint",
                "12",
                "--connection-string",
                service,
            ],
            "40",
        ),
        (&["sas", "explain", "SharedAccessSignature sr=x"], "s"),
        (&["sas", "make", "--connection-string", device, "--device", "other"], "'other'"),
        (&["hub", "--listen", "nowhere"], "127.0.0.1:9443"),
        (&["hub", "--ephemeral", "--data", "x"], "--data"),
        (&["hub", "--ephemeral", "--listen", "127.0.0.1:0", "--log-level", "=x="], "--log-level"),
        (&["get", "d", "--ca-file", "/no/such/file", "--connection-string", service], "/no/such/file"),
    ] {
        let ran = alone(2, arguments);
        assert!(ran.err.contains(part), "{arguments:?}: {}", ran.err);
        assert!(ran.out.is_empty(), "{arguments:?}: {}", ran.out);
        assert!(!ran.err.contains("c2VjcmV0"), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn what_cannot_be_done_is_exit_code_1_with_what_answered_and_what_to_try() {
    let hub = Hub::ephemeral();
    hub.run(0, &["device", "create", "d"]);
    for (arguments, parts) in [
        (
            &["get", "nobody"][..],
            &[
                "get the twin of 'nobody'",
                "status 404",
                "404001 DeviceNotFound",
                "tracking id",
                "twin device list",
            ][..],
        ),
        (&["device", "show", "nobody"], &["get the identity of 'nobody'", "404001"]),
        (&["device", "create", "d"], &["create 'd'", "status 409", "409001"]),
        (&["device", "create", "nobody", "--module", "m"], &["create 'nobody/m'", "404"]),
        (
            &["patch", "d", "tags.a=1", "--etag", "AAAAAAAAAAk="],
            &["update the twin of 'd'", "status 412", "412001", "twin get"],
        ),
        (&["replace", "nobody", "tags.a=1"], &["replace the twin of 'nobody'", "404001"]),
        (&["query", "SELECT FROM"], &["query 'SELECT FROM'", "status 400", "^ "]),
        (&["watch", "nobody"], &["nobody", "404001"]),
        (&["device", "delete", "nobody"], &["delete 'nobody'", "404001"]),
        (&["device", "renew-key", "nobody"], &["404001"]),
    ] {
        let ran = hub.run(1, arguments);
        for part in parts {
            assert!(ran.err.contains(part), "{arguments:?} lacks {part}: {}", ran.err);
        }
        assert!(ran.out.is_empty(), "{arguments:?}: {}", ran.out);

        let ran = hub.run(1, &[arguments, &["-o", "json"]].concat());
        let error: Value = serde_json::from_str(ran.err.lines().last().unwrap()).unwrap();
        for name in ["kind", "message", "status", "code", "trackingId", "next"] {
            assert!(error["error"].get(name).is_some(), "{arguments:?}: {error}");
        }
    }
}

#[test]
fn nobody_there_and_nobody_trusted() {
    let hub = Hub::ephemeral();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!(
        "HostName=localhost:{port};SharedAccessKeyName=service;SharedAccessKey=c2VjcmV0LXNlY3JldC1zZWNyZXQ="
    );
    // A connection that cannot be made is tried again for a while; the key says nothing about that, so stop it early.
    let untrusted =
        twin(&["get", "d", "--connection-string", hub.text("connectionString")]).output().unwrap();
    let ran = ran(1, &["get", "untrusted"], untrusted);
    assert!(ran.err.contains("--ca-file") && ran.err.contains("SSL_CERT_FILE"), "{}", ran.err);

    let explained = alone(0, &["sas", "make", "--connection-string", &nobody]);
    assert!(explained.out.starts_with("SharedAccessSignature sr=localhost"), "{}", explained.out);
}

#[test]
fn identities() {
    let hub = Hub::ephemeral();
    let made = hub.json(&["device", "create", "d", "--edge"]);
    assert_eq!((&made["deviceId"], &made["status"]), (&json!("d"), &json!("enabled")));
    assert_eq!(made["capabilities"]["iotEdge"], true);
    assert!(made["authentication"]["symmetricKey"]["primaryKey"].is_null(), "keys show only when asked for");
    let shown = hub.json(&["device", "show", "d", "--show-keys"]);
    let primary = shown["authentication"]["symmetricKey"]["primaryKey"].as_str().unwrap().to_owned();
    assert!(!hub.run(0, &["device", "show", "d"]).out.contains(&primary));

    let text =
        hub.json(&["device", "connection-string", "d"])["connectionString"].as_str().unwrap().to_owned();
    assert_eq!(text, format!("HostName={};DeviceId=d;SharedAccessKey={primary}", hub.text("hostName")));
    assert_eq!(hub.run(0, &["device", "connection-string", "d"]).out.trim(), text);

    hub.run(0, &["device", "renew-key", "d", "--which", "swap"]);
    let swapped = hub.json(&["device", "show", "d", "--show-keys"]);
    assert_eq!(swapped["authentication"]["symmetricKey"]["secondaryKey"], primary.as_str());
    let renewed = hub.run(0, &["device", "renew-key", "d", "--which", "both"]);
    let now = hub.json(&["device", "show", "d", "--show-keys"]);
    let new = now["authentication"]["symmetricKey"]["primaryKey"].as_str().unwrap();
    assert!(new != primary && !renewed.out.contains(new) && !renewed.err.contains(new));

    hub.run(0, &["device", "create", "d", "--module", "m"]);
    assert_eq!(hub.json(&["device", "list", "--modules-of", "d"])[0]["moduleId"], "m");
    let text = hub.run(0, &["device", "connection-string", "d", "--module", "m"]).out;
    assert!(text.contains("DeviceId=d;ModuleId=m;SharedAccessKey="), "{text}");

    let thumbprint = "AB:".repeat(19) + "AB";
    let x509 = hub.json(&["device", "create", "x", "--auth", "x509", "--thumbprint", &thumbprint]);
    assert_eq!(x509["authentication"]["x509Thumbprint"]["primaryThumbprint"], "AB".repeat(20));
    assert!(hub.run(0, &["device", "connection-string", "x"]).out.trim().ends_with(";x509=true"));
    assert_eq!(hub.json(&["device", "create", "c", "--auth", "ca", "--disabled"])["status"], "disabled");
    assert!(hub.run(1, &["device", "renew-key", "c"]).err.contains("no keys"));

    let mut ids: Vec<_> =
        hub.json(&["device", "list"]).as_array().unwrap().iter().map(|d| d["deviceId"].to_string()).collect();
    ids.sort();
    assert_eq!(ids, ["\"c\"", "\"d\"", "\"x\""]);
    let table = hub.run(0, &["device", "list"]).out;
    assert!(table.starts_with("id ") && table.lines().count() == 4, "{table}");

    let deleted = hub.run(0, &["device", "delete", "d"]);
    assert!(deleted.out.is_empty() && deleted.err.contains("deleted 'd'"), "{}", deleted.err);
    hub.run(1, &["get", "d", "--module", "m"]);
}

#[test]
fn twins() {
    let hub = Hub::ephemeral();
    hub.run(0, &["device", "create", "d"]);
    hub.run(0, &["device", "create", "d", "--module", "m"]);
    let twin = hub.json(&["patch", "d", "tags.floor=3", "tags.name=east wing", "desired.fan.speed=2"]);
    assert_eq!(twin["tags"], json!({"floor": 3, "name": "east wing"}));
    assert_eq!(twin["properties"]["desired"]["fan"], json!({"speed": 2}));
    let stale = twin["etag"].as_str().unwrap().to_owned();

    let twin = hub.json(&["patch", "d", "{\"tags\":{\"name\":null}}", "--etag", &stale]);
    assert_eq!(twin["tags"], json!({"floor": 3}));
    hub.run(1, &["replace", "d", "tags.x=1", "--etag", &stale]);

    let dir = scratch("twins");
    let file = dir.join("new.json");
    std::fs::write(&file, json!({"tags": {"only": true}}).to_string()).unwrap();
    let twin = hub.json(&["replace", "d", &format!("@{}", file.display())]);
    assert_eq!(twin["tags"], json!({"only": true}));

    // What get prints can be edited and given back, on stdin for one.
    let mut document = hub.json(&["get", "d"]);
    document["tags"] = json!({"edited": 1});
    let mut command = hub.command(&["replace", "d", "-", "-o", "json"]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(document.to_string().as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["tags"], json!({"edited": 1}));

    let twin = hub.json(&["patch", "d", "--module", "m", "desired.on=true"]);
    assert_eq!((&twin["moduleId"], &twin["properties"]["desired"]["on"]), (&json!("m"), &json!(true)));

    let text = hub.run(0, &["get", "d"]).out;
    for part in ["device", "etag", "\"edited\": 1", "\"speed\": 2", "$version"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour off a terminal: {text:?}");
}

#[test]
fn queries() {
    let hub = Hub::ephemeral();
    for id in ["a", "b", "c"] {
        hub.run(0, &["device", "create", id]);
        hub.run(0, &["patch", id, "tags.plant=P"]);
    }
    let all = hub.json(&[
        "query",
        "SELECT deviceId FROM devices WHERE tags.plant = 'P'",
        "--page-size",
        "2",
        "--all",
    ]);
    assert_eq!(all.as_array().unwrap().len(), 3);

    let query = ["query", "SELECT deviceId FROM devices", "--page-size", "2", "-o", "json"];
    let first = hub.run(0, &query);
    assert_eq!(serde_json::from_str::<Value>(&first.out).unwrap().as_array().unwrap().len(), 2);
    let token = first.err.split("--resume '").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    let rest = hub.run(0, &[&query[..], &["--resume", &token]].concat());
    assert_eq!(serde_json::from_str::<Value>(&rest.out).unwrap().as_array().unwrap().len(), 1);
    assert!(!rest.err.contains("--resume"), "{}", rest.err);

    assert_eq!(hub.json(&["query", "SELECT * FROM devices WHERE tags.plant = 'Q'"]), json!([]));
    let table = hub.run(0, &["query", "SELECT * FROM devices"]);
    assert!(table.out.starts_with("deviceId  status   connectionState  tags"), "{}", table.out);
    assert!(
        table.out.contains("{\"plant\":\"P\"}") && table.err.contains("3 rows"),
        "{} {}",
        table.out,
        table.err
    );
    let count = hub.run(0, &["query", "SELECT COUNT() AS n FROM devices"]).out;
    assert_eq!(count.split_whitespace().collect::<Vec<_>>(), ["n", "3"]);
}

#[test]
fn tokens() {
    let key = "c2VjcmV0LXNlY3JldC1zZWNyZXQ=";
    let service = format!("HostName=h.example;SharedAccessKeyName=service;SharedAccessKey={key}");
    let device = format!("HostName=h.example;DeviceId=d/1;SharedAccessKey={key}").replace("d/1", "d#1");
    assert!(alone(0, &["completions", "bash"]).out.contains("_twin"));
    for (arguments, resource) in [
        (&["--connection-string", service.as_str()][..], "h.example"),
        (&["--connection-string", &service, "--device", "x"], "h.example/devices/x"),
        (
            &["--connection-string", &service, "--device", "x", "--module", "m"],
            "h.example/devices/x/modules/m",
        ),
        (&["--connection-string", &device], "h.example/devices/d#1"),
    ] {
        let made = alone(0, &[&["sas", "make", "--ttl", "600", "-o", "json"], arguments].concat());
        let made: Value = serde_json::from_str(&made.out).unwrap();
        assert_eq!(made["resource"], resource);
        let token = made["token"].as_str().unwrap();
        assert!(!token.contains(key));

        let explained =
            alone(0, &["sas", "explain", token, "-o", "json", "--connection-string", arguments[1]]);
        let explained: Value = serde_json::from_str(&explained.out).unwrap();
        assert_eq!(
            (&explained["signedByKey"], &explained["expired"]),
            (&json!(true), &json!(false)),
            "{explained}"
        );
        let signature = token.split("sig=").nth(1).unwrap().split('&').next().unwrap();
        let text = alone(0, &["sas", "explain", token]).out;
        assert!(text.contains("not checked") && !text.contains(signature), "{text}");
        let other =
            "HostName=h.example;SharedAccessKeyName=service;SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert!(
            alone(0, &["sas", "explain", token, "--connection-string", other]).out.contains("NOT the key")
        );
    }
}

#[test]
fn watching_shows_what_changed() {
    let hub = Hub::ephemeral();
    hub.run(0, &["device", "create", "d"]);
    hub.run(0, &["patch", "d", "desired.a=1", "desired.b=1"]);
    let text = hub.run(0, &["device", "connection-string", "d"]).out.trim().to_owned();
    let json_lines = |arguments: &[&str], from: fn(&str) -> bool| {
        let mut command = hub.command(&[&["watch", "-o", "json", "--count", "2"], arguments].concat());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut talk = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        while !from(&line) {
            line.clear();
            assert_ne!(talk.read_line(&mut line).unwrap(), 0, "watch ended early");
        }
        (process, talk)
    };
    // As a backend: one look every 0.1 s.
    let (process, _talk) = json_lines(&["d", "--every", "0.1"], |line| line.contains("watching 'd'"));
    hub.run(0, &["patch", "d", "tags.t=1", "desired.a=2", "desired.b=null"]);
    let output = process.wait_with_output().unwrap();
    let lines: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines[0], json!({"section": "tags", "version": null, "patch": {"t": 1}}));
    assert_eq!(lines[1], json!({"section": "desired", "version": 3, "patch": {"a": 2, "b": null}}));

    // As the device: the whole section first, then each change.
    let (mut process, _talk) =
        json_lines(&["--connection-string", &text], |line| line.contains("connected as 'd'"));
    let mut out = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&line).unwrap(),
        json!({"section": "desired", "version": 3, "patch": {"a": 2}})
    );
    hub.run(0, &["patch", "d", "desired.a=5"]);
    line.clear();
    out.read_line(&mut line).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&line).unwrap(),
        json!({"section": "desired", "version": 4, "patch": {"a": 5}})
    );
    assert!(process.wait().unwrap().success());
}

#[test]
fn quickstart_tells_the_story() {
    for transport in ["mqtt", "mqtt-ws", "amqp", "amqp-ws"] {
        let ran = alone(0, &["quickstart", "--transport", transport]);
        for part in [
            "1. Start a hub",
            "cellular",
            "page 1:",
            "page 2:",
            "the device hears",
            "Redmond43",
            "Rust",
            "Node.js",
            "C  ",
        ] {
            assert!(ran.out.contains(part), "{transport}: no {part} in {}", ran.out);
        }
        assert!(!ran.out.contains("SharedAccessKey") && !ran.err.contains("SharedAccessKey"));
    }
    let ran = alone(0, &["quickstart", "-o", "json"]);
    let story: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(story["twin"]["properties"]["reported"]["connectivity"]["type"], "cellular");
    assert_eq!(story["twin"]["tags"]["location"], json!({"region": "US", "plant": "Redmond43"}));
}

#[cfg(unix)]
#[test]
fn a_hub_keeps_its_state_backs_it_up_and_stops_when_told() {
    let dir = scratch("hub");
    let (data, copy) = (dir.join("data"), dir.join("copy"));
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut hub =
        Hub::start(&["--data", &text(&data), "--host-name", "hub.example", "--host-name", "localhost"]);
    for name in ["hostName", "listen", "connectionString", "caFile", "dataDir"] {
        assert!(hub.ready.get(name).is_some(), "{name}: {}", hub.ready);
    }
    assert!(hub.text("hostName").starts_with("hub.example:"));
    assert!(hub.text("connectionString").contains(";SharedAccessKeyName=iothubowner;SharedAccessKey="));
    let local = hub.text("connectionString").replace("hub.example", "localhost");
    hub.run(0, &["device", "create", "d", "--connection-string", &local]);

    let second = alone(1, &["hub", "--listen", "127.0.0.1:0", "--data", &text(&data)]);
    assert!(second.err.contains(&text(&data)), "a second hub on the directory: {}", second.err);
    let port = hub.ready["listen"][0].as_str().unwrap().to_owned();
    let taken = alone(1, &["hub", "--ephemeral", "--listen", &port]);
    assert!(taken.err.contains(&port) && taken.err.contains("--listen"), "{}", taken.err);

    alone(0, &["hub", "backup", &text(&copy), "--data", &text(&data)]);
    assert!(hub.stop().success());

    for place in [&data, &copy] {
        let mut again = Hub::start(&["--data", &text(place), "--host-name", "localhost"]);
        assert_eq!(again.json(&["device", "show", "d"])["deviceId"], "d", "{}", place.display());
        assert!(again.stop().success());
    }
    // A hub that does not run is backed up as well.
    let resting = dir.join("resting");
    alone(0, &["hub", "backup", &text(&resting), "--data", &text(&data)]);
    assert!(resting.is_dir());
    let nowhere = alone(1, &["hub", "backup", &text(&copy), "--data", &text(&dir.join("nowhere"))]);
    assert!(nowhere.err.contains("there is no hub"), "{}", nowhere.err);
}
