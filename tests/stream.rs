//! Streams of messages: what their events mean, wherever their bytes are cut, in whatever order they
//! come, and however their connection ends.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that can't go on fails"
)]

use std::convert::Infallible;

use anthropic_messages::{Error, MessageResponse, MessageStream, StreamEvent};
use futures_util::stream;
use serde_json::{Value, json};

#[path = "stream/allocations.rs"]
mod allocations;
#[path = "stream/calls.rs"]
mod calls;
#[path = "stream/cut.rs"]
mod cut;
#[path = "stream/deltas.rs"]
mod deltas;
#[path = "stream/ends.rs"]
mod ends;
#[path = "stream/events.rs"]
mod events;
#[path = "stream/generated.rs"]
mod generated;
#[path = "stream/halves.rs"]
mod halves;
#[path = "stream/held.rs"]
mod held;
#[path = "stream/input.rs"]
mod input;
#[path = "stream/law.rs"]
mod law;
#[path = "stream/merging.rs"]
mod merging;
#[path = "stream/order.rs"]
mod order;
#[path = "support/raw.rs"]
#[allow(dead_code)]
mod raw;
#[path = "stream/stored.rs"]
mod stored;
#[path = "stream/time.rs"]
mod time;
#[path = "stream/transcripts.rs"]
mod transcripts;
#[path = "stream/unknown_deltas.rs"]
mod unknown_deltas;
#[path = "stream/usage.rs"]
mod usage;
#[path = "stream/whole.rs"]
mod whole;

/// Whether texts are cut in the halves of characters.
const HALVES: bool = true;

/// Events as the API sends them.
fn wire(events: &[Value]) -> String {
    let event = |event: &Value| format!("event: {}\ndata: {}\n\n", event["type"].as_str().unwrap(), written(event));
    events.iter().map(event).collect()
}

/// JSON with the members of an object in the API's order: `type`, then what is plain, then the rest.
fn written(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, value)| (*name != "type", value.is_object() || value.is_array()));
            let members = members.iter().map(|(name, value)| format!("{}:{}", json!(name), written(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

/// A stream of these chunks.
fn stream_of<C: AsRef<[u8]>>(chunks: impl IntoIterator<Item = C>) -> MessageStream {
    let chunks: Vec<_> = chunks.into_iter().map(|chunk| Ok::<_, Infallible>(chunk.as_ref().to_vec())).collect();
    MessageStream::from_bytes(stream::iter(chunks))
}

/// Reads to the end: the events before it, and what the stream comes to.
async fn read(mut stream: MessageStream) -> (Vec<StreamEvent>, Result<MessageResponse, Error>) {
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => events.push(event),
            Err(error) => {
                assert!(stream.next().await.is_none(), "an error is the end");
                return (events, Err(error));
            }
        }
    }
    assert!(stream.next().await.is_none(), "the end stays the end");
    (events, stream.final_message().await)
}

/// What events come to, for those that are no message.
async fn failing(events: &[Value]) -> Error {
    read(stream_of([wire(events)])).await.1.unwrap_err()
}

fn message(value: Value) -> MessageResponse {
    serde_json::from_value(value).unwrap()
}
