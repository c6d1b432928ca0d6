//! One `tracing` span a call, with the names of OpenTelemetry's conventions for generative AI.
//!
//! A span never holds a credential, a prompt or a completion. Without the feature `tracing` all of
//! this is nothing.

#[cfg(feature = "tracing")]
pub(crate) use self::on::CallSpan;

#[cfg(not(feature = "tracing"))]
pub(crate) use self::off::CallSpan;

#[cfg(feature = "tracing")]
mod on {
    use std::time::Duration;

    use http::StatusCode;
    use serde::Deserialize;
    use tracing::{
        Instrument, Span,
        field::{Empty, debug},
    };

    use crate::{
        json::foreign::from_slice,
        observe::AttemptError,
        runtime::{Json, OperationInfo, PackedHeaders},
    };

    /// The span of one call.
    #[derive(Clone)]
    pub(crate) struct CallSpan(Span);

    impl CallSpan {
        /// Opens a span, and takes the model and the token limit out of the request's body.
        pub(crate) fn start(info: &OperationInfo, host: &str, body: Option<&[u8]>) -> Self {
            let span = tracing::info_span!(
                "anthropic_messages.call",
                otel.kind = "client",
                otel.name = Empty,
                otel.status_code = Empty,
                otel.status_description = Empty,
                operation = info.operation_id,
                streaming = info.streaming,
                gen_ai.operation.name = Empty,
                gen_ai.provider.name = "anthropic",
                gen_ai.request.model = Empty,
                gen_ai.request.max_tokens = Empty,
                gen_ai.response.id = Empty,
                gen_ai.response.model = Empty,
                gen_ai.response.finish_reasons = Empty,
                gen_ai.usage.input_tokens = Empty,
                gen_ai.usage.output_tokens = Empty,
                http.response.status_code = Empty,
                http.request.resend_count = Empty,
                server.address = host,
                anthropic.request_id = Empty,
                duration_ms = Empty,
                error.type = Empty,
            );
            let this = Self(span);
            if !this.0.is_disabled() {
                this.asked(info, body);
            }
            this
        }

        fn asked(&self, info: &OperationInfo, body: Option<&[u8]>) {
            #[derive(Deserialize)]
            struct Asked {
                model: Option<String>,
                max_tokens: Option<i64>,
            }
            let asked = body.and_then(|body| from_slice::<Asked>(body).ok());
            let Some(Asked { model: Some(model), max_tokens }) = asked else {
                self.0.record("otel.name", info.operation_id);
                return;
            };
            let operation = if max_tokens.is_some() { "chat" } else { info.operation_id };
            self.0.record("gen_ai.operation.name", operation);
            self.0.record("otel.name", format!("{operation} {model}"));
            self.0.record("gen_ai.request.model", model);
            self.0.record("gen_ai.request.max_tokens", max_tokens);
        }

        /// Runs the call inside of the span.
        pub(crate) fn run<F: Future>(&self, call: F) -> impl Future<Output = F::Output> + use<F> {
            call.instrument(self.0.clone())
        }

        /// The headers of the last answer.
        pub(crate) fn answered(&self, status: StatusCode, headers: &PackedHeaders, attempts: u32) {
            self.0.record("http.response.status_code", status.as_u16());
            self.0.record("anthropic.request_id", headers.request_id());
            self.0.record("http.request.resend_count", attempts.saturating_sub(1));
        }

        /// Another attempt follows.
        pub(crate) fn retrying(&self, error: &AttemptError<'_>, delay: Duration) {
            tracing::info!(
                parent: &self.0,
                attempt = error.attempt,
                status = error.status.map(|status| status.as_u16()),
                error.type = ?error.kind,
                reason = error.description,
                delay_ms = milliseconds(delay),
                "retrying"
            );
        }

        /// The call is over, and failed.
        pub(crate) fn failed(&self, error: &AttemptError<'_>) {
            self.0.record("http.request.resend_count", error.attempt.saturating_sub(1));
            self.0.record("duration_ms", milliseconds(error.elapsed));
            self.0.record("error.type", debug(error.kind));
            self.0.record("otel.status_code", "ERROR");
            self.0.record("otel.status_description", error.description);
        }

        /// The call is over, and a whole answer came.
        pub(crate) fn whole(&self, body: &[u8], elapsed: Duration) {
            self.0.record("duration_ms", milliseconds(elapsed));
            if !self.0.is_disabled() {
                self.message(body);
            }
        }

        /// What a message says about itself: its id, model, finish reason and usage.
        pub(crate) fn message(&self, message: &[u8]) {
            #[derive(Deserialize)]
            struct Message {
                id: Option<String>,
                model: Option<String>,
                stop_reason: Option<String>,
                usage: Option<Json>,
                input_tokens: Option<i64>,
            }
            let Ok(message) = from_slice::<Message>(message) else { return };
            self.0.record("gen_ai.response.id", message.id);
            self.0.record("gen_ai.response.model", message.model);
            self.0.record("gen_ai.response.finish_reasons", message.stop_reason);
            self.0.record("gen_ai.usage.input_tokens", message.input_tokens);
            if let Some(usage) = message.usage {
                self.usage(&usage);
            }
        }

        /// Token usage, as a message or a `message_delta` has it.
        pub(crate) fn usage(&self, usage: &Json) {
            #[derive(Deserialize)]
            struct Usage {
                input_tokens: Option<i64>,
                output_tokens: Option<i64>,
            }
            let Ok(usage) = usage.to::<Usage>() else { return };
            self.0.record("gen_ai.usage.input_tokens", usage.input_tokens);
            self.0.record("gen_ai.usage.output_tokens", usage.output_tokens);
        }

        /// Why a streamed message ended.
        pub(crate) fn finished(&self, stop_reason: Option<&str>, elapsed: Duration) {
            self.0.record("gen_ai.response.finish_reasons", stop_reason);
            self.0.record("duration_ms", milliseconds(elapsed));
        }
    }

    fn milliseconds(duration: Duration) -> u64 {
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::time::Duration;

    use http::StatusCode;

    use crate::{
        observe::AttemptError,
        runtime::{Json, OperationInfo, PackedHeaders},
    };

    /// Nothing.
    #[derive(Clone)]
    pub(crate) struct CallSpan;

    impl CallSpan {
        pub(crate) fn start(_info: &OperationInfo, _host: &str, _body: Option<&[u8]>) -> Self {
            Self
        }

        pub(crate) fn run<F: Future>(&self, call: F) -> F {
            call
        }

        pub(crate) fn answered(&self, _status: StatusCode, _headers: &PackedHeaders, _attempts: u32) {}

        pub(crate) fn retrying(&self, _error: &AttemptError<'_>, _delay: Duration) {}

        pub(crate) fn failed(&self, _error: &AttemptError<'_>) {}

        pub(crate) fn whole(&self, _body: &[u8], _elapsed: Duration) {}

        pub(crate) fn message(&self, _message: &[u8]) {}

        pub(crate) fn usage(&self, _usage: &Json) {}

        pub(crate) fn finished(&self, _stop_reason: Option<&str>, _elapsed: Duration) {}
    }
}
