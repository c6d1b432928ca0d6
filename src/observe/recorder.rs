//! Records one call, from start to end, for its observers.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

#[cfg(feature = "tracing")]
use super::span::CallSpan;
use super::{AttemptError, Finished, Observer, ObserverError, Outcome, Request, ResponseInfo, Unknown, UnknownItem};
use crate::{
    error::Error,
    generated::types::{MessageResponse, Usage},
    json::{Json, UnknownPart, UnknownParts, find_members, read_str},
    response::Head,
};

/// Most unknown items reported of one call.
const MAX_UNKNOWN: usize = 100;

/// Records one call, or does nothing if nobody observes it. Dropping the recorder ends the call as dropped.
#[derive(Default)]
pub(crate) struct CallRecorder(Option<Box<Recording>>);

struct Recording {
    #[cfg(feature = "tracing")]
    span: CallSpan,
    observers: Arc<[Arc<dyn Observer>]>,
    call: CallInfo,
    started: Instant,
    /// The last attempt, as far as it is known.
    head: Head,
    message: MessageSummary,
    /// The time from the start of the call to the first event of a streamed message.
    time_to_first_chunk: Option<Duration>,
    unknown: Vec<UnknownPart>,
    has_ended: bool,
}

/// The properties of a call before it is sent.
pub(crate) struct CallInfo {
    pub(crate) id: u64,
    pub(crate) operation: &'static str,
    pub(crate) streaming: bool,
    pub(crate) server: Arc<str>,
    pub(crate) model: Option<String>,
    #[cfg(feature = "tracing")]
    pub(crate) port: u16,
    #[cfg(feature = "tracing")]
    pub(crate) parameters: Parameters,
}

/// The parameters of a request that its span records.
#[cfg(feature = "tracing")]
pub(crate) struct Parameters {
    pub(crate) max_tokens: Option<i64>,
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) top_k: Option<f64>,
    /// The request asks for JSON that satisfies a schema.
    pub(crate) has_format: bool,
}

/// The properties of a message that are reported at the end of its call.
#[derive(Default)]
pub(crate) struct MessageSummary {
    id: Option<String>,
    model: Option<String>,
    stop_reason: Option<String>,
    usage: Option<Usage>,
}

impl CallRecorder {
    /// Starts to record a call.
    pub(crate) fn start(
        observers: &Arc<[Arc<dyn Observer>]>,
        operation: &'static str,
        streaming: bool,
        server: &Arc<str>,
        #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "only spans record it"))] port: u16,
        body: Option<&[u8]>,
    ) -> Self {
        static CALLS: AtomicU64 = AtomicU64::new(1);
        if observers.is_empty() && !is_traced() {
            return Self(None);
        }
        #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "only spans record them"))]
        let [model, parameters @ ..] = body
            .and_then(|body| {
                find_members(body, ["model", "max_tokens", "temperature", "top_p", "top_k", "output_config"])
            })
            .unwrap_or_default();
        let call = CallInfo {
            id: CALLS.fetch_add(1, Ordering::Relaxed),
            operation,
            streaming,
            server: Arc::clone(server),
            model: model.and_then(|model| read_str(model).ok()),
            #[cfg(feature = "tracing")]
            port,
            #[cfg(feature = "tracing")]
            parameters: Parameters::read(parameters),
        };
        Self(Some(Box::new(Recording {
            #[cfg(feature = "tracing")]
            span: CallSpan::new(&call),
            observers: Arc::clone(observers),
            call,
            started: Instant::now(),
            head: Head::default(),
            message: MessageSummary::default(),
            time_to_first_chunk: None,
            unknown: Vec::new(),
            has_ended: false,
        })))
    }

    /// Returns `true` if somebody observes the call.
    pub(crate) fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// The span of the call.
    pub(crate) fn span(&self) -> Instrument {
        Instrument {
            #[cfg(feature = "tracing")]
            span: self.0.as_ref().map_or_else(tracing::Span::none, |recording| recording.span.span()),
        }
    }

    /// Shows an attempt that is about to be sent.
    pub(crate) fn request(&mut self, attempt: u32, headers: &mut HeaderMap) -> Result<(), ObserverError> {
        let Some(recording) = &mut self.0 else { return Ok(()) };
        recording.head = Head { attempts: attempt, ..Head::default() };
        let CallInfo { id: call_id, operation, .. } = recording.call;
        let mut request = Request { call_id, operation, attempt, headers };
        recording.observers.iter().try_for_each(|observer| observer.request(&mut request))
    }

    /// Records the headers of a response.
    pub(crate) fn response(&mut self, head: &Head) {
        let Some(recording) = &mut self.0 else { return };
        recording.head = head.clone();
        let response = ResponseInfo {
            call_id: recording.call.id,
            operation: recording.call.operation,
            attempt: head.attempts,
            status: head.status.unwrap_or(StatusCode::OK),
            request_id: head.request_id(),
            elapsed: head.elapsed,
        };
        recording.each(|observer| observer.response(&response));
    }

    /// Records a failed attempt that another one follows.
    pub(crate) fn retrying(&self, error: &Error, delay: Duration) {
        if let Some(recording) = &self.0 {
            recording.attempt_failed(error, Some(delay));
        }
    }

    /// Records things that there are no types for, each of them once.
    pub(crate) fn unknown(&mut self, items: UnknownParts) {
        let Some(recording) = &mut self.0 else { return };
        for item in items {
            if recording.unknown.len() >= MAX_UNKNOWN || recording.unknown.contains(&item) {
                continue;
            }
            recording.each(|observer| {
                observer.unknown(&Unknown {
                    operation: recording.call.operation,
                    item: if item.field { UnknownItem::Field } else { UnknownItem::Variant },
                    name: &item.name,
                    schema: item.schema,
                });
            });
            recording.unknown.push(item);
        }
    }

    /// Records what a JSON response says about its message.
    pub(crate) fn document(&mut self, body: &[u8]) {
        if let Some(recording) = &mut self.0 {
            recording.message = MessageSummary::read(body);
        }
    }

    /// Records the message at the start of a stream.
    pub(crate) fn message_started(&mut self, message: &MessageResponse) {
        let Some(recording) = &mut self.0 else { return };
        recording.time_to_first_chunk = Some(recording.started.elapsed());
        if let Ok(json) = Json::from_serialize(message) {
            recording.message = MessageSummary::read(json.as_str().as_bytes());
        }
    }

    /// Records what a stream has said of its message by now.
    pub(crate) fn message_progressed(&mut self, message: &MessageResponse) {
        if let Some(recording) = &mut self.0 {
            recording.message.usage.clone_from(&message.usage);
            recording.message.stop_reason = message.stop_reason.as_ref().map(|reason| reason.as_str().to_owned());
        }
    }

    /// Ends the call with a value.
    pub(crate) fn completed(mut self, head: &Head) {
        if let Some(recording) = &mut self.0 {
            recording.head = head.clone();
            recording.end(Outcome::Completed, head.elapsed);
        }
    }

    /// Ends the call with an error.
    pub(crate) fn failed(mut self, error: &Error) {
        if let Some(recording) = &mut self.0 {
            recording.attempt_failed(error, None);
            if error.status().is_some() {
                recording.head = error.head().clone();
            }
            recording.head.attempts = error.attempts();
            recording.end(Outcome::Failed(error), error.elapsed());
        }
    }
}

/// Runs a tool inside its own span. The future returns a value, and the type of its error if it failed.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "only spans record them"))]
pub(crate) async fn trace_tool<T>(name: &str, id: &str, run: impl Future<Output = (T, Option<&'static str>)>) -> T {
    #[cfg(feature = "tracing")]
    {
        let span = super::span::tool_span(name, id);
        let (value, error) = tracing::Instrument::instrument(run, span.clone()).await;
        if let Some(error) = error {
            span.record("error.type", error);
            span.record("otel.status_code", "ERROR");
        }
        value
    }
    #[cfg(not(feature = "tracing"))]
    run.await.0
}

/// Runs a call inside of its span, if there are spans.
pub(crate) struct Instrument {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl Instrument {
    #[cfg(feature = "tracing")]
    pub(crate) fn instrument<F: Future>(self, call: F) -> impl Future<Output = F::Output> {
        tracing::Instrument::instrument(call, self.span)
    }

    #[cfg(not(feature = "tracing"))]
    #[expect(clippy::unused_self, reason = "the feature `tracing` has a span")]
    pub(crate) fn instrument<F: Future>(self, call: F) -> F {
        call
    }
}

impl Recording {
    fn each(&self, event: impl Fn(&dyn Observer)) {
        #[cfg(feature = "tracing")]
        event(&self.span);
        self.observers.iter().for_each(|observer| event(&**observer));
    }

    fn attempt_failed(&self, error: &Error, retry_in: Option<Duration>) {
        let event = AttemptError {
            call_id: self.call.id,
            operation: self.call.operation,
            server: &self.call.server,
            model: self.call.model.as_deref(),
            attempt: error.attempts(),
            kind: error.kind(),
            status: error.status(),
            request_id: error.head().request_id(),
            description: error.sentence(),
            retry_in,
            elapsed: error.elapsed(),
        };
        self.each(|observer| observer.error(&event));
    }

    fn end(&mut self, outcome: Outcome<'_>, elapsed: Duration) {
        self.has_ended = true;
        let finished = Finished {
            call_id: self.call.id,
            operation: self.call.operation,
            server: &self.call.server,
            model: self.call.model.as_deref(),
            streaming: self.call.streaming,
            response_id: self.message.id.as_deref(),
            response_model: self.message.model.as_deref(),
            usage: self.message.usage.as_ref(),
            stop_reason: self.message.stop_reason.as_deref(),
            rate_limits: self.head.rate_limits(),
            status: self.head.status,
            request_id: self.head.request_id(),
            attempts: self.head.attempts,
            elapsed,
            time_to_first_chunk: self.time_to_first_chunk,
            outcome,
        };
        self.each(|observer| observer.finished(&finished));
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let elapsed = self.started.elapsed();
        if thread::panicking() {
            // Most likely the observer panicked, and does so again. A second panic would end the process.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| self.end(Outcome::Dropped, elapsed)));
        } else {
            self.end(Outcome::Dropped, elapsed);
        }
    }
}

#[cfg(feature = "tracing")]
impl Parameters {
    fn read([max_tokens, temperature, top_p, top_k, output_config]: [Option<&str>; 5]) -> Self {
        let number = |json: Option<&str>| json?.parse().ok();
        let format =
            output_config.and_then(|json| find_members(json.as_bytes(), ["format"])).and_then(|[format]| format);
        Self {
            max_tokens: max_tokens.and_then(|max_tokens| read_str(max_tokens).ok()),
            temperature: number(temperature),
            top_p: number(top_p),
            top_k: number(top_k),
            has_format: format.is_some_and(|format| format != "null"),
        }
    }
}

impl MessageSummary {
    /// Reads a message, or a count of tokens, as far as it has the members.
    fn read(document: &[u8]) -> Self {
        let names = ["id", "model", "stop_reason", "usage", "input_tokens"];
        let Some([id, model, stop_reason, usage, input_tokens]) = find_members(document, names) else {
            return Self::default();
        };
        let text = |json: Option<&str>| read_str::<String>(json?).ok();
        let counted = input_tokens.map(|input_tokens| format!(r#"{{"input_tokens":{input_tokens}}}"#));
        Self {
            id: text(id),
            model: text(model),
            stop_reason: text(stop_reason),
            usage: usage.or(counted.as_deref()).and_then(|usage| read_str(usage).ok()),
        }
    }
}

/// Returns `true` if a `tracing` subscriber may record spans.
fn is_traced() -> bool {
    #[cfg(feature = "tracing")]
    let is_traced = !tracing::level_filters::LevelFilter::current().eq(&tracing::level_filters::LevelFilter::OFF);
    #[cfg(not(feature = "tracing"))]
    let is_traced = false;
    is_traced
}
