//! The memory of opening a stream and of an open stream.

use std::{
    fmt::Write,
    sync::{Arc, Barrier},
};

use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest};
use futures_util::future::join_all;
use serde_json::json;

use crate::{
    stream::transcripts::{open, start},
    support::raw::RawServer,
    wire,
};

/// A server that begins to answer, with many headers, and goes on when all have met at the barrier.
fn beginning(barrier: Barrier) -> (RawServer, Arc<Barrier>, Client) {
    let barrier = Arc::new(barrier);
    let gate = Arc::clone(&barrier);
    let server = RawServer::start(move |connection| {
        while connection.request().is_some() {
            let mut head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n".to_owned();
            for n in 0..10 {
                write!(head, "x-header-{n}: {n}\r\n").unwrap();
            }
            connection.send(format!("{head}\r\n{}", wire(&[start()])));
            gate.wait();
            connection.send(wire(&[open(0, json!({"type": "text", "text": ""}))]));
            connection.wait_for_close();
        }
    });
    let client = Client::builder().api_key("k").base_url(server.base_url()).no_proxy().build().unwrap();
    (server, barrier, client)
}

fn request(text: &str) -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user(text)], 1024)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn an_open_stream_holds_one_read_buffer() {
    const STREAMS: usize = 20;
    let (_server, barrier, client) = beginning(Barrier::new(STREAMS + 1));
    let request = request("Hello");
    let runtime = runtime();
    let mut streams = Vec::with_capacity(STREAMS);
    let held = allocation_counter::measure(|| {
        runtime.block_on(async {
            for stream in join_all((0..STREAMS).map(|_| client.stream_message(&request))).await {
                streams.push(stream.unwrap());
            }
            for stream in &mut streams {
                stream.next().await.unwrap().unwrap();
            }
            // The following bytes are read after the heads.
            barrier.wait();
            for stream in &mut streams {
                stream.next().await.unwrap().unwrap();
            }
        });
    });
    // The connection's two buffers of 8 KiB and its queue of 9 KB are most of it. Headers
    // that lay in the buffer would keep it, and the connection would have taken another.
    let each = usize::try_from(held.bytes_current).unwrap() / STREAMS;
    assert!(each < 36_000, "{each} bytes");
}

#[test]
fn opening_a_stream_does_not_copy_the_request() {
    const PROMPT: u64 = 1 << 20;
    let (_server, _, client) = beginning(Barrier::new(1));
    let request = request(&"x".repeat(1 << 20));
    let runtime = runtime();
    let taken = allocation_counter::measure(|| {
        runtime.block_on(async { client.stream_message(&request).await.unwrap() });
    });
    // Its JSON text, in a buffer that grew once; the request itself is not copied.
    assert!(taken.bytes_total < 7 * PROMPT / 2, "{} bytes", taken.bytes_total);
}
