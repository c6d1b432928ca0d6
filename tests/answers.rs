//! The gate: which response is an answer, and which error the others are, whatever way they arrive.

#![cfg(test)]

mod support;

use anthropic_messages::internal_for_tests::TestClientBuilder as _;
use anthropic_messages::{AnthropicMessage, Client, Error, ErrorKind, MessageCreateRequest};
use anthropic_messages_testing::{Reply, Server};
use std::time::Duration;
use support::answers::{answer, answering_all};
use support::bodies::{error_body, message_body};
use support::raw::RawServer;
use support::timing::NoWaiting;

/// The ways to make a call for a message. A server may answer each of them with any response.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// `create_message`.
    Whole,
    /// `stream_message`, read to its end.
    Stream,
    /// `create_message` of a reply so long that it is sent as a stream.
    Long,
}

const WAYS: [Way; 3] = [Way::Whole, Way::Stream, Way::Long];

/// The outcome of a response: the kind of the error, whether it was retried, whether the request may have been
/// processed, and a part of the message.
#[derive(Clone, Debug, PartialEq)]
struct Verdict {
    kind: Option<ErrorKind>,
    is_retried: bool,
    may_have_been_processed: bool,
    message: String,
}

async fn verdict(way: Way, reply: Reply) -> Verdict {
    let server: Server = answering_all([reply]);
    let client = Client::builder().api_key("sk-key").base_url(server.base_url()).timing(NoWaiting::default());
    let client: Client = client.build().unwrap();
    let max_tokens = if way == Way::Long { 100_000 } else { 100 };
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], max_tokens);
    let outcome = match way {
        Way::Whole | Way::Long => client.create_message(&request).await.map(|reply| reply.text()),
        Way::Stream => match client.stream_message(&request).await {
            Ok(mut stream) => stream.final_message().await.map(|reply| reply.text()),
            Err(error) => Err(error),
        },
    };
    let is_retried = server.requests().len() > 1;
    match outcome {
        Ok(text) => {
            assert_eq!(text, "Hi");
            Verdict { kind: None, is_retried, may_have_been_processed: true, message: String::new() }
        }
        Err(error) => {
            assert_eq!(error.attempts() > 1, is_retried, "{error:?}");
            assert!(error.partial_message().is_none(), "{error:?}");
            Verdict {
                kind: Some(error.kind()),
                is_retried,
                may_have_been_processed: error.may_have_been_processed(),
                message: without_address(&error),
            }
        }
    }
}

/// The message of an error without the port of the server, which differs from run to run.
fn without_address(error: &Error) -> String {
    let message = error.to_string();
    let message = match message.split_once("127.0.0.1:") {
        Some((before, after)) => {
            format!("{before}127.0.0.1{}", after.trim_start_matches(|character: char| character.is_ascii_digit()))
        }
        None => message,
    };
    // The number of attempts is compared by itself.
    message.split(" (").next().unwrap_or_default().to_owned()
}

const JSON: Option<&str> = Some("application/json");
const HTML: Option<&str> = Some("text/html; charset=utf-8");

fn reply(status: u16, content_type: Option<&str>, body: &str) -> Reply {
    let headers: Vec<_> = content_type.map(|value| ("content-type", value)).into_iter().collect();
    answer(status, &headers, body)
}

/// Status, content type, body, and the verdict: kind, retried, processed, and a part of the message.
type Row = (u16, Option<&'static str>, String, Option<ErrorKind>, bool, bool, &'static str);

fn table() -> Vec<Row> {
    use ErrorKind::*;
    let api = |error_type: &str| error_body(error_type, "m.");
    let coded = |code: &str| format!(r#"{{"error":{{"message":"m","type":"internal_server_error","code":{code}}}}}"#);
    let rejected =
        |status, kind| (status, JSON, api("brand_new_error"), Some(kind), false, false, "brand_new_error: m");
    let failed = |status, kind, processed| {
        (status, JSON, api("brand_new_error"), Some(kind), true, processed, "brand_new_error: m")
    };
    let good = |content_type| (200, content_type, message_body("Hi"), None, false, true, "");
    let unreadable = |body: &str, said| (200, JSON, body.to_owned(), Some(Decode), false, true, said);
    let mut rows = vec![
        good(JSON),
        good(Some("application/vnd.api+json; charset=utf-8")),
        good(Some("TEXT/JSON")),
        good(None),
        good(Some("")),
        (200, JSON, format!("\u{FEFF} {}\n", message_body("Hi")), None, false, true, ""),
        (200, JSON, message_body("Hi").replacen('{', r#"{"error":null,"#, 1), None, false, true, ""),
        // A success that is no message.
        unreadable("{}", "it has no `content`"),
        unreadable(r#"{"detail":"Not found"}"#, "it has no `content`"),
        unreadable(r#"{"success":false}"#, "it has no `content`"),
        unreadable(r#"{"content":null}"#, "it has no `content`"),
        unreadable(r#"{"type":"message","role":"assistant"}"#, "it has no `content`"),
        unreadable(r#"{"message":"m"}"#, "it has no `content`"),
        unreadable(r#"{"content":5}"#, "at `/content`"),
        unreadable(r#"{"content":[{"type":"text","text":5}]}"#, "at `/content/0/text`"),
        unreadable("[]", "failed to decode the response"),
        unreadable("null", "failed to decode the response"),
        unreadable(r#""Hi""#, "failed to decode the response"),
        unreadable("5", "failed to decode the response"),
        unreadable("", "failed to decode the response"),
        unreadable("{", "failed to decode the response"),
        unreadable("Hi", "failed to decode the response"),
        unreadable(r#"[{"error":"m"}]"#, "failed to decode the response"),
        // A success that says that it is an error.
        (200, JSON, api("invalid_request_error"), Some(BadRequest), false, false, "invalid_request_error: m"),
        (200, JSON, api("authentication_error"), Some(Authentication), false, false, "authentication_error: m"),
        (200, JSON, api("billing_error"), Some(Billing), false, false, "billing_error: m"),
        (200, JSON, api("permission_error"), Some(Permission), false, false, "permission_error: m"),
        (200, JSON, api("not_found_error"), Some(NotFound), false, false, "not_found_error: m"),
        (200, JSON, api("request_too_large"), Some(RequestTooLarge), false, false, "request_too_large: m"),
        (200, JSON, api("conflict_error"), Some(Conflict), true, false, "conflict_error: m"),
        (200, JSON, api("rate_limit_error"), Some(RateLimit), true, false, "rate_limit_error: m"),
        (200, JSON, api("overloaded_error"), Some(Overloaded), true, false, "overloaded_error: m"),
        (200, JSON, api("api_error"), Some(Server), true, true, "api_error: m"),
        (200, JSON, api("timeout_error"), Some(ServerTimeout), true, true, "timeout_error: m"),
        (200, JSON, api("brand_new_error"), Some(Server), false, true, "brand_new_error: m"),
        (200, HTML, api("overloaded_error"), Some(Overloaded), true, false, "overloaded_error: m"),
        (200, None, api("overloaded_error"), Some(Overloaded), true, false, "overloaded_error: m"),
        (201, JSON, api("overloaded_error"), Some(Overloaded), true, false, "overloaded_error: m"),
        (200, JSON, r#"{"type":"error"}"#.into(), Some(Server), false, true, "contains an error"),
        (200, JSON, r#"{"error":"quota"}"#.into(), Some(Server), false, true, ": quota"),
        (200, JSON, r#"{"error":{}}"#.into(), Some(Server), false, true, "contains an error"),
        (200, JSON, r#"{"error":true}"#.into(), Some(Server), false, true, "contains an error"),
        (200, JSON, r#"{"error":[{"message":"m"}]}"#.into(), Some(Server), false, true, ": m"),
        (200, JSON, r#"{"error":{"message":"m"},"content":[]}"#.into(), Some(Server), false, true, ": m"),
        (
            200,
            JSON,
            r#"{"err\u006fr":{"type":"overloaded_error","message":"m"}}"#.into(),
            Some(Overloaded),
            true,
            false,
            ": m",
        ),
        (200, JSON, r#"{"\u0065\u0072\u0072\u006F\u0072":"m"}"#.into(), Some(Server), false, true, ": m"),
        (200, JSON, coded("400"), Some(BadRequest), false, false, "internal_server_error: m"),
        (200, JSON, coded(r#""429""#), Some(RateLimit), true, false, "internal_server_error: m"),
        (200, JSON, coded("502"), Some(Server), true, true, "internal_server_error: m"),
        (200, JSON, coded("503"), Some(Server), true, false, "internal_server_error: m"),
        (200, JSON, coded("529"), Some(Overloaded), true, false, "internal_server_error: m"),
        (200, JSON, coded("200"), Some(Server), false, true, "internal_server_error: m"),
        (200, JSON, coded(r#""quota""#), Some(Server), false, true, "internal_server_error: m"),
        // Pages, and successes that the contract does not name.
        (200, HTML, "<html>".into(), Some(ContentType), false, true, "its content type is text/html"),
        (200, Some("text/plain"), "OK".into(), Some(ContentType), false, true, "its content type is text/plain"),
        (200, HTML, message_body("Hi"), Some(ContentType), false, true, "its content type is text/html"),
        (201, JSON, message_body("Hi"), Some(UnexpectedStatus), false, true, "unexpected status 201 Created"),
        (202, JSON, "{}".into(), Some(UnexpectedStatus), false, true, "unexpected status 202 Accepted"),
        (203, HTML, "<html>".into(), Some(UnexpectedStatus), false, true, "unexpected status 203"),
        (204, None, String::new(), Some(UnexpectedStatus), false, true, "unexpected status 204 No Content"),
        // Redirects.
        (301, None, String::new(), Some(Redirect), false, false, "redirects are not followed"),
        (303, JSON, message_body("Hi"), Some(Redirect), false, true, "redirects are not followed"),
        (304, None, String::new(), Some(Status), false, false, "304 Not Modified from 127.0.0.1"),
        (307, HTML, "<html>".into(), Some(Redirect), false, false, "redirects are not followed"),
        // Error statuses decide, whatever their body says.
        rejected(400, BadRequest),
        rejected(401, Authentication),
        rejected(402, Billing),
        rejected(403, Permission),
        rejected(404, NotFound),
        rejected(405, NotFound),
        rejected(407, Connect),
        rejected(412, BadRequest),
        rejected(413, RequestTooLarge),
        rejected(418, Status),
        rejected(422, BadRequest),
        rejected(431, BadRequest),
        rejected(451, Status),
        failed(408, ServerTimeout, false),
        failed(409, Conflict, false),
        failed(429, RateLimit, false),
        failed(500, Server, true),
        failed(501, Server, false),
        failed(502, Server, true),
        failed(503, Server, false),
        failed(504, ServerTimeout, true),
        failed(520, Server, false),
        failed(529, Overloaded, false),
        (401, JSON, api("invalid_request_error"), Some(Authentication), false, false, "invalid_request_error: m"),
        (400, JSON, api("api_error"), Some(BadRequest), false, false, "api_error: m"),
        (400, JSON, api("overloaded_error"), Some(BadRequest), false, false, "overloaded_error: m"),
        (400, JSON, coded("502"), Some(BadRequest), false, false, "internal_server_error: m"),
        (500, JSON, api("invalid_request_error"), Some(Server), true, true, "invalid_request_error: m"),
        (500, JSON, coded("400"), Some(Server), true, true, "internal_server_error: m"),
        (503, JSON, api("overloaded_error"), Some(Overloaded), true, false, "overloaded_error: m"),
        (500, JSON, message_body("Hi"), Some(Server), true, true, "500 Internal Server Error from 127.0.0.1"),
        (529, HTML, "<html>".into(), Some(Overloaded), true, false, "529 Overloaded from 127.0.0.1"),
        (404, HTML, "<html>".into(), Some(NotFound), false, false, "404 Not Found from `http://127.0.0.1/v1/messages`"),
        (404, None, String::new(), Some(NotFound), false, false, "404 Not Found from `http://127.0.0.1/v1/messages`"),
        (400, JSON, r#"{"message":"m"}"#.into(), Some(BadRequest), false, false, ": m"),
        (400, JSON, r#"{"detail":[{"msg":"m"}]}"#.into(), Some(BadRequest), false, false, ": m"),
        (400, JSON, r#"[{"error":{"message":"m"}}]"#.into(), Some(BadRequest), false, false, ": m"),
        (400, HTML, r#"{"errors":[{"message":"m"}]}"#.into(), Some(BadRequest), false, false, ": m"),
        (400, JSON, "{".into(), Some(BadRequest), false, false, "400 Bad Request from 127.0.0.1"),
    ];
    rows.extend([408, 429, 500].map(|status| {
        let kind = [(408, ServerTimeout), (429, RateLimit), (500, Server)];
        let kind = kind.into_iter().find(|(own, _)| *own == status).map(|(_, kind)| kind);
        (status, None, String::new(), kind, true, status == 500, " from 127.0.0.1")
    }));
    rows
}

#[tokio::test]
async fn a_response_has_one_verdict_whatever_the_call() {
    let table = table();
    assert!(table.len() * WAYS.len() >= 300, "{} rows", table.len());
    for (status, content_type, body, kind, is_retried, may_have_been_processed, said) in table {
        for way in WAYS {
            let found = verdict(way, reply(status, content_type, &body)).await;
            let context = format!("{way:?} {status} {content_type:?} {body}: {found:?}");
            assert_eq!((found.kind, found.is_retried), (kind, is_retried), "{context}");
            assert_eq!(found.may_have_been_processed, may_have_been_processed, "{context}");
            assert!(found.message.contains(said), "{context}");
        }
    }
}

/// The same for each pair of a status and a body: what the table does not list, and that the ways agree to the word.
#[tokio::test]
async fn whole_and_streamed_give_the_same_verdict_for_the_same_body() {
    let bodies = [
        message_body("Hi"),
        error_body("overloaded_error", "m."),
        r#"{"error":{"message":"m","code":502}}"#.to_owned(),
        r#"{"detail":"m"}"#.to_owned(),
        "<html>".to_owned(),
        String::new(),
    ];
    for status in [200, 201, 206, 299, 300, 302, 308, 400, 403, 404, 409, 429, 499, 500, 503, 529, 599] {
        for content_type in [JSON, HTML, None, EVENTS] {
            for body in &bodies {
                let [whole, stream, long] = [
                    verdict(Way::Whole, reply(status, content_type, body)).await,
                    verdict(Way::Stream, reply(status, content_type, body)).await,
                    verdict(Way::Long, reply(status, content_type, body)).await,
                ];
                let context = format!("{status} {content_type:?} {body}");
                if content_type == EVENTS && (status == 200) {
                    // A stream that the caller already has is not opened again, and one without events is cut off.
                    assert_eq!(stream, Verdict { is_retried: false, ..long.clone() }, "{context}");
                    let kind = if body.is_empty() { Some(ErrorKind::Incomplete) } else { whole.kind };
                    let found = (long.kind, long.is_retried, long.may_have_been_processed);
                    assert_eq!(found, (kind, whole.is_retried, whole.may_have_been_processed), "{context}");
                    continue;
                }
                assert_eq!(stream, long, "{context}");
                // Only what was expected in place of the page has two names.
                let message = stream.message.replace("not a stream of events", "not JSON");
                assert_eq!(whole, Verdict { message, ..stream }, "{context}");
            }
        }
    }
}

/// An error as the first event of a stream is the error that the same object in a success is. It is retried only by a call
/// that has not handed the stream on.
#[tokio::test]
async fn an_error_in_the_place_of_the_first_event_is_the_error_of_the_body() {
    let events = |data: &str| {
        let ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
        [
            format!("event: error\ndata: {data}\n\n"),
            format!("data: {data}\n\n"),
            format!(": comment\n\n{ping}event: error\ndata: {data}\n\n"),
        ]
    };
    let sse = |wire: &str| reply(200, Some("text/event-stream"), wire);
    let mut cases = 0;
    for (status, content_type, body, kind, ..) in table() {
        let is_error = body.contains("\"error\"") && !body.contains("\"error\":null") && body.starts_with('{');
        if status != 200 || content_type != JSON || kind.is_none() || !is_error {
            continue;
        }
        let whole = verdict(Way::Whole, reply(200, JSON, &body)).await;
        for wire in events(&body) {
            let stream = verdict(Way::Stream, sse(&wire)).await;
            let long = verdict(Way::Long, sse(&wire)).await;
            assert_eq!((stream.kind, stream.is_retried), (whole.kind, false), "{wire}");
            assert_eq!(stream.may_have_been_processed, whole.may_have_been_processed, "{wire}");
            assert_eq!((long.kind, long.is_retried), (whole.kind, whole.is_retried), "{wire}");
            assert_eq!(long.may_have_been_processed, whole.may_have_been_processed, "{wire}");
            cases += 1;
        }
    }
    assert!(cases > 60, "{cases}");
}

/// A count has its own requirement, and bytes have none.
#[tokio::test]
async fn a_count_without_its_number_is_no_count() {
    for (body, kind) in [
        (r#"{"input_tokens":5}"#, None),
        (r#"{"input_tokens":0,"error":null}"#, None),
        ("{}", Some(ErrorKind::Decode)),
        (r#"{"input_tokens":null}"#, Some(ErrorKind::Decode)),
        (r#"{"error":"quota"}"#, Some(ErrorKind::Server)),
        (r#"{"error":{"type":"overloaded_error"},"input_tokens":5}"#, Some(ErrorKind::Overloaded)),
    ] {
        let server = answering_all([reply(200, JSON, body)]);
        let client = Client::builder().api_key("k").base_url(server.base_url()).timing(NoWaiting::default());
        let request =
            anthropic_messages::types::CountTokensRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")]);
        let outcome = client.build().unwrap().count_tokens(&request).await;
        assert_eq!(outcome.as_ref().err().map(Error::kind), kind, "{body}");
        if let Err(error) = outcome {
            assert_eq!(error.body(), body.as_bytes(), "the body is kept");
        }
    }
}

const EVENTS: Option<&str> = Some("text/event-stream");

/// Returns the error of `stream_message` for these responses.
async fn streamed(replies: impl IntoIterator<Item = Reply>) -> Error {
    let server = answering_all(replies);
    let client = Client::builder().api_key("sk-key").base_url(server.base_url()).timing(NoWaiting::default());
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 100);
    let mut stream = client.build().unwrap().stream_message(&request).await.unwrap();
    stream.final_message().await.unwrap_err()
}

/// A gateway may name the type that the request asked for, and send a document.
#[tokio::test]
async fn a_document_that_calls_itself_a_stream_is_judged_as_a_document() {
    for (body, kind, said) in [
        (error_body("overloaded_error", "m."), ErrorKind::Overloaded, "overloaded_error: m"),
        (r#"{"error":{"message":"m","code":401}}"#.to_owned(), ErrorKind::Authentication, ": m"),
        ("{\n\n \"error\": \"m\"\n\n}".to_owned(), ErrorKind::Server, ": m"),
        (message_body("Hi"), ErrorKind::ContentType, "not a stream of events: it is a document"),
        ("<html>".to_owned(), ErrorKind::ContentType, "not a stream of events: it is a document"),
    ] {
        let error = streamed([reply(200, EVENTS, &body)]).await;
        assert_eq!((error.kind(), error.body()), (kind, body.as_bytes()), "{error:?}");
        assert!(error.to_string().contains(said), "{error}");
        let long = verdict(Way::Long, reply(200, EVENTS, &body)).await;
        assert_eq!(long.kind, Some(kind), "{body}");
        assert!(long.message.contains(said), "{body}: {long:?}");
    }
}

/// Events that are none of a message are handed on. If nothing else arrives, the error shows them.
#[tokio::test]
async fn a_stream_without_a_message_has_no_partial_message() {
    for data in [r#"{"detail":"Not found"}"#, r#"[{"message":"m"}]"#, r#"{"type":"brand_new"}"#] {
        let error = streamed([reply(200, EVENTS, &format!("data: {data}\n\n"))]).await;
        assert_eq!((error.kind(), error.body()), (ErrorKind::Incomplete, data.as_bytes()), "{error:?}");
    }
}

#[tokio::test]
async fn an_event_whose_type_is_that_of_an_error_is_an_error() {
    let wire = "data: {\"type\":\"overloaded_error\",\"error\":{\"message\":\"m\"}}\n\n";
    let stream = verdict(Way::Stream, reply(200, EVENTS, wire)).await;
    assert_eq!((stream.kind, stream.may_have_been_processed), (Some(ErrorKind::Overloaded), false));
    let long = verdict(Way::Long, reply(200, EVENTS, wire)).await;
    assert_eq!((long.kind, long.is_retried), (Some(ErrorKind::Overloaded), true));
}

#[tokio::test]
async fn an_error_after_a_ping_without_a_name_is_retried() {
    let wire = format!("data: {{\"type\":\"ping\"}}\n\ndata: {}\n\n", error_body("overloaded_error", "m."));
    let long = verdict(Way::Long, reply(200, EVENTS, &wire)).await;
    assert_eq!((long.kind, long.is_retried), (Some(ErrorKind::Overloaded), true));
}

#[tokio::test]
async fn an_error_event_keeps_the_delay_that_the_server_asks_for() {
    let wire = format!("event: error\ndata: {}\n\n", error_body("rate_limit_error", "m."));
    let headers = [("content-type", "text/event-stream"), ("retry-after", "7")];
    let error = streamed([answer(200, &headers, wire)]).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
}

/// A rejection says nothing about the attempts before it.
#[tokio::test]
async fn a_rejection_in_a_stream_does_not_undo_an_earlier_attempt() {
    let wire = format!("event: error\ndata: {}\n\n", error_body("invalid_request_error", "m."));
    for (first, processed) in [(500, true), (529, false)] {
        let error = streamed([reply(first, JSON, "{}"), reply(200, EVENTS, &wire)]).await;
        let found = (error.kind(), error.attempts(), error.may_have_been_processed());
        assert_eq!(found, (ErrorKind::BadRequest, 2, processed), "{first}");
    }
}

/// Such a body was paid for, and is not the page of a gateway.
#[tokio::test]
async fn a_compressed_body_is_kept() {
    let body = vec![7; 200_000];
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let server = answering_all([answer(200, &headers, &body)]);
    let client = Client::builder().api_key("sk-key").base_url(server.base_url()).build().unwrap();
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 100);
    let error = client.create_message(&request).await.unwrap_err();
    assert_eq!((error.kind(), error.body().len()), (ErrorKind::ContentEncoding, body.len()));
}

/// The client buffers everything before the first event for the stream, so it counts.
#[tokio::test]
async fn comments_before_the_first_event_count_towards_the_limit() {
    let server = RawServer::start(|connection| {
        connection.request();
        connection.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
        connection.send(": c\n".repeat(50_000));
        connection.wait_for_close();
    });
    let client = Client::builder().api_key("sk-key").base_url(server.base_url()).max_response_bytes(100_000);
    let client = client.idle_timeout(Duration::from_secs(5)).build().unwrap();
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 100_000);
    let error = client.create_message(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge, "{error:?}");
}
