//! One `tracing` span per call, with the names of OpenTelemetry's conventions for generative AI.
//!
//! A span never contains a credential, a prompt or a completion.

use std::time::Duration;

use tracing::{
    Span,
    field::{Empty, debug},
};

use super::{AttemptError, Finished, Observer, Outcome, ResponseInfo, recorder::CallInfo};

/// The span of one call, filled by the same events as an [`Observer`].
pub(super) struct CallSpan(Span);

impl CallSpan {
    pub(super) fn new(call: &CallInfo) -> Self {
        let span = tracing::info_span!(
            "anthropic_messages.call",
            otel.kind = "client",
            otel.name = Empty,
            otel.status_code = Empty,
            otel.status_description = Empty,
            operation = call.operation,
            streaming = call.streaming,
            gen_ai.operation.name = Empty,
            gen_ai.provider.name = "anthropic",
            gen_ai.request.model = call.model,
            gen_ai.request.max_tokens = call.max_tokens,
            gen_ai.response.id = Empty,
            gen_ai.response.model = Empty,
            gen_ai.response.finish_reasons = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            http.response.status_code = Empty,
            http.request.resend_count = Empty,
            server.address = &*call.server,
            anthropic.request_id = Empty,
            duration_ms = Empty,
            error.type = Empty,
        );
        match &call.model {
            Some(model) => {
                let operation = if call.max_tokens.is_some() { "chat" } else { call.operation };
                span.record("gen_ai.operation.name", operation);
                span.record("otel.name", format!("{operation} {model}"));
            }
            None => drop(span.record("otel.name", call.operation)),
        }
        Self(span)
    }

    pub(super) fn span(&self) -> Span {
        self.0.clone()
    }
}

impl Observer for CallSpan {
    fn response(&self, response: &ResponseInfo<'_>) {
        self.0.record("http.response.status_code", response.status.as_u16());
        self.0.record("anthropic.request_id", response.request_id);
        self.0.record("http.request.resend_count", response.attempt.saturating_sub(1));
    }

    fn error(&self, error: &AttemptError<'_>) {
        let Some(delay) = error.retry_in else { return };
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

    fn finished(&self, call: &Finished<'_>) {
        self.0.record("duration_ms", milliseconds(call.elapsed));
        self.0.record("gen_ai.response.id", call.response_id);
        self.0.record("gen_ai.response.model", call.response_model);
        self.0.record("gen_ai.response.finish_reasons", call.stop_reason);
        if let Some(usage) = call.usage {
            self.0.record("gen_ai.usage.input_tokens", usage.input_tokens);
            self.0.record("gen_ai.usage.output_tokens", usage.output_tokens);
        }
        if let Outcome::Failed(error) = call.outcome {
            self.0.record("http.request.resend_count", call.attempts.saturating_sub(1));
            self.0.record("error.type", debug(error.kind()));
            self.0.record("otel.status_code", "ERROR");
            self.0.record("otel.status_description", error.sentence());
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
