//! Server-sent events read as events of a message, and written again.

use super::{delta, sse, teller::Teller};
use crate::{
    generated::types::StreamEvent,
    runtime::{DecodeError, Json, Map, read_str},
};

/// The name of an event that was given none.
const UNNAMED: &str = "message";

/// Reads an event. `None` for one without name and data, which some gateways send to keep a
/// connection open.
///
/// The `type` in the data decides; the event's name stands in where there is none.
pub(super) fn read(event: &sse::Event<'_>, teller: Option<&mut Teller>) -> Option<Result<StreamEvent, DecodeError>> {
    if event.data.is_empty() && event.event == UNNAMED {
        return None;
    }
    if let Some(delta) = delta::read(&event.data) {
        return Some(Ok(delta.into()));
    }
    Some(match teller {
        Some(teller) => {
            let mut read = |data: &str| teller.read(data.as_bytes());
            read(&event.data).or_else(|_| mended(event, read))
        }
        None => read_str(&event.data).or_else(|_| mended(event, read_str)),
    })
}

/// Reads an event that can't be read as it is: with what it lacks, where that is known, or else to
/// say what is wrong with it.
fn mended(
    event: &sse::Event<'_>,
    mut read: impl FnMut(&str) -> Result<StreamEvent, DecodeError>,
) -> Result<StreamEvent, DecodeError> {
    let data = if event.data.is_empty() { "{}" } else { event.data.trim_start_matches('\u{FEFF}') };
    let named = match read_str::<Map<Json>>(data) {
        Ok(members) if !members.contains_key("type") && event.event != UNNAMED => {
            with_member(data, "type", &Json::from(&*event.event))
        }
        _ => data.to_owned(),
    };
    read(&named).or_else(|error| match with_empty_block(&named) {
        Some(mended) => read(&mended).map_err(|_| error),
        None => Err(error),
    })
}

/// A `content_block_start` whose block lacks the member that its deltas will fill.
fn with_empty_block(data: &str) -> Option<String> {
    let members: Map<Json> = read_str(data).ok()?;
    let (index, content_block) = (members.get("index")?, members.get("content_block")?);
    let block: Map<Json> = read_str(content_block.get()).ok()?;
    let (name, empty) = match block.get("type")?.get() {
        r#""text""# if !block.contains_key("text") => ("text", Json::from("")),
        r#""thinking""# if !block.contains_key("thinking") => ("thinking", Json::from("")),
        r#""tool_use""# | r#""server_tool_use""# if !block.contains_key("input") => ("input", Json::empty_object()),
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
        let data = serde_json::to_string(self).map_err(|error| DecodeError::of_serialize(&error))?;
        let name = if data.starts_with('{') { event_type(&data).unwrap_or_default() } else { String::new() };
        Ok(sse::Event::new(name, data))
    }
}

fn event_type(data: &str) -> Option<String> {
    read_str(read_str::<Map<Json>>(data).ok()?.get("type")?.get()).ok()
}
