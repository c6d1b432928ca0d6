//! Converts a complete message into the events of a stream.

use std::collections::VecDeque;

use crate::{
    generated::types::{
        ContentBlock, ContentBlockDelta, ContentBlockDeltaCitationsDelta, ContentBlockDeltaInputJsonDelta,
        ContentBlockDeltaSignatureDelta, ContentBlockDeltaTextDelta, ContentBlockDeltaThinkingDelta, MessageDelta,
        MessageDeltaUsage, MessageResponse, StreamEvent, StreamEventContentBlockDelta, StreamEventContentBlockStart,
        StreamEventContentBlockStop, StreamEventMessageDelta, StreamEventMessageStart, StreamEventMessageStop,
    },
    json::{Empty, Json, JsonType},
};

/// Converts a message into its events, from `message_start` to `message_stop`.
pub(super) fn message_to_events(mut message: MessageResponse) -> VecDeque<StreamEvent> {
    let content = message.content.as_mut().map(std::mem::take);
    let delta = MessageDelta {
        stop_reason: message.stop_reason.take(),
        stop_sequence: message.stop_sequence.take(),
        ..MessageDelta::empty()
    };
    let usage = message
        .usage
        .as_ref()
        .map(|usage| MessageDeltaUsage { output_tokens: usage.output_tokens, ..MessageDeltaUsage::empty() });
    let mut events = VecDeque::new();
    events.push_back(StreamEventMessageStart { message, ..StreamEventMessageStart::empty() }.into());
    events.extend(content_to_events(content.unwrap_or_default()));
    let end = StreamEventMessageDelta { delta: Some(delta), usage, ..StreamEventMessageDelta::empty() };
    events.push_back(end.into());
    events.push_back(StreamEventMessageStop::empty().into());
    events
}

/// Converts blocks into their events: for each block a start, its deltas, and a stop.
pub(super) fn content_to_events(content: Vec<ContentBlock>) -> impl Iterator<Item = StreamEvent> {
    (0..).zip(content).flat_map(|(index, mut content_block)| {
        let deltas = take_deltas(&mut content_block);
        let start = StreamEventContentBlockStart { index, content_block, ..StreamEventContentBlockStart::empty() };
        let stop = StreamEventContentBlockStop { index, ..StreamEventContentBlockStop::empty() };
        let deltas = deltas.into_iter().map(move |delta| {
            StreamEventContentBlockDelta { index, delta, ..StreamEventContentBlockDelta::empty() }.into()
        });
        std::iter::once(start.into()).chain(deltas).chain([stop.into()])
    })
}

/// Moves the content that a stream sends as deltas out of a block.
fn take_deltas(content: &mut ContentBlock) -> Vec<ContentBlockDelta> {
    let mut deltas: Vec<ContentBlockDelta> = Vec::new();
    match content {
        ContentBlock::Text(block) if !block.text.is_empty() => {
            let text = std::mem::take(&mut block.text);
            deltas.push(ContentBlockDeltaTextDelta { text, ..Empty::empty() }.into());
            for citation in block.citations.as_mut().map(std::mem::take).into_iter().flatten() {
                deltas.push(ContentBlockDeltaCitationsDelta { citation: Some(citation), ..Empty::empty() }.into());
            }
        }
        ContentBlock::Thinking(block) => {
            let thinking = std::mem::take(&mut block.thinking);
            if !thinking.is_empty() {
                deltas.push(ContentBlockDeltaThinkingDelta { thinking, ..Empty::empty() }.into());
            }
            if let Some(signature) = block.signature.take() {
                deltas.push(ContentBlockDeltaSignatureDelta { signature, ..Empty::empty() }.into());
            }
        }
        ContentBlock::ToolUse(block) => deltas.extend(take_input_delta(&mut block.input)),
        ContentBlock::ServerToolUse(block) => deltas.extend(take_input_delta(&mut block.input)),
        _ => {}
    }
    deltas
}

/// Moves the input out of a tool call, unless it is empty or a string, which marks an input that was cut.
fn take_input_delta(input: &mut Json) -> Option<ContentBlockDelta> {
    if input.json_type() != JsonType::Object || input.as_str() == "{}" {
        return None;
    }
    let input = std::mem::replace(input, Json::empty_object());
    Some(ContentBlockDeltaInputJsonDelta { partial_json: input.as_str().to_owned(), ..Empty::empty() }.into())
}
