//! Results of tools.

use std::{error, fmt, sync::Arc, time::Duration};

use serde::{Serialize, Serializer};

use crate::{
    generated::types::{ContentBlock, ContentBlockToolResultContent},
    json::{DecodeError, Json},
};

/// The result of a tool: text, JSON, content blocks such as images, or nothing.
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
/// `Debug` omits the content, because it is part of a prompt.
#[derive(Clone, PartialEq)]
pub struct ToolOutput(Option<ContentBlockToolResultContent>);

impl ToolOutput {
    /// Creates a result from any serializable value, as JSON.
    ///
    /// # Errors
    /// Fails if the value can't be written as JSON. The model reads no more than that.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, ToolError> {
        let unwritable = |error| ToolError::new("the result could not be written as JSON").with_source(error);
        Json::from_serialize(value).map(Self::from).map_err(unwritable)
    }

    /// Returns the content, or `None` if the result is empty.
    #[must_use]
    pub fn content(&self) -> Option<&ContentBlockToolResultContent> {
        self.0.as_ref()
    }

    pub(super) fn into_content(self) -> Option<ContentBlockToolResultContent> {
        self.0
    }

    /// Returns the text of a result that is text or JSON, or `None` if it is empty or consists of blocks.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.0 {
            Some(ContentBlockToolResultContent::String(text)) => Some(text),
            _ => None,
        }
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
        json.as_str().into()
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

/// Creates an empty result.
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

/// A type that a tool can return: anything that converts into a [`ToolOutput`], or a `Result` of it whose error converts
/// into a [`ToolError`].
pub trait IntoToolResult {
    /// Converts the value into the result of the call.
    ///
    /// # Errors
    /// Fails if the tool failed.
    fn into_tool_result(self) -> Result<ToolOutput, ToolError>;
}

impl<O: Into<ToolOutput>, E: Into<ToolError>> IntoToolResult for Result<O, E> {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        self.map(O::into).map_err(E::into)
    }
}

macro_rules! infallible {
    ($($output:ty),*) => {$(
        impl IntoToolResult for $output {
            fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
                Ok(self.into())
            }
        }
    )*};
}
infallible!(ToolOutput, &str, String, Json, serde_json::Value, ContentBlock, Vec<ContentBlock>, ());

impl<const N: usize> IntoToolResult for [ContentBlock; N] {
    fn into_tool_result(self) -> Result<ToolOutput, ToolError> {
        Ok(self.into())
    }
}

/// The error that a tool returns.
///
/// The model reads its [output](ToolError::new), marked as an error. The [source](ToolError::with_source) is for the
/// caller of the run: it appears in the steps and never reaches the model. Other errors don't convert into `ToolError`,
/// so that nothing reaches the model by accident.
///
/// `Display` shows the output if it is text.
///
/// ```
/// use anthropic_messages::tools::ToolError;
///
/// fn read(path: &str) -> Result<String, ToolError> {
///     std::fs::read_to_string(path).map_err(|error| ToolError::new("there is no such file").with_source(error))
/// }
/// assert_eq!(read("/nowhere/secret").unwrap_err().to_string(), "there is no such file");
/// ```
#[derive(Clone)]
pub struct ToolError {
    output: ToolOutput,
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

impl ToolError {
    /// Creates an error from the output that the model reads.
    #[must_use]
    pub fn new(output: impl Into<ToolOutput>) -> Self {
        Self { output: output.into(), source: None }
    }

    /// Sets the cause, which the caller of the run sees and the model doesn't.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into().into());
        self
    }

    /// Returns the output that the model reads.
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
        f.write_str(self.output.text().unwrap_or("the tool returned an error"))
    }
}

/// Omits the output, because it is part of a prompt.
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

/// A failed call of a tool: the tool, and the reason.
///
/// A failure doesn't end a run. The model reads about it and can try again. `Display` is a sentence such as
/// ``tool `get_weather` failed: city not found``.
#[derive(Clone, Debug)]
pub struct ToolFailure {
    tool: String,
    kind: ToolFailureKind,
}

/// The reason why a call of a tool failed.
///
/// `Debug` omits the message of a panic, which may repeat the input.
#[derive(Clone)]
#[non_exhaustive]
pub enum ToolFailureKind {
    /// The run has no tool of this name. The model reads the names of the tools that there are.
    Unknown {
        /// The names of the run's tools.
        known: Vec<String>,
    },
    /// The input does not fit the type of the tool. The model reads what was expected, and where.
    Undecodable(DecodeError),
    /// The tool returned an error. The model reads its output.
    Failed(ToolError),
    /// The tool panicked, with this message if it is text. The model reads that the tool failed, and not the message. If
    /// panics abort the process, they do so here as well.
    Panicked(Option<String>),
    /// The tool took longer than this limit. The model reads that it did.
    TimedOut(Duration),
    /// The input that the model wrote is not JSON. The model reads that. The conversation has the text in an object.
    InvalidJson,
    /// A [`before_tool`](super::ToolRun::before_tool) hook denied the call. The model reads this message.
    Denied(String),
    /// The run was interrupted before the tool returned, so that it may have had effects. The model reads that.
    Interrupted,
}

impl ToolFailure {
    pub(super) fn new(tool: impl Into<String>, kind: ToolFailureKind) -> Self {
        Self { tool: tool.into(), kind }
    }

    /// Returns the name of the tool, as the model called it.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// Returns the reason.
    #[must_use]
    pub fn kind(&self) -> &ToolFailureKind {
        &self.kind
    }

    /// The result that the model reads.
    pub(super) fn output(&self) -> ToolOutput {
        let tool = &self.tool;
        match &self.kind {
            ToolFailureKind::Unknown { known } if known.is_empty() => format!("there is no tool `{tool}`").into(),
            ToolFailureKind::Unknown { known } => {
                format!("there is no tool `{tool}`; the tools are `{}`", known.join("`, `")).into()
            }
            ToolFailureKind::Undecodable(error) => {
                format!("the input of `{tool}` does not fit its schema: {error}").into()
            }
            ToolFailureKind::Failed(error) => error.output().clone(),
            ToolFailureKind::Panicked(_) => format!("`{tool}` failed unexpectedly").into(),
            ToolFailureKind::TimedOut(limit) => format!("`{tool}` took longer than {limit:?} and was stopped").into(),
            ToolFailureKind::InvalidJson => format!("the input of `{tool}` is not valid JSON").into(),
            ToolFailureKind::Denied(message) => message.as_str().into(),
            ToolFailureKind::Interrupted => format!("`{tool}` was interrupted and may have had effects").into(),
        }
    }
}

/// Serializes the sentence.
impl Serialize for ToolFailure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for ToolFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tool `{}` failed: ", self.tool)?;
        match &self.kind {
            ToolFailureKind::Unknown { .. } => f.write_str("the run has no such tool"),
            ToolFailureKind::Undecodable(_) => f.write_str("the input does not fit its type"),
            ToolFailureKind::Failed(error) => error.fmt(f),
            ToolFailureKind::Panicked(_) => f.write_str("it panicked"),
            ToolFailureKind::TimedOut(limit) => write!(f, "it took longer than {limit:?}"),
            ToolFailureKind::InvalidJson => f.write_str("the input is not valid JSON"),
            ToolFailureKind::Denied(_) => f.write_str("the call was denied"),
            ToolFailureKind::Interrupted => f.write_str("the run was interrupted"),
        }
    }
}

impl error::Error for ToolFailure {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.kind {
            ToolFailureKind::Undecodable(error) => Some(error),
            // The message is that of the tool's own error.
            ToolFailureKind::Failed(error) => error.source(),
            _ => None,
        }
    }
}

impl fmt::Debug for ToolFailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { known } => f.debug_struct("Unknown").field("known", known).finish(),
            Self::Undecodable(error) => f.debug_tuple("Undecodable").field(error).finish(),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Self::Panicked(_) => f.write_str("Panicked(..)"),
            Self::TimedOut(limit) => f.debug_tuple("TimedOut").field(limit).finish(),
            Self::InvalidJson => f.write_str("InvalidJson"),
            Self::Denied(_) => f.write_str("Denied(..)"),
            Self::Interrupted => f.write_str("Interrupted"),
        }
    }
}
