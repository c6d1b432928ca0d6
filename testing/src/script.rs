//! The script of a server: replies, and how often each is expected.

use std::any::Any;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::matcher::Matcher;
use crate::reply::Reply;
use crate::request::ReceivedRequest;

/// A scripted reply and the number of requests expected for it.
///
/// Returned by [`Server::reply`](crate::Server::reply) and [`When::reply`]. By default, each reply is expected to be
/// requested exactly once. An expectation that isn't met fails the test when the server is dropped.
#[derive(Debug)]
pub struct Expectation<'server> {
    script: &'server Script,
    index: usize,
}

/// A matcher without a reply. Returned by [`Server::when`](crate::Server::when).
#[derive(Debug)]
#[must_use = "a matcher does nothing until `reply` is called"]
pub struct When<'server> {
    pub(crate) script: &'server Script,
    pub(crate) matcher: Matcher,
    pub(crate) location: &'static Location<'static>,
}

impl<'server> When<'server> {
    /// Sets the reply to requests that match.
    pub fn reply(self, reply: impl Into<Reply>) -> Expectation<'server> {
        self.script.add(self.matcher, reply.into(), self.location)
    }
}

impl Expectation<'_> {
    /// Adds the reply to the next request that matches.
    pub fn then(self, reply: impl Into<Reply>) -> Self {
        self.change(|rule| rule.replies.push(reply.into()));
        self
    }

    /// Expects exactly this many requests, and repeats the last reply for them. A further request that no other rule matches
    /// is a failure, so `times(0)` forbids the request.
    pub fn times(self, count: usize) -> Self {
        self.change(|rule| rule.expected = Expected::Exactly(count));
        self
    }

    /// Expects this many requests or more, and repeats the last reply for them.
    pub fn at_least(self, count: usize) -> Self {
        self.change(|rule| rule.expected = Expected::AtLeast(count));
        self
    }

    /// Allows any number of requests, including none, and repeats the last reply for them.
    pub fn any_times(self) -> Self {
        self.at_least(0)
    }

    fn change(&self, change: impl FnOnce(&mut Rule)) {
        if let Some(rule) = lock(&self.script.state).rules.get_mut(self.index) {
            change(rule);
        }
    }
}

/// The rules of a server and the failures so far.
#[derive(Debug, Default)]
pub(crate) struct Script {
    state: Mutex<ScriptState>,
}

#[derive(Debug, Default)]
struct ScriptState {
    rules: Vec<Rule>,
    failures: Vec<String>,
}

#[derive(Debug)]
struct Rule {
    matcher: Matcher,
    replies: Vec<Reply>,
    location: &'static Location<'static>,
    expected: Expected,
    used: usize,
    /// Requests after the last expected one that no other rule matched.
    excess: usize,
}

#[derive(Clone, Copy, Debug)]
enum Expected {
    EachReplyOnce,
    Exactly(usize),
    AtLeast(usize),
}

impl Script {
    pub(crate) fn add(&self, matcher: Matcher, reply: Reply, location: &'static Location<'static>) -> Expectation<'_> {
        let mut state = lock(&self.state);
        state.rules.push(Rule {
            matcher,
            replies: vec![reply],
            location,
            expected: Expected::EachReplyOnce,
            used: 0,
            excess: 0,
        });
        Expectation { script: self, index: state.rules.len() - 1 }
    }

    /// Returns the reply of the first rule that matches and isn't used up.
    ///
    /// # Errors
    ///
    /// Fails if a matcher panics.
    pub(crate) fn pick(&self, request: &ReceivedRequest) -> Result<Option<Reply>, String> {
        // Don't hold the lock while a matcher runs: it may use the server.
        let matchers: Vec<Matcher> = lock(&self.state).rules.iter().map(|rule| rule.matcher.clone()).collect();
        let mut used_up = None;
        for (index, matcher) in matchers.iter().enumerate() {
            let is_used_up = lock(&self.state).rules.get(index).is_none_or(Rule::is_used_up);
            if is_used_up && used_up.is_some() {
                continue;
            }
            let accepts = catch_panic(|| matcher.accepts(request))
                .map_err(|panic| format!("the matcher \"{matcher}\" panicked: {panic}"))?;
            match (accepts, is_used_up) {
                (true, true) => used_up = Some(index),
                (true, false) => {
                    return Ok(lock(&self.state).rules.get_mut(index).and_then(Rule::next_reply));
                }
                (false, _) => {}
            }
        }
        if let Some(index) = used_up
            && let Some(rule) = lock(&self.state).rules.get_mut(index)
        {
            rule.exceed();
        }
        Ok(None)
    }

    /// Records a failure.
    pub(crate) fn fail(&self, failure: String) {
        lock(&self.state).failures.push(failure);
    }

    /// Returns the failures so far and the unmet expectations.
    pub(crate) fn problems(&self) -> Vec<String> {
        let state = lock(&self.state);
        let unmet = state.rules.iter().filter_map(Rule::problem);
        state.failures.iter().cloned().chain(unmet).collect()
    }
}

impl Rule {
    fn limit(&self) -> Option<usize> {
        match self.expected {
            Expected::EachReplyOnce => Some(self.replies.len()),
            Expected::Exactly(count) => Some(count),
            Expected::AtLeast(_) => None,
        }
    }

    fn is_used_up(&self) -> bool {
        self.limit().is_some_and(|limit| self.used >= limit)
    }

    fn next_reply(&mut self) -> Option<Reply> {
        let reply = self.replies.get(self.used).or(self.replies.last()).cloned();
        self.used += 1;
        reply
    }

    /// Counts an excess request. Only [`Expectation::times`] sets a limit that can be exceeded.
    fn exceed(&mut self) {
        if matches!(self.expected, Expected::Exactly(_)) {
            self.excess += 1;
        }
    }

    fn problem(&self) -> Option<String> {
        let got = self.used + self.excess;
        let (least, wanted) = match self.expected {
            Expected::EachReplyOnce => (self.replies.len(), format!("{}", self.replies.len())),
            Expected::Exactly(count) => (count, format!("exactly {count}")),
            Expected::AtLeast(count) => (count, format!("at least {count}")),
        };
        if got >= least && self.excess == 0 {
            return None;
        }
        Some(format!("{}: expected {wanted}, got {got} (scripted at {})", self.matcher, self.location))
    }
}

/// Runs a closure of the test. A panic becomes an error with its message.
pub(crate) fn catch_panic<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| panic_message(&*payload))
}

/// Locks a mutex and ignores poisoning, since no code of a test runs while it is locked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the message that a test fails with.
pub(crate) fn report(problems: &[String], requests: &[ReceivedRequest]) -> String {
    let mut report = String::from("the test server's expectations weren't met");
    for problem in problems {
        let _ = write!(report, "\n  - {problem}");
    }
    let _ = match requests.len() {
        0 => write!(report, "\nreceived no request"),
        _ => write!(report, "\nreceived:"),
    };
    for request in requests {
        let _ = write!(report, "\n  {}. {} {}", request.number(), request.method(), request.path());
        if let Some(model) = request.model() {
            let _ = write!(report, ", model {model:?}");
        }
        if let Some(text) = request.last_user_text() {
            let start: String = text.chars().take(MAX_EXCERPT).collect();
            let dots = if start.len() < text.len() { "…" } else { "" };
            let _ = write!(report, ", last user text {start:?}{dots}");
        }
        let _ = match request.status() {
            Some(status) => write!(report, ", replied with {status}"),
            None => write!(report, ", no reply"),
        };
    }
    report
}

/// The number of characters of a request's text in a report.
const MAX_EXCERPT: usize = 60;

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
