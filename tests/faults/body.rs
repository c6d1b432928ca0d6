//! Bodies of complete replies.

use std::time::Duration;

use anthropic_messages::internal_for_tests::{TestClientBuilder as _, Timing as _};
use anthropic_messages::{Client, ErrorKind, Observer, observe};
use anthropic_messages_testing::{At, Chunking, Fault, Framing, Reply};

use crate::{
    answered, builder, client, failing, request, said,
    support::answers::{answer, answering, json, message},
    support::bodies::{error_body, message_body},
    support::raw::RawServer,
    support::timing::NoWaiting,
};

#[tokio::test]
async fn a_page_instead_of_a_message_is_refused_once() {
    let server = answering([answer(200, &[("content-type", "text/html")], "<html>Sign in</html>")]);
    let error = failing(&client(&server)).await;
    assert_eq!((error.kind(), server.requests().len()), (ErrorKind::ContentType, 1));
    assert_eq!(error.body_prefix(), "<html>Sign in</html>");
}

#[tokio::test]
async fn a_message_without_a_content_type_is_read() {
    assert_eq!(said(&client(&answering([answer(200, &[], message_body("Hi"))]))).await, "Hi");
}

#[tokio::test]
async fn an_error_in_a_success_is_an_error_and_is_retried_by_its_type() {
    let overloaded = json(200, error_body("overloaded_error", "Later."));
    let server = answering([overloaded, message("Hi")]);
    assert_eq!(client(&server).create_message(&request()).await.unwrap().attempts(), 2);
    let error = answered(json(200, error_body("not_found_error", "No."))).await;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::NotFound, 1));
    assert_eq!(error.status().unwrap().as_u16(), 200);
}

#[tokio::test]
async fn an_error_of_another_shape_in_a_success_is_no_message() {
    let bodies = [
        r#"{"type":"error","error":"Overloaded"}"#,
        r#"{"type":"error","error":["x"]}"#,
        r#"{"type":"error"}"#,
        r#"{"type":"error","error":{"type":529,"message":"Later."}}"#,
    ];
    for body in bodies {
        let error = answered(json(200, body)).await;
        assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Server, 200), "{body}");
        let error = client(&answering([json(200, body)])).stream_message(&request()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{body}");
    }
    let twice = r#"{"type":"error","error":{"type":"x","type":"not_found_error"}}"#;
    assert_eq!(answered(json(200, twice)).await.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_error_with_half_a_character_is_read() {
    let body = r#"{"type":"error","error":{"type":"invalid_request_error","message":"bad: \ud83d"},"request_id":5}"#;
    for status in [200, 400] {
        let error = answered(json(status, body)).await;
        let api = error.api_error().unwrap();
        assert_eq!((error.kind(), api.message()), (ErrorKind::BadRequest, Some("bad: \u{fffd}")));
    }
}

#[tokio::test]
async fn a_message_that_speaks_of_errors_is_a_message() {
    let body = message_body(r#"{\"type\":\"error\",\"error\":{\"type\":\"x\"}}"#);
    let text = said(&client(&answering([json(200, body)]))).await;
    assert_eq!(text, r#"{"type":"error","error":{"type":"x"}}"#);
}

#[tokio::test]
async fn an_empty_success_is_a_decode_error() {
    let error = answered(json(200, "")).await;
    assert_eq!((error.kind(), error.pointer()), (ErrorKind::Decode, Some("")));
    assert_eq!(answered(json(200, "   ")).await.kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn a_success_without_content_is_not_a_message() {
    let error = answered(Reply::empty(204)).await;
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::UnexpectedStatus, 204));
}

#[tokio::test]
async fn a_body_that_declares_too_much_is_not_read() {
    let server = RawServer::start(|connection| {
        connection.request();
        connection.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n");
        connection.wait_for_close();
    });
    let error = failing(&client(&server)).await;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::BodyTooLarge, 1));
    assert!(server.all_closed().await);
}

/// Sends chunks of 64 KiB for as long as they are taken.
fn endless(status: u16) -> RawServer {
    RawServer::start(move |connection| {
        connection.request();
        connection.send(format!("HTTP/1.1 {status} Said\r\ntransfer-encoding: chunked\r\n\r\n"));
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 65_536], b"\r\n"].concat();
        while connection.send(&chunk) {}
    })
}

#[tokio::test]
async fn a_body_without_end_is_read_up_to_the_limit() {
    let server = endless(200);
    let error = failing(&builder(&server).max_response_bytes(1_000_000).build().unwrap()).await;
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
    assert_eq!(error.to_string(), "response exceeds the limit of 1000000 bytes");
    assert!(server.all_closed().await);
}

#[tokio::test]
async fn an_error_without_end_keeps_its_status_and_its_beginning() {
    let server = endless(400);
    let error = failing(&builder(&server).max_error_bytes(100_000).build().unwrap()).await;
    assert_eq!(error.kind(), ErrorKind::BadRequest);
    assert_eq!(error.body().len(), 100_000);
    assert!(server.all_closed().await);
}

/// However the body is framed, and wherever it is cut into pieces.
#[tokio::test]
async fn the_body_of_an_error_is_kept_up_to_the_limit() {
    let body: Vec<u8> = (0..3000).map(|number| b'a' + u8::try_from(number % 26).unwrap()).collect();
    for framing in [Framing::Length, Framing::Chunked, Framing::UntilClose] {
        for chunking in [Chunking::Whole, Chunking::Bytes(700)] {
            let reply = answer(400, &[("content-type", "text/plain")], &body).framed(framing).chunked(chunking.clone());
            let server = answering([reply]);
            for (limit, kept) in [(0, 0), (1, 1), (700, 700), (1000, 1000), (3000, 3000), (5000, 3000)] {
                let error = failing(&builder(&server).max_error_bytes(limit).build().unwrap()).await;
                assert_eq!(error.kind(), ErrorKind::BadRequest);
                assert!(error.body() == &body[..kept], "{framing:?}, {chunking:?}: {} of {limit}", error.body().len());
            }
        }
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_read() {
    let body = message_body("Hi");
    let server = answering([json(200, &body)]);
    let length = body.len() as u64;
    assert_eq!(said(&builder(&server).max_response_bytes(length).build().unwrap()).await, "Hi");
    let error = failing(&builder(&server).max_response_bytes(length - 1).build().unwrap()).await;
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
}

#[tokio::test]
async fn a_compressed_body_is_not_asked_for_and_is_refused() {
    for coding in ["gzip", "br", "zstd", "deflate", "identity, gzip"] {
        let server = answering([answer(200, &[("content-encoding", coding)], "\x1f\u{8b}")]);
        let error = failing(&client(&server)).await;
        assert_eq!(error.kind(), ErrorKind::ContentEncoding);
        assert_eq!(server.requests()[0].header("accept-encoding"), Some("identity"));
        assert_eq!(error.body(), "\x1f\u{8b}".as_bytes());
    }
    let plain = answer(200, &[("content-encoding", "identity, Identity")], message_body("Hi"));
    assert_eq!(said(&client(&answering([plain]))).await, "Hi");
    let error = answered(answer(401, &[("content-encoding", "gzip")], "\x1f\u{8b}")).await;
    assert_eq!((error.kind(), error.body()), (ErrorKind::Authentication, "\x1f\u{8b}".as_bytes()));
}

/// A message that is cut in its middle.
fn cut(fault: fn(At) -> Fault) -> Reply {
    message("Hi").fault(fault(At::AfterByte(message_body("Hi").len() / 2)))
}

async fn is_truncated(reply: Reply) {
    let server = answering([reply]);
    let error = failing(&client(&server)).await;
    assert_eq!((error.kind(), error.attempts(), server.requests().len()), (ErrorKind::Truncated, 1, 1), "{error:?}");
    assert!(error.may_have_been_processed());
}

#[tokio::test]
async fn a_body_shorter_than_declared_is_truncated() {
    is_truncated(cut(Fault::close)).await;
}

#[tokio::test]
async fn a_chunk_shorter_than_declared_is_truncated() {
    let server = RawServer::start(|connection| {
        connection.request();
        connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{}");
    });
    let error = failing(&client(&server)).await;
    assert_eq!((error.kind(), error.attempts(), server.requests().len()), (ErrorKind::Truncated, 1, 1), "{error:?}");
}

#[tokio::test]
async fn chunks_without_their_end_are_truncated() {
    is_truncated(message("Hi").framed(Framing::Chunked).fault(Fault::close(At::AfterEvent(1)))).await;
}

#[tokio::test]
async fn a_chunk_of_no_size_is_truncated() {
    is_truncated(cut(Fault::malformed_chunk)).await;
}

#[tokio::test]
async fn a_reset_in_a_body_is_truncated() {
    let error = answered(cut(Fault::reset)).await;
    assert!(matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Closed), "{error:?}");
    assert!(error.may_have_been_processed());
}

#[tokio::test]
async fn a_truncated_error_keeps_its_status_and_what_came() {
    let body = error_body("authentication_error", "No.");
    let error = answered(json(401, &body).fault(Fault::close(At::AfterByte(8)))).await;
    assert_eq!((error.kind(), error.body()), (ErrorKind::Authentication, &b"{\"type\":"[..]));
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_is_read() {
    assert_eq!(said(&client(&answering([message("Hi").framed(Framing::UntilClose)]))).await, "Hi");
}

#[tokio::test]
async fn a_body_that_trickles_runs_into_the_calls_limit() {
    let server = answering([message("Hi").fault(Fault::slow_bytes(Duration::from_millis(5)))]);
    let error = failing(&builder(&server).timeout(Duration::from_millis(80)).build().unwrap()).await;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 1));
    assert!(error.may_have_been_processed());
    assert_eq!(error.status().map(|status| status.as_u16()), Some(200));
    assert!(error.request_id().is_some());
    server.until(|counts| counts.open_connections() == 0).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_trickles_runs_into_the_calls_limit() {
    let pings = Fault::endless_pings(At::AfterEvent(4), Duration::from_millis(5));
    let server = answering([Reply::text("one two three").delta_length(5).fault(pings)]);
    let client = builder(&server).timeout(Duration::from_secs(1)).build().unwrap();
    let mut request = request();
    request.stream = Some(true);
    let error = tokio::time::timeout(crate::faults::streams::PATIENCE, client.create_message(&request)).await.unwrap();
    let error = error.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 1));
    assert!(error.to_string().starts_with("call exceeded its timeout of 1s"), "{error}");
    assert_eq!(error.partial_message().unwrap().text(), "one t");
    assert!(error.may_have_been_processed() && error.request_id().is_some());
    server.until(|counts| counts.open_connections() == 0).await.unwrap();
}

/// When an answer begins, lets nearly all of the call's twenty seconds have passed, and stops the clock.
struct UseUpTheTime(NoWaiting);

impl Observer for UseUpTheTime {
    fn response(&self, _: &observe::ResponseInfo<'_>) {
        drop(self.0.sleep(Duration::from_millis(19_950)));
        tokio::time::pause();
    }
}

#[tokio::test]
async fn a_message_that_came_within_the_limit_is_no_timeout() {
    // In one piece, and the connection is left open, whose end is waited for longer than the limit is.
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_vec();
    let message = message_body("Hi");
    answer.extend(format!("data: {{\"type\":\"message_start\",\"message\":{message}}}\n\n").into_bytes());
    answer.extend(b"data: {\"type\":\"message_stop\"}\n\n");
    let raw = RawServer::start(move |connection| {
        connection.request();
        connection.send(&answer);
        connection.wait_for_close();
    });
    let timing = NoWaiting::default();
    let client = builder(&raw).timing(timing.clone()).observer(UseUpTheTime(timing)).build().unwrap();
    let mut request = request();
    request.stream = Some(true);
    assert_eq!(client.create_message(&request).await.unwrap().text(), "Hi");
}

/// Stops the clock when an answer begins: from then on, delays pass once the runtime is idle.
struct StopTheClock;

impl Observer for StopTheClock {
    fn response(&self, _: &observe::ResponseInfo<'_>) {
        tokio::time::pause();
    }
}

#[tokio::test]
async fn the_body_of_an_error_is_waited_for_ten_seconds() {
    let server = answering([answer(403, &[], "beginning and end").fault(Fault::stall(At::AfterByte(9)))]);
    let client = Client::builder().api_key("k").base_url(server.base_url()).no_proxy().observer(StopTheClock).build();
    let error = failing(&client.unwrap()).await;
    assert_eq!((error.kind(), error.body()), (ErrorKind::Permission, &b"beginning"[..]));
    assert_eq!(error.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn the_body_of_an_error_does_not_use_up_the_call() {
    let server = answering([answer(403, &[], "beginning and end").fault(Fault::stall(At::AfterByte(9)))]);
    let builder = Client::builder().api_key("k").base_url(server.base_url()).no_proxy().observer(StopTheClock);
    let error = failing(&builder.timeout(Duration::from_secs(8)).build().unwrap()).await;
    assert_eq!((error.kind(), error.body()), (ErrorKind::Permission, &b"beginning"[..]));
    assert!(!error.may_have_been_processed());
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[tokio::test]
async fn a_message_nested_without_end_is_a_decode_error() {
    for levels in [200, 100_000] {
        let body = format!(r#"{{"id":"m","content":[{{"type":"text","text":{}}}]}}"#, nested(levels));
        assert_eq!(answered(json(200, body)).await.kind(), ErrorKind::Decode, "{levels}");
    }
}

#[tokio::test]
async fn an_error_nested_without_end_keeps_its_status() {
    let body = format!(r#"{{"type":"error","error":{{"type":"x","message":"y","details":{}}}}}"#, nested(100_000));
    let error = answered(json(403, body)).await;
    assert_eq!((error.kind(), error.api_error().is_none()), (ErrorKind::Permission, true));
}

#[tokio::test]
async fn a_field_given_twice_harms_nothing() {
    let server = answering([json(200, r#"{"id":"a","id":"b","content":[]}"#)]);
    match client(&server).create_message(&request()).await {
        Ok(reply) => assert_eq!(reply.text(), ""),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Decode),
    }
}

#[tokio::test]
async fn a_character_cut_in_half_does_not_lose_the_message() {
    for (sent, read) in [
        (r"a\ud83d", "a\u{fffd}"),
        (r"\ude00b", "\u{fffd}b"),
        (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
        (r"\ud83d\ude00", "\u{1f600}"),
    ] {
        assert_eq!(said(&client(&answering([message(sent)]))).await, read, "{sent}");
    }
}

#[tokio::test]
async fn numbers_of_any_size_in_unknown_fields_do_not_lose_the_message() {
    for number in ["1e400", "123456789012345678901234567890", "-0", "0.1234567890123456789"] {
        let body = message_body("Hi").replacen('{', &format!(r#"{{"new":{number},"#), 1);
        assert_eq!(said(&client(&answering([json(200, body)]))).await, "Hi", "{number}");
    }
}

#[tokio::test]
async fn control_characters_are_kept_or_refused() {
    assert_eq!(said(&client(&answering([message(r"a\u0000\u001fb")]))).await, "a\0\u{1f}b");
    for raw in ["a\0b", "a\nb", "a\u{1f}b"] {
        match client(&answering([message(raw)])).create_message(&request()).await {
            Ok(reply) => assert_eq!(reply.text(), raw),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Decode),
        }
    }
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_are_a_decode_error() {
    let body = message_body("MARK").replace("MARK", "\u{1}").into_bytes();
    let body: Vec<u8> = body.into_iter().map(|byte| if byte == 1 { 0xff } else { byte }).collect();
    assert_eq!(answered(json(200, body)).await.kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn what_is_not_json_is_a_decode_error() {
    let body = message_body("Hi");
    for broken in [format!("{body}x"), format!("{body}{body}"), body.replace(":3", ":NaN"), format!("{body},")] {
        assert_eq!(answered(json(200, broken)).await.kind(), ErrorKind::Decode);
    }
}

#[tokio::test]
async fn one_byte_order_mark_is_passed_over() {
    let body = message_body("Hi");
    assert_eq!(said(&client(&answering([json(200, format!("\u{feff}{body}"))]))).await, "Hi");
    assert_eq!(answered(json(200, format!("\u{feff}\u{feff}{body}"))).await.kind(), ErrorKind::Decode);
    let error = answered(json(200, format!("\u{feff}{}", error_body("not_found_error", "No.")))).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn blocks_and_values_of_tomorrow_do_not_lose_the_message() {
    let body = r#"{"id":"m","type":"message","role":"assistant","model":"new","stop_reason":"tired","content":[{"type":"hologram","depth":3},{"type":"text","text":"Hi"}],"usage":null,"new":{"a":[1]}}"#;
    assert_eq!(said(&client(&answering([json(200, body)]))).await, "Hi");
}
