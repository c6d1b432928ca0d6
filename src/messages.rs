//! Constructors and accessors for messages and the events of streams.
//!
//! They are shortcuts for members of the generated types, which stay accessible.

use crate::{
    generated::types::{
        AnthropicMessage, ContentBlock, ContentBlockDelta, ContentBlockText, ContentBlockToolUse, CountTokensRequest,
        CountTokensRequestSystem, MessageCreateRequest, MessageCreateRequestSystem, MessageResponse, StreamEvent,
        WebFetchToolResultContent,
    },
    json::{Empty, JsonType},
    response::Response,
    rules,
};

/// The content of a message: text, one block or several.
///
/// [`AnthropicMessage::user`] and [`AnthropicMessage::assistant`] accept any type that converts into it.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageContent(Vec<ContentBlock>);

impl From<&str> for MessageContent {
    fn from(text: &str) -> Self {
        Self(vec![ContentBlock::text(text)])
    }
}

impl From<String> for MessageContent {
    fn from(text: String) -> Self {
        Self(vec![ContentBlock::text(text)])
    }
}

impl From<ContentBlock> for MessageContent {
    fn from(block: ContentBlock) -> Self {
        Self(vec![block])
    }
}

impl From<Vec<ContentBlock>> for MessageContent {
    fn from(blocks: Vec<ContentBlock>) -> Self {
        Self(blocks)
    }
}

impl<const N: usize> From<[ContentBlock; N]> for MessageContent {
    fn from(blocks: [ContentBlock; N]) -> Self {
        Self(blocks.into())
    }
}

impl FromIterator<ContentBlock> for MessageContent {
    fn from_iter<I: IntoIterator<Item = ContentBlock>>(blocks: I) -> Self {
        Self(blocks.into_iter().collect())
    }
}

impl AnthropicMessage {
    /// Creates a message of the user.
    ///
    /// ```
    /// use anthropic_messages::types::{AnthropicMessage, ContentBlock};
    ///
    /// let message = AnthropicMessage::user("Hello");
    /// assert_eq!(message, AnthropicMessage::user([ContentBlock::text("Hello")]));
    /// assert_eq!(message.role, "user");
    /// ```
    #[must_use]
    pub fn user(content: impl Into<MessageContent>) -> Self {
        Self::turn("user", content.into().0)
    }

    /// Creates a message of the model: an earlier reply, or the beginning of the requested one.
    ///
    /// To continue a conversation, convert the [`MessageResponse`] instead. That keeps all of its blocks.
    #[must_use]
    pub fn assistant(content: impl Into<MessageContent>) -> Self {
        Self::turn("assistant", content.into().0)
    }

    fn turn(role: &str, content: Vec<ContentBlock>) -> Self {
        Self { role: role.into(), content, ..Self::empty() }
    }
}

/// Creates a message of the user.
impl From<&str> for AnthropicMessage {
    fn from(text: &str) -> Self {
        Self::user(text)
    }
}

/// Creates a message of the user.
impl From<String> for AnthropicMessage {
    fn from(text: String) -> Self {
        Self::user(text)
    }
}

impl ContentBlock {
    /// Creates a block of text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(ContentBlockText { text: text.into(), ..ContentBlockText::empty() })
    }

    /// Returns the text of a text block.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(block) => Some(&block.text),
            _ => None,
        }
    }

    /// Returns the block if it is a call of one of the caller's tools.
    #[must_use]
    pub fn as_tool_use(&self) -> Option<&ContentBlockToolUse> {
        match self {
            Self::ToolUse(call) => Some(call),
            _ => None,
        }
    }
}

impl MessageResponse {
    /// Returns the text of the reply: its text blocks, joined without a separator. Empty if there are none, for example if the
    /// model only calls tools.
    #[must_use]
    pub fn text(&self) -> String {
        self.blocks().iter().filter_map(ContentBlock::as_text).collect()
    }

    /// Returns the calls of the caller's tools, in order.
    pub fn tool_uses(&self) -> impl Iterator<Item = &ContentBlockToolUse> {
        self.blocks().iter().filter_map(ContentBlock::as_tool_use)
    }

    /// Returns the blocks of the reply, in order.
    #[must_use]
    pub fn blocks(&self) -> &[ContentBlock] {
        self.content.as_deref().unwrap_or_default()
    }

    /// Returns the number of output tokens, or 0 if the server doesn't report it.
    #[must_use]
    pub fn output_tokens(&self) -> i64 {
        self.usage.as_ref().and_then(|usage| usage.output_tokens).unwrap_or_default()
    }
}

impl StreamEvent {
    /// Returns the text that this event adds to a text block.
    ///
    /// ```
    /// # use anthropic_messages::{Client, MessageCreateRequest};
    /// # async fn sample(client: Client, request: MessageCreateRequest) -> anthropic_messages::Result<()> {
    /// let mut stream = client.stream_message(&request).await?;
    /// while let Some(event) = stream.next().await {
    ///     if let Some(text) = event?.text_delta() {
    ///         print!("{text}");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn text_delta(&self) -> Option<&str> {
        match self.delta()? {
            ContentBlockDelta::TextDelta(delta) => Some(&delta.text),
            _ => None,
        }
    }

    /// Returns the text that this event adds to a thinking block.
    #[must_use]
    pub fn thinking_delta(&self) -> Option<&str> {
        match self.delta()? {
            ContentBlockDelta::ThinkingDelta(delta) => Some(&delta.thinking),
            _ => None,
        }
    }

    fn delta(&self) -> Option<&ContentBlockDelta> {
        match self {
            Self::ContentBlockDelta(event) => Some(&event.delta),
            _ => None,
        }
    }
}

/// Converts a reply into a turn of the conversation, with all blocks as they arrived, signatures, unknown fields and unknown
/// blocks included.
///
/// The API rejects some of what it returns. Therefore empty text blocks are left out, the document of a web fetch loses
/// members that are `null`, and half of a surrogate pair in the input of a tool call becomes U+FFFD. The content is empty if
/// nothing else was in it: don't send such a turn.
impl From<MessageResponse> for AnthropicMessage {
    fn from(reply: MessageResponse) -> Self {
        let mut content = reply.content.unwrap_or_default();
        content.retain(|block| !matches!(block, ContentBlock::Text(text) if text.text.is_empty()));
        content.iter_mut().for_each(make_sendable);
        Self::turn("assistant", content)
    }
}

/// Changes what the API returns in a block and rejects in a request.
fn make_sendable(block: &mut ContentBlock) {
    match block {
        ContentBlock::WebFetchToolResult(result) => {
            result.extra.clear_nulls();
            if result.extra.get("citations").is_some_and(|citations| citations.json_type() == JsonType::Null) {
                result.extra.remove("citations");
            }
            if let Some(WebFetchToolResultContent::WebFetchResult(page)) = &mut result.content
                && let Some(document) = &mut page.content
            {
                document.extra.clear_nulls();
            }
        }
        ContentBlock::ToolUse(call) => rules::replace_lone_surrogates(&mut call.input),
        ContentBlock::ServerToolUse(call) => rules::replace_lone_surrogates(&mut call.input),
        _ => {}
    }
}

/// Creates the request that counts the input tokens of another one. Members that only the creation of a message has are left
/// out, as are those in `extra`.
impl From<&MessageCreateRequest> for CountTokensRequest {
    fn from(request: &MessageCreateRequest) -> Self {
        let system = request.system.clone().map(|system| match system {
            MessageCreateRequestSystem::String(text) => CountTokensRequestSystem::String(text),
            MessageCreateRequestSystem::Array(blocks) => CountTokensRequestSystem::Array(blocks),
            MessageCreateRequestSystem::Unknown(json) => CountTokensRequestSystem::Unknown(json),
        });
        Self {
            model: request.model.as_str().into(),
            messages: request.messages.clone(),
            system,
            tools: request.tools.clone(),
            tool_choice: request.tool_choice.clone(),
            thinking: request.thinking.clone(),
            output_config: request.output_config.clone(),
            cache_control: request.cache_control.clone(),
            speed: request.speed.clone(),
            ..Self::empty()
        }
    }
}

/// Converts a reply into a turn of the conversation, as for [`MessageResponse`].
impl From<Response<MessageResponse>> for AnthropicMessage {
    fn from(reply: Response<MessageResponse>) -> Self {
        reply.into_inner().into()
    }
}
