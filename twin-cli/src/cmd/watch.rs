//! `twin watch ID`

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use twin_device::{DesiredChange, DeviceClient, DeviceConnectionString, ModuleClient, Subscription};
use twin_service::{Object, Properties, Twin, TwinKey};

use crate::context::{self, Context};
use crate::fail::{Failure, Result};
use crate::out;
use crate::style::{Paint, Style};

/// Shows changes of a twin as they come, until Ctrl-C.
///
/// With a backend's connection string: asks again and again, and shows what changed in tags, desired and reported
/// properties. With a device's: connects as the device and shows the desired properties as it hears of them.
#[derive(Args)]
pub(crate) struct Watch {
    /// The device; may be left out with a device's connection string
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// A module on the device
    #[arg(long, value_name = "M", requires = "id")]
    module: Option<String>,
    /// Seconds between two looks at the twin
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    every: Duration,
    /// Stops after so many changes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(n) if (0.1..=3600.0).contains(&n) => Ok(Duration::from_secs_f64(n)),
        _ => Err("0.1 to 3600 seconds are possible".to_owned()),
    }
}

impl Watch {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        let work = async {
            match cx.device_string()? {
                Some(device) => self.as_device(cx, device).await,
                None => self.as_backend(cx).await,
            }
        };
        tokio::select! {
            result = work => result,
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    }

    async fn as_backend(&self, cx: &Context) -> Result<()> {
        let Some(id) = &self.id else {
            return Err(Failure::misuse("which device? Give its ID, or a device's connection string"));
        };
        let key = context::key(id, self.module.as_deref())?;
        let registry = cx.registry()?;
        let mut old = registry.twin(&key).await?;
        out::talk(format!("watching '{key}' every {:?}; Ctrl-C stops", self.every));
        let mut left = self.count.unwrap_or(u64::MAX);
        loop {
            tokio::time::sleep(self.every).await;
            let new = registry.twin(&key).await?;
            for change in changes(&old, &new) {
                change.print(cx)?;
                left -= 1;
                if left == 0 {
                    return Ok(());
                }
            }
            old = new;
        }
    }

    async fn as_device(&self, cx: &Context, device: DeviceConnectionString) -> Result<()> {
        if let Some(id) = &self.id {
            let wanted = context::key(id, self.module.as_deref())?;
            if wanted != device.key {
                return Err(Failure::misuse(format!(
                    "the connection string is that of '{}', not of '{wanted}'",
                    device.key
                )));
            }
        }
        let (text, options) = (device.expose(), cx.connection()?);
        if device.key.module.is_none() {
            let client = DeviceClient::from_connection_string(&text)?.options(options).open().await?;
            self.hear(cx, client.desired(), &device.key).await?;
            Ok(client.close().await?)
        } else {
            let client = ModuleClient::from_connection_string(&text)?.options(options).open().await?;
            self.hear(cx, client.desired(), &device.key).await?;
            Ok(client.close().await?)
        }
    }

    async fn hear(
        &self,
        cx: &Context,
        mut desired: Subscription<DesiredChange>,
        key: &TwinKey,
    ) -> Result<()> {
        out::talk(format!("connected as '{key}'; Ctrl-C stops"));
        let mut left = self.count.unwrap_or(u64::MAX);
        let (mut members, mut version) = (Object::new(), 0);
        while let Some(change) = desired.next().await {
            let (before, old) = (std::mem::take(&mut members), version);
            (members, version) = match change {
                DesiredChange::Whole { desired, version } => (desired, version),
                DesiredChange::Patch { patch, version } => {
                    (twin_core::twin::merged(&before, &patch), version)
                }
            };
            // Version 0 is before the first: nothing was known.
            Change::of("desired", Some((old, version)), &before, &members).print(cx)?;
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        }
        Err(desired.error().map_or_else(|| Failure::local("the connection ended"), Failure::from))
    }
}

/// What changed in one section between two looks.
struct Change {
    section: &'static str,
    versions: Option<(u64, u64)>,
    patch: Object,
    before: Object,
}

/// The sections of which anything changed, be it the version alone.
fn changes(old: &Twin, new: &Twin) -> Vec<Change> {
    let mut changes = Vec::new();
    let state = |twin: &Twin| {
        let state = twin.connection_state().map(|s| ("state".to_owned(), Value::from(s)));
        state.into_iter().collect::<Object>()
    };
    for (section, old, new) in [("connection", &state(old), &state(new)), ("tags", &old.tags, &new.tags)] {
        if old != new {
            changes.push(Change::of(section, None, old, new));
        }
    }
    let mut properties = |section, old: &Properties, new: &Properties| {
        if old.version != new.version || old.value != new.value {
            changes.push(Change::of(section, Some((old.version, new.version)), &old.value, &new.value));
        }
    };
    properties("desired", &old.desired, &new.desired);
    properties("reported", &old.reported, &new.reported);
    changes
}

impl Change {
    fn of(section: &'static str, versions: Option<(u64, u64)>, before: &Object, after: &Object) -> Change {
        Change { section, versions, patch: twin_core::twin::diff(before, after), before: before.clone() }
    }

    fn print(&self, cx: &Context) -> Result<()> {
        if cx.is_json() {
            let version = self.versions.map(|(_, new)| new);
            return out::line(
                json!({"section": self.section, "version": version, "patch": self.patch}).to_string(),
            );
        }
        let paint = Paint::stdout();
        let head = match self.versions {
            Some((0, new)) => format!("{} at {new}", self.section),
            Some((old, new)) => format!("{} {old} → {new}", self.section),
            None => self.section.to_owned(),
        };
        let mut lines = vec![paint.paint(Style::Bold, head)];
        leaves("", &Value::Object(self.before.clone()), &self.patch, &mut |path, old, new| {
            lines.push(match (old, new) {
                (None, new) => format!("  {} {path}: {new}", paint.paint(Style::Green, "+")),
                (Some(old), Value::Null) => format!("  {} {path}: {old}", paint.paint(Style::Red, "-")),
                (Some(old), new) => format!("  {} {path}: {old} → {new}", paint.paint(Style::Yellow, "~")),
            });
        });
        if lines.len() == 1 {
            let first = self.versions.is_some_and(|(old, _)| old == 0);
            lines.push(if first { "  nothing yet".to_owned() } else { "  the same values again".to_owned() });
        }
        out::line(lines.join("\n"))
    }
}

/// Visits what a patch sets or removes, with the value before.
fn leaves(path: &str, before: &Value, patch: &Object, visit: &mut impl FnMut(&str, Option<&Value>, &Value)) {
    for (name, new) in patch {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (before.get(name), new) {
            (Some(old @ Value::Object(_)), Value::Object(deeper)) => leaves(&path, old, deeper, visit),
            (old, new) => visit(&path, old, new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_told_with_what_was_there() {
        let before = json!({"a": {"b": 1, "c": 2}, "d": 3});
        let patch = json!({"a": {"b": null, "c": 4}, "e": {"f": 5}});
        let mut seen = Vec::new();
        leaves("", &before, patch.as_object().unwrap(), &mut |path, old, new| {
            seen.push(format!("{path} {old:?} {new}"));
        });
        assert_eq!(seen, ["a.b Some(Number(1)) null", "a.c Some(Number(2)) 4", "e None {\"f\":5}"]);
    }
}
