//! Text that is split within a surrogate pair.

use anthropic_messages::{Accumulator, ContentBlock, ContentBlockDelta, JsonType, MessageResponse, StreamEvent};
use serde_json::{Value, json};

use crate::{
    read,
    stream::transcripts::{close, end, open, start, stop, without_nulls},
    stream_of, wire,
};

/// A place for text in a block, and where the message has it.
const TEXTS: [(&str, &str, &str); 3] =
    [("text", "text_delta", "text"), ("thinking", "thinking_delta", "thinking"), ("song", "text_delta", "text")];

fn opened(kind: &str) -> Value {
    match kind {
        "text" => json!({"type": "text", "text": ""}),
        "thinking" => json!({"type": "thinking", "thinking": ""}),
        "tool_use" => json!({"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}),
        kind => json!({"type": kind}),
    }
}

/// The data of a delta whose text is this JSON, without its quotation marks.
fn data(kind: &str, member: &str, text: &str) -> String {
    format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"{kind}","{member}":"{text}"}}}}"#)
}

fn events(block: &str, kind: &str, member: &str, pieces: &[&str]) -> String {
    let mut events = wire(&[start(), open(0, opened(block))]);
    for piece in pieces {
        events += &format!("event: content_block_delta\ndata: {}\n\n", data(kind, member, piece));
    }
    events + &wire(&[close(0), end("end_turn"), stop()])
}

fn texts(events: &[StreamEvent]) -> Vec<String> {
    let text = |event: &StreamEvent| match event {
        StreamEvent::ContentBlockDelta(event) => match &event.delta {
            ContentBlockDelta::TextDelta(delta) => Some(delta.text.clone()),
            ContentBlockDelta::ThinkingDelta(delta) => Some(delta.thinking.clone()),
            ContentBlockDelta::InputJsonDelta(delta) => Some(delta.partial_json.clone()),
            _ => None,
        },
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

fn block(message: &MessageResponse) -> Value {
    without_nulls(serde_json::to_value(&message.content.as_ref().unwrap()[0]).unwrap())
}

/// Pieces as they are sent, the texts of their events, and what the message has.
const CASES: &[(&[&str], &[&str], &str)] = &[
    (&["a\\ud83d", "\\ude00b"], &["a", "😀b"], "a😀b"),
    (&["a\\uD83D", "", "\\uDE00", "b"], &["a", "", "😀", "b"], "a😀b"),
    (&["\\ud83d", "\\ude00\\ud83d", "\\ude01"], &["", "😀", "😁"], "😀😁"),
    (&["\\ud83d\\ude00", "\\ud83d\\ude01"], &["😀", "😁"], "😀😁"),
    // Alone, at every place.
    (&["a\\ud83d", "b"], &["a", "\u{FFFD}b"], "a\u{FFFD}b"),
    (&["a\\ud83d"], &["a"], "a\u{FFFD}"),
    (&["a\\ud83d", ""], &["a", ""], "a\u{FFFD}"),
    (&["a", "\\ude00b"], &["a", "\u{FFFD}b"], "a\u{FFFD}b"),
    (&["a\\ud83d", "\\ud83d", "\\ude00"], &["a", "\u{FFFD}", "😀"], "a\u{FFFD}😀"),
    (&["\\ude00\\ud83d"], &["\u{FFFD}"], "\u{FFFD}\u{FFFD}"),
    (&["a\\ud83db", "c"], &["a\u{FFFD}b", "c"], "a\u{FFFD}bc"),
    (&["a\\ud83d", "\\u0062"], &["a", "\u{FFFD}b"], "a\u{FFFD}b"),
];

#[tokio::test]
async fn halves_are_carried_to_the_next_delta_of_the_block() {
    for (kind, delta, member) in TEXTS {
        for (pieces, expected, whole) in CASES {
            let (seen, message) = read(stream_of([events(kind, delta, member, pieces)])).await;
            assert_eq!(texts(&seen), *expected, "{kind} {pieces:?}");
            assert_eq!(block(&message.unwrap())[member], *whole, "{kind} {pieces:?}");
        }
    }
}

#[tokio::test]
async fn halves_are_carried_in_the_input_of_tools() {
    for (pieces, expected, whole) in CASES {
        let (first, last) = ("{\\\"a\\\":\\\"", "\\\"}");
        let pieces: Vec<&str> = [first].into_iter().chain(pieces.iter().copied()).chain([last]).collect();
        let mut stream = stream_of([events("tool_use", "input_json_delta", "partial_json", &pieces)]);
        let mut seen = Vec::new();
        while let Some(event) = stream.next().await {
            seen.push(event.unwrap());
        }
        let texts = texts(&seen);
        assert_eq!(texts[1..texts.len() - 1], **expected, "{pieces:?}");
        let call = stream.message().tool_uses().next().unwrap().clone();
        let text = format!("{{\"a\":\"{whole}\"}}");
        if whole.contains('\u{FFFD}') {
            assert_eq!(stream.tool_input(0).unwrap().unwrap_err().text(), text);
            assert_eq!(call.incomplete_input().as_deref(), Some(&*text));
            assert_eq!(call.input.json_type(), JsonType::String);
        } else {
            assert_eq!(call.input.as_str(), text);
        }
    }
    // Escapes of the input itself are none of the stream's, and U+FFFD may have been meant.
    for pieces in [["{\\\"a\\\":\\\"\\\\ud83d", "\\\\ude00\\\"}"], ["{\\\"a\\\":\\\"\\ufffd", "\u{FFFD}\\\"}"]] {
        let wire = events("tool_use", "input_json_delta", "partial_json", &pieces);
        let message = read(stream_of([wire])).await.1.unwrap();
        assert!(message.tool_uses().next().unwrap().incomplete_input().is_none(), "{pieces:?}");
    }
}

#[tokio::test]
async fn a_half_belongs_to_its_block_and_its_text() {
    let delta = |index: i64, kind: &str, member: &str, text: &str| {
        let data = data(kind, member, text).replace("\"index\":0", &format!("\"index\":{index}"));
        format!("data: {data}\n\n")
    };
    let mut wire = wire(&[start(), open(0, opened("text")), open(1, opened("text")), open(2, opened("song"))]);
    wire += &delta(0, "text_delta", "text", "a\\ud83d");
    wire += &delta(1, "text_delta", "text", "b\\ud83d");
    wire += &delta(2, "text_delta", "text", "c\\ud83d");
    wire += &delta(2, "thinking_delta", "thinking", "\\ude00");
    wire += &delta(0, "text_delta", "text", "\\ude00");
    wire += &delta(1, "text_delta", "text", "\\ude01");
    wire += &crate::wire(&[close(0), close(1), close(2), end("end_turn"), stop()]);
    let message = read(stream_of([wire])).await.1.unwrap();
    let content = serde_json::to_value(&message).unwrap()["content"].clone();
    assert_eq!((&content[0]["text"], &content[1]["text"]), (&json!("a😀"), &json!("b😁")));
    assert_eq!((&content[2]["text"], &content[2]["thinking"]), (&json!("c\u{FFFD}"), &json!("\u{FFFD}")));
}

#[tokio::test]
async fn a_relay_sends_surrogates_unchanged() {
    for (block, kind, member) in TEXTS.into_iter().chain([("tool_use", "input_json_delta", "partial_json")]) {
        for (pieces, ..) in CASES {
            let wire = events(block, kind, member, pieces);
            let (seen, message) = read(stream_of([&wire])).await;
            let relayed: String = seen.iter().map(|event| event.to_sse().unwrap().to_string()).collect();
            for piece in *pieces {
                // Whole pairs may be written as characters.
                let is_whole = serde_json::from_str::<String>(&format!("\"{piece}\"")).is_ok();
                assert!(is_whole || relayed.contains(&data(kind, member, piece)), "{piece}: {relayed}");
            }
            let again = read(stream_of([relayed])).await;
            assert_eq!((again.0, again.1.unwrap()), (seen, message.unwrap()));
        }
    }
}

#[tokio::test]
async fn an_event_that_was_changed_is_relayed_as_it_is_now() {
    let wire = events("text", "text_delta", "text", &["secret\\ud83d", "\\ude00"]);
    let (mut seen, _) = read(stream_of([wire])).await;
    let StreamEvent::ContentBlockDelta(event) = &mut seen[2] else { panic!("{seen:?}") };
    let ContentBlockDelta::TextDelta(delta) = &mut event.delta else { panic!("{event:?}") };
    delta.text = "[removed]".to_owned();
    let relayed = seen[2].to_sse().unwrap().to_string();
    assert!(relayed.contains("[removed]") && !relayed.contains("secret"), "{relayed}");
}

#[tokio::test]
async fn events_that_are_read_on_their_own_have_their_halves_joined_by_an_accumulator() {
    for (pieces, _, whole) in CASES {
        let wire = events("text", "text_delta", "text", pieces);
        let (joined, _) = read(stream_of([&wire])).await;
        let parsed: Vec<StreamEvent> = wire
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect();
        for events in [parsed, joined] {
            let mut accumulator = Accumulator::new();
            events.iter().for_each(|event| accumulator.push(event).unwrap());
            assert!(accumulator.finish());
            assert_eq!(accumulator.message().text(), *whole, "{pieces:?}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_make_an_input_incomplete() {
    for (bytes, is_broken) in
        [(&b"Z\xFCrich"[..], true), ("Zürich".as_bytes(), false), ("Z\u{FFFD}rich".as_bytes(), false)]
    {
        let wire = events("tool_use", "input_json_delta", "partial_json", &["{\\\"city\\\":\\\"", "PLACE", "\\\"}"]);
        let at = wire.find("PLACE").unwrap();
        let wire = [&wire.as_bytes()[..at], bytes, &wire.as_bytes()[at + 5..]].concat();
        for length in [1, 5, wire.len()] {
            let mut stream = stream_of(wire.chunks(length));
            let message = stream.final_message().await.unwrap();
            let call = message.tool_uses().next().unwrap();
            assert_eq!(call.incomplete_input().is_some(), is_broken, "{bytes:?} in pieces of {length}");
            assert_eq!(stream.incomplete_inputs().count(), usize::from(is_broken));
        }
    }
    let text = events("text", "text_delta", "text", &["PLACE"]);
    let at = text.find("PLACE").unwrap();
    let wire = [&text.as_bytes()[..at], b"Z\xFCrich", &text.as_bytes()[at + 5..]].concat();
    assert_eq!(read(stream_of([wire])).await.1.unwrap().text(), "Z\u{FFFD}rich");
}

/// The input arrives with the start of its block, not in pieces.
#[tokio::test]
async fn bytes_that_are_not_utf_8_make_an_input_incomplete_that_its_block_begins_with() {
    for (bytes, is_broken) in [(&b"Z\xFCrich"[..], true), (b"Z\\ufffdrich", false), ("Zürich".as_bytes(), false)] {
        for in_start in [false, true] {
            let call = json!({"type": "tool_use", "id": "toolu_1", "name": "t", "input": {"city": "PLACE"}});
            let mut first = start();
            let wire = if in_start {
                first["message"]["content"] = json!([call]);
                wire(&[first, end("end_turn"), stop()])
            } else {
                wire(&[first, open(0, call), close(0), end("end_turn"), stop()])
            };
            let at = wire.find("PLACE").unwrap();
            let wire = [&wire.as_bytes()[..at], bytes, &wire.as_bytes()[at + 5..]].concat();
            let mut stream = stream_of([wire]);
            let message = stream.final_message().await.unwrap();
            let call = message.tool_uses().next().unwrap();
            assert_eq!(call.incomplete_input().is_some(), is_broken, "{bytes:?} {in_start}");
            assert_eq!(stream.incomplete_inputs().count(), usize::from(is_broken), "{bytes:?} {in_start}");
        }
    }
}

/// A relay between: its client must not take for whole what is broken here.
#[tokio::test]
async fn a_relayed_input_is_as_whole_as_it_was() {
    let call = |input: Value| json!({"type": "tool_use", "id": "toolu_1", "name": "t", "input": input});
    let mut first = start();
    first["message"]["content"] = json!([call(json!({"city": "PLACE"}))]);
    let in_pieces = |pieces: &[&str]| events("tool_use", "input_json_delta", "partial_json", pieces);
    let (head, tail) = ("{\\\"city\\\":\\\"", "\\\"}");
    let places = [
        ("a delta", in_pieces(&[head, "PLACE", tail])),
        ("the only delta", in_pieces(&["{\\\"city\\\":\\\"PLACE\\\"}"])),
        ("before half a character", in_pieces(&[head, "PLACE\\ude00", tail])),
        ("before a delta with half a character", in_pieces(&[head, "PLACE", "\\ude00", tail])),
        ("after a delta with half a character", in_pieces(&[head, "\\ud83d", "PLACE", tail])),
        ("the start", wire(&[start(), open(0, call(json!({"city": "PLACE"}))), close(0), end("end_turn"), stop()])),
        ("message_start", wire(&[first, end("end_turn"), stop()])),
    ];
    for (place, wire) in places {
        for (bytes, is_broken) in
            [(&b"Z\xFCrich"[..], true), (b"\xF0\x9F", true), (b"\xFF\xFE", true), ("Z\u{FFFD}ü".as_bytes(), false)]
        {
            let at = wire.find("PLACE").unwrap();
            let sent = [&wire.as_bytes()[..at], bytes, &wire.as_bytes()[at + 5..]].concat();
            let (seen, direct) = read(stream_of([sent])).await;
            let relayed: String = seen.iter().map(|event| event.to_sse().unwrap().to_string()).collect();
            let (_, relayed) = read(stream_of([relayed])).await;
            let (direct, relayed) = (direct.unwrap(), relayed.unwrap());
            let call = direct.tool_uses().next().unwrap();
            let is_half = place.contains("half");
            assert_eq!(call.incomplete_input().is_some(), is_broken || is_half, "{place} {bytes:?}");
            assert_eq!(direct, relayed, "{place} {bytes:?}");
        }
    }
}

/// Bytes lost outside of the input leave the input complete.
#[tokio::test]
async fn bytes_that_are_lost_beside_an_input_leave_it_whole() {
    let wire = events("tool_use", "input_json_delta", "partial_json", &["{}"]);
    let (before, after) = wire.split_once("{\"type\":\"input_json_delta\",").unwrap();
    let sent = [before.as_bytes(), b"{\"type\":\"input_json_delta\",\"x\":\"\xFF\",", after.as_bytes()].concat();
    let message = read(stream_of([sent])).await.1.unwrap();
    assert_eq!(message.tool_uses().next().unwrap().input.as_str(), "{}");
}

/// The strings that deltas add to, and the kinds of the deltas.
const BEGUN: [(&str, &str, &str); 6] = [
    ("text", "text", "text_delta"),
    ("text", "text", "later_delta"),
    ("thinking", "thinking", "thinking_delta"),
    ("redacted_thinking", "data", "later_delta"),
    ("text", "later", "later_delta"),
    ("song", "text", "later_delta"),
];

#[tokio::test]
async fn a_half_that_a_block_begins_with_is_carried_to_its_first_delta() {
    for (kind, member, delta) in BEGUN {
        for (first, piece, shown, expected) in [
            ("a\\ud83d", Some("\\ude00b"), "a", "a\\ud83d\\ude00b"),
            ("\\ud83d", Some("\\ude00"), "", "\\ud83d\\ude00"),
            ("a\\ud83d", Some("b"), "a", "a\\ud83db"),
            ("a\\ud83d", None, "a", "a\\ud83d"),
            ("a\\ude00", Some("b"), "a\u{FFFD}", "a\\ude00b"),
        ] {
            let block = |text: &str| match (kind, member) {
                ("text", "later") => format!(r#"{{"type":"text","text":"","later":"{text}"}}"#),
                _ => format!(r#"{{"type":"{kind}","{member}":"{text}"}}"#),
            };
            let opened = format!(r#"{{"type":"content_block_start","index":0,"content_block":{}}}"#, block(first));
            let mut sent = wire(&[start()]) + &format!("data: {opened}\n\n");
            if let Some(piece) = piece {
                sent += &format!("data: {}\n\n", data(delta, member, piece));
            }
            sent += &wire(&[close(0), end("end_turn"), stop()]);
            let (seen, message) = read(stream_of([sent])).await;
            let message = message.unwrap();
            let whole: ContentBlock = serde_json::from_str(&block(expected)).unwrap();
            assert_eq!(message.content.as_ref().unwrap()[0], whole, "{kind} {member} {delta} {first} {piece:?}");
            let StreamEvent::ContentBlockStart(event) = &seen[1] else { panic!("{seen:?}") };
            match &event.content_block {
                ContentBlock::Text(block) if member == "text" => assert_eq!(block.text, shown),
                ContentBlock::Thinking(block) => assert_eq!(block.thinking, shown),
                _ => {}
            }
            assert!(seen[1].to_sse().unwrap().data.contains(first), "{seen:?}");
            // Relayed, and accumulated again from the events as they are now.
            let relayed: String = seen.iter().map(|event| event.to_sse().unwrap().to_string()).collect();
            assert_eq!(read(stream_of([relayed])).await.1.unwrap(), message);
            let mut accumulator = Accumulator::new();
            seen.iter().for_each(|event| accumulator.push(event).unwrap());
            assert!(accumulator.finish());
            assert_eq!(*accumulator.message(), message);
        }
    }
}
