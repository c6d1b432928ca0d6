//! Comfort on the types of messages: what users write and read all day.
//!
//! Nothing here is more than a few lines over the generated types; what the contract adds tomorrow
//! is reached through them just as well.

use crate::{
    generated::types::{
        AnthropicMessage, ContentBlock, ContentBlockText, ContentBlockToolUse, CountTokensRequest,
        CountTokensRequestSystem, MessageCreateRequest, MessageCreateRequestSystem, MessageResponse,
        WebFetchToolResultContent,
    },
    json::{Empty, JsonType},
    response::Response,
    rules,
};

/// What a turn consists of: text, one block, or several.
///
/// Anything that can be the content of [`AnthropicMessage::user`] and
/// [`AnthropicMessage::assistant`] converts into it.
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

impl AnthropicMessage {
    /// A turn of the user.
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

    /// A turn of the model: an earlier reply, or the beginning of the one that is asked for.
    ///
    /// To hand back a reply, convert the [`MessageResponse`] itself; that loses nothing.
    #[must_use]
    pub fn assistant(content: impl Into<MessageContent>) -> Self {
        Self::turn("assistant", content.into().0)
    }

    fn turn(role: &str, content: Vec<ContentBlock>) -> Self {
        Self { role: role.into(), content, ..Self::empty() }
    }
}

impl ContentBlock {
    /// A block of text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(ContentBlockText { text: text.into(), ..ContentBlockText::empty() })
    }
}

impl MessageResponse {
    /// The text of the reply: all its text blocks, joined with nothing between them.
    ///
    /// Empty when there is none, for example when the model only calls tools.
    #[must_use]
    pub fn text(&self) -> String {
        self.blocks()
            .filter_map(|block| match block {
                ContentBlock::Text(block) => Some(block.text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The calls of the caller's tools in the reply, in their order.
    pub fn tool_uses(&self) -> impl Iterator<Item = &ContentBlockToolUse> {
        self.blocks().filter_map(|block| match block {
            ContentBlock::ToolUse(call) => Some(call),
            _ => None,
        })
    }

    fn blocks(&self) -> impl Iterator<Item = &ContentBlock> {
        self.content.iter().flatten()
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
            model: request.model.clone(),
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
