//! One call: its attempts, limits and retries.

use std::{mem, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    Shared,
    answer::Body,
    body::Reading,
    dispatch::Dispatch,
    exchange::{self, Peer},
    gate::{self, AttemptFailure, Form, Origin},
    multipart::MultipartForm,
    operation::Operation,
    settings::Settings,
};
use crate::{
    auth::{Credential, CredentialSource},
    error::{Error, ErrorKind},
    json::find_members,
    observe::CallRecorder,
    redact::{contains, redacted, redacted_beginning},
    response::{Head, PackedHeaders},
    retry::{Budget, Decision, Outcome, RetryContext, RetryStop, decide},
    stream::sse,
};

/// Longest time to read the body of an error. The status is known and can be reported without it.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Most bytes of a page that arrived in place of a stream, and the longest time to read them.
const PAGE_LIMIT: u64 = gate::PAGE_LIMIT as u64;
const PAGE_TIMEOUT: Duration = Duration::from_secs(1);

/// One call, with all its attempts.
pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    pub(super) settings: &'a Arc<Settings>,
    pub(super) operation: &'static Operation,
    /// The body of the request, if it is a form of several parts.
    form: Option<&'a MultipartForm>,
    pub(super) recorder: &'a mut CallRecorder,
    started: Duration,
    timeout: Duration,
    deadline: Option<Instant>,
    /// Information about the current attempt and the ones before it.
    head: Head,
    /// The credential of the current attempt.
    credential: Option<Credential>,
    /// The current attempt, or `None` between attempts.
    dispatch: Option<Dispatch>,
    /// The error of the attempt before the current one or before the current delay.
    last: Option<Error>,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        settings: &'a Arc<Settings>,
        operation: &'static Operation,
        form: Option<&'a MultipartForm>,
        recorder: &'a mut CallRecorder,
    ) -> Self {
        let timeout = settings.timeout();
        Self {
            shared,
            settings,
            operation,
            form,
            recorder,
            started: shared.timing.monotonic(),
            timeout,
            deadline: Instant::now().checked_add(timeout),
            head: Head::default(),
            credential: None,
            dispatch: None,
            last: None,
        }
    }

    /// Makes attempts until one succeeds or there is a reason to stop. Returns the settings with the credential that was sent.
    pub(super) async fn run(mut self, request: Box<reqwest::Request>) -> Result<(Head, Body, Arc<Settings>), Error> {
        let outcome = match self.deadline {
            Some(deadline) => match timeout_at(deadline, self.attempts(request)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(self.timed_out()),
            },
            // A timeout this long never ends.
            None => self.attempts(request).await,
        };
        let body = outcome?;
        let settings = match (&self.settings.credential, self.credential) {
            (CredentialSource::Provided(_), Some(credential)) => {
                let credential = CredentialSource::Fixed(credential);
                Arc::new(Settings { credential, ..Settings::clone(self.settings) })
            }
            _ => Arc::clone(self.settings),
        };
        Ok((self.head, body, settings))
    }

    async fn attempts(&mut self, mut request: Box<reqwest::Request>) -> Result<Body, Error> {
        self.budget(Budget::deposit);
        let mut replacement = None;
        let mut is_replaced = false;
        loop {
            let credential = match replacement.take() {
                Some(credential) => credential,
                None => self.next_credential().await?,
            };
            self.head.attempts = self.head.attempts.saturating_add(1);
            // Cloned without the headers that every attempt gets anew.
            let provider = match &self.settings.credential {
                CredentialSource::Provided(provider) if !is_replaced => Some(provider),
                _ => None,
            };
            let is_last = self.head.attempts > self.settings.retry.max_retries && provider.is_none();
            let is_repeatable = self.form.is_none_or(MultipartForm::is_repeatable);
            let next = if is_last || !is_repeatable { None } else { request.try_clone().map(Box::new) };
            self.settings.apply(&credential, request.headers_mut());
            self.credential = Some(credential);
            let ended = self.attempt(request).await;
            self.dispatch = None;
            let AttemptFailure { error, outcome } = match ended {
                Ok(body) => {
                    self.head.elapsed = self.elapsed();
                    self.head.may_have_been_processed_before = self.head.may_have_been_processed;
                    self.head.may_have_been_processed = true;
                    return Ok(body);
                }
                Err(failure) => failure,
            };
            let context = RetryContext {
                attempt: self.head.attempts,
                monotonic: self.shared.timing.monotonic(),
                elapsed: self.elapsed(),
                timeout: self.timeout,
                random: self.shared.timing.random(),
            };
            let decision = self.budget(|budget| decide(&outcome, &self.settings.retry, &context, budget));
            request = match (decision, next) {
                (Decision::Stop(stop), Some(next))
                    if error.kind() == ErrorKind::Authentication && provider.is_some() =>
                {
                    let error = self.failed(error, &outcome, Some(stop));
                    let Some(credential) = self.replace_credential(&error).await? else { return Err(error) };
                    replacement = Some(credential);
                    is_replaced = true;
                    self.recorder.retrying(&error, Duration::ZERO);
                    self.last = Some(error);
                    next
                }
                (Decision::Stop(stop), _) => return Err(self.failed(error, &outcome, Some(stop))),
                (Decision::Retry(_), None) => return Err(self.failed(error, &outcome, Some(RetryStop::Body))),
                (Decision::Retry(delay), Some(next)) => {
                    let error = self.failed(error, &outcome, None);
                    self.recorder.retrying(&error, delay);
                    self.last = Some(error);
                    if !delay.is_zero() {
                        self.shared.timing.sleep(delay).await;
                    }
                    next
                }
            };
        }
    }

    /// Returns the credential for the next attempt.
    async fn next_credential(&mut self) -> Result<Credential, Error> {
        match &self.settings.credential {
            CredentialSource::Fixed(credential) => Ok(credential.clone()),
            CredentialSource::Provided(provider) => {
                // Boxed to keep the future of other calls small.
                let outcome = Box::pin(provider.get(self.shared.timing.wall())).await;
                outcome.map_err(|error| self.failed(error, &Outcome::NotSent { permanent: true }, None))
            }
        }
    }

    /// Returns a credential to use in place of one that was rejected, if there is one.
    async fn replace_credential(&mut self, rejection: &Error) -> Result<Option<Credential>, Error> {
        let (CredentialSource::Provided(provider), Some(rejected)) = (&self.settings.credential, &self.credential)
        else {
            return Ok(None);
        };
        let replaced = Box::pin(provider.replace(rejected, rejection)).await;
        replaced.map_err(|error| error.with_head(rejection.head().clone()))
    }

    /// Sends the request once and reads the response as far as the operation wants it.
    async fn attempt(&mut self, mut request: Box<reqwest::Request>) -> Result<Body, AttemptFailure> {
        self.recorder.request(self.head.attempts, request.headers_mut()).map_err(|refusal| {
            let error = Error::new(ErrorKind::Refused, "an observer refused the request").with_source(refusal);
            AttemptFailure::new(error, Outcome::NotSent { permanent: true })
        })?;
        if let Some(form) = self.form {
            let body = form.body().map_err(|error| AttemptFailure::new(error, Outcome::NotSent { permanent: true }))?;
            *request.body_mut() = Some(body);
        }
        let address = request.url().clone();
        let peer = self.peer();
        // Skip the timer when the timeout of the call fires first.
        let limit = self.settings.response_timeout.filter(|limit| *limit < self.timeout);
        let response_deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let dispatch = &*self.dispatch.insert(Dispatch::default());
        dispatch.observe(&mut request);
        let sending = dispatch.run(self.shared.http.execute(*request));
        let (sent, is_reused) = match (response_deadline, limit) {
            (Some(deadline), Some(limit)) => timeout_at(deadline, sending)
                .await
                .map_err(|_| exchange::response_timed_out(peer, limit, !dispatch.cancel()))?,
            _ => sending.await,
        };
        let mut response = sent.map_err(|error| exchange::classify(error, peer, is_reused))?;
        self.head.status = Some(response.status());
        self.head.headers = take_headers(&mut response, self.secret());
        self.head.elapsed = self.elapsed();
        self.recorder.response(&self.head);
        // The HTTP client of a caller may have followed a redirect.
        if *response.url() != address {
            let sentence = "the HTTP client followed a redirect, and its response is discarded";
            return Err(AttemptFailure::new(Error::new(ErrorKind::Redirect, sentence), Outcome::Committed));
        }
        self.read(response, &address).await
    }

    /// Reads as much of a response as needed. Dropping the rest closes the connection.
    async fn read(&self, response: reqwest::Response, address: &reqwest::Url) -> Result<Body, AttemptFailure> {
        let status = response.status();
        let form = gate::form(status, &self.head.headers, self.operation);
        let mut reading = Reading::new(response);
        let mut first = Bytes::new();
        let form = match form {
            Form::Redirect => {
                self.check(&first, address)?;
                return Ok(Body::Whole(first));
            }
            Form::Bytes => return Ok(Body::Stream(reading.into_stream(first))),
            Form::Events | Form::Unknown => {
                if form == Form::Unknown || self.settings.checks_first_event {
                    first = self.first_event(&mut reading).await?;
                }
                // Nothing at all is an empty document, unless the type says that it is a stream.
                let is_stream = form == Form::Events || !first.is_empty();
                if is_stream && !gate::begins_as_document(&first) {
                    return Ok(Body::Stream(reading.into_stream(first)));
                }
                Form::Document
            }
            Form::Error | Form::Document => form,
        };
        let secret = self.secret();
        if form == Form::Error {
            // Boxed: otherwise every call has room for it.
            // A compressed answer is one that was paid for.
            let is_page = status.is_success() && gate::encoding(&self.head.headers).is_none();
            let (body, is_whole) = Box::pin(self.error_body(reading, is_page)).await;
            let body = if is_whole { redacted(body, secret) } else { redacted_beginning(body, secret) };
            let body = compact(&body);
            self.check(&body, address)?;
            return Ok(Body::Whole(body));
        }
        match reading.whole(first, self.settings.max_response_bytes).await {
            Ok(body) if self.check(&body, address).is_ok() => Ok(Body::Whole(body)),
            Ok(body) => {
                // The error may be kept for a long time, so remove the credential and copy the memory.
                let body = compact(&redacted(body, secret));
                self.check(&body, address)?;
                Ok(Body::Whole(body))
            }
            Err((error, mut body)) => {
                body.truncate(usize::try_from(self.settings.max_error_bytes).unwrap_or(usize::MAX));
                let error = error.with_body(compact(&redacted_beginning(body, secret)));
                Err(AttemptFailure::new(error, Outcome::Committed))
            }
        }
    }

    fn check(&self, body: &Bytes, address: &reqwest::Url) -> Result<(), AttemptFailure> {
        let origin = Origin {
            host: &self.shared.host,
            address,
            proxy: self.shared.proxy.as_deref(),
            wall: self.shared.timing.wall(),
        };
        gate::check(self.head.status.unwrap_or_default(), &self.head.headers, self.operation, body, &origin)
    }

    async fn error_body(&self, reading: Reading, is_page: bool) -> (Bytes, bool) {
        if is_page {
            return reading.prefix(Bytes::new(), self.settings.max_error_bytes.min(PAGE_LIMIT), PAGE_TIMEOUT).await;
        }
        // A part of the remaining time, so that the call does not time out over the body of an error.
        let remaining = self.timeout.saturating_sub(self.elapsed());
        reading.prefix(Bytes::new(), self.settings.max_error_bytes, ERROR_BODY_TIMEOUT.min(remaining / 2)).await
    }

    /// Reads a stream up to its first event other than `ping`, and fails if that is an error. Nothing has been written by
    /// the model then, so the attempt can be made again.
    async fn first_event(&self, reading: &mut Reading) -> Result<Bytes, AttemptFailure> {
        let mut first = Vec::new();
        let mut decoder = self.settings.decoder();
        loop {
            let chunk = match timeout(self.settings.idle_timeout, reading.chunk()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(None) => return Ok(first.into()),
                Ok(Some(Err(error))) => {
                    let error = Error::incomplete().with_source(error.without_url());
                    return Err(AttemptFailure::new(error, Outcome::Committed));
                }
                Err(_) => {
                    let error = Error::stalled(self.settings.idle_timeout);
                    return Err(AttemptFailure::new(error, Outcome::Committed));
                }
            };
            first.extend_from_slice(&chunk);
            if first.len() as u64 > self.settings.max_response_bytes {
                return Err(AttemptFailure::new(
                    Error::too_large(self.settings.max_response_bytes),
                    Outcome::Committed,
                ));
            }
            if gate::begins_as_document(&first) {
                return Ok(first.into());
            }
            if !self.settings.checks_first_event {
                // White space alone does not tell.
                if first.trim_ascii().is_empty() { continue } else { return Ok(first.into()) }
            }
            decoder.feed(&chunk);
            while let Some(event) = decoder.next_event() {
                let Ok(event) = event else { return Ok(first.into()) };
                if is_ping(&event) || event.data.is_empty() {
                    continue;
                }
                return match self.event_error(&event) {
                    Some(failure) => Err(failure),
                    None => Ok(first.into()),
                };
            }
        }
    }

    fn event_error(&self, event: &sse::Event<'_>) -> Option<AttemptFailure> {
        let data = redacted(Bytes::copy_from_slice(event.data.as_bytes()), self.secret());
        gate::event_error(&event.event, &data, &self.head.headers, self.shared.timing.wall())
    }

    /// The server and the proxy, for messages.
    fn peer(&self) -> Peer<'a> {
        Peer { host: &self.shared.host, proxy: self.shared.proxy.as_deref() }
    }

    fn secret(&self) -> &[u8] {
        self.credential.as_ref().map_or(&[], Credential::secret)
    }

    fn elapsed(&self) -> Duration {
        self.shared.timing.monotonic().saturating_sub(self.started)
    }

    fn budget<T>(&self, with: impl FnOnce(&mut Budget) -> T) -> T {
        // A panic cannot leave the budget half changed.
        with(&mut self.shared.budget.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Adds what the call knows to the error of an attempt, and forgets the attempt.
    fn failed(&mut self, error: Error, outcome: &Outcome, stop: Option<RetryStop>) -> Error {
        self.head.elapsed = self.elapsed();
        self.head.may_have_been_processed |= outcome.may_have_been_processed();
        let head = Head { status: self.head.status.take(), headers: mem::take(&mut self.head.headers), ..self.head };
        error.with_head(head).with_retry(outcome.retry_after(), stop)
    }

    fn timed_out(&mut self) -> Error {
        let AttemptFailure { error, outcome } = match self.dispatch.take() {
            Some(dispatch) if dispatch.cancel() => exchange::connect_timed_out(self.peer()),
            Some(_) => AttemptFailure::new(Error::timed_out(self.timeout), Outcome::TimedOut),
            None => AttemptFailure::new(Error::timed_out(self.timeout), Outcome::NotSent { permanent: false }),
        };
        let error = match self.last.take() {
            Some(last) => error.with_source(last),
            None => error,
        };
        self.failed(error, &outcome, None)
    }
}

/// Returns `true` for a `ping`, by its name or, as for the events of gateways that send no names, by its type.
fn is_ping(event: &sse::Event<'_>) -> bool {
    let own_type = || find_members(event.data.as_bytes(), ["type"])?.first().copied().flatten();
    event.event == "ping" || own_type() == Some(r#""ping""#)
}

/// Takes the headers out of a response, and the credential out of the headers.
fn take_headers(response: &mut reqwest::Response, secret: &[u8]) -> PackedHeaders {
    let mut headers = mem::take(response.headers_mut());
    let packed = PackedHeaders::pack(&headers);
    if !contains(packed.as_bytes(), secret) {
        return packed;
    }
    for value in headers.values_mut() {
        let clean = redacted(Bytes::copy_from_slice(value.as_bytes()), secret);
        if let Ok(mut clean) = http::HeaderValue::from_maybe_shared(clean) {
            clean.set_sensitive(value.is_sensitive());
            *value = clean;
        }
    }
    PackedHeaders::pack(&headers)
}

/// Copies a body, so that an error does not keep the connection's read buffer alive.
fn compact(body: &Bytes) -> Bytes {
    Bytes::copy_from_slice(body)
}
