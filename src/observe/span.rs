//! One `tracing` span per call, with the attributes of OpenTelemetry's conventions for generative AI.
//!
//! The names are those of [semantic-conventions-genai 0.1.0]; `docs/telemetry.md` compares them. Every attribute is recorded
//! once, because an exporter keeps both values of one that is recorded twice. Counts are signed, because OpenTelemetry has
//! no unsigned integers and `tracing-opentelemetry` would export them as text.
//!
//! A span never contains a credential, a prompt or a completion.
//!
//! [semantic-conventions-genai 0.1.0]: https://github.com/open-telemetry/semantic-conventions-genai/tree/v0.1.0

use std::time::Duration;

use tracing::{Span, field::Empty};

use super::{AttemptError, Finished, Observer, Outcome, recorder::CallInfo};
use crate::generated::types::Usage;

/// The span of one call, filled by the same events as an [`Observer`].
pub(super) struct CallSpan {
    span: Span,
    /// The call creates a message. Otherwise its token counts are not a usage.
    is_chat: bool,
}

impl CallSpan {
    pub(super) fn new(call: &CallInfo) -> Self {
        let parameters = &call.parameters;
        let is_chat = call.model.is_some() && parameters.max_tokens.is_some();
        let operation = if is_chat { "chat" } else { call.operation };
        let name = call.model.as_ref().map(|model| format!("{operation} {model}"));
        let host = call.server.strip_suffix(&format!(":{}", call.port)).unwrap_or(&call.server);
        let span = tracing::info_span!(
            "anthropic_messages.call",
            otel.kind = "client",
            otel.name = name.as_deref().unwrap_or(operation),
            otel.status_code = Empty,
            otel.status_description = Empty,
            gen_ai.operation.name = operation,
            gen_ai.provider.name = "anthropic",
            gen_ai.request.model = call.model,
            gen_ai.request.max_tokens = parameters.max_tokens,
            gen_ai.request.temperature = parameters.temperature,
            gen_ai.request.top_p = parameters.top_p,
            gen_ai.request.top_k = parameters.top_k,
            gen_ai.request.stream = call.streaming.then_some(true),
            gen_ai.output.type = parameters.has_format.then_some("json"),
            gen_ai.response.id = Empty,
            gen_ai.response.model = Empty,
            gen_ai.response.finish_reasons = Empty,
            gen_ai.response.time_to_first_chunk = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            gen_ai.usage.cache_read.input_tokens = Empty,
            gen_ai.usage.cache_write.input_tokens = Empty,
            gen_ai.usage.reasoning.output_tokens = Empty,
            http.request.resend_count = Empty,
            http.response.status_code = Empty,
            server.address = host.trim_matches(['[', ']']),
            server.port = i64::from(call.port),
            anthropic.operation = call.operation,
            anthropic.request.id = Empty,
            error.type = Empty,
        );
        Self { span, is_chat }
    }

    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    fn record_usage(&self, usage: &Usage) {
        let inputs = [usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens];
        if inputs.iter().any(Option::is_some) {
            // The convention's count includes cached tokens, unlike that of the API.
            self.span.record("gen_ai.usage.input_tokens", usage.total_input_tokens());
        }
        self.span.record("gen_ai.usage.output_tokens", usage.output_tokens);
        let is_positive = |count: &i64| *count > 0;
        let cache_read = usage.cache_read_input_tokens.filter(is_positive);
        self.span.record("gen_ai.usage.cache_read.input_tokens", cache_read);
        let cache_write = usage.cache_creation_input_tokens.filter(is_positive);
        self.span.record("gen_ai.usage.cache_write.input_tokens", cache_write);
        let reasoning = usage.output_tokens_details.as_ref().and_then(|details| details.thinking_tokens);
        self.span.record("gen_ai.usage.reasoning.output_tokens", reasoning.filter(is_positive));
    }
}

/// Creates the span of a tool that a run executes. Its input and output are content and not recorded.
pub(super) fn tool_span(name: &str, id: &str) -> Span {
    tracing::info_span!(
        "anthropic_messages.tool",
        otel.kind = "internal",
        otel.name = format!("execute_tool {name}"),
        otel.status_code = Empty,
        gen_ai.operation.name = "execute_tool",
        gen_ai.tool.name = name,
        gen_ai.tool.call.id = id,
        gen_ai.tool.type = "function",
        error.type = Empty,
    )
}

impl Observer for CallSpan {
    fn error(&self, error: &AttemptError<'_>) {
        let Some(delay) = error.retry_in else { return };
        tracing::info!(
            parent: &self.span,
            attempt = i64::from(error.attempt),
            http.response.status_code = error.status.map(|status| i64::from(status.as_u16())),
            error.type = error.kind.as_str(),
            anthropic.request.id = error.request_id,
            reason = error.description,
            delay = delay.as_secs_f64(),
            "retrying"
        );
    }

    fn finished(&self, call: &Finished<'_>) {
        self.span.record("gen_ai.response.id", call.response_id);
        self.span.record("gen_ai.response.model", call.response_model);
        self.span.record("gen_ai.response.finish_reasons", call.stop_reason);
        let first_chunk = call.time_to_first_chunk.map(|time: Duration| time.as_secs_f64());
        self.span.record("gen_ai.response.time_to_first_chunk", first_chunk);
        if let Some(usage) = call.usage.filter(|_| self.is_chat) {
            self.record_usage(usage);
        }
        self.span.record("http.response.status_code", call.status.map(|status| i64::from(status.as_u16())));
        let resends = i64::from(call.attempts.saturating_sub(1));
        self.span.record("http.request.resend_count", (resends > 0).then_some(resends));
        self.span.record("anthropic.request.id", call.request_id);
        if let Outcome::Failed(error) = call.outcome {
            self.span.record("error.type", error.kind().as_str());
            self.span.record("otel.status_code", "ERROR");
            self.span.record("otel.status_description", error.sentence());
        }
    }
}
