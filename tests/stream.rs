//! Streams of messages, with their bytes split anywhere, their events in any order, and any end of the connection.

#![cfg(test)]

use std::convert::Infallible;

use anthropic_messages::{Error, MessageResponse, MessageStream, StreamEvent};
use serde_json::{Value, json};

mod support;
mod stream {
    mod agreement;
    mod allocations;
    mod calls;
    mod cut;
    mod deltas;
    mod ends;
    mod events;
    mod generated;
    mod input;
    mod long_replies;
    mod message_delta;
    mod open_streams;
    mod order;
    mod serialization;
    mod surrogates;
    mod time;
    pub(crate) mod transcripts;
    mod unknown_deltas;
    mod usage;
}

/// Writes events as the API sends them.
fn wire(events: &[Value]) -> String {
    let event = |event: &Value| format!("event: {}\ndata: {}\n\n", event["type"].as_str().unwrap(), written(event));
    events.iter().map(event).collect()
}

/// Writes JSON with the members in the order of the API: `type`, then scalars, then the rest.
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

/// Creates a stream of these chunks.
fn stream_of<C: AsRef<[u8]>>(chunks: impl IntoIterator<Item = C>) -> MessageStream {
    let chunks: Vec<_> = chunks.into_iter().map(|chunk| Ok::<_, Infallible>(chunk.as_ref().to_vec())).collect();
    MessageStream::from_bytes(futures_util::stream::iter(chunks))
}

/// Reads to the end, and returns the events and the message or error.
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

/// Returns the error of a stream whose events aren't a complete message.
async fn failing(events: &[Value]) -> Error {
    read(stream_of([wire(events)])).await.1.unwrap_err()
}

fn message(value: Value) -> MessageResponse {
    serde_json::from_value(value).unwrap()
}
