//! Which reply answers which request, and whether all went as expected.

use std::any::Any;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::matcher::Matcher;
use super::reply::Reply;
use super::request::ReceivedRequest;

/// A scripted reply and how often it is expected; made by [`Server::reply`](super::Server::reply)
/// and [`When::reply`].
///
/// Unless said otherwise, each of its replies answers exactly one request. What is expected and
/// does not happen fails the test when the server is dropped.
#[derive(Debug)]
pub struct Expectation<'server> {
    script: &'server Script,
    index: usize,
}

/// A matcher that waits for its reply; made by [`Server::when`](super::Server::when).
#[derive(Debug)]
#[must_use = "a matcher does nothing until it gets a reply"]
pub struct When<'server> {
    pub(crate) script: &'server Script,
    pub(crate) matcher: Matcher,
    pub(crate) location: &'static Location<'static>,
}

impl<'server> When<'server> {
    /// What the requests that match are answered with.
    pub fn reply(self, reply: impl Into<Reply>) -> Expectation<'server> {
        self.script.add(self.matcher, reply.into(), self.location)
    }
}

impl Expectation<'_> {
    /// The reply to the next request that matches.
    pub fn then(self, reply: impl Into<Reply>) -> Self {
        self.change(|rule| rule.replies.push(reply.into()));
        self
    }

    /// Exactly this many requests are expected; the last reply answers those that have no reply of
    /// their own. A further request that nothing else answers is a failure; so `times(0)` forbids
    /// it.
    pub fn times(self, count: usize) -> Self {
        self.change(|rule| rule.expected = Expected::Exactly(count));
        self
    }

    /// This many requests or more are expected; the last reply answers those that have no reply of
    /// their own.
    pub fn at_least(self, count: usize) -> Self {
        self.change(|rule| rule.expected = Expected::AtLeast(count));
        self
    }

    /// Any number of requests is fine, none as well; the last reply answers those that have no
    /// reply of their own.
    pub fn any_times(self) -> Self {
        self.at_least(0)
    }

    fn change(&self, change: impl FnOnce(&mut Rule)) {
        if let Some(rule) = lock(&self.script.state).rules.get_mut(self.index) {
            change(rule);
        }
    }
}

/// The rules of a server, and what went wrong.
#[derive(Debug, Default)]
pub(crate) struct Script {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
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
    /// Requests that came after the last expected one and that no other rule answered.
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

    /// The reply of the first rule that matches and is not used up; `None` if there is none.
    ///
    /// # Errors
    /// A sentence, if a matcher panicked.
    pub(crate) fn pick(&self, request: &ReceivedRequest) -> Result<Option<Reply>, String> {
        // The lock is not held while a matcher runs: it may ask the server something.
        let matchers: Vec<Matcher> = lock(&self.state).rules.iter().map(|rule| rule.matcher.clone()).collect();
        let mut used_up = None;
        for (index, matcher) in matchers.iter().enumerate() {
            let is_used_up = lock(&self.state).rules.get(index).is_none_or(Rule::is_used_up);
            if is_used_up && used_up.is_some() {
                continue;
            }
            let accepts = catching(|| matcher.accepts(request))
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

    /// Notes something that fails the test.
    pub(crate) fn fail(&self, failure: String) {
        lock(&self.state).failures.push(failure);
    }

    /// All that went wrong so far, or is still missing, a sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let state = lock(&self.state);
        let unmet = state.rules.iter().filter_map(Rule::problem);
        state.failures.iter().cloned().chain(unmet).collect()
    }
}

impl Rule {
    fn most(&self) -> Option<usize> {
        match self.expected {
            Expected::EachReplyOnce => Some(self.replies.len()),
            Expected::Exactly(count) => Some(count),
            Expected::AtLeast(_) => None,
        }
    }

    fn is_used_up(&self) -> bool {
        self.most().is_some_and(|most| self.used >= most)
    }

    fn next_reply(&mut self) -> Option<Reply> {
        let reply = self.replies.get(self.used).or(self.replies.last()).cloned();
        self.used += 1;
        reply
    }

    /// Only a count that was asked for can be exceeded; a plain reply stands aside when it is used
    /// up.
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

/// Runs a closure of the user's and turns a panic into its message.
pub(crate) fn catching<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| panic_message(&*payload))
}

/// A lock whose poisoning says nothing: no code of the user's runs under it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The message that a test fails with.
pub(crate) fn report(problems: &[String], requests: &[ReceivedRequest]) -> String {
    let mut report = String::from("the test server did not see what was expected");
    for problem in problems {
        let _ = write!(report, "\n  - {problem}");
    }
    let _ = match requests.len() {
        0 => write!(report, "\nit received no request"),
        _ => write!(report, "\nit received:"),
    };
    for request in requests {
        let _ = write!(report, "\n  {}. {} {}", request.number(), request.method(), request.path());
        if let Some(model) = request.model() {
            let _ = write!(report, ", model {model:?}");
        }
        if let Some(text) = request.last_user_text() {
            let start: String = text.chars().take(LONGEST_EXCERPT).collect();
            let dots = if start.len() < text.len() { "…" } else { "" };
            let _ = write!(report, ", last user text {start:?}{dots}");
        }
        let _ = match request.status() {
            Some(status) => write!(report, ", answered with {status}"),
            None => write!(report, ", not answered"),
        };
    }
    report
}

/// How many characters of a request's text a report shows.
const LONGEST_EXCERPT: usize = 60;

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
