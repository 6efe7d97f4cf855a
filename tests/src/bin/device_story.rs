//! Starts a scripted hub and tells it a device's story over AMQP: device_story IP PORT COMMAND…
//!
//! COMMAND is called with `IP:PORT`, a key's file and a certificate's file, and says a line when it listens.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use tests::rhea::certificate;
use tests::story::story;
use twin_device::{DeviceClient, Transport};

/// Longest it may take: a hang is a failure.
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ip, port, command @ ..] = &arguments[..] else { panic!("IP, PORT and COMMAND are needed") };
    let files = tempfile::tempdir().expect("a folder");
    let (key, certificate, ca_pem) = certificate(files.path(), ip);
    let mut hub = Command::new(&command[0])
        .args(&command[1..])
        .arg(format!("{ip}:{port}"))
        .args([key, certificate])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let mut line = String::new();
    BufReader::new(hub.stdout.take().expect("piped")).read_line(&mut line).expect("its line");
    let connection_string =
        format!("HostName={ip}:{port};DeviceId=d;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZg==");
    let told = std::panic::catch_unwind(|| tell(&connection_string, &ca_pem));
    hub.kill().and_then(|()| hub.wait()).expect("it ends");
    if told.is_err() {
        return ExitCode::FAILURE;
    }
    println!("ok a device's story, told to {}", command.join(" "));
    ExitCode::SUCCESS
}

fn tell(connection_string: &str, ca_pem: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let telling = async {
            let client = DeviceClient::from_connection_string(connection_string)
                .and_then(|builder| builder.ca_pem(ca_pem).transport(Transport::Amqp).build())
                .expect("a client");
            client.open().await.expect("the hub lets it in");
            story(&client).await;
        };
        tokio::time::timeout(LIMIT, telling).await.expect("it hangs");
    });
}
