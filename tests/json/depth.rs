//! Nesting: one limit however the members are ordered, little stack, and no more work than there is text.

use anthropic_messages::{AnthropicMessage, ContentBlock, Json, MessageResponse};

use crate::round_trip;

/// The levels that typed JSON may have, and free-form JSON from where it begins.
const LEVELS: usize = 128;

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

/// Returns a block of results in results, with free-form JSON in the innermost. Each takes two levels.
fn blocks(count: usize, free: &str, tag_first: bool) -> String {
    let (tag_before, tag_after) =
        if tag_first { (r#""type":"tool_result","#, "") } else { ("", r#","type":"tool_result""#) };
    let mut json = format!(r#"{{"type":"tool_use","name":"f","input":{{"a":{free}}}}}"#);
    for _ in 0..count {
        json = format!(r#"{{{tag_before}"tool_use_id":"t","content":[{json}]{tag_after}}}"#);
    }
    json
}

/// Runs with as little stack as a thread of some systems has.
fn on_a_mebibyte<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        std::thread::Builder::new().stack_size(1024 * 1024).spawn_scoped(scope, run).unwrap().join().unwrap()
    })
}

#[test]
fn the_limit_is_the_same_in_every_order_of_members() {
    on_a_mebibyte(|| {
        for tag_first in [true, false] {
            // One level is the innermost block itself, and its input is free-form.
            let most = blocks((LEVELS - 1) / 2, &nested(LEVELS - 1), tag_first);
            let back = round_trip("ContentBlock", &most).unwrap();
            assert_eq!(round_trip("ContentBlock", &back).unwrap(), back, "what is written is read");
            for too_deep in [
                blocks(LEVELS / 2, "1", tag_first),
                blocks((LEVELS - 1) / 2, &nested(LEVELS), tag_first),
                blocks(10_000, "1", tag_first),
            ] {
                let error = round_trip("ContentBlock", &too_deep).unwrap_err();
                assert!(error.to_string().contains("128 levels"), "{tag_first}: {error}");
            }
        }
    });
}

#[test]
fn what_is_nested_to_the_limit_needs_little_stack() {
    on_a_mebibyte(|| {
        for tag_first in [true, false] {
            let block = blocks((LEVELS - 3) / 2, &nested(LEVELS - 1), tag_first);
            let json = format!(r#"{{"content":[{block}]}}"#);
            let reply: MessageResponse = serde_json::from_str(&json).unwrap();
            assert_eq!(reply, reply.clone());
            assert_eq!(serde_json::from_slice::<MessageResponse>(&serde_json::to_vec(&reply).unwrap()).unwrap(), reply);
            assert!(format!("{reply:?}").len() > 1000);
            assert_eq!(reply.text(), "");
            let turn = AnthropicMessage::from(reply);
            assert_eq!(turn.check(), Ok(()));
            let event = format!(r#"{{"type":"content_block_start","index":0,"content_block":{block}}}"#);
            assert!(round_trip("StreamEvent", &event).is_ok());
        }
        // Free-form JSON takes no stack at all.
        for json in ["[".repeat(1_000_000), r#"{"a":"#.repeat(1_000_000), nested(1_000_000)] {
            assert!(Json::parse(&json).is_err());
            assert!(serde_json::from_str::<ContentBlock>(&json).is_err());
            assert!(round_trip("ContentBlock", format!(r#"{{"x":{json},"type":"text","text":""}}"#)).is_err());
        }
    });
}

#[test]
fn free_form_json_has_its_own_levels_wherever_it_is() {
    let free = nested(LEVELS);
    for document in [
        free.clone(),
        format!(r#"{{"type":"text","text":"","x":{free}}}"#),
        format!(r#"{{"x":{free},"type":"text","text":""}}"#),
    ] {
        let document =
            if document.starts_with('{') { document } else { format!(r#"{{"x":{document},"type":"text","text":""}}"#) };
        assert!(round_trip("ContentBlock", &document).is_ok());
        assert!(round_trip("ContentBlock", document.replace(&free, &nested(LEVELS + 1))).is_err());
    }
    let input = Json::parse(&free).unwrap();
    assert!(serde_json::from_str::<Json>(&serde_json::to_string(&input).unwrap()).is_ok());
    // No recursion limit of another crate is in the way.
    assert!(input.decode::<serde_json::Value>().is_ok());
}
