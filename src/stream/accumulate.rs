//! From the events of a stream to the message that they tell.

mod block;
mod input;
mod members;
mod opaque;
mod protocol;

use std::fmt;

use self::{block::Block, protocol::Breach};
pub use self::{input::IncompleteInput, protocol::ProtocolError};
use crate::{
    generated::types::{ContentBlock, ContentBlockDelta, MessageResponse, StreamEvent},
    runtime::{Blank, Json},
};

/// Puts the events of a stream together to the message that they tell.
///
/// A [`MessageStream`](crate::MessageStream) has one; on its own it is for events that come another
/// way, such as out of a log.
///
/// - Blocks are addressed by their `index`. They may come interleaved and out of order, and what a
///   block holds when it begins is kept.
/// - A `message_delta` changes what it names: absent and `null` leave what was there, and token
///   counts are totals, not increments.
/// - Events and deltas of kinds that the contract does not name change nothing; the deltas are kept
///   ([`unknown_deltas`](Self::unknown_deltas)). A block of a kind that the contract does not name
///   is put together by the names of what its deltas carry, when it is closed.
/// - Events in an order that makes no message are a [`ProtocolError`].
///
/// ```
/// use anthropic_messages::{Accumulator, Json};
///
/// let events = [
///     r#"{"type": "message_start", "message": {"role": "assistant", "content": []}}"#,
///     r#"{"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}"#,
///     r#"{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}"#,
///     r#"{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}}"#,
///     r#"{"type": "content_block_stop", "index": 0}"#,
///     r#"{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}"#,
///     r#"{"type": "message_stop"}"#,
/// ];
/// let mut accumulator = Accumulator::new();
/// for event in events {
///     accumulator.push(&Json::parse(event)?.to()?)?;
/// }
/// assert!(accumulator.finish());
/// assert_eq!(accumulator.message().text(), "Hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Tool input
///
/// The input of a tool call comes as pieces of JSON text. It is read when its block is closed:
/// [`tool_input`](Self::tool_input) is an [`IncompleteInput`] with the raw text where that is not
/// one whole JSON object, because the token limit cut it or the stream ended. In the message such a
/// call has that text as a JSON *string* in its `input`
/// ([`ContentBlockToolUse::incomplete_input`](crate::types::ContentBlockToolUse::incomplete_input)).
/// A whole input is an object, so that what was cut never reads as a call: `check` refuses to send it
/// back. A message that is stored as JSON and read again still has the text.
/// Before its block is closed a call has the `input` that it began with, which is `{}`.
#[derive(Clone)]
pub struct Accumulator {
    message: MessageResponse,
    /// Beside each block of the message what else is known of it.
    blocks: Vec<Block>,
    phase: Phase,
    started: bool,
    /// Whether an event of an unknown kind came, which may have told a block.
    unknown_events: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Nothing of a message has come.
    Waiting,
    Running,
    /// `message_stop` has come.
    Stopped,
    /// There is no more to come, and no `message_stop` came.
    Ended,
}

impl Accumulator {
    /// Nothing as yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            message: MessageResponse::blank(),
            blocks: Vec::new(),
            phase: Phase::Waiting,
            started: false,
            unknown_events: false,
        }
    }

    /// Adds an event. `ping`, `error` and events of unknown kinds change nothing.
    ///
    /// # Errors
    /// When the event can't follow those before it. The message stays as it was.
    pub fn push(&mut self, event: &StreamEvent) -> Result<(), ProtocolError> {
        match event {
            StreamEvent::ContentBlockDelta(event) => self.add(event.index, &event.delta),
            StreamEvent::ContentBlockStart(event) => self.open(event.index, &event.content_block),
            StreamEvent::ContentBlockStop(event) => self.close(event.index),
            StreamEvent::MessageStart(event) => self.start(&event.message),
            StreamEvent::MessageDelta(event) => {
                self.running("message_delta")?;
                members::change(&mut self.message, event).map_err(|error| Breach::Change.because(error))
            }
            StreamEvent::MessageStop(_) => self.stop(),
            StreamEvent::Unknown(_) => {
                self.unknown_events = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Says that no more events come. The input of a tool call whose block is still open is an
    /// [`IncompleteInput`] from now on.
    ///
    /// Returns whether the message is whole: `message_stop` came, or there is a stop reason and
    /// every block that began was closed.
    #[must_use = "tells whether the message is whole"]
    pub fn finish(&mut self) -> bool {
        if self.phase == Phase::Stopped {
            return true;
        }
        let whole = self.phase == Phase::Running && self.message.stop_reason.is_some() && self.broken().is_none();
        self.phase = Phase::Ended;
        for (block, content) in self.blocks.iter_mut().zip(self.message.content.iter_mut().flatten()) {
            block.interrupt(content);
        }
        whole
    }

    /// The message so far; nothing is in it before the first event.
    #[must_use]
    pub fn message(&self) -> &MessageResponse {
        &self.message
    }

    /// The message so far.
    #[must_use]
    pub fn into_message(self) -> MessageResponse {
        self.message
    }

    /// Whether anything of a message has come.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.started
    }

    /// Whether `message_stop` has come.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.phase == Phase::Stopped
    }

    /// The input of the tool call with this `index`. `None` when there is no such block, when it is
    /// no tool call, and until it is closed.
    pub fn tool_input(&self, index: i64) -> Option<Result<&Json, &IncompleteInput>> {
        let (block, content) = self.find(index)?;
        block.input(content)
    }

    /// The raw text of a tool call's input as far as it has come, for showing progress: a beginning
    /// of JSON, not to be acted upon. `None` when there is no such block, or it is no tool call.
    #[must_use]
    pub fn partial_input(&self, index: i64) -> Option<&str> {
        let (block, content) = self.find(index)?;
        block.input_text(content)
    }

    /// The inputs of tool calls that were cut short, in the order of their blocks.
    pub fn incomplete_inputs(&self) -> impl Iterator<Item = &IncompleteInput> {
        self.blocks.iter().filter_map(Block::incomplete)
    }

    /// The deltas of unknown kinds that came for the block with this `index`, as they were sent.
    #[must_use]
    pub fn unknown_deltas(&self, index: i64) -> &[Json] {
        self.find(index).map_or(&[], |(block, _)| block.unknown_deltas())
    }

    fn start(&mut self, message: &MessageResponse) -> Result<(), ProtocolError> {
        match self.phase {
            Phase::Waiting => {}
            Phase::Running => return Err(Breach::StartedTwice.into()),
            Phase::Stopped | Phase::Ended => return Err(Breach::AfterTheEnd("message_start").into()),
        }
        self.message = message.clone();
        self.blocks = (0..).zip(message.content.iter().flatten()).map(|(index, _)| Block::closed(index)).collect();
        (self.phase, self.started) = (Phase::Running, true);
        Ok(())
    }

    fn open(&mut self, index: i64, content: &ContentBlock) -> Result<(), ProtocolError> {
        self.running("content_block_start")?;
        if index < 0 {
            return Err(Breach::NegativeIndex(index).into());
        }
        match self.position(index) {
            Ok(_) => Err(Breach::BlockBeganTwice(index).into()),
            Err(position) => {
                let contents = self.message.content.get_or_insert_default();
                if contents.is_empty() {
                    // Most replies are one block, and a `Vec` would begin with room for four.
                    contents.reserve_exact(1);
                    self.blocks.reserve_exact(1);
                }
                self.blocks.insert(position, Block::open(index));
                contents.insert(position, content.clone());
                Ok(())
            }
        }
    }

    fn add(&mut self, index: i64, delta: &ContentBlockDelta) -> Result<(), ProtocolError> {
        self.running("content_block_delta")?;
        match self.find_mut(index) {
            Some((block, content)) if block.is_open() => block.add(content, delta),
            _ => Err(Breach::BlockNotOpen(index).into()),
        }
    }

    fn close(&mut self, index: i64) -> Result<(), ProtocolError> {
        self.running("content_block_stop")?;
        match self.find_mut(index) {
            Some((block, content)) if block.is_open() => block.close(content),
            _ => Err(Breach::BlockNotOpen(index).into()),
        }
    }

    fn stop(&mut self) -> Result<(), ProtocolError> {
        self.running("message_stop")?;
        match self.broken() {
            Some(breach) => Err(breach.into()),
            None => {
                self.phase = Phase::Stopped;
                Ok(())
            }
        }
    }

    fn running(&self, event: &'static str) -> Result<(), ProtocolError> {
        match self.phase {
            Phase::Running => Ok(()),
            Phase::Waiting => Err(Breach::BeforeTheStart(event).into()),
            Phase::Stopped | Phase::Ended => Err(Breach::AfterTheEnd(event).into()),
        }
    }

    /// Why the message can't end here.
    fn broken(&self) -> Option<Breach> {
        if let Some(block) = self.blocks.iter().find(|block| block.is_open()) {
            return Some(Breach::BlockNotClosed(block.index()));
        }
        // What an unknown event told may have been a block.
        if self.unknown_events {
            return None;
        }
        (0..)
            .zip(&self.blocks)
            .find(|(expected, block)| *expected != block.index())
            .map(|(index, _)| Breach::NoBlock(index))
    }

    /// Where the block with this index stands, or would stand.
    fn position(&self, index: i64) -> Result<usize, usize> {
        match usize::try_from(index) {
            // Nearly always the index is the place.
            Ok(place) if self.blocks.get(place).is_some_and(|block| block.index() == index) => Ok(place),
            _ => self.blocks.binary_search_by_key(&index, Block::index),
        }
    }

    fn find(&self, index: i64) -> Option<(&Block, &ContentBlock)> {
        let position = self.position(index).ok()?;
        Some((self.blocks.get(position)?, self.message.content.as_ref()?.get(position)?))
    }

    fn find_mut(&mut self, index: i64) -> Option<(&mut Block, &mut ContentBlock)> {
        let position = self.position(index).ok()?;
        Some((self.blocks.get_mut(position)?, self.message.content.as_mut()?.get_mut(position)?))
    }
}

impl Default for Accumulator {
    fn default() -> Self {
        Self::new()
    }
}

/// What was said is left out.
impl fmt::Debug for Accumulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accumulator")
            .field("phase", &self.phase)
            .field("blocks", &self.blocks.len())
            .finish_non_exhaustive()
    }
}
