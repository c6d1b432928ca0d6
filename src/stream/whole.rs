//! The events of a message that arrived whole.

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

/// Returns the events that make this message, from `message_start` to `message_stop`.
pub(super) fn events_of(mut message: MessageResponse) -> VecDeque<StreamEvent> {
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
    events.extend(events_of_content(content.unwrap_or_default()));
    let end = StreamEventMessageDelta { delta: Some(delta), usage, ..StreamEventMessageDelta::empty() };
    events.push_back(end.into());
    events.push_back(StreamEventMessageStop::empty().into());
    events
}

/// Returns the events that make this content: of each block the start, a delta for what is read as it is written, and
/// the end.
pub(super) fn events_of_content(content: Vec<ContentBlock>) -> impl Iterator<Item = StreamEvent> {
    (0..).zip(content).flat_map(|(index, mut content_block)| {
        let deltas = deltas_of(&mut content_block);
        let start = StreamEventContentBlockStart { index, content_block, ..StreamEventContentBlockStart::empty() };
        let stop = StreamEventContentBlockStop { index, ..StreamEventContentBlockStop::empty() };
        let deltas = deltas.into_iter().map(move |delta| {
            StreamEventContentBlockDelta { index, delta, ..StreamEventContentBlockDelta::empty() }.into()
        });
        std::iter::once(start.into()).chain(deltas).chain([stop.into()])
    })
}

/// Moves out of a block what deltas bring.
fn deltas_of(content: &mut ContentBlock) -> Vec<ContentBlockDelta> {
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
        ContentBlock::ToolUse(block) => deltas.extend(delta_of_input(&mut block.input)),
        ContentBlock::ServerToolUse(block) => deltas.extend(delta_of_input(&mut block.input)),
        _ => {}
    }
    deltas
}

/// An input that was cut is no object; it stays where it is.
fn delta_of_input(input: &mut Json) -> Option<ContentBlockDelta> {
    if input.json_type() != JsonType::Object || input.get() == "{}" {
        return None;
    }
    let input = std::mem::replace(input, Json::empty_object());
    Some(ContentBlockDeltaInputJsonDelta { partial_json: input.get().to_owned(), ..Empty::empty() }.into())
}
