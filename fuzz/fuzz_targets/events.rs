//! Events into the accumulator, in any order and cut anywhere: no panic, and nothing that is not whole looks so.
//!
//! The input picks events out of a list, with indices and texts of its own; some of it is taken as the text of an
//! event. They go in one by one and as a stream of bytes, which must come to the same.
//!
//! `cargo +nightly fuzz run -s none events -- -runs=10000000`

#![no_main]

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use anthropic_messages::{Accumulator, JsonType, MessageResponse, MessageStream, StreamEvent, types::ContentBlock};
use bytes::Bytes;
use futures_core::Stream;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((plan, rest)) = input.split_at_checked(2) else { return };
    let texts = events(rest);

    let mut accumulator = Accumulator::new();
    let mut taken = 0;
    let refused = texts.iter().any(|text| {
        let refused = accumulator.has_stopped() || !take(&mut accumulator, text);
        taken += usize::from(!refused);
        refused && !accumulator.has_stopped()
    });
    if refused {
        let mut again = Accumulator::new();
        assert!(texts.iter().take(taken).all(|text| take(&mut again, text)));
        assert_eq!(accumulator.message(), again.message(), "an error changes nothing");
    }
    for index in [-1, 0, 1, 2, i64::MAX] {
        let _ = (accumulator.partial_input(index), accumulator.unknown_deltas(index).len());
        if let Some(Ok(input)) = accumulator.tool_input(index) {
            assert_eq!(input.json_type(), JsonType::Object);
        }
    }
    let whole = accumulator.finish();
    check(&accumulator);

    let wire: String = texts.iter().map(|text| format!("data: {text}\n\n")).collect();
    let (message, error) = streamed(wire.as_bytes(), plan);
    if let Some(partial) = error {
        assert!(refused || !whole, "a whole message is an error in pieces");
        if let Some(partial) = partial {
            assert_eq!(partial, message);
        }
    } else {
        assert!(whole && !refused, "what is not whole is none in pieces");
    }
    // What lacks a member is read by the stream alone.
    if !refused {
        assert_eq!(&message, accumulator.message());
    }
});

/// Whether an event could be read and added.
fn take(accumulator: &mut Accumulator, text: &str) -> bool {
    match serde_json::from_str::<StreamEvent>(text) {
        Ok(StreamEvent::Error(_)) | Err(_) => false,
        Ok(event) => accumulator.push(&event).is_ok(),
    }
}

/// Whatever came, the message can be written, and a call that is not whole has no object as its input.
fn check(accumulator: &Accumulator) {
    let incomplete = accumulator.incomplete_inputs().count();
    let text = serde_json::to_string(accumulator.message()).expect("a message can be written");
    match serde_json::from_str::<MessageResponse>(&text) {
        Ok(again) => assert_eq!(&again, accumulator.message()),
        Err(_) => assert!(incomplete > 0),
    }
    let cut = accumulator.message().content.iter().flatten().filter(|block| match block {
        ContentBlock::ToolUse(call) => call.incomplete_input().is_some(),
        ContentBlock::ServerToolUse(call) => call.incomplete_input().is_some(),
        _ => false,
    });
    assert!(cut.count() <= incomplete);
}

/// The events that the bytes pick.
fn events(mut bytes: &[u8]) -> Vec<String> {
    let mut events = Vec::new();
    while let [kind, index, rest @ ..] = bytes {
        let length = rest.first().map_or(0, |length| usize::from(length % 16)).min(rest.len());
        let (text, after) = rest.split_at(length);
        bytes = after;
        let index = match index % 8 {
            7 => i64::from(*index) - 256,
            index => i64::from(index % 3),
        };
        let string = serde_json::to_string(&String::from_utf8_lossy(text)).expect("a string");
        let delta = |kind: &str, member: &str| {
            format!(
                r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"{kind}","{member}":{string}}}}}"#
            )
        };
        let open = |block: &str| format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#);
        events.push(match kind % 20 {
            0 => r#"{"type":"message_start","message":{"role":"assistant","content":[]}}"#.to_owned(),
            1 => open(&format!(r#"{{"type":"text","text":{string}}}"#)),
            2 => open(r#"{"type":"tool_use","id":"t","name":"n","input":{}}"#),
            3 => open(r#"{"type":"thinking","thinking":""}"#),
            4 => open(r#"{"type":"song","key":"C"}"#),
            5 => open(r#"{"type":"server_tool_use","id":"s","name":"web_search","input":{"a":1}}"#),
            6 => delta("text_delta", "text"),
            7 => delta("input_json_delta", "partial_json"),
            8 => delta("thinking_delta", "thinking"),
            9 => delta("signature_delta", "signature"),
            10 => delta("colour_delta", "colour"),
            11 => format!(
                r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"citations_delta","citation":{{"type":"page_location","document_title":{string}}}}}}}"#
            ),
            12 | 13 => format!(r#"{{"type":"content_block_stop","index":{index}}}"#),
            14 => format!(r#"{{"type":"message_delta","delta":{{"stop_reason":{string}}},"usage":{{"output_tokens":{index}}}}}"#),
            15 => r#"{"type":"message_stop"}"#.to_owned(),
            16 => r#"{"type":"ping"}"#.to_owned(),
            17 => delta("input_json_delta", "partial_json").replace(&string, r#""{\"a\":1}""#),
            18 => format!(r#"{{"type":"later","x":{string}}}"#),
            _ => String::from_utf8_lossy(text).replace(['\r', '\n'], " "),
        });
    }
    // Nothing but a name could be an event without data.
    events.retain(|event| !event.trim().is_empty());
    events
}

/// What the bytes of a stream come to, in chunks of these lengths: the message, and the partial one if it failed.
fn streamed(mut bytes: &[u8], plan: &[u8]) -> (MessageResponse, Option<Option<MessageResponse>>) {
    let mut chunks = Vec::new();
    for length in plan.iter().map(|length| usize::from(*length)).chain([1]).cycle() {
        if bytes.is_empty() {
            break;
        }
        let (chunk, rest) = bytes.split_at(length.min(bytes.len()));
        chunks.push(Bytes::copy_from_slice(chunk));
        bytes = rest;
    }
    let mut stream = MessageStream::from_bytes(Chunks(chunks.into_iter()));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match pin!(&mut stream).poll_next(&mut context) {
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(error))) => {
                return (stream.message().clone(), Some(error.partial_message().cloned()));
            }
            Poll::Ready(None) => return (stream.message().clone(), None),
            Poll::Pending => panic!("all bytes are there"),
        }
    }
}

struct Chunks(std::vec::IntoIter<Bytes>);

impl Stream for Chunks {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}
