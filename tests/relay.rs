//! A relay in between: what the API sent is what the browser gets, and every way to end reaches it.

#![cfg(test)]
#![allow(clippy::string_slice, reason = "a test fails where it cannot go on")]

use std::{net::SocketAddr, time::Duration};

use anthropic_messages::Client;
use anthropic_messages_testing::{At, Fault, Reply, Server};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

mod support;

/// The relay of the example.
mod relay {
    include!("../examples/relay/server.rs");
}

/// Starts a relay in front of a server.
async fn relayed(client: Client) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { relay::serve(listener, client).await.unwrap() });
    address
}

fn client(server: &Server) -> Client {
    server.client_builder().no_proxy().max_retries(0).build().unwrap()
}

/// Sends a request as a browser does.
async fn request(address: SocketAddr) -> TcpStream {
    let body =
        json!({"model": "claude-sonnet-5", "max_tokens": 10, "messages": [{"role": "user", "content": "Hello"}]});
    let body = body.to_string();
    let mut browser = TcpStream::connect(address).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nhost: relay\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    browser.write_all((head + &body).as_bytes()).await.unwrap();
    browser
}

/// Returns the response a browser gets: the status, the content type, and the body.
async fn answer(address: SocketAddr) -> (u16, String, String) {
    let mut answer = Vec::new();
    request(address).await.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default();
    let body = if header("transfer-encoding") == "chunked" { unchunked(body) } else { body.to_owned() };
    (status, header("content-type").to_owned(), body)
}

fn unchunked(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        text.push_str(&rest[..length]);
        body = &rest[length + 2..];
    }
    text
}

/// The events of a stream by the rules of the standard: name, and data as JSON.
fn events(text: &str) -> Vec<(String, Node)> {
    let events = support::reference::read(text.as_bytes()).events;
    events.into_iter().map(|(name, data, _)| (name, Node::read(&data))).collect()
}

/// JSON with the text of its numbers and the code units of its strings. Order and white space are left out.
#[derive(Debug, PartialEq)]
enum Node {
    Object(Vec<(String, Self)>),
    Array(Vec<Self>),
    String(Vec<u16>),
    /// A number, a word, or what is no JSON.
    Plain(String),
}

impl Node {
    fn read(text: &str) -> Self {
        let text = text.trim();
        match text.bytes().next() {
            Some(b'{') => {
                let parts = parts(&text[1..text.len() - 1]);
                let mut members: Vec<(String, Self)> = parts
                    .iter()
                    .map(|part| {
                        let colon = end_of_string(part);
                        (part[..colon].to_owned(), Self::read(part[colon..].trim_start().strip_prefix(':').unwrap()))
                    })
                    .collect();
                members.sort_by(|(a, _), (b, _)| a.cmp(b));
                Self::Object(members)
            }
            Some(b'[') => Self::Array(parts(&text[1..text.len() - 1]).iter().map(|part| Self::read(part)).collect()),
            Some(b'"') => Self::String(units(&text[1..text.len() - 1])),
            _ => Self::Plain(text.to_owned()),
        }
    }
}

/// The parts of an object or an array.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut at, mut depth) = (Vec::new(), 0, 0, 0);
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => at += end_of_string(&text[at..]) - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// Behind the closing quotation mark of a string.
fn end_of_string(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn units(text: &str) -> Vec<u16> {
    let (mut units, mut rest) = (Vec::new(), text.chars());
    while let Some(character) = rest.next() {
        let character = if character == '\\' {
            match rest.next().unwrap() {
                'u' => {
                    let digits: String = rest.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).unwrap());
                    continue;
                }
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                plain => plain,
            }
        } else {
            character
        };
        units.extend(character.encode_utf16(&mut [0; 2]).iter());
    }
    units
}

/// Returns the text of the events, as an API sends them.
fn sent(events: &[&str]) -> String {
    events.iter().map(|data| format!("event: {}\ndata: {data}\n\n", event_type(data))).collect()
}

fn event_type(data: &str) -> String {
    let Node::Object(members) = Node::read(data) else { panic!("{data}") };
    match members.iter().find(|(name, _)| name == "\"type\"") {
        Some((_, Node::String(units))) => String::from_utf16(units).unwrap(),
        _ => panic!("{data}"),
    }
}

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}}"#;
const OPEN: &str = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
const TEXT: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#;
const CLOSE: &str = r#"{"type":"content_block_stop","index":0}"#;
const END: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

#[tokio::test]
async fn a_browser_receives_the_events_of_the_api_unchanged() {
    let plain = [START, OPEN, TEXT, CLOSE, END, STOP];
    let odd = [
        // Nulls, unknown members, and numbers that no type would write so.
        r#"{"type":"message_start","later":null,"message":{"model":null,"usage":{"input_tokens":3.0,"output_tokens":1e0,"cache_creation":null,"x":1E400,"server_tool_use":{}},"content":[],"stop_reason":null,"context":{"a":[null,-0]}}}"#,
        r#"{"content_block":{"text":null,"type":"text","citations":null,"cache_control":null},"index":0,"type":"content_block_start"}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\ud83d"}}"#,
        r#"{"type":"content_block_delta","index":0.0,"delta":{"type":"text_delta","text":"\ude00 \u00e9","tokens":12345678901234567890123}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b\ud83d"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"c"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"type":"char_location","cited_text":"x"}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"type":"char_location","cited_text":"x","document_title":null,"document_index":1.50e1}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"later_delta","later":[1.0,null,{"b":1,"a":2}]}}"#,
        r#"{"type":"content_block_stop","index":0,"later":""}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"n","input":{"n":1.10}}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"later","n":1.10,"deep":{"deep":null}}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"ping","at":1.0e0}"#,
        r#"{"type":"later","n":[1.0]}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null,"container":null},"usage":{"output_tokens":9.0,"later":null},"context_management":null}"#,
        r#"{"type":"message_delta","usage":null}"#,
        r#"{"type":"message_stop","metrics":{"n":1e2}}"#,
    ];
    for events_sent in [&plain[..], &odd[..]] {
        let server = Server::builder().check_requests(false).start().unwrap();
        let text = sent(events_sent);
        server.reply(Reply::raw(200, "text/event-stream", text.clone()));
        let (status, content_type, body) = answer(relayed(client(&server)).await).await;
        assert_eq!((status, content_type.as_str()), (200, "text/event-stream"));
        let (got, expected) = (events(&body), events(&text));
        assert_eq!(got.len(), events_sent.len());
        for (got, expected) in got.into_iter().zip(expected) {
            assert_eq!(got, expected);
        }
    }
}

#[tokio::test]
async fn events_of_gateways_are_passed_on() {
    let server = Server::builder().check_requests(false).start().unwrap();
    let odd = "event: ping\ndata: 12:30\n\nevent: ping\ndata: {}\n\nevent: note\ndata: up\ndata: [1]\n\ndata: {\"a\": 1.0}\n\n";
    let text = sent(&[START]) + odd + &sent(&[OPEN, TEXT, CLOSE, END]) + "event: message_stop\ndata: {}\n\n";
    server.reply(Reply::raw(200, "text/event-stream", text.clone()));
    let (.., body) = answer(relayed(client(&server)).await).await;
    assert_eq!(events(&body), events(&text));
}

/// The last event that a browser gets of a reply that ends so, and how many it gets.
async fn last_event(reply: Reply, client: impl FnOnce(&Server) -> Client) -> (usize, Value) {
    let server = Server::builder().check_requests(false).start().unwrap();
    server.reply(reply);
    let (status, _, body) = answer(relayed(client(&server)).await).await;
    assert_eq!(status, 200, "{body}");
    let mut events = support::reference::read(body.as_bytes()).events;
    let (name, data, _) = events.pop().unwrap();
    assert_eq!(name, "error");
    (events.len(), serde_json::from_str(&data).unwrap())
}

#[tokio::test]
async fn a_reply_that_fails_ends_with_an_error_event() {
    let whole = || {
        Reply::events([START, OPEN, TEXT, CLOSE, END, STOP].map(|data| serde_json::from_str::<Value>(data).unwrap()))
    };
    let sent = r#"{"type":"error","error":{"type":"overloaded_error","message":"Busy."},"request_id":"req_1"}"#;
    let text = self::sent(&[START, OPEN, TEXT, sent]);
    let (count, error) = last_event(Reply::raw(200, "text/event-stream", text), client).await;
    assert_eq!((count, error), (3, serde_json::from_str(sent).unwrap()), "as the API sent it");

    let (count, error) = last_event(whole().fault(Fault::close(At::AfterEvent(3))), client).await;
    assert_eq!((count, &error["error"]["type"]), (3, &json!("api_error")));
    assert!(error["request_id"].is_string());

    let (count, error) = last_event(whole().fault(Fault::reset(At::AfterEvent(3))), client).await;
    assert_eq!((count, &error["error"]["type"]), (3, &json!("api_error")));

    let impatient = |server: &Server| client(server).with_options(|o| o.idle_timeout(Duration::from_millis(20)));
    let (count, error) = last_event(whole().fault(Fault::stall(At::AfterEvent(3))), impatient).await;
    assert_eq!((count, &error["error"]["type"]), (3, &json!("timeout_error")));

    let unordered = self::sent(&[START, TEXT]);
    let (count, error) = last_event(Reply::raw(200, "text/event-stream", unordered), client).await;
    assert_eq!((count, &error["error"]["type"]), (1, &json!("api_error")));
    // The message of the client's own error names no host.
    assert!(!error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_reply_that_does_not_begin_is_answered_with_its_error() {
    let server = Server::builder().check_requests(false).start().unwrap();
    let address = relayed(client(&server)).await;
    server.reply(Reply::error(529, "overloaded_error", "Busy."));
    let (status, content_type, body) = answer(address).await;
    assert_eq!((status, content_type.as_str()), (529, "application/json"));
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["error"]["message"], "Busy.");
    server.reply(Reply::gateway_page(200));
    let (status, _, body) = answer(address).await;
    assert_eq!((status, serde_json::from_str::<Value>(&body).unwrap()["type"].as_str()), (502, Some("error")));
}

#[tokio::test]
async fn a_browser_that_leaves_cancels_the_reply() {
    let server = Server::builder().check_requests(false).start().unwrap();
    server.reply(Reply::text("Hello, world").delta_length(1).fault(Fault::stall(At::AfterEvent(4))));
    let address = relayed(client(&server)).await;
    let mut browser = request(address).await;
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("text_delta") {
        assert_ne!(browser.read_buf(&mut seen).await.unwrap(), 0);
    }
    assert_eq!(server.counts().abandoned, 0);
    drop(browser);
    server.until(|counts| counts.abandoned == 1).await.unwrap();
}
