//! Comfort on what stands inside a message: images and documents, results of tools, cache
//! breakpoints, citations, and why a reply ended.

use std::{fmt, iter::Sum, ops::AddAssign};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    generated::types::{
        CacheControl, Citation, ContentBlock, ContentBlockDocument, ContentBlockImage, ContentBlockToolResult,
        ContentBlockToolResultContent, ContentBlockToolUse, DocumentSource, DocumentSourceBase64,
        DocumentSourceBase64MediaType, DocumentSourceFile, DocumentSourceText, DocumentSourceUrl, ImageMediaType,
        ImageSource, ImageSourceBase64, ImageSourceFile, ImageSourceUrl, MessageResponse, StopReason, Usage,
    },
    json::Empty,
};

impl ContentBlock {
    /// An image for the model to look at.
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

    /// A document for the model to read.
    ///
    /// Where it needs a title or citations, start from the block's own type:
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

    /// What a call of a tool gave: a text, or blocks.
    ///
    /// It carries the call's identifier and toolset. The contract does not promise the identifier;
    /// for a call without one it is empty here, which the API refuses.
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

    /// Tells the model that a call of a tool failed, and how: `is_error` is set.
    #[must_use]
    pub fn tool_error(call: &ContentBlockToolUse, content: impl Into<ContentBlockToolResultContent>) -> Self {
        Self::ToolResult(ContentBlockToolResult { is_error: Some(true), ..result_of(call, content.into()) })
    }

    /// The block with a cache breakpoint after it, in place of one that it may have.
    ///
    /// Works for text, images, documents, search results, tool calls and results of tools. On
    /// other blocks that can have one set their field `cache_control`. To have the API find the
    /// last block that can, set `cache_control` on the request.
    ///
    /// # Errors
    /// For every other block: reasoning can't have a breakpoint, and what this version of the
    /// contract does not know stays as it was sent.
    ///
    /// ```
    /// use anthropic_messages::types::{CacheControl, ContentBlock};
    ///
    /// let block = ContentBlock::text("A long text").with_cache_control(CacheControl::new().ttl("1h"))?;
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

impl ImageSource {
    /// The bytes of a JPEG, PNG, GIF or WebP image, which goes into the request itself; the format
    /// is read from the first bytes.
    ///
    /// # Errors
    /// When the bytes begin like none of these. [`base64`](Self::base64) takes any.
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Result<Self, ContentError> {
        let bytes = bytes.as_ref();
        let media_type = image_media_type(bytes).ok_or(ContentError(Problem::Image))?;
        Ok(Self::base64(media_type, bytes))
    }

    /// The bytes of an image of a given format, such as `image/png`.
    #[must_use]
    pub fn base64(media_type: impl Into<ImageMediaType>, bytes: impl AsRef<[u8]>) -> Self {
        let data = STANDARD.encode(bytes);
        Self::Base64(ImageSourceBase64 { media_type: media_type.into(), data, ..ImageSourceBase64::empty() })
    }

    /// An image that the API loads from an address.
    #[must_use]
    pub fn url(url: impl Into<String>) -> Self {
        Self::Url(ImageSourceUrl { url: url.into(), ..ImageSourceUrl::empty() })
    }

    /// An uploaded image, by its identifier.
    #[must_use]
    pub fn file(file_id: impl Into<String>) -> Self {
        Self::File(ImageSourceFile { file_id: file_id.into(), ..ImageSourceFile::empty() })
    }
}

impl DocumentSource {
    /// The bytes of a PDF, which goes into the request itself.
    ///
    /// # Errors
    /// When the bytes do not begin like a PDF. [`base64`](Self::base64) takes any, and
    /// [`text`](Self::text) a plain text.
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Result<Self, ContentError> {
        let bytes = bytes.as_ref();
        if bytes.starts_with(b"%PDF-") {
            Ok(Self::base64("application/pdf", bytes))
        } else {
            Err(ContentError(Problem::Pdf))
        }
    }

    /// The bytes of a document of a given format, such as `application/pdf`.
    #[must_use]
    pub fn base64(media_type: impl Into<DocumentSourceBase64MediaType>, bytes: impl AsRef<[u8]>) -> Self {
        let data = STANDARD.encode(bytes);
        Self::Base64(DocumentSourceBase64 { media_type: media_type.into(), data, ..DocumentSourceBase64::empty() })
    }

    /// A plain text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        let media_type = "text/plain".into();
        Self::Text(DocumentSourceText { media_type, data: text.into(), ..DocumentSourceText::empty() })
    }

    /// A PDF that the API loads from an address.
    #[must_use]
    pub fn url(url: impl Into<String>) -> Self {
        Self::Url(DocumentSourceUrl { url: url.into(), ..DocumentSourceUrl::empty() })
    }

    /// An uploaded document, by its identifier.
    #[must_use]
    pub fn file(file_id: impl Into<String>) -> Self {
        Self::File(DocumentSourceFile { file_id: file_id.into(), ..DocumentSourceFile::empty() })
    }
}

/// The format of an image, by the signature that its specification sets.
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
    /// The citations of all text blocks, in their order.
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

    /// Whether the reply ends where a limit cut it off, see [`StopReason::is_truncated`].
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.stop_reason.as_ref().is_some_and(StopReason::is_truncated)
    }

    /// Whether the reply is a refusal, see [`StopReason::is_refusal`].
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.stop_reason.as_ref().is_some_and(StopReason::is_refusal)
    }
}

impl Citation {
    /// The words that are cited; `None` for a kind of citation that the contract does not know, or
    /// when the server leaves them out.
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
    /// Whether the model came to an end: it said all it wanted to, or wrote a stop sequence.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.as_str(), "end_turn" | "stop_sequence")
    }

    /// Whether a limit cut the model off: `max_tokens` or the context window. The last block may
    /// end in the middle of a word, or of a tool's input.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        matches!(self.as_str(), "max_tokens" | "model_context_window_exceeded")
    }

    /// Whether the model waits for the results of tools.
    #[must_use]
    pub fn is_tool_use(&self) -> bool {
        self == "tool_use"
    }

    /// Whether the API paused a long turn: send the reply back as it is to let it go on.
    #[must_use]
    pub fn is_pause(&self) -> bool {
        self == "pause_turn"
    }

    /// Whether the model, or a filter beside it, refused; `stop_details` may say why.
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

/// Why a block could not be made as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentError(Problem);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    Image,
    Pdf,
    Breakpoint,
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Problem::Image => "the bytes are no JPEG, PNG, GIF or WebP image",
            Problem::Pdf => "the bytes are no PDF",
            Problem::Breakpoint => "only text, images, documents, search results, tool calls and their results take a cache breakpoint here",
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
