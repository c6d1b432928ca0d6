//! Deltas that take the fast path decode like others.

use anthropic_messages::{ErrorKind, MessageResponse, StreamEvent};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{read, stream::transcripts, stream_of, wire};

const KINDS: [(&str, &str, &str); 4] = [
    ("text", "text_delta", "text"),
    ("thinking", "thinking_delta", "thinking"),
    ("thinking", "signature_delta", "signature"),
    ("tool_use", "input_json_delta", "partial_json"),
];

/// The data of a delta, member by member in the API's order.
fn delta(kind: &str, member: &str, string: &str) -> String {
    format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"{kind}","{member}":"{string}"}}}}"#)
}

/// The same with white space that the API does not write, so that a parser reads it.
fn spaced(data: &str) -> String {
    data.replacen('{', "{ ", 1)
}

type Outcome = (Vec<StreamEvent>, Result<MessageResponse, (ErrorKind, Option<MessageResponse>)>);

/// Returns the outcome of a stream with this delta.
fn outcome(block: &str, data: &str) -> Outcome {
    let blank = match block {
        "tool_use" => json!({"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}),
        block => json!({"type": block, block: ""}),
    };
    let before = wire(&[transcripts::start(), transcripts::open(0, blank)]);
    let after = wire(&[transcripts::close(0), transcripts::end("end_turn"), transcripts::stop()]);
    let event = format!("event: content_block_delta\ndata: {data}\n\n");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (events, message) = runtime.block_on(read(stream_of([before, event, after])));
    (events, message.map_err(|error| (error.kind(), error.partial_message().cloned())))
}

fn assert_read_alike(block: &str, data: &str) -> Result<(), TestCaseError> {
    prop_assert_eq!(outcome(block, data), outcome(block, &spaced(data)), "{}", data);
    Ok(())
}

#[test]
fn every_delta_of_text_has_its_text() {
    for (block, kind, member) in KINDS {
        for (string, text) in [
            ("", ""),
            ("plain", "plain"),
            ("{\\\"a\\\": \\\"b\\\\n\\\"}", "{\"a\": \"b\\n\"}"),
            ("\\/\\b\\f\\n\\r\\t\\\\", "/\u{8}\u{c}\n\r\t\\"),
            ("é — 漢 🦀", "é — 漢 🦀"),
            ("\\u00e9\\ud83e\\udd80", "é🦀"),
        ] {
            let data = delta(kind, member, string);
            let (events, _) = outcome(block, &data);
            let event = serde_json::to_value(&events[2]).unwrap();
            assert_eq!(event["delta"], json!({"type": kind, member: text}), "{data}");
        }
    }
}

#[test]
fn spaces_at_the_end_are_ignored() {
    // The API adds them to some deltas, so that their length doesn't reveal their content.
    let data = delta("text_delta", "text", "x").replace("}}", "}    }  ");
    assert_eq!(outcome("text", &data), outcome("text", &spaced(&data)));
    assert_eq!(outcome("text", &data).0.len(), 6);
}

#[test]
fn other_notations_are_left_to_the_json_reader() {
    for data in [
        // A member more, in the delta or beside it, comes out in `extra`.
        delta("text_delta", "text", "x").replace("}}", r#","more":1}}"#),
        delta("text_delta", "text", "x").replace("}}", r#"},"more":1}"#),
        delta("text_delta", "text", "x").replace(r#""index":0,"#, r#""index":0,"more":[1],"#),
        delta("text_delta", "text", "x").replace(r#""index":0,"#, ""),
        delta("text_delta", "text", "x").replace(r#""index":0,"#, r#""index":-0,"#),
        delta("text_delta", "text", "x").replace(r#""index":0,"#, r#""index":00,"#),
        delta("text_delta", "text", "x").replace(r#""index":0,"#, r#""index":+0,"#),
        delta("text_delta", "text", "x").replace(r#""index":0,"#, r#""index":99999999999999999999,"#),
        delta("text_delta", "thinking", "x"),
        delta("note_delta", "text", "x"),
        delta("text_delta", "text", "\\ud800"),
        delta("text_delta", "text", "\\x"),
        delta("text_delta", "text", "\u{1}"),
        delta("text_delta", "text", "x") + "}",
        delta("text_delta", "text", "x").replace("}}", "}"),
        delta("text_delta", "text", "x\\").replace("}}", ""),
    ] {
        assert_eq!(outcome("text", &data), outcome("text", &spaced(&data)), "{data}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_as_a_parser_reads_it(text in any::<String>(), (block, kind, member) in kinds(), pad in 0..3usize) {
        let string = Value::from(text).to_string();
        let data = delta(kind, member, string.strip_prefix('"').unwrap().strip_suffix('"').unwrap()) + &" ".repeat(pad);
        assert_read_alike(block, &data)?;
    }

    #[test]
    fn a_delta_with_a_slip_is_read_as_a_parser_reads_it(
        (block, kind, member) in kinds(),
        place in any::<prop::sample::Index>(),
        slip in prop::sample::select(vec!["", "\"", "\\", "{", "}", ",", ":", "0", "-", " ", "\t", "e", "\\u0041", "\\n"]),
        replaces in any::<bool>(),
    ) {
        let mut data = delta(kind, member, "It\\n \\\"is\\\"");
        let at = place.index(data.len());
        // Not before the brace that the space is put behind.
        let at = at.max(1);
        data.replace_range(at..at + usize::from(replaces), slip);
        assert_read_alike(block, &data)?;
    }
}

fn kinds() -> impl Strategy<Value = (&'static str, &'static str, &'static str)> {
    prop::sample::select(KINDS.to_vec())
}
