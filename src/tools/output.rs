//! What comes out of a tool.

use std::{error, fmt};

use serde::Serialize;

use crate::{
    generated::types::{ContentBlock, ContentBlockToolResultContent},
    json::Json,
};

/// What a tool hands to the model: text, JSON, blocks such as images, or nothing.
///
/// ```
/// use anthropic_messages::{ContentBlock, tools::ToolOutput};
///
/// let text = ToolOutput::from("22 degrees");
/// let json = ToolOutput::from(serde_json::json!({"degrees": 22}));
/// let blocks = ToolOutput::from([ContentBlock::text("22 degrees"), ContentBlock::text("no wind")]);
/// assert_eq!(json, ToolOutput::from(r#"{"degrees":22}"#));
/// # let _ = (text, blocks);
/// ```
///
/// Printing it does not show the content: it is part of a prompt.
#[derive(Clone, PartialEq)]
pub struct ToolOutput(Option<ContentBlockToolResultContent>);

impl ToolOutput {
    /// Any serialisable value, as JSON.
    ///
    /// # Errors
    /// When the value can't be written as JSON. The model reads no more than that.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, ToolError> {
        let unwritable = |error| ToolError::new("the result could not be written as JSON").because(error);
        Json::of(value).map(Self::from).map_err(unwritable)
    }

    pub(super) fn into_content(self) -> Option<ContentBlockToolResultContent> {
        self.0
    }
}

impl From<&str> for ToolOutput {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for ToolOutput {
    fn from(text: String) -> Self {
        Self(Some(text.into()))
    }
}

impl From<Json> for ToolOutput {
    fn from(json: Json) -> Self {
        json.get().into()
    }
}

impl From<serde_json::Value> for ToolOutput {
    fn from(value: serde_json::Value) -> Self {
        Json::from(value).into()
    }
}

impl From<ContentBlock> for ToolOutput {
    fn from(block: ContentBlock) -> Self {
        vec![block].into()
    }
}

impl From<Vec<ContentBlock>> for ToolOutput {
    fn from(blocks: Vec<ContentBlock>) -> Self {
        Self(Some(blocks.into()))
    }
}

impl<const N: usize> From<[ContentBlock; N]> for ToolOutput {
    fn from(blocks: [ContentBlock; N]) -> Self {
        Vec::from(blocks).into()
    }
}

/// No content: that the tool ran is all there is to say.
impl From<()> for ToolOutput {
    fn from((): ()) -> Self {
        Self(None)
    }
}

impl fmt::Debug for ToolOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolOutput").field("is_empty", &self.0.is_none()).finish_non_exhaustive()
    }
}

/// Why a tool failed, in words that its author chose for the model.
///
/// The model reads the [output](ToolError::new), marked as an error. What went wrong inside can be
/// kept beside it as the [source](ToolError::because): it goes to the steps of the run, never to
/// the model. There is no conversion from other errors, so that nothing reaches the model by
/// accident.
///
/// ```
/// use anthropic_messages::tools::ToolError;
///
/// fn read(path: &str) -> Result<String, ToolError> {
///     std::fs::read_to_string(path).map_err(|error| ToolError::new("there is no such file").because(error))
/// }
/// assert_eq!(read("/nowhere/secret").unwrap_err().to_string(), "a tool failed");
/// ```
pub struct ToolError {
    output: ToolOutput,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

impl ToolError {
    /// An error that the model reads: text, or anything else that a tool can hand out.
    #[must_use]
    pub fn new(output: impl Into<ToolOutput>) -> Self {
        Self { output: output.into(), source: None }
    }

    /// Adds what went wrong inside, for the caller of the run alone.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the model reads.
    #[must_use]
    pub fn output(&self) -> &ToolOutput {
        &self.output
    }
}

impl From<&str> for ToolError {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for ToolError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tool failed")
    }
}

/// What the model reads is left out: it is part of a prompt.
impl fmt::Debug for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolError").field("source", &self.source).finish_non_exhaustive()
    }
}

impl error::Error for ToolError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// What a tool may return: whatever converts into a [`ToolOutput`], or a `Result` of it whose error
/// converts into a [`ToolError`].
pub trait IntoToolResult {
    /// The result.
    ///
    /// # Errors
    /// When the tool failed.
    fn into_tool_result(self) -> Result<ToolOutput, ToolError>;
}

impl<O: Into<ToolOutput>, E: Into<ToolError>> IntoToolResult for Result<O, E> {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        self.map(O::into).map_err(E::into)
    }
}

macro_rules! never_fails {
    ($($output:ty),*) => {$(
        impl IntoToolResult for $output {
            fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
                Ok(self.into())
            }
        }
    )*};
}
never_fails!(ToolOutput, &str, String, Json, serde_json::Value, ContentBlock, Vec<ContentBlock>, ());

impl<const N: usize> IntoToolResult for [ContentBlock; N] {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        Ok(self.into())
    }
}
