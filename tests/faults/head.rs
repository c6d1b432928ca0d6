//! Faults before the body of a response, and retries.

use std::{pin::Pin, time::Duration};

use anthropic_messages::internal_for_tests::{TestClientBuilder as _, Timing};
use anthropic_messages::{Client, ErrorKind, RetryStop, retry::RetryAmbiguous};
use anthropic_messages_testing::{At, Fault, Matcher, Reply, Server};

use tokio::sync::mpsc;

use crate::{
    answered, builder, client, failing, request, said,
    support::answers::{answer, answering, api_error, message, silent},
    support::bodies::message_body,
    support::raw::{RawServer, json},
};

/// Ends each connection with a reset instead of an answer.
fn resetting() -> Server {
    answering([message("Hi").fault(Fault::reset(At::BeforeHeaders))])
}

#[tokio::test]
async fn a_reset_before_the_answer_is_tried_again_and_may_have_been_processed() {
    let server = resetting();
    let error = failing(&client(&server)).await;
    assert_eq!((error.kind(), error.attempts(), server.requests().len()), (ErrorKind::Closed, 3, 3));
    assert!(error.may_have_been_processed());
}

#[tokio::test]
async fn a_reset_before_the_answer_is_told_where_the_policy_says_so() {
    let server = resetting();
    let error = failing(&client(&server).with_options(|o| o.retry_ambiguous(RetryAmbiguous::Never))).await;
    assert_eq!((error.attempts(), error.retry_stop()), (1, Some(RetryStop::Ambiguous)));
    assert!(error.may_have_been_processed());
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced_unseen() {
    let server = answering([message("Hi").fault(Fault::close(At::AfterEvent(1)))]);
    let client = client(&server).with_options(|o| o.retry_ambiguous(RetryAmbiguous::Never));
    assert_eq!(said(&client).await, "Hi");
    server.until(|counts| counts.open_connections() == 0).await.unwrap();
    // The client learns of it when its runtime next looks.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let reply = client.create_message(&request()).await.unwrap();
    assert_eq!((reply.attempts(), server.counts().connections, server.requests().len()), (1, 2, 2));
}

/// Answers a request, ends the connection instead of answering the second, and answers the third.
fn racing(fault: fn(At) -> Fault) -> Server {
    answering([message("Hi"), message("Hi").fault(fault(At::BeforeHeaders)), message("Hi")])
}

#[tokio::test]
async fn a_connection_that_closes_under_a_request_is_replaced_at_once() {
    for fault in [Fault::close, Fault::reset] {
        let server = racing(fault);
        let timing = crate::support::timing::NoWaiting::default();
        let client = builder(&server).timing(timing.clone()).build().unwrap();
        assert_eq!(said(&client).await, "Hi");
        let reply = client.create_message(&request()).await.unwrap();
        assert_eq!((reply.attempts(), server.requests().len()), (2, 3), "{server:?}");
        assert!(timing.waits().is_empty());
    }
}

#[tokio::test]
async fn a_request_that_may_have_been_processed_is_not_repeated_where_the_policy_says_so() {
    let server = racing(Fault::close);
    let client = client(&server).with_options(|o| o.retry_ambiguous(RetryAmbiguous::Never));
    assert_eq!(said(&client).await, "Hi");
    let error = failing(&client).await;
    assert_eq!((error.kind(), error.attempts(), server.requests().len()), (ErrorKind::Closed, 1, 2));
}

#[tokio::test]
async fn an_answer_that_never_begins_is_a_timeout_and_is_not_repeated() {
    let server = silent();
    let error = failing(&builder(&server).response_timeout(Duration::from_millis(200)).build().unwrap()).await;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 1));
    assert_eq!(error.to_string(), format!("no response from {} within 200ms", server.address()));
    assert!(error.may_have_been_processed());
    server
        .until(|counts| counts.requests == 1 && counts.abandoned == 1 && counts.open_connections() == 0)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_answer_that_never_begins_is_asked_for_again_where_the_policy_says_so() {
    let server = silent();
    let builder = builder(&server).response_timeout(Duration::from_millis(200)).retry_ambiguous(RetryAmbiguous::Always);
    let error = failing(&builder.build().unwrap()).await;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 3));
    server.until(|counts| counts.requests == 3).await.unwrap();
}

#[tokio::test]
async fn the_server_may_ask_for_a_retry() {
    let server = answering([answer(400, &[("x-should-retry", "true")], ""), message("Hi")]);
    assert_eq!(client(&server).create_message(&request()).await.unwrap().attempts(), 2);
}

#[tokio::test]
async fn the_server_may_forbid_a_retry() {
    let error = answered(answer(529, &[("x-should-retry", "false")], "")).await;
    assert_eq!((error.attempts(), error.retry_stop()), (1, Some(RetryStop::Permanent)));
}

#[tokio::test]
async fn a_wait_beyond_the_calls_limit_is_not_begun() {
    let server = answering([answer(429, &[("retry-after", "30")], "")]);
    let error = failing(&client(&server).with_options(|o| o.timeout(Duration::from_secs(20)))).await;
    assert_eq!((error.attempts(), error.retry_stop()), (1, Some(RetryStop::Deadline)));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
}

/// Skips delays, with a clock that doesn't move.
struct Standing;

impl Timing for Standing {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test]
async fn a_dead_server_is_not_stormed() {
    const CALLS: usize = 300;
    let server = answering([api_error(529, "overloaded_error")]);
    let client = builder(&server).timing(Standing).build().unwrap();
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { failing(&client).await.kind() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), ErrorKind::Overloaded);
    }
    let requests = server.requests().len();
    assert!((CALLS..=CALLS * 12 / 10 + 50).contains(&requests), "{requests} requests for {CALLS} calls");
}

#[tokio::test]
async fn a_request_is_repeated_unchanged_and_the_attempts_are_told() {
    let server = answering([api_error(503, "api_error"), api_error(503, "api_error"), message("Hi")]);
    let reply = client(&server).create_message(&request()).await.unwrap();
    assert_eq!(reply.attempts(), 3);
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    for repeated in &requests {
        let first = &requests[0];
        assert_eq!((repeated.uri(), repeated.headers()), (first.uri(), first.headers()));
        assert_eq!(repeated.body(), first.body());
        assert!(repeated.has_header("authorization", "Bearer k"));
        assert_eq!(repeated.header("idempotency-key"), None);
    }
}

/// Waits that never end, and tell that they have begun.
struct Endless(mpsc::UnboundedSender<()>);

impl Timing for Endless {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.send(()).unwrap();
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_waits_sends_nothing_more() {
    let server = answering([api_error(529, "overloaded_error"), message("Hi")]);
    let (waits, mut begun) = mpsc::unbounded_channel();
    let client = builder(&server).timing(Endless(waits)).build().unwrap();
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.create_message(&request()).await.map(drop) }
    });
    begun.recv().await.unwrap();
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(server.requests().len(), 1);
    assert_eq!(said(&client).await, "Hi");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn calls_that_are_dropped_at_any_point_close_their_connections() {
    let unanswered = message("Hi").fault(Fault::stall(At::BeforeHeaders));
    let server = Server::builder().default_reply(unanswered).start().unwrap();
    server.when(Matcher::header("x-wanted", "1")).reply(message("Hi")).times(2);
    let client = client(&server);
    let wanted = client.with_options(|o| o.header("x-wanted", "1"));
    let mut random = fastrand::Rng::with_seed(24);
    for _ in 0..20 {
        let calls: Vec<_> = (0..50)
            .map(|_| {
                let (client, limit) = (client.clone(), Duration::from_micros(random.u64(0..10_000)));
                tokio::spawn(async move {
                    // Dropped at the limit, wherever it is then.
                    let _ = tokio::time::timeout(limit, client.create_message(&request())).await;
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
    }
    // Connections are taken in their order, so that all the others have been taken when this one is.
    assert_eq!(said(&wanted).await, "Hi");
    server.until(|counts| counts.open_connections() == 1).await.expect("a connection outlived its call");
    let before = server.counts();
    assert_eq!(said(&wanted).await, "Hi");
    let after = server.counts();
    assert_eq!((after.requests, after.connections), (before.requests + 1, before.connections));
}

#[tokio::test]
async fn a_redirect_to_itself_is_followed_by_nothing() {
    let server = answering([answer(308, &[("location", "/v1/messages")], "")]);
    let error = failing(&client(&server)).await;
    assert_eq!((error.kind(), server.requests().len()), (ErrorKind::Redirect, 1));
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let mut bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".to_vec();
    bytes.extend(json(&message_body("Hi")));
    assert_eq!(said(&client(&RawServer::answering(bytes))).await, "Hi");
}

#[tokio::test]
async fn interim_answers_without_end_run_into_the_limit() {
    let server = RawServer::start(|connection| {
        connection.request();
        while connection.send("HTTP/1.1 100 Continue\r\n\r\n") {}
    });
    let error = failing(&builder(&server).response_timeout(Duration::from_millis(50)).build().unwrap()).await;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(server.all_closed().await);
}

/// A head that is not HTTP: told as such, and not asked for again.
async fn breaks_the_rules(head: impl Into<Vec<u8>>) -> String {
    let server = RawServer::answering(head);
    let error = failing(&client(&server)).await;
    assert_eq!((error.kind(), error.attempts(), server.requests().len()), (ErrorKind::Http, 1, 1), "{error:?}");
    assert!(error.may_have_been_processed());
    error.to_string()
}

#[tokio::test]
async fn more_than_a_hundred_headers_are_refused() {
    let headers: String = (0..101).map(|number| format!("x-{number}: y\r\n")).collect();
    let said = breaks_the_rules(format!("HTTP/1.1 200 OK\r\n{headers}\r\n")).await;
    assert!(said.ends_with("limits of 100 headers and 408 KiB"), "{said}");
}

#[tokio::test]
async fn a_head_of_a_mebibyte_is_refused() {
    drop(breaks_the_rules(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1024 * 1024))).await);
}

#[tokio::test]
async fn a_malformed_status_line_is_refused() {
    drop(breaks_the_rules("HTTP/1.1 abc OK\r\n\r\n").await);
}

#[tokio::test]
async fn a_version_that_does_not_exist_is_refused() {
    drop(breaks_the_rules("HTTP/7.7 200 OK\r\n\r\n").await);
}

#[tokio::test]
async fn a_header_with_a_nul_is_refused() {
    drop(breaks_the_rules("HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n").await);
}

#[tokio::test]
async fn a_length_that_is_none_is_refused() {
    drop(breaks_the_rules("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n").await);
}

#[tokio::test]
async fn two_lengths_are_refused() {
    drop(breaks_the_rules("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}").await);
}

#[tokio::test]
async fn a_length_beside_chunks_does_not_count() {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\ne\r\n{\"content\":[]}\r\n0\r\n\r\n";
    assert_eq!(said(&client(&RawServer::answering(head))).await, "");
}

#[tokio::test]
async fn headers_that_are_not_text_harm_nothing() {
    let reply = Reply::empty(429).header("request-id", b"\x80\xff").header("retry-after", b"\xfe");
    let error = answered(reply.header("x-should-retry", b"\x81").header("content-type", b"\xff")).await;
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::RateLimit, 3));
    assert_eq!((error.request_id(), error.retry_after()), (None, None));
}

#[tokio::test]
async fn the_first_of_ten_request_ids_counts() {
    let ids = (0..10).map(|number| format!("req_{number}"));
    let error = answered(ids.fold(Reply::empty(400), |reply, id| reply.header("request-id", id))).await;
    assert_eq!(error.request_id(), Some("req_0"));
}

#[tokio::test]
async fn a_client_can_be_made_without_a_runtime_and_used_in_any() {
    let client: Client = Client::new("k").unwrap();
    assert_eq!(client.base_url(), "https://api.anthropic.com/v1");
}
