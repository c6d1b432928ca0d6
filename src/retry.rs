//! Decides if a failed attempt is retried, and after which delay.
//!
//! The rules are those of the official SDKs: two retries; after 408, 409, 429 and 5xx; `x-should-retry`,
//! `retry-after-ms` and `retry-after` are honored; the same exponential backoff. Three rules differ. The client waits at
//! most [`RetryPolicy::max_retry_after`] for a server, so that a header cannot park a call for a day. A budget per client
//! keeps retries from multiplying the load on a service that is failing: it starts at 50 retries, refills by one for every
//! five calls plus four per second, and never exceeds 50. A request that timed out is not sent twice unless
//! [`RetryAmbiguous::Always`] says so, because the API has no idempotency key and bills it twice.
//!
//! ```
//! use anthropic_messages::{Client, retry::{RetryAmbiguous, RetryPolicy}};
//! use std::time::Duration;
//!
//! let policy = RetryPolicy::default()
//!     .max_retries(4)
//!     .max_retry_after(Duration::from_secs(20))
//!     .retry_ambiguous(RetryAmbiguous::Never);
//! let client = Client::builder().api_key("sk-ant-example").retry_policy(policy).build()?;
//! # let _ = client;
//! # Ok::<(), anthropic_messages::Error>(())
//! ```

use std::time::{Duration, SystemTime};

use http::StatusCode;

/// The longest delay accepted from a header: 2^31 - 1 milliseconds, about 24.8 days. A longer one is taken for a mistake,
/// and the backoff applies.
const LONGEST_DELAY: Duration = Duration::from_millis(i32::MAX as u64);

/// Limits on how often a call is retried and how long it waits in between.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Maximum number of attempts after the first one. Defaults to 2.
    pub max_retries: u32,
    /// Backoff before the first retry. It doubles with each further one. Defaults to 0.5 s.
    pub initial_delay: Duration,
    /// Longest backoff. Defaults to 8 s.
    pub max_delay: Duration,
    /// Longest `retry-after` the client waits for. If the server asks for more, the call fails immediately and
    /// [`Error::retry_after`](crate::Error::retry_after) returns the requested wait. Defaults to 60 s.
    pub max_retry_after: Duration,
    /// The cases in which a request that may have been processed is sent again. Defaults to [`RetryAmbiguous::AfterClose`].
    pub retry_ambiguous: RetryAmbiguous,
}

impl RetryPolicy {
    /// Sets the maximum number of attempts after the first one.
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// Sets the backoff before the first retry.
    #[must_use]
    pub fn initial_delay(mut self, delay: Duration) -> Self {
        self.initial_delay = delay;
        self
    }

    /// Sets the longest backoff. [`Duration::ZERO`] disables the backoff, for tests.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets the longest `retry-after` the client waits for.
    #[must_use]
    pub fn max_retry_after(mut self, delay: Duration) -> Self {
        self.max_retry_after = delay;
        self
    }

    /// Sets the cases in which a request that may have been processed is sent again.
    #[must_use]
    pub fn retry_ambiguous(mut self, retry_ambiguous: RetryAmbiguous) -> Self {
        self.retry_ambiguous = retry_ambiguous;
        self
    }
}

/// The cases in which a request is sent again though the server may have processed it.
///
/// The API has no idempotency key: a request that was processed and is sent again is billed twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryAmbiguous {
    /// Never sends such a request again.
    Never,
    /// Sends it again when the connection closed before a response began, but not after a timeout. Most such closes are
    /// a server dropping an idle connection. This is the default.
    #[default]
    AfterClose,
    /// Also sends it again when no response began in time, as the official SDKs do.
    Always,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 2,
            initial_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(8),
            max_retry_after: Duration::from_secs(60),
            retry_ambiguous: RetryAmbiguous::default(),
        }
    }
}

/// The reason a failed call was not retried, returned by [`Error::retry_stop`](crate::Error::retry_stop).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryStop {
    /// Another attempt would fail the same way, or the server asked the client not to retry.
    Permanent,
    /// The request may have been processed, and [`RetryPolicy::retry_ambiguous`] forbids sending it again.
    Ambiguous,
    /// All attempts that [`RetryPolicy::max_retries`] allows were made.
    Attempts,
    /// The client's retry budget is empty because too many of its calls are failing.
    Budget,
    /// The server asked for a longer wait than [`RetryPolicy::max_retry_after`].
    Delay,
    /// The call's timeout would end before the next attempt.
    Deadline,
    /// The request body can be sent only once.
    Body,
}

/// The end of a failed attempt, by what the server can have seen of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The request did not reach a server. `permanent` if another attempt would end the same way.
    NotSent { permanent: bool },
    /// The server answered with an error.
    Rejected { status: StatusCode, should_retry: Option<bool>, retry_after: Option<Duration> },
    /// The request was sent and the connection ended before a response began. `reused` if the connection had carried a
    /// request before, and so may have been closed while it was idle.
    Closed { reused: bool },
    /// The request was sent and no response began in time.
    TimedOut,
    /// A response began that is not an error: the server has done its work.
    Committed,
}

impl Outcome {
    /// The outcome of an answer that is an error with this status. `header` returns the value of a header that was sent
    /// exactly once.
    pub(crate) fn rejected<'h>(status: StatusCode, header: impl Fn(&str) -> Option<&'h str>, wall: SystemTime) -> Self {
        let should_retry = match header("x-should-retry") {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        Self::Rejected { status, should_retry, retry_after: retry_after(header, wall) }
    }

    /// Returns `true` if the server may have acted on the request.
    pub(crate) fn may_have_been_processed(&self) -> bool {
        match self {
            Self::NotSent { .. } => false,
            Self::Rejected { status, .. } => may_have_been_processed(*status),
            Self::Closed { .. } | Self::TimedOut | Self::Committed => true,
        }
    }

    /// The delay that the server asked for.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Returns `true` if an error with this status is retried unless the server says otherwise.
pub(crate) fn is_retryable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 409 | 429 | 500..)
}

/// Returns `true` if a server that answers with this status may have acted on the request. A gateway sends 502 and 504
/// when the server behind it had the request.
pub(crate) fn may_have_been_processed(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 504)
}

/// The state of a call at the moment of a decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryContext {
    /// Number of the failed attempt, from 1.
    pub(crate) attempt: u32,
    /// Monotonic clock that refills the budget.
    pub(crate) monotonic: Duration,
    /// Time since the call began.
    pub(crate) elapsed: Duration,
    /// Timeout of the call.
    pub(crate) timeout: Duration,
    /// Random number in `0.0..1.0`.
    pub(crate) random: f64,
}

/// The decision after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Another attempt after this delay.
    Retry(Duration),
    /// The end of the call.
    Stop(RetryStop),
}

/// Decides what follows a failed attempt. The budget is charged only if everything else allows the retry.
pub(crate) fn decide(outcome: &Outcome, policy: &RetryPolicy, context: &RetryContext, budget: &mut Budget) -> Decision {
    if let Some(stop) = forbidden(outcome, policy.retry_ambiguous) {
        return Decision::Stop(stop);
    }
    if context.attempt > policy.max_retries {
        return Decision::Stop(RetryStop::Attempts);
    }
    let delay = match outcome.retry_after() {
        Some(asked) if asked > policy.max_retry_after => return Decision::Stop(RetryStop::Delay),
        // Jitter only lengthens it: the server said not to come earlier.
        Some(asked) => asked.saturating_add((asked / 10).mul_f64(fraction(context.random))),
        // A connection that was closed while idle says nothing about the health of the server.
        None if context.attempt == 1 && matches!(outcome, Outcome::Closed { reused: true }) => Duration::ZERO,
        None => backoff(context.attempt, policy, context.random),
    };
    if context.elapsed.saturating_add(delay) >= context.timeout {
        return Decision::Stop(RetryStop::Deadline);
    }
    if !budget.withdraw(context.monotonic) {
        return Decision::Stop(RetryStop::Budget);
    }
    Decision::Retry(delay)
}

fn forbidden(outcome: &Outcome, retry_ambiguous: RetryAmbiguous) -> Option<RetryStop> {
    match outcome {
        Outcome::NotSent { permanent: false } => None,
        Outcome::NotSent { permanent: true } | Outcome::Committed => Some(RetryStop::Permanent),
        Outcome::Rejected { status, should_retry, .. } => {
            (!should_retry.unwrap_or(is_retryable(*status))).then_some(RetryStop::Permanent)
        }
        Outcome::Closed { .. } => (retry_ambiguous == RetryAmbiguous::Never).then_some(RetryStop::Ambiguous),
        Outcome::TimedOut => (retry_ambiguous != RetryAmbiguous::Always).then_some(RetryStop::Ambiguous),
    }
}

/// The delay a server asks for: `retry-after-ms` in milliseconds, else `retry-after` in seconds or as an HTTP date
/// (RFC 9110, section 10.2.3). Fractions are read.
///
/// Anything other than a positive delay of at most 24.8 days is ignored: zero, negative, not a number, in the past.
pub(crate) fn retry_after<'h>(header: impl Fn(&str) -> Option<&'h str>, wall: SystemTime) -> Option<Duration> {
    let milliseconds = || positive(header("retry-after-ms")?, 1000.0);
    let seconds = || {
        let value = header("retry-after")?;
        positive(value, 1.0).or_else(|| until(value, wall))
    };
    milliseconds().or_else(seconds)
}

fn positive(value: &str, units_per_second: f64) -> Option<Duration> {
    let number = value.parse::<f64>().ok()?;
    plausible(Duration::try_from_secs_f64(number / units_per_second).ok()?)
}

fn until(date: &str, wall: SystemTime) -> Option<Duration> {
    plausible(httpdate::parse_http_date(date).ok()?.duration_since(wall).ok()?)
}

fn plausible(delay: Duration) -> Option<Duration> {
    (!delay.is_zero() && delay <= LONGEST_DELAY).then_some(delay)
}

/// `min(initial * 2^n, max)`, shortened at random by up to a quarter.
fn backoff(attempt: u32, policy: &RetryPolicy, random: f64) -> Duration {
    let factor = 2_u32.checked_pow(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let nominal = policy.initial_delay.saturating_mul(factor).min(policy.max_delay);
    nominal.saturating_sub((nominal / 4).mul_f64(fraction(random)))
}

fn fraction(random: f64) -> f64 {
    if random.is_nan() { 0.0 } else { random.clamp(0.0, 1.0) }
}

/// The retries a client may spend. A server that fails every call gets at most a fifth more calls plus four a second,
/// instead of several times as many; a client of few calls always retries.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    /// In thousandths of a retry.
    balance: u64,
    /// Time up to which the refill has been counted.
    refilled: Duration,
}

impl Budget {
    const RETRY: u64 = 1000;
    const CAPACITY: u64 = 50 * Self::RETRY;
    const PER_CALL: u64 = Self::RETRY / 5;
    /// Four retries a second.
    const PER_MILLISECOND: u64 = 4;

    /// Adds what one call earns.
    pub(crate) fn deposit(&mut self) {
        self.balance = (self.balance + Self::PER_CALL).min(Self::CAPACITY);
    }

    /// Charges one retry. Returns `false` if the balance is too low.
    fn withdraw(&mut self, monotonic: Duration) -> bool {
        self.refill(monotonic);
        match self.balance.checked_sub(Self::RETRY) {
            Some(rest) => {
                self.balance = rest;
                true
            }
            None => false,
        }
    }

    fn refill(&mut self, monotonic: Duration) {
        let Some(passed) = monotonic.checked_sub(self.refilled) else { return };
        let milliseconds = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        // Only whole milliseconds are counted; the remainder counts the next time.
        self.refilled = self.refilled.saturating_add(Duration::from_millis(milliseconds));
        let earned = milliseconds.saturating_mul(Self::PER_MILLISECOND);
        self.balance = self.balance.saturating_add(earned).min(Self::CAPACITY);
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { balance: Self::CAPACITY, refilled: Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    /// Mon, 24 Nov 2025 00:00:00 GMT
    const NOW: u64 = 1_763_942_400;

    fn wall() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW)
    }

    fn first_attempt() -> RetryContext {
        RetryContext {
            attempt: 1,
            monotonic: Duration::ZERO,
            elapsed: Duration::ZERO,
            timeout: Duration::MAX,
            random: 0.0,
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    /// The value of a header that is there once, as the transport looks it up.
    fn single<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none())?.to_str().ok().map(str::trim)
    }

    fn rejected(status: u16, headers: &HeaderMap) -> Outcome {
        Outcome::rejected(StatusCode::from_u16(status).unwrap(), |name| single(headers, name), wall())
    }

    fn first(outcome: &Outcome) -> Decision {
        decide(outcome, &RetryPolicy::default(), &first_attempt(), &mut Budget::default())
    }

    const BACKOFF: Decision = Decision::Retry(Duration::from_millis(500));
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
        let after = |milliseconds| Decision::Retry(Duration::from_millis(milliseconds));
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
            (&[("retry-after-ms", "0.5")], Decision::Retry(Duration::from_micros(500))),
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
        let at_once = Decision::Retry(Duration::ZERO);
        let table = [
            (Outcome::NotSent { permanent: false }, RetryAmbiguous::Never, BACKOFF),
            (Outcome::NotSent { permanent: true }, RetryAmbiguous::Always, PERMANENT),
            (Outcome::Closed { reused: true }, RetryAmbiguous::Never, ambiguous),
            (Outcome::Closed { reused: true }, RetryAmbiguous::AfterClose, at_once),
            (Outcome::Closed { reused: true }, RetryAmbiguous::Always, at_once),
            (Outcome::Closed { reused: false }, RetryAmbiguous::Never, ambiguous),
            (Outcome::Closed { reused: false }, RetryAmbiguous::AfterClose, BACKOFF),
            (Outcome::TimedOut, RetryAmbiguous::Never, ambiguous),
            (Outcome::TimedOut, RetryAmbiguous::AfterClose, ambiguous),
            (Outcome::TimedOut, RetryAmbiguous::Always, BACKOFF),
            (Outcome::Committed, RetryAmbiguous::Always, PERMANENT),
        ];
        for (outcome, retry_ambiguous, decision) in table {
            let policy = RetryPolicy { retry_ambiguous, ..RetryPolicy::default() };
            assert_eq!(
                decide(&outcome, &policy, &first_attempt(), &mut Budget::default()),
                decision,
                "{outcome:?} {retry_ambiguous:?}"
            );
        }
    }

    #[test]
    fn only_the_first_resend_after_a_close_is_immediate() {
        let context = RetryContext { attempt: 2, ..first_attempt() };
        let outcome = Outcome::Closed { reused: true };
        let second = decide(&outcome, &RetryPolicy::default(), &context, &mut Budget::default());
        assert_eq!(second, Decision::Retry(Duration::from_secs(1)));
    }

    #[test]
    fn the_backoff_doubles_up_to_its_bound_and_shortens_by_up_to_a_quarter() {
        let policy = RetryPolicy { max_retries: u32::MAX, ..RetryPolicy::default() };
        let none = HeaderMap::new();
        let nominal = [500, 1000, 2000, 4000, 8000, 8000, 8000];
        for (attempt, nominal) in (1..).zip(nominal) {
            for (random, part) in [(0.0, 1.0), (0.5, 0.875), (1.0, 0.75)] {
                let context = RetryContext { attempt, random, ..first_attempt() };
                let decision = decide(&rejected(529, &none), &policy, &context, &mut Budget::default());
                let expected = Duration::from_millis(nominal).mul_f64(part);
                assert_eq!(decision, Decision::Retry(expected), "attempt {attempt}, random {random}");
            }
        }
        let context = RetryContext { attempt: u32::MAX, ..first_attempt() };
        let last = decide(&rejected(529, &none), &policy, &context, &mut Budget::default());
        assert_eq!(last, Decision::Retry(Duration::from_secs(8)));
    }

    #[test]
    fn a_server_delay_is_only_ever_lengthened() {
        for (random, milliseconds) in [(0.0, 1000), (0.5, 1050), (1.0, 1100)] {
            let context = RetryContext { random, ..first_attempt() };
            let headers = headers(&[("retry-after", "1")]);
            let decision = decide(&rejected(429, &headers), &RetryPolicy::default(), &context, &mut Budget::default());
            assert_eq!(decision, Decision::Retry(Duration::from_millis(milliseconds)));
        }
    }

    #[test]
    fn attempts_are_counted() {
        let none = HeaderMap::new();
        for (retries, attempt, stops) in [(0, 1, true), (1, 1, false), (2, 2, false), (2, 3, true), (2, u32::MAX, true)]
        {
            let policy = RetryPolicy { max_retries: retries, ..RetryPolicy::default() };
            let context = RetryContext { attempt, ..first_attempt() };
            let decision = decide(&rejected(500, &none), &policy, &context, &mut Budget::default());
            assert_eq!(decision == Decision::Stop(RetryStop::Attempts), stops, "{retries} {attempt}");
        }
    }

    #[test]
    fn nothing_is_waited_for_past_the_calls_limit() {
        let none = HeaderMap::new();
        let stop = Decision::Stop(RetryStop::Deadline);
        let cases = [(0, 1000, BACKOFF), (499, 1000, BACKOFF), (500, 1000, stop), (2000, 1000, stop), (0, 500, stop)];
        for (elapsed, limit, decision) in cases {
            let context = RetryContext {
                elapsed: Duration::from_millis(elapsed),
                timeout: Duration::from_millis(limit),
                ..first_attempt()
            };
            let mut budget = Budget::default();
            let decided = decide(&rejected(500, &none), &RetryPolicy::default(), &context, &mut budget);
            assert_eq!(decided, decision, "{elapsed} of {limit} ms");
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
            assert_eq!(retry_after(|name| single(&headers, name), wall), delay);
        }
        let mut budget = Budget::default();
        for monotonic in [Duration::MAX, Duration::ZERO, Duration::from_secs(1), Duration::MAX] {
            assert!(budget.withdraw(monotonic));
        }
    }

    #[test]
    fn the_budget_holds_fifty_and_earns_a_fifth_a_call_and_four_a_second() {
        let spend =
            |budget: &mut Budget, at: Duration| std::iter::from_fn(|| budget.withdraw(at).then_some(())).count();
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
            decide(&rejected(400, &none), &RetryPolicy::default(), &first_attempt(), &mut budget);
            let third = RetryContext { attempt: 3, ..first_attempt() };
            decide(&rejected(529, &none), &RetryPolicy::default(), &third, &mut budget);
        }
        for _ in 0..50 {
            assert_eq!(decide(&rejected(529, &none), &RetryPolicy::default(), &first_attempt(), &mut budget), BACKOFF);
        }
        let spent = decide(&rejected(529, &none), &RetryPolicy::default(), &first_attempt(), &mut budget);
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
            let mut context = RetryContext { monotonic: Duration::from_millis(5) * call, ..first_attempt() };
            for attempt in 1.. {
                context.attempt = attempt;
                match decide(&rejected(529, &none), &RetryPolicy::default(), &context, &mut budget) {
                    Decision::Retry(delay) => context.monotonic += delay,
                    _ => break,
                }
                retries += 1;
            }
        }
        assert!((400..=500).contains(&retries), "{retries} retries of 2,000 calls");
    }

    /// The largest number of 1,000 delays within the same hundredth of a second.
    fn most_in_one_bin(headers: &HeaderMap) -> usize {
        let mut random = fastrand::Rng::with_seed(7);
        let mut bins = std::collections::BTreeMap::<u128, usize>::new();
        for _ in 0..1000 {
            let context = RetryContext { random: random.f64(), ..first_attempt() };
            match decide(&rejected(429, headers), &RetryPolicy::default(), &context, &mut Budget::default()) {
                Decision::Retry(delay) => *bins.entry(delay.as_millis() / 10).or_default() += 1,
                stopped => panic!("{stopped:?}"),
            }
        }
        bins.into_values().max().unwrap()
    }

    /// The first delay of the official SDKs is 375 to 500 ms: thirteen bins of 80 if it is even. One second that a server
    /// asks for becomes 1 to 1.1 s: ten bins of 100.
    #[test]
    fn retries_after_a_burst_are_spread() {
        let most = most_in_one_bin(&HeaderMap::new());
        assert!(most <= 120, "{most} of 1,000 in 10 ms");
        let most = most_in_one_bin(&headers(&[("retry-after", "1")]));
        assert!(most <= 140, "{most} of 1,000 in 10 ms");
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
                && let Some(delay) = retry_after(|name| single(&headers, name), wall)
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
            let policy = RetryPolicy {
                max_retries: u32::MAX,
                initial_delay: initial,
                max_delay: longest,
                max_retry_after: asked,
                ..RetryPolicy::default()
            };
            let headers = seconds.map_or_else(HeaderMap::new, |seconds| headers(&[("retry-after", &seconds.to_string())]));
            let context = RetryContext { attempt, random, elapsed, timeout: limit.unwrap_or(Duration::MAX), monotonic: Duration::ZERO };
            let outcome = rejected(status, &headers);
            if let Decision::Retry(delay) = decide(&outcome, &policy, &context, &mut Budget::default()) {
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
}
