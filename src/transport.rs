//! The one road of every call: credential, headers, attempts, limits, the judgement of the response, telemetry.

mod answer;
mod base_url;
mod body;
mod call;
mod dispatch;
mod download;
mod exchange;
mod gate;
#[allow(dead_code, reason = "generated code uses what its contract needs")]
mod json_lines;
#[allow(dead_code, reason = "generated code uses what its contract needs")]
mod multipart;
#[allow(dead_code, reason = "generated code uses what its contract needs")]
mod operation;
#[allow(dead_code, reason = "generated code uses what its contract needs")]
mod pages;
#[allow(dead_code, reason = "generated code uses what its contract needs")]
mod parameters;
mod settings;
mod timing;

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use reqwest::{Url, header::CONTENT_TYPE};
use tokio::runtime::Handle;

use self::call::Call;
#[allow(unused_imports, reason = "generated code uses what its contract needs")]
pub(crate) use self::multipart::MultipartForm;
#[allow(unused_imports, reason = "generated code uses what its contract needs")]
pub(crate) use self::parameters::{InvalidRequest, QueryParam, RequestBuilderExt, Streamed, Style, encode_path};
pub(crate) use self::{
    answer::Answer,
    base_url::BaseUrl,
    gate::{PAGE_LIMIT, begins_as_document, document_error, event_error, not_a_stream},
    operation::{AnswerType, Answers, Operation},
    settings::{DEFAULT_TIMEOUT, Settings},
    timing::TokioTiming,
};
pub use self::{
    body::ByteStream,
    json_lines::JsonLines,
    pages::{PageItems, Pages},
    timing::Timing,
};
use crate::{
    error::{Error, ErrorKind, Result},
    observe::{CallRecorder, Observer},
    retry::Budget,
};

/// The sending half of a client. Cloning it is cheap.
#[derive(Clone)]
pub(crate) struct Transport {
    shared: Arc<Shared>,
    settings: Arc<Settings>,
}

/// The state that all clones of a client share, regardless of their options.
pub(crate) struct Shared {
    pub(crate) http: reqwest::Client,
    pub(crate) timing: Arc<dyn Timing>,
    pub(crate) observers: Arc<[Arc<dyn Observer>]>,
    pub(crate) budget: Mutex<Budget>,
    pub(crate) base: BaseUrl,
    /// Host and port of the server, for messages.
    pub(crate) host: Arc<str>,
    /// The proxy that the HTTP client sends requests through, for messages.
    pub(crate) proxy: Option<String>,
}

impl Transport {
    pub(crate) fn new(shared: Shared, settings: Settings) -> Self {
        Self { shared: Arc::new(shared), settings: Arc::new(settings) }
    }

    /// The HTTP client, for building requests.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.shared.http
    }

    /// The address of a path of the contract, whose parameters are encoded.
    pub(crate) fn url(&self, path: &str) -> Url {
        self.shared.base.append(path)
    }

    /// The address that paths are appended to.
    pub(crate) fn base_url(&self) -> &str {
        self.shared.base.as_str()
    }

    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Waits as the waits between attempts do.
    #[allow(dead_code, reason = "needed where the contract has batches")]
    pub(crate) async fn sleep(&self, delay: Duration) {
        self.shared.timing.sleep(delay).await;
    }

    /// The same transport with other settings.
    #[must_use]
    pub(crate) fn with_settings(&self, settings: Settings) -> Self {
        Self { shared: Arc::clone(&self.shared), settings: Arc::new(settings) }
    }

    /// Sends a request as often as it takes, and returns the answer of the operation.
    ///
    /// # Errors
    /// Fails if no attempt succeeds, and if a response is not an answer of the operation.
    pub(crate) fn send(
        &self,
        request: Box<reqwest::Request>,
        operation: &'static Operation,
    ) -> Pin<Box<impl Future<Output = Result<Answer>>>> {
        // Boxed to keep the caller's future small: unboxed, it adds more than 1 KB to every task that calls.
        Box::pin(self.call(request, None, operation))
    }

    /// Sends a request with a form, if there is one, which is written anew for each attempt.
    ///
    /// # Errors
    /// Fails as [`send`](Self::send) does, and with [`ErrorKind::File`] if a file of the form cannot be read.
    #[allow(dead_code, reason = "generated code uses what its contract needs")]
    pub(crate) async fn send_form(
        &self,
        mut request: Box<reqwest::Request>,
        form: Option<MultipartForm>,
        operation: &'static Operation,
    ) -> Result<Answer> {
        if let Some(form) = &form {
            request.headers_mut().insert(CONTENT_TYPE, form.content_type()?);
        }
        Box::pin(self.call(request, form, operation)).await
    }

    async fn call(
        &self,
        request: Box<reqwest::Request>,
        form: Option<MultipartForm>,
        operation: &'static Operation,
    ) -> Result<Answer> {
        let body = request.body().and_then(reqwest::Body::as_bytes);
        let Shared { observers, host, base, .. } = &*self.shared;
        let mut recorder =
            CallRecorder::start(observers, operation.name, operation.is_streaming(), host, base.port(), body);
        let outcome = match self.refusal() {
            Some(error) => Err(error),
            None => {
                let span = recorder.span();
                let call = Call::new(&self.shared, &self.settings, operation, form.as_ref(), &mut recorder);
                span.instrument(call.run(request)).await
            }
        };
        match outcome {
            Ok((head, body, settings)) => Ok(Answer { operation, head, body, recorder, settings }),
            Err(error) => {
                recorder.failed(&error);
                Err(error)
            }
        }
    }

    /// The reason that nothing can be sent at all.
    fn refusal(&self) -> Option<Error> {
        if let Some(problem) = &self.settings.invalid_option {
            return Some(Error::configuration(problem.clone()));
        }
        // Outside of a runtime tokio panics.
        Handle::try_current()
            .err()
            .map(|error| Error::new(ErrorKind::NoRuntime, "call made outside of a tokio runtime").with_source(error))
    }
}
