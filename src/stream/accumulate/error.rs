//! Errors of a message that is assembled from events: events that don't fit together, and tool input that is incomplete.

use std::{error, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    generated::types::{ContentBlockServerToolUse, ContentBlockToolUse},
    json::{DecodeError, Json, JsonType, read_str},
};

/// The events of a stream don't make a message: they are out of order, or their content doesn't fit together.
///
/// Returned by [`Accumulator::push`](crate::Accumulator::push). It is the source of an [`Error`](crate::Error) of the kind
/// [`Protocol`](crate::ErrorKind::Protocol). Events that arrive in an order like this are a fault of the server, or of a
/// gateway that drops or joins events.
#[derive(Clone, Debug)]
pub struct ProtocolError {
    kind: ProtocolErrorKind,
    source: Option<DecodeError>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ProtocolErrorKind {
    BeforeStart(&'static str),
    DuplicateStart,
    AfterEnd(&'static str),
    NegativeIndex(i64),
    DuplicateBlock(i64),
    BlockNotOpen(i64),
    BlockNotClosed(i64),
    MissingBlock(i64),
    UnexpectedDelta { index: i64, delta: &'static str },
    UndecodableBlock(i64),
    UndecodableMessage,
}

impl ProtocolErrorKind {
    pub(super) fn with_source(self, source: DecodeError) -> ProtocolError {
        ProtocolError { kind: self, source: Some(source) }
    }
}

impl From<ProtocolErrorKind> for ProtocolError {
    fn from(kind: ProtocolErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ProtocolErrorKind::BeforeStart(event) => write!(f, "`{event}` before `message_start`"),
            ProtocolErrorKind::DuplicateStart => f.write_str("second `message_start`"),
            ProtocolErrorKind::AfterEnd(event) => write!(f, "`{event}` after the end of the message"),
            ProtocolErrorKind::NegativeIndex(index) => write!(f, "block index {index} is negative"),
            ProtocolErrorKind::DuplicateBlock(index) => write!(f, "second `content_block_start` for block {index}"),
            ProtocolErrorKind::BlockNotOpen(index) => write!(f, "event for block {index}, which is not open"),
            ProtocolErrorKind::BlockNotClosed(index) => write!(f, "message ended while block {index} was open"),
            ProtocolErrorKind::MissingBlock(index) => write!(f, "message ended without block {index}"),
            ProtocolErrorKind::UnexpectedDelta { index, delta } => {
                write!(f, "block {index} does not accept a `{delta}`")
            }
            ProtocolErrorKind::UndecodableBlock(index) => write!(f, "failed to decode block {index} from its deltas"),
            ProtocolErrorKind::UndecodableMessage => {
                f.write_str("failed to decode the message after a `message_delta`")
            }
        }
    }
}

impl error::Error for ProtocolError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// The input of a tool call that isn't a complete JSON object, because the token limit cut it or the stream ended.
///
/// Returned by [`Accumulator::tool_input`](crate::Accumulator::tool_input). Don't run a tool on such an input, even if its
/// text happens to be readable: the model hasn't finished writing the call.
#[derive(Clone, Deserialize, Serialize)]
pub struct IncompleteInput {
    index: i64,
    text: String,
    #[serde(skip)]
    source: Option<DecodeError>,
}

impl IncompleteInput {
    pub(super) fn new(index: i64, text: String, source: Option<DecodeError>) -> Self {
        Self { index, text, source }
    }

    /// Returns the index of the block.
    #[must_use]
    pub fn index(&self) -> i64 {
        self.index
    }

    /// Returns the part of the input that has arrived, as it was sent.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Omits the text, which is part of a completion.
impl fmt::Debug for IncompleteInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncompleteInput")
            .field("index", &self.index)
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for IncompleteInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tool input of block {} is incomplete", self.index)
    }
}

impl error::Error for IncompleteInput {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// Parses the text of an input whose block is closed.
pub(super) fn parse_input(index: i64, text: &str) -> Result<Json, IncompleteInput> {
    match Json::parse(text) {
        Ok(json) if json.json_type() == JsonType::Object => Ok(json),
        // The contract has no such input, and a number could be the beginning of a longer one.
        Ok(_) => Err(IncompleteInput::new(index, text.to_owned(), None)),
        Err(error) => Err(IncompleteInput::new(index, text.to_owned(), Some(error))),
    }
}

impl ContentBlockToolUse {
    /// Returns the text of an input that was cut, for example by the token limit, or `None` if the input is complete.
    ///
    /// Don't run a tool on such an input. [`Accumulator`](crate::Accumulator) describes how it arises.
    ///
    /// ```
    /// use anthropic_messages::types::ContentBlockToolUse;
    ///
    /// let call = ContentBlockToolUse::new("weather", serde_json::json!({"city": "Paris"}));
    /// assert_eq!(call.incomplete_input(), None);
    /// let cut = ContentBlockToolUse::new("weather", r#"{"city": "Par"#);
    /// assert_eq!(cut.incomplete_input().as_deref(), Some(r#"{"city": "Par"#));
    /// ```
    #[must_use]
    pub fn incomplete_input(&self) -> Option<String> {
        incomplete(&self.input)
    }
}

impl ContentBlockServerToolUse {
    /// Returns the text of an input that was cut, like [`ContentBlockToolUse::incomplete_input`].
    #[must_use]
    pub fn incomplete_input(&self) -> Option<String> {
        incomplete(&self.input)
    }
}

fn incomplete(input: &Json) -> Option<String> {
    (input.json_type() != JsonType::Object)
        .then(|| read_str(input.as_str()).unwrap_or_else(|_| input.as_str().to_owned()))
}
