//! A device's or module's session, as JavaScript holds it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use napi_derive::napi;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use twin_device::{
    Builder, Client, Credential, DesiredChange, Device, DeviceId, Error, HostName, Key, Module, ModuleId,
    Object, Properties, ReceivePolicy, Result, SasToken, State, Subscription, Timestamp, Transport, When,
};

use crate::errand;
use crate::mailbox::{Letter, Mailbox};
use crate::options::ConnectionOptions;
use crate::outcome::{failure, outcome};
use crate::retry::Rules;
use crate::runtime::runtime;

/// Who connects where. Exactly one of `key` and `token`, or neither for a client certificate.
#[napi(object)]
pub struct DeviceSpec {
    /// `name[:port]` of the hub.
    pub host: String,
    /// The device.
    pub device_id: String,
    /// The module on it.
    pub module_id: Option<String>,
    /// The gateway to connect to instead.
    pub gateway: Option<String>,
    /// The key of the device or module, or of `policy`, in base64.
    pub key: Option<String>,
    /// The shared access policy that the key belongs to.
    pub policy: Option<String>,
    /// A given token.
    pub token: Option<String>,
    /// `Mqtt`, `MqttWs`, `Amqp`, `AmqpWs` or `Http`.
    pub protocol: String,
    /// Who made the client, and what its user adds.
    pub product_info: Option<String>,
    /// The model that the device announces.
    pub model_id: Option<String>,
    /// Lifetime of tokens made from the key, in seconds.
    pub token_lifetime: Option<f64>,
    /// The part of the lifetime that is left when a token is renewed, 0 to 1.
    pub token_renew_share: Option<f64>,
    /// Longest a request may take in all, in milliseconds.
    pub operation_timeout: Option<f64>,
}

pub(crate) enum Handle {
    Device(Client<Device>),
    Module(Client<Module>),
}

/// Calls the same on either kind of client.
macro_rules! on {
    ($handle:expr, $client:ident => $call:expr) => {
        match $handle {
            $crate::device::Handle::Device($client) => $call,
            $crate::device::Handle::Module($client) => $call,
        }
    };
}
pub(crate) use on;

impl Clone for Handle {
    fn clone(&self) -> Self {
        match self {
            Handle::Device(client) => Handle::Device(client.clone()),
            Handle::Module(client) => Handle::Module(client.clone()),
        }
    }
}

/// One session. Its events are letters to `id`: `{"state":…}`, `{"desired":…}`, `{"expiring":…}`.
#[napi]
pub struct NativeDevice {
    pub(crate) client: Result<Handle>,
    pub(crate) mailbox: Mailbox,
    rules: Rules,
    pub(crate) id: u32,
    /// To the client's [`Desk`].
    answers: Mutex<Option<mpsc::UnboundedSender<Answer>>>,
    /// Reads the desired changes, if they are wanted.
    pump: Mutex<Option<JoinHandle<()>>>,
    /// Reads the messages, if they are wanted.
    mail: Mutex<Option<JoinHandle<()>>>,
}

#[napi]
impl NativeDevice {
    /// Connects to nothing yet. What is wrong with the spec or the options, every request tells.
    #[napi(constructor)]
    pub fn new(mailbox: &Mailbox, id: u32, spec: DeviceSpec, options: ConnectionOptions) -> NativeDevice {
        let rules = Rules::default();
        let client = build(spec, options, &rules);
        NativeDevice {
            client,
            mailbox: mailbox.clone(),
            rules,
            id,
            answers: Mutex::default(),
            pump: Mutex::new(None),
            mail: Mutex::new(None),
        }
    }

    /// Connects.
    #[napi]
    pub fn open(&self, to: u32) {
        self.ask(to, |handle| async move { on!(&handle, c => c.open().await).map(|()| Value::Null) });
    }

    /// Says goodbye to the hub and ends the session for good.
    #[napi]
    pub fn close(&self, to: u32) {
        if self.client.is_err() {
            // There never was a session.
            return self.mailbox.answer(to, outcome(Ok(Value::Null)));
        }
        self.ask(to, |handle| async move { on!(&handle, c => c.close().await).map(|()| Value::Null) });
    }

    /// Reads the twin: `{"desired":…,"reported":…}`, each with its `$version`.
    #[napi]
    pub fn twin(&self, to: u32) {
        self.ask_text(to, |handle| async move {
            let twin = on!(&handle, c => c.twin().await)?;
            let (desired, reported) = (section(&twin.desired), section(&twin.reported));
            Ok(format!(r#"{{"ok":{{"desired":{desired},"reported":{reported}}}}}"#))
        });
    }

    /// Reports a patch (a JSON object). The outcome is the new `$version`, where told.
    #[napi]
    pub fn report(&self, to: u32, patch: String) {
        self.ask(to, move |handle| async move {
            let patch: Value = serde_json::from_str(&patch).map_err(|e| {
                Error::invalid(format!("the patch {} at column {} of its JSON", complaint(&e), e.column()))
            })?;
            on!(&handle, c => c.report(&patch).await).map(|reported| reported.version.into())
        });
    }

    /// From now on desired changes are events. Ends when they are watched.
    #[napi]
    pub fn watch(&self) {
        let Ok(handle) = &self.client else {
            let error = self.client.as_ref().err().map(failure);
            let text = json!({ "desired": { "end": error } }).to_string();
            return self.mailbox.post(Letter { to: self.id, text, body: None });
        };
        drop(self.answers_of(handle));
        // The first request runs the client's task, which wants a runtime.
        let _runtime = runtime().enter();
        let changes = on!(handle, c => c.desired());
        let pump = runtime().spawn(pump_desired(self.mailbox.clone(), self.id, changes));
        self.stop_pump(Some(pump));
    }

    /// Desired changes are no events any more.
    #[napi]
    pub fn unwatch(&self) {
        self.stop_pump(None);
    }

    /// What makes every request fail, as an outcome; nothing if all is well.
    #[napi]
    pub fn problem(&self) -> Option<String> {
        self.client.as_ref().err().map(|error| outcome(Err(error.clone())))
    }

    fn stop_pump(&self, next: Option<JoinHandle<()>>) {
        replace(&self.pump, next);
    }

    pub(crate) fn set_mail(&self, next: Option<JoinHandle<()>>) {
        replace(&self.mail, next);
    }

    /// Replaces the given token.
    #[napi]
    pub fn update_token(&self, to: u32, token: String) {
        self.ask(
            to,
            move |handle| async move { on!(&handle, c => c.update_sas(&token)).map(|()| Value::Null) },
        );
    }

    /// Which kinds of errors are tried again, and after how many milliseconds, attempt by attempt; the last one of a
    /// list counts for all that follow, a negative one gives up.
    #[napi]
    pub fn set_retry(&self, kinds: Vec<String>, delays: Vec<f64>, throttled_delays: Vec<f64>) {
        self.rules.set(kinds, &delays, &throttled_delays);
    }

    /// To the client's desk, which is opened by the first request.
    pub(crate) fn answers_of(&self, handle: &Handle) -> mpsc::UnboundedSender<Answer> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = answers.get_or_insert_with(|| {
            // Bounded by what JavaScript asks for.
            let (queue, answers) = mpsc::unbounded_channel();
            let (states, expiring) = on!(handle, c => (c.states(), c.token_expiring()));
            let desk = Desk { mailbox: self.mailbox.clone(), id: self.id, states, expiring };
            runtime().spawn(desk.tell_all(answers));
            queue
        });
        queue.clone()
    }

    pub(crate) fn ask<F: Future<Output = Result<Value>> + Send>(
        &self,
        to: u32,
        request: impl FnOnce(Handle) -> F + Send + 'static,
    ) {
        self.ask_text(to, |handle| async move { request(handle).await.map(|value| outcome(Ok(value))) });
    }

    fn ask_text<F: Future<Output = Result<String>> + Send>(
        &self,
        to: u32,
        request: impl FnOnce(Handle) -> F + Send + 'static,
    ) {
        match &self.client {
            Err(error) => self.mailbox.answer(to, outcome(Err(error.clone()))),
            Ok(handle) => {
                let (answers, handle) = (self.answers_of(handle), handle.clone());
                // Begun here, so that requests reach the client in the order in which JavaScript makes them: the older of
                // two reports must not win.
                errand::begin(Box::pin(async move {
                    let text = request(handle).await.unwrap_or_else(|error| outcome(Err(error)));
                    // The other end lives as long as this one.
                    let _ = answers.send((to, text));
                }));
            }
        }
    }
}

/// What is wrong with JSON that `JSON.stringify` made; not the parser's own message, which can repeat the patch.
fn complaint(error: &serde_json::Error) -> &'static str {
    let text = error.to_string();
    if text.starts_with("recursion limit") {
        "is nested too deep"
    } else if text.contains("surrogate") || text.contains("hex escape") {
        "has half a character (a lone surrogate)"
    } else {
        "is no JSON"
    }
}

/// Ends what reads a stream, and puts another in its place.
fn replace(place: &Mutex<Option<JoinHandle<()>>>, next: Option<JoinHandle<()>>) {
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(old) = std::mem::replace(&mut *place, next) {
        old.abort();
    }
}

/// Whom a letter is for, and the letter.
pub(crate) type Answer = (u32, String);

/// What tells JavaScript of a client.
struct Desk {
    mailbox: Mailbox,
    id: u32,
    states: Subscription<State>,
    expiring: Subscription<Timestamp>,
}

impl Desk {
    /// One task for all that a client says. Answers come in the order in which the hub gave them, and events of the
    /// connection go the same way, so that JavaScript hears of its end before it hears of the requests that failed for it.
    async fn tell_all(mut self, mut answers: mpsc::UnboundedReceiver<Answer>) {
        loop {
            tokio::select! {
                biased;
                Some(state) = self.states.next() => self.tell_state(state).await,
                Some(at) = self.expiring.next() => self.tell(json!({ "expiring": at.to_string() })).await,
                answer = answers.recv() => {
                    let Some((to, text)) = answer else { return };
                    // The session tells a state before it answers for it.
                    while let Some(Some(state)) = self.states.next().now_or_never() {
                        self.tell_state(state).await;
                    }
                    self.mailbox.answer(to, text);
                }
            }
        }
    }

    async fn tell_state(&self, state: State) {
        self.tell(json!({ "state": say_state(&state) })).await;
    }

    /// Waits while JavaScript does not read.
    async fn tell(&self, event: Value) {
        self.mailbox.room().await;
        self.mailbox.post(Letter { to: self.id, text: event.to_string(), body: None });
    }
}

fn build(spec: DeviceSpec, options: ConnectionOptions, rules: &Rules) -> Result<Handle> {
    let (host, device): (HostName, DeviceId) = (HostName::new(&spec.host)?, DeviceId::new(&spec.device_id)?);
    let credential = match (&spec.key, &spec.token) {
        (Some(key), _) => Credential::Key { key: Key::from_base64(key)?, policy: spec.policy.clone() },
        (None, Some(token)) => Credential::Token(SasToken::parse(token)?),
        (None, None) => Credential::Certificate,
    };
    match &spec.module_id {
        None => {
            let builder = Client::<Device>::builder(host, device, credential);
            configure(builder, spec, options, rules)?.build().map(Handle::Device)
        }
        Some(module) => {
            let module = ModuleId::new(module)?;
            let builder = Client::<Module>::builder(host, device, module, credential);
            configure(builder, spec, options, rules)?.build().map(Handle::Module)
        }
    }
}

fn configure<K: twin_device::Kind>(
    mut builder: Builder<K>,
    spec: DeviceSpec,
    options: ConnectionOptions,
    rules: &Rules,
) -> Result<Builder<K>> {
    builder = builder.options(options.translate()?).retry(rules.policy());
    builder = builder.transport(transport(&spec.protocol)?);
    // Over HTTPS JavaScript says when: its policies can change, and know the time zone.
    builder = builder.receive_policy(ReceivePolicy::new(When::Manual)?);
    if let Some(gateway) = spec.gateway {
        builder = builder.gateway(HostName::new(gateway)?);
    }
    if let Some(text) = spec.product_info {
        builder = builder.product_info(text);
    }
    if let Some(id) = spec.model_id {
        builder = builder.model_id(id);
    }
    if let Some(seconds) = spec.token_lifetime {
        builder = builder.token_lifetime(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    }
    if let Some(share) = spec.token_renew_share {
        builder = builder.token_renew_share(share);
    }
    if let Some(ms) = spec.operation_timeout {
        builder = builder.request_timeout(Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default());
    }
    Ok(builder)
}

fn transport(name: &str) -> Result<Transport> {
    Ok(match name {
        "Mqtt" => Transport::Mqtt,
        "MqttWs" => Transport::MqttWs,
        "Amqp" => Transport::Amqp,
        "AmqpWs" => Transport::AmqpWs,
        "Http" => Transport::Http,
        _ => return Err(Error::invalid(format!("there is no transport '{name}'"))),
    })
}

/// Members first and `$version` last, as the hub writes them.
fn section(properties: &Properties) -> String {
    with_version(&properties.value, properties.version)
}

fn with_version(members: &Object, version: u64) -> String {
    let mut text = serde_json::to_string(members).expect("JSON always serializes");
    text.pop();
    if !members.is_empty() {
        text.push(',');
    }
    text.push_str(&format!("\"$version\":{version}}}"));
    text
}

fn say_state(state: &State) -> Value {
    match state {
        State::Connecting => json!({ "name": "connecting" }),
        State::Connected => json!({ "name": "connected" }),
        State::Closed => json!({ "name": "closed" }),
        State::Disconnected { reason, retry_in } => json!({
            "name": "disconnected",
            "reason": reason.as_ref().map(failure),
            "retryInMs": retry_in.map(|wait| wait.as_millis() as u64),
        }),
    }
}

/// Posts every desired change, and waits while JavaScript does not read.
async fn pump_desired(mailbox: Mailbox, id: u32, mut changes: Subscription<DesiredChange>) {
    while let Some(change) = changes.next().await {
        mailbox.room().await;
        let (name, text) = match &change {
            DesiredChange::Whole { desired, version } => ("whole", with_version(desired, *version)),
            DesiredChange::Patch { patch, version } => ("patch", with_version(patch, *version)),
        };
        mailbox.post(Letter { to: id, text: format!(r#"{{"desired":{{"{name}":{text}}}}}"#), body: None });
    }
    let end = json!({ "desired": { "end": changes.error().as_ref().map(failure) } });
    mailbox.post(Letter { to: id, text: end.to_string(), body: None });
}
