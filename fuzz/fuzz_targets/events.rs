//! Events into the accumulator, in any order and cut anywhere: no panic, and nothing that is not whole looks so.
//!
//! The input picks events out of a list, with indices and texts of its own; some of it is taken as the text of an
//! event. They go in one by one, as a stream of bytes, and as what a relay makes of that, which must come to the same.
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
    let mut taken = Vec::new();
    let mut outcome = Taken::Added;
    for text in &texts {
        if accumulator.has_stopped() {
            break;
        }
        outcome = take(&mut accumulator, text);
        match outcome {
            Taken::Added => taken.push(text),
            Taken::Refused | Taken::End | Taken::Unclear => break,
        }
    }
    if let Taken::Refused = outcome {
        let mut again = Accumulator::new();
        assert!(taken.iter().all(|text| matches!(take(&mut again, text), Taken::Added)));
        assert_eq!(accumulator.message(), again.message(), "an error changes nothing");
    }
    let stored = serde_json::to_string(&accumulator).expect("an accumulator can be stored");
    let mut restored: Accumulator = serde_json::from_str(&stored).expect("and read back");
    for index in [-1, 0, 1, 2, i64::MAX] {
        let _ = (accumulator.partial_input(index), accumulator.unknown_deltas(index).len());
        if let Some(Ok(input)) = accumulator.tool_input(index) {
            assert_eq!(input.json_type(), JsonType::Object);
        }
    }
    let whole = accumulator.finish();
    check(&accumulator);
    assert_eq!((restored.finish(), restored.message()), (whole, accumulator.message()));

    let wire: String = texts.iter().map(|text| format!("data: {text}\n\n")).collect();
    let (message, error, relayed) = streamed(wire.as_bytes(), plan);
    if let Some(Some(partial)) = &error {
        assert_eq!(partial, &message);
    }
    match outcome {
        Taken::Unclear => return,
        Taken::Refused => assert!(error.is_some()),
        Taken::Added | Taken::End => {
            assert_eq!(error.is_none(), whole, "whole in pieces and one by one");
            assert_eq!(&message, accumulator.message());
        }
    }
    if error.is_none() {
        let (again, error, _) = streamed(relayed.as_bytes(), plan);
        assert!(error.is_none());
        assert_eq!(again, message, "relayed");
    }
});

/// The outcome of reading an event.
#[derive(Clone, Copy)]
enum Taken {
    Added,
    Refused,
    /// It says that no more events follow.
    End,
    /// The stream alone can read it, or not even that.
    Unclear,
}

fn take(accumulator: &mut Accumulator, text: &str) -> Taken {
    if text.trim() == "[DONE]" {
        return Taken::End;
    }
    match serde_json::from_str::<StreamEvent>(text) {
        Ok(StreamEvent::Error(_)) => Taken::Refused,
        Ok(event) if accumulator.push(&event).is_ok() => Taken::Added,
        Ok(_) => Taken::Refused,
        Err(_) if text.trim_start_matches(['\u{FEFF}', ' ', '\t']).starts_with('{') => Taken::Unclear,
        // Without a name, and no object.
        Err(_) => Taken::Added,
    }
}

/// Whatever came, the message can be written and read again, and a call that is not whole has no object as its input.
fn check(accumulator: &Accumulator) {
    let text = serde_json::to_string(accumulator.message()).expect("a message can be written");
    let again: MessageResponse = serde_json::from_str(&text).expect("and read again");
    assert_eq!(&again, accumulator.message());
    let cut = accumulator.message().content.iter().flatten().filter(|block| match block {
        ContentBlock::ToolUse(call) => call.incomplete_input().is_some(),
        ContentBlock::ServerToolUse(call) => call.incomplete_input().is_some(),
        _ => false,
    });
    assert!(cut.count() <= accumulator.incomplete_inputs().count());
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
        let string = string(text);
        let delta = |kind: &str, member: &str| {
            format!(
                r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"{kind}","{member}":{string}}}}}"#
            )
        };
        let open = |block: &str| format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#);
        let half = |kind: &str, member: &str, first: bool| {
            let string = if first {
                format!("{}\\ud83d\"", &string[..string.len() - 1])
            } else {
                format!("\"\\ude00{}", &string[1..])
            };
            delta(kind, member).replace(&format!(r#":{}}}}}"#, self::string(text)), &format!(":{string}}}}}"))
        };
        events.push(match kind % 32 {
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
            19 => half("text_delta", "text", true),
            20 => half("text_delta", "text", false),
            21 => half("input_json_delta", "partial_json", true),
            22 => half("thinking_delta", "thinking", false),
            23 => delta("later_delta", "text"),
            24 => delta("later_delta", "later").replace(&string, &format!("[{string}]")),
            25 => r#"{"type":"message_start","message":{"id":"m","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn"}}"#.to_owned(),
            26 => r#"{"type":"message_delta","usage":{"output_tokens":1.0,"later":null}}"#.to_owned(),
            27 => format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"max_tokens","later":{string}}}}}"#),
            28 => open(r#"{"type":"tool_use","name":"n","input":{"a":1.0}}"#),
            29 => "[DONE]".to_owned(),
            _ => String::from_utf8_lossy(text).replace(['\r', '\n'], " "),
        });
    }
    // Nothing but a name could be an event without data.
    events.retain(|event| !event.trim().is_empty());
    events
}

fn string(text: &[u8]) -> String {
    serde_json::to_string(&String::from_utf8_lossy(text)).expect("a string")
}

/// Returns the outcome of a stream read in chunks of these lengths: the message, the partial one if it failed, and what a
/// relay makes of its events.
fn streamed(mut bytes: &[u8], plan: &[u8]) -> (MessageResponse, Option<Option<MessageResponse>>, String) {
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
    let mut relayed = String::new();
    loop {
        match pin!(&mut stream).poll_next(&mut context) {
            Poll::Ready(Some(Ok(event))) => {
                relayed.push_str(&event.to_sse().expect("an event can be written").to_string())
            }
            Poll::Ready(Some(Err(error))) => {
                return (stream.message().clone(), Some(error.partial_message().cloned()), relayed);
            }
            Poll::Ready(None) => return (stream.message().clone(), None, relayed),
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
