//! Server-sent events read as events of a message, and written again.

use std::borrow::Cow;

use serde::Deserialize;

use super::{delta, sse};
use crate::{
    generated::types::StreamEvent,
    runtime::{DecodeError, Json, from_slice},
};

/// The name of an event that was given none.
const UNNAMED: &str = "message";

/// Reads an event. `None` for one without name and data, which some gateways send to keep a
/// connection open.
///
/// The `type` in the data decides; the event's name stands in where there is none.
pub(super) fn read(event: &sse::Event<'_>) -> Option<Result<StreamEvent, DecodeError>> {
    if event.data.is_empty() && event.event == UNNAMED {
        return None;
    }
    if let Some(delta) = delta::read(&event.data) {
        return Some(Ok(delta.into()));
    }
    Some(serde_json::from_str(&event.data).or_else(|_| mended(event)))
}

/// Reads an event that can't be read as it is: with what it lacks, where that is known, or else to
/// say what is wrong with it.
fn mended(event: &sse::Event<'_>) -> Result<StreamEvent, DecodeError> {
    #[derive(Deserialize)]
    struct Tag {
        r#type: Option<Json>,
    }
    let data = if event.data.is_empty() { "{}" } else { &event.data };
    let named = match from_slice(data.as_bytes()) {
        Ok(Tag { r#type: None }) if event.event != UNNAMED => with_member(data, "type", &Json::from(&*event.event)),
        _ => data.to_owned(),
    };
    from_slice(named.as_bytes()).or_else(|error| match with_empty_block(&named) {
        Some(mended) => from_slice(mended.as_bytes()).map_err(|_| error),
        None => Err(error),
    })
}

/// A `content_block_start` whose block lacks the member that its deltas will fill.
fn with_empty_block(data: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Start {
        index: Json,
        content_block: Json,
    }
    #[derive(Deserialize)]
    struct Block<'a> {
        #[serde(borrow)]
        r#type: Cow<'a, str>,
        text: Option<Json>,
        thinking: Option<Json>,
        input: Option<Json>,
    }
    let Start { index, content_block } = from_slice(data.as_bytes()).ok()?;
    let block: Block<'_> = serde_json::from_str(content_block.get()).ok()?;
    let (name, empty) = match &*block.r#type {
        "text" if block.text.is_none() => ("text", Json::from("")),
        "thinking" if block.thinking.is_none() => ("thinking", Json::from("")),
        "tool_use" | "server_tool_use" if block.input.is_none() => ("input", Json::empty_object()),
        _ => return None,
    };
    let content_block = with_member(content_block.get(), name, &empty);
    Some(format!(r#"{{"type":"content_block_start","index":{index},"content_block":{content_block}}}"#))
}

/// The text of an object with one more member.
fn with_member(object: &str, name: &str, value: &Json) -> String {
    let name = Json::from(name);
    let members = object.trim_start_matches(['\u{FEFF}', ' ', '\t', '\r', '\n']).strip_prefix('{').unwrap_or(object);
    let comma = if members.trim_start().starts_with('}') { "" } else { "," };
    format!("{{{name}:{value}{comma}{members}")
}

impl StreamEvent {
    /// The event as the API sends it: as a server-sent event whose text, by `to_string`, is written
    /// to whoever a stream is relayed to.
    ///
    /// A stream that failed is relayed with an `error` event, made of
    /// [`ApiError::json`](crate::ApiError::json) where the API said why.
    ///
    /// ```
    /// use anthropic_messages::{Json, types::StreamEvent};
    ///
    /// let event: StreamEvent = Json::parse(r#"{"type":"content_block_stop","index":0}"#)?.to()?;
    /// assert_eq!(
    ///     event.to_sse()?.to_string(),
    ///     "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    /// );
    /// # Ok::<(), anthropic_messages::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// When an `extra` repeats a field, which nothing that came from a stream does.
    pub fn to_sse(&self) -> Result<sse::Event<'static>, DecodeError> {
        // Not as `Json`: its limit on nesting holds for the parts, and the whole is deeper.
        let data = serde_json::to_string(self).map_err(DecodeError::of_serialize)?;
        let name = if data.starts_with('{') { event_type(&data).unwrap_or_default() } else { String::new() };
        Ok(sse::Event::new(name, data))
    }
}

fn event_type(data: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Tag {
        r#type: Option<String>,
    }
    from_slice::<Tag>(data.as_bytes()).ok()?.r#type
}
