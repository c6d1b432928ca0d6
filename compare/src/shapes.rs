//! The types that a user without the crate would write: the same fields, by `derive`, without a
//! place for what they do not name.

#![allow(dead_code, reason = "fields are there to be decoded, not to be read")]

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

#[derive(Serialize)]
pub struct Request {
    pub model: String,
    pub messages: Vec<Message>,
    pub max_tokens: u32,
}

#[derive(Serialize)]
pub struct Message {
    pub role: &'static str,
    pub content: String,
}

/// A reply with its blocks as the variants of an enum.
pub type Reply = ReplyOf<Block>;

/// A reply whose blocks are one struct of optional fields. Quicker to read, since `derive` buffers
/// what has a tag, and worse to use.
pub type FlatReply = ReplyOf<FlatBlock>;

#[derive(Deserialize)]
pub struct ReplyOf<B> {
    pub id: Option<String>,
    pub r#type: Option<String>,
    pub role: Option<String>,
    pub model: Option<String>,
    pub content: Option<Vec<B>>,
    pub stop_reason: Option<StopReason>,
    pub stop_sequence: Option<String>,
    pub stop_details: Option<Value>,
    pub usage: Option<Usage>,
    pub container: Option<Value>,
    pub diagnostics: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    EndTurn,
    MaxTokens,
    StopSequence,
    ToolUse,
    PauseTurn,
    Refusal,
    ModelContextWindowExceeded,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
pub struct Usage {
    pub input_tokens: Option<i64>,
    pub output_tokens: i64,
    pub cache_creation_input_tokens: Option<i64>,
    pub cache_read_input_tokens: Option<i64>,
    pub cache_creation: Option<CacheCreation>,
    pub output_tokens_details: Option<Value>,
    pub server_tool_use: Option<ServerToolUsage>,
    pub service_tier: Option<String>,
    pub speed: Option<String>,
    pub inference_geo: Option<String>,
}

#[derive(Deserialize)]
pub struct CacheCreation {
    pub ephemeral_5m_input_tokens: i64,
    pub ephemeral_1h_input_tokens: i64,
}

#[derive(Deserialize)]
pub struct ServerToolUsage {
    pub web_search_requests: Option<i64>,
    pub web_fetch_requests: Option<i64>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    Text { text: String, citations: Option<Vec<Citation>> },
    Thinking { thinking: String, signature: Option<String> },
    ToolUse { id: Option<String>, name: String, input: Value },
}

#[derive(Deserialize)]
pub struct FlatBlock {
    pub r#type: BlockType,
    pub text: Option<String>,
    pub citations: Option<Vec<Citation>>,
    pub thinking: Option<String>,
    pub signature: Option<String>,
    pub id: Option<String>,
    pub name: Option<String>,
    pub input: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockType {
    Text,
    Thinking,
    ToolUse,
}

#[derive(Deserialize)]
pub struct Citation {
    pub r#type: String,
    pub cited_text: Option<String>,
    pub document_index: Option<i64>,
    pub document_title: Option<String>,
    pub start_char_index: Option<i64>,
    pub end_char_index: Option<i64>,
    pub file_id: Option<String>,
}

/// An event that owns its text.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OwnedEvent {
    MessageStart { message: Reply },
    ContentBlockStart { index: i64, content_block: Block },
    ContentBlockDelta { index: i64, delta: OwnedDelta },
    ContentBlockStop { index: i64 },
    MessageDelta { delta: Change, usage: Option<Usage> },
    MessageStop,
    Ping,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OwnedDelta {
    TextDelta { text: String },
    ThinkingDelta { thinking: String },
    SignatureDelta { signature: String },
    InputJsonDelta { partial_json: String },
}

/// An event that borrows its text where no escape is in the way.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BorrowedEvent<'a> {
    MessageStart {
        message: Reply,
    },
    ContentBlockStart {
        index: i64,
        content_block: Block,
    },
    ContentBlockDelta {
        index: i64,
        #[serde(borrow)]
        delta: BorrowedDelta<'a>,
    },
    ContentBlockStop {
        index: i64,
    },
    MessageDelta {
        delta: Change,
        usage: Option<Usage>,
    },
    MessageStop,
    Ping,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BorrowedDelta<'a> {
    TextDelta {
        #[serde(borrow)]
        text: Cow<'a, str>,
    },
    ThinkingDelta {
        #[serde(borrow)]
        thinking: Cow<'a, str>,
    },
    SignatureDelta {
        #[serde(borrow)]
        signature: Cow<'a, str>,
    },
    InputJsonDelta {
        #[serde(borrow)]
        partial_json: Cow<'a, str>,
    },
}

/// An event as one struct of optional fields, which nothing has to be buffered for.
#[derive(Deserialize)]
pub struct FlatEvent<'a> {
    #[serde(borrow)]
    pub r#type: Cow<'a, str>,
    pub index: Option<i64>,
    #[serde(borrow)]
    pub delta: Option<FlatDelta<'a>>,
    pub message: Option<FlatReply>,
    pub content_block: Option<FlatBlock>,
    pub usage: Option<Usage>,
}

#[derive(Deserialize)]
pub struct FlatDelta<'a> {
    #[serde(borrow, default)]
    pub r#type: Cow<'a, str>,
    #[serde(borrow, default)]
    pub text: Cow<'a, str>,
    #[serde(borrow, default)]
    pub thinking: Cow<'a, str>,
    #[serde(borrow, default)]
    pub signature: Cow<'a, str>,
    #[serde(borrow, default)]
    pub partial_json: Cow<'a, str>,
    pub stop_reason: Option<StopReason>,
    pub stop_sequence: Option<String>,
}

#[derive(Deserialize)]
pub struct Change {
    pub stop_reason: Option<StopReason>,
    pub stop_sequence: Option<String>,
}
