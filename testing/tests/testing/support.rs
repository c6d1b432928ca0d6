//! Two clients without knowledge of the API: reqwest and a TCP socket.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anthropic_messages_testing::Server;
use serde_json::{Value, json};

/// A request body with one user turn.
pub(crate) fn ask(text: &str) -> Value {
    json!({
        "model": "claude-sonnet-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": [{"type": "text", "text": text}]}]
    })
}

/// The body of [`ask`] with `stream` set.
pub(crate) fn ask_for_stream(text: &str) -> Value {
    with(ask(text), "stream", json!(true))
}

/// Sets a field of a body.
pub(crate) fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

/// Returns a client with its own connection pool.
pub(crate) fn http() -> reqwest::Client {
    plain().build().unwrap()
}

/// Returns a client builder. reqwest needs a crypto provider even for cleartext.
pub(crate) fn plain() -> reqwest::ClientBuilder {
    // Another test may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy()
}

/// Posts a body with a credential.
pub(crate) async fn post(server: &Server, body: &Value) -> reqwest::Response {
    try_post(server, body).await.unwrap()
}

pub(crate) async fn try_post(server: &Server, body: &Value) -> reqwest::Result<reqwest::Response> {
    post_with(&http(), server, body).await
}

pub(crate) async fn post_with(
    http: &reqwest::Client,
    server: &Server,
    body: &Value,
) -> reqwest::Result<reqwest::Response> {
    http.post(format!("{}/messages", server.base_url())).bearer_auth("key").json(body).send().await
}

/// Posts a body and returns the status and the JSON body of the reply.
pub(crate) async fn post_json(server: &Server, body: &Value) -> (u16, Value) {
    let response = post(server, body).await;
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Posts a body and returns the text of the reply's first block.
pub(crate) async fn answer(server: &Server, body: &Value) -> String {
    post_json(server, body).await.1["content"][0]["text"].as_str().unwrap().to_owned()
}

/// The bytes that a socket received, and how they ended.
pub(crate) struct Exchange {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: io::Result<()>,
}

impl Exchange {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    pub(crate) fn head(&self) -> &str {
        self.text().split_once("\r\n\r\n").unwrap().0
    }

    /// Returns the body, including its framing.
    pub(crate) fn body(&self) -> &str {
        self.text().split_once("\r\n\r\n").unwrap().1
    }

    /// Returns the body without its chunked framing, and `true` if the framing is complete.
    pub(crate) fn unchunked(&self) -> (String, bool) {
        let (mut rest, mut body) = (self.body(), String::new());
        loop {
            let Some((length, after)) = rest.split_once("\r\n") else {
                return (body, false);
            };
            let length = usize::from_str_radix(length, 16).unwrap();
            if length == 0 {
                assert_eq!(after, "\r\n");
                return (body, true);
            }
            let (chunk, after) = after.split_at(length);
            body.push_str(chunk);
            rest = after.strip_prefix("\r\n").unwrap();
        }
    }

    pub(crate) fn was_reset(&self) -> bool {
        self.end.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
    }

    pub(crate) fn was_closed(&self) -> bool {
        self.end.is_ok()
    }
}

/// Opens a socket and sends a request with `connection: close`.
pub(crate) fn open(server: &Server, body: &Value) -> TcpStream {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    // Only to end a hanging test: a successful read takes far less.
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let body = body.to_string();
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer key\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        server.address(),
        body.len()
    );
    socket.write_all(format!("{head}{body}").as_bytes()).unwrap();
    socket
}

/// Sends a body over a socket and reads to the end.
pub(crate) fn exchange(server: &Server, body: &Value) -> Exchange {
    let mut socket = open(server, body);
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match socket.read(&mut piece) {
            Ok(0) => return Exchange { bytes, end: Ok(()) },
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) => {
                return Exchange { bytes, end: Err(error) };
            }
        }
    }
}

/// Parses server-sent events into their names and data.
pub(crate) fn events(body: &str) -> Vec<(String, Value)> {
    let parse = |event: &str| {
        let (name, data) = event.split_once('\n').unwrap();
        let data = data.strip_prefix("data: ").unwrap();
        (name.strip_prefix("event: ").unwrap().to_owned(), serde_json::from_str(data).unwrap())
    };
    body.split_terminator("\n\n").map(parse).collect()
}
