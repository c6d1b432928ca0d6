//! Renders a reply to a request as status, headers and body.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use memchr::memmem;
use serde_json::json;

use crate::defaults::rough_tokens;
use crate::events::{self, Event};
use crate::fault::{Fault, FaultKind};
use crate::identifiers::Identifiers;
use crate::object::JsonObject;
use crate::reply::{Reply, ReplyContent, ReplyFormat, error_status};
use crate::request::ReceivedRequest;
use crate::wire::{Framing, ReplyParts, WireReply};

const JSON: &str = "application/json";
const JSON_LINES: &str = "application/x-jsonl";
const EVENT_STREAM: &str = "text/event-stream";

/// Renders a reply whose content is resolved: neither the default nor a closure's.
///
/// # Errors
///
/// Fails if the script has a mistake.
pub(crate) fn render(reply: &Reply, request: &ReceivedRequest, identifiers: Identifiers) -> Result<WireReply, String> {
    if let Some(mistake) = &reply.mistake {
        return Err(mistake.clone());
    }
    let request_id = identifiers.request(request.number);
    let streams = match reply.form {
        ReplyFormat::AsAsked => request.wants_stream(),
        ReplyFormat::Json => false,
        ReplyFormat::Stream => true,
    };
    let mut body = match &reply.content {
        ReplyContent::Message(message) => {
            let message = complete(message.clone(), request, identifiers);
            if streams {
                RenderedBody::stream(&events::from_message(&message, reply.delta_length))
            } else {
                RenderedBody::json(reply.status, message.to_raw().get())
            }
        }
        ReplyContent::Events(events) if streams => RenderedBody::stream(events),
        ReplyContent::Events(events) => RenderedBody::json(reply.status, events::into_message(events)?.to_raw().get()),
        ReplyContent::Error { kind, message, details } => {
            let mut error = error_object(kind, message, &request_id);
            if let Some(details) = details {
                let mut inner: JsonObject = error.decoded("error").unwrap_or_default();
                inner.set("details", details);
                error.set("error", &inner);
            }
            RenderedBody::json(reply.status, error.to_raw().get())
        }
        ReplyContent::Raw { content_type, body } => RenderedBody::raw(reply.status, content_type, body),
        ReplyContent::BatchResult(_) => {
            return Err("`expired` and `canceled` can only reply to a request of a batch".into());
        }
        ReplyContent::Default | ReplyContent::Dynamic(_) => {
            return Err("the reply wasn't resolved before it was rendered".into());
        }
    };
    for fault in &reply.faults {
        if let FaultKind::ErrorEvent { after, kind, message } = &fault.kind {
            body.fail(*after, kind, error_object(kind, message, &request_id));
        }
    }
    Ok(deliver(reply, body, &request_id, &reply.faults))
}

/// The body of a reply before it is split into chunks.
struct RenderedBody {
    status: StatusCode,
    content_type: String,
    events: Vec<Bytes>,
}

impl RenderedBody {
    fn json(status: StatusCode, text: &str) -> Self {
        let body = Bytes::copy_from_slice(text.as_bytes());
        Self { status, content_type: JSON.to_owned(), events: vec![body] }
    }

    fn stream(events: &[Event]) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: format!("{EVENT_STREAM}; charset=utf-8"),
            events: events.iter().map(|event| Bytes::from(event.to_wire())).collect(),
        }
    }

    fn raw(status: StatusCode, content_type: &str, body: &Bytes) -> Self {
        let mut reply = Self { status, content_type: content_type.to_owned(), events: vec![body.clone()] };
        if reply.is_stream() {
            reply.events = split_after(body.clone(), b"\n\n");
        } else if content_type == JSON_LINES {
            reply.events = split_after(body.clone(), b"\n");
        }
        reply
    }

    fn is_stream(&self) -> bool {
        self.content_type.starts_with(EVENT_STREAM)
    }

    /// Replaces all events after the first `after` with an error.
    fn fail(&mut self, after: usize, kind: &str, error: JsonObject) {
        if self.is_stream() {
            self.events.truncate(after);
            self.events.push(Bytes::from(Event { name: "error".to_owned(), data: error }.to_wire()));
        } else {
            let status = StatusCode::from_u16(error_status(kind)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            *self = Self::json(status, error.to_raw().get());
        }
    }
}

fn deliver(reply: &Reply, body: RenderedBody, request_id: &str, faults: &[Fault]) -> WireReply {
    let is_stream = body.is_stream();
    let mut headers = HeaderMap::new();
    if let Ok(content_type) = HeaderValue::from_str(&body.content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    if is_stream {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("request-id"), request_id);
    }
    for name in &reply.left_out {
        headers.remove(name);
    }
    // A scripted header replaces the server's own, and may have several values.
    headers.extend(reply.headers.clone());
    let default_framing = if is_stream { Framing::Chunked } else { Framing::Length };
    let plan = ReplyParts {
        status: body.status,
        headers,
        events: body.events,
        framing: reply.framing.unwrap_or(default_framing),
        chunking: reply.chunking.clone(),
        pause: reply.pause,
        delay: reply.delay,
    };
    WireReply::new(plan, faults)
}

/// Returns an error object of the API.
fn error_object(kind: &str, message: &str, request_id: &str) -> JsonObject {
    let mut error = JsonObject::default();
    error.set("type", kind);
    error.set("message", message);
    let mut error_object = JsonObject::default();
    error_object.set("type", "error");
    error_object.set("error", &error);
    error_object.set("request_id", request_id);
    error_object
}

/// Adds the fields that every message of the API has, and puts them in the API's order.
fn complete(mut message: JsonObject, request: &ReceivedRequest, identifiers: Identifiers) -> JsonObject {
    let mut calls_tool = false;
    message.set_default("content", &json!([]));
    if let Some(mut blocks) = message.decoded::<Vec<JsonObject>>("content") {
        for (index, block) in blocks.iter_mut().enumerate() {
            if block.text("type").as_deref() == Some("tool_use") {
                calls_tool = true;
                block.set_default("id", &identifiers.tool_call(request.number, index));
            }
            block.lead_with(&["type", "id"]);
        }
        message.set("content", &blocks);
    }
    message.set_default("id", &identifiers.message(request.number));
    message.set_default("type", "message");
    message.set_default("role", "assistant");
    message.set_default("model", request.model().unwrap_or_default());
    message.set_default("stop_reason", if calls_tool { "tool_use" } else { "end_turn" });
    message.set_default("stop_sequence", &json!(null));
    if !message.has("usage") {
        let mut usage = JsonObject::default();
        usage.set("input_tokens", &rough_tokens(request.body.len()));
        usage.set("output_tokens", &rough_tokens(message.get("content").map_or(0, |content| content.get().len())));
        message.set("usage", &usage);
    }
    message.lead_with(&["id", "type", "role", "model", "content", "stop_reason", "stop_sequence"]);
    message
}

fn split_after(mut body: Bytes, end: &[u8]) -> Vec<Bytes> {
    let mut events = Vec::new();
    while let Some(position) = memmem::find(&body, end) {
        events.push(body.split_to(position + end.len()));
    }
    if !body.is_empty() {
        events.push(body);
    }
    events
}
