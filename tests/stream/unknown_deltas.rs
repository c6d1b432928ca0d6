//! Deltas whose type isn't in the contract.

use anthropic_messages::{Accumulator, AnthropicMessage, Json, MessageResponse};
use serde_json::{Value, json};

use crate::{
    read,
    stream::transcripts::{close, delta, end, open, start, stop, text},
    stream_of, wire,
};

/// A block with these deltas, when it is closed.
async fn merged(block: Value, deltas: &[Value]) -> Value {
    let mut events = vec![start(), open(0, block)];
    events.extend(deltas.iter().map(|members| later(members.clone())));
    events.extend([close(0), end("end_turn"), stop()]);
    let message = read(stream_of([wire(&events)])).await.1.unwrap();
    serde_json::to_value(&message).unwrap()["content"][0].clone()
}

/// A delta that nobody knows.
fn later(mut members: Value) -> Value {
    members["type"] = json!("later_delta");
    delta(0, members)
}

#[tokio::test]
async fn strings_are_appended_lists_extended_and_everything_else_set() {
    let cases = [
        // Onto nothing and onto null.
        (json!({}), vec![json!({"a": "x"}), json!({"a": "y"})], json!({"a": "xy"})),
        (json!({"a": null}), vec![json!({"a": "x"})], json!({"a": "x"})),
        (json!({"a": null}), vec![json!({"a": [1]}), json!({"a": [2, 3]})], json!({"a": [1, 2, 3]})),
        (json!({"a": null}), vec![json!({"a": {"b": 1}})], json!({"a": {"b": 1}})),
        // Onto the same type.
        (json!({"a": "x"}), vec![json!({"a": "y\"\\\n"})], json!({"a": "xy\"\\\n"})),
        (json!({"a": [1]}), vec![json!({"a": []}), json!({"a": [[2]]})], json!({"a": [1, [2]]})),
        (json!({"a": []}), vec![json!({"a": [1]})], json!({"a": [1]})),
        (json!({"a": 1}), vec![json!({"a": 2}), json!({"a": 3})], json!({"a": 3})),
        (json!({"a": true}), vec![json!({"a": false})], json!({"a": false})),
        (json!({"a": {"b": 1, "c": 2}}), vec![json!({"a": {"b": 3}})], json!({"a": {"b": 3}})),
        // A null never erases, and is kept where there is nothing.
        (json!({"a": "x"}), vec![json!({"a": null})], json!({"a": "x"})),
        (json!({}), vec![json!({"a": "x"}), json!({"a": null}), json!({"a": "y"})], json!({"a": "xy"})),
        (json!({}), vec![json!({"a": null})], json!({"a": null})),
        // Members with a type of their own.
        (
            json!({}),
            vec![json!({"cache_control": {"type": "ephemeral"}})],
            json!({"cache_control": {"type": "ephemeral"}}),
        ),
    ];
    for kind in ["song", "text", "tool_use"] {
        let own = match kind {
            "text" => json!({"type": kind, "text": "t"}),
            "tool_use" => json!({"type": kind, "name": "t", "input": {}}),
            _ => json!({"type": kind}),
        };
        for (block, deltas, expected) in &cases {
            let with = |members: &Value| {
                let mut block = own.clone();
                block.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
                block
            };
            assert_eq!(merged(with(block), deltas).await, with(expected), "{kind} {block} {deltas:?}");
        }
    }
}

#[tokio::test]
async fn a_delta_that_does_not_fit_leaves_its_block_as_it_is() {
    let cases = [
        (json!({"a": 1}), json!({"a": "x"})),
        (json!({"a": "x"}), json!({"a": ["y"]})),
        (json!({"a": []}), json!({"a": "x"})),
        (json!({"a": {}}), json!({"a": true})),
        // Not half of it.
        (json!({"a": 1, "b": "x"}), json!({"b": "y", "a": "x"})),
    ];
    for (members, unfit) in cases {
        let mut block = members.clone();
        block["type"] = json!("song");
        assert_eq!(merged(block.clone(), &[unfit.clone(), json!({"c": 1})]).await["c"], 1);
        let mut accumulator = Accumulator::new();
        for event in [start(), open(0, block.clone()), later(unfit), close(0)] {
            accumulator.push(&Json::from(event).decode().unwrap()).unwrap();
        }
        assert_eq!(serde_json::to_value(&accumulator.message().content.as_ref().unwrap()[0]).unwrap(), block);
        assert_eq!(accumulator.unknown_deltas(0).len(), 1);
    }
    // A member whose type only the contract says.
    let deltas = [json!({"id": 5, "mood": "calm"}), json!({"citations": "none"}), json!({"caller": [1]})];
    let block = merged(json!({"type": "tool_use", "name": "t", "input": {}}), &deltas).await;
    assert_eq!(block, json!({"type": "tool_use", "name": "t", "input": {}, "mood": "calm", "citations": "none"}));
}

#[tokio::test]
async fn known_and_unknown_deltas_keep_their_order() {
    let citation = |n: i64| json!({"type": "novel", "n": n});
    let cites = |n: i64| delta(0, json!({"type": "citations_delta", "citation": citation(n)}));
    let signs = |text: &str| delta(0, json!({"type": "signature_delta", "signature": text}));
    let cases = [
        (json!({"type": "text"}), vec![text(0, "a"), later(json!({"text": "b"})), text(0, "c")], "text", json!("abc")),
        (
            json!({"type": "text"}),
            vec![cites(1), later(json!({"citations": [citation(2)]})), cites(3)],
            "citations",
            json!([citation(1), citation(2), citation(3)]),
        ),
        (
            json!({"type": "thinking"}),
            vec![later(json!({"signature": "a"})), signs("b"), later(json!({"signature": "c"}))],
            "signature",
            json!("bc"),
        ),
        (
            json!({"type": "novel"}),
            vec![later(json!({"signature": "a"})), signs("b"), later(json!({"signature": "c"}))],
            "signature",
            json!("bc"),
        ),
    ];
    for (block, deltas, member, expected) in cases {
        let mut events = vec![start(), open(0, block)];
        events.extend(deltas);
        events.extend([close(0), end("end_turn"), stop()]);
        let message = read(stream_of([wire(&events)])).await.1.unwrap();
        assert_eq!(serde_json::to_value(&message).unwrap()["content"][0][member], expected, "{events:?}");
    }
}

#[tokio::test]
async fn halves_of_characters_are_carried_between_known_and_unknown_deltas() {
    for (kind, member) in [("text", "text"), ("thinking", "thinking"), ("song", "words")] {
        let kinds = if kind == "song" { ["later_delta"; 2] } else { ["later_delta", &format!("{kind}_delta")] };
        for (first, second) in kinds.iter().flat_map(|first| kinds.iter().map(move |second| (first, second))) {
            let mut events = wire(&[start(), open(0, json!({"type": kind}))]);
            for (kind, text) in [(first, "a\\ud83d"), (second, "\\ude00b")] {
                let delta = format!(r#"{{"type":"{kind}","{member}":"{text}"}}"#);
                events += &format!("data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{delta}}}\n\n");
            }
            events += &wire(&[close(0), end("end_turn"), stop()]);
            let message = read(stream_of([events])).await.1.unwrap();
            let block = message.content.unwrap().remove(0);
            assert_eq!(
                Json::from_serialize(&block).unwrap().decode::<Value>().unwrap()[member],
                "a😀b",
                "{kind}: {first}, {second}"
            );
        }
    }
}

/// Whatever is wrong with it, it is no reason to lose the message.
#[tokio::test]
async fn a_delta_that_can_t_be_merged_leaves_its_block_as_it_is() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let result =
        json!({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "", "x": "DEEP"}]});
    let cases = [
        (json!({"type": "text", "text": "a"}), r#""text":"b","text":"c""#.to_owned()),
        (
            json!({"type": "text", "text": "a"}),
            r#""text":"b","citations":[{"type":"page_location","cited_text":5}]"#.to_owned(),
        ),
        (result, r#""y":1"#.to_owned()),
    ];
    for (block, members) in cases {
        let block = block.to_string().replace("\"DEEP\"", &deep(128));
        let data = [
            format!(r#"{{"type":"content_block_start","index":0,"content_block":{block}}}"#),
            format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"later_delta",{members}}}}}"#),
        ];
        let events: String = data.iter().map(|data| format!("data: {data}\n\n")).collect();
        let wire = wire(&[start()]) + &events + &wire(&[close(0), end("end_turn"), stop()]);
        let mut stream = stream_of([wire]);
        let message = stream.final_message().await.unwrap();
        assert_eq!(serde_json::to_string(&message.content.unwrap()[0]).unwrap().len(), block.len(), "{members}");
        assert_eq!(stream.accumulator().unknown_deltas(0).len(), 1, "{members}");
    }
}

#[tokio::test]
async fn a_block_that_nobody_knows_is_whole_and_goes_back() {
    let events = [
        start(),
        open(0, json!({"type": "compaction", "content": null})),
        delta(0, json!({"type": "compaction_delta", "content": "Sum", "encrypted_content": "x"})),
        delta(0, json!({"type": "compaction_delta", "content": "mary", "encrypted_content": null})),
        close(0),
        end("compaction"),
        stop(),
    ];
    let message = read(stream_of([wire(&events)])).await.1.unwrap();
    let turn = serde_json::to_value(AnthropicMessage::from(message)).unwrap();
    let block = json!({"type": "compaction", "content": "Summary", "encrypted_content": "x"});
    assert_eq!(turn, json!({"role": "assistant", "content": [block]}));
}

#[tokio::test]
async fn a_cut_block_keeps_what_had_arrived() {
    let events = [start(), open(0, json!({"type": "compaction", "content": null})), later(json!({"content": "Sum"}))];
    let error = read(stream_of([wire(&events)])).await.1.unwrap_err();
    let partial = serde_json::to_value(error.partial_message().unwrap()).unwrap();
    assert_eq!(partial["content"][0], json!({"type": "compaction", "content": "Sum"}));
}

#[tokio::test]
async fn a_fallback_names_the_model_of_the_message() {
    let model = async |to: Value| -> Option<String> {
        let block =
            json!({"type": "fallback", "from": {"model": "claude-sonnet-5"}, "to": to, "trigger": "overloaded"});
        let events = [start(), open(0, block), close(0), end("end_turn"), stop()];
        let message: MessageResponse = read(stream_of([wire(&events)])).await.1.unwrap();
        message.model
    };
    assert_eq!(model(json!({"model": "claude-haiku-5"})).await.as_deref(), Some("claude-haiku-5"));
    assert_eq!(model(json!("claude-haiku-5")).await.as_deref(), Some("claude-haiku-5"));
    assert_eq!(model(json!({"later": 1})).await.as_deref(), Some("claude-sonnet-5"));
}
