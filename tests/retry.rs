//! Retries as a server sees them. The rules themselves have unit tests.

#![cfg(test)]

mod support;

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use anthropic_messages::internal_for_tests::{TestClientBuilder as _, Timing};
use anthropic_messages::{AnthropicMessage, Client, Error, MessageCreateRequest, RetryStop};
use anthropic_messages_testing::{Reply, Server};
use support::answers::{answer, answering, api_error, message};
use support::timing::NoWaiting;

fn request() -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024)
}

fn client(server: &Server, timing: impl Timing) -> Client {
    Client::builder().api_key("k").base_url(server.base_url()).no_proxy().timing(timing).build().unwrap()
}

async fn failing(server: &Server, timing: &NoWaiting) -> Error {
    client(server, timing.clone()).create_message(&request()).await.unwrap_err()
}

#[tokio::test]
async fn a_server_sees_one_attempt_and_two_retries_for_each_status_that_is_retried() {
    for status in [408, 409, 429, 500, 502, 503, 504, 529] {
        let server = answering([api_error(status, "some_error")]);
        let timing = NoWaiting::default();
        let error = failing(&server, &timing).await;
        assert_eq!((error.attempts(), error.retry_stop()), (3, Some(RetryStop::Attempts)), "{status}");
        assert_eq!(server.requests().len(), 3, "{status}");
        assert_eq!(timing.waits(), [Duration::from_micros(437_500), Duration::from_millis(875)], "{status}");
        assert_eq!(error.elapsed(), Duration::from_micros(1_312_500), "{status}");
    }
}

#[tokio::test]
async fn a_server_sees_one_attempt_for_each_status_that_is_not_retried() {
    for status in [400, 401, 402, 403, 404, 412, 413, 422, 431] {
        let server = answering([api_error(status, "some_error")]);
        let timing = NoWaiting::default();
        let error = failing(&server, &timing).await;
        assert_eq!((error.attempts(), error.retry_stop()), (1, Some(RetryStop::Permanent)), "{status}");
        assert_eq!(server.requests().len(), 1, "{status}");
        assert!(timing.waits().is_empty(), "{status}");
    }
}

#[tokio::test]
async fn the_attempts_of_a_success_are_told() {
    let server = answering([api_error(529, "overloaded_error"), message("Hi")]);
    let reply = client(&server, NoWaiting::default()).create_message(&request()).await.unwrap();
    assert_eq!((reply.attempts(), reply.text().as_str()), (2, "Hi"));
    let bodies: Vec<_> = server.requests().into_iter().map(|request| request.body().to_vec()).collect();
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn a_server_delay_is_waited_for() {
    let busy = answer(429, &[("retry-after", "2")], "");
    let server = answering([busy, answer(503, &[("retry-after-ms", "40")], ""), message("Hi")]);
    let timing = NoWaiting::default();
    client(&server, timing.clone()).create_message(&request()).await.unwrap();
    assert_eq!(timing.waits(), [Duration::from_millis(2100), Duration::from_millis(42)]);
}

#[tokio::test]
async fn a_server_delay_as_a_date_is_waited_for() {
    let busy = answer(429, &[("retry-after", "Mon, 24 Nov 2025 00:00:10 GMT")], "");
    let server = answering([busy, message("Hi")]);
    let timing = NoWaiting::default();
    client(&server, timing.clone()).create_message(&request()).await.unwrap();
    assert_eq!(timing.waits(), [Duration::from_millis(10_500)]);
}

#[tokio::test]
async fn a_delay_beyond_the_bound_is_told_instead_of_waited_for() {
    let server = answering([answer(429, &[("retry-after", "86400")], "")]);
    let timing = NoWaiting::default();
    let error = failing(&server, &timing).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(86_400)));
    assert_eq!(error.retry_stop(), Some(RetryStop::Delay));
    assert_eq!((server.requests().len(), timing.waits().len()), (1, 0));
}

#[tokio::test]
async fn retries_are_set_by_client_and_by_call() {
    let server = answering([api_error(529, "overloaded_error")]);
    let none = client(&server, NoWaiting::default()).with_options(|o| o.max_retries(0));
    assert_eq!(none.create_message(&request()).await.unwrap_err().attempts(), 1);
    let five = none.with_options(|o| o.max_retries(5));
    assert_eq!(five.create_message(&request()).await.unwrap_err().attempts(), 6);
    assert_eq!(server.requests().len(), 7);
}

#[tokio::test]
async fn clones_share_one_budget() {
    let server = answering([api_error(529, "overloaded_error")]);
    let client = client(&server, Standing).with_options(|o| o.max_retries(100));
    let clone = client.clone().with_options(|o| o.timeout(Duration::from_secs(1_000_000)));
    let first = client.create_message(&request()).await.unwrap_err();
    // Full, and capped: what the first call earned is lost.
    assert_eq!((first.attempts(), first.retry_stop()), (51, Some(RetryStop::Budget)));
    let second = clone.create_message(&request()).await.unwrap_err();
    assert_eq!((second.attempts(), second.retry_stop()), (1, Some(RetryStop::Budget)));
}

/// Waits pass at once, and no time passes.
struct Standing;

impl Timing for Standing {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn random(&self) -> f64 {
        0.0
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }
}

/// Time that a test moves on by hand; waits pass at once, and add to no clock.
#[derive(Clone, Default)]
struct ByHand(Arc<AtomicU32>);

impl Timing for ByHand {
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst).into())
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::task::yield_now())
    }
}

#[tokio::test]
async fn a_storm_is_not_fed_and_ends_with_the_outage() {
    const CALLS: u32 = 2000;
    let sick = Arc::new(AtomicBool::new(true));
    let state = Arc::clone(&sick);
    let server = answering([Reply::from_request(move |_| {
        if state.load(Ordering::SeqCst) { api_error(529, "overloaded_error") } else { message("Hi") }
    })]);
    let clock = ByHand::default();
    let client = client(&server, clock.clone());
    // 20 at a time, 5 ms a call: 10 s in all.
    for _ in 0..CALLS / 20 {
        let calls: Vec<_> = (0..20)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.create_message(&request()).await.is_err() })
            })
            .collect();
        for call in calls {
            assert!(call.await.unwrap());
        }
        clock.0.fetch_add(100, Ordering::SeqCst);
    }
    let sent = server.counts().requests;
    assert!(sent <= CALLS as usize * 125 / 100, "{sent} requests for {CALLS} calls");
    assert!(sent >= CALLS as usize * 115 / 100, "{sent} requests for {CALLS} calls");

    sick.store(false, Ordering::SeqCst);
    clock.0.fetch_add(1000, Ordering::SeqCst);
    let mut succeeded = 0;
    for _ in 0..200 {
        succeeded += usize::from(client.create_message(&request()).await.is_ok());
    }
    assert!(succeeded >= 198, "{succeeded} of 200 calls after the outage");
}
