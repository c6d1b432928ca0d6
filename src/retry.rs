//! Whether and when a call is tried again.
//!
//! Everything here is a pure function of its arguments: clock, randomness and budget are handed
//! in, nothing is sent and nothing waits. The transport does what [`decide`] says.
//!
//! The rules are those of the official SDKs (two retries; 408, 409, 429 and 5xx; `x-should-retry`,
//! `retry-after-ms`, `retry-after`; the same exponential backoff), with three differences: a
//! server's wish to wait is honoured only up to a bound, a [`Budget`] keeps a dead server from
//! being stormed, and a request that timed out is not sent twice unless the caller says so.
//!
//! ```
//! use anthropic_messages::retry::{Budget, Decision, Moment, Outcome, RetryPolicy, decide};
//! use http::{HeaderMap, StatusCode};
//! use std::time::Duration;
//!
//! let mut headers = HeaderMap::new();
//! headers.insert("retry-after", "3".parse()?);
//! let outcome = Outcome::Rejected { status: StatusCode::TOO_MANY_REQUESTS, headers: &headers };
//! let decision = decide(1, &outcome, &RetryPolicy::default(), &Moment::default(), &mut Budget::default());
//! assert_eq!(decision, Decision::After(Duration::from_secs(3)));
//! # Ok::<(), http::header::InvalidHeaderValue>(())
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, StatusCode};

pub use crate::runtime::RetryStop;

/// The longest wait that is read from a header at all: 2^31 - 1 milliseconds, about 24.8 days.
/// Anything longer is a mistake, and the backoff applies.
const LONGEST_DELAY: Duration = Duration::from_millis(i32::MAX as u64);

/// How often, how long and after what a call is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How many further attempts may follow the first. Default: 2.
    pub max_retries: u32,
    /// The backoff before the first retry; it doubles with each further one. Default: 0.5 s.
    pub initial_delay: Duration,
    /// The longest backoff. Default: 8 s.
    pub max_delay: Duration,
    /// The longest wait that a server may ask for. When it asks for more, the call fails at once
    /// and the error carries the wait. Default: 60 s.
    pub max_retry_after: Duration,
    /// Whether a request is sent again that may have been processed. Default: [`Resend::AfterClose`].
    pub resend: Resend,
}

/// Whether a request is sent again although it is not known if the server has processed it.
///
/// The API has no idempotency key: a request that was processed and is sent again is billed twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resend {
    /// Never.
    Never,
    /// When the connection ended before an answer began, which mostly means that the server had
    /// closed an idle connection. Not after a timeout. The default.
    #[default]
    AfterClose,
    /// Also when no answer began in time, as the official SDKs do.
    Always,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 2,
            initial_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(8),
            max_retry_after: Duration::from_secs(60),
            resend: Resend::default(),
        }
    }
}

/// How an attempt ended, by what the server can have seen of it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// The request did not reach a server. `permanent` when another attempt would end the same
    /// way: a certificate that is not trusted, a proxy that refuses.
    NotSent {
        /// Whether another attempt would end the same way.
        permanent: bool,
    },
    /// The server answered with an error.
    Rejected {
        /// The status of the answer.
        status: StatusCode,
        /// The headers of the answer.
        headers: &'a HeaderMap,
    },
    /// The request was sent, and the connection ended before an answer began.
    Closed,
    /// The request was sent, and no answer began in time.
    TimedOut,
    /// An answer began that is not an error: the server has done its work.
    Committed,
}

/// When the decision is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Moment {
    /// The wall clock, needed for dates in `retry-after`.
    pub wall: SystemTime,
    /// A clock that never jumps, from any fixed point: what the budget is filled by.
    pub monotonic: Duration,
    /// How long the call has taken so far.
    pub elapsed: Duration,
    /// How long the call may take as a whole.
    pub limit: Option<Duration>,
    /// A random number from 0 to below 1.
    pub random: f64,
}

impl Default for Moment {
    /// 1970, nothing elapsed, no limit, and 0 as the random number.
    fn default() -> Self {
        Self { wall: UNIX_EPOCH, monotonic: Duration::ZERO, elapsed: Duration::ZERO, limit: None, random: 0.0 }
    }
}

/// What to do after an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Try again after this wait.
    After(Duration),
    /// Give up.
    Stop(RetryStop),
}

/// Decides what follows after attempt number `attempt` (from 1) ended with `outcome`.
///
/// The budget pays for a retry only when everything else speaks for it.
pub fn decide(
    attempt: u32,
    outcome: &Outcome<'_>,
    policy: &RetryPolicy,
    moment: &Moment,
    budget: &mut Budget,
) -> Decision {
    if let Some(stop) = forbidden(outcome, policy.resend) {
        return Decision::Stop(stop);
    }
    if attempt > policy.max_retries {
        return Decision::Stop(RetryStop::Attempts);
    }
    let asked = match outcome {
        Outcome::Rejected { headers, .. } => server_delay(headers, moment.wall),
        _ => None,
    };
    let delay = match asked {
        Some(asked) if asked > policy.max_retry_after => return Decision::Stop(RetryStop::Delay),
        // Upwards only: the server said not to come earlier.
        Some(asked) => asked.saturating_add((asked / 10).mul_f64(fraction(moment.random))),
        // A connection that was closed while idle says nothing about the server's health.
        None if attempt == 1 && matches!(outcome, Outcome::Closed) => Duration::ZERO,
        None => backoff(attempt, policy, moment.random),
    };
    if moment.limit.is_some_and(|limit| moment.elapsed.saturating_add(delay) >= limit) {
        return Decision::Stop(RetryStop::Deadline);
    }
    if !budget.withdraw(moment.monotonic) {
        return Decision::Stop(RetryStop::Budget);
    }
    Decision::After(delay)
}

fn forbidden(outcome: &Outcome<'_>, resend: Resend) -> Option<RetryStop> {
    match outcome {
        Outcome::NotSent { permanent: false } => None,
        Outcome::NotSent { permanent: true } | Outcome::Committed => Some(RetryStop::Permanent),
        Outcome::Rejected { status, headers } => (!may_retry(*status, headers)).then_some(RetryStop::Permanent),
        Outcome::Closed => (resend == Resend::Never).then_some(RetryStop::Ambiguous),
        Outcome::TimedOut => (resend != Resend::Always).then_some(RetryStop::Ambiguous),
    }
}

/// Whether an answer allows another attempt: what `x-should-retry` says, else 408, 409, 429 and
/// everything from 500 on.
fn may_retry(status: StatusCode, headers: &HeaderMap) -> bool {
    match single(headers, "x-should-retry") {
        Some("true") => true,
        Some("false") => false,
        _ => matches!(status.as_u16(), 408 | 409 | 429 | 500..),
    }
}

/// How long a server asks to wait: `retry-after-ms` in milliseconds, else `retry-after` in seconds
/// or as an HTTP date (RFC 9110, section 10.2.3). Fractions are read.
///
/// Whatever is not a positive wait of at most 24.8 days counts as not said: zero, negative, not a
/// number, in the past, given twice.
#[must_use]
pub fn server_delay(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    let milliseconds = || positive(single(headers, "retry-after-ms")?, 1000.0);
    let seconds = || {
        let value = single(headers, "retry-after")?;
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

/// The value of a header that is given once and is text.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::trim),
        _ => None,
    }
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

/// What a client may spend on retries, so that a server that fails everything is sent a fifth of
/// the calls more, and four a second, instead of several times as many.
///
/// Each call adds a fifth of a retry, each second adds four, and at most 50 are kept. It starts
/// full: a client of few calls always retries, and one of many does not make a storm.
#[derive(Clone, Debug)]
pub struct Budget {
    /// In thousandths of a retry.
    balance: u64,
    /// Up to when the time has been counted.
    filled: Duration,
}

impl Budget {
    const RETRY: u64 = 1000;
    const CAPACITY: u64 = 50 * Self::RETRY;
    const PER_CALL: u64 = Self::RETRY / 5;
    /// Four retries a second.
    const PER_MILLISECOND: u64 = 4;

    /// Adds what one call earns.
    pub fn deposit(&mut self) {
        self.balance = (self.balance + Self::PER_CALL).min(Self::CAPACITY);
    }

    /// Takes what one retry costs; `false` when there is not enough. `monotonic` is the time as
    /// [`Moment::monotonic`] has it.
    #[must_use]
    pub fn withdraw(&mut self, monotonic: Duration) -> bool {
        self.fill(monotonic);
        match self.balance.checked_sub(Self::RETRY) {
            Some(rest) => {
                self.balance = rest;
                true
            }
            None => false,
        }
    }

    fn fill(&mut self, monotonic: Duration) {
        let Some(passed) = monotonic.checked_sub(self.filled) else { return };
        let milliseconds = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        // Only whole milliseconds are counted, and the rest is left for the next time.
        self.filled = self.filled.saturating_add(Duration::from_millis(milliseconds));
        let earned = milliseconds.saturating_mul(Self::PER_MILLISECOND);
        self.balance = self.balance.saturating_add(earned).min(Self::CAPACITY);
    }
}

impl Default for Budget {
    /// Full.
    fn default() -> Self {
        Self { balance: Self::CAPACITY, filled: Duration::ZERO }
    }
}
