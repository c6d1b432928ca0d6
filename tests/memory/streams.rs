//! Limits on the memory a stream uses, whatever the server sends.

use std::process::Command;

use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest};

use crate::{
    MARGIN, MEBIBYTE, peak,
    support::raw::{Connection, RawServer},
};

const LIMIT: u64 = 4 * MEBIBYTE;

/// A stream that is whole, to warm up with and to end with.
const MESSAGE: &str = "data: {\"type\":\"message_start\",\"message\":{\"role\":\"assistant\",\"content\":[]}}\n\n\
    data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\n\
    data: {\"type\":\"message_stop\"}\n\n";

/// Answers the first request with a stream, and the second with `bad`.
fn serve(bad: impl Fn(&mut Connection) + Send + Sync + 'static) -> RawServer {
    RawServer::start(move |connection| {
        let Some(request) = connection.request() else { return };
        connection.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n");
        if request.header("x-bad").is_some() {
            bad(connection);
        } else {
            connection.send(MESSAGE);
        }
    })
}

/// Reads a stream in a separate process, and returns its outcome and the growth of the peak of the
/// memory grew, in bytes.
fn read(server: &RawServer) -> (String, u64) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["memory::streams::child", "--exact", "--ignored", "--nocapture"])
        .env("URL", server.base_url())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let line = printed.lines().find_map(|line| line.split_once("ended ")).unwrap().1;
    let (ended, growth) = line.split_once(" growth ").unwrap();
    (ended.to_owned(), growth.parse().unwrap())
}

#[tokio::test]
#[ignore = "started by other tests, in a process of its own"]
async fn child() {
    let builder = Client::builder().api_key("k").base_url(std::env::var("URL").unwrap()).no_proxy();
    let client = builder.max_event_bytes(usize::try_from(LIMIT).unwrap()).build().unwrap();
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024);
    client.stream_message(&request).await.unwrap().final_message().await.unwrap();
    let before = peak();
    let bad = client.with_options(|o| o.header("x-bad", "1"));
    let ended = match bad.stream_message(&request).await.unwrap().final_message().await {
        Ok(_) => "well".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    };
    println!("ended {ended} growth {}", peak() - before);
}

#[test]
fn a_line_without_end_costs_no_more_than_the_limit() {
    let server = serve(|connection| {
        connection.send("data: ");
        while connection.send(vec![b'x'; 1 << 20]) {}
    });
    let (ended, growth) = read(&server);
    assert_eq!(ended, "BodyTooLarge");
    assert!(growth < LIMIT + MARGIN, "{growth}");
}

#[test]
fn comments_and_unknown_fields_cost_nothing() {
    let server = serve(|connection| {
        for line in [b':', b'x'] {
            for _ in 0..128 {
                connection.send(vec![line; 1 << 20]);
            }
            connection.send("\n");
        }
        connection.send(format!("\n{MESSAGE}"));
    });
    let (ended, growth) = read(&server);
    assert_eq!(ended, "well");
    assert!(growth < MARGIN, "{growth}");
}

#[test]
fn lines_of_data_without_end_cost_no_more_than_the_limit() {
    let server = serve(|connection| while connection.send(b"data:\n".repeat(100_000)) {});
    let (ended, growth) = read(&server);
    assert_eq!(ended, "BodyTooLarge");
    assert!(growth < LIMIT + MARGIN, "{growth}");
}

#[test]
fn pings_without_number_cost_nothing() {
    let server = serve(|connection| {
        for _ in 0..100 {
            connection.send(b"event: ping\ndata: {\"type\":\"ping\"}\n\n".repeat(10_000));
        }
        connection.send(MESSAGE);
    });
    let (ended, growth) = read(&server);
    assert_eq!(ended, "well");
    assert!(growth < MARGIN, "{growth}");
}
