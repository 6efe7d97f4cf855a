//! Telemetry and messages from the cloud, as JavaScript holds them: JSON, with bodies in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use napi_derive::napi;
use serde::Deserialize;
use serde_json::{Value, json};
use twin_device::{
    Ack, CloudMessage, Cron, Error, Incoming, Message, Result, Settlement, Subscription, Timestamp,
};

use crate::device::{NativeDevice, on};
use crate::mailbox::{Letter, Mailbox};
use crate::outcome::failure;
use crate::runtime::runtime;

/// A message as JavaScript gives it; members that are missing are not sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Given {
    /// base64
    body: String,
    #[serde(default)]
    properties: Vec<(String, String)>,
    message_id: Option<String>,
    correlation_id: Option<String>,
    user_id: Option<String>,
    to: Option<String>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    /// ISO 8601
    expiry: Option<String>,
    ack: Option<String>,
    component: Option<String>,
    interface_id: Option<String>,
    output: Option<String>,
}

impl Given {
    fn message(self) -> Result<Message> {
        let body = STANDARD.decode(self.body).map_err(|_| Error::invalid("a body is no base64"))?;
        let mut message = Message::new(body);
        message.properties = self.properties;
        message.id = self.message_id;
        message.correlation_id = self.correlation_id;
        message.user_id = self.user_id;
        message.to = self.to;
        message.content_type = self.content_type;
        message.content_encoding = self.content_encoding;
        message.expiry = self.expiry.map(|text| text.parse::<Timestamp>()).transpose()?;
        message.ack = self.ack.map(|text| text.parse::<Ack>()).transpose()?;
        message.component = self.component;
        message.interface_id = self.interface_id;
        message.output = self.output;
        Ok(message)
    }
}

fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T> {
    // Not the parser's own message: it can repeat the telemetry.
    serde_json::from_str(text).map_err(|e| Error::invalid(format!("no message at column {}", e.column())))
}

#[napi]
impl NativeDevice {
    /// Sends a message.
    #[napi]
    pub fn send(&self, to: u32, message: String) {
        self.ask(to, move |handle| async move {
            let message = read::<Given>(&message)?.message()?;
            on!(&handle, c => c.send(message).await).map(|()| Value::Null)
        });
    }

    /// Sends an array of messages.
    #[napi]
    pub fn send_batch(&self, to: u32, messages: String) {
        self.ask(to, move |handle| async move {
            let messages = read::<Vec<Given>>(&messages)?;
            let messages = messages.into_iter().map(Given::message).collect::<Result<Vec<_>>>()?;
            on!(&handle, c => c.send_batch(messages).await).map(|()| Value::Null)
        });
    }

    /// What becomes of a message: `complete`, `reject` or `abandon`.
    #[napi]
    pub fn settle(&self, to: u32, lock_token: String, how: String) {
        self.ask(to, move |handle| async move {
            let settlement = match &*how {
                "complete" => Settlement::Complete,
                "reject" => Settlement::Reject,
                "abandon" => Settlement::Abandon,
                _ => return Err(Error::invalid(format!("messages cannot be settled by '{how}'"))),
            };
            on!(&handle, c => c.settle(&lock_token, settlement).await).map(|()| Value::Null)
        });
    }

    /// Asks for messages now, over HTTPS: all that wait, or one.
    #[napi]
    pub fn receive(&self, to: u32, drain: bool) {
        self.ask(
            to,
            move |handle| async move { on!(&handle, c => c.receive(drain).await).map(|()| Value::Null) },
        );
    }

    /// From now on messages are events, `{"message":…}`; the last one, `{"message":{"end":…}}`, says why there are no more.
    #[napi]
    pub fn subscribe(&self) {
        let Ok(handle) = &self.client else {
            let error = self.client.as_ref().err().map(failure);
            return post(&self.mailbox, self.id, json!({ "end": error }));
        };
        drop(self.answers_of(handle));
        // The first request runs the client's task, which wants a runtime.
        let _runtime = runtime().enter();
        let messages = on!(handle, c => c.messages());
        self.set_mail(Some(runtime().spawn(pump(self.mailbox.clone(), self.id, messages))));
    }

    /// Messages are no events any more.
    #[napi]
    pub fn unsubscribe(&self) {
        self.set_mail(None);
    }

    /// The first time after `after` (milliseconds since 1970) that fits a cron expression, in a time zone so many minutes
    /// ahead of UTC; nothing if there is none, or the expression is none.
    #[napi]
    pub fn next_time(cron: String, after: f64, offset_minutes: i32) -> Option<f64> {
        let cron = cron.parse::<Cron>().ok()?.at_offset(offset_minutes);
        let after = Timestamp::from_unix_millis(after as i64)?;
        cron.after(after).map(|at| at.unix_millis() as f64)
    }
}

fn post(mailbox: &Mailbox, id: u32, message: Value) {
    mailbox.post(Letter { to: id, text: json!({ "message": message }).to_string(), body: None });
}

/// Posts every message, and waits while JavaScript does not read.
async fn pump(mailbox: Mailbox, id: u32, mut messages: Subscription<Incoming>) {
    while let Some(message) = messages.next().await {
        mailbox.room().await;
        post(&mailbox, id, say(&message));
    }
    post(&mailbox, id, json!({ "end": messages.error().as_ref().map(failure) }));
}

fn say(cloud: &CloudMessage) -> Value {
    let message = &cloud.message;
    json!({
        "body": STANDARD.encode(&message.body),
        "properties": message.properties,
        "messageId": message.id,
        "correlationId": message.correlation_id,
        "userId": message.user_id,
        "to": message.to,
        "contentType": message.content_type,
        "contentEncoding": message.content_encoding,
        "expiry": message.expiry.map(|at| at.to_string()),
        "ack": message.ack.map(Ack::as_str),
        "lockToken": cloud.lock_token,
    })
}
