//! Server-sent events read as events of a message, and written again.

use super::{
    delta, sse,
    unknown::{UnknownEvent, tag_of},
};
use crate::{
    error::{Error, ErrorKind, Result as CrateResult},
    generated::types::{StreamEvent, StreamEventPing},
    json::{DecodeError, Empty, Extra, Json, JsonType, Map, read_recording, read_slice, read_str},
    observe::CallRecorder,
};

/// The name of an event that was given none.
const UNNAMED: &str = "message";

/// Reads an event. `None` for one without name and data, which some gateways send to keep a
/// connection open.
///
/// The `type` in the data decides; the event's name stands in where there is none. An event that is written otherwise
/// than it was sent keeps its data, for relays.
pub(super) fn read(
    event: &sse::Event<'_>,
    recorder: Option<&mut CallRecorder>,
) -> Option<Result<StreamEvent, DecodeError>> {
    if event.data.is_empty() && event.event == UNNAMED {
        return None;
    }
    if let Some(delta) = delta::read(&event.data) {
        return Some(Ok(delta.into()));
    }
    let read = |data: &str| match recorder.filter(|recorder| recorder.is_enabled()) {
        Some(recorder) => read_recording(data.as_bytes()).map(|(event, unknown)| {
            recorder.unknown(unknown);
            event
        }),
        None => read_str(data),
    };
    Some(read(&event.data).or_else(|error| {
        let mut mended = mended(event, error)?;
        keep(&mut mended, &event.data, false);
        Ok(mended)
    }))
}

/// Keeps the data of an event, whose text may have been joined with those of its neighbours.
pub(super) fn kept(mut event: StreamEvent, data: &str, is_joined: bool) -> StreamEvent {
    keep(&mut event, data, is_joined);
    event
}

/// Marks in the data of an event that was not UTF-8 where bytes were lost, so that whoever it is relayed to can tell.
///
/// The mark is half of a surrogate pair that stays alone whatever is before and behind it.
pub(super) fn marked(data: &str) -> String {
    data.replace(char::REPLACEMENT_CHARACTER, r"\ufffd\udc00")
}

/// Keeps the data of an event that is written otherwise.
fn keep(event: &mut StreamEvent, data: &str, is_joined: bool) {
    if let Ok(written) = serde_json::to_string(event)
        && let Some(extra) = event.extra_mut()
    {
        extra.keep_source(data, written, is_joined);
    }
}

/// Returns `true` for `[DONE]`, by which some gateways end a stream.
pub(super) fn is_end_marker(event: &sse::Event<'_>) -> bool {
    event.event == UNNAMED && event.data.trim() == "[DONE]"
}

/// Reads an event that isn't what the contract says: by its name, or with what its block lacks.
fn mended(event: &sse::Event<'_>, error: DecodeError) -> Result<StreamEvent, DecodeError> {
    let data = if event.data.is_empty() { "{}" } else { &event.data };
    let is_known = StreamEvent::TAGS.contains(&&*event.event);
    // JSON that no type takes: with members that are repeated, or deeper than is read.
    match tag_of(data).filter(|_| error.is_data()) {
        Some(tag) if tag == "ping" => return Ok(StreamEventPing::empty().into()),
        Some(tag) if !StreamEvent::TAGS.contains(&&*tag) => {
            return Ok(StreamEvent::Unknown(UnknownEvent::new(&tag, data)));
        }
        _ => {}
    }
    let Ok(mut members) = read_str::<Map<Json>>(data) else {
        let begins_object = data.trim_start_matches(['\u{FEFF}', ' ', '\t', '\n', '\r']).starts_with('{');
        return match (&*event.event, begins_object) {
            ("ping", _) => Ok(StreamEventPing::empty().into()),
            // The beginning of an object without a name could be an event of any kind.
            (UNNAMED, true) => Err(error),
            _ if is_known => Err(error),
            (name, _) => Ok(StreamEvent::Unknown(UnknownEvent::new(name, data))),
        };
    };
    match members.get("type").map(|tag| read_str::<String>(tag.get())) {
        Some(Err(_)) if event.event == "ping" => Ok(StreamEventPing::empty().into()),
        None | Some(Err(_)) if !is_known => Ok(StreamEvent::Unknown(UnknownEvent::new(&event.event, data))),
        None => {
            members.shift_insert(0, "type".to_owned(), Json::from(&*event.event));
            let named = reread(&members);
            named.or_else(|error| with_empty_block(members).ok_or(error))
        }
        Some(_) => with_empty_block(members).ok_or(error),
    }
}

/// A `content_block_start` whose block lacks the member that its deltas fill, or has it as null.
fn with_empty_block(mut members: Map<Json>) -> Option<StreamEvent> {
    let mut block: Map<Json> = read_str(members.get("content_block")?.get()).ok()?;
    let (name, empty) = match block.get("type")?.get() {
        r#""text""# => ("text", Json::from("")),
        r#""thinking""# => ("thinking", Json::from("")),
        r#""tool_use""# | r#""server_tool_use""# => ("input", Json::empty_object()),
        _ => return None,
    };
    if block.get(name).is_some_and(|member| member.json_type() != JsonType::Null) {
        return None;
    }
    block.insert(name.to_owned(), empty);
    members.insert("content_block".to_owned(), Json::of(&block).ok()?);
    reread(&members).ok()
}

/// Reads members as a whole. Not by way of `Json`: its limit on nesting holds for the parts, and the whole is deeper.
fn reread(members: &Map<Json>) -> Result<StreamEvent, DecodeError> {
    read_slice(&serde_json::to_vec(members).map_err(|error| DecodeError::of_serialize(&error))?)
}

impl StreamEvent {
    /// Returns the event as the API sends it: a server-sent event whose text, by `to_string`, is written to whoever a
    /// stream is relayed to.
    ///
    /// An event that was not changed since it was read has its members as they were sent: nulls, unknown members and
    /// the text of numbers. Their order and white space are the crate's. The text that a `message_start` has in its
    /// content is the exception: a [`MessageStream`](crate::MessageStream) moves it to events of its own. A tool's input
    /// that lost bytes which were not UTF-8 is written so that whoever reads it can tell: a piece has half a surrogate
    /// pair in their place, and an input at the start of a block is a string. To pass on the error that ended a stream,
    /// use [`Error::to_sse`].
    ///
    /// ```
    /// use anthropic_messages::{Json, types::StreamEvent};
    ///
    /// let event: StreamEvent = Json::parse(r#"{"type":"content_block_stop","index":0}"#)?.to()?;
    /// assert_eq!(
    ///     event.to_sse()?.to_string(),
    ///     "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If an `extra` repeats a field, which nothing that a stream yields does.
    pub fn to_sse(&self) -> CrateResult<sse::Event<'static>> {
        if let Self::Unknown(event) = self {
            return Ok(sse::Event::new(event.name().to_owned(), event.data().to_owned()));
        }
        // Not as `Json`: its limit on nesting holds for the parts, and the whole is deeper.
        let written = serde_json::to_string(self).map_err(|error| {
            Error::new(ErrorKind::Contract, "the event cannot be written")
                .with_source(DecodeError::of_serialize(&error))
        })?;
        let name = event_type(&written).unwrap_or_default();
        let sent = self.extra().and_then(Extra::source).and_then(|source| source.of(&written)).map(str::to_owned);
        Ok(sse::Event::new(name, sent.unwrap_or(written)))
    }
}

impl Error {
    /// Returns the `error` event that passes the error on to whoever a stream is relayed to.
    ///
    /// An error of the API is passed on as the API sent it. Of any other the event says no more than its kind: its
    /// sentence is for the operator of the relay and may name hosts.
    ///
    /// ```
    /// use anthropic_messages::{ErrorKind, MessageStream};
    /// use bytes::Bytes;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let nothing = futures_util::stream::empty::<Result<Bytes, std::io::Error>>();
    /// let error = MessageStream::from_bytes(nothing).final_message().await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Incomplete);
    /// assert!(error.to_sse().to_string().starts_with("event: error\ndata: {\"type\":\"error\","));
    /// # }
    /// ```
    #[must_use]
    pub fn to_sse(&self) -> sse::Event<'static> {
        let data = match self.api_error() {
            Some(api) => api.json().get().to_owned(),
            None => {
                let (error_type, message) = match self.kind() {
                    ErrorKind::Timeout | ErrorKind::Stalled => ("timeout_error", "the reply took too long"),
                    ErrorKind::Overloaded => ("overloaded_error", "the API is overloaded"),
                    ErrorKind::RateLimit => ("rate_limit_error", "the API received too many requests"),
                    ErrorKind::Incomplete | ErrorKind::Truncated | ErrorKind::Closed => {
                        ("api_error", "the reply ended before it was complete")
                    }
                    _ => ("api_error", "the reply failed"),
                };
                let request_id = self.request_id().map_or_else(Json::null, Json::from);
                // Not by `json!`, whose order of members depends on the features of serde_json.
                format!(
                    r#"{{"type":"error","error":{{"type":"{error_type}","message":"{message}"}},"request_id":{request_id}}}"#
                )
            }
        };
        sse::Event::new("error", data)
    }
}

fn event_type(data: &str) -> Option<String> {
    read_str(read_str::<Map<Json>>(data).ok()?.get("type")?.get()).ok()
}
