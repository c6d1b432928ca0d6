//! Faults, observed on a TCP socket.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use anthropic_messages_testing::{At, Clock, Fault, Framing, Reply, Server};
use serde_json::{Value, json};

use crate::support::{Exchange, ask, ask_for_stream, events, exchange, open, post, post_json, try_post};

/// Returns a stream with two short blocks.
fn stream() -> Reply {
    Reply::text("Grüße").and_tool_call("t", json!({"a": 1})).usage(1, 2)
}

fn sent(reply: Reply, body: &Value) -> Exchange {
    let server = Server::start().unwrap();
    server.reply(reply);
    exchange(&server, body)
}

fn whole_stream() -> String {
    let (body, is_complete) = sent(stream(), &ask_for_stream("hi")).unchunked();
    assert!(is_complete);
    body
}

#[test]
fn a_reset_before_the_headers_leaves_nothing() {
    let exchange = sent(stream().fault(Fault::reset(At::BeforeHeaders)), &ask("hi"));
    assert!(exchange.was_reset(), "{:?}", exchange.end);
    assert_eq!(exchange.bytes, b"");
}

#[test]
fn a_close_before_the_headers_leaves_nothing() {
    for fault in [Fault::close(At::BeforeHeaders), Fault::end(At::BeforeHeaders)] {
        let exchange = sent(stream().fault(fault), &ask("hi"));
        assert!(exchange.was_closed());
        assert_eq!(exchange.bytes, b"");
    }
}

#[test]
fn a_reset_after_every_event_leaves_the_events_before_it() {
    let whole = whole_stream();
    let count = events(&whole).len();
    for k in 0..=count {
        let exchange = sent(stream().fault(Fault::reset(At::AfterEvent(k))), &ask_for_stream("hi"));
        assert!(exchange.was_reset(), "{:?}", exchange.end);
        let (body, is_complete) = exchange.unchunked();
        assert!(!is_complete && whole.starts_with(&body));
        assert_eq!(events(&body).len(), k);
    }
}

#[test]
fn a_cut_at_every_byte_leaves_the_bytes_before_it_in_every_framing() {
    let server = Server::start().unwrap();
    let reply = Reply::raw(200, "text/event-stream", "event: ping\ndata: {}\n\nevent: ping\ndata: {}\n\n");
    let length = 44;
    for framing in [Framing::Length, Framing::Chunked, Framing::UntilClose] {
        for n in 0..=length {
            for (fault, resets) in [(Fault::reset(At::AfterByte(n)), true), (Fault::close(At::AfterByte(n)), false)] {
                server.reply(reply.clone().framed(framing).fault(fault));
                let exchange = exchange(&server, &ask_for_stream("hi"));
                assert_eq!((exchange.was_reset(), exchange.was_closed()), (resets, !resets), "{framing:?} {n}");
                let body = match framing {
                    Framing::Chunked => {
                        let (body, is_complete) = exchange.unchunked();
                        assert!(!is_complete);
                        body
                    }
                    _ => exchange.body().to_owned(),
                };
                assert_eq!(body.len(), n, "{framing:?}");
                if framing == Framing::Length {
                    assert!(exchange.head().contains(&format!("content-length: {length}")));
                }
            }
        }
    }
}

#[test]
fn an_early_end_is_well_formed_in_every_framing() {
    let whole = whole_stream();
    let reply = || stream().fault(Fault::end(At::AfterEvent(3)));
    let (body, is_complete) = sent(reply(), &ask_for_stream("hi")).unchunked();
    assert!(is_complete && whole.starts_with(&body));
    assert_eq!(events(&body).len(), 3);

    let length = sent(reply().framed(Framing::Length), &ask_for_stream("hi"));
    assert!(length.head().contains(&format!("content-length: {}", body.len())));
    assert_eq!(length.body().len(), body.len());

    let until_close = sent(reply().framed(Framing::UntilClose), &ask_for_stream("hi"));
    assert_eq!(until_close.body().len(), body.len());
    assert!(until_close.was_closed());
}

#[test]
fn a_cut_past_the_end_happens_at_the_end() {
    let exchange = sent(Reply::json(200, [1]).fault(Fault::reset(At::AfterByte(1000))), &ask("hi"));
    assert!(exchange.was_reset());
    assert_eq!(exchange.body(), "[1]");
    let exchange = sent(Reply::json(200, [1]).fault(Fault::close(At::AfterEvent(1))), &ask("hi"));
    assert!(exchange.was_closed());
    assert_eq!(exchange.body(), "[1]");
}

#[test]
fn a_stall_lasts_until_the_client_disconnects() {
    for (at, is_empty) in [(At::BeforeHeaders, true), (At::AfterEvent(2), false), (At::AfterByte(9), false)] {
        let server = Server::start().unwrap();
        server.reply(stream().fault(Fault::stall(at)));
        let mut socket = open(&server, &ask_for_stream("hi"));
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut bytes = Vec::new();
        let error = socket.read_to_end(&mut bytes).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        assert_eq!(bytes.is_empty(), is_empty);
        assert_eq!((server.counts().in_flight, server.counts().open_connections()), (1, 1));
        drop(socket);
        let counts = server.blocking_until(|counts| counts.closed_connections == 1).unwrap();
        assert_eq!((counts.in_flight, counts.abandoned, counts.answered), (0, 1, 0));
    }
}

#[test]
fn slow_bytes_are_sent_one_by_one_with_pauses() {
    let server = Server::builder().clock(Clock::skipping()).start().unwrap();
    server
        .reply(Reply::json(200, "12345678").framed(Framing::Chunked).fault(Fault::slow_bytes(Duration::from_secs(1))));
    let exchange = exchange(&server, &ask("hi"));
    assert_eq!(exchange.unchunked(), ("\"12345678\"".to_owned(), true));
    assert_eq!(exchange.body().matches("1\r\n").count(), 10 + 1, "ten chunks, and the digit 1 in one of them");
    assert_eq!(server.clock().now(), Duration::from_secs(9));
}

#[test]
fn a_reply_that_ends_with_its_connection_is_paced_too() {
    let server = Server::builder().clock(Clock::skipping()).start().unwrap();
    let pings = (0..3).map(|_| json!({"type": "ping"}));
    server.reply(Reply::events(pings).framed(Framing::UntilClose).paced(Duration::from_secs(7)));
    let body = exchange(&server, &ask_for_stream("hi")).body().to_owned();
    assert_eq!(events(&body).len(), 3);
    assert_eq!(server.clock().now(), Duration::from_secs(14));
}

#[tokio::test]
async fn a_malformed_chunk_breaks_the_client() {
    let server = Server::start().unwrap();
    server.reply(stream().fault(Fault::malformed_chunk(At::AfterEvent(1)))).times(2);
    let exchange = exchange(&server, &ask_for_stream("hi"));
    assert!(exchange.was_closed());
    assert!(exchange.body().ends_with("\n\n\r\nnot a length\r\n"), "{}", exchange.body());
    let mut response = post(&server, &ask_for_stream("hi")).await;
    assert!(response.chunk().await.unwrap().unwrap().starts_with(b"event: message_start"));
    assert!(response.chunk().await.is_err());
}

#[tokio::test]
async fn a_wrong_content_type_leaves_the_body_unchanged() {
    let server = Server::start().unwrap();
    server.reply(Reply::text("x").fault(Fault::content_type("text/plain")));
    let response = post(&server, &ask("hi")).await;
    assert_eq!(response.headers().get_all("content-type").iter().collect::<Vec<_>>(), ["text/plain"]);
    assert_eq!(response.json::<Value>().await.unwrap()["content"][0]["text"], "x");
}

#[tokio::test]
async fn an_endless_line_lasts_until_the_client_disconnects() {
    let server = Server::start().unwrap();
    server.reply(stream().fault(Fault::endless_line(At::AfterEvent(1))));
    let mut response = post(&server, &ask_for_stream("hi")).await;
    let mut received = Vec::new();
    while received.len() < 4 * 1024 * 1024 {
        received.extend_from_slice(&response.chunk().await.unwrap().unwrap());
    }
    let text = String::from_utf8(received).unwrap();
    let (event, line) = text.split_once("\n\n").unwrap();
    assert!(event.starts_with("event: message_start"));
    assert!(line.starts_with("data: xxx") && !line.contains('\n'));
    drop(response);
    let counts = server.until(|counts| counts.closed_connections == 1).await.unwrap();
    assert_eq!(counts.abandoned, 1);
}

#[tokio::test]
async fn pings_last_until_the_client_disconnects() {
    let server = Server::builder().clock(Clock::skipping()).start().unwrap();
    server.reply(stream().fault(Fault::endless_pings(At::AfterEvent(0), Duration::from_secs(10))));
    let mut response = post(&server, &ask_for_stream("hi")).await;
    let mut received = Vec::new();
    while received.len() < 35 * 100 {
        received.extend_from_slice(&response.chunk().await.unwrap().unwrap());
    }
    let text = String::from_utf8(received).unwrap();
    assert!(events(text.rsplit_once("\n\n").unwrap().0).iter().all(|(name, _)| name == "ping"));
    assert!(server.clock().now() >= Duration::from_secs(1000));
}

#[tokio::test]
async fn an_error_event_ends_a_stream() {
    let server = Server::start().unwrap();
    server.reply(stream().fault(Fault::error_event(2, "overloaded_error", "Overloaded")));
    let response = post(&server, &ask_for_stream("hi")).await;
    let id = response.headers()["request-id"].to_str().unwrap().to_owned();
    let events = events(&response.text().await.unwrap());
    assert_eq!(events.len(), 3);
    let error = json!({"type": "overloaded_error", "message": "Overloaded"});
    assert_eq!(events[2], ("error".to_owned(), json!({"type": "error", "error": error, "request_id": id})));
}

#[tokio::test]
async fn an_error_event_is_an_error_if_the_request_does_not_stream() {
    for (kind, status) in [("overloaded_error", 529), ("rate_limit_error", 429), ("invented_error", 500)] {
        let server = Server::start().unwrap();
        server.reply(stream().fault(Fault::error_event(2, kind, "no")));
        let (sent, body) = post_json(&server, &ask("hi")).await;
        assert_eq!((sent, &body["error"]["type"]), (status, &json!(kind)));
    }
}

#[test]
fn several_faults_apply_in_order() {
    let faulty = stream().fault(Fault::content_type("text/html")).fault(Fault::close(At::AfterEvent(1)));
    let exchange = sent(faulty, &ask_for_stream("hi"));
    assert!(exchange.head().contains("content-type: text/html"));
    assert!(exchange.was_closed());
    assert_eq!(events(&exchange.unchunked().0).len(), 1);
}

#[tokio::test]
async fn the_server_survives_a_fault() {
    let server = Server::start().unwrap();
    server.reply(stream().fault(Fault::reset(At::BeforeHeaders)));
    assert!(try_post(&server, &ask("hi")).await.is_err());
    assert_eq!(post(&server, &ask("hi")).await.status(), 200);
    let counts = server.until(|counts| counts.in_flight == 0).await.unwrap();
    assert_eq!(counts.answered, 2, "a fault that was scripted is an answer");
}
