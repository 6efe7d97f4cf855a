//! Requests of backends, as JavaScript spelled them.

use napi_derive::napi;
use serde_json::json;
use twin_service::{Error, RestAnswer, RestClient};

use crate::mailbox::{Letter, Mailbox};
use crate::options::ConnectionOptions;
use crate::outcome::outcome;
use crate::runtime::runtime;

/// Sends requests to one hub.
#[napi]
pub struct NativeRest {
    client: Result<RestClient, Error>,
    mailbox: Mailbox,
}

#[napi]
impl NativeRest {
    /// For `host` (`name[:port]`). What is wrong with it or the options, every request tells.
    #[napi(constructor)]
    pub fn new(mailbox: &Mailbox, host: String, options: ConnectionOptions) -> NativeRest {
        let client = host
            .parse()
            .and_then(|host| options.translate().and_then(|options| RestClient::new(&host, &options)));
        NativeRest { client, mailbox: mailbox.clone() }
    }

    /// What makes every request fail, as an outcome; nothing if all is well.
    #[napi]
    pub fn problem(&self) -> Option<String> {
        self.client.as_ref().err().map(|error| outcome(Err(error.clone())))
    }

    /// Sends one request. `headers` are names and values in turn. The letter's text is an outcome with `status` and
    /// `headers` (names and values in turn); its body is the answer's.
    #[napi]
    pub fn send(&self, to: u32, method: String, target: String, headers: Vec<String>, body: String) {
        let mailbox = self.mailbox.clone();
        let client = match &self.client {
            Ok(client) => client.clone(),
            Err(error) => return mailbox.answer(to, outcome(Err(error.clone()))),
        };
        let headers: Vec<(String, String)> =
            headers.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        runtime().spawn(async move {
            match client.send(&method, &target, &headers, body).await {
                Ok(answer) => mailbox.post(letter(to, answer)),
                Err(error) => mailbox.answer(to, outcome(Err(error))),
            }
        });
    }
}

fn letter(to: u32, answer: RestAnswer) -> Letter {
    let headers: Vec<&str> =
        answer.headers.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    let text = outcome(Ok(json!({ "status": answer.status, "headers": headers })));
    let body = String::from_utf8(answer.body.into())
        .unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned());
    Letter { to, text, body: Some(body) }
}
