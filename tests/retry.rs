//! Whether and when a call is tried again: the pure decision, and what a server sees of it.

#![cfg(test)]

mod support;

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anthropic_messages::internal_for_tests::{TestClientBuilder as _, Timing};
use anthropic_messages::{
    AnthropicMessage, Client, Error, MessageCreateRequest, RetryStop,
    retry::{Budget, Decision, Moment, Outcome, Resend, RetryPolicy, decide, server_delay},
};
use anthropic_messages_testing::{Reply, Server};
use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use support::answers::{answer, answering, api_error, message};
use support::timing::NoWaiting;

/// Mon, 24 Nov 2025 00:00:00 GMT
const NOW: u64 = 1_763_942_400;

fn wall() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn moment() -> Moment {
    let mut moment = Moment::default();
    moment.wall = wall();
    moment
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn rejected(status: u16, headers: &HeaderMap) -> Outcome<'_> {
    Outcome::Rejected { status: StatusCode::from_u16(status).unwrap(), headers }
}

fn first(outcome: &Outcome<'_>) -> Decision {
    decide(1, outcome, &RetryPolicy::default(), &moment(), &mut Budget::default())
}

const BACKOFF: Decision = Decision::After(Duration::from_millis(500));
const PERMANENT: Decision = Decision::Stop(RetryStop::Permanent);

#[test]
fn every_status_is_retried_as_the_table_says() {
    let table: [(u16, Decision); 28] = [
        (300, PERMANENT),
        (301, PERMANENT),
        (307, PERMANENT),
        (400, PERMANENT),
        (401, PERMANENT),
        (402, PERMANENT),
        (403, PERMANENT),
        (404, PERMANENT),
        (407, PERMANENT),
        (408, BACKOFF),
        (409, BACKOFF),
        (410, PERMANENT),
        (412, PERMANENT),
        (413, PERMANENT),
        (422, PERMANENT),
        (425, PERMANENT),
        (429, BACKOFF),
        (431, PERMANENT),
        (499, PERMANENT),
        (500, BACKOFF),
        (501, BACKOFF),
        (502, BACKOFF),
        (503, BACKOFF),
        (504, BACKOFF),
        (520, BACKOFF),
        (529, BACKOFF),
        (599, BACKOFF),
        (999, BACKOFF),
    ];
    let none = HeaderMap::new();
    for (status, decision) in table {
        assert_eq!(first(&rejected(status, &none)), decision, "{status}");
    }
}

#[test]
fn every_header_form_is_read_as_the_table_says() {
    let after = |milliseconds| Decision::After(Duration::from_millis(milliseconds));
    let delay = Decision::Stop(RetryStop::Delay);
    type Row = (&'static [(&'static str, &'static str)], Decision);
    let table: [Row; 52] = [
        (&[("retry-after", "1")], after(1000)),
        (&[("retry-after", "0.25")], after(250)),
        (&[("retry-after", ".5")], after(500)),
        (&[("retry-after", "+2")], after(2000)),
        (&[("retry-after", " 3 ")], after(3000)),
        (&[("retry-after", "1e1")], after(10_000)),
        (&[("retry-after", "60")], after(60_000)),
        (&[("retry-after", "60.001")], delay),
        (&[("retry-after", "61")], delay),
        (&[("retry-after", "86400")], delay),
        (&[("retry-after", "2147483")], delay),
        (&[("retry-after", "2147484")], BACKOFF),
        (&[("retry-after", "100000000000000000000")], BACKOFF),
        (&[("retry-after", "0")], BACKOFF),
        (&[("retry-after", "-0")], BACKOFF),
        (&[("retry-after", "0.0000000001")], BACKOFF),
        (&[("retry-after", "-1")], BACKOFF),
        (&[("retry-after", "-1e999")], BACKOFF),
        (&[("retry-after", "1e999")], BACKOFF),
        (&[("retry-after", "1e308")], BACKOFF),
        (&[("retry-after", "NaN")], BACKOFF),
        (&[("retry-after", "nan")], BACKOFF),
        (&[("retry-after", "inf")], BACKOFF),
        (&[("retry-after", "-inf")], BACKOFF),
        (&[("retry-after", "infinity")], BACKOFF),
        (&[("retry-after", "")], BACKOFF),
        (&[("retry-after", "soon")], BACKOFF),
        (&[("retry-after", "1 s")], BACKOFF),
        (&[("retry-after", "1,5")], BACKOFF),
        (&[("retry-after", "0x10")], BACKOFF),
        (&[("retry-after", "\u{e9}")], BACKOFF),
        (&[("retry-after", "1"), ("retry-after", "2")], BACKOFF),
        (&[("retry-after", "Mon, 24 Nov 2025 00:00:07 GMT")], after(7000)),
        (&[("retry-after", "Monday, 24-Nov-25 00:00:07 GMT")], after(7000)),
        (&[("retry-after", "Mon Nov 24 00:00:07 2025")], after(7000)),
        (&[("retry-after", "Mon, 24 Nov 2025 00:00:00 GMT")], BACKOFF),
        (&[("retry-after", "Sun, 23 Nov 2025 00:00:00 GMT")], BACKOFF),
        (&[("retry-after", "Mon, 24 Nov 2025 00:02:00 GMT")], delay),
        (&[("retry-after", "Sat, 24 Nov 2035 00:00:00 GMT")], BACKOFF),
        (&[("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")], BACKOFF),
        (&[("retry-after", "Mon, 99 Nov 2025 00:00:07 GMT")], BACKOFF),
        (&[("retry-after-ms", "250")], after(250)),
        (&[("retry-after-ms", "0.5")], Decision::After(Duration::from_micros(500))),
        (&[("retry-after-ms", "60001")], delay),
        (&[("retry-after-ms", "250"), ("retry-after", "5")], after(250)),
        (&[("retry-after-ms", "0"), ("retry-after", "5")], after(5000)),
        (&[("retry-after-ms", "-3"), ("retry-after", "5")], after(5000)),
        (&[("retry-after-ms", "1e999"), ("retry-after", "5")], after(5000)),
        (&[("retry-after-ms", "1"), ("retry-after-ms", "2")], BACKOFF),
        (&[("x-should-retry", "false")], PERMANENT),
        (&[("x-should-retry", "true"), ("retry-after", "2")], after(2000)),
        (&[("x-should-retry", "False")], BACKOFF),
    ];
    for (pairs, decision) in table {
        let headers = headers(pairs);
        assert_eq!(first(&rejected(429, &headers)), decision, "{pairs:?}");
    }
}

#[test]
fn the_server_has_the_last_word_on_whether() {
    let cases = [
        (400, "true", BACKOFF),
        (404, "true", BACKOFF),
        (400, "True", PERMANENT),
        (400, "1", PERMANENT),
        (529, "false", PERMANENT),
        (529, "no", BACKOFF),
    ];
    for (status, said, decision) in cases {
        assert_eq!(first(&rejected(status, &headers(&[("x-should-retry", said)]))), decision, "{status} {said}");
    }
    let twice = headers(&[("x-should-retry", "true"), ("x-should-retry", "false")]);
    assert_eq!(first(&rejected(400, &twice)), PERMANENT);
}

#[test]
fn outcomes_are_retried_by_what_the_server_can_have_seen() {
    let ambiguous = Decision::Stop(RetryStop::Ambiguous);
    let at_once = Decision::After(Duration::ZERO);
    let table = [
        (Outcome::NotSent { permanent: false }, Resend::Never, BACKOFF),
        (Outcome::NotSent { permanent: true }, Resend::Always, PERMANENT),
        (Outcome::Closed, Resend::Never, ambiguous),
        (Outcome::Closed, Resend::AfterClose, at_once),
        (Outcome::Closed, Resend::Always, at_once),
        (Outcome::TimedOut, Resend::Never, ambiguous),
        (Outcome::TimedOut, Resend::AfterClose, ambiguous),
        (Outcome::TimedOut, Resend::Always, BACKOFF),
        (Outcome::Committed, Resend::Always, PERMANENT),
    ];
    for (outcome, resend, decision) in table {
        let mut policy = RetryPolicy::default();
        policy.resend = resend;
        assert_eq!(decide(1, &outcome, &policy, &moment(), &mut Budget::default()), decision, "{outcome:?} {resend:?}");
    }
}

#[test]
fn only_the_first_resend_after_a_close_is_immediate() {
    let second = decide(2, &Outcome::Closed, &RetryPolicy::default(), &moment(), &mut Budget::default());
    assert_eq!(second, Decision::After(Duration::from_secs(1)));
}

#[test]
fn the_backoff_doubles_up_to_its_bound_and_shortens_by_up_to_a_quarter() {
    let mut policy = RetryPolicy::default();
    policy.max_retries = u32::MAX;
    let none = HeaderMap::new();
    let nominal = [500, 1000, 2000, 4000, 8000, 8000, 8000];
    for (attempt, nominal) in (1..).zip(nominal) {
        for (random, part) in [(0.0, 1.0), (0.5, 0.875), (1.0, 0.75)] {
            let mut moment = moment();
            moment.random = random;
            let decision = decide(attempt, &rejected(529, &none), &policy, &moment, &mut Budget::default());
            let expected = Duration::from_millis(nominal).mul_f64(part);
            assert_eq!(decision, Decision::After(expected), "attempt {attempt}, random {random}");
        }
    }
    let last = decide(u32::MAX, &rejected(529, &none), &policy, &moment(), &mut Budget::default());
    assert_eq!(last, Decision::After(Duration::from_secs(8)));
}

#[test]
fn a_server_delay_is_only_ever_lengthened() {
    for (random, milliseconds) in [(0.0, 1000), (0.5, 1050), (1.0, 1100)] {
        let mut moment = moment();
        moment.random = random;
        let headers = headers(&[("retry-after", "1")]);
        let decision = decide(1, &rejected(429, &headers), &RetryPolicy::default(), &moment, &mut Budget::default());
        assert_eq!(decision, Decision::After(Duration::from_millis(milliseconds)));
    }
}

#[test]
fn attempts_are_counted() {
    let none = HeaderMap::new();
    for (retries, attempt, stops) in [(0, 1, true), (1, 1, false), (2, 2, false), (2, 3, true), (2, u32::MAX, true)] {
        let mut policy = RetryPolicy::default();
        policy.max_retries = retries;
        let decision = decide(attempt, &rejected(500, &none), &policy, &moment(), &mut Budget::default());
        assert_eq!(decision == Decision::Stop(RetryStop::Attempts), stops, "{retries} {attempt}");
    }
}

#[test]
fn nothing_is_waited_for_past_the_calls_limit() {
    let none = HeaderMap::new();
    let stop = Decision::Stop(RetryStop::Deadline);
    let cases = [(0, 1000, BACKOFF), (499, 1000, BACKOFF), (500, 1000, stop), (2000, 1000, stop), (0, 500, stop)];
    for (elapsed, limit, decision) in cases {
        let mut moment = moment();
        moment.elapsed = Duration::from_millis(elapsed);
        moment.limit = Some(Duration::from_millis(limit));
        let mut budget = Budget::default();
        assert_eq!(
            decide(1, &rejected(500, &none), &RetryPolicy::default(), &moment, &mut budget),
            decision,
            "{elapsed} of {limit} ms"
        );
    }
}

#[test]
fn a_clock_that_jumps_breaks_nothing() {
    let headers = headers(&[("retry-after", "Mon, 24 Nov 2025 00:00:07 GMT")]);
    let years = Duration::from_secs(10 * 365 * 86_400);
    for (wall, delay) in [
        (wall() - years, None),
        (wall() + years, None),
        (UNIX_EPOCH, None),
        (UNIX_EPOCH - years, None),
        (wall() + Duration::from_secs(6), Some(Duration::from_secs(1))),
    ] {
        assert_eq!(server_delay(&headers, wall), delay);
    }
    let mut budget = Budget::default();
    for monotonic in [Duration::MAX, Duration::ZERO, Duration::from_secs(1), Duration::MAX] {
        assert!(budget.withdraw(monotonic));
    }
}

#[test]
fn the_budget_holds_fifty_and_earns_a_fifth_a_call_and_four_a_second() {
    let spend = |budget: &mut Budget, at: Duration| std::iter::from_fn(|| budget.withdraw(at).then_some(())).count();
    let mut budget = Budget::default();
    assert_eq!(spend(&mut budget, Duration::ZERO), 50);
    for _ in 0..10 {
        budget.deposit();
    }
    assert_eq!(spend(&mut budget, Duration::ZERO), 2);
    assert_eq!(spend(&mut budget, Duration::from_millis(1250)), 5);
    assert_eq!(spend(&mut budget, Duration::from_secs(3600)), 50);
    for _ in 0..10_000 {
        budget.deposit();
    }
    assert_eq!(spend(&mut budget, Duration::from_secs(3600)), 50);
}

#[test]
fn a_spent_budget_stops_and_costs_nothing_when_it_is_not_asked() {
    let mut budget = Budget::default();
    let none = HeaderMap::new();
    for _ in 0..1000 {
        decide(1, &rejected(400, &none), &RetryPolicy::default(), &moment(), &mut budget);
        decide(3, &rejected(529, &none), &RetryPolicy::default(), &moment(), &mut budget);
    }
    for _ in 0..50 {
        assert_eq!(decide(1, &rejected(529, &none), &RetryPolicy::default(), &moment(), &mut budget), BACKOFF);
    }
    let spent = decide(1, &rejected(529, &none), &RetryPolicy::default(), &moment(), &mut budget);
    assert_eq!(spent, Decision::Stop(RetryStop::Budget));
}

/// 2,000 calls within 10 s, all refused: the retries are at most a quarter of the calls.
#[test]
fn a_storm_adds_at_most_a_quarter() {
    let mut budget = Budget::default();
    let mut retries = 0;
    let none = HeaderMap::new();
    for call in 0..2000_u32 {
        budget.deposit();
        let mut moment = moment();
        moment.monotonic = Duration::from_millis(5) * call;
        for attempt in 1.. {
            match decide(attempt, &rejected(529, &none), &RetryPolicy::default(), &moment, &mut budget) {
                Decision::After(delay) => moment.monotonic += delay,
                _ => break,
            }
            retries += 1;
        }
    }
    assert!((400..=500).contains(&retries), "{retries} retries of 2,000 calls");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_header_is_read_without_harm(seconds in ".{0,24}", milliseconds in "[-+.0-9eEinfa]{0,12}", wall in 0..u64::MAX / 4) {
        let mut headers = HeaderMap::new();
        for (name, value) in [("retry-after", seconds), ("retry-after-ms", milliseconds)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        if let Some(wall) = UNIX_EPOCH.checked_add(Duration::from_secs(wall))
            && let Some(delay) = server_delay(&headers, wall)
        {
            prop_assert!(!delay.is_zero() && delay <= Duration::from_millis(i32::MAX as u64));
        }
    }

    #[test]
    fn a_delay_is_never_longer_than_the_policy_allows(
        attempt in 1..=u32::MAX,
        status in 100..1000_u16,
        seconds in proptest::option::of(-1e9..1e9_f64),
        initial in any::<Duration>(),
        longest in any::<Duration>(),
        asked in any::<Duration>(),
        random in any::<f64>(),
        elapsed in any::<Duration>(),
        limit in any::<Option<Duration>>(),
    ) {
        let mut policy = RetryPolicy::default();
        policy.max_retries = u32::MAX;
        (policy.initial_delay, policy.max_delay, policy.max_retry_after) = (initial, longest, asked);
        let headers = seconds.map_or_else(HeaderMap::new, |seconds| headers(&[("retry-after", &seconds.to_string())]));
        let mut moment = moment();
        (moment.random, moment.elapsed, moment.limit) = (random, elapsed, limit);
        let outcome = rejected(status, &headers);
        if let Decision::After(delay) = decide(attempt, &outcome, &policy, &moment, &mut Budget::default()) {
            let asked = seconds.filter(|seconds| *seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            match asked.filter(|asked| !asked.is_zero() && *asked <= Duration::from_millis(i32::MAX as u64)) {
                Some(asked) => prop_assert!(delay >= asked && delay <= policy.max_retry_after.saturating_add(asked / 10)),
                None => prop_assert!(delay <= policy.max_delay),
            }
            prop_assert!(limit.is_none_or(|limit| elapsed.saturating_add(delay) < limit));
            prop_assert!(matches!(status, 408 | 409 | 429 | 500..));
        }
    }
}

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
