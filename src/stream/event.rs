//! Decodes server-sent events as events of a message, and encodes them.

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

/// The default name of a server-sent event.
const DEFAULT_NAME: &str = "message";

/// Decodes an event. Returns `None` for an event without name and data, which some gateways send to keep a connection open.
///
/// The `type` in the data decides the type of the event. The name of the event is used if there is none. An event that
/// would be written differently than it was sent keeps its data, for relays.
pub(super) fn decode(
    event: &sse::Event<'_>,
    recorder: Option<&mut CallRecorder>,
) -> Option<Result<StreamEvent, DecodeError>> {
    if event.data.is_empty() && event.event == DEFAULT_NAME {
        return None;
    }
    if let Some(delta) = delta::decode(&event.data) {
        return Some(Ok(delta.into()));
    }
    let decode = |data: &str| match recorder.filter(|recorder| recorder.is_enabled()) {
        Some(recorder) => read_recording(data.as_bytes()).map(|(event, unknown)| {
            recorder.unknown(unknown);
            event
        }),
        None => read_str(data),
    };
    Some(decode(&event.data).or_else(|error| {
        let mut decoded = decode_leniently(event, error)?;
        keep_source(&mut decoded, &event.data, false);
        Ok(decoded)
    }))
}

/// Keeps the data of an event whose text was changed. `is_joined` means that a surrogate was moved between two deltas.
pub(super) fn with_source(mut event: StreamEvent, data: &str, is_joined: bool) -> StreamEvent {
    keep_source(&mut event, data, is_joined);
    event
}

/// Marks the places where the data of an event wasn't UTF-8, so that the receiver of a relayed event can detect the loss.
///
/// The mark is a low surrogate after U+FFFD, which stays unpaired whatever surrounds it.
pub(super) fn mark_lost_bytes(data: &str) -> String {
    data.replace(char::REPLACEMENT_CHARACTER, r"\ufffd\udc00")
}

/// Keeps the data of an event that would be written differently.
fn keep_source(event: &mut StreamEvent, data: &str, is_joined: bool) {
    if let Ok(written) = serde_json::to_string(event)
        && let Some(extra) = event.extra_mut()
    {
        extra.keep_source(data, written, is_joined);
    }
}

/// Returns `true` for `[DONE]`, which some gateways send at the end of a stream.
pub(super) fn is_end_marker(event: &sse::Event<'_>) -> bool {
    event.event == DEFAULT_NAME && event.data.trim() == "[DONE]"
}

/// Decodes an event that doesn't match the contract: by its name, or with the member that its block lacks.
fn decode_leniently(event: &sse::Event<'_>, error: DecodeError) -> Result<StreamEvent, DecodeError> {
    let data = if event.data.is_empty() { "{}" } else { &event.data };
    let is_known = StreamEvent::TAGS.contains(&&*event.event);
    // The JSON reader rejects repeated members and deep nesting in events of any type.
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
            // An incomplete object without a name could be an event of any type.
            (DEFAULT_NAME, true) => Err(error),
            _ if is_known => Err(error),
            (name, _) => Ok(StreamEvent::Unknown(UnknownEvent::new(name, data))),
        };
    };
    match members.get("type").map(|tag| read_str::<String>(tag.as_str())) {
        Some(Err(_)) if event.event == "ping" => Ok(StreamEventPing::empty().into()),
        None | Some(Err(_)) if !is_known => Ok(StreamEvent::Unknown(UnknownEvent::new(&event.event, data))),
        None => {
            members.shift_insert(0, "type".to_owned(), Json::from(&*event.event));
            decode_members(&members).or_else(|error| with_missing_member(members).ok_or(error))
        }
        Some(_) => with_missing_member(members).ok_or(error),
    }
}

/// Decodes a `content_block_start` whose block lacks the member that its deltas append to, or has it as `null`.
fn with_missing_member(mut members: Map<Json>) -> Option<StreamEvent> {
    let mut block: Map<Json> = read_str(members.get("content_block")?.as_str()).ok()?;
    let (name, empty) = match block.get("type")?.as_str() {
        r#""text""# => ("text", Json::from("")),
        r#""thinking""# => ("thinking", Json::from("")),
        r#""tool_use""# | r#""server_tool_use""# => ("input", Json::empty_object()),
        _ => return None,
    };
    if block.get(name).is_some_and(|member| member.json_type() != JsonType::Null) {
        return None;
    }
    block.insert(name.to_owned(), empty);
    members.insert("content_block".to_owned(), Json::from_serialize(&block).ok()?);
    decode_members(&members).ok()
}

/// Decodes an event from its members.
///
/// `Json` can't be the intermediate step: its nesting limit is applied to each part, and the whole is nested deeper.
fn decode_members(members: &Map<Json>) -> Result<StreamEvent, DecodeError> {
    read_slice(&serde_json::to_vec(members).map_err(|error| DecodeError::from_serialize(&error))?)
}

impl StreamEvent {
    /// Converts the event to a server-sent event, to relay a stream. Its `to_string` returns the text to send.
    ///
    /// If the event hasn't been changed since it was received, its members are written as they were sent, including nulls,
    /// unknown members and the text of numbers. The order of members and white space can differ. Content in a
    /// `message_start` is the exception: a [`MessageStream`](crate::MessageStream) yields it as separate events.
    ///
    /// If bytes of a tool's input weren't UTF-8, the receiver can detect the loss: a delta has an unpaired surrogate in
    /// their place, and the input of a `content_block_start` is a string.
    ///
    /// Use [`Error::to_sse`] to relay the error that ended a stream.
    ///
    /// ```
    /// use anthropic_messages::{Json, types::StreamEvent};
    ///
    /// let event: StreamEvent = Json::parse(r#"{"type":"content_block_stop","index":0}"#)?.decode()?;
    /// assert_eq!(
    ///     event.to_sse()?.to_string(),
    ///     "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if an `extra` repeats a field. Events that a stream yields never do.
    pub fn to_sse(&self) -> CrateResult<sse::Event<'static>> {
        if let Self::Unknown(event) = self {
            return Ok(sse::Event::new(event.name().to_owned(), event.data().to_owned()));
        }
        // `Json` can't be used: its nesting limit is applied to each part, and the whole is nested deeper.
        let written = serde_json::to_string(self).map_err(|error| {
            Error::new(ErrorKind::Contract, "failed to serialize the event")
                .with_source(DecodeError::from_serialize(&error))
        })?;
        let name = event_type(&written).unwrap_or_default();
        let sent = self.extra().and_then(Extra::source).and_then(|source| source.text_of(&written)).map(str::to_owned);
        Ok(sse::Event::new(name, sent.unwrap_or(written)))
    }
}

impl Error {
    /// Converts the error to an `error` event, to relay the end of a stream.
    ///
    /// An error of the API is written as the API sent it. For any other error, the event contains only a type and a general
    /// message: the message of the error is meant for the operator of the relay and may name hosts.
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
            Some(api) => api.json().as_str().to_owned(),
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
                // `json!` isn't used because its order of members depends on the features of serde_json.
                format!(
                    r#"{{"type":"error","error":{{"type":"{error_type}","message":"{message}"}},"request_id":{request_id}}}"#
                )
            }
        };
        sse::Event::new("error", data)
    }
}

fn event_type(data: &str) -> Option<String> {
    read_str(read_str::<Map<Json>>(data).ok()?.get("type")?.as_str()).ok()
}
