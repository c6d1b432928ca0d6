//! Reading a streamed reply, from the bytes of its body to typed events.

use std::{convert::Infallible, hint::black_box};

use anthropic_messages::MessageStream;
use bytes::Bytes;
use eventsource_stream::Eventsource;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use memchr::memchr;
use sse_stream::SseStream;

use crate::{
    measure::{Contender, print, side_by_side},
    samples::{self, Cut},
    shapes::{BorrowedEvent, FlatEvent, OwnedEvent},
};

pub fn run() {
    println!("\n## A streamed reply, read");
    for (count, iterations) in [(1_000, 20), (100_000, 1)] {
        let events = samples::events(count);
        for (name, how) in [
            ("one event a chunk", Cut::EventByEvent),
            ("chunks of 16 KiB", Cut::Chunks(16 * 1024)),
            ("cut at random, 1 to 400 bytes", Cut::Randomly),
        ] {
            let chunks = samples::cut(&events, how);
            let count = events.len();
            let contenders = vec![
                contender("ours, with the message put together", &chunks, count, ours),
                contender("sse-stream + serde_json, owned enum", &chunks, count, by_sse_stream),
                contender("eventsource-stream + serde_json, owned enum", &chunks, count, by_eventsource),
                contender("floor: line split + serde_json, borrowed enum", &chunks, count, by_lines_to_enum),
                contender("line split + serde_json, borrowed flat struct", &chunks, count, by_lines_to_struct),
            ];
            let costs = side_by_side(iterations, count, contenders);
            print(&format!("{count} events, {name}"), "event", &costs);
        }
    }
}

/// Reads the sample with the crate alone, for a tool that counts instructions.
pub fn only(how: &str, iterations: usize) {
    let cut = match how {
        "events" => Cut::EventByEvent,
        "chunks" => Cut::Chunks(16 * 1024),
        _ => Cut::Randomly,
    };
    let chunks = samples::cut(&samples::events(1_000), cut);
    for _ in 0..iterations {
        black_box(ours(chunks.clone()).now_or_never());
    }
}

fn contender<'a, F: Future<Output = usize> + 'a>(
    name: &'static str,
    chunks: &'a [Bytes],
    count: usize,
    read: fn(Vec<Bytes>) -> F,
) -> Contender<'a> {
    Contender::new(name, move |iterations| {
        for _ in 0..iterations {
            // All bytes are there, so nothing is waited for.
            let events = read(chunks.to_vec()).now_or_never();
            assert_eq!(events, Some(count), "{name} reads every event");
        }
    })
}

fn body(chunks: Vec<Bytes>) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + Unpin + 'static {
    stream::iter(chunks).map(Ok)
}

async fn ours(chunks: Vec<Bytes>) -> usize {
    let mut events = MessageStream::from_bytes(body(chunks));
    let mut count = 0;
    while let Some(event) = events.next().await {
        black_box(event.expect("the sample is a stream"));
        count += 1;
    }
    black_box(events.message());
    count
}

async fn by_sse_stream(chunks: Vec<Bytes>) -> usize {
    let mut events = SseStream::from_bytes_stream(body(chunks));
    let mut count = 0;
    while let Some(event) = events.next().await {
        let data = event.expect("the sample is a stream").data.expect("every event has data");
        black_box(serde_json::from_str::<OwnedEvent>(&data).expect("every event is known"));
        count += 1;
    }
    count
}

async fn by_eventsource(chunks: Vec<Bytes>) -> usize {
    let mut events = body(chunks).eventsource();
    let mut count = 0;
    while let Some(event) = events.next().await {
        let data = event.expect("the sample is a stream").data;
        black_box(serde_json::from_str::<OwnedEvent>(&data).expect("every event is known"));
        count += 1;
    }
    count
}

async fn by_lines_to_enum(chunks: Vec<Bytes>) -> usize {
    by_lines(chunks, |data| {
        black_box(serde_json::from_slice::<BorrowedEvent<'_>>(data).expect("every event is known"));
    })
    .await
}

async fn by_lines_to_struct(chunks: Vec<Bytes>) -> usize {
    by_lines(chunks, |data| {
        black_box(serde_json::from_slice::<FlatEvent<'_>>(data).expect("every event is known"));
    })
    .await
}

/// The least that can be done: lines by their line feeds, and the rest of each `data` line.
async fn by_lines(chunks: Vec<Bytes>, read: impl Fn(&[u8])) -> usize {
    let mut chunks = body(chunks);
    let mut begun: Vec<u8> = Vec::new();
    let mut count = 0;
    let mut take = |line: &[u8]| {
        if let Some(data) = line.strip_prefix(b"data: ") {
            read(data);
            count += 1;
        }
    };
    while let Some(Ok(chunk)) = chunks.next().await {
        let mut rest: &[u8] = &chunk;
        while let Some(end) = memchr(b'\n', rest) {
            if begun.is_empty() {
                take(&rest[..end]);
            } else {
                begun.extend_from_slice(&rest[..end]);
                take(&begun);
                begun.clear();
            }
            rest = &rest[end + 1..];
        }
        begun.extend_from_slice(rest);
    }
    count
}
