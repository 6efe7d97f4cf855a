//! What a running hub is asked by commands on the same machine: a socket in its data directory, which is private to
//! the user. One line of JSON each way.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

const NAME: &str = "control.sock";
/// Longest line, in bytes.
const MAX_LINE_BYTES: u64 = 16 * 1024;
/// How long whoever connects may take to say what is wanted.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Ask {
    Backup { target: PathBuf },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Answer {
    Done,
    Failed { message: String },
}

/// Answers one after another, until dropped. A hub whose directory takes no socket runs without.
pub(crate) async fn serve(hub: &twin_hub::Hub, dir: &Path) {
    let path = dir.join(NAME);
    // The hub holds the directory's lock by now: a socket that is there is left over.
    std::fs::remove_file(&path).ok();
    let listener = match UnixListener::bind(&path) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "no control socket: 'twin hub backup' will not work");
            return std::future::pending().await;
        }
    };
    let _socket = Socket(path);
    loop {
        if let Ok((stream, _)) = listener.accept().await
            && let Err(error) = answer(hub, stream).await
        {
            tracing::debug!(%error, "control");
        }
    }
}

/// The socket's file, which goes with the hub.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

async fn answer(hub: &twin_hub::Hub, mut stream: UnixStream) -> std::io::Result<()> {
    let line = tokio::time::timeout(ASK_TIMEOUT, read_line(&mut stream)).await??;
    let answer = match serde_json::from_str(&line) {
        Ok(Ask::Backup { target }) => match hub.backup(&target).await {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Failed { message: error.to_string() },
        },
        Err(error) => Answer::Failed { message: format!("not understood: {error}") },
    };
    say(&mut stream, &answer).await
}

/// Asks the hub that runs on `dir`; `None` if none does.
pub(crate) async fn ask(dir: &Path, ask: &Ask) -> std::io::Result<Option<Answer>> {
    let mut stream = match UnixStream::connect(dir.join(NAME)).await {
        Ok(stream) => stream,
        Err(_) => return Ok(None),
    };
    say(&mut stream, ask).await?;
    let line = read_line(&mut stream).await?;
    serde_json::from_str(&line).map(Some).map_err(std::io::Error::other)
}

async fn say(stream: &mut UnixStream, what: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_string(what).map_err(std::io::Error::other)?;
    line.push('\n');
    stream.write_all(line.as_bytes()).await
}

async fn read_line(stream: &mut UnixStream) -> std::io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(MAX_LINE_BYTES)).read_line(&mut line).await?;
    Ok(line)
}
