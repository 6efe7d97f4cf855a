//! Where compared scripts play: a hub, the packages of one side, and someone who does what a script asks of the hub.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;
use twin_core::message::{Ack, Message};
use twin_hub::{LoginFault, RequestFault};
use twin_service::{Authentication, Error, Identity, IfMatch, Registry, TwinChange, TwinKey};

use crate::addon;
use crate::compare::Line;
use crate::node::{NodeHub, folder, install};

/// How long one play of a script may take. Then it is killed, and its last line says so.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whose packages a script gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// As published.
    Official,
    /// `bindings-node/packages`.
    Ours,
}

impl Side {
    /// The folder in which Node looks for packages.
    pub fn packages(self) -> PathBuf {
        match self {
            Side::Official => folder().join("official/node_modules"),
            Side::Ours => addon::folder().join("packages"),
        }
    }

    /// What tells Node where the packages are.
    pub fn environment(self) -> Vec<(&'static str, PathBuf)> {
        let packages = ("NODE_PATH", self.packages());
        match self {
            Side::Official => vec![packages],
            Side::Ours => vec![packages, ("AZURE_IOT_NATIVE", addon::binary().to_owned())],
        }
    }
}

/// Installs the official packages and builds our addon, with this build's profile.
pub fn prepare() {
    install(&folder().join("official"));
    addon::binary();
}

/// What a script may ask for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Ask {
    Create(Value),
    #[serde(rename_all = "camelCase")]
    Desire {
        device_id: String,
        module_id: Option<String>,
        desired: Map<String, Value>,
    },
    #[serde(rename_all = "camelCase")]
    Reported {
        device_id: String,
    },
    Send(ToDevice),
    #[serde(rename_all = "camelCase")]
    Waiting {
        device_id: String,
    },
    Cut(()),
    RefuseLogins {
        count: u32,
        how: String,
    },
    FailRequests {
        count: u32,
        how: String,
    },
}

/// A message to a device, in the words of `Message` of the packages.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ToDevice {
    device_id: String,
    body: String,
    #[serde(default)]
    properties: Vec<(String, String)>,
    message_id: Option<String>,
    correlation_id: Option<String>,
    user_id: Option<String>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    /// ISO 8601
    expiry: Option<String>,
    ack: Option<String>,
}

impl ToDevice {
    fn read(self) -> twin_service::Result<(TwinKey, Message)> {
        let mut message = Message::new(self.body);
        message.properties = self.properties;
        message.id = self.message_id;
        message.correlation_id = self.correlation_id;
        message.user_id = self.user_id;
        message.content_type = self.content_type;
        message.content_encoding = self.content_encoding;
        message.expiry = self.expiry.map(|text| text.parse()).transpose()?;
        message.ack = self.ack.map(|text| text.parse::<Ack>()).transpose()?;
        Ok((TwinKey::device(self.device_id)?, message))
    }
}

/// A hub with everything needed to play scripts on it.
pub struct Stage {
    hub: NodeHub,
    registry: Registry,
    runtime: Handle,
}

impl Stage {
    /// A hub on loopback address 127.0.0.`last`. Call it in a runtime.
    pub async fn set(last: u8) -> Stage {
        let hub = NodeHub::start(last).await;
        let registry = Registry::builder(hub.hub.connection_string())
            .trust_pem(hub.hub.ca_pem())
            .build()
            .expect("the hub's own connection string");
        Stage { hub, registry, runtime: Handle::current() }
    }

    /// Plays `script` and returns what it said; the last line tells how it ended. Blocks.
    pub fn play(&self, script: &Path, side: Side, transport: &str) -> Vec<Line> {
        let name = script.file_stem().expect("a file").to_string_lossy().replace('_', "-");
        let mut command = Command::new("node");
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.envs(self.hub.environment(side == Side::Official));
        command.env("COMPARE_HOST", self.hub.name(side == Side::Official));
        command.env("COMPARE_RUN", format!("{name}-{transport}-{side:?}").to_lowercase());
        command.env("COMPARE_TRANSPORT", transport).envs(side.environment()).env_remove("DEBUG");
        let mut child = command.spawn().expect("node runs");
        let mut answers = child.stdin.take().expect("piped");
        let output = child.stdout.take().expect("piped");
        let mut talk = child.stderr.take().expect("piped");
        let talk = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = talk.read_to_string(&mut text);
            text
        });
        let (all_read, read) = mpsc::channel();
        let ending = std::thread::spawn(move || wait(child, &read));
        let mut said = Vec::new();
        for line in BufReader::new(output).lines() {
            let line = line.expect("text");
            match serde_json::from_str::<Value>(&line) {
                Ok(Value::Object(mut object)) if object.contains_key("ask") => {
                    let answer = self.answer(object.remove("ask").expect("just seen"));
                    // A script that has ended needs no answer.
                    let _ = writeln!(answers, "{answer}");
                }
                _ => {
                    said.push(serde_json::from_str(&line).unwrap_or_else(|_| Line {
                        what: "printed".into(),
                        values: vec![Value::String(line)],
                    }))
                }
            }
        }
        drop(all_read);
        let end = ending.join().expect("the waiting thread");
        let talk = talk.join().expect("the reading thread");
        if end != json!(0) && end != json!(7) {
            eprintln!("{} ({side:?}, {transport}) ended with {end}:\n{talk}", script.display());
        }
        said.push(Line { what: "exit".into(), values: vec![end] });
        said
    }

    fn answer(&self, request: Value) -> Value {
        let done = serde_json::from_value::<Ask>(request)
            .map_err(|e| e.to_string())
            .and_then(|ask| self.runtime.block_on(self.serve(ask)).map_err(|e| e.to_string()));
        match done {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error }),
        }
    }

    async fn serve(&self, ask: Ask) -> twin_service::Result<Value> {
        let hub = &self.hub.hub;
        match ask {
            Ask::Create(identity) => {
                let created = self.registry.create(&Identity::from_json(identity)?).await?;
                let key = match &created.authentication {
                    Some(Authentication::Sas { primary, .. }) => Some(primary.expose_base64().to_string()),
                    _ => None,
                };
                return Ok(json!({ "key": key }));
            }
            Ask::Desire { device_id, module_id, desired } => {
                let key = match module_id {
                    Some(module) => TwinKey::module(&device_id, module)?,
                    None => TwinKey::device(&device_id)?,
                };
                let twin = self
                    .registry
                    .update_twin(&key, &TwinChange::new().desired(desired), IfMatch::Force)
                    .await?;
                return Ok(json!(twin.desired.version));
            }
            Ask::Reported { device_id } => {
                let twin = self.registry.twin(&TwinKey::device(&device_id)?).await?;
                return Ok(json!(twin.reported.value));
            }
            Ask::Send(message) => {
                let (key, message) = message.read()?;
                hub.send(&key, message).await.map_err(|refused| Error::invalid(format!("{refused:?}")))?;
            }
            Ask::Waiting { device_id } => {
                let twin = self.registry.twin(&TwinKey::device(&device_id)?).await?;
                return Ok(json!(twin.cloud_to_device_message_count()));
            }
            Ask::Cut(()) => hub.cut_connections(),
            Ask::RefuseLogins { count, how } => hub.refuse_logins(count, login_fault(&how)),
            Ask::FailRequests { count, how } => hub.fail_requests(count, request_fault(&how)),
        }
        Ok(Value::Null)
    }

    /// Forgets faults that a script asked for and did not meet.
    pub fn clear(&self) {
        self.hub.hub.clear_faults();
    }
}

fn login_fault(how: &str) -> LoginFault {
    match how {
        "Unavailable" => LoginFault::Unavailable,
        "NotAuthorized" => LoginFault::NotAuthorized,
        "Silence" => LoginFault::Silence,
        other => panic!("no such login fault: {other}"),
    }
}

fn request_fault(how: &str) -> RequestFault {
    match how {
        "Throttle" => RequestFault::Throttle { retry_after: 2 },
        "ServerError" => RequestFault::ServerError,
        "Unavailable" => RequestFault::Unavailable,
        "LoseAnswer" => RequestFault::LoseAnswer,
        "Cut" => RequestFault::Cut,
        other => panic!("no such request fault: {other}"),
    }
}

/// How the process ends, once all of its output was `read`: its exit code, the signal that killed it, or that it did not.
fn wait(mut child: Child, read: &Receiver<()>) -> Value {
    let is_late = read.recv_timeout(PATIENCE).is_err_and(|e| e == RecvTimeoutError::Timeout);
    if is_late {
        let _ = child.kill();
    }
    let status = child.wait().expect("a process of ours");
    match status.code() {
        _ if is_late => json!("<killed: it did not end>"),
        Some(code) => json!(code),
        None => json!(status.to_string()),
    }
}
