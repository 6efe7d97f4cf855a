//! One live MQTT connection, driven by its owner.
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rumqttc::mqttbytes::v4::{Packet, PubAck, Publish, Subscribe, SubscribeReasonCode, Unsubscribe};
use rumqttc::mqttbytes::{self, QoS};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use twin_core::message::Settlement;
use twin_core::wire::{Channel, Heard, Said, mqtt as grammar};
use twin_core::{Delivery, Error, ErrorKind, HostName, Result, TwinKey};

use super::keep_alive::{Due, KeepAlive};
use super::post::Post;
use crate::tls;

/// Largest packet taken or sent, in bytes: twice what IoT Hub lets a message have, since a twin's documented size does
/// not count escapes.
const MAX_PACKET: usize = 512 * 1024;
/// Most that waits to be sent, in bytes. More means that the hub stopped reading long ago.
const MAX_OUTBOX: usize = 4 * 1024 * 1024;
/// Read at once, in bytes. On the stack: a connection that waits owns no read buffer.
const READ_PIECE: usize = 4096;
/// What a PUBLISH has besides topic and payload, at most, in bytes.
const PACKET_OVERHEAD: usize = 16;
/// Most (un)subscriptions that wait for their answer; there are five channels.
const MAX_SUBSCRIBING: usize = 16;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// A byte stream in both directions.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// One live MQTT connection. It does nothing unless [`Connection::next`] is polled; it ends when dropped, without a
/// word, or by [`Connection::close`], with DISCONNECT and TLS's close_notify.
pub struct Connection {
    io: Box<dyn Io>,
    host: HostName,
    key: TwinKey,
    inbox: BytesMut,
    outbox: BytesMut,
    unflushed: bool,
    subscribing: Vec<(u16, Channel)>,
    last_packet_id: u16,
    post: Post,
    keep_alive: KeepAlive,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("host", &self.host).field("key", &self.key).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(io: Box<dyn Io>, host: HostName, key: TwinKey, keep_alive: Duration) -> Self {
        Connection {
            io,
            host,
            key,
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            unflushed: false,
            subscribing: Vec::new(),
            last_packet_id: 0,
            post: Post::new(),
            keep_alive: KeepAlive::new(keep_alive),
        }
    }

    /// Puts something into the outbox; [`Connection::next`] sends it.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge) if MQTT or IoT Hub cannot take it, [`Network`](ErrorKind::Network) if the hub
    /// stopped reading. The connection is of no more use then.
    pub fn say(&mut self, said: &Said) -> Result<()> {
        match said {
            Said::Subscribe(channel) => {
                let id = self.subscribing(*channel)?;
                let qos = match channel {
                    Channel::CloudToDevice | Channel::Inputs => QoS::AtLeastOnce,
                    _ => QoS::AtMostOnce,
                };
                let mut packet = Subscribe::new(grammar::say_filter(&self.key, *channel), qos);
                packet.pkid = id;
                self.put(Packet::Subscribe(packet))
            }
            Said::Unsubscribe(channel) => {
                let id = self.subscribing(*channel)?;
                let mut packet = Unsubscribe::new(grammar::say_filter(&self.key, *channel));
                packet.pkid = id;
                self.put(Packet::Unsubscribe(packet))
            }
            Said::Telemetry { tag, .. } => self.publish_telemetry(*tag, said),
            Said::Settle { tag, lock_token, settlement } => self.settle(*tag, lock_token, *settlement),
            Said::Batch { tag, .. } | Said::Receive { tag, .. } => self
                .post
                .refuse(*tag, Error::new(ErrorKind::NotSupported, "only HTTPS does this; MQTT does not")),
            other => {
                let said = grammar::say(&self.key, other)
                    .ok_or_else(|| Error::new(ErrorKind::NotSupported, "MQTT has no words for this"))?;
                if said.topic.len() > usize::from(u16::MAX) {
                    return Err(Error::new(ErrorKind::TooLarge, "the topic is over MQTT's 65,535 bytes"));
                }
                self.put(Packet::Publish(Publish::from_bytes(said.topic, QoS::AtMostOnce, said.payload)))
            }
        }
    }

    /// Sends what waits, keeps the connection alive, and returns the next thing the hub says. Cancel-safe.
    ///
    /// # Errors
    /// [`Network`](ErrorKind::Network) when the connection is gone, [`Timeout`](ErrorKind::Timeout) when a ping was
    /// not answered, [`Protocol`](ErrorKind::Protocol) when the hub said something that MQTT does not allow. The
    /// connection is of no more use then.
    pub async fn next(&mut self) -> Result<Heard> {
        loop {
            if let Some(heard) = self.post.news.pop_front() {
                return Ok(heard);
            }
            let packet = self.next_packet().await?;
            if let Some(heard) = self.hear(packet)? {
                return Ok(heard);
            }
        }
    }

    /// Says goodbye, within two seconds. What waits in the outbox is sent first.
    pub async fn close(mut self) {
        if self.put(Packet::Disconnect).is_ok() {
            let goodbye = poll_fn(|cx| {
                ready!(self.poll_send(cx))?;
                Pin::new(&mut self.io).poll_shutdown(cx).map_err(|e| lost(&e, &self.host))
            });
            let _: Result<Result<()>, _> = timeout(GOODBYE, goodbye).await;
        }
    }

    pub(super) async fn next_packet(&mut self) -> Result<Packet> {
        poll_fn(|cx| self.poll_packet(cx)).await
    }

    fn poll_packet(&mut self, cx: &mut Context<'_>) -> Poll<Result<Packet>> {
        loop {
            match Packet::read(&mut self.inbox, MAX_PACKET) {
                Ok(packet) => {
                    if self.inbox.is_empty() {
                        self.inbox = BytesMut::new();
                    }
                    self.keep_alive.heard();
                    return Poll::Ready(Ok(packet));
                }
                Err(mqttbytes::Error::InsufficientBytes(_)) => {}
                Err(e) => return Poll::Ready(Err(self.protocol(e))),
            }
            // Not waited for: a hub that does not read may still write, and must not escape the ping.
            if let Poll::Ready(Err(e)) = self.poll_send(cx) {
                return Poll::Ready(Err(e));
            }
            match self.keep_alive.poll(cx) {
                Poll::Ready(Due::Ping) => {
                    self.put(Packet::PingReq)?;
                    continue;
                }
                Poll::Ready(Due::Dead) => {
                    return Poll::Ready(Err(Error::new(
                        ErrorKind::Timeout,
                        format!("'{}' did not answer a ping; the connection is given up", self.host),
                    )));
                }
                Poll::Pending => {}
            }
            ready!(self.poll_fill(cx))?;
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut piece = [MaybeUninit::uninit(); READ_PIECE];
        let mut piece = ReadBuf::uninit(&mut piece);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut piece)).map_err(|e| lost(&e, &self.host))?;
        if piece.filled().is_empty() {
            return Poll::Ready(Err(Error::new(
                ErrorKind::Network,
                format!("'{}' closed the connection", self.host),
            )));
        }
        self.inbox.extend_from_slice(piece.filled());
        Poll::Ready(Ok(()))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.outbox.is_empty() {
            let n = ready!(Pin::new(&mut self.io).poll_write(cx, &self.outbox))
                .and_then(|n| if n == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(n) })
                .map_err(|e| lost(&e, &self.host))?;
            self.outbox.advance(n);
            self.unflushed = true;
            self.keep_alive.sent();
        }
        if self.unflushed {
            self.outbox = BytesMut::new();
            ready!(Pin::new(&mut self.io).poll_flush(cx)).map_err(|e| lost(&e, &self.host))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn put(&mut self, packet: Packet) -> Result<()> {
        if self.outbox.len() + packet.size() > MAX_OUTBOX {
            return Err(Error::new(ErrorKind::Network, format!("'{}' has stopped reading", self.host)));
        }
        match packet.write(&mut self.outbox, MAX_PACKET) {
            Ok(_) => Ok(()),
            Err(mqttbytes::Error::OutgoingPacketTooLarge { pkt_size, max }) => Err(Error::new(
                ErrorKind::TooLarge,
                format!("a packet of {pkt_size} bytes is over the limit of {max}"),
            )),
            Err(e) => Err(Error::new(ErrorKind::Internal, format!("an MQTT packet cannot be written: {e}"))),
        }
    }

    fn packet_id(&mut self) -> u16 {
        loop {
            self.last_packet_id = self.last_packet_id.checked_add(1).unwrap_or(1);
            if !self.post.is_used(self.last_packet_id) {
                return self.last_packet_id;
            }
        }
    }

    fn subscribing(&mut self, channel: Channel) -> Result<u16> {
        if self.subscribing.len() >= MAX_SUBSCRIBING {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("'{}' leaves subscriptions unanswered", self.host),
            ));
        }
        let id = self.packet_id();
        self.subscribing.push((id, channel));
        Ok(id)
    }

    fn subscribed(&mut self, id: u16) -> Option<Channel> {
        let at = self.subscribing.iter().position(|(asked, _)| *asked == id)?;
        Some(self.subscribing.swap_remove(at).1)
    }

    /// What a packet says to the device; `None` if it is MQTT's own business, or nobody's.
    fn hear(&mut self, packet: Packet) -> Result<Option<Heard>> {
        Ok(match packet {
            Packet::Publish(publish) => self.published(publish)?,
            Packet::SubAck(answer) => self.subscribed(answer.pkid).map(|channel| Heard::Subscribed {
                channel,
                granted: matches!(answer.return_codes.first(), Some(SubscribeReasonCode::Success(_))),
            }),
            Packet::UnsubAck(answer) => self.subscribed(answer.pkid).map(Heard::Unsubscribed),
            Packet::PubAck(answer) => self.post.acknowledged(answer.pkid),
            Packet::PingResp => None,
            other => return Err(self.protocol(format!("{} is not for a hub to say", name(&other)))),
        })
    }

    fn published(&mut self, publish: Publish) -> Result<Option<Heard>> {
        if publish.qos == QoS::ExactlyOnce {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("'{}' used QoS 2, which nobody asked for", self.host),
            ));
        }
        let acknowledged = publish.qos == QoS::AtLeastOnce;
        let heard = match grammar::hear_hub(&self.key, &publish.topic, publish.payload) {
            // The acknowledgement completes the message, so it is its owner's to say.
            Some(Heard::CloudToDevice(message)) => {
                return self.post.arrived(acknowledged.then_some(publish.pkid), message, &self.host);
            }
            heard => heard,
        };
        if acknowledged {
            self.put(Packet::PubAck(PubAck::new(publish.pkid)))?;
        }
        if heard.is_none() {
            tracing::debug!(device = %self.key, "a message on a topic that is none of ours is ignored");
        }
        Ok(heard)
    }

    fn publish_telemetry(&mut self, tag: u64, said: &Said) -> Result<()> {
        let Some(publish) = grammar::say(&self.key, said) else { return Ok(()) };
        let too_large = |what: String| Error::new(ErrorKind::TooLarge, what).with_delivery(Delivery::NotSent);
        if publish.topic.len() > usize::from(u16::MAX) {
            self.post.refuse(tag, too_large("the properties are over MQTT's 65,535 bytes".into()))
        } else if publish.topic.len() + publish.payload.len() + PACKET_OVERHEAD > MAX_PACKET {
            self.post.refuse(tag, too_large(format!("the message is over the limit of {MAX_PACKET} bytes")))
        } else {
            let id = self.packet_id();
            self.post.sent(id, tag, &self.host)?;
            let mut packet = Publish::from_bytes(publish.topic, QoS::AtLeastOnce, publish.payload);
            packet.pkid = id;
            self.put(Packet::Publish(packet))
        }
    }

    fn settle(&mut self, tag: u64, lock_token: &str, settlement: Settlement) -> Result<()> {
        match self.post.settle(tag, lock_token, settlement)? {
            Some(id) => self.put(Packet::PubAck(PubAck::new(id))),
            None => Ok(()),
        }
    }

    fn protocol(&self, what: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Protocol, format!("'{}' does not keep to MQTT 3.1.1: {what}", self.host))
    }
}

fn name(packet: &Packet) -> &'static str {
    match packet {
        Packet::Connect(_) => "CONNECT",
        Packet::ConnAck(_) => "a second CONNACK",
        Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => "a packet of QoS 2",
        Packet::Subscribe(_) => "SUBSCRIBE",
        Packet::Unsubscribe(_) => "UNSUBSCRIBE",
        Packet::PingReq => "PINGREQ",
        Packet::Disconnect => "DISCONNECT",
        _ => "a packet",
    }
}

/// The error for a connection that broke.
pub(crate) fn lost(error: &io::Error, host: &HostName) -> Error {
    if let Some(error) = tls::classify(error, host.host()) {
        return error;
    }
    match error.kind() {
        io::ErrorKind::InvalidData => Error::new(ErrorKind::Protocol, format!("'{host}' sent {error}")),
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => {
            Error::new(ErrorKind::Network, format!("the connection to '{host}' was lost"))
        }
        _ => Error::new(ErrorKind::Network, format!("the connection to '{host}' was lost: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::Instant;

    const KEEP_ALIVE: Duration = Duration::from_secs(100);

    /// A connection of device `d`, and the hub's end of it with room for `room` bytes.
    fn pair(room: usize) -> (Connection, DuplexStream) {
        let (ours, theirs) = duplex(room);
        let (host, key) = (HostName::new("h").unwrap(), TwinKey::device("d").unwrap());
        (Connection::new(Box::new(ours), host, key, KEEP_ALIVE), theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_pinged_and_an_unanswered_ping_is_the_end() {
        let (mut connection, mut hub) = pair(1024);
        let begin = Instant::now();
        let driver = tokio::spawn(async move { connection.next().await.unwrap_err() });
        let mut ping = [0; 2];
        for round in 1..=3 {
            hub.read_exact(&mut ping).await.unwrap();
            assert_eq!(ping, [0xc0, 0]);
            assert_eq!(begin.elapsed().as_secs(), round * 100);
            if round < 3 {
                hub.write_all(&[0xd0, 0]).await.unwrap();
            }
        }
        let error = driver.await.unwrap();
        assert_eq!((error.kind(), begin.elapsed().as_secs()), (ErrorKind::Timeout, 330), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_only_one_side_says_does_not_hide_the_others_silence() {
        let (mut connection, mut hub) = pair(64 * 1024);
        let begin = Instant::now();
        // We say something every 10 s, the hub nothing.
        let error = loop {
            connection.put(Packet::PubAck(PubAck::new(1))).unwrap();
            if let Ok(ended) = timeout(Duration::from_secs(10), connection.next()).await {
                break ended.unwrap_err();
            }
        };
        assert_eq!((error.kind(), begin.elapsed().as_secs()), (ErrorKind::Timeout, 130));
        // The hub says something every 10 s, we nothing: it still gets its ping.
        let (mut connection, mut other) = pair(64 * 1024);
        let begin = Instant::now();
        let driver = tokio::spawn(async move { connection.next().await });
        let mut ping = [0; 2];
        while timeout(Duration::from_secs(10), other.read_exact(&mut ping)).await.is_err() {
            other.write_all(&[0xd0, 0]).await.unwrap();
        }
        assert_eq!((ping, begin.elapsed().as_secs()), ([0xc0, 0], 100));
        driver.abort();
        hub.shutdown().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_hub_that_does_not_read_is_left_as_well() {
        let (mut connection, _hub) = pair(8);
        let begin = Instant::now();
        for _ in 0..10 {
            connection.put(Packet::PubAck(PubAck::new(1))).unwrap();
        }
        let error = connection.next().await.unwrap_err();
        assert_eq!((error.kind(), begin.elapsed().as_secs()), (ErrorKind::Timeout, 130));
        let mut connection = pair(8).0;
        let full = (0..2_000_000).find_map(|_| connection.put(Packet::PubAck(PubAck::new(1))).err());
        assert_eq!(full.unwrap().kind(), ErrorKind::Network);
        assert!(connection.outbox.len() <= MAX_OUTBOX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_future_loses_nothing() {
        let (mut connection, mut hub) = pair(64 * 1024);
        let topic = b"$iothub/twin/PATCH/properties/desired/?$version=7";
        let mut packet = vec![0x30, (2 + topic.len() + 2) as u8, 0, topic.len() as u8];
        packet.extend(topic);
        packet.extend(b"{}");
        for byte in &packet[..packet.len() - 1] {
            hub.write_all(&[*byte]).await.unwrap();
            assert!(timeout(Duration::from_millis(1), connection.next()).await.is_err());
        }
        hub.write_all(&packet[packet.len() - 1..]).await.unwrap();
        let Heard::Desired { version, body } = connection.next().await.unwrap() else { panic!() };
        assert_eq!((version, &body[..]), (Some(7), &b"{}"[..]));
        assert_eq!(connection.inbox.capacity(), 0);
    }

    /// Well-formed packets with a few bytes changed, cut and doubled: an error or a word, never a panic, never a hang.
    #[tokio::test(start_paused = true)]
    async fn damaged_packets_do_no_harm() {
        let whole: [&[u8]; 9] = [
            &[0x20, 2, 0, 0],
            b"\x30\x0e\x00\x05topicpayload",
            b"\x32\x10\x00\x05topic\x00\x07payload",
            b"\x30\x2b\x00\x22$iothub/twin/res/204/?$rid=1&$versionpayload",
            &[0x40, 2, 0, 7],
            &[0x90, 3, 0, 1, 0],
            &[0xb0, 2, 0, 1],
            &[0xd0, 0],
            &[0xe0, 0],
        ];
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        let (mut words, mut errors) = (0, 0);
        for _ in 0..5_000 {
            let mut bytes = Vec::new();
            for _ in 0..=random(4) {
                bytes.extend(whole[random(whole.len())]);
            }
            for _ in 0..random(4) {
                let at = random(bytes.len());
                match random(3) {
                    0 => bytes[at] = random(256) as u8,
                    1 => bytes.truncate(at + 1),
                    _ => bytes.insert(at, random(256) as u8),
                }
            }
            let (mut connection, mut hub) = pair(64 * 1024);
            hub.write_all(&bytes).await.unwrap();
            hub.shutdown().await.unwrap();
            loop {
                match connection.next().await {
                    Ok(_) => words += 1,
                    Err(error) => {
                        assert!(
                            matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Network),
                            "{error:?}"
                        );
                        errors += 1;
                        break;
                    }
                }
            }
        }
        assert!(errors == 5_000 && words > 0, "{words} words");
    }

    #[tokio::test]
    async fn goodbye_is_said_behind_what_waits() {
        let (mut connection, mut hub) = pair(64 * 1024);
        connection.say(&Said::Subscribe(Channel::Desired)).unwrap();
        connection.close().await;
        let mut said = Vec::new();
        hub.read_to_end(&mut said).await.unwrap();
        assert_eq!(said[0], 0x82);
        assert!(said.ends_with(&[0xe0, 0]));
    }
}
