//! Tests of the messages and the accessors of errors.

#![cfg(test)]

mod support;

use std::{net::TcpListener, time::Duration};

use anthropic_messages::internal_for_tests::TestClientBuilder as _;
use anthropic_messages::{
    AnthropicMessage, Client, ClientBuilder, Error, ErrorKind, MessageCreateRequest, Observer, RetryStop,
    observe::{ObserverError, Request},
};
use anthropic_messages_testing::{At, Fault, Reply, Server};
use support::answers::{answer, answering, api_error, json, message, silent};
use support::bodies::{error_body, message_body};
use support::raw::RawServer;
use support::timing::NoWaiting;

fn request() -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024)
}

fn of(server: &Server) -> ClientBuilder {
    builder(server.base_url())
}

fn builder(base_url: String) -> ClientBuilder {
    Client::builder().api_key("k").base_url(base_url).no_proxy().timing(NoWaiting::default())
}

async fn failing(builder: ClientBuilder) -> Error {
    builder.build().unwrap().create_message(&request()).await.unwrap_err()
}

async fn answered(reply: Reply) -> Error {
    let server = answering([reply]);
    failing(of(&server)).await
}

fn chain(error: &Error) -> Vec<String> {
    let first: &dyn std::error::Error = error;
    std::iter::successors(Some(first), |error| error.source()).map(ToString::to_string).collect()
}

/// Checks the properties that every error has, and returns its chain of messages.
#[track_caller]
fn checked(error: &Error) -> Vec<String> {
    let chain = chain(error);
    for pair in chain.windows(2) {
        assert!(!pair[0].contains(&pair[1]), "a message repeats its source: {pair:?}");
    }
    let sentence = &chain[0];
    assert!(!sentence.ends_with('.') && !sentence.contains('\n'), "{sentence:?}");
    assert!(sentence.starts_with(|first: char| !first.is_uppercase()), "{sentence:?}");
    chain
}

/// The kinds that the documentation of the predicates lists.
#[test]
fn kinds_have_a_name_and_at_most_one_fault() {
    use ErrorKind::*;
    let transient = [
        Connect,
        Timeout,
        Closed,
        Conflict,
        RateLimit,
        Overloaded,
        ServerTimeout,
        Server,
        Truncated,
        Incomplete,
        Stalled,
    ];
    let client = [
        Configuration,
        Contract,
        NoRuntime,
        BadRequest,
        Authentication,
        Billing,
        Permission,
        NotFound,
        RequestTooLarge,
        Redirect,
        BodyTooLarge,
    ];
    let server = [
        Overloaded,
        ServerTimeout,
        Server,
        Http,
        ContentType,
        ContentEncoding,
        Decode,
        UnexpectedStatus,
        Protocol,
        Tool,
    ];
    let others = [Refused, Credentials, Status, ToolLimit, CutOff, Refusal];
    let mut names = std::collections::BTreeMap::new();
    for kind in [&transient[..], &client, &server, &others].concat() {
        let error = Error::from(kind);
        assert_eq!(error.kind(), kind);
        assert_eq!(error.is_transient(), transient.contains(&kind), "{kind}");
        assert_eq!(error.is_client_fault(), client.contains(&kind), "{kind}");
        assert_eq!(error.is_server_fault(), server.contains(&kind), "{kind}");
        let name = kind.to_string();
        assert_eq!(serde_json::to_value(kind).unwrap(), name);
        // The name is that of the variant, in snake case.
        let variant: String = name.split('_').map(capitalized).collect();
        assert_eq!(variant, format!("{kind:?}"));
        names.insert(name, kind);
        assert!(checked(&error).len() == 1);
    }
    assert_eq!(names.len(), 35);
}

/// A clone says the same, and shares the source.
#[tokio::test]
async fn an_error_can_be_cloned() {
    let error = failing(builder("http://127.0.0.1:1/v1".to_owned()).max_retries(0)).await;
    let clone = error.clone();
    assert_eq!((format!("{error:?}"), chain(&error)), (format!("{clone:?}"), chain(&clone)));
    let source = |error: &Error| std::ptr::from_ref(std::error::Error::source(error).unwrap()).cast::<()>();
    assert_eq!(source(&error), source(&clone));
}

/// 9 bodies by 6 statuses: the status is never lost, whatever the body.
#[tokio::test]
async fn every_body_keeps_its_status() {
    let bodies: [(&str, Vec<u8>); 7] = [
        ("text/html", b"<html><body>Bad Gateway, canary</body></html>".to_vec()),
        ("text/plain", b"upstream connect error, canary".to_vec()),
        ("application/json", b"".to_vec()),
        ("application/json", br#"{"type":"error","error":{"type":"canary"#.to_vec()),
        ("application/json", br#"{"type":"error","error":{"reason":"canary"}}"#.to_vec()),
        ("application/json", b"\xff\xfe canary".to_vec()),
        ("application/json", br#"{"type":"message","content":[]}"#.to_vec()),
    ];
    let statuses = [
        (400, ErrorKind::BadRequest, "400 Bad Request"),
        (401, ErrorKind::Authentication, "401 Unauthorized"),
        (429, ErrorKind::RateLimit, "429 Too Many Requests"),
        (500, ErrorKind::Server, "500 Internal Server Error"),
        (502, ErrorKind::Server, "502 Bad Gateway"),
        (529, ErrorKind::Overloaded, "529 Overloaded"),
    ];
    for (content_type, body) in bodies {
        for (status, kind, said) in statuses {
            let error = answered(answer(status, &[("content-type", content_type)], &body)).await;
            assert_eq!((error.kind(), error.status().map(|status| status.as_u16())), (kind, Some(status)));
            assert!(error.api_error().is_none());
            let attempts = if error.attempts() > 1 { " (3 attempts in 1.3 s)" } else { "" };
            let chain = checked(&error);
            assert!(chain.len() == 1 && chain[0].starts_with(&format!("{said} from 127.0.0.1:")), "{chain:?}");
            assert!(chain[0].ends_with(attempts), "{chain:?}");
            assert_eq!((error.body(), error.body_prefix()), (&body[..], String::from_utf8_lossy(&body)));
        }
    }
}

#[tokio::test]
async fn an_error_of_the_api_is_read() {
    let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"Slow down.\nPlease.","details":{"error_code":"rpm","x":1}},"request_id":"req_body"}"#;
    let error = answered(answer(429, &[("retry-after", "86400")], body)).await;
    let api = error.api_error().unwrap();
    assert_eq!((api.error_type(), api.message()), (Some("rate_limit_error"), Some("Slow down.\nPlease.")));
    assert_eq!((api.error_code(), api.request_id()), (Some("rpm"), Some("req_body")));
    assert_eq!(api.json().as_str(), body);
    assert_eq!((error.request_id(), error.retry_after()), (Some("req_body"), Some(Duration::from_secs(86_400))));
    assert_eq!(error.headers()["retry-after"], "86400");
    let said = ": rate_limit_error: Slow down. Please (request req_body)";
    assert!(checked(&error)[0].ends_with(said), "{error}");
}

#[tokio::test]
async fn what_a_gateway_says_is_shown_whatever_its_shape() {
    for body in [
        r#"{"message":"no such deployment"}"#,
        r#"{"error":"no such deployment"}"#,
        r#"[{"error":{"code":400,"message":"no such deployment","status":"INVALID_ARGUMENT"}}]"#,
        r#"{"detail":"no such deployment"}"#,
        r#"{"detail":[{"loc":["body"],"msg":"no such deployment","type":"missing"}]}"#,
        r#"{"errors":[{"message":"no such deployment"}]}"#,
    ] {
        let error = answered(answer(400, &[("content-type", "application/json")], body)).await;
        assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::BadRequest, 400), "{body}");
        assert!(checked(&error)[0].ends_with(": no such deployment"), "{error}");
        assert_eq!(error.api_error().unwrap().message(), Some("no such deployment"), "{body}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_there_is_named() {
    let server = answering([api_error(404, "not_found_error"), answer(405, &[], "")]);
    for said in ["404 Not Found", "405 Method Not Allowed"] {
        let error = failing(of(&server)).await;
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(checked(&error)[0].starts_with(&format!("{said} from `{}/messages`", server.base_url())), "{error}");
    }
}

#[tokio::test]
async fn the_header_names_the_request_before_the_body_does() {
    assert_eq!(answered(api_error(400, "x")).await.request_id(), Some("req_1"));
}

#[tokio::test]
async fn the_status_decides_the_kind_and_the_type_refines_it() {
    let table = [
        ("invalid_request_error", 401, ErrorKind::Authentication),
        ("invalid_request_error", 500, ErrorKind::Server),
        ("authentication_error", 400, ErrorKind::Authentication),
        ("billing_error", 400, ErrorKind::Billing),
        ("permission_error", 400, ErrorKind::Permission),
        ("not_found_error", 400, ErrorKind::NotFound),
        ("request_too_large", 400, ErrorKind::RequestTooLarge),
        ("conflict_error", 400, ErrorKind::BadRequest),
        ("rate_limit_error", 400, ErrorKind::BadRequest),
        ("timeout_error", 400, ErrorKind::BadRequest),
        ("api_error", 400, ErrorKind::BadRequest),
        ("overloaded_error", 503, ErrorKind::Overloaded),
        ("memory_path_conflict_error", 409, ErrorKind::Conflict),
        ("brand_new_error", 402, ErrorKind::Billing),
        ("brand_new_error", 403, ErrorKind::Permission),
        ("brand_new_error", 404, ErrorKind::NotFound),
        ("brand_new_error", 408, ErrorKind::ServerTimeout),
        ("brand_new_error", 412, ErrorKind::BadRequest),
        ("brand_new_error", 413, ErrorKind::RequestTooLarge),
        ("brand_new_error", 418, ErrorKind::Status),
        ("brand_new_error", 422, ErrorKind::BadRequest),
        ("brand_new_error", 431, ErrorKind::BadRequest),
        ("brand_new_error", 504, ErrorKind::ServerTimeout),
        ("brand_new_error", 599, ErrorKind::Server),
    ];
    for (error_type, status, kind) in table {
        let error = answered(api_error(status, error_type)).await;
        assert_eq!(error.kind(), kind, "{error_type} {status}");
        assert_eq!(error.api_error().unwrap().error_type(), Some(error_type));
    }
}

#[tokio::test]
async fn it_says_whether_the_request_may_have_been_processed() {
    for (status, may) in [(400, false), (429, false), (500, true), (502, true), (503, false), (504, true), (529, false)]
    {
        assert_eq!(answered(api_error(status, "x")).await.may_have_been_processed(), may, "{status}");
    }
}

#[tokio::test]
async fn a_long_message_of_the_api_is_cut() {
    let error = answered(json(400, error_body("invalid_request_error", &"ä".repeat(5000)))).await;
    let said = format!(": invalid_request_error: {}… (request req_1)", "ä".repeat(500));
    assert!(checked(&error)[0].ends_with(&said), "{error}");
    assert_eq!(error.api_error().unwrap().message().unwrap().chars().count(), 5000);
    assert_eq!(error.body_prefix().len(), 1024 - 1 + '\u{fffd}'.len_utf8());
}

mod kinds {
    use super::*;

    #[tokio::test]
    async fn configuration() {
        let error = Client::builder().api_key("k").base_url("https://").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert_eq!(checked(&error), ["invalid base URL", "empty host"]);
    }

    #[tokio::test]
    async fn contract() {
        let server = answering([message("Hi")]);
        let client = of(&server).build().unwrap();
        let empty = MessageCreateRequest::new("claude-sonnet-5", Vec::<AnthropicMessage>::new(), 1);
        let error = client.create_message(&empty).await.unwrap_err();
        assert_eq!((error.kind(), error.pointer(), error.attempts()), (ErrorKind::Contract, Some("/messages"), 0));
        let said = "invalid request: /messages has 0 items, and the contract asks for at least 1";
        assert_eq!(checked(&error), [said]);
        assert_eq!(server.counts().connections, 0);
    }

    #[test]
    fn no_runtime() {
        let client = Client::builder().api_key("k").build().unwrap();
        let request = request();
        let mut call = Box::pin(client.create_message(&request));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(Err(error)) = call.as_mut().poll(&mut context) else { panic!("still pending") };
        assert_eq!(error.kind(), ErrorKind::NoRuntime);
        let below = "there is no reactor running, must be called from the context of a Tokio 1.x runtime";
        assert_eq!(checked(&error), ["call made outside of a tokio runtime", below]);
    }

    #[tokio::test]
    async fn refused() {
        struct No;
        impl Observer for No {
            fn request(&self, _: &mut Request<'_>) -> Result<(), ObserverError> {
                Err(ObserverError::new("the budget of this month is spent"))
            }
        }
        let server = answering([message("Hi")]);
        let error = failing(of(&server).observer(No)).await;
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(checked(&error), ["an observer refused the request", "the budget of this month is spent"]);
    }

    #[tokio::test]
    async fn connect() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let builder = Client::builder().api_key("k").base_url(format!("http://{address}/v1")).no_proxy();
        let error = failing(builder.timing(NoWaiting::default())).await;
        assert_eq!((error.kind(), error.attempts(), error.status()), (ErrorKind::Connect, 3, None));
        assert!(!error.may_have_been_processed());
        let chain = checked(&error);
        assert_eq!(chain[0], format!("failed to connect to {address} (3 attempts in 1.3 s)"));
        assert_eq!(chain[1..4], ["error sending request", "client error (Connect)", "tcp connect error"]);
        assert!(chain[4].starts_with("Connection refused"), "{chain:?}");
    }

    #[tokio::test]
    async fn timeout_of_the_call() {
        let server = silent();
        let error = failing(of(&server).timeout(Duration::from_millis(40))).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 1));
        assert!(error.may_have_been_processed());
        assert_eq!(checked(&error), ["call exceeded its timeout of 40ms"]);
    }

    /// The time ends while the second attempt hangs, and the first one says why there was a second.
    #[tokio::test]
    async fn timeout_of_the_call_after_an_attempt_that_failed() {
        let server = answering([
            api_error(529, "overloaded_error").header("x-zone", "b"),
            message("Hi").fault(Fault::stall(At::BeforeHeaders)),
        ]);
        let (client, request) = (of(&server).build().unwrap(), request());
        let mut call = std::pin::pin!(client.create_message(&request));
        tokio::select! {
            outcome = call.as_mut() => panic!("it was answered: {outcome:?}"),
            sent = server.until(|counts| counts.requests == 2) => drop(sent.unwrap()),
        }
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(600)).await;
        tokio::time::resume();
        let error = call.await.unwrap_err();
        assert_eq!((error.kind(), error.attempts(), error.status()), (ErrorKind::Timeout, 2, None));
        assert!(error.may_have_been_processed());
        let chain = checked(&error);
        assert_eq!(chain[0], "call exceeded its timeout of 600s (2 attempts in 0.4 s)");
        assert!(chain[1].ends_with(": overloaded_error: Said by the test (request req_1)"), "{chain:?}");
        let first: &Error = std::error::Error::source(&error).unwrap().downcast_ref().unwrap();
        assert_eq!((first.kind(), first.attempts()), (ErrorKind::Overloaded, 1));
        assert_eq!(first.headers()["x-zone"], "b");
        assert!(!first.may_have_been_processed());
    }

    #[tokio::test]
    async fn timeout_of_the_answer() {
        let server = silent();
        let error = failing(of(&server).response_timeout(Duration::from_millis(40))).await;
        assert_eq!((error.kind(), error.retry_stop()), (ErrorKind::Timeout, Some(RetryStop::Ambiguous)));
        assert!(error.may_have_been_processed());
        assert_eq!(checked(&error), [format!("no response from {} within 40ms", server.address())]);
    }

    #[tokio::test]
    async fn closed() {
        let server = answering([message("Hi").fault(Fault::close(At::BeforeHeaders))]);
        let error = failing(of(&server)).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Closed, 3));
        assert!(error.may_have_been_processed());
        let said = format!("connection to {} closed before a response began (3 attempts in 1.3 s)", server.address());
        let sources =
            ["error sending request", "client error (SendRequest)", "connection closed before message completed"];
        assert_eq!(checked(&error)[0], said);
        assert_eq!(checked(&error)[1..], sources);
    }

    #[tokio::test]
    async fn http() {
        let server = RawServer::answering("SSH-2.0-OpenSSH_9.9\r\n\r\n");
        let error = failing(builder(server.base_url())).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Http, 1));
        assert!(checked(&error)[0].starts_with("invalid HTTP response from 127.0.0.1:"));
        assert_eq!(
            checked(&error)[1..],
            ["error sending request", "client error (SendRequest)", "invalid HTTP version parsed"]
        );
    }

    #[tokio::test]
    async fn redirect() {
        let error = answered(answer(302, &[("location", "https://user:canary@evil.example/canary?canary")], "")).await;
        assert_eq!(error.kind(), ErrorKind::Redirect);
        let said = ", but redirects are not followed: to https://evil.example";
        assert!(error.to_string().starts_with("302 Found from 127.0.0.1:"), "{error}");
        assert!(checked(&error)[0].ends_with(said), "{error}");
        let nowhere = answered(answer(302, &[], "")).await;
        assert!(checked(&nowhere)[0].ends_with(": without an address"), "{nowhere}");
    }

    #[tokio::test]
    async fn content_type() {
        let page = "<html>canary</html>".repeat(100);
        let error = answered(answer(200, &[("content-type", "text/html; charset=utf-8")], &page)).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::ContentType, 1));
        assert!(error.may_have_been_processed());
        assert_eq!(checked(&error), ["response is not JSON: its content type is text/html; charset=utf-8"]);
        assert_eq!(error.body_prefix(), page.split_at(1024).0);
    }

    #[tokio::test]
    async fn content_encoding() {
        let error = answered(answer(200, &[("content-encoding", "gzip")], "\x1f\u{8b}")).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::ContentEncoding, 1));
        assert_eq!(checked(&error), ["response is compressed, which the request did not ask for: gzip"]);
        assert_eq!(error.body(), "\x1f\u{8b}".as_bytes());
    }

    #[tokio::test]
    async fn truncated() {
        let all_but_one = At::AfterByte(message_body("Hi").len() - 1);
        let server = answering([message("Hi").fault(Fault::close(all_but_one))]);
        let error = failing(of(&server)).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Truncated, 1));
        assert_eq!((error.status().unwrap().as_u16(), error.request_id()), (200, Some("req_1")));
        assert!(error.may_have_been_processed());
        let whole = message_body("Hi");
        assert!(!error.body().is_empty() && whole.as_bytes().starts_with(error.body()), "what came is kept");
        assert_eq!(checked(&error)[0], "connection closed before the response was complete (request req_1)");
    }

    #[tokio::test]
    async fn body_too_large() {
        let server = answering([message("Hi")]);
        let error = failing(of(&server).max_response_bytes(100)).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::BodyTooLarge, 1));
        assert!(error.may_have_been_processed());
        assert!(message_body("Hi").as_bytes().starts_with(error.body()));
        assert_eq!(checked(&error), ["response exceeds the limit of 100 bytes (request req_1)"]);
    }

    #[tokio::test]
    async fn decode() {
        let error = answered(json(200, r#"{"content":[{"type":"text","text":["canary"]}]}"#)).await;
        assert_eq!((error.kind(), error.pointer()), (ErrorKind::Decode, Some("/content/0/text")));
        assert!(error.may_have_been_processed());
        assert!(error.body().starts_with(br#"{"content""#));
        let chain = checked(&error);
        assert_eq!(chain[0], "failed to decode the response at `/content/0/text` (request req_1)");
        assert!(chain[1].contains("at /content/0/text (line 1 column") && !chain[1].contains("canary"), "{chain:?}");
    }

    #[tokio::test]
    async fn unexpected_status() {
        let error = answered(json(202, message_body("Hi"))).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::UnexpectedStatus, 1));
        assert_eq!(checked(&error), ["unexpected status 202 Accepted (request req_1)"]);
    }

    #[tokio::test]
    async fn error_in_a_success() {
        let error = answered(json(200, error_body("invalid_request_error", "No."))).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::BadRequest, 1));
        assert_eq!(error.status().unwrap().as_u16(), 200);
        let said = " contains an error: invalid_request_error: No (request req_1)";
        assert!(checked(&error)[0].ends_with(said), "{error}");
        assert!(!error.may_have_been_processed());
        let error = answered(json(200, error_body("overloaded_error", "Later."))).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Overloaded, 3));
        // Of a type that is not known, nothing else is known either.
        let error = answered(json(200, error_body("brand_new_error", "What?"))).await;
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Server, 1));
        assert!(error.may_have_been_processed());
    }
}

#[tokio::test]
async fn debug_shows_no_body_and_no_header() {
    let page = "<html>canary</html>";
    for status in [200, 400, 500] {
        let headers = [("content-type", "text/html"), ("set-cookie", "canary")];
        let error = answered(answer(status, &headers, page)).await;
        assert!(!format!("{error:?} {error:#?} {error}").contains("canary"), "{error:?}");
        assert_eq!(error.body(), page.as_bytes());
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
