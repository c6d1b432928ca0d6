//! Constructors and accessors for the parts of a message: images and documents, tool results, cache breakpoints, citations,
//! stop reasons and usage.

use std::{fmt, fs, io, iter::Sum, ops::AddAssign, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    generated::types::{
        CacheControl, Citation, ContentBlock, ContentBlockDocument, ContentBlockImage, ContentBlockToolResult,
        ContentBlockToolResultContent, ContentBlockToolUse, DocumentSource, DocumentSourceBase64,
        DocumentSourceBase64MediaType, DocumentSourceFile, DocumentSourceText, DocumentSourceUrl, ImageMediaType,
        ImageSource, ImageSourceBase64, ImageSourceFile, ImageSourceUrl, MessageResponse, StopReason, ThinkingConfig,
        ThinkingConfigDisabled, ThinkingConfigEnabled, ToolChoice, ToolChoiceAny, ToolChoiceAuto, ToolChoiceNone,
        ToolChoiceTool, Usage,
    },
    json::Empty,
};

impl ContentBlock {
    /// Creates an image block.
    ///
    /// ```
    /// use anthropic_messages::types::{AnthropicMessage, ContentBlock, ImageSource};
    ///
    /// # let bytes = b"\x89PNG\r\n\x1A\n";
    /// let image = ContentBlock::image(ImageSource::from_bytes(bytes)?);
    /// let message = AnthropicMessage::user([image, ContentBlock::text("What is this?")]);
    /// # assert_eq!(message.content.len(), 2);
    /// # Ok::<(), anthropic_messages::ContentError>(())
    /// ```
    #[must_use]
    pub fn image(source: impl Into<ImageSource>) -> Self {
        Self::Image(ContentBlockImage { source: source.into(), ..ContentBlockImage::empty() })
    }

    /// Creates a document block. For a title or citations, use the constructor and setters of the block's own type:
    ///
    /// ```
    /// use anthropic_messages::types::{CitationsConfig, ContentBlock, ContentBlockDocument, DocumentSource};
    ///
    /// let block = ContentBlock::document(DocumentSource::text("The grass is green."));
    /// let citable: ContentBlock = ContentBlockDocument::new()
    ///     .source(DocumentSource::text("The grass is green."))
    ///     .title("Colours")
    ///     .citations(CitationsConfig::new().enabled(true))
    ///     .into();
    /// # assert_ne!(block, citable);
    /// ```
    #[must_use]
    pub fn document(source: impl Into<DocumentSource>) -> Self {
        Self::Document(ContentBlockDocument { source: Some(source.into()), ..ContentBlockDocument::empty() })
    }

    /// Creates the result of a tool call: text or blocks.
    ///
    /// It has the id and the toolset of the call. If the call has no id, which the contract allows, the id is empty and the
    /// API rejects the block.
    ///
    /// ```
    /// use anthropic_messages::{AnthropicMessage, MessageResponse, types::ContentBlock};
    ///
    /// fn answer(reply: &MessageResponse) -> AnthropicMessage {
    ///     let results: Vec<ContentBlock> = reply
    ///         .tool_uses()
    ///         .map(|call| match call.name.as_str() {
    ///             "get_weather" => ContentBlock::tool_result(call, "22 °C and clear"),
    ///             name => ContentBlock::tool_error(call, format!("there is no tool {name}")),
    ///         })
    ///         .collect();
    ///     AnthropicMessage::user(results)
    /// }
    /// # let _ = answer;
    /// ```
    #[must_use]
    pub fn tool_result(call: &ContentBlockToolUse, content: impl Into<ContentBlockToolResultContent>) -> Self {
        Self::ToolResult(result_of(call, content.into()))
    }

    /// Creates the result of a tool call that failed, with `is_error` set. The content tells the model how it failed.
    #[must_use]
    pub fn tool_error(call: &ContentBlockToolUse, content: impl Into<ContentBlockToolResultContent>) -> Self {
        Self::ToolResult(ContentBlockToolResult { is_error: Some(true), ..result_of(call, content.into()) })
    }

    /// Sets a cache breakpoint after the block, replacing any other.
    ///
    /// Supports text, images, documents, search results, tool calls and tool results. For other blocks that accept one, set
    /// their field `cache_control`. To let the API choose the last block that accepts one, set `cache_control` on the request.
    ///
    /// # Errors
    /// Fails for every other block. Thinking can't have a breakpoint, and blocks unknown to this version are not changed.
    ///
    /// ```
    /// use anthropic_messages::types::{CacheControl, ContentBlock};
    ///
    /// let block = ContentBlock::text("A long text").with_cache_control(CacheControl::one_hour())?;
    /// # let _ = block;
    /// # Ok::<(), anthropic_messages::ContentError>(())
    /// ```
    pub fn with_cache_control(mut self, cache_control: CacheControl) -> Result<Self, ContentError> {
        let slot = match &mut self {
            Self::Text(block) => &mut block.cache_control,
            Self::Image(block) => &mut block.cache_control,
            Self::Document(block) => &mut block.cache_control,
            Self::SearchResult(block) => &mut block.cache_control,
            Self::ToolUse(block) => &mut block.cache_control,
            Self::ToolResult(block) => &mut block.cache_control,
            _ => return Err(ContentError(Problem::Breakpoint)),
        };
        *slot = Some(cache_control);
        Ok(self)
    }
}

fn result_of(call: &ContentBlockToolUse, content: ContentBlockToolResultContent) -> ContentBlockToolResult {
    ContentBlockToolResult {
        tool_use_id: call.id.clone().unwrap_or_default(),
        content: Some(content),
        toolset_name: call.toolset_name.clone(),
        ..ContentBlockToolResult::empty()
    }
}

impl CacheControl {
    /// Creates a cache breakpoint with a lifetime of one hour in place of the API's default of five minutes.
    #[must_use]
    pub fn one_hour() -> Self {
        Self { ttl: Some("1h".into()), ..Self::empty() }
    }
}

impl ThinkingConfig {
    /// Enables thinking with a budget in tokens, which is part of `max_tokens`.
    #[must_use]
    pub fn enabled(budget_tokens: i64) -> Self {
        Self::Enabled(ThinkingConfigEnabled { budget_tokens, ..ThinkingConfigEnabled::empty() })
    }

    /// Disables thinking.
    #[must_use]
    pub fn disabled() -> Self {
        Self::Disabled(ThinkingConfigDisabled::empty())
    }
}

impl ToolChoice {
    /// Lets the model decide whether to call tools.
    #[must_use]
    pub fn auto() -> Self {
        Self::Auto(ToolChoiceAuto::empty())
    }

    /// Makes the model call at least one tool.
    #[must_use]
    pub fn any() -> Self {
        Self::Any(ToolChoiceAny::empty())
    }

    /// Makes the model call this tool.
    #[must_use]
    pub fn tool(name: impl Into<String>) -> Self {
        Self::Tool(ToolChoiceTool { name: name.into(), ..ToolChoiceTool::empty() })
    }

    /// Keeps the model from calling tools.
    #[must_use]
    pub fn none() -> Self {
        Self::None(ToolChoiceNone::empty())
    }
}

impl ImageSource {
    /// Embeds a JPEG, PNG, GIF or WebP image. The format is detected from the first bytes.
    ///
    /// # Errors
    /// Fails if the format is none of these. [`encode`](Self::encode) accepts any format.
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Result<Self, ContentError> {
        let bytes = bytes.as_ref();
        let media_type = image_media_type(bytes).ok_or(ContentError(Problem::Image))?;
        Self::encode(media_type, bytes)
    }

    /// Embeds an image file. The format is detected from the content, not from the name. Reads the file on the current thread.
    ///
    /// # Errors
    /// Fails if the file can't be read, and with [`io::ErrorKind::InvalidData`] as [`from_bytes`](Self::from_bytes) does.
    pub fn from_path(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_bytes(fs::read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Embeds an image of a given format, such as `image/png`. The bytes are encoded as base64.
    ///
    /// # Errors
    /// Fails if the bytes are the base64 of an image or a PDF, or a `data:` URL, which would be encoded twice. Use
    /// [`from_base64`](Self::from_base64) for base64.
    pub fn encode(media_type: impl Into<ImageMediaType>, bytes: impl AsRef<[u8]>) -> Result<Self, ContentError> {
        let data = encoded(bytes.as_ref())?;
        Ok(Self::Base64(ImageSourceBase64 { media_type: media_type.into(), data, ..ImageSourceBase64::empty() }))
    }

    /// Embeds an image of a given format, such as `image/png`, that is already base64. White space is removed.
    ///
    /// # Errors
    /// Fails if the text isn't base64 in the standard alphabet with padding, or has the prefix of a `data:` URL.
    pub fn from_base64(media_type: impl Into<ImageMediaType>, text: impl Into<String>) -> Result<Self, ContentError> {
        let data = checked_base64(text.into())?;
        Ok(Self::Base64(ImageSourceBase64 { media_type: media_type.into(), data, ..ImageSourceBase64::empty() }))
    }

    /// Refers to an image by URL, which the API loads.
    #[must_use]
    pub fn url(url: impl Into<String>) -> Self {
        Self::Url(ImageSourceUrl { url: url.into(), ..ImageSourceUrl::empty() })
    }

    /// Refers to an uploaded image by its id.
    #[must_use]
    pub fn file(file_id: impl Into<String>) -> Self {
        Self::File(ImageSourceFile { file_id: file_id.into(), ..ImageSourceFile::empty() })
    }
}

impl DocumentSource {
    /// Embeds a PDF.
    ///
    /// # Errors
    /// Fails if the bytes don't begin like a PDF. [`encode`](Self::encode) accepts any format, and [`text`](Self::text) plain
    /// text.
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Result<Self, ContentError> {
        let bytes = bytes.as_ref();
        if bytes.starts_with(PDF) { Self::encode("application/pdf", bytes) } else { Err(ContentError(Problem::Pdf)) }
    }

    /// Embeds a PDF file. Reads the file on the current thread.
    ///
    /// # Errors
    /// Fails if the file can't be read, and with [`io::ErrorKind::InvalidData`] as [`from_bytes`](Self::from_bytes) does.
    pub fn from_path(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_bytes(fs::read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Embeds a document of a given format, such as `application/pdf`. The bytes are encoded as base64.
    ///
    /// # Errors
    /// Fails if the bytes are the base64 of an image or a PDF, or a `data:` URL, which would be encoded twice. Use
    /// [`from_base64`](Self::from_base64) for base64.
    pub fn encode(
        media_type: impl Into<DocumentSourceBase64MediaType>,
        bytes: impl AsRef<[u8]>,
    ) -> Result<Self, ContentError> {
        let data = encoded(bytes.as_ref())?;
        Ok(Self::Base64(DocumentSourceBase64 { media_type: media_type.into(), data, ..DocumentSourceBase64::empty() }))
    }

    /// Embeds a document of a given format, such as `application/pdf`, that is already base64. White space is removed.
    ///
    /// # Errors
    /// Fails if the text isn't base64 in the standard alphabet with padding, or has the prefix of a `data:` URL.
    pub fn from_base64(
        media_type: impl Into<DocumentSourceBase64MediaType>,
        text: impl Into<String>,
    ) -> Result<Self, ContentError> {
        let data = checked_base64(text.into())?;
        Ok(Self::Base64(DocumentSourceBase64 { media_type: media_type.into(), data, ..DocumentSourceBase64::empty() }))
    }

    /// Embeds plain text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        let media_type = "text/plain".into();
        Self::Text(DocumentSourceText { media_type, data: text.into(), ..DocumentSourceText::empty() })
    }

    /// Refers to a PDF by URL, which the API loads.
    #[must_use]
    pub fn url(url: impl Into<String>) -> Self {
        Self::Url(DocumentSourceUrl { url: url.into(), ..DocumentSourceUrl::empty() })
    }

    /// Refers to an uploaded document by its id.
    #[must_use]
    pub fn file(file_id: impl Into<String>) -> Self {
        Self::File(DocumentSourceFile { file_id: file_id.into(), ..DocumentSourceFile::empty() })
    }
}

/// The first bytes of a PDF.
const PDF: &[u8] = b"%PDF-";

/// Encodes bytes as base64, unless they are base64 already.
fn encoded(bytes: &[u8]) -> Result<String, ContentError> {
    // Enough for any signature, and a whole number of groups without padding.
    let start: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(16).collect();
    let decoded = STANDARD.decode(&start);
    let is_base64 = decoded.is_ok_and(|bytes| image_media_type(&bytes).is_some() || bytes.starts_with(PDF));
    if is_base64 || start.starts_with(b"data:") {
        return Err(ContentError(Problem::EncodedTwice));
    }
    Ok(STANDARD.encode(bytes))
}

/// Removes white space from base64 and checks it.
fn checked_base64(mut text: String) -> Result<String, ContentError> {
    text.retain(|character| !character.is_ascii_whitespace());
    if text.is_empty() || STANDARD.decode(&text).is_err() {
        return Err(ContentError(Problem::Base64));
    }
    Ok(text)
}

/// Returns the format of an image by its signature.
fn image_media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xFF, 0xD8, 0xFF, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

impl MessageResponse {
    /// Returns the citations of all text blocks, in order.
    pub fn citations(&self) -> impl Iterator<Item = &Citation> {
        self.content
            .iter()
            .flatten()
            .filter_map(|block| match block {
                ContentBlock::Text(block) => block.citations.as_ref(),
                _ => None,
            })
            .flatten()
    }

    /// Returns `true` if a limit cut off the reply, see [`StopReason::is_truncated`].
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.stop_reason.as_ref().is_some_and(StopReason::is_truncated)
    }

    /// Returns `true` if the reply is a refusal, see [`StopReason::is_refusal`].
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.stop_reason.as_ref().is_some_and(StopReason::is_refusal)
    }
}

impl Citation {
    /// Returns the cited text, or `None` if this version doesn't know the kind of citation or the server leaves it out.
    #[must_use]
    pub fn cited_text(&self) -> Option<&str> {
        match self {
            Self::CharLocation(location) => location.cited_text.as_deref(),
            Self::PageLocation(location) => location.cited_text.as_deref(),
            Self::ContentBlockLocation(location) => location.cited_text.as_deref(),
            Self::SearchResultLocation(location) => location.cited_text.as_deref(),
            Self::WebSearchResultLocation(location) => Some(&location.cited_text),
            _ => None,
        }
    }
}

impl StopReason {
    /// Returns `true` if the model finished its turn or wrote a stop sequence.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.as_str(), "end_turn" | "stop_sequence")
    }

    /// Returns `true` if a limit cut off the reply: `max_tokens` or the context window. The last block may end in the middle of
    /// a word or of a tool's input.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        matches!(self.as_str(), "max_tokens" | "model_context_window_exceeded")
    }

    /// Returns `true` if the model waits for tool results.
    #[must_use]
    pub fn is_tool_use(&self) -> bool {
        self == "tool_use"
    }

    /// Returns `true` if the API paused a long turn. To continue, send the reply back unchanged.
    #[must_use]
    pub fn is_pause(&self) -> bool {
        self == "pause_turn"
    }

    /// Returns `true` if the model or a filter refused. `stop_details` may have the reason.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self == "refusal"
    }
}

/// Adds the counts. Service tier, speed and region stay if both sides agree.
impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        let is_first = *self == Self::empty();
        add(&mut self.input_tokens, other.input_tokens);
        add(&mut self.output_tokens, other.output_tokens);
        add(&mut self.cache_creation_input_tokens, other.cache_creation_input_tokens);
        add(&mut self.cache_read_input_tokens, other.cache_read_input_tokens);
        if let Some(other) = other.cache_creation {
            let own = self.cache_creation.get_or_insert_with(Empty::empty);
            add(&mut own.ephemeral_5m_input_tokens, other.ephemeral_5m_input_tokens);
            add(&mut own.ephemeral_1h_input_tokens, other.ephemeral_1h_input_tokens);
        }
        if let Some(other) = other.output_tokens_details {
            let own = self.output_tokens_details.get_or_insert_with(Empty::empty);
            add(&mut own.thinking_tokens, other.thinking_tokens);
        }
        if let Some(other) = other.server_tool_use {
            let own = self.server_tool_use.get_or_insert_with(Empty::empty);
            add(&mut own.web_search_requests, other.web_search_requests);
            add(&mut own.web_fetch_requests, other.web_fetch_requests);
        }
        agree(&mut self.service_tier, other.service_tier, is_first);
        agree(&mut self.speed, other.speed, is_first);
        agree(&mut self.inference_geo, other.inference_geo, is_first);
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(usages: I) -> Self {
        usages.fold(Self::default(), |mut sum, usage| {
            sum += usage;
            sum
        })
    }
}

impl<'a> Sum<&'a Usage> for Usage {
    fn sum<I: Iterator<Item = &'a Usage>>(usages: I) -> Self {
        usages.cloned().sum()
    }
}

/// Adds a count, if it is reported.
fn add(sum: &mut Option<i64>, count: Option<i64>) {
    if let Some(count) = count {
        *sum = Some(sum.unwrap_or_default().saturating_add(count));
    }
}

/// Keeps a value that is the same on both sides.
fn agree<T: PartialEq>(own: &mut Option<T>, other: Option<T>, is_first: bool) {
    if is_first {
        *own = other;
    } else if *own != other {
        *own = None;
    }
}

impl Usage {
    /// Returns all input tokens: those written to the cache, those read from it, and the rest. A count that the server
    /// doesn't report counts as 0.
    #[must_use]
    pub fn total_input_tokens(&self) -> i64 {
        self.input_tokens
            .unwrap_or_default()
            .saturating_add(self.cache_creation_input_tokens.unwrap_or_default())
            .saturating_add(self.cache_read_input_tokens.unwrap_or_default())
    }
}

/// The error of a block that can't be created as requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentError(Problem);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    Image,
    Pdf,
    Breakpoint,
    EncodedTwice,
    Base64,
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Problem::Image => "not an image: expected the signature of a JPEG, PNG, GIF or WebP file",
            Problem::Pdf => "not a PDF: expected the bytes `%PDF-` at the start",
            Problem::Breakpoint => "no cache breakpoint possible: expected text, an image, a document, a search result, a tool call or a tool result",
            Problem::EncodedTwice => "data is encoded already: expected bytes, found base64 or a `data:` URL",
            Problem::Base64 => "not base64: expected the standard alphabet with padding",
        })
    }
}

impl std::error::Error for ContentError {}

#[cfg(test)]
mod tests {
    use crate::{
        generated::types::ContentBlock,
        json::{FromJson, Reader},
    };

    /// Each level looks over what is within it for its tag, and over nothing else.
    #[test]
    fn late_tags_cost_the_depth_times_the_length() {
        const DEPTH: usize = 60;
        for length in [1_000, 100_000, 1_000_000] {
            let text = format!(r#"{{"text":"{}","type":"text"}}"#, "x".repeat(length));
            let before = r#"{"tool_use_id":"t","content":["#.repeat(DEPTH);
            let after = r#"],"type":"tool_result"}"#.repeat(DEPTH);
            let json = before + &text + &after;
            let mut reader = Reader::new(&json);
            ContentBlock::read(&mut reader).unwrap();
            let steps = reader.extra_steps();
            assert!(steps > DEPTH * length, "{length}: {steps}");
            assert!(steps < (DEPTH + 1) * json.len(), "{length}: {steps}");
        }
    }
}
