//! Streams, as a client reads them. `stream.rs`, `sse.rs` and `memory.rs` test the parts.

use std::{io::Write, sync::mpsc, time::Duration};

use anthropic_messages::{Client, ErrorKind, MessageStream, StreamEvent};
use anthropic_messages_testing::{At, Clock, Fault, Framing, Reply, Server};
use serde_json::json;
use tokio::time::timeout;

use crate::{
    builder, client, request,
    support::answers::{answer, answering},
    support::raw::RawServer,
};

/// More than any of these takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn server() -> Server {
    Server::start().unwrap()
}

fn of(server: &Server) -> Client {
    server.client_builder().no_proxy().max_retries(0).build().unwrap()
}

/// A reply whose stream has nine events, the fourth to sixth of them text.
pub(crate) fn reply() -> Reply {
    Reply::text("one two three").delta_length(5)
}

async fn open(server: &Server) -> MessageStream {
    of(server).stream_message(&request()).await.unwrap()
}

/// Reads to the end: how many events came, and the error, if there was one.
pub(crate) async fn read(stream: &mut MessageStream) -> (usize, Option<anthropic_messages::Error>) {
    let mut count = 0;
    while let Some(event) = timeout(PATIENCE, stream.next()).await.expect("it hangs") {
        match event {
            Ok(_) => count += 1,
            Err(error) => {
                assert!(stream.next().await.is_none(), "an error is the end");
                return (count, Some(error));
            }
        }
    }
    (count, None)
}

fn headers(content_type: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n")
}

#[tokio::test]
async fn a_reset_after_any_event_keeps_what_came() {
    let server = server();
    for count in 0..9 {
        server.reply(reply().fault(Fault::reset(At::AfterEvent(count))));
        let mut stream = open(&server).await;
        let (seen, error) = read(&mut stream).await;
        let error = error.expect("the stream did not end");
        assert_eq!((seen, error.kind()), (count, ErrorKind::Incomplete));
        assert!(std::error::Error::source(&error).is_some() && error.may_have_been_processed());
        let text = error.partial_message().map(|message| message.text());
        assert_eq!(text.is_some(), count > 0);
        assert!("one two three".starts_with(&text.unwrap_or_default()));
    }
    assert_eq!(server.requests().len(), 9, "none was tried again");
}

#[tokio::test]
async fn a_reset_before_the_stream_is_a_failed_call() {
    let server = server();
    server.reply(reply().fault(Fault::reset(At::BeforeHeaders)));
    let error = of(&server).stream_message(&request()).await.unwrap_err();
    assert_eq!((error.kind(), error.partial_message()), (ErrorKind::Closed, None));
}

#[tokio::test]
async fn a_clean_end_without_the_end_of_the_message_is_incomplete() {
    for framing in [Framing::Length, Framing::Chunked, Framing::UntilClose] {
        let server = server();
        server.reply(reply().framed(framing).fault(Fault::end(At::AfterEvent(5))));
        let mut stream = open(&server).await;
        let (seen, error) = read(&mut stream).await;
        let error = error.expect("a silent success");
        assert_eq!((seen, error.kind()), (5, ErrorKind::Incomplete), "{framing:?}");
        assert_eq!(error.partial_message().unwrap().text(), "one two th");
    }
}

#[tokio::test]
async fn a_malformed_chunk_is_incomplete() {
    let server = server();
    server.reply(reply().fault(Fault::malformed_chunk(At::AfterEvent(4))));
    let (seen, error) = read(&mut open(&server).await).await;
    assert_eq!((seen, error.unwrap().kind()), (4, ErrorKind::Incomplete));
}

#[tokio::test]
async fn a_silent_stream_is_given_up_and_closed() {
    let server = server();
    server.reply(reply().fault(Fault::stall(At::AfterEvent(3))));
    let client = of(&server).with_options(|o| o.idle_timeout(Duration::from_millis(200)));
    let mut stream = client.stream_message(&request()).await.unwrap();
    let (seen, error) = read(&mut stream).await;
    assert_eq!((seen, error.unwrap().kind()), (3, ErrorKind::Stalled));
    server.until(|counts| counts.abandoned == 1).await.unwrap();
}

#[tokio::test]
async fn a_silence_before_the_first_event_is_one_too() {
    let server = server();
    server.reply(reply().fault(Fault::stall(At::AfterEvent(0))));
    let client = of(&server).with_options(|o| o.idle_timeout(Duration::from_millis(100)));
    let error = client.stream_message(&request()).await.unwrap().final_message().await.unwrap_err();
    assert_eq!((error.kind(), error.partial_message()), (ErrorKind::Stalled, None));
}

#[tokio::test]
async fn pings_without_end_are_ended_by_the_caller() {
    let clock = Clock::skipping();
    let server = Server::builder().clock(clock).start().unwrap();
    server.reply(reply().fault(Fault::endless_pings(At::AfterEvent(1), Duration::from_millis(50))));
    let mut stream = open(&server).await;
    let mut pings = 0;
    let endless = async {
        while let Some(Ok(event)) = stream.next().await {
            pings += usize::from(matches!(event, StreamEvent::Ping(_)));
            if pings > 1000 {
                break;
            }
        }
    };
    timeout(PATIENCE, endless).await.unwrap();
    assert!(pings > 1000);
    drop(stream);
    server.until(|counts| counts.abandoned == 1).await.unwrap();
}

#[tokio::test]
async fn no_limit_of_the_client_ends_a_stream() {
    let server = server();
    server.reply(reply().paced(Duration::from_millis(60)));
    let limit = Duration::from_millis(300);
    let client = server.client_builder().no_proxy().timeout(limit).response_timeout(limit).build().unwrap();
    let begun = std::time::Instant::now();
    let mut stream = client.stream_message(&request()).await.unwrap();
    let (_, error) = read(&mut stream).await;
    assert!(error.is_none() && begun.elapsed() > limit);
}

#[tokio::test]
async fn an_error_event_is_the_error_that_it_tells_and_is_not_tried_again() {
    let server = server();
    server.reply(reply().fault(Fault::error_event(4, "overloaded_error", "Later.")));
    let client = of(&server).with_options(|o| o.max_retries(5));
    let mut stream = client.stream_message(&request()).await.unwrap();
    let (seen, error) = read(&mut stream).await;
    let error = error.unwrap();
    assert_eq!((seen, error.kind()), (4, ErrorKind::Overloaded));
    assert_eq!(error.api_error().unwrap().message(), Some("Later."));
    assert_eq!((error.status().unwrap().as_u16(), error.attempts()), (200, 1));
    assert_eq!(error.request_id(), stream.request_id());
    assert_eq!(error.into_partial_message().unwrap().text(), "one t");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_error_as_json_is_that_error_and_is_tried_again_by_its_type() {
    let server = server();
    let error = |kind: &str| Reply::json(200, json!({"type": "error", "error": {"type": kind, "message": "Why."}}));
    server.reply(error("overloaded_error").should_retry(true)).then(reply());
    let client = of(&server).with_options(|o| o.max_retries(1));
    assert_eq!(client.stream_message(&request()).await.unwrap().final_message().await.unwrap().text(), "one two three");
    server.reply(error("not_found_error"));
    let failed = client.stream_message(&request()).await.unwrap_err();
    assert_eq!((failed.kind(), failed.attempts()), (ErrorKind::NotFound, 1));
}

#[tokio::test]
async fn a_message_as_json_is_told_as_a_stream() {
    let server = server();
    server.reply(reply().as_json());
    let mut stream = open(&server).await;
    let (seen, error) = read(&mut stream).await;
    assert!(seen == 6 && error.is_none());
    assert_eq!(stream.message().text(), "one two three");
}

#[tokio::test]
async fn a_page_is_refused_at_once_even_where_it_never_ends() {
    let server = server();
    server.reply(Reply::gateway_page(200));
    let error = of(&server).stream_message(&request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContentType);
    let said = "response is not a stream of events: its content type is text/html";
    assert!(error.to_string().starts_with(said), "{error}");
    assert!(error.body_prefix().starts_with("<html>") && error.may_have_been_processed());
    let endless = RawServer::start(|connection| {
        connection.request();
        connection.send(headers("text/html"));
        while connection.send(b"<p>".repeat(1000)) {}
    });
    let error = timeout(PATIENCE, client(&endless).stream_message(&request())).await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.body().len()), (ErrorKind::ContentType, 64 * 1024));
    assert!(endless.all_closed().await);
}

#[tokio::test]
async fn a_stream_without_a_content_type_is_read() {
    let server = server();
    server.reply(reply());
    let text = answer_to_a_stream(&server).await;
    let untyped = answering([answer(200, &[], &text)]);
    let message = client(&untyped).stream_message(&request()).await.unwrap().final_message().await.unwrap();
    assert_eq!(message.text(), "one two three");
}

/// A server that answers with this stream of events.
fn streaming(text: String) -> Server {
    answering([answer(200, &[("content-type", "text/event-stream")], text)])
}

/// A stream as its text.
async fn answer_to_a_stream(server: &Server) -> String {
    let mut stream = open(server).await;
    let mut text = String::new();
    while let Some(event) = stream.next().await {
        text += &event.unwrap().to_sse().unwrap().to_string();
    }
    text
}

#[tokio::test]
async fn a_line_without_end_is_refused_and_closed() {
    let server = server();
    server.reply(reply().fault(Fault::endless_line(At::AfterEvent(2))));
    let client = server.client_builder().no_proxy().max_event_bytes(1024 * 1024).build().unwrap();
    let mut stream = client.stream_message(&request()).await.unwrap();
    let (seen, error) = read(&mut stream).await;
    let error = error.unwrap();
    assert_eq!((seen, error.kind()), (2, ErrorKind::BodyTooLarge));
    assert!(error.partial_message().is_some());
    server.until(|counts| counts.abandoned == 1).await.unwrap();
}

#[tokio::test]
async fn comments_are_passed_over_however_many() {
    let server = server();
    server.reply(reply());
    let text = answer_to_a_stream(&server).await;
    let passed_over = format!("{}{}", ":comment\n".repeat(10_000), "x".repeat(100_000)).repeat(100);
    let server = streaming(format!("{passed_over}\n\n{text}"));
    let client = builder(&server).max_event_bytes(1024).build().unwrap();
    let message = client.stream_message(&request()).await.unwrap().final_message().await.unwrap();
    assert_eq!(message.text(), "one two three");
}

#[tokio::test]
async fn a_million_lines_of_data_are_one_event_in_bounded_time() {
    let server = streaming(format!("{}\n", "data:\n".repeat(1_000_000)));
    let mut stream = client(&server).stream_message(&request()).await.unwrap();
    let StreamEvent::Unknown(event) = stream.next().await.unwrap().unwrap() else { panic!("it has no name") };
    assert_eq!((event.name(), event.data().len()), ("message", 999_999));
    assert_eq!(read(&mut stream).await.1.unwrap().kind(), ErrorKind::Incomplete);
}

#[tokio::test]
async fn events_of_tomorrow_are_handed_on() {
    let server = server();
    let events = [
        json!({"type": "warming_up"}),
        json!({"type": "message_start", "message": {"role": "assistant", "content": []}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tomorrow"}, "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ];
    server.reply(Reply::events(events));
    let mut stream = open(&server).await;
    assert!(matches!(stream.next().await, Some(Ok(StreamEvent::Unknown(_)))));
    assert_eq!(stream.final_message().await.unwrap().stop_reason.unwrap(), "tomorrow");
}

#[tokio::test]
async fn dropping_a_stream_closes_its_connection_and_harms_nothing() {
    for events in 0..8 {
        let server = server();
        server.reply(reply().fault(Fault::stall(At::AfterEvent(events)))).then(reply());
        let client = of(&server);
        let mut stream = client.stream_message(&request()).await.unwrap();
        for _ in 0..events {
            stream.next().await.unwrap().unwrap();
        }
        drop(stream);
        server.until(|counts| counts.abandoned == 1 && counts.closed_connections == 1).await.unwrap();
        let message = client.stream_message(&request()).await.unwrap().final_message().await.unwrap();
        assert_eq!(message.text(), "one two three");
    }
}

#[tokio::test]
async fn dropping_a_call_for_a_stream_closes_its_connection() {
    let server = server();
    server.reply(reply().delayed(Duration::from_secs(3600)));
    let client = of(&server);
    let request = request();
    tokio::select! {
        _ = client.stream_message(&request) => panic!("the answer waits"),
        counts = server.until(|counts| counts.in_flight == 1) => drop(counts.unwrap()),
    }
    server.until(|counts| counts.abandoned == 1).await.unwrap();
}

#[tokio::test]
async fn a_hundred_streams_go_over_one_connection() {
    let server = server();
    let client = of(&server);
    for number in 0..100 {
        server.reply(reply());
        let mut stream = client.stream_message(&request()).await.unwrap();
        match number % 3 {
            0 => drop(stream.final_message().await.unwrap()),
            1 => assert!(read(&mut stream).await.1.is_none()),
            _ => {
                let mut text = stream.text_stream();
                while let Some(piece) = text.next().await {
                    piece.unwrap();
                }
            }
        }
    }
    let counts = server.counts();
    assert_eq!((counts.connections, counts.requests, counts.abandoned), (1, 100, 0));
}

#[tokio::test]
async fn a_body_that_goes_on_after_the_message_is_not_waited_for() {
    let server = server();
    server.reply(reply().fault(Fault::endless_pings(At::AfterEvent(100), Duration::ZERO)));
    let client = of(&server);
    let mut stream = client.stream_message(&request()).await.unwrap();
    assert_eq!(timeout(PATIENCE, stream.final_message()).await.unwrap().unwrap().text(), "one two three");
    server.until(|counts| counts.abandoned == 1).await.unwrap();
    server.reply(reply().framed(Framing::UntilClose).fault(Fault::stall(At::AfterEvent(100))));
    let mut stream = client.stream_message(&request()).await.unwrap();
    assert!(timeout(PATIENCE, stream.final_message()).await.unwrap().is_ok());
    server.until(|counts| counts.abandoned == 2 && counts.open_connections() == 0).await.unwrap();
    // Read to the 16 KiB that are waited for, this would take longer than we have patience.
    server.reply(reply().fault(Fault::endless_pings(At::AfterEvent(100), Duration::from_millis(60))));
    let mut stream = client.stream_message(&request()).await.unwrap();
    assert!(timeout(PATIENCE, stream.final_message()).await.unwrap().is_ok());
    server.until(|counts| counts.abandoned == 3).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_is_not_read_holds_its_server_up() {
    const OFFERED: usize = 256 * 1024 * 1024;
    let (told, taken) = mpsc::channel();
    let raw = RawServer::start(move |connection| {
        connection.request();
        connection.send(headers("text/event-stream"));
        connection.send("data: {\"type\": \"ping\"}\n\n");
        // Blocked for this long, it is blocked forever.
        connection.socket().set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        let comments = b":comment\n".repeat(1000);
        let mut sent = 0;
        while sent < OFFERED && connection.socket().write_all(&comments).is_ok() {
            sent += comments.len();
        }
        told.send(sent).unwrap();
    });
    let mut stream = client(&raw).stream_message(&request()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let sent = tokio::task::spawn_blocking(move || taken.recv().unwrap()).await.unwrap();
    assert!(sent < OFFERED / 4, "{sent} bytes were taken without being asked for");
}

#[test]
fn a_stream_outlives_its_runtime_as_an_error() {
    let server = server();
    server.reply(reply().fault(Fault::stall(At::AfterEvent(4))));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let mut stream = first.block_on(async {
        let mut stream = open(&server).await;
        stream.next().await.unwrap().unwrap();
        stream
    });
    drop(first);
    let (_, error) = runtime().block_on(read(&mut stream));
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert!(error.partial_message().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_streams_at_once_share_a_client() {
    let server = server();
    let client = of(&server);
    server.reply(reply()).times(100);
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.stream_message(&request()).await?.final_message().await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().text(), "one two three");
    }
}
