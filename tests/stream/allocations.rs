//! The allocations for an event.

use std::{convert::Infallible, sync::Arc};

use anthropic_messages::MessageStream;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    stream::transcripts::{close, delta, end, input, open, start, stop, text},
    stream_of, wire,
};

/// Allocations for each event of a stream of one kind of delta, in chunks of this many bytes.
fn per_event(block: Value, piece: impl Fn(i64) -> Value, chunk: usize) -> f64 {
    const EVENTS: u32 = 2000;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut events = vec![start(), open(0, block)];
    events.extend((0..EVENTS).map(|n| piece(i64::from(n))));
    events.extend([close(0), end("end_turn"), stop()]);
    let text = wire(&events);
    let mut stream = stream_of(text.as_bytes().chunks(chunk));
    let counted = allocation_counter::measure(|| {
        runtime.block_on(async {
            while let Some(event) = stream.next().await {
                event.unwrap();
            }
        });
    });
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let allocations = counted.count_total as f64;
    allocations / f64::from(EVENTS)
}

#[test]
fn an_event_costs_little_more_than_its_text() {
    let inputs = |n: i64| match n {
        0 => input(0, "[0"),
        1999 => input(0, "]"),
        _ => input(0, ",12345"),
    };
    for chunk in [200, 16 * 1024] {
        // The text, and now and then the growth of the message. A parser needs another for an escape.
        for piece in ["token", "a \"token\"\n"] {
            let cost = per_event(json!({"type": "text", "text": ""}), |_| text(0, piece), chunk);
            assert!(cost <= 1.2, "{piece:?} in chunks of {chunk}: {cost}");
        }
        let thinking = |_| delta(0, json!({"type": "thinking_delta", "thinking": "token"}));
        let cost = per_event(json!({"type": "thinking", "thinking": ""}), thinking, chunk);
        assert!(cost <= 1.2, "thinking in chunks of {chunk}: {cost}");
        let cost = per_event(json!({"type": "tool_use", "name": "t", "input": {}}), inputs, chunk);
        assert!(cost <= 1.2, "input in chunks of {chunk}: {cost}");
    }
}

#[test]
fn memory_does_not_grow_with_events_outside_the_message() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let noise = ":comment\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n".repeat(20_000);
    let mut stream = stream_of([wire(&[start()]), noise.clone(), wire(&[end("end_turn"), stop()])]);
    let counted = allocation_counter::measure(|| {
        runtime.block_on(async { while stream.next().await.is_some() {} });
    });
    assert!(counted.bytes_max < 64 * 1024, "{}", counted.bytes_max);
}

/// Bytes that tell how many have a hold on them.
struct Counted {
    bytes: Vec<u8>,
    _hold: Arc<()>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[tokio::test]
async fn a_chunk_is_freed_with_its_last_event() {
    let holds = Arc::new(());
    let text = wire(&[start(), end("end_turn")]).into_bytes();
    let chunk = Bytes::from_owner(Counted { bytes: text, _hold: Arc::clone(&holds) });
    let mut stream = MessageStream::from_bytes(futures_util::stream::iter([Ok::<_, Infallible>(chunk)]));
    stream.next().await.unwrap().unwrap();
    assert_eq!(Arc::strong_count(&holds), 2, "there is another event in it");
    stream.next().await.unwrap().unwrap();
    assert_eq!(Arc::strong_count(&holds), 1, "nothing more is asked for");
}
