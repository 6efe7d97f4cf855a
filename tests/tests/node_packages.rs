//! Our Node.js packages against the hub: each file of `node/packages` is one test; the seed's scripts run as printed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tests::{addon, node};
use tokio::process::Command;
use twin_hub::Hub;

/// How long one process may take, whatever it does.
const PATIENCE: Duration = Duration::from_secs(150);

/// A hub on a free port, and the environment in which scripts find it and our packages.
struct World {
    hub: Hub,
    ca: tempfile::NamedTempFile,
}

impl World {
    async fn start() -> World {
        let address = "127.0.0.1:0".parse().expect("an address");
        let hub = Hub::builder().listen(address).ephemeral().start().await.expect("the hub starts");
        let ca = tempfile::NamedTempFile::new().expect("a file for the CA");
        std::fs::write(ca.path(), hub.ca_pem()).expect("the CA");
        World { hub, ca }
    }

    /// Node, as in a project that has our packages installed.
    fn node(&self) -> Command {
        let mut command = Command::new("node");
        command
            .env("NODE_PATH", addon::folder().join("node_modules"))
            .env("AZURE_IOT_NATIVE", addon::binary())
            .env("IOTHUB_CONNECTION_STRING", self.hub.connection_string())
            .env("HUB_CA_FILE", self.ca.path())
            .env("NODE_EXTRA_CA_CERTS", self.ca.path())
            // A test run of Node's inside a test run of Node's would be skipped silently.
            .env_remove("NODE_TEST_CONTEXT")
            .kill_on_drop(true);
        command
    }

    async fn run_tests(&self, file: &Path) {
        let official = node::folder().join("official");
        node::install(&official);
        let mut command = self.node();
        command.args(["--test", "--test-reporter=spec"]).arg(file).env("OFFICIAL_PACKAGES", official);
        let (code, text) = run(command).await;
        assert_eq!(code, Some(0), "{} failed:\n{text}", file.display());
        assert!(
            text.contains("pass ") && !text.contains("pass 0\n"),
            "{} ran nothing:\n{text}",
            file.display()
        );
    }
}

/// The exit code and everything that was printed. A process that does not end is a failure that says the same.
async fn run(mut command: Command) -> (Option<i32>, String) {
    let printed = tempfile::NamedTempFile::new().expect("a file");
    // Appending, for both write there.
    let append = std::fs::OpenOptions::new().append(true).open(printed.path()).expect("the file just made");
    let both = append.try_clone().expect("a handle");
    let mut child = command.stdin(Stdio::null()).stdout(append).stderr(both).spawn().expect("node runs");
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
    let text =
        String::from_utf8_lossy(&std::fs::read(printed.path()).expect("what was printed")).into_owned();
    let status = ended.unwrap_or_else(|_| panic!("did not end in {PATIENCE:?}; it printed:\n{text}"));
    (status.expect("a process of ours").code(), text)
}

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                addon::link();
                let world = World::start().await;
                world.run_tests(&node::folder().join(concat!("packages/", stringify!($name), ".test.js"))).await;
                world.hub.close().await.expect("the hub closes");
            }
        )*

        #[test]
        fn every_file_is_run() {
            let mut files: Vec<String> = std::fs::read_dir(node::folder().join("packages"))
                .expect("the folder")
                .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
                .filter_map(|name| name.strip_suffix(".test.js").map(str::to_owned))
                .collect();
            files.sort();
            let mut named = vec![$(stringify!($name).to_owned()),*];
            named.sort();
            assert_eq!(files, named);
        }
    };
}

scenarios! {
    common
    device
    life
    messages
    seams
}

/// The JavaScript blocks of a section of the seed document, as they stand.
fn seed_blocks(heading: &str) -> Vec<String> {
    let document = std::fs::read_to_string(node::folder().join("seed/get-started.md")).expect("the seed");
    let section = document.split("\n## ").find(|section| section.starts_with(heading)).expect("the section");
    section
        .split("```javascript\n")
        .skip(1)
        .map(|block| block.split("```").next().expect("a block ends").to_owned())
        .collect()
}

fn find<'a>(blocks: &'a [String], start: &str) -> &'a str {
    blocks.iter().find(|block| block.contains(start)).unwrap_or_else(|| panic!("no block with {start}"))
}

fn line<'a>(block: &'a str, start: &str) -> &'a str {
    block.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no line {start}"))
}

/// The device application over MQTT, as its first block has it, and over AMQP, as the second one has it.
fn device_scripts() -> [String; 2] {
    let blocks = seed_blocks("Create a device application");
    let (imports, client) = (find(&blocks, "const Client"), find(&blocks, "let client"));
    assert!(imports.contains(".Mqtt;") && client.contains("require('azure-iot-device-mqtt').Amqp;"));
    let beginnings = [
        format!("{imports}{}", line(client, "let client")),
        format!("{}\n{client}", line(imports, "const Client")),
    ];
    let rest = ["client.open()", "client.getTwin(", "var patch"].map(|start| find(&blocks, start)).concat();
    // `getTwin` is left open for what follows it.
    beginnings.map(|beginning| {
        format!("const deviceConnectionString = process.env.DEVICE;\n{beginning}\n{rest}}});\n")
    })
}

fn backend_script(connection_string: &str) -> String {
    let blocks = seed_blocks("Create a backend application");
    blocks.concat().replace("{iot hub connection string}", connection_string)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seeds_scripts_run_as_printed() {
    addon::link();
    let world = World::start().await;
    let registry = twin_service::Registry::builder(world.hub.connection_string())
        .trust_pem(world.hub.ca_pem())
        .build()
        .expect("a registry");
    let key = twin_service::TwinKey::device("myDeviceId").expect("an id");
    let made = registry.create(&twin_service::Identity::new(key.clone())).await.expect("created");
    let Some(twin_service::Authentication::Sas { primary, .. }) = made.authentication else {
        panic!("no key")
    };
    let connection_string = format!(
        "HostName={};DeviceId=myDeviceId;SharedAccessKey={}",
        world.hub.host_name(),
        *primary.expose_base64()
    );
    for (version, script) in (2..).zip(device_scripts()) {
        let mut node = world.node();
        node.args(["-e", &script]).env("DEVICE", &connection_string);
        assert_eq!(run(node).await, (Some(0), "twin state reported\n".to_owned()), "{script}");
        let twin = registry.twin(&key).await.expect("the twin");
        assert_eq!(
            (&twin.reported.value["connectivity"]["type"], twin.reported.version),
            (&json!("cellular"), version)
        );
    }
    let script = backend_script(&world.hub.connection_string());
    let mut node = world.node();
    node.args(["-e", &script]);
    let (code, text) = run(node).await;
    // Both queries are asked at once.
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let expected = [
        "Devices in Redmond43 using cellular network: myDeviceId",
        "Devices in Redmond43: myDeviceId",
        "myDeviceId twin updated successfully",
    ];
    assert_eq!((code, lines.as_slice()), (Some(0), &expected[..]), "{script}");
    world.hub.close().await.expect("the hub closes");
}

/// As a person would: a new folder, `npm init`, install, a script; from the folders and from what `npm pack` makes.
#[tokio::test(flavor = "multi_thread")]
async fn the_packages_install_by_path_and_from_tarballs() {
    addon::link();
    let script = "const { Client } = require('azure-iot-device');\n\
                  const { Mqtt } = require('azure-iot-device-mqtt');\n\
                  const { NoRetry } = require('azure-iot-common');\n\
                  const client = Client.fromConnectionString(\n\
                    'HostName=127.0.0.1:1;DeviceId=d;SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAA==', Mqtt);\n\
                  client.setRetryPolicy(new NoRetry());\n\
                  client.open().catch((error) => console.log(error.name));\n";
    let names = [
        "azure-iot-common",
        "azure-iot-device",
        "azure-iot-device-mqtt",
        "azure-iot-device-amqp",
        "azure-iot-device-http",
        "azure-iothub",
    ];
    let packages = addon::folder().join("packages");
    let by_path: Vec<PathBuf> = names.iter().map(|name| packages.join(name)).collect();
    run_installed(&by_path, script, Some(addon::binary())).await;

    // Tarballs hold the binary, so this one is put where the build would put it: into a copy.
    let copies = tempfile::tempdir().expect("a folder");
    let native = "azure-iot-native-linux-x64-gnu";
    let mut tarballs = Vec::new();
    for name in names.iter().chain(&[native]) {
        let copy = copies.path().join(name);
        copy_folder(&packages.join(name), &copy);
        if *name == native {
            std::fs::copy(addon::binary(), copy.join("twin.node")).expect("the binary");
        }
        let packed = addon::npm(copies.path(), &["pack", &format!("./{name}")]);
        tarballs.push(copies.path().join(packed.lines().last().expect("a name").trim()));
    }
    run_installed(&tarballs, script, None).await;
}

async fn run_installed(what: &[PathBuf], script: &str, binary: Option<&Path>) {
    let folder = tempfile::tempdir().expect("a folder");
    // npm takes the folder's name, and a temporary one begins with a dot.
    let project = folder.path().join("project");
    std::fs::create_dir(&project).expect("a folder");
    addon::npm(&project, &["init", "--yes"]);
    let what: Vec<&str> = what.iter().map(|path| path.to_str().expect("UTF-8")).collect();
    addon::npm(&project, &[&["install", "--offline"][..], &what].concat());
    std::fs::write(project.join("index.js"), script).expect("the script");
    let mut node = Command::new("node");
    node.arg("index.js").current_dir(&project).kill_on_drop(true);
    if let Some(binary) = binary {
        node.env("AZURE_IOT_NATIVE", binary);
    }
    assert_eq!(run(node).await, (Some(0), "NotConnectedError\n".to_owned()));
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name();
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to.join(name));
        } else if !name.to_string_lossy().contains(".node") {
            std::fs::copy(entry.path(), to.join(name)).expect("a copy");
        }
    }
}
