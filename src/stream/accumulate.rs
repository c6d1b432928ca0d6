//! Assembles a message from the events of a stream.

mod block;
mod error;
mod merge;
mod surrogates;

use std::{collections::BTreeMap, fmt, mem};

use serde::{Deserialize, Serialize, Serializer};

pub use self::error::{IncompleteInput, ProtocolError};
use self::{block::BlockState, error::ProtocolErrorKind};
pub(super) use self::{
    block::mark_lossy_input,
    surrogates::{set_text, split_initial_text},
};
use crate::{
    generated::types::{
        ContentBlock, MessageResponse, StopReason, StreamEvent, StreamEventContentBlockDelta,
        StreamEventContentBlockStart, StreamEventMessageStart,
    },
    json::{Empty, Json},
};

/// Assembles a message from the events of a stream.
///
/// A [`MessageStream`](crate::MessageStream) contains an accumulator. Use one directly to assemble events from another
/// source, such as a log.
///
/// - Blocks are identified by their `index`. They may arrive interleaved and out of order. Content that a block already has
///   when it starts is kept.
/// - A `message_delta` sets the members it names. Members that are absent or `null` keep their values. Token counts are
///   totals, not increments.
/// - A delta whose type isn't in the contract is merged into its block when the block is closed: strings are appended,
///   lists are extended, everything else is set, and `null` never replaces a value. If the types don't match, the block
///   keeps its value. [`unknown_deltas`](Self::unknown_deltas) returns all such deltas.
/// - Events whose type isn't in the contract are ignored, and so is a `message_start` that repeats the id of the message.
/// - A `fallback` block changes the message's `model` to the one it names.
/// - If a delta ends with the high surrogate of a pair and the next one begins with the low surrogate, they are joined into
///   one character. An unpaired surrogate becomes U+FFFD.
/// - Events that can't follow those before them are a [`ProtocolError`].
///
/// An accumulator can be serialized and deserialized with `serde` at any point, also in the middle of a message.
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
///     accumulator.push(&Json::parse(event)?.decode()?)?;
/// }
/// assert!(accumulator.finish());
/// assert_eq!(accumulator.message().text(), "Hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Tool input
///
/// The input of a tool call arrives as fragments of JSON text, which are parsed when the block is closed. Until then the
/// call has the `input` of its `content_block_start`, which is `{}`.
///
/// The text may not be a complete JSON object, because the token limit cut it, the stream ended, or a part of a character
/// is missing. Then [`tool_input`](Self::tool_input) returns an [`IncompleteInput`] with the text, and the `input` of the
/// call in the message is that text as a JSON *string*
/// ([`ContentBlockToolUse::incomplete_input`](crate::types::ContentBlockToolUse::incomplete_input)). A complete input is
/// always an object, so a cut one never looks like a call.
#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "Stored")]
pub struct Accumulator {
    message: MessageResponse,
    /// The states of the message's blocks, in the same order.
    blocks: Vec<BlockState>,
    /// Blocks that belong far before the last one, see [`Accumulator::insert`].
    #[serde(serialize_with = "as_list")]
    late: BTreeMap<i64, (BlockState, ContentBlock)>,
    phase: Phase,
    started: bool,
    /// An event whose type isn't in the contract may have contained a block.
    unknown_events: bool,
    #[cfg(test)]
    #[serde(skip)]
    moved: usize,
}

/// The serialized form of an [`Accumulator`], whose consistency isn't checked yet.
#[derive(Deserialize)]
struct Stored {
    message: MessageResponse,
    blocks: Vec<BlockState>,
    late: Vec<(BlockState, ContentBlock)>,
    phase: Phase,
    started: bool,
    unknown_events: bool,
}

/// Serializes the values of a map without its keys: JSON keys are strings, which serde can't always convert back to numbers.
fn as_list<S: Serializer, V: Serialize>(map: &BTreeMap<i64, V>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(map.values())
}

impl TryFrom<Stored> for Accumulator {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { message, blocks, late, phase, started, unknown_events } = stored;
        let contents = message.content.as_ref().map_or(0, Vec::len);
        // The content is empty if the message was moved out.
        if contents != blocks.len() && contents != 0 {
            return Err("the number of blocks does not match the content of the message");
        }
        if !blocks.is_sorted_by(|block, next| block.index() < next.index()) {
            return Err("the blocks are not ordered by their index");
        }
        let late = late.into_iter().map(|(block, content)| (block.index(), (block, content))).collect();
        Ok(Self {
            message,
            blocks,
            late,
            phase,
            started,
            unknown_events,
            #[cfg(test)]
            moved: 0,
        })
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
enum Phase {
    /// Before `message_start`.
    Waiting,
    Running,
    /// After `message_stop`.
    Stopped,
    /// After [`Accumulator::finish`], without `message_stop`.
    Ended,
}

impl Accumulator {
    /// Creates an accumulator without any events.
    #[must_use]
    pub fn new() -> Self {
        Self {
            message: MessageResponse::empty(),
            blocks: Vec::new(),
            late: BTreeMap::new(),
            phase: Phase::Waiting,
            started: false,
            unknown_events: false,
            #[cfg(test)]
            moved: 0,
        }
    }

    /// Applies an event to the message. `ping`, `error` and events whose type isn't in the contract have no effect.
    ///
    /// # Errors
    /// Returns an error if the event can't follow those before it. The message isn't changed then.
    pub fn push(&mut self, event: &StreamEvent) -> Result<(), ProtocolError> {
        match event {
            StreamEvent::ContentBlockDelta(event) => self.push_delta(event),
            StreamEvent::ContentBlockStart(event) => self.open(event),
            StreamEvent::ContentBlockStop(event) => self.close(event.index),
            StreamEvent::MessageStart(event) => self.start(event),
            StreamEvent::MessageDelta(event) => {
                self.check_running("message_delta")?;
                merge::merge_message_delta(&mut self.message, event)
                    .map_err(|error| ProtocolErrorKind::UndecodableMessage.with_source(error))
            }
            StreamEvent::MessageStop(_) => self.stop(),
            StreamEvent::Unknown(event) => {
                self.unknown_events |= event.may_contain_content();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Ends the message, because no more events follow. The input of a tool call whose block is still open becomes an
    /// [`IncompleteInput`].
    ///
    /// Returns `true` if the message is complete: it has a stop reason, and every block was closed or was cut by that
    /// reason (`max_tokens`, `model_context_window_exceeded`, `refusal`). A missing `message_stop` doesn't make it
    /// incomplete.
    #[must_use = "returns `true` if the message is complete"]
    pub fn finish(&mut self) -> bool {
        self.merge_late();
        let is_complete = match self.phase {
            Phase::Running => self.has_stop_reason() && self.unfinished().is_none(),
            Phase::Stopped => self.has_stop_reason(),
            Phase::Waiting | Phase::Ended => false,
        };
        if self.phase != Phase::Stopped {
            self.phase = Phase::Ended;
            self.interrupt();
        }
        is_complete
    }

    /// Returns the message assembled so far. It is empty until the first event.
    #[must_use]
    pub fn message(&self) -> &MessageResponse {
        &self.message
    }

    /// Converts the accumulator into the message assembled so far.
    #[must_use]
    pub fn into_message(mut self) -> MessageResponse {
        self.take_message()
    }

    /// Moves the message out and leaves an empty one.
    pub(super) fn take_message(&mut self) -> MessageResponse {
        self.merge_late();
        mem::replace(&mut self.message, MessageResponse::empty())
    }

    /// Returns `true` once `message_start` has arrived.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.started
    }

    /// Returns `true` once `message_stop` has arrived.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.phase == Phase::Stopped
    }

    /// Returns `true` once the message has a stop reason.
    pub(super) fn has_stop_reason(&self) -> bool {
        self.message.stop_reason.is_some()
    }

    /// Returns the input of the tool call at this `index`, or `None` if there is no such block, it isn't a tool call, or
    /// it isn't closed yet.
    pub fn tool_input(&self, index: i64) -> Option<Result<&Json, &IncompleteInput>> {
        let (block, content) = self.find(index)?;
        block.input(content)
    }

    /// Returns the JSON text of a tool call's input as far as it has arrived, or `None` if there is no such block or it isn't
    /// a tool call.
    ///
    /// Use it to show progress. Don't run a tool on it, because the rest of the text is missing.
    #[must_use]
    pub fn partial_input(&self, index: i64) -> Option<&str> {
        let (block, content) = self.find(index)?;
        block.input_text(content)
    }

    /// Returns the inputs of tool calls that were cut, in the order of their blocks.
    pub fn incomplete_inputs(&self) -> impl Iterator<Item = &IncompleteInput> {
        self.blocks.iter().filter_map(BlockState::incomplete)
    }

    /// Returns the deltas for the block at this `index` whose type isn't in the contract, as they were sent.
    #[must_use]
    pub fn unknown_deltas(&self, index: i64) -> &[Json] {
        self.find(index).map_or(&[], |(block, _)| block.unknown_deltas())
    }

    fn start(&mut self, event: &StreamEventMessageStart) -> Result<(), ProtocolError> {
        let message = &event.message;
        match self.phase {
            Phase::Waiting => {}
            // Some gateways send it again when they resume the stream on another connection.
            Phase::Running if message.id.is_some() && message.id == self.message.id => return Ok(()),
            Phase::Running => return Err(ProtocolErrorKind::DuplicateStart.into()),
            Phase::Stopped | Phase::Ended => return Err(ProtocolErrorKind::AfterEnd("message_start").into()),
        }
        self.message = message.clone();
        self.blocks = (0..)
            .zip(message.content.iter().flatten())
            .map(|(index, content)| BlockState::closed(index, content))
            .collect();
        (self.phase, self.started) = (Phase::Running, true);
        Ok(())
    }

    fn open(&mut self, event: &StreamEventContentBlockStart) -> Result<(), ProtocolError> {
        self.check_running("content_block_start")?;
        let index = event.index;
        if index < 0 {
            return Err(ProtocolErrorKind::NegativeIndex(index).into());
        }
        match self.position(index) {
            Err(position) if !self.late.contains_key(&index) => {
                let (block, content) = BlockState::open(event)?;
                self.insert(position, block, content);
            }
            _ => return Err(ProtocolErrorKind::DuplicateBlock(index).into()),
        }
        Ok(())
    }

    /// Inserts a block at a position.
    ///
    /// An insertion moves all blocks behind it, so inserting n blocks in descending order would move n² of them. A block that
    /// would move more than a few is kept in `late` instead. Once `late` is as long as `blocks`, both are merged at once.
    fn insert(&mut self, position: usize, block: BlockState, content: ContentBlock) {
        const MAX_MOVED_BLOCKS: usize = 64;
        if self.blocks.len() - position > MAX_MOVED_BLOCKS {
            self.late.insert(block.index(), (block, content));
            if self.late.len() >= self.blocks.len() {
                self.merge_late();
            }
            return;
        }
        self.count_moved(self.blocks.len() - position);
        let contents = self.message.content.get_or_insert_default();
        if contents.is_empty() {
            // Most replies have one block, and a `Vec` allocates space for four.
            contents.reserve_exact(1);
            self.blocks.reserve_exact(1);
        }
        self.blocks.insert(position, block);
        contents.insert(position.min(contents.len()), content);
    }

    fn merge_late(&mut self) {
        if self.late.is_empty() {
            return;
        }
        let mut late = mem::take(&mut self.late).into_values().peekable();
        let contents = self.message.content.take().unwrap_or_default();
        let blocks = mem::take(&mut self.blocks);
        self.count_moved(blocks.len() + late.len());
        let mut merged = Vec::with_capacity(blocks.len() + late.len());
        for (block, content) in blocks.into_iter().zip(contents) {
            while let Some(earlier) = late.next_if(|(late, _)| late.index() < block.index()) {
                merged.push(earlier);
            }
            merged.push((block, content));
        }
        merged.extend(late);
        let (blocks, contents) = merged.into_iter().unzip();
        (self.blocks, self.message.content) = (blocks, Some(contents));
    }

    /// Returns the text of a delta if it begins or ends with a surrogate, joined to the one before it.
    pub(super) fn joined_text(&self, event: &StreamEventContentBlockDelta) -> Option<String> {
        self.find(event.index)?.0.joined_text(event)
    }

    fn push_delta(&mut self, event: &StreamEventContentBlockDelta) -> Result<(), ProtocolError> {
        self.check_running("content_block_delta")?;
        match self.find_mut(event.index) {
            Some((block, content)) if block.is_open() => block.add(content, event),
            _ => Err(ProtocolErrorKind::BlockNotOpen(event.index).into()),
        }
    }

    fn close(&mut self, index: i64) -> Result<(), ProtocolError> {
        self.check_running("content_block_stop")?;
        let model = match self.find_mut(index) {
            Some((block, content)) if block.is_open() => {
                block.close(content)?;
                block::fallback_model(content)
            }
            _ => return Err(ProtocolErrorKind::BlockNotOpen(index).into()),
        };
        if model.is_some() {
            self.message.model = model;
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<(), ProtocolError> {
        self.check_running("message_stop")?;
        self.merge_late();
        match self.unfinished() {
            Some(kind) => Err(kind.into()),
            None => {
                self.phase = Phase::Stopped;
                self.interrupt();
                Ok(())
            }
        }
    }

    /// Closes the blocks that are still open.
    fn interrupt(&mut self) {
        for (block, content) in self.blocks.iter_mut().zip(self.message.content.iter_mut().flatten()) {
            block.interrupt(content);
        }
    }

    fn check_running(&self, event: &'static str) -> Result<(), ProtocolError> {
        match self.phase {
            Phase::Running => Ok(()),
            Phase::Waiting => Err(ProtocolErrorKind::BeforeStart(event).into()),
            Phase::Stopped | Phase::Ended => Err(ProtocolErrorKind::AfterEnd(event).into()),
        }
    }

    /// Returns the reason why the message can't end here, if there is one.
    fn unfinished(&self) -> Option<ProtocolErrorKind> {
        let cuts = |reason: &StopReason| reason.is_truncated() || reason.is_refusal();
        if !self.message.stop_reason.as_ref().is_some_and(cuts)
            && let Some(block) = self.blocks.iter().find(|block| block.is_open())
        {
            return Some(ProtocolErrorKind::BlockNotClosed(block.index()));
        }
        // An unknown event may have contained the missing block.
        if self.unknown_events {
            return None;
        }
        (0..)
            .zip(&self.blocks)
            .find(|(expected, block)| *expected != block.index())
            .map(|(index, _)| ProtocolErrorKind::MissingBlock(index))
    }

    /// Returns the position of the block at this index, or the position to insert it at.
    fn position(&self, index: i64) -> Result<usize, usize> {
        match usize::try_from(index) {
            // The index is almost always the position.
            Ok(position) if self.blocks.get(position).is_some_and(|block| block.index() == index) => Ok(position),
            _ => self.blocks.binary_search_by_key(&index, BlockState::index),
        }
    }

    /// Returns a block and its content, which is `None` once the message was moved out.
    fn find(&self, index: i64) -> Option<(&BlockState, Option<&ContentBlock>)> {
        match self.position(index) {
            Ok(position) => {
                Some((self.blocks.get(position)?, self.message.content.as_ref().and_then(|it| it.get(position))))
            }
            Err(_) => self.late.get(&index).map(|(block, content)| (block, Some(content))),
        }
    }

    fn find_mut(&mut self, index: i64) -> Option<(&mut BlockState, &mut ContentBlock)> {
        match self.position(index) {
            Ok(position) => Some((self.blocks.get_mut(position)?, self.message.content.as_mut()?.get_mut(position)?)),
            Err(_) => self.late.get_mut(&index).map(|(block, content)| (block, content)),
        }
    }

    #[cfg(test)]
    fn count_moved(&mut self, blocks: usize) {
        self.moved += blocks;
    }

    #[cfg(not(test))]
    fn count_moved(&self, _: usize) {}
}

impl Default for Accumulator {
    fn default() -> Self {
        Self::new()
    }
}

/// Omits the content, which is a completion.
impl fmt::Debug for Accumulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accumulator")
            .field("phase", &self.phase)
            .field("blocks", &(self.blocks.len() + self.late.len()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn push(accumulator: &mut Accumulator, event: Value) {
        accumulator.push(&Json::from(event).decode().unwrap()).unwrap();
    }

    fn started() -> Accumulator {
        let mut accumulator = Accumulator::new();
        push(&mut accumulator, json!({"type": "message_start", "message": {"content": []}}));
        accumulator
    }

    fn block(index: i64) -> [Value; 3] {
        [
            json!({"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": format!("{index},")}}),
            json!({"type": "content_block_stop", "index": index}),
        ]
    }

    /// Pushes blocks in this order, and returns the accumulator and the number of blocks that were moved.
    fn pushed(indices: impl Iterator<Item = i64>) -> (Accumulator, usize) {
        let mut accumulator = started();
        for event in indices.flat_map(block) {
            push(&mut accumulator, event);
        }
        push(&mut accumulator, json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}));
        assert!(accumulator.finish());
        let moved = accumulator.moved;
        (accumulator, moved)
    }

    #[test]
    fn blocks_in_any_order_move_in_proportion_to_their_number() {
        const N: i64 = 2000;
        let expected: String = (0..N).map(|index| format!("{index},")).collect();
        // The multiplier has no factor in common with `N`, so that every index occurs.
        let orders: [fn(i64, i64) -> i64; 4] =
            [|n, _| n, |n, count| count - 1 - n, |n, count| (n * 1_237) % count, |n, _| n ^ 1];
        for order in orders {
            let (accumulator, moved) = pushed((0..N).map(|n| order(n, N)));
            assert_eq!(accumulator.message().text(), expected);
            let (_, twice) = pushed((0..2 * N).map(|n| order(n, 2 * N)));
            assert!(moved <= 64 * N as usize, "{moved}");
            assert!(twice <= 3 * moved + 1000, "{moved} for {N}, {twice} for twice as many");
        }
    }

    #[test]
    fn a_late_block_can_be_read_before_it_is_merged() {
        let mut accumulator = started();
        for event in (1..200).flat_map(block) {
            push(&mut accumulator, event);
        }
        let [start, delta, stop] = block(0);
        push(&mut accumulator, start.clone());
        push(&mut accumulator, delta);
        let again = accumulator.push(&Json::from(start).decode().unwrap()).unwrap_err();
        assert_eq!(again.to_string(), "second `content_block_start` for block 0");
        push(&mut accumulator, stop);
        assert!(accumulator.find(0).is_some());
        assert!(!accumulator.finish(), "there is no stop reason");
        assert!(accumulator.message().text().starts_with("0,1,2,"));
    }
}
