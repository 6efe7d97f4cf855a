//! What was counted, and its Prometheus text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::engine::Figures;

/// How a connection came in, as the metrics tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Mqtt,
    MqttWs,
    Amqp,
    AmqpWs,
    Http,
}

impl Door {
    const ALL: [Door; 5] = [Door::Mqtt, Door::MqttWs, Door::Amqp, Door::AmqpWs, Door::Http];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Door::Mqtt => "mqtt",
            Door::MqttWs => "mqtt-ws",
            Door::Amqp => "amqp",
            Door::AmqpWs => "amqp-ws",
            Door::Http => "http",
        }
    }
}

/// Counters of one hub. Relaxed: each number stands for itself.
#[derive(Debug)]
pub(crate) struct Metrics {
    started: Instant,
    open: [AtomicI64; Door::ALL.len()],
    accepted: [AtomicU64; Door::ALL.len()],
    pub(crate) twin_reads: AtomicU64,
    pub(crate) twin_updates: AtomicU64,
    pub(crate) desired_sent: AtomicU64,
    pub(crate) service_calls: AtomicU64,
    pub(crate) logins_refused: AtomicU64,
    pub(crate) handshakes_failed: AtomicU64,
    pub(crate) connections_turned_away: AtomicU64,
    refused: Mutex<BTreeMap<(u32, &'static str), u64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            started: Instant::now(),
            open: Default::default(),
            accepted: Default::default(),
            twin_reads: AtomicU64::new(0),
            twin_updates: AtomicU64::new(0),
            desired_sent: AtomicU64::new(0),
            service_calls: AtomicU64::new(0),
            logins_refused: AtomicU64::new(0),
            handshakes_failed: AtomicU64::new(0),
            connections_turned_away: AtomicU64::new(0),
            refused: Mutex::default(),
        }
    }
}

/// Counts one more; for the plain counters.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Metrics {
    pub(crate) fn opened(&self, door: Door) {
        self.open[door as usize].fetch_add(1, Relaxed);
        self.accepted[door as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn closed(&self, door: Door) {
        self.open[door as usize].fetch_sub(1, Relaxed);
    }

    /// A request was refused with this row of the error table.
    pub(crate) fn refused(&self, code: twin_core::wire::HubCode) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.entry((code.number, code.name)).or_default() += 1;
    }

    /// Prometheus text format 0.0.4.
    pub(crate) fn render(&self, engine: &Figures) -> String {
        let mut text = String::with_capacity(4096);
        family(&mut text, "connections", "gauge", "Open connections by protocol.");
        for door in Door::ALL {
            sample(
                &mut text,
                "connections",
                &format!("protocol=\"{}\"", door.name()),
                self.open[door as usize].load(Relaxed),
            );
        }
        family(&mut text, "connections_total", "counter", "Connections accepted by protocol.");
        for door in Door::ALL {
            sample(
                &mut text,
                "connections_total",
                &format!("protocol=\"{}\"", door.name()),
                self.accepted[door as usize].load(Relaxed),
            );
        }
        for (name, help, counter) in [
            ("twin_reads_total", "Twins read by devices.", &self.twin_reads),
            ("twin_updates_total", "Reported patches of devices that became durable.", &self.twin_updates),
            ("desired_sent_total", "Desired-property notifications sent.", &self.desired_sent),
            ("service_calls_total", "Calls of the service API, refused ones included.", &self.service_calls),
            ("logins_refused_total", "Device logins refused.", &self.logins_refused),
            (
                "handshakes_failed_total",
                "TLS handshakes that failed or took too long.",
                &self.handshakes_failed,
            ),
            (
                "connections_turned_away_total",
                "Connections closed at once because the hub was full.",
                &self.connections_turned_away,
            ),
        ] {
            family(&mut text, name, "counter", help);
            sample(&mut text, name, "", counter.load(Relaxed));
        }
        family(&mut text, "refused_total", "counter", "Requests refused, by error code.");
        for ((number, name), n) in self.refused.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            sample(&mut text, "refused_total", &format!("code=\"{number}\",name=\"{name}\""), n);
        }
        family(&mut text, "uptime_seconds", "gauge", "Seconds since the hub started.");
        sample(&mut text, "uptime_seconds", "", self.started.elapsed().as_secs());
        render_engine(&mut text, engine);
        text
    }
}

fn render_engine(text: &mut String, engine: &Figures) {
    for (name, kind, help, value) in [
        ("devices", "gauge", "Devices registered.", engine.devices as u64),
        (
            "devices_disabled",
            "gauge",
            "Devices among them that are disabled.",
            engine.disabled_devices as u64,
        ),
        ("modules", "gauge", "Modules registered.", engine.modules as u64),
        ("devices_connected", "gauge", "Devices connected.", engine.connected_devices as u64),
        (
            "write_queue_bytes",
            "gauge",
            "Bytes of changes that wait for the disk, overhead included; senders wait beyond 64 MiB.",
            engine.queued_bytes as u64,
        ),
        (
            "queries_running",
            "gauge",
            "Queries being answered; at most 8, others wait.",
            engine.queries as u64,
        ),
        ("store_batches_total", "counter", "Batches made durable, each with one sync.", engine.batches),
        ("store_writes_total", "counter", "Writes made durable in those batches.", engine.writes),
        ("store_refusals_total", "counter", "Writes refused by a rule or the store.", engine.refusals),
        (
            "telemetry_messages_total",
            "counter",
            "Device-to-cloud messages acknowledged; they are not routed yet.",
            engine.telemetry,
        ),
        ("telemetry_bytes_total", "counter", "Bytes of those messages' bodies.", engine.telemetry_bytes),
    ] {
        family(text, name, kind, help);
        sample(text, name, "", value);
    }
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(text, "# HELP twin_hub_{name} {help}\n# TYPE twin_hub_{name} {kind}\n");
}

fn sample(text: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = match labels {
        "" => writeln!(text, "twin_hub_{name} {value}"),
        _ => writeln!(text, "twin_hub_{name}{{{labels}}} {value}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use twin_core::wire::HubCode;

    #[test]
    fn prometheus_text() {
        let metrics = Metrics::default();
        metrics.opened(Door::MqttWs);
        metrics.opened(Door::MqttWs);
        metrics.closed(Door::MqttWs);
        metrics.refused(HubCode::ARGUMENT_INVALID);
        count(&metrics.twin_reads);
        let text = metrics.render(&Figures { batches: 7, queued_bytes: 9, ..Figures::default() });
        for line in [
            "twin_hub_connections{protocol=\"mqtt-ws\"} 1",
            "twin_hub_connections_total{protocol=\"mqtt-ws\"} 2",
            "twin_hub_connections{protocol=\"http\"} 0",
            "twin_hub_refused_total{code=\"400004\",name=\"ArgumentInvalid\"} 1",
            "# TYPE twin_hub_twin_reads_total counter",
            "twin_hub_twin_reads_total 1",
            "twin_hub_store_batches_total 7",
            "twin_hub_write_queue_bytes 9",
            "twin_hub_queries_running 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }
}
