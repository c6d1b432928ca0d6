//! One block of the message.

use serde::{Deserialize, Serialize};

use super::{
    ProtocolError,
    additions::Additions,
    input::{self, IncompleteInput},
    members::reread,
    pieces::{Half, TextKind, join, join_string, sent_members, set_begun, text_of},
    protocol::ProtocolErrorKind,
};
use crate::{
    generated::types::{ContentBlock, ContentBlockDelta, StreamEventContentBlockDelta, StreamEventContentBlockStart},
    json::{DecodeError, Json, JsonType, Map, Source, read_str},
};

/// What is known of a block beside its content.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Block {
    index: i64,
    state: State,
    unknown_deltas: Vec<Json>,
}

#[derive(Clone, Deserialize, Serialize)]
enum State {
    Open(Open),
    Closed,
    /// Closed with an input that is not whole.
    Incomplete(Box<IncompleteInput>),
}

/// What has arrived for an open block and is not in its content yet.
#[derive(Clone, Default, Deserialize, Serialize)]
struct Open {
    /// The text of the input.
    input: String,
    /// The input has lost a part of a character.
    is_broken: bool,
    half: Option<Half>,
    additions: Option<Box<Additions>>,
}

impl Block {
    /// A block that begins, and the content that it begins with. An input of null stands for none, as an empty one does.
    pub(super) fn begun(event: &StreamEventContentBlockStart) -> Result<(Self, ContentBlock), ProtocolError> {
        let index = event.index;
        let mut content = event.content_block.clone();
        if let Some(input) = input_of_mut(&mut content).filter(|input| input.json_type() == JsonType::Null) {
            *input = Json::empty_object();
        }
        let mut open = Open::default();
        if let Some(source) = event.extra.source() {
            open.begin(&mut content, source).map_err(|error| ProtocolErrorKind::Block(index).with_source(error))?;
        }
        Ok((Self { index, state: State::Open(open), unknown_deltas: Vec::new() }, content))
    }

    /// A block that began and ended at once.
    pub(super) fn closed(index: i64, content: &ContentBlock) -> Self {
        Self { index, state: State::closed(index, content), unknown_deltas: Vec::new() }
    }

    pub(super) fn index(&self) -> i64 {
        self.index
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    pub(super) fn unknown_deltas(&self) -> &[Json] {
        &self.unknown_deltas
    }

    pub(super) fn incomplete(&self) -> Option<&IncompleteInput> {
        match &self.state {
            State::Incomplete(input) => Some(input),
            _ => None,
        }
    }

    /// The input, once the block is closed.
    pub(super) fn input<'a>(
        &'a self,
        content: Option<&'a ContentBlock>,
    ) -> Option<Result<&'a Json, &'a IncompleteInput>> {
        match &self.state {
            State::Open(_) => None,
            State::Closed => input_of(content?).map(Ok),
            State::Incomplete(input) => Some(Err(input)),
        }
    }

    /// The text of the input so far.
    pub(super) fn input_text<'a>(&'a self, content: Option<&'a ContentBlock>) -> Option<&'a str> {
        match &self.state {
            State::Open(open) if !open.input.is_empty() || input_of(content?).is_some() => Some(&open.input),
            State::Open(_) => None,
            State::Closed => input_of(content?).map(Json::get),
            State::Incomplete(input) => Some(input.text()),
        }
    }

    /// Returns the text of a delta where it isn't what the delta says: joined to the half of a character before it, and
    /// without the one that it ends with.
    pub(super) fn joined_text(&self, event: &StreamEventContentBlockDelta) -> Option<String> {
        match &self.state {
            State::Open(open) if open.half.is_some() || event.extra.source().is_some() => {
                Some(join(open.half, event)?.text)
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
        let State::Open(open) = &mut self.state else {
            return Err(ProtocolErrorKind::BlockNotOpen(index).into());
        };
        let undecodable = |error| ProtocolErrorKind::Block(index).with_source(error);
        // Nearly every delta is one of the first three.
        let is_whole = open.half.is_none() && event.extra.source().is_none();
        match (&mut *content, &event.delta) {
            (ContentBlock::Text(block), ContentBlockDelta::TextDelta(delta)) if is_whole => {
                block.text.push_str(&delta.text);
            }
            (ContentBlock::Thinking(block), ContentBlockDelta::ThinkingDelta(delta)) if is_whole => {
                block.thinking.push_str(&delta.thinking);
            }
            (ContentBlock::ToolUse(_), ContentBlockDelta::InputJsonDelta(delta)) if is_whole => {
                open.input.push_str(&delta.partial_json);
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
                if !open.add_text(content, event).map_err(undecodable)? {
                    self.unknown_deltas.push(Json::of(&event.delta).map_err(undecodable)?);
                }
            }
            (ContentBlock::Thinking(block), ContentBlockDelta::SignatureDelta(delta)) => {
                block.signature = Some(delta.signature.clone());
            }
            (ContentBlock::Text(block), ContentBlockDelta::CitationsDelta(delta)) => {
                block.citations.get_or_insert_default().extend(delta.citation.clone());
            }
            (content, ContentBlockDelta::Unknown(delta)) => {
                // One that can't be merged, such as with a member that is repeated, leaves the block as it is.
                if let Ok(mut members) = read_str::<Map<Json>>(delta.get()) {
                    members.shift_remove("type");
                    let _ = open.merge(content, members);
                }
                self.unknown_deltas.push(delta.clone());
            }
            (content @ ContentBlock::Unknown(_), ContentBlockDelta::SignatureDelta(delta)) => {
                open.additions(content).map_err(undecodable)?.set("signature", &Json::from(&*delta.signature));
            }
            (content @ ContentBlock::Unknown(_), ContentBlockDelta::CitationsDelta(delta)) => {
                let citations: Vec<_> = delta.citation.iter().collect();
                let citations = Json::of(&citations).map_err(undecodable)?;
                if !open.merge(content, member("citations", citations)).map_err(undecodable)? {
                    self.unknown_deltas.push(Json::of(delta).map_err(undecodable)?);
                }
            }
            (_, delta) => return Err(ProtocolErrorKind::WrongDelta { index, delta: name(delta) }.into()),
        }
        Ok(())
    }

    /// Closes an open block.
    pub(super) fn close(&mut self, content: &mut ContentBlock) -> Result<(), ProtocolError> {
        let index = self.index;
        let State::Open(open) = &mut self.state else {
            return Err(ProtocolErrorKind::BlockNotOpen(index).into());
        };
        let undecodable = |error| ProtocolErrorKind::Block(index).with_source(error);
        open.end_text(content).map_err(undecodable)?;
        let input = match (open.input.is_empty(), open.is_broken) {
            // Without a piece of text the input is the one that the block began with.
            (true, _) => None,
            (false, true) => Some(Err(IncompleteInput::new(index, open.input.clone(), None))),
            (false, false) => Some(input::whole(index, &open.input)),
        };
        self.state = open.settle(index, content, input).map_err(undecodable)?;
        Ok(())
    }

    /// Closes a block that is open when there is no more to come.
    pub(super) fn interrupt(&mut self, content: &mut ContentBlock) {
        let State::Open(open) = &mut self.state else { return };
        let ended = open.end_text(content);
        let text = std::mem::take(&mut open.input);
        let text = match input_of(content) {
            Some(first) if text.is_empty() && first.get() != "{}" => Some(first.get().to_owned()),
            Some(_) => Some(text),
            None => Some(text).filter(|text| !text.is_empty()),
        };
        let input = text.map(|text| Err(IncompleteInput::new(self.index, text, None)));
        let settled = ended.and_then(|_| open.settle(self.index, content, input));
        // A block whose additions make no block stays as it was: the stream has failed already.
        self.state = settled.unwrap_or(State::Closed);
    }
}

impl State {
    /// The state of a block whose content is all there. An input that was cut earlier is a string.
    fn closed(index: i64, content: &ContentBlock) -> Self {
        let cut = match content {
            ContentBlock::ToolUse(block) => block.incomplete_input(),
            ContentBlock::ServerToolUse(block) => block.incomplete_input(),
            _ => None,
        };
        cut.map_or(Self::Closed, |text| Self::Incomplete(Box::new(IncompleteInput::new(index, text, None))))
    }
}

impl Open {
    /// Takes the halves of characters that strings of the block end with, for the deltas that go on with them.
    fn begin(&mut self, content: &mut ContentBlock, source: &Source) -> Result<(), DecodeError> {
        for (name, json) in sent_members(source.sent(), "content_block").unwrap_or_default() {
            let Some(joined) = join_string(None, TextKind::Text, json.get()) else { continue };
            let Some(mut half) = joined.half else { continue };
            match (&mut *content, name.as_str()) {
                (ContentBlock::Text(_), "text") | (ContentBlock::Thinking(_), "thinking") => {
                    half.kind = if name == "text" { TextKind::Text } else { TextKind::Thinking };
                    self.half = Some(half);
                    // A stream has split the text of its event already.
                    if !source.is_joined {
                        set_begun(content, joined.text);
                    }
                }
                // The first has its members as they were sent. The second's comes whole.
                (ContentBlock::Unknown(_), _) | (ContentBlock::Thinking(_), "signature") => {}
                (content, _) => self.additions(content)?.set(&name, &json),
            }
        }
        Ok(())
    }

    fn additions(&mut self, content: &ContentBlock) -> Result<&mut Additions, DecodeError> {
        Ok(match &mut self.additions {
            Some(additions) => additions,
            none => none.insert(Box::new(Additions::new(content)?)),
        })
    }

    /// Adds the text of a delta. Returns `false` if the block has something else in its place.
    fn add_text(
        &mut self,
        content: &mut ContentBlock,
        event: &StreamEventContentBlockDelta,
    ) -> Result<bool, DecodeError> {
        let Some((kind, text)) = text_of(&event.delta) else { return Ok(false) };
        if self.half.is_some_and(|half| half.kind != kind) {
            self.end_text(content)?;
        }
        let Some(joined) = join(self.half, event) else { return Ok(false) };
        self.half = joined.half;
        self.is_broken |= joined.is_broken && kind == TextKind::Input;
        // A stream has joined the texts of its events already.
        let is_joined = event.extra.source().is_some_and(|source| source.is_joined);
        self.append(content, kind, if is_joined { text } else { &joined.text })
    }

    /// Ends a text whose last character lacks its second half.
    fn end_text(&mut self, content: &mut ContentBlock) -> Result<bool, DecodeError> {
        match self.half.take() {
            None => Ok(true),
            Some(half) => {
                self.is_broken |= half.kind == TextKind::Input;
                self.append(content, half.kind, "\u{FFFD}")
            }
        }
    }

    /// Appends to a text. Returns `false` if the block has something else in its place.
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

    /// Adds the members of a delta, or none of them where one doesn't fit the block. Returns whether they fit.
    fn merge(&mut self, content: &mut ContentBlock, members: Map<Json>) -> Result<bool, DecodeError> {
        if !self.additions(content)?.fits(&members) {
            return Ok(false);
        }
        let mut citations = Vec::new();
        if let (ContentBlock::Text(_), Some(added)) = (&*content, members.get("citations"))
            && added.json_type() == JsonType::Array
        {
            match read_str(added.get()) {
                Ok(added) => citations = added,
                Err(_) => return Ok(false),
            }
        }
        for (name, value) in members {
            // The first four grow with known deltas too, and keep the order of both.
            match (&mut *content, name.as_str(), value.json_type()) {
                (ContentBlock::Text(_), "text", JsonType::String) => {
                    self.add_string(content, TextKind::Text, &value)?;
                }
                (ContentBlock::Thinking(_), "thinking", JsonType::String) => {
                    self.add_string(content, TextKind::Thinking, &value)?;
                }
                (ContentBlock::Thinking(block), "signature", JsonType::String) => {
                    block.signature.get_or_insert_default().push_str(&read_str::<String>(value.get())?);
                }
                (ContentBlock::Text(block), "citations", JsonType::Array) => {
                    block.citations.get_or_insert_default().append(&mut citations);
                }
                _ => self.additions(content)?.add(name, &value),
            }
        }
        Ok(true)
    }

    /// Appends a JSON string, which may begin or end within a character, to the text of a block that has one.
    fn add_string(&mut self, content: &mut ContentBlock, kind: TextKind, json: &Json) -> Result<(), DecodeError> {
        if self.half.is_some_and(|half| half.kind != kind) {
            self.end_text(content)?;
        }
        if let Some(joined) = join_string(self.half, kind, json.get()) {
            self.half = joined.half;
            self.append(content, kind, &joined.text)?;
        }
        Ok(())
    }

    /// Puts the input and what was added into the content, and returns the state of the block from now on.
    fn settle(
        &mut self,
        index: i64,
        content: &mut ContentBlock,
        input: Option<Result<Json, IncompleteInput>>,
    ) -> Result<State, DecodeError> {
        let json = match &input {
            None => None,
            Some(Ok(input)) => Some(input.clone()),
            Some(Err(incomplete)) => Some(Json::from(incomplete.text())),
        };
        if let (ContentBlock::Unknown(_), Some(json)) = (&*content, &json) {
            self.additions(content)?.set("input", json);
        }
        if let Some(additions) = &self.additions {
            *content = additions.merged(content)?;
        }
        if let (Some(json), Some(slot)) = (json, input_of_mut(content)) {
            *slot = json;
        }
        Ok(match input {
            Some(Err(incomplete)) => State::Incomplete(Box::new(incomplete)),
            Some(Ok(_)) => State::Closed,
            None => State::closed(index, content),
        })
    }
}

fn member(name: &str, value: Json) -> Map<Json> {
    [(name.to_owned(), value)].into_iter().collect()
}

/// Turns the input of a tool call into its text, as a cut one is, if a part of a character was lost in it.
pub(crate) fn break_lossy_input(content: &mut ContentBlock) {
    if let Some(input) = input_of_mut(content)
        && input.json_type() == JsonType::Object
        && input.get().contains(char::REPLACEMENT_CHARACTER)
    {
        *input = Json::from(input.get());
    }
}

/// The model that a block `fallback` says goes on with the message.
pub(super) fn fallback_model(content: &ContentBlock) -> Option<String> {
    match content {
        // These are most blocks, and some are large.
        ContentBlock::Text(_) | ContentBlock::Thinking(_) | ContentBlock::ToolUse(_) => None,
        content => {
            let members: Map<Json> = reread(content).ok()?;
            (members.get("type")?.get() == r#""fallback""#).then_some(())?;
            let to = members.get("to")?.get();
            let model = |to: &Map<Json>| read_str(to.get("model")?.get()).ok();
            read_str(to).ok().as_ref().and_then(model).or_else(|| read_str(to).ok())
        }
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

fn name(delta: &ContentBlockDelta) -> &'static str {
    match delta {
        ContentBlockDelta::TextDelta(_) => "text_delta",
        ContentBlockDelta::InputJsonDelta(_) => "input_json_delta",
        ContentBlockDelta::ThinkingDelta(_) => "thinking_delta",
        ContentBlockDelta::SignatureDelta(_) => "signature_delta",
        ContentBlockDelta::CitationsDelta(_) => "citations_delta",
        _ => "such delta",
    }
}
