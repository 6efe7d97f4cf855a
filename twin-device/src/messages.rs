//! Telemetry, and messages from the cloud.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use twin_core::message::Settlement;
use twin_core::session::{Answer, Command};
use twin_core::{CloudMessage, Message, Result};

use crate::client::{Client, unexpected};
use crate::kind::Kind;
use crate::request::Request;
use crate::shared::{Letter, Shared};
use crate::subscription::{Outlet, Subscription};

impl<K: Kind> Client<K> {
    /// Sends telemetry; resolves when the hub has it.
    ///
    /// Messages arrive at least once and in the order they were sent: several are on their way at a time, and what was not
    /// confirmed when a connection ended is sent again. Over HTTPS each waits for the one before.
    ///
    /// # Errors
    /// [`TooLarge`](twin_core::ErrorKind::TooLarge) over 256 KB of body and properties, what the hub answered, and
    /// [`Timeout`](twin_core::ErrorKind::Timeout). [`Error::delivery`](twin_core::Error::delivery) tells whether the hub
    /// may have it.
    ///
    /// ```
    /// use twin_device::{DeviceClient, Message};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// let message = Message::new(r#"{"temperature": 21.5}"#)
    ///     .with_property("alert", "no")
    ///     .with_content_type("application/json")
    ///     .with_content_encoding("utf-8");
    /// client.send(message).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(&self, message: Message) -> Result<()> {
        self.take(self.ask(|ticket| Command::Send { ticket, message: Box::new(message) }).await?)
    }

    /// Sends several messages; resolves when the hub has them all. Over HTTPS they travel in one request, which the hub
    /// takes whole or not at all and which may have 256 KB; over MQTT and AMQP one after another.
    ///
    /// # Errors
    /// As for [`send`](Client::send), for the first that fails.
    ///
    /// ```
    /// use twin_device::{DeviceClient, Message};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// client.send_batch(vec![Message::new("21.5"), Message::new("21.6")]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send_batch(&self, messages: Vec<Message>) -> Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        if self.owner.batches {
            return self.take(self.ask(|ticket| Command::SendBatch { ticket, messages }).await?);
        }
        // All are posted before the first is waited for, and in order.
        let post = |message| self.request(|ticket| Command::Send { ticket, message: Box::new(message) });
        let requests: Vec<Request> = messages.into_iter().map(post).collect::<Result<_>>()?;
        for request in requests {
            self.take(request.await?)?;
        }
        Ok(())
    }

    /// Messages from the cloud, as a stream that ends with the client. Each has to be
    /// [completed](Incoming::complete), rejected or abandoned, else the hub delivers it again: over MQTT on the next
    /// connection, over AMQP and HTTPS when its lock ends. With several subscriptions each message goes to one of them.
    ///
    /// Over HTTPS the hub cannot push: it is asked by the client's
    /// [`ReceivePolicy`](crate::ReceivePolicy), every second by default.
    ///
    /// ```
    /// use twin_device::DeviceClient;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// let mut messages = client.messages();
    /// # client.close().await?;
    /// while let Some(message) = messages.next().await {
    ///     println!("{:?}", message.message.body);
    ///     message.complete().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn messages(&self) -> Subscription<Incoming> {
        let outlet = Outlet::new();
        if let Err(error) = self.post(Letter::Mail(outlet.clone())) {
            outlet.end(Some(error));
        }
        Subscription::new(outlet, self.owner.shared.clone())
    }

    /// Asks the hub for messages now, over HTTPS, beside what the receive policy does: all that wait (`drain`) or one.
    /// They come by [`messages`](Client::messages), which somebody must have called; this resolves when no more follow.
    ///
    /// # Errors
    /// [`NotSupported`](twin_core::ErrorKind::NotSupported) over MQTT and AMQP, where the hub pushes them; what the hub
    /// answered.
    ///
    /// ```
    /// use twin_device::{DeviceClient, ErrorKind};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// assert_eq!(client.receive(true).await.unwrap_err().kind(), ErrorKind::NotSupported);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn receive(&self, drain: bool) -> Result<()> {
        self.take(self.ask(|ticket| Command::Receive { ticket, drain }).await?)
    }

    /// Says what becomes of the message with this lock token; [`Incoming`] does it for messages at hand.
    ///
    /// # Errors
    /// As for [`Incoming::complete`].
    ///
    /// ```
    /// use twin_device::{DeviceClient, ErrorKind, Settlement};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/mod.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_device::Result<()> {
    /// # let (hub, _registry, connection_string) = hub_with_lamp().await?;
    /// # let client = DeviceClient::from_connection_string(&connection_string)?.ca_pem(hub.ca_pem()).open().await?;
    /// let error = client.settle("none", Settlement::Complete).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn settle(&self, lock_token: &str, settlement: Settlement) -> Result<()> {
        let lock_token = lock_token.to_owned();
        self.take(self.ask(|ticket| Command::Settle { ticket, lock_token, settlement }).await?)
    }

    fn take(&self, answer: Answer) -> Result<()> {
        match answer {
            Answer::Taken => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}

/// A message from the cloud that waits for its settlement. Reads like the [`CloudMessage`] that it is.
///
/// ```
/// use twin_device::{Incoming, Result};
///
/// async fn handle(message: Incoming) -> Result<()> {
///     match message.message.body.as_ref() {
///         b"reboot" => message.complete().await,
///         _ => message.reject().await,
///     }
/// }
/// ```
pub struct Incoming {
    message: CloudMessage,
    shared: Arc<Shared>,
}

impl Incoming {
    pub(crate) fn new(message: CloudMessage, shared: &Arc<Shared>) -> Self {
        Incoming { message, shared: shared.clone() }
    }

    /// Done: the hub takes it out of the queue.
    ///
    /// # Errors
    /// [`PreconditionFailed`](twin_core::ErrorKind::PreconditionFailed) when the message is no longer this device's to
    /// settle: its lock ended, or over MQTT and AMQP the connection that it came by. The hub delivers it again then.
    pub async fn complete(&self) -> Result<()> {
        self.settle(Settlement::Complete).await
    }

    /// Not wanted: the hub takes it out of the queue, and tells the sender if it asked.
    ///
    /// # Errors
    /// As for [`complete`](Incoming::complete), and [`NotSupported`](twin_core::ErrorKind::NotSupported) over MQTT.
    pub async fn reject(&self) -> Result<()> {
        self.settle(Settlement::Reject).await
    }

    /// Not now: the hub delivers it again.
    ///
    /// # Errors
    /// As for [`reject`](Incoming::reject).
    pub async fn abandon(&self) -> Result<()> {
        self.settle(Settlement::Abandon).await
    }

    /// The message alone, still to be settled by its lock token.
    pub fn into_message(self) -> CloudMessage {
        self.message
    }

    async fn settle(&self, settlement: Settlement) -> Result<()> {
        let lock_token = self.message.lock_token.clone();
        let settle = |ticket| Command::Settle { ticket, lock_token, settlement };
        match Request::post(&self.shared, settle)?.await? {
            Answer::Taken => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}

impl Deref for Incoming {
    type Target = CloudMessage;

    fn deref(&self) -> &CloudMessage {
        &self.message
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}
