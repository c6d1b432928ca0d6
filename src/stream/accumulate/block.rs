//! Assembles one block of the message from its deltas.

use serde::{Deserialize, Serialize};

use super::{
    error::{IncompleteInput, ProtocolError, ProtocolErrorKind, parse_input},
    merge::{PendingMembers, convert},
    surrogates::{HighSurrogate, TextKind, join_delta, join_json, members_of, set_initial_text, text_of},
};
use crate::{
    generated::types::{ContentBlock, ContentBlockDelta, StreamEventContentBlockDelta, StreamEventContentBlockStart},
    json::{DecodeError, Json, JsonType, Map, Source, read_str},
};

/// The state of a block, whose content is a [`ContentBlock`] of the message.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct BlockState {
    index: i64,
    phase: BlockPhase,
    unknown_deltas: Vec<Json>,
}

#[derive(Clone, Deserialize, Serialize)]
enum BlockPhase {
    Open(PendingContent),
    Closed,
    /// Closed with an input that is incomplete.
    Incomplete(Box<IncompleteInput>),
}

/// The part of an open block that has arrived and isn't in its content yet.
#[derive(Clone, Default, Deserialize, Serialize)]
struct PendingContent {
    /// The text of the input.
    input: String,
    /// The input has lost a part of a character.
    is_lossy: bool,
    surrogate: Option<HighSurrogate>,
    members: Option<Box<PendingMembers>>,
}

impl BlockState {
    /// Opens a block, and returns its state and its initial content. An input of `null` becomes an empty one.
    pub(super) fn open(event: &StreamEventContentBlockStart) -> Result<(Self, ContentBlock), ProtocolError> {
        let index = event.index;
        let mut content = event.content_block.clone();
        if let Some(input) = input_of_mut(&mut content).filter(|input| input.json_type() == JsonType::Null) {
            *input = Json::empty_object();
        }
        let mut pending = PendingContent::default();
        if let Some(source) = event.extra.source() {
            pending
                .take_surrogates(&mut content, source)
                .map_err(|error| ProtocolErrorKind::UndecodableBlock(index).with_source(error))?;
        }
        Ok((Self { index, phase: BlockPhase::Open(pending), unknown_deltas: Vec::new() }, content))
    }

    /// Creates the state of a block that is complete.
    pub(super) fn closed(index: i64, content: &ContentBlock) -> Self {
        Self { index, phase: BlockPhase::closed(index, content), unknown_deltas: Vec::new() }
    }

    pub(super) fn index(&self) -> i64 {
        self.index
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, BlockPhase::Open(_))
    }

    pub(super) fn unknown_deltas(&self) -> &[Json] {
        &self.unknown_deltas
    }

    pub(super) fn incomplete(&self) -> Option<&IncompleteInput> {
        match &self.phase {
            BlockPhase::Incomplete(input) => Some(input),
            _ => None,
        }
    }

    /// Returns the input once the block is closed.
    pub(super) fn input<'a>(
        &'a self,
        content: Option<&'a ContentBlock>,
    ) -> Option<Result<&'a Json, &'a IncompleteInput>> {
        match &self.phase {
            BlockPhase::Open(_) => None,
            BlockPhase::Closed => input_of(content?).map(Ok),
            BlockPhase::Incomplete(input) => Some(Err(input)),
        }
    }

    /// Returns the text of the input as far as it has arrived.
    pub(super) fn input_text<'a>(&'a self, content: Option<&'a ContentBlock>) -> Option<&'a str> {
        match &self.phase {
            BlockPhase::Open(pending) if !pending.input.is_empty() || input_of(content?).is_some() => {
                Some(&pending.input)
            }
            BlockPhase::Open(_) => None,
            BlockPhase::Closed => input_of(content?).map(Json::as_str),
            BlockPhase::Incomplete(input) => Some(input.text()),
        }
    }

    /// Returns the text of a delta joined to the high surrogate before it and without the one it ends with, or `None` if
    /// the delta's text can be used as it is.
    pub(super) fn joined_text(&self, event: &StreamEventContentBlockDelta) -> Option<String> {
        match &self.phase {
            BlockPhase::Open(pending) if pending.surrogate.is_some() || event.extra.source().is_some() => {
                Some(join_delta(pending.surrogate, event)?.text)
            }
            _ => None,
        }
    }

    /// Adds a delta to the content of an open block.
    pub(super) fn add(
        &mut self,
        content: &mut ContentBlock,
        event: &StreamEventContentBlockDelta,
    ) -> Result<(), ProtocolError> {
        let index = self.index;
        let BlockPhase::Open(pending) = &mut self.phase else {
            return Err(ProtocolErrorKind::BlockNotOpen(index).into());
        };
        let undecodable = |error| ProtocolErrorKind::UndecodableBlock(index).with_source(error);
        // Almost every delta is handled by one of the first three arms.
        let is_unsplit = pending.surrogate.is_none() && event.extra.source().is_none();
        match (&mut *content, &event.delta) {
            (ContentBlock::Text(block), ContentBlockDelta::TextDelta(delta)) if is_unsplit => {
                block.text.push_str(&delta.text);
            }
            (ContentBlock::Thinking(block), ContentBlockDelta::ThinkingDelta(delta)) if is_unsplit => {
                block.thinking.push_str(&delta.thinking);
            }
            (ContentBlock::ToolUse(_), ContentBlockDelta::InputJsonDelta(delta)) if is_unsplit => {
                pending.input.push_str(&delta.partial_json);
            }
            (ContentBlock::Text(_), ContentBlockDelta::TextDelta(_))
            | (ContentBlock::Thinking(_), ContentBlockDelta::ThinkingDelta(_))
            | (ContentBlock::ToolUse(_) | ContentBlock::ServerToolUse(_), ContentBlockDelta::InputJsonDelta(_))
            | (
                ContentBlock::Unknown(_),
                ContentBlockDelta::TextDelta(_)
                | ContentBlockDelta::ThinkingDelta(_)
                | ContentBlockDelta::InputJsonDelta(_),
            ) => {
                if !pending.add_text(content, event).map_err(undecodable)? {
                    self.unknown_deltas.push(Json::from_serialize(&event.delta).map_err(undecodable)?);
                }
            }
            // A call that the contract names and this file doesn't, such as `mcp_tool_use` of the beta overlay.
            (content, ContentBlockDelta::InputJsonDelta(_)) if has_input(content) => {
                pending.add_text(content, event).map_err(undecodable)?;
            }
            (ContentBlock::Thinking(block), ContentBlockDelta::SignatureDelta(delta)) => {
                block.signature = Some(delta.signature.clone());
            }
            (ContentBlock::Text(block), ContentBlockDelta::CitationsDelta(delta)) => {
                block.citations.get_or_insert_default().extend(delta.citation.clone());
            }
            (content, ContentBlockDelta::Unknown(delta)) => {
                // A delta that can't be merged, for example because it repeats a member, leaves the block as it is.
                if let Ok(mut members) = read_str::<Map<Json>>(delta.as_str()) {
                    members.shift_remove("type");
                    let _ = pending.merge(content, members);
                }
                self.unknown_deltas.push(delta.clone());
            }
            (content @ ContentBlock::Unknown(_), ContentBlockDelta::SignatureDelta(delta)) => {
                pending.members(content).map_err(undecodable)?.set("signature", &Json::from(&*delta.signature));
            }
            (content @ ContentBlock::Unknown(_), ContentBlockDelta::CitationsDelta(delta)) => {
                let citations: Vec<_> = delta.citation.iter().collect();
                let citations = Json::from_serialize(&citations).map_err(undecodable)?;
                if !pending.merge(content, member("citations", citations)).map_err(undecodable)? {
                    self.unknown_deltas.push(Json::from_serialize(delta).map_err(undecodable)?);
                }
            }
            (
                _,
                delta @ (ContentBlockDelta::TextDelta(_)
                | ContentBlockDelta::InputJsonDelta(_)
                | ContentBlockDelta::ThinkingDelta(_)
                | ContentBlockDelta::SignatureDelta(_)
                | ContentBlockDelta::CitationsDelta(_)),
            ) => return Err(ProtocolErrorKind::UnexpectedDelta { index, delta: type_name(delta) }.into()),
            // A delta that the contract names and this file doesn't, such as `compaction_delta` of the beta overlay.
            #[allow(unreachable_patterns, reason = "depends on the contract")]
            (content, delta) => {
                let mut members: Map<Json> = convert(delta).map_err(undecodable)?;
                members.shift_remove("type");
                if !pending.merge(content, members).map_err(undecodable)? {
                    self.unknown_deltas.push(Json::from_serialize(delta).map_err(undecodable)?);
                }
            }
        }
        Ok(())
    }

    /// Closes an open block.
    pub(super) fn close(&mut self, content: &mut ContentBlock) -> Result<(), ProtocolError> {
        let index = self.index;
        let BlockPhase::Open(pending) = &mut self.phase else {
            return Err(ProtocolErrorKind::BlockNotOpen(index).into());
        };
        let undecodable = |error| ProtocolErrorKind::UndecodableBlock(index).with_source(error);
        pending.end_text(content).map_err(undecodable)?;
        let input = match (pending.input.is_empty(), pending.is_lossy) {
            // Without a delta, the input is that of `content_block_start`.
            (true, _) => None,
            (false, true) => Some(Err(IncompleteInput::new(index, pending.input.clone(), None))),
            (false, false) => Some(parse_input(index, &pending.input)),
        };
        self.phase = pending.finish(index, content, input).map_err(undecodable)?;
        Ok(())
    }

    /// Closes a block that is still open when the stream ends.
    pub(super) fn interrupt(&mut self, content: &mut ContentBlock) {
        let BlockPhase::Open(pending) = &mut self.phase else { return };
        let ended = pending.end_text(content);
        let text = std::mem::take(&mut pending.input);
        let text = match input_of(content) {
            Some(first) if text.is_empty() && first.as_str() != "{}" => Some(first.as_str().to_owned()),
            Some(_) => Some(text),
            None => Some(text).filter(|text| !text.is_empty()),
        };
        let input = text.map(|text| Err(IncompleteInput::new(self.index, text, None)));
        let finished = ended.and_then(|_| pending.finish(self.index, content, input));
        // The stream has failed already, so a block that its members can't be merged into is kept as it is.
        self.phase = finished.unwrap_or(BlockPhase::Closed);
    }
}

impl BlockPhase {
    /// Returns the phase of a block that is complete. If its input is a string, it was cut earlier.
    fn closed(index: i64, content: &ContentBlock) -> Self {
        let cut = match content {
            ContentBlock::ToolUse(block) => block.incomplete_input(),
            ContentBlock::ServerToolUse(block) => block.incomplete_input(),
            _ => None,
        };
        cut.map_or(Self::Closed, |text| Self::Incomplete(Box::new(IncompleteInput::new(index, text, None))))
    }
}

impl PendingContent {
    /// Removes the high surrogates that strings of the block end with, and keeps them for the deltas that follow.
    fn take_surrogates(&mut self, content: &mut ContentBlock, source: &Source) -> Result<(), DecodeError> {
        for (name, json) in members_of(source.sent(), "content_block").unwrap_or_default() {
            let Some(joined) = join_json(None, TextKind::Text, json.as_str()) else { continue };
            let Some(mut surrogate) = joined.trailing else { continue };
            match (&mut *content, name.as_str()) {
                (ContentBlock::Text(_), "text") | (ContentBlock::Thinking(_), "thinking") => {
                    surrogate.kind = if name == "text" { TextKind::Text } else { TextKind::Thinking };
                    self.surrogate = Some(surrogate);
                    // A stream has already removed the surrogate from the text of its event.
                    if !source.is_joined {
                        set_initial_text(content, joined.text);
                    }
                }
                // An unknown block keeps its JSON as it was sent, and a signature is never continued.
                (ContentBlock::Unknown(_), _) | (ContentBlock::Thinking(_), "signature") => {}
                (content, _) => self.members(content)?.set(&name, &json),
            }
        }
        Ok(())
    }

    fn members(&mut self, content: &ContentBlock) -> Result<&mut PendingMembers, DecodeError> {
        Ok(match &mut self.members {
            Some(members) => members,
            none => none.insert(Box::new(PendingMembers::new(content)?)),
        })
    }

    /// Appends the text of a delta. Returns `false` if the member of the block isn't a string.
    fn add_text(
        &mut self,
        content: &mut ContentBlock,
        event: &StreamEventContentBlockDelta,
    ) -> Result<bool, DecodeError> {
        let Some((kind, text)) = text_of(&event.delta) else { return Ok(false) };
        if self.surrogate.is_some_and(|surrogate| surrogate.kind != kind) {
            self.end_text(content)?;
        }
        let Some(joined) = join_delta(self.surrogate, event) else { return Ok(false) };
        self.surrogate = joined.trailing;
        self.is_lossy |= joined.is_lossy && kind == TextKind::Input;
        // A stream has already joined the texts of its events.
        let is_joined = event.extra.source().is_some_and(|source| source.is_joined);
        self.append(content, kind, if is_joined { text } else { &joined.text })
    }

    /// Ends a text. If it ends with a high surrogate, that becomes U+FFFD.
    fn end_text(&mut self, content: &mut ContentBlock) -> Result<bool, DecodeError> {
        match self.surrogate.take() {
            None => Ok(true),
            Some(surrogate) => {
                self.is_lossy |= surrogate.kind == TextKind::Input;
                self.append(content, surrogate.kind, "\u{FFFD}")
            }
        }
    }

    /// Appends to a text. Returns `false` if the member of the block isn't a string.
    fn append(&mut self, content: &mut ContentBlock, kind: TextKind, text: &str) -> Result<bool, DecodeError> {
        match (content, kind) {
            (ContentBlock::Text(block), TextKind::Text) => block.text.push_str(text),
            (ContentBlock::Thinking(block), TextKind::Thinking) => block.thinking.push_str(text),
            (content, TextKind::Text) => return self.merge(content, member("text", Json::from(text))),
            (content, TextKind::Thinking) => return self.merge(content, member("thinking", Json::from(text))),
            (_, TextKind::Input) => self.input.push_str(text),
        }
        Ok(true)
    }

    /// Merges the members of a delta into the block. Returns `false` and merges none if the type of one doesn't fit.
    fn merge(&mut self, content: &mut ContentBlock, members: Map<Json>) -> Result<bool, DecodeError> {
        if !self.members(content)?.can_merge(&members) {
            return Ok(false);
        }
        let mut citations = Vec::new();
        if let (ContentBlock::Text(_), Some(added)) = (&*content, members.get("citations"))
            && added.json_type() == JsonType::Array
        {
            match read_str(added.as_str()) {
                Ok(added) => citations = added,
                Err(_) => return Ok(false),
            }
        }
        for (name, value) in members {
            // Known deltas append to the first four too, so these are merged at once to keep the order.
            match (&mut *content, name.as_str(), value.json_type()) {
                (ContentBlock::Text(_), "text", JsonType::String) => {
                    self.add_string(content, TextKind::Text, &value)?;
                }
                (ContentBlock::Thinking(_), "thinking", JsonType::String) => {
                    self.add_string(content, TextKind::Thinking, &value)?;
                }
                (ContentBlock::Thinking(block), "signature", JsonType::String) => {
                    block.signature.get_or_insert_default().push_str(&read_str::<String>(value.as_str())?);
                }
                (ContentBlock::Text(block), "citations", JsonType::Array) => {
                    block.citations.get_or_insert_default().append(&mut citations);
                }
                _ => self.members(content)?.merge(name, &value),
            }
        }
        Ok(true)
    }

    /// Appends a JSON string, which may begin or end with a surrogate, to the text of a block.
    fn add_string(&mut self, content: &mut ContentBlock, kind: TextKind, json: &Json) -> Result<(), DecodeError> {
        if self.surrogate.is_some_and(|surrogate| surrogate.kind != kind) {
            self.end_text(content)?;
        }
        if let Some(joined) = join_json(self.surrogate, kind, json.as_str()) {
            self.surrogate = joined.trailing;
            self.append(content, kind, &joined.text)?;
        }
        Ok(())
    }

    /// Moves the input and the pending members into the content, and returns the phase of the closed block.
    fn finish(
        &mut self,
        index: i64,
        content: &mut ContentBlock,
        input: Option<Result<Json, IncompleteInput>>,
    ) -> Result<BlockPhase, DecodeError> {
        let json = match &input {
            None => None,
            Some(Ok(input)) => Some(input.clone()),
            Some(Err(incomplete)) => Some(Json::from(incomplete.text())),
        };
        if let (None, Some(json)) = (input_of(content), &json) {
            self.members(content)?.set("input", json);
        }
        if let Some(members) = &self.members {
            *content = members.apply_to(content)?;
        }
        if let (Some(json), Some(slot)) = (json, input_of_mut(content)) {
            *slot = json;
        }
        Ok(match input {
            Some(Err(incomplete)) => BlockPhase::Incomplete(Box::new(incomplete)),
            Some(Ok(_)) => BlockPhase::Closed,
            None => BlockPhase::closed(index, content),
        })
    }
}

fn member(name: &str, value: Json) -> Map<Json> {
    [(name.to_owned(), value)].into_iter().collect()
}

/// Marks the input of a tool call as incomplete if a part of a character was lost in it: it becomes a JSON string.
pub(crate) fn mark_lossy_input(content: &mut ContentBlock) {
    if let Some(input) = input_of_mut(content)
        && input.json_type() == JsonType::Object
        && input.as_str().contains(char::REPLACEMENT_CHARACTER)
    {
        *input = Json::from(input.as_str());
    }
}

/// Returns the model that a `fallback` block names.
pub(super) fn fallback_model(content: &ContentBlock) -> Option<String> {
    match content {
        // Most blocks are of these kinds, and converting them to members would be expensive.
        ContentBlock::Text(_) | ContentBlock::Thinking(_) | ContentBlock::ToolUse(_) => None,
        content => {
            let members: Map<Json> = convert(content).ok()?;
            (members.get("type")?.as_str() == r#""fallback""#).then_some(())?;
            let to = members.get("to")?.as_str();
            let model = |to: &Map<Json>| read_str(to.get("model")?.as_str()).ok();
            read_str(to).ok().as_ref().and_then(model).or_else(|| read_str(to).ok())
        }
    }
}

/// Returns `true` if a block of a kind that has no dedicated code has an input.
fn has_input(content: &ContentBlock) -> bool {
    match content {
        ContentBlock::Text(_) | ContentBlock::Thinking(_) => false,
        content => convert::<_, Map<Json>>(content).is_ok_and(|members| members.contains_key("input")),
    }
}

fn input_of(content: &ContentBlock) -> Option<&Json> {
    match content {
        ContentBlock::ToolUse(block) => Some(&block.input),
        ContentBlock::ServerToolUse(block) => Some(&block.input),
        _ => None,
    }
}

fn input_of_mut(content: &mut ContentBlock) -> Option<&mut Json> {
    match content {
        ContentBlock::ToolUse(block) => Some(&mut block.input),
        ContentBlock::ServerToolUse(block) => Some(&mut block.input),
        _ => None,
    }
}

fn type_name(delta: &ContentBlockDelta) -> &'static str {
    match delta {
        ContentBlockDelta::TextDelta(_) => "text_delta",
        ContentBlockDelta::InputJsonDelta(_) => "input_json_delta",
        ContentBlockDelta::ThinkingDelta(_) => "thinking_delta",
        ContentBlockDelta::SignatureDelta(_) => "signature_delta",
        ContentBlockDelta::CitationsDelta(_) => "citations_delta",
        _ => "delta of this type",
    }
}
