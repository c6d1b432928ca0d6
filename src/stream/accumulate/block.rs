//! One block of the message.

use serde::{Deserialize, Serialize};

use super::{
    ProtocolError,
    additions::Additions,
    input::{self, IncompleteInput},
    members::reread,
    protocol::ProtocolErrorKind,
};
use crate::{
    generated::types::{ContentBlock, ContentBlockDelta},
    runtime::{DecodeError, Json, JsonType, Map},
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
    additions: Option<Box<Additions>>,
}

impl Block {
    pub(super) fn open(index: i64) -> Self {
        Self { index, state: State::Open(Open::default()), unknown_deltas: Vec::new() }
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

    /// Adds a delta to the content of an open block.
    pub(super) fn add(&mut self, content: &mut ContentBlock, delta: &ContentBlockDelta) -> Result<(), ProtocolError> {
        let index = self.index;
        let State::Open(open) = &mut self.state else {
            return Err(ProtocolErrorKind::BlockNotOpen(index).into());
        };
        let undecodable = |error| ProtocolErrorKind::Block(index).with_source(error);
        match (content, delta) {
            (ContentBlock::Text(block), ContentBlockDelta::TextDelta(delta)) => block.text.push_str(&delta.text),
            (ContentBlock::Thinking(block), ContentBlockDelta::ThinkingDelta(delta)) => {
                block.thinking.push_str(&delta.thinking);
            }
            (
                ContentBlock::ToolUse(_) | ContentBlock::ServerToolUse(_) | ContentBlock::Unknown(_),
                ContentBlockDelta::InputJsonDelta(delta),
            ) => open.input.push_str(&delta.partial_json),
            (ContentBlock::Thinking(block), ContentBlockDelta::SignatureDelta(delta)) => {
                block.signature = Some(delta.signature.clone());
            }
            (ContentBlock::Text(block), ContentBlockDelta::CitationsDelta(delta)) => {
                block.citations.get_or_insert_default().extend(delta.citation.clone());
            }
            (content, ContentBlockDelta::Unknown(delta)) => {
                let mut members: Map<Json> = delta.to().map_err(undecodable)?;
                members.shift_remove("type");
                open.merge(content, members).map_err(undecodable)?;
                self.unknown_deltas.push(delta.clone());
            }
            (content @ ContentBlock::Unknown(_), ContentBlockDelta::SignatureDelta(delta)) => {
                open.additions(content).map_err(undecodable)?.set("signature", &Json::from(&*delta.signature));
            }
            (content @ ContentBlock::Unknown(_), delta) => {
                let members = members(delta).map_err(undecodable)?;
                if !open.merge(content, members).map_err(undecodable)? {
                    self.unknown_deltas.push(Json::of(delta).map_err(undecodable)?);
                }
            }
            (_, delta) => return Err(ProtocolErrorKind::WrongDelta { index, delta: name(delta) }.into()),
        }
        Ok(())
    }

    /// Closes an open block.
    pub(super) fn close(&mut self, content: &mut ContentBlock) -> Result<(), ProtocolError> {
        let State::Open(open) = &mut self.state else {
            return Err(ProtocolErrorKind::BlockNotOpen(self.index).into());
        };
        // Without a piece of text the input is the one that the block began with.
        let input = (!open.input.is_empty()).then(|| input::whole(self.index, &open.input));
        self.state = open
            .settle(self.index, content, input)
            .map_err(|error| ProtocolErrorKind::Block(self.index).with_source(error))?;
        Ok(())
    }

    /// Closes a block that is open when there is no more to come.
    pub(super) fn interrupt(&mut self, content: &mut ContentBlock) {
        let State::Open(open) = &mut self.state else { return };
        let text = std::mem::take(&mut open.input);
        let text = match input_of(content) {
            Some(first) if text.is_empty() && first.get() != "{}" => Some(first.get().to_owned()),
            Some(_) => Some(text),
            None => Some(text).filter(|text| !text.is_empty()),
        };
        let input = text.map(|text| Err(IncompleteInput::new(self.index, text, None)));
        // A block whose additions make no block stays as it was: the stream has failed already.
        self.state = open.settle(self.index, content, input).unwrap_or(State::Closed);
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
    fn additions(&mut self, content: &ContentBlock) -> Result<&mut Additions, DecodeError> {
        Ok(match &mut self.additions {
            Some(additions) => additions,
            none => none.insert(Box::new(Additions::new(content)?)),
        })
    }

    /// Adds the members of a delta, or none of them where one doesn't fit the block. Returns whether they fit.
    fn merge(&mut self, content: &mut ContentBlock, members: Map<Json>) -> Result<bool, DecodeError> {
        let additions = self.additions(content)?;
        if !additions.fits(&members) {
            return Ok(false);
        }
        for (name, value) in members {
            match (&mut *content, name.as_str()) {
                // These grow with known deltas too, and keep the order of both.
                (ContentBlock::Text(block), "text") if value.json_type() == JsonType::String => {
                    block.text.push_str(&value.to::<String>()?);
                }
                (ContentBlock::Thinking(block), "thinking") if value.json_type() == JsonType::String => {
                    block.thinking.push_str(&value.to::<String>()?);
                }
                _ => additions.add(name, &value),
            }
        }
        Ok(true)
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

/// The members that a delta adds to a block of a kind that the contract doesn't name.
fn members(delta: &ContentBlockDelta) -> Result<Map<Json>, DecodeError> {
    let member = match delta {
        ContentBlockDelta::TextDelta(delta) => ("text", Json::from(&*delta.text)),
        ContentBlockDelta::ThinkingDelta(delta) => ("thinking", Json::from(&*delta.thinking)),
        ContentBlockDelta::CitationsDelta(delta) => {
            let citations: Vec<_> = delta.citation.iter().collect();
            ("citations", Json::of(&citations)?)
        }
        _ => return Ok(Map::new()),
    };
    let (name, value) = member;
    Ok([(name.to_owned(), value)].into_iter().collect())
}

/// The content that a block begins with. An input of null stands for none, as an empty one does.
pub(super) fn begun(content: &ContentBlock) -> ContentBlock {
    let mut content = content.clone();
    if let Some(input) = input_of_mut(&mut content).filter(|input| input.json_type() == JsonType::Null) {
        *input = Json::empty_object();
    }
    content
}

/// The model that a block `fallback` says goes on with the message.
pub(super) fn fallback_model(content: &ContentBlock) -> Option<String> {
    #[derive(Deserialize)]
    struct Fallback {
        r#type: String,
        to: Json,
    }
    #[derive(Deserialize)]
    struct Model {
        model: String,
    }
    match content {
        // These are most blocks, and some are large.
        ContentBlock::Text(_) | ContentBlock::Thinking(_) | ContentBlock::ToolUse(_) => None,
        content => {
            let Fallback { r#type, to } = reread(content).ok()?;
            (r#type == "fallback").then_some(())?;
            to.to::<Model>().map(|to| to.model).or_else(|_| to.to()).ok()
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
