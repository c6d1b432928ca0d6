//! The one place where requests are sent: credential, headers, attempts, limits, spans.

mod answer;
mod base_url;
mod ending;
mod redaction;
mod timing;

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, Entry},
};
use reqwest::Url;
use tokio::{runtime::Handle, time::timeout};

pub use self::timing::Timing;
pub(crate) use self::timing::TokioTiming;
use self::{
    answer::Success,
    ending::{Failed, of_error, timed_out},
};
pub(crate) use self::{
    base_url::BaseUrl,
    redaction::{redacted, redacted_beginning},
};
use crate::{
    auth::Credential,
    error::{Error, ErrorKind},
    generated::Client,
    observe::{Answer, AttemptError, CallSpan, Observer, Request, Unknown, Watch},
    retry::{Budget, Decision, Moment, RetryPolicy, decide, server_delay},
    runtime::{ClientHooks, Failure, OperationInfo, PackedHeaders, Reason, Reply, RetryStop},
};

/// What the crate keeps in the generated client. Cloning it is cheap.
#[derive(Clone)]
pub(crate) struct Inner {
    shared: Arc<Shared>,
    settings: Arc<Settings>,
}

/// What all clones of a client share, whatever their options.
pub(crate) struct Shared {
    pub(crate) timing: Arc<dyn Timing>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) budget: Mutex<Budget>,
    /// What the contract's paths are appended to.
    pub(crate) base: BaseUrl,
    /// Host and port of the server, for messages.
    pub(crate) host: String,
    /// Whether the HTTP client is the caller's, and may follow redirects.
    pub(crate) foreign: bool,
}

/// What holds for the calls of a client, and may be changed for some of them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) credential: Credential,
    /// Headers of every call, unless the operation sets them itself.
    pub(crate) headers: HeaderMap,
    /// Headers that stand above everything else.
    pub(crate) call_headers: HeaderMap,
    pub(crate) timeout: Duration,
    /// `None` where nothing but the limit of the call as a whole holds.
    pub(crate) response_timeout: Option<Duration>,
    pub(crate) idle_timeout: Duration,
    /// The time between two events of a streamed message.
    pub(crate) event_timeout: Option<Duration>,
    /// The time of a streamed call as a whole.
    pub(crate) stream_timeout: Option<Duration>,
    pub(crate) retry: RetryPolicy,
    pub(crate) max_response_bytes: u64,
    pub(crate) max_error_bytes: u64,
    /// `None` for the limit of the decoder.
    pub(crate) max_event_bytes: Option<usize>,
    /// What is wrong with the options of a call.
    pub(crate) defect: Option<String>,
}

impl Inner {
    pub(crate) fn new(shared: Shared, settings: Settings) -> Self {
        Self { shared: Arc::new(shared), settings: Arc::new(settings) }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The same client with other options.
    #[must_use]
    pub(crate) fn with_settings(&self, settings: Settings) -> Self {
        Self { shared: Arc::clone(&self.shared), settings: Arc::new(settings) }
    }
}

impl Settings {
    /// Puts credential and headers into a request. Later stands above earlier: what the operation
    /// sets, the credential, the client's headers (an operation's own header parameters excepted),
    /// the call's headers.
    fn apply(&self, request: &mut HeaderMap) {
        // Room for all that will be in it, the credential and those of the HTTP client among them.
        request.reserve(self.headers.len() + self.call_headers.len() + 4);
        self.credential.apply(request);
        for (name, value) in &self.headers {
            match request.entry(name) {
                Entry::Vacant(entry) => drop(entry.insert(value.clone())),
                Entry::Occupied(mut entry) if name == ACCEPT || name == CONTENT_TYPE => {
                    entry.insert(value.clone());
                }
                Entry::Occupied(_) => {}
            }
        }
        for (name, value) in &self.call_headers {
            request.insert(name, value.clone());
        }
    }
}

impl ClientHooks<Inner> for Client {
    fn url(&self, path: &str) -> Url {
        self.inner.shared.base.append(path)
    }

    async fn exec(&self, request: Box<reqwest::Request>, info: &OperationInfo) -> Result<Reply, Failure> {
        let body = request.body().and_then(reqwest::Body::as_bytes);
        let span = CallSpan::start(info, &self.inner.shared.host, body);
        let call = Call {
            client: &self.client,
            shared: &self.inner.shared,
            settings: &self.inner.settings,
            info,
            span: &span,
            started: self.inner.shared.timing.monotonic(),
            attempts: 0,
            in_flight: false,
            answer: Default::default(),
            may_have_been_processed: false,
            last: None,
        };
        // In a box, or each task that calls would be larger by a kilobyte for as long as it lives.
        let mut reply = span.run(Box::pin(call.run(request))).await?;
        let observer = self.inner.shared.observer.clone();
        if cfg!(feature = "tracing") || observer.is_some() {
            reply.set_companion(Box::new(Watch::new(span, observer.clone(), info, &reply)));
        }
        if let Some(observer) = observer {
            let operation = info.operation_id;
            reply.set_tell(Arc::new(move |noted| observer.unknown(&Unknown::new(operation, noted))));
        }
        Ok(reply)
    }
}

/// One call, with all its attempts.
struct Call<'a> {
    client: &'a reqwest::Client,
    shared: &'a Shared,
    settings: &'a Settings,
    info: &'a OperationInfo,
    span: &'a CallSpan,
    started: Duration,
    attempts: u32,
    /// Whether an attempt is under way.
    in_flight: bool,
    /// Status and headers of its answer, while that is read.
    answer: (Option<StatusCode>, PackedHeaders),
    /// Whether a server may have acted on an attempt that is over.
    may_have_been_processed: bool,
    /// Why the attempt before this one, or before this wait, failed.
    last: Option<Failure>,
}

impl Call<'_> {
    async fn run(mut self, request: Box<reqwest::Request>) -> Result<Reply, Failure> {
        let outcome = match self.refused() {
            Some(failure) => Err(self.fail(failure, None)),
            None => match timeout(self.settings.timeout, self.attempts(request)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(self.out_of_time()),
            },
        };
        match &outcome {
            Ok(reply) => {
                if let Some(body) = reply.bytes() {
                    self.span.whole(body, reply.elapsed());
                }
            }
            Err(failure) => self.tell(failure, None),
        }
        outcome
    }

    /// Why nothing can be sent at all.
    fn refused(&self) -> Option<Failure> {
        if let Some(defect) = &self.settings.defect {
            return Some(Failure::new(Reason::Options(defect.clone())));
        }
        // Outside of a runtime tokio panics.
        Handle::try_current().err().map(|error| Failure::new(Reason::NoRuntime).because(error))
    }

    async fn attempts(&mut self, mut request: Box<reqwest::Request>) -> Result<Reply, Failure> {
        self.budget(Budget::deposit);
        loop {
            self.attempts = self.attempts.saturating_add(1);
            // Copied without the headers that every attempt is given anew.
            let is_last = self.attempts > self.settings.retry.max_retries;
            let next = if is_last { None } else { request.try_clone().map(Box::new) };
            self.settings.apply(request.headers_mut());
            self.in_flight = true;
            let ended = self.attempt(request).await;
            self.in_flight = false;
            self.answer.0 = None;
            let Failed { failure, ending } = match ended {
                Ok(Success { status, headers, body }) => {
                    return Ok(Reply::new(status, headers, body, self.attempts, self.elapsed()));
                }
                Err(failed) => failed,
            };
            self.may_have_been_processed |= ending.may_have_been_processed();
            let decision = {
                let moment = self.moment();
                let outcome = ending.outcome(&failure);
                self.budget(|budget| decide(self.attempts, &outcome, &self.settings.retry, &moment, budget))
            };
            request = match (decision, next) {
                (Decision::Stop(stop), _) => return Err(self.fail(failure, Some(stop))),
                (Decision::After(_), None) => return Err(self.fail(failure, Some(RetryStop::Body))),
                (Decision::After(delay), Some(next)) => {
                    let failure = self.fail(failure, None);
                    self.tell(&failure, Some(delay));
                    self.last = Some(failure);
                    if !delay.is_zero() {
                        self.shared.timing.sleep(delay).await;
                    }
                    next
                }
            };
        }
    }

    /// Sends the request once.
    async fn attempt(&mut self, mut request: Box<reqwest::Request>) -> Result<Success, Failed> {
        if let Some(observer) = &self.shared.observer {
            let mut view =
                Request { operation: self.info.operation_id, attempt: self.attempts, headers: request.headers_mut() };
            observer.request(&mut view).map_err(|refusal| Failed {
                failure: refusal.into(),
                ending: ending::Ending::NotSent { permanent: true },
            })?;
        }
        let asked = self.shared.foreign.then(|| request.url().clone());
        let sending = self.client.execute(*request);
        // A limit that the call as a whole can't reach needs no timer.
        let sent = match self.settings.response_timeout.filter(|limit| *limit < self.settings.timeout) {
            Some(limit) => timeout(limit, sending).await.map_err(|_| timed_out(limit))?,
            None => sending.await,
        };
        let mut response = sent.map_err(of_error)?;
        let status = response.status();
        let left = self.settings.timeout.saturating_sub(self.elapsed());
        self.answer = (Some(status), answer::take_headers(&mut response, self.settings.credential.secret()));
        let headers = &mut self.answer.1;
        self.span.answered(status, headers, self.attempts);
        if let Some(observer) = &self.shared.observer {
            observer.response(&Answer {
                operation: self.info.operation_id,
                attempt: self.attempts,
                status,
                request_id: headers.request_id(),
                elapsed: self.shared.timing.monotonic().saturating_sub(self.started),
            });
        }
        // A client of the caller's may have followed a redirect, whatever we advise.
        if asked.is_some_and(|asked| asked != *response.url()) {
            return Err(answer::fail(Reason::Followed, status, headers, Bytes::new(), ending::Ending::Committed));
        }
        answer::read(response, headers, self.info.streaming, left, self.settings).await
    }

    fn moment(&self) -> Moment {
        let mut moment = Moment::default();
        moment.wall = self.shared.timing.wall();
        moment.monotonic = self.shared.timing.monotonic();
        moment.elapsed = moment.monotonic.saturating_sub(self.started);
        moment.limit = Some(self.settings.timeout);
        moment.random = self.shared.timing.random();
        moment
    }

    fn elapsed(&self) -> Duration {
        self.shared.timing.monotonic().saturating_sub(self.started)
    }

    fn budget<T>(&self, with: impl FnOnce(&mut Budget) -> T) -> T {
        // A panic can't leave the budget half changed.
        with(&mut self.shared.budget.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn out_of_time(&mut self) -> Failure {
        let mut failure = Failure::new(Reason::TotalTimeout(self.settings.timeout));
        if let (Some(status), headers) = mem::take(&mut self.answer) {
            failure.facts_mut().status = Some(status);
            failure.facts_mut().headers = headers.into_map();
        }
        let failure = match self.last.take() {
            Some(last) => failure.because(Error::from(last)),
            None => failure,
        };
        self.fail(failure, None)
    }

    /// Tells span and observer of an attempt that failed, and of the wait if another follows.
    fn tell(&self, failure: &Failure, retry_in: Option<Duration>) {
        let observer = self.shared.observer.as_deref();
        if !cfg!(feature = "tracing") && observer.is_none() {
            return;
        }
        let facts = failure.facts();
        let error = AttemptError {
            operation: self.info.operation_id,
            attempt: facts.attempts,
            kind: ErrorKind::of_failure(failure),
            status: facts.status,
            description: &failure.to_string(),
            retry_in,
            elapsed: facts.elapsed,
        };
        match retry_in {
            Some(delay) => self.span.retrying(&error, delay),
            None => self.span.failed(&error),
        }
        if let Some(observer) = observer {
            observer.error(&error);
        }
    }

    /// Adds what the call knows.
    fn fail(&self, mut failure: Failure, stop: Option<RetryStop>) -> Failure {
        let (attempts, elapsed) = (self.attempts, self.elapsed());
        let may_have_been_processed = self.may_have_been_processed || self.in_flight;
        let facts = failure.facts_mut();
        facts.host = Some(self.shared.host.clone());
        facts.attempts = attempts;
        facts.elapsed = elapsed;
        facts.may_have_been_processed |= may_have_been_processed;
        facts.retry_after = server_delay(&facts.headers, self.shared.timing.wall());
        facts.retry_stop = stop;
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{ApiKey, AuthScheme};

    fn map<const N: usize>(headers: [(&'static str, &'static str); N]) -> HeaderMap {
        headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn headers_replace_each_other_in_their_order() {
        let settings = Settings {
            credential: Credential::new(&ApiKey::from("sk-test-1"), AuthScheme::XApiKey).unwrap(),
            headers: map([
                ("accept", "client"),
                ("x-operation", "client"),
                ("x-client", "client"),
                ("x-call", "client"),
            ]),
            call_headers: map([("x-call", "call"), ("content-type", "call")]),
            timeout: Duration::ZERO,
            response_timeout: None,
            idle_timeout: Duration::ZERO,
            event_timeout: None,
            stream_timeout: None,
            retry: RetryPolicy::default(),
            max_response_bytes: 0,
            max_error_bytes: 0,
            max_event_bytes: None,
            defect: None,
        };
        let names = ["accept", "authorization", "content-type", "x-api-key", "x-operation", "x-call"];
        let mut headers = map(names.map(|name| (name, "operation")));
        settings.apply(&mut headers);
        let expected = map([
            ("accept", "client"),
            ("content-type", "call"),
            ("x-api-key", "sk-test-1"),
            ("x-operation", "operation"),
            ("x-call", "call"),
            ("x-client", "client"),
        ]);
        assert_eq!(headers, expected);
        assert!(headers["x-api-key"].is_sensitive());
    }
}
