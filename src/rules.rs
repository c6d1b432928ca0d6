//! Rules that the API enforces and its contract doesn't state.
//!
//! The API answers a request that breaks one of them with 400. [`Client::create_message`](crate::Client::create_message),
//! [`Client::stream_message`](crate::Client::stream_message) and tool runs check them before anything is sent, and fail with
//! [`ErrorKind::Contract`] and the place in the request.
//! [`ClientBuilder::check_requests`](crate::ClientBuilder::check_requests) turns the check off. [`check`] does the same for
//! requests that are sent otherwise, such as those of a batch.
//!
//! [`RULES`] is the list. A request that might be accepted passes: where a turn contains blocks that this version doesn't
//! know, the rules about its blocks don't apply.
//!
//! ```
//! use anthropic_messages::{AnthropicMessage, MessageCreateRequest, rules};
//!
//! let turns = [AnthropicMessage::user("Count to three."), AnthropicMessage::assistant("One, ")];
//! let violation = rules::check(&MessageCreateRequest::new("claude-sonnet-5", turns, 1024)).unwrap_err();
//! assert_eq!(violation.rule().name, "final_whitespace");
//! assert_eq!(violation.pointer(), "/messages/1/content/0/text");
//! ```

mod grammar;

use std::{error, fmt};

use self::grammar::{Complexity, Unsupported, complexity};
#[cfg(feature = "schemars")]
pub(crate) use self::grammar::{circular_reference, unescaped, unsupported};
use crate::{
    error::{Error, ErrorKind},
    generated::types::{
        AnthropicMessageRole, AnthropicTool, ContentBlock, ContentBlockText, MessageCreateRequest,
        MessageCreateRequestSystem, ToolUnion,
    },
    json::Json,
};

/// A rule of the API.
pub struct Rule {
    /// A short name for the rule.
    pub name: &'static str,
    /// The page where the rule, or the sentence that the API answers with, is documented.
    pub source: &'static str,
    find: fn(&RequestView<'_>) -> Finding,
}

/// All rules, in the order in which they are checked.
pub const RULES: &[Rule] = &[
    Rule {
        name: "empty_cache_breakpoint",
        source: "https://github.com/anthropics/claude-code/issues/55302",
        find: empty_cache_breakpoint,
    },
    Rule { name: "empty_text", source: "https://github.com/warpdotdev/warp/issues/6276", find: empty_text },
    Rule { name: "empty_turn", source: "https://github.com/anthropics/claude-code/issues/6774", find: empty_turn },
    Rule {
        name: "final_whitespace",
        source: "https://github.com/tailcallhq/forgecode/issues/1872",
        find: final_whitespace,
    },
    Rule {
        name: "call_without_result",
        source: "https://github.com/anthropics/claude-code/issues/5060",
        find: call_without_result,
    },
    Rule {
        name: "result_without_call",
        source: "https://github.com/anthropics/claude-code/issues/13460",
        find: result_without_call,
    },
    Rule {
        name: "tool_name",
        source: "https://github.com/modelcontextprotocol/modelcontextprotocol/issues/1345",
        find: tool_name,
    },
    Rule {
        name: "lone_surrogate",
        source: "https://github.com/anthropics/claude-code/issues/31066",
        find: lone_surrogate,
    },
    Rule { name: "schema_root", source: "https://github.com/anthropics/claude-code/issues/5319", find: schema_root },
    Rule {
        name: "schema_recursion",
        source: "https://github.com/egonSchiele/agency-lang/issues/487",
        find: schema_recursion,
    },
    Rule {
        name: "schema_keyword",
        source: "https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations",
        find: schema_keyword,
    },
    Rule {
        name: "strict_tools",
        source: "https://github.com/datarobot-oss/datarobot-genai/pull/547",
        find: strict_tools,
    },
    Rule {
        name: "optional_members",
        source: "https://github.com/elie222/inbox-zero/pull/2662",
        find: optional_members,
    },
    Rule {
        name: "union_members",
        source: "https://platform.claude.com/docs/en/build-with-claude/structured-outputs#schema-complexity-limits",
        find: union_members,
    },
];

/// The number of tools in a request that can be strict.
const MAX_STRICT_TOOLS: usize = 20;

/// The number of optional members that the strict schemas of a request can have.
const MAX_OPTIONAL: usize = 24;

/// The number of members of several types that the strict schemas of a request can have.
const MAX_UNIONS: usize = 16;

/// Checks a request against all [`RULES`].
///
/// # Errors
/// Returns the first violation, in the order of the rules.
pub fn check(request: &MessageCreateRequest) -> Result<(), Violation> {
    let view = RequestView::new(request);
    RULES.iter().try_for_each(|rule| match (rule.find)(&view) {
        Some((pointer, message)) => Err(Violation { rule, pointer, message }),
        None => Ok(()),
    })
}

/// A violated rule: which one, where, and the sentence that the API answers with.
#[derive(Clone)]
pub struct Violation {
    rule: &'static Rule,
    pointer: String,
    message: String,
}

impl Violation {
    /// Returns the rule.
    #[must_use]
    pub fn rule(&self) -> &'static Rule {
        self.rule
    }

    /// Returns the place in the request, as a JSON pointer.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Returns the message of the API's 400. It contains names and ids, and nothing else of the request.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Violation")
            .field("rule", &self.rule.name)
            .field("pointer", &self.pointer)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("name", &self.name).field("source", &self.source).finish_non_exhaustive()
    }
}

impl error::Error for Violation {}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::new(ErrorKind::Contract, format!("invalid request: {violation}")).with_pointer(&violation.pointer)
    }
}

/// A finding: the pointer, and the sentence of the API.
type Finding = Option<(String, String)>;

fn empty_cache_breakpoint(view: &RequestView<'_>) -> Finding {
    let is_wrong = |text: &ContentBlockText| text.text.is_empty() && text.cache_control.is_some();
    let (place, _) = texts(view.request).find(|(_, text)| is_wrong(text))?;
    let (pointer, place) = (place.pointer(), place.api_notation());
    Some((pointer, format!("{place}.text: cache_control cannot be set for empty text blocks")))
}

fn empty_text(view: &RequestView<'_>) -> Finding {
    let (place, _) = texts(view.request).find(|(_, text)| text.text.is_empty())?;
    let part = if place.message.is_some() { "messages" } else { "system" };
    Some((place.pointer(), format!("{part}: text content blocks must be non-empty")))
}

fn empty_turn(view: &RequestView<'_>) -> Finding {
    let turns = &view.turns;
    let (last, others) = turns.split_last()?;
    let is_prefill = *last.role == AnthropicMessageRole::Assistant;
    let empty = others.iter().chain((!is_prefill).then_some(last)).find(|turn| turn.blocks.is_empty())?;
    let at = empty.first;
    let sentence = "all messages must have non-empty content except for the optional final assistant message";
    Some((format!("/messages/{at}/content"), format!("messages.{at}: {sentence}")))
}

fn final_whitespace(view: &RequestView<'_>) -> Finding {
    let turns = &view.turns;
    let last = turns.last().filter(|turn| *turn.role == AnthropicMessageRole::Assistant)?;
    let block = last.blocks.last()?;
    match block.content {
        ContentBlock::Text(text) if text.text.ends_with(char::is_whitespace) => {
            let sentence = "messages: final assistant content cannot end with trailing whitespace";
            Some((format!("{}/text", block.pointer()), sentence.to_owned()))
        }
        _ => None,
    }
}

fn call_without_result(view: &RequestView<'_>) -> Finding {
    let turns = &view.turns;
    turns.iter().enumerate().find_map(|(at, turn)| {
        if *turn.role != AnthropicMessageRole::Assistant {
            return None;
        }
        let answers = match turns.get(at + 1) {
            Some(next) if *next.role != AnthropicMessageRole::User || next.has_unknown() => return None,
            Some(next) => next.results().collect(),
            None => Vec::new(),
        };
        let open: Vec<_> = turn.calls().filter(|(_, id)| !answers.iter().any(|(_, answer)| answer == id)).collect();
        let (first, _) = open.first()?;
        let (place, ids) = (first.message, open.iter().map(|(_, id)| *id).collect::<Vec<_>>().join(", "));
        let sentence = format!(
            "messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. Each \
             `tool_use` block must have a corresponding `tool_result` block in the next message."
        );
        Some((first.pointer(), sentence))
    })
}

fn result_without_call(view: &RequestView<'_>) -> Finding {
    let turns = &view.turns;
    turns.iter().enumerate().find_map(|(at, turn)| {
        if *turn.role != AnthropicMessageRole::User {
            return None;
        }
        let calls: Vec<_> = match at.checked_sub(1).and_then(|before| turns.get(before)) {
            Some(before) if *before.role != AnthropicMessageRole::Assistant || before.has_unknown() => return None,
            Some(before) => before.blocks.iter().filter_map(|block| call_id(block.content)).collect(),
            None => Vec::new(),
        };
        let (block, id) = turn.results().find(|(_, id)| !calls.contains(id))?;
        let sentence = format!(
            "messages.{}.content.{}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block \
             must have a corresponding `tool_use` block in the previous message.",
            block.message, block.index
        );
        Some((format!("{}/tool_use_id", block.pointer()), sentence))
    })
}

fn tool_name(view: &RequestView<'_>) -> Finding {
    let is_name = |name: &str| {
        matches!(name.len(), 1..=128) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let (at, _) = custom_tools(view.request).find(|(_, tool)| !is_name(&tool.name))?;
    let sentence = format!("tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'");
    Some((format!("/tools/{at}/name"), sentence))
}

fn lone_surrogate(view: &RequestView<'_>) -> Finding {
    let (block, _) = view.inputs().find(|(_, input)| lone_surrogates(input.as_str()).next().is_some())?;
    let sentence = "The request body is not valid JSON: no low surrogate in string";
    Some((format!("{}/input", block.pointer()), sentence.to_owned()))
}

fn schema_root(view: &RequestView<'_>) -> Finding {
    let has_union = |tool: &AnthropicTool| {
        let members = tool.input_schema.decode::<serde_json::Map<String, serde_json::Value>>().unwrap_or_default();
        ["oneOf", "anyOf", "allOf"].iter().any(|keyword| members.contains_key(*keyword))
    };
    let (at, _) = custom_tools(view.request).find(|(_, tool)| has_union(tool))?;
    let place = format!("tools.{at}.custom.input_schema");
    let sentence = format!("{place}: input_schema does not support oneOf, allOf, or anyOf at the top level");
    Some((format!("/tools/{at}/input_schema"), sentence))
}

fn schema_recursion(view: &RequestView<'_>) -> Finding {
    view.strict_schemas.iter().find_map(|StrictSchema { pointer, schema, .. }| {
        let circle = grammar::circular_reference(schema)?.join(" -> ");
        let sentence = format!(
            "Circular reference detected in schema definitions: {circle}. Self-referencing or mutually-referencing \
             definitions are not supported."
        );
        Some((pointer.clone(), sentence))
    })
}

fn schema_keyword(view: &RequestView<'_>) -> Finding {
    view.strict_schemas.iter().find_map(|StrictSchema { pointer, place, schema }| {
        let Unsupported { pointer: within, problem } = grammar::unsupported(schema)?;
        Some((format!("{pointer}{within}"), format!("{place}: the schema {problem}")))
    })
}

fn strict_tools(view: &RequestView<'_>) -> Finding {
    let count = custom_tools(view.request).filter(|(_, tool)| tool.strict == Some(true)).count();
    let sentence =
        format!("Too many strict tools ({count}). The maximum number of strict tools supported is {MAX_STRICT_TOOLS}.");
    (count > MAX_STRICT_TOOLS).then(|| ("/tools".to_owned(), sentence))
}

fn optional_members(view: &RequestView<'_>) -> Finding {
    too_complex(
        view,
        MAX_OPTIONAL,
        |complexity| complexity.optional,
        |count| {
            format!(
                "Schemas contains too many optional parameters ({count}), which would make grammar compilation inefficient. \
             Reduce the number of optional parameters in your tool schemas (limit: {MAX_OPTIONAL})."
            )
        },
    )
}

fn union_members(view: &RequestView<'_>) -> Finding {
    too_complex(
        view,
        MAX_UNIONS,
        |complexity| complexity.unions,
        |count| {
            format!(
                "Schemas contains too many parameters with union types ({count} parameters with type arrays or anyOf). This \
             causes exponential compilation cost. Reduce the number of nullable or union-typed parameters (limit: \
             {MAX_UNIONS})."
            )
        },
    )
}

/// Adds a number up over the strict schemas, and points at the schema where it exceeds the limit.
fn too_complex(
    view: &RequestView<'_>,
    limit: usize,
    count: fn(&Complexity) -> usize,
    sentence: fn(usize) -> String,
) -> Finding {
    let (mut total, mut place) = (0, None);
    for StrictSchema { pointer, schema, .. } in &view.strict_schemas {
        total += count(&complexity(schema));
        if total > limit {
            place.get_or_insert(pointer.clone());
        }
    }
    Some((place?, sentence(total)))
}

/// A request, and the parts of it that several rules look at. They are taken out once, since most calls have nothing to find.
struct RequestView<'a> {
    request: &'a MessageCreateRequest,
    turns: Vec<Turn<'a>>,
    strict_schemas: Vec<StrictSchema>,
}

impl<'a> RequestView<'a> {
    fn new(request: &'a MessageCreateRequest) -> Self {
        Self { request, turns: turns(request), strict_schemas: strict_schemas(request).collect() }
    }

    /// The inputs of tool calls that go back.
    fn inputs(&self) -> impl Iterator<Item = (Block<'a>, &'a Json)> {
        self.turns.iter().flat_map(|turn| &turn.blocks).filter_map(|block| match block.content {
            ContentBlock::ToolUse(call) => Some((*block, &call.input)),
            ContentBlock::ServerToolUse(call) => Some((*block, &call.input)),
            _ => None,
        })
    }
}

/// A schema that the API holds the model to.
struct StrictSchema {
    pointer: String,
    /// The place in the API's own notation.
    place: String,
    schema: serde_json::Value,
}

/// Neighbouring messages of one role, which the API joins before it looks at them.
struct Turn<'a> {
    role: &'a AnthropicMessageRole,
    /// The index of the first message.
    first: usize,
    blocks: Vec<Block<'a>>,
}

/// A block and its place.
#[derive(Clone, Copy)]
struct Block<'a> {
    message: usize,
    index: usize,
    content: &'a ContentBlock,
}

impl Block<'_> {
    fn pointer(&self) -> String {
        format!("/messages/{}/content/{}", self.message, self.index)
    }
}

impl<'a> Turn<'a> {
    fn calls(&self) -> impl Iterator<Item = (Block<'a>, &'a str)> {
        self.blocks.iter().filter_map(|block| match block.content {
            ContentBlock::ToolUse(call) => Some((*block, call.id.as_deref().filter(|id| !id.is_empty())?)),
            _ => None,
        })
    }

    fn results(&self) -> impl Iterator<Item = (Block<'a>, &'a str)> {
        self.blocks.iter().filter_map(|block| match block.content {
            ContentBlock::ToolResult(result) => Some((*block, result.tool_use_id.as_str())),
            _ => None,
        })
    }

    fn has_unknown(&self) -> bool {
        self.blocks.iter().any(|block| matches!(block.content, ContentBlock::Unknown(_)))
    }
}

fn call_id(content: &ContentBlock) -> Option<&str> {
    match content {
        ContentBlock::ToolUse(call) => call.id.as_deref(),
        ContentBlock::ServerToolUse(call) => Some(&call.id),
        _ => None,
    }
}

fn turns(request: &MessageCreateRequest) -> Vec<Turn<'_>> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for (at, message) in request.messages.iter().enumerate() {
        let blocks = message.content.iter().enumerate().map(|(index, content)| Block { message: at, index, content });
        match turns.last_mut() {
            Some(turn) if *turn.role == message.role => turn.blocks.extend(blocks),
            _ => turns.push(Turn { role: &message.role, first: at, blocks: blocks.collect() }),
        }
    }
    turns
}

/// The place of a text block.
struct TextPlace {
    /// The index of the message, or `None` in the system prompt.
    message: Option<usize>,
    index: usize,
}

impl TextPlace {
    fn pointer(&self) -> String {
        let index = self.index;
        match self.message {
            Some(message) => format!("/messages/{message}/content/{index}/text"),
            None => format!("/system/{index}/text"),
        }
    }

    fn api_notation(&self) -> String {
        let index = self.index;
        match self.message {
            Some(message) => format!("messages.{message}.content.{index}"),
            None => format!("system.{index}"),
        }
    }
}

/// The blocks of text in the system prompt and in the messages.
fn texts(request: &MessageCreateRequest) -> impl Iterator<Item = (TextPlace, &ContentBlockText)> {
    let system = match &request.system {
        Some(MessageCreateRequestSystem::Array(blocks)) => blocks.as_slice(),
        _ => &[],
    };
    let system = system.iter().enumerate().map(|(index, block)| (TextPlace { message: None, index }, block));
    let messages = request.messages.iter().enumerate().flat_map(|(message, turn)| {
        let place = move |index| TextPlace { message: Some(message), index };
        turn.content.iter().enumerate().map(move |(index, block)| (place(index), block))
    });
    system.chain(messages).filter_map(|(place, block)| match block {
        ContentBlock::Text(text) => Some((place, text)),
        _ => None,
    })
}

fn custom_tools(request: &MessageCreateRequest) -> impl Iterator<Item = (usize, &AnthropicTool)> {
    request.tools.iter().flatten().enumerate().filter_map(|(at, tool)| match tool {
        ToolUnion::Custom(tool) => Some((at, tool)),
        _ => None,
    })
}

fn strict_schemas(request: &MessageCreateRequest) -> impl Iterator<Item = StrictSchema> {
    let strict = custom_tools(request).filter(|(_, tool)| tool.strict == Some(true));
    let tools = strict.filter_map(|(at, tool)| {
        let (pointer, place) = (format!("/tools/{at}/input_schema"), format!("tools.{at}.custom.input_schema"));
        Some(StrictSchema { pointer, place, schema: tool.input_schema.decode().ok()? })
    });
    let format = request.output_config.as_ref().and_then(|config| config.format.as_ref());
    let output = format.and_then(|format| {
        let (pointer, place) = ("/output_config/format/schema".to_owned(), "output_config.format.schema".to_owned());
        Some(StrictSchema { pointer, place, schema: format.schema.decode().ok()? })
    });
    tools.chain(output)
}

/// Replaces halves of surrogate pairs that lack their other half with U+FFFD.
pub(crate) fn replace_lone_surrogates(json: &mut Json) {
    let mut text = None;
    for at in lone_surrogates(json.as_str()) {
        text.get_or_insert_with(|| json.as_str().to_owned()).replace_range(at..at + 6, "\\ufffd");
    }
    if let Some(replaced) = text.and_then(|text| Json::parse(&text).ok()) {
        *json = replaced;
    }
}

/// The places in JSON text where a string escapes one half of a surrogate pair without the other.
fn lone_surrogates(json: &str) -> impl Iterator<Item = usize> {
    let mut units = escaped_units(json).peekable();
    std::iter::from_fn(move || {
        loop {
            match units.next()? {
                (at, 0xD800..=0xDBFF) => match units.peek() {
                    Some((next, 0xDC00..=0xDFFF)) if *next == at + 6 => drop(units.next()),
                    _ => return Some(at),
                },
                (at, 0xDC00..=0xDFFF) => return Some(at),
                _ => {}
            }
        }
    })
}

/// The code units that `\u` escapes stand for, with the places of the escapes.
fn escaped_units(json: &str) -> impl Iterator<Item = (usize, u32)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            at += json.get(at..)?.find('\\')?;
            let escape = at;
            if json.get(at + 1..)?.starts_with('u') {
                at += 6;
                if let Some(unit) = json.get(escape + 2..at).and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
                    return Some((escape, unit));
                }
            } else {
                at += 2;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_surrogate_pair_is_found_wherever_it_is() {
        for json in [r#""\ud83d""#, r#""\ude00""#, r#""\ud83d \ude00""#, r#""\ud83d\ud83d\ude00""#, r#"{"\uD83D":1}"#] {
            assert!(lone_surrogates(json).next().is_some(), "{json}");
            let mut input = Json::parse(json).unwrap();
            replace_lone_surrogates(&mut input);
            assert!(lone_surrogates(input.as_str()).next().is_none(), "{input}");
        }
        for json in [r#""\ud83d\ude00""#, r#""\\ud83d""#, r#""\\\\ud83d""#, r#""é😀\n\u00e9""#, "{}"] {
            assert!(lone_surrogates(json).next().is_none(), "{json}");
        }
    }
}
