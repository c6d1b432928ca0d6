//! The input of tool calls: whole, or not.

use std::{error, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    generated::types::{ContentBlockServerToolUse, ContentBlockToolUse},
    json::{DecodeError, Json, JsonType, read_str},
};

/// The input of a tool call that is not one whole JSON object: the token limit cut it, or the stream
/// ended inside it.
///
/// A tool must not run on it.
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

    /// The `index` of the block.
    #[must_use]
    pub fn index(&self) -> i64 {
        self.index
    }

    /// What came of the input, as it was sent.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The text is left out: it is part of a completion.
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
        write!(f, "the tool input of block {} is not whole", self.index)
    }
}

impl error::Error for IncompleteInput {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// Reads the text of an input that has come to its end.
pub(super) fn whole(index: i64, text: &str) -> Result<Json, IncompleteInput> {
    match Json::parse(text) {
        Ok(json) if json.json_type() == JsonType::Object => Ok(json),
        // The contract knows no such input. A number could be the beginning of a longer one.
        Ok(_) => Err(IncompleteInput::new(index, text.to_owned(), None)),
        Err(error) => Err(IncompleteInput::new(index, text.to_owned(), Some(error))),
    }
}

impl ContentBlockToolUse {
    /// The raw text of an input that was cut short, such as by the token limit; `None` when the
    /// input is whole. A call with such an input must not be run. See
    /// [`Accumulator`](crate::Accumulator) for where it comes from.
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
    /// As [`ContentBlockToolUse::incomplete_input`].
    #[must_use]
    pub fn incomplete_input(&self) -> Option<String> {
        incomplete(&self.input)
    }
}

fn incomplete(input: &Json) -> Option<String> {
    (input.json_type() != JsonType::Object).then(|| read_str(input.get()).unwrap_or_else(|_| input.get().to_owned()))
}
