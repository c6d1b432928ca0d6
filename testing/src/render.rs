//! From a reply and the request it answers to the bytes that go over the wire.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::defaults::rough_tokens;
use super::delivery::{Delivery, Framing, Plan};
use super::events::{self, Event};
use super::fault::{Fault, FaultKind};
use super::fold;
use super::identifiers::Identifiers;
use super::object::Object;
use super::reply::{Content, Form, Reply, error_status};
use super::request::ReceivedRequest;

const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream";

/// Renders a reply whose content is settled: neither the default nor made from the request.
///
/// # Errors
/// A sentence, if the script is mistaken.
pub(crate) fn render(reply: &Reply, request: &ReceivedRequest, identifiers: Identifiers) -> Result<Delivery, String> {
    if let Some(mistake) = &reply.mistake {
        return Err(mistake.clone());
    }
    let request_id = identifiers.request(request.number);
    let streams = match reply.form {
        Form::AsAsked => request.wants_stream(),
        Form::Json => false,
        Form::Stream => true,
    };
    let mut body = match &reply.content {
        Content::Message(message) => {
            let message = completed(message.clone(), request, identifiers);
            if streams {
                Body::stream(&events::from_message(&message, reply.delta_length))
            } else {
                Body::json(reply.status, message.to_raw().get())
            }
        }
        Content::Events(events) if streams => Body::stream(events),
        Content::Events(events) => Body::json(reply.status, fold::into_message(events)?.to_raw().get()),
        Content::Error { kind, message, details } => {
            let mut error = envelope(kind, message, &request_id);
            if let Some(details) = details {
                let mut inner: Object = error.decoded("error").unwrap_or_default();
                inner.set("details", details);
                error.set("error", &inner);
            }
            Body::json(reply.status, error.to_raw().get())
        }
        Content::Verbatim { content_type, body } => Body::verbatim(reply.status, content_type, body),
        Content::Default | Content::Made(_) => {
            return Err("a reply was not settled before it was rendered".into());
        }
    };
    for fault in &reply.faults {
        if let FaultKind::ErrorEvent { after, kind, message } = &fault.kind {
            body.fail(*after, kind, envelope(kind, message, &request_id));
        }
    }
    Ok(deliver(reply, body, &request_id, &reply.faults))
}

/// What is sent, before it is cut into chunks.
struct Body {
    status: StatusCode,
    content_type: String,
    events: Vec<Bytes>,
}

impl Body {
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

    fn verbatim(status: StatusCode, content_type: &str, body: &Bytes) -> Self {
        let mut reply = Self { status, content_type: content_type.to_owned(), events: vec![body.clone()] };
        if reply.is_stream() {
            reply.events = split_at_blank_lines(body.clone());
        }
        reply
    }

    fn is_stream(&self) -> bool {
        self.content_type.starts_with(EVENT_STREAM)
    }

    /// Puts an error in the place of what comes after so many events.
    fn fail(&mut self, after: usize, kind: &str, error: Object) {
        if self.is_stream() {
            self.events.truncate(after);
            self.events.push(Bytes::from(Event { name: "error".to_owned(), data: error }.to_wire()));
        } else {
            let status = StatusCode::from_u16(error_status(kind)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            *self = Self::json(status, error.to_raw().get());
        }
    }
}

fn deliver(reply: &Reply, body: Body, request_id: &str, faults: &[Fault]) -> Delivery {
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
    // A scripted header takes the place of the server's own, and may itself be given several times.
    headers.extend(reply.headers.clone());
    let default_framing = if is_stream { Framing::Chunked } else { Framing::Length };
    let plan = Plan {
        status: body.status,
        headers,
        events: body.events,
        framing: reply.framing.unwrap_or(default_framing),
        chunking: reply.chunking.clone(),
        pause: reply.pause,
        delay: reply.delay,
    };
    Delivery::of(plan, faults)
}

/// The API's envelope of an error.
fn envelope(kind: &str, message: &str, request_id: &str) -> Object {
    let mut error = Object::default();
    error.set("type", kind);
    error.set("message", message);
    let mut envelope = Object::default();
    envelope.set("type", "error");
    envelope.set("error", &error);
    envelope.set("request_id", request_id);
    envelope
}

/// Fills in what every message of the API has, and puts the fields in the API's order.
fn completed(mut message: Object, request: &ReceivedRequest, identifiers: Identifiers) -> Object {
    let mut calls_tool = false;
    message.set_default("content", &json!([]));
    if let Some(mut blocks) = message.decoded::<Vec<Object>>("content") {
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
        let mut usage = Object::default();
        usage.set("input_tokens", &rough_tokens(request.body.len()));
        usage.set("output_tokens", &rough_tokens(message.get("content").map_or(0, |content| content.get().len())));
        message.set("usage", &usage);
    }
    message.lead_with(&["id", "type", "role", "model", "content", "stop_reason", "stop_sequence"]);
    message
}

fn split_at_blank_lines(mut body: Bytes) -> Vec<Bytes> {
    let mut events = Vec::new();
    while let Some(position) = body.windows(2).position(|pair| pair == b"\n\n") {
        events.push(body.split_to(position + 2));
    }
    if !body.is_empty() {
        events.push(body);
    }
    events
}
