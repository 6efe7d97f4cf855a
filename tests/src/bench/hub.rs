//! The hub's process: this program in another role. It is asked by lines on its standard input, answers each with a
//! line of JSON, and ends when its input does.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use twin_core::auth::{Key, SasToken, Scope};
use twin_core::identity::{Authentication, Identity};
use twin_core::wire::rest::{Answer, Call};
use twin_core::{HostName, Timestamp, TwinKey};
use twin_hub::Hub;
use twin_service::Registry;

use super::{Outcome, block_on, twins};

/// The role's name.
pub const ROLE: &str = "hub";

/// Identities that one bulk request creates.
const BULK: usize = 100;
/// Bulk requests inside the hub at a time; few, or what they are parsed into is what is measured.
const BULKS_AT_A_TIME: usize = 8;
/// Reports inside the hub at a time.
const REPORTS_AT_A_TIME: usize = 512;

/// A hub in a process of its own.
pub struct HubProcess {
    child: Child,
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// The `iothubowner` connection string.
    pub connection_string: String,
    /// The certificate to trust.
    pub ca_pem: String,
    /// Where it listens.
    pub address: SocketAddr,
}

impl HubProcess {
    /// Starts one on `data`.
    pub fn start(data: &Path) -> Outcome<HubProcess> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(ROLE)
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let ask = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let ready = line(&mut answers)?;
        let text = |name: &str| ready[name].as_str().map(str::to_owned).ok_or("the hub is not ready");
        let address = text("address")?.parse()?;
        Ok(HubProcess {
            child,
            ask,
            answers,
            connection_string: text("connectionString")?,
            ca_pem: text("ca")?,
            address,
        })
    }

    /// Asks it something.
    pub fn ask(&mut self, question: &Value) -> Outcome<Value> {
        let ask = self.ask.as_mut().ok_or("the hub is stopping")?;
        writeln!(ask, "{question}")?;
        ask.flush()?;
        line(&mut self.answers)
    }

    /// One of its metrics.
    pub fn metric(&mut self, name: &str) -> Outcome<f64> {
        let metrics = self.ask(&json!({"ask": "metrics"}))?;
        let text = metrics.as_str().unwrap_or_default();
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        found.ok_or_else(|| format!("the hub has no metric '{name}'").into())
    }

    /// Its resident memory, in bytes.
    pub fn resident(&self) -> Outcome<f64> {
        resident(&self.child.id().to_string())
    }

    /// A client of its service side.
    pub fn registry(&self) -> Outcome<Registry> {
        Ok(Registry::builder(&self.connection_string).trust_pem(&self.ca_pem).build()?)
    }

    /// Its name, as tokens have it.
    pub fn host(&self) -> Outcome<HostName> {
        Ok(HostName::new(self.address.to_string())?)
    }

    /// Creates the devices [`device`]`(0)` to `(count - 1)`, all with [`key`].
    pub async fn create(&self, count: usize) -> Outcome<()> {
        let registry = self.registry()?;
        for first in (0..count).step_by(BULK) {
            let identities: Vec<Identity> = (first..count.min(first + BULK)).map(identity).collect();
            if let Some((device, error)) = registry.create_many(&identities).await?.failures().next() {
                return Err(format!("{device}: {error}").into());
            }
        }
        Ok(())
    }

    /// A device's connection string.
    pub fn device_connection_string(&self, n: usize) -> Outcome<String> {
        let string = twin_core::auth::DeviceConnectionString::with_key(self.host()?, device(n), key());
        Ok(string.expose().to_string())
    }

    /// A device's token.
    pub fn token(&self, n: usize) -> Outcome<SasToken> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let resource = Scope::Twin(self.host()?, device(n)).resource();
        Ok(SasToken::sign(&resource, &key(), None, Timestamp::from_unix(now + Duration::from_secs(7200))))
    }

    /// Stops it and waits.
    pub fn stop(mut self) -> Outcome<()> {
        self.ask = None;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn identity(n: usize) -> Identity {
    let mut identity = Identity::new(device(n));
    identity.authentication = Some(Authentication::Sas { primary: key(), secondary: key() });
    identity
}

fn line(from: &mut impl BufRead) -> Outcome<Value> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    serde_json::from_str(&line).map_err(|e| format!("the hub said {line:?}: {e}").into())
}

/// The key of every device.
pub fn key() -> Key {
    Key::from_bytes(b"a key of benchmarks, not a secret").expect("a good length")
}

/// A device's name.
pub fn device(n: usize) -> TwinKey {
    TwinKey::device(format!("meter-{n:07}")).expect("a good name")
}

/// Resident memory of a process, in bytes; `self` is this one.
pub fn resident(process: &str) -> Outcome<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))
        .map_err(|e| format!("memory is measured by /proc, as Linux has it: {e}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
}

/// Files that this process may have open, less some for other things.
pub fn room_for_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or("");
    line.split_whitespace().next().and_then(|n| n.parse::<usize>().ok()).unwrap_or(1024).saturating_sub(200)
}

/// The hub's side: serves until its input ends.
pub fn serve(data: Option<&str>) -> Outcome<()> {
    block_on(async {
        let data = data.ok_or("where?")?;
        let started = Instant::now();
        let hub = Hub::builder()
            .host_name("127.0.0.1")
            .listen("127.0.0.1:0".parse()?)
            .data_dir(data)
            .start()
            .await?;
        let hub = Arc::new(hub);
        println!(
            "{}",
            json!({
                "connectionString": hub.connection_string(), "ca": hub.ca_pem(), "address": hub.addresses()[0],
                "seconds": started.elapsed().as_secs_f64(),
            })
        );
        let (to, mut questions) = tokio::sync::mpsc::channel(1);
        std::thread::spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if to.blocking_send(line).is_err() {
                    break;
                }
            }
        });
        while let Some(question) = questions.recv().await {
            println!("{}", answer(&hub, &serde_json::from_str(&question)?).await?);
        }
        drop(questions);
        Arc::into_inner(hub).ok_or("the hub is in use")?.close().await?;
        Ok(())
    })
}

async fn answer(hub: &Arc<Hub>, question: &Value) -> Outcome<Value> {
    let number = |name: &str| question[name].as_u64().unwrap_or_default() as usize;
    match question["ask"].as_str() {
        Some("metrics") => Ok(hub.metrics().into()),
        Some("fill") => {
            let (from, count) = (number("from"), number("count"));
            let created = work((count - from).div_ceil(BULK), BULKS_AT_A_TIME, |n| {
                create(hub.clone(), from + n * BULK..count.min(from + (n + 1) * BULK))
            });
            let created = created.await? * BULK as f64;
            let reported = work(count - from, REPORTS_AT_A_TIME, |n| report(hub.clone(), from + n)).await?;
            Ok(json!({"created": created, "reported": reported}))
        }
        Some("query") => queries(hub, question["text"].as_str().unwrap_or_default(), number("times")).await,
        _ => Err("the hub is asked something unknown".into()),
    }
}

/// Does pieces of work, so many at a time; how many a second.
async fn work<F>(count: usize, at_a_time: usize, piece: impl Fn(usize) -> F) -> Outcome<f64>
where
    F: Future<Output = Outcome<()>> + Send + 'static,
{
    let started = Instant::now();
    let mut at_work = JoinSet::new();
    for n in 0..count {
        at_work.spawn(piece(n));
        if at_work.len() >= at_a_time
            && let Some(done) = at_work.join_next().await
        {
            done??;
        }
    }
    while let Some(done) = at_work.join_next().await {
        done??;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

async fn create(hub: Arc<Hub>, which: Range<usize>) -> Outcome<()> {
    let items: Vec<Value> = which
        .map(|n| {
            let mut item = twins::created(n);
            item["id"] = device(n).to_string().into();
            item["importMode"] = "create".into();
            item["authentication"] = identity(n).to_json()["authentication"].clone();
            item
        })
        .collect();
    match hub.call(Call::Bulk { body: Value::Array(items).to_string().into() }).await {
        Ok(Answer::Json { .. }) => Ok(()),
        other => Err(format!("creating twins: {other:?}").into()),
    }
}

async fn report(hub: Arc<Hub>, n: usize) -> Outcome<()> {
    match hub.report(&device(n), twins::reported(n).to_string().into()).await {
        Ok(_) => Ok(()),
        Err(refusal) => Err(refusal.message.into()),
    }
}

/// Milliseconds that the first page of a query takes, without a network, each time.
async fn queries(hub: &Arc<Hub>, text: &str, times: usize) -> Outcome<Value> {
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let call = Call::Query { text: text.to_owned(), page_size: Some(100), continuation: None };
        let started = Instant::now();
        hub.call(call).await.map_err(|refusal| refusal.message)?;
        took.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(json!(took))
}
