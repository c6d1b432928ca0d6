//! Limits on the memory that reading a document into the types uses, apart from its text.

use std::process::Command;

use anthropic_messages::{MessageResponse, StreamEvent};

use crate::{MARGIN, MEBIBYTE, peak};

/// Reads a document in a separate process, and returns the growth of the peak memory, in bytes.
fn growth(case: &str, depth: usize, mebibytes: u64) -> u64 {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["memory::documents::child", "--exact", "--ignored", "--nocapture"])
        .env("CASE", format!("{case} {depth} {mebibytes}"))
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed.lines().find_map(|line| line.split_once("growth ")).unwrap().1.parse().unwrap()
}

#[test]
#[ignore = "started by other tests, in a process of its own"]
fn child() {
    let case = std::env::var("CASE").unwrap();
    let (case, sizes) = case.split_once(' ').unwrap();
    let (depth, mebibytes) = sizes.split_once(' ').unwrap();
    let size = usize::try_from(mebibytes.parse::<u64>().unwrap() * MEBIBYTE).unwrap();
    let block = late_tags(depth.parse().unwrap(), &text(size));
    // Allocated before the peak is measured, because it is needed in any case.
    let document = match case {
        "reply" => format!(r#"{{"content":[{block}],"type":"message"}}"#),
        "unknown" => format!(r#"{{"content":[{}],"type":"message"}}"#, block.replace("tool_result", "novel")),
        _ => format!(r#"{{"content_block":{block},"index":0,"type":"content_block_start"}}"#),
    };
    drop(block);
    let before = peak();
    let blocks = if case == "event" {
        let event: StreamEvent = serde_json::from_str(&document).unwrap();
        usize::from(matches!(event, StreamEvent::ContentBlockStart(_)))
    } else {
        let reply: MessageResponse = serde_json::from_str(&document).unwrap();
        reply.content.unwrap().len()
    };
    let after = peak();
    assert_eq!(blocks, 1);
    println!("growth {}", after - before);
}

/// A text of some length, part of it escaped.
fn text(size: usize) -> String {
    let piece = "The quick brown fox \\n jumps over the lazy dog \\u00e9. ";
    piece.repeat(size / piece.len())
}

/// A block with a text in blocks that hold each other, each with its tag at the end.
fn late_tags(depth: usize, text: &str) -> String {
    let (mut before, mut after) = (String::new(), String::new());
    for _ in 0..depth {
        before.push_str(r#"{"tool_use_id":"t","content":["#);
        after.push_str(r#"],"type":"tool_result"}"#);
    }
    format!(r#"{before}{{"text":"{text}","type":"text"}}{after}"#)
}

#[track_caller]
fn costs(case: &str, depth: usize, mebibytes: u64) {
    let growth = growth(case, depth, mebibytes);
    let limit = mebibytes * MEBIBYTE + MARGIN;
    assert!(growth <= limit, "{case} of {mebibytes} MiB, {depth} deep: {growth} bytes");
}

#[test]
fn tags_that_come_last_cost_nothing_at_any_depth() {
    for depth in [0, 1, 10, 30, 60] {
        costs("reply", depth, 4);
        costs("event", depth, 4);
    }
}

#[test]
fn the_largest_reply_costs_its_values_and_no_more() {
    costs("reply", 0, 64);
    costs("reply", 60, 64);
    costs("unknown", 60, 64);
}

#[test]
fn the_largest_event_costs_its_values_and_no_more() {
    costs("event", 0, 32);
    costs("event", 60, 32);
}
