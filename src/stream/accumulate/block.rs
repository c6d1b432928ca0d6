//! One block of the message.

use super::{
    ProtocolError,
    input::{self, IncompleteInput},
    opaque::Opaque,
    protocol::Breach,
};
use crate::{
    generated::types::{ContentBlock, ContentBlockDelta},
    runtime::Json,
};

/// What is known of a block beside its content.
#[derive(Clone)]
pub(super) struct Block {
    index: i64,
    state: State,
    unknown_deltas: Vec<Json>,
}

#[derive(Clone)]
enum State {
    Open {
        /// The text of the input so far.
        input: String,
        /// What has come for a block of an unknown kind.
        opaque: Option<Box<Opaque>>,
    },
    Closed,
    /// Closed with an input that is not whole.
    Incomplete(Box<IncompleteInput>),
}

impl Block {
    pub(super) fn open(index: i64) -> Self {
        Self { index, state: State::Open { input: String::new(), opaque: None }, unknown_deltas: Vec::new() }
    }

    pub(super) fn closed(index: i64) -> Self {
        Self { index, state: State::Closed, unknown_deltas: Vec::new() }
    }

    pub(super) fn index(&self) -> i64 {
        self.index
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
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

    /// The input, once it has come to its end.
    pub(super) fn input<'a>(&'a self, content: &'a ContentBlock) -> Option<Result<&'a Json, &'a IncompleteInput>> {
        match &self.state {
            State::Open { .. } => None,
            State::Closed => input_of(content).map(Ok),
            State::Incomplete(input) => Some(Err(input)),
        }
    }

    /// The text of the input so far.
    pub(super) fn input_text<'a>(&'a self, content: &'a ContentBlock) -> Option<&'a str> {
        match &self.state {
            State::Open { input, .. } if !input.is_empty() || input_of(content).is_some() => Some(input),
            State::Open { .. } => None,
            State::Closed => input_of(content).map(Json::get),
            State::Incomplete(input) => Some(input.text()),
        }
    }

    /// Adds a delta to the content of an open block.
    pub(super) fn add(&mut self, content: &mut ContentBlock, delta: &ContentBlockDelta) -> Result<(), ProtocolError> {
        let State::Open { input, opaque } = &mut self.state else {
            return Err(Breach::BlockNotOpen(self.index).into());
        };
        match (content, delta) {
            (ContentBlock::Text(block), ContentBlockDelta::TextDelta(delta)) => block.text.push_str(&delta.text),
            (ContentBlock::Thinking(block), ContentBlockDelta::ThinkingDelta(delta)) => {
                block.thinking.push_str(&delta.thinking);
            }
            (
                ContentBlock::ToolUse(_) | ContentBlock::ServerToolUse(_) | ContentBlock::Unknown(_),
                ContentBlockDelta::InputJsonDelta(delta),
            ) => input.push_str(&delta.partial_json),
            (ContentBlock::Thinking(block), ContentBlockDelta::SignatureDelta(delta)) => {
                block.signature = Some(delta.signature.clone());
            }
            (ContentBlock::Text(block), ContentBlockDelta::CitationsDelta(delta)) => {
                block.citations.get_or_insert_default().extend(delta.citation.clone());
            }
            (_, ContentBlockDelta::Unknown(delta)) => self.unknown_deltas.push(delta.clone()),
            (ContentBlock::Unknown(_), delta) => {
                let added = opaque.get_or_insert_default().add(delta);
                added.map_err(|error| Breach::Block(self.index).because(error))?;
            }
            (_, delta) => return Err(Breach::WrongDelta { index: self.index, delta: name(delta) }.into()),
        }
        Ok(())
    }

    /// Closes an open block.
    pub(super) fn close(&mut self, content: &mut ContentBlock) -> Result<(), ProtocolError> {
        let State::Open { input, opaque } = &mut self.state else {
            return Err(Breach::BlockNotOpen(self.index).into());
        };
        // Without a piece of text the input is the one that the block began with.
        let input = match input.is_empty() {
            true => None,
            false => Some(input::whole(self.index, input)),
        };
        let opaque = opaque.take().unwrap_or_default();
        self.settle(content, input, *opaque)
    }

    /// Closes a block that is open when there is no more to come.
    pub(super) fn interrupt(&mut self, content: &mut ContentBlock) {
        let State::Open { input, opaque } = &mut self.state else { return };
        let text = std::mem::take(input);
        let opaque = opaque.take().unwrap_or_default();
        let text = match input_of(content) {
            Some(first) if text.is_empty() && first.get() != "{}" => Some(first.get().to_owned()),
            Some(_) => Some(text),
            None => Some(text).filter(|text| !text.is_empty()),
        };
        let input = text.map(|text| Err(IncompleteInput::new(self.index, text, None)));
        // What can't be put together stays as it was: the stream has failed already.
        if self.settle(content, input, *opaque).is_err() {
            self.state = State::Closed;
        }
    }

    /// Puts input and other pieces into the content.
    fn settle(
        &mut self,
        content: &mut ContentBlock,
        input: Option<Result<Json, IncompleteInput>>,
        opaque: Opaque,
    ) -> Result<(), ProtocolError> {
        let (json, state) = match input {
            None => (None, State::Closed),
            Some(Ok(json)) => (Some(json), State::Closed),
            Some(Err(incomplete)) => (Some(Json::from(incomplete.text())), State::Incomplete(Box::new(incomplete))),
        };
        match content {
            ContentBlock::Unknown(object) => {
                if let Some(whole) =
                    opaque.put_into(object, json).map_err(|error| Breach::Block(self.index).because(error))?
                {
                    *object = whole;
                }
            }
            _ => {
                if let (Some(json), Some(slot)) = (json, input_of_mut(content)) {
                    *slot = json;
                }
            }
        }
        self.state = state;
        Ok(())
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
